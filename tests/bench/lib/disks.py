# SPDX-License-Identifier: GPL-2.0
"""The drivers that are compared: each makes an empty disk and takes it away again."""

import os

from .sh import get, put, run

MIB = 1 << 20
# Room for the log of dm-log-writes; brd takes memory only for what is written.
RAM_MIB = 4096


class Disk:
    """A disk to measure. `up` makes it, empty; `down` removes it."""

    #: which feature it shows, for the table
    about = ""
    #: whether it keeps what is written
    stores = True
    #: the smallest I/O that it takes
    min_bytes = 512

    def __init__(self, name, size_mib):
        self.name = name
        self.size_mib = size_mib
        self.device = ""

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, *_):
        self.down()

    def up(self):
        raise NotImplementedError

    def down(self):
        raise NotImplementedError

    def again(self):
        """Called between jobs: forgets a log, keeps the content."""


class Brd(Disk):
    about = "RAM disk of the kernel"

    def up(self):
        run("modprobe", "brd", "rd_nr=2", f"rd_size={RAM_MIB * 1024}")
        self.device = "/dev/ram0"

    def down(self):
        run("rmmod", "brd")


class NullBlk(Disk):
    about = "null_blk, memory_backed=1, irqmode=0"
    settings = {"memory_backed": 1}

    def up(self):
        run("modprobe", "null_blk", "nr_devices=0")
        self.group = "/sys/kernel/config/nullb/bench"
        os.mkdir(self.group)
        for name, value in {"size": self.size_mib, "irqmode": 0, "blocksize": 512, **self.settings}.items():
            put(f"{self.group}/{name}", value)
        put(f"{self.group}/power", 1)
        self.device = "/dev/bench" if os.path.exists("/dev/bench") else "/dev/nullb0"

    def down(self):
        put(f"{self.group}/power", 0)
        os.rmdir(self.group)
        run("rmmod", "null_blk")


class NullBlkCached(NullBlk):
    about = "null_blk, memory_backed=1, cache_size=1024 (MiB)"
    settings = {"memory_backed": 1, "cache_size": 1024}


class NullBlkNothing(NullBlk):
    about = "null_blk without memory: does nothing"
    settings = {"memory_backed": 0}
    stores = False


class Zram(Disk):
    about = "zram (compresses)"
    min_bytes = 4096

    def up(self):
        run("modprobe", "zram", "num_devices=1")
        put("/sys/block/zram0/disksize", self.size_mib * MIB)
        self.device = "/dev/zram0"

    def down(self):
        put("/sys/block/zram0/reset", 1)
        run("rmmod", "zram")


class LogWrites(Brd):
    about = "dm-log-writes over brd"

    def up(self):
        super().up()
        run("modprobe", "dm-log-writes")
        self.map()

    def map(self):
        sectors = self.size_mib * 2048
        run("dmsetup", "create", "bench", "--table", f"0 {sectors} log-writes /dev/ram0 /dev/ram1")
        self.device = "/dev/mapper/bench"
        if not os.path.exists(self.device):
            self.device = "/dev/" + os.path.basename(run(
                "dmsetup", "info", "-c", "--noheadings", "-o", "blkdevname", "bench").strip())

    def unmap(self):
        run("dmsetup", "remove", "--retry", "bench")

    def again(self):
        self.unmap()
        run("blkdiscard", "-f", "/dev/ram1")
        self.map()

    def down(self):
        self.unmap()
        super().down()


class Powercut(Disk):
    about = "powercut, write_cache=0, no record"
    write_cache = 0
    stacks = 0
    block_size = 512

    def up(self):
        self.group = f"/sys/kernel/config/powercut/{self.name}"
        os.mkdir(self.group)
        for name, value in {"size": self.size_mib, "blocksize": self.block_size, "log_limit_mib": 0,
                            "write_cache": self.write_cache, "stacks": self.stacks}.items():
            put(f"{self.group}/{name}", value)
        put(f"{self.group}/power", 1)
        self.device = f"/dev/powercut/{self.name}"
        put(f"/sys/block/powercut!{self.name}/queue/iostats", 0)

    def record(self, word):
        put(f"{self.group}/record", word)

    def status(self):
        words = get(f"{self.group}/record").split()
        return {name: value if name == "state" else int(value)
                for name, value in (word.split("=") for word in words)}

    def down(self):
        put(f"{self.group}/power", 0)
        os.rmdir(self.group)


class PowercutCached(Powercut):
    about = "powercut, write_cache=1, no record"
    write_cache = 1


class PowercutRecording(PowercutCached):
    about = "powercut, write_cache=1, recording"

    def up(self):
        super().up()
        self.record("start")

    def again(self):
        self.record("stop")
        self.record("drop")
        self.record("start")


class PowercutStacks(PowercutRecording):
    about = "powercut, write_cache=1, recording with stacks"
    stacks = 1


ALL = {
    "brd": Brd,
    "nothing": NullBlkNothing,
    "null_blk": NullBlk,
    "null_blk-cache": NullBlkCached,
    "zram": Zram,
    "dm-log-writes": LogWrites,
    "plain": Powercut,
    "cached": PowercutCached,
    "recording": PowercutRecording,
    "stacks": PowercutStacks,
}
MAIN = ("brd", "dm-log-writes", "plain", "cached", "recording", "nothing")
