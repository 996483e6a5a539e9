# SPDX-License-Identifier: GPL-2.0
"""Each allocation fails once while crash states are made, shown and used, and records read and imported."""

import errno
import os

from cases.memory import NEW, OLD, PAGE, SIZE, every
from lib import log as fmt
from lib.disk import Disk
from lib.tap import equal, test


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
