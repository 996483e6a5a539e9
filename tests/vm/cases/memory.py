# SPDX-License-Identifier: GPL-2.0
"""Each allocation of the module fails once: an error, nothing done by halves, and no harm."""

import errno
import os

from lib import nth
from lib import log as fmt
from lib.disk import Disk
from lib.model import Model
from lib.tap import equal, fails, note, test

PAGE = 4096
SIZE = 64 * PAGE
OLD, NEW = b"o", b"n"


def every(round_of, at_least=1, depth=32, but=None, **options):
    """Has each allocation of `round_of` fail, but for those in the function of that name; it must have some."""
    with nth.ready(depth, but):
        met = nth.each(round_of, **options)
    note(f"{met} failures met")
    assert met >= at_least, f"only {met} allocations were made to fail"


def usable(disk):
    """Whatever it met, it is a disk."""
    if disk.status()["state"] != "off":
        disk.record("drop")
    disk.record("start")
    with disk.raw() as raw:
        raw.write(0, b"u" * PAGE)
        raw.flush()
        equal(raw.read(0, PAGE), b"u" * PAGE, "what was written")
    equal(disk.events(), 4, "newest event")
    disk.record("drop")


@test("a disk is made, or it is not there")
def make():
    def one():
        disk = []
        failed = yield lambda: disk.append(Disk(power=0))
        if failed:
            assert not os.path.exists("/sys/kernel/config/powercut/t")
        else:
            disk[0].remove()

    every(one)


@test("its power is switched on, or is off")
def power():
    def one():
        with Disk(power=0) as disk:
            failed = yield disk.on
            equal(disk.get("power"), "0" if failed else "1", "power")
            is_there = os.path.exists(disk.device)
            assert not (failed and is_there), "a device of a disk that is off"
            if not failed and not is_there:
                # The kernel goes on without a node under /dev if there is no memory for that.
                disk.off()
            disk.on()
            usable(disk)

    # Not all 300 of what the kernel does to add a device and to look for partitions, which it warns of. Where
    # it has no name for a device then, it says that it is invalid.
    every(one, at_least=5, depth=8, errors=(errno.ENOMEM, errno.EINVAL))


@test("its power is switched off")
def off():
    def one():
        with Disk() as disk:
            disk.record("start")
            failed = yield disk.off
            equal(failed, 0, "the error")
            equal(disk.get("power"), "0", "power")

    every(one, at_least=0)


@test("it is removed, and what it has goes along")
def remove():
    def one():
        disk = Disk()
        disk.record("start")
        view = disk.view()
        with disk.raw() as raw:
            raw.write(0, NEW * SIZE)
        view.remove()
        failed = yield disk.remove
        equal(failed, 0, "the error")

    every(one, at_least=0)


@test("a record begins, or does not")
def start():
    def one():
        failed = yield lambda: disk.record("start")
        equal(disk.status()["state"], "off" if failed else "recording", "state")
        usable(disk)

    with Disk() as disk:
        every(one, at_least=0)


def whole(raw):
    return raw.read(0, 2 * SIZE)


WRITES = (
    ("a page", lambda raw: raw.write(PAGE, NEW * PAGE)),
    ("many pages", lambda raw: raw.write(PAGE, NEW * SIZE)),
    ("sectors of two pages", lambda raw: raw.write(PAGE - 512, NEW * 1024)),
    ("pages of two leaves", lambda raw: raw.write(120 * PAGE, NEW * 16 * PAGE)),
    ("with FUA", lambda raw: raw.write_fua(PAGE, NEW * PAGE)),
    ("a discard", lambda raw: raw.discard(0, SIZE)),
    ("zeroes", lambda raw: raw.zero(PAGE, PAGE)),
    ("a flush", lambda raw: raw.flush()),
)


def check_states(disk, truncated):
    """The log, which ended there, parses, and its crash states are right."""
    log = fmt.parse(disk.export())
    equal(log.truncated, truncated, "truncated in the log")
    model = Model(log)
    with disk.view() as view:
        for keep, kept in (("none", ()), ("all", model.pieces(log.newest))):
            view.point(log.newest, keep)
            content = model.content(log.newest, kept, 2048)
            equal(view.read() == content, True, f"keep={keep} as it should be")


def recorded(write, settings):
    """A write that is recorded is done and logged, or neither, and then the log ends."""

    def one():
        with Disk(blocksize=512, **settings) as disk:
            with disk.raw() as raw:
                raw.write(0, OLD * SIZE)
            disk.record("start")
            with disk.raw() as raw:
                raw.write(0, b"f" * 2 * PAGE)
                before, entries = whole(raw), disk.status()["entries"]
                failed = yield lambda: write(raw)
                after, status = whole(raw), disk.status()
                if failed:
                    equal(after == before, True, "the content as before")
                    assert status["truncated"] == status["events"] + 1, status
                    with fails(errno.ENOMEM, "the next flush"):
                        raw.flush()
                    with fails(errno.ENOMEM, "the next write"):
                        raw.write(0, bytes(PAGE))
                else:
                    equal(status["truncated"], 0, "truncated")
                    assert status["entries"] > entries
            if "discard_content" not in settings:
                check_states(disk, status["truncated"])
            usable(disk)

    every(one)


def plain(write, settings):
    """One that is not recorded fails, or is done; the disk goes on."""

    def one():
        with Disk(blocksize=512, **settings) as disk:
            with disk.raw() as raw:
                raw.write(0, OLD * PAGE)
                failed = yield lambda: write(raw)
                if failed:
                    write(raw)
                equal(set(whole(raw)) <= set(OLD + NEW + b"\0"), True, "nothing else")
            usable(disk)

    every(one, at_least=0)


for name, function in WRITES:
    test(f"a write that is recorded: {name}", function, {})(recorded)
    test(f"a write that is not: {name}", function, {})(plain)
test("a write that is recorded: a discard that leaves garbage",
     WRITES[5][1], {"discard_content": "garbage:7"})(recorded)
test("a write that is recorded: many pages, complete later",
     WRITES[1][1], {"completion": "delayed:100"})(recorded)


@test("a mark is in the log, or the log ends")
def mark():
    def one():
        disk.record("start")
        failed = yield lambda: disk.mark("mark")
        status = disk.status()
        equal((status["marks"], status["truncated"]), (0, 1) if failed else (1, 0), "marks and where it ended")
        fmt.parse(disk.export())
        usable(disk)

    with Disk() as disk:
        every(one)


@test("a trigger is armed, or is not", "eio mark:some text")
@test("the power is cut by a trigger that is there", "eio writes:1")
@test("the power is cut now", "eio now")
def cut(text):
    def one():
        disk.record("start")
        failed = yield lambda: disk.set("cut", text)
        if failed:
            equal(disk.get("cut"), "off", "cut")
        if disk.get("cut").startswith("cut"):
            disk.set("restore", "cut=0 keep=none")
        usable(disk)

    with Disk() as disk:
        every(one, at_least=0)


@test("the power comes back, or is off still")
def restore():
    def one():
        with disk.raw() as raw:
            raw.write(0, OLD * SIZE)
        disk.record("start")
        with disk.raw() as raw:
            raw.write(PAGE, NEW * SIZE)
            raw.write(200 * PAGE, NEW * PAGE)
        disk.set("cut", "eio now")
        failed = yield lambda: disk.set("restore", "cut=4 keep=1:1-5")
        if failed:
            equal(disk.get("cut"), "cut eio event=4", "cut")
            disk.set("restore", "cut=4 keep=1:1-5")
        equal(disk.read(SIZE), OLD * PAGE + NEW * 5 * PAGE + OLD * (SIZE - 6 * PAGE), "what survived")
        usable(disk)

    with Disk() as disk:
        every(one)


@test("faults are set, or are as they were", "faults", "lost op=write after=3", "\n")
@test("bad sectors are set, or are as they were", "badblocks", "+8-15", "-8-15")
def faulty(attribute, text, clear):
    def one():
        failed = yield lambda: disk.set(attribute, text)
        if failed:
            equal(disk.get(attribute), "", attribute)
        disk.set(attribute, clear)

    with Disk() as disk:
        every(one)
        usable(disk)
