# SPDX-License-Identifier: GPL-2.0
"""2. What a record costs beside its data: memory, reset, streaming out."""

import time

from . import disks
from .sh import free_bytes, say, tool

MIB = 1 << 20
SPAN_MIB = 128


def elapsed(call, *args):
    began = time.monotonic_ns()
    call(*args)
    return time.monotonic_ns() - began


def one(kind, writes):
    """A record of `writes` writes of 4 KiB: all over a full disk, or each to a new page."""
    say(f"recording: {writes} writes, {kind}")
    size_mib = SPAN_MIB if kind == "rewrite" else writes * 4096 // MIB
    with disks.PowercutCached("bench", size_mib) as disk:
        pages = size_mib * MIB // 4096
        if kind == "rewrite":
            tool("fill", disk.device, 0, size_mib * MIB, pages, 0)
        before = free_bytes()
        disk.record("start")
        count = pages if kind == "first touch" else writes
        ns = tool("fill", disk.device, 0, size_mib * MIB, count, 0)["ns"]
        memory = before - free_bytes()
        status = disk.status()
        assert status["entries"] == count and status["truncated"] == 0, status
        log = tool("stream", "log bench")
        export = tool("stream", "export bench") if writes <= 200000 else None
        disk.record("stop")
        reset = elapsed(disk.record, "reset")
        left = before - free_bytes()
    return {
        "section": "recording", "kind": kind, "writes": count, "ns_per_write": ns / count,
        "memory_beside_data": memory / count - 4096,
        "counted_beside_data": status["bytes"] / count - 4096,
        "log_bytes": log["bytes"] / count, "log_ns_per_entry": log["ns"] / count,
        "export_mib_s": export and export["bytes"] / MIB / (export["ns"] / 1e9),
        "reset_ns_per_write": reset / count, "reset_ms": reset / 1e6, "left_mib": left / MIB,
    }


def measure(writes):
    yield one("rewrite", writes)
    yield one("first touch", min(writes, 131072))
