# SPDX-License-Identifier: GPL-2.0
"""The `powercut` command, and what it must never leave behind."""

import glob
import json
import os
import signal
import subprocess
import tempfile
from contextlib import contextmanager, suppress

from .clean import CONFIG
from .tap import wait_until

LIMIT = 1000  # seconds: a command that takes longer has hung


def powercut(*words, code=0, says=None, json_of=False, **options):
    """Runs it. Fails unless it ends with `code` and, if `says` is given, says that.

    What it prints on standard output is returned; as JSON with `json_of`. An error is one that a
    person can act on: on standard error, from powercut, and no panic.
    """
    words = [str(word) for word in words]
    done = subprocess.run(
        ["powercut", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=LIMIT,
        **options,
    )
    check(words, done.returncode, done.stdout, done.stderr, code, says)
    return json.loads(done.stdout) if json_of else done.stdout


def check(words, status, out, err, code, says):
    """Fails unless a command ended and spoke as it should."""
    what = f"powercut {' '.join(words)[:300]}"
    told = f"status {status}\n{out[-1500:]}\n{err[-1500:]}"
    assert status == code, f"{what}: expected status {code}, but {told}"
    assert "panicked" not in err, f"{what}: {told}"
    if code == 2:
        assert err.startswith(("powercut: ", "error: ")), f"{what}: {told}"
    for part in (says,) if isinstance(says, str) else says or ():
        assert part in (err if code >= 2 else out + err), f"{what} does not say {part!r}: {told}"


def refused(says, *words, **options):
    """It must refuse that, and leave everything as it was."""
    before = whole_state()
    powercut(*words, code=2, says=says, **options)
    after = whole_state()
    assert after == before, f"powercut {words} left another state: {before} became {after}"


def whole_state():
    """All disks and views there are, with all their settings."""
    state = {}
    for path in sorted(glob.glob(f"{CONFIG}/*/*") + glob.glob(f"{CONFIG}/*/*/*")):
        if os.path.isfile(path):
            try:
                with open(path, encoding="utf-8") as file:
                    state[path] = file.read()
            except OSError as error:
                state[path] = error.errno
        else:
            state[path] = "directory"
    return state


def disks():
    return sorted(entry.name for entry in os.scandir(CONFIG) if entry.is_dir())


def processes(word):
    """Processes that have a word in their command line."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                if word.encode() in file.read():
                    found.append(path)
        except OSError:
            pass
    return found


def kill_all(found):
    """Kills what processes() found; one of them may have ended by itself meanwhile."""
    for path in found:
        with suppress(ProcessLookupError):
            os.kill(int(path.split("/")[2]), signal.SIGKILL)


def nothing_left(word):
    """No such process is left; one that was killed needs a moment to be gone."""
    wait_until(lambda: not processes(word), f"the end of {word!r}")


def settings():
    """Kernel settings that it may change."""
    values = {}
    for path in glob.glob("/proc/sys/vm/dirty_*"):
        with open(path, encoding="ascii") as file:
            values[path] = file.read()
    return values


@contextmanager
def tidy():
    """A new directory for temporary files, as TMPDIR: nothing may stay there, nor any other disk,
    mount, view or changed setting. Yields a directory of its own for the test."""
    with tempfile.TemporaryDirectory() as top:
        scratch, own = f"{top}/scratch", f"{top}/own"
        os.mkdir(scratch)
        os.mkdir(own)
        before = settings()
        os.environ["TMPDIR"] = scratch
        tempfile.tempdir = None
        try:
            yield own
        finally:
            del os.environ["TMPDIR"]
            tempfile.tempdir = None
        assert os.listdir(scratch) == [], f"left in TMPDIR: {os.listdir(scratch)}"
        assert settings() == before, f"settings are {settings()}, were {before}"
        assert not disks(), f"disks left: {disks()}"
        views = [path for path in glob.glob(f"{CONFIG}/*/*/")]
        assert not views, f"views left: {views}"
        with open("/proc/mounts", encoding="utf-8") as mounts:
            left = [line for line in mounts if "powercut" in line.split()[0] or scratch in line]
        assert not left, f"mounts left: {left}"
