# SPDX-License-Identifier: GPL-2.0
"""Delta Lake by the deltalake package; CONFIG is append, or synced, with sync(1) after each append."""

import os

import deltalake
from arro3.core import Array, DataType, Table

ATOMIC = True
REPLACES = False


class Store:
    def __init__(self, directory, config):
        self.directory = directory
        self.synced = config == "synced"
        if os.path.exists(directory):
            self.table = deltalake.DeltaTable(directory)

    def put(self, pairs):
        columns = {"key": Array(list(pairs), DataType.utf8()), "value": Array(list(pairs.values()), DataType.utf8())}
        deltalake.write_deltalake(self.directory, Table.from_pydict(columns), mode="append")
        if self.synced:
            os.sync()

    def get(self):
        table = deltalake.DeltaTable(self.directory)
        found = {}
        for batch in deltalake.QueryBuilder().register("t", table).execute("select key, value from t").read_all().to_batches():
            found.update(zip(batch["key"].to_pylist(), batch["value"].to_pylist()))
        return found

    def close(self):
        pass
