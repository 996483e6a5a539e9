# SPDX-License-Identifier: GPL-2.0
"""sqllogictest: files of SQL with the results that it should have, on PostgreSQL and on SQLite. A test is a file.

The files were written for another database, whose dialect these two do not speak throughout. So they are adapted first: run on
a RAM filesystem, where sqllogictest itself writes down what the engine answers there. What is tried is whether it answers the same on a disk.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
from contextlib import contextmanager
from pathlib import Path

from server import Server
from verdict import FAILED, PASSED

ENGINE = Path(__file__).resolve().parent / "sqlite_engine.py"
LIMIT_SECONDS = 1800
# Where the files are that an engine's answers were written to.
ADAPTED = {}


class Sqlite:
    """A file for each database, which is there once it is opened."""

    def __init__(self, directory):
        self.directory = directory

    def words(self):
        command = f"{sys.executable} {ENGINE} {shlex.quote(self.directory)}/{{db}}.db"
        return ("--engine", "external", "--external-engine-command-template", command, "--label", "sqlite")

    def create(self, _):
        """Nothing is to be done."""


class Postgresql:
    def __init__(self, server):
        self.server = server

    def words(self):
        return ("--engine", "postgres", "--host", self.server.sockets, "--user", "postgres", "--label", "postgres")

    def create(self, database):
        subprocess.run(self.server.psql(f'create database "{database}"'), check=True, cwd="/")


@contextmanager
def opened(name, directory):
    if name == "SQLite":
        yield Sqlite(directory)
    else:
        with Server(directory) as server:
            yield Postgresql(server)


def run(suites, engine, words, directory):
    line = (f"{suites}/sqllogictest/bin/sqllogictest", "--color", "never", *engine.words(), *words)
    return subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          cwd=directory, check=False, timeout=LIMIT_SECONDS)  # fmt: skip


def files(directory):
    """What has an underscore in front is included by others."""
    return sorted(str(path.relative_to(directory)) for path in Path(directory).rglob("*.slt") if not path.name.startswith("_"))


def adapt(suites, name):
    """The directory of the files that expect what the engine answers on a RAM filesystem."""
    directory = tempfile.mkdtemp(dir="/run")
    # The server has to read what is copied from.
    os.chmod(directory, 0o755)
    shutil.copytree(f"{suites}/sqllogictest/files", f"{directory}/files")
    os.mkdir(f"{directory}/data")
    with opened(name, f"{directory}/data") as engine:
        for number, path in enumerate(files(f"{directory}/files")):
            engine.create(f"adapt{number}")
            run(suites, engine, ("--override", "--db", f"adapt{number}", path), f"{directory}/files")
    shutil.rmtree(f"{directory}/data")
    return f"{directory}/files"


def parse(text):
    """What its JUnit file says of each test."""
    results = {}
    for case in xml.etree.ElementTree.fromstring(text).iter("testcase"):
        failure = case.find("failure")
        if failure is None:
            failure = case.find("error")
        reason = "" if failure is None else f"{failure.get('message', '')} {failure.text or ''} {case.findtext('system-err', '')}"
        results[case.get("name")] = (PASSED if failure is None else FAILED, re.sub(r"\s+", " ", reason).strip()[:1000])
    return results


def suite(name):
    """That of an engine: PostgreSQL or SQLite."""

    def tried(place, suites):
        if name not in ADAPTED:
            ADAPTED[name] = adapt(suites, name)
        with tempfile.TemporaryDirectory() as scratch, opened(name, place.mnt) as engine:
            done = run(suites, engine, ("--jobs", "1", "--junit", f"{scratch}/found", "**/[!_]*.slt"), ADAPTED[name])
            path = Path(f"{scratch}/found-junit.xml")
            assert path.exists(), f"status {done.returncode}\n{done.stdout[-2000:]}"
            return parse(path.read_text(encoding="utf-8"))

    return tried
