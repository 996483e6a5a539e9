# SPDX-License-Identifier: GPL-2.0
"""Servers of states that fail, are stopped or killed: no verdict, nothing hangs, and their devices go."""

import glob
import os
import signal
import subprocess
import time

from cases.command_signals import FOREVER, hang, start, stop
from cases.nbd import PROGRAMS, need, nothing_served, served
from lib.command import kill_all, nothing_left, powercut, processes, tidy
from lib.tap import LIMIT, equal, note, test, wait_until

SERVERS = ("nbd", "ublk")
# A check that does not look at what comes of its I/O, and one that takes an error for a bug.
READ = "cat $POWERCUT_DEV >/dev/null 2>&1; true"
JUDGE = "cat $POWERCUT_DEV >/dev/null"
# Reads whose answers are late, and writes meanwhile.
BOTH = ("for n in 1 2 3; do dd if=$POWERCUT_DEV of=/dev/null bs=4k skip=$n count=1 iflag=direct 2>/dev/null & done; sleep 0.2; "
        "dd if=/dev/zero of=$POWERCUT_DEV bs=4k count=8 oflag=direct conv=fsync,nocreat 2>/dev/null; wait; true")
LATE = ("--view-fault", "latency op=read usec=600000")


def recorded(own):
    powercut("run", "--fs", "none", "--size", "1M", "--workload", f"{PROGRAMS}/scribble $POWERCUT_DEV 1", "--check", "true",
             "--record-only", "--report", f"{own}/record")


def explore(own, server, *more):
    return ("explore", "--recording", f"{own}/record", "--backend", server, "--no-baseline", "--jobs", "1", *more)


def fails(server, failure, check, more):
    need(server)
    with tidy() as own:
        recorded(own)
        words = explore(own, server, "--check", check, "--budget", "1", *more)
        # The control: without a failure there is a verdict.
        powercut(*words)
        nothing_served()
        began = time.monotonic()
        done = subprocess.run(["powercut", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              timeout=LIMIT, env={**os.environ, "POWERCUT_TEST_SERVER": failure})
        note(done.stderr.splitlines()[-1])
        # The kernel would try for 30 seconds and more, if it was not told.
        equal(time.monotonic() - began < 20, True, f"soon: {time.monotonic() - began:.1f} s")
        equal(done.returncode, 2, f"the exit status ({done.stdout[-500:]} {done.stderr[-1500:]})")
        says = "a request panicked" if "panic" in failure else "its server panicked"
        equal(says in done.stderr and "is not served any more" in done.stderr, True, f"what it says: {done.stderr[-1500:]}")
        equal("violation" in done.stdout, False, f"a verdict: {done.stdout[-500:]}")
        wait_until(lambda: not served(), "the end of its devices")
        # The next one works.
        powercut(*words)
        nothing_served()


FAILURES = (
    ("panics in a read", "panic=1", READ, ()),
    ("panics in a read, which its check takes for a bug", "panic=1", JUDGE, ()),
    ("panics in a write, with reads in flight", "panic=5", BOTH, LATE),
    ("dies in a read", "die=1", READ, ()),
    ("dies in a write, with reads in flight", "die=5", BOTH, LATE),
)
for server_ in SERVERS:
    for what_, failure_, check_, more_ in FAILURES:
        test(f"{server_}: a server that {what_}: no verdict, and no hang", server_, failure_, check_, more_)(fails)


def stopped(server, number):
    need(server)
    with tidy() as own:
        recorded(own)
        words = explore(own, server, "--check", hang(own))
        stop(start(own, *words), number, own, words)
        nothing_served()


for server_ in SERVERS:
    for number_ in (signal.SIGINT, signal.SIGTERM):
        test(f"{server_}: {number_.name} in a check", server_, number_)(stopped)


# The command is killed in a check that hangs, in one whose I/O is late, and while it records a recovery.
KILLED = (
    ("in a check", "", ()),
    ("with I/O in flight", "dd if=$POWERCUT_DEV of=/dev/null bs=4k iflag=direct 2>/dev/null & ",
     ("--view-fault", "latency op=read usec=900000")),
    ("in a recovery", "echo x >$POWERCUT_DEV; ", ("--depth", "2")),
)  # fmt: skip


def killed(server, before, more):
    need(server)
    with tidy() as own:
        recorded(own)
        process = start(own, *explore(own, server, "--check", hang(own, before), *more))
        equal(served() != [], True, "devices of the command that lives")
        process.kill()
        process.wait(LIMIT)
        kill_all(processes(FOREVER))
        nothing_left(FOREVER)
        wait_until(lambda: not glob.glob("/sys/block/ublkb*"), "the end of the block device that nobody serves")
        powercut(*explore(own, server, "--check", "true", "--budget", "2"))
        nothing_served()
        powercut("remove", "--stale")


for server_ in SERVERS:
    for where_, before_, more_ in KILLED:
        test(f"{server_}: killed {where_}: the next command takes its devices away", server_, before_, more_)(killed)
