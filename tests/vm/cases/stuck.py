# SPDX-License-Identifier: GPL-2.0
"""What the kernel never ends, a mount, an unmount, a process, ends the run, with an error that says so."""

import subprocess
from contextlib import contextmanager

from lib.command import disks, powercut, processes, tidy
from lib.disk import Disk
from lib.tap import LIMIT, equal, test, wait_until

RUN = ("run", "--fs", "ext4", "--size", "16M", "--budget", "4", "--jobs", "1")
LIMITED = (*RUN, "--mount-timeout", "15s")
WORKLOAD = ("--workload", "echo a >$POWERCUT_MNT/f; sync $POWERCUT_MNT/f")
# The power goes, and the disk does not answer: the unmount that follows writes to it.
CUT = (
    "d=${POWERCUT_DEV##*/}; powercut record $d start; echo x >$POWERCUT_MNT/x; powercut cut $d --mode hang"
)
# A process that reads a disk that does not answer takes no signal.
READ = """head -c 4096 /dev/powercut/held >/dev/null &
    until grep -q ') D ' /proc/$!/stat; do sleep 0.02; done; exit 1"""
# Each read takes as long as can be told, and a mount needs more than six.
SLOW = "latency op=read usec=10000000"


def executors():
    return processes("powercut\0executor\0")


@contextmanager
def patient_kernel():
    """It tells of tasks that hang for two minutes; here they may."""
    path = "/proc/sys/kernel/hung_task_timeout_secs"
    with open(path, encoding="ascii") as file:
        before = file.read()
    try:
        set_to(path, "0")
        yield
    finally:
        set_to(path, before)


def set_to(path, value):
    with open(path, "w", encoding="ascii") as file:
        file.write(value)


def let_go():
    """Ends all that hangs."""
    for name in disks():
        if name != "held":
            subprocess.run(["powercut", "restore", name], check=False, capture_output=True)
    powercut("remove", "--stale")
    wait_until(lambda: not executors(), "the end of the executors")


@test("a mount, an unmount or a process that hangs ends the run in time; what was found counts", limit=600)
def hangs():
    with tidy() as own, patient_kernel():
        with Disk("held") as held:
            held.record("start")
            held.set("cut", "hang now")
            runs = (
                (2, "to unmount took more than 15s", "--check", "true", "--setup", CUT),
                (2, "to mount took more than 15s", "--check", "true", "--view-fault", SLOW),
                (1, "to kill what was left behind took more than 15s", "--check", READ, "--no-baseline"),
            )
            started = []
            for number, (_, _, *words) in enumerate(runs):
                words = ["powercut", *LIMITED, *WORKLOAD, *words, "--report", f"{own}/{number}"]
                streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
                started.append(subprocess.Popen(words, **streams))
            for (status, says, *words), process in zip(runs, started):
                out, err = process.communicate(timeout=LIMIT)
                told = f"{words}: status {process.returncode}\n{out[-1500:]}\n{err[-1500:]}"
                equal(process.returncode, status, f"status; {told}")
                assert says in err and "panicked" not in err, told
        let_go()
        # All is as before.
        powercut(*RUN, *WORKLOAD, "--check", "true")
