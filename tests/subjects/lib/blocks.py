#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""blocks.py setup|workload|check|cleanup STACK CONFIG: numbered versions of the blocks of a device that is made of others.

STACK is a Python file with format(config), which makes it; assemble(name, config), which returns the device's path;
and release(name), which takes it apart. Each version of the blocks is written directly, synced and promised. The cleanup
is for a check that was killed: such devices are the machine's, and do not go with the check.
"""

import importlib.util
import mmap
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True

import verdict  # noqa: E402

BLOCK = 4096
BLOCKS = 6
VERSIONS = 3


def run(*words, data=None):
    """A command of the machine; what it says if it fails is the error."""
    done = subprocess.run([str(word) for word in words], input=data, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{words[0]} {words[1] if len(words) > 1 else ''}: status {done.returncode}: {done.stderr or done.stdout}")
    return done.stdout


def load(path):
    sys.modules["blocks"] = sys.modules[__name__]
    spec = importlib.util.spec_from_file_location("stack", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def content(block, version):
    word = f"block {block} version {version} ".encode()
    return (word * (BLOCK // len(word) + 1))[:BLOCK]


def place(block):
    """Far from each other, so that each is in a stripe or region of its own."""
    return block * 64 * BLOCK


def put(device, version):
    handle = os.open(device, os.O_RDWR | os.O_DIRECT)
    with mmap.mmap(-1, BLOCK) as page:
        for block in range(BLOCKS):
            page.seek(0)
            page.write(content(block, version))
            os.pwrite(handle, page, place(block))
    os.fsync(handle)
    os.close(handle)


def name():
    return f"subject-{os.environ.get('POWERCUT_SLOT', 'w')}"


def setup(stack, config):
    stack.format(config)
    device = stack.assemble(name(), config)
    try:
        put(device, 0)
    finally:
        stack.release(name())


def workload(stack, config):
    device = stack.assemble(name(), config)
    try:
        for version in range(1, VERSIONS + 1):
            put(device, version)
            verdict.promise(version)
    finally:
        stack.release(name())


def read(device, block):
    handle = os.open(device, os.O_RDONLY)
    try:
        return os.pread(handle, BLOCK, place(block))
    finally:
        os.close(handle)


def judge(device, last):
    for block in range(BLOCKS):
        try:
            found = read(device, block)
        except OSError as error:
            verdict.violation(verdict.CORRUPT, f"block {block}: {error.strerror}")
        version = next((version for version in range(VERSIONS + 1) if found == content(block, version)), None)
        if version is None:
            verdict.violation(verdict.CORRUPT, f"block {block} is no version of it")
        if version < last:
            verdict.violation(verdict.BACK, f"block {block} to version {version} of {last}")
    try:
        put(device, VERSIONS)
    except OSError as error:
        verdict.violation(verdict.STUCK, error.strerror)


def check(stack, config):
    last = max(map(int, verdict.promised()), default=0)
    try:
        try:
            device = stack.assemble(name(), config)
        except RuntimeError as error:
            verdict.violation(verdict.CLOSED, error)
        judge(device, last)
    finally:
        stack.release(name())


if __name__ == "__main__":
    what, path, config = sys.argv[1:]
    stack = load(path)
    if what == "cleanup":
        stack.release(name())
    else:
        {"setup": setup, "workload": workload, "check": check}[what](stack, config)
