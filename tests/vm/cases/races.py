# SPDX-License-Identifier: GPL-2.0
"""Two at once at the same thing: one of them wins, and the end is one of the possible ones."""

import os
import threading
import time

from lib import log
from lib.disk import Disk, get, put
from lib.tap import equal, test

SECONDS = 2


def race(*functions):
    """Calls functions over and over, each in its thread; errors are fine."""
    stop = time.monotonic() + SECONDS

    def loop(function):
        while time.monotonic() < stop:
            try:
                function()
            except OSError:
                pass

    threads = [threading.Thread(target=loop, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def usable(disk):
    """Whatever was done to it, it is a disk."""
    disk.on()
    if disk.status()["state"] != "off":
        disk.record("reset")
    with disk.raw() as raw:
        raw.write(0, b"a" * 4096)
        equal(raw.read(0, 4096), b"a" * 4096)
    disk.record("start")
    with disk.raw() as raw:
        raw.write(0, b"b" * 4096)
    equal(disk.events(), 2, "newest event")


def write_once(disk):
    with disk.raw() as raw:
        raw.write(0, b"x" * 4096)


@test("power switched by two, and the disk opened meanwhile")
def power():
    with Disk() as disk:
        race(disk.on, disk.off, lambda: (disk.on(), disk.off()), lambda: write_once(disk))
        usable(disk)


@test("a record started, stopped, dropped and reset at once, and written to")
def record():
    with Disk() as disk:
        race(
            lambda: disk.record("start"),
            lambda: disk.record("stop"),
            lambda: (disk.record("start"), disk.record("stop")),
            lambda: (disk.record("drop"), disk.record("reset")),
            lambda: write_once(disk),
            lambda: log.parse(disk.export()),
        )
        usable(disk)


@test("a setting written by two while the power is switched")
def setting():
    with Disk() as disk:
        race(
            lambda: (disk.off(), disk.set("size", 1)),
            lambda: disk.set("size", 2),
            lambda: (disk.on(), disk.read(4096)),
        )
        size = int(disk.get("size"))
        assert size in (1, 2), size
        usable(disk)
        if disk.get("power") == "1":
            equal(disk.size(), size << 20, "size")


@test("a crash state pointed by two, and read")
def state():
    with Disk() as disk:
        disk.record("start")
        with disk.raw() as raw:
            raw.write(0, b"a" * 4096)
            raw.write(0, b"b" * 4096)
        with disk.view() as view:
            race(
                lambda: view.point(4, "1:0"),
                lambda: view.point(4, "3:0"),
                lambda: log.request("state t.v cut=0 keep=none"),
                lambda: view.read(4096),
                lambda: view.read(4096, 0),
            )
            for selection, letter in (("1:0", b"a"), ("3:0", b"b")):
                view.point(4, selection)
                equal(view.read(4096, 0), letter * 4096)


@test("a crash state's power switched while its disk is recorded anew")
def view_power():
    with Disk() as disk:
        view = disk.view(power=0)
        race(
            view.on,
            view.off,
            lambda: disk.record("start"),
            lambda: disk.record("drop"),
            lambda: view.read(4096),
            lambda: view.point(0),
        )
        view.off()
        view.remove()
        usable(disk)


@test("groups made and removed by two")
def groups():
    def one():
        with Disk("r"):
            pass

    race(one, one, lambda: log.request("log r"), lambda: os.listdir("/sys/kernel/config/powercut"))
    try:
        os.rmdir("/sys/kernel/config/powercut/r")
    except FileNotFoundError:
        pass


@test("accounting switched on and off under I/O, none of which stays in flight")
def accounting():
    # So that it is switched between the begin of a write and its end: to switch it takes a while, too.
    with Disk(completion="delayed:100000") as disk, disk.raw() as raw:
        queue = f"/sys/block/powercut!{disk.name}"

        def switch():
            for value in (0, 1):
                put(f"{queue}/queue/iostats", value)

        race(
            switch,
            lambda: raw.write(0, b"a" * 4096),
            lambda: raw.read(4096, 4096),
            raw.flush,
        )
        equal(get(f"{queue}/inflight").split(), ["0", "0"], "reads and writes in flight")
        stat = get(f"{queue}/stat").split()
        assert int(stat[0]) and int(stat[4]), f"nothing was counted: {stat}"
