# SPDX-License-Identifier: GPL-2.0
"""The log: its fields, its events, and how it is read."""

import errno
import os
import subprocess
import tempfile
import threading

from lib import log as fmt
from lib.disk import Disk
from lib.tap import Skip, equal, fails, rounds, test


def check_events(log):
    """Events are consecutive: 1 a mark, 3 a PREFLUSH with data, 2 anything else."""
    event = 0
    for entry in log.entries:
        equal(entry.submit, event + 1, "submit event")
        if entry.op == fmt.MARK:
            equal((entry.start, entry.complete), (entry.submit,) * 2, "events of a mark")
        elif entry.is_write() and entry.flags & fmt.PREFLUSH:
            equal((entry.start, entry.complete), (event + 2, event + 3), "events of a PREFLUSH")
        else:
            equal((entry.start, entry.complete), (event + 1, event + 2), "events of a bio")
        assert entry.submit_ns <= entry.complete_ns, "completed before it was submitted"
        event = entry.complete
    equal(log.newest, event, "newest event")


@test("every field of every operation")
def fields():
    with Disk(blocksize=512, atomic_unit=1024, size=2) as disk:
        with disk.raw() as raw:
            raw.write(4096, b"base" * 128)
            disk.record("start")
            raw.write(1024, b"x" * 1536)
            raw.write_fua(512, b"y" * 512)
            raw.flush()
            raw.discard(0, 8192)
            raw.zero(4096, 4096)
            raw.punch(8192, 512)
            disk.mark("one\n")
            disk.set("mark", "two\nthree")
        status = disk.status()
        log, export = disk.log(), fmt.parse(disk.export())
    expected = [
        (fmt.WRITE, fmt.SYNC, 2, 3, b"x" * 1536),
        (fmt.WRITE, fmt.SYNC | fmt.FUA, 1, 1, b"y" * 512),
        (fmt.FLUSH, fmt.PREFLUSH, 0, 0, b""),
        (fmt.FLUSH, fmt.PREFLUSH, 0, 0, b""),
        (fmt.DISCARD, 0, 0, 16, b""),
        (fmt.WRITE_ZEROES, fmt.NOUNMAP, 8, 8, b""),
        (fmt.WRITE_ZEROES, 0, 16, 1, b""),
        (fmt.MARK, 0, 0, 0, b"one"),
        (fmt.MARK, 0, 0, 0, b"two"),
        (fmt.MARK, 0, 0, 0, b"three"),
    ]
    comm = open("/proc/self/comm", "rb").read().strip()
    for one in (log, export):
        equal((one.capacity, one.block, one.unit), (4096, 512, 1024), "the disk")
        equal((one.cache, one.fua, one.truncated), (True, True, 0), "the flags")
        equal(one.data, one is export, "the flag for data")
        check_events(one)
        equal(len(one.entries), len(expected), "number of entries")
        for entry, (op, flags, sector, sectors, data) in zip(one.entries, expected):
            known = fmt.PREFLUSH | fmt.FUA | fmt.SYNC | fmt.NOUNMAP
            if op in (fmt.FLUSH, fmt.DISCARD, fmt.WRITE_ZEROES):
                known &= ~fmt.SYNC
            equal((entry.op, entry.flags & known), (op, flags), "op and flags")
            equal((entry.sector, entry.sectors), (sector, sectors), "sectors")
            has_data = one is export or op == fmt.MARK
            equal(entry.payload, data if has_data else b"", "payload")
            equal((entry.pid, entry.comm), (os.getpid(), comm), "task")
    equal(log.base, [], "base of a log")
    base = {entry.sector: entry.payload for entry in export.base}
    assert all(entry.sectors * 512 == len(entry.payload) for entry in export.base)
    content = b"".join(base.get(sector, bytes(4096)) for sector in range(0, 4096, 8))
    equal(content, bytes(4096) + b"base" * 128 + bytes((2 << 20) - 4608), "base")
    equal(status["entries"], 10, "entries")
    equal(status["marks"], 3, "marks")
    equal(status["events"], log.newest, "events")


@test("what ext4's journal sends: META, FUA, PREFLUSH with data, and who")
def journal():
    with Disk(size=16) as disk, tempfile.TemporaryDirectory() as mnt:
        mkfs = ["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", disk.device]
        if subprocess.run(mkfs, capture_output=True, check=False).returncode:
            raise Skip("no mkfs.ext4")
        disk.record("start")
        subprocess.run(["mount", "-t", "ext4", disk.device, mnt], check=True)
        for number in range(3):
            with open(f"{mnt}/{number}", "wb") as file:
                file.write(b"data" * 2048)
                file.flush()
                os.fsync(file.fileno())
        subprocess.run(["umount", mnt], check=True)
        log = disk.log()
    check_events(log)
    commits = [e for e in log.entries if e.is_write() and e.flags & fmt.PREFLUSH]
    assert commits, "no PREFLUSH with data"
    assert all(e.flags & fmt.FUA for e in commits if e.comm.startswith(b"jbd2")), "a commit, no FUA"
    assert any(e.comm.startswith(b"jbd2") for e in commits), "no commit by jbd2"
    assert any(e.flags & fmt.META for e in log.entries), "no META"
    assert any(e.flags & fmt.SYNC for e in log.entries), "no SYNC"


@test("a hundred thousand entries take few reads")
def streaming():
    count = rounds(100000, 10000)
    with Disk() as disk:
        disk.record("start")
        for _ in range(count // 2000):
            disk.set("mark", b"x\n" * 2000)
        fd = fmt.open_control()
        os.write(fd, b"log t\n")
        reads, parts = 0, []
        while part := os.read(fd, 256 << 10):
            parts.append(part)
            reads += 1
        os.close(fd)
        data = b"".join(parts)
        equal(fmt.HEADER.unpack_from(data)[6], count, "entries")
        equal(len(data), 64 + count * 97, "length")
        assert reads <= len(data) // (128 << 10) + 2, f"{reads} reads of {len(data)} bytes"


@test("read in pieces of any size it is the same")
def pieces():
    with Disk() as disk:
        disk.record("start")
        with disk.raw() as raw:
            for number in range(40):
                raw.write(number * 4096, bytes([number]) * 4096)
                disk.mark(f"mark {number}")
        whole = disk.export()
        for size in (1000, 4095, 65537):
            equal(fmt.request("export t", size) == whole, True, f"in pieces of {size} the same")
        equal(len(fmt.request("log t", 7)), 64 + 80 * 96 + sum(map(len, map(str, range(40)))) + 200)


@test("several readers at once read the same")
def readers():
    with Disk() as disk:
        disk.record("start")
        disk.set("mark", b"x\n" * 2000)
        with disk.raw() as raw:
            raw.write(0, b"a" * (1 << 20))
        answers = []
        threads = [
            threading.Thread(target=lambda: answers.append(disk.export())) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal(len(answers), 6, "answers")
        equal(len(set(answers)), 1, "different answers")


@test("a log read while it grows ends at one entry, and its header says so")
def growing():
    with Disk() as disk:
        disk.record("start")
        with disk.raw() as raw:
            for way in ("log", "export"):
                raw.write(0, b"a" * 4096)
                fd = fmt.open_control()
                os.write(fd, f"{way} t\n".encode())
                raw.write(4096, b"b" * 4096)
                data = os.read(fd, 10)
                raw.write(8192, b"c" * 4096)
                while part := os.read(fd, 256 << 10):
                    data += part
                os.close(fd)
                check_events(fmt.parse(data))


@test("a record that ends under its reader is stale", "drop", False)
@test("a record that is reset under its reader is stale", "reset", False)
@test("so is one that another takes the place of", "drop", True)
@test("so is one that another takes the place of after a reset", "reset", True)
def stale(how, another):
    with Disk() as disk:
        disk.record("start")
        for _ in range(rounds(10, 2)):
            disk.set("mark", b"x\n" * 2000)
        fd = fmt.open_control()
        os.write(fd, b"log t\n")
        equal(len(os.read(fd, 1000)), 1000, "bytes read")
        disk.record(how)
        if another:
            disk.record("start")
            for _ in range(rounds(10, 2)):
                disk.set("mark", b"y\n" * 2000)
        # What was made before comes first, with any buffer; then the error, over and over.
        given = 1000
        with fails(errno.ESTALE):
            while part := os.read(fd, 8 << 20):
                given += len(part)
        equal(given >= 64 << 10, True, "whether what was there was given")
        with fails(errno.ESTALE, "the next read"):
            os.read(fd, 64)
        os.close(fd)


REQUESTS = (
    ("an empty request", "", errno.EINVAL),
    ("an unknown request", "frob t", errno.EINVAL),
    ("a request without a disk", "log", errno.EINVAL),
    ("a request with words too many", "log t x", errno.EINVAL),
    ("a request with an empty name", "log ", errno.ENOENT),
    ("a request in capitals", "LOG t", errno.EINVAL),
    ("a state without a state", "state t.v", errno.EINVAL),
    ("an unknown disk's log", "log nope", errno.ENOENT),
    ("an unknown disk's state", "state nope.v cut=0 keep=none", errno.ENOENT),
    ("an unknown view's state", "state t.nope cut=0 keep=none", errno.ENOENT),
    ("an import for an unknown disk", "import nope", errno.ENOENT),
    ("the log of a disk without a record", "log t", errno.ENODATA),
    ("the export of a disk without a record", "export t", errno.ENODATA),
    ("the state of a disk that is no view", "state t cut=0 keep=none", errno.EINVAL),
)


@test("a request that is malformed, or for what is not there, is refused")
def refused():
    with Disk():
        for name, request, error in REQUESTS:
            with fails(error, f"{name}, {request!r},"):
                fmt.request(request)
