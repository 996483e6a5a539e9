# SPDX-License-Identifier: GPL-2.0
"""The disks that a suite runs on: brd, the kernel's RAM disk, and powercut with a record."""

import shutil
import subprocess

from filesystems import KINDS, Mounted, run
from lib import kmsg
from lib.disk import Disk
from lib.tap import Skip

CHUNK = 1 << 20


class Brd:
    """Block sizes are those of brd: 512 bytes, 4096 physically."""

    name = "brd"

    def __init__(self, size_mib, _):
        self.size_mib = size_mib
        self.device = "/dev/ram0"

    def __enter__(self):
        run("modprobe", "brd", "rd_nr=1", f"rd_size={self.size_mib * 1024}")
        return self

    def __exit__(self, *_):
        run("rmmod", "brd")

    def problems(self):
        return []


class Powercut:
    name = "powercut"
    faults = ""

    def __init__(self, size_mib, log_limit_mib):
        self.settings = {"size": size_mib, "log_limit_mib": log_limit_mib, "blocksize": 512, "physical_blocksize": 4096}
        self.disk = None
        self.device = "/dev/powercut/suite"
        self.written_mib = 0

    def __enter__(self):
        self.disk = Disk("suite", **self.settings)
        if self.faults:
            self.disk.set("faults", self.faults)
        self.disk.record("start")
        return self

    def __exit__(self, *_):
        self.disk.remove()

    def problems(self):
        """The record has to be whole, and its last state that of the disk."""
        status = self.disk.status()
        self.written_mib = status["bytes"] >> 20
        if status["truncated"]:
            return [f"the record ended early, at {self.written_mib} MiB: {status}"]
        self.disk.record("stop")
        with self.disk.view() as view:
            view.set("state", f"cut={status['events']} keep=all")
            if not same(self.device, view.device):
                return ["the last state of the record is not the disk as it is"]
        return []


class Losing(Powercut):
    """For the control: some writes never arrive, and no error says so."""

    name = "powercut that loses writes"
    faults = "lost every=5"


def same(one, other):
    """Whether two devices have the same content."""
    with open(one, "rb") as left, open(other, "rb") as right:
        while True:
            chunk = left.read(CHUNK)
            if chunk != right.read(CHUNK):
                return False
            if not chunk:
                return True


class Place:
    """Where a suite runs: a disk, and a filesystem on it unless `kind` is None."""

    def __init__(self, disk, kind):
        self.disk = disk
        self.kind = kind
        self.device = disk.device
        self.mnt = None

    def run(self, suite):
        """The suite's results, and what else went wrong."""
        log = kmsg.Log()
        problems = []
        if self.kind is None:
            results = suite(self)
        else:
            tools = KINDS[self.kind]
            for tool in (tools.mkfs[0], tools.check[0]):
                if not shutil.which(tool):
                    raise Skip(f"there is no {tool}")
            subprocess.run(("modprobe", "-q", self.kind), check=False)
            run(*tools.mkfs, self.device)
            with Mounted(self.kind, self.device) as self.mnt:
                results = suite(self)
            try:
                run(*tools.check, self.device)
            except AssertionError as error:
                problems.append(str(error))
        problems += self.disk.problems()
        splat = log.splat()
        if splat:
            problems.append(f"the kernel complained:\n{splat}")
        return results, problems
