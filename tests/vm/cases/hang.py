# SPDX-License-Identifier: GPL-2.0
"""A disk that hangs holds up nobody but those who use it: all ways out work."""

import contextlib
import errno
import os
import threading

from lib import log
from lib.disk import Disk
from lib.tap import equal, fails, rounds, test, wait_until

A = b"a" * 4096


class Stuck(threading.Thread):
    """Somebody who does something to a disk that hangs, until that ends."""

    def __init__(self, call):
        super().__init__()
        self.call = call
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            self.call()

    def waits(self):
        """Whether it sleeps and takes no signal."""
        with open(f"/proc/self/task/{self.native_id}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "D"

    def is_stuck(self):
        wait_until(self.waits, "I/O that hangs")

    def ends(self):
        self.join(60)
        equal(self.is_alive(), False, "somebody waits still")


def scanned(disk):
    """The first opener after a reset looks for partitions: nobody else can open or close the disk
    meanwhile."""
    disk.record("start")
    disk.record("reset")
    disk.record("start")
    disk.set("cut", "hang now")
    return Stuck(lambda: os.close(os.open(disk.device, os.O_RDONLY)))


def written_back(disk):
    """The last one to close a disk writes back what is dirty, likewise."""
    disk.record("start")
    fd = os.open(disk.device, os.O_RDWR)
    os.pwrite(fd, A, 0)
    disk.set("cut", "hang now")
    return Stuck(lambda: os.close(fd))


def read(disk):
    """Somebody who reads it."""
    disk.record("start")
    raw = disk.raw()
    disk.set("cut", "hang now")

    def call():
        with raw:
            raw.read(0, 4096)

    return Stuck(call)


def removed(disk, stuck):
    disk.remove()
    stuck.ends()


def restored(disk, stuck):
    brought_back(lambda: disk.set("restore", "cut=0 keep=none"), disk, stuck)


def restored_by_control(disk, stuck):
    brought_back(lambda: log.request(f"restore {disk.name} cut=0 keep=none"), disk, stuck)


def brought_back(restore, disk, stuck):
    """It is busy at first, unless who hung is gone by then: that it lets go."""
    try:
        restore()
        stuck.ends()
    except OSError as error:
        equal(error.errno, errno.EBUSY, "restore while it is open")
        stuck.ends()
        restore()
    equal(disk.get("cut"), "off", "cut")
    equal(disk.read(4096), bytes(4096), "the content")


@test("the first opener: rmdir", scanned, removed)
@test("the first opener: restore", scanned, restored)
@test("the first opener: restore by the control device", scanned, restored_by_control)
@test("the last closer: rmdir", written_back, removed)
@test("the last closer: restore", written_back, restored)
@test("a reader: rmdir", read, removed)
@test("a reader: restore", read, restored)
def ways_out(begin, end):
    with Disk() as disk:
        stuck = begin(disk)
        stuck.is_stuck()
        equal(disk.get("power"), "1", "power")
        with fails(errno.EBUSY, "power 0"):
            disk.off()
        with fails(errno.EBUSY, "reset"):
            disk.record("reset")
        equal(disk.get("power"), "1", "power")
        equal(disk.get("cut"), "cut hang event=0", "cut")
        equal(disk.status()["state"], "stopped", "the record")
        with disk.view() as view:
            equal(view.read(4096), bytes(4096), "a view")
        equal(stuck.waits(), True, "whether it hangs still")
        end(disk, stuck)


@test("a disk that begins to hang while it is removed goes all the same")
def armed():
    for number in range(rounds(60, 15)):
        disk = Disk()
        disk.record("start")
        raw = disk.raw()
        disk.set("cut", f"hang writes:{1 + number * 7 % 300}")
        is_over = threading.Event()

        def write():
            while not is_over.is_set():
                raw.write(0, A)

        writers = [Stuck(write) for _ in range(2)]
        if number % 2:
            # Some have been written, or all hangs already.
            wait_until(
                lambda: disk.status()["entries"] > number or disk.get("cut").startswith("cut"), "some writes"
            )
        disk.remove()
        is_over.set()
        for writer in writers:
            writer.ends()
        raw.close()
