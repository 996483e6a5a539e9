# SPDX-License-Identifier: GPL-2.0
"""Random operations on disks, by several processes, for a while: run only if it is named.

FUZZ_OPERATIONS (100000) is how many there are in all, FUZZ_SEED what they follow from: it is printed. Some
processes share disks, and do to them whatever comes: all that is asked is that each operation ends,
with a result or an error that docs/abi.md knows. The others each have a disk of their own that is held to a plain
model: what is on the disk, what a random legal state holds, and that a state which is not legal is refused.
"""

import errno
import os
import random
import time

from cases.stress import together
from lib import log
from lib.clean import CONFIG
from lib.disk import Disk, put
from lib.model import SECTOR, Model, keep_list
from lib.tap import equal, fails, note, test

OPERATIONS = int(os.environ.get("FUZZ_OPERATIONS", "100000"))
SEED = int(os.environ.get("FUZZ_SEED", str(time.time_ns() % 1_000_000)))
SHARERS, OWNERS = 3, 2
BLOCK = 4096
BLOCKS = 24

# What docs/abi.md has, and what the kernel says of a directory or device that comes and goes.
KNOWN = {
    errno.EBUSY, errno.EEXIST, errno.EINVAL, errno.EIO, errno.EMLINK, errno.ENAMETOOLONG, errno.ENODATA, errno.ENODEV,
    errno.ENOENT, errno.ENOMEM, errno.ENOSPC, errno.ENOTEMPTY, errno.ENXIO, errno.EOVERFLOW, errno.EPERM, errno.ERANGE,
    errno.E2BIG, errno.ESTALE, errno.ENOTBLK, errno.ENOTDIR, errno.EISDIR,
}  # fmt: skip

ATTRIBUTES = (
    "power", "size", "disks", "blocksize", "physical_blocksize", "atomic_unit", "tear", "write_cache", "fua", "discard",
    "discard_content", "completion", "log_limit_mib", "record", "cut", "restore", "mark", "faults", "badblocks",
    "badblocks_once", "badblocks_mode", "badblocks_hits", "state", "partscan", "stacks", "nothing",
)  # fmt: skip
WORDS = (
    "0", "1", "2", "512", "4096", "-1", "18446744073709551616", "\n", "any", "prefix", "rmw", "zeroes", "garbage:7", "inline",
    "delayed:50", "delayed:random:10-500,3", "start", "stop", "reset", "drop", "off", "eio now", "eio writes:3",
    "eio flushes:1", "eio mark:x", "eio ms:1", "eio lba:0-7", "hang now", "hang writes:1", "x", "x\ny\nz", "\0",
    "data:1 log:1", "a:1 b:2 c:1", "flush-lies", "+lost prob=1/3 seed=2", "eio op=write every=5", "latency usec=10",
    "corrupt bytes=3", "stale", "misdirected to=8", "+0-7", "-0-7", "+100000-100001", "all", "until-rewritten", "cut=0 keep=none",
    "cut=1 keep=all", "cut=3 keep=1:0", "cut=5 keep=1:0-3,3:1", "cut=2 keep=2:9999999999", "cut= keep=", "y" * 4090, "z" * 5000,
)  # fmt: skip


class Sharer:
    """Does whatever comes to a few disks that others use, too."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.names = ("s0", "s1", "s2")

    def directory(self):
        name = self.random.choice(self.names)
        depth = self.random.choice((0, 0, 0, 1, 1, 2))
        return "/".join((CONFIG, name, *("v", "w")[:depth]))

    def device(self):
        name = self.random.choice(self.names)
        return f"/dev/powercut/{name}{self.random.choice(('', '', '.v', '.v.w', '/data'))}"

    def make(self):
        os.mkdir(self.directory())

    def remove(self):
        os.rmdir(self.directory())

    def power(self):
        put(f"{self.directory()}/power", self.random.choice("01111"))

    def set(self):
        put(f"{self.directory()}/{self.random.choice(ATTRIBUTES)}", self.random.choice(WORDS))

    def sensible(self):
        attribute, words = self.random.choice(
            (
                ("record", ("start", "start", "stop", "reset", "drop")),
                ("mark", ("x", "promise")),
                ("state", ("cut=0 keep=none", "cut=2 keep=none", "cut=4 keep=all")),
                ("cut", ("eio writes:5", "eio now", "hang writes:2", "off")),
                ("restore", ("cut=0 keep=none", "cut=2 keep=none", "cut=4 keep=all")),
                ("faults", ("\n", "lost every=3", "flush-lies", "eio every=9")),
            )
        )
        put(f"{self.directory()}/{attribute}", self.random.choice(words))

    def get(self):
        fd = os.open(f"{self.directory()}/{self.random.choice(ATTRIBUTES)}", os.O_RDONLY)
        try:
            os.read(fd, 5000)
        finally:
            os.close(fd)

    def request(self):
        name = self.device().removeprefix("/dev/powercut/")
        word = self.random.choice(("log", "export", "import", "reads", "state", "restore", "nothing"))
        tail = self.random.choice(("", "", " cut=2 keep=none", " cut=4 keep=all", " " + "1:0," * 2000))
        data = self.random.randbytes(self.random.choice((0, 10, 64, 1000)))
        if self.random.random() < 0.3:
            data = log.Log(2048, BLOCK, BLOCK).pack() + data
        fd = os.open(log.CONTROL, os.O_RDWR)
        try:
            os.write(fd, f"{word} {name}{tail}\n".encode())
            if word == "import":
                os.write(fd, data)
            else:
                while os.read(fd, 65536):
                    if self.random.random() < 0.1:
                        break
        finally:
            os.close(fd)

    def io(self):
        path = self.device()
        fd = os.open(path, os.O_RDWR | os.O_EXCL * self.random.choice((0, 0, 1)))
        try:
            if not is_still(fd, path):
                return
            offset = self.random.randrange(BLOCKS) * BLOCK
            if self.random.random() < 0.6:
                os.pwrite(fd, self.random.randbytes(self.random.choice((BLOCK, 512, 3 * BLOCK))), offset)
                if self.random.random() < 0.5:
                    os.fsync(fd)
            else:
                os.pread(fd, BLOCK, offset)
        finally:
            os.close(fd)

    def step(self):
        weights = ((self.make, 6), (self.power, 8), (self.sensible, 10), (self.set, 8), (self.get, 6), (self.request, 6),
                   (self.io, 12), (self.remove, 2))  # fmt: skip
        steps, counts = zip(*weights)
        (step,) = self.random.choices(steps, counts)
        try:
            step()
        except OSError as error:
            if error.errno not in KNOWN:
                raise AssertionError(f"{step.__name__}: {error!r}") from error


def is_still(fd, path):
    """Whether what was opened is the disk of that path: between the look at the path and the open the
    disk may go, and the kernel give its number to another one, of an owner."""
    number = os.fstat(fd).st_rdev
    name = os.path.basename(os.readlink(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}"))
    return name.replace("!", "/") == path.removeprefix("/dev/")


def once_closed(function, *args):
    """Calls it again as long as a sharer has the disk open, by that mistake."""
    for _ in range(200):
        try:
            return function(*args)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
        time.sleep(0.01)
    return function(*args)


class Owner:
    """Has a disk of its own, of which it knows all."""

    def __init__(self, number, seed):
        self.random = random.Random(seed)
        self.disk = Disk(f"o{number}", size=1, tear=self.random.choice(("any", "prefix")))
        self.live = {}
        self.steps = 0
        self.record = ""

    def letter(self):
        return bytes([self.random.randrange(97, 123)]) * BLOCK

    def write(self, raw):
        block = self.random.randrange(BLOCKS)
        count = min(self.random.choice((1, 1, 1, 2, 4)), BLOCKS - block)
        data = [self.letter() for _ in range(count)]
        how = self.random.random()
        if how < 0.7:
            raw.write(block * BLOCK, b"".join(data))
        elif how < 0.85:
            raw.write_fua(block * BLOCK, b"".join(data))
        elif how < 0.93:
            data = [bytes(BLOCK)] * count
            raw.zero(block * BLOCK, count * BLOCK)
        else:
            data = [bytes(BLOCK)] * count
            raw.discard(block * BLOCK, count * BLOCK)
        self.live |= {block + nr: piece for nr, piece in enumerate(data)}

    def check(self, raw):
        block = self.random.randrange(BLOCKS)
        equal(raw.read(block * BLOCK, BLOCK), self.live.get(block, bytes(BLOCK)), f"block {block}")

    def use(self):
        """Some I/O."""
        with self.disk.raw() as raw:
            for _ in range(self.random.randrange(1, 12)):
                self.random.choice((self.write, self.write, self.check, lambda raw: raw.flush()))(raw)
                self.steps += 1
        if self.record == "recording" and self.random.random() < 0.3:
            self.disk.mark("promise")

    def image(self):
        return b"".join(self.live.get(block, bytes(BLOCK)) for block in range(BLOCKS))

    def look(self):
        """A random state of the record, and one that is not legal."""
        model = Model(log.parse(self.disk.export()))
        with self.disk.view() as view:
            for _ in range(4):
                cut = self.random.randrange(model.log.newest + 1)
                pieces = model.pieces(cut)
                if model.log.prefix:
                    kept = [piece for piece in pieces if self.is_prefix(piece, pieces)]
                else:
                    kept = [piece for piece in pieces if self.random.random() < 0.5]
                once_closed(view.point, cut, keep_list(kept))
                found = view.read(BLOCKS * BLOCK)
                self.compare(found, model.content(cut, kept, BLOCKS * BLOCK // SECTOR), f"cut {cut}, {kept}", model)
                stable = [e.submit for e in model.writes if e.submit <= cut and all(e.submit != w for w, _ in pieces)]
                if stable:
                    unit = next(e for e in model.writes if e.submit == stable[0]).sector // model.unit
                    with fails(errno.EINVAL, "a stable piece"):
                        once_closed(view.point, cut, f"{stable[0]}:{unit}")
                    equal(view.read(BLOCK), found[:BLOCK], "after a state that was refused")
                self.steps += 3
            once_closed(view.off)

    @staticmethod
    def compare(found, should, what, model):
        """What a state holds; where it is something else, which blocks, and the log."""
        differ = []
        for at in range(0, len(should), BLOCK):
            is_, to_be = found[at : at + BLOCK], should[at : at + BLOCK]
            if is_ != to_be:
                differ.append(f"block {at // BLOCK} has {sorted(set(is_))}, not {sorted(set(to_be))}")
        if differ:
            log_ = [f"{e.op} {e.flags:#x} {e.submit},{e.start},{e.complete} {e.sector}+{e.sectors}" for e in model.log.entries[:40]]
            raise AssertionError("\n".join([what, f"prefix {model.log.prefix}", *differ, *log_]))

    @staticmethod
    def is_prefix(piece, pieces):
        """Every second write survives whole, the others lose all."""
        writes = sorted({write for write, _ in pieces})
        return writes.index(piece[0]) % 2 == 0

    def cut(self):
        """Cuts the power, and restores a survivor."""
        self.disk.set("cut", "eio now")
        event = int(self.disk.get("cut").rpartition("=")[2])
        model = Model(log.parse(self.disk.export()))
        keep, kept = self.random.choice((("none", []), ("all", model.pieces(event))))
        content = model.content(event, kept, BLOCKS * BLOCK // SECTOR)
        once_closed(self.disk.set, "restore", f"cut={event} keep={keep}")
        self.record = ""
        self.live = {block: content[block * BLOCK : (block + 1) * BLOCK] for block in range(BLOCKS)}
        equal(self.disk.read(BLOCKS * BLOCK), self.image(), "what was restored")
        self.steps += 3

    def step(self):
        if self.record == "":
            self.use()
            self.disk.record("start")
            self.base = dict(self.live)
            self.record = "recording"
        elif self.record == "recording":
            for _ in range(self.random.randrange(1, 6)):
                self.use()
            if self.random.random() < 0.3:
                self.cut()
            else:
                self.disk.record("stop")
                self.record = "stopped"
        else:
            self.look()
            if self.random.random() < 0.5:
                once_closed(self.disk.record, "reset")
                self.live = self.base
            else:
                self.disk.record("drop")
            self.record = ""
            equal(self.disk.read(BLOCKS * BLOCK), self.image(), "after the record")
        self.steps += 1


def share(seed, operations):
    sharer = Sharer(seed)
    for _ in range(operations):
        sharer.step()


def own(number, seed, operations):
    owner = Owner(number, seed)
    while owner.steps < operations:
        owner.step()
    if owner.record:
        owner.disk.record("drop")
    owner.disk.remove()


def let_go():
    """What hangs is let go until all is over; what is left goes."""
    for name in ("s0", "s1", "s2"):
        path = f"{CONFIG}/{name}"
        for _ in range(1000):
            if not os.path.isdir(path):
                break
            for below in ("v/w", "v"):
                if os.path.isdir(f"{path}/{below}"):
                    os.rmdir(f"{path}/{below}")
            os.rmdir(path)


@test("random operations by several processes: none hangs, all errors are known, contents are those of a plain model", limit=7200)
def operations():
    note(f"seed {SEED}, {OPERATIONS} operations: FUZZ_SEED={SEED} FUZZ_OPERATIONS={OPERATIONS} does them again")
    each = OPERATIONS // (SHARERS + OWNERS)
    seeds = [SEED * 100 + number for number in range(SHARERS + OWNERS)]
    release = Release()
    try:
        together(
            *(lambda seed=seed: share(seed, each) for seed in seeds[:SHARERS]),
            *(lambda number=number, seed=seed: own(number, seed, each) for number, seed in enumerate(seeds[SHARERS:])),
        )
    finally:
        release.end()
        let_go()


class Release:
    """Every now and then takes away a disk that hangs, as somebody may sleep in its I/O."""

    def __init__(self):
        self.child = os.fork()
        if self.child == 0:
            number = 0
            while True:
                time.sleep(0.2)
                number += 1
                path = f"{CONFIG}/s{number % 3}"
                try:
                    with open(f"{path}/cut", encoding="utf-8") as file:
                        if not file.read().startswith("cut hang"):
                            continue
                    put(f"{path}/restore", "cut=0 keep=none")
                except OSError:
                    pass

    def end(self):
        os.kill(self.child, 9)
        os.waitpid(self.child, 0)
