# SPDX-License-Identifier: GPL-2.0
"""What a round counts, for the table, and the record that it leaves."""

import json
import os

COUNTS = "/run/soak-counts"
RECORD = "/run/soak.pcut"


def begin():
    for path in (COUNTS, RECORD):
        if os.path.exists(path):
            os.unlink(path)


def add(name, count=1):
    with open(COUNTS, "a", encoding="utf-8") as file:
        file.write(json.dumps([name, count]) + "\n")


def counts():
    found = {}
    if os.path.exists(COUNTS):
        with open(COUNTS, encoding="utf-8") as file:
            for name, count in map(json.loads, file):
                found[name] = found.get(name, 0) + count
    return found
