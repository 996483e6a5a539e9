# SPDX-License-Identifier: GPL-2.0
"""powercut fuzz: generated programs, held to what a filesystem promises."""

import json
import os
import shutil
import signal
import subprocess
import time

from cases.command_run import need
from lib.command import LIMIT, nothing_left, powercut, refused, tidy
from lib.tap import Skip, equal, test, wait_until

# Programs of a few operations each, with something made durable.
SYNC = "unlink foo\nfsync /\n"


def fuzz(*words, code=0, says=None):
    return powercut("fuzz", "--json", *words, code=code, says=says, json_of=True)


def program(own, text):
    path = f"{own}/program.txt"
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path


for fs in ("ext4", "xfs", "btrfs", "f2fs", "vfat"):

    @test(f"{fs} at its defaults keeps what it promises, over random programs", fs)
    def keeps(fs):
        need(fs)
        report = fuzz("--fs", fs, "--programs", "10", "--budget", "12", "--seed", "5")
        found = [one for one in report["findings"] if not one["is_known"]]
        equal((found, report["errors"], report["counts"]["judged"]), ([], [], 10), "the report")
        assert report["counts"]["runs"] >= 20, report["counts"]


# Without its flushes a filesystem keeps no promise; with them, at the same programs, it does.
for fs, options, text in (
    ("ext4", "barrier=0", SYNC),
    ("btrfs", "nobarrier", SYNC),
    ("f2fs", "nobarrier", "write foo 0 4096\nfsync foo\n"),
):

    @test(f"{fs} without its flushes breaks a promise, and keeps it with them", fs, options, text)
    def barrier(fs, options, text):
        need(fs)
        with tidy() as own:
            path = program(own, text)
            report = fuzz("--fs", fs, "--program", path, "--mount-opts", options, "--report", f"{own}/r", code=1)
            (finding,) = report["findings"]
            equal(finding["is_known"], False, "whether it is known")
            report = fuzz("--fs", fs, "--program", path)
            equal((report["findings"], report["counts"]["judged"]), ([], 1), "with flushes")


@test("what is found at random is reduced, replayed, known the next time")
def found():
    need("ext4")
    with tidy() as own:
        words = ("--fs", "ext4", "--mount-opts", "barrier=0", "--set", "names", "--seed", "3", "--programs", "30",
                 "--max-violations", "1")  # fmt: skip
        report = fuzz(*words, "--jobs", "1", "--report", f"{own}/r", "--junit", f"{own}/junit.xml", code=1)
        finding = report["findings"][0]
        least = finding["program"]
        assert len(least) <= min(4, len(finding["from"])), finding
        files = set(os.listdir(f"{own}/r/1"))
        equal(files, {"program.txt", "program.sh", "program.c", "xfstest", "trace.json", "report"}, "files")
        with open(f"{own}/junit.xml", encoding="utf-8") as file:
            assert 'failures="1"' in file.read(), "JUnit"
        with open(f"{own}/r/fuzz.json", encoding="utf-8") as file:
            equal(json.load(file)["findings"], report["findings"], "the file")
        # The state fails again, by the check of its report.
        powercut("replay", "1", "--report", f"{own}/r/1/report", code=1)
        # The program alone does the same, and is known.
        again = fuzz("--fs", "ext4", "--mount-opts", "barrier=0", "--program", f"{own}/r/1/program.txt", "--report",
                     f"{own}/s", code=1)  # fmt: skip
        equal(again["findings"][0]["rule"], finding["rule"], "the rule")
        known = fuzz("--fs", "ext4", "--mount-opts", "barrier=0", "--program", f"{own}/r/1/program.txt", "--known",
                     f"{own}/r")  # fmt: skip
        equal([one["is_known"] for one in known["findings"]], [True], "known findings")
        # Its shell script is a workload.
        powercut("run", "--fs", "ext4", "--workload", f"sh {own}/r/1/program.sh", "--check", "true", "--budget", "3",
                 "--no-baseline")  # fmt: skip


@test("the report of a recovery that is cut has no violation that its own check made")
def cut():
    need("f2fs")
    with tidy() as own:
        path = program(own, "setxattr foo user.b 1\nfsync foo\n")
        report = fuzz("--fs", "f2fs", "--program", path, "--thorough", "1", "--report", f"{own}/r", code=1)
        (finding,) = report["findings"]
        assert "of the recovery" in finding["text"], finding

        def broken(where):
            with open(f"{where}/report.json", encoding="utf-8") as file:
                return {line.split(";")[0] for one in json.load(file)["violations"] for line in one["output"].splitlines()}

        told = finding["text"].split(";")[0]
        equal(broken(f"{own}/r/1/report"), {told}, "what is wrong")
        # A check that writes to the state has its own writes judged.
        powercut("explore", "--recording", f"{own}/r/1/report", "--mount", "f2fs", "--check", f"powercut judge {own}/r/1/trace.json",
                 "--no-baseline", "--depth", "2", "--report", f"{own}/written", code=1)  # fmt: skip
        assert broken(f"{own}/written") - {told}, told


@test("what is known of Linux is told and does not fail, unless nothing is to be known")
def known_of_linux():
    need("vfat")
    with tidy() as own:
        # Its one program: rename foo A/bar plain, fsync A/bar.
        words = ("--fs", "vfat", "--set", "names", "--ops", "1", "--exhaustive", "--from", "318", "--programs", "1")
        report = fuzz(*words, "--report", f"{own}/known")
        equal([(one["rule"], one["is_known"]) for one in report["findings"]], [("size", True)], "the findings")
        report = fuzz(*words, "--known", "none", "--report", f"{own}/none", code=1)
        equal([(one["rule"], one["is_known"]) for one in report["findings"]], [("size", False)], "with none known")


# On two disks that fail together; without the flush of both, nothing is kept.
JOURNAL = ("mke2fs -q -F -b 4096 -O journal_dev {journal} && "
           "mkfs.ext4 -q -F -b 4096 -E lazy_itable_init=0 -J device={journal} {data}")  # fmt: skip
MIRROR = "mkfs.btrfs -q -f -d raid1 -m raid1 {a} {b}"
for what, fs, disks, mkfs, options, without in (
    ("ext4 with its journal on another disk", "ext4", "data:64M,journal:8M", JOURNAL, "journal_path={journal}", "barrier=0"),
    ("btrfs on two disks", "btrfs", "a:128M,b:128M", MIRROR, "device={b}", "nobarrier"),
):

    @test(f"{what} is tried, too: without flushes it breaks a promise", fs, disks, mkfs, options, without, limit=300)
    def several(fs, disks, mkfs, options, without):
        need(fs)
        with tidy() as own:
            words = ("--fs", fs, "--disks", disks, "--mkfs", mkfs, "--program", program(own, SYNC))
            report = fuzz(*words, "--mount-opts", options)
            equal((report["findings"], report["counts"]["judged"]), ([], 1), "with flushes")
            fuzz(*words, "--mount-opts", f"{options},{without}", "--report", f"{own}/r", code=1)


@test("what can't be mounted is found, too")
def unmountable():
    need("ext4")
    with tidy() as own:
        path = program(own, "creat bar\nfsync bar\n")
        report = fuzz("--fs", "ext4", "--program", path, "--fsck", "dd if=/dev/zero of=$POWERCUT_DEV bs=4096 count=1",
                      "--report", f"{own}/r", code=1)  # fmt: skip
        equal(report["findings"][0]["rule"], "mount", "the rule")


# What is done, on which filesystem, how many operations it has not, and those.
REMOUNT = "open foo\nunlink foo\nfsync /\nremount\ncreat bar\nfsync bar\n"
RING = "write foo 0 4096 io_uring\nwrite foo 12288 4096 io_uring-dsync\nfsync foo\n"
HELD = "open foo\nopen B\nwrite foo 0 4096\nunlink foo\nrmdir B\nfsync_open\n"
LONG = "setxattr foo user.c 3*600\nfsync foo\nremovexattr foo user.c\nfsync foo\n"
for what, fs, failed, text in (
    ("goes on after a remount", "ext4", 0, REMOUNT),
    ("goes on without a remount on a FAT", "vfat", 1, REMOUNT),
    ("has attributes that fill a block", "ext4", 0, LONG),
    ("writes by io_uring", "ext4", 0, RING),
    ("writes by io_uring, to XFS, too", "xfs", 0, RING),
    ("fsyncs what it holds open, without a name", "btrfs", 0, HELD),
):

    @test(f"a program {what}", fs, failed, text)
    def done(fs, failed, text):
        need(fs)
        with tidy() as own:
            report = fuzz("--fs", fs, "--program", program(own, text), "--budget", "6")
            counts = report["counts"]
            equal((counts["ops"], counts["failed_ops"]), (len(text.splitlines()), failed), "operations")
            equal(report["findings"], [], "findings")


@test("programs have numbers: a shard has a part of them, --from goes on, a seed gives the same")
def numbers():
    need("ext4")
    base = ("--fs", "ext4", "--set", "names", "--exhaustive", "--ops", "1", "--budget", "1", "--thorough", "0")
    whole = fuzz(*base, "--programs", "6")["counts"]
    parts = [fuzz(*base, "--programs", "3", "--shard", f"{nr}/2")["counts"] for nr in (1, 2)]
    equal(sum(part["judged"] for part in parts), whole["judged"], "programs")
    following = fuzz(*base, "--programs", "2", "--from", whole["next"])["counts"]
    assert following["next"] > whole["next"], following
    random = ("--fs", "ext4", "--programs", "4", "--budget", "1", "--thorough", "0", "--seed", "9")
    equal(fuzz(*random)["counts"]["ops"], fuzz(*random, "--jobs", "1")["counts"]["ops"], "operations")


@test("the bounds are listed without a disk")
def bounds():
    rows = fuzz("--list", "--ops", "1")
    equal([row["set"] for row in rows], ["names", "data", "attributes", "all"], "sets")
    (row,) = fuzz("--list", "--set", "attributes", "--ops", "2")
    assert 1000 < row["programs"] < row["numbers"], row


@test("interrupted, it leaves nothing and ends by the signal")
def interrupted():
    need("ext4")
    with tidy() as own:
        with open(f"{own}/err", "w", encoding="utf-8") as err:
            process = subprocess.Popen(["powercut", "fuzz", "--fs", "ext4", "--programs", "none"], cwd=own, stderr=err,
                                       stdout=err, start_new_session=True)  # fmt: skip
        wait_until(lambda: any(name.startswith("fuzz-") for name in os.listdir("/sys/kernel/config/powercut")), "the disk")
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        equal(process.wait(LIMIT), 130, "status")
        nothing_left("powercut\0executor\0")


@test("what is no program, no level, no bound is refused with a word to it")
def bad():
    if not shutil.which("mkfs.ext4"):
        raise Skip("no ext4 here")
    with tidy() as own:
        for says, *words in (
            ("line 2", "--program", program(own, "sync\nformat foo\n")),
            ("no level", "--level", "strict"),
            ("--ops 9", "--ops", "9"),
            ("no set", "--set", "some"),
            ("--from needs --exhaustive", "--from", "3"),
            ("--known takes the directory", "--known", own),
        ):
            refused(says, "fuzz", "--fs", "ext4", *words)
        refused("a program needs a filesystem", "fuzz", "--fs", "none")
