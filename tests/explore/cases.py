# SPDX-License-Identifier: GPL-2.0
"""Workloads with a bug that was put there, each with a twin that has none."""

import os

HERE = os.path.dirname(os.path.realpath(__file__))
DEMO = os.path.join(os.path.dirname(HERE), "demo")

EXT4 = {"fs": "ext4", "size": "16M"}
XFS = {"fs": "xfs", "size": "320M"}
SAVE = {"setup": f"{DEMO}/save-setup", "check": f"{DEMO}/save-check"}
FILES = {**EXT4, "check": f"{HERE}/files-check"}
WAL = {"fs": "none", "size": "1M", "check": f"{HERE}/wal-check"}


def sqlite(synchronous, count=10):
    return {"check": f"{DEMO}/sqlite-check", "workload": f"{DEMO}/sqlite-workload DELETE {synchronous} {count}"}


def save(how):
    return {**SAVE, "workload": f"{DEMO}/save-workload {how}"}


def files(how):
    return {**FILES, "workload": f"{HERE}/files-workload {how}"}


def wal(how):
    return {**WAL, "workload": f"{HERE}/wal-workload {how}"}


# The twins.
CLEAN = {
    "sqlite": {**EXT4, **sqlite("EXTRA")},
    "save, XFS": {**XFS, **save("careful")},
    "save, ext4": {**EXT4, "mount-opts": "noauto_da_alloc", **save("careful")},
    "files, ext4": files("careful"),
    "log on a bare device": wal("careful"),
}

# title, options, the twin: the same workload and mount, but for the bug
SEEDED = [
    ("SQLite, directory not synced (FULL), ext4", {**EXT4, **sqlite("FULL")}, "sqlite"),
    ("SQLite, barriers off, ext4", {**EXT4, "mount-opts": "barrier=0", **sqlite("EXTRA")}, "sqlite"),
    ("save without fsync, XFS", {**XFS, **save("careless")}, "save, XFS"),
    ("save without fsync, ext4 noauto_da_alloc",
     {**EXT4, "mount-opts": "noauto_da_alloc", **save("careless")}, "save, ext4"),
    ("rename without fsync of the directory, ext4", files("no-dir"), "files, ext4"),
    ("fsync of the wrong file, ext4", files("wrong-file"), "files, ext4"),
    ("log without checksums, bare device", wal("careless"), "log on a bare device"),
]
