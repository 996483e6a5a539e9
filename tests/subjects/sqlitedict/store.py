# SPDX-License-Identifier: GPL-2.0
"""sqlitedict; CONFIG is default, or full, which sets SQLite's synchronous by hand."""

import os

from sqlitedict import SqliteDict

ATOMIC = True


class Store:
    def __init__(self, directory, config):
        self.mapping = SqliteDict(directory, encode=str, decode=str)
        if config == "full":
            self.mapping.conn.execute("PRAGMA journal_mode = DELETE")
            self.mapping.conn.execute("PRAGMA synchronous = EXTRA")
        if os.path.getsize(directory) == 0:
            self.mapping.commit()

    def put(self, pairs):
        for key, value in pairs.items():
            self.mapping[key] = value
        self.mapping.commit()

    def get(self):
        return dict(self.mapping.items())

    def close(self):
        self.mapping.close()
