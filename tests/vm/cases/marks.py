# SPDX-License-Identifier: GPL-2.0
"""Marks: each line is one, in the log before the write returns."""

import errno

from lib import log
from lib.disk import Disk
from lib.tap import equal, fails, test

REFUSED = (
    ("an empty one", b"\n"),
    ("one that is too long", b"m" * 1025),
    ("one with a NUL", b"a\0b"),
    ("an empty one among others", b"a\n\nb\n"),
    ("one that is too long among others", b"a\n" + b"m" * 1025 + b"\nb\n"),
    ("one with a NUL among others", b"a\nb\0\nc"),
    ("an empty one at the end", b"a\n\n"),
)


def refused(data):
    with Disk() as disk:
        disk.record("start")
        disk.mark("before")
        before = disk.status()
        with fails(errno.EINVAL, repr(data[:20])):
            disk.set("mark", data)
        equal(disk.status(), before, "status")
        equal([entry.payload for entry in disk.log().entries], [b"before"], "marks")


for name, row in REFUSED:
    test(f"{name} is refused, and nothing of it gets in", row)(refused)


@test("each line is a mark, of any bytes but NUL, up to 1024 of them")
def lines():
    marks = [b"one", b"two words", b" ", b"\xff\xfe", b"m" * 1024, b"\r", "zażółć".encode()]
    with Disk() as disk:
        disk.record("start")
        disk.set("mark", b"\n".join(marks))
        disk.set("mark", b"last\n")
        equal([entry.payload for entry in disk.log().entries], [*marks, b"last"], "marks")
        equal(disk.get("mark"), str(len(marks) + 1), "number of marks")
        equal(disk.events(), len(marks) + 1, "newest event")


@test("a mark stands between the writes it came between")
def ordered():
    with Disk() as disk:
        disk.record("start")
        with disk.raw() as raw:
            raw.write(0, bytes(4096))
            disk.mark("a")
            raw.write(0, bytes(4096))
            disk.mark("b")
            raw.flush()
        ops = [(entry.op, entry.submit) for entry in disk.log().entries]
        expected = [(log.WRITE, 1), (log.MARK, 3), (log.WRITE, 4), (log.MARK, 6), (log.FLUSH, 7)]
        equal(ops, expected, "log")


@test("a mark needs a record that is being written")
def without():
    with Disk(power=0) as disk:
        with fails(errno.ENODEV, "a mark while off"):
            disk.mark("m")
        equal(disk.get("mark"), "0", "marks")
        disk.on()
        with fails(errno.ENODATA, "a mark without a record"):
            disk.mark("m")
        disk.record("start")
        disk.mark("m")
        disk.record("stop")
        with fails(errno.ENODATA, "a mark on a stopped record"):
            disk.mark("m")
        equal(disk.get("mark"), "1", "marks")
