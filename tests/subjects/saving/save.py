#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""save.py workload|check|resident HOW: a file that is saved anew, in one of ten ways.

Version 1 is on the disk; versions 2 and 3 are saved, and each is promised when the way has done all that it does. Between
the steps of it, and at the end, another program syncs a file of its own.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import verdict  # noqa: E402

VERSIONS = 3


def text(version):
    return f"version {version}\n".encode() * 1200


def write(path, data, flags, sync=None, allocate=False):
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o644)
    if allocate:
        os.posix_fallocate(handle, 0, len(data))
    if flags:
        another()
    os.write(handle, data)
    if sync:
        sync(handle)
    os.close(handle)


def another():
    write("other", b"other", 0, os.fsync)


def sync_path(path):
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def save(how, data):
    """Saves it in the file `db`."""
    sync = os.fsync if "fsync" in how else os.fdatasync if "fdatasync" in how else None
    if how[0] == "overwrite":
        write("db", data, 0, sync)
    elif how[0] == "truncate":
        write("db", data, os.O_TRUNC, sync)
    else:
        write("new", data, os.O_TRUNC, sync, allocate="fallocate" in how)
        another()
        if how[0] == "backup":
            os.rename("db", "db~")
            another()
        os.rename("new", "db")
    if "name" in how:
        sync_path("db")
    if "dir" in how:
        sync_path(".")


def workload(how):
    os.chdir(verdict.path())
    for version in range(2, VERSIONS + 1):
        save(how, text(version))
        verdict.promise(version)
    another()


def check(how):
    last = max(map(int, verdict.promised()), default=1)
    found = b""
    for name in ("db", "db~") if how[0] == "backup" else ("db",):
        # A program that keeps the old file under another name looks for that, too.
        if os.path.exists(verdict.path(name)):
            with open(verdict.path(name), "rb") as file:
                found = file.read()
            break
    else:
        verdict.violation(verdict.LOST, "there is no file")
    versions = [version for version in range(1, VERSIONS + 1) if found == text(version)]
    if not versions:
        what = "empty" if not found else "NUL" if not found.strip(b"\0") else f"{len(found)} bytes of several versions"
        verdict.violation(verdict.CORRUPT, what)
    if versions[0] < last:
        verdict.violation(verdict.BACK, f"to version {versions[0]} of {last}")


if __name__ == "__main__":
    what, how = sys.argv[1], sys.argv[2].split("+")
    if what == "setup":
        os.chdir(verdict.path())
        write("db", text(1), 0, os.fsync)
        os.sync()
    elif what == "resident":
        verdict.resident(lambda: check(how))
    else:
        {"workload": workload, "check": check}[what](how)
