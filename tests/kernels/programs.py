# SPDX-License-Identifier: GPL-2.0
"""Programs that show bugs of filesystems which were fixed in Linux, each with its fix, and the series of Debian's kernels that have the bug.

A program runs in an empty filesystem. What it returns is kept until the promise is made: files that stay open.
"""

import os
from dataclasses import dataclass, field
from typing import Callable


@dataclass
class Program:
    name: str
    filesystem: str
    commit: str
    title: str
    broken: set
    work: Callable
    options: dict = field(default_factory=dict)


def put(name, size=0):
    with open(name, "wb") as file:
        file.write(b"x" * size)


def fsync(name):
    handle = os.open(name, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def truncated():
    os.mkdir("dir")
    put("dir/foo", 65536)
    os.sync()
    os.truncate("dir/foo", 0)
    fsync("dir/foo")
    os.link("dir/foo", "dir/bar")
    fsync("dir")


def conflict():
    os.mkdir("foo")
    os.sync()
    os.rmdir("foo")
    os.mkdir("dir1")
    os.mkdir("dir2")
    put("foo")
    os.link("foo", "dir2/link")
    fsync("dir2")
    fsync(".")


def without_name():
    os.mkdir("dir")
    put("dir/foo", 4096)
    os.sync()
    file = open("dir/foo", "rb")
    os.unlink("dir/foo")
    os.fsync(file.fileno())
    return file


def written_without_name():
    put("foo", 65536)
    os.sync()
    file = open("foo", "r+b")
    os.unlink("foo")
    file.seek(65536)
    file.write(b"y" * 4096)
    file.flush()
    os.fsync(file.fileno())
    return file


def renamed_symlink():
    os.mkdir("A")
    os.symlink("target", "A/foo")
    fsync("A")
    os.rename("A/foo", "A/bar")
    fsync("A")


def moved_directory():
    os.mkdir("A")
    os.mkdir("B")
    os.sync()
    os.rename("A", "B/A")
    put("A")
    fsync("A")
    os.rename("A", "B/foo")
    fsync("B/foo")


def allocated():
    put("foo")
    os.sync()
    handle = os.open("foo", os.O_RDWR)
    os.posix_fallocate(handle, 0, 65536)
    os.fsync(handle)
    os.close(handle)


def attribute():
    put("foo", 4096)
    os.sync()
    os.setxattr("foo", "user.a", b"1")
    fsync("foo")


NOJOURNAL = {"mkfs-opts": "-O ^has_journal", "fsck": "e2fsck -fy $POWERCUT_DEV"}

PROGRAMS = (
    Program("btrfs-truncated", "btrfs", "5254d4181add", "btrfs: fix zero size inode with non-zero size after log replay", {"6.1"}, truncated),
    Program("btrfs-without-name", "btrfs", "5e85262e542d", "btrfs: fix fsync of files with no hard links not persisting deletion",
            {"6.1", "6.12"}, without_name),
    Program("btrfs-written-without-name", "btrfs", "5e85262e542d", "btrfs: fix fsync of files with no hard links not persisting deletion",
            {"6.1", "6.12"}, written_without_name),
    Program("btrfs-renamed-symlink", "btrfs", "953902e4fb4c", "btrfs: set inode flag BTRFS_INODE_COPY_EVERYTHING when logging new name",
            {"6.1", "6.12"}, renamed_symlink),
    Program("ext4-attribute", "ext4", "1308255bbf84", "ext4: fix fsync(2) for nojournal mode", {"6.1"}, attribute, NOJOURNAL),
    Program("ext4-allocated", "ext4", "1308255bbf84", "ext4: fix fsync(2) for nojournal mode", set(), allocated, NOJOURNAL),
    Program("btrfs-conflict", "btrfs", "9573a365ff9f", "btrfs: log new dentries when logging parent dir of a conflicting inode", set(),
            conflict),
    Program("btrfs-moved-directory", "btrfs", "266273eaf4d9",
            "btrfs: don't log conflicting inode if it's a dir moved in the current transaction", set(), moved_directory),
)
