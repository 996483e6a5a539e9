# SPDX-License-Identifier: GPL-2.0
"""A crash state is recorded in its turn: the second power cut, while the first is recovered from."""

import errno
import os
import subprocess

from lib.disk import Disk, View
from lib.tap import equal, fails, rounds, test

A, B, C, HOLE = (letter * 4096 for letter in (b"a", b"b", b"c", b"\0"))


class Nested(View):
    """A view of a view."""

    def record(self, word):
        self.set("record", word)

    def events(self):
        return int(dict(w.split("=") for w in self.get("record").split())["events"])


@test("a view's record has states of its own")
def two_levels():
    with Disk() as disk:
        with disk.raw() as raw:
            raw.write(0, A)
            disk.record("start")
            raw.write(0, B)
            raw.write(4096, B)
        disk.record("stop")
        with Nested(disk, "v") as view:
            view.on()
            view.point(4, "3:1")
            equal(view.read(8192), A + B, "the first state")
            view.set("record", "start")
            with view.raw() as raw:
                raw.write(0, C)
                raw.flush()
                raw.discard(4096, 4096)
                raw.write(8192, C)
            with fails(errno.EBUSY, "state, with a record"):
                view.point(4, "none")
            view.set("mark", "second")
            view.set("record", "stop")
            equal(view.events(), 9, "events")
            with Nested(view, "w") as second:
                second.on()
                for cut, keep, expected in (
                    (0, "none", A + B + HOLE),
                    (2, "none", A + B + HOLE),
                    (2, "1:0", C + B + HOLE),
                    (8, "none", C + B + HOLE),
                    (8, "5:1", C + HOLE + HOLE),
                    (9, "7:2", C + B + C),
                    (9, "all", C + HOLE + C),
                ):
                    second.point(cut, keep)
                    equal(second.read(12288), expected, f"cut={cut} keep={keep}")
                with fails(errno.EINVAL, "a stable write"):
                    second.point(8, "1:0")
                with fails(errno.EBUSY, "drop, with a view"):
                    view.set("record", "drop")
                with fails(errno.EBUSY, "power, with a view"):
                    view.off()
            view.set("record", "reset")
            equal(view.read(8192), A + B, "the first state, after a reset")
            view.point(2, "all")
            equal(view.read(8192), B + HOLE, "another state")


@test("views lie on each other three deep, not four")
def depth():
    with Disk() as disk:
        groups = [disk]
        for name in ("b", "c", "d"):
            groups[-1].set("record", "start")
            with groups[-1].raw() as raw:
                raw.write(len(groups) * 4096, bytes([64 + len(groups)]) * 4096)
            groups[-1].set("record", "stop")
            view = Nested(groups[-1], name)
            groups.append(view)
            view.on()
            view.point(2, "all")
        expected = HOLE + b"".join(bytes([64 + level]) * 4096 for level in (1, 2, 3))
        equal(groups[-1].read(16384), expected, "the content at the bottom")
        with fails(errno.EMLINK):
            os.mkdir(f"{groups[-1].path}/e")
        for group in reversed(groups[1:]):
            os.rmdir(group.path)


@test("ext4's journal replay, cut anywhere, is replayed again")
def replay():
    with Disk(size=16) as disk:
        subprocess.run(["mkfs.ext4", "-q", "-F", disk.device], check=True)
        directory = "/tmp/nested"
        os.makedirs(directory, exist_ok=True)

        def mount(device):
            subprocess.run(["mount", "-t", "ext4", device, directory], check=True)

        def umount():
            subprocess.run(["umount", directory], check=True)

        mount(disk.device)
        disk.record("start")
        for number in range(6):
            with open(f"{directory}/{number}", "w", encoding="ascii") as file:
                file.write(str(number) * 5000)
                file.flush()
                os.fsync(file.fileno())
        disk.record("stop")
        cut = disk.events()
        umount()
        with Nested(disk, "v") as view:
            view.on()
            view.point(cut, "none")
            view.set("record", "start")
            mount(view.device)
            umount()
            view.set("record", "stop")
            events = view.events()
            equal(events > 10, True, f"a replay of more than 10 events: {events}")
            with Nested(view, "w") as second:
                second.on()
                for again in range(0, events + 1, max(1, events // rounds(40, 5))):
                    for keep in ("none", "all"):
                        second.point(again, keep)
                        mount(second.device)
                        try:
                            for number in range(6):
                                with open(f"{directory}/{number}", encoding="ascii") as file:
                                    equal(file.read(), str(number) * 5000, f"file {number} at {again}, {keep}")
                        finally:
                            umount()
