# SPDX-License-Identifier: GPL-2.0
"""Small random histories: every state that the module shows is one that a disk simulated by brute
force may be left in, and it shows all of these, byte by byte."""

import errno
import itertools
import json
import random
import subprocess
import threading
import time

from lib import log as fmt
from lib.device import is_overlapping, of
from lib.disk import Disk
from lib.model import Model, keep_list
from lib.tap import equal, note, rounds, test

UNITS = 3  # of the disk are used
STATES = 96  # of a history are compared at most, cut by cut
SELECTIONS = 512  # of a cut are tried at most, with those to be refused
IN_FLIGHT = (1 << 64) - 1

# Settings, whether a log of writes in flight together has all states that a disk may be left in.
SHAPES = (
    ("512-byte blocks", {"blocksize": 512}, True),
    ("4096-byte blocks, no write cache", {"blocksize": 4096, "write_cache": 0}, True),
    ("512-byte blocks that tear at 1024", {"blocksize": 512, "atomic_unit": 1024}, False),
    ("512-byte blocks, prefixes", {"blocksize": 512, "tear": "prefix"}, False),
    ("512-byte blocks that may cost their neighbours", {"blocksize": 512, "physical_blocksize": 4096, "tear": "rmw"},
     True),
    ("512-byte blocks that tear at 1024, prefixes", {"blocksize": 512, "atomic_unit": 1024, "tear": "prefix"}, False),
)


class Range:
    """The part of a disk that is used, in blocks and bytes."""

    def __init__(self, settings):
        self.block = settings["blocksize"]
        self.unit = settings.get("atomic_unit", self.block)
        self.is_prefix = settings.get("tear") == "prefix"
        self.is_rmw = settings.get("tear") == "rmw"
        self.units = 8 if self.is_rmw else UNITS
        self.blocks = self.units * self.unit // self.block
        self.bytes = self.units * self.unit

    def pick(self, dice):
        first = dice.randrange(self.blocks)
        count = dice.choice([1, 1, min(2, self.blocks - first)])
        if self.is_prefix:
            # Long ones: there is an order in them.
            count = dice.randint(1, self.blocks - first)
        return first * self.block, count * self.block


def operation(dice, raw, used):
    """One random operation, to be called."""
    offset, length = used.pick(dice)
    data = dice.randbytes(length)
    match dice.choices(("write", "fua", "flush", "discard", "zero"), (8, 2, 3, 1, 1))[0]:
        case "write":
            return lambda: raw.write(offset, data)
        case "fua":
            return lambda: raw.write_fua(offset, data)
        case "flush":
            return raw.flush
        case "discard":
            return lambda: raw.discard(offset, length)
        case _:
            return lambda: raw.zero(offset, length)


def issue(dice, disk, used):
    """Issues a few operations one by one, and records them."""
    with disk.raw() as raw:
        for _ in range(2):
            operation(dice, raw, used)()
        disk.record("start")
        for _ in range(dice.randint(2, 5)):
            operation(dice, raw, used)()
    disk.record("stop")


def issue_together(dice, disk, used):
    """Issues a few operations that are in flight together, and records them."""
    failed = []

    def run(todo):
        try:
            todo()
        except OSError as error:
            failed.append(error)

    with disk.raw() as raw:
        raw.write_fua(0, dice.randbytes(used.block))
        disk.record("start")
        threads = [
            threading.Thread(target=run, args=(operation(dice, raw, used),))
            for _ in range(dice.randint(2, 4))
        ]
        for thread in threads:
            thread.start()
            time.sleep(dice.choice((0, 0, 0.0004)))
        # A record that ends early leaves some of them in flight.
        if dice.random() < 0.3:
            disk.record("stop")
        for thread in threads:
            thread.join()
    if disk.status()["state"] == "recording":
        disk.record("stop")
    equal(failed, [], "failed operations")


def made_up(dice, capacity, settings, used):
    """A log of writes in flight together, with PREFLUSH and FUA as no system call has them."""
    log = fmt.Log(capacity, used.block, used.unit, cache=settings.get("write_cache", 1) == 1)
    if used.is_prefix:
        log.version, log.prefix = 3, True
    if used.is_rmw:
        log.version, log.rmw = 4, True
    event = 0
    in_flight = []
    for _ in range(dice.randint(5, 10)):
        event += 1
        if in_flight and (len(in_flight) == 3 or dice.random() < 0.5):
            entry = dice.choice(in_flight)
            if entry.start == IN_FLIGHT:
                entry.start = event
            else:
                entry.complete = event
                in_flight.remove(entry)
            continue
        if sum(entry.is_write() for entry in log.entries) == 4:
            event -= 1
            continue
        op = dice.choices((fmt.WRITE, fmt.WRITE_ZEROES, fmt.DISCARD, fmt.FLUSH), (8, 1, 1, 3))[0]
        entry = fmt.Entry(op, submit=event, start=event, complete=IN_FLIGHT)
        if op == fmt.FLUSH:
            entry.flags = fmt.PREFLUSH
        else:
            offset, length = used.pick(dice)
            entry.sector, entry.sectors = offset // 512, length // 512
            if op == fmt.WRITE:
                entry.payload = dice.randbytes(length)
                if dice.random() < 0.25:
                    entry.flags |= fmt.PREFLUSH
                    entry.start = IN_FLIGHT
            if op != fmt.DISCARD and dice.random() < 0.3:
                entry.flags |= fmt.FUA
        log.entries.append(entry)
        in_flight.append(entry)
    log.newest = event
    return log


class Compared:
    """What was compared so far."""

    def __init__(self):
        self.histories = self.exact = self.cuts = self.states = self.refused = self.counts = 0

    def __str__(self):
        return ", ".join(f"{number} {what}" for what, number in vars(self).items())


def accepted(view, log, cut, used, compared):
    """The pieces that the module lets one keep at a cut, found by asking for each."""
    pieces = []
    for entry in log.entries:
        own = []
        for unit in range(used.units + 1):
            # Of prefixes no piece is kept without those before it.
            piece = (entry.submit, unit)
            if is_taken(view, cut, [*own, piece] if log.prefix else [piece], compared):
                own.append(piece)
        pieces += own
    return pieces


def is_taken(view, cut, pieces, compared):
    """Whether the module shows that state; if it does not, it says what it should."""
    try:
        view.point(cut, keep_list(pieces))
    except OSError as error:
        equal(error.errno, errno.EINVAL, f"the error for cut={cut} keep={keep_list(pieces)}")
        compared.refused += 1
        return False
    return True


def is_prefix(kept, pieces):
    """Whether those kept are of each write the first of its pieces."""
    for write in {write for write, _ in pieces}:
        survived = [piece in kept for piece in pieces if piece[0] == write]
        if survived != sorted(survived, reverse=True):
            return False
    return True


def selections(log, pieces):
    """All sets of pieces, and whether each is legal."""
    for size in range(len(pieces) + 1):
        for kept in itertools.combinations(pieces, size):
            yield kept, not log.prefix or is_prefix(kept, pieces)


def samples(dice, pieces):
    """Some sets of pieces, all legal: there are too many to go through."""
    alone = [(piece,) for piece in dice.sample(pieces, min(4, len(pieces)))]
    some = [tuple(p for p in pieces if dice.random() < share) for share in (0.1, 0.3, 0.5, 0.9)]
    return [(kept, True) for kept in ((), tuple(pieces), *alone, *some)]


def compare(dice, log, view, used, compared, is_exact):
    """Compares all that a view shows at each cut with all that a disk may be left with."""
    device, model = of(log), Model(log)
    nr_sectors = used.bytes // 512
    left = STATES
    shown = {}
    for cut in device.history():
        pieces = accepted(view, log, cut, used, compared)
        if log.rmw:
            equal(pieces, sorted(model.pieces(cut) + model.losses(cut)), f"cut={cut}: what is taken{listing(log)}")
            chosen = samples(dice, pieces)
        elif 1 << len(pieces) > SELECTIONS:
            break
        else:
            chosen = list(selections(log, pieces))
        left -= sum(is_legal for _, is_legal in chosen)
        if left < 0:
            break
        images = set()
        for kept, is_legal in chosen:
            if is_taken(view, cut, kept, compared) != is_legal:
                what = "is refused" if is_legal else "is shown"
                raise AssertionError(f"cut={cut} keep={keep_list(kept)} {what}{listing(log)}")
            if not is_legal:
                continue
            image = view.read(used.bytes)
            if image != model.content(cut, kept, nr_sectors):
                raise AssertionError(f"cut={cut} keep={keep_list(kept)} differs{listing(log)}")
            images.add(image)
            compared.states += 1
        legal = images if log.rmw else device.images(nr_sectors)
        if log.rmw and not all(map(device.may_hold, images)) or not images <= legal:
            raise AssertionError(f"cut={cut}: no disk may be left like that{listing(log)}")
        if is_exact and not legal <= images:
            missing = len(legal - images)
            raise AssertionError(f"cut={cut}: {missing} states are not to be had{listing(log)}")
        compared.cuts += 1
        shown[cut] = device.count()
    compared.histories += 1
    return dice.choice(sorted(shown.items()))


def listing(log):
    """A log, for who looks for what went wrong."""
    return "".join(
        f"\nop={e.op} flags={e.flags} events={e.submit},{e.start},{e.complete} at={e.sector}+{e.sectors}"
        for e in log.entries
    )


def count(disk, cut, number, compared):
    """The command counts as many states."""
    run = subprocess.run(
        ["powercut", "count", disk.name, "--cut", str(cut), "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    counted = int(json.loads(run.stdout)["legal_states"])
    equal(counted, number, f"the number of states at cut={cut}")
    compared.counts += 1


def histories(number, settings, make, has_all):
    """Compares so many histories. Where those that overlap in flight have not all states that a disk may
    be left in, the others still have."""
    seed = random.randrange(1 << 32)
    note("seed", seed)
    dice = random.Random(seed)
    used = Range(settings)
    compared = Compared()
    began = time.monotonic()
    with Disk(**settings) as disk:
        for _ in range(number):
            make(dice, disk, used)
            log = fmt.parse(disk.export())
            is_exact = has_all or not is_overlapping(log)
            compared.exact += is_exact
            with disk.view() as view:
                cut, states = compare(dice, log, view, used, compared, is_exact)
            if is_exact and compared.exact % 8 == 1:
                count(disk, cut, states, compared)
            disk.record("reset")
    note(f"{compared} in {time.monotonic() - began:.1f} s")


def one_by_one(settings, _):
    histories(rounds(12, 2), settings, issue, True)


def together(settings, has_all):
    delayed = settings | {"completion": "delayed:random:200-3000,1"}
    histories(rounds(6, 1), delayed, issue_together, has_all)


def imported(settings, has_all):
    def make(dice, disk, used):
        log = made_up(dice, disk.size() // 512, settings, used)
        fmt.send_import(disk, log.pack())

    histories(rounds(10, 1), settings, make, has_all)


for shape, *rest in SHAPES:
    test(f"one operation after the other, {shape}", *rest)(one_by_one)
    test(f"operations in flight together, {shape}", *rest)(together)
    test(f"made-up logs, {shape}", *rest)(imported)
