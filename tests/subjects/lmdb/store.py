# SPDX-License-Identifier: GPL-2.0
"""LMDB; CONFIG is default, or flags of the environment that are set otherwise: nosync, nometasync, writemap, writemap-mapasync."""

import lmdb

BROKEN = (lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.PanicError)
OPTIONS = {
    "default": {},
    "nosync": {"sync": False},
    "nometasync": {"metasync": False},
    "writemap": {"writemap": True},
    "writemap-mapasync": {"writemap": True, "map_async": True},
}


class Store:
    def __init__(self, directory, config):
        self.environment = lmdb.open(directory, map_size=8 << 20, **OPTIONS[config])

    def put(self, pairs):
        with self.environment.begin(write=True) as transaction:
            for key, value in pairs.items():
                transaction.put(key.encode(), value.encode())

    def get(self):
        with self.environment.begin() as transaction:
            return {bytes(key).decode(): bytes(value).decode() for key, value in transaction.cursor()}

    def close(self):
        self.environment.close()
