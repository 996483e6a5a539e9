#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""definition.py NAME: what scripts/subject needs to know of a subject, words and values with a NUL byte after each.

definition.py: all subjects, a line each.
"""

import os
import sys
import tomllib

HERE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
# Of subject.toml: a text, or a list of them.
KEYS = {"title": str, "version": str, "packages": list, "run-once": list, "rust": list, "memory": str}


def read(name):
    with open(f"{HERE}/{name}/subject.toml", "rb") as file:
        subject = tomllib.load(file)
    for key, value in subject.items():
        if not isinstance(value, KEYS.get(key, ())):
            sys.exit(f"{name}/subject.toml: {key} = {value!r}")
    with open(f"{HERE}/{name}/powercut.toml", "rb") as file:
        subject["case"] = [case["name"] for case in tomllib.load(file)["case"]]
    return subject


def names():
    return sorted(name for name in os.listdir(HERE) if os.path.exists(f"{HERE}/{name}/subject.toml"))


if __name__ == "__main__":
    if len(sys.argv) == 1:
        for name in names():
            subject = read(name)
            print(f"{name}\t{subject['title']}\t{' '.join(subject['case'])}")
    elif sys.argv[1] not in names():
        sys.exit(f"there is no subject {sys.argv[1]}: scripts/subject list")
    else:
        for key, value in read(sys.argv[1]).items():
            for word in value if isinstance(value, list) else [value]:
                print(key, word, sep="\0", end="\0")
