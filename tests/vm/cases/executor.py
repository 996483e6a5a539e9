# SPDX-License-Identifier: GPL-2.0
"""Executors: what a check does stays in the sandbox of its state, and ends with it or with the command."""

import os
import re
import signal
import subprocess
import time

from lib.command import kill_all, nothing_left, powercut, processes, tidy
from lib.disk import Disk
from lib.tap import LIMIT, Skip, equal, test, wait_until

# What the commands below wait for, so that it can be told from others.
FOREVER = "86398.25"
WORKLOAD = "for i in 1 2 3; do echo $i >$POWERCUT_MNT/f$i; sync $POWERCUT_MNT/f$i; done"
# Some states: what is asked of each must be asked of several.
STATES = ("--fs", "ext4", "--size", "16M", "--strategy", "prefix", "--no-baseline")
FEW = "6"
RUN = ("run", *STATES, "--budget", FEW, "--workload", WORKLOAD)


def run(check, *options, workload=WORKLOAD, budget=FEW, code=0):
    """The report of a run."""
    words = ("run", *STATES, "--budget", budget, "--workload", workload, "--check", check, *options, "--json")
    return powercut(*words, code=code, json_of=True)


def states(own, name="log"):
    """What each look at a state noted, line by line."""
    with open(f"{own}/{name}", encoding="utf-8") as file:
        return file.read().splitlines()


def all_consistent(report):
    coverage = report["coverage"]
    equal((report["violations"], coverage["skipped"]), ([], 0), "violations and skipped")
    assert coverage["checked"] > 2, coverage


LEFT_BEHIND = (
    ("a daemon of its own session in the mount", f"cd $POWERCUT_MNT; setsid sleep {FOREVER} >/dev/null 2>&1 &"),
    ("a daemon that forked twice and has a file open",
     f"(setsid sh -c 'exec 9>$POWERCUT_MNT/open; sleep {FOREVER} & exit' &) >/dev/null 2>&1; sleep 0.1"),
    ("a tmpfs in the mount", "mkdir $POWERCUT_MNT/d && mount -t tmpfs none $POWERCUT_MNT/d"),
    ("a tmpfs over the mount", "mount -t tmpfs none $POWERCUT_MNT"),
    ("the mount bound elsewhere", "mkdir $TMPDIR/d && mount --bind $POWERCUT_MNT $TMPDIR/d"),
    ("the device mounted elsewhere", "mkdir $TMPDIR/d && mount -t ext4 $POWERCUT_DEV $TMPDIR/d"),
    ("no mount", "umount $POWERCUT_MNT"),
    ("a tree that can't be written", "mkdir -p $TMPDIR/a/b && touch $TMPDIR/a/b/c && chmod -R 0 $TMPDIR/a"),
    ("a process that prints for ever", f"yes {FOREVER} & sleep 0.1"),
)  # fmt: skip


def left_behind(command):
    with tidy():
        all_consistent(run(f"{command}\nexit 0"))
        nothing_left(FOREVER)


for what, command_ in LEFT_BEHIND:
    test(f"a check may leave behind {what}", command_)(left_behind)


@test("a check's daemon is no excuse: what the check says counts")
def daemon_and_violation():
    with tidy() as own:
        check = f"cd $POWERCUT_MNT; setsid sleep {FOREVER} >/dev/null 2>&1 & exit 1"
        report = run(check, "--report", f"{own}/r", code=1)
        equal({violation["how"] for violation in report["violations"]}, {"exit 1"}, "how")
        nothing_left(FOREVER)


@test("each state has a TMPDIR of its own, for all users, gone when the state is over")
def tmpdir():
    with tidy() as own:
        for directory in (os.environ["TMPDIR"], os.path.dirname(os.environ["TMPDIR"])):
            os.chmod(directory, 0o711)
        check = f"""
            [ "$(stat -c %a "$TMPDIR")" = 1777 ] && [ -z "$(ls -A "$TMPDIR")" ] || exit 1
            setpriv --reuid=65534 --regid=65534 --clear-groups touch "$TMPDIR/x" || exit 1
            echo "$TMPDIR" >>{own}/log"""
        all_consistent(run(check))
        for path in set(states(own)):
            assert path.startswith(os.environ["TMPDIR"]) and not os.path.exists(path), path


@test("mounts are invisible outside, and /proc and process ids are those of the sandbox")
def invisible():
    with tidy() as own:
        # Whoever looks from outside does so while the check waits.
        check = f"""
            [ -e {own}/seen ] && exit 0
            grep -q " $POWERCUT_MNT ext4" /proc/mounts || exit 1
            tr '\\0' ' ' </proc/1/cmdline | grep -q 'powercut init' || exit 1
            [ "$(ps ax | wc -l)" -lt 10 ] || exit 1
            echo "$POWERCUT_MNT" >{own}/up.new; mv {own}/up.new {own}/up
            while ! [ -e {own}/seen ]; do sleep 0.05; done"""
        words = ["powercut", *RUN, "--check", check]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
            wait_until(lambda: os.path.exists(f"{own}/up") or process.poll() is not None, "the check")
            (mnt,) = states(own, "up")
            with open("/proc/mounts", encoding="utf-8") as file:
                mounts = file.read()
            empty = os.listdir(mnt)
            with open(f"{own}/seen", "w", encoding="utf-8"):
                pass
            equal(process.wait(LIMIT), 0, "status")
        assert mnt not in mounts, f"{mnt} is in {mounts}"
        equal(empty, [], "what others see there")


@test("process ids are the same for every state, and none that the workload had")
def process_ids():
    if not os.path.exists("/proc/sys/kernel/ns_last_pid"):
        raise Skip("this kernel can't choose process ids")
    with tidy() as own:
        workload = f"{WORKLOAD}; echo $$ >{own}/workload"
        all_consistent(run(f"echo $$ >>{own}/log", workload=workload))
        (of_workload,), of_checks = states(own, "workload"), states(own)
        equal(len(set(of_checks)), 1, f"process ids {of_checks}")
        assert int(of_checks[0]) > int(of_workload) + 1000, f"{of_checks[0]}, the workload had {of_workload}"


# What a check leaves, the command, and whether the next state needs namespaces of its own.
NAMESPACES = (
    ("nothing", "true", False),
    ("a child that it did not wait for, which has ended", "true & sleep 0.05", False),
    ("a mount that it took away again", "mount -t tmpfs none /mnt && umount /mnt", False),
    ("a daemon, which is killed", f"setsid sleep {FOREVER} >/dev/null 2>&1 &", False),
    ("a mount", "mount -t tmpfs none /mnt", True),
    ("a mount below its own", "mkdir $POWERCUT_MNT/d && mount -t tmpfs none $POWERCUT_MNT/d", True),
    ("a mount that is read-only now", "mount -o remount,bind,ro /sys", True),
    ("a mount that others see now", "mount --make-shared /proc", True),
    ("another /proc", "mount -t proc none /proc", True),
    ("no /proc", "umount -l /proc", True),
)  # fmt: skip


def namespaces(command, are_new):
    """When the first process of the namespace started. Two states are prepared at a time, maybe in the same tick."""
    with tidy() as own:
        note = f"echo $(cut -d' ' -f22 /proc/1/stat) $(grep -v powercut-mnt /proc/self/mountinfo | cut -d' ' -f5- | sha256sum) $$ >>{own}/log"
        all_consistent(run(f"{note}; sleep 0.05; {command}\nexit 0", "--jobs", "1"))
        started_at, mounts, pids = zip(*(line.split(" ", 2) for line in states(own)))
        equal(len(set(mounts)), 1, f"different mounts, {mounts},")
        equal(len({pid.split()[-1] for pid in pids}), 1, f"different process ids, {pids},")
        equal(len(set(started_at)) > len(started_at) // 2, are_new, f"first processes started at {started_at}; new ones")
        nothing_left(FOREVER)


for what, command_, are_new_ in NAMESPACES:
    test(f"a state has {'namespaces of its own' if are_new_ else 'those of the last one'} after a check that left {what}",
         command_, are_new_)(namespaces)


@test("POWERCUT_SLOT: no two checks at the same time have the same; as many without --jobs as processors")
def slots():
    with tidy() as own:
        # A server's port, as a directory: taken twice at the same time it fails.
        check = f"mkdir {own}/port-$POWERCUT_SLOT || exit 1; echo $POWERCUT_SLOT >>{own}/log; sleep 0.3"
        check += f"; rmdir {own}/port-$POWERCUT_SLOT"
        all_consistent(run(check, "--jobs", "3", budget="12"))
        assert set(states(own)) == {"0", "1", "2"}, states(own)
        for options, count in (((), os.cpu_count()), (("--jobs", "1"), 1)):
            os.remove(f"{own}/log")
            all_consistent(run(check, *options, budget="12"))
            equal(set(states(own)), {str(number) for number in range(count)}, "slots")


@test("a check that prints for ever is late")
def prints_for_ever():
    with tidy() as own:
        began = time.monotonic()
        options = ("--check-timeout", "3s", "--stop-on-first", "--report", f"{own}/r")
        report = run(f"yes {FOREVER}", *options, code=1)
        equal({violation["kind"] for violation in report["violations"]}, {"timeout"}, "kinds")
        assert time.monotonic() - began < LIMIT, "it took too long"
        nothing_left(FOREVER)


@test("--cleanup runs after every check, with its variables and before its daemons die; its failure is a warning")
def cleanup():
    with tidy() as own:
        check = f"echo check >>{own}/log; echo $$ >$TMPDIR/ran; setsid sleep {FOREVER} >/dev/null 2>&1 & [ ! -e $POWERCUT_MNT/f1 ]"
        clean = f"[ -s $TMPDIR/ran -a -f $POWERCUT_MARKS ] && pgrep -f {FOREVER} >/dev/null && grep -q $POWERCUT_MNT /proc/mounts && echo clean >>{own}/log"
        workload = f"echo start >$POWERCUT_MARK; {WORKLOAD}"
        report = run(check, "--cleanup", clean, "--report", f"{own}/r", "--jobs", "1", budget="20", workload=workload, code=1)
        assert 0 < len(report["violations"]) < report["coverage"]["checked"], report["coverage"]
        equal(report["examination"]["cleanup"], clean, "what is in the report")
        log = states(own)
        equal((log[::2], log[1::2]), (["check"] * (len(log) // 2), ["clean"] * (len(log) // 2)), "what ran when")
        os.remove(f"{own}/log")
        powercut("replay", report["violations"][0]["id"], "--report", f"{own}/r", code=1)
        equal(states(own), ["check", "clean"], "in the replay")
        nothing_left(FOREVER)
        # Told once, and no verdict changes.
        words = ("powercut", *RUN, "--check", "true", "--cleanup", "echo no way; exit 3")
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        equal(done.returncode, 0, f"status: {done.stderr}")
        equal(done.stderr.count("--cleanup"), 1, f"warnings: {done.stderr}")
        assert "exit 3" in done.stderr and "no way" in done.stderr, done.stderr


@test("--workload-timeout: a workload that hangs is an error, its last words are shown, nothing is left")
def workload_timeout():
    with tidy():
        words = ("run", "--fs", "none", "--workload-timeout", "2s", "--check", "true")
        says = "the workload failed (no end within 2 s); it printed:\n[1 lines more]\n2\n"
        powercut(*words, "--workload", f"seq 41; setsid sleep {FOREVER} & sleep {FOREVER}", code=2, says=says)
        nothing_left(FOREVER)
        powercut(*words, "--workload", "true", "--setup", f"sleep {FOREVER}", code=2, says="the setup failed (no end")
        powercut(*words, "--workload", "true")
        powercut(*words, "--workload", "true", "--cleanup", " ", code=2, says="--cleanup is empty")
        powercut(*words[:3], "--workload-timeout", "soon", *words[5:], "--workload", "true", code=2, says="--workload-timeout")


@test("a workload's daemons write no more once it has ended")
def workload_daemon():
    with tidy():
        daemon = "while :; do echo x >>$POWERCUT_MNT/d; sync $POWERCUT_MNT/d; sleep 0.01; done"
        workload = f"{WORKLOAD}; (setsid sh -c '{daemon}' {FOREVER} &) >/dev/null 2>&1"
        all_consistent(run("true", workload=workload))
        nothing_left(FOREVER)


def executors():
    return processes("powercut\0executor\0")


def inits():
    return processes("powercut\0init\0")


def started(own, *words):
    """A command whose check is there."""
    with open(f"{own}/err", "w", encoding="utf-8") as err:
        process = subprocess.Popen(["powercut", *words], stdout=subprocess.DEVNULL, stderr=err)
    wait_until(lambda: os.path.exists(f"{own}/up") or process.poll() is not None, "the check")
    assert process.poll() is None, "it ended"
    return process


@test("SIGKILL of the command in the middle of a check: its processes and mounts go at once")
def killed():
    with tidy() as own:
        check = f"setsid sleep {FOREVER} & cd $POWERCUT_MNT; echo up >{own}/up; exec sleep {FOREVER}"
        process = started(own, *RUN, "--check", check)
        assert processes(FOREVER), "the check does not run"
        process.kill()
        process.wait()
        nothing_left(FOREVER)
        wait_until(lambda: not executors(), "the end of the executor")
        # That they can be removed means that nothing is mounted.
        powercut("remove", "--stale")


@test("a second Ctrl-C ends the command at once, though it can't clean up yet")
def second():
    with tidy() as own:
        check = f"echo $POWERCUT_DEV >{own}/up.new; mv {own}/up.new {own}/up; exec sleep {FOREVER}"
        process = started(own, *RUN, "--check", check)
        (device,) = states(own, "up")
        # Somebody else uses the view: it can't be removed, which is tried for a while.
        with open(device, "rb"):
            wait_until(lambda: process.poll() is not None or process.send_signal(signal.SIGINT), "the end")
        nothing_left(FOREVER)
        err = states(own, "err")
        equal(process.returncode, 130, f"status; {err}")
        (line,) = [line for line in err if "at once" in line] or [f"not at once: {err}"]
        assert "powercut remove --stale" in line, line
        powercut("remove", "--stale")


@test("an executor that is killed is no verdict: the state is examined once more, by another", executors)
@test("the first process of a PID namespace that is killed is no verdict, either", inits)
def executor_dies(found):
    with tidy() as own:
        # The test kills that of the first check, or of every check.
        for always in (False, True):
            first = f"mkdir {own}/first 2>/dev/null || exit 0;" if not always else ""
            check = f"{first} echo up >{own}/up; exec sleep {FOREVER}"
            process = started(own, *RUN, "--jobs", "1", "--check", check)

            def kill(process=process):
                if os.path.exists(f"{own}/up"):
                    os.remove(f"{own}/up")
                    kill_all(found())
                return process.poll() is not None

            wait_until(kill, "the end")
            err = "\n".join(states(own, "err"))
            equal(process.returncode, 2 if always else 0, f"status: {err}")
            assert "the executor died" in err, err
            assert not always or re.search(r"state \w+:k=", err), f"no state is named: {err}"
            nothing_left(FOREVER)


@test("software that keeps its own absolute path finds it again in every state")
def same_path():
    with tidy() as own:
        keep, look = "pwd >path; sync path", 'test "$(cat path)" = "$(pwd)" || test ! -s path'
        in_mount = 'cd "$POWERCUT_MNT" && '
        powercut("run", "--fs", "ext4", "--size", "16M", "--budget", "8", "--jobs", "2", "--report", f"{own}/r",
                 "--workload", in_mount + keep, "--check", in_mount + look)


@test("what keeps a state from being mounted, and is not the state, is an error; the state's own failure is a violation")
def mount_errors():
    with tidy() as own, Disk("a") as disk:
        subprocess.run(["mkfs.ext4", "-qF", disk.device], check=True)
        disk.record("start")
        disk.record("stop")
        words = ("explore", "a", "--check", "true", "--no-baseline", "--report", f"{own}/r")
        powercut(*words, "--mount", "ext4")
        powercut(*words, "--mount", "xfs", code=1, says="mount failed")
        powercut(*words, "--mount", "nofs", code=2, says="kernel has no filesystem nofs")
        # fsck comes before the mount, and makes what is to be there not be there, or be in use.
        gone = "rmdir /run/powercut-mnt"
        powercut(*words, "--mount", "ext4", "--fsck", gone, code=2, says="directory to mount it on is gone")
        device = f"{own}/device"
        ask = f"echo $POWERCUT_DEV >{device}.new; mv {device}.new {device}; while [ -e {device} ]; do sleep 0.05; done"
        with subprocess.Popen(["powercut", *words, "--mount", "ext4", "--fsck", ask], stderr=subprocess.PIPE) as process:
            wait_until(lambda: os.path.exists(device), "the fsck")
            with open(states(own, "device")[0], "rb", opener=lambda path, flags: os.open(path, flags | os.O_EXCL)):
                os.remove(device)
                _, err = process.communicate(timeout=LIMIT)
        equal(process.returncode, 2, f"status: {err}")
        assert b"in use by something else" in err, err
