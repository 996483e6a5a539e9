#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stack.py setup|workload|check|cleanup RESILIENCE: `cryptsetup reencrypt` of a LUKS2 disk, while its data must stay what it is.

CRYPTSETUP is the program, if it is not that of the machine.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import verdict  # noqa: E402
from blocks import name, run  # noqa: E402

PROGRAM = os.environ.get("CRYPTSETUP", "cryptsetup")
KEY = "/run/subject-key"
BYTES = 1 << 20
# What a key is derived by costs time, and is not what is tried.
PBKDF = ("--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000")
# Not --disable-locks: the second copy of the header is not mended then.
QUIET = ("--batch-mode", f"--key-file={KEY}")
# A process of a check's own PID namespace waits for udev in vain.
os.environ["DM_DISABLE_UDEV"] = "1"


def text():
    return b"".join(b"%015d\n" % number for number in range(BYTES // 16))


def device():
    return os.environ["POWERCUT_DEV"]


def mapped():
    return f"/dev/mapper/{name()}"


def key():
    if not os.path.exists(KEY):
        with open(KEY, "w", encoding="ascii") as file:
            file.write("key")


def cryptsetup(action, *words):
    run(PROGRAM, action, *QUIET, *words)


def setup():
    cryptsetup("luksFormat", "--type=luks2", *PBKDF, "--luks2-metadata-size=16k", "--luks2-keyslots-size=512k", "--cipher=aes-cbc-essiv:sha256",
               "--key-size=128", device())  # fmt: skip
    cryptsetup("open", device(), name())
    with open(mapped(), "wb") as file:
        file.write(text())
        file.flush()
        os.fsync(file.fileno())
    cleanup()


def workload(resilience):
    # Four hotzones, one after the other.
    cryptsetup("reencrypt", *PBKDF, f"--resilience={resilience}", "--hotzone-size=256K", "--key-slot=0", device())
    verdict.promise("reencrypted")


def recover():
    """Opening it recovers what was begun, and so does `repair`: the manual has both."""
    try:
        cryptsetup("open", device(), name())
    except RuntimeError as error:
        try:
            cryptsetup("repair", device())
            cryptsetup("open", device(), name())
        except RuntimeError:
            verdict.violation(verdict.CLOSED, error)


def check():
    try:
        recover()
        with open(mapped(), "rb") as file:
            found = file.read(BYTES)
        expected = text()
        if found != expected:
            damaged = [place // 4096 for place in range(0, BYTES, 4096) if found[place:place + 4096] != expected[place:place + 4096]]
            verdict.violation(verdict.CORRUPT, f"{len(damaged)} of {BYTES // 4096} blocks are not what they were, the first is {damaged[0]}")
    finally:
        cleanup()


def cleanup():
    if os.path.exists(mapped()):
        run(PROGRAM, "close", name())


if __name__ == "__main__":
    key()
    {"setup": setup, "workload": lambda: workload(sys.argv[2]), "check": check, "cleanup": cleanup}[sys.argv[1]]()
