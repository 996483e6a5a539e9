#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""sqlite_engine.py FILE: SQLite as sqllogictest's external engine.

Requests and answers are JSON, one after the other: {"sql": ".."}, then {"result": [[".."], ..]} or {"err": ".."}.
"""

import codecs
import json
import os
import sqlite3
import sys


def text(value):
    """As sqllogictest prints values."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if value != "" else "(empty)"


def requests():
    """Nothing separates them, and a character may come in two parts."""
    decoder, characters, waiting = json.JSONDecoder(), codecs.getincrementaldecoder("utf-8")(), ""
    while part := os.read(0, 65536):
        waiting += characters.decode(part)
        while waiting:
            try:
                request, end = decoder.raw_decode(waiting)
            except json.JSONDecodeError:
                break
            waiting = waiting[end:].lstrip()
            yield request["sql"]


def answer(connection, sql):
    try:
        return {"result": [[text(value) for value in row] for row in connection.execute(sql).fetchall()]}
    except (sqlite3.Error, sqlite3.Warning) as error:
        return {"err": str(error)}


def main(path):
    # Each statement is a transaction.
    connection = sqlite3.connect(path, isolation_level=None)
    for sql in requests():
        print(json.dumps(answer(connection, sql)), flush=True)
    connection.close()


if __name__ == "__main__":
    main(sys.argv[1])
