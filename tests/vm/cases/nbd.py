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


@test("what it can't do is refused by name")
def refusals():
    need_nbd()
    with tidy() as own:
        record = ("--fs", "none", "--size", "1M", "--workload", f"{PROGRAMS}/scribble $POWERCUT_DEV 1", "--check", "true")
        powercut("run", *record, "--record-only", "--report", f"{own}/r")
        explore = ("explore", "--recording", f"{own}/r", "--check", "true", "--backend", "nbd")
        for more, says in (
            (("--depth", "2"), "--depth needs the powercut module"),
            (("--view-fault", "eio"), "--view-fault needs the powercut module"),
            (("--keep",), "--keep needs the powercut module"),
        ):
            refused(says, *explore, *more)
        refused("takes a recording", "explore", "a", "--check", "true", "--backend", "nbd")
        nothing_served()
