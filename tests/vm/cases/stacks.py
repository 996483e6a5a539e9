# SPDX-License-Identifier: GPL-2.0
"""Hashes of kernel stacks: they tell apart what one task writes on different paths."""

import errno
import json
import os
import threading

from lib import log as fmt
from lib.blk import Raw
from lib.command import powercut, refused, tidy
from lib.disk import Disk
from lib.log import send_import
from lib.tap import equal, fails, test

PAGE = bytes(4096)


def go_each_way(device, rounds=3):
    """The operation of each way that this one task goes, over and over, all by the same calls."""
    with Raw(device) as direct, Raw(device, flags=0) as cached:
        for number in range(rounds):
            direct.write(number * 4096, PAGE)
            # In the page cache; written by the fsync.
            os.pwrite(cached.fd, PAGE, (64 + number) * 4096)
            cached.flush()
            direct.flush()
    return [fmt.WRITE, fmt.WRITE, fmt.FLUSH, fmt.FLUSH] * rounds


def recorded(disk):
    disk.record("start")
    ops = go_each_way(disk.device)
    disk.record("stop")
    entries = disk.log().entries
    equal([entry.op for entry in entries], ops, "operations")
    equal({entry.pid for entry in entries}, {os.getpid()}, "tasks")
    return entries


@test("one path of a task has one stack, another has another; what comes after has them all the same")
def paths():
    with Disk(stacks=1) as disk:
        stacks = [entry.stack for entry in recorded(disk)]
        equal(0 in stacks, False, f"unknown among {stacks}")
        # Both flushes are of fsync: one path.
        direct, cached, flush, again = stacks[:4]
        equal(again, flush, "stack of a flush")
        equal(len({direct, cached, flush}), 3, f"paths of {stacks}")
        equal(stacks, [direct, cached, flush, again] * 3, "stacks")
        disk.record("drop")
        equal([entry.stack for entry in recorded(disk)], stacks, "stacks of another record")

        exported = disk.export()
        equal([entry.stack for entry in fmt.parse(exported).entries], stacks, "of the export")
    # The disk that takes it in need not have it on.
    with Disk() as disk:
        send_import(disk, exported)
        equal(disk.export(), exported, "what was taken in")


@test("one path of two tasks has one stack")
def tasks():
    with Disk(stacks=1) as disk, disk.raw() as raw:
        disk.record("start")
        for number in range(3):
            thread = threading.Thread(target=raw.write, args=(number * 4096, PAGE))
            thread.start()
            thread.join()
        entries = disk.log().entries
        equal(len({entry.pid for entry in entries}), 3, "tasks")
        stacks = {entry.stack for entry in entries}
        equal((len(stacks), 0 in stacks), (1, False), f"stacks {stacks}")


@test("off, nothing is known of stacks; marks have none")
def off():
    with Disk() as disk:
        equal({entry.stack for entry in recorded(disk)}, {0}, "stacks")
        with fails(errno.EBUSY, "while the power is on"):
            disk.set("stacks", 1)
    with Disk(stacks=1) as disk:
        disk.record("start")
        disk.mark("here")
        equal([entry.stack for entry in disk.log().entries], [0], "stack of a mark")


@test("a delayed write, one that meets a fault and a view's has the stack that it was submitted from")
def elsewhere():
    expected = None
    for settings, fault in (({}, ""), ({"completion": "delayed:1000"}, ""), ({}, "lost op=write\n")):
        with Disk(stacks=1, **settings) as disk:
            if fault:
                disk.set("faults", fault)
            stacks = [entry.stack for entry in recorded(disk)]
            equal(stacks, expected or stacks, f"with {settings} {fault}")
            expected = stacks
    with Disk(stacks=1) as disk:
        disk.record("start")
        with disk.view() as view:
            view.set("record", "start")
            go_each_way(view.device)
            entries = fmt.parse(fmt.request(f"log {view.name}")).entries
            equal([entry.stack for entry in entries], expected, "of a view")


def create_and_record(*options):
    powercut("create", "a", "--size", "1M", *options)
    powercut("record", "a", "start")
    go_each_way("/dev/powercut/a")
    powercut("record", "a", "stop")


@test("the command makes such a disk, and shows and filters by stacks")
def command():
    with tidy():
        create_and_record("--stacks")
        lines = [json.loads(line) for line in powercut("log", "a", "--json").splitlines()]
        stacks = [line["stack"] for line in lines]
        rows = powercut("log", "a").splitlines()[1:]
        equal([row.split("stack=")[1] for row in rows], stacks, "as text")
        direct, cached = stacks[:2]
        for wanted in ({direct}, {direct, cached}):
            options = [word for stack in wanted for word in ("--stack", stack)]
            shown = [json.loads(line) for line in powercut("log", "a", "--json", *options).splitlines()]
            equal(shown, [line for line in lines if line["stack"] in wanted], f"by {wanted}")
        refused("--stack x: give a hash", "log", "a", "--stack", "x")
        powercut("remove", "a")

        create_and_record()
        assert "stack" not in powercut("log", "a") + powercut("log", "a", "--json"), "off"
        powercut("remove", "a")
