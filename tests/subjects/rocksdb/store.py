# SPDX-License-Identifier: GPL-2.0
"""RocksDB; CONFIG is sync or async (WriteOptions::sync)."""

import os

from rocksdict import Options, Rdict, WriteBatch, WriteOptions


class Store:
    def __init__(self, directory, config):
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_keep_log_file_num(1)
        self.write = WriteOptions()
        self.write.sync = config == "sync"
        os.makedirs(directory, exist_ok=True)
        self.database = Rdict(directory, options=options)

    def put(self, pairs):
        batch = WriteBatch(raw_mode=True)
        for key, value in pairs.items():
            batch.put(key.encode(), value.encode())
        self.database.write(batch, write_opt=self.write)

    def get(self):
        return {key.decode(): value.decode() for key, value in self.database.items()}

    def close(self):
        self.database.close()
