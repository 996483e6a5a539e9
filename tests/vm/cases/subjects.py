# SPDX-License-Identifier: GPL-2.0
"""Released software on trial: a quick part of tests/subjects, of what is in this machine's root, and the table of reports."""

import glob
import json
import os
import re
import subprocess

from lib.command import powercut, tidy
from lib.tap import equal, test

SUBJECTS = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "subjects"))
# Ten runs; a case and its twin, and what the first says.
QUICK = {
    "sqlite": ("delete-extra", "delete-full"),
    "sqlite-attach": ("delete-extra", "wal-full"),
    "dbm": ("sqlite3", "dumb"),
    "saving": ("rename-fsync-dir-ext4", "rename-fsync-ext4"),
    "filesystems": ("ext4", "ext4-barrier-0"),
}


def environment():
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}


@test("every subject has its pages, and cases that powercut takes")
def definitions():
    found = sorted(os.path.dirname(path) for path in glob.glob(f"{SUBJECTS}/*/subject.toml"))
    assert len(found) >= len(QUICK), found
    for directory in found:
        with open(f"{directory}/README.md", encoding="utf-8") as file:
            assert file.read().startswith("<!-- SPDX-License-Identifier: GPL-2.0 -->\n# "), directory
        powercut("run", "--only", "no-such-case", "--config", f"{directory}/powercut.toml", code=2, says="no such case")


def quick(name, *cases):
    with tidy() as own:
        powercut("run", "--config", f"{SUBJECTS}/{name}/powercut.toml", "--only", ",".join(cases), "--budget", "40" if "sqlite" in name else "16",
                 "--report", f"{own}/{name}", env=environment())
        with open(f"{own}/{name}/version", "w", encoding="utf-8") as file:
            file.write("version 1.2.3 of it\n")
        done = subprocess.run([f"{SUBJECTS}/table", own, f"{own}/page"], env=environment(), capture_output=True, text=True, check=False)
        equal(done.returncode, 0, f"status of table: {done.stderr}")
        with open(f"{own}/page", encoding="utf-8") as file:
            rows = {row.split("|")[2].strip(): row for row in file if row.startswith("| ") and "1.2.3" in row}
        equal(set(rows), set(cases), "rows")
        clean, twin = (report(f"{own}/{name}/{case}") for case in cases)
        assert re.search(r"\| clean(, all)? \|", rows[cases[0]]) and not clean["violations"], rows
        classes = re.findall(r"\*\*([a-z ]+)\*\* \((\d+)\)", rows[cases[1]])
        equal(sum(int(count) for _, count in classes), len(twin["violations"]), f"violations in {rows[cases[1]]}")
        assert any(violation["id"] in rows[cases[1]] for violation in twin["violations"]), rows
        assert clean["coverage"]["legal_states"] in rows[cases[0]] or "e" in rows[cases[0]].split("|")[4], rows


def report(directory):
    with open(f"{directory}/report.json", encoding="utf-8") as file:
        return json.load(file)


@test("a row of a case that has no report here stays as it is; one of a case that is gone does not")
def rows_of_other_machines():
    with tidy() as own:
        page = f"{own}/page"
        row = "| {}, 1.2.3 | {} | ext4 | 7 | all | clean, all |  | 1 | 2026-01-02 0123456789ab |\n"
        kept, gone = row.format("SQLite", "wal-full"), row.format("SQLite", "no-such-case")
        with open(page, "w", encoding="utf-8") as file:
            file.write(f"# A page\n\n{gone}{kept}")
        for _ in range(2):
            subprocess.run([f"{SUBJECTS}/table", own, page], env=environment(), stdout=subprocess.DEVNULL, check=True)
            with open(page, encoding="utf-8") as file:
                rows = [line for line in file if line.startswith("| ") and "1.2.3" in line]
            equal(rows, [kept], "rows")


for subject, its_cases in QUICK.items():
    test(f"{subject}: a clean case, its twin that is not, and what the table says of them", subject, *its_cases)(quick)
