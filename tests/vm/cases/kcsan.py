# SPDX-License-Identifier: GPL-2.0
"""The kernel with KCSAN sees the driver's races: those made for it, and no others."""

import glob
import os
import subprocess

from cases.stress import BYTES, Device, together, until
from lib.disk import Disk
from lib.tap import Skip, equal, note, test

STATE = "/sys/kernel/debug/kcsan"
RUN = "/sys/kernel/debug/kunit/powercut_races/run"
SUITES = "/sys/kernel/debug/kunit/powercut*/results"


def reports(*functions):
    """How many reports name the functions, as the first of two accesses or the second."""
    if not os.path.exists(STATE):
        raise Skip("the kernel has no KCSAN")
    log = subprocess.run(["dmesg"], stdout=subprocess.PIPE, text=True, check=True).stdout
    titles = [line for line in log.splitlines() if "BUG: KCSAN: " in line]
    return sum(all(function in title for function in functions) for title in titles)


# Whether two accesses meet is chance, on a busy host more than on others.
TRIES = 10


def reports_of_suite(*functions):
    """Likewise, of the suite of races, which is run again until there is one."""
    for _ in range(TRIES):
        count = reports(*functions)
        if count:
            break
        with open(RUN, "w", encoding="utf-8") as file:
            file.write("1")
    note(f"{count} reports")
    return count


@test("the suites of the module have passed under it")
def suites():
    if not os.path.exists(STATE):
        raise Skip("the kernel has no KCSAN")
    results = ""
    for path in glob.glob(SUITES):
        with open(path, encoding="utf-8") as file:
            results += file.read()
    cases = [line.split()[0] for line in results.splitlines() if line.startswith("    ") and " ok " in f" {line}"]
    note(f"{len(cases)} cases in {len(glob.glob(SUITES))} suites")
    assert len(cases) > 100, "the suites were not run (kunit.enable=1 kunit.autorun=1)"
    assert "not ok" not in results, results


@test("it reports a counter that two threads count with, in Rust")
def counter():
    assert reports_of_suite("powercut_race_counter")


@test("it reports what is published without Release, in Rust, and only that")
def publish():
    count = reports_of_suite("powercut_race_publish", "powercut_race_take")
    assert count
    equal(reports("powercut_race_take"), count, "reports of what is taken")


@test("it reports who write the same sectors in place, in C, which is no fault")
def sectors():
    def write(byte):
        with Device(disk.device) as device:
            for _ in until(15):
                for page in range(8):
                    device.write(page, byte * BYTES)

    before = reports("powercut_memcpy_from_bvec")
    with Disk() as disk:
        with Device(disk.device) as device:
            for page in range(8):
                device.write(page, BYTES)
        together(lambda: write(1), lambda: write(2))
        with Device(disk.device) as device:
            for page in range(8):
                assert set(device.raw(page)) <= {1, 2}
    count = reports("powercut_memcpy_from_bvec") - before
    note(f"{count} reports")
    assert count
