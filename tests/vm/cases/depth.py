# SPDX-License-Identifier: GPL-2.0
"""The second power cut: run and explore with --depth, and what a view's record is exported as."""

import os

from lib import log
from lib.command import powercut, tidy
from lib.disk import Disk
from lib.tap import equal, test
from cases.nested import A, B, C, HOLE, Nested

KEEPER = "/mnt/powercut/tests/explore/keeper"
REDO = "/mnt/powercut/tests/explore/redo"


@test("an export of a view's record stands for itself")
def export():
    with Disk() as disk, Disk("u") as other:
        with disk.raw() as raw:
            raw.write(0, A + A + A)
            disk.record("start")
            raw.write(4096, B)
            disk.record("stop")
        with Nested(disk, "v") as view:
            view.on()
            view.point(2, "all")
            with view.raw() as raw:
                # Before the record: it belongs to the base.
                raw.write(8192, B)
                view.record("start")
                raw.write(0, C)
            view.record("stop")
            log.send_import(other, log.request(f"export {view.name}"))
            with other.view() as alone, Nested(view, "w") as there:
                there.on()
                for cut, keep, expected in ((0, "none", A + B + B), (2, "none", A + B + B), (2, "all", C + B + B)):
                    for shown in (alone, there):
                        shown.point(cut, keep)
                        equal(shown.read(16384), expected + HOLE, f"{keep} of {shown.name}")


def keep(how, own, *options, code, budget=10):
    return powercut("run", "--fs", "ext4", "--size", "16M", "--setup", f"{KEEPER} setup",
                    "--workload", f"{KEEPER} workload b", "--check", f"{KEEPER} {how}", "--report", f"{own}/{how}",
                    "--budget", str(budget), "--json", *options, code=code, json_of=True)  # fmt: skip


@test("a recovery that does not survive a power cut is found, with two of them and not with one", limit=400)
def keeper():
    with tidy() as own:
        equal(keep("careless", own, code=0)["violations"], [], "violations, with one")
        report = keep("careless", own, "--depth", "2", "--recovery-budget", "8", "--strategy", "ends",
                      "--stop-on-first", code=1, budget=12)  # fmt: skip
        found = report["violations"]
        equal({v["how"] for v in found}, {"exit 1, once its recovery was cut"}, "how they fail")
        first, second = found[0]["id"].split("/")
        assert first != second, found[0]["id"]
        cut = report["coverage"]["recoveries"]
        assert 0 < cut["recorded"] <= cut["checked"] < int(cut["legal_states"]), cut
        # Shown again, and taken apart: which write of the recovery must be stable before which.
        where = ("--report", f"{own}/careless")
        again = powercut("replay", found[0]["id"], *where, "--json", code=1, json_of=True)
        equal((again["id"], again["violation"]["output"]), (second, found[0]["output"]), "the replay")
        powercut("minimize", found[0]["id"], *where, "--budget", "10", code=1, says="must be stable before")
        powercut("replay", f"{first}/{second}x", *where, code=2, says="is not a state id")
        powercut("replay", f"{second}/{second}", *where, code=2, says="recoveries/")


@test("ext4's recovery and a careful one survive a power cut anywhere", limit=600)
def careful():
    with tidy() as own:
        report = keep("careful", own, "--depth", "2", "--recovery-budget", "8", "--jobs", "2", code=0, budget=6)
        cut = report["coverage"]["recoveries"]
        assert cut["recorded"] > 2 and cut["checked"] > cut["recorded"], cut
        equal(os.path.exists(f"{own}/careful/recoveries"), False, "reports of recoveries")


@test("three power cuts on each other", limit=400)
def three():
    with tidy() as own:
        options = ("--depth", "3", "--strategy", "ends", "--recovery-budget", "2")
        report = keep("careful", own, *options, code=0, budget=3)
        # More than those of the states themselves: recoveries of recoveries.
        coverage = report["coverage"]
        assert coverage["recoveries"]["recorded"] > coverage["checked"] > 1, coverage


def redo(how, own, *options, code):
    return powercut("run", "--fs", "none", "--size", "1M", "--workload", f"{REDO} workload", "--check", f"{REDO} {how}",
                    "--strategy", "exhaustive", "--report", f"{own}/{how}", "--json", *options,
                    code=code, json_of=True)  # fmt: skip


@test("a recovery on a bare device: a careful one survives a cut anywhere, a careless one is found, with two cuts only")
def bare():
    with tidy() as own:
        clean = redo("careful", own, "--depth", "2", code=0)
        cut = clean["coverage"]["recoveries"]
        equal((clean["coverage"]["all"], clean["violations"]), (True, []), "the careful one")
        assert cut["recorded"] >= 2 and cut["checked"] > cut["recorded"], cut
        equal(redo("careless", own, code=0)["coverage"]["all"], True, "the careless one, cut once")
        found = redo("careless", own, "--depth", "2", "--stop-on-first", code=1)["violations"]
        equal([v["how"] for v in found], ["exit 1, once its recovery was cut"], "how it fails")
        powercut("replay", found[0]["id"], "--report", f"{own}/careless", code=1, says=found[0]["output"].strip())


@test("what --depth can't be")
def refused():
    for says, *options in (
        ("--depth 0: give 1 to 3", "--depth", "0"),
        ("--depth 4: give 1 to 3", "--depth", "4"),
        ("--recovery-budget needs --depth 2", "--recovery-budget", "5"),
        ("--recovery-budget", "--depth", "2", "--recovery-budget", "none at all"),
    ):
        powercut("run", "--fs", "none", "--workload", "true", "--check", "true", *options, code=2, says=says)
