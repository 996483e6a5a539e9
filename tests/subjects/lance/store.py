# SPDX-License-Identifier: GPL-2.0
"""Lance by the pylance package; CONFIG is append, or synced, with sync(1) after each append."""

import os

import lance
import pyarrow

ATOMIC = True
REPLACES = False


class Store:
    def __init__(self, directory, config):
        self.directory = directory
        self.synced = config == "synced"
        if os.path.exists(directory):
            lance.dataset(directory)

    def put(self, pairs):
        columns = pyarrow.table({"key": list(pairs), "value": list(pairs.values())})
        lance.write_dataset(columns, self.directory, mode="append" if os.path.exists(self.directory) else "create")
        if self.synced:
            os.sync()

    def verify(self):
        lance.dataset(self.directory).validate()

    def get(self):
        table = lance.dataset(self.directory).to_table().to_pydict()
        return dict(zip(table["key"], table["value"]))

    def close(self):
        pass
