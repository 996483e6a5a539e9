#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stack.py setup|workload|check|cleanup RESILIENCE: `cryptsetup reencrypt` of a LUKS2 disk, while its data must stay what it is."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import verdict  # noqa: E402
from blocks import name, run  # noqa: E402

KEY = "/run/subject-key"
BYTES = 4 << 20
# What a key is derived by costs time, and is not what is tried.
PBKDF = ("--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000")
QUIET = ("--batch-mode", f"--key-file={KEY}", "--disable-locks")


def text():
    return b"".join(b"%015d\n" % number for number in range(BYTES // 16))


def device():
    return os.environ["POWERCUT_DEV"]


def key():
    if not os.path.exists(KEY):
        with open(KEY, "w", encoding="ascii") as file:
            file.write("key")


def setup():
    run("cryptsetup", "luksFormat", *QUIET, "--type=luks2", *PBKDF, "--luks2-metadata-size=16k", "--luks2-keyslots-size=512k",
        "--cipher=aes-cbc-essiv:sha256", "--key-size=128", device())
    run("cryptsetup", "open", *QUIET, device(), name())
    with open(f"/dev/mapper/{name()}", "wb") as file:
        file.write(text())
        file.flush()
        os.fsync(file.fileno())
    run("cryptsetup", "close", name())


def workload(resilience):
    run("cryptsetup", "reencrypt", *QUIET, *PBKDF, f"--resilience={resilience}", "--hotzone-size=1M", f"--device-size={BYTES // 512}s",
        "--key-slot=0", device())
    verdict.promise("reencrypted")


def check():
    try:
        try:
            # Opening it recovers what was begun.
            run("cryptsetup", "open", *QUIET, device(), name())
        except RuntimeError as error:
            verdict.violation(verdict.CLOSED, error)
        with open(f"/dev/mapper/{name()}", "rb") as file:
            found = file.read(BYTES)
        expected = text()
        if found != expected:
            damaged = sum(found[place:place + 4096] != expected[place:place + 4096] for place in range(0, BYTES, 4096))
            verdict.violation(verdict.CORRUPT, f"{damaged} blocks are not what they were")
    finally:
        cleanup()


def cleanup():
    if os.path.exists(f"/dev/mapper/{name()}"):
        run("cryptsetup", "close", name())


if __name__ == "__main__":
    key()
    {"setup": setup, "workload": lambda: workload(sys.argv[2]), "check": check, "cleanup": cleanup}[sys.argv[1]]()
