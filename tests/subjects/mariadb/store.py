# SPDX-License-Identifier: GPL-2.0
"""MariaDB with InnoDB; CONFIG is the options that are set otherwise, NAME=VALUE with a comma between them, or default."""

import os
import subprocess

import server

ATOMIC = True
# A server whose first start was cut does not start again ("Can't init tc log"), till tc.log is removed.
UNMADE = True
OPTIONS = ("--innodb-log-file-size=4M", "--innodb-buffer-pool-size=16M", "--innodb-temp-data-file-path=ibtmp1:4M:autoextend",
           # In seconds; the largest value. With the default, 1, a slow machine syncs before the controls can lose anything.
           "--innodb-flush-log-at-timeout=2700",
           "--skip-networking", "--skip-log-bin", "--aria-pagecache-buffer-size=8M", "--key-buffer-size=8M")


class Store:
    def __init__(self, directory, config):
        settings = [] if config == "default" else [f"--{setting}" for setting in config.split(",")]
        runtime = server.runtime("mysql")
        self.socket = os.path.join(runtime, "socket")
        self.server = server.Server(
            "mysql", "mariadbd", "--no-defaults", f"--datadir={directory}", f"--socket={self.socket}",
            f"--pid-file={runtime}/pid", f"--tmpdir={runtime}", *OPTIONS, *settings)
        self.server.wait_until(lambda: self.run("select 1").returncode == 0)

    def run(self, text):
        return subprocess.run(["mariadb", "--no-defaults", f"--socket={self.socket}", "-NB", "test"], input=text,
                              capture_output=True, text=True, check=False)

    def sql(self, text):
        done = self.run(text)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def prepare(self):
        self.sql("create table pairs (name varchar(20) primary key, value text) engine=innodb")

    def put(self, pairs):
        rows = (f"replace into pairs values ('{key.replace(chr(39), chr(39) * 2)}', '{value}');" for key, value in pairs.items())
        self.sql(f"begin; {' '.join(rows)} commit;")

    def verify(self):
        found = self.sql("check table pairs extended")
        if not found.rstrip().endswith("OK") and "doesn't exist" not in found:
            raise RuntimeError(found)

    def get(self):
        if not self.sql("show tables like 'pairs'"):
            return {}
        return dict(line.split("\t") for line in self.sql("select name, value from pairs").splitlines())

    def close(self):
        # In good order: with innodb_flush_log_at_trx_commit=0 a kill loses what is not written yet, too.
        self.server.process.terminate()
        self.server.process.wait()

