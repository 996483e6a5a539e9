# SPDX-License-Identifier: GPL-2.0
"""dpkg: a package for each key, installed for each transaction; CONFIG is default, or unsafe-io."""

import contextlib
import os
import subprocess
import tempfile

ATOMIC = False
# An upgrade that was cut is to be repeated, as dpkg says, and has neither version till then.
REPLACES = False
FILES = "/usr/share/powercut"


def package(key):
    return f"key-{key.lower()}"


class Store:
    def __init__(self, directory, config):
        self.root = directory
        self.options = ["--force-unsafe-io"] if config == "unsafe-io" else []
        self.options += ["--force-not-root", f"--root={directory}", "--log=/dev/null"]
        self.environment = {**os.environ, "DPKG_MAINTSCRIPT_DEBUG": ""}
        if not os.path.exists(directory):
            for name in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "usr/share/powercut"):
                os.makedirs(os.path.join(directory, name))
            for name in ("status", "available"):
                with open(os.path.join(directory, "var/lib/dpkg", name), "w", encoding="utf-8"):
                    pass
            os.sync()

    def run(self, *words):
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{words[0]}: {done.stderr} {done.stdout}")
        return done.stdout

    def build(self, key, value):
        tree = tempfile.mkdtemp(dir="/run")
        os.chmod(tree, 0o755)
        os.makedirs(tree + FILES)
        os.mkdir(f"{tree}/DEBIAN")
        version = value if value.isdigit() else "1"
        with open(f"{tree}/DEBIAN/control", "w", encoding="utf-8") as file:
            file.write(f"Package: {package(key)}\nVersion: {version}\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: a\n")
        with open(f"{tree}{FILES}/{key}", "w", encoding="utf-8") as file:
            file.write(value)
        self.run("dpkg-deb", "--build", "-Znone", tree, f"{tree}.deb")
        return f"{tree}.deb"

    def put(self, pairs):
        for key, value in pairs.items():
            self.run("dpkg", *self.options, "--install", self.build(key, value))

    def get(self):
        # What was interrupted is what this is for; a package whose installation was cut has to be installed again.
        with contextlib.suppress(RuntimeError):
            self.run("dpkg", *self.options, "--configure", "--pending")
        found = {}
        query = self.run("dpkg-query", f"--root={self.root}", "-W", "-f", "${Package} ${db:Status-Status}\n")
        for line in query.splitlines():
            name, status = line.split()
            if status == "installed":
                with open(f"{self.root}{FILES}/{name.removeprefix('key-')}", encoding="utf-8") as file:
                    found[name.removeprefix("key-")] = file.read()
        return found

    def close(self):
        pass
