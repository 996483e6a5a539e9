# SPDX-License-Identifier: GPL-2.0
"""A trigger goes with the record that it was set for."""

import contextlib
import errno
import time

from lib.disk import Disk
from lib.tap import equal, fails, test

A = b"a" * 4096


@test("stop takes a trigger along", "stop")
@test("drop takes a trigger along", "drop")
@test("reset takes a trigger along", "reset")
def ends(word):
    for trigger in ("writes:2", "flushes:1", "meta", "lba:0-7", "mark:it"):
        with Disk() as disk:
            disk.record("start")
            disk.set("cut", f"eio {trigger}")
            disk.record(word)
            equal(disk.get("cut"), "off", f"cut, {trigger} after {word}")
            if word == "stop":
                disk.record("drop")
            disk.record("start")
            equal(disk.get("cut"), "off", "cut of the next record")
            with disk.raw() as raw:
                for _ in range(3):
                    raw.write(0, A)
                raw.flush()
            disk.mark("it")
            equal((disk.get("cut"), disk.status()["state"]), ("off", "recording"), "the next record")


@test("a time that was set for one record does not cut the next", "drop")
@test("a time that was set for one record does not cut the next, after a reset", "reset")
def time_of_another(word):
    for milliseconds in (30, 1000, 10000):
        with Disk() as disk:
            disk.record("start")
            disk.set("cut", f"eio ms:{milliseconds}")
            try:
                disk.record(word)
            except OSError:
                # This machine was too slow: the power went before the record ended.
                disk.set("restore", "cut=0 keep=none")
                continue
            disk.record("start")
            disk.set("cut", "eio ms:3600000")
            time.sleep(2 * milliseconds / 1000)
            equal(disk.get("cut"), "armed eio", "cut")
            return


@test("a later time takes the place of an earlier one")
def later():
    with Disk() as disk:
        disk.record("start")
        for _ in range(50):
            with contextlib.suppress(OSError):
                disk.set("cut", "eio ms:1")
            with contextlib.suppress(OSError):
                disk.set("cut", "eio ms:3600000")
            if disk.get("cut") == "armed eio":
                time.sleep(0.01)
                equal(disk.get("cut"), "armed eio", "cut")
            else:
                disk.set("restore", "cut=0 keep=none")
                disk.record("start")
        disk.set("cut", "off")
        with fails(errno.ENODATA, "restore with the power on"):
            disk.set("restore", "cut=0 keep=none")
