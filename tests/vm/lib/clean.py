# SPDX-License-Identifier: GPL-2.0
"""Removes what a test left behind."""

import ctypes
import glob
import os
import subprocess
import time

CONFIG = "/sys/kernel/config/powercut"
# With a kernel of one's own, the module is among that kernel's.
KO = [os.environ.get("POWERCUT_KO", "/run/powercut-vm/powercut.ko"), f"/lib/modules/{os.uname().release}/**/powercut.ko"]


def is_loaded():
    return os.path.isdir("/sys/module/powercut")


LIBC = ctypes.CDLL(None, use_errno=True)
# By the machine.
FINIT_MODULE, DELETE_MODULE = {"x86_64": (313, 176), "aarch64": (273, 106)}[os.uname().machine]


def call(*args):
    if LIBC.syscall(*args) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def insmod():
    found = [path for pattern in KO for path in glob.glob(pattern, recursive=True)]
    assert found, f"no module at {' or '.join(KO)}"
    fd = os.open(found[0], os.O_RDONLY | os.O_CLOEXEC)
    try:
        call(FINIT_MODULE, fd, b"", 0)
    finally:
        os.close(fd)


def rmmod():
    """Unloads the module; who has just closed a disk may have it for a moment yet."""
    for attempt in range(3000):
        try:
            return call(DELETE_MODULE, b"powercut", os.O_NONBLOCK)
        except OSError:
            if attempt == 2999:
                raise
        time.sleep(0.01)


def up():
    """Leaves a loaded module and no disks; returns what else there was."""
    left = []
    with open("/proc/mounts", encoding="utf-8") as mounts:
        for line in mounts:
            device, where = line.split()[:2]
            if device.startswith("/dev/powercut"):
                left.append(f"mount {where}")
                subprocess.run(["umount", "-l", where], check=False)
    for where in sorted(glob.glob(f"{CONFIG}/*/*/"), reverse=True) + glob.glob(f"{CONFIG}/*/"):
        left.append(where)
        try:
            os.rmdir(where)
        except OSError as error:
            left.append(str(error))
    if not is_loaded():
        left.append("no module")
        insmod()
    return left
