# SPDX-License-Identifier: GPL-2.0
"""stress-ng's stressors of I/O and of filesystems, with and without a power cut."""

import random
import shutil
import subprocess
import time

import tally
from filesystems import KINDS, Mounted, look, make, restore, run
from lib.disk import Disk
from lib.tap import Skip

STRESSORS = (
    "aio", "chdir", "copy-file", "dir", "dirdeep", "fallocate", "fiemap", "hdd", "iomix", "link", "readahead", "rename",
    "seek", "symlink", "sync-file", "unlink", "utime", "xattr",
)  # fmt: skip
# Of those that write much, the option that tells how much.
SIZES = {
    "copy-file": "bytes", "fallocate": "bytes", "fiemap": "bytes", "hdd": "bytes", "iomix": "bytes", "readahead": "bytes",
    "seek": "size", "sync-file": "bytes",
}  # fmt: skip
# A stressor that fails is 2. 3 and 4: it could not be tried.
GOOD = (0, 3, 4)


def words(mnt, dice, seconds):
    chosen = dice.sample(STRESSORS, 3)
    options = [word for name in chosen for word in (f"--{name}", "1")]
    for name in chosen:
        if name in SIZES:
            options += [f"--{name}-{SIZES[name]}", "8M"]
    return chosen, ("stress-ng", *options, "--temp-path", mnt, "--timeout", f"{seconds}s", "--verify", "--seed", str(dice.randrange(1 << 31)))


def load(seed):
    if not shutil.which("stress-ng"):
        raise Skip("there is no stress-ng")
    dice = random.Random(seed)
    kind = dice.choice([kind for kind in KINDS if kind != "vfat" and KINDS[kind].is_cut])
    with Disk("soak", size=KINDS[kind].size_mib, log_limit_mib=800) as disk:
        make(kind, disk)
        with Mounted(kind, disk.device) as mnt:
            chosen, line = words(mnt, dice, 6)
            run(*line, good=GOOD)
        tally.add("stressors", len(chosen))
        run(*KINDS[kind].check, disk.device)
        cut(disk, kind, dice)


def cut(disk, kind, dice):
    """The same with a record, at some moment of which the power goes."""
    with Mounted(kind, disk.device) as mnt:
        chosen, line = words(mnt, dice, 5)
        disk.record("start")
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(dice.uniform(0.2, 3))
        disk.set("cut", "eio now")
        process.wait()
    tally.add("stressors", len(chosen))
    tally.add("cuts")
    look(kind, disk, (), restore(disk, f"seed:{dice.randrange(1 << 30)}"))
