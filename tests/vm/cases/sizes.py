# SPDX-License-Identifier: GPL-2.0
"""Long records: what they take, and one bug among thousands of repeats of what is right."""

from lib.command import powercut, tidy
from lib.disk import Disk
from lib.tap import equal, test

PROGRAM = "/mnt/powercut/tests/vm/programs/append-log"
CHECK = f"{PROGRAM} check"
# Of which one is acknowledged too early, or none.
RECORDS, EARLY = 2000, 1234


def explored(own, name, workload, *options, code):
    words = ("run", "--fs", "none", "--workload", f"{PROGRAM} {workload}", "--check", CHECK, "--no-baseline")
    return powercut(*words, *options, "--report", f"{own}/{name}", "--json", code=code, json_of=True)


@test("one early acknowledgement among two thousand is found in fifty states, and none where there is none")
def early():
    with tidy() as own:
        found = explored(own, "bad", f"write {RECORDS} {EARLY}", "--budget", "50", "--stop-on-first", code=1)
        equal(found["record"]["marks"], RECORDS, "marks")
        equal(found["violations"][0]["last_mark"], f"record {EARLY}", "the acknowledgement that was broken")
        control = explored(own, "good", f"write {RECORDS}", "--budget", "50", code=0)
        equal((control["violations"], control["coverage"]["ended"]), ([], "budget"), "of the control")
        kinds = control["coverage"]["kinds"]
        equal(kinds["kinds"], kinds["looked_at"], "kinds of cuts looked at")
        cuts = sum(kind["cuts"] for kind in kinds["list"])
        equal(cuts, control["coverage"]["cuts"], "cuts of all kinds")


@test("--max-violations: it ends once there are so many")
def enough():
    with tidy() as own:
        write = f"write 20 5; {PROGRAM} write 9 3"
        for options, violations, ended in (
            (("--max-violations", "2"), 2, "max-violations"),
            (("--max-violations", "1"), 1, "first-violation"),
            (("--stop-on-first",), 1, "first-violation"),
        ):
            report = explored(own, f"r{options[-1]}", write, *options, "--strategy", "exhaustive", "--jobs", "1", code=1)
            equal((len(report["violations"]), report["coverage"]["ended"]), (violations, ended), options)
        powercut("run", "--fs", "none", "--workload", "true", "--check", "true", "--max-violations", "0",
                 code=2, says="give 1 or more")


@test("a record that uses up --log-limit is an error with the sum; with a larger one it is not")
def limit():
    with tidy() as own:
        words = ("run", "--fs", "none", "--workload", f"{PROGRAM} write 600", "--check", CHECK, "--record-only")
        powercut(*words, "--report", f"{own}/a", "--log-limit", "1M", code=2, says="give a larger --log-limit")
        powercut(*words, "--report", f"{own}/b", "--log-limit", "8M")
        powercut(*words, "--report", f"{own}/c", "--log-limit", "none")
        powercut(*words, "--log-limit", "some", code=2, says="--log-limit")


@test("count --marks: as many cuts as an exploration has")
def marks():
    with tidy(), Disk("a", size=8) as disk:
        disk.record("start")
        with disk.raw() as raw:
            for number in range(4):
                raw.write(number * 4096, b"a" * 4096)
                disk.mark(f"mark {number}")
            raw.flush()
        disk.record("stop")
        cuts = {how: powercut("count", "a", "--marks", how, "--json", json_of=True)["cuts"] for how in ("any", "monotone")}
        # Before each mark and before the flush; or that one alone.
        equal(cuts, {"any": 5, "monotone": 1}, "cuts")
        powercut("count", "a", "--cut", "1", "--marks", "monotone", code=2, says="cannot be used with")
