# SPDX-License-Identifier: GPL-2.0
"""git: a commit for each transaction; CONFIG is BACKEND/FSYNC, with `+dir` if the caller syncs the directories of refs.

BACKEND is files or reftable, FSYNC the value of core.fsync, or default. With GIT another git is tried.
"""

import glob
import os
import subprocess

ATOMIC = True
# A repository that is being made is none yet.
UNMADE = True
ENVIRONMENT = {
    **os.environ, "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a",
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
}


class Store:
    def __init__(self, directory, config):
        self.directory = directory
        self.syncs = config.endswith("+dir")
        backend, fsync = config.removesuffix("+dir").split("/")
        self.options = [] if fsync == "default" else ["-c", f"core.fsync={fsync}"]
        if not os.path.exists(directory):
            os.mkdir(directory)
            self.git("init", "--quiet", "--initial-branch=main", f"--ref-format={backend}")
            os.sync()
        self.git("rev-parse", "--git-dir")

    def git(self, *words, is_text=True):
        done = subprocess.run([os.environ.get("GIT", "git"), *self.options, *words], cwd=self.directory, env=ENVIRONMENT, capture_output=True,
                              text=is_text, check=False)
        if done.returncode:
            raise RuntimeError(f"git {words[0]}: {done.stderr or done.stdout}")
        return done.stdout

    def put(self, pairs):
        # What a git that was killed left: it asks its user to remove it.
        for lock in glob.glob(f"{self.directory}/.git/**/*.lock", recursive=True):
            os.unlink(lock)
        for key, value in pairs.items():
            with open(os.path.join(self.directory, key), "w", encoding="utf-8") as file:
                file.write(value)
        self.git("add", *pairs)
        self.git("commit", "--quiet", "--allow-empty", "-m", "transaction")
        if self.syncs:
            for name in ("refs/heads", "reftable", "."):
                path = os.path.join(self.directory, ".git", name)
                if os.path.isdir(path):
                    handle = os.open(path, os.O_RDONLY)
                    os.fsync(handle)
                    os.close(handle)

    def verify(self):
        self.git("fsck", "--full", "--strict", "--no-dangling")

    def get(self):
        try:
            self.git("rev-parse", "--verify", "main")
        except RuntimeError:
            return {}
        names = self.git("ls-tree", "--name-only", "-z", "main").split("\0")
        return {name: self.git("show", f"main:{name}") for name in names if name}

    def close(self):
        pass
