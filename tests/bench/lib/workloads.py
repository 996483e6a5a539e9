# SPDX-License-Identifier: GPL-2.0
"""6. Workloads as large as real ones: recorded on each filesystem, a little explored, and reported."""

import json
import os
import shutil
import subprocess
import threading
import time

from .sh import run, say

PROGRAMS = "/mnt/powercut/tests/bench/workloads"
SHARE = "/mnt/host"
PACKAGES = "/run/bench-packages"
ALL = ("ext4", "xfs", "btrfs", "f2fs", "vfat")
# vfat has no owners, no links, and no names that differ in case only.
POSIX = ALL[:-1]
FIO_MIB, FIO_WRITES = 1024, 1000000


class Workload:
    def __init__(self, name, size_mib, argument, filesystems, has_setup=True, workload_only="", program=None,
                 budget=12):  # fmt: skip
        self.name = name
        self.program = program or name
        self.budget = budget
        self.size_mib = size_mib
        self.argument = argument
        self.workload_only = workload_only
        self.filesystems = filesystems
        self.has_setup = has_setup

    def command(self, what, more=""):
        return f"{PROGRAMS}/{self.program} {what} {self.argument} {more}".strip()

    def words(self):
        yield from ("--workload", self.command("workload", self.workload_only))
        if self.has_setup:
            yield from ("--setup", self.command("setup"))


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("sqlite-24", 320, "24", ALL, has_setup=False, program="sqlite", budget=300),
        Workload("sqlite-4000", 320, "4000", ALL, has_setup=False, program="sqlite", budget=300),
        Workload("pgbench", 512, "", POSIX, workload_only="60"),
        Workload("packages", 512, PACKAGES, POSIX),
        Workload("untar", 2048, f"{SHARE}/source", POSIX, has_setup=False),
        Workload("fio", 2048, FIO_MIB, ALL, workload_only=str(FIO_WRITES)),
    )
}


class Watch(threading.Thread):
    """The most memory that a process had, as long as it lives."""

    def __init__(self, pid):
        super().__init__()
        self.path = f"/proc/{pid}/status"
        self.peak_kib = 0
        self.start()

    def run(self):
        while True:
            try:
                with open(self.path, encoding="ascii") as file:
                    peaks = [int(line.split()[1]) for line in file if line.startswith("VmHWM:")]
            except OSError:
                return
            if not peaks:
                return
            self.peak_kib = peaks[0]
            time.sleep(0.2)


def recorded(workload, filesystem):
    """Records, explores and reports; or what the command says, if it refuses."""
    say(f"workloads: {workload.name} on {filesystem}")
    report = f"{SHARE}/report-{workload.name}-{filesystem}"
    checked = "/run/bench-checked"
    for path in (checked, report):
        shutil.rmtree(path, ignore_errors=True)
    os.mkdir(checked)
    # When each check began.
    check = f"mktemp {checked}/XXXXXX >/dev/null; exec {workload.command('check')}"
    command = ["powercut", "run", "--fs", filesystem, "--size", f"{workload.size_mib}M", *workload.words(), "--check", check,
               "--check-timeout", "600s", "--no-baseline", "--budget", str(workload.budget), "--report", report, "--json"]
    began = time.time()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watch = Watch(process.pid)
    out, err = process.communicate()
    watch.join()
    row = {"section": "workloads", "workload": workload.name, "fs": filesystem, "whole_s": time.time() - began,
           "memory_mib": watch.peak_kib / 1024}
    if process.returncode not in (0, 1):
        lines = [line for line in err.splitlines() if "recording:" not in line]
        return {**row, "refused": " ".join(lines)[-600:]}
    found = json.loads(out)
    first = min(os.stat(f"{checked}/{name}").st_mtime for name in os.listdir(checked))
    with open(f"{report}/runs.jsonl", encoding="utf-8") as journal:
        runs = len(journal.readlines()) - 1
    sizes = {name: os.path.getsize(f"{report}/{name}") for name in os.listdir(report)
             if os.path.isfile(f"{report}/{name}")}
    recording = sizes.pop("recording.pcut")
    keep = os.environ.get("BENCH_KEEP", "").split()
    if workload.name in keep:
        shutil.copy(f"{report}/recording.pcut", f"{SHARE}/{workload.name}-{filesystem}.pcut")
    shutil.rmtree(report)
    record, seconds = found["record"], found["seconds"]
    kinds = {}
    for violation in found["violations"]:
        kinds.setdefault(violation["output"][:200], 0)
        kinds[violation["output"][:200]] += 1
    return {**row, "events": record["events"], "writes": record["writes"], "flushes": record["flushes"],
            "mib": record["bytes"] / (1 << 20), "record_s": seconds["record"], "explore_s": seconds["explore"],
            "first_s": first - began - seconds["record"], "runs": runs, "violations": len(found["violations"]), "of": kinds,
            "recording_mib": recording / (1 << 20), "report_mib": sum(sizes.values()) / (1 << 20)}


def measure(words):
    """`words` choose: WORKLOAD, or WORKLOAD:FILESYSTEM."""
    chosen = [word.partition(":") for word in words] or [(name, "", "") for name in WORKLOADS]
    for name, _, filesystem in chosen:
        workload = WORKLOADS[name]
        if name == "packages" and not os.path.exists(PACKAGES):
            run(f"{PROGRAMS}/packages", "make", PACKAGES)
        for one in (filesystem,) if filesystem else workload.filesystems:
            yield recorded(workload, one)
