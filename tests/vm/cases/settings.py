# SPDX-License-Identifier: GPL-2.0
"""Settings: what they take, what they refuse, when, and what the block layer sees of them."""

import errno
import mmap
import os

from lib import log
from lib.disk import Disk, get
from lib.tap import equal, fails, test

DEFAULTS = {
    "disks": "",
    "power": "0", "size": "64", "blocksize": "4096", "write_cache": "1", "fua": "1", "discard": "1",
    "log_limit_mib": "1024", "mark": "0", "completion": "inline", "cut": "off", "atomic_unit": "4096",
    "physical_blocksize": "4096", "discard_content": "zeroes", "tear": "any",
    "partscan": "1", "stacks": "0",
    "record": "state=off entries=0 events=0 marks=0 bytes=0 truncated=0",
}  # fmt: skip

NO_NUMBER = ("", " ", "\n", "x", "-1", "+1", "1 ", " 1", "1x", "0x10", "1.0", "1e3", "1\n\n", "1\n2",
             "1 2", "one", "1\0", "\0", "٣", "-0")  # fmt: skip
TOO_BIG = ("18446744073709551616", "99999999999999999999999")

# attribute, what it takes, what it refuses besides NO_NUMBER and TOO_BIG
NUMBERS = (
    ("size", ("1", "64", "16777216", "007", "2\n"), ("0", "16777217", "18446744073709551615")),
    ("blocksize", ("512", "4096"), ("0", "1", "511", "513", "1024", "2048", "8192", "4294967808")),
    ("atomic_unit", ("0", "4096", "8192", "65536"),
     ("1", "256", "4095", "4097", "12288", "131072", "4294971392")),
    ("physical_blocksize", ("0", "512", "4096"), ("1", "1024", "8192", "4294971392")),
    ("log_limit_mib", ("0", "1", "1048576"), ("18446744073709551615", "17592186044416")),
    ("write_cache", ("0", "1"), ("2", "00", "18446744073709551615")),
    ("fua", ("0", "1"), ("2", "01")),
    ("discard", ("0", "1"), ("2", "10")),
    ("partscan", ("0", "1"), ("2", "-1")),
    ("stacks", ("1", "0"), ("2", "on")),
    ("power", ("0",), ("2", "00", "-0")),
)  # fmt: skip


@test("the defaults")
def defaults():
    with Disk(power=0, size=64) as disk:
        for attribute, value in DEFAULTS.items():
            equal(disk.get(attribute), value, attribute)
    features = get("/sys/kernel/config/powercut/features").split(",")
    live = {"restore", "state", "faults", "badblocks", "badblocks_once", "badblocks_mode", "badblocks_hits"}
    equal(set(DEFAULTS) | live, set(features), "features")


def numbers(attribute, good, bad):
    with Disk(power=0) as disk:
        for value in good:
            disk.set(attribute, value)
            if value != "0" or attribute not in ("atomic_unit", "physical_blocksize"):
                equal(int(disk.get(attribute)), int(value), attribute)
        before = disk.get(attribute)
        for value in NO_NUMBER + bad:
            # configfs itself makes nothing of a write of nothing.
            if value:
                with fails(errno.EINVAL, f"{attribute} = {value!r}"):
                    disk.set(attribute, value.encode())
                equal(disk.get(attribute), before, attribute)
        for value in TOO_BIG:
            is_flag = attribute in ("write_cache", "fua", "discard", "partscan", "stacks", "power")
            with fails(errno.EINVAL if is_flag else errno.ERANGE, f"{attribute} = {value}"):
                disk.set(attribute, value)
            equal(disk.get(attribute), before, attribute)


for row in NUMBERS:
    test(f"{row[0]} takes what it should and nothing else", *row)(numbers)


@test("settings can't change while the power is on")
def while_on():
    with Disk() as disk:
        for attribute in DEFAULTS.keys() - {"power", "mark", "record", "cut"}:
            before = disk.get(attribute)
            # An empty write never reaches the module.
            for value in (before or "\n", "1", "512"):
                with fails(errno.EBUSY, f"{attribute} = {value}"):
                    disk.set(attribute, value)
            equal(disk.get(attribute), before, attribute)
        disk.on()
        disk.off()
        disk.off()
        disk.set("size", 2)


@test("an atomic unit smaller than a block does not go together with it")
def unit_below_block():
    with Disk(power=0, blocksize=512, atomic_unit=512) as disk:
        with fails(errno.EINVAL):
            disk.set("blocksize", 4096)
            disk.on()
        equal(disk.get("power"), "0", "power")


QUEUE = (
    ({}, {"logical_block_size": "4096", "physical_block_size": "4096", "write_cache": "write back",
          "fua": "1", "discard_granularity": "4096"}),
    ({}, {"iostats": "1"}),
    ({"blocksize": 512}, {"logical_block_size": "512", "physical_block_size": "512"}),
    ({"blocksize": 512, "physical_blocksize": 4096},
     {"logical_block_size": "512", "physical_block_size": "4096"}),
    ({}, {"atomic_write_unit_min_bytes": "4096", "atomic_write_unit_max_bytes": "4096"}),
    ({"blocksize": 512, "atomic_unit": 65536},
     {"atomic_write_unit_min_bytes": "512", "atomic_write_unit_max_bytes": "65536",
      "atomic_write_max_bytes": "65536", "atomic_write_boundary_bytes": "65536"}),
    ({"fua": 0}, {"fua": "0", "write_cache": "write back"}),
    ({"write_cache": 0}, {"fua": "0", "write_cache": "write through"}),
    ({"discard": 0}, {"discard_max_bytes": "0"}),
)  # fmt: skip


@test("the block layer sees the settings")
def queue():
    for settings, attributes in QUEUE:
        with Disk(**settings) as disk:
            for attribute, value in attributes.items():
                is_ = get(f"/sys/block/powercut!{disk.name}/queue/{attribute}")
                equal(is_, value, f"{attribute} with {settings}")


RWF_ATOMIC = 0x40


@test("an atomic write is taken as far as the unit goes, and never tears")
def atomic():
    with Disk(atomic_unit=16384) as disk, disk.raw() as raw:
        disk.record("start")
        for offset, length, code in (
            (16384, 16384, None),
            (4096, 4096, None),
            (0, 32768, errno.EINVAL),
            (8192, 16384, errno.EINVAL),
        ):
            with mmap.mmap(-1, length) as memory:
                memory.write(b"a" * length)
                try:
                    os.pwritev(raw.fd, [memory], offset, RWF_ATOMIC)
                    equal(None, code, f"the error of {length} bytes at {offset}")
                except OSError as error:
                    equal(error.errno, code, f"the error of {length} bytes at {offset}")
        disk.record("stop")
        entries = disk.log().entries
        equal([bool(e.flags & log.ATOMIC) for e in entries], [True, True], "the ATOMIC flags")
        with disk.view() as view:
            for keep, found in (("none", 0), ("1:1", 16384)):
                view.point(2, keep)
                equal(view.read(65536).count(b"a"), found, f"bytes there with keep={keep}")


@test("without DISCARD a discard is refused")
def no_discard():
    with Disk(discard=0) as disk, disk.raw() as raw, fails(errno.EOPNOTSUPP):
        raw.discard(0, 4096)


@test("the largest disk takes no memory for its size")
def largest():
    with Disk(size=16777216) as disk, disk.raw() as raw:
        equal(disk.size(), 16 << 40, "size")
        end = (16 << 40) - 4096
        raw.write(end, b"e" * 4096)
        raw.discard(0, 1 << 40)
        equal(raw.read(end, 4096), b"e" * 4096)
        equal(raw.read(end - 4096, 4096), bytes(4096))
        equal(raw.read(0, 4096), bytes(4096))


WORDS = ("", " ", "x", "START", "start ", " start", "start\n\n", "start stop", "start\nstop", "1", "rest")


@test("record takes its four words and nothing else")
def words():
    with Disk() as disk:
        for word in WORDS:
            if word:
                with fails(errno.EINVAL, repr(word)):
                    disk.record(word)
        equal(disk.get("record"), DEFAULTS["record"], "status")


@test("record in the wrong state")
def wrong_state():
    with Disk(power=0) as disk:
        for word in ("start", "stop", "reset", "drop"):
            with fails(errno.ENODEV, f"{word} while off"):
                disk.record(word)
        disk.on()
        for word in ("stop", "reset", "drop"):
            with fails(errno.ENODATA, f"{word} without a record"):
                disk.record(word)
        disk.record("start")
        with fails(errno.EBUSY, "start while recording"):
            disk.record("start")
        disk.record("stop")
        with fails(errno.EEXIST, "start on a record"):
            disk.record("start")
        with fails(errno.ENODATA, "stop after stop"):
            disk.record("stop")
        with disk.raw():
            with fails(errno.EBUSY, "reset while open"):
                disk.record("reset")
        with disk.view():
            for word in ("reset", "drop"):
                with fails(errno.EBUSY, f"{word} with a view"):
                    disk.record(word)
            equal(disk.status()["state"], "stopped", "state")
        with disk.view(power=0):
            disk.record("drop")


@test("I/O is counted, as queue/iostats says")
def counted():
    with Disk() as disk, disk.raw() as raw:
        def sectors():
            fields = get(f"/sys/block/powercut!{disk.name}/stat").split()
            return int(fields[2]), int(fields[6])

        for counts in (1, 0):
            with open(f"/sys/block/powercut!{disk.name}/queue/iostats", "w", encoding="ascii") as file:
                file.write(str(counts))
            read, written = sectors()
            raw.write(0, b"x" * 8192)
            raw.read(0, 4096)
            equal(sectors(), (read + 8 * counts, written + 16 * counts), "sectors read and written")
