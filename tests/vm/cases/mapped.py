# SPDX-License-Identifier: GPL-2.0
"""`run --backend nbd`: a workload recorded by dm-log-writes, its states served by NBD, with no need of the module."""

import glob
import json
import os
import subprocess

from cases.command_run import need
from cases.command_signals import FOREVER, hang, start
from cases.nbd import CHECK, SAVE, need as need_server
from lib.command import kill_all, nothing_left, powercut, processes, refused, tidy
from lib.tap import LIMIT, Skip, equal, test, wait_until

RUN = ("run", "--fs", "ext4", "--size", "16M", "--backend", "nbd")
# What a message to a mapped device takes for the end of a word, unless it is told otherwise.
ODD = ("a b", " two  blanks ", "back\\slash\\", "'\"$x*", "\u00e0 la carte", "x" * 1000, "tab\there")
SAVED = "cd $POWERCUT_MNT; for n in 1 2 3; do echo $n >new; sync new; mv new $n; sync .; echo $n >>$POWERCUT_MARK; done"


def need_target():
    need_server("nbd")
    if subprocess.run(["modprobe", "-a", "loop", "dm-log-writes", "fuse"], check=False).returncode != 0:
        raise Skip("the kernel has no dm-log-writes, no loop devices or no FUSE")


def mapped():
    return contents("/sys/block/dm-*/dm/name")


def loops():
    return glob.glob("/sys/block/loop*/loop/backing_file")


def clean():
    """The kernel lets a loop device go a moment after its last user."""
    equal(mapped(), [], "mapped devices left behind")
    wait_until(lambda: not loops(), "the end of the loop devices")
    equal(glob.glob("/sys/block/nbd*/pid"), [], "NBD devices left behind")


def told_marks(report):
    lines = powercut("log", "--report", report, "--op", "mark", "--json").splitlines()
    return [json.loads(line)["mark"] for line in lines]


@test("a workload comes out as by the module: a careful one is clean", SAVED, 0)
@test("a workload comes out as by the module: a careless one is found, and shown again", SAVE, 1)
def same(workload, code):
    need_target()
    with tidy() as own:
        found = {}
        for backend in ("module", "nbd"):
            report = powercut("run", "--fs", "ext4", "--size", "16M", "--workload", workload, "--check", CHECK,
                              "--backend", backend, "--budget", "60", "--report", f"{own}/{backend}", "--json", code=code,
                              json_of=True)
            outputs = sorted({violation["output"] for violation in report["violations"]})
            found[backend] = (outputs, told_marks(f"{own}/{backend}"), report["record"]["fua"] > 0,
                              report["disk"]["bytes"], report["disk"]["block_size"])
            is_noted = "imported" in report["source"] and "does not tell when writes" in json.dumps(report)
            equal(is_noted, backend == "nbd", "what the log does not tell is in the report")
        equal(found["nbd"], found["module"], "violations, marks and the disk")
        if code == 1:
            powercut("replay", "1", "--report", f"{own}/nbd", "--backend", "nbd", code=1)
        clean()


def odd_marks(run):
    """Marks with blanks, quotes and the like in them are in the record of this call as they were written."""
    with tidy() as own:
        with open(f"{own}/texts", "w", encoding="utf-8") as file:
            file.write("".join(f"{text}\n" for text in ODD))
        # One at a time, all at once, and one that is too long, which write() refuses.
        work = (f"while IFS= read -r t; do printf '%s\\n' \"$t\" >>$POWERCUT_MARK; done <{own}/texts;"
                f"cat {own}/texts >>$POWERCUT_MARK; ! printf '%02000d\\n' 7 >>$POWERCUT_MARK && touch $POWERCUT_MNT/x")
        powercut(*run, "--workload", work, "--check", "true", "--record-only", "--report", f"{own}/r")
        equal(told_marks(f"{own}/r"), [*ODD, *ODD], "the marks")


@test("marks come to the record as they were written, whatever is in them")
def odd():
    need_target()
    odd_marks(RUN)
    clean()


@test("the end of the record syncs nothing, and what comes after it is not in there")
def not_synced():
    need_target()
    with tidy() as own:
        writes = {}
        for backend in ("module", "nbd"):
            report = powercut("run", "--fs", "ext4", "--size", "16M", "--backend", backend, "--workload",
                              "cd $POWERCUT_MNT; sync .; echo m >>$POWERCUT_MARK; seq 9999 >x", "--check", "true",
                              "--record-only", "--report", f"{own}/{backend}", "--json", json_of=True)
            writes[backend] = report["record"]["bytes"]
        # The file has 48 KiB.
        equal(writes["nbd"] < writes["module"] + 16384, True, f"bytes written: {writes}")
        clean()


@test("a program that prints what is held is held to it (--observe), with a setup before")
def observed():
    need_target()
    with tidy() as own:
        work = "cd $POWERCUT_MNT; for n in 1 2 3; do echo $n >new; sync new; mv new f; {}echo $n >>$POWERCUT_MARK; done"
        for sync, code in (("sync .; ", 0), ("", 1)):
            powercut(*RUN, "--setup", "echo 0 >$POWERCUT_MNT/f", "--workload", work.replace("{}", sync), "--observe",
                     "cat $POWERCUT_MNT/f", "--budget", "40", "--report", f"{own}/r{code}", code=code)
        clean()


@test("a log that is full is told, with what to do")
def full():
    need_target()
    with tidy() as own:
        work = "head -c 4M /dev/urandom >$POWERCUT_MNT/x; sync $POWERCUT_MNT/x"
        words = (*RUN, "--workload", work, "--check", "true", "--report", f"{own}/r")
        powercut(*words, "--log-limit", "1M", code=2, says="give a larger --log-limit")
        equal(os.path.exists(f"{own}/r"), False, "a report")
        powercut(*words, "--log-limit", "32M", "--record-only")
        clean()


@test("what dm-log-writes and NBD can't do is refused by name")
def refusals():
    words = (*RUN, "--workload", "true", "--check", "true")
    for more in (("--tear", "prefix"), ("--write-cache", "off"), ("--completion", "delayed:9"), ("--stacks",),
                 ("--discard-content", "garbage:1"), ("--fault", "flush-lies"), ("--keep",)):  # fmt: skip
        refused(f"{' '.join(more) if more[-1] == 'off' else more[0]} needs the powercut module", *words, *more)
    refused("--disks needs the", "run", "--fs", "none", "--disks", "a:8M,b:8M", "--backend", "nbd", "--workload", "true",
            "--check", "true")  # fmt: skip


@test("run --backend nbd, killed in its workload: all that it left goes")
def killed_run():
    need("ext4")
    need_target()
    with tidy() as own:
        process = start(own, *RUN, "--workload", hang(own), "--check", "true")
        equal(len(mapped()), 1, "mapped devices of the command that lives")
        process.kill()
        process.wait(LIMIT)
        kill_all_of_it()
        text = powercut("remove", "--stale")
        for part in ("removed mapped device powercut-", "removed directory "):
            equal(part in text, True, f"{part!r} is in {text}")
        clean()


@test("explore by NBD, killed: the next command that serves by NBD takes its devices away, and none of a living one")
def killed_explore():
    need("ext4")
    need_target()
    with tidy() as own:
        powercut(*RUN, "--workload", SAVED, "--check", "true", "--record-only", "--report", f"{own}/r")
        explore = ("explore", "--recording", f"{own}/r", "--backend", "nbd")
        living = start(own, *explore, "--check", hang(own), "--no-baseline", "--jobs", "1")
        of_living = served()
        os.mkdir(f"{own}/2")
        dead = start(f"{own}/2", *explore, "--check", hang(f"{own}/2"), "--no-baseline", "--jobs", "1")
        equal(len(served()) > len(of_living), True, "devices of both")
        dead.kill()
        dead.wait(LIMIT)
        wait_until(lambda: f"powercut:{dead.pid}" in backends(), "a device that nobody serves")
        powercut(*explore, "--check", "true", "--budget", "2")
        wait_until(lambda: f"powercut:{dead.pid}" not in backends(), "the end of the devices of the one that was killed")
        equal(served(), of_living, "those of the one that lives")
        living.terminate()
        living.wait(LIMIT)
        kill_all_of_it()
        powercut("remove", "--stale")
        clean()


def kill_all_of_it():
    kill_all(processes(FOREVER))
    nothing_left(FOREVER)


def served():
    return sorted(path.split("/")[3] for path in glob.glob("/sys/block/nbd*/pid"))


def backends():
    return contents("/sys/block/nbd*/backend")


def contents(pattern):
    found = []
    for path in glob.glob(pattern):
        with open(path, encoding="utf-8") as file:
            found.append(file.read().strip())
    return found
