# SPDX-License-Identifier: GPL-2.0
"""Filesystems under load that lose their power: after recovery their checkers find nothing, and what was made
safe is there."""

import errno
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import files
import tally
from lib import log
from lib.command import powercut
from lib.disk import Disk
from lib.tap import Skip

LOAD = Path(__file__).resolve().parent / "files.py"
WORKERS = 2


@dataclass
class Kind:
    """A filesystem, and its tools."""

    size_mib: int
    mkfs: tuple
    # Finds what is wrong, and changes nothing; after it was mounted.
    check: tuple
    # Has to come before the first mount after a crash; its statuses 0 and 1 are good.
    repair: tuple = ()
    # Whether the disk loses its power in use. f2fs prints a stack, like that of a bug, when a write fails.
    is_cut: bool = True


KINDS = {
    "ext4": Kind(64, ("mkfs.ext4", "-q", "-F"), ("e2fsck", "-fn")),
    "xfs": Kind(320, ("mkfs.xfs", "-q", "-f"), ("xfs_repair", "-n")),
    "btrfs": Kind(192, ("mkfs.btrfs", "-q", "-f"), ("btrfs", "check", "--readonly")),
    "f2fs": Kind(128, ("mkfs.f2fs", "-q", "-f"), ("fsck.f2fs", "--dry-run"), is_cut=False),
    "vfat": Kind(64, ("mkfs.vfat", "-F", "32"), ("fsck.vfat", "-n"), ("fsck.vfat", "-a")),
}


def run(*words, good=(0,)):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode in good, f"{' '.join(words)}: status {done.returncode}\n{done.stdout[-3000:]}"
    return done.stdout


class Mounted:
    """A filesystem for as long as it is wanted. Who uses it has ended by the end, or is about to."""

    def __init__(self, kind, device):
        self.directory = tempfile.mkdtemp(dir="/run")
        run("mount", "-t", kind, device, self.directory)

    def __enter__(self):
        return self.directory

    def __exit__(self, *_):
        for attempt in range(100):
            done = subprocess.run(("umount", self.directory), capture_output=True, text=True, check=False)
            if done.returncode == 0:
                os.rmdir(self.directory)
                return
            time.sleep(0.1)
        raise AssertionError(f"umount: {done.stderr}")


def make(kind, disk):
    need = KINDS[kind]
    for tool in (need.mkfs[0], need.check[0]):
        if not shutil.which(tool):
            raise Skip(f"there is no {tool}")
    subprocess.run(("modprobe", "-q", kind), check=False)
    run(*need.mkfs, disk.device)


def wait_for_cut(disk, seconds):
    """The power goes by itself, or after so long."""
    end = time.monotonic() + seconds
    while not disk.get("cut").startswith("cut "):
        time.sleep(0.05)
        if time.monotonic() < end:
            continue
        try:
            disk.set("cut", "eio now")
        except OSError as error:
            # It has gone in this moment.
            if error.errno != errno.EBUSY:
                raise


def work(disk, kind, dice, seed):
    """Load on a mounted filesystem. Where the power is cut, it goes under the load."""
    with Mounted(kind, disk.device) as mnt:
        disk.record("start")
        words = (sys.executable, LOAD, mnt, f"{disk.path}/mark")
        load = [
            subprocess.Popen((*words, str(seed * WORKERS + nr), kind), stderr=subprocess.PIPE, text=True)
            for nr in range(WORKERS)
        ]
        if KINDS[kind].is_cut:
            trigger = dice.choice(
                (f"ms:{dice.randrange(100, 4000)}", f"flushes:{dice.randrange(1, 60)}", f"writes:{dice.randrange(50, 1500)}")
            )
            disk.set("cut", f"eio {trigger}")
            wait_for_cut(disk, dice.uniform(6, 12))
            # What needs no I/O goes on for ever.
            seconds = 20
        else:
            seconds = dice.uniform(1, 5)
        errors = []
        end = time.monotonic() + seconds
        for process in load:
            try:
                errors.append(process.communicate(timeout=max(end - time.monotonic(), 0.1))[1])
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        assert not any(errors), "\n".join(errors)
    tally.add("cuts")


def promises(disk, event):
    """The numbers of the files that were safe at an event, by the marks in the record."""
    entries = log.parse(log.request(f"log {disk.name}")).entries
    return [int(entry.payload) for entry in entries if entry.op == log.MARK and entry.submit <= event]


def restore(disk, keep):
    """Any legal survivor; its record is kept for who looks into a failure."""
    status = disk.status()
    assert status["truncated"] == 0, f"the log ended early: {status}"
    told = powercut("restore", disk.name, "--keep", keep, "--save", tally.RECORD)
    return f"{told.strip()} ({keep})"


def look(kind, disk, numbers, state):
    """Recovers, and looks at all there is."""
    repair = KINDS[kind].repair
    if repair:
        run(*repair, disk.device, good=(0, 1))
    with Mounted(kind, disk.device) as mnt:
        for number in numbers:
            path = f"{mnt}/safe-{number}"
            assert os.path.exists(path), f"{path} was made safe and is gone, in state {state}"
            with open(path, "rb") as file:
                assert file.read() == files.content(number), f"{path} was made safe and is another, in state {state}"
        tally.add("safe files", len(numbers))
        tally.add("others", sum(read(path) for path in Path(mnt).rglob("*")))
        write_more(f"{mnt}/after")
    run(*KINDS[kind].check, disk.device)


def write_more(path):
    """It can be written to, unless it is full."""
    try:
        with open(path, "wb") as file:
            file.write(bytes(100_000))
            file.flush()
            os.fsync(file.fileno())
        os.unlink(path)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


def read(path):
    """Reads a file to its end; whether it is one."""
    is_file = path.is_file() and not path.is_symlink()
    if is_file:
        with open(path, "rb") as file:
            while file.read(1 << 20):
                pass
    return is_file


def load(seed, kind):
    dice = random.Random(seed)
    with Disk("soak", size=KINDS[kind].size_mib, blocksize=512) as disk:
        make(kind, disk)
        if not KINDS[kind].is_cut:
            later(kind, disk, dice, seed)
            return
        numbers = []
        for turn in range(2):
            work(disk, kind, dice, seed * 2 + turn)
            numbers += promises(disk, int(disk.get("cut").rpartition("=")[2]))
            keep = dice.choice(("none", "all", f"seed:{dice.randrange(1 << 30)}", f"seed:{dice.randrange(1 << 30)}"))
            look(kind, disk, numbers, restore(disk, keep))


def later(kind, disk, dice, seed):
    """The same without a cut of the disk in use: states of its record are looked at."""
    work(disk, kind, dice, seed)
    disk.record("stop")
    with open(tally.RECORD, "wb") as file:
        file.write(disk.export())
    for _ in range(3):
        event, keep = dice.randrange(disk.events() + 1), dice.choice(("none", "all"))
        with disk.view() as view:
            view.set("state", f"cut={event} keep={keep}")
            look(kind, view, promises(disk, event), f"cut={event} keep={keep}")


def control(seed):
    """With flushes that lie, what was made safe is gone, or nothing can be mounted: and this has to be seen."""
    dice = random.Random(seed)
    with Disk("soak", size=KINDS["ext4"].size_mib) as disk:
        make("ext4", disk)
        disk.set("faults", "flush-lies\nfua-ignored")
        for turn in range(20):
            work(disk, "ext4", dice, seed + turn)
            numbers = promises(disk, int(disk.get("cut").rpartition("=")[2]))
            state = restore(disk, "none")
            if numbers:
                break
        try:
            look("ext4", disk, numbers, state)
        except AssertionError:
            return
    raise AssertionError(f"{len(numbers)} files were made safe by flushes that lie, and nothing of that is seen")
