# SPDX-License-Identifier: GPL-2.0
"""Partitions of a disk, and of its crash states."""

import os
import subprocess
import tempfile

from lib import blk, log
from lib.disk import Disk
from lib.tap import Skip, equal, test


def partition(disk, *options):
    """One partition that begins at 1 MiB (sfdisk counts in blocks)."""
    done = subprocess.run(
        ["sfdisk", "-q", *options, disk.device],
        input="label: dos\nstart=256, type=83\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Skip(f"sfdisk: {done.stderr.strip()}")


@test("a partition is there, in its place, and so is the crash state's")
def partitions():
    with Disk("t", size=16) as disk:
        disk.record("start")
        partition(disk)
        equal(os.path.exists(f"{disk.device}1"), True, "partition")
        with blk.Raw(f"{disk.device}1") as raw:
            raw.write(4096, b"p" * 4096)
        with disk.raw() as raw:
            equal(raw.read((1 << 20) + 4096, 4096), b"p" * 4096, "the disk")
        disk.record("stop")
        end = disk.events()
        write = disk.log().entries[-1]
        equal(write.sector, 2048 + 8, "sector in the log")
        with disk.view() as view:
            view.point(end, "all")
            view.read(4096)
            equal(os.path.exists(f"{view.device}1"), True, "the crash state's partition")
            equal(blk.read_all(f"{view.device}1", 8192), bytes(4096) + b"p" * 4096)
            view.point(0)
            view.read(4096)
            equal(os.path.exists(f"{view.device}1"), False, "a partition at event 0")


# partscan, whether there is a partition, and the sectors of a state that are read as it is opened.
@test("partitions are looked for, and what is read for it is told, unless partscan is 0", 1, True, True)
@test("with partscan=0 there are no partitions, and nothing is read as a state is opened", 0, False, False)
def looked_for(partscan, is_there, is_read):
    with Disk("t", size=16, partscan=partscan) as disk:
        disk.record("start")
        partition(disk, "--no-reread", "--no-tell-kernel")
        disk.record("stop")
        with disk.view() as view:
            view.point(disk.events(), "all")
            view.raw().close()
            equal(os.path.exists(f"{view.device}1"), is_there, "a partition of the state")
            equal(log.request(f"reads {view.name}") != b"", is_read, "something was read")
            # It is the same state.
            equal(view.read(4096)[510:512], b"\x55\xaa", "the mark of a partition table")


@test("a file system on a partition")
def file_system():
    with Disk("d9", size=16) as disk, tempfile.TemporaryDirectory() as mnt:
        partition(disk)
        device = f"{disk.device}p1"
        subprocess.run(["mkfs.ext4", "-q", device], check=True, capture_output=True)
        subprocess.run(["mount", "-t", "ext4", device, mnt], check=True)
        with open(f"{mnt}/file", "w", encoding="utf-8") as file:
            file.write("text")
        subprocess.run(["umount", mnt], check=True)
        subprocess.run(["e2fsck", "-fn", device], check=True, capture_output=True)


def diskseq(disk):
    with open(f"/sys/block/{disk.device.removeprefix('/dev/').replace('/', '!')}/diskseq", encoding="ascii") as file:
        return int(file.read())


@test("a device with another content has another sequence number, and no other has")
def sequence():
    with Disk("t", size=1) as disk, Disk("u", size=1) as other:
        seen = [diskseq(disk)]

        def changed():
            seen.append(diskseq(disk))
            equal(seen[-1] > seen[-2], True, f"whether {seen[-1]} is another than {seen[-2]}")

        disk.record("start")
        with disk.raw() as raw:
            raw.write(0, b"a" * 4096)
        equal(diskseq(disk), seen[-1], "the number of a disk that is used")
        data = disk.export()
        with disk.view() as view:
            first = diskseq(view)
            view.point(2, "all")
            equal(diskseq(view) > first, True, "whether a view that was pointed elsewhere has another")
        disk.record("reset")
        changed()
        disk.record("start")
        disk.set("cut", "eio now")
        equal(diskseq(disk), seen[-1], "the number of a disk that was cut")
        disk.set("restore", "cut=0 keep=none")
        changed()
        log.send_import(disk, data)
        changed()
        equal(diskseq(other) not in seen, True, "whether the other's is its own")
