# SPDX-License-Identifier: GPL-2.0
"""A server that a store is driven by: started, waited for, and killed."""

import os
import shutil
import subprocess
import tempfile
import time

START_SECONDS = 60


class NotStarted(Exception):
    """It ended, or does not answer."""


def slot():
    """A number that no other check has at the same time: for ports."""
    return int(os.environ.get("POWERCUT_SLOT", 0))


def runtime(user):
    """An empty directory of that user's, for sockets."""
    directory = tempfile.mkdtemp(dir="/run")
    shutil.chown(directory, user, user)
    return directory


class Server:
    def __init__(self, user, *command):
        with tempfile.TemporaryFile("w+") as log:
            self.process = subprocess.Popen(
                ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True)
            self.log = os.dup(log.fileno())

    def said(self):
        """The end of its log, in one line."""
        with open(self.log, encoding="utf-8", errors="replace", closefd=False) as log:
            log.seek(0)
            return " ".join(log.read().split())[-600:]

    def wait_until(self, answers):
        """Returns what answers() does, once that is something."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            found = answers()
            if found:
                return found
            if self.process.poll() is not None:
                raise NotStarted(f"status {self.process.returncode}: {self.said()}")
            time.sleep(0.02)
        raise NotStarted(f"no answer in {START_SECONDS} s: {self.said()}")

    def kill(self):
        """As a power failure ends it: nothing is saved any more."""
        self.process.kill()
        self.process.wait()
