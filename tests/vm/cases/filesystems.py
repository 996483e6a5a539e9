# SPDX-License-Identifier: GPL-2.0
"""File systems work on a recorded disk, and journals recover from its crash states."""

import os
import random
import shutil
import subprocess
import tempfile

from lib.disk import Disk
from lib.tap import Skip, equal, note, rounds, test

# kind, MiB, mkfs, fsck
KINDS = (
    ("ext4", 32, ["mkfs.ext4", "-q", "-F"], ["e2fsck", "-fn"]),
    ("xfs", 320, ["mkfs.xfs", "-q", "-f"], ["xfs_repair", "-n"]),
    ("vfat", 32, ["mkfs.vfat"], ["fsck.vfat", "-n"]),
    ("btrfs", 128, ["mkfs.btrfs", "-q", "-f"], ["btrfs", "check"]),
    ("f2fs", 64, ["mkfs.f2fs", "-q", "-f"], ["fsck.f2fs"]),
)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout[-600:]}{done.stderr[-600:]}")


def need(kind, *tools):
    for tool in tools:
        if not shutil.which(tool):
            raise Skip(f"no {tool}")
    subprocess.run(["modprobe", "-q", kind], check=False)
    with open("/proc/filesystems", encoding="utf-8") as file:
        if kind not in file.read().split():
            raise Skip(f"the kernel has no {kind}")


class Mount:
    """A file system, mounted for as long as it is wanted."""

    def __init__(self, kind, device):
        self.directory = tempfile.mkdtemp()
        run("mount", "-t", kind, device, self.directory)

    def __enter__(self):
        return self.directory

    def __exit__(self, *_):
        run("umount", self.directory)
        os.rmdir(self.directory)


def use(mnt, count):
    """Files of several sizes, some synced, some renamed over, some removed."""
    for number in range(count):
        with open(f"{mnt}/f{number}", "wb") as file:
            file.write(bytes([number]) * (number * 700 + 1))
            file.flush()
            if number % 3 == 0:
                os.fsync(file.fileno())
        if number % 4 == 1:
            os.rename(f"{mnt}/f{number}", f"{mnt}/f{number - 1}")
        elif number % 7 == 6:
            os.unlink(f"{mnt}/f{number}")
    subprocess.run(["sync", "-f", mnt], check=True)


def works(kind, size, mkfs, fsck):
    need(kind, mkfs[0], fsck[0])
    with Disk(size=size) as disk:
        disk.record("start")
        run(*mkfs, disk.device)
        with Mount(kind, disk.device) as mnt:
            use(mnt, rounds(20, 8))
        run(*fsck, disk.device)
        with Mount(kind, disk.device) as mnt, open(f"{mnt}/f0", "rb") as file:
            equal(set(file.read()), {1}, "content of a file that was renamed over another")
        equal(disk.status()["truncated"], 0, "truncated")


for row in KINDS:
    test(f"{row[0]}: made, mounted, used, checked", *row)(works)


@test("ext4's journal recovers from crash states of random legal cuts")
def recovers():
    need("ext4", "mkfs.ext4", "e2fsck")
    seed = random.randrange(1 << 32)
    note("seed", seed)
    dice = random.Random(seed)
    with Disk(size=16) as disk:
        run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", disk.device)
        disk.record("start")
        made = disk.events()
        with Mount("ext4", disk.device) as mnt:
            use(mnt, 14)
        disk.record("stop")
        with disk.view() as view:
            for _ in range(rounds(8, 3)):
                cut = dice.randrange(made, disk.events() + 1)
                keep = dice.choice(("none", "all"))
                note(f"cut={cut} keep={keep}")
                view.point(cut, keep)
                with Mount("ext4", view.device):
                    pass
                run("e2fsck", "-fn", view.device)
