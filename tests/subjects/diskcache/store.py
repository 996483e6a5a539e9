# SPDX-License-Identifier: GPL-2.0
"""diskcache; CONFIG is large, values in files of their own, or small, values in its database."""

import sys

import diskcache

ATOMIC = False
REPLACES = False
BYTES = 60000 if "large" in sys.argv else 600


class Store:
    def __init__(self, directory, config):
        # What a cache does not do by default: keep what it was given.
        self.cache = diskcache.Cache(directory, eviction_policy="none", sqlite_synchronous=3)

    def put(self, pairs):
        for key, value in pairs.items():
            self.cache.set(key, value)

    def verify(self):
        self.cache.check()

    def get(self):
        return {key: self.cache[key] for key in self.cache}

    def close(self):
        self.cache.close()
