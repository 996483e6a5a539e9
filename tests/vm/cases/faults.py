# SPDX-License-Identifier: GPL-2.0
"""Faults: rules and bad sectors, and what they do to I/O. What is left of it: faults_log."""

import errno
import os
import threading
import time

from cases.faults_log import F, PRE, W, lines
from lib import log as fmt
from lib.disk import Disk
from lib.tap import equal, fails, note, rounds, test, wait_until

A, B, C = (letter * 4096 for letter in (b"a", b"b", b"c"))

# What no disk of 1 MiB takes, and why. The whole grammar is in the KUnit tests.
REFUSED = (
    ("flush-lie", errno.EINVAL),
    ("lost op=read", errno.EINVAL),
    ("lost count=0", errno.EINVAL),
    ("lost count=1 count=1", errno.EINVAL),
    ("lost  count=1", errno.EINVAL),
    ("lost lba=8-7", errno.EINVAL),
    ("lost lba=0-2048", errno.ERANGE),
    ("lost seed=18446744073709551616", errno.ERANGE),
    ("misdirected to=2048", errno.ERANGE),
    ("misdirected to=1", errno.EINVAL),
    ("latency", errno.EINVAL),
    ("eio\n\neio", errno.EINVAL),
    ("eio\n+eio", errno.EINVAL),
    ("eio\0", errno.EINVAL),
    ("\n" + "eio\n" * 40, errno.EINVAL),
    ("eio\n" * 33, errno.E2BIG),
    ("eio seed=" + "0" * 4090, errno.E2BIG),
    ("\n".join(["eio"] * 1100), errno.E2BIG),
)
REFUSED_BAD = (
    ("1-2", errno.EINVAL),
    ("+1", errno.EINVAL),
    ("+2-1", errno.EINVAL),
    ("+1-2 ", errno.EINVAL),
    ("+0-2048", errno.ERANGE),
    ("+0-18446744073709551616", errno.ERANGE),
)
ATTRIBUTES = ("faults", "badblocks", "badblocks_once", "badblocks_mode", "badblocks_hits")


def shown(group):
    return [group.get(attribute) for attribute in ATTRIBUTES]


def every_error(group):
    group.set("faults", "stale seed=3\neio op=discard")
    group.set("badblocks", "+8-15")
    before = shown(group)
    equal(before, ["stale seed=3 hits=0\neio op=discard hits=0", "8 8", "0", "all", "0"], "what is shown")
    for text, error in REFUSED:
        with fails(error, repr(text[:40])):
            group.set("faults", text)
        if not text.startswith("\n") and not text.endswith("\n") and "\n+" not in text:
            with fails(error, repr("+" + text[:40])):
                group.set("faults", "+" + text.replace("\n", "\n+"))
        equal(shown(group), before, f"what is shown after {text[:40]!r}")
    for text, error in REFUSED_BAD:
        with fails(error, repr(text)):
            group.set("badblocks", text)
    for text in ("2", "on", "-1"):
        with fails(errno.EINVAL, repr(text)):
            group.set("badblocks_once", text)
    for text in ("once", "read,write", "ALL"):
        with fails(errno.EINVAL, repr(text)):
            group.set("badblocks_mode", text)
    with fails(errno.EPERM):
        group.set("badblocks_hits", "0")
    equal(shown(group), before, "what is shown")
    group.set("faults", "\n")
    equal(group.get("faults"), "", "rules, once they were cleared")


@test("what is no rule is refused, and changes nothing")
def errors():
    with Disk() as disk:
        every_error(disk)
        disk.record("start")
        with disk.view() as view:
            every_error(view)
            view.off()
            for attribute in ATTRIBUTES:
                with fails(errno.ENODEV, attribute):
                    view.get(attribute)
        disk.off()
        for attribute, value in (("faults", "eio"), ("badblocks", "+0-7"), ("badblocks_mode", "all")):
            with fails(errno.ENODEV, attribute):
                disk.set(attribute, value)
        # They go with the power.
        disk.on()
        equal(shown(disk), ["", "", "0", "all", "0"], "what a new disk has")


@test("corrupted bytes are as many as asked for, and the export has what was stored")
def corrupted():
    for block in (512, 4096):
        with Disk(blocksize=block) as disk, disk.raw() as raw:
            disk.record("start")
            disk.set("faults", "corrupt bytes=3 count=2 seed=9")
            for _ in range(3):
                raw.write(block, A * 3)
                found = raw.read(block, 3 * 4096)
                wrong = sum(byte != ord("a") for byte in found)
                entry = fmt.parse(disk.export()).entries[-1]
                equal(entry.payload == found, True, "the export is what is stored")
                equal(wrong, 3 if entry.flags & fmt.CORRUPTED else 0, "bytes that are wrong")
            flags = [e.flags & fmt.FAULTS for e in disk.log().entries]
            equal(flags, [fmt.CORRUPTED, fmt.CORRUPTED, 0], "flags")
            equal(disk.get("faults"), "corrupt count=2 seed=9 bytes=3 hits=2", "the rule")


@test("a stale read shows what was there before; a failed one is in the log's header alone")
def stale():
    with Disk() as disk, disk.raw() as raw:
        raw.write(0, A)
        disk.record("start")
        raw.write(0, B)
        disk.set("faults", "stale count=1")
        equal((raw.read(0, 4096), raw.read(0, 4096)), (A, B), "read twice")
        equal(disk.log().faults, fmt.STALE, "the faults of the log")
        disk.set("faults", "eio op=read every=2")
        raw.read(0, 4096)
        with fails(errno.EIO):
            raw.read(0, 4096)
        equal(disk.log().faults, fmt.STALE | fmt.EIO, "the faults of the log")
        # A view has what it is a view of below what was written to it.
        disk.set("faults", "\n")
        with disk.view() as view:
            view.point(disk.events(), "all")
            with view.raw() as its:
                its.write(0, C)
                view.set("faults", "stale")
                equal(its.read(0, 4096), B, "the view, stale")


# operation, what fails, what does not
FAILS = (
    ("read", ("read",), ("write", "discard", "flush", "fua")),
    ("write", ("write", "zero", "fua"), ("read", "discard", "flush")),
    ("discard", ("discard",), ("read", "write", "flush")),
    ("flush", ("flush", "fua"), ("read", "write", "discard")),
    ("read,discard", ("read", "discard"), ("write", "flush")),
)


def do(raw, what):
    return {
        "read": lambda: raw.read(0, 4096),
        "write": lambda: raw.write(0, B),
        "fua": lambda: raw.write_fua(0, B),
        "zero": lambda: raw.zero(0, 4096),
        "discard": lambda: raw.discard(0, 4096),
        "flush": raw.flush,
    }[what]()


def eio(ops, failing, others):
    with Disk() as disk, disk.raw() as raw:
        raw.write(0, A)
        disk.record("start")
        disk.set("faults", f"eio op={ops}")
        for what in failing:
            with fails(errno.EIO, what):
                do(raw, what)
        found = [e for e in disk.log().entries if not e.flags & fmt.FUA]
        equal(found, [], "the log, of what failed")
        for what in others:
            if not (what == "fua" and "write" in ops):
                do(raw, what)
        # In places that it is not about, nothing fails.
        if ops != "flush":
            disk.set("faults", f"eio op={ops} lba=16-23")
            for what in ("read", "write", "discard"):
                do(raw, what)


for row in FAILS:
    test(f"eio op={row[0]} fails what it says and nothing else", *row)(eio)


@test("chance hits as often as it should, and the same I/O each time")
def chance():
    seen = []
    for _ in range(2):
        with Disk() as disk, disk.raw() as raw:
            disk.set("faults", "eio op=write prob=1/4 seed=77")
            hits = []
            for n in range(200):
                try:
                    raw.write(n % 16 * 4096, A)
                except OSError:
                    hits.append(n)
            equal(disk.get("faults"), f"eio op=write prob=1/4 seed=77 hits={len(hits)}", "the rule")
            seen.append(hits)
    equal(seen[0], seen[1], "what was hit")
    assert 25 <= len(seen[0]) <= 80, len(seen[0])


# mode, once; whether a read, a write, a read, a read of the page beside it, a read fail
MODES = (
    ("all", 0, "ffffX", "8 1"),
    ("read", 0, "f.ffX", "8 1"),
    ("write", 0, ".f..X", "8 1"),
    ("until-rewritten", 0, "f...X", ""),
    ("all", 1, "f...X", ""),
    ("write", 1, ".f..X", ""),
)


def bad_sectors(mode, once, outcome, left):
    with Disk() as disk:
        disk.record("start")
        with disk.view() as view:
            for group in (disk, view):
                with group.raw() as raw:
                    raw.write(4096, A)
                    group.set("badblocks", "+8-8")
                    group.set("badblocks_mode", mode)
                    group.set("badblocks_once", once)
                    reads = lambda: equal(raw.read(4096, 4096) in (A, B), True, "what is read")
                    steps = (reads, lambda: raw.write(4096, B), reads, lambda: raw.read(0, 8192))
                    hits = 0
                    for step, result in zip(steps, outcome):
                        if result == "f":
                            with fails(errno.EIO, f"{mode} {once}"):
                                step()
                            hits += 1
                        else:
                            step()
                    # Its neighbours are good.
                    raw.read(0, 4096)
                    raw.read(8192, 4096)
                    equal((group.get("badblocks"), int(group.get("badblocks_hits"))), (left, hits), "bad sectors")
            equal(disk.log().faults, fmt.BAD_SECTOR, "the faults of the log")
            # Each state begins with the sectors as they were set.
            view.point(0)
            equal(view.get("badblocks"), "8 1", "bad sectors of the next state")
        disk.record("stop")


for row in MODES:
    test(f"bad sectors, {row[0]}{', once' * row[1]}: what fails, and what makes them good", *row)(bad_sectors)


@test("rules are set by two writers while others do I/O: each is there whole or not at all")
def writers():
    rules = ("lost lba=0-7 count=3 seed=1\nlost lba=8-15 prob=1/2", "latency prob=1/8 usec=20\nstale lba=32-39", "")
    whole = {tuple(line for line in rule.split("\n") if line) for rule in rules}
    until = time.monotonic() + rounds(4, 8)
    seen, wrong = set(), []

    def write(disk, mine):
        while time.monotonic() < until and not wrong:
            try:
                disk.set("faults", mine + "\n")
                disk.set("badblocks", "+2000-2010")
                disk.set("badblocks", "-2000-2010")
            except OSError as error:
                wrong.append(error)

    def work(disk):
        with disk.raw() as raw:
            while time.monotonic() < until and not wrong:
                raw.write(0, A)
                raw.read(0, 8192)
                raw.flush()

    with Disk() as disk:
        disk.record("start")
        threads = [threading.Thread(target=write, args=(disk, rule)) for rule in rules]
        threads += [threading.Thread(target=work, args=(disk,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        while time.monotonic() < until and not wrong:
            found = disk.get("faults").split("\n")
            seen.add(tuple(line.rsplit(" hits=", 1)[0] for line in found if line))
        for thread in threads:
            thread.join()
        equal(wrong, [], "errors")
        assert seen <= whole, seen - whole
        note("sets of rules seen", len(seen))


@test("latency: the write is in flight meanwhile, others overtake it, and a flush does not cover it")
def latency():
    # The longer ones where a machine is too slow to do something in so short a time.
    for seconds in (1, 8, 60):
        if overtaken(seconds):
            return
    raise AssertionError("others waited for it")


def overtaken(seconds):
    """Others overtake a write that is late; False if they did not."""
    with Disk() as disk, disk.raw() as raw:
        raw.write(0, A)
        disk.record("start")
        disk.set("faults", f"latency op=write lba=0-7 usec={seconds * 1000000}")
        began = time.monotonic()
        thread = threading.Thread(target=lambda: raw.write(0, B))
        thread.start()
        wait_until(disk.events, "its submit")
        raw.write(4096, C)
        raw.flush()
        thread.join()
        assert time.monotonic() - began >= seconds, "it was not late"
        late, other, flush = disk.log().entries
        if late.complete < flush.complete:
            return False
        equal((late.submit, late.complete), (1, 6), "its events")
        assert late.complete > flush.complete > other.complete, "the order"
        equal(disk.log().faults, 0, "faults: to be late is legal")
        with disk.view() as view:
            view.point(5, "none")
            equal(view.read(8192), A + C, "what must be there")
        # Reads wait, too, and so does what is not recorded.
        disk.record("stop")
        disk.set("faults", "latency op=read,flush,discard usec=50000")
        for what in ("read", "flush", "discard"):
            began = time.monotonic()
            do(raw, what)
            assert time.monotonic() - began >= 0.05, f"{what} was not late"
    return True


@test("rules on a disk that completes later, and under a cut")
def late_and_cut():
    with Disk(completion="delayed:2000") as disk:
        with disk.raw() as raw:
            raw.write(0, A + A)
            disk.record("start")
            disk.set("faults", "lost lba=0-7\nflush-lies\nlatency lba=8-15 usec=100000")
            raw.write(0, B)
            raw.flush()
            disk.set("cut", "eio writes:1")
            with fails(errno.EIO, "the write that the power was cut at"):
                raw.write(4096, C)
            with fails(errno.EIO):
                raw.read(0, 4096)
            # Rules may change while the power is off; I/O fails as before.
            disk.set("faults", "stale\nlost")
            with fails(errno.EIO):
                raw.read(0, 4096)
        found = disk.log()
        equal(lines(found.entries), [(W, fmt.LOST, 0), (F, PRE | fmt.LIED, 0), (W, 0, 8)], "the log")
        equal(found.entries[2].complete, (1 << 64) - 1, "what was in flight")
        disk.set("restore", f"cut={disk.events()} keep=all")
        # And it has them when the power is back.
        with disk.raw() as raw:
            equal(raw.read(0, 8192), A + C, "what survived")
            raw.write(0, B)
            equal(raw.read(0, 4096), A, "a lost write after it")
        equal(disk.get("faults").split("\n")[1], "lost hits=1", "the rule")


@test("a disk goes while what met its rules is in flight")
def removal():
    for _ in range(rounds(10, 3)):
        disk = Disk()
        disk.set("faults", "latency usec=30000\nlost prob=1/2\ncorrupt bytes=100")
        threads = [threading.Thread(target=ignore, args=(disk, n)) for n in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.01)
        disk.remove()
        for thread in threads:
            thread.join()


def ignore(disk, n):
    try:
        fd = os.open(disk.device, os.O_RDWR)
    except OSError:
        return
    try:
        for _ in range(5):
            os.pwrite(fd, A, n * 4096)
            os.fsync(fd)
    except OSError:
        pass
    finally:
        try:
            os.close(fd)
        except OSError:
            pass
