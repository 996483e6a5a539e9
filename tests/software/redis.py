# SPDX-License-Identifier: GPL-2.0
"""A Redis server of its own user, and what little of its protocol the test needs."""

import contextlib
import os
import socket
import shutil
import subprocess
import tempfile
import time


class Redis:
    def __init__(self, connection):
        self.stream = connection.makefile("rwb")

    def call(self, *words):
        """One command; its answer: a text, or None where there is no value."""
        self.stream.write(b"*%d\r\n" % len(words))
        for word in words:
            data = str(word).encode()
            self.stream.write(b"$%d\r\n%s\r\n" % (len(data), data))
        self.stream.flush()
        line = self.stream.readline().decode().rstrip()
        if line.startswith("$"):
            size = int(line[1:])
            return None if size < 0 else self.stream.read(size + 2)[:-2].decode()
        return line[1:]


def connect(server, path):
    while server.poll() is None:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
            time.sleep(0.02)
            continue
        redis = Redis(connection)
        while redis.call("PING") != "PONG":
            time.sleep(0.02)
        return redis
    raise SystemExit(f"redis-server did not start: status {server.returncode}")


@contextlib.contextmanager
def running(appendfsync):
    """A server on $POWERCUT_MNT/redis, which is killed in the end: it saves nothing then."""
    directory = os.path.join(os.environ["POWERCUT_MNT"], "redis")
    runtime = tempfile.mkdtemp()
    shutil.chown(runtime, "redis", "redis")
    path = os.path.join(runtime, "socket")
    server = subprocess.Popen(
        ["setpriv", "--reuid=redis", "--regid=redis", "--init-groups",
         "redis-server", "--port", "0", "--unixsocket", path, "--dir", directory, "--save", "",
         "--appendonly", "yes", "--appendfsync", appendfsync, "--loglevel", "warning"],
        stdout=2)
    try:
        yield connect(server, path)
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(runtime)
