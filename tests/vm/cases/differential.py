# SPDX-License-Identifier: GPL-2.0
"""Crash states of random histories, compared byte for byte with a reference of our own."""

import errno
import itertools
import random

from lib import log as fmt
from lib.disk import Disk
from lib.model import Model, keep_list
from lib.tap import equal, fails, note, rounds, test

BLOCKS = 20  # of the disk are used

SHAPES = (
    ("4096-byte blocks", {"blocksize": 4096}),
    ("512-byte blocks", {"blocksize": 512}),
    ("512-byte blocks that tear at 4096", {"blocksize": 512, "atomic_unit": 4096}),
    ("4096-byte blocks that tear at 8192", {"blocksize": 4096, "atomic_unit": 8192}),
    ("no write cache", {"blocksize": 4096, "write_cache": 0}),
)


def do_random(raw, dice, block):
    """One random operation on a disk."""
    first = dice.randrange(BLOCKS)
    count = dice.randrange(1, min(6, BLOCKS - first) + 1)
    offset, length = first * block, count * block
    operation = dice.choices(("write", "fua", "flush", "discard", "zero"), (8, 2, 3, 2, 1))[0]
    match operation:
        case "write":
            raw.write(offset, dice.randbytes(length))
        case "fua":
            raw.write_fua(offset, dice.randbytes(length))
        case "flush":
            raw.flush()
        case "discard":
            raw.discard(offset, length)
        case "zero":
            raw.zero(offset, length)


def made_up(dice, capacity, block, unit, cache, nr_entries):
    """A random log, of kinds that user space can't make one by one."""
    log = fmt.Log(capacity, block, unit, cache=cache)
    sectors = block // 512
    for page in sorted(dice.sample(range(BLOCKS * sectors // 8 + 1), 2)):
        log.base.append(fmt.Entry(fmt.BASE, sector=page * 8, sectors=8, payload=dice.randbytes(4096)))
    event = 0
    for _ in range(nr_entries):
        op = dice.choices((fmt.WRITE, fmt.WRITE_ZEROES, fmt.DISCARD, fmt.FLUSH), (8, 1, 1, 2))[0]
        entry = fmt.Entry(op, submit=event + 1, start=event + 1, complete=event + 2)
        if op == fmt.FLUSH:
            entry.flags = fmt.PREFLUSH
        else:
            first = dice.randrange(BLOCKS)
            count = dice.randrange(1, min(4, BLOCKS - first) + 1)
            entry.sector, entry.sectors = first * sectors, count * sectors
            if op == fmt.WRITE:
                entry.payload = dice.randbytes(count * block)
            if op != fmt.DISCARD and dice.random() < 0.25:
                entry.flags |= fmt.FUA
            if op == fmt.WRITE and dice.random() < 0.2:
                entry.flags |= fmt.PREFLUSH
                entry.start, entry.complete = event + 2, event + 3
        event = entry.complete
        log.entries.append(entry)
    log.newest = event
    return log


def some_subsets(dice, pieces, limit):
    """Subsets of the pieces: all, if there are not too many."""
    if 1 << len(pieces) <= limit:
        for size in range(len(pieces) + 1):
            yield from itertools.combinations(pieces, size)
        return
    yield from ((), pieces)
    for _ in range(limit - 2):
        share = dice.random()
        yield [piece for piece in pieces if dice.random() < share]


def compare(dice, log, view, nr_cuts, nr_subsets):
    """Compares states of a log, all that are illegal among the pieces included."""
    model = Model(log)
    nr_sectors = (BLOCKS + 6) * log.block // 512
    cuts = list(range(log.newest + 1))
    for cut in sorted(dice.sample(cuts, min(nr_cuts, len(cuts)))):
        pieces = model.pieces(cut)
        for kept in some_subsets(dice, pieces, nr_subsets):
            view.point(cut, keep_list(kept))
            if view.read(nr_sectors * 512) != model.content(cut, kept, nr_sectors):
                raise AssertionError(f"cut={cut} keep={keep_list(kept)} differs from the reference")
        view.point(cut, "all")
        if view.read(nr_sectors * 512) != model.content(cut, pieces, nr_sectors):
            raise AssertionError(f"cut={cut} keep=all differs from the reference")

        state = view.get("state")
        units = range((BLOCKS + 6) * log.block // log.unit)
        others = [
            (entry.submit, unit)
            for entry in log.entries
            for unit in units
            if (entry.submit, unit) not in pieces
        ]
        for piece in dice.sample(others, min(len(others), 10)):
            with fails(errno.EINVAL, f"cut={cut} keep={piece[0]}:{piece[1]}"):
                view.point(cut, keep_list([piece]))
        equal(view.get("state"), state, "the state after refused ones")


def recorded(settings):
    seed = random.randrange(1 << 32)
    note("seed", seed)
    dice = random.Random(seed)
    for _ in range(rounds(4, 1)):
        with Disk(**settings) as disk:
            block = settings["blocksize"]
            with disk.raw() as raw:
                for _ in range(4):
                    do_random(raw, dice, block)
                disk.record("start")
                for _ in range(rounds(14, 10)):
                    do_random(raw, dice, block)
            disk.record("stop")
            log = fmt.parse(disk.export())
            with disk.view() as view:
                compare(dice, log, view, rounds(8, 4), 8)


def imported(settings):
    seed = random.randrange(1 << 32)
    note("seed", seed)
    dice = random.Random(seed)
    for _ in range(rounds(4, 1)):
        with Disk(**settings) as disk:
            block, unit = settings["blocksize"], int(disk.get("atomic_unit"))
            cache = disk.get("write_cache") == "1"
            log = made_up(dice, disk.size() // 512, block, unit, cache, rounds(14, 10))
            fmt.send_import(disk, log.pack())
            with disk.view() as view:
                compare(dice, log, view, rounds(8, 4), 8)


@test("every legal state of small made-up logs, and no other")
def exhaustive():
    seed = random.randrange(1 << 32)
    note("seed", seed)
    dice = random.Random(seed)
    for _ in range(rounds(3, 1)):
        with Disk(blocksize=512) as disk:
            log = made_up(dice, disk.size() // 512, 512, 512, True, 4)
            fmt.send_import(disk, log.pack())
            with disk.view() as view:
                compare(dice, log, view, 99, 64)


for shape, shape_settings in SHAPES:
    test(f"recorded histories, {shape}", shape_settings)(recorded)
    test(f"made-up histories, {shape}", shape_settings)(imported)
