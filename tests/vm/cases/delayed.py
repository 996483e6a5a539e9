# SPDX-License-Identifier: GPL-2.0
"""Bios that complete later: what is in flight then, and what becomes of it."""

import contextlib
import errno
import json
import os
import random
import subprocess
import tempfile
import threading

from lib import log
from lib.disk import Disk
from lib.tap import DEBUG, equal, fails, note, rounds, test, wait_until

PROGRAM = os.path.join(os.path.dirname(os.path.dirname(__file__)), "programs", "raw-commit")
GOOD = ("inline", "delayed:0", "delayed:1", "delayed:10000000", "delayed:random:0-0,0",
        "delayed:random:5-700,18446744073709551615")  # fmt: skip
BAD = ("", "delayed", "delayed:", "delayed:x", "delayed:-1", "delayed:10000001", "inline:1", "inline ",
       "delayed:random:1", "delayed:random:1-2", "delayed:random:2-1,0", "delayed:random:1-2,",
       "delayed:random:1-2-3,0", "delayed:random:1-2,0,0")  # fmt: skip


@test("completion: what it takes, and what it refuses")
def settings():
    with Disk(power=0) as disk:
        equal(disk.get("completion"), "inline", "the default")
        for value in GOOD:
            disk.set("completion", value + "\n")
            equal(disk.get("completion"), value, "completion")
        for value in BAD:
            with fails(errno.EINVAL if value else errno.EFAULT, repr(value)):
                disk.set("completion", value)
            equal(disk.get("completion"), GOOD[-1], "completion")
        with fails(errno.ERANGE):
            disk.set("completion", "delayed:99999999999999999999")
        disk.on()
        with fails(errno.EBUSY):
            disk.set("completion", "inline")


def in_threads(*calls):
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    return threads


# How long a bio is in flight at first, and where that was too short for this machine to do something
# meanwhile: in usec, the longest that there is last.
LONG = (1000000, 4000000, 10000000)


def in_flight_meanwhile(attempt):
    """Has it done with a bio in flight, which it gets told how long that is; it returns False if it
    came too late."""
    if not any(attempt(delay) for delay in LONG):
        raise AssertionError(f"the write was not in flight for {LONG[-1]} usec")


@test("a flush does not cover what was in flight at its submit")
def flush_in_flight():
    in_flight_meanwhile(flush_meanwhile)


def flush_meanwhile(delay):
    """Flushes while a write is in flight, and looks at what is left; False if it was no longer."""
    with Disk(completion=f"delayed:{delay}") as disk, disk.raw() as raw:
        disk.record("start")
        threads = in_threads(lambda: raw.write(0, b"a" * 4096))
        wait_until(disk.events, "the write's submit")
        raw.flush()
        for thread in threads:
            thread.join()
        disk.record("stop")
        write, flush = disk.log().entries
        if write.complete < flush.submit:
            return False
        equal((write.submit, flush.submit, write.complete, flush.complete), (1, 2, 3, 4), "events")
        with disk.view() as view:
            # The write is complete, and so is the flush, and still it may be lost.
            view.point(4, "none")
            equal(view.read(4096), bytes(4096), "without the write")
            view.point(4, "1:0")
            equal(view.read(4096), b"a" * 4096, "with the write")
            view.point(2, "all")
            equal(view.read(4096), b"a" * 4096, "with the write in flight")
    return True


@test("a write with a flush starts when that is done, and completes later")
def preflush():
    with Disk(completion="delayed:20000", size=16) as disk:
        subprocess.run(["mkfs.ext4", "-q", "-F", disk.device], check=True)
        disk.record("start")
        directory = tempfile.mkdtemp()
        subprocess.run(["mount", "-t", "ext4", disk.device, directory], check=True)
        try:
            with open(f"{directory}/file", "w", encoding="ascii") as file:
                file.write("text")
                file.flush()
                os.fsync(file.fileno())
        finally:
            subprocess.run(["umount", directory], check=True)
            os.rmdir(directory)
        disk.record("stop")
        commits = [e for e in disk.log().entries if e.is_write() and e.flags & log.PREFLUSH]
        equal(bool(commits), True, "a commit block with PREFLUSH")
        for commit in commits:
            equal(commit.submit < commit.start < commit.complete, True, "its events' order")
        with disk.view() as view:
            for cut in range(0, disk.events(), 7):
                view.point(cut, "none")
                done = subprocess.run(["e2fsck", "-fy", view.device], capture_output=True, check=False)
                equal(done.returncode in (0, 1), True, f"e2fsck's status {done.returncode} at {cut}")


@test("delays drawn from a range: bios overtake each other, nothing is lost")
def overtaking():
    seed = random.randrange(1 << 32)
    note("seed", seed)
    rng = random.Random(seed)
    with Disk(completion=f"delayed:random:0-20000,{seed}") as disk, disk.raw() as raw:
        disk.record("start")
        shadow = bytearray(1 << 20)

        def overtaken():
            entries = disk.log().entries
            return sum(a.complete > b.complete for a, b in zip(entries, entries[1:]))

        # More rounds where threads are so slow to start that none is overtaken.
        enough = rounds(40, 10)
        for number in range(20 * enough):
            if number >= enough and overtaken():
                break
            calls = []
            for block in rng.sample(range(256), 8):
                data = bytes([rng.randrange(1, 256)]) * 4096
                shadow[block * 4096 : block * 4096 + 4096] = data
                calls.append(lambda at=block * 4096, data=data: raw.write(at, data))
            for thread in in_threads(*calls, raw.flush):
                thread.join()
        equal(raw.read(0, 1 << 20), bytes(shadow), "the content")
        disk.record("stop")
        entries = disk.log().entries
        events = sorted({e.submit for e in entries} | {e.complete for e in entries})
        equal(events, list(range(1, disk.events() + 1)), "the events")
        equal(overtaken() > 0, True, "some are overtaken")
        with disk.view() as view:
            view.point(disk.events(), "all")
            equal(view.read(1 << 20), bytes(shadow), "the state that kept all")
        again = disk.export()
    with Disk() as disk:
        log.send_import(disk, again)
        equal(disk.export(), again, "the record, imported")


@test("removal with bios in flight ends them at once")
def removal():
    for delay in (1000, 400000):
        disk = Disk(completion=f"delayed:{delay}")
        disk.record("start")
        raw = disk.raw()

        def write(at):
            # Those that come too late are refused.
            with contextlib.suppress(OSError):
                raw.write(at, b"x" * 4096)

        threads = in_threads(*(lambda at=at: write(at) for at in range(0, 65536, 4096)))
        wait_until(lambda: disk.events() >= 8, "eight events")
        disk.remove()
        for thread in threads:
            thread.join(60)
            equal(thread.is_alive(), False, "a writer waits still")
        raw.close()


@test("a record that ends with bios in flight has them in flight")
def record_ends():
    in_flight_meanwhile(record_ends_meanwhile)


def record_ends_meanwhile(delay):
    """Ends a record while a write is in flight; False if it was no longer."""
    with Disk(completion=f"delayed:{delay}") as disk, disk.raw() as raw:
        for word in ("stop", "drop"):
            disk.record("start")
            threads = in_threads(lambda: raw.write(0, b"x" * 4096))
            wait_until(disk.events, "the write's submit")
            disk.record("stop")
            if disk.events() > 1:
                threads[0].join()
                return False
            if word == "drop":
                disk.record("drop")
                disk.record("start")
            for thread in threads:
                thread.join()
            entries = disk.log().entries
            if word == "stop":
                equal([e.complete for e in entries], [(1 << 64) - 1], "complete events")
                with disk.view() as view:
                    view.point(1, "1:0")
                    equal(view.read(4096), b"x" * 4096, "kept")
                    view.point(1, "none")
                    equal(view.read(4096), bytes(4096), "lost")
                disk.record("drop")
            else:
                equal(entries, [], "the entries of the next record")
    return True


def run(completion, program):
    """Violations that `powercut run` finds."""
    done = subprocess.run(
        ["powercut", "run", "--fs", "none", "--size", "1M", "--completion", completion,
         "--workload", f"{PROGRAM} {program}", "--check", f"{PROGRAM} check", "--json", "--budget", "60",
         "--report", tempfile.mkdtemp()],
        capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode not in (0, 1):
        raise AssertionError(f"exit {done.returncode}: {done.stderr}")
    report = json.loads(done.stdout)
    equal(done.returncode, int(bool(report["violations"])), "the exit status")
    return report["violations"]


@test("a writer that flushes before its write is complete is caught, one that waits is not")
def careless():
    # It is careless only if it comes to its flush while its write is in flight.
    for delay in ("delayed:250000", *(f"delayed:{long}" for long in LONG)):
        found = run(delay, "careless")
        if found:
            break
    equal(bool(found), True, "violations of the careless one")
    equal(all("was acknowledged and is lost" in v["output"] for v in found), True, "what they say")
    equal(run("delayed:250000", "careful"), [], "violations of the careful one")
    if DEBUG:
        return
    # Without a delay nobody can tell the two apart.
    equal(run("inline", "careless"), [], "violations of the careless one, inline")
