# SPDX-License-Identifier: GPL-2.0
"""4. Exploring: states a second for the demonstration's first case, and where the time goes."""

import glob
import json
import os
import statistics
import subprocess
import time

from . import disks, states
from .sh import put, run, say

DEMO = "/mnt/powercut/tests/demo"
WORKLOAD = (f"{DEMO}/sqlite-workload", "DELETE", "EXTRA", "24")
CHECK = f"{DEMO}/sqlite-check"
RESIDENT = f"{DEMO}/sqlite-resident"


def whole(budget, jobs, *check):
    """The tool's own figures."""
    say(f"explore: powercut run, {budget} states, {jobs} jobs, {check[0]}")
    report = f"/run/bench-report-{jobs}{check[0]}"
    command = ["powercut", "run", "--fs", "ext4", "--size", "64M", "--workload", " ".join(WORKLOAD),
               *check, "--budget", str(budget), "--report", report, "--jobs", str(jobs), "--json"]
    began = time.monotonic_ns()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    whole_ns = time.monotonic_ns() - began
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{command}: status {done.returncode}\n{done.stderr}")
    found = json.loads(done.stdout)
    with open(f"{report}/runs.jsonl", encoding="utf-8") as journal:
        runs = len(journal.readlines()) - 1
    checked = found["coverage"]["checked"]
    return {"section": "explore", "jobs": jobs, "check": check[0], "checked": checked, "runs": runs, "whole_ns": whole_ns,
            "record_s": found["seconds"]["record"], "explore_s": found["seconds"]["explore"],
            "states_per_s": checked / found["seconds"]["explore"]}


def parts(count):
    """The parts of a state by hand: switch, mount, check, unmount."""
    say("explore: the parts of a state")
    os.makedirs(states.MNT, exist_ok=True)
    marks = "/run/bench-marks"
    with disks.PowercutCached("bench", 64) as disk:
        disk.block_size = 4096
        run("mke2fs", "-q", "-t", "ext4", disk.device)
        disk.record("start")
        states.mount(disk.device)
        environment = {**os.environ, "POWERCUT_MNT": states.MNT, "POWERCUT_MARK": f"{disk.group}/mark",
                       "POWERCUT_MARKS": marks}
        subprocess.run(WORKLOAD, env=environment, check=True, stdout=subprocess.DEVNULL)
        states.umount()
        disk.record("stop")
        newest = disk.status()["events"]
        # No mark is asked for: the check finds a sound file, or none.
        open(marks, "w", encoding="utf-8").close()
        times = []
        with states.View(disk) as view:
            for cut in states.spread(newest, count):
                at = [time.monotonic_ns()]
                put(view.state, f"cut={cut} keep=all")
                at.append(time.monotonic_ns())
                states.mount(view.device)
                at.append(time.monotonic_ns())
                subprocess.run([CHECK], env=environment, check=True, stdout=subprocess.DEVNULL)
                at.append(time.monotonic_ns())
                states.umount()
                at.append(time.monotonic_ns())
                times.append([after - before for before, after in zip(at, at[1:])])
        disk.record("drop")
    names = ("switch", "mount", "check", "umount")
    medians = [statistics.median(column) for column in zip(*times)]
    return {"section": "parts", **{f"{name}_ns": value for name, value in zip(names, medians)}}


def measure(budget):
    cpus = len(glob.glob("/sys/devices/system/cpu/cpu[0-9]*"))
    yield parts(24)
    for check in (("--check", CHECK), ("--resident", RESIDENT)):
        for jobs in (1, 2)[:cpus]:
            yield whole(budget, jobs, *check)
