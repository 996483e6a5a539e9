# SPDX-License-Identifier: GPL-2.0
"""PostgreSQL; CONFIG is default, or settings that are set otherwise, NAME=VALUE with a comma between them."""

import glob
import signal
import subprocess

import server
import verdict

ATOMIC = True
BIN = max(glob.glob("/usr/lib/postgresql/*/bin"))
AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")


class Store:
    def __init__(self, directory, config):
        settings = [] if config == "default" else config.split(",")
        self.directory = directory
        self.sockets = server.runtime("postgres")
        self.server = server.Server(
            "postgres", f"{BIN}/postgres", "-D", directory, "-k", self.sockets, "-c", "listen_addresses=",
            "-c", "autovacuum=off", *(word for setting in settings for word in ("-c", setting)))
        self.server.wait_until(lambda: self.run("psql", "-XAtc", "select 1", "postgres").returncode == 0)

    def run(self, program, *words, data=None):
        return subprocess.run([*AS_POSTGRES, f"{BIN}/{program}", "-h", self.sockets, *words], input=data, cwd="/",
                              capture_output=True, text=True, check=False)

    def sql(self, text):
        done = self.run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "postgres", data=text)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def prepare(self):
        self.sql("create table pairs (key text primary key, value text)")

    def put(self, pairs):
        words = (f"insert into pairs values ('{key.replace(chr(39), chr(39) * 2)}', '{value}') "
                 "on conflict (key) do update set value = excluded.value;" for key, value in pairs.items())
        self.sql(f"begin; {' '.join(words)} commit;")

    def is_made(self):
        return self.sql("select to_regclass('pairs') is not null") == "t\n"

    def verify(self):
        if not self.is_made():
            return
        done = self.run("pg_amcheck", "--install-missing", "--heapallindexed", "--no-strict-names", "-t", "pairs", "postgres")
        if done.returncode:
            raise RuntimeError(f"pg_amcheck: {done.stdout} {done.stderr}")

    def get(self):
        if not self.is_made():
            return {}
        return dict(line.split("|") for line in self.sql("select key, value from pairs").splitlines())

    def close(self):
        # In good order: with synchronous_commit=off a kill loses what is not written yet, too.
        self.server.process.send_signal(signal.SIGINT)
        self.server.process.wait()
        done = subprocess.run([*AS_POSTGRES, f"{BIN}/pg_checksums", "--check", "-D", self.directory], cwd="/", capture_output=True, text=True,
                              check=False)  # fmt: skip
        if done.returncode:
            verdict.violation(verdict.CORRUPT, f"pg_checksums: {done.stderr or done.stdout}")

