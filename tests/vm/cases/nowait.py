# SPDX-License-Identifier: GPL-2.0
"""I/O that must not wait is served at once or refused, and what is refused is in no record."""

import contextlib
import errno
import mmap
import os
from collections import Counter

from cases.limit import inject
from lib.disk import Disk, put
from lib.log import send_import
from lib.tap import equal, fails, note, rounds, test, wait_until

PAGE = 4096


def write(raw, offset, byte, pages=1):
    with mmap.mmap(-1, pages * PAGE) as memory:
        memory[:] = byte * (pages * PAGE)
        return os.pwritev(raw.fd, [memory], offset, os.RWF_NOWAIT)


def read(raw, offset):
    with mmap.mmap(-1, PAGE) as memory:
        done = os.preadv(raw.fd, [memory], offset, os.RWF_NOWAIT)
        equal(done, PAGE)
        return memory[:]


def served(call, *args):
    """What is refused because there happens to be no free memory at hand is served soon."""

    def attempt():
        with contextlib.suppress(BlockingIOError):
            return call(*args)

    return wait_until(attempt, "I/O that is served")


@test("I/O that must not wait is served where it need not, recorded or not")
def without_waiting():
    with Disk() as disk, disk.raw() as raw:
        # Its leaf of the table needs memory, too: there is some.
        for byte in (b"a", b"b"):
            equal(served(write, raw, 0, byte), PAGE)
            equal(served(read, raw, 0), byte * PAGE)
        equal(served(read, raw, PAGE), bytes(PAGE))

        disk.record("start")
        for number, byte in enumerate((b"c", b"d", b"e", b"f")):
            equal(served(write, raw, 0, byte), PAGE)
            equal(disk.events(), 2 * number + 2)
            equal(served(read, raw, 0), byte * PAGE)
        equal(served(write, raw, PAGE, b"g"), PAGE)
        with disk.view() as view:
            for cut, keep, expected in ((0, "all", b"b"), (4, "all", b"d"), (4, "none", b"b"), (10, "all", b"f")):
                view.point(cut, keep)
                equal(view.read(PAGE), expected * PAGE, f"{keep} at {cut}")
        disk.record("stop")
        disk.record("drop")
        equal(served(write, raw, 0, b"h"), PAGE)
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


@contextlib.contextmanager
def failing(where, percent):
    """So many of this process's allocations in the module fail."""
    put(f"{where}/probability", percent)
    put("/proc/self/make-it-fail", 1)
    try:
        yield
    finally:
        put("/proc/self/make-it-fail", 0)
        put(f"{where}/probability", 0)


@test("memory that can't be had at once refuses I/O that must not wait, and nothing else", "failslab", {})
@test("pages that can't, likewise", "fail_page_alloc", {"min-order": 0})
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
                        try:
                            with failing(where, percent):
                                write(raw, page * PAGE, byte)
                            content[page] = byte * PAGE
                            counts["served"] += 1
                        except BlockingIOError:
                            counts["refused"] += 1
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


PAGES = 16  # of a write
OLD, NEW, PATIENT = b"o", b"n", b"p"


def refusals(where, disk, raw):
    """Places where a write of several pages was refused for lack of memory: every third page of them had
    been written to. For as long as anybody asks."""
    nr_places = disk.size() // (PAGES * PAGE)
    for number in range(nr_places):
        at = number * PAGES * PAGE
        for page in range(1, PAGES, 3):
            raw.write(at + page * PAGE, OLD * PAGE)
        before = disk.status()
        try:
            with failing(where, (5, 10, 20, 100)[number % 4]):
                write(raw, at, NEW, PAGES)
        except BlockingIOError:
            yield at, before
        else:
            equal(raw.read(at, PAGES * PAGE), NEW * (PAGES * PAGE), "what was served")


def pages(raw, at):
    """One letter a page, `.` for zeroes; fails where one is not whole."""
    data = raw.read(at, PAGES * PAGE)
    found = [data[start : start + PAGE] for start in range(0, len(data), PAGE)]
    for page in found:
        equal(page, page[:1] * PAGE, "a page")
    return b"".join(page[:1] for page in found).replace(b"\0", b".")


BEFORE = (b"." + OLD + b".") * 5 + b"."


def in_part(kind, settings):
    """What a disk that records nothing is left with by a write of several pages that is refused."""
    where = inject(kind, settings)
    counts = Counter()
    with Disk(size=64) as disk, disk.raw() as raw:
        for at, _ in refusals(where, disk, raw):
            found = pages(raw, at)
            for was, now in zip(BEFORE, found):
                assert now in (was, NEW[0]), f"{found} where it was {BEFORE}"
            counts["in part" if NEW in found else "not at all"] += 1
            raw.write(at, PATIENT * (PAGES * PAGE))
            equal(pages(raw, at), PATIENT * PAGES, "once there was time")
            if min(counts["in part"], counts["not at all"]) >= rounds(20, 2):
                break
    note(dict(counts))
    assert counts["in part"] and counts["not at all"], "no write was refused halfway"


def in_no_part(kind, settings):
    """A record, and the disk, have nothing of such a write."""
    where = inject(kind, settings)
    counts = Counter()
    with Disk(size=4) as disk, disk.raw() as raw, Disk("other", size=4) as other:
        disk.record("start")
        for at, before in refusals(where, disk, raw):
            equal(disk.status(), before, "the record")
            equal(pages(raw, at), BEFORE, "the disk")
            raw.write(at, PATIENT * (PAGES * PAGE))
            equal(pages(raw, at), PATIENT * PAGES, "once there was time")
            equal(disk.events(), before["events"] + 2, "events")
            counts["refused"] += 1
            if counts["refused"] >= rounds(40, 10):
                break
        disk.record("stop")
        # Nor has what is made of the record: every write in it is whole, and was served.
        send_import(other, disk.export())
        with other.view() as view:
            view.point(other.events(), "all")
            equal(view.read() == disk.read(), True, "the state that kept all is the disk")
    note(dict(counts))
    assert counts["refused"] >= 10, "no allocation was made to fail"


for name_, kind_, settings_ in (("memory", "failslab", {}), ("pages", "fail_page_alloc", {"min-order": 0})):
    test(f"a write of several pages that lacks {name_}: done in part or not where nothing is recorded, each page whole",
         kind_, settings_)(in_part)  # fmt: skip
    test(f"a write of several pages that lacks {name_}: a record has nothing of it", kind_, settings_)(in_no_part)
