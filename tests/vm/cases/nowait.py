# SPDX-License-Identifier: GPL-2.0
"""I/O that must not wait is served at once or refused, and never in part."""

import errno
import mmap
import os

from lib.disk import Disk
from lib.tap import equal, fails, test

PAGE = 4096


def write(raw, offset, byte):
    with mmap.mmap(-1, PAGE) as memory:
        memory[:] = byte * PAGE
        return os.pwritev(raw.fd, [memory], offset, os.RWF_NOWAIT)


def read(raw, offset):
    with mmap.mmap(-1, PAGE) as memory:
        done = os.preadv(raw.fd, [memory], offset, os.RWF_NOWAIT)
        equal(done, PAGE)
        return memory[:]


@test("I/O that must not wait goes to pages that are there, and is refused where it takes more")
def without_waiting():
    with Disk() as disk, disk.raw() as raw:
        raw.write(0, b"a" * PAGE)
        equal(write(raw, 0, b"b"), PAGE)
        equal(read(raw, 0), b"b" * PAGE)
        # A page that was never written to reads as zeroes; a write to it needs memory.
        equal(read(raw, PAGE), bytes(PAGE))
        with fails(errno.EAGAIN):
            write(raw, PAGE, b"c")
        equal(raw.read(PAGE, PAGE), bytes(PAGE))

        disk.record("start")
        with fails(errno.EAGAIN):
            write(raw, 0, b"d")
        equal(disk.events(), 0)
        raw.write(0, b"e" * PAGE)
        with fails(errno.EAGAIN):
            read(raw, 0)
        equal(raw.read(0, PAGE), b"e" * PAGE)
        disk.record("stop")
        disk.record("drop")
        equal(write(raw, 0, b"f"), PAGE)
        equal(raw.read(0, PAGE), b"f" * PAGE)
