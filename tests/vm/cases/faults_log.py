# SPDX-License-Identifier: GPL-2.0
"""Faults: what the log and crash states say of them, and what no log can say."""

import errno
import random

from cases.differential import BLOCKS, compare, do_random
from lib import log as fmt
from lib.disk import Disk
from lib.tap import equal, fails, note, rounds, test

A, B, C = (letter * 4096 for letter in (b"a", b"b", b"c"))


def lines(entries):
    return [(e.op, e.flags & (fmt.FAULTS | fmt.PREFLUSH | fmt.FUA), e.sector) for e in entries]


def live_and_left(rule, do, expected, log, live, none, every):
    """Two blocks are written before a record, then `do` is done: what the log says, what the disk
    shows, what it may be left with."""
    with Disk() as disk:
        with disk.raw() as raw:
            raw.write(0, A + A)
            disk.record("start")
            disk.set("faults", rule + "\n")
            do(raw)
            equal((raw.read(0, 4096), raw.read(4096, 4096)), live, "the live disk")
        disk.record("stop")
        hits = [line.split()[-1] for line in disk.get("faults").split("\n") if line]
        found = fmt.parse(disk.export())
        equal(lines(found.entries), log, "the log")
        equal(found.faults, expected, "the faults of the log")
        if expected:
            assert all(hit != "hits=0" for hit in hits), hits
        with disk.view() as view:
            for keep, state in (("none", none), ("all", every)):
                view.point(found.newest, keep)
                equal(tuple(view.read(8192)[at : at + 4096] for at in (0, 4096)), state, f"keep={keep}")
        # An import is the same, faults and all.
        with Disk("other") as other:
            fmt.send_import(other, disk.export())
            equal(other.export() == disk.export(), True, "export of the import the same")


def write_flush(raw):
    raw.write(0, B)
    raw.flush()


W, F = fmt.WRITE, fmt.FLUSH
PRE, FUA = fmt.PREFLUSH, fmt.FUA
# name, rule, what is done, faults, log, the two blocks live, with nothing kept, with all kept
FATES = (
    ("no rule", "", write_flush, 0, [(W, 0, 0), (F, PRE, 0)], (B, A), (B, A), (B, A)),
    ("a flush that lies", "flush-lies", write_flush, fmt.LIED,
     [(W, 0, 0), (F, PRE | fmt.LIED, 0)], (B, A), (A, A), (B, A)),
    ("every second flush lies", "flush-lies every=2",
     lambda raw: (write_flush(raw), raw.write(4096, C), raw.flush()), fmt.LIED,
     [(W, 0, 0), (F, PRE, 0), (W, 0, 8), (F, PRE | fmt.LIED, 0)], (B, C), (B, A), (B, C)),
    ("a FUA write, ignored", "fua-ignored\neio op=flush",
     lambda raw: fua_alone(raw, B), fmt.FUA_IGNORED | fmt.EIO,
     [(W, FUA | fmt.FUA_IGNORED, 0)], (B, A), (A, A), (B, A)),
    ("a FUA write that is not", "eio op=flush",
     lambda raw: fua_alone(raw, B), fmt.EIO, [(W, FUA, 0)], (B, A), (B, A), (B, A)),
    ("a write that is lost", "lost lba=8-15",
     lambda raw: (raw.write(4096, B), write_flush(raw)), fmt.LOST,
     [(W, fmt.LOST, 8), (W, 0, 0), (F, PRE, 0)], (B, A), (B, A), (B, A)),
    ("a write that goes elsewhere", "misdirected lba=0-7 to=8",
     lambda raw: (raw.write(0, B), raw.flush()), fmt.MISDIRECTED,
     [(W, fmt.MISDIRECTED, 8), (F, PRE, 0)], (A, B), (A, B), (A, B)),
    ("a discard that is lost", "lost op=discard", lambda raw: (raw.discard(0, 8192), raw.flush()),
     fmt.LOST, [(fmt.DISCARD, fmt.LOST, 0), (F, PRE, 0)], (A, A), (A, A), (A, A)),
)  # fmt: skip


def fua_alone(raw, data):
    """A FUA write, and the flush behind it that fails."""
    with fails(errno.EIO, "the flush"):
        raw.write_fua(0, data)


for name, *row in FATES:
    test(f"{name}: the log, the disk and its crash states", *row)(live_and_left)


@test("a misdirected write says in the log where it was to go; without `to` it goes anywhere, the same each time")
def misdirected():
    places = []
    for _ in range(2):
        with Disk() as disk, disk.raw() as raw:
            disk.record("start")
            disk.set("faults", "misdirected seed=5")
            for n in range(20):
                raw.write(n * 4096, bytes([n + 1]) * 8192)
            entries = disk.log().entries
            equal([e.asked for e in entries], [8 * n for n in range(20)], "where they were to go")
            assert all(e.sector % 8 == 0 and e.end() <= 2048 for e in entries), entries
            places.append([e.sector for e in entries])
            last = {}
            for n, sector in enumerate(places[-1]):
                last |= {sector: n + 1, sector + 8: n + 1}
            for sector, byte in last.items():
                equal(raw.read(sector * 512, 4096), bytes([byte]) * 4096, f"sector {sector}")
    equal(places[0], places[1], "places")
    assert len(set(places[0])) > 10, places[0]


RULES = (
    "flush-lies prob=1/2 seed={}",
    "fua-ignored prob=1/2 seed={}",
    "lost prob=1/3 seed={}",
    "lost op=discard prob=1/2 seed={}",
    "misdirected prob=1/3 seed={}",
    "corrupt prob=1/3 seed={} bytes=700",
)


def histories(settings):
    seed = random.randrange(1 << 32)
    note("seed", seed)
    dice = random.Random(seed)
    for _ in range(rounds(5, 1)):
        with Disk(**settings) as disk:
            block = settings["blocksize"]
            rules = [rule.format(dice.randrange(1 << 32)) for rule in RULES if dice.random() < 0.7]
            # Misdirected writes stay where they are looked at.
            rules = [rule + f" to={dice.randrange(BLOCKS) * block // 512}" * ("mis" in rule) for rule in rules]
            with disk.raw() as raw:
                for _ in range(4):
                    do_random(raw, dice, block)
                disk.record("start")
                disk.set("faults", "\n".join(rules) + "\n")
                for _ in range(rounds(14, 10)):
                    do_random(raw, dice, block)
                live = raw.read(0, (BLOCKS + 6) * block)
            disk.record("stop")
            log = fmt.parse(disk.export())
            met = 0
            for entry in log.entries:
                met |= entry.flags & fmt.FAULTS
            equal(log.faults, met, "the faults of the log")
            with disk.view() as view:
                compare(dice, log, view, rounds(8, 4), 8)
                view.point(log.newest, "all")
                equal(view.read(len(live)) == live, True, "all that was written is what the live disk shows")


for shape, shape_settings in (
    ("4096-byte blocks", {"blocksize": 4096}),
    ("512-byte blocks", {"blocksize": 512}),
    ("512-byte blocks that tear at 4096", {"blocksize": 512, "atomic_unit": 4096}),
    ("no write cache", {"blocksize": 4096, "write_cache": 0}),
):
    test(f"random histories with faults, byte for byte, {shape}", shape_settings)(histories)


# What can't have happened to an entry: flags, and where it was to go.
IMPOSSIBLE = (
    (fmt.WRITE, fmt.LIED, 0),
    (fmt.WRITE, fmt.FUA_IGNORED, 0),
    (fmt.WRITE, fmt.LOST, 0),
    (fmt.WRITE, fmt.STALE, 0),
    (fmt.WRITE, 0, 8),
    (fmt.WRITE, fmt.MISDIRECTED, 2048),
    (fmt.DISCARD, fmt.CORRUPTED, 0),
    (fmt.DISCARD, fmt.MISDIRECTED, 0),
    (fmt.FLUSH, fmt.LOST, 0),
    (fmt.MARK, fmt.LIED, 0),
)


@test("a recording with faults that can't be is refused, as is one that does not own up to them")
def impossible():
    def log(op, flags, asked, faults):
        has_data = op == fmt.WRITE
        entry = fmt.Entry(op, flags, 1, 1, 1 if op == fmt.MARK else 2, asked=asked)
        if op == fmt.FLUSH:
            entry.flags |= PRE
        elif op == fmt.MARK:
            entry.payload = b"m"
        else:
            entry.sector, entry.sectors, entry.payload = 8, 8, A if has_data else b""
        made = fmt.Log(2048, 4096, 4096, newest=entry.complete, faults=faults)
        made.entries.append(entry)
        return made.pack()

    with Disk() as disk:
        for op, flags, asked in IMPOSSIBLE:
            with fails(errno.EINVAL, f"op {op} flags {flags:x} asked {asked}"):
                fmt.send_import(disk, log(op, flags, asked, fmt.FAULTS))
        with fails(errno.EINVAL, "a fault that the header lacks"):
            fmt.send_import(disk, log(fmt.WRITE, fmt.CORRUPTED, 0, 0))
        equal(disk.status()["state"], "off", "the record")
        fmt.send_import(disk, log(fmt.WRITE, fmt.CORRUPTED, 0, fmt.CORRUPTED | fmt.STALE))
        equal(disk.log().faults, fmt.CORRUPTED | fmt.STALE, "the faults of an import")
