# SPDX-License-Identifier: GPL-2.0
"""The control device, and the log's binary format as docs/abi.md has it."""

import os
import struct
from dataclasses import dataclass, field

CONTROL = "/dev/powercut-control"
HEADER = struct.Struct("<8sIIQIIQQQQ")
MEMBER = struct.Struct("<Q24s")
ENTRY = struct.Struct("<B3sIQQQQIIQQII16sQ")
WRITE, WRITE_ZEROES, DISCARD, FLUSH, MARK, BASE = range(1, 7)
PREFLUSH, FUA, META, SYNC, ATOMIC, NOUNMAP, PRIO = (1 << bit for bit in range(7))
# Faults that an entry met; in the header, those and the ones that leave no entry.
LIED, FUA_IGNORED, LOST, MISDIRECTED, CORRUPTED = (1 << bit for bit in range(8, 13))
STALE, EIO, BAD_SECTOR = (1 << bit for bit in range(13, 16))
FAULTS = 0xFF00
WRITES = (WRITE, WRITE_ZEROES, DISCARD)


@dataclass
class Entry:
    """A bio, a mark or a piece of the base."""

    op: int
    flags: int = 0
    submit: int = 0
    start: int = 0
    complete: int = 0
    sector: int = 0
    sectors: int = 0
    payload: bytes = b""
    submit_ns: int = 0
    complete_ns: int = 0
    pid: int = 1
    comm: bytes = b"test"
    length: int = -1  # of the payload, as the entry says
    reserved: int = 0
    asked: int = 0
    stack: int = 0

    def is_write(self):
        return self.op in WRITES

    def end(self):
        return self.sector + self.sectors

    def pack(self):
        length = len(self.payload) if self.length < 0 else self.length
        numbers = (self.flags, self.submit, self.start, self.complete, self.sector, self.sectors)
        times = (self.submit_ns, self.complete_ns, self.pid, self.stack)
        reserved = struct.pack("<I", self.reserved)[:3]
        fields = (self.op, reserved, *numbers, length, *times, self.comm, self.asked)
        return ENTRY.pack(*fields) + self.payload


@dataclass
class Log:
    """A whole log."""

    capacity: int
    block: int
    unit: int
    cache: bool = True
    fua: bool = True
    data: bool = True
    newest: int = 0
    truncated: int = 0
    base: list = field(default_factory=list)
    entries: list = field(default_factory=list)
    magic: bytes = b"powercut"
    version: int = 1
    faults: int = 0
    members: list = field(default_factory=list)  # (name, sectors)
    prefix: bool = False  # Writes survive as prefixes.
    rmw: bool = False  # They may cost their neighbours.

    def pack(self):
        flags = self.cache | self.fua << 1 | self.data << 2 | self.prefix << 3 | self.rmw << 4
        flags |= self.faults << 8 | len(self.members) << 8
        counts = (len(self.entries), self.newest, self.truncated, len(self.base))
        shape = (self.capacity, self.block, self.unit)
        header = HEADER.pack(self.magic, self.version, flags, *shape, *counts)
        header += b"".join(MEMBER.pack(sectors, name.encode()) for name, sectors in self.members)
        return header + b"".join(entry.pack() for entry in (*self.base, *self.entries))


def parse(data):
    """Parses a log; fails where it is not what docs/abi.md says."""
    magic, version, flags, capacity, block, unit, nr, newest, truncated, nr_base = (
        HEADER.unpack_from(data)
    )
    nr_members = flags >> 8 & 255
    prefix, rmw = bool(flags & 8), bool(flags & 16)
    expected = 4 if rmw else 3 if prefix else 2 if nr_members else 1
    assert (magic, version) == (b"powercut", expected), (magic, version)
    assert flags & ~(31 | 255 << 8 | FAULTS << 8) == 0, flags
    log = Log(capacity, block, unit, bool(flags & 1), bool(flags & 2), bool(flags & 4))
    log.newest, log.truncated, log.faults = newest, truncated, flags >> 8 & FAULTS
    offset = HEADER.size
    log.version, log.prefix, log.rmw = version, prefix, rmw
    for _ in range(nr_members):
        sectors, name = MEMBER.unpack_from(data, offset)
        log.members.append((name.rstrip(b"\0").decode(), sectors))
        offset += MEMBER.size
    for index in range(nr_base + nr):
        (op, zero, *numbers, length, submit_ns, complete_ns, pid, stack, comm, asked) = (
            ENTRY.unpack_from(data, offset)
        )
        assert zero == bytes(3), f"entry {index}: reserved bytes are set"
        offset += ENTRY.size
        payload = data[offset : offset + length]
        assert len(payload) == length, f"entry {index}: ends early"
        offset += length
        entry = Entry(op, *numbers, payload, submit_ns, complete_ns, pid, comm.rstrip(b"\0"))
        entry.asked, entry.stack = asked, stack
        assert not asked or entry.flags & MISDIRECTED, f"entry {index}: was for {asked}"
        assert (op == BASE) == (index < nr_base), f"entry {index} is of the wrong kind: {op}"
        (log.base if index < nr_base else log.entries).append(entry)
    assert offset == len(data), f"{len(data) - offset} bytes after the last entry"
    return log


def open_control():
    return os.open(CONTROL, os.O_RDWR | os.O_CLOEXEC)


def write_all(fd, data):
    data = memoryview(data)
    while data:
        data = data[os.write(fd, data[: 1 << 20]) :]


def request(text, size=256 << 10):
    """Sends a request and returns the whole answer."""
    fd = open_control()
    try:
        write_all(fd, text.encode() + b"\n")
        parts = []
        while part := os.read(fd, size):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(fd)


def send_import(disk, data):
    """Imports a log."""
    fd = open_control()
    try:
        write_all(fd, f"import {disk.name}\n".encode())
        write_all(fd, data)
    finally:
        os.close(fd)
