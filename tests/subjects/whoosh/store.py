# SPDX-License-Identifier: GPL-2.0
"""Whoosh; CONFIG is commit, or patched: every file is synced before a new table of contents gets its name, and the directory after."""

import os

from whoosh import index
from whoosh.fields import ID, STORED, Schema
from whoosh.filedb.filestore import FileStorage
from whoosh.query import Every

ATOMIC = True
REPLACES = False
# An index that is being made has no table of contents yet.
UNMADE = True


def sync(directory):
    for name in [*os.listdir(directory), "."]:
        handle = os.open(os.path.join(directory, name), os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


def rename_file(self, oldname, newname, safe=False):
    sync(self.folder)
    os.rename(self._fpath(oldname), self._fpath(newname))
    sync(self.folder)


class Store:
    def __init__(self, directory, config):
        if config == "patched":
            FileStorage.rename_file = rename_file
        if os.path.exists(directory):
            self.index = index.open_dir(directory)
        else:
            os.mkdir(directory)
            self.index = index.create_in(directory, Schema(key=ID(stored=True, unique=True), value=STORED))

    def put(self, pairs):
        writer = self.index.writer()
        for key, value in pairs.items():
            writer.update_document(key=key, value=value)
        writer.commit()

    def get(self):
        with self.index.searcher() as searcher:
            return {hit["key"]: hit["value"] for hit in searcher.search(Every(), limit=None)}

    def close(self):
        self.index.close()
