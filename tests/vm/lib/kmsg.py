# SPDX-License-Identifier: GPL-2.0
"""The kernel's log, and what in it is a fault of the kernel or the driver."""

import os
import re

SPLAT = re.compile(
    r"BUG:|kernel BUG at|WARNING: |KASAN:|UBSAN:|ODEBUG:|Oops|general protection fault"
    r"|Kernel panic|refcount_t:|possible (circular|recursive) locking|lock inversion dependency"
    r"|inconsistent lock state|suspicious RCU usage|bad unlock balance|lock held when returning"
    r"|still has locks held|held lock freed|Invalid wait context|sleeping function called"
    r"|scheduling while atomic|self-detected stall|detected stalls|soft lockup|workqueue lockup"
    r"|blocked for more than|new suspected memory leaks|list_(add|del) corruption"
    r"|Bad page state|rust_kernel: panicked|cannot create duplicate filename|Call Trace:"
)

# What KCSAN reports and is meant: see scripts/qemu.sh.
BYTES = r"powercut_mem(cpy|move|zero)(_from|_to)?(_bvec)? \[powercut\]"
MEANT = re.compile(
    rf"KCSAN: data-race in ({BYTES} / {BYTES}$"
    r"|powercut_race_counter(\+| \[powercut\] / powercut_race_counter )"
    r"|powercut_race_publish \[powercut\] / powercut_race_take )"
)


class Log:
    """What the kernel logs from now on."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)

    def lines(self):
        """All lines since it was made, or read last."""
        while True:
            try:
                record = os.read(self.fd, 8192).decode(errors="replace")
            except BrokenPipeError:
                yield "(some of the kernel's log was lost)"
                continue
            except BlockingIOError:
                return
            yield record.partition(";")[2].split("\n")[0]

    def splat(self):
        """The first complaint and what follows it; empty if there is none."""
        lines = list(self.lines())
        os.close(self.fd)
        for index, line in enumerate(lines):
            if SPLAT.search(line) and not MEANT.search(line):
                return "\n".join(lines[max(0, index - 2) : index + 50])
        return ""
