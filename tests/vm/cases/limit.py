# SPDX-License-Identifier: GPL-2.0
"""A log that can't go on says so: at its limit, and when the kernel has no memory."""

import errno
import glob
import os

from lib import log as fmt
from lib.disk import Disk, get, put
from lib.model import Model
from lib.tap import Skip, equal, fails, note, test


def fill(disk, raw):
    """Writes until it fails; returns the error."""
    for number in range(2000):
        try:
            raw.write(number % 200 * 4096, bytes([number % 255 + 1]) * 4096)
        except OSError as error:
            return error.errno
    raise AssertionError(f"never failed: {disk.get('record')}")


def check_rest(disk):
    """The log up to where it ended parses, and its crash states are right."""
    log = fmt.parse(disk.export())
    equal(log.truncated, log.newest + 1, "truncated")
    model = Model(log)
    with disk.view() as view:
        for keep, kept in (("none", ()), ("all", model.pieces(log.newest))):
            view.point(log.newest, keep)
            content = model.content(log.newest, kept, 2048)
            equal(view.read() == content, True, f"keep={keep} as it should be")


@test("at its limit writes, discards and flushes fail, reads work, and stop ends that")
def limit():
    with Disk(log_limit_mib=1) as disk:
        disk.record("start")
        with disk.raw() as raw:
            equal(fill(disk, raw), errno.ENOSPC, "error")
            status = disk.status()
            equal(status["truncated"], status["events"] + 1, "truncated")
            assert status["bytes"] <= 1 << 20, status
            assert status["bytes"] > (1 << 20) - 8192, status
            for what, function, *args in (
                ("a write", raw.write, 0, bytes(4096)),
                ("a FUA write", raw.write_fua, 0, bytes(4096)),
                ("a flush", raw.flush),
                ("a discard", raw.discard, 0, 4096),
                ("zeroing", raw.zero, 0, 4096),
                ("a mark", disk.mark, "m"),
            ):
                with fails(errno.ENOSPC, what):
                    function(*args)
            equal(disk.status(), status, "status")
            equal(raw.read(0, 4096) == bytes(4096), False, "the first block empty")
            check_rest(disk)
            disk.record("stop")
            raw.write(0, b"z" * 4096)
            raw.flush()
            equal(raw.read(0, 4096), b"z" * 4096)
        check_rest(disk)
        disk.record("reset")
        equal(disk.read(), bytes(1 << 20), "the base")
        disk.record("start")
        equal(disk.status()["truncated"], 0, "truncated in the next record")


@test("without a limit it goes on")
def no_limit():
    with Disk(log_limit_mib=0) as disk:
        disk.record("start")
        with disk.raw() as raw:
            for _ in range(4):
                raw.write(0, bytes(1 << 20))
        assert disk.status()["bytes"] >= 4 << 20
        equal(disk.status()["truncated"], 0, "truncated")


def inject(kind, settings):
    """Has this process's allocations in the module fail."""
    where = f"/sys/kernel/debug/{kind}"
    if not os.path.isdir(where):
        raise Skip(f"the kernel has no {kind}")
    text = int(get("/sys/module/powercut/sections/.text"), 16)
    size = int(get("/sys/module/powercut/coresize"))
    settings = {
        "probability": 0, "verbose": 0, "task-filter": "Y", "interval": 1, "times": -1, "space": 0,
        "ignore-gfp-wait": "N", "require-start": text, "require-end": text + size,
        "stacktrace-depth": 32,
    } | settings  # fmt: skip
    for name, value in settings.items():
        for path in glob.glob(f"{where}/{name}"):
            put(path, value)
    return where


@test("a slab allocation that fails ends the log, and harms nothing", "failslab", {})
@test("a page allocation that fails, likewise", "fail_page_alloc", {"min-order": 0})
def no_memory(kind, settings):
    where = inject(kind, settings)
    injected = 0
    try:
        for number in range(6):
            with Disk(log_limit_mib=0) as disk:
                disk.record("start")
                with disk.raw() as raw:
                    raw.write(0, b"a" * 65536)
                    put(f"{where}/probability", (1, 3, 10, 30, 60, 100)[number])
                    put("/proc/self/make-it-fail", 1)
                    error = 0
                    try:
                        for index in range(200):
                            raw.write(index % 50 * 4096, b"b" * (4096 * (1 + index % 5)))
                    except OSError as failure:
                        error = failure.errno
                    finally:
                        put("/proc/self/make-it-fail", 0)
                        put(f"{where}/probability", 0)
                    status = disk.status()
                    if status["truncated"]:
                        injected += 1
                        equal(error, errno.ENOMEM, "error")
                        with fails(errno.ENOMEM, "the next write"):
                            raw.write(0, bytes(4096))
                        check_rest(disk)
                disk.record("stop")
                with disk.raw() as raw:
                    raw.write(0, bytes(4096))
    finally:
        put(f"{where}/probability", 0)
    note(f"{injected} of 6 logs ended early")
    assert injected, "no allocation was made to fail"
