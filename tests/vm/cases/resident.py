# SPDX-License-Identifier: GPL-2.0
"""Resident checks: started once, told of each state in a line, answering in one."""

import os
import subprocess

from lib.command import nothing_left, powercut, refused, tidy
from lib.tap import equal, test

PROGRAM = os.path.join(os.path.dirname(os.path.dirname(__file__)), "programs", "resident")
FOREVER = "86397.25"
# A file that is promised before it is on the disk, or not; then one more, of which nothing is promised.
SAVE = "cd $POWERCUT_MNT; echo a >a; sync a; echo a >$POWERCUT_MARK; echo b >b; {} echo b >$POWERCUT_MARK; sync b; echo last >last; sync last"
CARELESS, CAREFUL = SAVE.format(""), SAVE.format("sync b;")
STATES = ("--fs", "ext4", "--size", "16M")
# Those that have the last file are among them.
PREFIX = ("--strategy", "prefix", "--budget", "60")


def run(own, *faults, workload=CAREFUL, options=PREFIX, code=0, says=None):
    """The report of a run, if there is one."""
    words = ("run", *STATES, "--workload", workload, "--resident", " ".join([PROGRAM, *faults]), *options)
    return powercut(*words, "--report", f"{own}/r", "--json", code=code, says=says, json_of=code < 2)


def warned(own, *faults, status):
    """The report of a run, and what it warned of."""
    words = ("powercut", "run", *STATES, "--workload", CAREFUL, "--resident", " ".join([PROGRAM, *faults]))
    done = subprocess.run([*words, *PREFIX, "--report", f"{own}/r"], capture_output=True, text=True, check=False)
    equal(done.returncode, status, f"status; {done.stdout}{done.stderr}")
    return done.stderr


def noted(path):
    with open(path, encoding="ascii") as log:
        return [line.split() for line in log]


def verdicts(report):
    """What must not hang on how the check is run."""
    violations = sorted((violation["id"], violation["kind"]) for violation in report["violations"])
    return violations, report["coverage"]["legal_states"], report["coverage"]["checked"]


@test("it finds what a check finds that is started for each state, and what is sound is clean")
def finds():
    with tidy() as own:
        # The same program, asked about one state.
        once = f"{own}/once"
        with open(once, "w", encoding="ascii") as file:
            file.write(f"""#!/bin/sh
                answer=$(jq -nc '$ENV' | {PROGRAM}) || exit 2
                echo "$answer"; [ "$answer" = ok ]""")
        os.chmod(once, 0o755)
        for number, workload in enumerate((CARELESS, CAREFUL)):
            record, code = f"{own}/record-{number}", 1 - number
            powercut("run", *STATES, "--workload", workload, "--check", once, "--record-only", "--report", record)
            words = ("explore", "--recording", record, "--mount", "ext4", "--budget", "14", "--json", "--report", f"{own}/r")
            each = powercut(*words, "--check", once, code=code, json_of=True)
            for jobs in ("1", "2"):
                resident = powercut(*words, "--resident", PROGRAM, "--jobs", jobs, code=code, json_of=True)
                equal(verdicts(resident), verdicts(each), f"with {jobs} jobs")
            assert each["coverage"]["checked"] > 8, each["coverage"]
            for violation in resident["violations"]:
                equal(violation["how"], "answered violation", "how")
                assert "b was promised and is gone" in violation["output"], violation
        equal(resident["violations"], [], "violations of what is sound")


@test("a report says that the check is resident: replay and minimize run it so")
def again():
    with tidy() as own:
        report = run(own, workload=CARELESS, options=("--stop-on-first",), code=1)
        equal((report["examination"]["resident"], report["examination"]["check"]), (True, PROGRAM), "the check")
        state = report["violations"][0]["id"]
        says = "b was promised and is gone"
        powercut("replay", state, "--report", f"{own}/r", code=1, says=says)
        powercut("minimize", state, "--report", f"{own}/r", "--budget", "20", code=1)
        powercut("replay", state, "--report", f"{own}/r", "--check", "true")


@test("it is started once for each job, and finds nothing that it left at another state")
def once():
    with tidy() as own:
        os.environ["RESIDENT_LOG"] = f"{own}/log"
        try:
            report = run(own, "leaves", options=(*PREFIX, "--no-baseline", "--jobs", "1"))
            alone = noted(f"{own}/log")
            os.remove(f"{own}/log")
            run(own, "leaves", options=(*PREFIX, "--no-baseline", "--jobs", "2"))
            several = noted(f"{own}/log")
        finally:
            del os.environ["RESIDENT_LOG"]
        assert report["coverage"]["checked"] > 20, report["coverage"]
        equal(len({process for process, *_ in alone}), 1, "processes of one job")
        numbers = {process: slot for process, slot, *_ in several}
        equal(sorted(set(numbers.values())), sorted(numbers.values()), "slots of several")
        equal([left for _, _, *left in alone + several if left], [], "what was left")
        nothing_left(FOREVER)


@test("one that dies on a state twice is a violation of it, with its last words; one that dies once is none")
def dies():
    with tidy() as own:
        report = run(own, "dies", options=(*PREFIX, "--no-baseline"), code=1)
        equal({v["how"] for v in report["violations"]}, {"killed by signal 6, before it answered"}, "how")
        assert all("a last word" in violation["output"] for violation in report["violations"]), report["violations"]
        assert len(report["violations"]) < report["coverage"]["checked"], "all states"
        run(own, "dies", code=2, says="on the disk as the finished workload left it")
        os.environ["RESIDENT_ONCE"] = f"{own}/died"
        try:
            says = warned(own, "once", status=0)
        finally:
            del os.environ["RESIDENT_ONCE"]
        assert os.path.exists(f"{own}/died"), "it did not die"
        equal(says.count("ended before it answered"), 1, f"warnings: {says}")


@test("one that hangs, or that can't answer, is late", "hangs")
@test("one that can't answer any more is late", "silent")
def late(fault):
    with tidy() as own:
        options = (*PREFIX, "--no-baseline", "--check-timeout", "2s", "--stop-on-first")
        report = run(own, fault, options=options, code=1)
        equal({violation["kind"] for violation in report["violations"]}, {"timeout"}, "kinds")
        nothing_left(FOREVER)


@test("one that keeps a file of a state open is started anew, and no verdict changes", "keeps", "in use")
@test("one that keeps the device open is started anew, and no verdict changes", "holds", "device open")
def keeps(fault, what):
    with tidy() as own:
        says = warned(own, fault, status=0)
        equal(says.count("is started anew"), 1, f"warnings: {says}")
        assert what in says, says


@test("an answer that is none is a violation, and one too many ends the run: it might be of another state")
def garbage():
    with tidy() as own:
        report = run(own, "garbage", options=(*PREFIX, "--no-baseline"), code=1)
        equal({v["how"] for v in report["violations"]}, {"answered neither ok, skip nor violation"}, "how")
        for options in (PREFIX, (*PREFIX, "--no-baseline")):
            run(own, "talks", options=options, code=2, says="more than one line")


@test("what can't be is refused")
def what_can_not_be():
    refused("cannot be used with", "run", *STATES, "--workload", "true", "--check", "true", "--resident", "true")
    refused("--resident does not go with --depth", "run", *STATES, "--workload", "true", "--resident", "cat", "--depth", "2")
    refused("--resident is empty", "run", *STATES, "--workload", "true", "--resident", " ")
    with tidy() as own:
        words = ("run", *STATES, "--workload", "true", "--report", f"{own}/r")
        powercut(*words, "--resident", "/no/such", code=2, says="could not be started")
