# SPDX-License-Identifier: GPL-2.0
"""`run --backend ublk`: a workload recorded on a disk that the command serves, with no need of the module."""

import json
import os
import subprocess

from cases.command_run import CHECK as KEPT_CHECK, KEPT, need
from cases.command_signals import hang, start
from cases.mapped import kill_all_of_it, odd_marks, told_marks
from cases.nbd import CHECK, PROGRAMS, SAVE, need as need_server, nothing_served
from lib.command import powercut, refused, tidy
from lib.tap import LIMIT, equal, note, test

DEMO = "/mnt/powercut/tests/demo"
TWO = "/mnt/powercut/tests/explore/two-disks"
EXT4 = ("run", "--fs", "ext4", "--size", "16M", "--backend", "ublk")
RAW = ("run", "--fs", "none", "--size", "1M", "--check", "true", "--record-only")
SQLITE = ("--fs", "ext4", "--size", "64M", "--workload", f"{DEMO}/sqlite-workload DELETE EXTRA 6", "--check", f"{DEMO}/sqlite-check")


def log(report):
    lines = powercut("log", "--report", report, "--json").splitlines()
    return [json.loads(line) for line in lines]


@test("a program comes out as by the module: SQLite with barriers is clean", SQLITE, 0, limit=600)
@test("a program comes out as by the module: SQLite without barriers loses what it promised", (*SQLITE, "--mount-opts", "barrier=0"), 1,
      limit=600)
@test("a program comes out as by the module: what is promised too early is found, and shown again",
      ("--fs", "ext4", "--size", "16M", "--workload", SAVE, "--check", CHECK), 1, limit=600)  # fmt: skip
def same_verdict(words, code):
    need("ext4")
    need_server("ublk")
    with tidy() as own:
        told = {}
        for backend in ("module", "ublk"):
            at = f"{own}/{backend}"
            report = powercut("run", *words, "--backend", backend, "--budget", "30", "--report", at, "--json", code=code, json_of=True)
            told[backend] = (told_marks(at), report["disk"]["bytes"], report["disk"]["block_size"], report["record"]["fua"] > 0,
                             report["record"]["flushes"] > 0, bool(report["violations"]))
            is_noted = "not by which task" in json.dumps(report["source"])
            equal(is_noted, backend == "ublk", "what the record does not tell is in the report")
        equal(told["ublk"], told["module"], "marks, disk, and whether there are violations")
        if code == 1:
            first = powercut("replay", "1", "--report", f"{own}/ublk", "--backend", "ublk", "--json", code=1, json_of=True)
            # The record is one as any other.
            other = powercut("replay", "1", "--report", f"{own}/ublk", "--backend", "module", "--json", code=1, json_of=True)
            equal(other["violation"]["output"], first["violation"]["output"], "what the module shows of it")
        nothing_served()


@test("one after the other: each I/O and each mark is recorded as by the module")
@test("one after the other: each I/O and each mark is recorded as by the module, without a cache", "--write-cache", "off")
@test("one after the other: each I/O and each mark is recorded as by the module, in sectors", "--block-size", "512")
@test("one after the other: each I/O and each mark is recorded as by the module, where prefixes survive", "--tear", "prefix")
@test("one after the other: each I/O and each mark is recorded as by the module, where neighbours are lost", "--tear", "rmw",
      "--block-size", "512")
def same_order(*more):
    need_server("ublk")
    with tidy() as own:
        told = {}
        for backend in ("module", "ublk"):
            at = f"{own}/{backend}"
            powercut(*RAW, *more, "--workload", f"{PROGRAMS}/steps one", "--backend", backend, "--report", at)
            kept = ("op", "submit", "complete", "lba", "sectors", "mark")
            told[backend] = [(*(entry.get(key) for key in kept), sorted(set(entry["flags"]) & {"FUA", "PREFLUSH"}))
                             for entry in log(at)]
            count = powercut("count", "--report", at, "--json", json_of=True)
            told[backend].append(count["legal_states"])
        for module, ublk in zip(told["module"], told["ublk"]):
            equal(ublk, module, "an entry")
        equal(len(told["ublk"]), len(told["module"]), "how many there are")
        note(f"{len(told['ublk']) - 1} entries, {told['ublk'][-1]} legal states")
        equal({entry[0] for entry in told["ublk"][:-1]}, {"WRITE", "WRITE_ZEROES", "DISCARD", "MARK"} |
              (set() if "--write-cache" in more else {"FLUSH"}), "what there is")  # fmt: skip
        nothing_served()


@test("a disk without FUA gets a flush behind what is written with it")
def without_fua():
    need_server("ublk")
    with tidy() as own:
        flushes = {}
        for fua in ("on", "off"):
            powercut(*RAW, "--fua", fua, "--workload", f"{PROGRAMS}/steps one", "--backend", "ublk", "--report", f"{own}/{fua}")
            entries = log(f"{own}/{fua}")
            # Block 9 is what is written so.
            forced = [number for number, entry in enumerate(entries) if entry["op"] == "WRITE" and entry["lba"] == 72]
            equal(len(forced), 3, "writes")
            equal({"FUA" in entries[number]["flags"] for number in forced}, {fua == "on"}, "whether they have FUA")
            for number in forced:
                write, after = entries[number], entries[number + 1]
                equal((after["op"], after["submit"] > write["complete"]), ("FLUSH", True), f"what comes after {write}")
            flushes[fua] = sum(entry["op"] == "FLUSH" for entry in entries)
        # What O_DSYNC sends behind each comes to both.
        equal(flushes["off"] - flushes["on"], 3, f"more flushes: {flushes}")
        nothing_served()


@test("two disks that fail together: each I/O is recorded as by the module, and what comes of it is the same", "careful", 0)
@test("two disks that fail together: each I/O is recorded as by the module, and what comes of it is the same, careless", "careless", 1)
def two_disks(how, code):
    need_server("ublk")
    with tidy() as own:
        told = {}
        for backend in ("module", "ublk"):
            at = f"{own}/{backend}"
            report = powercut("run", "--fs", "none", "--disks", "data:2M,log:1M", "--backend", backend, "--workload", f"{TWO} {how}",
                              "--check", f"{TWO} check", "--strategy", "exhaustive", "--report", at, "--json", code=code, json_of=True)
            kept = ("op", "submit", "complete", "disk", "lba", "sectors", "mark")
            told[backend] = ([tuple(entry.get(key) for key in kept) for entry in log(at)], report["disk"].get("disks"),
                             report["coverage"]["all"], report["coverage"]["legal_states"],
                             sorted((v["id"].split(":", 1)[1], v["output"]) for v in report["violations"]))
            nothing_served()
        for module, ublk in zip(told["module"], told["ublk"]):
            equal(ublk, module, "the same by both")
        flushed = {entry[3] for entry in told["ublk"][0] if entry[0] == "FLUSH"}
        equal(flushed, {"data", "log"} if how == "careful" else {"data"}, "the disks that are flushed")


@test("btrfs on two disks, RAID 1, recorded and served by ublk, is clean", limit=600)
def mirror():
    need("btrfs")
    need_server("ublk")
    with tidy() as own:
        report = powercut("run", "--fs", "btrfs", "--disks", "a:128M,b:128M", "--mkfs", "mkfs.btrfs -q -f -d raid1 -m raid1 {a} {b}",
                          "--mount-opts", "device={b}", "--backend", "ublk", "--workload", KEPT, "--check", KEPT_CHECK, "--budget", "12",
                          "--report", f"{own}/r", "--json", json_of=True)
        equal((report["violations"], report["coverage"]["checked"] > 3), ([], True), f"what comes of it: {report['coverage']}")
        written = {entry["disk"] for entry in log(f"{own}/r") if entry["op"] == "WRITE"}
        equal(written, {"a", "b"}, "the disks that are written to")
        nothing_served()


@test("at once: a mark comes after the write that it acknowledges and before the next, whatever others do meanwhile")
def marks_in_between():
    need_server("ublk")
    threads, writes = 6, 12
    with tidy() as own:
        powercut(*RAW, "--backend", "ublk", "--workload", f"{PROGRAMS}/steps {threads} {writes}", "--report", f"{own}/r")
        entries = log(f"{own}/r")
        events = sorted(event for entry in entries for event in {entry["submit"], entry["complete"]})
        equal(events, list(range(1, len(events) + 1)), "each event once")
        # No block is written twice; a request may have several of them.
        written = {block: entry for entry in entries if entry["op"] == "WRITE"
                   for block in range(entry["lba"] // 8, (entry["lba"] + entry["sectors"]) // 8)}  # fmt: skip
        marks = {tuple(map(int, entry["mark"].split())): entry for entry in entries if entry["op"] == "MARK"}
        equal((len(written), len(marks)), (threads * writes, threads * writes), "writes and marks")
        for (thread, block), mark in marks.items():
            equal(written[block]["complete"] < mark["submit"], True, f"the mark of block {block} after its write: {mark}")
            following = written.get(block + threads)
            equal(following is None or following["submit"] > mark["complete"], True, f"{thread}: the next write after {mark}")
        overlaps = sum(entry["complete"] > after["submit"] for entry, after in zip(entries, entries[1:]))
        note(f"{overlaps} of {len(entries)} entries were in flight when the next one came")
        nothing_served()


@test("marks come to the record as they were written, whatever is in them")
def odd():
    need_server("ublk")
    odd_marks(EXT4)
    nothing_served()


@test("a program that prints what is held is held to it (--observe), with a setup before")
def observed():
    need_server("ublk")
    with tidy() as own:
        work = "cd $POWERCUT_MNT; for n in 1 2 3; do echo $n >new; sync new; mv new f; {}echo $n >>$POWERCUT_MARK; done"
        for sync, code in (("sync .; ", 0), ("", 1)):
            powercut(*EXT4, "--setup", "echo 0 >$POWERCUT_MNT/f", "--workload", work.replace("{}", sync), "--observe",
                     "cat $POWERCUT_MNT/f", "--budget", "40", "--report", f"{own}/r{code}", code=code)
        nothing_served()


@test("the end of the record syncs nothing, and what comes after it is not in there")
def not_synced():
    need_server("ublk")
    with tidy() as own:
        told = {}
        for backend in ("module", "ublk"):
            report = powercut("run", "--fs", "ext4", "--size", "16M", "--backend", backend, "--workload",
                              "cd $POWERCUT_MNT; sync .; echo m >>$POWERCUT_MARK; seq 9999 >x", "--check", "true",
                              "--record-only", "--report", f"{own}/{backend}", "--json", json_of=True)
            told[backend] = report["record"]["bytes"]
        # The file has 48 KiB.
        equal(told["ublk"] < told["module"] + 16384, True, f"bytes written: {told}")
        nothing_served()


@test("a record that is full ends the run as by the module, whether the workload minds", "")
@test("a record that is full ends the run as by the module, if the workload does not mind", " || true")
def full(after):
    need_server("ublk")
    with tidy() as own:
        work = f"head -c 4M /dev/urandom >$POWERCUT_MNT/x && sync $POWERCUT_MNT/x{after}"
        for backend in ("module", "ublk"):
            words = ("run", "--fs", "ext4", "--size", "16M", "--backend", backend, "--workload", work, "--check", "true",
                     "--report", f"{own}/r")  # fmt: skip
            says = ("the record ended at event", "log_limit_mib is 1", "give a larger --log-limit")
            powercut(*words, "--log-limit", "1M", code=2, says=says if after == "" else "log_limit_mib")
            equal(os.path.exists(f"{own}/r"), False, "a report")
            powercut(*words, "--log-limit", "32M", "--record-only")
            subprocess.run(["rm", "-r", f"{own}/r"], check=True)
        nothing_served()


# Once the device is gone, nobody is to make a file of its name.
WRITES = "for n in 1 2 3 4 5 6 7 8 9; do dd if=/dev/zero of=$POWERCUT_DEV bs=4k count=1 seek=$n oflag=direct conv=notrunc,nocreat 2>/dev/null{}; done"


@test("a server that panics while it records: no verdict", "panic=4", "", "a request panicked")
@test("a server that panics while it records: no verdict, if the workload does not mind", "panic=4", " || true", "a request panicked")
@test("a server that dies while it records: no verdict", "die=4", "", "its server panicked")
@test("a server that dies while it records: no verdict, if the workload does not mind", "die=4", " || true", "its server panicked")
def fails(failure, after, says):
    need_server("ublk")
    with tidy() as own:
        work = "set -e; " + WRITES.replace("{}", after)
        words = ("run", "--fs", "none", "--size", "1M", "--backend", "ublk", "--workload", work, "--check", "true", "--budget", "2",
                 "--report", f"{own}/r")  # fmt: skip
        # The control: without a failure there is a verdict.
        powercut(*words)
        subprocess.run(["rm", "-r", f"{own}/r"], check=True)
        done = subprocess.run(["powercut", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              timeout=LIMIT, env={**os.environ, "POWERCUT_TEST_SERVER": failure})
        equal(done.returncode, 2, f"the exit status ({done.stdout[-500:]} {done.stderr[-1500:]})")
        equal(says in done.stderr and "is not served any more" in done.stderr, True, f"what it says: {done.stderr[-1500:]}")
        equal(("violation" in done.stdout, os.path.exists(f"{own}/r")), (False, False), "a verdict, or a report")
        nothing_served()


@test("killed in its workload: the next command takes its device away")
def killed():
    need("ext4")
    need_server("ublk")
    with tidy() as own:
        process = start(own, *EXT4, "--workload", hang(own), "--check", "true")
        process.kill()
        process.wait(LIMIT)
        kill_all_of_it()
        powercut(*EXT4, "--workload", "true", "--check", "true", "--record-only", "--report", f"{own}/r")
        powercut("remove", "--stale")
        nothing_served()


@test("what it can't do is refused by name")
def refusals():
    words = (*EXT4, "--workload", "true", "--check", "true")
    for more in (("--completion", "delayed:9"), ("--stacks",), ("--discard-content", "garbage:1"), ("--fault", "flush-lies"),
                 ("--keep",)):  # fmt: skip
        refused(f"{more[0]} needs the powercut module", *words, *more)
