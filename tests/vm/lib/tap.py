# SPDX-License-Identifier: GPL-2.0
"""Runs tests, in a process that can be killed, and prints TAP.

A test is a function under @test("what it shows"). It passes if it returns, in time, nothing of
it is left behind, and the kernel has nothing to complain of.
"""

import fnmatch
import importlib
import json
import os
import select
import signal
import sys
import time
import traceback
from contextlib import contextmanager

from . import clean, kmsg

# The debug kernels check every access: rounds are fewer there, time limits longer.
DEBUG = os.uname().release.endswith(("-debug", "-kcsan"))
TESTS = []
# What hangs is killed after so many seconds, or more: a busy machine may take ten times as long as an idle one.
LIMIT = 300


class Skip(Exception):
    """What a test needs is not there."""


class Test:
    """A function and how it is run."""

    def __init__(self, name, function, args, limit):
        self.name = name
        self.function = function
        self.args = args
        self.limit = max(limit, LIMIT) * (4 if DEBUG else 1)

    def matches(self, pattern):
        return fnmatch.fnmatchcase(self.name, pattern if "*" in pattern else f"*{pattern}*")


def test(what, *args, limit=LIMIT):
    """Registers a function as a test, called with `args`; may be stacked."""

    def register(function):
        case = function.__module__.rpartition(".")[2]
        TESTS.append(Test(f"{case}: {what}", function, args, limit))
        return function

    return register


def rounds(stock, debug):
    """How often something is tried."""
    return debug if DEBUG else stock


def few(rows):
    """Rows that try the command more than the module: all of them, or some on the debug kernel."""
    return rows[::4] if DEBUG else rows


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


def wait_until(condition, what):
    """Waits for what must happen, at no time that a busy machine could miss. Returns what it came to."""
    end = time.monotonic() + LIMIT / 2
    while not (result := condition()):
        assert time.monotonic() < end, f"{what}: did not happen in {LIMIT / 2:.0f} s"
        time.sleep(0.005)
    return result


def main(cases, arguments, is_run):
    """Runs the tests whose names have one of the arguments in them; without any, those that
    `is_run` says. Returns the exit status."""
    for case in cases:
        importlib.import_module(f"cases.{case}")
    options, patterns = [a for a in arguments if a.startswith("-")], [a for a in arguments if not a.startswith("-")]
    chosen = [t for t in TESTS if any(t.matches(p) for p in patterns) or not patterns and is_run(t.name)]
    claims = None
    for option in options:
        if option.startswith("--claim="):
            claims = os.path.abspath(option.partition("=")[2])
        elif option != "-l":
            print(f"Bail out! unknown option {option}", flush=True)
            return 2
    if "-l" in options:
        print(*(t.name for t in chosen), sep="\n")
        return 0
    if not chosen:
        print("Bail out! no test has such a name", flush=True)
        return 2

    # Not the directory of the host that --share has a command begin in.
    os.chdir("/")
    print("TAP version 13")
    if claims is None:
        print(f"1..{len(chosen)}", flush=True)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for case in chosen:
        if claims is not None and not is_first(claims, TESTS.index(case)):
            continue
        number = sum(counts.values()) + 1
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
    if Worker.current:
        Worker.current.end()
    if claims is not None:
        print(f"1..{sum(counts.values()) or '0 # SKIP all were run by another machine'}")
    note(f"totals: pass:{counts['passed']} fail:{counts['failed']} skip:{counts['skipped']}")
    return 1 if counts["failed"] else 0


def is_first(claims, number):
    """Whether no other machine has begun a test; from now on, this one has."""
    try:
        os.mkdir(f"{claims}/{number}")
    except FileExistsError:
        return False
    return True


def run(case):
    """Runs a test. Returns passed, failed or skipped, and why."""
    log = kmsg.Log()
    worker = Worker.ready()
    result, reason = worker.ask(TESTS.index(case), case.limit)
    if result == "failed" and Worker.current:
        # It may have left threads at work.
        worker.end()
    left, why = Worker.ready().ask(CLEAN_UP, LIMIT)
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


CLEAN_UP = -1


class Worker:
    """A process that runs one test after the other (a fork takes long on the debug kernel),
    until one of them fails or hangs."""

    current = None

    @classmethod
    def ready(cls):
        """The one there is, or a new one."""
        if cls.current is None:
            cls.current = cls()
        return cls.current

    def __init__(self):
        sys.stdout.flush()
        theirs_in, self.questions = os.pipe()
        self.answers, theirs_out = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            os.setpgid(0, 0)
            os.close(self.questions)
            os.close(self.answers)
            work(theirs_in, theirs_out)
            os._exit(0)
        os.close(theirs_in)
        os.close(theirs_out)

    def ask(self, number, limit):
        """What the test of that number comes to, in `limit` seconds."""
        os.write(self.questions, b"%d\n" % number)
        end = time.monotonic() + limit
        text = b""
        while not text.endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.answers], [], [], left)[0]:
                self.end()
                return "failed", f"not done after {limit} s: killed"
            part = os.read(self.answers, 65536)
            if not part:
                self.end()
                return "failed", "the test's process died"
            text += part
        return tuple(json.loads(text))

    def end(self):
        """Kills it, and all it started."""
        Worker.current = None
        try:
            os.killpg(self.child, signal.SIGKILL)
        except ProcessLookupError:
            pass
        # One that hangs in the kernel is left there.
        for _ in range(200):
            if os.waitpid(self.child, os.WNOHANG)[0]:
                break
            time.sleep(0.05)
        os.close(self.questions)
        os.close(self.answers)


def open_files():
    found = {int(fd) for fd in os.listdir("/proc/self/fd")}
    # Not the one that this took.
    return {fd for fd in found if os.path.exists(f"/proc/self/fd/{fd}")}


def work(questions, answers):
    """What a worker does until nobody asks any more."""
    with os.fdopen(questions) as lines:
        for line in lines:
            number = int(line)
            if number == CLEAN_UP:
                result = clean_up()
            else:
                before = open_files()
                result = call(TESTS[number].function, TESTS[number].args)
                for fd in open_files() - before:
                    os.close(fd)
            sys.stdout.flush()
            result = (result[0], result[1][-50000:])
            os.write(answers, json.dumps(result).encode() + b"\n")
