# SPDX-License-Identifier: GPL-2.0
"""What comes out whatever goes wrong: no violation is lost, nothing is clean that was not judged."""

import glob
import json
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager

from lib.clean import CONFIG
from lib.command import disks, kill_all, nothing_left, powercut, processes, refused, tidy
from lib.disk import Disk
from lib.tap import LIMIT, equal, test, wait_until

FOREVER = "86399.5"
# As it is in the command line of who waits.
WAITING = f"sleep\0{FOREVER}"


def reads(blocks):
    """A check that reads all, and is content."""
    return f"data=$(head -c {blocks * 4096} $POWERCUT_DEV | tr -ds '\\0' A-{chr(64 + blocks)})"


def checks(blocks):
    """Wrong if of the first and the last block one is there and the other is not: half of all states."""
    last = chr(64 + blocks)
    return reads(blocks) + f"; case $data in ''|A*{last}|[!A{last}]|[!A]*[!{last}]) ;; *) echo \"not $data\"; exit 1 ;; esac"


BLOCKS = 4
READ, CHECK = reads(BLOCKS), checks(BLOCKS)
PLAN = ("--strategy", "exhaustive", "--budget", "none")


@contextmanager
def recorded(blocks=BLOCKS):
    """A disk with a record of writes that are all pending."""
    with tidy() as own, Disk("a") as disk:
        disk.record("start")
        with disk.raw() as raw:
            for block in range(blocks):
                raw.write(block * 4096, bytes([65 + block]) * 4096)
        disk.record("stop")
        yield own


def explore(check, *options, code=1, **more):
    # Unless more is asked for, one state at a time: these checks count their runs.
    jobs = () if "--jobs" in options else ("--jobs", "1")
    return powercut("explore", "a", "--check", check, *PLAN, *jobs, *options, code=code, **more)


def explored(check, *options, code=1):
    return explore(check, *options, "--json", code=code, json_of=True)


def saved(where):
    with open(f"{where}/report.json", encoding="utf-8") as file:
        return json.load(file)


def nth(own, command, after):
    """Has a check do something from its `after`-th run on."""
    return f"echo >>{own}/runs; test $(wc -l <{own}/runs) -lt {after} || {{ {command}; }}; "


def gist(report):
    """What does not hang on how it came to its end."""
    violations = [{key: v[key] for key in ("id", "kind", "how", "output", "rank")} for v in report["violations"]]
    coverage = report["coverage"]
    return violations, {key: coverage[key] for key in ("checked", "covered_states", "ended", "all", "runs")}


def lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return file.readlines()


# What ends an exploration with an error: the number of the run, the check, what is said of it.
def fill(own):
    return f"dd if=/dev/zero of={own}/small/fill bs=64k 2>/dev/null"


def no_disk(own):
    del own
    return "view=${POWERCUT_DEV##*/}; rmdir " + CONFIG + "/a/${view#*.}"


@contextmanager
def small(own, size="1m"):
    os.mkdir(f"{own}/small")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", f"{own}/small"], check=True)
    try:
        yield f"{own}/small/r"
    finally:
        subprocess.run(["umount", f"{own}/small"], check=True)


def ended_by_an_error(break_it, says):
    for found in (True, False):
        # So many states that the lines about them don't go into the last page of a file that is there.
        with recorded(6) as own, small(own) as where:
            check = nth(own, break_it(own), 9) + (checks(6) if found else reads(6))
            options = ("--report", where, "--junit", f"{own}/junit")
            report = explored(check, *options, code=1 if found else 2)
            equal(report["coverage"]["ended"], "failed", "how it ended")
            equal(bool(report["violations"]), found, "whether something was found")
            assert any(says in error for error in report["errors"]), report["errors"]
            with open(f"{own}/junit", encoding="utf-8") as file:
                xml = file.read()
            equal(("<failure" in xml, "<error" in xml), (found, True), "failures and errors in JUnit")
            # On the disk, too, whatever became of report.json.
            told = powercut("report", where, "--json", json_of=True)
            assert {v["id"] for v in told["violations"]} >= {v["id"] for v in report["violations"][:1]}, told
    with recorded(2) as own, small(own) as where:
        report = explored(CHECK, "--report", where)
        equal((report["errors"], report["coverage"]["ended"]), ([], "exhausted"), "undisturbed")


for what, break_, says_ in (
    ("the disk of the report is full", fill, "No space left on device"),
    ("the view is gone", no_disk, ""),
):
    test(f"{what} in the middle: what was found is told, 1; nothing found is 2", break_, says_, limit=600)(ended_by_an_error)


@test("a daemon that the check leaves behind loses no violation")
def daemon():
    workload = "echo text >$POWERCUT_MNT/f; sync $POWERCUT_MNT/f; echo more >$POWERCUT_MNT/g"
    for first, codes in (("exit 1", (1,)), ("true", (0,))):
        with tidy() as own:
            check = f"if mkdir {own}/first; then {first}; exit; fi; cd $POWERCUT_MNT; setsid sleep {FOREVER} & exit 0"
            done = subprocess.run(["powercut", "run", "--fs", "ext4", "--workload", workload, "--check", check,
                                   "--no-baseline", "--budget", "4", "--report", f"{own}/r", "--json"],
                                  capture_output=True, text=True, check=False, timeout=LIMIT)  # fmt: skip
            end_all(own)
            told = f"{done.returncode} {done.stdout[-500:]} {done.stderr[-500:]}"
            assert done.returncode in codes and "panicked" not in done.stderr, told
            for report in (json.loads(done.stdout), saved(f"{own}/r")):
                equal(len(report["violations"]) > 0, first == "exit 1", "whether it is found")


def end_all(own):
    """Ends what a command that was killed left: its checks, mounts, views and temporary files."""
    kill_all(processes(WAITING))
    nothing_left(WAITING)
    for view in glob.glob(f"{CONFIG}/*/*/"):
        if os.path.exists(f"{view}/state"):
            os.rmdir(view)
    for name in disks():
        if name.startswith(("run-", "import-")):
            powercut("remove", name)
    for left in os.listdir(tempfile.gettempdir()):
        shutil.rmtree(f"{tempfile.gettempdir()}/{left}")
    del own


def begun(own, words, until):
    with open(f"{own}/out", "w", encoding="utf-8") as out, open(f"{own}/err", "w", encoding="utf-8") as err:
        process = subprocess.Popen(["powercut", *words], stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=own)
    wait_until(lambda: until() or process.poll() is not None, "the run to wait for")
    assert process.poll() is None, lines(f"{own}/err")
    return process


def ended(process, number):
    process.send_signal(number)
    process.wait(LIMIT)
    return process.returncode


def waiting(own, where, check):
    """Until it may go on, it hangs once something is found."""
    return f"test -e {own}/go || test ! -s {where}/violations.jsonl || sleep {FOREVER}; {check}"


def killed(asked):
    with recorded() as own:
        powercut("export", "a", f"{own}/record")
        where = f"{own}/r" if asked else f"{own}/powercut-report"
        words = ["explore", "--recording", f"{own}/record", "--check", waiting(own, where, CHECK), *PLAN]
        words += ["--report", where] if asked else []
        process = begun(own, words, lambda: lines(f"{where}/violations.jsonl") and processes(WAITING))
        equal(ended(process, signal.SIGKILL), -signal.SIGKILL, "how it ended")
        end_all(own)
        told = powercut("report", where, "--json", json_of=True)
        equal((len(told["violations"]), told["coverage"]["ended"]), (1, "unfinished"), "what is told")
        powercut("report", where, says=f"powercut explore --resume {where}")
        powercut("report", where, "--status", code=1, says="VIOLATION")
        ident = told["violations"][0]["id"]
        powercut("replay", ident, "--report", where, "--check", "false", code=1, says="did not come to its end")
        powercut("minimize", ident, "--report", where, "--check", "false", "--budget", "5", code=1, says="did not come to its end")
        with open(f"{own}/go", "w", encoding="ascii"):
            pass
        resumed = powercut("explore", "--resume", where, "--json", code=1, json_of=True)
        whole = powercut(*words, *(("--report", f"{own}/whole") if not asked else ()), "--json", code=1, json_of=True)
        equal(gist(resumed), gist(whole), "what it comes to")
        equal(saved(where)["violations"] != [], True, "violations saved")
        assert not os.path.exists(f"{where}/violations.jsonl"), "violations.jsonl is still there"


test("SIGKILL after the first violation: it is in the report, which says so and goes on to the same end", True)(killed)
test("SIGKILL after the first violation, no report asked for: there is one from then on", False)(killed)


@test("SIGINT: 1 if something was found by then, 130 if not")
def interrupted():
    for check, status_ in ((CHECK, 1), (READ, 130)):
        with recorded() as own:
            check = nth(own, f"sleep {FOREVER}", 12) + check
            words = ["explore", "a", "--check", check, *PLAN, "--report", f"{own}/r", "--junit", f"{own}/junit"]
            process = begun(own, words, lambda: processes(WAITING))
            equal(ended(process, signal.SIGINT), status_, "status")
            nothing_left(WAITING)
            report = saved(f"{own}/r")
            equal((bool(report["violations"]), report["coverage"]["ended"]), (status_ == 1, "interrupted"), "the report")
            with open(f"{own}/junit", encoding="utf-8") as file:
                assert "<error" in file.read(), "JUnit passes"
            assert any("powercut explore --resume" in line for line in lines(f"{own}/err")), lines(f"{own}/err")


STREAMS = (
    # What standard output and error are; the status if something is found, and if nothing is.
    ("read", "read", 1, 0),
    ("gone", "read", 1, 0),
    ("closed", "read", 1, 0),
    ("read", "closed", 1, 0),
    ("gone", "gone", 1, 0),
    ("full", "read", 1, 2),
    ("read", "full", 1, 0),
)
REDIRECTED = {"read": "", "gone": "", "closed": "{}>&-", "full": "{}>/dev/full"}


def status(words, out, err):
    """The status of a command with such streams: read to the end, a pipe whose reader is gone, closed, full."""
    reader, writer = os.pipe()
    os.close(reader)
    streams = [writer if how == "gone" else subprocess.PIPE for how in (out, err)]
    redirect = " ".join(REDIRECTED[how].format(number) for number, how in ((1, out), (2, err)))
    done = subprocess.run(["bash", "-c", f'exec powercut "$@" {redirect}', "powercut", *words], check=False,
                          stdout=streams[0], stderr=streams[1], timeout=LIMIT)  # fmt: skip
    os.close(writer)
    return done.returncode


@test("closed and full streams: no command that judges changes its status, one that prints is quiet", limit=900)
def streams_():
    with recorded() as own:
        ident = explored(CHECK, "--report", f"{own}/r")["violations"][0]["id"]
        quick = ("--budget", "3", "--strategy", "keep-one", "--report", f"{own}/s")
        for out, err, found, clean in STREAMS:
            for check, should in ((CHECK, found), ("true", clean)):
                for words in (("explore", "a", "--check", check, *quick), ("explore", "a", "--check", check, *quick, "--json"),
                              ("replay", ident, "--report", f"{own}/r", "--check", check)):  # fmt: skip
                    equal(status(words, out, err), should, f"status of {words} with {out} and {err}")
            minimize = ("minimize", ident, "--report", f"{own}/r", "--check", "false", "--budget", "5")
            equal(status(minimize, out, err), 1, f"status of minimize with {out} and {err}")
            for words in ("list", "log a", "log a --json", "count a", f"report {own}/r", "lint a", "completions bash"):
                equal(status(words.split(), out, err), clean, f"status of {words} with {out} and {err}")
            equal(status(("--help",), out, err), 0, f"status of --help with {out} and {err}")
            equal(status(("list", "--wrong"), out, err), 2, f"status of a wrong option with {out} and {err}")


@test("lint at risk is 1 with a closed output, too")
def lint_closed():
    with tidy(), Disk("a") as disk:
        disk.record("start")
        with disk.raw() as raw:
            raw.write(0, b"a" * 4096)
        disk.mark("promised")
        disk.record("stop")
        for out in ("read", "gone", "closed"):
            equal(status(("lint", "a"), out, "read"), 1, f"status with {out}")


@test("a check that can tell of no state is no pass: 2, an error in JUnit; of some, it is one")
def untold():
    with recorded(3) as own:
        for check, code, error in (("exit 125", 2, True), (READ + f"; {nth(own, 'exit 0', 4)}exit 125", 0, False)):
            report = explored(check, "--report", f"{own}/r", "--junit", f"{own}/junit", code=code)
            assert report["coverage"]["skipped"], report["coverage"]
            with open(f"{own}/junit", encoding="utf-8") as file:
                xml = file.read()
            equal(("<error" in xml, "<failure" in xml), (error, False), f"error and failure: {xml}")
            equal("<skipped" in xml, error, "skipped cases")
            if error:
                equal(report["coverage"]["all"], False, "all")
        explore("exit 125", "--report", f"{own}/r", code=2, says="could not judge any")


@test("a shard that was interrupted: the merged report is 2 and names it; once it went on, it is clean")
def shards():
    with recorded() as own:
        record = ["--recording", f"{own}/record", "--strategy", "random", "--budget", "12"]
        powercut("export", "a", f"{own}/record")
        parts = [f"{own}/1", f"{own}/2"]
        check = f"test -e {own}/go || {{ {nth(own, f'sleep {FOREVER}', 3)} }}; {READ}"
        for part in (1, 2):
            words = ["explore", *record, "--check", check, "--shard", f"{part}/2", "--report", f"{own}/{part}"]
            if part == 1:
                with open(f"{own}/go", "w", encoding="ascii"):
                    pass
                powercut(*words)
                os.unlink(f"{own}/go")
                continue
            process = begun(own, words, lambda: processes(WAITING))
            equal(ended(process, signal.SIGINT), 130, "status of the shard")
            nothing_left(WAITING)
        merged = powercut("merge", *parts, "--report", f"{own}/m", "--json", code=2, json_of=True)
        equal(merged["coverage"]["ended"], "interrupted", "how it ended")
        assert any("shard 2/2" in error and f"{own}/2" in error for error in merged["errors"]), merged["errors"]
        powercut("merge", *parts, "--report", f"{own}/m", code=2, says="shard 2/2")
        with open(f"{own}/go", "w", encoding="ascii"):
            pass
        powercut("explore", "--resume", f"{own}/2")
        merged = powercut("merge", *parts, "--report", f"{own}/m", "--json", json_of=True)
        equal(merged["errors"], [], "errors")
        refused("another --report DIR", "merge", *parts, "--report", f"{own}/1")


@test("resuming what does not belong together is refused, with both named")
def foreign():
    part = ("--strategy", "exhaustive", "--budget", "2", "--report")
    with recorded(3) as own:
        powercut("explore", "a", "--check", "true", *part, f"{own}/r")
        powercut("explore", "a", "--check", "exit 0", *part, f"{own}/check")
        with Disk("b") as other:
            other.record("start")
            with other.raw() as raw:
                raw.write(0, b"z" * 4096)
            other.record("stop")
            powercut("explore", "b", "--check", "true", *part, f"{own}/record")
        for file, of, says in (
            ("runs.jsonl", "record", "the record of"),
            ("runs.jsonl", "check", "the check of"),
            ("recording.pcut", "record", "its recording is of record"),
        ):
            shutil.copytree(f"{own}/r", f"{own}/mixed")
            shutil.copy(f"{own}/{of}/{file}", f"{own}/mixed/{file}")
            refused(says, "explore", "--resume", f"{own}/mixed")
            shutil.rmtree(f"{own}/mixed")
        for option in (("--depth", "2"), ("--recovery-budget", "9"), ("--fsck", "true"), ("--seed", "7"),
                       ("--mount", "ext4"), ("--check", "false")):  # fmt: skip
            refused(option[0], "explore", "--resume", f"{own}/r", *option)
        powercut("explore", "--resume", f"{own}/r", "--budget", "none")


@test("a new record in the directory of an old report: nothing of the old one answers for it")
def old_directory():
    with recorded(3) as own:
        explore("true", "--report", f"{own}/r", code=0)
        write = "for c in A B C D E F; do head -c 4096 /dev/zero | tr '\\0' $c; done | dd of=$POWERCUT_DEV conv=notrunc 2>/dev/null"
        powercut("run", "--fs", "none", "--workload", write, "--check", CHECK, "--record-only", "--report", f"{own}/r")
        equal(sorted(os.listdir(f"{own}/r")), ["recording.pcut", "report.json"], "what is there")
        refused("runs.jsonl", "explore", "--resume", f"{own}/r")
        found = powercut("explore", "--recording", f"{own}/r", *PLAN, "--report", f"{own}/r", "--json", code=1, json_of=True)
        assert found["violations"], found["coverage"]
        os.mkdir(f"{own}/other")
        with open(f"{own}/other/thesis", "w", encoding="ascii"):
            pass
        refused("thesis", "explore", "a", "--check", "true", "--report", f"{own}/other")


@test("no report asked for, and ./powercut-report is something else: it goes elsewhere, and is told where")
def elsewhere():
    with recorded() as own:
        os.mkdir(f"{own}/powercut-report")
        with open(f"{own}/powercut-report/thesis", "w", encoding="ascii"):
            pass
        text = explore(CHECK, says="the report is in", cwd=own)
        where = text.split("\nreport: ")[1].split("\n")[0]
        assert saved(where)["violations"], where
        equal(os.listdir(f"{own}/powercut-report"), ["thesis"], "what is not ours")
        shutil.rmtree(where)
