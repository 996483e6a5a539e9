# SPDX-License-Identifier: GPL-2.0
"""What a suite's tests come to on brd and on powercut, and the table of it.

The results of a suite are a dictionary: the name of a test, and its verdict with the reason.
"""

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
VERDICTS = (PASSED, FAILED, SKIPPED)


def count(results):
    verdicts = [verdict for verdict, _ in results.values()]
    return [verdicts.count(verdict) for verdict in VERDICTS]


class Row:
    """A suite on a filesystem: its results on each of the two disks."""

    def __init__(self, suite, kind):
        self.suite = suite
        self.kind = kind or "none"
        self.results = {}
        self.problems = []
        self.seconds = {}

    def take(self, disk, results, problems, seconds):
        self.results[disk] = results
        self.problems += [f"{disk}: {problem}" for problem in problems]
        self.seconds[disk] = seconds

    def worse(self):
        """Tests that passed on brd and did not on powercut."""
        theirs, ours = self.results.get("brd", {}), self.results.get("powercut", {})
        return [name for name, (verdict, _) in theirs.items() if verdict == PASSED and ours.get(name, (SKIPPED,))[0] != PASSED]

    def better(self):
        """Tests that passed on powercut and did not on brd."""
        theirs, ours = self.results.get("brd", {}), self.results.get("powercut", {})
        return [name for name, (verdict, _) in ours.items() if verdict == PASSED and theirs.get(name, (SKIPPED,))[0] != PASSED]

    def is_good(self):
        """A suite in which nothing passed shows nothing."""
        return not self.problems and not self.worse() and count(self.results.get("brd", {}))[0] > 0

    def told(self):
        """What is to be said of it, a line each."""
        for problem in self.problems:
            yield f"{self.suite}, {self.kind}: {problem}"
        for name in self.worse():
            reason = self.results["powercut"].get(name, ("", "it was not run"))[1]
            yield f"{self.suite}, {self.kind}: {name}: passed on brd, not on powercut: {reason}"
        for name in self.better():
            reason = self.results["brd"].get(name, ("", "it was not run"))[1]
            yield f"{self.suite}, {self.kind}: {name}: passed on powercut, not on brd: {reason}"

    def line(self):
        numbers = "".join(f"{number:>9}" for disk in ("brd", "powercut") for number in count(self.results.get(disk, {})))
        seconds = "".join(f"{self.seconds.get(disk, 0):>7.0f}" for disk in ("brd", "powercut"))
        return f"{self.suite:<24}{self.kind:<7}{numbers}{seconds}  {'good' if self.is_good() else 'DIFFERS'}"


def table(rows):
    yield f"{'':<31}{'on brd':>27}{'on powercut':>27}{'seconds':>14}"
    yield f"{'suite':<24}{'on':<7}{''.join(f'{verdict:>9}' for verdict in VERDICTS) * 2}{'brd':>7}{'ours':>7}"
    for row in rows:
        yield row.line()
