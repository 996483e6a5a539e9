# SPDX-License-Identifier: GPL-2.0
"""After SIGKILL of the command nothing is left but what `powercut remove --stale` takes away."""

import os
import signal
import subprocess

from cases.command_run import KEPT, need
from cases.command_signals import FOREVER, hang, said, start
from lib.command import disks, kill_all, nothing_left, powercut, processes, settings, tidy
from lib.disk import Disk
from lib.tap import LIMIT, equal, test

NOTES = "/run/powercut"
HINT = "`powercut remove --stale` cleans up"


def notes():
    return os.listdir(NOTES) if os.path.isdir(NOTES) else []


def kill(process):
    """Kills the command, and nothing that it started."""
    process.kill()
    process.wait(LIMIT)


def end_orphans():
    kill_all(processes(FOREVER))
    nothing_left(FOREVER)


def told():
    """What a command that shows disks says on standard error."""
    done = subprocess.run(["powercut", "list", "--json"], capture_output=True, text=True, check=True)
    return done.stderr


def cleaned(*parts):
    """Cleans up, and says that it did that."""
    assert HINT in told(), "it does not say that something is stale"
    text = powercut("remove", "--stale")
    for part in parts:
        assert part in text, f"{part!r} is not in {text}"
    equal((told(), powercut("remove", "--stale"), notes()), ("", "nothing is stale\n", []), "afterwards")


def in_run(phase, before, options, parts):
    """What a run leaves that is killed, with its command alive and with that gone, too."""
    need("ext4")
    for is_alive in (True, False):
        with tidy() as own:
            commands = {"workload": KEPT, "check": "true", phase: hang(own, before)}
            words = ["run", "--fs", "ext4", "--writeback", "eager", *options]
            for name, command in commands.items():
                words += [f"--{name}", command]
            process = start(own, *words)
            equal(told(), "", "of a command that lives")
            kill(process)
            if not is_alive:
                end_orphans()
            cleaned(f"disk run-{process.pid}", f"of process {process.pid}", "directory ", *parts)
            end_orphans()


IN_RUN = (
    ("its workload", "workload", "cd $POWERCUT_MNT; ", (),
     ("dirty_expire_centisecs back to", "dirty_writeback_centisecs back to")),
    ("two checks", "check", "", ("--no-baseline", "--jobs", "2"), ("view run-",)),
    ("the baseline", "check", "", (), ()),
)  # fmt: skip

for where, *args in IN_RUN:
    test(f"run, killed in {where}: all that it left goes", *args)(in_run)


@test("run --depth 2, killed in a recovery: the views within views go")
def deep():
    need("ext4")
    with tidy() as own:
        # A recovery is looked at on a view of a view.
        check = f"case $POWERCUT_DEV in *.*.*) {hang(own)};; *) touch $POWERCUT_MNT/x; sync $POWERCUT_MNT/x;; esac"
        process = start(own, "run", "--fs", "ext4", "--workload", KEPT, "--check", check, "--no-baseline", "--depth", "2")
        kill(process)
        end_orphans()
        # Either of both slots may have been the one in a recovery.
        cleaned(".r, of process", f"disk run-{process.pid}")


@test("explore, replay: killed, the view goes; the disk and its record stay")
def views():
    with tidy() as own, Disk("a") as disk:
        disk.record("start")
        with disk.raw() as raw:
            raw.write(0, b"a" * 4096)
        disk.record("stop")
        before = disk.export()
        report = powercut("explore", "a", "--check", "false", "--no-baseline", "--report", f"{own}/r", "--json",
                          code=1, json_of=True)  # fmt: skip
        ident = report["violations"][0]["id"]
        for words, part in (
            (("explore", "a"), "view a.x0"),
            (("replay", ident, "--disk", "a"), "view a.x0"),
            (("replay", ident, "--report", f"{own}/r"), "disk import-"),
        ):
            kill(start(own, *words, "--check", hang(own)))
            end_orphans()
            os.unlink(f"{own}/up")
            cleaned(part)
            equal((disks(), disk.export()), (["a"], before), "the disk and its record")


@test("what a command that lives has is not stale; what it leaves on purpose neither; at its end no note is left")
def living():
    with tidy() as own:
        process = start(own, "run", "--fs", "ext4", "--writeback", "eager", "--workload", hang(own), "--check", "true")
        mine = settings()
        equal(len(notes()), 1, "notes")
        equal((told(), powercut("remove", "--stale")), ("", "nothing is stale\n"), "of a command that lives")
        equal((disks(), settings()), ([f"run-{process.pid}"], mine), "what it has")
        process.send_signal(signal.SIGTERM)
        equal(process.wait(LIMIT), 128 + signal.SIGTERM, said(own))
        equal(notes(), [], "notes at its end")
        powercut("create", "b")
        powercut("run", "--fs", "none", "--workload", "true", "--check", "true", "--keep", "--report", f"{own}/r")
        kept = disks()
        equal((len(kept), told(), powercut("remove", "--stale")), (2, "", "nothing is stale\n"), "of kept disks")
        equal(disks(), kept, "kept disks")
        for name in kept:
            powercut("remove", name)


@test("a disk of the name of a stale one is not taken for it; one that was removed by hand is forgotten")
def renamed():
    with tidy() as own:
        process = start(own, "run", "--fs", "none", "--workload", hang(own), "--check", "true")
        name = f"run-{process.pid}"
        kill(process)
        end_orphans()
        assert HINT in told(), "nothing is stale"
        powercut("remove", name)
        powercut("create", name)
        text = powercut("remove", "--stale")
        assert "directory" in text and "disk" not in text, text
        equal((disks(), told(), notes()), ([name], "", []), "disks")
        powercut("remove", name)


@test("where nothing can be noted, everything else is as ever")
def without_notes():
    with tidy() as own:
        for path in notes():
            raise AssertionError(f"{path} is left from before")
        if os.path.isdir(NOTES):
            os.rmdir(NOTES)
        with open(NOTES, "w", encoding="ascii"):
            pass
        try:
            powercut("run", "--fs", "none", "--workload", "true", "--check", "true", "--report", f"{own}/r")
            equal((told(), powercut("remove", "--stale")), ("", "nothing is stale\n"), "what is said")
        finally:
            os.unlink(NOTES)
