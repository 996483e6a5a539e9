# SPDX-License-Identifier: GPL-2.0
"""fio on a disk that loses its power: what was flushed verifies, all else is one of the legal versions."""

import random
import subprocess

import tally
from lib import log
from lib.command import powercut
from lib.disk import Disk
from lib.tap import wait_until

SIZE_MIB = 48
# Where what is flushed lies, and what is written as the power goes.
SAFE_MIB, BUSY_MIB = 16, 32
BLOCK = 4096
SECTORS = BLOCK // 512


def fio(disk, name, offset_mib, size_mib, seed, *more):
    words = [
        "fio", f"--name={name}", f"--filename={disk.device}", "--direct=1", "--ioengine=psync", "--rw=randwrite", f"--randseed={seed}",
        "--allrandrepeat=1", f"--offset={offset_mib}M", f"--size={size_mib}M", "--verify=crc32c", "--output-format=terse", *more,
    ]  # fmt: skip
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def done(process, what):
    out, _ = process.communicate()
    assert process.returncode == 0, f"{what}: status {process.returncode}\n{out[-2000:]}"


def cut(disk, dice, seed):
    """Two loads; the power goes in the second. Returns the event that it went after."""
    done(fio(disk, "safe", 0, SAFE_MIB, seed, "--bs=4k", "--do_verify=0", "--end_fsync=1"), "fio")
    busy = fio(
        disk, "busy", SAFE_MIB, BUSY_MIB, seed + 1, "--bsrange=4k-64k", "--do_verify=0", "--norandommap=1",
        f"--fsync={dice.choice((1, 4, 32))}", "--time_based=1", "--runtime=600",
    )  # fmt: skip
    trigger = dice.choice((f"writes:{dice.randrange(1, 1500)}", f"flushes:{dice.randrange(1, 12)}", f"ms:{dice.randrange(1, 3000)}"))
    disk.set("cut", f"eio {trigger}")
    wait_until(lambda: disk.get("cut").startswith("cut "), "the cut")
    busy.communicate()
    tally.add("cuts")
    return int(disk.get("cut").rpartition("=")[2])


def load(seed):
    dice = random.Random(seed)
    with Disk("soak", size=SIZE_MIB, blocksize=BLOCK) as disk:
        for _ in range(2):
            disk.record("start")
            event = cut(disk, dice, seed)
            record = disk.export()
            with open(tally.RECORD, "wb") as file:
                file.write(record)
            keep = dice.choice(("none", "all", f"seed:{dice.randrange(1 << 30)}", f"seed:{dice.randrange(1 << 30)}"))
            powercut("restore", "soak", "--keep", keep)
            done(fio(disk, "safe", 0, SAFE_MIB, seed, "--bs=4k", "--verify_only=1"), f"what was flushed, with {keep}")
            tally.add("blocks compared", compare(log.parse(record), event, disk.read()))


def compare(record, event, found):
    """Each block holds its stable version or one that is pending; no other has changed. Returns their number."""
    assert record.truncated == 0, "the log ended early"
    flushes = [e.submit for e in record.entries if e.flags & log.PREFLUSH and (e.start if e.is_write() else e.complete) <= event]
    watermark = max(flushes, default=0)
    versions = {}
    for entry in record.base:
        for at in range(0, entry.sectors, SECTORS):
            versions[(entry.sector + at) // SECTORS] = [entry.payload[at * 512 : at * 512 + BLOCK]]
    for entry in record.entries:
        if not entry.is_write() or entry.start > event:
            continue
        is_stable = entry.complete <= watermark or entry.flags & log.FUA and entry.complete <= event
        for at in range(0, entry.sectors, SECTORS):
            data = entry.payload[at * 512 : at * 512 + BLOCK] if entry.op == log.WRITE else bytes(BLOCK)
            block = (entry.sector + at) // SECTORS
            if is_stable:
                # Each was complete before the next was submitted, so that it is the only one now.
                versions[block] = [data]
            else:
                versions.setdefault(block, [bytes(BLOCK)]).append(data)
    for block in range(len(found) // BLOCK):
        content = found[block * BLOCK : (block + 1) * BLOCK]
        legal = versions.get(block, [bytes(BLOCK)])
        assert content in legal, f"block {block} holds none of its {len(legal)} legal versions after event {event}"
    return len(found) // BLOCK


def control(seed):
    """With flushes that lie, what was flushed is not there, and this has to be seen."""
    dice = random.Random(seed)
    with Disk("soak", size=SIZE_MIB, blocksize=BLOCK) as disk:
        disk.set("faults", "flush-lies")
        disk.record("start")
        cut(disk, dice, seed)
        powercut("restore", "soak", "--keep", "none")
        verify = fio(disk, "safe", 0, SAFE_MIB, seed, "--bs=4k", "--verify_only=1")
        out, _ = verify.communicate()
        assert verify.returncode != 0, f"fio does not see that all is lost\n{out[-2000:]}"
