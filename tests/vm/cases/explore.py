# SPDX-License-Identifier: GPL-2.0
"""Exhaustive exploration: side by side, interrupted, and of a check that can't be trusted."""

import os
import signal
import subprocess

from cases.command_run import KEPT, CHECK, need
from lib.command import powercut, tidy
from lib.tap import LIMIT, equal, rounds, test, wait_until

HERE = "/mnt/powercut/tests/explore"


def record(own, *options, how="careless", check=f"{HERE}/wal-check", count=3):
    """A log on a bare device, recorded."""
    powercut("run", "--fs", "none", "--size", "1M", "--workload", f"{HERE}/wal-workload {how} {count}",
             "--check", check, "--record-only", "--report", f"{own}/record", *options)  # fmt: skip
    return f"{own}/record"


def explore(where, into, *options, code=1):
    return powercut("explore", "--recording", where, "--strategy", "exhaustive", "--report", into, "--json",
                    *options, code=code, json_of=True)  # fmt: skip


def gist(report):
    """What must not depend on how it was run."""
    violations = [{key: v[key] for key in ("id", "kind", "how", "output", "rank")} for v in report["violations"]]
    left_out = ("pruned", "repeats", "run_seconds")
    coverage = {key: value for key, value in report["coverage"].items() if key not in left_out}
    return violations, coverage


@test("explore: side by side finds the same in the same order")
def side_by_side():
    with tidy() as own:
        where = record(own, count=rounds(3, 2))
        alone = explore(where, f"{own}/1")
        equal(alone["coverage"]["all"], True, "all covered")
        assert alone["coverage"]["checked"] < int(alone["coverage"]["legal_states"]), alone["coverage"]
        assert alone["coverage"]["reads_known"], alone["coverage"]
        # What `fickle` is found out by.
        repeats = alone["coverage"]["repeats"]
        assert repeats["repeated"] and not repeats["other_verdict"] and not repeats["other_reads"], repeats
        equal(gist(explore(where, f"{own}/3", "--jobs", "3")), gist(alone), "report of 3 jobs")


@test("explore: all states of the careful twin are clean; of the careless one a culprit is named")
def culprit():
    count = rounds(3, 1)
    with tidy() as own:
        clean = explore(record(own, how="careful", count=count), f"{own}/clean", "--jobs", "2", code=0)
        equal((clean["coverage"]["all"], clean["violations"]), (True, []), "the careful one")
        os.mkdir(f"{own}/careless")
        found = explore(record(f"{own}/careless", count=count), f"{own}/found", "--jobs", "2")
        equal(found["coverage"]["all"], True, "all covered")
        ident = found["violations"][0]["id"]
        made = powercut("minimize", ident, "--report", f"{own}/found", "--json", code=1, json_of=True)["culprit"]
        equal((made["sort"], made["minimal"]), ("order", True), "the culprit")
        # A record has blocks 1 and 2, 3 and 4..; block 0 counts them.
        stable, before = ({write["sector"] for write in made[key]} for key in ("must_be_stable", "before"))
        assert stable and 0 not in stable and 0 in before, made
        powercut("replay", made["fails"], "--report", f"{own}/found", code=1, says="is damaged")
        powercut("replay", made["passes"], "--report", f"{own}/found", says="consistent")


@test("explore: interrupted, it says how to go on, and ends as if it had not been", limit=600)
def interrupted():
    with tidy() as own:
        # Until it may go on, the check hangs once some are done.
        done = f"{own}/part/runs.jsonl"
        check = f"{HERE}/wal-check && {{ test -e {own}/go || test $(cat {done} | wc -l) -lt 4 || sleep 86399; }}"
        with open(f"{own}/go", "w", encoding="ascii"):
            where = record(own, check=check)
            whole = explore(where, f"{own}/whole")
        os.unlink(f"{own}/go")
        words = ["powercut", "explore", "--recording", where, "--strategy", "exhaustive", "--report", f"{own}/part"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            wait_until(lambda: runs(f"{own}/part") >= 4 or process.poll() is not None, "four runs")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=LIMIT)
        found = "VIOLATION" in out
        equal(process.returncode, 1 if found else 128 + signal.SIGINT, "status")
        with open(f"{own}/go", "w", encoding="ascii"):
            pass
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
        report = explore(record(own, "--no-baseline", check=check), f"{own}/r", "--budget", "5", "--jobs", "1")
        assert report["coverage"]["repeats"]["other_verdict"] >= 1, report["coverage"]
        equal(report["coverage"]["all"], False, "all covered")


@test("explore: on vfat a file is saved once it was synced under its new name, and not before")
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
    test(f"explore: two states of one {name} side by side", name)(filesystem)
