# SPDX-License-Identifier: GPL-2.0
"""Raw I/O to a block device: one system call each, one bio where that is asked for."""

import ctypes
import fcntl
import mmap
import os
import struct

BLKDISCARD = 0x1277
BLKZEROOUT = 0x127F
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16
LIBC = ctypes.CDLL(None, use_errno=True)


def fallocate(fd, mode, offset, length):
    """fallocate(2), which Python lacks the modes of."""
    call = LIBC.fallocate
    call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if call(fd, mode, offset, length) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class Raw:
    """An open block device that bypasses the page cache unless `flags` says otherwise."""

    def __init__(self, path, flags=os.O_DIRECT):
        self.fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags)
        self.path = path
        self.fua_fd = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for fd in (self.fd, self.fua_fd):
            if fd is not None:
                os.close(fd)
        self.fd = self.fua_fd = None

    def write(self, offset, data, fd=None):
        """Writes; a FUA write, and a flush after it, with `fd` opened with O_DSYNC."""
        with mmap.mmap(-1, max(len(data), mmap.PAGESIZE)) as memory:
            memory[: len(data)] = data
            with memoryview(memory)[: len(data)] as view:
                done = os.pwrite(self.fd if fd is None else fd, view, offset)
        if done != len(data):
            raise OSError(0, f"{done} of {len(data)} bytes written")

    def write_fua(self, offset, data):
        """Writes with FUA. The kernel sends a flush behind it."""
        if self.fua_fd is None:
            self.fua_fd = os.open(self.path, os.O_RDWR | os.O_DIRECT | os.O_DSYNC)
        self.write(offset, data, self.fua_fd)

    def read(self, offset, length):
        with mmap.mmap(-1, max(length, mmap.PAGESIZE)) as memory:
            with memoryview(memory)[:length] as view:
                done = os.preadv(self.fd, [view], offset)
            if done != length:
                raise OSError(0, f"{done} of {length} bytes read")
            return memory[:length]

    def flush(self):
        os.fsync(self.fd)

    def discard(self, offset, length):
        fcntl.ioctl(self.fd, BLKDISCARD, struct.pack("QQ", offset, length))

    def zero(self, offset, length):
        """A WRITE_ZEROES that need not give memory back."""
        fallocate(self.fd, ZERO_RANGE | KEEP_SIZE, offset, length)

    def punch(self, offset, length):
        """A WRITE_ZEROES that may give memory back."""
        fallocate(self.fd, PUNCH_HOLE | KEEP_SIZE, offset, length)


def read_all(path, length, flags=os.O_DIRECT):
    """The first `length` bytes of a device."""
    step = 1 << 20
    with Raw(path, flags) as raw:
        return b"".join(raw.read(at, min(step, length - at)) for at in range(0, length, step))
