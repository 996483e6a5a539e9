# SPDX-License-Identifier: GPL-2.0
"""The fixture."""

import pytest

from .crash import CrashTest


@pytest.fixture
def powercut(tmp_path):
    """Explores a workload, and fails the test if a legal crash state violates the check."""
    return CrashTest(tmp_path / "powercut")
