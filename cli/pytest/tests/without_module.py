# SPDX-License-Identifier: GPL-2.0
"""without_module.py DIR: the example by a virtual machine of its own; needs neither pytest nor the module."""

import os
import sys
from pathlib import Path

from pytest_powercut import CrashTest, Violations


def workload(disk):
    for name, sync in (("a", True), ("b", False)):
        with open(disk.mount / name, "w", encoding="ascii") as file:
            file.write("hello")
            file.flush()
            if sync:
                os.fsync(file.fileno())
        disk.promise(name)


def check(disk):
    for name in disk.promises():
        assert (disk.mount / name).read_text(encoding="ascii") == "hello", f"{name} is not whole"


def check_of_a(disk):
    if "a" in disk.promises():
        assert (disk.mount / "a").read_text(encoding="ascii") == "hello", "a is not whole"


def main(top):
    """Fails unless the check of both finds what the check of one does not."""
    explore = CrashTest(Path(top) / "reports")
    explore(workload, check_of_a, size="16M", budget=20)
    try:
        explore(workload, check, size="16M", budget=20)
    except Violations as found:
        assert "see it again: " in str(found), found
    else:
        sys.exit("nothing was found")


if __name__ == "__main__":
    main(*sys.argv[1:])
