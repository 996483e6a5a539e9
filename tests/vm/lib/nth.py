# SPDX-License-Identifier: GPL-2.0
"""Has the first allocation of something fail, then the second, until it meets no failure."""

import contextlib
import errno
import itertools
import os

from .disk import get, put
from .tap import Skip, equal

KINDS = {"failslab": {}, "fail_page_alloc": {"min-order": 0, "ignore-gfp-highmem": "N"}}
# Where the kernel puts modules: of all allocations, those count that have one on the stack. That is
# ours, loaded or being loaded: the debug kernel has next to no others.
MODULES = (0xFFFFFFFFA0000000, 0xFFFFFFFFFF000000)
WHOLE = (0, (1 << 64) - 1)


def text(name):
    """Where a function of the kernel is, from the first byte to the one behind the last."""
    with open("/proc/kallsyms", encoding="ascii") as file:
        symbols = sorted((int(line.split()[0], 16), line.split()[2]) for line in file if len(line.split()) == 3)
    (at,) = [number for number, (_, symbol) in enumerate(symbols) if symbol == name]
    start = symbols[at][0]
    return start, next(address for address, _ in symbols[at:] if address > start)


def set_up(start, end, depth=32, reject=(0, 0)):
    for kind, more in KINDS.items():
        settings = {
            "probability": 0, "verbose": 0, "ignore-gfp-wait": "N", "stacktrace-depth": depth,
            "require-start": start, "require-end": end, "reject-start": reject[0], "reject-end": reject[1],
        } | more  # fmt: skip
        for name, value in settings.items():
            put(f"/sys/kernel/debug/{kind}/{name}", value)


@contextlib.contextmanager
def ready(depth, but=None):
    """While fail-nth counts allocations of the module, no more than `depth` calls from it, of slabs and of pages; `but`
    those in a function of the kernel with that name."""
    for kind in KINDS:
        if not os.path.isdir(f"/sys/kernel/debug/{kind}"):
            raise Skip(f"the kernel has no {kind}")
    set_up(*MODULES, depth, text(but) if but else (0, 0))
    try:
        yield
    finally:
        set_up(*WHOLE)


class Fault:
    """The n-th allocation of this thread fails."""

    def __init__(self, n):
        self.n = n
        self.is_met = None

    def __enter__(self):
        put("/proc/thread-self/fail-nth", self.n)
        return self

    def __exit__(self, *_):
        self.is_met = get("/proc/thread-self/fail-nth") == "0"
        put("/proc/thread-self/fail-nth", 0)


def each(round_of, errors=(errno.ENOMEM,), most=2000):
    """Calls `round_of()` over and over. It yields what is to meet a failure, is told the error that it failed
    with (0: it did not), and checks what is left. Returns how many failures were met."""
    for n in itertools.count(1):
        assert n < most, f"{most} allocations and no end"
        checks = round_of()
        act = next(checks)
        failed = 0
        fault = Fault(n)
        try:
            with fault:
                act()
        except OSError as failure:
            failed = failure.errno
        try:
            checks.send(failed)
        except StopIteration:
            pass
        except AssertionError as wrong:
            raise AssertionError(f"after failure {n} ({errno.errorcode.get(failed, 'none')}): {wrong}") from wrong
        if failed and failed not in errors:
            raise AssertionError(f"when allocation {n} fails, the error is {os.strerror(failed)}")
        if not fault.is_met:
            equal(failed, 0, "the error when no allocation fails")
            return n - 1
