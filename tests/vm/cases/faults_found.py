# SPDX-License-Identifier: GPL-2.0
"""Faults as the command has them: set, found, named in ids and reports; each show has a clean control."""

import json
import re
import subprocess

from cases.command_run import need
from lib.command import disks, powercut, refused, tidy
from lib.tap import equal, test

DEMO = "/mnt/powercut/tests/demo"

# Each block holds its number, over and over: written past the page cache, then flushed, then promised.
BLOCKS = (
    "for n in 1 2 3 4 5 6 7 8; do printf '%04d' $n; yes block$n | head -c 4092; done >$TMPDIR/data;"
    "dd if=$TMPDIR/data of=$POWERCUT_DEV bs=4096 oflag=direct conv=notrunc,fsync 2>/dev/null || exit;"
    "rm $TMPDIR/data; echo written >$POWERCUT_MARK"
)
# A checker that knows what each block is to hold, and where.
BLOCKS_CHECK = (
    "test -s $POWERCUT_MARKS || exit 0;"
    "for n in 1 2 3 4 5 6 7 8; do { printf '%04d' $n; yes block$n | head -c 4092; } |"
    " cmp -s - <(dd if=$POWERCUT_DEV bs=4096 skip=$((n - 1)) count=1 iflag=direct 2>/dev/null)"
    " || { echo block $n is wrong; exit 1; }; done"
)
PROMISE = "echo hello >$POWERCUT_MNT/a; sync $POWERCUT_MNT/a $POWERCUT_MNT; echo a >$POWERCUT_MARK"
PROMISE_CHECK = (
    "while read -r name; do test -s $POWERCUT_MNT/$name || { echo $name was promised and is gone; exit 1; };"
    "done <$POWERCUT_MARKS"
)


def bash(script):
    return f"bash -c '{script.replace(chr(39), chr(39) + chr(92) + chr(39) + chr(39))}'"


def run(own, name, fs, workload, check, *options, code):
    words = ("--fs", fs, "--workload", workload, "--check", check, "--report", f"{own}/{name}", "--json")
    size = ("--size", "1M") if fs == "none" else ()
    return powercut("run", *words, *size, *options, json_of=True, code=code)


def show(own, fs, workload, check, faults, *options):
    """Without faults it is clean, and with each it is found out."""
    clean = run(own, "clean", fs, workload, check, *options, code=0)
    equal((clean["schema"], clean["violations"]), (3, []), "the control")
    assert "faults" not in clean, clean["faults"]
    for kind, rule in faults:
        found = run(own, kind, fs, workload, check, "--fault", rule, *options, code=1)
        assert found["violations"], f"{rule} was not found out"
        equal(found["schema"], 4, "the schema")
        told = found["faults"]
        equal(told["kinds"], [kind], "the kinds of faults")
        assert told["entries"] > 0 and told["rules"][0]["hits"] > 0, told
        equal(told["rules"][0]["rule"].split()[0], kind, "the rule")
        assert int(told["outside_states"]) > 0, told
        for violation in found["violations"]:
            assert violation["id"].endswith(f":faults={kind}"), violation["id"]
        yield kind, found["violations"][0]["id"], f"{own}/{kind}"


@test("a flush that lies is found out by a database that is clean without, and named wherever it is told", limit=400)
def flush_lies():
    need("ext4")
    with tidy() as own:
        work, check = f"{DEMO}/sqlite-workload DELETE EXTRA 3", f"{DEMO}/sqlite-check"
        for kind, ident, report in show(own, "ext4", work, check, [("flush-lies", "flush-lies")], "--budget", "30"):
            named(kind, ident, report)


def named(kind, ident, report):
    """A faulty state is never told as a legal one."""
    told = powercut("report", report)
    for words in ("OUTSIDE OF THE CONTRACT", f"faults {kind}", f'fault rule "{kind}"', "not legal", ident):
        assert words in told, f"{words!r} is not in {told[:2000]}"
    assert "  legal   " not in told, told[:2000]
    powercut("report", report, "--html", f"{report}/page", "--junit", f"{report}/junit")
    for name in ("page", "junit"):
        with open(f"{report}/{name}", encoding="utf-8") as file:
            text = file.read()
        assert "OUTSIDE OF THE CONTRACT" in text and kind in text, name
    powercut("replay", ident, "--report", report, code=1, says="OUTSIDE OF THE CONTRACT")
    legal = ident.rsplit(":", 1)[0]
    refused("has faults=" + kind, "replay", legal, "--report", report)
    refused("no faults", "replay", legal, "--report", report)
    refused("faults=stale", "replay", f"{legal}:faults=stale", "--report", report)
    refused("faults=KIND", "replay", f"{legal}:faults=luck", "--report", report)


@test("an ignored FUA is found out on ext4, whose commits rely on it")
def fua_ignored():
    need("ext4")
    with tidy() as own:
        for _ in show(own, "ext4", PROMISE, PROMISE_CHECK, [("fua-ignored", "fua-ignored")], "--budget", "30"):
            pass


# One block after the other, each flushed and promised.
IN_TURN = (
    "for n in 1 2 3; do head -c 4096 /dev/zero | tr '\\0' $n |"
    " dd of=$POWERCUT_DEV bs=4096 seek=$n iflag=fullblock oflag=direct conv=notrunc,fsync 2>/dev/null;"
    " echo $n >>$POWERCUT_MARK; done"
)
AT = "at() { dd if=$POWERCUT_DEV bs=4096 skip=$1 count=1 iflag=direct 2>/dev/null | head -c 1 | tr '\\0' -; };"
ALL_THERE = f'{AT} while read -r n; do test "$(at $n)" = $n || {{ echo $n was promised and is gone; exit 1; }}; done <$POWERCUT_MARKS'
NO_GAP = (
    f'{AT} gone=; for n in 1 2 3; do if test "$(at $n)" = -; then gone=$n;'
    ' elif test -n "$gone"; then echo $n is there and $gone is not; exit 1; fi; done'
)


@test("a disk as it was a while ago: found out by who knows what was promised, and in order all the same")
def rollback():
    lies = ("--fault", "flush-lies", "--fault", "fua-ignored")
    back = ("--strategy", "rollback")
    with tidy() as own:
        clean = run(own, "clean", "none", bash(IN_TURN), bash(ALL_THERE), *back, code=0)
        equal(clean["violations"], [], "without faults")
        found = run(own, "back", "none", bash(IN_TURN), bash(ALL_THERE), *lies, *back, code=1)
        for violation in found["violations"]:
            assert violation["id"].endswith(":faults=flush-lies"), violation["id"]
        # Back by one, by two, by all: each is in it.
        equal({v["kept_writes"] for v in found["violations"]}, {0, 1, 2}, "writes that are there")
        powercut("replay", found["violations"][0]["id"], "--report", f"{own}/back", code=1, says="OUTSIDE OF THE CONTRACT")
        equal(run(own, "ordered", "none", bash(IN_TURN), bash(NO_GAP), *lies, *back, code=0)["violations"], [], "in order")
        # The same disk in another state is not in order.
        other = ("--strategy", "keep-one", "--stop-on-first")
        assert run(own, "any", "none", bash(IN_TURN), bash(NO_GAP), *lies, *other, code=1)["violations"]


@test("lost, misdirected and corrupted writes are each found out by a checker that knows what it wrote")
def checksums():
    with tidy() as own:
        faults = (
            ("lost", "lost lba=16-23"),
            ("misdirected", "misdirected lba=16-23 to=1024"),
            ("corrupt", "corrupt lba=16-23 bytes=1 seed=5"),
        )
        for kind, ident, report in show(own, "none", bash(BLOCKS), bash(BLOCKS_CHECK), faults):
            powercut("replay", ident, "--report", report, code=1, says="is wrong")
            log = powercut("lint", "--report", report, "--json", json_of=True)
            assert log, kind


# A file of 256 KiB, written past the page cache, then promised.
FILE = (
    "head -c 262144 /dev/zero | tr '\\0' x | dd of=$POWERCUT_MNT/file bs=262144 iflag=fullblock oflag=direct"
    " conv=fsync 2>/dev/null && sync $POWERCUT_MNT && echo file >$POWERCUT_MARK"
)
# Whether it is there, and, for one that knows it, what is in it.
THERE = 'test -s $POWERCUT_MARKS || exit 0; test "$(stat -c %s $POWERCUT_MNT/file)" = 262144'
KNOWN = f"{THERE} && head -c 262144 /dev/zero | tr '\\0' x | cmp - $POWERCUT_MNT/file"
SCRUB = f"{THERE} && btrfs scrub start -B -r $POWERCUT_MNT"
# Where mkfs.btrfs has data, and nothing else, on a disk of this size.
BTRFS_DATA = "lba=26624-43007"


def file_on_ext4(own, *options):
    """Where the file is, by a check that fails and says so."""
    where = f"{THERE} && filefrag -v -b512 $POWERCUT_MNT/file && exit 3"
    found = run(own, "where", "ext4", bash(FILE), bash(where), "--no-baseline", *options, code=1)
    (extent,) = {
        match.groups()
        for violation in found["violations"]
        for match in re.finditer(r"\d+: +\d+\.\. *\d+: +(\d+)\.\. *(\d+):", violation["output"])
    }
    return "lba={}-{}".format(*extent)


@test("corrupted data: btrfs scrub finds it, on ext4 nothing does that does not know the file")
def scrubbed():
    need("btrfs")
    with tidy() as own:
        few = ("--strategy", "ends", "--budget", "8")
        btrfs = ("btrfs", bash(FILE), bash(SCRUB))
        clean = run(own, "clean", *btrfs, *few, code=0)
        assert clean["coverage"]["checked"] > 2, clean["coverage"]
        found = run(own, "btrfs", *btrfs, "--fault", f"corrupt {BTRFS_DATA} bytes=16", *few, code=1)
        equal(found["faults"]["kinds"], ["corrupt"], "kinds of faults")
        assert found["faults"]["rules"][0]["hits"] > 0, found["faults"]
        assert any("rrors found" in v["output"] or "csum" in v["output"] for v in found["violations"]), found["violations"]

        fault = ("--fault", f"corrupt {file_on_ext4(own, *few)} bytes=16")
        told = run(own, "ext4", "ext4", bash(FILE), bash(f"{THERE} && cat $POWERCUT_MNT/file >/dev/null"),
                   "--fsck", "e2fsck -fp $POWERCUT_DEV", *fault, *few, code=0)  # fmt: skip
        assert told["faults"]["rules"][0]["hits"] > 0, told["faults"]
        run(own, "known", "ext4", bash(FILE), bash(KNOWN), *fault, *few, code=1)


# Reads block 1; one that knows what to do writes it again where that fails.
READS = "dd if=$POWERCUT_DEV of=/dev/null bs=4096 skip=1 count=1 iflag=direct 2>/dev/null"
REPAIRS = (
    f"{READS} || dd if=/dev/zero of=$POWERCUT_DEV bs=4096 seek=1 count=1 oflag=direct conv=notrunc 2>/dev/null; {READS}"
)


@test("a checker meets bad sectors: one that gives up fails, one that writes them again does not, in each state")
def bad_sectors():
    with tidy() as own:
        data = "head -c 16384 /dev/zero | tr '\\0' x"
        write = f"{data} | dd of=$POWERCUT_DEV bs=4096 iflag=fullblock oflag=direct conv=notrunc 2>/dev/null"
        bad = ("--view-fault", "badblocks mode=until-rewritten +8-15")
        clean = run(own, "clean", "none", write, READS, code=0)
        assert clean["coverage"]["checked"] > 1, clean["coverage"]
        found = run(own, "reads", "none", write, READS, *bad, code=1)
        equal(found["faults"]["view_rules"], [bad[1]], "the rules of the views")
        # The recorded disk did nothing wrong: the states are legal, what they were read from is not.
        equal((found["faults"]["kinds"], found["faults"]["outside_states"]), ([], "0"), "faults of the disk")
        powercut("replay", found["violations"][0]["id"], "--report", f"{own}/reads", code=1)
        mended = run(own, "repairs", "none", write, REPAIRS, *bad, code=0)
        equal(mended["coverage"]["checked"] > 1, True, "states checked")
        gone = ("--view-fault", "badblocks +8-15")
        run(own, "gone", "none", write, REPAIRS, *gone, code=1)


@test("powercut fault: add, list and clear; what is no rule changes nothing")
def manage():
    with tidy() as own:
        powercut("create", "a", "--size", "1M", "--fault", "lost count=1", "--fault", "badblocks +8-15")
        listed = powercut("fault", "a", "list", "--json", json_of=True)
        equal(listed["rules"], [{"rule": "lost count=1", "hits": 0}], "rules")
        equal((listed["badblocks"], listed["badblocks_mode"]), ([[8, 15]], "all"), "bad sectors")
        for says, rule in (
            ("no kind of fault", "lots"),
            ("KEY=VALUE", "stale op=read"),
            ("docs/faults.md", "lost count=x"),
            ("beyond the end", "lost lba=0-9999"),
            ("give badblocks", "badblocks 8"),
        ):
            refused(says, "fault", "a", "add", "eio", rule)
            if says not in ("docs/faults.md", "beyond the end"):
                refused(says, "create", "b", "--fault", rule)
                refused(says, "run", "--fs", "none", "--workload", "true", "--check", "true", "--fault", rule)
                refused(says, "run", "--fs", "none", "--workload", "true", "--check", "true", "--view-fault", rule)
        for rule in ("lost count=x", "lost lba=0-99999999"):
            refused("refused", "create", "b", "--fault", rule)
        refused("no disk", "fault", "b", "list")
        refused("no view", "fault", "a.v", "list")
        powercut("fault", "a", "add", "latency usec=1", "eio op=discard", "badblocks mode=read once=1")
        told = powercut("fault", "a", "list")
        assert "latency usec=1  (applied 0)" in told and "badblocks mode=read once=1 +8-15" in told, told

        powercut("record", "a", "start")
        dd = ("dd", "if=/dev/zero", "of=/dev/powercut/a", "bs=4096", "count=1", "oflag=direct", "conv=notrunc")
        subprocess.run(dd, check=True, stderr=subprocess.DEVNULL)
        assert "LOST" in powercut("log", "a"), "the log"
        first = json.loads(powercut("log", "a", "--json").splitlines()[0])
        assert "LOST" in first["flags"], first
        counted = powercut("count", "a", "--json", json_of=True)
        equal((counted["faults"], counted["outside_states"]), (["lost"], counted["legal_states"]), "count")
        powercut("export", "a", f"{own}/a.pcut")
        powercut("import", "b", f"{own}/a.pcut")
        equal(powercut("count", "b", "--json", json_of=True), counted, "of the import")
        powercut("fault", "a", "clear")
        equal(powercut("fault", "a", "list"), "", "rules once they were cleared")
        for name in disks():
            powercut("remove", name)


@test("discards that leave garbage: garbage where something was, zeroes elsewhere, and the command knows")
def garbage():
    with tidy() as own:
        work = (
            "head -c 8192 /dev/zero | tr '\\0' x | dd of=$POWERCUT_DEV bs=8192 oflag=direct conv=notrunc 2>/dev/null;"
            "blkdiscard -o 4096 -l 8192 $POWERCUT_DEV; sync $POWERCUT_DEV; echo done >$POWERCUT_MARK"
        )
        # Block 1 was written to, block 2 was not.
        check = (
            "test -s $POWERCUT_MARKS || exit 0; at() { dd if=$POWERCUT_DEV bs=4096 skip=$1 count=1 2>/dev/null; };"
            "z() { head -c 4096 /dev/zero; }; z | cmp -s - <(at 2) || exit 9;"
            "z | cmp -s - <(at 1) || { at 1 | sha256sum; exit 1; }"
        )
        words = ("--strategy", "exhaustive")
        run(own, "zeroes", "none", work, bash(check), *words, code=0)
        seen = []
        for seed in (7, 7, 8):
            option = ("--discard-content", f"garbage:{seed}", "--no-baseline")
            found = run(own, f"g{len(seen)}", "none", work, bash(check), *words, *option, code=1)
            assert "faults" not in found, "garbage is legal"
            (sums,) = {violation["output"] for violation in found["violations"]}
            equal({violation["how"] for violation in found["violations"]}, {"exit 1"}, "how it fails")
            # An import shows the same.
            ident = found["violations"][-1]["id"]
            powercut("replay", ident, "--report", f"{own}/g{len(seen)}", code=1, says=sums.split()[0])
            seen.append(sums)
        assert seen[0] == seen[1] != seen[2], seen
        for wrong in ("garbage", "garbage:", "garbage:-1", "old"):
            refused("give zeroes", "create", "a", "--discard-content", wrong)
