# SPDX-License-Identifier: GPL-2.0
"""powercut.toml: several cases, with one table, one JUnit file and one exit status."""

import json
import os
import signal
import subprocess
import xml.etree.ElementTree as ElementTree

from lib.command import check, disks, nothing_left, powercut, tidy
from lib.tap import LIMIT, equal, test, wait_until

# What a check waits for that hangs, so that it can be told from others.
FOREVER = "86398.25"
DEFAULTS = """
[defaults]
fs = "none"
size = "1M"
strategy = "ends"
budget = 8
check = "./check"
"""
# Acknowledged once it is stable, and before.
CLEAN = 'workload = "./write sync"'
DIRTY = 'workload = "./write"'
BROKEN = 'workload = "echo why; exit 3"'
WRITE = """#!/bin/sh
printf a | dd of=$POWERCUT_DEV bs=4096 conv=notrunc 2>/dev/null
test -z "$1" || sync $POWERCUT_DEV
echo a >$POWERCUT_MARK
"""
CHECK = """#!/bin/sh
test ! -s $POWERCUT_MARKS || head -c 1 $POWERCUT_DEV | grep -q a || { echo "a is <lost>"; exit 1; }
"""


def project(own, *cases):
    """A directory with the file, and the programs beside it."""
    where = f"{own}/project"
    os.mkdir(where)
    for name, text in (("write", WRITE), ("check", CHECK)):
        with open(f"{where}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(f"{where}/{name}", 0o755)
    with open(f"{where}/powercut.toml", "w", encoding="utf-8") as file:
        file.write(DEFAULTS)
        for name, *lines in cases:
            file.write("\n".join(["[[case]]", f'name = "{name}"', *lines, ""]))
    return where


def suite(where, *options, code, **more):
    printed = powercut("run", "--json", *options, code=code, json_of=True, cwd=where, **more)
    equal(printed["status"], code, "the status that is printed")
    return printed, {case["name"]: case["outcome"] for case in printed["cases"]}


CONTROL = ("control", DIRTY, 'expect = "violations"')
LOST = ("lost-control", CLEAN, 'expect = "violations"')
TABLE = (
    ("clean ones", (("one", CLEAN), ("two", CLEAN, 'fs = "ext4"', 'size = "16M"', 'check = "true"')), 0,
     ("as-expected", "as-expected")),
    ("a clean one and a control that is found", (("one", CLEAN), CONTROL), 0, ("as-expected", "as-expected")),
    ("a control that is not found", (LOST, ("one", CLEAN)), 1, ("failed", "as-expected")),
    ("one with violations between others", (("one", CLEAN), ("bad", DIRTY), ("two", CLEAN)), 1,
     ("as-expected", "failed", "as-expected")),
    ("one that can't be set up, before a clean one", (("broken", BROKEN), ("one", CLEAN)), 2,
     ("undecided", "as-expected")),
    ("one that can't be set up, and one with violations", (("broken", BROKEN), ("bad", DIRTY)), 1,
     ("undecided", "failed")),
)  # fmt: skip


def outcome(cases, code, expected):
    with tidy() as own:
        where = project(own, *cases)
        printed, found = suite(where, "--report", "../r", "--junit", "../junit.xml", code=code)
        equal(tuple(found.values()), expected, "outcomes")
        for case in printed["cases"]:
            saved = f"{own}/r/{case['name']}/report.json"
            equal(os.path.exists(saved), case["outcome"] != "undecided", f"the report of {case['name']}")
            if case["outcome"] == "undecided":
                assert "exit 3" in case["why"], case
        suites = ElementTree.parse(f"{own}/junit.xml").getroot().findall("testsuite")
        equal(len(suites), len(cases), "suites")
        for found_suite, outcome_of in zip(suites, expected):
            failures, errors = int(found_suite.get("failures")), int(found_suite.get("errors"))
            equal((failures > 0, errors > 0), (outcome_of == "failed", outcome_of == "undecided"), "JUnit")
            if outcome_of != "undecided":
                assert found_suite.get("timestamp"), "no time stamp"
                assert outcome_of == "failed" or float(found_suite.get("time")) > 0, "no time"


for what_, cases_, code_, expected_ in TABLE:
    test(f"run --config: {what_}: status {code_}", cases_, code_, expected_)(outcome)


@test("run --config: the table has a row a case; what is given goes before the file; the directory is the file's")
def table():
    with tidy() as own:
        where = project(own, ("one", CLEAN), ("bad", DIRTY), CONTROL)
        text = powercut("run", "--config", f"{where}/powercut.toml", "--report", "r", "--budget", "30", code=1, cwd=own,
                        says="case 2 of 3: bad")  # fmt: skip
        rows = [line for line in text.splitlines() if line.startswith(("one ", "bad ", "control "))]
        equal([row.split("  ")[-1].strip() for row in rows],
              ["clean", "FAILED: violations", "violations, as expected"], "the last column")  # fmt: skip
        for name in ("one", "bad", "control"):
            with open(f"{own}/r/{name}/report.json", encoding="utf-8") as file:
                equal(json.load(file)["plan"]["budget"], "30 states", "the budget")
        # Once more, in the place of these reports.
        _, found = suite(where, "--report", "../r", code=1)
        equal(list(found.values()), ["as-expected", "failed", "as-expected"], "the second time")
        for name in found:
            assert os.path.exists(f"{own}/r/{name}/report.json"), f"no report of {name}"
        _, found = suite(where, "--only", "control,one", code=0)
        equal(sorted(found), ["control", "one"], "those asked for")
        _, found = suite(where, "--only", "bad,control", "--fail-fast", code=1)
        equal(found, {"bad": "failed", "control": "undecided"}, "with --fail-fast")
        # No report of an earlier run is taken for this one's.
        with open(f"{where}/powercut.toml", encoding="utf-8") as file:
            broken = file.read().replace('"./write sync"', '"exit 3"')
        with open(f"{where}/powercut.toml", "w", encoding="utf-8") as file:
            file.write(broken)
        powercut("run", "--only", "one", "--report", "../r", code=2, cwd=where)
        assert not os.path.exists(f"{own}/r/one/report.json"), "the report of an earlier run is there"


@test("run --config: after SIGINT no more cases are run, and what was found is told")
def interrupted():
    for first, code in ((CLEAN, 128 + signal.SIGINT), (DIRTY, 1)):
        with tidy() as own:
            hang = f"check = \"echo up >{own}/up; sleep {FOREVER}\""
            where = project(own, ("first", first), ("hangs", CLEAN, hang), ("third", CLEAN))
            words = ["run", "--report", "r"]
            with open(f"{own}/out", "w", encoding="utf-8") as out, open(f"{own}/err", "w", encoding="utf-8") as err:
                process = subprocess.Popen(["powercut", *words], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                           cwd=where, start_new_session=True)  # fmt: skip
            wait_until(lambda: os.path.exists(f"{own}/up") or process.poll() is not None, "the second case")
            process.send_signal(signal.SIGINT)
            process.wait(LIMIT)
            with open(f"{own}/out", encoding="utf-8") as out, open(f"{own}/err", encoding="utf-8") as err:
                text = out.read()
                check(words, process.returncode, text, err.read(), code, None)
            nothing_left(FOREVER)
            last = {line.split()[0]: line for line in text.splitlines() if line.startswith(("first", "hangs", "third"))}
            assert "it was not run" in last["third"], text
            assert ("FAILED" in last["first"]) == (code == 1), text
            assert os.path.exists(f"{where}/r/first/report.json"), "the first one's report"


@test("--deadline: exploring ends as with a budget; a workload that goes on is an error; other cases are not run")
def deadline():
    slow = 'check = "sleep 0.3"'
    with tidy() as own:
        where = project(own, ("slow", CLEAN, slow, 'strategy = "exhaustive"', 'budget = "none"'), ("next", CLEAN))
        printed, found = suite(where, "--deadline", "1h", "--only", "next", code=0)
        equal(printed["cases"][0]["report"]["coverage"]["ended"], "exhausted", "with time enough")
        words = ["run", "--fs", "none", "--size", "1M", "--strategy", "exhaustive", "--budget", "none", "--json",
                 "--check", "dd if=$POWERCUT_DEV of=/dev/null bs=4096 count=20 2>/dev/null; sleep 0.3"]  # fmt: skip
        many = "dd if=/dev/urandom of=$POWERCUT_DEV bs=4096 count=20 conv=notrunc 2>/dev/null; sync $POWERCUT_DEV"
        for seconds in (5, 20, 80, 320):
            done = subprocess.run(
                ["powercut", *words, "--workload", many, "--deadline", f"{seconds}s", "--report", f"{own}/r"],
                capture_output=True, text=True, check=False, timeout=LIMIT)  # fmt: skip
            # A slow machine needs longer to come to the first state.
            if done.returncode == 0:
                break
            assert done.returncode == 2, done.stderr
        coverage = json.loads(done.stdout)["coverage"]
        equal(coverage["ended"], "deadline", "why it ended")
        assert 0 < coverage["checked"] < 1000 and not coverage["all"], coverage
        hang = f"sleep {FOREVER}"
        powercut(*words, "--workload", hang, "--deadline", "3s", code=2, says="workload")
        powercut(*words, "--workload", hang, "--deadline", "3s", code=2, says="the deadline (--deadline) passed")
        nothing_left(FOREVER)
        where = project(f"{own}/r", ("hangs", f'workload = "{hang}"'), ("next", CLEAN))
        printed, found = suite(where, "--deadline", "3s", code=2)
        equal(found, {"hangs": "undecided", "next": "undecided"}, "outcomes")
        assert "it was not run: the deadline" in printed["cases"][1]["why"], printed["cases"][1]
        equal(disks(), [], "disks")


@test("--dry-run: tells states and time without exploring; what can't be told is an error")
def dry_run():
    with tidy() as own:
        where = project(own, ("one", CLEAN), CONTROL)
        words = ["run", "--fs", "none", "--size", "1M", "--workload", "./write sync", "--check"]
        count = f"{own}/count"
        told = powercut(*words, f"echo >>{count}; ./check", "--dry-run", "--json", "--budget", "7",
                        "--strategy", "auto", json_of=True, cwd=where)  # fmt: skip
        report = powercut(*words, "./check", "--strategy", "exhaustive", "--json", json_of=True, cwd=where)
        equal((told["cuts"], told["legal_states"]), (report["coverage"]["cuts"], report["coverage"]["legal_states"]),
              "cuts and legal states")  # fmt: skip
        equal(told["states"], min(7, int(told["legal_states"])), "states to look at")
        assert 0 < told["seconds_per_state"] <= told["seconds"] and told["disk_bytes"] > 0, told
        with open(count, encoding="ascii") as file:
            # One is timed; two may come before, on disks that no power cut left.
            assert 1 <= len(file.readlines()) <= 3, "runs of the check"
        text = powercut("run", "--dry-run", cwd=where)
        assert text.count("dry run, nothing was explored") == 2, text
        assert not os.path.exists(f"{where}/powercut-report"), "there is a report"
        powercut(*words[:5], "--workload", "exit 3", "--check", "true", "--dry-run", code=2, says="exit 3", cwd=where)


@test("explore --dry-run: of a record that is there")
def explore_dry_run():
    with tidy() as own:
        where = project(own)
        powercut("run", "--fs", "none", "--size", "1M", "--workload", "./write", "--check", "./check", "--record-only",
                 "--report", f"{own}/r", cwd=where)  # fmt: skip
        told = powercut("explore", "--recording", f"{own}/r", "--dry-run", "--json", json_of=True, cwd=where)
        assert int(told["legal_states"]) >= 2 and told["cuts"] >= 1, told


@test("GitHub Actions: violations are errors at the case's line, the summary is Markdown")
def github():
    with tidy() as own:
        where = project(own, ("one", CLEAN), ("bad", DIRTY), ("broken", BROKEN), LOST, CONTROL)
        summary = f"{own}/summary.md"
        env = os.environ | {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": summary}
        done = subprocess.run(["powercut", "run", "--json"], cwd=where, env=env, capture_output=True, text=True,
                              check=False, timeout=LIMIT)  # fmt: skip
        equal(done.returncode, 1, "status")
        json.loads(done.stdout)
        lines = [line for line in done.stderr.splitlines() if line.startswith("::")]
        equal([line.split(",")[0] for line in lines],
              ["::error file=powercut.toml", "::warning file=powercut.toml", "::error file=powercut.toml"],
              done.stderr)  # fmt: skip
        with open(f"{where}/powercut.toml", encoding="utf-8") as file:
            at = file.read().splitlines().index('name = "bad"')
        assert f",line={at},title=bad%3A " in lines[0], lines[0]
        assert "::a is <lost>%0A" in lines[0] and "powercut replay " in lines[0], lines[0]
        with open(summary, encoding="utf-8") as file:
            text = file.read()
        assert text.startswith("```text\ncase ") and "### powercut: bad" in text and "### powercut: one" not in text, text
        # One case, and one that is clean.
        words = ["run", "--fs", "none", "--size", "1M", "--report", "../one", "--check", "./check", "--workload"]
        powercut(*words, "./write", code=1, cwd=where, env=env, says="::error title=none%3A ")
        quiet = subprocess.run(["powercut", *words, "./write sync"], cwd=where, env=env, capture_output=True, text=True,
                               check=False, timeout=LIMIT)  # fmt: skip
        equal((quiet.returncode, "::" in quiet.stderr), (0, False), "a clean one")


@test("replay, minimize and explore say which commands of the report they run, and only those")
def borrowed():
    with tidy() as own:
        where = project(own)
        words = ["run", "--fs", "none", "--size", "1M", "--workload", "./write", "--check", "./check"]
        report = powercut(*words, "--json", "--report", f"{own}/r", code=1, json_of=True, cwd=where)
        ident = report["violations"][0]["id"]
        says = f"runs the check `./check` of the report {own}/r as root"
        for command in (["replay", ident, "--report", f"{own}/r"], ["minimize", ident, "--report", f"{own}/r"],
                        ["explore", "--recording", f"{own}/r"]):  # fmt: skip
            powercut(*command, code=1, cwd=where, says=says)
            given = subprocess.run(["powercut", *command, "--check", f"{where}/check"], cwd=where, capture_output=True,
                                   text=True, check=False, timeout=LIMIT)  # fmt: skip
            equal((given.returncode, "of the report" in given.stderr), (1, False), f"{command[0]} with --check")
