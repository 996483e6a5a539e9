# SPDX-License-Identifier: GPL-2.0
"""Disks go while they are open, mounted, written to; and are not let go where they are needed."""

import errno
import os
import subprocess
import tempfile
import time

from lib import clean
from lib.disk import Disk
from lib.tap import LIMIT, equal, fails, note, rounds, test


def cannot_unload():
    done = subprocess.run(["rmmod", "powercut"], capture_output=True, text=True, check=False)
    assert done.returncode, "rmmod went through"
    assert "in use" in done.stderr, done.stderr


def is_gone(raw):
    """A disk that was pulled has no sectors: reads find its end, writes no room."""
    for what in (lambda: raw.read(0, 4096), lambda: raw.write(0, b"b" * 4096)):
        try:
            what()
        except OSError:
            continue
        raise AssertionError("a disk that is gone still works")


@test("open disk, rmdir group, rmmod, close: rmmod is refused, nothing breaks")
def open_rmdir_rmmod_close():
    disk = Disk()
    raw = disk.raw()
    raw.write(0, b"a" * 4096)
    disk.remove()
    cannot_unload()
    is_gone(raw)
    raw.close()
    clean.rmmod()
    clean.insmod()


@test("the same with a crash state")
def open_view_rmdir():
    disk = Disk()
    disk.record("start")
    view = disk.view()
    raw = view.raw()
    raw.write(0, b"a" * 4096)
    view.remove()
    is_gone(raw)
    disk.off()
    disk.remove()
    cannot_unload()
    raw.close()
    clean.rmmod()
    clean.insmod()


@test("rmmod is refused while there is a group")
def group_holds_module():
    with Disk(power=0):
        cannot_unload()
    with Disk():
        cannot_unload()
    clean.rmmod()
    clean.insmod()


@test("rmmod is refused while the control device is open")
def control_holds_module():
    with open("/dev/powercut-control", "rb"):
        cannot_unload()
    clean.rmmod()
    clean.insmod()


@test("power off is refused while the disk is open, and forgets its content")
def power_off():
    with Disk() as disk:
        with disk.raw() as raw:
            raw.write(0, b"a" * 4096)
            with fails(errno.EBUSY):
                disk.off()
            equal(raw.read(0, 4096), b"a" * 4096)
        disk.off()
        disk.on()
        equal(disk.read(4096), bytes(4096))


@test("power off is refused while there is a crash state")
def power_off_viewed():
    with Disk() as disk:
        disk.record("start")
        with disk.view() as view:
            with fails(errno.EBUSY):
                disk.off()
            with fails(errno.ENOTEMPTY, "rmdir"):
                os.rmdir(disk.path)
            with view.raw(), fails(errno.EBUSY, "a view's power off"):
                view.off()
        disk.off()


class Writers:
    """Processes that write to a file in a loop until it fails."""

    def __init__(self, path, count=2):
        script = (
            "import os,sys,mmap\n"
            "m=mmap.mmap(-1,65536)\n"
            "f=os.open(sys.argv[1],os.O_RDWR|os.O_CREAT)\n"
            "n=0\n"
            "print('up',flush=True)\n"
            "while True:\n"
            "  os.pwrite(f,m,n%16*65536); n+=1\n"
            "  if n%8==0: os.fsync(f)\n"
        )
        self.children = [
            subprocess.Popen(
                ["python3", "-c", script, f"{path}{number if count > 1 else ''}"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            for number in range(count)
        ]
        for child in self.children:
            child.stdout.readline()

    def end(self):
        """Waits until they have failed."""
        for child in self.children:
            try:
                child.wait(LIMIT / 2)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                raise


@test("the group goes while the disk is written to", "off")
@test("the group goes while the disk is written to and recorded", "start")
def under_io(word):
    for number in range(rounds(10, 3)):
        disk = Disk(f"t{number}")
        if word == "start":
            disk.record(word)
        writers = Writers(disk.device, 1)
        time.sleep(0.05)
        disk.remove()
        writers.end()


@test("the group goes while an ext4 on it is written to", "ext4", ["-F", "-q"], 16)
@test("the group goes while an xfs on it is written to", "xfs", ["-q"], 320)
def under_mount(kind, options, size):
    mkfs = f"mkfs.{kind}"
    disk = Disk(size=size)
    subprocess.run([mkfs, *options, disk.device], check=True, capture_output=True)
    disk.record("start")
    with tempfile.TemporaryDirectory() as mnt:
        subprocess.run(["mount", "-t", kind, disk.device, mnt], check=True)
        try:
            writers = Writers(f"{mnt}/file")
            time.sleep(0.5)
            disk.remove()
            writers.end()
        finally:
            subprocess.run(["umount", mnt], check=True)


@test("many disks at once")
def many():
    count = rounds(64, 16)
    disks = [Disk(f"d{number}") for number in range(count)]
    for number, disk in enumerate(disks):
        with disk.raw() as raw:
            raw.write(0, bytes([number]) * 4096)
    for number, disk in enumerate(disks):
        equal(disk.read(4096), bytes([number]) * 4096, disk.name)
        disk.remove()


@test("many crash states at once, each its own")
def many_views():
    count = rounds(32, 8)
    with Disk() as disk:
        disk.record("start")
        with disk.raw() as raw:
            for number in range(count):
                raw.write(0, bytes([number + 1]) * 4096)
        views = [disk.view(f"v{number}") for number in range(count)]
        for number, view in enumerate(views):
            view.point(2 * count, f"{2 * number + 1}:0")
        for number, view in enumerate(views):
            equal(view.read(4096), bytes([number + 1]) * 4096, view.name)
            view.remove()


@test("without powered disks the module has none")
def empty():
    clean.rmmod()
    clean.insmod()
    equal([name for name in os.listdir("/sys/block") if "powercut" in name], [], "disks")
    note("loaded:", open("/proc/modules", encoding="utf-8").readline().strip())
