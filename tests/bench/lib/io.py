# SPDX-License-Identifier: GPL-2.0
"""1. The I/O path: fio on each driver in turn."""

import json
import statistics

from . import disks
from .sh import run, say

SPAN_MIB = 128
# Workload: options of fio, and whether the disk is written in full before it.
WORKLOADS = {
    "first": (("--rw=write",), False),
    "rewrite": (("--rw=write",), True),
    "randwrite": (("--rw=randwrite",), True),
    "randread": (("--rw=randread",), True),
    "fsync16": (("--rw=randwrite", "--fsync=16"), True),
}
BLOCKS = {"4k": 4 << 10, "64k": 64 << 10, "512": 512}


def fio(device, bs, engine, options, count):
    size = SPAN_MIB << 20
    out = run("fio", "--name=bench", f"--filename={device}", "--direct=1", f"--bs={bs}", f"--size={size}",
              f"--ioengine={engine}", "--randseed=7", "--norandommap", "--output-format=json",
              f"--io_size={count * BLOCKS[bs]}", *(["--iodepth=8"] if engine == "io_uring" else []), *options)
    job = json.loads(out[out.index("{"):])["jobs"][0]
    side = job["read" if job["read"]["total_ios"] else "write"]
    percentile = side["clat_ns"]["percentile"]
    return {
        # Microseconds are what fio counts in.
        "ns_per_io": 1e9 / side["iops"],
        # Without what fio itself does between two of them.
        "mean": side["clat_ns"]["mean"],
        "p50": percentile["50.000000"], "p99": percentile["99.000000"], "p99.9": percentile["99.900000"],
    }


def median(results):
    return {key: statistics.median(one[key] for one in results) for key in results[0]}


def fill(disk):
    """Writes all of it, so that no page is touched for the first time later."""
    if disk.stores:
        run("fio", "--name=fill", f"--filename={disk.device}", "--direct=1", "--bs=1M", "--rw=write",
            f"--size={SPAN_MIB << 20}", "--ioengine=psync")
    disk.again()


def count_of(workload, bs, share):
    """I/Os of a run: enough for 3 digits (fio's clock ticks in ms), a first touch at most once all over."""
    count = {"4k": 65536, "64k": 8192, "512": 65536}[bs] // share
    return min(count, (SPAN_MIB << 20) // BLOCKS[bs]) if workload == "first" else count


def measure(names, blocks, engines, repeat, share=1):
    """Yields a record for each driver, block size, engine and workload."""
    for name in names:
        say(f"I/O path: {name}")
        make = disks.ALL[name]
        for workload, (options, filled) in WORKLOADS.items():
            for bs in (bs for bs in blocks if BLOCKS[bs] >= make.min_bytes):
                for engine in engines:
                    results = []
                    if filled:
                        with make("bench", SPAN_MIB) as disk:
                            fill(disk)
                            for _ in range(repeat):
                                results.append(fio(disk.device, bs, engine, options, count_of(workload, bs, share)))
                                disk.again()
                    else:
                        for _ in range(repeat):
                            with make("bench", SPAN_MIB) as disk:
                                results.append(fio(disk.device, bs, engine, options, count_of(workload, bs, share)))
                    yield {"section": "io", "disk": name, "workload": workload, "bs": bs, "engine": engine,
                           "runs": [round(one["ns_per_io"], 1) for one in results], **median(results)}
