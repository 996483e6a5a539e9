# SPDX-License-Identifier: GPL-2.0
"""etcd, one member; CONFIG is default, or unsafe-no-fsync."""

import base64
import contextlib
import http.client
import json
import os

import server

ATOMIC = True


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def decoded(text):
    return base64.b64decode(text).decode()


class Store:
    def __init__(self, directory, config):
        self.port = 2379 + 2 * server.slot()
        os.makedirs(directory, mode=0o700, exist_ok=True)
        client, peer = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.port + 1}"
        self.server = server.Server(
            "root", "etcd", "--data-dir", directory, "--name", "one", "--listen-client-urls", client,
            "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"one={peer}", "--force-new-cluster" if os.listdir(directory) else "--logger=zap",
            *(["--unsafe-no-fsync"] if config == "unsafe-no-fsync" else []))
        self.server.wait_until(self.healthy)

    def healthy(self):
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError, RuntimeError):
            return self.call("/v3/kv/range", {"key": encoded("newest")}) is not None
        return False

    def call(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("POST", path, json.dumps(body))
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(text.decode())
        return json.loads(text)

    def put(self, pairs):
        self.call("/v3/kv/txn", {"success": [
            {"requestPut": {"key": encoded(key), "value": encoded(value)}} for key, value in pairs.items()]})

    def get(self):
        # All keys: from the first possible one on.
        found = self.call("/v3/kv/range", {"key": "AA==", "range_end": "AA=="})
        return {decoded(pair["key"]): decoded(pair["value"]) for pair in found.get("kvs", [])}

    def close(self):
        self.server.kill()
