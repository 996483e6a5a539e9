# SPDX-License-Identifier: GPL-2.0
"""A PostgreSQL server for as long as it is wanted, with its files in a directory."""

import glob
import os
import shutil
import signal
import subprocess
import tempfile
import time

AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")
START_SECONDS = 300


def programs():
    """The directory of the newest server's."""
    return max(glob.glob("/usr/lib/postgresql/*/bin"))


class Server:
    """Its settings are the default ones, but for compiling queries as they run, which takes longest on an emulated processor."""

    def __init__(self, directory):
        self.directory = f"{directory}/cluster"
        self.sockets = tempfile.mkdtemp(dir="/run")
        self.log = f"{self.sockets}/log"
        self.process = None

    def __enter__(self):
        os.mkdir(self.directory, 0o700)
        for path in (self.directory, self.sockets):
            shutil.chown(path, "postgres", "postgres")
        self.make()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                (*AS_POSTGRES, f"{programs()}/postgres", "-D", self.directory, "-k", self.sockets, "-c", "listen_addresses=", "-c", "jit=off"),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
            )  # fmt: skip
        end = time.monotonic() + START_SECONDS
        while subprocess.run(self.psql("select 1"), capture_output=True, cwd="/", check=False).returncode != 0:
            assert self.process.poll() is None and time.monotonic() < end, f"no server: {self.said()}"
            time.sleep(0.1)
        return self

    def make(self):
        words = (*AS_POSTGRES, f"{programs()}/initdb", "-D", self.directory, "--no-locale", "-E", "UTF8", "--auth=trust", "-U", "postgres")
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/", check=False)
        assert done.returncode == 0, f"initdb: status {done.returncode}\n{done.stdout[-3000:]}"

    def __exit__(self, *_):
        # Connections are closed, and what is in memory is written.
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        shutil.rmtree(self.sockets)

    def psql(self, text):
        return (*AS_POSTGRES, f"{programs()}/psql", "-XAtq", "-h", self.sockets, "-v", "ON_ERROR_STOP=1", "-c", text, "postgres")

    def said(self):
        """The end of its log."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()[-2000:]
