# SPDX-License-Identifier: GPL-2.0
"""fsx: random operations on one file, or on the disk itself, whose content is compared with what it should be.

A test is a seed with a mix of operations. The same seed does the same everywhere.
"""

import subprocess
import tempfile
import threading
from contextlib import contextmanager

from verdict import FAILED, PASSED

SEEDS = range(1, 4)
# Operations in a test.
COUNT = 1000
LIMIT_SECONDS = 300

# Operations that fsx leaves out unless it is told their weight.
EVERY = """[weights]
close_open = 1
invalidate = 1
mapread = 10
mapwrite = 10
read = 10
write = 10
truncate = 5
fsync = 2
fdatasync = 2
posix_fallocate = 5
punch_hole = 5
sendfile = 5
posix_fadvise = 5
copy_file_range = 5
"""
MIXES = {
    "as it comes": "",
    "every operation": EVERY,
    # Without posix_fallocate: rounded to blocks, some are of no bytes, which Linux refuses.
    "whole blocks": f"flen = 1048576\n[opsize]\nalign = 4096\nmax = 131072\n{EVERY.replace('posix_fallocate = 5', '')}",
    "short writes, fsync": "[opsize]\nmax = 600\n[weights]\nwrite = 10\nread = 5\nclose_open = 1\nfsync = 10\nfdatasync = 10\ntruncate = 2\n",
}
# Its size stays, and brd can't punch holes.
DEVICE_MIXES = {
    "the disk itself": """flen = 16777216
blockmode = true
[opsize]
max = 131072
[weights]
read = 10
write = 10
mapread = 5
mapwrite = 5
truncate = 0
invalidate = 2
fsync = 2
fdatasync = 2
sendfile = 2
posix_fadvise = 10
""",
}
# Much is written out, and read again once it is dropped.
CONTROL = """flen = 1048576
blockmode = true
[opsize]
align = 4096
[weights]
read = 20
write = 10
mapread = 0
mapwrite = 0
truncate = 0
fsync = 10
"""


@contextmanager
def caches_dropped():
    """What is clean is forgotten again and again meanwhile: else fsx would compare what is in the page cache, not what the disk has."""
    is_over = threading.Event()

    def drop():
        while not is_over.wait(0.1):
            with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
                file.write("1")

    thread = threading.Thread(target=drop)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def one(program, path, mix, seed, *more):
    """A test's verdict, and why."""
    with tempfile.TemporaryDirectory() as scratch:
        with open(f"{scratch}/fsx.toml", "w", encoding="utf-8") as file:
            file.write(mix)
        words = (program, "-f", f"{scratch}/fsx.toml", "-N", str(COUNT), "-S", str(seed), "-P", scratch, *more, path)
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  errors="replace", check=False, timeout=LIMIT_SECONDS)  # fmt: skip
        except subprocess.TimeoutExpired:
            return FAILED, f"not done after {LIMIT_SECONDS} s"
    if done.returncode == 0:
        return PASSED, ""
    return FAILED, f"status {done.returncode}: {done.stdout[-500:]}"


def suite(place, suites):
    program = f"{suites}/fsx/bin/fsx"
    mixes = MIXES if place.mnt else DEVICE_MIXES
    path = f"{place.mnt}/file" if place.mnt else place.device
    with caches_dropped():
        return {f"{name}, seed {seed}": one(program, path, mix, seed) for name, mix in mixes.items() for seed in SEEDS}


def control(place, suites):
    with caches_dropped():
        return {f"seed {seed}": one(f"{suites}/fsx/bin/fsx", place.device, CONTROL, seed) for seed in SEEDS}
