# SPDX-License-Identifier: GPL-2.0
"""3. Crash states: to switch to one, to read of it, to mount it; and replaying a log instead."""

import ctypes
import os
import statistics
import time

from . import disks
from .sh import put, run, say, tool

MIB = 1 << 20
SIZE_MIB = 192
# The file system is in the first part; what is recorded goes to the rest.
FS_MIB = 64
# Writes between two flushes.
FLUSH = 64
MNT = "/run/bench-mnt"
LIBC = ctypes.CDLL(None, use_errno=True)


def mount(device, mnt=MNT):
    if LIBC.mount(device.encode(), mnt.encode(), b"ext4", 0, None) != 0:
        raise OSError(ctypes.get_errno(), f"mount {device}")


def umount(mnt=MNT):
    if LIBC.umount2(mnt.encode(), 0) != 0:
        raise OSError(ctypes.get_errno(), f"umount {mnt}")


def fill(disk, writes):
    return tool("fill", disk.device, FS_MIB * MIB, (SIZE_MIB - FS_MIB) * MIB, writes, FLUSH)


def mkfs(disk):
    run("mke2fs", "-q", "-t", "ext4", "-b", 4096, disk.device, f"{FS_MIB}M")


class View:
    """A crash-state disk."""

    def __init__(self, disk, name="v"):
        self.group = f"{disk.group}/{name}"
        self.state = f"{self.group}/state"
        self.device = f"{disk.device}.{name}"

    def __enter__(self):
        os.mkdir(self.group)
        put(f"{self.group}/power", 1)
        return self

    def __exit__(self, *_):
        put(f"{self.group}/power", 0)
        os.rmdir(self.group)


def spread(events, count):
    """Cuts all over the log, in an order without locality."""
    return [events * ((7 * place) % count + 1) // count for place in range(count)]


def time_mounts(view, cuts):
    """Medians: to switch, mount and unmount, all of a state in turn."""
    times = []
    for cut in cuts:
        began = time.monotonic_ns()
        put(view.state, f"cut={cut} keep=all")
        switched = time.monotonic_ns()
        mount(view.device)
        mounted = time.monotonic_ns()
        umount()
        times.append((switched - began, mounted - switched, time.monotonic_ns() - mounted))
    return [statistics.median(column) for column in zip(*times)]


def log_of(events):
    """A log of that many events, and its states."""
    say(f"states: a log of {events} events")
    with disks.PowercutCached("bench", SIZE_MIB) as disk:
        mkfs(disk)
        disk.record("start")
        # A write is two events, and so is a flush.
        fill(disk, max(1, events * FLUSH // (FLUSH + 1) // 2))
        disk.record("stop")
        newest = disk.status()["events"]
        place = FS_MIB * MIB + 4096 * 17
        with View(disk) as view:
            result = {"section": "states", "events": newest}
            for keep in ("none", "all"):
                states = [f"cut={cut} keep={keep}" for cut in spread(newest, 32)]
                for name, value in tool("switch", view.state, view.device, place, 128, *states).items():
                    result[f"{name.removesuffix('_ns')}_{keep}_ns"] = value
            time_mounts(view, spread(newest, 2))
            switch, mounted, umounted = time_mounts(view, spread(newest, 8))
            result.update(mount_ns=mounted, umount_ns=umounted, mount_switch_ns=switch)
            # Entry 1e5 is the write that the log of dm-log-writes is replayed up to.
            cut = 2 * 100000
            if newest >= cut:
                result["at_1e5"] = tool("switch", view.state, view.device, place, 32,
                                        f"cut={cut - 2} keep=all", f"cut={cut} keep=all")
        disk.record("drop")
    return result


def replay(entries):
    """Replaying a log of dm-log-writes from its start."""
    say(f"states: replaying {entries} entries of a dm-log-writes log")
    with disks.LogWrites("bench", SIZE_MIB) as disk:
        mkfs(disk)
        fill(disk, entries)
        disk.unmap()
        target = "/dev/ram0"
        done = tool("replay", "/dev/ram1", target, entries)
        disk.map()
    return {"section": "replay", "entries": done["entries"], "ns": done["ns"]}


def measure(sizes, entries):
    os.makedirs(MNT, exist_ok=True)
    for events in sizes:
        yield log_of(events)
    if entries:
        yield replay(entries)
