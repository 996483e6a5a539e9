#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""files.py workload|check|resident: files that are made and synced, with their directory, and changed and synced."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import verdict  # noqa: E402

COUNT = 4


def text(number, change):
    return f"file {number}, change {change}\n".encode() * 400


def sync(path):
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def workload():
    os.chdir(verdict.path())
    for change in (1, 2):
        for number in range(COUNT):
            handle = os.open(f"file{number}", os.O_WRONLY | os.O_CREAT, 0o644)
            os.pwrite(handle, text(number, change), 0)
            os.fsync(handle)
            os.close(handle)
            if change == 1:
                sync(".")
            verdict.promise(f"{number} {change}")


def check():
    last = dict(line.split() for line in verdict.promised())
    for number, change in last.items():
        path = verdict.path(f"file{number}")
        if not os.path.exists(path):
            verdict.violation(verdict.LOST, f"file {number}")
        with open(path, "rb") as file:
            found = file.read()
        allowed = [text(number, version) for version in range(int(change), 3)]
        if found in allowed:
            continue
        if found == text(number, 1):
            verdict.violation(verdict.BACK, f"file {number}")
        # A change that was not promised may be there in part.
        if int(change) == 1 and mixed(found, number):
            continue
        verdict.violation(verdict.CORRUPT, f"file {number} has {len(found)} bytes")


def mixed(found, number):
    """Whether each byte is one of either version."""
    old, new = text(number, 1), text(number, 2)
    return len(found) == len(old) and all(a in (b, c) for a, b, c in zip(found, old, new))


if __name__ == "__main__":
    if sys.argv[1] == "resident":
        verdict.resident(check)
    else:
        {"workload": workload, "check": check}[sys.argv[1]]()
