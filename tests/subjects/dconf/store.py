# SPDX-License-Identifier: GPL-2.0
"""dconf: a key is written by the command; CONFIG is write, or synced, with sync(1) after it."""

import os
import subprocess

ATOMIC = False
REPLACES = False
BYTES = 40


class Store:
    def __init__(self, directory, config):
        self.synced = config == "synced"
        os.makedirs(directory, exist_ok=True)
        self.directory = directory
        self.environment = {**os.environ, "XDG_CONFIG_HOME": directory, "HOME": "/run"}

    def run(self, *words):
        done = subprocess.run(words, env=self.environment, cwd="/", capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{words[0]}: {done.stderr}")
        # It writes a warning and goes on with nothing where its database is damaged.
        if "GVDB" in done.stderr or "invalid" in done.stderr:
            raise RuntimeError(done.stderr)
        return done.stdout

    def put(self, pairs):
        for key, value in pairs.items():
            self.run("dbus-run-session", "--", "dconf", "write", f"/{key}", f"'{value}'")
            if self.synced:
                os.sync()

    def after(self, number):
        # As another program does meanwhile.
        handle = os.open(os.path.join(self.directory, "other"), os.O_WRONLY | os.O_CREAT)
        os.write(handle, str(number).encode())
        os.fsync(handle)
        os.close(handle)

    def get(self):
        found = {}
        for line in self.run("dconf", "dump", "/").splitlines():
            key, equals, value = line.partition("=")
            if equals:
                found[key] = value.strip("'")
        return found

    def close(self):
        pass
