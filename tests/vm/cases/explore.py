# SPDX-License-Identifier: GPL-2.0
"""Exhaustive exploration: side by side, interrupted, and of a check that can't be trusted."""

import os
import signal
import subprocess
import time

from cases.command_run import KEPT, CHECK, need
from lib.command import powercut, tidy
from lib.tap import DEBUG, equal, test

HERE = "/mnt/powercut/tests/explore"
PATIENCE = 400 if DEBUG else 60


def record(own, how="careless", check=f"{HERE}/wal-check"):
    """A log on a bare device, recorded."""
    powercut("run", "--fs", "none", "--size", "1M", "--workload", f"{HERE}/wal-workload {how}",
             "--check", check, "--record-only", "--report", f"{own}/record")  # fmt: skip
    return f"{own}/record"


def explore(where, into, *options, code=1):
    return powercut("explore", "--recording", where, "--strategy", "exhaustive", "--report", into, "--json",
                    *options, code=code, json_of=True)  # fmt: skip


def gist(report):
    """What must not depend on how it was run."""
    violations = [{key: v[key] for key in ("id", "kind", "how", "output", "rank")} for v in report["violations"]]
    coverage = {key: value for key, value in report["coverage"].items() if key not in ("pruned", "repeats")}
    return violations, coverage


@test("explore: side by side finds the same in the same order", limit=300)
def side_by_side():
    with tidy() as own:
        where = record(own)
        alone = explore(where, f"{own}/1")
        equal(alone["coverage"]["all"], True, "all covered")
        assert alone["coverage"]["checked"] < int(alone["coverage"]["legal_states"]), alone["coverage"]
        assert alone["coverage"]["reads_known"], alone["coverage"]
        # What `fickle` is found out by.
        repeats = alone["coverage"]["repeats"]
        assert repeats["repeated"] and not repeats["other_verdict"] and not repeats["other_reads"], repeats
        equal(gist(explore(where, f"{own}/3", "--jobs", "3")), gist(alone), "report of 3 jobs")


@test("explore: the careful twin is covered completely, and nothing is found", limit=300)
def careful():
    with tidy() as own:
        report = explore(record(own, "careful"), f"{own}/r", "--jobs", "2", code=0)
        equal((report["coverage"]["all"], report["violations"]), (True, []), "outcome")


@test("explore: interrupted, it says how to go on, and ends as if it had not been", limit=600)
def interrupted():
    with tidy() as own:
        check = f"{HERE}/wal-check && sleep 0.1"
        where = record(own, check=check)
        whole = explore(where, f"{own}/whole")
        words = ["powercut", "explore", "--recording", where, "--strategy", "exhaustive", "--report", f"{own}/part"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            end = time.monotonic() + PATIENCE
            while time.monotonic() < end and runs(f"{own}/part") < 4:
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE)
        equal(process.returncode, 128 + signal.SIGINT, "status")
        assert f"powercut explore --resume {own}/part" in err, err
        assert "remain" in out and "interrupted" in out, out
        assert runs(f"{own}/part") < runs(f"{own}/whole"), "it was not interrupted"
        resumed = powercut("explore", "--resume", f"{own}/part", "--json", code=1, json_of=True)
        equal(gist(resumed), gist(whole), "report")
        equal(runs(f"{own}/part"), runs(f"{own}/whole"), "runs")


def runs(where):
    path = f"{where}/runs.jsonl"
    if not os.path.exists(path):
        return 0
    with open(path, encoding="utf-8") as file:
        return len(file.readlines())


@test("explore: a check that changes its mind is found out")
def fickle():
    with tidy() as own:
        check = f"if test -e {own}/x; then rm {own}/x; exit 1; else touch {own}/x; fi"
        report = explore(record(own, check=check), f"{own}/r", "--budget", "5")
        assert report["coverage"]["repeats"]["other_verdict"] >= 1, report["coverage"]
        equal(report["coverage"]["all"], False, "all covered")


@test("explore: on vfat a file is saved once it was synced under its new name, and not before", limit=300)
def vfat_save():
    need("vfat")
    save = f"{HERE}/vfat-save"
    with tidy() as own:
        for how, code in (("twice", 0), ("once", 1)):
            report = powercut("run", "--fs", "vfat", "--workload", f"{save} {how}", "--check", f"{save} check",
                              "--strategy", "exhaustive", "--jobs", "2", "--report", f"{own}/{how}", "--json",
                              code=code, json_of=True)  # fmt: skip
            equal(report["coverage"]["all"], True, f"all covered, synced {how}")
            says = {violation["output"] for violation in report["violations"]}
            equal(says, {"the file is empty\n"} if code else set(), f"what is found, synced {how}")


def filesystem(fs):
    need(fs)
    with tidy() as own:
        report = powercut("run", "--fs", fs, "--workload", KEPT, "--check", CHECK, "--jobs", "2", "--budget", "24",
                          "--report", f"{own}/r", "--json", json_of=True)  # fmt: skip
        equal(report["violations"], [], "violations")
        assert report["coverage"]["checked"] > 1, report["coverage"]


for name in ("ext4", "xfs", "btrfs", "f2fs", "vfat"):
    test(f"explore: two states of one {name} side by side", name, limit=200)(filesystem)
