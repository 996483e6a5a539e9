# SPDX-License-Identifier: GPL-2.0
"""The baseline: the check is run on disks that no power cut left, before it is believed; and what
the exit status of --fsck says."""

import glob
import hashlib
import os

from cases.command_run import CHECK, KEPT, need
from lib.command import disks, powercut, refused, tidy
from lib.disk import Disk
from lib.tap import equal, test

BEFORE, AFTER = "as it was before the workload", "as the finished workload left it"
# Two blocks, then a promise.
BLOCKS = (
    "for c in a b; do printf $c; done | dd of=$POWERCUT_DEV bs=1 conv=notrunc,fsync 2>/dev/null;"
    "printf c | dd of=$POWERCUT_DEV bs=4096 seek=1 conv=notrunc,fsync 2>/dev/null; echo m >$POWERCUT_MARK"
)
BLOCKS_CHECK = 'test ! -s $POWERCUT_MARKS || test "$(head -c 2 $POWERCUT_DEV)" = ab'
FEW = ("--strategy", "ends", "--budget", "6")


def counted(own, check):
    """A check that writes a line for each run of it."""
    return f"echo run >>{own}/runs; {check}"


def runs(own):
    if not os.path.exists(f"{own}/runs"):
        return 0
    with open(f"{own}/runs", encoding="ascii") as file:
        number = len(file.readlines())
    os.unlink(f"{own}/runs")
    return number


def run(*options, fs="none", workload=BLOCKS, check=BLOCKS_CHECK, **expected):
    return powercut("run", "--fs", fs, "--workload", workload, "--check", check, *FEW, *options, **expected)


@test("a check that fails without a crash is an error that says where, and no state is explored")
def unsound():
    with tidy() as own:
        with open(f"{own}/plain", "w", encoding="ascii"):
            pass
        for where, number, says, check, *options in (
            (BEFORE, 1, "It printed:\noh no", "echo oh no; exit 1"),
            (AFTER, 2, "It printed:\nit is gone", "test ! -s $POWERCUT_MARKS || { echo it is gone; exit 1; }"),
            (BEFORE, 1, "could not be started", f"{own}/plain"),
            (BEFORE, 1, "could not be started", "no-such-command"),
            (BEFORE, 1, "killed by signal 9", "kill -9 $$"),
            (BEFORE, 1, "--check-timeout", "sleep 86399", "--check-timeout", "500ms"),
            (BEFORE, 0, "fsck failed, exit 4", "true", "--fsck", "exit 4"),
        ):
            report = ("--report", f"{own}/r")
            refused((where, says, "--no-baseline"), "run", "--fs", "none", "--workload", BLOCKS,
                    "--check", counted(own, check), *report, *options)  # fmt: skip
            equal(runs(own), number, f"runs of {check}")
            equal(os.path.exists(f"{own}/r"), False, "a report")
            run("--no-baseline", *report, *options, check=check, code=1, says="violation")
            powercut("report", f"{own}/r")
            for file in glob.glob(f"{own}/r/*"):
                os.unlink(file)
            os.rmdir(f"{own}/r")


@test("a sound check is run on two disks first; the report says so; one that can't tell passes")
def sound():
    with tidy() as own:
        for check, before, after, code in (
            (BLOCKS_CHECK, "consistent", "consistent", 0),
            (f"test -s $POWERCUT_MARKS || exit 125; {BLOCKS_CHECK}", "skipped", "consistent", 0),
            ("test ! -s $POWERCUT_MARKS || exit 125", "consistent", "skipped", 0),
            # In a state it may be missing all the same: it lies on the disk, say.
            (f"{BLOCKS_CHECK} && {{ test ! -e {own}/up || exit 127; }}; s=$?; touch {own}/up; exit $s",
             "consistent", None, 2),
        ):  # fmt: skip
            json = ("--json",) if code == 0 else ()
            # One at a time: what is run ahead is a run, too.
            report = run("--jobs", "1", "--report", f"{own}/r", *json, check=counted(own, check), code=code, json_of=code == 0)
            number = runs(own)
            if code:
                assert AFTER not in report, report
                continue
            told = report["baseline"]
            equal((told["before"], told["after"]), (before, after), "the baseline")
            assert 0 < told["seconds"] < 100, told
            equal(number, report["coverage"]["checked"] + report["coverage"]["repeats"]["repeated"] + 2, "runs")
        # A warning, as nothing is known of the finished workload.
        run("--report", f"{own}/r", check="test ! -s $POWERCUT_MARKS || exit 125", says="warning: of the disk as the finished")
        told = run("--no-baseline", "--jobs", "1", "--report", f"{own}/r", "--json", check=counted(own, "true"), json_of=True)
        equal("baseline" in told, False, "a baseline without one")
        equal(runs(own), told["coverage"]["checked"] + told["coverage"]["repeats"]["repeated"], "runs without one")


@test("a program on the disk that a cut loses is a violation, 127 or not, once the baseline has found it")
def program_on_the_disk():
    need("ext4")
    with tidy() as own:
        workload = "printf '#!/bin/sh\\nexit 0\\n' >$POWERCUT_MNT/p; chmod +x $POWERCUT_MNT/p; echo p >$POWERCUT_MARK"
        check = "test ! -s $POWERCUT_MARKS || $POWERCUT_MNT/p"
        found = run("--report", f"{own}/r", "--json", fs="ext4", workload=workload, check=check, code=1, json_of=True)
        assert {v["how"] for v in found["violations"]} <= {"exit 126", "exit 127"}, found["violations"]
        clean = workload.replace("; echo p", "; sync $POWERCUT_MNT/p $POWERCUT_MNT; echo p")
        run("--report", f"{own}/r", fs="ext4", workload=clean, check=check)


@test("explore: the disk before; of a record with a report, too; not again when it is resumed; not with faults the one after")
def others():
    fails = f"test -s $POWERCUT_MARKS && {BLOCKS_CHECK}"
    with tidy() as own, Disk("a") as disk:
        disk.record("start")
        with disk.raw() as raw:
            raw.write(0, b"ab" * 2048)
            raw.flush()
            disk.mark("m")
        disk.record("stop")
        refused(BEFORE, "explore", "a", "--check", fails)
        report = powercut("explore", "a", "--check", BLOCKS_CHECK, "--json", json_of=True)
        equal((report["baseline"]["before"], "after" in report["baseline"]), ("consistent", False), "of a disk")

        # Of a disk that has faults what the workload left is not looked at: here it can't be right.
        check = counted(own, BLOCKS_CHECK)
        report = run("--fault", "lost", "--report", f"{own}/f", "--json", check=check, code=1, json_of=True)
        equal("after" in report["baseline"], False, "with faults")
        runs(own)

        # Shards use the record: both disks are looked at when it is made.
        refused(AFTER, "run", "--fs", "none", "--workload", BLOCKS, "--check", "test ! -s $POWERCUT_MARKS", "--record-only")
        run("--record-only", "--report", f"{own}/record", check=check)
        equal(runs(own), 2, "runs with --record-only")
        # One at a time: with more, some are examined before it is known that they need not be.
        where = ("explore", "--recording", f"{own}/record", "--jobs", "1")
        report = powercut(*where, "--report", f"{own}/r", "--json", json_of=True)
        equal(runs(own), report["coverage"]["checked"] + report["coverage"]["repeats"]["repeated"] + 1, "runs of explore")
        refused(BEFORE, *where, "--check", fails)
        first = report["baseline"]
        report = powercut("explore", "--resume", f"{own}/r", "--jobs", "1", "--json", json_of=True)
        equal(runs(own), 0, "runs of a resumed one")
        equal(report["baseline"], first, "its baseline")
        refused("cannot be used with", "explore", "--resume", f"{own}/r", "--no-baseline")


@test("the baseline on two disks, with recoveries that are cut, side by side, on XFS and btrfs")
def widths():
    two = "test ! -s $POWERCUT_MARKS || { head -c 2 $POWERCUT_DEV; head -c 1 $POWERCUT_DEV_LOG; } | grep -q abc"
    work = BLOCKS.replace("of=$POWERCUT_DEV bs=4096 seek=1", "of=$POWERCUT_DEV_LOG bs=4096")
    group = ("--disks", "data:1M,log:1M")
    with tidy() as own:
        both = {"before": "consistent", "after": "consistent"}
        for fs, workload, check, *options in (
            ("none", work, two, *group),
            ("none", work, two, *group, "--keep"),
            ("ext4", KEPT, CHECK, "--depth", "2", "--recovery-budget", "2"),
            ("xfs", KEPT, CHECK, "--jobs", "2"),
            ("btrfs", KEPT, CHECK, "--jobs", "2", "--keep"),
        ):
            if fs != "none":
                need(fs)
            report = run("--report", f"{own}/r", "--json", *options, fs=fs, workload=workload, check=check, json_of=True)
            equal({key: report["baseline"][key] for key in both}, both, f"baseline of {fs}")
            for name in disks():
                powercut("remove", name)
        refused(AFTER, "run", "--fs", "none", *group, "--workload", work, "--check", f"{two}; test $? = 0 -a ! -s $POWERCUT_MARKS")


def checksum(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# Notes what it finds, then writes all over it.
SCRIBBLE = (
    "echo $(sha256sum <$POWERCUT_DEV) $(cat $POWERCUT_MARKS) >>{own}/seen;"
    "head -c 65536 /dev/urandom | dd of=$POWERCUT_DEV conv=notrunc,fsync 2>/dev/null"
)


def seen(own):
    with open(f"{own}/seen", encoding="ascii") as file:
        lines = file.read().splitlines()
    os.unlink(f"{own}/seen")
    return lines


@test("states are the same with a baseline and without, though the check writes all over its disk")
def same_states():
    with tidy() as own:
        looks = []
        for options in ((), ("--no-baseline",), ("--keep",)):
            words = ("--size", "1M", "--strategy", "exhaustive", "--report", f"{own}/r", "--json", *options)
            report = powercut("run", "--fs", "none", "--workload", BLOCKS, "--check", SCRIBBLE.format(own=own), *words,
                              json_of=True)  # fmt: skip
            assert report["coverage"]["checked"] > 3, report["coverage"]
            looks.append(seen(own))
            for name in disks():
                powercut("remove", name)
        first, without, keeping = looks
        equal(first[:2], keeping[:2], "what the baseline sees")
        assert not first[0].endswith("m") and first[1].endswith("m"), first[:2]
        equal(sorted(set(first[2:])), sorted(set(without)), "states")
        equal(sorted(set(keeping[2:])), sorted(set(without)), "states with --keep")
        assert len(set(without)) > 3, without


@test("run --keep: the disk is as the workload left it, though the baseline's check wrote to its own")
def kept():
    need("ext4")
    with tidy() as own:
        for fs, size, workload, check in (
            ("none", "1M", BLOCKS, SCRIBBLE.format(own=own)),
            ("ext4", "16M", KEPT, "rm -f $POWERCUT_MNT/f; touch $POWERCUT_MNT/by-the-check"),
        ):
            told = run("--keep", "--size", size, "--report", f"{own}/r", "--json", fs=fs, workload=workload, check=check, json_of=True)
            equal(told["baseline"]["after"], "consistent", "the baseline")
            (name,) = disks()
            node = f"/dev/powercut/{name}"
            if fs == "none":
                equal(checksum(node), seen(own)[1].split()[0], "the kept disk, and what the baseline saw")
            else:
                files = os.popen(f"debugfs -R ls {node} 2>/dev/null").read()
                assert " f " in files and "by-the-check" not in files, files
            powercut("remove", name)


def status(own, name, number):
    """A checker of that name, which ends with a number."""
    with open(f"{own}/{name}", "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\nexit {number}\n")
    os.chmod(f"{own}/{name}", 0o755)
    return f"{own}/{name}"


@test("--fsck: corrected is fine where the manual says so, and not where it says otherwise")
def fsck_statuses():
    with tidy() as own:
        for name, number, options, code in (
            ("fsck.any", 0, "", 0), ("fsck.any", 1, "", 0), ("e2fsck", 3, "-fy", 0), ("fsck.any", 4, "", 1),
            ("fsck.any", 8, "", 1), ("fsck.any", 127, "", 1), ("fsck.vfat", 1, "-a", 0), ("fsck.vfat", 1, "-n", 1),
            ("fsck.vfat", 2, "-a", 1), ("xfs_repair", 0, "", 0), ("xfs_repair", 1, "-n", 1), ("xfs_repair", 2, "", 1),
        ):  # fmt: skip
            command = f"{status(own, name, number)} {options}"
            report = run("--fsck", command, "--no-baseline", "--report", f"{own}/r", "--json", check="true",
                         code=code, json_of=True)  # fmt: skip
            kinds = {(v["kind"], v["how"]) for v in report["violations"]}
            equal(kinds, {("fsck", f"exit {number}")} if code else set(), command)
            # It is the same in the baseline.
            if code:
                refused(f"fsck failed, exit {number}", "run", "--fs", "none", "--workload", BLOCKS, "--check", "true",
                        "--fsck", command)  # fmt: skip


@test("real checkers: e2fsck and fsck.vfat correct a crash state, which is fine; fsck.vfat -n may not")
def real_checkers():
    need("ext4")
    need("vfat")
    with tidy() as own:
        for fs, command, code in (
            ("ext4", "e2fsck -fy $POWERCUT_DEV", 0),
            ("vfat", "fsck.vfat -a $POWERCUT_DEV", 0),
            ("vfat", "fsck.vfat -n $POWERCUT_DEV", 1),
        ):
            fsck = f"{command}; s=$?; echo $s >>{own}/statuses; exit $s"
            run("--fsck", fsck, "--report", f"{own}/r", fs=fs, workload=KEPT, check=CHECK, code=code)
            with open(f"{own}/statuses", encoding="ascii") as file:
                statuses = file.read().split()
            os.unlink(f"{own}/statuses")
            assert statuses[:2] == ["0", "0"] and set(statuses) == {"0", "1"}, f"{command}: {statuses}"
