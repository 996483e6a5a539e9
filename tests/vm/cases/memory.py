# SPDX-License-Identifier: GPL-2.0
"""Each allocation of the module fails once: an error, nothing done by halves, and no harm."""

import contextlib
import errno
import os

from cases import churn
from cases.hang import Stuck
from lib import clean, nth
from lib import log as fmt
from lib.disk import Disk
from lib.model import Model
from lib.tap import equal, fails, note, test, wait_until

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


@test("a write hangs, or fails at once; what hangs is let go")
def hang():
    def one(n):
        """Whether the write met a failure."""
        fault, errors = nth.Fault(n), []

        def write():
            try:
                with fault:
                    raw.write(0, NEW * PAGE)
            except OSError as error:
                errors.append(error.errno)

        def is_settled():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                return errors or stuck.waits()
            return True

        with Disk() as disk:
            disk.record("start")
            with disk.raw() as raw:
                disk.set("cut", "hang now")
                stuck = Stuck(write)
                wait_until(is_settled, "the write hangs or fails")
                with fails(errno.EBUSY, "restore while it is open"):
                    disk.set("restore", "cut=0 keep=none")
                stuck.ends()
            # What failed may have been done without.
            assert errors == [errno.EIO] or errors == [errno.ENOMEM] and fault.is_met, errors
            disk.set("restore", "cut=0 keep=none")
            usable(disk)
        return fault.is_met

    with nth.ready(32):
        met = 0
        while one(met + 1):
            met += 1
    note(f"{met} failures met")
    assert met


@test("what hangs, having met a failure or not, fails when the disk is removed, which meets others")
def hang_and_removal():
    def one(n, m):
        """Whether the write met failure n, and the removal failure m."""
        fault, other, errors = nth.Fault(n), nth.Fault(m), []

        def write():
            try:
                with fault:
                    raw.write(0, NEW * 8 * PAGE)
            except OSError as error:
                errors.append(error.errno)

        def is_settled():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                return errors or stuck.waits()
            return True

        disk = Disk()
        disk.record("start")
        with disk.raw() as raw:
            disk.set("cut", "hang now")
            stuck = Stuck(write)
            wait_until(is_settled, "the write hangs or fails")
            with other:
                disk.remove()
            stuck.ends()
        assert errors == [errno.EIO] or errors == [errno.ENOMEM] and fault.is_met, errors
        assert not os.path.exists(disk.path), "it is there still"
        if os.path.exists(disk.device):
            # The kernel leaves the node where it is if there is no memory for its name.
            assert other.is_met, "a node without a disk"
            with fails(errno.ENXIO, "opening it"):
                os.close(os.open(disk.device, os.O_RDONLY))
            os.unlink(disk.device)
        return fault.is_met, other.is_met

    with nth.ready(32):
        of_write = of_removal = 0
        is_met = True
        while is_met:
            of_write += 1
            (is_met, again), m = one(of_write, 1), 1
            while again:
                m += 1
                _, again = one(of_write, m)
            of_removal += m - 1
    note(f"{of_write - 1} failures met by the write, and with these {of_removal} by the removal")
    assert of_write > 1


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


def viewed():
    """A disk with a record of two writes, for a crash state."""
    disk = Disk()
    with disk.raw() as raw:
        raw.write(0, OLD * SIZE)
    disk.record("start")
    with disk.raw() as raw:
        raw.write(0, NEW * SIZE)
        raw.write(PAGE, b"m" * PAGE)
    return disk


@test("a crash state is made, or it is not there")
def view_made():
    def one():
        with viewed() as disk:
            views = []
            failed = yield lambda: views.append(disk.view(power=0))
            equal(os.path.exists(f"{disk.path}/v"), not failed, "whether the crash state is there")
            if not failed:
                views[0].remove()
            disk.record("drop")

    every(one)


@test("a crash state is switched on, or is off")
def view_on():
    def one():
        with viewed() as disk, disk.view(power=0) as view:
            failed = yield view.on
            equal(view.get("power"), "0" if failed else "1", "power")
            if not failed and not os.path.exists(view.device):
                view.off()
            view.on()
            view.point(4, "3:1")
            equal(view.read(SIZE), OLD * PAGE + b"m" * PAGE + OLD * (SIZE - 2 * PAGE), "the crash state")

    # As of a disk.
    every(one, at_least=5, depth=8, errors=(errno.ENOMEM, errno.EINVAL))


@test("a crash state is pointed at another, or stays where it is")
def view_pointed():
    selection = ",".join(f"1:{unit}" for unit in range(2, 64, 2))

    def one():
        view.point(4, "3:1")
        with view.raw() as raw:
            raw.write(SIZE, b"v" * PAGE)
        before = view.read(2 * SIZE)
        failed = yield lambda: view.set("state", f"cut=4 keep={selection}")
        if failed:
            equal(view.read(2 * SIZE) == before, True, "the crash state as before")
            view.point(4, selection)
        equal(view.read(SIZE).count(NEW), 31 * PAGE, "bytes of the write that was chosen")
        equal(view.read(2 * SIZE)[SIZE:], bytes(SIZE), "what was its own is gone")

    with viewed() as disk, disk.view() as view:
        every(one)


@test("a crash state is read")
def view_read():
    def one():
        view.point(4, "1:0-63,3:1")
        with view.raw() as raw:
            read = []
            failed = yield lambda: read.append(raw.read(0, SIZE))
            if failed:
                read.append(raw.read(0, SIZE))
            equal(read[0], NEW * PAGE + b"m" * PAGE + NEW * (SIZE - 2 * PAGE), "the crash state")

    with viewed() as disk, disk.view() as view:
        every(one, at_least=0)


@test("what was read of a crash state is known, or it is said that it is not")
def view_reads():
    def one():
        view.point(4, "1:0-63,3:1")
        with view.raw() as raw:
            failed = yield lambda: raw.read(0, SIZE)
            equal(failed, 0, "the error of the read")
        try:
            runs = fmt.request("reads t.v")
        except OSError as error:
            equal(error.errno, errno.ENOMEM, "the error of reads")
            return
        first, count = int.from_bytes(runs[:8], "little"), int.from_bytes(runs[8:16], "little")
        assert first == 0 and count >= SIZE // 512, (first, count)

    with viewed() as disk, disk.view() as view:
        every(one)


@test("a crash state is written to, and recorded")
def view_written():
    def one():
        view.point(4, "none")
        view.set("record", "start")
        with view.raw() as raw:
            failed = yield lambda: raw.write(0, b"v" * SIZE)
            equal(raw.read(0, SIZE), (OLD if failed else b"v") * SIZE, "the content")
        view.set("record", "drop")

    with viewed() as disk, disk.view() as view:
        every(one)


@test("the control device: a log is read", "log t")
@test("the control device: an export", "export t")
@test("the control device: an export of a crash state", "export t.v")
@test("the control device: what was read", "reads t.v")
@test("the control device: a crash state is pointed", "state t.v cut=4 keep=1:0-5,1:7")
def control(text):
    def one():
        got = []
        failed = yield lambda: got.append(fmt.request(text))
        if not failed:
            equal(got[0] == answer, True, "the answer the same")
        equal(fmt.request(text) == answer, True, "the answer the same the next time")

    with viewed() as disk, disk.view() as view:
        view.point(4, "none")
        if text == "export t.v":
            view.set("record", "start")
        view.read(3 * PAGE)
        answer = fmt.request(text)
        every(one)
        if text == "export t.v":
            view.set("record", "drop")


@test("an import is taken over, or nothing has changed")
def imported():
    with Disk() as disk:
        with disk.raw() as raw:
            raw.write(0, OLD * 8 * PAGE)
        disk.record("start")
        with disk.raw() as raw:
            raw.write(PAGE, NEW * 4 * PAGE)
            raw.discard(0, PAGE)
            raw.flush()
        disk.mark("mark")
        data = disk.export()
        content = disk.read(2 * SIZE)

    def one():
        with other.raw() as raw:
            raw.write(0, b"i" * PAGE)
        before = other.read(2 * SIZE)
        failed = yield lambda: fmt.send_import(other, data)
        if failed:
            equal(other.status()["state"], "off", "state")
            equal(other.read(2 * SIZE) == before, True, "the content as before")
            fmt.send_import(other, data)
        equal(other.export() == data, True, "the export the same")
        equal(other.read(2 * SIZE) == content, True, "the content the same")
        other.record("drop")

    with Disk("i") as other:
        every(one, at_least=10)


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


@test("the module is loaded, or it is not")
def load():
    def one():
        clean.rmmod()
        try:
            failed = yield clean.insmod
            equal(clean.is_loaded(), not failed, "whether it is loaded")
            equal(os.path.exists("/sys/kernel/config/powercut"), not failed, "whether its directory is there")
            equal(os.path.exists(fmt.CONTROL), not failed, "whether its device is there")
        finally:
            if not clean.is_loaded():
                clean.insmod()
        with Disk() as disk:
            usable(disk)

    # Where that fails, Linux 7.3 panics: rust/kernel/configfs.rs drops, and so unregisters, what was never registered.
    every(one, at_least=2, but="configfs_register_subsystem")


@test("the module is unloaded")
def unload():
    def one():
        try:
            failed = yield clean.rmmod
            equal(failed, 0, "the error")
        finally:
            if not clean.is_loaded():
                clean.insmod()

    every(one, at_least=0)


@test("writes that fail half-way give back the pages that they had taken")
def pages():
    count, size = 4, 1 << 18

    def one():
        with Disk() as disk, disk.raw() as raw:
            disk.record("start")
            yield lambda: raw.write(0, NEW * size)

    def taken():
        churn.settle()
        return churn.memory()["taken"]

    with nth.ready(32):
        # What is kept for the next time has been taken by then.
        met = nth.each(one)
        before = taken()
        for _ in range(count):
            nth.each(one)
        grown = taken() - before
    lost = count * met * size >> 10
    note(f"{grown} kB more after {count} times {met} writes of {size >> 10} kB that failed")
    # If one in eight of them kept its pages, that would be so much.
    assert met and grown < lost // 8, f"{grown} kB more, where all pages of all of them are {lost} kB"


@test("what has failed has leaked nothing")
def leaks():
    churn.kmemleak()
