# SPDX-License-Identifier: GPL-2.0
"""python -m pytest_powercut ROLE FILE FUNCTION: calls a workload or a check; the `powercut` command runs this."""

import importlib.util
import sys
import traceback

from .disk import Checked, Recorded


def main(role, path, function):
    """Calls the function of the file; the exit status."""
    spec = importlib.util.spec_from_file_location("__powercut__", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    try:
        getattr(module, function)(Recorded() if role == "workload" else Checked())
    except AssertionError as error:
        # Violations are sorted by what is printed: the line, and what was asserted.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        sys.exit(f"{frame.name}: {frame.line}{f': {error}' if str(error) else ''}")


if __name__ == "__main__":
    main(*sys.argv[1:])
