# SPDX-License-Identifier: GPL-2.0
"""Python's dbm; CONFIG is dumb, sqlite3, or patched: dumb, with a sync() that syncs."""

import dbm.dumb
import dbm.sqlite3
import os

ATOMIC = False
REPLACES = False


class Patched(dbm.dumb._Database):
    """The data first, then the index under another name, then its name. Nothing is appended to the index in place."""

    def _addkey(self, key, pos_and_siz_pair):
        self._index[key] = pos_and_siz_pair

    def sync(self):
        sync(self._datfile)
        new = self._dirfile + b".new"
        with open(new, "w", encoding="Latin-1") as file:
            file.writelines(f"{key.decode('Latin-1')!r}, {place!r}\n" for key, place in self._index.items())
        sync(new)
        os.replace(new, self._dirfile)
        sync(os.path.dirname(self._dirfile))


def sync(path):
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def opened(path, config):
    if config == "patched":
        return Patched(path, 0o644, "c")
    return {"dumb": dbm.dumb, "sqlite3": dbm.sqlite3}[config].open(path, "c")


class Store:
    def __init__(self, directory, config):
        self.database = opened(directory, config)

    def put(self, pairs):
        for key, value in pairs.items():
            self.database[key] = value
        if hasattr(self.database, "sync"):
            self.database.sync()

    def get(self):
        return {key.decode(): self.database[key].decode() for key in self.database.keys()}

    def close(self):
        self.database.close()
