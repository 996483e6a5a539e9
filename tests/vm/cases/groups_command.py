# SPDX-License-Identifier: GPL-2.0
"""The powercut command on groups: what only a joint state shows, and what it says of places."""

import json
import os
import re
import subprocess

from cases.command_run import CHECK, KEPT, need
from lib.command import disks, powercut, refused, tidy
from lib.tap import DEBUG, equal, test

HERE = "/mnt/powercut/tests/explore"
DEMO = "/mnt/powercut/tests/demo"
TWO = f"{HERE}/two-disks"


def on_two_disks(own, how, *options, check="check", code=0):
    return powercut("run", "--fs", "none", "--disks", "data:1M,log:1M", "--workload", f"{TWO} {how}",
                    "--check", f"{TWO} {check}", "--strategy", "exhaustive", "--report", own, "--json", *options,
                    json_of=True, code=code)  # fmt: skip


@test("a flush of the wrong disk: no disk alone shows it, both together do; the twin is clean")
def joint():
    with tidy() as own:
        careful = on_two_disks(f"{own}/careful", "careful")
        equal((careful["coverage"]["all"], careful["violations"]), (True, []), "the careful twin")
        found = on_two_disks(f"{own}/careless", "careless", code=1)
        equal(found["coverage"]["all"], True, "all states covered")
        assert all("can't tell" in v["output"] for v in found["violations"]), found["violations"]
        for disk in ("data", "log"):
            alone = powercut("explore", "--recording", f"{own}/careless", "--check", f"{TWO} check-{disk}",
                             "--strategy", "exhaustive", "--report", f"{own}/{disk}", "--json", json_of=True)  # fmt: skip
            equal((alone["coverage"]["all"], alone["violations"]), (True, []), f"the disk {disk} alone")
            for key in ("legal_states", "cuts"):
                equal(alone["coverage"][key], found["coverage"][key], key)
        ident = found["violations"][0]["id"]
        powercut("replay", ident, "--report", f"{own}/careless", code=1, says="can't tell")
        culprit = powercut("minimize", ident, "--report", f"{own}/careless", "--json", code=1, json_of=True)["culprit"]
        places = {write["place"] for write in culprit["must_be_stable"] + culprit["before"]}
        assert "log+0" in places and any(place.startswith("data+") for place in places), culprit
        powercut("report", f"{own}/careless", says="lba log+0")
        # The same of the record of a disk, without a report.
        powercut("import", "g", f"{own}/careless/recording.pcut")
        of_disk = ("--disk", "g", "--check", f"{TWO} check")
        again = powercut("minimize", ident, *of_disk, "--json", code=1, json_of=True)["culprit"]
        for key in ("sort", "verdict", "must_be_stable", "before"):
            equal(again[key], culprit[key], f"{key}, of a disk")
        powercut("minimize", culprit["passes"], *of_disk, code=2, says="passes")
        powercut("remove", "g")


@test("a flush that lies on one of two disks: the careful twin is caught, and clean where none lies")
def lying():
    with tidy() as own:
        clean = on_two_disks(f"{own}/clean", "careful")
        equal((clean["coverage"]["all"], clean["violations"], "faults" in clean), (True, [], False), "the control")
        # Log and data are flushed in turn, the log first.
        for disk, rule, says in (
            ("log", "flush-lies after=1 every=2", "can't tell"),
            ("data", "flush-lies every=2", "left is of version"),
        ):
            report = f"{own}/{disk}-{rule.split('=')[-1]}-{rule.count('count')}"
            found = on_two_disks(report, "careful", "--fault", rule, code=1)
            assert any(says in violation["output"] for violation in found["violations"]), found["violations"]
            equal(found["faults"]["kinds"], ["flush-lies"], "kinds of faults")
            assert all(v["id"].endswith(":faults=flush-lies") for v in found["violations"]), found["violations"]
            powercut("import", "g", f"{report}/recording.pcut")
            lines = [json.loads(line) for line in powercut("log", "g", "--json").splitlines()]
            powercut("remove", "g")
            lies = [line for line in lines if "LIED" in line["flags"]]
            assert lies and {line["disk"] for line in lies} == {disk}, lies
            honest = {line["disk"] for line in lines if line["op"] == "FLUSH" and line not in lies}
            assert {"log", "data"} - {disk} <= honest, "no flush of the other disk"
            equal(found["faults"]["rules"][0]["hits"], len(lies), "how often the rule was applied")


EXTERNAL = (
    "mke2fs -q -F -b 4096 -O journal_dev {journal} && "
    "mkfs.ext4 -q -F -b 4096 -E lazy_itable_init=0 -J device={journal} {data}"
)


def external(own, options, code):
    return powercut("run", "--fs", "ext4", "--disks", "data:16M,journal:8M", "--mkfs", EXTERNAL,
                    "--mount-opts", f"journal_path={{journal}}{options}",
                    "--workload", f"{DEMO}/sqlite-workload DELETE EXTRA 1", "--check", f"{DEMO}/sqlite-check",
                    "--budget", "20" if DEBUG else "40", "--report", own, "--json", json_of=True, code=code)  # fmt: skip


@test("ext4 with its journal on another disk is clean, and is not without barriers", limit=600)
def journal():
    need("ext4")
    with tidy() as own:
        clean = external(f"{own}/clean", "", 0)
        equal(clean["violations"], [], "violations")
        assert clean["coverage"]["checked"] > 10, clean["coverage"]
        names = [disk["name"] for disk in clean["disk"]["disks"]]
        equal(names, ["data", "journal"], "disks")
        bad = external(f"{own}/bad", ",barrier=0", 1)
        assert bad["violations"], "nothing was found without barriers"
        belongings(f"{own}/bad", bad, "journal", ("journal, ", "superblock of the journal"))


def belongings(report, found, disk, names):
    """What a culprit names on the second disk has its owner and its place there, in the page too."""
    there = []
    for violation in found["violations"]:
        words = ("minimize", violation["id"], "--report", report, "--json")
        culprit = powercut(*words, json_of=True, code=1)["culprit"]
        suspects = culprit["must_be_stable"] + culprit["before"]
        there += [write for write in suspects if write["place"].startswith(f"{disk}+")]
        if there:
            break
    assert there, f"no culprit names a write to {disk}"
    for write in there:
        assert write["belongs"]["what"].startswith(names), write
        assert write["sector"] != int(write["place"].split("+")[1]), write
    powercut("report", report, "--html", f"{report}/page")
    with open(f"{report}/page", encoding="utf-8") as file:
        page = file.read()
    places = set(re.findall(r"<title>W\d+ [A-Z_]+ lba ([^ ]+) ", page))
    disks = {member["name"] for member in found["disk"]["disks"]}
    equal({place.partition("+")[0] for place in places}, disks, "disks in the titles")
    for write in there:
        assert write["place"] in places, f"{write['place']} is in no title"


@test("btrfs on two disks, RAID 1", limit=400)
def mirror():
    need("btrfs")
    with tidy() as own:
        report = powercut("run", "--fs", "btrfs", "--disks", "a:128M,b:128M",
                          "--mkfs", "mkfs.btrfs -q -f -d raid1 -m raid1 {a} {b}", "--mount-opts", "device={b}",
                          "--workload", KEPT, "--check", CHECK, "--budget", "12", "--report", f"{own}/r", "--json",
                          json_of=True)  # fmt: skip
        equal(report["violations"], [], "violations")
        assert report["coverage"]["checked"] > 3, report["coverage"]


@test("made, listed, recorded, cut at a place on one disk, restored, exported, imported, removed")
def commands():
    with tidy() as own:
        nodes = powercut("create", "g", "--disks", "data:2M,log:1M").split()
        equal(nodes, ["/dev/powercut/g/data", "/dev/powercut/g/log"], "nodes")
        (listed,) = powercut("list", "--json", json_of=True)
        equal([(d["name"], d["size_mib"]) for d in listed["disks"]], [("data", 2), ("log", 1)], "disks listed")
        powercut("list", says="/dev/powercut/g/log")
        powercut("record", "g", "start")
        dd = "printf x | dd of={} bs=4096 seek={} oflag=direct conv=notrunc,sync 2>/dev/null"
        subprocess.run(dd.format(nodes[1], 3), shell=True, check=True)
        subprocess.run(["sync", nodes[1]], check=True)
        text = powercut("log", "g")
        assert "log+24" in text, text
        lines = [json.loads(line) for line in powercut("log", "g", "--json").splitlines()]
        equal([(line["op"], line["disk"], line["lba"]) for line in lines[:1]], [("WRITE", "log", 24)], "the log")
        assert any(line["op"] == "FLUSH" and line["disk"] == "log" for line in lines), lines
        refused("no disk x", "cut", "g", "--on", "lba:x+0-7")
        refused("sectors 0 to 2047", "cut", "g", "--on", "lba:log+2048")
        powercut("cut", "g", "--on", "lba:log+32-39")
        subprocess.run(dd.format(nodes[0], 4), shell=True, check=True)
        failed = subprocess.run(dd.format(nodes[1], 4), shell=True, check=False)
        assert failed.returncode, "the write that cuts the power went through"
        powercut("export", "g", f"{own}/g.pcut")
        ident = powercut("restore", "g", "--keep", "none", "--json", json_of=True)["id"]
        powercut("import", "h", f"{own}/g.pcut")
        views = powercut("state", "h", ident, "--as", "v").split()
        equal(views, ["/dev/powercut/h.v/data", "/dev/powercut/h.v/log"], "the view's nodes")
        with open(views[1], "rb") as log:
            log.seek(3 * 4096)
            equal(log.read(1), b"x", "what was flushed")
        # One that has other disks is another log.
        powercut("create", "i", "--size", "3M")
        powercut("record", "i", "start")
        refused("another log", "state", "i", ident.replace(ident.split(":")[1], "k=0"), "--as", "v")
        for name in ("g", "h", "i"):
            powercut("remove", name)
        equal(disks(), [], "disks left")
        equal(os.path.isdir("/dev/powercut") and os.listdir("/dev/powercut"), [] if os.path.isdir("/dev/powercut") else False,
              "devices left")  # fmt: skip


@test("commands get the path of each disk; what can't be is refused")
def variables():
    with tidy() as own:
        check = 'test "$POWERCUT_DEV" = "$POWERCUT_DEV_MY_DATA" && test -b $POWERCUT_DEV_LOG && test ! -v POWERCUT_DEV_X'
        workload = check.replace("&& test ! -v POWERCUT_DEV_X", "") + "&& sync $POWERCUT_DEV_LOG"
        powercut("run", "--fs", "none", "--disks", "my-data:1M,log:1M", "--workload", workload,
                 "--check", f"bash -c '{check}'", "--report", f"{own}/r")  # fmt: skip
        create = ("create", "g", "--disks")
        for value, says in (("data", "name and a size"), ("data:0", "data"), ("a:1M,a:1M", "called a"),
                            ("a:1M,a1:1M", "partition"), ("a-b:1M,a_b:1M", "POWERCUT_DEV_A_B"),
                            ("x" * 21 + ":1M", "22 bytes"), (",".join(f"d-{n}:1M" for n in "abcdefghi"), "at most"),
                            ("a.b:1M", "no name"), ("", "name and a size")):  # fmt: skip
            refused(says, *create, value)
        refused("--size", *create, "a:1M", "--size", "1M")
        run = ("run", "--workload", "true", "--check", "true")
        refused("--fs none has none", *run, "--fs", "none", "--mkfs", "true")
        refused("cannot be used with", *run, "--fs", "ext4", "--mkfs", "true", "--mkfs-opts", "-m 0")
        refused("false", *run, "--fs", "ext4", "--mkfs", "false")
