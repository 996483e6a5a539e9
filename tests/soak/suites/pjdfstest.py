# SPDX-License-Identifier: GPL-2.0
"""pjdfstest: what POSIX says of the calls of a filesystem, a test each."""

import os
import re
import subprocess
import tempfile

from verdict import FAILED, PASSED, SKIPPED

LIMIT_SECONDS = 1200
# Users that Debian has, whose groups have other names. What is left out are features that Linux has not: file flags, NFSv4's lists.
SETTINGS = """[features]
posix_fallocate = {}
rename_ctime = {}
utime_now = {}
utimensat = {}
[settings]
naptime = 0.02
allow_remount = true
[dummy_auth]
entries = [["nobody", "nogroup"], ["daemon", "daemon"]]
"""
WORDS = {"ok": PASSED, "FAILED": FAILED, "skipped": SKIPPED}
LINE = re.compile(r"(\S+::\S+)\s+(ok|FAILED|skipped)$")


def parse(text):
    """The lines after that of a test say why."""
    results, name = {}, None
    for line in text.splitlines():
        found = LINE.match(line)
        if found:
            name = found[1]
            results[name] = (WORDS[found[2]], "")
        elif name and line.startswith("\t"):
            verdict, reason = results[name]
            results[name] = (verdict, f"{reason} {line.strip()}".strip())
    return results


def suite(place, suites):
    with tempfile.TemporaryDirectory() as scratch:
        # The other filesystem, for what can't be done across two.
        os.mkdir(f"{scratch}/other")
        os.chmod(scratch, 0o755)
        with open(f"{scratch}/settings.toml", "w", encoding="utf-8") as file:
            file.write(SETTINGS)
        words = (f"{suites}/pjdfstest/bin/pjdfstest", "-c", f"{scratch}/settings.toml", "-p", place.mnt, "-s", f"{scratch}/other")
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              check=False, timeout=LIMIT_SECONDS, env={**os.environ, "NO_COLOR": "1"})  # fmt: skip
    results = parse(done.stdout)
    assert results and "Summary:" in done.stdout, f"status {done.returncode}\n{done.stdout[-2000:]}"
    return results
