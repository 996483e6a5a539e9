# SPDX-License-Identifier: GPL-2.0
"""The powercut command: run, explore and replay, what they find and what they refuse."""

import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import time

from lib.command import disks, nothing_left, powercut, refused, tidy
from lib.disk import Disk
from lib.tap import LIMIT, Skip, equal, few, rounds, test

# A promise that is kept, and one that is not.
KEPT = 'echo text >$POWERCUT_MNT/f; sync $POWERCUT_MNT/f $POWERCUT_MNT; echo f >$POWERCUT_MARK'
BROKEN = 'echo text >$POWERCUT_MNT/f; echo f >$POWERCUT_MARK'
CHECK = 'while read f; do test -s $POWERCUT_MNT/$f || { echo "$f is lost"; exit 1; }; done <$POWERCUT_MARKS'
FAST = ("--budget", str(rounds(8, 4)), "--strategy", "ends")
README = "/mnt/powercut/README.md"


def run(fs, workload, *options, check=CHECK, **expected):
    return powercut("run", "--fs", fs, "--workload", workload, "--check", check, *options, **expected)


def run_json(fs, workload, *options, code=0, check=CHECK):
    return run(fs, workload, *options, "--json", check=check, code=code, json_of=True)


def need(fs):
    subprocess.run(["modprobe", "-q", fs], check=False)
    with open("/proc/filesystems", encoding="utf-8") as file:
        if fs not in file.read().split() or not shutil.which(f"mkfs.{fs}"):
            raise Skip(f"no {fs} here")


def filesystem(fs):
    need(fs)
    with tidy() as own:
        report = run_json(fs, KEPT, *FAST, "--report", f"{own}/good")
        equal(report["violations"], [], "violations of the careful one")
        equal(report["record"]["marks"], 1, "marks")
        report = run_json(fs, BROKEN, *FAST, "--report", f"{own}/bad", code=1)
        kinds = {(v["kind"], v["output"]) for v in report["violations"]}
        equal(kinds, {("check", "f is lost\n")}, "violations of the careless one")
        equal({v["last_mark"] for v in report["violations"]}, {"f"}, "newest mark")


for name in ("ext4", "xfs", "btrfs", "f2fs", "vfat"):
    test(f"run on {name}: a kept promise is none to complain of, a broken one is found", name)(filesystem)


@test("run without a filesystem: the commands get the device")
def no_filesystem():
    write = "printf a | dd of=$POWERCUT_DEV bs=4096 conv=notrunc,sync 2>/dev/null"
    check = "test -z \"$POWERCUT_MNT\" || exit 2; test ! -s $POWERCUT_MARKS || head -c 1 $POWERCUT_DEV | grep -q a"
    with tidy() as own:
        for tail, code in (("; sync $POWERCUT_DEV; echo m >$POWERCUT_MARK", 0), ("; echo m >$POWERCUT_MARK", 1)):
            report = run_json("none", write + tail, "--report", f"{own}/r", check=check, code=code)
            equal(report["coverage"]["all"], True, "all states checked")


@test("run: setup comes before the record, options reach mkfs and mount, the disk is as asked")
def options():
    check = "test -s $POWERCUT_MNT/old || exit 1; grep \" $POWERCUT_MNT ext4\" /proc/mounts"
    with tidy() as own:
        setup = "dd if=/dev/zero of=$POWERCUT_MNT/old bs=1M count=2 2>/dev/null; sync $POWERCUT_MNT/old $POWERCUT_MNT"
        workload = "grep -q \" $POWERCUT_MNT ext4 [^ ]*noatime[^ ]*nobarrier\" /proc/mounts && " + KEPT
        report = run_json("ext4", workload, *FAST, "--setup", setup, "--size", "32M", "--block-size", "512",
                          "--atomic-unit", "4096", "--fua", "off", "--mkfs-opts", "-b 4096 -m 0",
                          "--mount-opts", "noatime,barrier=0", "--case", "my case", "--seed", "7",
                          "--report", f"{own}/r", check=check)  # fmt: skip
        equal(report["disk"], {"bytes": 32 << 20, "block_size": 512, "atomic_unit": 4096,
                               "write_cache": True, "fua": False}, "disk")  # fmt: skip
        equal((report["case"], report["plan"]["seed"]), ("my case", 7), "case and seed")
        equal(report["examination"]["mount"], {"fs": "ext4", "options": "noatime,barrier=0"}, "mount")
        assert report["record"]["bytes"] < 1 << 20, f"setup was recorded: {report['record']}"
        with open(f"{own}/r/report.json", encoding="utf-8") as file:
            equal(json.load(file), report, "what is saved")


@test("run: what fails before there is anything to check is an error, and all is gone again")
def failures():
    with tidy() as own:
        env = os.environ | {"PATH": own}
        powercut_bin = shutil.which("powercut")
        os.symlink(powercut_bin, f"{own}/powercut")
        refused("is e2fsprogs installed?", "run", "--fs", "ext4", "--workload", "true", "--check", "true", env=env)
        for says, *words in few((
            ("the workload failed (exit 3)", "ext4", "echo oh; exit 3"),
            ("it printed:\noh", "ext4", "echo oh; exit 3"),
            ("killed by signal 9", "ext4", "kill -9 $$"),
            ("the setup failed (exit 1)", "ext4", "true", "--setup", "false"),
            ("mkfs.ext4 --wrong failed", "ext4", "true", "--mkfs-opts", "--wrong"),
            ("cannot mount", "ext4", "true", "--mount-opts", "nonsense"),
            ("mkfs.xfs", "xfs", "true", "--size", "8M"),
            ("cannot write the report", "none", "true", "--report", "/proc/nowhere"),
            ("--size", "ext4", "true", "--size", "0"),
            ("--workload is empty", "ext4", "  "),
            ("--budget", "ext4", "true", "--budget", "0"),
            ("--budget", "ext4", "true", "--budget", "-5"),
            ("--budget", "ext4", "true", "--budget", "1.5"),
            ("--check-timeout", "ext4", "true", "--check-timeout", "0"),
            ("--check-timeout", "ext4", "true", "--check-timeout", "soon"),
            ("--seed", "ext4", "true", "--seed", "x"),
            ("possible values", "ext4", "true", "--strategy", "luck"),
            ("possible values", "ext4", "true", "--writeback", "lazy"),
            ("kernel with CONFIG_NOFS_FS", "nofs", "true"),
            ("no filesystem of a disk", "tmpfs", "true"),
            ("no mkfs.iso9660 in PATH: install", "iso9660", "true"),
            ("options go to --mount-opts", "ext4,ro", "true"),
            ("failed (exit 3)", "ext4", "true", "--mkfs", "exit 3"),
            ("--fs none", "none", "true", "--mount-opts", "ro"),
        )):  # fmt: skip
            refused(says, "run", "--fs", words[0], "--workload", words[1], "--check", "true", *words[2:])
        refused("--check is empty", "run", "--fs", "ext4", "--workload", "true", "--check", "")
        refused("--fsck is empty", "run", "--fs", "ext4", "--workload", "true", "--check", "true", "--fsck", "")


@test("run --keep leaves the disk, and says so")
def keep():
    with tidy() as own:
        text = run("none", "true", "--keep", says="powercut remove run-")
        assert "kept" not in text, text
        (name,) = disks()
        powercut("count", name)
        powercut("remove", name)
        run("none", "false", "--keep", code=2, says="kept /dev/powercut/run-", cwd=own)
        (name,) = disks()
        powercut("remove", name)


@test("--writeback eager: data is written though nobody syncs, and the settings come back")
def eager():
    workload = "cat /proc/sys/vm/dirty_writeback_centisecs >&2; exit 1"
    with tidy():
        run("ext4", workload, "--writeback", "eager", code=2, says="it printed:\n1")
    # Who holds the device open and never syncs: the page reaches the disk before the mark.
    workload = (
        "exec 3<>$POWERCUT_DEV; printf a >&3; for n in $(seq {}); do sleep 0.1;"
        "powercut log ${{POWERCUT_DEV##*/}} --json | grep -q '\"op\":\"WRITE\"' && echo m >$POWERCUT_MARK && exit;"
        "done; exit 1"
    )
    for options, tries, code in ((("--writeback", "eager"), 1000, 0), ((), 10, 2)):
        with tidy() as own:
            run("none", workload.format(tries), *options, "--report", f"{own}/r", check="true", code=code)


@test("--fsck goes before the mount; a check that takes too long is a violation; 125 can't tell")
def examination():
    with tidy() as own:
        report = run_json("ext4", KEPT, *FAST, "--fsck", "echo bad; exit 4", "--no-baseline", "--report", f"{own}/f", code=1)
        equal({(v["kind"], v["how"], v["output"]) for v in report["violations"]}, {("fsck", "exit 4", "bad\n")}, "found")
        report = run_json("ext4", KEPT, *FAST, "--fsck", "e2fsck -fy $POWERCUT_DEV")
        equal(report["violations"], [], "found with a real fsck")
        marker = "86399.25"
        began = time.monotonic()
        report = run_json("none", "true", "--check-timeout", "3s", "--no-baseline", "--report", f"{own}/t", code=1,
                          check=f"echo before; sleep {marker} & sleep {marker}")  # fmt: skip
        took = time.monotonic() - began
        equal([(v["kind"], v["output"]) for v in report["violations"]], [("timeout", "before\n")], "found")
        assert took < LIMIT, f"{took} s"
        nothing_left(marker)
        report = run_json("none", "true", check="exit 125", code=2)
        equal((report["coverage"]["skipped"], report["violations"]), (1, []), "skipped")
        report = run_json("none", "true", "--no-baseline", "--report", f"{own}/k", check="kill -9 $$", code=1)
        equal(report["violations"][0]["how"], "killed by signal 9", "how")


@test("a state that can't be mounted is told from a failed check")
def failed_mount():
    with tidy() as own:
        # The disk is made unmountable while it is recorded; with all lost it still mounts.
        workload = "umount $POWERCUT_MNT; dd if=/dev/zero of=$POWERCUT_DEV bs=4096 count=1 oflag=direct 2>/dev/null"
        workload += "; mount -t tmpfs none $POWERCUT_MNT"
        report = run_json("ext4", workload, "--no-baseline", "--report", f"{own}/r", check="true", code=1)
        kinds = [violation["kind"] for violation in report["violations"]]
        equal(set(kinds), {"mount"}, "violations")
        assert "ext4" in report["violations"][0]["how"], report["violations"][0]
        assert len(kinds) < report["coverage"]["checked"], "none could be mounted"


def recorded(disk, blocks=3):
    disk.record("start")
    with disk.raw() as raw:
        for block in range(blocks):
            raw.write(block * 4096, bytes([65 + block]) * 4096)
            if block % 2:
                raw.flush()
                disk.mark(f"{block} is safe")
    disk.record("stop")


COMPARE = "test \"$(head -c 1 $POWERCUT_DEV)\" = A"


@test("explore: an own disk, which stays as it is; every strategy keeps to what is legal")
def explore():
    with tidy() as own, Disk("a") as disk:
        refused("no record", "explore", "a", "--check", "true")
        refused("no disk b", "explore", "b", "--check", "true")
        recorded(disk)
        before = disk.export()
        legal = int(powercut("count", "a", "--json", json_of=True)["legal_states"])
        plan = ("--check", COMPARE, "--no-baseline", "--report", f"{own}/r", "--json")
        for strategy in few(("auto", "ends", "prefix", "drop-one", "keep-one", "random")):
            report = powercut("explore", "a", *plan, "--strategy", strategy, code=1, json_of=True)
            coverage = report["coverage"]
            assert 1 <= coverage["checked"] <= legal, f"{strategy}: {coverage}"
            equal(coverage["legal_states"], str(legal), "legal states")
            if strategy not in ("auto", "random"):
                continue
            again = powercut("explore", "a", *plan, "--strategy", strategy, code=1, json_of=True)
            equal([v["id"] for v in again["violations"]], [v["id"] for v in report["violations"]], f"{strategy}, again")
        first = powercut("explore", "a", *plan, "--stop-on-first", code=1, json_of=True)
        equal((len(first["violations"]), first["coverage"]["ended"]), (1, "first-violation"), "with --stop-on-first")
        one = powercut("explore", "a", "--check", "true", "--budget", "1", "--strategy", "random", "--json", json_of=True)
        equal((one["coverage"]["checked"], one["coverage"]["all"]), (1, False), "with --budget 1")
        timed = powercut("explore", "a", "--check", "sleep 0.4", "--budget", "1s", "--json", json_of=True)
        equal(timed["coverage"]["ended"], "budget", "why it ended")
        powercut("explore", "a", "--check", "true", "--mount", "ext4", "--no-baseline", "--report", f"{own}/m",
                 code=1, says="mount failed")  # fmt: skip
        refused("kernel has no filesystem", "explore", "a", "--check", "true", "--mount", "nofs")
        refused("--mount", "explore", "a", "--check", "true", "--mount", "../x")
        equal(disk.export(), before, "the record")


@test("replay: from the report, from a disk, with another check; again and again the same")
def replay():
    with tidy() as own, Disk("a") as disk:
        recorded(disk)
        report = powercut("explore", "a", "--check", COMPARE + " || { echo no A; exit 1; }", "--no-baseline",
                          "--report", f"{own}/r", "--json", code=1, json_of=True)  # fmt: skip
        ident = report["violations"][0]["id"]
        found = powercut("replay", ident, "--report", f"{own}/r", "--json", code=1, json_of=True)
        # Its place in the exploration and the report, its culprit and a second run are not for a replay to tell.
        left_out = ("rank", "culprit", "again", "number", "sort")
        first = {key: value for key, value in report["violations"][0].items() if key not in left_out}
        again = {key: value for key, value in found["violation"].items() if key != "rank"}
        equal(again, first, "the violation, replayed")
        by_number = powercut("replay", "1", "--report", f"{own}/r", "--json", code=1, json_of=True)
        equal((report["violations"][0]["number"], by_number), (1, found), "the same by its number")
        refused("there is no violation 99 in the report", "replay", "99", "--report", f"{own}/r")
        refused("give --report DIR", "replay", "1", "--disk", "a", "--check", "true")
        for _ in range(2):
            text = powercut("replay", ident, "--report", f"{own}/r", code=1, says="VIOLATION: check failed, exit 1")
            assert ident in text and "no A" in text, text
        powercut("replay", ident, "--report", f"{own}/r", "--check", "true", says="consistent")
        powercut("replay", ident, "--report", f"{own}/r", "--check", "exit 125", code=2, says="could not tell")
        powercut("replay", ident, "--disk", "a", "--check", COMPARE, code=1)
        powercut("replay", ident, "--disk", "a", "--check", "true", "--fsck", "exit 9", code=1, says="fsck failed, exit 9")
        powercut("replay", ident, "--disk", "a", "--check", "true", "--mount", "ext4", code=1, says="mount failed")
        powercut("replay", ident, "--disk", "a", "--check", "sleep 99", "--check-timeout", "200ms", code=1, says="did not end")
        powercut("replay", ident, "--report", f"{own}/r", "--check", "true", cwd=own)
        os.rename(f"{own}/r", f"{own}/powercut-report")
        powercut("replay", ident, code=1, cwd=own)


@test("replay: an id that is none, unknown or foreign; a report that is missing or damaged")
def bad_replay():
    with tidy() as own, Disk("a") as disk:
        recorded(disk)
        powercut("explore", "a", "--check", "false", "--no-baseline", "--report", f"{own}/r", code=1)
        with open(f"{own}/r/report.json", encoding="utf-8") as file:
            violations = json.load(file)["violations"]
        ident = violations[0]["id"]
        hash_, cut, keep = re.fullmatch(r"(\w+):k=(\d+):keep=(.*)", ident).groups()
        where = ("--report", f"{own}/r")
        for says, bad in (
            ("not a state id", "nonsense"), ("not a state id", f"{hash_}:k={cut}"),
            ("another log", f"{int(hash_, 16) ^ 0x10:08x}:k={cut}:keep={keep}"),
            ("last event", f"{hash_}:k=9999:keep=none"), ("pending pieces", f"{hash_}:k={cut}:keep=0-9999"),
        ):  # fmt: skip
            refused(says, "replay", bad, *where)
            refused(says, "replay", bad, "--disk", "a", "--check", "true")
        refused("--report DIR", "replay", ident, "--report", "/nowhere")
        refused("no disk b", "replay", ident, "--disk", "b", "--check", "true")
        refused("--check", "replay", ident, "--disk", "a")
        refused("cannot be used with", "replay", ident, *where, "--disk", "a", "--check", "true")
        for damage in few(("truncate -s -40 recording.pcut", "truncate -s 0 recording.pcut",
                       "printf XXXXXXXX | dd of=recording.pcut bs=1 seek=90 conv=notrunc", "rm recording.pcut",
                       "echo '{}' >report.json", "echo x >report.json", "sed -i 's/\"schema\": 3/\"schema\": 99/' report.json")):  # fmt: skip
            shutil.copytree(f"{own}/r", f"{own}/d")
            subprocess.run(["sh", "-c", damage], cwd=f"{own}/d", check=True, capture_output=True)
            refused("/own/d/", "replay", ident, "--report", f"{own}/d")
            shutil.rmtree(f"{own}/d")


@test("the example of the README does what the README says")
def readme():
    with open(README, encoding="utf-8") as file:
        text = file.read()
    script = text[text.index("cat >check") :].split("\n```")[0]
    assert "powercut run" in script, script
    with tidy() as own:
        script = script.replace("powercut run", f"powercut run --budget {rounds(30, 8)}")
        done = subprocess.run(["sh", "-c", script], cwd=own, capture_output=True, text=True, check=False)
        told = f"{shlex.quote(script)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        equal(done.returncode, 1, told)
        assert "b was promised and is gone" in done.stdout, told
        assert "a was promised and is gone" not in done.stdout, told
        ident = re.search(r"powercut replay (\S+)", done.stdout).group(1)
        powercut("replay", ident, code=1, says="b was promised and is gone", cwd=own)
        equal(glob.glob(f"{own}/powercut-report/*.json") != [], True, "the report")
