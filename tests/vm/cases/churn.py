# SPDX-License-Identifier: GPL-2.0
"""Everything over and over: nothing is leaked. The last case, so that it sees what others left."""

import gc
import glob
import os
import time

from lib import clean
from lib.disk import Disk, put
from lib.tap import Skip, note, rounds, test

KMEMLEAK = "/sys/kernel/debug/kmemleak"
# How much of a zone the lists of free pages per processor may have, as a divisor; 0 is the kernel's own choice. Their
# pages are not counted as free: the fewer the better.
PAGE_LISTS = "/proc/sys/vm/percpu_pagelist_high_fraction"
# Objects of a slab cache that come and go by themselves.
SLACK = 8


def settle():
    """Gives back what is kept only to be had again soon: what is then in use is in use."""
    put("/proc/sys/vm/drop_caches", 3)
    time.sleep(0.2)
    for shrink in glob.glob("/sys/kernel/slab/*/shrink"):
        put(shrink, 1)


def memory():
    """kB of memory that is in use and can't be had back."""
    with open("/proc/meminfo", encoding="ascii") as file:
        fields = {line.split(":")[0]: int(line.split()[1]) for line in file}
    names = ("SUnreclaim", "VmallocUsed", "Percpu", "KernelStack", "PageTables")
    used = {name: fields[name] for name in names}
    used["taken"] = fields["MemTotal"] - fields["MemFree"]
    return used


def slabs():
    """Objects in use, by slab cache."""
    with open("/proc/slabinfo", encoding="ascii") as file:
        rows = [line.split() for line in file if not line.startswith(("slabinfo", "#"))]
    return {row[0]: int(row[1]) for row in rows}


def extreme(pick):
    """As slabs(), of several times: a cache takes and gives back some 60 at once."""
    times = []
    if os.path.exists(KMEMLEAK):
        # KASAN keeps what was freed, to see it used: the counts say nothing. The next test does.
        return {}
    for _ in range(3):
        one_round()
        gc.collect()
        settle()
        times.append(slabs())
    return {name: pick(one.get(name, 0) for one in times) for name in times[-1]}


def one_round():
    clean.insmod()
    with Disk(size=4) as disk:
        with disk.raw() as raw:
            raw.write(0, b"a" * (1 << 18))
            disk.record("start")
            raw.write(0, b"b" * (1 << 18))
            raw.flush()
            raw.discard(0, 65536)
            disk.mark("mark")
            raw.write(1 << 21, b"c" * (1 << 18))
        with disk.view() as view:
            view.point(2, "all")
            with view.raw() as raw:
                raw.write(0, b"v" * (1 << 18))
            disk.export()
    clean.rmmod()


def grown(count):
    """What of the memory grew in so many rounds by more than what comes and goes by itself, and how much."""
    before, objects = memory(), extreme(max)
    for _ in range(count):
        one_round()
    gc.collect()
    settle()
    after, now = memory(), extreme(min)
    more = {name: after[name] - value for name, value in before.items()}
    note(f"{count} rounds; kB grown:", more)
    # What is written in a round and could be leaked is 256 kB and more; 2 kB are the noise of it.
    allowed = {"SUnreclaim": 2 * count + 512, "VmallocUsed": 512, "taken": 32 * count + 2048}
    found = {name: more[name] for name, limit in allowed.items() if more[name] >= limit}
    # An object leaked each round would be `count` of them.
    more = {name: number - objects.get(name, 0) for name, number in now.items()}
    most = sorted(more, key=more.get, reverse=True)[:4]
    note("objects:", {name: more[name] for name in most})
    return found | {name: more[name] for name in most if more[name] >= 0.5 * count + SLACK}


@test("loaded, used and unloaded over and over takes no memory", limit=900)
def churn():
    count = rounds(24, 2)
    put(PAGE_LISTS, 1000000)
    clean.rmmod()
    try:
        # Some memory is taken once and kept: for the text of modules, in lists per processor.
        for _ in range(rounds(5, 1)):
            one_round()
        gc.collect()
        settle()
        # What leaks does so each time. What somebody else took meanwhile is not taken each time.
        leaked = grown(count)
        for _ in range(4):
            if leaked:
                again = grown(count)
                leaked = {name: more for name, more in again.items() if name in leaked}
    finally:
        put(PAGE_LISTS, 0)
        if not clean.is_loaded():
            clean.insmod()
    assert not leaked, f"grew in {count} rounds, each time: {leaked}"


@test("the kernel knows of no memory without an owner")
def kmemleak():
    if not os.path.exists(KMEMLEAK):
        raise Skip("the kernel has no kmemleak")
    put(KMEMLEAK, "scan")
    # An object that is younger than 5 s is no suspect yet, nor one that has changed since the last scan.
    time.sleep(6)
    put(KMEMLEAK, "scan")
    with open(KMEMLEAK, encoding="utf-8", errors="replace") as file:
        leaks = file.read()
    ours = [leak for leak in leaks.split("unreferenced object") if "powercut" in leak]
    note(f"{leaks.count('unreferenced object')} suspects, {len(ours)} of ours")
    assert not ours, ours[0]
