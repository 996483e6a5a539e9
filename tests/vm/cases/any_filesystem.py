# SPDX-License-Identifier: GPL-2.0
"""`run --fs` takes any filesystem that the kernel has: what is synced is there, what is not is missed."""

import shutil
import subprocess

from lib.command import powercut, tidy
from lib.tap import Skip, equal, test

SAVE = 'echo "$n$n$n" > "$POWERCUT_MNT/$n"'
SYNC = 'sync "$POWERCUT_MNT/$n"; sync "$POWERCUT_MNT"'
ALL = 'while read -r n; do test "$(cat "$POWERCUT_MNT/$n")" = "$n$n$n" || exit 1; done < "$POWERCUT_MARKS"'

# The filesystem, its mkfs, what else it takes.
KINDS = (
    ("exfat", "mkfs.exfat"),
    ("nilfs2", "mkfs.nilfs2"),
    ("ntfs", "mkfs.ntfs"),
    ("udf", "mkfs.udf"),
    ("ext2", "mkfs.ext2", "--fsck", 'e2fsck -fy "$POWERCUT_DEV"'),
    ("minix", "mkfs.minix", "--mkfs", 'mkfs.minix -3 "$POWERCUT_DEV"', "--block-size", "512"),
)


def report(fs, sync, code, *options, check=ALL):
    steps = "; ".join((SAVE, sync, 'echo "$n" > "$POWERCUT_MARK"') if sync else (SAVE, 'echo "$n" > "$POWERCUT_MARK"'))
    workload = f"for n in a b c; do {steps}; done"
    with tidy() as own:
        return powercut("run", "--fs", fs, *options, "--workload", workload, "--check", check, "--budget", 24, "--json",
                        "--report", f"{own}/r", code=code, json_of=True)  # fmt: skip


def works(fs, mkfs, *options):
    if not shutil.which(mkfs):
        raise Skip(f"no {mkfs}")
    synced = report(fs, SYNC, 0, *options)
    equal(synced["violations"], [], "violations of what is synced")
    equal(synced["source"]["fs"], fs, "the filesystem in the report")
    assert synced["coverage"]["checked"] > 3, f"few states were run: {synced['coverage']}"
    lost = report(fs, "", 1, *options)
    assert lost["violations"], "what is not synced was not missed"


for row in KINDS:
    test(f"run on {row[0]}: what is synced is there, what is not is missed", *row)(works)


@test("run on jfs: with its checker, what was there is there; what is not synced is missed")
def jfs():
    # It sends no flushes, and jfsutils' replay of its log fails after a file was made: nothing that is new is safe.
    checker = ("--fsck", 'fsck.jfs -a "$POWERCUT_DEV"', "--write-cache", "off")
    before = ("--setup", 'echo old > "$POWERCUT_MNT/old"')
    old = report("jfs", SYNC, 0, *checker, *before, check='test "$(cat "$POWERCUT_MNT/old")" = old')
    equal(old["violations"], [], "violations of what was there")
    assert old["coverage"]["checked"] > 3, f"few states were run: {old['coverage']}"
    assert report("jfs", "", 1, *checker)["violations"], "what is not synced was not missed"


def said(report, *options):
    words = ("powercut", "run", "--fs", "jfs", "--workload", "true", "--check", "true", "--record-only", "--report")
    done = subprocess.run([*words, report, *options], capture_output=True, text=True, check=False)
    equal(done.returncode, 0, f"the status; it said {done.stderr}")
    return done.stderr


@test("a filesystem whose mount does not recover is named, if nothing else has it recover")
def advice():
    with tidy() as own:
        assert "warning: jfs does not recover" in said(f"{own}/a")
        assert "warning" not in said(f"{own}/b", "--fsck", 'fsck.jfs -a "$POWERCUT_DEV"')
