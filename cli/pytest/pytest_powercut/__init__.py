# SPDX-License-Identifier: GPL-2.0
"""Crash tests under pytest: the fixture `powercut`.

    def workload(disk):
        path = disk.mount / "settings"
        with open(path, "w") as file:
            file.write("dark")
            os.fsync(file.fileno())
        disk.promise("settings")

    def check(disk):
        for name in disk.promises():
            assert (disk.mount / name).read_text() == "dark"

    def test_settings_survive(powercut):
        powercut(workload, check, fs="ext4", budget=100)

What the workload writes is recorded on a disk whose power can be cut; every state that the disk may
legally be in afterwards is shown to the check, until the budget is spent. Both are functions of a module,
called in processes of their own. Keywords are the options of `powercut run`.

Where no powercut module is loaded, a virtual machine is started by `scripts/vm --host-root`, whose path is in
the variable POWERCUT_TEST_VM. Without module and variable the test fails and says so.
"""

from .crash import CrashTest, Report, Violations
from .disk import Checked, Recorded

__all__ = ["Checked", "CrashTest", "Recorded", "Report", "Violations"]
