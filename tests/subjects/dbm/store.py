# SPDX-License-Identifier: GPL-2.0
"""Python's dbm; CONFIG is dumb or sqlite3."""

import dbm.dumb
import dbm.sqlite3

ATOMIC = False
REPLACES = False


class Store:
    def __init__(self, directory, config):
        self.database = {"dumb": dbm.dumb, "sqlite3": dbm.sqlite3}[config].open(directory, "c")

    def put(self, pairs):
        for key, value in pairs.items():
            self.database[key] = value
        if hasattr(self.database, "sync"):
            self.database.sync()

    def get(self):
        return {key.decode(): self.database[key].decode() for key in self.database.keys()}

    def close(self):
        self.database.close()
