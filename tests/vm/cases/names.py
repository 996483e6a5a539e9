# SPDX-License-Identifier: GPL-2.0
"""Names of disks and crash states."""

import errno
import os

from lib.clean import CONFIG
from lib.disk import Disk, View
from lib.tap import equal, fails, rounds, test

BAD = (
    ("a!b", errno.EINVAL), ("a.b", errno.EINVAL), ("a b", errno.EINVAL), ("a\tb", errno.EINVAL),
    (" ", errno.EINVAL), ("!", errno.EINVAL), ("..a", errno.EINVAL), ("a\n", errno.EINVAL),
    ("a%s", errno.EINVAL), ("é", errno.EINVAL), ("a\x7f", errno.EINVAL), ("a:b", errno.EINVAL),
    ("x" * 23, errno.ENAMETOOLONG), ("x" * 255, errno.ENAMETOOLONG), ("x" * 256, errno.ENAMETOOLONG),
    ("a/b", errno.ENOENT), ("", errno.EEXIST),
)  # fmt: skip


@test("names that no disk can have")
def bad_disks():
    before = os.listdir(CONFIG)
    for name, error in BAD:
        with fails(error, repr(name)):
            os.mkdir(f"{CONFIG}/{name}")
    equal(os.listdir(CONFIG), before, "what is in configfs")


@test("names that no crash state can have")
def bad_views():
    with Disk("d") as disk:
        before = os.listdir(disk.path)
        for name, error in (*BAD, ("x" * 21, errno.ENAMETOOLONG)):
            with fails(error, repr(name)):
                os.mkdir(f"{disk.path}/{name}")
        equal(os.listdir(disk.path), before, "what is in the disk's group")


@test("names of one byte, of all kinds of bytes and of the full length")
def good():
    for name in ("a", "0", "-", "_", "A-Z_09", "x" * 22):
        with Disk(name) as disk:
            equal(disk.size(), 1 << 20, "size")
    with Disk("x" * 10) as disk:
        disk.record("start")
        with disk.view("y" * 11) as view:
            equal(view.size(), 1 << 20, "size")


@test("names that are taken")
def taken():
    with Disk("t") as disk:
        with fails(errno.EEXIST):
            os.mkdir(disk.path)
        disk.record("start")
        with disk.view("v") as view:
            with fails(errno.EEXIST):
                View(disk, "v")
            with fails(errno.EEXIST, "the name of an attribute"):
                View(disk, "power")
            equal(view.get("power"), "1", "power")


@test("two disks may have a crash state of the same name")
def same_view():
    with Disk("a") as a, Disk("b") as b:
        for disk in (a, b):
            disk.record("start")
        with a.view("v"), b.view("v"):
            pass


@test("a disk is made by nothing but mkdir and power")
def no_disk_yet():
    equal([name for name in os.listdir("/sys/block") if "powercut" in name], [], "disks at first")
    with Disk("t", power=0) as disk:
        equal(os.path.exists(disk.device), False, "device before power")
        disk.on()
        equal(os.path.exists(disk.device), True, "device with power")
        disk.off()
        equal(os.path.exists(disk.device), False, "device after power")


CLASHES = (("a", "a1"), ("d9", "d9p1"), ("a.v", "a.v1"), ("b.9", "b.9p3"), ("a", "a12"))


@test("two disks can't be on when a partition of one would be named as the other is")
def clashes():
    for names in CLASHES[: rounds(5, 3)]:
        for one, two in (names, names[::-1]):
            with Disk(one.split(".")[0], power=0) as first, Disk("z", power=0) as other:
                if "." in one:
                    first.on()
                    first.record("start")
                    pair = [first.view(name.split(".")[1], power=0) for name in (one, two)]
                else:
                    other.remove()
                    pair = [first, Disk(two, power=0)]
                pair[0].on()
                with fails(errno.EEXIST, f"{two} beside {one}"):
                    pair[1].on()
                equal((pair[0].get("power"), pair[1].get("power")), ("1", "0"), "power")
                pair[0].off()
                pair[1].on()
                with fails(errno.EEXIST, f"{one} beside {two}"):
                    pair[0].on()
                pair[1].remove()
    for names in (("d1", "d11"), ("a", "ap1"), ("a", "b1"), ("a-", "a"), ("a9", "a1")):
        with Disk(names[0]) as one, Disk(names[1]) as two:
            equal((one.size(), two.size()), (1 << 20, 1 << 20), "sizes")
