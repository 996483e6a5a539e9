# SPDX-License-Identifier: GPL-2.0
"""rrdcached with a journal: an update of a round-robin database; CONFIG is journal, or flush, which asks for FLUSH after each."""

import os
import socket
import subprocess

import server

ATOMIC = False
REPLACES = False
STEP_SECONDS = 10
BEGIN = 1700000000
FILE = "values.rrd"


class Store:
    def __init__(self, directory, config):
        self.flushes = config == "flush"
        if not os.path.exists(directory):
            for name in ("", "rrd", "journal"):
                os.mkdir(os.path.join(directory, name))
            self.rrdtool("create", f"{directory}/rrd/{FILE}", "--start", str(BEGIN), "--step", str(STEP_SECONDS),
                         "DS:value:GAUGE:1000:0:U", "RRA:LAST:0.5:1:100")
            os.sync()
        self.file = f"{directory}/rrd/{FILE}"
        runtime = server.runtime("root")
        self.path = os.path.join(runtime, "socket")
        self.server = server.Server(
            "root", "rrdcached", "-g", "-l", f"unix:{self.path}", "-p", f"{runtime}/pid", "-j", f"{directory}/journal",
            "-b", f"{directory}/rrd", "-w", "3600", "-f", "7200")
        self.stream = self.server.wait_until(self.connected)

    def connected(self):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(self.path)
        except OSError:
            connection.close()
            return None
        return connection.makefile("rw")

    def rrdtool(self, *words):
        done = subprocess.run(["rrdtool", *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"rrdtool {words[0]}: {done.stderr}")
        return done.stdout

    def call(self, text):
        self.stream.write(text + "\n")
        self.stream.flush()
        answer = self.stream.readline()
        if not answer.startswith("0"):
            raise RuntimeError(f"{text}: {answer}")

    def put(self, pairs):
        for key in pairs:
            self.call(f"UPDATE {FILE} {BEGIN + STEP_SECONDS * int(key)}:{int(key)}")
            if self.flushes:
                self.call(f"FLUSH {FILE}")
                handle = os.open(self.file, os.O_RDONLY)
                os.fsync(handle)
                os.close(handle)

    def get(self):
        self.call(f"FLUSH {FILE}")
        from transactions import value  # what a number stands for
        found = {}
        for line in self.rrdtool("fetch", self.file, "LAST", "--start", str(BEGIN), "--end", str(BEGIN + 10 * STEP_SECONDS)).splitlines():
            when, colon, number = line.partition(":")
            if colon and "nan" not in number:
                key = (int(when) - BEGIN) // STEP_SECONDS
                found[f"{key:04}"] = value(round(float(number)), 600)
        return found

    def close(self):
        # In good order: what it has not written yet is lost by a kill, too.
        self.server.process.terminate()
        self.server.process.wait()
