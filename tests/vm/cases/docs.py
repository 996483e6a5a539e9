# SPDX-License-Identifier: GPL-2.0
"""The commands in the documentation do what it says."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from lib.command import tidy
from lib.tap import equal, test

TOP = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(TOP / "tests/docs"))

from pages import scripts  # noqa: E402

# A page may take longer than a test.
LIMIT = 900


def here(page):
    """The scripts of a page that are run here."""
    return scripts((TOP / page).read_text(encoding="utf-8"), "vm")


def run(page):
    """Runs the scripts of a page, in a directory of its own."""
    with tidy() as own, tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "HOME": home}
        for block in here(page):
            words = ["bash", "-eu", "-o", "pipefail", "-c", block.text]
            done = subprocess.run(
                words, cwd=own, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
            told = f"{done.stdout[-3000:]}\n{done.stderr[-2000:]}"
            equal(done.returncode, block.status, f"{page}, line {block.line}: {told}\nexit status")


for path_ in [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]:
    page_ = str(path_.relative_to(TOP))
    if here(page_):
        test(f"{page_}: its commands do what it says", page_, limit=LIMIT)(run)
