# SPDX-License-Identifier: GPL-2.0
"""What a workload and a check see of the disk."""

import os
from pathlib import Path


class Mounted:
    """A filesystem, mounted."""

    @property
    def mount(self):
        """Where it is mounted."""
        return Path(os.environ["POWERCUT_MNT"])


class Recorded(Mounted):
    """The disk that a workload writes to."""

    def promise(self, what):
        """Promises something to the user: from here on, what it stands for has to survive. One line."""
        if not str(what) or "\n" in str(what):
            raise ValueError(f"a promise is one line that is not empty: {what!r}")
        descriptor = os.open(os.environ["POWERCUT_MARK"], os.O_WRONLY | os.O_APPEND)
        try:
            # In one write: a line is a mark.
            os.write(descriptor, f"{what}\n".encode())
        finally:
            os.close(descriptor)


class Checked(Mounted):
    """A state that the disk may be in after a power failure."""

    @property
    def slot(self):
        """A number that no other check has at the same time: for ports."""
        return int(os.environ.get("POWERCUT_SLOT", "0"))

    def promises(self):
        """What was promised before the power failed, in order."""
        return Path(os.environ["POWERCUT_MARKS"]).read_text(encoding="utf-8").splitlines()
