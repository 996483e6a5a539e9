# SPDX-License-Identifier: GPL-2.0
"""Runs tests, each in a process of its own, and prints TAP.

A test is a function under @test("what it shows"). It passes if it returns, in time, nothing of
it is left behind, and the kernel has nothing to complain of.
"""

import fnmatch
import importlib
import json
import os
import signal
import sys
import time
import traceback
from contextlib import contextmanager

from . import clean, kmsg

# The debug kernel checks every access: rounds are fewer there, time limits longer.
DEBUG = os.uname().release.endswith("-debug")
TESTS = []


class Skip(Exception):
    """What a test needs is not there."""


class Test:
    """A function and how it is run."""

    def __init__(self, name, function, args, limit):
        self.name = name
        self.function = function
        self.args = args
        self.limit = limit * (8 if DEBUG else 1)

    def matches(self, pattern):
        return fnmatch.fnmatchcase(self.name, pattern if "*" in pattern else f"*{pattern}*")


def test(what, *args, limit=60):
    """Registers a function as a test, called with `args`; may be stacked."""

    def register(function):
        case = function.__module__.rpartition(".")[2]
        TESTS.append(Test(f"{case}: {what}", function, args, limit))
        return function

    return register


def rounds(stock, debug):
    """How often something is tried."""
    return debug if DEBUG else stock


def note(*words):
    """A line of diagnostics."""
    print("#", *words, flush=True)


def equal(is_, should, what="value"):
    """Fails unless two values are equal."""
    if is_ != should:
        raise AssertionError(f"{what} is {is_!r:.200}, not {should!r:.200}")


@contextmanager
def fails(errno, what="it"):
    """What is done must fail with that error."""
    name = os.strerror(errno)
    try:
        yield
    except OSError as error:
        if error.errno != errno:
            raise AssertionError(f"{what} failed with {error.strerror}, not {name}") from error
        return
    raise AssertionError(f"{what} succeeded; expected: {name}")


def main(cases, arguments):
    """Runs the tests whose names have one of the arguments in them. Returns the exit status."""
    for case in cases:
        importlib.import_module(f"cases.{case}")
    patterns = [argument for argument in arguments if argument != "-l"]
    chosen = [t for t in TESTS if not patterns or any(t.matches(p) for p in patterns)]
    if "-l" in arguments:
        print(*(t.name for t in chosen), sep="\n")
        return 0
    if not chosen:
        print("Bail out! no test has such a name", flush=True)
        return 2

    print("TAP version 13")
    print(f"1..{len(chosen)}", flush=True)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for number, case in enumerate(chosen, 1):
        began = time.monotonic()
        result, reason = run(case)
        counts[result] += 1
        if result == "failed":
            for line in reason.splitlines():
                note(line)
        word = "not ok" if result == "failed" else "ok"
        skip = f" # SKIP {reason}" if result == "skipped" else ""
        print(f"{word} {number} - {case.name}{skip}")
        note(f"{time.monotonic() - began:.1f} s")
    note(f"totals: pass:{counts['passed']} fail:{counts['failed']} skip:{counts['skipped']}")
    return 1 if counts["failed"] else 0


def run(case):
    """Runs a test. Returns passed, failed or skipped, and why."""
    log = kmsg.Log()
    result, reason = in_child(call, case.limit, case.function, case.args)
    left, why = in_child(clean_up, 120)
    if left == "failed" and result != "skipped":
        result, reason = "failed", f"{reason}\n{why}".strip()
    splat = log.splat()
    if splat:
        result, reason = "failed", f"{reason}\nthe kernel complained:\n{splat}".strip()
    return result, reason


def call(function, args):
    try:
        function(*args)
    except Skip as skip:
        return "skipped", str(skip)
    except BaseException:  # pylint: disable=broad-exception-caught
        return "failed", traceback.format_exc()
    return "passed", ""


def clean_up():
    left = clean.up()
    if left:
        return "failed", "left behind: " + ", ".join(left)
    return "passed", ""


def in_child(function, limit, *args):
    """What `function` returns, called in a process of its own that has `limit` seconds."""
    sys.stdout.flush()
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.close(ours)
        os.write(theirs, json.dumps(function(*args)).encode()[:60000])
        sys.stdout.flush()
        os._exit(0)
    os.close(theirs)
    end = time.monotonic() + limit
    done = 0
    while not done and time.monotonic() < end:
        done, _ = os.waitpid(child, os.WNOHANG)
        time.sleep(0 if done else 0.005)
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        pass
    if not done:
        for _ in range(200):
            if os.waitpid(child, os.WNOHANG)[0]:
                break
            time.sleep(0.05)
        os.close(ours)
        return "failed", f"not done after {limit} s: killed"
    with os.fdopen(ours, "rb") as pipe:
        os.set_blocking(pipe.fileno(), False)
        text = pipe.read()
    return tuple(json.loads(text)) if text else ("failed", "the test's process died")
