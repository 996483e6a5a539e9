# SPDX-License-Identifier: GPL-2.0
"""I/O that must not wait is served at once or refused, and what is refused is in no record."""

import errno
import mmap
import os
from collections import Counter

from cases.limit import inject
from lib.disk import Disk, put
from lib.tap import equal, fails, note, test

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


@test("I/O that must not wait is served where it need not, recorded or not")
def without_waiting():
    with Disk() as disk, disk.raw() as raw:
        # Its leaf of the table needs memory, too: there is some.
        for byte in (b"a", b"b"):
            equal(write(raw, 0, byte), PAGE)
            equal(read(raw, 0), byte * PAGE)
        equal(read(raw, PAGE), bytes(PAGE))

        disk.record("start")
        for number, byte in enumerate((b"c", b"d", b"e", b"f")):
            equal(write(raw, 0, byte), PAGE)
            equal(disk.events(), 2 * number + 2)
            equal(read(raw, 0), byte * PAGE)
        equal(write(raw, PAGE, b"g"), PAGE)
        with disk.view() as view:
            for cut, keep, expected in ((0, "all", b"b"), (4, "all", b"d"), (4, "none", b"b"), (10, "all", b"f")):
                view.point(cut, keep)
                equal(view.read(PAGE), expected * PAGE, f"{keep} at {cut}")
        disk.record("stop")
        disk.record("drop")
        equal(write(raw, 0, b"h"), PAGE)
        equal(raw.read(0, 2 * PAGE), b"h" * PAGE + b"g" * PAGE)


@test("what a disk that delays or that has faults would have to wait for is refused")
def refused():
    with Disk(completion="delayed:1000") as disk, disk.raw() as raw:
        with fails(errno.EAGAIN, "delayed"):
            write(raw, 0, b"a")
    with Disk() as disk, disk.raw() as raw:
        disk.record("start")
        disk.set("faults", "eio op=write\n")
        with fails(errno.EAGAIN, "with faults"):
            write(raw, 0, b"a")
        with fails(errno.EIO, "with faults, and patience"):
            raw.write(0, bytes(PAGE))


@test("memory that can't be had at once refuses I/O that must not wait, and nothing else", "failslab", {}, limit=90)
@test("pages that can't, likewise", "fail_page_alloc", {"min-order": 0}, limit=90)
def no_memory(kind, settings):
    where = inject(kind, settings)
    counts = Counter()
    try:
        for percent in (3, 30, 100):
            with Disk(log_limit_mib=0) as disk:
                content = {page: bytes(PAGE) for page in range(128)}
                disk.record("start")
                with disk.raw() as raw:
                    for number in range(300):
                        page, byte = number * 37 % 128, bytes([number % 255 + 1])
                        put(f"{where}/probability", percent)
                        put("/proc/self/make-it-fail", 1)
                        try:
                            write(raw, page * PAGE, byte)
                            content[page] = byte * PAGE
                            counts["served"] += 1
                        except BlockingIOError:
                            counts["refused"] += 1
                        finally:
                            put("/proc/self/make-it-fail", 0)
                            put(f"{where}/probability", 0)
                        if number % 50 == 0:
                            # With patience it works, and the log goes on.
                            raw.write(page * PAGE, byte * PAGE)
                            content[page] = byte * PAGE
                            counts["served"] += 1
                    equal(raw.read(0, 128 * PAGE), b"".join(content.values()), "the content")
                status = disk.status()
                equal(status["truncated"], 0, "truncated")
                equal(status["events"], 2 * status["entries"], "events")
                counts["logged"] += status["entries"]
                disk.record("reset")
                equal(disk.read(128 * PAGE), bytes(128 * PAGE), "the base")
    finally:
        put(f"{where}/probability", 0)
    note(dict(counts))
    equal(counts["logged"], counts["served"])
    assert counts["refused"], "no allocation was made to fail"
