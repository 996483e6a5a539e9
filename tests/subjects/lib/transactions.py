#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""transactions.py workload|check|resident STORE CONFIG [COUNT]: numbered transactions on any store of keys and values.

STORE is a Python file with a class Store:

    Store(directory, config)  opens it, with its own recovery; makes it if it is not there
    put(pairs)                writes a dict, and returns when that is durable as far as the store promises
    get()                     all that it holds, as a dict
    close()                   as a program that ends

and, where it differs:

    ATOMIC = True             put() is all or nothing
    REPLACES = True           there is a key whose value is replaced
    UNMADE = False            a store that was begun to be made may not open
    BYTES = 600               the length of a value
    BROKEN = ()               the exceptions by which it says that it is damaged, rather than that it can't be opened
    prepare()                 what the workload does at its begin
    verify()                  its own checker
    after(number)             what the workload does between a put() and its promise

The workload puts transaction 1, 2, .., and promises each when put() has returned. Transaction N has the key N, the key
N' if the store is atomic, and the key `newest`, whose value is N: so a check sees what is lost, what goes back,
and what is there in part.
"""

import glob
import importlib.util
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True

import verdict  # noqa: E402

COUNT = 6


def load(path):
    sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
    spec = importlib.util.spec_from_file_location("store", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def value(number, length):
    word = f"value {number} "
    return (word * (length // len(word) + 1))[:length]


def pairs(module, number):
    length = getattr(module, "BYTES", 600)
    entries = {f"{number:04}": value(number, length)}
    if getattr(module, "ATOMIC", True):
        entries[f"{number:04}'"] = value(number, length)
    if getattr(module, "REPLACES", True):
        entries["newest"] = str(number)
    return entries


def workload(module, config, count):
    store = module.Store(verdict.path("store"), config)
    if hasattr(store, "prepare"):
        store.prepare()
    for number in range(1, count + 1):
        entries = pairs(module, number)
        if getattr(module, "ATOMIC", True):
            store.put(entries)
        else:
            for key, text in entries.items():
                store.put({key: text})
        if hasattr(store, "after"):
            store.after(number)
        verdict.promise(number)
    store.close()


def held(module, config):
    """The store, opened, and what it holds."""
    try:
        store = module.Store(verdict.path("store"), config)
    except getattr(module, "BROKEN", ()) as error:
        verdict.violation(verdict.CORRUPT, f"{type(error).__name__}: {error}")
    except Exception as error:  # pylint: disable=broad-except
        verdict.violation(verdict.CLOSED, f"{type(error).__name__}: {error}")
    try:
        if hasattr(store, "verify"):
            store.verify()
        return store, store.get()
    except Exception as error:  # pylint: disable=broad-except
        verdict.violation(verdict.CORRUPT, f"{type(error).__name__}: {error}")


def number_of(key, text):
    """The transaction that wrote an entry; 0 if none can have."""
    digits = text if key == "newest" else key.rstrip("'")
    return int(digits) if digits.isdigit() else 0


def is_written(key, text, count, length):
    """Whether a transaction writes this."""
    number = number_of(key, text)
    return 1 <= number <= count and (key == "newest" or text == value(number, length))


def check(module, config, count):
    last = max(map(int, verdict.promised()), default=0)
    if not glob.glob(verdict.path("store*")):
        if last:
            verdict.violation(verdict.LOST, "there is no store")
        return
    if not last and getattr(module, "UNMADE", False):
        # That a store is made at all was not promised yet.
        return
    store, found = held(module, config)
    length = getattr(module, "BYTES", 600)
    for key, text in found.items():
        # What was begun, and not promised, may be there in part, unless the store says that it can't.
        if not is_written(key, text, count, length) and (getattr(module, "ATOMIC", True) or number_of(key, text) <= last):
            verdict.violation(verdict.CORRUPT, f"{key} is {text[:40]!r} of {len(text)} bytes")
    for number in range(1, last + 1):
        if f"{number:04}" not in found:
            verdict.violation(verdict.LOST, f"transaction {number} of {last}")
    if getattr(module, "REPLACES", True):
        newest = number_of("newest", found.get("newest", "0"))
        if newest < last:
            verdict.violation(verdict.BACK, f"to transaction {newest} of {last}")
    if getattr(module, "ATOMIC", True):
        for number in range(1, count + 1):
            entries = pairs(module, number)
            there = [key for key in entries if key != "newest" and key in found]
            parts = len([key for key in entries if key != "newest"])
            if there and (len(there) < parts or (getattr(module, "REPLACES", True) and newest < number)):
                verdict.violation(verdict.PARTIAL, f"transaction {number}: {', '.join(there)} alone")
    if not found and hasattr(store, "prepare"):
        # It may not be prepared for that yet.
        return
    try:
        store.put({"newest": str(count)} if getattr(module, "REPLACES", True) else {f"{count + 1:04}": value(count + 1, length)})
        store.close()
    except Exception as error:  # pylint: disable=broad-except
        verdict.violation(verdict.STUCK, f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    what, path, config, *more = sys.argv[1:]
    arguments = (load(path), config, int(more[0]) if more else COUNT)
    if what == "resident":
        verdict.resident(lambda: check(*arguments))
    else:
        {"workload": workload, "check": check}[what](*arguments)
