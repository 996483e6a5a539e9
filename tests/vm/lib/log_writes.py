# SPDX-License-Identifier: GPL-2.0
"""Logs of dm-log-writes and blklogwrites: a reader of its own, their rules, and the kernel's target."""

import os
import struct
import subprocess
import time
from contextlib import contextmanager

SUPER = struct.Struct("<QQQI")
ENTRY = struct.Struct("<QQQQ")
MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK, METADATA = (1 << bit for bit in range(5))
END = b"dm-log-writes-end"


def entries(log):
    """The entries that a log counts: flags, first byte, number of bytes, and data or text."""
    magic, version, count, sector = SUPER.unpack_from(log)
    assert (magic, version) == (MAGIC, 1), f"a super block of {magic:#x}, {version}"
    at = sector
    for _ in range(count):
        first, number, flags, length = ENTRY.unpack_from(log, at)
        text = log[at + 32 : at + 32 + length]
        assert not any(log[at + 32 + length : at + sector]), f"no zeroes behind the entry at {at}"
        at += sector
        data = text
        if not flags & (DISCARD | MARK):
            data = log[at : at + number * sector]
            at += number * sector
        yield flags, first * sector, number * sector, data


def replay(log, image):
    """The image after each mark but the last, which ends the log; by the text of the mark."""
    image, after, marks = bytearray(image), {}, []
    for flags, first, size, data in entries(log):
        if flags & MARK:
            marks.append(bytes(data))
            after[data.decode()] = bytes(image)
        elif size:
            image[first : first + size] = bytes(size) if flags & DISCARD else data
    assert marks[-1] == END, f"a log that ends with {marks[-1]}"
    del after[END.decode()]
    return after


class Qemu:
    """Writes a log as blklogwrites does: in the order of completion, the super block at each flush, writes of zeroes
    as data, no mark at the end."""

    def __init__(self, path, sector=512):
        self.file = open(path, "wb")
        self.sector = sector
        self.count = 0
        self.file.write(bytes(sector))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def entry(self, at=0, size=0, flags=0, data=b""):
        raw = ENTRY.pack(at // self.sector, size // self.sector, flags, 0)
        self.file.write(raw.ljust(self.sector, b"\0") + data)
        self.count += 1

    def write(self, at, data):
        self.entry(at, len(data), 0, data)

    def zero(self, at, size):
        self.entry(at, size, 0, bytes(size))

    def discard(self, at, size):
        self.entry(at, size, DISCARD)

    def flush(self):
        self.entry(flags=FLUSH)
        self.file.seek(0)
        self.file.write(SUPER.pack(MAGIC, 1, self.count, self.sector))
        self.file.seek(0, os.SEEK_END)


class Target:
    """The kernel's target over a disk."""

    def __init__(self, name, device):
        self.name = name
        self.device = device

    def mark(self, text):
        dmsetup("message", self.name, "0", "mark", text)

    def logged(self):
        """The entries that are in the log by now."""
        return int(dmsetup("status", self.name).split()[3])

    def settled(self):
        """Waits until no more entries come."""
        before = -1
        while before != self.logged():
            before = self.logged()
            time.sleep(0.2)


def dmsetup(*words):
    return subprocess.run(["dmsetup", *words], check=True, stdout=subprocess.PIPE, text=True).stdout


@contextmanager
def target(disk, log, name="logged"):
    """dm-log-writes over a disk, with its log on another."""
    subprocess.run(["modprobe", "dm-log-writes"], check=True)
    sectors = disk.size() // 512
    dmsetup("create", name, "--table", f"0 {sectors} log-writes {disk.device} {log.device}")
    try:
        # There is no udev.
        node = dmsetup("info", "-c", "--noheadings", "-o", "blkdevname", name).strip()
        yield Target(name, f"/dev/{node}")
    finally:
        dmsetup("remove", "--retry", name)
