# SPDX-License-Identifier: GPL-2.0
"""Writes that survive as prefixes, or that may cost their neighbours (`tear`): where that shows and where it is told.
What is legal then: histories."""

import errno
import subprocess

from cases.faults_found import bash
from lib import log as fmt
from lib.command import powercut, refused, tidy
from lib.disk import Disk
from lib.tap import DEBUG, equal, fails, note, rounds, test

UNITS = 6
PAGE = 4096


@test("tear: any, prefix or rmw, and nothing else, while the power is off; in the log it has a version of its own")
def setting():
    with Disk(power=0) as disk:
        for value in ("prefix", "any\n", "rmw", "prefix\n"):
            disk.set("tear", value)
            equal(disk.get("tear"), value.strip(), "tear")
        for value in ("", "\n", "x", "Any", "any ", "prefixes", "1", "prefix\n\n", "pre\0fix", "RMW", "rmw "):
            if value:
                with fails(errno.EINVAL, repr(value)):
                    disk.set("tear", value)
            equal(disk.get("tear"), "prefix", "tear")
        disk.on()
        with fails(errno.EBUSY):
            disk.set("tear", "any")
        disk.record("start")
        with disk.raw() as raw:
            raw.write(0, b"x" * PAGE)
        disk.record("stop")
        log = disk.log()
        equal((log.version, log.prefix), (3, True), "version and flag")
        with disk.view() as view:
            view.point(2, "all")
            equal(view.read(PAGE), b"x" * PAGE, "the view")


@test("tear=rmw is of blocks of 512 bytes in physical ones of 4096, and of no others; in the log it has a version")
def setting_of_rmw():
    rmw = {"blocksize": 512, "physical_blocksize": 4096, "tear": "rmw"}
    for other in ({"blocksize": 4096}, {"physical_blocksize": 512}, {"physical_blocksize": 0}, {"atomic_unit": 1024},
                  {"atomic_unit": 4096}):  # fmt: skip
        with Disk(power=0, **rmw | other) as disk:
            with fails(errno.EINVAL, str(other)):
                disk.on()
            equal(disk.get("power"), "0", "power")
            disk.set("tear", "any")
            disk.on()
    with Disk(**rmw) as disk:
        with disk.raw() as raw:
            raw.write(0, b"o" * PAGE)
        disk.record("start")
        with disk.raw() as raw:
            raw.write(1024, b"x" * 512)
        disk.record("stop")
        log = disk.log()
        equal((log.version, log.prefix, log.rmw), (4, False, True), "version and flags")
        with disk.view() as view:
            for keep, expected in (("all", b"ooxooooo"), ("none", b"o" * 8), ("1:7", b"ooooooo\0"), ("1:1-2", b"o\0xooooo")):
                view.point(2, keep)
                equal(view.read(PAGE)[::512], expected, keep)
            for keep in ("1:8", "1:0-8"):
                with fails(errno.EINVAL, keep):
                    view.point(2, keep)


# One write of six blocks, each full of its letter.
WRITE = (
    "for c in a b c d e f; do head -c 4096 /dev/zero | tr '\\0' $c; done |"
    " dd of=$POWERCUT_DEV bs=24576 iflag=fullblock oflag=direct conv=notrunc 2>/dev/null"
)
# Breaks only when the third is lost and the fifth is there.
CHECK = (
    "at() { dd if=$POWERCUT_DEV bs=4096 skip=$1 count=1 iflag=direct 2>/dev/null | head -c 1 | tr '\\0' -; };"
    'test "$(at 4)" = - || test "$(at 2)" = c || { echo a later block without an earlier one; exit 1; }'
)


def run(own, name, tear, *options, code=0):
    return powercut("run", "--fs", "none", "--size", "1M", "--tear", tear, "--workload", bash(WRITE), "--check",
                    bash(CHECK), "--report", f"{own}/{name}", "--json", *options, json_of=True, code=code)  # fmt: skip


@test("a checker that breaks on a hole in a write: clean where writes survive as prefixes, all of them; caught where not")
def holes():
    with tidy() as own:
        clean = run(own, "prefix", "prefix", "--strategy", "exhaustive")
        coverage = clean["coverage"]
        equal((clean["disk"]["tear"], clean["violations"], coverage["all"]), ("prefix", [], True), "prefixes")
        # n + 1 for one write; what the check reads tells four of them apart.
        equal((coverage["legal_states"], coverage["covered_states"]), (str(UNITS + 1),) * 2, "states")
        assert 2 <= coverage["checked"] <= UNITS + 1, coverage
        powercut("report", f"{own}/prefix", says="tear=prefix")
        powercut("report", f"{own}/prefix", "--html", f"{own}/page")
        with open(f"{own}/page", encoding="utf-8") as page:
            assert "tear=prefix" in page.read(), "the page"

        found = run(own, "any", "any", "--strategy", "exhaustive", code=1)
        assert "tear" not in found["disk"], found["disk"]
        equal((found["coverage"]["legal_states"], found["coverage"]["all"]), (str(1 << UNITS), True), "any")
        assert found["violations"], "nothing was found"
        if not DEBUG:
            assert run(own, "tears", "any", "--strategy", "tears", code=1)["violations"], "nothing was found by tears"
            for strategy in ("tears", "random", "auto"):
                equal(run(own, strategy, "prefix", "--strategy", strategy)["violations"], [], strategy)
            # One write is no pair: nothing is looked at, and so nothing found out.
            equal(run(own, "pairs", "prefix", "--strategy", "pairs", code=2)["coverage"]["checked"], 0, "pairs")

        # The one that fails is no state of the other, nor is anything with a gap.
        ident = found["violations"][0]["id"]
        refused("another log", "replay", ident, "--report", f"{own}/prefix")
        ours = f"{clean['record']['hash']}:k={clean['record']['events']}"
        refused("tear=prefix", "replay", f"{ours}:keep=0-1,4", "--report", f"{own}/prefix")
        refused("keeps piece 1 but not piece 0", "replay", f"{ours}:keep=1", "--report", f"{own}/prefix")
        powercut("replay", f"{ours}:keep=0-3", "--report", f"{own}/prefix")


# Breaks when the write is there in part only.
WHOLE = (
    "at() { dd if=$POWERCUT_DEV bs=4096 skip=$1 count=1 iflag=direct 2>/dev/null | head -c 1 | tr '\\0' -; };"
    'test "$(at 1)" = - || test "$(at 3)" = d || { echo torn; exit 1; }'
)


@test("minimize: the one block of a prefix that had to be there with the others")
def minimized():
    with tidy() as own:
        found = powercut("run", "--fs", "none", "--size", "1M", "--tear", "prefix", "--workload", bash(WRITE), "--check",
                         bash(WHOLE), "--strategy", "exhaustive", "--report", f"{own}/r", "--json", json_of=True,
                         code=1)  # fmt: skip
        ident = found["violations"][0]["id"]
        told = powercut("minimize", ident, "--report", f"{own}/r", "--json", json_of=True, code=1)
        (lost,) = told["culprit"]["must_be_stable"]
        equal(lost["units"], [[3, 3]], "the unit that is missing")
        equal(told["culprit"]["minimal"], True, "minimal")


# A page of `a`, promised; then its fourth sector becomes `b`: that alone, or with the rest of the page. It is not the
# first page of the disk: that one is read whenever somebody looks for partitions.
FIRST = (
    "head -c 4096 /dev/zero | tr '\\0' a |"
    " dd of=$POWERCUT_DEV bs=4096 seek=16 iflag=fullblock oflag=direct conv=notrunc,fsync 2>/dev/null;"
    " echo a >$POWERCUT_MARK;"
)
ALONE = "head -c 512 /dev/zero | tr '\\0' b | dd of=$POWERCUT_DEV bs=512 seek=131 oflag=direct conv=notrunc 2>/dev/null"
ALONG = (
    "{ head -c 1536 /dev/zero | tr '\\0' a; head -c 512 /dev/zero | tr '\\0' b; head -c 2048 /dev/zero | tr '\\0' a; } |"
    " dd of=$POWERCUT_DEV bs=4096 seek=16 iflag=fullblock oflag=direct conv=notrunc 2>/dev/null"
)
# Breaks when what is right beside the fourth sector is not as was promised.
BESIDE = (
    "at() { dd if=$POWERCUT_DEV bs=512 skip=$1 count=1 iflag=direct 2>/dev/null | head -c 1 | tr '\\0' -; };"
    "test -s $POWERCUT_MARKS || exit 0;"
    'case "$(at 130)$(at 131)$(at 132)" in aaa | aba) ;; *) echo something beside it is gone; exit 1 ;; esac'
)


def run_beside(own, name, tear, write, *options, code=0):
    return powercut("run", "--fs", "none", "--size", "1M", "--block-size", "512", "--tear", tear, "--workload",
                    bash(FIRST + write), "--check", bash(BESIDE), "--report", f"{own}/{name}", "--json", *options,
                    json_of=True, code=code)  # fmt: skip


@test("a checker that breaks when what is beside a write is lost: caught with rmw alone, and not where whole blocks are written")
def beside():
    with tidy() as own:
        exhaustive = ("--strategy", "exhaustive")
        for name, tear, write in (("any", "any", ALONE), ("whole", "rmw", ALONG)):
            clean = run_beside(own, name, tear, write, *exhaustive)
            equal((clean["violations"], clean["coverage"]["all"]), ([], True), name)
        equal(clean["disk"]["tear"], "rmw", "tear")

        found = run_beside(own, "rmw", "rmw", ALONE, *exhaustive, code=1)
        # Two of the write, and each of seven beside it; three of these sectors are looked at.
        coverage = found["coverage"]
        equal((coverage["all"], len(found["violations"])), (True, 6), "exhaustive, and what was found")
        assert int(coverage["legal_states"]) >= 256, coverage
        powercut("report", f"{own}/rmw", says="tear=rmw")
        for violation in found["violations"]:
            for write in violation.get("lost") or ():
                if write["rule"] == "R7":
                    equal((write["sector"], write["sectors"]), (131, 1), "the write")
        assert any(write["rule"] == "R7" for write in found["violations"][0]["lost"]), found["violations"][0]
        ident = found["violations"][0]["id"]
        powercut("replay", ident, "--report", f"{own}/rmw", code=1, says="R7")
        refused("another log", "replay", ident, "--report", f"{own}/any")
        told = powercut("minimize", ident, "--report", f"{own}/rmw", "--json", json_of=True, code=1)["culprit"]
        (cost,) = told["before"]
        equal((told["sort"], told["must_be_stable"], told["minimal"]), ("neighbours", [], True), "the culprit")
        equal((cost["sector"], cost["costs"], len(cost["units"])), (131, True, 1), "what the write costs")
        assert cost["units"][0][0] in (130, 132), cost
        if not DEBUG:
            tears = ("--strategy", "tears", "--stop-on-first")
            assert run_beside(own, "tears", "rmw", ALONE, *tears, code=1)["violations"], "nothing was found by tears"
            equal(run_beside(own, "ends", "rmw", ALONE, "--strategy", "ends")["violations"], [], "ends")


@test("restore by a seed, rmw: now and then something beside a write is gone")
def restored_with_rmw():
    with tidy():
        powercut("create", "a", "--size", "1M", "--block-size", "512", "--tear", "rmw")
        seen = set()
        for seed in range(rounds(24, 12)):
            with open("/dev/powercut/a", "r+b") as disk:
                disk.write(b"a" * PAGE)
            powercut("record", "a", "start")
            subprocess.run(("dd", "of=/dev/powercut/a", "bs=512", "seek=3", "oflag=direct", "conv=notrunc"),
                           input=b"b" * 512, check=True, stderr=subprocess.DEVNULL)  # fmt: skip
            powercut("cut", "a")
            powercut("restore", "a", "--keep", f"seed:{seed}")
            with open("/dev/powercut/a", "rb") as disk:
                now = disk.read(PAGE)[::512].decode()
            assert now[3] in "ab" and set(now) <= set("ab\0") and "b" not in now[:3] + now[4:], now
            seen.add((now[3], "\0" in now))
        powercut("remove", "a")
        note(seen)
        assert len(seen) >= 3, seen


@test("restore by a seed: on a disk of prefixes always one, of many lengths; else hardly ever")
def restored():
    node = "/dev/powercut/a"
    with tidy():
        for tear, number in (("prefix", rounds(24, 12)), ("any", 4)):
            powercut("create", "a", "--size", "1M", "--tear", tear)
            lengths, holes_seen = set(), 0
            for seed in range(number):
                data = bytes([seed + 1]) * (16 * PAGE)
                powercut("record", "a", "start")
                subprocess.run(("dd", f"of={node}", "bs=65536", "iflag=fullblock", "oflag=direct", "conv=notrunc"),
                               input=data, check=True, stderr=subprocess.DEVNULL)  # fmt: skip
                powercut("cut", "a")
                powercut("restore", "a", "--keep", f"seed:{seed}")
                with open(node, "rb") as disk:
                    now = disk.read(16 * PAGE)
                kept = [now[at * PAGE] == seed + 1 for at in range(16)]
                lengths.add(sum(kept))
                holes_seen += kept != sorted(kept, reverse=True)
            note(tear, "lengths", sorted(lengths), "with holes", holes_seen)
            if tear == "prefix":
                equal(holes_seen, 0, "survivors with holes")
                assert len(lengths) > 5, lengths
            else:
                assert holes_seen > 2, holes_seen
            powercut("remove", "a")


RMW = {"blocksize": 512, "physical_blocksize": 4096, "tear": "rmw"}
MOVED = (
    ("prefix", ("--tear", "prefix"), {"tear": "prefix"}, "32768", "9"),
    ("rmw", ("--tear", "rmw", "--block-size", "512"), RMW, "512", "256"),
)


def moved(tear, options, settings, size, states):
    with tidy() as own:
        powercut("create", "a", "--size", "1M", *options)
        powercut("record", "a", "start")
        dd = ("dd", "if=/dev/zero", "of=/dev/powercut/a", f"bs={size}", "count=1", "oflag=direct", "conv=notrunc")
        subprocess.run(dd, check=True, stderr=subprocess.DEVNULL)
        counted = powercut("count", "a", "--json", json_of=True)
        equal(counted["legal_states"], states, "states")
        powercut("export", "a", f"{own}/a.pcut")
        powercut("import", "b", f"{own}/a.pcut")
        equal(powercut("count", "b", "--json", json_of=True), counted, "of the import")
        (_, listed) = powercut("list", "--json", json_of=True)
        equal(listed["tear"], tear, "tear")
        data = fmt.request("export a")
        with Disk("c", **settings | {"tear": "any"}) as other, fails(errno.EINVAL):
            fmt.send_import(other, data)
        with Disk("c", **settings) as other:
            none = data[12] & ~24
            for change in ({8: 1}, {8: 2}, {8: 7 - data[8]}, {12: none}, {12: none | 24}, {8: 1, 12: none}):
                changed = bytearray(data)
                for at, value in change.items():
                    changed[at] = value
                with fails(errno.EINVAL, str(change)):
                    fmt.send_import(other, bytes(changed))
            fmt.send_import(other, data)
        for wrong in ("", "none", "Prefix", "rmw"):
            powercut("create", "d", "--tear", wrong, code=2)
        powercut("create", "d", "--tear", "rmw", "--block-size", "512", "--atomic-unit", "4096", code=2)
        powercut("remove", "a")
        powercut("remove", "b")


for row in MOVED:
    test(f"export and import keep the rule, {row[0]}; a disk of another refuses it", *row)(moved)
