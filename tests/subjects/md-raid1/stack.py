# SPDX-License-Identifier: GPL-2.0
"""MD RAID 1 on two disks; CONFIG is bitmap, an internal one, or none."""

import os

from blocks import run


def members():
    return os.environ["POWERCUT_DEV_LEFT"], os.environ["POWERCUT_DEV_RIGHT"]


def format(config):
    run("mdadm", "--create", "/dev/md/format", "--run", "--level=1", "--raid-devices=2", "--assume-clean", "--metadata=1.2",
        f"--bitmap={'internal' if config == 'bitmap' else 'none'}", "--homehost=any", *members())
    run("mdadm", "--stop", "/dev/md/format")


def assemble(name, config):
    run("mdadm", "--assemble", f"/dev/md/{name}", "--run", "--update=name", f"--name={name}", *members())
    return f"/dev/md/{name}"


def release(name):
    if os.path.exists(f"/dev/md/{name}"):
        run("mdadm", "--wait-clean", f"/dev/md/{name}")
        run("mdadm", "--stop", f"/dev/md/{name}")
