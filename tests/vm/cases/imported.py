# SPDX-License-Identifier: GPL-2.0
"""Logs of dm-log-writes and blklogwrites become records, and records become such logs: docs/import.md."""

import json
import os
import random
import subprocess

from lib.command import powercut, tidy
from lib.disk import Disk
from lib.log_writes import Qemu, entries, replay, target
from lib.tap import equal, test

NOTE = "does not tell when writes were submitted"
# The newest save that was acknowledged is there, or a newer one.
CHECK = """
n=$(tail -n 1 "$POWERCUT_MARKS"); n=${n#saved-}
[ -z "$n" ] || [ "$(cat "$POWERCUT_MNT/file")" -ge "$n" ]
"""


def save(where, number, careful):
    """Replaces a file."""
    with open(f"{where}/new", "w", encoding="ascii") as file:
        file.write(f"{number}\n")
        file.flush()
        if careful:
            os.fsync(file.fileno())
    os.rename(f"{where}/new", f"{where}/file")
    if careful:
        directory = os.open(where, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)


def mounted(device, own, act):
    """Has something done in a mounted filesystem."""
    where = f"{own}/mnt"
    os.makedirs(where, exist_ok=True)
    subprocess.run(["mount", "-t", "ext4", device, where], check=True)
    try:
        act(where)
    finally:
        subprocess.run(["umount", where], check=True)


def explored(own, name, *record, code, budget=24):
    """What is found, as data; as text it has the same notes."""
    words = ("explore", *record, "--mount", "ext4", "--check", CHECK, "--budget", str(budget), "--seed", "3")
    report = powercut(*words, "--report", f"{own}/{name}", "--json", code=code, json_of=True)
    text = powercut("report", f"{own}/{name}")
    page = f"{own}/{name}.html"
    powercut("report", f"{own}/{name}", "--html", page)
    with open(page, encoding="utf-8") as file:
        told = (text, file.read(), json.dumps(report))
    is_noted = [NOTE in one for one in told]
    return report, is_noted


@test("the kernel's target and the module record one workload: a careful one is clean by both", True)
@test("the kernel's target and the module record one workload: a careless one fails by both", False)
def kernel(careful):
    code = 0 if careful else 1
    with tidy() as own, Disk("a", size=16) as disk, Disk("log", size=64, write_cache=0) as log:
        subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", disk.device], check=True)
        base = f"{own}/base"
        with open(base, "wb") as file:
            file.write(disk.read())

        with target(disk, log) as logged:
            disk.record("start")

            def work(where):
                for number in range(1, 4):
                    save(where, number, careful)
                    logged.mark(f"saved-{number}")
                    disk.mark(f"saved-{number}")

            mounted(logged.device, own, work)
            logged.settled()
            # It was not closed: its super block is as old as the last FUA write or mark.
            behind = ("import", "--format", "log-writes", log.device, "--base", base)
            powercut(*behind, "-o", f"{own}/open")
            powercut(*behind, "-o", f"{own}/salvaged", "--salvage", says="the log was salvaged")
            disk.record("stop")
        powercut(*behind, "-o", f"{own}/closed", says=NOTE)

        counts = [marks(f"{own}/{name}") for name in ("open", "salvaged", "closed")]
        equal(counts, [["saved-1", "saved-2", "saved-3"]] * 3, "marks")
        lengths = [events(f"{own}/{name}") for name in ("open", "salvaged", "closed")]
        equal(lengths == sorted(lengths), True, f"as much or more: {lengths}")

        report, is_noted = explored(own, "imported", "--recording", f"{own}/closed", code=code)
        equal(is_noted, [True] * 3, "said in text, page and JSON")
        if not careful:
            powercut("minimize", "1", "--report", f"{own}/imported", "--budget", "8", code=1)
        # The file alone tells it, too.
        if careful:
            file = f"{own}/closed/recording.pcut"
            _, is_noted = explored(own, "file", "--recording", file, code=0, budget=2)
            equal(is_noted, [True] * 3, "said of the file")
        equal(report["source"]["imported"]["format"], "log-writes", "the source")
        of_disk, is_noted = explored(own, "own", "a", code=code)
        equal(is_noted, [False] * 3, "said of a record of the module")
        equal(kinds(report), kinds(of_disk), "kinds of violations")
        equal(disk_of(report), disk_of(of_disk), "the disk")
        # META and FUA come along; flushes with data are two entries below device mapper in both.
        for what in ("writes", "bytes", "flushes", "fua", "marks"):
            equal(report["record"][what], of_disk["record"][what], what)


def marks(report):
    lines = powercut("log", "--report", report, "--op", "mark", "--json").splitlines()
    return [json.loads(line)["mark"] for line in lines]


def events(report):
    return powercut("report", report, "--json", json_of=True)["record"]["events"]


def kinds(report):
    return sorted({violation["kind"] for violation in report["violations"]})


def disk_of(report):
    return {key: report["disk"][key] for key in ("bytes", "block_size", "atomic_unit", "write_cache")}


def busy(disk):
    """Some of everything, with marks."""
    block = int(disk.get("blocksize"))
    with disk.raw() as raw:
        raw.write(0, random.randbytes(20 * block))
        disk.record("start")
        for number in range(40):
            at = random.randrange(100) * block
            match number % 6:
                case 0:
                    raw.write_fua(at, random.randbytes(2 * block))
                case 1:
                    raw.discard(at, 3 * block)
                case 2:
                    raw.zero(at, 2 * block)
                case 3:
                    raw.flush()
                case _:
                    raw.write(at, random.randbytes(block))
            if number % 5 == 4:
                disk.mark(f"m{number}")
    disk.record("stop")


@test("an exported log, replayed to each mark, is what the module serves there, 4096-byte blocks", 4096)
@test("an exported log, replayed to each mark, is what the module serves there, 512-byte blocks", 512)
def replayed(block):
    with tidy() as own, Disk("a", blocksize=block) as disk, Disk("log", size=8) as device:
        busy(disk)
        log, base = f"{own}/log", f"{own}/base"
        export = ("export", "--format", "log-writes")
        powercut(*export, "a", log, says="--base IMAGE writes that")
        powercut(*export, "a", log, "--base", base)
        powercut(*export, "a", device.device)
        with open(log, "rb") as file:
            content = file.read()
        with open(device.device, "rb") as file:
            equal(file.read(len(content)) == content, True, "the same on a block device")
        with open(base, "rb") as file:
            image = file.read()
        after = replay(content, image)
        with disk.view() as view:
            equal(view.read() == image, True, "the base")
            for mark in (entry for entry in disk.log().entries if entry.payload):
                view.point(mark.submit, "all")
                equal(view.read() == after.pop(mark.payload.decode()), True, f"the state at {mark.payload}")
        equal(after, {}, "marks that are left")
        # And back.
        powercut("import", "--format", "log-writes", log, "--base", base, "-o", f"{own}/r")
        equal(powercut("count", "--report", f"{own}/r"), powercut("count", "a"), "states")
        # A record need not be on a disk, and is the same from there.
        powercut(*export, f"{own}/r", f"{own}/again")
        with open(f"{own}/again", "rb") as file:
            equal(list(entries(file.read())) == list(entries(content)), True, "the log of the record of the log")


@test("a log as QEMU writes it is read, and one that it goes on with as far as it counts")
def qemu():
    with tidy() as own:
        path, report = f"{own}/log", f"{own}/r"
        with Qemu(path) as log:
            log.write(8192, b"a" * 4096)
            log.zero(16384, 8192)
            log.discard(65536, 4096)
            log.flush()
            log.write(0, b"b" * 512)
        command = ("import", "--format", "log-writes", path, "--size", "8M", "--atomic-unit", "4096")
        powercut(*command, "--report", report, says="there is another at byte")
        lines = powercut("log", "--report", report, "--json").splitlines()
        told = [json.loads(line)["op"] for line in lines]
        equal(told, ["WRITE", "WRITE", "DISCARD", "FLUSH"], "entries")
        powercut(*command, "--report", report, "--salvage", says="5 entries were taken")
        found = powercut("report", report, "--json", json_of=True)
        disk = found["disk"]
        equal((disk["bytes"], disk["block_size"], disk["atomic_unit"]), (8 << 20, 512, 4096), "the disk")


@test("import, export, log, count, lint and report of such records take no root; what fails leaves nothing")
def user():
    with tidy() as own:
        os.chmod(os.path.dirname(own), 0o755)
        os.chmod(own, 0o777)
        path = f"{own}/log"
        with Qemu(path, 4096) as log:
            for number in range(9):
                log.write(number * 4096, bytes([number + 1]) * 4096)
                log.flush()

        def nobody(*words, **options):
            return powercut(*words, user=65534, group=65534, extra_groups=[], cwd=own, **options)

        command = ("import", "--format", "log-writes")
        nobody(*command, "log", "-o", "r")
        nobody("log", "--report", "r")
        nobody("lint", "--report", "r")
        equal(nobody("count", "--report", "r"), "18 legal states at 9 cuts\n", "states")
        nobody("report", "r")
        nobody("export", "--format", "log-writes", "./r", "again")
        nobody(*command, "again", "-o", "r2")
        equal(nobody("log", "--report", "r2"), nobody("log", "--report", "r"), "the log of the log")
        nobody("explore", "--recording", "r", code=2, says="the report names no check: give --check")
        # What mounts states does, and says so.
        record = powercut("report", f"{own}/r", "--json", json_of=True)["record"]
        state = f"{record['hash']}:k={record['events']}:keep=none"
        for words in (("explore", "--recording", "r", "--check", "true"), ("minimize", state, "--report", "r", "--check", "true")):
            for backend in ("nbd", "auto"):
                nobody(*words, "--backend", backend, code=2, says="run this as root")
        size = os.path.getsize(path)
        before = sorted(os.listdir(own))
        os.truncate(path, size - 1)
        nobody(*command, "log", "-o", "none", code=2, says=f"the log ends at byte {size - 1}")
        os.truncate(path, 8)
        nobody(*command, "log", "-o", "none", code=2, says="not a log of dm-log-writes")
        nobody(*command, "/dev/zero", "-o", "none", code=2, says="give a file or a block device")
        nobody(*command, "again", "-o", ".", code=2, says="give a new directory")
        nobody("export", "--format", "log-writes", "./log", "none", code=2)
        equal(sorted(os.listdir(own)), before, "files")
