# SPDX-License-Identifier: GPL-2.0
"""dm-integrity by integritysetup; CONFIG is journal, bitmap or direct."""

import os

from blocks import run

OPTIONS = {"journal": [], "bitmap": ["--integrity-bitmap-mode"], "direct": ["--integrity-no-journal"]}


def format(config):
    run("integritysetup", "format", "--batch-mode", "--sector-size=4096", "--journal-size=1048576", os.environ["POWERCUT_DEV"])


def assemble(name, config):
    run("integritysetup", "open", *OPTIONS[config], os.environ["POWERCUT_DEV"], name)
    return f"/dev/mapper/{name}"


def release(name):
    if os.path.exists(f"/dev/mapper/{name}"):
        run("integritysetup", "close", name)
