# SPDX-License-Identifier: GPL-2.0
"""SQLite; CONFIG is JOURNAL_MODE/SYNCHRONOUS."""

import sqlite3

BROKEN = (sqlite3.DatabaseError,)


class Store:
    def __init__(self, directory, config):
        journal, synchronous = config.split("/")
        self.database = sqlite3.connect(directory, isolation_level=None)
        self.database.execute(f"PRAGMA journal_mode={journal}")
        self.database.execute(f"PRAGMA synchronous={synchronous}")
        self.database.execute("CREATE TABLE IF NOT EXISTS pairs (key TEXT PRIMARY KEY, value TEXT)")

    def put(self, pairs):
        self.database.execute("BEGIN")
        self.database.executemany("INSERT OR REPLACE INTO pairs VALUES (?, ?)", pairs.items())
        self.database.execute("COMMIT")

    def verify(self):
        found = self.database.execute("PRAGMA integrity_check").fetchall()
        if found != [("ok",)]:
            raise sqlite3.DatabaseError(f"integrity_check: {found}")

    def get(self):
        return dict(self.database.execute("SELECT key, value FROM pairs"))

    def close(self):
        self.database.close()
