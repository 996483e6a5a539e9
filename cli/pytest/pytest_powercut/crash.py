# SPDX-License-Identifier: GPL-2.0
"""Runs the `powercut` command: on this machine if the module is there, else in a virtual machine."""

import inspect
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

CONTROL = "/dev/powercut-control"
SHARED = "/mnt/host"


class Violations(AssertionError):
    """States in which the check fails."""


class Undecided(Exception):
    """It could not be found out whether there are any."""


class Report:
    """What came of an exploration; `json` is all of it, as docs/report.md says."""

    def __init__(self, data, replay):
        self.json = data
        self.replay = replay

    @property
    def violations(self):
        """The violations, in the order they were found."""
        return self.json["violations"]

    def told(self):
        """The first violation of each sort, and how many there are."""
        coverage = self.json["coverage"]
        lines = [
            f"{len(self.violations)} violations in {coverage['checked']} states examined, "
            f"of {coverage['legal_states']} legal states"
        ]
        sorts = set()
        for violation in self.violations:
            if violation["sort"] in sorts:
                continue
            sorts.add(violation["sort"])
            promise = violation.get("last_mark") or "none"
            lines += [
                "",
                f"violation {violation['number']}: {violation['kind']} ({violation['how']}), last promise: {promise}",
                violation["output"].rstrip(),
                f"see it again: {self.replay} {violation['number']}",
            ]
        return "\n".join(lines)


def runner(directory):
    """The words before the command, and where it sees the directory."""
    if os.path.exists(CONTROL):
        return ["powercut"], str(directory)
    script = os.environ.get("POWERCUT_TEST_VM")
    if script is None:
        raise Undecided(
            "the powercut module is not loaded here: load it, or set POWERCUT_TEST_VM to the path of "
            "scripts/vm of a checkout of powercut, which starts a virtual machine"
        )
    return [script, "--host-root", "--share", str(directory), "--", "powercut"], SHARED


def again(role, function):
    """How a function is called in a process of its own."""
    path = inspect.getsourcefile(function)
    if path is None or function.__qualname__ != function.__name__:
        raise TypeError(f"{function.__qualname__} is not a function of a module")
    search = os.pathsep.join(entry for entry in sys.path if entry)
    words = [sys.executable, "-m", "pytest_powercut", role, os.path.abspath(path), function.__name__]
    return f"PYTHONPATH={shlex.quote(search)} PYTHONDONTWRITEBYTECODE=1 exec {shlex.join(words)}"


class CrashTest:
    """Explores a workload; reports of runs with violations go to directories below `top`."""

    def __init__(self, top):
        self.top = Path(top)

    def explore(self, workload, check, **options):
        """The report of an exploration, whatever it found."""
        self.top.mkdir(parents=True, exist_ok=True)
        directory = Path(tempfile.mkdtemp(prefix="report-", dir=self.top))
        words, seen = runner(directory)
        words = [*words, "run"]
        for name, value in {"fs": "ext4", **options}.items():
            option = f"--{name.replace('_', '-')}"
            words += [option] if value is True else [option, str(value)]
        words += ["--workload", again("workload", workload), "--check", again("check", check)]
        done = subprocess.run(
            [*words, "--report", seen, "--json"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode not in (0, 1):
            raise Undecided(f"powercut: exit status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        prefix, seen = runner(directory)
        replay = shlex.join([*prefix, "replay", "--report", seen])
        return Report(json.loads(done.stdout), replay)

    def __call__(self, workload, check, **options):
        """Fails if a state violates the check."""
        report = self.explore(workload, check, **options)
        if report.violations:
            raise Violations(report.told())
        return report
