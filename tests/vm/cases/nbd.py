# SPDX-License-Identifier: GPL-2.0
"""States that the command serves by NBD are those that the module shows."""

import glob
import os
import subprocess

from lib.command import powercut, refused, tidy
from lib.tap import Skip, equal, note, test

PROGRAMS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "programs")
BACKENDS = ("module", "nbd")
# Of each kind. (150 take two minutes.)
NR_STATES = "30"
# Two files are replaced; of the second it is promised too early.
SAVE = ("cd $POWERCUT_MNT; for n in 1 2 3 4; do echo $n >new; sync new; mv new $n; sync .; echo $n >>$POWERCUT_MARK; done;"
        "echo 5 >5; echo 5 >>$POWERCUT_MARK; sync 5; echo 6 >6; sync 6")
CHECK = 'while read -r n; do test -s "$POWERCUT_MNT/$n" || { echo "$n is gone"; exit 1; }; done <"$POWERCUT_MARKS"'


def nothing_served():
    left = glob.glob("/sys/block/nbd*/pid")
    equal(left, [], "NBD devices left behind")


def need_nbd():
    if subprocess.run(["modprobe", "nbd"], check=False, stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip("the kernel has no NBD")


@test("states have the same bytes and read sets as by the module: any blocks survive", ())
@test("states have the same bytes and read sets as by the module: first blocks survive", ("--tear", "prefix"))
@test("states have the same bytes and read sets as by the module: neighbours are lost",
      ("--tear", "rmw", "--block-size", "512"))
@test("states have the same bytes and read sets as by the module: discards leave garbage",
      ("--discard-content", "garbage:7"))
def same_bytes(options):
    need_nbd()
    with tidy() as own:
        powercut("run", "--fs", "none", "--size", "1M", *options, "--workload", f"{PROGRAMS}/scribble $POWERCUT_DEV 1",
                 "--check", "true", "--record-only", "--report", f"{own}/record")
        seen = {}
        for backend in BACKENDS:
            hashes = f"{own}/{backend}"
            report = powercut("explore", "--recording", f"{own}/record", "--resident", f"{PROGRAMS}/hashes {hashes}",
                              "--mount", "none", "--backend", backend, "--budget", NR_STATES, "--jobs", "1", "--json", json_of=True)
            with open(hashes, encoding="ascii") as file:
                seen[backend] = file.read().split(), report["coverage"]["checked"]
            nothing_served()
        module, nbd = (seen[backend] for backend in BACKENDS)
        equal(nbd == module, True, f"the same: {sum(a != b for a, b in zip(*(seen[b][0] for b in BACKENDS)))} differ")
        distinct = len(set(nbd[0]))
        equal(distinct > 20, True, f"enough states: {len(nbd[0])}, {distinct} of them different")
        note(f"{len(nbd[0])} states, {distinct} different ones")


@test("an exploration, a replay and a search for the culprit come out as by the module")
def same_verdicts():
    need_nbd()
    with tidy() as own:
        powercut("run", "--fs", "ext4", "--size", "16M", "--workload", SAVE, "--check", CHECK, "--record-only",
                 "--report", f"{own}/record")
        said = {}
        for backend in BACKENDS:
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
        for module, nbd in zip(said["module"], said["nbd"]):
            equal(nbd == module, True, f"the same: {str(module)[:200]} and {str(nbd)[:200]}")


# Rules that hit some of the I/O of programs/meets. Reads are those of blocks where no partitions are looked for.
RULES = (
    ("eio op=write every=3", "eio op=flush after=1", "eio op=discard count=1", "eio op=read lba=64-191 prob=1/4 seed=7"),
    ("lost op=write,discard after=2 every=2", "misdirected every=3 seed=5"),
    ("misdirected to=128 count=2", "corrupt bytes=300 prob=50% seed=2"),
    ("stale lba=64-191 every=2", "latency op=write usec=600000 count=2"),
    ("badblocks mode=until-rewritten +80-95 +120-121",),
    ("badblocks once=1 +80-95", "eio op=discard"),
)


@test("--view-fault: each I/O meets what it meets by the module, in each state anew", limit=600)
def same_faults():
    need_nbd()
    with tidy() as own:
        powercut("run", "--fs", "none", "--size", "1M", "--workload", f"{PROGRAMS}/scribble $POWERCUT_DEV 1", "--check", "true",
                 "--record-only", "--report", f"{own}/record")
        clean = None
        for number, rules in enumerate(((), *RULES)):
            said = {}
            for backend in BACKENDS:
                faults = [word for rule in rules for word in ("--view-fault", rule)]
                report = powercut("explore", "--recording", f"{own}/record", "--check", f"{PROGRAMS}/meets", "--no-baseline",
                                  "--budget", "2", "--strategy", "ends", "--jobs", "1", "--backend", backend, *faults,
                                  "--report", f"{own}/{backend}{number}", "--json", code=1, json_of=True)
                said[backend] = [(v["id"], v["output"]) for v in report["violations"]]
                equal(len(said[backend][0][1].splitlines()) > 50, True, f"all was tried: {said[backend][0][1]}")
            for module, nbd in zip(said["module"], said["nbd"]):
                equal(nbd[0], module[0], f"{rules}: the state")
                equal(nbd[1].splitlines(), module[1].splitlines(), f"{rules}: what its I/O met")
            clean = clean or said
            equal(said["nbd"] != clean["nbd"], rules != (), f"{rules} can be seen")
            if rules == RULES[0]:
                again = powercut("replay", "1", "--report", f"{own}/nbd{number}", "--backend", "nbd", "--json", code=1, json_of=True)
                equal(again["violation"]["output"], said["nbd"][0][1], "the replay")
        refused("beyond the end", "explore", "--recording", f"{own}/record", "--check", "true", "--backend", "nbd",
                "--view-fault", "eio lba=0-9999")
        nothing_served()


REDO = "/mnt/powercut/tests/explore/redo"
KEEPER = "/mnt/powercut/tests/explore/keeper"


def recorded_redo(own):
    powercut("run", "--fs", "none", "--size", "1M", "--workload", f"{REDO} workload", "--check", "true", "--record-only",
             "--report", f"{own}/record")


@test("--depth: each recovery has as many states as by the module, and the same verdict", limit=600)
def same_recoveries():
    need_nbd()
    with tidy() as own:
        recorded_redo(own)
        for number, (how, more, code) in enumerate((
            ("careful", ("--strategy", "exhaustive", "--depth", "2"), 0),
            ("careless", ("--strategy", "exhaustive", "--depth", "2"), 1),
            ("careful", ("--strategy", "ends", "--depth", "3", "--recovery-budget", "4"), 0),
        )):
            said = {}
            for backend in BACKENDS:
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
            equal(said["nbd"], said["module"], f"{how}, {more}: what was covered and found")


@test("--depth: a careless recovery of a file is found, shown again and minimized, and a careful one survives", limit=600)
def keeper():
    need_nbd()
    with tidy() as own:
        powercut("run", "--fs", "ext4", "--size", "16M", "--setup", f"{KEEPER} setup", "--workload", f"{KEEPER} workload b",
                 "--check", "true", "--record-only", "--report", f"{own}/record")
        by = ("--backend", "nbd", "--json")
        explore = ("explore", "--recording", f"{own}/record", "--mount", "ext4", "--depth", "2", *by)
        clean = powercut(*explore, "--check", f"{KEEPER} careful", "--recovery-budget", "5", "--budget", "4", "--jobs", "2", json_of=True)
        cut = clean["coverage"]["recoveries"]
        equal(cut["recorded"] > 1 and cut["checked"] > cut["recorded"], True, f"states of recoveries: {cut}")
        found = powercut(*explore, "--check", f"{KEEPER} careless", "--recovery-budget", "8", "--budget", "12", "--strategy", "ends",
                         "--stop-on-first", "--report", f"{own}/found", code=1, json_of=True)["violations"]
        equal({v["how"] for v in found}, {"exit 1, once its recovery was cut"}, "how they fail")
        second = found[0]["id"].split("/")[1]
        where = ("--report", f"{own}/found", "--backend", "nbd")
        again = powercut("replay", found[0]["id"], *where, "--json", code=1, json_of=True)
        equal((again["id"], again["violation"]["output"]), (second, found[0]["output"]), "the replay")
        powercut("minimize", found[0]["id"], *where, "--budget", "10", code=1, says="must be stable before")
        nothing_served()


@test("what it can't do is refused by name")
def refusals():
    need_nbd()
    with tidy() as own:
        record = ("--fs", "none", "--size", "1M", "--workload", f"{PROGRAMS}/scribble $POWERCUT_DEV 1", "--check", "true")
        powercut("run", *record, "--record-only", "--report", f"{own}/r")
        explore = ("explore", "--recording", f"{own}/r", "--check", "true", "--backend", "nbd")
        for more, says in (
            (("--keep",), "--keep needs the powercut module"),
        ):
            refused(says, *explore, *more)
        refused("takes a recording", "explore", "a", "--check", "true", "--backend", "nbd")
        nothing_served()
