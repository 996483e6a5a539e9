# SPDX-License-Identifier: GPL-2.0
"""Each allocation fails once while the module is loaded and unloaded; and what leaked in all of them."""

import os

from cases import churn
from cases.memory import NEW, every, usable
from lib import clean, nth
from lib import log as fmt
from lib.disk import Disk
from lib.tap import equal, note, test


@test("the module is loaded, or it is not")
def load():
    def one():
        clean.rmmod()
        try:
            failed = yield clean.insmod
            equal(clean.is_loaded(), not failed, "whether it is loaded")
            equal(os.path.exists("/sys/kernel/config/powercut"), not failed, "whether its directory is there")
            equal(os.path.exists(fmt.CONTROL), not failed, "whether its device is there")
        finally:
            if not clean.is_loaded():
                clean.insmod()
        with Disk() as disk:
            usable(disk)

    # Where that fails, Linux 7.3 panics: rust/kernel/configfs.rs drops, and so unregisters, what was never registered.
    every(one, at_least=2, but="configfs_register_subsystem")


@test("the module is unloaded")
def unload():
    def one():
        try:
            failed = yield clean.rmmod
            equal(failed, 0, "the error")
        finally:
            if not clean.is_loaded():
                clean.insmod()

    every(one, at_least=0)


@test("writes that fail half-way give back the pages that they had taken")
def pages():
    groups, count, size = 3, 4, 1 << 18

    def one():
        with Disk() as disk, disk.raw() as raw:
            disk.record("start")
            yield lambda: raw.write(0, NEW * size)

    def taken():
        churn.settle()
        return churn.memory()["taken"]

    with nth.ready(32):
        # What is kept for the next time has been taken by then.
        met = nth.each(one)
        grown = []
        for _ in range(groups):
            before = taken()
            for _ in range(count):
                nth.each(one)
            grown.append(taken() - before)
    lost = count * met * size >> 10
    note(f"{grown} kB more, each after {count} times {met} writes of {size >> 10} kB that failed")
    # If one in eight of them kept its pages, that would be so much, each time. What the kernel keeps for other reasons
    # (KASAN's freed objects) grows now and then.
    assert met and min(grown) < lost // 8, f"{grown} kB more, where all pages of all of them are {lost} kB"


@test("what has failed has leaked nothing")
def leaks():
    churn.kmemleak()
