#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""environment.py setup|workload|check COPIES: a U-Boot environment on a disk, of one copy or two, set by fw_setenv."""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import verdict  # noqa: E402

BYTES = 0x4000
COUNT = 4
# A variable that fills most of the environment, so that several blocks of the disk are written.
FILLER = "x" * 12000


def config(copies):
    path = os.path.join(tempfile.mkdtemp(dir="/run"), "fw_env.config")
    with open(path, "w", encoding="ascii") as file:
        for copy in range(copies):
            file.write(f"{os.environ['POWERCUT_DEV']} {hex(copy * BYTES * 2)} {hex(BYTES)}\n")
    with open(f"{path}.default", "w", encoding="ascii") as file:
        file.write("number=0\n")
    return path


def setenv(path, number):
    done = subprocess.run(["fw_setenv", "-c", path, "-f", f"{path}.default", "number", str(number), "filler", f"{number}{FILLER}"],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"fw_setenv: {done.stdout} {done.stderr}")


def workload(path):
    for number in range(1, COUNT + 1):
        setenv(path, number)
        verdict.promise(number)


def check(path):
    last = max(map(int, verdict.promised()), default=0)
    done = subprocess.run(["fw_printenv", "-c", path, "-f", "/nonexistent"], capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if done.returncode or "rong environment" in said or "Bad CRC" in said:
        verdict.violation(verdict.CLOSED, said)
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    number = int(found.get("number", -1))
    if found.get("filler", "") != f"{number}{FILLER}":
        verdict.violation(verdict.CORRUPT, "variables of different saves")
    if number < last:
        verdict.violation(verdict.BACK, f"to {number} of {last}")


if __name__ == "__main__":
    what, copies = sys.argv[1], int(sys.argv[2])
    {"setup": lambda path: setenv(path, 0), "workload": workload, "check": check}[what](config(copies))
