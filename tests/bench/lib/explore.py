# SPDX-License-Identifier: GPL-2.0
"""4. Exploring: states a second for the demonstration's first case, and where the time goes."""

import concurrent.futures
import contextlib
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


# No mark is asked for: a check finds a sound file, or none.
MARKS = "/run/bench-marks"


@contextlib.contextmanager
def recorded():
    """The disk with the demonstration's record, and its newest event."""
    os.makedirs(states.MNT, exist_ok=True)
    with disks.PowercutCached("bench", 64) as disk:
        disk.block_size = 4096
        run("mke2fs", "-q", "-t", "ext4", disk.device)
        disk.record("start")
        states.mount(disk.device)
        environment = {**os.environ, "POWERCUT_MNT": states.MNT, "POWERCUT_MARK": f"{disk.group}/mark"}
        subprocess.run(WORKLOAD, env=environment, check=True, stdout=subprocess.DEVNULL)
        states.umount()
        disk.record("stop")
        open(MARKS, "w", encoding="utf-8").close()
        yield disk, disk.status()["events"]
        disk.record("drop")


class Resident:
    """The resident check, of a filesystem at `mnt`."""

    def __init__(self, mnt):
        self.mnt = mnt

    def __enter__(self):
        self.process = subprocess.Popen([RESIDENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def judge(self, marks=MARKS):
        self.process.stdin.write(json.dumps({"POWERCUT_MNT": self.mnt, "POWERCUT_MARKS": marks}) + "\n")
        self.process.stdin.flush()
        verdict = self.process.stdout.readline()
        if verdict != "ok\n":
            raise RuntimeError(f"the resident check says: {verdict}")


def parts(count):
    """The parts of a state by hand: switch, mount, check, unmount."""
    say("explore: the parts of a state")
    environment = {**os.environ, "POWERCUT_MNT": states.MNT, "POWERCUT_MARKS": MARKS}
    result = {"section": "parts"}
    with recorded() as (disk, newest), states.View(disk) as view, Resident(states.MNT) as resident:
        checks = {"check": lambda: subprocess.run([CHECK], env=environment, check=True, stdout=subprocess.DEVNULL),
                  "resident": resident.judge}
        for name, check in checks.items():
            times = []
            for cut in states.spread(newest, count):
                at = [time.monotonic_ns()]
                put(view.state, f"cut={cut} keep=all")
                at.append(time.monotonic_ns())
                states.mount(view.device)
                at.append(time.monotonic_ns())
                check()
                at.append(time.monotonic_ns())
                states.umount()
                at.append(time.monotonic_ns())
                times.append([after - before for before, after in zip(at, at[1:])])
            names = ("switch", "mount", name, "umount")
            medians = [statistics.median(column) for column in zip(*times)]
            result.update({f"{part}_ns": value for part, value in zip(names, medians)})
    return result


def explored(budget):
    """An exploration's recording, and the states that it looked at, each with the file of its marks."""
    noted = "/run/bench-states"
    os.environ["BENCH_STATES"] = noted
    whole(budget, 1, "--check", f"{os.path.dirname(__file__)}/noting-check")
    found = []
    with open(noted, encoding="utf-8") as file:
        for place, line in enumerate(file):
            state, marks = line.rstrip("\n").split("\t")
            if not state:
                continue  # More than a page.
            path = f"{noted}-{place}"
            with open(path, "w", encoding="utf-8") as to:
                to.writelines(f"{mark}\n" for mark in marks.split("|") if mark)
            found.append((state, path))
    return "/run/bench-report-1--check/recording.pcut", found


class Imported:
    """A disk with a recording."""

    def __init__(self, name, recording):
        run("powercut", "import", name, recording)
        self.name = name
        self.group = f"/sys/kernel/config/powercut/{name}"
        self.device = f"/dev/powercut/{name}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        run("powercut", "remove", self.name)


def by_hand(jobs, budget):
    """States a second, those of an exploration, with nothing but the switch, the mount, the resident check and the unmount."""
    recording, found = explored(budget)
    say(f"explore: by hand, {len(found)} states, {jobs} at a time")

    def go(view, mnt, shown):
        with Resident(mnt) as resident:
            for state, marks in shown:
                put(view.state, state)
                states.mount(view.device, mnt)
                resident.judge(marks)
                states.umount(mnt)

    with Imported("hand", recording) as disk, contextlib.ExitStack() as stack:
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(jobs))
        began = time.monotonic_ns()
        running = []
        for job in range(jobs):
            mnt = f"{states.MNT}-{job}"
            os.makedirs(mnt, exist_ok=True)
            view = stack.enter_context(states.View(disk, f"v{job}"))
            running.append(pool.submit(go, view, mnt, found[job::jobs]))
        for done in running:
            done.result()
        took_ns = time.monotonic_ns() - began
    return {"section": "by_hand", "jobs": jobs, "states_per_s": len(found) / took_ns * 1e9}


def measure(budget):
    cpus = len(glob.glob("/sys/devices/system/cpu/cpu[0-9]*"))
    yield parts(24)
    for check in (("--check", CHECK), ("--resident", RESIDENT)):
        for jobs in (1, 2)[:cpus]:
            yield whole(budget, jobs, *check)
    yield by_hand(cpus, budget)
