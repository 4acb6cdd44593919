# SPDX-License-Identifier: Apache-2.0
"""pages.py: reads the documents of this tree for the tests that keep them true.

Owns how headings, blocks and code in a line are found in Markdown. Never runs or judges anything.
"""

import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("APPROVALD_BUILD", os.path.join(ROOT, "build/gcc")))


class Block:
    """One fenced block: its language, its text, where it stands."""

    def __init__(self, page, line, heading, language, text):
        self.page, self.line, self.heading = page, line, heading
        self.language, self.text = language, text

    def __str__(self):
        return f"{self.page}:{self.line} ({self.heading})"


def read(page):
    """The whole text of a page."""
    with open(os.path.join(ROOT, page), encoding="utf-8") as handle:
        return handle.read()


def blocks(page):
    """Every fenced block of the page, in order."""
    found, heading, start, language = [], "", 0, ""
    lines = read(page).split("\n")
    for number, line in enumerate(lines, 1):
        if line.startswith("```"):
            if not start:
                start, language = number + 1, line[3:]
            else:
                text = "\n".join(lines[start - 1 : number - 1]) + "\n"
                found.append(Block(page, start, heading, language, text))
                start = 0
        elif not start and line.startswith("#"):
            heading = line.lstrip("# ")
    assert not start, f"{page}: the block of line {start} does not end"
    return found


def inline(page):
    """What stands between single backticks, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", read(page), flags=re.M | re.S))


def rows(page, heading):
    """The cells of the table rows under a heading, its head and rule left out."""
    part = read(page).split("# " + heading + "\n", 1)[1].split("\n#", 1)[0]
    table = [line for line in part.split("\n") if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def named_tests(cell):
    """What a cell names as tests: (file, case), the case in quotes behind its file; None: the file alone."""
    path = ""
    for name, case in re.findall(r'`(tests/[^`]+)`|"([^"]+)"', cell):
        path = name or path
        yield path, case or None


def is_test(path, case):
    """Whether this file or folder exists and, unless it is None, has the case."""
    whole = os.path.join(ROOT, path)
    if case is None:
        return os.path.exists(whole)
    if not os.path.isfile(whole):
        return False
    wanted = f"def {case}(self)" if case.startswith("test_") else f'{{"{case}",'
    return wanted in read(path)
