# SPDX-License-Identifier: GPL-2.0
"""Redis with an append-only file; CONFIG is appendfsync: always, everysec, no."""

import contextlib
import os
import shutil
import socket

import server

ATOMIC = True


class Store:
    def __init__(self, directory, config):
        if not os.path.exists(directory):
            os.mkdir(directory)
            shutil.chown(directory, "redis", "redis")
        self.path = os.path.join(server.runtime("redis"), "socket")
        self.server = server.Server(
            "redis", "redis-server", "--port", "0", "--unixsocket", self.path, "--dir", directory, "--save", "",
            "--appendonly", "yes", "--appendfsync", config)
        self.stream = self.server.wait_until(self.connected)

    def connected(self):
        connection = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError, RuntimeError):
            connection.connect(self.path)
            self.stream = connection.makefile("rwb")
            if self.call("PING") == "PONG":
                return self.stream
        connection.close()
        return None

    def call(self, *words):
        """One command; its answer: a text, a list of them, or None where there is no value."""
        self.stream.write(b"*%d\r\n" % len(words))
        for word in words:
            data = str(word).encode()
            self.stream.write(b"$%d\r\n%s\r\n" % (len(data), data))
        self.stream.flush()
        return self.answer()

    def answer(self):
        line = self.stream.readline().decode().rstrip()
        if line.startswith("-"):
            raise RuntimeError(line)
        if line.startswith("*"):
            return [self.answer() for _ in range(int(line[1:]))]
        if line.startswith("$"):
            length = int(line[1:])
            return None if length < 0 else self.stream.read(length + 2)[:-2].decode()
        return line[1:]

    def put(self, pairs):
        self.call("MULTI")
        for key, value in pairs.items():
            self.call("SET", key, value)
        self.call("EXEC")

    def get(self):
        return {key: self.call("GET", key) for key in self.call("KEYS", "*")}

    def close(self):
        self.server.kill()
