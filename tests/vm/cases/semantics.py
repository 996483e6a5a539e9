# SPDX-License-Identifier: GPL-2.0
"""What a flush, FUA, a discard and a cut keep and lose: a table.

A history is a list of (operation, first block, values): `write` of one letter a block, `fua`,
`discard`, `zero`, `flush`. A check is (cut, keep, blocks): after the cut, given as the number of
the operation it follows (or of the one it falls into, with .5), the first blocks hold these
letters, `.` for zeroes; or the selection is refused where they are None. In `keep`, {N} is the
submit event of operation N.
"""

import errno

from lib.disk import Disk
from lib.tap import equal, fails, test

END = None
UNIT = {"blocksize": 512, "atomic_unit": 4096}
SMALL = {"blocksize": 512}
NO_CACHE = {"write_cache": 0}

TABLE = (
    ("a volatile write may be lost", {}, "..",
     [("write", 0, "a")],
     [(END, "none", ".."), (END, "{0}:0", "a."), (END, "all", "a.")]),
    ("it leaves the base behind when it is lost", {}, "xy",
     [("write", 0, "a")],
     [(END, "none", "xy"), (END, "{0}:0", "ay"), (0.5, "none", "xy"), (0.5, "{0}:0", "ay")]),
    ("a flush keeps what was complete before it", {}, "..",
     [("write", 0, "a"), ("flush",), ("write", 1, "b")],
     [(END, "none", "a."), (END, "{2}:1", "ab"), (END, "{0}:0", None), (0, "none", ".."),
      (0, "{0}:0", "a."), (1, "{0}:0", None)]),
    ("a flush under way keeps nothing yet", {}, "..",
     [("write", 0, "a"), ("flush",)],
     [(1.5, "none", ".."), (1.5, "{0}:0", "a."), (1, "none", "a.")]),
    ("FUA keeps its own data and nothing else", {}, "...",
     [("write", 0, "a"), ("fua", 1, "b"), ("write", 2, "c")],
     [(1, "none", ".b."), (1, "{0}:0", "ab."), (1, "{1}:1", None),
      (1.5, "none", "..."), (1.5, "{1}:1", ".b."), (END, "{2}:2", "abc")]),
    ("FUA retires an older version of its block, not of others", {}, "...",
     [("write", 0, "aa"), ("fua", 0, "b")],
     [(1, "none", "b.."), (1, "{0}:0", None), (1, "{0}:1", "ba."), (1, "all", "ba."),
      (1.5, "{0}:0", "a.."), (1.5, "{0}:0,{1}:0", "b..")]),
    ("a discarded block holds old data or zeroes", {}, "xy",
     [("discard", 0, "..")],
     [(END, "none", "xy"), (END, "{0}:0", ".y"), (END, "{0}:0-1", ".."), (END, "all", "..")]),
    ("a flushed discard holds zeroes", {}, "xy",
     [("discard", 0, "."), ("flush",)],
     [(END, "none", ".y"), (END, "{0}:0", None)]),
    ("a discard never overtakes an older write", {}, "xy",
     [("write", 0, "a"), ("discard", 0, ".")],
     [(END, "none", "xy"), (END, "{0}:0", "ay"), (END, "{1}:0", ".y"), (END, "all", ".y")]),
    ("zeroes written are a write", {}, "xy",
     [("zero", 0, "..")],
     [(END, "none", "xy"), (END, "{0}:1", "x."), (END, "all", "..")]),
    ("neighbours in a page are lost and kept apart", SMALL, "xyz",
     [("write", 0, "a"), ("write", 1, "b")],
     [(END, "{0}:0", "ayz"), (END, "{1}:1", "xbz"), (END, "none", "xyz"), (END, "all", "abz")]),
    ("neighbours in a page of zeroes, likewise", SMALL, "...",
     [("write", 0, "a"), ("write", 1, "b"), ("fua", 2, "c")],
     [(2, "{0}:0", "a.c"), (2, "{1}:1", ".bc"), (2, "none", "..c"), (2, "all", "abc")]),
    ("a write over a flushed one is volatile again", {}, "..",
     [("write", 0, "a"), ("flush",), ("write", 0, "b")],
     [(END, "none", "a."), (END, "{2}:0", "b."), (END, "all", "b."), (END, "{0}:0", None)]),
    ("a write over a FUA one is volatile again", {}, "..",
     [("fua", 0, "a"), ("write", 0, "b")],
     [(END, "none", "a."), (END, "all", "b.")]),
    ("the older of two pending versions may be found", {}, "x.",
     [("write", 0, "a"), ("write", 0, "b")],
     [(END, "{0}:0", "a."), (END, "{1}:0", "b."), (END, "{0}:0,{1}:0", "b."), (END, "none", "x.")]),
    ("without a cache a complete write is stable", NO_CACHE, "..",
     [("write", 0, "a"), ("write", 1, "b")],
     [(END, "none", "ab"), (0, "none", "a."), (1.5, "none", "a."), (1.5, "{1}:1", "ab"),
      (END, "{0}:0", None), (END, "{1}:1", None)]),
    ("a write tears between units", {}, "xxx",
     [("write", 0, "abc")],
     [(END, "{0}:0,{0}:2", "axc"), (END, "{0}:1", "xbx"), (END, "{0}:0-1", "abx")]),
    ("a unit never tears", UNIT, "xxxxxxxxxx",
     [("write", 6, "abcd")],
     [(END, "{0}:0", "xxxxxxabxx"), (END, "{0}:1", "xxxxxxxxcd"), (END, "all", "xxxxxxabcd"),
      (END, "{0}:2", None), (END, "none", "xxxxxxxxxx")]),
    ("writes to one unit are lost and kept apart", UNIT, "xxxx",
     [("write", 0, "ab"), ("write", 1, "cd")],
     [(END, "{0}:0", "abxx"), (END, "{1}:0", "xcdx"), (END, "all", "acdx")]),
    ("a cut in the middle knows nothing of what comes later", {}, "..",
     [("write", 0, "a"), ("write", 1, "b"), ("flush",), ("write", 0, "c"), ("flush",)],
     [(0, "all", "a."), (0, "{1}:1", None), (1, "all", "ab"), (2, "all", "ab"), (3, "none", "ab"),
      (3, "all", "cb"), (END, "none", "cb"), (3, "{4}:0", None)]),
)  # fmt: skip


def play(disk, history):
    """Does it, and returns (submit, complete) of each operation."""
    block = int(disk.get("blocksize"))
    events = []
    with disk.raw() as raw:
        for operation, *rest in history:
            before = disk.events()
            if operation == "flush":
                raw.flush()
            else:
                first, letters = rest
                offset, length = first * block, len(letters) * block
                match operation:
                    case "write":
                        raw.write(offset, expand(letters, block))
                    case "fua":
                        raw.write_fua(offset, expand(letters, block))
                    case "discard":
                        raw.discard(offset, length)
                    case "zero":
                        raw.zero(offset, length)
            # A FUA write from user space has a flush behind it: two more events.
            equal(disk.events() - before, 4 if operation == "fua" else 2, f"events of {operation}")
            events.append((before + 1, before + 2))
    return events


def expand(letters, block):
    return b"".join(bytes(block) if c == "." else c.encode() * block for c in letters)


def contract(settings, base, history, checks):
    with Disk(**settings) as disk:
        block = int(disk.get("blocksize"))
        with disk.raw() as raw:
            raw.write(0, expand(base, block))
        disk.record("start")
        events = play(disk, history)
        end = disk.events()
        disk.record("stop")
        with disk.view() as view:
            for cut, keep, letters in checks:
                if cut is END:
                    event = end
                else:
                    event = events[int(cut)][0 if cut % 1 else 1]
                selection = keep.format(*(submit for submit, _ in events))
                what = f"cut={event} keep={selection}"
                if letters is None:
                    state = view.get("state")
                    with fails(errno.EINVAL, what):
                        view.point(event, selection)
                    equal(view.get("state"), state, "the state after a refused one")
                    continue
                view.point(event, selection)
                data = view.read(len(letters) * block)
                found = "".join(
                    chr(data[at]) if data[at] else "." for at in range(0, len(data), block)
                )
                equal(found, letters, what)
                equal(data, expand(letters, block), what)


for name, *row in TABLE:
    test(name, *row)(contract)
