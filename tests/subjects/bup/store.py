# SPDX-License-Identifier: GPL-2.0
"""bup: a save for each transaction; CONFIG is save, or synced, with sync(1) after it."""

import os
import shutil
import subprocess
import tempfile

ATOMIC = True


class Store:
    def __init__(self, directory, config):
        self.synced = config == "synced"
        self.environment = {**os.environ, "BUP_DIR": directory}
        self.files = tempfile.mkdtemp(dir="/run")
        if not os.path.exists(directory):
            self.bup("init")
            os.sync()
        self.bup("ls")

    def bup(self, *words):
        done = subprocess.run(["bup", *words], env=self.environment, cwd="/", capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"bup {words[0]}: {done.stderr}")
        return done.stdout

    def put(self, pairs):
        for key, value in pairs.items():
            with open(os.path.join(self.files, key), "w", encoding="utf-8") as file:
                file.write(value)
        index = f"--indexfile={self.files}.index"
        self.bup("index", index, self.files)
        self.bup("save", "-q", index, "-n", "main", "--strip", self.files)
        if self.synced:
            os.sync()

    def verify(self):
        self.bup("fsck", "--quick")

    def get(self):
        if "main" not in self.bup("ls"):
            return {}
        target = tempfile.mkdtemp(dir="/run")
        self.bup("restore", "-q", "-C", target, "/main/latest/.")
        found = {}
        for name in os.listdir(target):
            with open(os.path.join(target, name), encoding="utf-8") as file:
                found[name] = file.read()
        # The next save is of all that was saved before.
        for name, value in found.items():
            with open(os.path.join(self.files, name), "w", encoding="utf-8") as file:
                file.write(value)
        shutil.rmtree(target)
        return found

    def close(self):
        pass
