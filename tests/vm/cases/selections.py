# SPDX-License-Identifier: GPL-2.0
"""States that are malformed or outside the contract are refused, and change nothing."""

import errno

from lib import log
from lib.disk import Disk
from lib.tap import equal, fails, test

# Events: 1-2 a write to unit 0, 3 a mark, 4-5 a flush, 6-7 a write to units 1 and 2.
MALFORMED = (
    "", " ", "\n", "x", "cut", "cut=", "cut=7", "cut=7 ", "cut=7 keep", "cut=7 keep=",
    "keep=all cut=7", "cut=7  keep=all", " cut=7 keep=all", "cut=7 keep=all ", "cut=7\tkeep=all",
    "cut=7 keep=all x", "cut=7 keep=ALL", "cut=-1 keep=all", "cut=+7 keep=all", "cut=0x7 keep=all",
    "cut=7.0 keep=all", "cut= 7 keep=all", "cut=7 keep=all,none", "cut=7 keep=6", "cut=7 keep=6:",
    "cut=7 keep=:1", "cut=7 keep=6:1,", "cut=7 keep=,6:1", "cut=7 keep=6:1,,6:2", "cut=7 keep=6:1-",
    "cut=7 keep=6:-1", "cut=7 keep=6:2-1", "cut=7 keep=6:1-2-3", "cut=7 keep=6:1:2", "cut=7 keep=6-1",
    "cut=7 keep=6:1;6:2", "cut=7 keep=6:1 6:2", "cut=7 keep=6:a", "cut=7 keep=a:1",
    "cut=7 keep=6:1\n\n", "cut=7 keep=6:1\ncut=7 keep=all", "cut=7\0 keep=all",
)  # fmt: skip

ILLEGAL = (
    ("a cut after the last event", "cut=8 keep=none"),
    ("a cut far after the last event", "cut=18446744073709551615 keep=all"),
    ("a piece of a mark", "cut=7 keep=3:0"),
    ("a piece of a flush", "cut=7 keep=4:0"),
    ("a piece of a write's complete event", "cut=7 keep=7:1"),
    ("a piece of nothing", "cut=7 keep=9:1"),
    ("a piece of event 0", "cut=7 keep=0:0"),
    ("a write submitted after the cut", "cut=5 keep=6:1"),
    ("a stable write", "cut=7 keep=1:0"),
    ("a unit before the write", "cut=7 keep=6:0"),
    ("a unit behind the write", "cut=7 keep=6:3"),
    ("a range that begins before the write", "cut=7 keep=6:0-1"),
    ("a range that ends behind the write", "cut=7 keep=6:2-18446744073709551615"),
    ("a piece twice", "cut=7 keep=6:1,6:1"),
    ("ranges that overlap", "cut=7 keep=6:1-2,6:2"),
    ("units out of order", "cut=7 keep=6:2,6:1"),
)


def prepare(disk):
    disk.record("start")
    with disk.raw() as raw:
        raw.write(0, b"a" * 4096)
        disk.mark("here")
        raw.flush()
        raw.write(4096, b"b" * 8192)
    disk.record("stop")
    equal(disk.events(), 7, "newest event")


def refused(text):
    with Disk() as disk:
        prepare(disk)
        with disk.view() as view:
            view.point(7, "6:2")
            content = view.read(16384)
            equal(content, b"a" * 4096 + bytes(4096) + b"b" * 4096 + bytes(4096), "the content")
            for state in text:
                # An empty write never gets to an attribute: configfs itself refuses it.
                with fails(errno.EINVAL if state else errno.EFAULT, repr(state)):
                    view.set("state", state.encode())
                if "\n" not in state:
                    with fails(errno.EINVAL, f"the control device, {state!r}"):
                        log.request(f"state t.v {state}")
                equal(view.get("state"), "cut=7 keep=6:2", f"the state after {state!r}")
            equal(view.read(16384), content, "the content after")


test("malformed text", MALFORMED)(refused)
test("states outside the contract", tuple(state for _, state in ILLEGAL))(refused)


@test("writes out of order")
def out_of_order():
    with Disk() as disk:
        disk.record("start")
        with disk.raw() as raw:
            raw.write(0, b"a" * 4096)
            raw.write(0, b"b" * 4096)
        with disk.view() as view:
            view.point(4, "1:0,3:0")
            with fails(errno.EINVAL):
                view.point(4, "3:0,1:0")
            equal(view.get("state"), "cut=4 keep=1:0,3:0")


@test("a list longer than a page comes and goes by the control device")
def long_list():
    with Disk(blocksize=512) as disk:
        disk.record("start")
        with disk.raw() as raw:
            raw.write(0, b"a" * (1 << 20))
        disk.record("stop")
        entries = disk.log().entries
        pieces = [
            f"{entry.submit}:{unit}"
            for entry in entries
            for unit in range(entry.sector, entry.end(), 2)
        ]
        equal(len(pieces), 1024, "pieces")
        with disk.view() as view:
            view.point(disk.events(), ",".join(pieces))
            equal(view.read(), (b"a" * 512 + bytes(512)) * 1024, "the content")
            with fails(errno.EOVERFLOW, "reading the state"):
                view.get("state")


@test("a list that configfs would cut off is refused wherever it would be cut, and changes nothing")
def cut_off():
    with Disk() as disk:
        disk.record("start")
        with disk.raw() as raw:
            for _ in range(2000):
                raw.write(0, b"a" * 4096)
        disk.set("cut", "eio now")
        lists = []
        for skipped in range(24):
            # All that configfs hands over is a legal list, if it is cut in or behind a number.
            pieces = ",".join(f"{1 + 2 * number}:0" for number in range(skipped, 900))
            lists.append(f"cut=4000 keep={pieces}")
        equal({length > 4095 for length in map(len, lists)}, {True}, "whether all are too long")
        with disk.view() as view:
            view.point(4000, "none")
            for state in lists:
                with fails(errno.E2BIG, "state"):
                    view.set("state", state)
                equal(view.get("state"), "cut=4000 keep=none", "the state")
                with fails(errno.E2BIG, "restore"):
                    disk.set("restore", state)
                equal(disk.get("cut"), "cut eio event=4000", "cut")
            # The longest that is taken, and the shortest that is not.
            for length, taken in ((4094, True), (4095, False), (4096, False)):
                state = "cut=4000 keep=" + ",".join(f"{1 + 2 * n}:0" for n in range(900))
                state = state[: state.rindex(",", 0, length - 8)] + ",3999:0"
                state = state.replace("keep=", "keep=" + "0" * (length - len(state)))
                equal(len(state), length, "the length")
                if taken:
                    view.set("state", state)
                else:
                    with fails(errno.E2BIG, f"{length} bytes"):
                        view.set("state", state)
            log.request(f"state t.v {lists[0]}")
        log.request(f"restore t {lists[0]}")


@test("what else configfs would cut off is refused", "mark", "m" * 1000 + "\n")
@test("rules that configfs would cut off are refused", "faults", "eio\n")
def attributes(attribute, line):
    with Disk() as disk:
        disk.record("start")
        before = disk.get(attribute)
        for length in (4095, 4096, 9000):
            with fails(errno.E2BIG, f"{length} bytes"):
                disk.set(attribute, (line * 3000)[:length])
            equal(disk.get(attribute), before, attribute)
        disk.set(attribute, "eio\neio")


@test("a crash state in use is not pointed elsewhere", "state")
@test("nor is one in use by way of the control device", "control")
def busy(way):
    with Disk() as disk:
        prepare(disk)
        with disk.view() as view:
            view.point(7, "all")
            with view.raw(), fails(errno.EBUSY):
                if way == "state":
                    view.point(2)
                else:
                    log.request("state t.v cut=2 keep=none")
            equal(view.get("state"), "cut=7 keep=all", "the state")
            view.point(2)


@test("a crash state needs a record, and power to be pointed")
def without():
    with Disk() as disk:
        with disk.view(power=0) as view:
            with fails(errno.ENODATA, "power without a record"):
                view.on()
            disk.record("start")
            with fails(errno.ENODEV, "state while off"):
                view.point(0)
            with fails(errno.ENODEV, "reading the state while off"):
                view.get("state")
            view.on()
            equal(view.get("state"), "cut=0 keep=none", "the state at first")
            view.on()
            view.off()
            view.off()
        disk.off()
        with disk.view(power=0) as view, fails(errno.ENODEV, "a view's power, its disk being off"):
            view.on()
