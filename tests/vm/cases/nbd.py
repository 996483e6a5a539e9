# SPDX-License-Identifier: GPL-2.0
"""States that the command serves by NBD are those that the module shows. The same tests for ublk: ublk.py."""

import glob
import os
import subprocess

from lib.command import powercut, refused, tidy
from lib.tap import Skip, equal, note, test

PROGRAMS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "programs")
# Of each kind. (150 take two minutes.)
NR_STATES = "30"
# Two files are replaced; of the second it is promised too early.
SAVE = ("cd $POWERCUT_MNT; for n in 1 2 3 4; do echo $n >new; sync new; mv new $n; sync .; echo $n >>$POWERCUT_MARK; done;"
        "echo 5 >5; echo 5 >>$POWERCUT_MARK; sync 5; echo 6 >6; sync 6")
CHECK = 'while read -r n; do test -s "$POWERCUT_MNT/$n" || { echo "$n is gone"; exit 1; }; done <"$POWERCUT_MARKS"'


# The kernel's driver of each server.
DRIVERS = {"nbd": "nbd", "ublk": "ublk_drv"}


def served():
    return sorted(glob.glob("/sys/block/nbd*/pid") + glob.glob("/dev/ublk[bc]*") + glob.glob("/run/ublksrvd/*"))


def nothing_served():
    equal(served(), [], "devices left behind")


def need(server):
    if subprocess.run(["modprobe", DRIVERS[server]], check=False, stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip(f"the kernel has no {server}")


SCRIBBLE = f"{PROGRAMS}/scribble $POWERCUT_DEV 1"
# Of two disks, the larger one first, both written to at the same time.
ON_BOTH = f"{PROGRAMS}/scribble $POWERCUT_DEV_DATA 1 & {PROGRAMS}/scribble $POWERCUT_DEV_LOG 2 && wait $!"
ONE = ("--size", "1M")
TWO = ("--disks", "data:2M,log:1M")
BYTES = (
    ("any blocks survive", ONE, SCRIBBLE),
    ("first blocks survive", (*ONE, "--tear", "prefix"), SCRIBBLE),
    ("neighbours are lost", (*ONE, "--tear", "rmw", "--block-size", "512"), SCRIBBLE),
    ("discards leave garbage", (*ONE, "--discard-content", "garbage:7"), SCRIBBLE),
    ("two disks", TWO, ON_BOTH),
)


def same_bytes(server, options, workload):
    need(server)
    with tidy() as own:
        powercut("run", "--fs", "none", *options, "--workload", workload, "--check", "true", "--record-only", "--report",
                 f"{own}/record")
        seen = {}
        for backend in ("module", server):
            hashes = f"{own}/{backend}"
            report = powercut("explore", "--recording", f"{own}/record", "--resident", f"{PROGRAMS}/hashes {hashes}",
                              "--mount", "none", "--backend", backend, "--budget", NR_STATES, "--jobs", "1", "--json", json_of=True)
            with open(hashes, encoding="ascii") as file:
                seen[backend] = file.read().split(), report["coverage"]["checked"]
            nothing_served()
        module, own_states = seen["module"], seen[server]
        equal(own_states == module, True, f"the same: {sum(a != b for a, b in zip(own_states[0], module[0]))} differ")
        distinct = len(set(own_states[0]))
        equal(distinct > 20, True, f"enough states: {len(own_states[0])}, {distinct} of them different")
        note(f"{len(own_states[0])} states, {distinct} different ones")


def same_verdicts(server):
    need(server)
    with tidy() as own:
        powercut("run", "--fs", "ext4", "--size", "16M", "--workload", SAVE, "--check", CHECK, "--record-only",
                 "--report", f"{own}/record")
        said = {}
        for backend in ("module", server):
            by = ("--backend", backend, "--json")
            at = ("--report", f"{own}/{backend}")
            report = powercut("explore", "--recording", f"{own}/record", "--budget", "60", *at, *by, code=1, json_of=True)
            first = report["violations"][0]
            again = powercut("replay", first["id"], *at, *by, "--keep-image", f"{own}/{backend}.image", code=1, json_of=True)
            culprit = powercut("minimize", first["id"], *at, *by, "--budget", "60", code=1, json_of=True)
            with open(f"{own}/{backend}.image", "rb") as image:
                said[backend] = (first["id"], first["output"], report["coverage"]["legal_states"], again["verdict"],
                                 culprit["culprit"]["verdict"], image.read())
            nothing_served()
        for module, other in zip(said["module"], said[server]):
            equal(other == module, True, f"the same: {str(module)[:200]} and {str(other)[:200]}")


# Rules that hit some of the I/O of programs/meets. Reads are those of blocks where no partitions are looked for.
RULES = (
    ("eio op=write every=3", "eio op=flush after=1", "eio op=discard count=1", "eio op=read lba=64-191 prob=1/4 seed=7"),
    ("lost op=write,discard after=2 every=2", "misdirected every=3 seed=5"),
    ("misdirected to=128 count=2", "corrupt bytes=300 prob=50% seed=2"),
    ("stale lba=64-191 every=2", "latency op=write usec=600000 count=2"),
    ("badblocks mode=until-rewritten +80-95 +120-121",),
    ("badblocks once=1 +80-95", "eio op=discard"),
)


def same_faults(server):
    need(server)
    with tidy() as own:
        powercut("run", "--fs", "none", "--size", "1M", "--workload", f"{PROGRAMS}/scribble $POWERCUT_DEV 1", "--check", "true",
                 "--record-only", "--report", f"{own}/record")
        clean = None
        for number, rules in enumerate(((), *RULES)):
            said = {}
            for backend in ("module", server):
                faults = [word for rule in rules for word in ("--view-fault", rule)]
                report = powercut("explore", "--recording", f"{own}/record", "--check", f"{PROGRAMS}/meets", "--no-baseline",
                                  "--budget", "2", "--strategy", "ends", "--jobs", "1", "--backend", backend, *faults,
                                  "--report", f"{own}/{backend}{number}", "--json", code=1, json_of=True)
                said[backend] = [(v["id"], v["output"]) for v in report["violations"]]
                equal(len(said[backend][0][1].splitlines()) > 50, True, f"all was tried: {said[backend][0][1]}")
            for module, other in zip(said["module"], said[server]):
                equal(other[0], module[0], f"{rules}: the state")
                equal(other[1].splitlines(), module[1].splitlines(), f"{rules}: what its I/O met")
            clean = clean or said
            equal(said[server] != clean[server], rules != (), f"{rules} can be seen")
            if rules == RULES[0]:
                again = powercut("replay", "1", "--report", f"{own}/{server}{number}", "--backend", server, "--json", code=1,
                                 json_of=True)
                equal(again["violation"]["output"], said[server][0][1], "the replay")
        refused("beyond the end", "explore", "--recording", f"{own}/record", "--check", "true", "--backend", server,
                "--view-fault", "eio lba=0-9999")
        nothing_served()


REDO = "/mnt/powercut/tests/explore/redo"
KEEPER = "/mnt/powercut/tests/explore/keeper"


def recorded_redo(own):
    powercut("run", "--fs", "none", "--size", "1M", "--workload", f"{REDO} workload", "--check", "true", "--record-only",
             "--report", f"{own}/record")


def same_recoveries(server):
    need(server)
    with tidy() as own:
        recorded_redo(own)
        for number, (how, more, code) in enumerate((
            ("careful", ("--strategy", "exhaustive", "--depth", "2"), 0),
            ("careless", ("--strategy", "exhaustive", "--depth", "2"), 1),
            ("careful", ("--strategy", "ends", "--depth", "3", "--recovery-budget", "4"), 0),
        )):
            said = {}
            for backend in ("module", server):
                report = powercut("explore", "--recording", f"{own}/record", "--check", f"{REDO} {how}", "--no-baseline",
                                  "--backend", backend, *more, "--report", f"{own}/{backend}{number}", "--json",
                                  code=code, json_of=True)
                found = [(v["id"].split("/")[0], v["how"], v["output"]) for v in report["violations"]]
                cut = report["coverage"]["recoveries"]
                note(f"{how}, {' '.join(more)}, {backend}: {cut}")
                # How many recoveries there are depends on what is read: the module's views are searched for partitions.
                of_each = int(cut["legal_states"]) / cut["recorded"]
                is_complete = report["coverage"]["all"], cut["complete"] == cut["recorded"]
                is_exhaustive = "exhaustive" in more
                said[backend] = (of_each, is_complete, sorted(found)) if is_exhaustive else {words[1:] for words in found}
                nothing_served()
            equal(said[server], said["module"], f"{how}, {more}: what was covered and found")


def keeper(server):
    need(server)
    with tidy() as own:
        powercut("run", "--fs", "ext4", "--size", "16M", "--setup", f"{KEEPER} setup", "--workload", f"{KEEPER} workload b",
                 "--check", "true", "--record-only", "--report", f"{own}/record")
        by = ("--backend", server, "--json")
        explore = ("explore", "--recording", f"{own}/record", "--mount", "ext4", "--depth", "2", *by)
        clean = powercut(*explore, "--check", f"{KEEPER} careful", "--recovery-budget", "5", "--budget", "4", "--jobs", "2", json_of=True)
        cut = clean["coverage"]["recoveries"]
        equal(cut["recorded"] > 1 and cut["checked"] > cut["recorded"], True, f"states of recoveries: {cut}")
        found = powercut(*explore, "--check", f"{KEEPER} careless", "--recovery-budget", "8", "--budget", "12", "--strategy", "ends",
                         "--stop-on-first", "--report", f"{own}/found", code=1, json_of=True)["violations"]
        equal({v["how"] for v in found}, {"exit 1, once its recovery was cut"}, "how they fail")
        second = found[0]["id"].split("/")[1]
        where = ("--report", f"{own}/found", "--backend", server)
        again = powercut("replay", found[0]["id"], *where, "--json", code=1, json_of=True)
        equal((again["id"], again["violation"]["output"]), (second, found[0]["output"]), "the replay")
        powercut("minimize", found[0]["id"], *where, "--budget", "10", code=1, says="must be stable before")
        nothing_served()


JOINT = "/mnt/powercut/tests/explore/two-disks"
# What recovers on both, so that there are states of what is written meanwhile.
PUT = "dd if=/dev/zero of={} bs=4k count=2 seek=8 oflag=direct conv=notrunc,nocreat 2>/dev/null; "
RECOVER = PUT.format("$POWERCUT_DEV_LOG") + "sync $POWERCUT_DEV_LOG; " + PUT.format("$POWERCUT_DEV_DATA") + "sync $POWERCUT_DEV_DATA"


def same_of_two_disks(server):
    need(server)
    with tidy() as own:
        for how in ("careful", "careless"):
            powercut("run", "--fs", "none", "--disks", "data:1M,log:1M", "--workload", f"{JOINT} {how}", "--check", "true",
                     "--record-only", "--report", f"{own}/{how}")
        # The careful twin, and each disk alone, are the controls.
        for how, check, more, code in (
            ("careful", f"{JOINT} check", (), 0),
            ("careless", f"{JOINT} check-data", (), 0),
            ("careless", f"{JOINT} check-log", (), 0),
            ("careless", f"{JOINT} check", (), 1),
            ("careful", f"{JOINT} check && {RECOVER}", ("--depth", "2"), 0),
        ):
            said = {}
            for backend in ("module", server):
                by = ("--backend", backend, "--json")
                at = ("--report", f"{own}/{backend}-{how}-{check.split()[-1]}-{code}{len(more)}")
                report = powercut("explore", "--recording", f"{own}/{how}", "--strategy", "exhaustive", "--check", check, "--no-baseline",
                                  *more, *at, *by, code=code, json_of=True)
                found = sorted((v["id"], v["output"]) for v in report["violations"])
                cut = report["coverage"].get("recoveries")
                of_each = cut and int(cut["legal_states"]) / cut["recorded"]
                said[backend] = [report["coverage"]["all"], report["coverage"]["legal_states"], of_each, found]
                if found:
                    image = f"{own}/{backend}.image"
                    again = powercut("replay", found[0][0], *at, *by, "--keep-image", image, code=1, json_of=True)
                    culprit = powercut("minimize", found[0][0], *at, *by, code=1, json_of=True)["culprit"]
                    said[backend] += [again["violation"]["output"], culprit["verdict"], culprit["must_be_stable"], culprit["before"]]
                    for disk in ("data", "log"):
                        with open(f"{image}.{disk}", "rb") as file:
                            said[backend].append(file.read())
                nothing_served()
            for module, other in zip(said["module"], said[server]):
                equal(other == module, True, f"{how}, {check}: the same: {str(module)[:200]} and {str(other)[:200]}")
            equal(said[server][0], True, f"{how}, {check}: all states are covered")
            equal(said[server][2] is None or said[server][2] > 4, True, f"states of each recovery: {said[server][2]}")


def refusals(server):
    need(server)
    with tidy() as own:
        record = ("--fs", "none", "--size", "1M", "--workload", f"{PROGRAMS}/scribble $POWERCUT_DEV 1", "--check", "true")
        powercut("run", *record, "--record-only", "--report", f"{own}/r")
        refused(f"--backend {server} can't", "explore", "--recording", f"{own}/r", "--check", "true", "--backend", server, "--keep")
        refused("takes a recording", "explore", "a", "--check", "true", "--backend", server)
        nothing_served()


def all_of(test_of_case, server):
    """Registers all tests for a server, by what registers one in that server's file."""
    for what, *row in BYTES:
        test_of_case(f"states have the same bytes and read sets as by the module: {what}", server, *row)(same_bytes)
    for what, case in (
        ("an exploration, a replay and a search for the culprit come out as by the module", same_verdicts),
        ("--view-fault: each I/O meets what it meets by the module, in each state anew", same_faults),
        ("--depth: each recovery has as many states as by the module, and the same verdict", same_recoveries),
        ("--depth: a careless recovery of a file is found, shown again and minimized, and a careful one survives", keeper),
        ("two disks that fail together: verdicts, culprits and recoveries come out as by the module", same_of_two_disks),
        ("what it can't do is refused by name", refusals),
    ):
        test_of_case(what, server, limit=600)(case)


all_of(test, "nbd")
