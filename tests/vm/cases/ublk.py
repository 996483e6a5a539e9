# SPDX-License-Identifier: GPL-2.0
"""States that the command serves by ublk are those that the module shows: the tests of nbd.py, for ublk."""

from cases.nbd import all_of
from lib.tap import LIMIT, test


def test_of_ublk(what, *args, limit=LIMIT):
    """Registers a function of another file as a test of this one."""

    def register(function):
        def of_ublk(*given):
            function(*given)

        test(what, *args, limit=limit)(of_ublk)
        return function

    return register


all_of(test_of_ublk, "ublk")
