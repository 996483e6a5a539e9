# SPDX-License-Identifier: GPL-2.0
"""The powercut command: minimize, lint, reports in all formats, states to look at by hand."""

import hashlib
import os
import shlex
import subprocess
import xml.etree.ElementTree as ElementTree

from cases.command_run import need
from lib.command import disks, powercut, refused, tidy
from lib.tap import equal, test

# Block 12 refers to block 7, others have nothing to do with it.
REFERS = (
    'put() { printf "%s" "$2" | dd of=$POWERCUT_DEV bs=4096 seek=$1 oflag=direct conv=notrunc,sync 2>/dev/null; };'
    "put 3 x; put 7 data; {between} put 12 name; put 9 x"
)
REFERS_CHECK = (
    "at() { dd if=$POWERCUT_DEV bs=4096 skip=$1 count=1 2>/dev/null | head -c 4; };"
    'test "$(at 12)" != name || test "$(at 7)" = data || { echo the name has no data; exit 1; }'
)


def refers(own, between, code):
    workload = REFERS.replace("{between}", between)
    words = ("--fs", "none", "--size", "1M", "--workload", workload, "--check", REFERS_CHECK)
    return powercut("run", *words, "--report", own, "--json", json_of=True, code=code)


def short(writes):
    return [(write["sector"], write["sectors"]) for write in writes]


@test("minimize: names the write that had to be stable before another; none where a flush is between")
def order():
    with tidy() as own:
        clean = refers(f"{own}/clean", "sync $POWERCUT_DEV;", 0)
        equal(clean["coverage"]["all"], True, "all states checked with the flush")
        found = refers(f"{own}/bad", "", 1)
        ident = found["violations"][-1]["id"]
        made = powercut("minimize", ident, "--report", f"{own}/bad", "--json", json_of=True, code=1)
        culprit = made["culprit"]
        equal(culprit["sort"], "order", "sort")
        equal(short(culprit["must_be_stable"]), [(56, 8)], "what had to be stable")
        equal(short(culprit["before"]), [(96, 8)], "before what")
        equal(culprit["minimal"], True, "minimal")
        # Both states are as told.
        powercut("replay", culprit["fails"], "--report", f"{own}/bad", code=1, says="the name has no data")
        powercut("replay", culprit["passes"], "--report", f"{own}/bad", says="consistent")
        # It is in the report from now on.
        told = powercut("report", f"{own}/bad", says="must be stable before")
        assert "lba 56" in told and "lba 96" in told, told
        refused("passes", "minimize", culprit["passes"], "--report", f"{own}/bad")


# A key is put, then deleted, and both are acknowledged: a check that holds the disk to the newest
# acknowledgement alone sees that the key was lost only between the two.
PUT_AND_DELETE = (
    'put() { printf "%s" "$1" | dd of=$POWERCUT_DEV bs=4096 oflag=direct conv=notrunc,sync 2>/dev/null; };'
    "put k; {between} echo put k >$POWERCUT_MARK; put -; echo deleted k >$POWERCUT_MARK"
)
PUT_AND_DELETE_CHECK = (
    'test "$(tail -n 1 $POWERCUT_MARKS)" != "put k" || '
    "case $(dd if=$POWERCUT_DEV bs=4096 count=1 2>/dev/null | head -c 1) in "
    "k|-) ;; *) echo k is lost; exit 1;; esac"
)


@test("a loss that shows only between two acknowledgements is found, and only if marks may be anything")
def between_marks():
    with tidy() as own:
        for name, between, words, code in (
            ("lost", "", (), 1),
            ("flushed", "sync $POWERCUT_DEV;", (), 0),
            ("monotone", "", ("--marks", "monotone"), 0),
        ):
            workload = PUT_AND_DELETE.replace("{between}", between)
            report = powercut("run", "--fs", "none", "--size", "1M", "--workload", workload,
                              "--check", PUT_AND_DELETE_CHECK, *words, "--report", f"{own}/{name}",
                              "--json", json_of=True, code=code)  # fmt: skip
            equal(report["coverage"]["all"], True, f"{name}: all covered")
            equal(len(report["violations"]), code, f"{name}: violations")
            equal(report["plan"]["marks"], "monotone" if words else "any", f"{name}: marks")


# A file that is there already is written in place, and acknowledged though nothing was flushed.
OVERWRITE = (
    "head -c 4096 /dev/zero | tr '\\0' n >$POWERCUT_MNT/note.new;"
    "dd if=$POWERCUT_MNT/note.new of=$POWERCUT_MNT/note bs=4096 oflag=direct conv=notrunc 2>/dev/null;"
    "echo noted >$POWERCUT_MARK"
)
OVERWRITE_SETUP = (
    "touch $POWERCUT_MNT/note; chattr +C $POWERCUT_MNT/note 2>/dev/null;"
    "head -c 4096 /dev/zero | tr '\\0' o >$POWERCUT_MNT/note; sync -f $POWERCUT_MNT/note"
)
OVERWRITE_CHECK = (
    'test ! -s $POWERCUT_MARKS || test "$(head -c 1 $POWERCUT_MNT/note)" = n || { echo the note is old; exit 1; }'
)


def owner(fs, what, how):
    need(fs)
    with tidy() as own:
        words = ("--fs", fs, "--setup", OVERWRITE_SETUP, "--check", OVERWRITE_CHECK, "--json")
        kept = powercut("run", *words, "--workload", OVERWRITE.replace("echo", "sync $POWERCUT_MNT/note; echo"),
                        "--budget", "20", "--report", f"{own}/kept", json_of=True)  # fmt: skip
        equal(kept["violations"], [], "violations with a sync")
        lost = powercut("run", *words, "--workload", OVERWRITE, "--budget", "20",
                        "--report", f"{own}/lost", json_of=True, code=1)  # fmt: skip
        ident = lost["violations"][0]["id"]
        made = powercut("minimize", ident, "--report", f"{own}/lost", "--json", json_of=True, code=1)
        culprit = made["culprit"]
        equal((culprit["sort"], culprit["broken"]["text"]), ("promise", "noted"), "the broken promise")
        equal(len(culprit["must_be_stable"]), 1, "writes named")
        belongs = culprit["must_be_stable"][0]["belongs"]
        assert what in belongs["what"] and how in belongs["how"], belongs
        assert "must be stable before mark" in culprit["verdict"], culprit["verdict"]


for name, what, how in (
    ("ext4", "/note at byte 0", "FIEMAP"),
    ("xfs", "/note at byte 0", "FIEMAP"),
    ("btrfs", "/note at byte 0", "chunks"),
    ("f2fs", "/note at byte 0", "FIEMAP"),
    ("vfat", "/note at byte 0", "FIBMAP"),
):
    test(f"minimize on {name}: names the file of a lost write and how that was told", name, what, how)(
        owner
    )


DEMO = "/mnt/powercut/tests/demo"


def sqlite(own, synchronous, *options):
    powercut("run", "--fs", "ext4", "--workload", f"{DEMO}/sqlite-workload DELETE {synchronous} 6",
             "--check", "true", "--budget", "1", "--report", f"{own}/{synchronous}", *options)  # fmt: skip


def lint(*words, code):
    return powercut("lint", *words, "--json", json_of=True, code=code)


@test("lint: SQLite's promises are covered by flushes on ext4, and not with barrier=0")
def lint_sqlite():
    need("ext4")
    with tidy() as own:
        for synchronous in ("EXTRA", "FULL"):
            sqlite(own, synchronous)
            found = lint("--report", f"{own}/{synchronous}", code=0)
            equal((found["marks"], found["at_risk"]), (7, []), f"promises at risk with {synchronous}")
        extra, full = (lint("--report", f"{own}/{mode}", code=0) for mode in ("EXTRA", "FULL"))
        # FULL does not sync the directory after the journal is gone: fewer flushes a promise. What that
        # leaves in memory is in no log: exploring finds it, not a lint.
        flushes = [one["idle_flushes"]["flushes"] for one in (extra, full)]
        assert flushes[0] > flushes[1], flushes
        sqlite(own, "EXTRA", "--mount-opts", "barrier=0")
        found = lint("--report", f"{own}/EXTRA", code=1)
        equal(len(found["at_risk"]), 7, "promises at risk without barriers")
        equal({one["safe_at"] for one in found["at_risk"]}, {None}, "when they were safe")


@test("lint: a promise before its flush, and after; flushes and writes for nothing")
def lint_disk():
    with tidy():
        powercut("create", "a", "--size", "1M")
        powercut("record", "a", "start")
        dd = ("dd", "if=/dev/zero", "of=/dev/powercut/a", "bs=4096", "count=1", "oflag=direct", "conv=notrunc")
        for _ in range(2):
            subprocess.run(dd, check=True, stderr=subprocess.DEVNULL)
        powercut("mark", "a", "early")
        for _ in range(2):
            subprocess.run(("sync", "/dev/powercut/a"), check=True)
        powercut("mark", "a", "safe")
        found = lint("a", code=1)
        equal([(one["mark"]["text"], one["writes"]) for one in found["at_risk"]], [("early", 2)], "at risk")
        assert found["at_risk"][0]["ms"] > 0 and found["at_risk"][0]["safe_at"], found
        equal([one["text"] for one in found["silent"]], ["safe"], "with nothing written before")
        equal((found["idle_flushes"]["flushes"], found["idle_flushes"]["idle"]), (2, 1), "flushes, idle ones")
        equal(found["overwritten"]["writes"], 1, "writes for nothing")
        assert "1 of 2 acknowledgements" in powercut("lint", "a", code=1)
        powercut("remove", "a")
        refused("no disk a", "lint", "a")


@test("report: a page, JUnit XML with a case a cut, JSON and text of a report that is there")
def formats():
    with tidy() as own:
        found = refers(f"{own}/r", "", 1)
        paths = {kind: f"{own}/report.{kind}" for kind in ("html", "junit")}
        powercut("report", f"{own}/r", "--html", paths["html"], "--junit", paths["junit"])
        with open(paths["html"], encoding="utf-8") as file:
            page = file.read()
        assert found["violations"][0]["id"] in page and "<svg" in page, page[:500]
        assert "http" not in page, "the page needs a network"
        suites = ElementTree.parse(paths["junit"]).getroot()
        cases = suites.findall(".//testcase")
        assert len(cases) >= found["coverage"]["cuts"], len(cases)
        failed = [case for case in cases if case.find("failure") is not None]
        equal(len(failed), len({one["cut"] for one in found["violations"]}), "failed cases")
        text = failed[0].find("failure").text
        assert "the name has no data" in text and "powercut replay" in text, text
        equal(powercut("report", f"{own}/r", "--json", json_of=True)["violations"], found["violations"], "as JSON")
        refused("report.json", "report", f"{own}/nowhere")


def checksum(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@test("replay: the state before recovery as an image, read-only, in a shell, and to keep")
def by_hand():
    need("ext4")
    with tidy() as own:
        workload = "echo new >$POWERCUT_MNT/f; sync $POWERCUT_MNT/f $POWERCUT_MNT; echo f >$POWERCUT_MARK"
        powercut("run", "--fs", "ext4", "--workload", workload, "--check", "false", "--no-baseline", "--budget", "300",
                 "--strategy", "ends", "--report", f"{own}/r", code=1)  # fmt: skip
        found = powercut("report", f"{own}/r", "--json", json_of=True)["violations"]
        ident = max(found, key=lambda one: (one["marks"], one["cut"]))["id"]
        where = (ident, "--report", f"{own}/r")
        # With the journal replayed the file is there, without it is not.
        there, gone = "test -s $POWERCUT_MNT/f", "test ! -e $POWERCUT_MNT/f"
        powercut("replay", *where, "--check", there, says="consistent")
        powercut("replay", *where, "--check", gone, "--read-only", says="consistent")
        powercut("replay", *where, "--check", "touch $POWERCUT_MNT/x", "--read-only", code=1, says="Read-only")
        # The image is what the kept view shows, and takes no room for zeroes.
        powercut("replay", *where, "--check", "true", "--keep", "--keep-image", f"{own}/image")
        (name,) = disks()
        node = f"/dev/powercut/{name}.x0"
        equal(checksum(f"{own}/image"), checksum(node), "the image")
        size, taken = os.stat(f"{own}/image").st_size, os.stat(f"{own}/image").st_blocks * 512
        equal(size, 64 << 20, "its size")
        assert taken < size / 4, f"{taken} bytes taken"
        assert "needs_recovery" in subprocess.run(("dumpe2fs", "-h", node), stdout=subprocess.PIPE,
                                                  stderr=subprocess.DEVNULL, text=True, check=True).stdout  # fmt: skip
        powercut("remove", name)
        shell(own, where)


def shell(own, where):
    script = f"{own}/shell"
    with open(script, "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\n{{ pwd; cat f; cat $POWERCUT_MARKS; test -b $POWERCUT_DEV && echo device; }} "
                   f">{shlex.quote(own)}/seen; exit 3\n")  # fmt: skip
    os.chmod(script, 0o755)
    powercut("replay", *where, "--shell", env={**os.environ, "SHELL": script})
    with open(f"{own}/seen", encoding="ascii") as file:
        place, *rest = file.read().splitlines()
    equal(rest, ["new", "f", "device"], "what the shell saw")
    assert not os.path.ismount(place) and not os.listdir(place), f"{place} is still mounted"
    powercut("replay", *where, "--shell", code=2, says="SHELL", env={**os.environ, "SHELL": "/nonexistent"})
