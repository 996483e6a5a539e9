# SPDX-License-Identifier: GPL-2.0
"""A disk holds what a plain file holds after the same reads, writes, discards and zeroing."""

import os
import random
import tempfile

from lib import blk
from lib.disk import Disk
from lib.tap import equal, note, rounds, test

MIB = 1 << 20
SIZE = 4 * MIB


class Pair:
    """A disk and a plain file that get the same."""

    def __init__(self, disk, seed, block):
        self.random = random.Random(seed)
        self.block = block
        self.direct = disk.raw()
        self.cached = disk.raw(0)
        self.file = tempfile.TemporaryFile()
        self.file.truncate(SIZE)

    def close(self):
        self.direct.close()
        self.cached.close()
        self.file.close()

    def extent(self, align):
        """A random piece of the disk; lengths are spread over all magnitudes."""
        length = self.random.randrange(1 << self.random.randrange(9, 21)) // align * align + align
        length = min(length, MIB)
        return self.random.randrange(0, SIZE - length + 1) // align * align, length

    def step(self):
        draw = self.random.random()
        if draw < 0.3:
            offset, length = self.extent(self.block)
            data = self.random.randbytes(length)
            self.direct.write(offset, data)
            os.pwrite(self.file.fileno(), data, offset)
        elif draw < 0.5:
            offset, length = self.extent(1)
            data = self.random.randbytes(length)
            os.pwrite(self.cached.fd, data, offset)
            os.pwrite(self.file.fileno(), data, offset)
        elif draw < 0.7:
            erase = self.random.choice(("discard", "zero", "punch"))
            offset, length = self.extent(self.block)
            getattr(self.direct, erase)(offset, length)
            os.pwrite(self.file.fileno(), bytes(length), offset)
        elif draw < 0.8:
            self.cached.flush()
        else:
            fd, align = self.random.choice(((self.direct, self.block), (self.cached, 1)))
            offset, length = self.extent(align)
            is_ = fd.read(offset, length) if align > 1 else os.pread(fd.fd, length, offset)
            if is_ != os.pread(self.file.fileno(), length, offset):
                raise AssertionError(f"{length} bytes at {offset} differ")

    def run(self, steps):
        """Does so many steps, then compares all; returns the content."""
        for _ in range(steps):
            self.step()
        self.cached.flush()
        content = os.pread(self.file.fileno(), SIZE, 0)
        same(self.direct.read(0, SIZE), content)
        return content


def same(is_, should, what="the disk"):
    """Fails at the first sector that differs."""
    if is_ == should:
        return
    for offset in range(0, len(should), 512):
        if is_[offset : offset + 512] != should[offset : offset + 512]:
            raise AssertionError(f"{what} differs from the file in sector {offset // 512}")


@test("as a file, 4096-byte blocks, not recorded", 4096, {})
@test("as a file, 512-byte blocks, not recorded", 512, {})
@test("as a file, without a write cache", 4096, {"write_cache": 0})
def not_recorded(block, settings):
    seed = random.randrange(1 << 32)
    note("seed", seed)
    with Disk(size=4, blocksize=block, **settings) as disk:
        pair = Pair(disk, seed, block)
        pair.run(rounds(200, 25))
        pair.close()


@test("as a file while recorded and after, and back to the base, 4096-byte blocks", 4096, "reset")
@test("as a file while recorded and after, and back to the base, 512-byte blocks", 512, "reset")
@test("as a file while recorded and after, and kept, 4096-byte blocks", 4096, "drop")
@test("as a file while recorded and after, and kept, 512-byte blocks", 512, "drop")
def recorded(block, end):
    seed = random.randrange(1 << 32)
    note("seed", seed)
    steps = rounds(60, 12)
    with Disk(size=4, blocksize=block) as disk:
        pair = Pair(disk, seed, block)
        base = pair.run(steps)
        disk.record("start")
        pair.run(steps)
        recorded_content = pair.run(steps)
        disk.record("stop")
        events = disk.events()
        newest = pair.run(steps)
        equal(disk.events(), events, "newest event after the record was stopped")
        pair.close()
        with disk.view() as view:
            view.point(events, "all")
            same(view.read(), recorded_content, "the crash state with all kept")
            view.point(0)
            same(view.read(), base, "the crash state at event 0")
        disk.record(end)
        same(disk.read(), base if end == "reset" else newest, f"the disk after {end}")
        equal(disk.status()["state"], "off", "state")


@test("a crash state's own writes are its own, and go when it is pointed anew", 512)
@test("a crash state's own writes in 4096-byte blocks, likewise", 4096)
def own_writes(block):
    with Disk(blocksize=block) as disk:
        with disk.raw() as raw:
            raw.write(0, b"a" * 8192)
            disk.record("start")
            raw.write(4096, b"b" * 4096)
        before = disk.read()
        with disk.view("v") as view, disk.view("w") as other:
            for one in (view, other):
                one.point(2, "all")
            with view.raw() as raw:
                raw.write(block, b"c" * block)
                raw.discard(4096, block)
                raw.flush()
            expected = bytearray(before)
            expected[block : 2 * block] = b"c" * block
            expected[4096 : 4096 + block] = bytes(block)
            same(view.read(), bytes(expected), "the view that was written to")
            same(view.read(flags=0), bytes(expected), "the same through the page cache")
            same(other.read(), before, "the other view")
            same(disk.read(), before, "the disk itself")
            view.point(2, "all")
            same(view.read(flags=0), before, "the view pointed anew, through the page cache")
            view.point(2, "none")
            same(view.read(flags=0), b"a" * 8192 + bytes(len(before) - 8192), "the view at keep=none")


@test("a crash state stays as it is while its disk is written to")
def origin_goes_on():
    with Disk() as disk:
        disk.record("start")
        with disk.raw() as raw:
            raw.write(0, b"a" * 4096)
            with disk.view() as view:
                view.point(2, "all")
                for number in range(20):
                    raw.write(0, bytes([number]) * 4096)
                    raw.flush()
                equal(view.read(4096), b"a" * 4096)
                disk.record("stop")
                raw.write(0, b"z" * 4096)
                equal(view.read(4096), b"a" * 4096)
                equal(blk.read_all(disk.device, 4096), b"z" * 4096)
