# SPDX-License-Identifier: GPL-2.0
"""g_file_set_contents_full() of GLib: a file for each key; CONFIG is consistent (what g_file_set_contents() takes) or durable."""

import os

from gi.repository import GLib

ATOMIC = False
FLAGS = {
    "consistent": GLib.FileSetContentsFlags.CONSISTENT | GLib.FileSetContentsFlags.ONLY_EXISTING,
    "durable": GLib.FileSetContentsFlags.CONSISTENT | GLib.FileSetContentsFlags.DURABLE,
}


class Store:
    def __init__(self, directory, config):
        self.directory = directory
        self.flags = FLAGS[config]
        os.makedirs(directory, exist_ok=True)

    def put(self, pairs):
        for key, value in pairs.items():
            GLib.file_set_contents_full(os.path.join(self.directory, key), value.encode(), self.flags, 0o644)

    def get(self):
        found = {}
        for name in os.listdir(self.directory):
            if name == "newest" or name[:4].isdigit() and len(name) == 4:
                with open(os.path.join(self.directory, name), encoding="utf-8") as file:
                    found[name] = file.read()
        return found

    def after(self, number):
        # As another program does meanwhile.
        handle = os.open(os.path.join(self.directory, "other"), os.O_WRONLY | os.O_CREAT)
        os.write(handle, str(number).encode())
        os.fsync(handle)
        os.close(handle)

    def close(self):
        pass
