#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""install.py setup|workload|check HOW: uv installs a wheel, by its cache on the disk; HOW is default, or synced, with sync(1) after it.

After a power failure the same package is installed again, elsewhere, and must be whole.
"""

import os
import subprocess
import sys
import tempfile
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import verdict  # noqa: E402

NAME = "powercut_subject"
TEXT = "VALUE = 1\n" * 2000
WHEEL = f"/run/{NAME}-1-py3-none-any.whl"


def wheel():
    """A package of a few modules. It has to be the same for all."""
    info = f"{NAME}-1.dist-info"
    files = {f"{NAME}/__init__.py": "", **{f"{NAME}/module{number}.py": TEXT for number in range(4)},
             f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: a\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    if os.path.exists(WHEEL):
        return
    part = tempfile.mktemp(dir="/run")
    with zipfile.ZipFile(part, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text)
    os.utime(part, (1600000000, 1600000000))
    os.rename(part, WHEEL)


def install(target):
    done = subprocess.run(
        ["/opt/python/bin/uv", "--quiet", "--offline", "--no-config", "pip", "install", "--cache-dir", verdict.path("cache"), "--target", target,
         "--link-mode=copy", "--python", "/usr/bin/python3", WHEEL], capture_output=True, text=True, check=False,
        env={**os.environ, "HOME": "/run"})
    if done.returncode:
        return f"uv: {done.stderr}"
    for number in range(4):
        path = f"{target}/{NAME}/module{number}.py"
        if not os.path.exists(path):
            return f"module{number}.py is missing"
        with open(path, encoding="utf-8", errors="replace") as file:
            if file.read() != TEXT:
                return f"module{number}.py is not what it was"
    return ""


def workload(how):
    wheel()
    said = install(tempfile.mkdtemp(dir="/run"))
    if said:
        sys.exit(said)
    if how == "synced":
        os.sync()
    # As another program does.
    with open(verdict.path("other"), "w", encoding="ascii") as file:
        file.write("other")
        file.flush()
        os.fsync(file.fileno())
    verdict.promise("installed")


def check():
    if not verdict.promised():
        return
    wheel()
    said = install(tempfile.mkdtemp(dir="/run"))
    if said:
        verdict.violation(verdict.CORRUPT if "module" in said else verdict.STUCK, said)


if __name__ == "__main__":
    check() if sys.argv[1] == "check" else workload(sys.argv[2])
