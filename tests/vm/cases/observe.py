# SPDX-License-Identifier: GPL-2.0
"""powercut run --observe: what software prints of itself at its marks is held against what it prints after a cut."""

import os
import shutil
import subprocess

from lib.command import powercut, refused, tidy
from lib.tap import Skip, equal, test

DEMO = "/mnt/powercut/tests/demo"
# A file of lines, replaced as a whole.
SAVE = 'cd $POWERCUT_MNT; save() {{ {{ cat db; echo $1; }} >new; {sync} mv new db; {sync_dir} echo "put $1" >$POWERCUT_MARK; }};'
SAFELY = SAVE.format(sync="sync new;", sync_dir="sync .;")
LATE = SAVE.format(sync="sync new;", sync_dir="")
# The name is durable, what is in the file is not.
CARELESSLY = SAVE.format(sync="", sync_dir="sync .;")
SETUP = "echo first >$POWERCUT_MNT/db; sync"
LINES = "sort $POWERCUT_MNT/db"


def observe(workload, command, *options, fs="ext4", setup=SETUP, **more):
    words = ("--fs", fs, "--setup", setup, "--workload", f"set -e; {workload}", "--observe", command)
    return powercut("run", *words, *options, **more)


def kinds(report):
    return {violation["kind"] for violation in report["violations"]}


def found(*words, **more):
    return observe(*words, "--json", json_of=True, **more)


@test("what is saved as it should be is clean", SAFELY + "save a; save b; save c", LINES, set())
@test("what is acknowledged too early is a loss", LATE + "save a; save b; save c", LINES, {"loss"})
@test("what is removed and acknowledged too early is back", "rm $POWERCUT_MNT/db; echo gone >$POWERCUT_MARK", f"test ! -e $POWERCUT_MNT/db || {LINES}", {"resurrection"})
@test("two files that are each saved as they should be are a mixture", "cd $POWERCUT_MNT; for n in 1 2; do"
      " for f in db other; do echo $n >new; sync new; mv new $f; sync .; done; echo $n >$POWERCUT_MARK; done",
      "cd $POWERCUT_MNT; grep . db other || true", {"mixture"})  # fmt: skip
@test("what does not open is a refusal, and says why", CARELESSLY + "save a; save b",
      f"test -s $POWERCUT_MNT/db || {{ echo the header is gone >&2; exit 3; }}; {LINES}", {"refusal"},
      "--mount-opts", "noauto_da_alloc")  # fmt: skip
def outcomes(workload, command, expected, *options):
    with tidy() as own:
        report = found(workload, command, "--budget", "40", "--report", f"{own}/r", *options, code=1 if expected else 0)
        equal(kinds(report), expected, "kinds of violations")
        assert expected or report["coverage"]["checked"] > 10, report["coverage"]
        truths = report["examination"]["truths"]
        equal(len(truths["moments"]), report["record"]["marks"] + 2, "moments")
        if "refusal" in expected:
            refusals = [v for v in report["violations"] if v["kind"] == "refusal"]
            equal({(v["how"], v["output"]) for v in refusals}, {("exit 3", "the header is gone\n")}, "refusals")


@test("a violation is shown as a difference, again by replay, and minimize finds its culprit, from the report alone")
def again():
    with tidy() as own:
        where = ("--report", f"{own}/r")
        text = observe(LATE + "save a; save b", LINES, "--budget", "40", *where, "--junit", f"{own}/junit.xml", code=1)
        for part in ("VIOLATION 1: loss, equal to an older moment", "\n  says    --- mark", "\n  says    -", "observed at 4 moments of the workload, 3 different"):
            assert part in text, text
        says = ("runs the check", "+++ after the power cut", ", and may match mark")
        powercut("replay", "1", *where, code=1, says=says)
        powercut("minimize", "1", *where, code=1, says="though nothing that it needs was flushed")
        with open(f"{own}/junit.xml", encoding="utf-8") as file:
            assert 'type="loss"' in file.read()
        with open(f"{own}/r/report.html", encoding="utf-8") as file:
            assert "equal to an older moment" in file.read()
        # Another check is no observation.
        powercut("replay", "1", *where, "--check", "true", code=0, says="consistent")


@test("shards explore a record made elsewhere, with what was observed there, and merge to what one does")
def shards():
    with tidy() as own:
        observe(LATE + "save a; save b", LINES, "--record-only", "--report", f"{own}/record")
        shutil.move(f"{own}/record", f"{own}/elsewhere")
        explored = ("explore", "--recording", f"{own}/elsewhere")
        plan = ("--strategy", "ends", "--budget", "none")
        whole = powercut(*explored, *plan, "--report", f"{own}/whole", "--json", code=1, json_of=True)
        for shard in (1, 2):
            words = (*plan, "--shard", f"{shard}/2", "--report", f"{own}/{shard}")
            done = subprocess.run(["powercut", *explored, *words], stdout=subprocess.DEVNULL, check=False)
            assert done.returncode in (0, 1), done
        merged = powercut("merge", f"{own}/1", f"{own}/2", "--report", f"{own}/merged", "--json", code=1, json_of=True)
        of = lambda report: sorted((v["id"], v["kind"], v["output"]) for v in report["violations"])  # noqa: E731
        equal(of(merged), of(whole), "violations")
        equal(merged["examination"], whole["examination"], "what was observed")
        powercut("replay", "1", "--report", f"{own}/merged", code=1, says="loss")


@test("the workload waits at its marks: what it does right after one is not in that moment")
def held():
    with tidy() as own:
        steps = "".join(f"echo {n} >>log; sync log; echo {n} >$POWERCUT_MARK; echo {n}+ >>log;" for n in range(3))
        report = found(f"cd $POWERCUT_MNT; sync .; {steps}", "cat $POWERCUT_MNT/log 2>/dev/null || true",
                       "--record-only", "--report", f"{own}/r")  # fmt: skip
        truths = report["examination"]["truths"]
        texts = [truths["texts"][moment["text"]].split() for moment in truths["moments"]]
        every = [word for n in range(3) for word in (str(n), f"{n}+")]
        equal(texts, [[], *(every[: 2 * n + 1] for n in range(3)), every], "what was there")
        equal([m["marks"] for m in truths["moments"]], [0, 1, 2, 3, 3], "marks")


@test("a process at work beside the one that writes marks is stopped meanwhile, and goes on")
def stopped():
    with tidy() as own:
        beside = "while :; do echo x >>beside; echo x >>twin; done & "
        steps = "".join(f"sleep 0.2; echo {n} >log; echo {n} >$POWERCUT_MARK;" for n in range(4))
        # Two counts of lines that are never far apart while nothing of the writer happens between two looks.
        command = "cd $POWERCUT_MNT; a=$(wc -l <beside || echo 0); b=$(wc -l <twin || echo 0); cat log; echo $a $b $((a - b))"
        report = found(f"cd $POWERCUT_MNT; touch beside twin log; {beside}{steps}", command,
                       "--record-only", "--no-baseline", "--report", f"{own}/r", setup="touch $POWERCUT_MNT/log $POWERCUT_MNT/beside $POWERCUT_MNT/twin")  # fmt: skip
        truths = report["examination"]["truths"]
        texts = [truths["texts"][moment["text"]].split() for moment in truths["moments"]]
        counts = [[int(word) for word in text[-3:]] for text in texts[1:]]
        assert all(difference in (0, 1) for *_, difference in counts), counts
        assert all(before[0] < after[0] for before, after in zip(counts[:-2], counts[1:-1])), counts


@test("what is observed by chance, by the place of the files, or not at all, is refused", "date +%N", "printed something else when it was run once more")
@test("what is observed by chance, by the place of the files, or not at all, is refused", "echo $POWERCUT_MNT", "print no times, no paths of $POWERCUT_MNT")
@test("what is observed by chance, by the place of the files, or not at all, is refused", "echo x", "printed the same at all 4 moments")
@test("what is observed by chance, by the place of the files, or not at all, is refused", "ls /nowhere", "failed (exit 2) at the start of the workload")
@test("what is observed by chance, by the place of the files, or not at all, is refused", "exit 125", "what was held then is not known")
@test("what is observed by chance, by the place of the files, or not at all, is refused", "printf '\\377'", "is no UTF-8")
@test("what is observed by chance, by the place of the files, or not at all, is refused", 'test -b "$POWERCUT_DEV"', "failed (exit 1)")
@test("what a mount shows otherwise than a copy is refused", "stat -f -c %T $POWERCUT_MNT; cat $POWERCUT_MNT/db", "it printed something else of a copy of the same files")
def no_observation(command, says):
    with tidy():
        words = ("run", "--fs", "ext4", "--setup", SETUP, "--workload", SAFELY + "save a; save b", "--observe", command)
        refused(says, *words)


TWO = "cd $POWERCUT_MNT; worker() { while test ! -e end; do echo $1 >$1; echo $1 >$POWERCUT_MARK || exit 1; done; }; "


@test("marks of several workers are refused", TWO + "worker a & worker b & wait", "does one thing after the other")
@test("marks of several processes that take turns are refused", "cd $POWERCUT_MNT;"
      " sh -c 'echo a >$POWERCUT_MARK; touch a; sleep 60' & while test ! -e a; do sleep 0.1; done;"
      " echo b >b; echo b >$POWERCUT_MARK", "at work as well")  # fmt: skip
@test("a mark by another way than the file is refused", "echo a >$POWERCUT_MNT/a; powercut mark ${POWERCUT_DEV##*/} a; echo b >$POWERCUT_MARK",
      "there are 1 marks in the record, of which 0 were written to $POWERCUT_MARK")  # fmt: skip
def no_moment(workload, says):
    with tidy():
        refused(says, "run", "--fs", "ext4", "--workload", workload, "--observe", "ls $POWERCUT_MNT")


@test("what does not go with it is refused before anything is done")
def options():
    for more, says in (
        (("--fs", "none"), "--observe needs a filesystem"),
        (("--fs", "ext4", "--marks", "monotone"), "does not go with --marks monotone"),
        (("--fs", "ext4", "--check", "true"), "cannot be used with"),
        (("--fs", "ext4", "--resident", "true"), "cannot be used with"),
    ):
        refused(says, "run", "--workload", "true", "--observe", "true", *more)


@test("a case of powercut.toml may observe")
def case():
    with tidy() as own:
        text = f"""
[defaults]
fs = "ext4"
setup = '''{SETUP}'''
observe = '''{LINES}'''
budget = 12
max-violations = 1
[[case]]
name = "safe"
workload = '''{SAFELY}save a; save b'''
[[case]]
name = "late"
workload = '''{LATE}save a; save b'''
expect = "violations"
"""
        with open(f"{own}/powercut.toml", "w", encoding="utf-8") as file:
            file.write(text)
        powercut("run", "--config", f"{own}/powercut.toml", code=0, says="as expected")


@test("a recovery that is cut again is held against the same moments")
def recovery():
    with tidy() as own:
        report = found(SAFELY + "save a; save b", LINES, "--depth", "2", "--budget", "4", "--recovery-budget", "4", "--report", f"{own}/r")
        equal(report["violations"], [], "violations")
        assert report["coverage"]["recoveries"]["checked"] > 0, report["coverage"]


@test("SQLite in WAL mode with synchronous=FULL is clean, on ext4", "WAL", "FULL", set())
@test("SQLite with synchronous=OFF loses what it acknowledged, on ext4", "WAL", "OFF", {"loss"})
def sqlite(journal, synchronous, expected):
    if not shutil.which("sqlite3"):
        raise Skip("there is no sqlite3")
    setup = f"sqlite3 $POWERCUT_MNT/db 'PRAGMA journal_mode={journal}; CREATE TABLE before (word)'; sync"
    with tidy() as own:
        report = found(f"{DEMO}/sqlite-workload {journal} {synchronous} 4", "sqlite3 $POWERCUT_MNT/db .dump", "--budget", "40",
                       "--report", f"{own}/r", setup=setup, code=1 if expected else 0)  # fmt: skip
        assert kinds(report) >= expected and (expected or not kinds(report)), kinds(report)


# Starts PostgreSQL on the files, and returns once it answers.
SERVER = """#!/bin/sh
cd / && install -d -o postgres "$TMPDIR/pg" || exit 1
as='setpriv --reuid=postgres --regid=postgres --clear-groups'
bin=$(echo /usr/lib/postgresql/*/bin)
if test "$1" = init; then
    chmod 755 "$POWERCUT_MNT" && install -d -m 700 -o postgres "$POWERCUT_MNT/data" || exit 1
    exec $as "$bin/initdb" -D "$POWERCUT_MNT/data" --wal-segsize=1 --auth=trust --locale=C >/dev/null
fi
options="-c listen_addresses= -c unix_socket_directories=$TMPDIR/pg -c fsync=$FSYNC"
$as "$bin/pg_ctl" -D "$POWERCUT_MNT/data" -w -l "$TMPDIR/pg/log" -o "$options" start >/dev/null || { cat "$TMPDIR/pg/log" >&2; exit 1; }
sql() { $as psql -h "$TMPDIR/pg" -XAtqc "$1" postgres; }
if test "$1" = dump; then
    test -z "$(sql "select to_regclass('ledger')")" || sql 'table ledger order by number'
    exit
fi
set -e
sql 'create table ledger (number int)'
echo created >"$POWERCUT_MARK"
sql 'insert into ledger values (1), (2)'
echo 1 and 2 >"$POWERCUT_MARK"
"""


@test("a server that is started on copies of its files is clean: PostgreSQL", "on", set(), limit=900)
def server(fsync, expected):
    if not shutil.which("psql"):
        raise Skip("there is no PostgreSQL")
    with tidy() as own:
        script = f"{own}/server"
        with open(script, "w", encoding="ascii") as file:
            file.write(SERVER)
        os.chmod(script, 0o755)
        # PostgreSQL runs as a user of its own.
        os.chmod(os.path.dirname(own), 0o711)
        os.environ["FSYNC"] = fsync
        report = found(f"{script} work", f"{script} dump", "--budget", "6", "--size", "128M", "--report", f"{own}/r",
                       setup=f"{script} init", code=1 if expected else 0)  # fmt: skip
        equal(kinds(report), expected, "kinds of violations")
        equal(report["examination"]["truths"]["texts"], ["", "1\n2\n"], "what was observed")
