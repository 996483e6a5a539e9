# SPDX-License-Identifier: GPL-2.0
"""LevelDB; CONFIG is sync or async (WriteOptions::sync)."""

import plyvel

BROKEN = (plyvel.CorruptionError,)


class Store:
    def __init__(self, directory, config):
        self.sync = config == "sync"
        self.database = plyvel.DB(directory, create_if_missing=True, paranoid_checks=True, write_buffer_size=64 << 10)

    def put(self, pairs):
        with self.database.write_batch(transaction=True, sync=self.sync) as batch:
            for key, value in pairs.items():
                batch.put(key.encode(), value.encode())

    def get(self):
        with self.database.iterator(verify_checksums=True) as entries:
            return {key.decode(): value.decode() for key, value in entries}

    def close(self):
        self.database.close()
