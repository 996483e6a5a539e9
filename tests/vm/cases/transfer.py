# SPDX-License-Identifier: GPL-2.0
"""Records leave by export and come back by import."""

import errno
import os
import random
import struct

from lib import log as fmt
from lib.disk import Disk
from lib.tap import equal, fails, test


def record_some(disk):
    """Records a bit of everything, and returns the export."""
    block = int(disk.get("blocksize"))
    with disk.raw() as raw:
        raw.write(0, random.randbytes(65536))
        disk.record("start")
        raw.write(block, random.randbytes(3 * block))
        raw.write_fua(0, random.randbytes(block))
        raw.discard(8192, 4096)
        raw.zero(16384, 4096)
        disk.mark("a mark")
        raw.write(20480, random.randbytes(8192))
    disk.record("stop")
    return disk.export()


@test("what was exported is imported, exported and viewed the same, 4096-byte blocks", 4096)
@test("what was exported is imported, exported and viewed the same, 512-byte blocks", 512)
def round_trip(block):
    with Disk("a", blocksize=block) as a, Disk("b", blocksize=block) as b:
        data = record_some(a)
        with b.raw() as raw:
            raw.write(1 << 19, b"old" * 4096)
        fmt.send_import(b, data)
        equal(b.export() == data, True, "export of the import the same")
        status, was = b.status(), a.status()
        for key in ("state", "entries", "events", "marks", "truncated"):
            equal(status[key], was[key], key)
        with a.view() as va, b.view() as vb:
            for cut in range(was["events"] + 1):
                for keep in ("none", "all"):
                    va.point(cut, keep)
                    vb.point(cut, keep)
                    # Where it was written; all of it once, below.
                    equal(va.read(65536) == vb.read(65536), True, f"cut={cut} keep={keep} the same")
            equal(va.read() == vb.read(), True, "all of the last state the same")
        b.record("reset")
        with a.view() as va:
            equal(b.read() == va.read(), True, "the base of the import the same")


@test("a view that is exported while its disk goes on being written to can be imported")
def grows():
    with Disk("a", size=8) as a, Disk("b", size=8) as b:
        a.record("start")
        with a.raw() as raw:
            for page in range(0, 600, 3):
                raw.write(page * 4096, bytes([page % 255 + 1]) * 4096)
            with a.view() as view:
                view.point(a.events(), "all")
                view.set("record", "start")
                with view.raw() as own:
                    own.write(4096, b"v" * 4096)
                view.set("record", "stop")
                before = view.read()
                fd = fmt.open_control()
                fmt.write_all(fd, b"export a.v\n")
                parts = [os.read(fd, 64)]
                # The disk gets pages between, and behind, those that are on their way out.
                for page in range(1, 900, 3):
                    raw.write(page * 4096, b"new!" * 1024)
                while part := os.read(fd, 100000):
                    parts.append(part)
                os.close(fd)
                data = b"".join(parts)
                equal(len(fmt.parse(data).base) >= 200, True, "base entries")
                fmt.send_import(b, data)
                with b.view() as again:
                    again.point(2, "all")
                    equal(again.read() == before, True, "the content the same")
                view.set("record", "drop")


GEOMETRY = (
    ("another size", {"size": 2}),
    ("another block size", {"blocksize": 512, "atomic_unit": 4096}),
    ("another atomic unit", {"atomic_unit": 8192}),
    ("another way to tear", {"tear": "prefix"}),
    ("no write cache", {"write_cache": 0}),
)


def other_geometry(settings):
    with Disk("a") as a, Disk("b", **settings) as b:
        data = record_some(a)
        with fails(errno.EINVAL):
            fmt.send_import(b, data)
        equal(b.status()["state"], "off", "state")


for name, row in GEOMETRY:
    test(f"a disk with {name} takes no import", row)(other_geometry)


@test("an import is refused while the disk is open")
def open_disk():
    with Disk("a") as a, Disk("b") as b:
        data = record_some(a)
        with b.raw(), fails(errno.EBUSY):
            fmt.send_import(b, data)
        equal(b.status()["state"], "off", "state")
        fmt.send_import(b, data)
        with fails(errno.EEXIST, "an import on a record"):
            fmt.send_import(b, data)


def sample():
    """A good log; each change below makes it a bad one."""
    log = fmt.Log(2048, 4096, 4096)
    log.base = [fmt.Entry(fmt.BASE, sector=0, sectors=8, payload=b"b" * 4096)]
    log.entries = [
        fmt.Entry(fmt.WRITE, fmt.FUA, 1, 1, 2, 8, 8, b"w" * 4096),
        fmt.Entry(fmt.FLUSH, fmt.PREFLUSH, 3, 3, 4),
        fmt.Entry(fmt.WRITE, fmt.PREFLUSH, 5, 6, 7, 16, 8, b"p" * 4096),
        fmt.Entry(fmt.MARK, 0, 8, 8, 8, payload=b"mark"),
        fmt.Entry(fmt.DISCARD, 0, 9, 9, 10, 8, 16),
    ]
    log.newest = 10
    return log


def entry(index, **fields):
    """Changes fields of an entry."""

    def change(log):
        for key, value in fields.items():
            assert hasattr(log.entries[index], key)
            setattr(log.entries[index], key, value)

    return change


def header(**fields):
    """Changes fields of the header."""

    def change(log):
        for key, value in fields.items():
            assert hasattr(log, key)
            setattr(log, key, value)

    return change


def base(**fields):
    def change(log):
        for key, value in fields.items():
            setattr(log.base[0], key, value)

    return change


MALFORMED = (
    ("the magic", header(magic=b"powercux")),
    ("the version", header(version=2)),
    ("no data", header(data=False)),
    ("the newest event", header(newest=11)),
    ("a newest event that is too small", header(newest=9)),
    ("an unknown operation", entry(0, op=9)),
    ("operation 0", entry(0, op=0)),
    ("a base entry among the log's", entry(0, op=fmt.BASE)),
    ("unknown flags", entry(0, flags=1 << 20)),
    ("reserved bytes", entry(0, reserved=1)),
    ("a payload of another length than the write", entry(0, sectors=16)),
    ("a write without payload", entry(0, payload=b"")),
    ("a payload's length that is huge", entry(0, length=(1 << 32) - 1)),
    ("a discard with payload", entry(4, payload=b"x" * 8192)),
    ("a flush with payload", entry(1, payload=b"x")),
    ("a flush of sectors", entry(1, sectors=8)),
    ("a flush that is not one", entry(1, flags=0)),
    ("a write of nothing", entry(0, sectors=0, payload=b"")),
    ("a write behind the end", entry(0, sector=2048)),
    ("a write over the end", entry(0, sector=2040, sectors=16, payload=b"w" * 8192)),
    ("a sector that overflows", entry(0, sector=(1 << 64) - 8)),
    ("a write of parts of blocks", entry(0, sector=9)),
    ("a discard of parts of blocks", entry(4, sectors=15)),
    ("an event twice", entry(1, submit=1, start=1, complete=2)),
    ("events out of order", entry(1, submit=4, start=4, complete=3)),
    ("a write that completes as it is submitted", entry(0, complete=1)),
    ("a write in flight", entry(4, complete=(1 << 64) - 1)),
    ("a start before the submit", entry(2, start=4)),
    ("a PREFLUSH that starts at once", entry(2, start=5, complete=6)),
    ("a plain write that starts later", entry(0, start=2, complete=2)),
    ("a mark with two events", entry(3, complete=9)),
    ("an empty mark", entry(3, payload=b"")),
    ("a mark that is too long", entry(3, payload=b"m" * 1025)),
    ("a mark with a NUL", entry(3, payload=b"m\0m")),
    ("a mark at a sector", entry(3, sector=8)),
    ("a mark of sectors", entry(3, sectors=8)),
    ("a mark that flushes", entry(3, flags=fmt.PREFLUSH)),
    ("times in the wrong order", entry(0, submit_ns=5, complete_ns=4)),
    ("a base entry behind the end", base(sector=2048)),
    ("a base entry without data", base(payload=b"", sectors=0)),
)


@test("an import is refused for anything malformed in it, and the disk is as it was")
def malformed():
    with Disk() as disk:
        with disk.raw() as raw:
            raw.write(0, b"old" * 4096)
        before = disk.read()
        for name, change in MALFORMED:
            log = sample()
            if change:
                change(log)
            with fails(errno.EINVAL, f"the import with {name}"):
                fmt.send_import(disk, log.pack())
            equal(disk.status()["state"], "off", f"state after {name}")
            equal(disk.read(65536) == before[:65536], True, f"the disk as it was after {name}")
        equal(disk.read() == before, True, "the whole disk as it was")
        fmt.send_import(disk, sample().pack())


@test("an import is refused for bytes behind its end")
def too_long():
    data = sample().pack()
    with Disk() as disk:
        fd = fmt.open_control()
        fmt.write_all(fd, b"import t\n")
        fmt.write_all(fd, data)
        with fails(errno.EINVAL):
            fmt.write_all(fd, b"x")
        equal(disk.status()["state"], "stopped", "state")


@test("an import that ends early changes nothing, wherever it ends")
def truncated():
    data = sample().pack()
    with Disk() as disk:
        with disk.raw() as raw:
            raw.write(0, b"old" * 4096)
        before = disk.read()
        for end in (0, 1, 63, 64, 65, 159, 160, 161, 4256, 5000, len(data) - 1):
            fmt.send_import(disk, data[:end])
            equal(disk.status()["state"], "off", "state")
        equal(disk.read() == before, True, "the disk as it was")


@test("random damage to an import never harms")
def fuzz():
    seed = random.randrange(1 << 32)
    print("# seed", seed)
    dice = random.Random(seed)
    good = sample().pack()
    with Disk() as disk:
        for _ in range(200):
            data = bytearray(good)
            for _ in range(dice.randrange(1, 4)):
                offset = dice.choice((dice.randrange(64), 64 + 4192 + dice.randrange(96)))
                struct.pack_into("<B", data, offset, dice.choice((0, 1, 0x7F, 0xFF)))
            try:
                fmt.send_import(disk, data)
            except OSError as error:
                equal(error.errno, errno.EINVAL, "error")
            if disk.status()["state"] == "stopped":
                fmt.parse(disk.export())
                disk.record("drop")
