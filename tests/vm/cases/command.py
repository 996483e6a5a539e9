# SPDX-License-Identifier: GPL-2.0
"""The powercut command: disks, records, logs, counts, states. What is good, and what is refused."""

import json
import os
import subprocess

from lib import clean
from lib.command import disks, powercut, refused, tidy
from lib.disk import Disk, get, put
from lib.tap import equal, few, test

CREATE = (
    ((), "size", "64"),
    (("--size", "1M"), "size", "1"),
    (("--size", "3"), "size", "3"),
    (("--size", "1G"), "size", "1024"),
    (("--size", "16T"), "size", "16777216"),
    (("--block-size", "512"), "blocksize", "512"),
    (("--block-size", "4096"), "blocksize", "4096"),
    (("--atomic-unit", "65536"), "atomic_unit", "65536"),
    (("--fua", "off"), "fua", "0"),
    (("--write-cache", "off"), "write_cache", "0"),
    (("--write-cache", "off"), "fua", "0"),
    (("--write-cache", "on", "--fua", "on"), "fua", "1"),
    (("--completion", "inline"), "completion", "inline"),
    (("--completion", "delayed:100"), "completion", "delayed:100"),
    (("--completion", "delayed:random:0-9,3"), "completion", "delayed:random:0-9,3"),
)


@test("create: every option does what it says, and the disk is there")
def create():
    for options, attribute, value in few(CREATE):
        with tidy():
            equal(powercut("create", "a", *options), "/dev/powercut/a\n", "what it prints")
            equal(get(f"/sys/kernel/config/powercut/a/{attribute}"), value, f"{attribute}, {options}")
            equal(os.path.exists("/dev/powercut/a"), True, "the node")
            powercut("remove", "a")
            equal(os.path.exists("/dev/powercut/a"), False, "the node")


@test("create: --json tells what was made")
def create_json():
    with tidy():
        made = powercut("create", "a", "--size", "2M", "--block-size", "512", "--json", json_of=True)
        expected = {"name": "a", "node": "/dev/powercut/a", "size_mib": 2, "block_size": 512,
                    "atomic_unit": 512, "write_cache": True, "fua": True, "power": True, "views": []}  # fmt: skip
        equal({key: made[key] for key in expected}, expected, "the disk")
        equal(made["record"]["state"], "off", "record")
        powercut("remove", "a")


BAD_CREATE = (
    ("NAME", ("create",)), ("empty", ("create", "")), ("'/'", ("create", "a/b")),
    ("'!'", ("create", "a!b")), ("'.'", ("create", "a.b")), ("too long", ("create", "x" * 23)),
    ("'\\n'", ("create", "a\n")), ("'\u00e9'", ("create", "\u00e9")),
    ("too small", ("create", "a", "--size", "0")), ("not a size", ("create", "a", "--size", "-1")),
    ("not a size", ("create", "a", "--size", "1.5G")), ("not a size", ("create", "a", "--size", "")),
    ("not a size", ("create", "a", "--size", "64X")), ("too small", ("create", "a", "--size", "1023K")),
    ("whole number of MiB", ("create", "a", "--size", "1025K")),
    ("16 TiB", ("create", "a", "--size", "16777217")),
    ("16 TiB", ("create", "a", "--size", "99999999999999999999T")),
    ("512 or 4096", ("create", "a", "--block-size", "0")),
    ("512 or 4096", ("create", "a", "--block-size", "1024")),
    ("unexpected argument", ("create", "a", "--block-size", "-512")),
    ("--block-size", ("create", "a", "--block-size", "99999999999")),
    ("power of two", ("create", "a", "--atomic-unit", "5000")),
    ("power of two", ("create", "a", "--atomic-unit", "512")),
    ("power of two", ("create", "a", "--atomic-unit", "131072")),
    ("possible values: on, off", ("create", "a", "--fua", "yes")),
    ("--write-cache on", ("create", "a", "--write-cache", "off", "--fua", "on")),
    ("delayed:USEC", ("create", "a", "--completion", "delayed:-1")),
    ("inline", ("create", "a", "--completion", "soon")),
    ("unexpected argument", ("create", "a", "b")),
)  # fmt: skip


@test("create: names and settings that no disk can have")
def bad_create():
    with tidy():
        for says, words in few(BAD_CREATE):
            refused(says, *words)


@test("create: a name that is taken")
def taken():
    with tidy():
        powercut("create", "a", "--size", "1M")
        refused("exists", "create", "a", "--size", "2M")
        powercut("remove", "a")


@test("list: disks, records and views, as text and as JSON")
def list_disks():
    with tidy():
        equal(powercut("list"), "", "of nothing")
        equal(powercut("list", "--json", json_of=True), [], "of nothing")
        for name in ("b", "a"):
            powercut("create", name, "--size", "1M")
        powercut("record", "a", "start")
        powercut("mark", "a", "here")
        with Disk("off", power=0):
            lines = powercut("list").splitlines()
            equal([line.split()[0] for line in lines[1:]],
                  ["/dev/powercut/a", "/dev/powercut/b", "/dev/powercut/off"], "disks")  # fmt: skip
            assert "recording, 1 entries, 1 events, 1 marks" in lines[1], lines[1]
            assert lines[3].endswith("powered off"), lines[3]
            one = powercut("list", "--json", json_of=True)[0]
            equal((one["name"], one["record"]["marks"]), ("a", 1), "the first")
        for name in ("a", "b"):
            powercut("remove", name)


@test("remove: a disk, a view, a disk with its views; not what is open or not there")
def remove():
    with tidy():
        refused("no disk a", "remove", "a")
        powercut("create", "a", "--size", "1M")
        powercut("record", "a", "start")
        ident = any_id("a")
        refused("no view a.v", "remove", "a.v")
        for view in ("v", "w"):
            equal(powercut("state", "a", ident, "--as", view), f"/dev/powercut/a.{view}\n", "its node")
        with open("/dev/powercut/a.v", "rb"):
            refused("in use", "remove", "a.v")
        powercut("remove", "a.v")
        equal(os.path.exists("/dev/powercut/a.v"), False, "the view")
        with open("/dev/powercut/a", "rb"):
            # Its views go first, so this is no refusal that leaves all as it was.
            powercut("remove", "a", code=2, says="in use")
            equal(disks(), ["a"], "disks")
        refused("'.'", "remove", "a.b.c")
        # A view of a view.
        for view in ("v", "v/w"):
            os.mkdir(f"{clean.CONFIG}/a/{view}")
            put(f"{clean.CONFIG}/a/{view}/power", 1)
            put(f"{clean.CONFIG}/a/{view}/record", "start")
        powercut("remove", "a")


def any_id(name):
    """The id of a state: what the disk is with all kept."""
    plan = ("--check", "exit 1", "--no-baseline", "--strategy", "ends", "--budget", "1")
    with_report = ("--report", f"{os.environ['TMPDIR']}/../own/ids")
    report = powercut("explore", name, *plan, *with_report, "--json", code=1, json_of=True)
    return report["violations"][0]["id"]


@test("record: start, status, stop, reset and drop; and each where it makes no sense")
def record():
    with tidy(), Disk("a") as disk:
        refused("not being recorded", "record", "a", "stop")
        for word in ("reset", "drop"):
            refused("", "record", "a", word)
        equal(powercut("record", "a", "status"), "off\n", "status")
        powercut("record", "a", "start")
        refused("recorded already", "record", "a", "start")
        with disk.raw() as raw:
            raw.write(0, b"a" * 4096)
        assert powercut("record", "a", "status").startswith("recording, 1 entries, 2 events")
        equal(powercut("record", "a", "stop", "--json", json_of=True)["state"], "stopped", "status")
        refused("stopped record", "record", "a", "start")
        with disk.raw():
            refused("in use", "record", "a", "reset")
        powercut("record", "a", "reset")
        equal(disk.read(4096), bytes(4096), "the base")
        powercut("record", "a", "start")
        with disk.raw() as raw:
            raw.write(0, b"b" * 4096)
        powercut("record", "a", "drop")
        equal(disk.read(4096), b"b" * 4096, "what was written")
        refused("possible values", "record", "a", "pause")
        refused("no disk b", "record", "b", "start")
        disk.off()
        refused("powered off", "record", "a", "start")


@test("mark: a line of text, and nothing else")
def mark():
    with tidy(), Disk("a") as disk:
        refused("not being recorded", "mark", "a", "m")
        disk.record("start")
        for text in ("one", "two words", "-x", "\u00e9", "m" * 1024):
            powercut("mark", "a", text)
        equal(disk.status()["marks"], 5, "marks")
        for says, text in (("empty", ""), ("one line", "a\nb"), ("1024", "m" * 1025)):
            refused(says, "mark", "a", text)
        refused("no disk b", "mark", "b", "m")


def known(disk):
    """Writes to three blocks, a flush, a mark, a write; nothing else."""
    disk.record("start")
    with disk.raw() as raw:
        for block in range(3):
            raw.write(block * 4096, b"a" * 4096)
        raw.flush()
        disk.mark("flushed")
        raw.write_fua(4096, b"b" * 4096)
        raw.write(8192, b"c" * 4096)
    disk.record("stop")


@test("log: each entry with its fields, as text and as JSON")
def log():
    with tidy(), Disk("a") as disk:
        refused("no record", "log", "a")
        known(disk)
        lines = [json.loads(line) for line in powercut("log", "a", "--json").splitlines()]
        ops = [line["op"] for line in lines]
        equal(ops, ["WRITE"] * 3 + ["FLUSH", "MARK", "WRITE", "FLUSH", "WRITE"], "operations")
        equal([line["lba"] for line in lines if line["op"] == "WRITE"], [0, 8, 16, 8, 16], "sectors")
        equal("FUA" in lines[5]["flags"], True, "the FUA write's flag")
        equal("FUA" in lines[0]["flags"], False, "a plain write's flag")
        equal(lines[4]["mark"], "flushed", "the mark")
        times = [line["submitted_ns"] for line in lines]
        equal(times, sorted(times), "times")
        equal({line["task"] for line in lines if line["op"] == "WRITE"}, {"python3"}, "task")
        text = powercut("log", "a").splitlines()
        equal(len(text), len(lines) + 1, "lines of text")
        assert text[5].endswith('"flushed"'), text[5]
        # Who reads only a part of it is no error.
        script = 'powercut log a | head -n 2; exit "${PIPESTATUS[0]}"'
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
        equal((done.returncode, done.stderr), (0, ""), "of a log whose reader has gone")
        refused("no disk b", "log", "b")


@test("count: exactly the legal states")
def count():
    with tidy(), Disk("a") as disk:
        refused("no record", "count", "a")
        known(disk)
        # Events: writes 1-6, the flush 7-8, the mark 9, the FUA write 10-11 with its flush 12-13,
        # the last write 14-15.
        for cut, states in ((0, 1), (1, 2), (4, 4), (7, 8), (8, 1), (10, 2), (11, 1), (13, 1), (15, 2)):
            found = powercut("count", "a", "--cut", cut, "--json", json_of=True)
            equal((found["legal_states"], found["cut"]), (str(states), cut), f"states at {cut}")
        assert powercut("count", "a", "--cut", "7").startswith("8 legal states")
        everything = powercut("count", "a", "--json", json_of=True)
        # The last cuts before the flush is complete and before the FUA write is; and the end.
        equal(everything["legal_states"], str(8 + 2 + 2), "states over all cuts that matter")
        refused("the last event of a is 15", "count", "a", "--cut", "16")
        refused("unexpected argument", "count", "a", "--cut", "-1")
        refused("--cut", "count", "a", "--cut", "x")


@test("state: shows what its id names; another id, log or use is refused")
def state():
    with tidy() as own, Disk("a") as disk, Disk("b") as other:
        disk.record("start")
        with disk.raw() as raw:
            raw.write(0, b"a" * 4096)
            raw.write(4096, b"b" * 4096)
        other.record("start")
        with other.raw() as raw:
            raw.write(0, b"x" * 4096)
            raw.write(4096, b"y" * 4096)
        report = powercut("explore", "a", "--check", "exit 1", "--no-baseline", "--report", f"{own}/r", "--json",
                          code=1, json_of=True)  # fmt: skip
        found = set()
        ids = [violation["id"] for violation in report["violations"]]
        for ident in ids:
            powercut("state", "a", ident, "--as", "v")
            with open("/dev/powercut/a.v", "rb") as view:
                data = view.read(8192)
                found.add((data[:1], data[4096:4097]))
        equal(found, {(a, b) for a in (b"a", b"\0") for b in (b"b", b"\0")}, "contents")
        hash_, rest = ids[-1].split(":", 1)
        refused("another log", "state", "b", ids[-1], "--as", "v")
        refused("another log", "state", "a", f"{int(hash_, 16) ^ 1:08x}:{rest}", "--as", "v")
        refused("last event", "state", "a", f"{hash_}:k=5:keep=none", "--as", "v")
        refused("pending pieces", "state", "a", f"{hash_}:k=4:keep=2", "--as", "v")
        for bad in ("", "x", hash_, f"{hash_}:k=4", f"{hash_}:k=4:keep=", f"{hash_}:k=-4:keep=all",
                    f"{hash_}:k=4:keep=1,0", f"{hash_}:k=4:keep=0-", f"{hash_}:k=4:keep=all,none"):  # fmt: skip
            refused("not a state id", "state", "a", bad, "--as", "v")
        refused("22 bytes", "state", "a", ids[-1], "--as", "v" * 21)
        refused("'.'", "state", "a", ids[-1], "--as", "v.w")
        refused("no disk c", "state", "c", ids[-1], "--as", "v")
        refused("--as", "state", "a", ids[-1])
        with open("/dev/powercut/a.v", "rb"):
            refused("in use", "state", "a", ids[-1], "--as", "v")
        powercut("remove", "a.v")


@test("a log that ended early is told from a whole one")
def truncated():
    with tidy() as own, Disk("a", log_limit_mib=1) as disk:
        disk.record("start")
        with disk.raw() as raw:
            try:
                for _ in range(1000):
                    raw.write(0, b"a" * 4096)
            except OSError:
                pass
        equal(disk.status()["truncated"] > 0, True, "truncated")
        done = subprocess.run(["powercut", "log", "a"], capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "the log ended at event" in done.stderr, done.stderr
        assert "at event" in powercut("record", "a", "status")
        for words in (("count", "a"), ("explore", "a", "--check", "true", "--report", f"{own}/r")):
            refused("log_limit_mib", *words)


@test("without the module, and without root, it says so")
def cannot():
    with tidy():
        clean.rmmod()
        module = ("run", "--backend", "module", "--fs", "none", "--workload", "true", "--check", "true")
        for words in (("list",), ("create", "a"), module):
            powercut(*words, code=2, says="not loaded")
        clean.insmod()
        nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        for words in (("list",), ("create", "a"), ("mark", "a", "m")):
            refused("root", *words, **nobody)


@test("recordings are read without root: log, count, lint, report, merge, export and import, and a culprit that is known; what takes it says so")
def without_root():
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    with tidy() as own:
        for path in (os.path.dirname(own), own, os.environ["TMPDIR"]):
            os.chmod(path, 0o777)
        # A block is promised and not flushed.
        powercut("run", "--fs", "none", "--size", "1M", "--report", f"{own}/r", "--minimize", "--workload",
                 "dd if=/dev/urandom of=$POWERCUT_DEV bs=4k count=1 oflag=direct conv=notrunc,nocreat 2>/dev/null && "
                 "echo x >>$POWERCUT_MARK && sync $POWERCUT_DEV",
                 "--check", "test ! -s $POWERCUT_MARKS || ! cmp -s -n 4096 $POWERCUT_DEV /dev/zero", code=1)  # fmt: skip
        at = ("--report", f"{own}/r")
        for words, code, says in (
            (("log", *at), 0, "MARK"),
            (("count", *at), 0, "legal states"),
            (("lint", *at), 1, "were stable"),
            (("report", f"{own}/r"), 0, "must be stable before mark"),
            (("report", f"{own}/r", "--html", f"{own}/page"), 0, ()),
            (("export", "--format", "log-writes", f"{own}/r", f"{own}/log", "--base", f"{own}/base"), 0, ()),
            (("import", "--format", "log-writes", f"{own}/log", "--base", f"{own}/base", "--report", f"{own}/again"), 0, ()),
            (("minimize", "1", *at), 1, "must be stable before mark"),
            (("replay", "1", *at), 2, "only root"),
            (("explore", "--recording", f"{own}/r", "--check", "true"), 2, "only root"),
            (("explore", "--recording", f"{own}/r", "--check", "true", "--backend", "nbd"), 2, "only root"),
            (("explore", "--recording", f"{own}/r", "--check", "true", "--backend", "ublk"), 2, "only root"),
        ):
            powercut(*words, code=code, says=says, cwd=own, **nobody)
        other = powercut("log", *at, "--json").splitlines()
        equal(powercut("log", "--report", f"{own}/again", "--op", "mark", "--json", **nobody).count("\n"),
              sum('"MARK"' in line for line in other), "marks")  # fmt: skip


@test("help, version and what is no command")
def usage():
    for words in (("--help",), ("help",), ("run", "--help"), ("help", "explore")):
        assert "Usage:" in powercut(*words), words
    assert powercut("--version").startswith("powercut ")
    equal(subprocess.run(["powercut"], capture_output=True, check=False).returncode, 2, "of no command")
    refused("unrecognized subcommand", "frobnicate")
    refused("unexpected argument", "list", "--frobnicate")
