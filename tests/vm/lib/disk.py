# SPDX-License-Identifier: GPL-2.0
"""Disks and their crash states, through configfs."""

import os

from . import blk, log
from .clean import CONFIG


def put(path, value):
    """Writes a value to an attribute, in one write."""
    data = value if isinstance(value, bytes) else str(value).encode()
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def get(path):
    with open(path, encoding="utf-8") as file:
        return file.read().rstrip("\n")


class Group:
    """A directory in configfs with a block device."""

    def __init__(self, path, device):
        self.path = path
        self.device = device
        os.mkdir(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def set(self, attribute, value):
        put(f"{self.path}/{attribute}", value)

    def get(self, attribute):
        return get(f"{self.path}/{attribute}")

    def on(self):
        self.set("power", 1)
        return self

    def off(self):
        self.set("power", 0)

    def remove(self):
        """Removes it, and what is in it."""
        if os.path.isdir(self.path):
            for entry in os.scandir(self.path):
                if entry.is_dir():
                    os.rmdir(entry.path)
            os.rmdir(self.path)

    def raw(self, flags=os.O_DIRECT):
        return blk.Raw(self.device, flags)

    def read(self, length=None, flags=os.O_DIRECT):
        """Its content, from its start on."""
        return blk.read_all(self.device, length or self.size(), flags)

    def size(self):
        with open(self.device, "rb") as device:
            return device.seek(0, os.SEEK_END)


class View(Group):
    """A crash state of a disk."""

    def __init__(self, disk, name):
        self.name = f"{disk.name}.{name}"
        super().__init__(f"{disk.path}/{name}", f"/dev/powercut/{self.name}")

    def point(self, cut, keep="none"):
        """Points it at a state, by the way that is long enough."""
        state = f"cut={cut} keep={keep}"
        if len(state) < 4000:
            self.set("state", state)
        else:
            log.request(f"state {self.name} {state}")


class Disk(Group):
    """A disk; powered on unless `power` is 0."""

    def __init__(self, name="t", power=1, **settings):
        self.name = name
        super().__init__(f"{CONFIG}/{name}", f"/dev/powercut/{name}")
        for setting, value in ({"size": 1} | settings).items():
            self.set(setting, value)
        if power:
            self.on()

    def record(self, word):
        self.set("record", word)

    def mark(self, text):
        self.set("mark", text)

    def status(self):
        """The line of `record`, numbers as numbers."""
        words = dict(word.split("=") for word in self.get("record").split())
        return {key: int(value) if value.isdigit() else value for key, value in words.items()}

    def events(self):
        return self.status()["events"]

    def view(self, name="v", power=1):
        view = View(self, name)
        if power:
            view.on()
        return view

    def log(self):
        return log.parse(log.request(f"log {self.name}"))

    def export(self):
        return log.request(f"export {self.name}")
