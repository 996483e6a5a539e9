# SPDX-License-Identifier: GPL-2.0
"""An example: a file that is saved by rename, as it is sound and as it is not."""

import os

import pytest

from pytest_powercut import Violations


def save(disk, version, sync):
    """Saves the settings."""
    with open(disk.mount / "new", "w", encoding="ascii") as file:
        file.write(f"version {version} {'x' * 2000}.")
        if sync:
            file.flush()
            os.fsync(file.fileno())
    os.rename(disk.mount / "new", disk.mount / "settings")
    if sync:
        directory = os.open(disk.mount, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
    disk.promise(version)


def with_sync(disk):
    for version in range(1, 4):
        save(disk, version, True)


def without_sync(disk):
    for version in range(1, 4):
        save(disk, version, False)


def newest_is_there(disk):
    promised = [int(line) for line in disk.promises()]
    if not promised:
        return
    text = (disk.mount / "settings").read_text(encoding="ascii")
    assert text.endswith("."), "the settings are torn"
    assert int(text.split()[1]) >= promised[-1], "the settings are older than was promised"


def test_settings_that_are_synced_survive(powercut):
    report = powercut(with_sync, newest_is_there, size="16M", budget=60)
    assert report.json["coverage"]["checked"] > 10


def test_settings_that_are_not_synced_are_lost(powercut):
    with pytest.raises(Violations, match="see it again"):
        powercut(without_sync, newest_is_there, size="16M", budget=60)
