# SPDX-License-Identifier: GPL-2.0
"""What a subject's workload promises, and the words in which its check says what is wrong.

The first words of what a check prints are the class of the violation in docs/subjects.md.
"""

import json
import os
import sys
import traceback

LOST = "loses what was acknowledged"
BACK = "goes back to an older version"
PARTIAL = "holds a part of a transaction"
CORRUPT = "is corrupt"
CLOSED = "does not open"
STUCK = "opens, and can't be written to"
CRASHES = "crashes"
CLASSES = (LOST, BACK, PARTIAL, CORRUPT, CLOSED, STUCK, CRASHES)


def path(*names):
    """A file of the filesystem that is tried."""
    return os.path.join(os.environ["POWERCUT_MNT"], *names)


def promise(text):
    """Tells powercut that from here on `text` has to survive."""
    with open(os.environ["POWERCUT_MARK"], "w", encoding="utf-8") as mark:
        mark.write(f"{text}\n")


def promised():
    """What was promised before the power failed, in its order."""
    with open(os.environ["POWERCUT_MARKS"], encoding="utf-8") as marks:
        return marks.read().splitlines()


def violation(what, detail=""):
    """Ends the check."""
    assert what in CLASSES, what
    text = " ".join(str(detail).split())
    print(f"{what}: {text}" if text else what)
    sys.exit(1)


def answer(words, status):
    """What a resident check answers about a state, by what was found in a process of its own."""
    if os.WIFSIGNALED(status):
        return f"violation {CRASHES}: signal {os.WTERMSIG(status)}"
    if os.WEXITSTATUS(status) == 0:
        return "ok"
    return f"violation {' '.join(words.split()) or 'it says nothing'}"


def judge(check):
    """A process of its own has the answer: what it opened and mapped goes with it, and it may crash."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(writer, 1)
        status = 1
        try:
            check()
            status = 0
        except SystemExit:
            pass
        except BaseException:  # pylint: disable=broad-except
            print(f"the check fails: {traceback.format_exc()}")
        sys.stdout.flush()
        os._exit(status)
    os.close(writer)
    with open(reader, encoding="utf-8", errors="replace") as file:
        words = file.read(4000)
    return answer(words, os.waitpid(child, 0)[1])


def resident(check):
    """Judges the states that powercut names, one after the other, as `powercut run --resident` has it."""
    for line in sys.stdin:
        os.environ.update(json.loads(line))
        print(judge(check), flush=True)
