# SPDX-License-Identifier: GPL-2.0
"""The powercut command, stopped: it ends soon, tells how, and nothing of it is left."""

import os
import pty
import signal
import subprocess

from lib.command import check, disks, nothing_left, powercut, tidy
from lib.disk import Disk
from lib.tap import LIMIT, equal, few, test, wait_until

# What the commands below wait for, so that it can be told from others.
FOREVER = "86399.75"


def start(own, *words):
    """Starts it and waits until the command that says so is there."""
    with open(f"{own}/out", "w", encoding="utf-8") as out, open(f"{own}/err", "w", encoding="utf-8") as err:
        process = subprocess.Popen(["powercut", *words], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                   start_new_session=True)  # fmt: skip
    wait_until(lambda: os.path.exists(f"{own}/up") or process.poll() is not None, "the start")
    assert process.poll() is None, f"it ended: {process.returncode} {said(own)}"
    return process


def said(own):
    with open(f"{own}/out", encoding="utf-8") as out, open(f"{own}/err", encoding="utf-8") as err:
        return out.read(), err.read()


def stop(process, number, own, words, status=None):
    process.send_signal(number)
    try:
        process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
    check(list(words), process.returncode, *said(own), status or 128 + number, None)
    assert "warning" not in said(own)[1], said(own)
    nothing_left(FOREVER)


def hang(own, before=""):
    return f"{before} echo up >{own}/up; sleep {FOREVER}"


IN_RUN = (
    ("its setup", signal.SIGINT, "setup", ""),
    ("its workload", signal.SIGINT, "workload", ""),
    ("its workload", signal.SIGTERM, "workload", ""),
    ("its workload", signal.SIGHUP, "workload", ""),
    ("a workload that ignores signals", signal.SIGTERM, "workload", "trap '' INT TERM HUP; "),
    ("a workload with processes of its own", signal.SIGINT, "workload",
     f"(cd $POWERCUT_MNT; exec sleep {FOREVER}) & "),
    ("the baseline", signal.SIGINT, "baseline", ""),
    ("a check", signal.SIGINT, "check", ""),
    ("a check", signal.SIGTERM, "check", ""),
    ("a check", signal.SIGHUP, "check", ""),
    ("a fsck", signal.SIGTERM, "fsck", ""),
)  # fmt: skip


def in_run(number, phase, before):
    with tidy() as own:
        commands = {"workload": "echo x >$POWERCUT_MNT/f", "check": "true"}
        words = ["run", "--fs", "ext4", "--writeback", "eager"]
        if phase == "baseline":
            phase = "check"
        else:
            words.append("--no-baseline")
        commands[phase] = hang(own, before)
        for name, command in commands.items():
            words += [f"--{name}", command]
        stop(start(own, *words), number, own, words)


for where, number_, phase_, before_ in few(IN_RUN):
    test(f"run, {number_.name} in {where}", number_, phase_, before_)(in_run)


@test("explore, SIGINT: the view goes, the disk and its record stay, what was found is reported")
def in_explore():
    with tidy() as own, Disk("a") as disk:
        disk.record("start")
        with disk.raw() as raw:
            for block in range(4):
                raw.write(block * 4096, b"a" * 4096)
        before = disk.export()
        # The first state is a violation, the others hang, beside it maybe.
        check_ = f"if mkdir {own}/first; then exit 1; fi; {hang(own)}"
        words = ("explore", "a", "--check", check_, "--no-baseline", "--report", f"{own}/r", "--json")
        process = start(own, *words)
        found = f"{own}/r/violations.jsonl"
        wait_until(lambda: os.path.exists(found) and os.path.getsize(found) > 0, "the violation")
        stop(process, signal.SIGINT, own, words, status=1)
        assert '"ended": "interrupted"' in said(own)[0], said(own)
        assert os.path.exists(f"{own}/r/report.json"), "no report"
        equal(disk.export(), before, "the record")


@test("replay, SIGTERM: its disk goes")
def in_replay():
    with tidy() as own, Disk("a") as disk:
        disk.record("start")
        report = powercut("explore", "a", "--check", "false", "--no-baseline", "--report", f"{own}/r", "--json",
                          code=1, json_of=True)  # fmt: skip
        words = ("replay", report["violations"][0]["id"], "--report", f"{own}/r", "--check", hang(own))
        process = start(own, *words)
        equal(len(disks()), 2, "disks while it replays")
        stop(process, signal.SIGTERM, own, words)


@test("Ctrl-C on a terminal, where a progress bar is shown")
def terminal():
    with tidy() as own:
        words = ["run", "--fs", "none", "--workload", "true", "--check", hang(own), "--no-baseline"]
        pid, fd = pty.fork()
        if pid == 0:
            os.execvp("powercut", ["powercut", *words])
        os.set_blocking(fd, False)
        shown = b""

        def read():
            nonlocal shown
            try:
                shown += os.read(fd, 65536)
            except OSError:
                pass
            return os.path.exists(f"{own}/up")

        wait_until(read, "the check")
        os.write(fd, b"\x03")
        status = []

        def ended():
            read()
            done, code = os.waitpid(pid, os.WNOHANG)
            status.append(code)
            return done

        wait_until(ended, "the end")
        os.close(fd)
        equal(os.waitstatus_to_exitcode(status[-1]), 130, f"status; shown: {shown!r}")
        nothing_left(FOREVER)
