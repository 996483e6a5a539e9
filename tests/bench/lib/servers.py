# SPDX-License-Identifier: GPL-2.0
"""7. Recorders and servers side by side, in one boot: what a write, a mark and a crash state cost (docs/backends.md)."""

import json
import os
import subprocess
import sys
import tempfile
import time

if __package__:
    from .sh import TOOL, run, say
else:
    from sh import TOOL, run, say

BACKENDS = ("module", "nbd", "ublk")
MIB = 1 << 20
WRITES = 4000
# Writes between two flushes.
FLUSH = 64
MARKS = 100
STATES = 60
SAVE = "cd $POWERCUT_MNT; for n in 1 2 3 4 5 6 7 8; do echo $n >new; sync new; mv new $n; sync .; echo $n >>$POWERCUT_MARK; done"


def powercut(*words):
    return json.loads(run("powercut", *words, "--json"))


def workload(out):
    """Runs as the workload: writes, the second time over, and marks."""
    fill = (TOOL, "fill", os.environ["POWERCUT_DEV"], "0", str(8 * MIB), str(WRITES), str(FLUSH))
    for _ in range(2):
        told = json.loads(subprocess.run(fill, check=True, stdout=subprocess.PIPE).stdout)
    began = time.monotonic_ns()
    for number in range(MARKS):
        with open(os.environ["POWERCUT_MARK"], "a", encoding="ascii") as file:
            file.write(f"{number}\n")
    marks = time.monotonic_ns() - began
    with open(out, "w", encoding="ascii") as file:
        json.dump({"write_ns": told["ns"] // WRITES, "mark_ns": marks // MARKS}, file)


def recorder(backend, own):
    out = f"{own}/{backend}"
    powercut("run", "--fs", "none", "--size", "16M", "--backend", backend, "--record-only", "--check", "true", "--no-baseline",
             "--workload", f"{sys.executable} {os.path.realpath(__file__)} {out}.ns", "--report", out)
    with open(f"{out}.ns", encoding="ascii") as file:
        return json.load(file)


def server(backend, record, mount):
    """The nanoseconds that a state takes, with a check that does nothing. The second time counts."""
    for _ in range(2):
        report = powercut("explore", "--recording", record, "--backend", backend, "--mount", mount, "--check", "true",
                          "--no-baseline", "--budget", STATES, "--jobs", 1)
    return int(report["seconds"]["explore"] * 1e9) // report["coverage"]["checked"]


def measure():
    with tempfile.TemporaryDirectory() as own:
        record = f"{own}/record"
        powercut("run", "--fs", "ext4", "--size", "16M", "--workload", SAVE, "--check", "true", "--record-only", "--report", record)
        for backend in BACKENDS:
            say(f"servers: {backend}")
            yield {"section": "servers", "backend": backend, **recorder(backend, own),
                   "state_ns": server(backend, record, "none"), "mounted_ns": server(backend, record, "ext4")}


if __name__ == "__main__":
    workload(sys.argv[1])
