# SPDX-License-Identifier: GPL-2.0
"""5. Scaling: 1, 2 and 4 writers, on one disk and on one disk each. Times, not instructions.

The machine has no more processors than the host: what would be measured beyond is how the host's scheduler takes
a processor from the writer that holds the lock."""

import contextlib
import json
import statistics

from . import disks
from .sh import run, say

SPAN_MIB = 64


def fio(devices, cpus, seconds):
    """Writes a second of all writers together, one job a device, on the processors in turn."""
    command = ["fio", "--direct=1", "--bs=4k", "--rw=randwrite", "--norandommap", "--ioengine=psync", "--thread",
               "--time_based", f"--runtime={seconds}", f"--size={SPAN_MIB}M", "--output-format=json"]
    for writer, device in enumerate(devices):
        command += [f"--name=w{writer}", f"--filename={device}", f"--cpus_allowed={writer % cpus}",
                    f"--randseed={writer + 1}"]
    out = run(*command)
    return sum(job["write"]["iops"] for job in json.loads(out[out.index("{"):])["jobs"])


@contextlib.contextmanager
def made(kind, count):
    with contextlib.ExitStack() as stack:
        found = []
        if kind == "brd":
            stack.enter_context(disks.Brd("bench", SPAN_MIB))
            found = [f"/dev/ram{index}" for index in range(2)]
        else:
            for index in range(count):
                found.append(stack.enter_context(disks.ALL[kind](f"bench{index}", SPAN_MIB)).device)
        for device in found:
            run("fio", "--name=fill", f"--filename={device}", "--direct=1", "--bs=1M", "--rw=write",
                f"--size={SPAN_MIB}M", "--ioengine=psync")
        yield found[:count]


def measure(cpus, seconds, rounds):
    for kind in ("brd", "plain", "recording"):
        for layout in ("one", "separate"):
            say(f"scaling: {kind}, {layout}")
            # Rounds alternate, so that what else the machine does hits all alike.
            runs = {writers: [] for writers in (1, 2, 4)}
            for _ in range(rounds):
                for writers in runs:
                    if kind == "brd" and layout == "separate" and writers > 2:
                        continue
                    with made(kind, writers if layout == "separate" else 1) as found:
                        devices = found if layout == "separate" else found * writers
                        runs[writers].append(fio(devices, cpus, seconds))
            base = statistics.median(runs[1])
            for writers, values in runs.items():
                if values:
                    ratios = [value / one for value, one in zip(values, runs[1])]
                    yield {"section": "scaling", "disk": kind, "layout": layout, "writers": writers,
                           "iops": statistics.median(values), "of_medians": statistics.median(values) / base,
                           "ratio": statistics.median(ratios), "runs": values}
