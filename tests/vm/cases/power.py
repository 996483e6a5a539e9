# SPDX-License-Identifier: GPL-2.0
"""The power of a disk in use is cut, and comes back."""

import contextlib
import errno
import json
import os
import subprocess
import tempfile
import threading
import time

from lib.command import powercut
from lib.disk import Disk
from lib.tap import DEBUG, equal, fails, test, wait_until

A, B, C = (letter * 4096 for letter in (b"a", b"b", b"c"))
HOLE = bytes(4096)


def steps(disk, raw):
    """What triggers are tried on, each with what is in the log after it: one more event than
    the one before it that was complete, if it was in flight."""
    return (
        ("write at 0", lambda: raw.write(0, A)),
        ("mark", lambda: disk.mark("here it is")),
        ("write at 8", lambda: raw.write(4096, B)),
        ("flush", raw.flush),
        ("FUA write at 16", lambda: raw.write_fua(8192, C)),
        ("discard", lambda: raw.discard(0, 4096)),
    )


# trigger, the step at which it fires, the event of the cut
TRIGGERS = (
    ("now", 0, 0),
    ("writes:1", 0, 1),
    ("writes:2", 2, 4),
    ("writes:4", 5, 12),
    ("mark:here it is", 2, 3),
    ("flushes:1", 3, 6),
    ("flushes:2", 4, 10),
    ("fua:1", 4, 8),
    ("lba:8", 2, 4),
    ("lba:9-15", 2, 4),
    ("lba:17-100", 4, 8),
    ("ms:0", 0, None),
)


def cut_at(trigger, mode, fires, event):
    with Disk() as disk:
        with disk.raw() as raw:
            disk.record("start")
            disk.set("cut", f"{mode} {trigger}")
            for index, (name, step) in enumerate(steps(disk, raw)):
                if trigger.startswith("ms"):
                    wait_until(lambda: disk.get("cut").startswith("cut"), "the cut")
                if index < fires:
                    step()
                    continue
                if mode == "hang":
                    hangs(disk, step)
                elif name == "mark":
                    with fails(errno.ENODATA, name):
                        step()
                else:
                    with fails(errno.EIO, name):
                        step()
            if mode == "eio":
                with fails(errno.EIO, "a read"):
                    raw.read(0, 4096)
            if event is not None:
                equal(disk.get("cut"), f"cut {mode} event={event}", "cut")
                equal(disk.events(), event, "the newest event")
            equal(disk.status()["state"], "stopped", "the record")
        disk.set("restore", f"cut={disk.events()} keep=none")
        equal(disk.get("cut"), "off", "cut")
        equal(disk.status()["state"], "off", "the record")


def hangs(disk, step):
    """What is done must not end before it is let."""
    results = []

    def call():
        try:
            step()
            results.append(None)
        except OSError as error:
            results.append(error.errno)

    thread = threading.Thread(target=call)
    thread.start()
    wait_until(lambda: disk.get("cut").startswith("cut") and waits(thread), "the cut, and I/O that hangs")
    thread.join(0.05)
    equal((thread.is_alive(), results), (True, []), "whether it hangs")
    with fails(errno.EBUSY, "restore while it is open"):
        disk.set("restore", f"cut={disk.events()} keep=none")
    thread.join(60)
    equal(results, [errno.EIO], "what hung")


def waits(thread):
    """Whether a thread waits for I/O: it sleeps and takes no signal."""
    with open(f"/proc/self/task/{thread.native_id}/stat", encoding="ascii") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "D"


for one in TRIGGERS:
    test(f"eio {one[0]}", one[0], "eio", *one[1:])(cut_at)


@test("hang: I/O waits until the power is to come back, then fails")
def hang():
    with Disk() as disk:
        with disk.raw() as raw:
            disk.record("start")
            disk.set("cut", "hang writes:2")
            raw.write(0, A)
            hangs(disk, lambda: raw.write(4096, B))
            equal(disk.get("cut"), "cut eio event=3", "cut")
            with fails(errno.EIO):
                raw.read(0, 4096)
        disk.set("restore", "cut=3 keep=3:1")
        equal(disk.read(8192), HOLE + B, "the content")


@test("hang: a disk can be removed while I/O waits")
def removed():
    for _ in range(2):
        disk = Disk()
        raw = disk.raw()
        disk.record("start")
        disk.set("cut", "hang now")
        threads = [threading.Thread(target=lambda: swallow(raw.flush)),
                   threading.Thread(target=lambda: swallow(lambda: raw.read(0, 4096)))]  # fmt: skip
        for thread in threads:
            thread.start()
            wait_until(lambda it=thread: waits(it), "I/O that hangs")
        disk.remove()
        for thread in threads:
            thread.join(60)
            equal(thread.is_alive(), False, "somebody waits still")
        raw.close()


def swallow(call):
    try:
        call()
    except OSError:
        pass


@test("restore: what survives is what was asked for, and nothing else is legal")
def survivors():
    for keep, expected in (
        ("none", A + HOLE + HOLE),
        ("all", A + B + C),
        ("5:1", A + B + HOLE),
        ("7:2", A + HOLE + C),
        ("5:1,7:2", A + B + C),
    ):
        with Disk() as disk:
            with disk.raw() as raw:
                disk.record("start")
                raw.write(0, A)
                raw.flush()
                raw.write(4096, B)
                disk.set("cut", "eio writes:1")
                with fails(errno.EIO):
                    raw.write(8192, C)
                for state in (f"cut=7 keep={keep}", "cut=6 keep=none"):
                    with fails(errno.EBUSY, "while open"):
                        disk.set("restore", state)
            with disk.view() as view:
                view.point(7, keep)
                equal(view.read(12288), expected, f"a view of keep={keep}")
                with fails(errno.EBUSY, "with a view"):
                    disk.set("restore", f"cut=7 keep={keep}")
            for state in ("", "cut=6 keep=none", "cut=8 keep=none", "cut=7 keep=1:0", "cut=7", "off"):
                with fails(errno.EINVAL if state else errno.EFAULT, state):
                    disk.set("restore", state)
            for word in ("start", "reset", "drop"):
                with fails(errno.EBUSY, word):
                    disk.record(word)
            disk.set("restore", f"cut=7 keep={keep}")
            equal(disk.read(12288), expected, f"the content, keep={keep}")
            # It is a disk like any other again.
            with disk.raw() as raw:
                disk.record("start")
                raw.write(0, C)
                raw.flush()
            disk.record("reset")
            equal(disk.read(12288), expected, "the content after a reset")


BAD = ("", " ", "eio", "hang", "now", "eio ", "eio later", "eio now now", "eio writes", "eio writes:",
       "eio writes:0", "eio writes:-1", "eio fua:x", "eio mark:", "eio lba:", "eio lba:5-4", "eio lba:1-2-3",
       "eio ms:", "EIO now", "stop writes:1", "hang  now")  # fmt: skip


@test("cut: what is no trigger is refused")
def bad():
    with Disk() as disk:
        with fails(errno.ENODATA, "without a record"):
            disk.set("cut", "eio now")
        disk.record("start")
        for text in BAD:
            with fails(errno.EINVAL if text else errno.EFAULT, repr(text)):
                disk.set("cut", text)
            equal(disk.get("cut"), "off", "cut")
        disk.set("cut", "hang writes:7")
        equal(disk.get("cut"), "armed hang", "cut")
        disk.set("cut", "off")
        equal(disk.get("cut"), "off", "cut")
        for milliseconds in (30, 1000, 10000):
            disk.set("cut", f"eio ms:{milliseconds}")
            with contextlib.suppress(OSError):
                disk.record("stop")
            if disk.get("cut") == "off":
                break
            # This machine was too slow: the power went before the record ended.
            disk.set("restore", "cut=0 keep=none")
            disk.record("start")
        time.sleep(2 * milliseconds / 1000)
        equal(disk.get("cut"), "off", "cut, after the record ended")
        with fails(errno.ENODATA, "restore with the power on"):
            disk.set("restore", "cut=0 keep=none")
        with fails(errno.EPERM, "reading restore"):
            disk.get("restore")
    with Disk(power=0) as disk:
        with fails(errno.ENODEV, "powered off"):
            disk.set("cut", "eio now")
        equal(disk.get("cut"), "off", "cut")


@test("delayed bios in flight at the cut fail, and may survive")
def in_flight():
    for delay in (1000000, 4000000, 10000000):
        if cut_meanwhile(delay):
            return
    raise AssertionError("no write was in flight at a cut")


def cut_meanwhile(delay):
    """Cuts the power while a write is in flight; False if it was no longer."""
    with Disk(completion=f"delayed:{delay}") as disk:
        raw = disk.raw()
        disk.record("start")
        results = []

        def write():
            try:
                raw.write(0, A)
            except OSError as error:
                results.append(error.errno)

        thread = threading.Thread(target=write)
        thread.start()
        wait_until(disk.events, "the write's submit")
        disk.set("cut", "eio now")
        thread.join()
        raw.close()
        if disk.events() > 1:
            return False
        equal(results, [errno.EIO], "the write")
        equal((disk.events(), disk.log().entries[0].complete), (1, (1 << 64) - 1), "the log")
        disk.set("restore", "cut=1 keep=1:0")
        equal(disk.read(4096), A, "the content")
    return True


@test("a mounted ext4 sees a disk vanish, and mounts again when it is back")
def mounted():
    with Disk(size=32) as disk:
        subprocess.run(["mkfs.ext4", "-q", "-F", disk.device], check=True)
        directory = tempfile.mkdtemp()

        def mount():
            subprocess.run(["mount", "-t", "ext4", disk.device, directory], check=True)

        for keep in ("none", "seed:1") if DEBUG else ("none", "all", "seed:1", "seed:2"):
            mount()
            disk.record("start")
            with open(f"{directory}/kept", "w", encoding="ascii") as file:
                file.write(keep)
                file.flush()
                os.fsync(file.fileno())
            powercut("cut", "t", "--after", "writes:3")
            try:
                for number in range(200):
                    with open(f"{directory}/{number}", "w", encoding="ascii") as file:
                        file.write("x" * 9000)
                        file.flush()
                        os.fsync(file.fileno())
                raise AssertionError("nothing failed")
            except OSError as error:
                equal(error.errno in (errno.EIO, errno.EROFS), True, f"{error} is as it must be")
            subprocess.run(["umount", directory], check=True)
            with tempfile.NamedTemporaryFile() as saved:
                restored = powercut("restore", "t", "--keep", keep, "--save", saved.name, "--json", json_of=True)
                content = disk.read()
                equal(powercut("import", "again", saved.name), "/dev/powercut/again\n", "import")
                try:
                    powercut("state", "again", restored["id"], "--as", "v")
                    with open("/dev/powercut/again.v", "rb") as view:
                        equal(view.read() == content, True, "the state, shown again")
                finally:
                    powercut("remove", "again")
            mount()
            with open(f"{directory}/kept", encoding="ascii") as file:
                equal(file.read(), keep, "what was synced before")
            subprocess.run(["umount", directory], check=True)
            done = subprocess.run(["e2fsck", "-fn", disk.device], capture_output=True, check=False)
            equal(done.returncode, 0, f"e2fsck's status: {done.stdout}")
        os.rmdir(directory)


@test("the command: cut, restore, export and import say what they can't do")
def command():
    def refused(says, *words):
        done = subprocess.run(["powercut", *words], capture_output=True, text=True, check=False)
        equal((done.returncode, says in done.stderr), (2, True), f"{words}: {done.stderr}")

    with Disk() as disk, tempfile.TemporaryDirectory() as directory:
        refused("record t start", "cut", "t")
        refused("is on", "restore", "t")
        refused("no disk u", "cut", "u")
        refused("record t start", "export", "t", f"{directory}/f")
        refused("cannot read", "import", "u", f"{directory}/f")
        with open(f"{directory}/f", "w", encoding="ascii") as file:
            file.write("nonsense")
        refused("powercut export", "import", "u", f"{directory}/f")
        equal(os.path.exists("/dev/powercut/u"), False, "a disk for nonsense")
        disk.record("start")
        powercut("cut", "t", "--after", "writes:5")
        powercut("cut", "t", "--disarm")
        equal(disk.get("cut"), "off", "cut")
        powercut("cut", "t", "--after", "ms:20", "--wait")
        equal(disk.get("cut"), "cut eio event=0", "cut")
        refused("power is off", "cut", "t")
        refused("restore t", "record", "t", "start")
        with disk.raw():
            refused("in use", "restore", "t")
        refused("not of this cut", "restore", "t", "--keep", "00000000:k=3:keep=none")
        refused("another log", "restore", "t", "--keep", "00000000:k=0:keep=none")
        equal(json.loads(powercut("restore", "t", "--json"))["pending"], 0, "pending")
