# SPDX-License-Identifier: GPL-2.0
"""Removes what a test left behind."""

import glob
import os
import subprocess
import time

CONFIG = "/sys/kernel/config/powercut"
KO = os.environ.get("POWERCUT_KO", "/run/vm/powercut.ko")


def is_loaded():
    return os.path.isdir("/sys/module/powercut")


def insmod():
    subprocess.run(["insmod", KO], check=True)


def rmmod():
    """Unloads the module; who has just closed a disk may have it for a moment yet."""
    for _ in range(50):
        done = subprocess.run(["rmmod", "powercut"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        time.sleep(0.1)
    raise OSError(0, f"rmmod: {done.stderr.strip()}")


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
