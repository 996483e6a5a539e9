#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""files DIR MARK SEED KIND: random operations on files below DIR, until one fails as if the disk were gone.

Among them are files that are made safe and never touched again: once they are, their number is written to
MARK, the disk's attribute. So it is in the record, before what comes after it: what is said to be safe when the power
has gone is no promise. (The fsync of a directory on XFS returns 0 then: a transaction that was given up has left the
inode, and xfs_dir_fsync() does not look for a shutdown, as xfs_file_fsync() does.)
"""

import ctypes
import errno
import os
import random
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
# The disk is gone, or the filesystem has noticed that.
GONE = {errno.EIO, errno.EROFS, errno.ESHUTDOWN, errno.EUCLEAN, errno.ENODEV}
# What operations on names chosen at random may come to.
MAY_BE = {
    errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.EINVAL, errno.ENOSPC, errno.EOPNOTSUPP,
    errno.EPERM, errno.EMLINK, errno.EFBIG, errno.ENODATA, errno.ELOOP, errno.EBUSY, errno.EXDEV, errno.ENXIO,
}  # fmt: skip
PUNCH_HOLE, KEEP_SIZE = 2, 1


def content(number):
    """What a safe file of that number holds."""
    return random.Random(number).randbytes(1 + number * 977 % 30_000)


def call(function, *args):
    if function(*args) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class Load:
    """One process at work."""

    def __init__(self, directory, mark, seed, kind):
        self.directory = directory
        self.mark = mark
        self.kind = kind
        self.dice = random.Random(seed)
        # No other process has these.
        self.number = seed * 100_000
        self.steps = (
            (self.write, 30), (self.append, 10), (self.truncate, 6), (self.rename, 10), (self.unlink, 12), (self.link, 4),
            (self.symlink, 3), (self.mkdir, 6), (self.rmdir, 3), (self.punch, 4), (self.attribute, 4), (self.sync, 3),
            (self.promise, 8),
        )  # fmt: skip

    def path(self):
        levels = self.dice.choice((1, 1, 2, 3))
        return "/".join((self.directory, *(f"n{self.dice.randrange(12)}" for _ in range(levels))))

    def open(self, flags):
        return os.open(self.path(), flags | os.O_CLOEXEC, 0o644)

    def with_file(self, flags, function):
        fd = self.open(flags)
        try:
            function(fd)
            if self.dice.random() < 0.1:
                os.fsync(fd)
        finally:
            os.close(fd)

    def data(self):
        return self.dice.randbytes(self.dice.choice((1, 100, 4096, 20_000, 100_000)))

    def write(self):
        offset = self.dice.choice((0, 0, 100, 4096, 65_536))
        self.with_file(os.O_WRONLY | os.O_CREAT, lambda fd: os.pwrite(fd, self.data(), offset))

    def append(self):
        self.with_file(os.O_WRONLY | os.O_APPEND, lambda fd: os.write(fd, self.data()))

    def truncate(self):
        self.with_file(os.O_WRONLY, lambda fd: os.ftruncate(fd, self.dice.randrange(50_000)))

    def punch(self):
        def punch(fd):
            call(LIBC.fallocate, fd, PUNCH_HOLE | KEEP_SIZE, ctypes.c_int64(4096), ctypes.c_int64(8192))

        self.with_file(os.O_WRONLY, punch)

    def attribute(self):
        self.with_file(os.O_WRONLY, lambda fd: os.setxattr(fd, "user.x", self.dice.randbytes(self.dice.choice((1, 200)))))

    def rename(self):
        os.rename(self.path(), self.path())

    def unlink(self):
        os.unlink(self.path())

    def link(self):
        os.link(self.path(), self.path())

    def symlink(self):
        os.symlink(f"n{self.dice.randrange(12)}", self.path())

    def mkdir(self):
        os.mkdir(self.path())

    def rmdir(self):
        os.rmdir(self.path())

    def sync(self):
        fd = os.open(self.directory, os.O_RDONLY)
        try:
            call(LIBC.syncfs, fd)
        finally:
            os.close(fd)

    def promise(self):
        """A file that is safe: under another name first, as careful programs do it."""
        path = f"{self.directory}/safe-{self.number}"
        fd = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            os.write(fd, content(self.number))
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(f"{path}.new", path)
        if self.kind == "vfat":
            # Its fsync of a directory does not write what the rename did; syncfs does, and sends no flush.
            self.sync()
        fd = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        self.promised()
        self.number += 1

    def promised(self):
        fd = os.open(self.mark, os.O_WRONLY)
        try:
            os.write(fd, str(self.number).encode())
        except OSError as error:
            raise OSError(errno.EIO, "the record has ended") from error
        finally:
            os.close(fd)

    def work(self):
        """Until the disk is gone. Fails if something comes to what it can't."""
        steps, weights = zip(*self.steps)
        while True:
            (step,) = self.dice.choices(steps, weights)
            try:
                step()
            except OSError as error:
                if step == self.promise and error.errno != errno.ENOSPC and error.errno not in GONE:
                    raise
                if step == self.promise:
                    self.number += 1
                if error.errno in GONE:
                    return
                if error.errno not in MAY_BE:
                    raise


if __name__ == "__main__":
    Load(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]).work()
