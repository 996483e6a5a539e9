# SPDX-License-Identifier: GPL-2.0
"""dm-writecache, an origin and a cache on two disks; CONFIG is default."""

import os

from blocks import run

SECTORS = 8 * 2048


def format(config):
    # It is made where there is no superblock.
    run("dd", "if=/dev/zero", f"of={os.environ['POWERCUT_DEV_CACHE']}", "bs=4096", "count=1", "oflag=direct")


def assemble(name, config):
    origin, cache = os.environ["POWERCUT_DEV_ORIGIN"], os.environ["POWERCUT_DEV_CACHE"]
    run("dmsetup", "create", name, "--table", f"0 {SECTORS} writecache s {origin} {cache} 4096 0")
    return f"/dev/mapper/{name}"


def release(name):
    if os.path.exists(f"/dev/mapper/{name}"):
        run("dmsetup", "remove", "--retry", name)
