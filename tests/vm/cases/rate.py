# SPDX-License-Identifier: GPL-2.0
"""powercut rate: which flushes a check watches over."""

import signal
import subprocess

from cases.outcome import FOREVER, WAITING, begun, ended
from lib.command import nothing_left, powercut, processes, refused, tidy
from lib.disk import Disk
from lib.tap import equal, test

EXPLORE = "/mnt/powercut/tests/explore"
DEMO = "/mnt/powercut/tests/demo"
WAL = f"{EXPLORE}/wal-check"


def put(letter, block=0):
    """A block that is written and flushed."""
    return f"printf {letter} | dd of=$POWERCUT_DEV bs=4096 seek={block} conv=notrunc,fsync 2>/dev/null"


# Too far away to be read ahead.
FAR = 200
MARK = "echo m >$POWERCUT_MARK"
# Once that is promised, the first block is there.
FIRST = 'test ! -s $POWERCUT_MARKS || test "$(head -c 1 $POWERCUT_DEV)" = a'


def record(own, workload, *options, check=FIRST):
    powercut("run", "--fs", "none", "--size", "1M", "--workload", workload, "--check", check, "--record-only",
             "--report", f"{own}/record", *options)  # fmt: skip


def rate(own, *options, code=0):
    return powercut("rate", "--recording", f"{own}/record", "--json", *options, code=code, json_of=True)


def outcomes(rating):
    return [one["outcome"] for one in rating["guarantees"]]


@test("a check that reads all watches over each flush of a careful log, and of a careless one", "careful 3", WAL, ["watched"] * 6)
@test("a flush that is missing can't be watched over", "careless 3", WAL, ["watched"] * 3)
@test("a check that reads nothing watches over none", "careful 3", "true", ["unread"] * 6)
def logs(how, check, expected):
    with tidy() as own:
        record(own, f"{EXPLORE}/wal-workload {how}", check=check)
        rating = rate(own)
        equal(outcomes(rating), expected, "outcomes")
        equal(rating["counts"][expected[0]], len(expected), "the count")
        equal({(one["what"], one["task"]) for one in rating["guarantees"]}, {("FLUSH", "python3")}, "flushes")


@test("a flush with nothing to keep is idle; what is never read, unread; what does not matter, unwatched")
def others():
    for workload, expected in (
        (f"{put('a')}; {MARK}; sync $POWERCUT_DEV", ["watched", "idle"]),
        # Without either of the two the other one does.
        (f"{put('a')}; sync $POWERCUT_DEV; {MARK}", ["idle", "idle"]),
        (f"{put('a')}; {MARK}; {put('b', FAR)}; {MARK}", ["watched", "unread"]),
        # Nothing is promised: with it or without, the check is content.
        (f"{put('a')}; {put('b', FAR)}", ["unwatched", "idle"]),
    ):
        with tidy() as own:
            check = f"head -c 1 $POWERCUT_DEV >/dev/null; {FIRST}"
            record(own, workload, check=check)
            equal(outcomes(rate(own)), expected, workload)


@test("of two disks, each flush is of its own, and keeps what is on that disk")
def group():
    two = f"{EXPLORE}/two-disks"
    with tidy() as own:
        powercut("run", "--fs", "none", "--disks", "data:1M,log:1M", "--workload", f"{two} careful", "--check", f"{two} check",
                 "--record-only", "--report", f"{own}/record")  # fmt: skip
        rating = rate(own)
        assert rating["counts"]["watched"] >= 2 and not rating["counts"]["broken"], rating["guarantees"]
        assert {one["writes"] for one in rating["guarantees"] if one["outcome"] == "watched"} <= {1, 2}, rating["guarantees"]


@test("a check that fails in a legal state is no rating: 1, and which state")
def broken():
    with tidy() as own:
        # The second block is promised before it is flushed.
        late = f"printf b | dd of=$POWERCUT_DEV bs=4096 seek={FAR} conv=notrunc oflag=direct iflag=fullblock 2>/dev/null"
        late = late.replace("printf b", "head -c 4096 /dev/zero | tr '\\0' b")
        check = f'test ! -s $POWERCUT_MARKS || test "$(tail -c +{FAR * 4096 + 1} $POWERCUT_DEV | head -c 1)" = b'
        record(own, f"{put('a')}; {late}; {MARK}; sync $POWERCUT_DEV", check=check)
        rating = rate(own, "--report", f"{own}/r", code=1)
        equal(outcomes(rating)[0], "broken", "the first flush")
        powercut("rate", "--recording", f"{own}/record", code=1, says="use powercut explore first")
        found = powercut("explore", "--recording", f"{own}/record", "--report", f"{own}/e", code=1)
        assert "VIOLATION" in found, found


@test("the report is of the record without its flushes: replay and minimize show what was noticed")
def reported():
    with tidy() as own:
        record(own, f"{EXPLORE}/wal-workload careful 2", check=WAL)
        rating = rate(own, "--report", f"{own}/r")
        first = rating["guarantees"][0]
        where = ("--report", f"{own}/r")
        powercut("replay", first["noticed"]["id"], *where, code=1, says=first["noticed"]["output"].strip())
        powercut("replay", "1", *where, code=1, says="OUTSIDE OF THE CONTRACT")
        powercut("minimize", first["noticed"]["id"], *where, code=1, says="must be stable before")
        refused("the disk had faults when this was recorded", "rate", "--recording", f"{own}/r")
        text = powercut("rate", "--recording", f"{own}/record", "--all", "--report", f"{own}/again")
        for part in ("watches over 4 of 4", "EVENT", "powercut replay 1 --report"):
            assert part in text, text


@test("interrupted, it tells what was rated by then, and what was not")
def interrupted():
    with tidy() as own:
        check = f"test $(wc -l <$POWERCUT_MARKS) -lt 2 || test -e {own}/go || sleep {FOREVER}; {WAL}"
        with open(f"{own}/go", "w", encoding="ascii"):
            record(own, f"{EXPLORE}/wal-workload careful 3", check=check)
        subprocess.run(["rm", f"{own}/go"], check=True)
        words = ["rate", "--recording", f"{own}/record", "--jobs", "1"]
        process = begun(own, words, lambda: processes(WAITING))
        equal(ended(process, signal.SIGINT), 130, "status")
        nothing_left(WAITING)
        with open(f"{own}/out", encoding="utf-8") as file:
            text = file.read()
        assert "not rated" in text and " watched" in text, text


@test("SQLite on ext4: it watches over the flushes of the journal's commits, and no legal state fails", limit=900)
def sqlite():
    with tidy() as own:
        powercut("run", "--fs", "ext4", "--size", "32M", "--workload", f"{DEMO}/sqlite-workload DELETE EXTRA 2",
                 "--check", f"{DEMO}/sqlite-check", "--record-only", "--report", f"{own}/record")  # fmt: skip
        rating = rate(own, "--budget", "8")
        counts = rating["counts"]
        equal((counts["broken"], counts["untold"], counts["not_rated"]), (0, 0, 0), "others")
        watched = [one["what"] for one in rating["guarantees"] if one["outcome"] == "watched"]
        # Of each commit of the journal what is before its commit block, and of some the commit block.
        assert {"PREFLUSH", "FUA"} <= set(watched) and len(watched) >= 8, rating["guarantees"]
        owners = {owner for one in rating["guarantees"] for owner in one["owners"]}
        assert any("commit block" in owner for owner in owners), owners


@test("a disk without a write cache has nothing to rate; what can't be is refused")
def refusals():
    with tidy() as own, Disk("a") as disk:
        record(own, f"{put('a')}; {MARK}", "--write-cache", "off")
        powercut("rate", "--recording", f"{own}/record", says="nothing to rate")
        for says, *options in (("--budget 0", "--budget", "0"), ("--most 0", "--most", "0"), ("--jobs 99", "--jobs", "99")):
            refused(says, "rate", "--recording", f"{own}/record", *options)
        refused("no record", "rate", "a", "--check", "true")
        disk.record("start")
        with disk.raw() as raw:
            raw.write(0, b"a" * 4096)
            raw.flush()
            disk.mark("m")
        disk.record("stop")
        text = powercut("rate", "a", "--check", FIRST)
        assert "watches over 1 of 1" in text, text
        many = powercut("rate", "a", "--check", FIRST, "--most", "1", "--json", json_of=True)
        equal(outcomes(many), ["watched"], "of a disk")
