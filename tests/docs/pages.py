# SPDX-License-Identifier: GPL-2.0
"""The project's pages in Markdown: their links, and the commands in them.

A fenced block whose first word is `sh` is a script that a reader would run. Words after it say
what comes of it:

    sh                  it is run in the virtual machine, and succeeds
    sh exit=1           it ends with this status
    sh host             it is run on the host, in a checkout (`scripts/docs run`)
    sh reader           it needs what only the reader has (a kernel tree, a registry): its syntax is checked

The blocks of a page are run one after the other in a directory of the page's own. A comment
`<!-- run: .. -->` before a block is run first: it makes what the page takes for given. A fenced
block that follows a line ending in "`NAME`:" is the file NAME.
"""

import re
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(```+)(.*)$")
HIDDEN = re.compile(r"<!-- run: (.*?)\s*-->", re.DOTALL)
FILE = re.compile(r"`([^`]+)`:$")


class Block:
    """A script of a page."""

    def __init__(self, line, words, text):
        self.line = line
        self.words = words
        self.text = text

    @property
    def where(self):
        """Where it is run: vm, host, reader; or before: with the next script that is none of these."""
        found = [word for word in self.words if word in ("host", "reader", "before")]
        return found[0] if found else "vm"

    @property
    def status(self):
        """The exit status it should have."""
        found = [word for word in self.words if word.startswith("exit=")]
        return int(found[0].removeprefix("exit=")) if found else 0


def pages():
    """All pages, by their paths below the project."""
    listed = subprocess.run(
        ["git", "-C", TOP, "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "*.md"],
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(page for page in listed.stdout.split() if (TOP / page).is_file())


def blocks(text):
    """The scripts in a page, and the files that it shows: as scripts that write them."""
    found, lines, number, last = [], text.splitlines(), 0, ""
    while number < len(lines):
        line = lines[number]
        fence = FENCE.match(line)
        if fence is None:
            hidden = HIDDEN.match("\n".join(lines[number:])) if line.startswith("<!-- run: ") else None
            if hidden:
                found.append(Block(number + 1, ["before"], hidden[1] + "\n"))
                number += hidden[0].count("\n")
            last = line.strip() or last
            number += 1
            continue
        begin = number + 1
        end = next(n for n in range(begin, len(lines)) if lines[n].startswith(fence[1]))
        inner = "".join(f"{line}\n" for line in lines[begin:end])
        words = fence[2].split()
        name = FILE.search(last)
        if words and name:
            found.append(Block(begin, ["before"], f"cat >'{name[1]}' <<'END OF FILE'\n{inner}END OF FILE\nchmod +x '{name[1]}'\n"))
        elif words[:1] == ["sh"]:
            found.append(Block(begin, words[1:], inner))
        number, last = end + 1, ""
    return found


def scripts(text, where):
    """Those that are run there, each with what is to be done before it."""
    found, before = [], []
    for block in blocks(text):
        before.append(block)
        if block.where == "before":
            continue
        # What clears up after a script may stand before one of the reader's.
        if block.where == where or where == "vm" and block.where == "reader":
            found += before
        before = []
    if where == "vm":
        found += before
    found = [block for block in found if block.where in (where, "before")]
    return found if any(block.where == where for block in found) else []


def slug(heading):
    """The anchor of a heading, as the sites that show Markdown make it."""
    heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip("# \n")).lower()
    return re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")


def prose(text):
    """A page without its blocks."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^    .*$", "", text, flags=re.MULTILINE)


def links(text):
    """Where the links of a page lead."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(text)) + re.findall(r"^\[[^\]]+\]: (\S+)", text, flags=re.MULTILINE)


def anchors(text):
    """The anchors of a page."""
    return {slug(heading) for heading in re.findall(r"^#+ .*$", prose(text), flags=re.MULTILINE)}
