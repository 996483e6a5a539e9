# SPDX-License-Identifier: GPL-2.0
"""Copies of a SQLite database; CONFIG is backup (.backup) or vacuum (VACUUM INTO), with +dir if the directory is synced after it."""

import contextlib
import os
import sqlite3
import subprocess
import tempfile

ATOMIC = False
REPLACES = False


class Store:
    def __init__(self, directory, config):
        self.directory = directory
        self.command, _, self.syncs = config.partition("+")
        os.makedirs(directory, exist_ok=True)

    def sqlite3(self, database, command):
        subprocess.run(["sqlite3", "-bail", database, command], check=True)

    def put(self, pairs):
        for key, value in pairs.items():
            with tempfile.TemporaryDirectory(dir="/run") as source:
                self.sqlite3(f"{source}/db", f"CREATE TABLE pairs (key, value); INSERT INTO pairs VALUES ('{key}', '{value}')")
                target = f"{self.directory}/{key}"
                self.sqlite3(f"{source}/db", {"backup": f".backup {target}", "vacuum": f"VACUUM INTO '{target}'"}[self.command])
            if self.syncs:
                handle = os.open(self.directory, os.O_RDONLY)
                os.fsync(handle)
                os.close(handle)

    def get(self):
        found = {}
        for name in os.listdir(self.directory):
            # A copy that is not ready yet may be anything; it was not promised.
            with contextlib.suppress(sqlite3.DatabaseError), contextlib.closing(sqlite3.connect(f"{self.directory}/{name}")) as copy:
                if copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]:
                    found.update(copy.execute("SELECT key, value FROM pairs"))
        return found

    def close(self):
        pass
