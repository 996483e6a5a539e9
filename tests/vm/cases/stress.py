# SPDX-License-Identifier: GPL-2.0
"""All at once, for minutes: made for a kernel that sees races (scripts/kcsan), good on any."""

import ctypes
import mmap
import os
import random
import subprocess
import tempfile
import time
import traceback

from lib.disk import Disk
from lib.tap import equal, note, test

SECONDS = int(os.environ.get("STRESS_SECONDS", "60"))
PAGE = 4096
# A number of one byte, eight times.
BYTES = 0x0101010101010101


class Device:
    """An open disk whose pages are written and read with as little else as can be."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
        self.memory = mmap.mmap(-1, PAGE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def write(self, page, stamp, flags=0):
        """Fills a page with a number."""
        self.memory[:] = stamp.to_bytes(8, "little") * (PAGE // 8)
        os.pwritev(self.fd, [self.memory], page * PAGE, flags)

    def raw(self, page):
        if os.preadv(self.fd, [self.memory], page * PAGE) != PAGE:
            raise OSError(0, "a short read")
        return self.memory[:]

    def read(self, page):
        """The number that a page is full of."""
        data = self.raw(page)
        if data != data[:8] * (PAGE // 8):
            words = {data[at : at + 8] for at in range(0, PAGE, 8)}
            raise AssertionError(f"page {page} is of several writes: {sorted(words)}")
        return int.from_bytes(data[:8], "little")


def together(*functions):
    """Calls functions, each in a process of its own; fails if one of them did."""
    children = {}
    for function in functions:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                function()
            except BaseException:  # pylint: disable=broad-exception-caught
                os.write(write, traceback.format_exc().encode()[-4000:])
            os._exit(0)
        os.close(write)
        children[child] = read
    errors = []
    for child, read in children.items():
        with os.fdopen(read, "rb") as pipe:
            errors.append(pipe.read().decode())
        os.waitpid(child, 0)
    assert not any(errors), "\n".join(errors)


class Shared:
    """Numbers that processes share."""

    def __init__(self, count):
        self.memory = mmap.mmap(-1, PAGE)
        self.at = (ctypes.c_uint64 * count).from_buffer(self.memory)


def until(seconds):
    """Counts until the time is over."""
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        number += 1
        yield number


# How far apart the pages are that are touched one after the other: neighbours, one in each leaf of
# 126, one in each node of 512 leaves. The last goes beyond the first 126 GiB, which have a
# node of their own.
@test("two touch the same pages first, a third one reads them: next to each other", 1, 256, limit=200)
@test("two touch the same pages first, a third one reads them: one to a leaf", 126, 4096, limit=200)
@test("two touch the same pages first, a third one reads them: one to a node", 126 * 512, 200 << 10, limit=200)
def first_touch(stride, size):
    nr_pages = size << 8
    count = min(1500, nr_pages // stride)
    pages = [number * stride for number in range(count)]
    rounds = 0
    for rounds in until(SECONDS // 3 + 1):
        with Disk(size=size) as disk:
            places = Shared(2)

            def writer(me):
                with Device(disk.device) as device:
                    for number, page in enumerate(pages):
                        # Neither far ahead of the other.
                        places.at[me] = number
                        while places.at[1 - me] + 2 < number:
                            os.sched_yield()
                        device.write(page, (me + 1) * BYTES)
                    places.at[me] = 1 << 32

            def reader():
                with Device(disk.device) as device:
                    while min(places.at) < count:
                        near = min(max(places.at), count - 1) - random.randrange(3)
                        page = pages[max(near, 0)]
                        found = set(device.raw(page))
                        assert found == {0} or found <= {1, 2}, f"page {page} shows {found}"

            together(lambda: writer(0), lambda: writer(1), reader)
            with Device(disk.device) as device:
                for page in pages:
                    assert device.read(page) in (BYTES, 2 * BYTES), page
    note(f"{rounds} rounds of {count} pages")


class Owner:
    """A process that has pages of a disk to itself, and knows what is in them."""

    def __init__(self, disk, pages, flags=0):
        self.disk = disk
        self.pages = pages
        self.flags = flags
        self.stamp = 0

    def write(self, device, page):
        self.stamp += 1
        try:
            device.write(page, self.stamp, self.flags)
        except BlockingIOError:
            device.write(page, self.stamp)
        return self.stamp

    def session(self, count):
        """Opens the disk and writes. While it is open, what was written is there."""
        with Device(self.disk.device) as device:
            for page in self.pages:
                stamp = device.read(page)
                assert stamp <= self.stamp, f"page {page}: {stamp} is to come yet"
            held = {}
            for _ in range(count):
                page = random.choice(self.pages)
                held[page] = self.write(device, page)
            for page, stamp in held.items():
                equal(device.read(page), stamp, f"page {page}")

    def run(self):
        for _ in until(SECONDS):
            self.session(100)
            # So that what needs the disk closed has a chance.
            time.sleep(random.random() / random.choice((20, 200)))


def retry(seconds, function):
    """Until it works: the disk is closed now and then."""
    for _ in until(seconds):
        try:
            return function()
        except OSError:
            time.sleep(0.001)
    raise AssertionError(f"no success in {seconds} s")


@test("pages are written in place while a record begins and ends; its base stays as it is", limit=200)
def rewriting():
    # Few, in one leaf, whose lock is fought for: who waits for it finds that a record has begun.
    region = range(8)

    def record():
        for number in until(SECONDS):
            disk.record("start")
            view = disk.view()
            view.point(0, "none")
            with Device(view.device) as device:
                base = {page: device.read(page) for page in region}
                time.sleep(random.random() / 100)
                for page, stamp in base.items():
                    equal(device.read(page), stamp, f"page {page} of the base")
            view.off()
            view.remove()
            disk.record("stop")
            if number % 16:
                disk.record("drop")
            else:
                retry(20, lambda: disk.record("reset"))
            records.at[0] = number

    def read():
        with open(disk.device, "rb", buffering=0) as device:
            for _ in until(SECONDS):
                # Buffered: the pages of the cache change hands, too.
                os.preadv(device.fileno(), [bytearray(PAGE)], random.choice(region) * PAGE)
                os.posix_fadvise(device.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                if random.random() < 0.05:
                    time.sleep(0.01)

    with Disk() as disk:
        records = Shared(1)
        owners = [Owner(disk, region[part::2]) for part in (0, 1)]
        together(record, *(owner.run for owner in owners))
        # The numbers of those that wrote until now are not known here.
        for owner in owners:
            owner.stamp = 1 << 60
        # Nothing can be reset while it is open.
        together(*(owner.run for owner in owners), read)
        note(f"{records.at[0]} records")
        assert records.at[0] > SECONDS // 4


@test("a crash state is pointed and read while its disk is written to", limit=200)
def viewed():
    region, other = range(97), range(128, 256)

    def write():
        with Device(disk.device) as device:
            for stamp in until(SECONDS):
                device.write(stamp % len(region), stamp)
                newest.at[0] = disk.events()

    def look():
        for _ in until(SECONDS):
            if newest.at[0] == 0:
                continue
            view.point(random.randrange(1, newest.at[0] + 1), "all")
            with Device(view.device) as device:
                stamps = [device.read(page) for page in region]
            last = max(stamps)
            for page, stamp in zip(region, stamps):
                # The newest one up to the last that goes to this page.
                should = max(last - (last - page) % len(region), 0)
                equal(stamp, should, f"page {page}, when {last} was the last")

    with Disk(size=4, log_limit_mib=0) as disk:
        newest = Shared(1)
        disk.record("start")
        with disk.view() as view:
            together(write, look, Owner(disk, other).run)
        note(disk.status())


def fio(disk, name, options):
    """The words that have fio write to a disk and read it back."""
    words = {
        "name": name,
        "filename": disk.device,
        "rw": "randwrite",
        "bs": "4k",
        "direct": 1,
        "verify": "crc32c",
        "verify_backlog": 64,
        "verify_fatal": 1,
        "time_based": 1,
        "runtime": SECONDS,
        "randrepeat": 0,
    }
    return ["fio", "--minimal", *(f"--{key}={value}" for key, value in (words | options).items())]


@test("io_uring, what may not wait and what may write side by side; recorded now and then", limit=200)
def nowait():
    def record():
        for _ in until(SECONDS):
            disk.record("start")
            time.sleep(random.random() / 20)
            disk.record("stop")
            disk.record("drop")
            time.sleep(random.random() / 20)

    with Disk(size=4, log_limit_mib=0) as disk, tempfile.TemporaryDirectory() as where:
        ring = {"ioengine": "io_uring", "iodepth": 8, "offset": "1m", "size": "1m"}
        with subprocess.Popen(fio(disk, "ring", ring), cwd=where, stdout=subprocess.DEVNULL) as child:
            together(
                record,
                Owner(disk, range(0, 128, 2), os.RWF_NOWAIT).run,
                Owner(disk, range(1, 128, 2)).run,
            )
            equal(child.wait(120), 0, "the status of fio")


@test("the power is cut and comes back while the disk is written to", limit=200)
def cut():
    region = range(128)

    def power():
        for number in until(SECONDS):
            disk.record("start")
            time.sleep(random.random() / 50)
            disk.set("cut", "eio now" if number % 3 else f"eio writes:{number % 7 + 1}")
            for _ in until(20):
                if disk.get("cut").startswith("cut"):
                    break
                time.sleep(0.001)
            keep = random.choice(("none", "all"))
            retry(20, lambda: disk.set("restore", f"cut={disk.events()} keep={keep}"))
            cuts.at[0] += 1
            time.sleep(random.random() / 100)

    def write(owner):
        for _ in until(SECONDS):
            try:
                owner.session(30)
            except OSError:
                time.sleep(0.01)

    with Disk() as disk:
        cuts = Shared(1)
        owners = [Owner(disk, region[part::2]) for part in (0, 1)]
        together(power, *(lambda owner=owner: write(owner) for owner in owners))
        if disk.get("cut") != "off":
            disk.set("restore", f"cut={disk.events()} keep=none")
        for owner in owners:
            owner.stamp = 1 << 60
            owner.session(200)
        note(f"{cuts.at[0]} cuts")
        assert cuts.at[0] > 10


@test("a disk goes while two write to it and one reads, recorded or not", limit=200)
def removed():
    def loop(function):
        """Until it fails, as it must."""
        try:
            with Device(disk.device) as device:
                for _ in until(60):
                    function(device)
        except OSError:
            return
        raise AssertionError("the disk is still there")

    def remove():
        time.sleep(0.02 + random.random() / 10)
        if number % 2:
            disk.record("start")
            time.sleep(random.random() / 20)
        disk.remove()

    number = 0
    for number in until(SECONDS):
        disk = Disk()
        together(
            remove,
            lambda: loop(lambda device: device.write(random.randrange(128), 1)),
            lambda: loop(lambda device: device.write(random.randrange(128), 2)),
            lambda: loop(lambda device: device.raw(random.randrange(128))),
        )
    note(f"{number} disks")
