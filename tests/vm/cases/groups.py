# SPDX-License-Identifier: GPL-2.0
"""Disks that are recorded and cut together: one record of them all, flushes of their own."""

import contextlib
import errno
import os
import subprocess
import tempfile

from lib import blk, clean
from lib import log as fmt
from lib.disk import Disk, View
from lib.tap import equal, fails, test

A, B, C = (letter * 4096 for letter in (b"a", b"b", b"c"))
HOLE = bytes(4096)
BOTH = "data:2 log:1"


def node(disk, name):
    return f"{disk.device}/{name}"


def raw(disk, name):
    return blk.Raw(node(disk, name))


def page(disk, name, number=0):
    with raw(disk, name) as member:
        return member.read(number * 4096, 4096)


def size(disk, name):
    with open(node(disk, name), "rb") as member:
        return member.seek(0, os.SEEK_END)


GOOD = ("", "a:1", "data:48 log:16", "x" * 20 + ":3", "a1:1 a11:1", "a:1 b:1 c:1 d:1 e:1 f:1 g:1 h:1")
BAD = (
    ("a", errno.EINVAL), ("a:", errno.EINVAL), (":1", errno.EINVAL), ("a:0", errno.EINVAL),
    ("a:1M", errno.EINVAL), ("a:1,b:1", errno.EINVAL), ("a:1  b:1", errno.EINVAL), ("a:1 ", errno.EINVAL),
    ("a/b:1", errno.EINVAL), ("a!b:1", errno.EINVAL), ("a.b:1", errno.EINVAL), ("\u00e9:1", errno.EINVAL),
    ("a:1\n\n", errno.EINVAL), ("a:16777217", errno.EINVAL), ("a:9999999 b:9999999", errno.EINVAL),
    ("a:99999999999999999999", errno.ERANGE), ("a:1 a:1", errno.EEXIST), ("a:1 a1:1", errno.EEXIST),
    ("a1p1:1 a1:1", errno.EEXIST), ("x" * 21 + ":1", errno.ENAMETOOLONG),
    ("a:1 b:1 c:1 d:1 e:1 f:1 g:1 h:1 i:1", errno.E2BIG),
)  # fmt: skip


@test("disks: what it takes, and what it refuses")
def settings():
    with Disk(power=0, size=7) as disk:
        equal(disk.get("disks"), "", "the default")
        for value in GOOD:
            disk.set("disks", value + "\n")
            equal(disk.get("disks"), value, "disks")
        equal(disk.get("size"), "8", "size")
        with fails(errno.EINVAL, "a size beside those of the disks"):
            disk.set("size", 5)
        for value, error in BAD:
            with fails(error, repr(value)):
                disk.set("disks", value)
            equal(disk.get("disks"), GOOD[-1], "disks")
        disk.on()
        with fails(errno.EBUSY):
            disk.set("disks", "a:1")
        equal(sorted(os.listdir(disk.device)), list("abcdefgh"), "devices")
        disk.off()
        equal(os.path.exists(disk.device), False, "the directory without power")
        disk.set("disks", "\n")
        equal(disk.get("size"), "7", "size")
        disk.on()
        equal(disk.size(), 7 << 20, "size")


@test("each member has its size, its place in the log, and nothing of the others")
def places():
    with Disk(disks=BOTH) as disk:
        equal((size(disk, "data"), size(disk, "log")), (2 << 20, 1 << 20), "sizes")
        disk.record("start")
        with raw(disk, "data") as data, raw(disk, "log") as log:
            data.write((2 << 20) - 4096, A)
            log.write(0, B)
            log.discard(4096, 4096)
            log.flush()
            data.write_fua(0, C)
            equal(log.read(0, 4096), B, "the log")
            equal(data.read((2 << 20) - 4096, 4096), A, "the data")
            with fails(errno.ENOSPC, "a write behind the end"):
                data.write(2 << 20, A)
        disk.record("stop")
        log = disk.log()
        equal(log.members, [("data", 4096), ("log", 2048)], "members in the log")
        entries = [(e.op, e.sector, e.sectors) for e in log.entries][:5]
        equal(entries, [(fmt.WRITE, 4088, 8), (fmt.WRITE, 4096, 8), (fmt.DISCARD, 4104, 8),
                        (fmt.FLUSH, 4096, 0), (fmt.WRITE, 0, 8)], "entries")  # fmt: skip


@test("a flush of one leaves the writes of the other volatile")
def flushes():
    with Disk(disks=BOTH) as disk:
        disk.record("start")
        with raw(disk, "data") as data, raw(disk, "log") as log:
            data.write(0, A)
            log.write(0, B)
            data.flush()
            end_of_data = disk.events()
            log.flush()
        disk.record("stop")
        with disk.view() as view:
            for cut, keep, expected in (
                (4, "none", (HOLE, HOLE)), (4, "3:512", (HOLE, B)), (4, "all", (A, B)),
                (end_of_data, "none", (A, HOLE)), (end_of_data, "all", (A, B)),
                (end_of_data, "3:512", (A, B)), (disk.events(), "none", (A, B)),
            ):  # fmt: skip
                view.point(cut, keep)
                equal((page(view, "data"), page(view, "log")), expected, f"cut={cut} keep={keep}")
            for keep in ("1:0", "3:0", "3:511"):
                with fails(errno.EINVAL, f"{keep} after the flush"):
                    view.point(end_of_data, keep)


@test("a FUA write or a PREFLUSH of one says nothing of the other")
def commits():
    with Disk(disks="fs:16 other:1") as disk, tempfile.TemporaryDirectory() as mnt:
        disk.record("start")
        with raw(disk, "other") as other:
            other.write(0, A)
            other.flush()
            other.write(0, B)
        subprocess.run(["mkfs.ext4", "-q", "-F", node(disk, "fs")], check=True)
        subprocess.run(["mount", "-t", "ext4", node(disk, "fs"), mnt], check=True)
        with open(f"{mnt}/file", "wb") as file:
            file.write(C)
            os.fsync(file.fileno())
        subprocess.run(["umount", mnt], check=True)
        disk.record("stop")
        flags = [entry.flags for entry in disk.log().entries if entry.is_write() and entry.sector < 32768]
        assert any(f & fmt.FUA and f & fmt.PREFLUSH for f in flags), "no commit block in the log"
        with disk.view() as view:
            view.point(disk.events(), "none")
            equal(page(view, "other"), A, "the other disk")
            subprocess.run(["e2fsck", "-fy", node(view, "fs")], check=False, capture_output=True)
            subprocess.run(["mount", "-o", "ro", "-t", "ext4", node(view, "fs"), mnt], check=True)
            with open(f"{mnt}/file", "rb") as file:
                equal(file.read(), C, "the file that was synced")
            subprocess.run(["umount", mnt], check=True)


@test("a cut hits all, and restore brings one survivor of all back")
def cut():
    for mode, trigger in (("eio", "now"), ("eio", "lba:4096"), ("eio", "flushes:2"), ("hang", "now")):
        with Disk(disks=BOTH) as disk:
            with raw(disk, "data") as data, raw(disk, "log") as log:
                disk.record("start")
                data.write(0, A)
                data.flush()
                log.write(4096, B)
                disk.set("cut", f"{mode} {trigger}")
                if trigger.startswith("lba"):
                    with fails(errno.EIO, "the write that triggers it"):
                        log.write(0, C)
                if trigger.startswith("flushes"):
                    log.flush()
                    with fails(errno.EIO, "the second flush"):
                        data.flush()
                if mode == "eio":
                    for name, member in (("data", data), ("log", log)):
                        for what, call in (("write", lambda m=member: m.write(0, A)), ("flush", member.flush),
                                           ("read", lambda m=member: m.read(0, 4096))):  # fmt: skip
                            with fails(errno.EIO, f"{what} of {name}"):
                                call()
            event = disk.events()
            with raw(disk, "log"), fails(errno.EBUSY, "restore while one is open"):
                disk.set("restore", f"cut={event} keep=none")
            disk.set("restore", f"cut={event} keep=none")
            equal(disk.get("cut"), "off", "cut")
            expected = B if trigger.startswith("flushes") else HOLE
            equal((page(disk, "data"), page(disk, "log", 1)), (A, expected), "what is left")


@test("a view shows all members, all of them pointed at one state, none of them open")
def views():
    with Disk(disks=BOTH) as disk:
        disk.record("start")
        with raw(disk, "data") as data, raw(disk, "log") as log:
            data.write(0, A)
            log.write(0, B)
        disk.record("stop")
        with disk.view() as view:
            equal(sorted(os.listdir(view.device)), ["data", "log"], "devices")
            equal((size(view, "data"), size(view, "log")), (2 << 20, 1 << 20), "sizes")
            # Through the page cache, which must go.
            for state, expected in ((4, (A, B)), (2, (A, HOLE)), (0, (HOLE, HOLE))):
                view.point(state, "all")
                for name, wanted in zip(("data", "log"), expected):
                    with open(node(view, name), "rb") as member:
                        equal(member.read(4096), wanted, f"{name} at {state}")
            view.point(4, "all")
            for name in ("data", "log"):
                with raw(view, name):
                    with fails(errno.EBUSY, f"a state while {name} is open"):
                        view.point(0)
                    with fails(errno.EBUSY, f"power off while {name} is open"):
                        view.off()
                equal(view.get("state"), "cut=4 keep=all", "state")


@test("what was read of a view is told in sectors of the whole")
def reads():
    with Disk(disks=BOTH) as disk:
        disk.record("start")
        with raw(disk, "data") as data, raw(disk, "log") as log:
            data.write(8192, A)
            log.write(4096, B)
        with disk.view() as view:
            view.point(4, "all")
            with open(f"/sys/block/powercut!{view.name}!log/queue/read_ahead_kb", "w", encoding="ascii") as file:
                file.write("0")
            page(view, "log", 1)
            equal(fmt.request(f"reads {view.name}"), b"".join(n.to_bytes(8, "little") for n in (4104, 8)), "reads")


@test("a view of a group can be recorded, cut and viewed in its turn")
def nested():
    with Disk(disks=BOTH) as disk:
        disk.record("start")
        with raw(disk, "log") as log:
            log.write(0, A)
        with disk.view() as view:
            view.point(2, "all")
            view.set("record", "start")
            with raw(view, "data") as data, raw(view, "log") as log:
                data.write(0, B)
                log.write(0, C)
                data.flush()
            view.set("record", "stop")
            with View(view, "w").on() as inner:
                inner.point(6, "none")
                equal((page(inner, "data"), page(inner, "log")), (B, A), "nothing kept")
                inner.point(6, "all")
                equal((page(inner, "data"), page(inner, "log")), (B, C), "all kept")
            view.set("record", "drop")


@test("delayed completion: what is in flight on one is not covered by a flush of it, nor of the other")
def delayed():
    with Disk(disks=BOTH, completion="delayed:2000") as disk:
        disk.record("start")
        with raw(disk, "data") as data, raw(disk, "log") as log:
            data.write(0, A)
            log.write(0, B)
            log.flush()
        disk.record("stop")
        with disk.view() as view:
            view.point(disk.events(), "none")
            equal((page(view, "data"), page(view, "log")), (HOLE, B), "nothing kept")


@test("an export of a group is imported by its like, and by nothing else")
def transfer():
    with Disk("a", disks=BOTH) as disk:
        with raw(disk, "log") as log:
            log.write(8192, A)
            disk.record("start")
            log.write(0, B)
            log.flush()
        with raw(disk, "data") as data:
            data.write(0, C)
        disk.record("stop")
        data = disk.export()
        with Disk("b", disks=BOTH) as other:
            fmt.send_import(other, data)
            equal(other.export() == data, True, "the export of the import the same")
            with other.view() as view:
                view.point(other.events(), "none")
                equal((page(view, "data"), page(view, "log"), page(view, "log", 2)), (HOLE, B, A), "state")
        for kind in ({"size": 3}, {"disks": "data:1 log:2"}, {"disks": "data:2 journal:1"},
                     {"disks": "log:1 data:2"}, {"disks": "data:2 log:1 x:1"}, {"disks": "all:3"}):  # fmt: skip
            with Disk("b", **kind) as other, fails(errno.EINVAL, str(kind)):
                fmt.send_import(other, data)
        log = fmt.parse(data)
        bad = (
            ("a write on two disks", lambda w: (setattr(w[0], "sector", 4088), setattr(w[0], "sectors", 16),
                                                setattr(w[0], "payload", A + B))),
            ("a flush of the middle of a disk", lambda w: setattr(w[1], "sector", 8)),
        )  # fmt: skip
        for what, change in bad:
            broken = fmt.parse(data)
            change(broken.entries)
            with Disk("b", disks=BOTH) as other, fails(errno.EINVAL, what):
                fmt.send_import(other, broken.pack())
        equal(log.pack() == data, True, "the log packed again the same")


@test("names that are taken, and those that are too long")
def names():
    with Disk("g", disks="a:1 b:1") as group:
        # A partition of a single disk would be called as the group's directory is.
        with Disk("g1", power=0) as single:
            single.on()
            single.off()
        with Disk("x", power=0) as single, Disk("x1", power=0, disks="a:1") as other:
            single.on()
            with fails(errno.EEXIST, "x1/ beside x"):
                other.on()
            equal(other.get("power"), "0", "power")
            single.off()
            other.on()
            with fails(errno.EEXIST, "x beside x1/"):
                single.on()
        with Disk("g1", disks="a:1"):
            pass
        group.record("start")
        with group.view("v" * 19, power=0) as view:
            with fails(errno.ENAMETOOLONG, "NAME.VIEW/MEMBER of 23 bytes"):
                view.on()
        with group.view("v" * 18) as view:
            equal(size(view, "a"), 1 << 20, "size")
        equal(sorted(os.listdir("/dev/powercut")), ["g"], "devices left")


@test("partitions of a member are found, and are in their place")
def partitions():
    with Disk(disks="a:16 b:16") as disk:
        done = subprocess.run(["sfdisk", "-q", node(disk, "b")], input="label: dos\nstart=256, type=83\n",
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        disk.record("start")
        with raw(disk, "b1") as part:
            part.write(4096, A)
            part.flush()
        write, flush = disk.log().entries[:2]
        equal((write.sector, flush.sector), (32768 + 2048 + 8, 32768), "sectors in the log")
        with disk.view() as view:
            view.point(disk.events())
            view_b = page(view, "b")
            equal(view_b, page(disk, "b"), "the table")
            equal(page(view, "b1", 1), A, "the view's partition")


@test("the disks go while one is open: it goes as a pulled cable does, and the module waits")
def open_rmdir():
    disk = Disk(disks=BOTH)
    log = raw(disk, "log")
    log.write(0, A)
    with fails(errno.EBUSY, "power off"):
        disk.off()
    equal(page(disk, "data"), HOLE, "the other one still there")
    disk.remove()
    with contextlib.suppress(OSError):
        log.write(0, B)
        raise AssertionError("a disk that is gone still works")
    log.close()
    clean.rmmod()
    clean.insmod()


@test("the disks go while a filesystem is mounted on one", "data")
@test("the disks go while a filesystem with its journal on another is mounted", "both")
def mounted_rmdir(which):
    disk = Disk(disks="data:16 log:16")
    data, log = node(disk, "data"), node(disk, "log")
    words = ["mkfs.ext4", "-q", "-F", "-b", "4096"]
    if which == "both":
        subprocess.run([*words, "-O", "journal_dev", log], check=True)
        words += ["-J", f"device={log}"]
    subprocess.run([*words, data], check=True)
    with tempfile.TemporaryDirectory() as mnt:
        subprocess.run(["mount", "-t", "ext4", data, mnt], check=True)
        with open(f"{mnt}/file", "wb") as file:
            file.write(A * 100)
        if which == "both":
            for name in ("data", "log"):
                with fails(errno.EBUSY, "power off"):
                    disk.off()
                assert os.path.exists(node(disk, name)), name
        disk.remove()
        try:
            with open(f"{mnt}/other", "wb") as file:
                file.write(A)
                os.fsync(file.fileno())
        except OSError:
            pass
        else:
            raise AssertionError("a filesystem without a disk still works")
        subprocess.run(["umount", mnt], check=True)
    clean.rmmod()
    clean.insmod()
