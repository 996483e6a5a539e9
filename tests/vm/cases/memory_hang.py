# SPDX-License-Identifier: GPL-2.0
"""Each allocation fails once while a write hangs, and while its disk is removed."""

import contextlib
import errno
import os

from cases.hang import Stuck
from cases.memory import NEW, PAGE, usable
from lib import nth
from lib.disk import Disk
from lib.tap import fails, note, test, wait_until


class Hanging:
    """A write to a disk whose power is cut and on which I/O hangs: it waits, or it has met its failure."""

    def __init__(self, disk, raw, n, size):
        self.fault, self.errors = nth.Fault(n), []
        disk.set("cut", "hang now")
        self.stuck = Stuck(lambda: self.write(raw, size))
        wait_until(self.is_settled, "the write hangs or fails")

    def write(self, raw, size):
        try:
            with self.fault:
                raw.write(0, NEW * size)
        except OSError as error:
            self.errors.append(error.errno)

    def is_settled(self):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            return self.errors or self.stuck.waits()
        return True

    def check(self):
        """How it failed. What failed may have been done without."""
        has_met_it = self.errors == [errno.ENOMEM] and self.fault.is_met
        assert self.errors == [errno.EIO] or has_met_it, self.errors


@test("a write hangs, or fails at once; what hangs is let go")
def hang():
    def one(n):
        """Whether the write met a failure."""
        with Disk() as disk:
            disk.record("start")
            with disk.raw() as raw:
                hanging = Hanging(disk, raw, n, PAGE)
                with fails(errno.EBUSY, "restore while it is open"):
                    disk.set("restore", "cut=0 keep=none")
                hanging.stuck.ends()
            hanging.check()
            disk.set("restore", "cut=0 keep=none")
            usable(disk)
        return hanging.fault.is_met

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
        other = nth.Fault(m)
        disk = Disk()
        disk.record("start")
        with disk.raw() as raw:
            hanging = Hanging(disk, raw, n, 8 * PAGE)
            with other:
                disk.remove()
            hanging.stuck.ends()
        hanging.check()
        assert not os.path.exists(disk.path), "it is there still"
        if os.path.exists(disk.device):
            # The kernel leaves the node where it is if there is no memory for its name.
            assert other.is_met, "a node without a disk"
            with fails(errno.ENXIO, "opening it"):
                os.close(os.open(disk.device, os.O_RDONLY))
            os.unlink(disk.device)
        return hanging.fault.is_met, other.is_met

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
