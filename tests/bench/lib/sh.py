# SPDX-License-Identifier: GPL-2.0
"""Commands, and files in /sys."""

import glob
import json
import os
import subprocess
import sys
import time

TOOL = os.environ.get("BENCH_TOOL", "/mnt/host/bench-tool")


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def run(*command, **options):
    """Its standard output; it must succeed."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: status {done.returncode}\n"
                           f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def tool(*words):
    """What the bench's own tool (tool.rs) measures."""
    return json.loads(run(TOOL, *words))


def put(path, value):
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, str(value).encode())
    finally:
        os.close(fd)


def get(path):
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


def free_bytes():
    """Free memory, once it does not change any more: after what is only cached is gone, what slabs and
    processors keep of what was freed, and what is freed later."""
    free = None
    for _ in range(30):
        put("/proc/sys/vm/drop_caches", 3)
        for shrink in glob.glob("/sys/kernel/slab/*/shrink"):
            put(shrink, 1)
        last, free = free, mem_free_bytes()
        if last is not None and abs(free - last) < 128 << 10:
            break
        time.sleep(1)
    return free


def mem_free_bytes():
    """With the free pages that each processor has for itself."""
    for line in get("/proc/meminfo").splitlines():
        if line.startswith("MemFree:"):
            free = int(line.split()[1]) * 1024
    counts = (line.split() for line in get("/proc/zoneinfo").splitlines())
    return free + 4096 * sum(int(words[1]) for words in counts if words and words[0] == "count:")
