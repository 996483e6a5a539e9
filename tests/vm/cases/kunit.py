# SPDX-License-Identifier: GPL-2.0
"""The module's KUnit suites, on a kernel that has KUnit: scripts/vm starts the debug kernels with kunit.enable=1."""

import os
import re

from lib.disk import put
from lib.tap import DEBUG, note, test

KUNIT = "/sys/kernel/debug/kunit"


def suites():
    """The names of those that the loaded module has."""
    return sorted(name for name in os.listdir(KUNIT) if name.startswith("powercut")) if os.path.isdir(KUNIT) else []


def passes(suite):
    put(f"{KUNIT}/{suite}/run", "1")
    with open(f"{KUNIT}/{suite}/results", encoding="utf-8") as file:
        results = file.read()
    cases = re.findall(r"^ +(ok|not ok) \d+ (\S+)(.*)$", results, re.MULTILINE)
    note(len(cases), "cases")
    failed = [name for outcome, name, _ in cases if outcome != "ok"]
    assert cases and not failed, f"failed: {failed}\n{results}"


if DEBUG:

    @test("the module has suites, and the kernel runs them")
    def there_are_suites():
        assert suites(), f"no suite of powercut in {KUNIT}: was the machine started with kunit.enable=1?"

    for name in suites():
        test(name, name)(passes)
