# SPDX-License-Identifier: GPL-2.0
"""The tests that would go to the kernel's selftests and to blktests."""

import subprocess
from pathlib import Path

from lib.tap import equal, test

TESTS = Path(__file__).resolve().parents[2]


@test("the selftests of the kernel tree pass", "selftests/powercut.sh")
@test("the group of blktests passes", "blktests/run")
def passes(program):
    done = subprocess.run([TESTS / program], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    told = f"{done.stdout[-3000:]}\n{done.stderr[-1000:]}"
    equal(done.returncode, 0, f"{told}\nexit status")
    assert "\nok 1" in told and "SKIP" not in told, told
