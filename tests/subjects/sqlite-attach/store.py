# SPDX-License-Identifier: GPL-2.0
"""SQLite with two databases in one connection; CONFIG is JOURNAL_MODE/SYNCHRONOUS of both. Each key with an ' is in the second."""

import os
import sqlite3

BROKEN = (sqlite3.DatabaseError,)
REPLACES = False


class Store:
    def __init__(self, directory, config):
        journal, synchronous = config.split("/")
        os.makedirs(directory, exist_ok=True)
        self.database = sqlite3.connect(f"{directory}/main", isolation_level=None)
        self.database.execute(f"ATTACH '{directory}/other' AS other")
        for name in ("main", "other"):
            self.database.execute(f"PRAGMA {name}.journal_mode={journal}")
            self.database.execute(f"PRAGMA {name}.synchronous={synchronous}")
            self.database.execute(f"CREATE TABLE IF NOT EXISTS {name}.pairs (key TEXT PRIMARY KEY, value TEXT)")

    def put(self, pairs):
        self.database.execute("BEGIN")
        for key, value in pairs.items():
            where = "other" if key.endswith("'") else "main"
            self.database.execute(f"INSERT OR REPLACE INTO {where}.pairs VALUES (?, ?)", (key, value))
        self.database.execute("COMMIT")

    def verify(self):
        for name in ("main", "other"):
            found = self.database.execute(f"PRAGMA {name}.integrity_check").fetchall()
            if found != [("ok",)]:
                raise sqlite3.DatabaseError(f"integrity_check: {found}")

    def get(self):
        return dict(self.database.execute("SELECT * FROM main.pairs UNION ALL SELECT * FROM other.pairs"))

    def close(self):
        self.database.close()
