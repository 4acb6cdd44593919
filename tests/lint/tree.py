# SPDX-License-Identifier: Apache-2.0
"""tree.py: the files that the rules look at, and a small reader of C text.

Owns the list of files and what is stripped from them; never judges them: rules do.
"""

import os
import re
import subprocess

TEXT_SIZE_MAX = 2 * 1024 * 1024  # bytes: longer files are data, not source


class Finding:
    """One breach of one rule, as an editor can jump to it."""

    def __init__(self, path, line, message):
        self.path = path
        self.line = line
        self.message = message

    def __str__(self):
        return f"{self.path}:{self.line}: {self.message}"


def _tracked(root):
    """What git tracks or would track."""
    listing = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
    )
    return sorted(set(listing.stdout.decode().split("\0")) - {""})


def load(root):
    """{path: text} of every text file; undecodable files are left out."""
    files = {}
    for path in _tracked(root):
        full = os.path.join(root, path)
        if not os.path.isfile(full) or os.path.getsize(full) > TEXT_SIZE_MAX:
            continue
        with open(full, "rb") as handle:
            raw = handle.read()
        if b"\0" in raw:
            continue
        try:
            files[path] = raw.decode("utf-8")
        except UnicodeDecodeError:
            continue
    return files


def is_c(path):
    return path.endswith((".c", ".h"))


def is_script(path, text):
    """Shell and Python, by name or by the first line."""
    first = text.split("\n", 1)[0]
    return path.endswith((".py", ".sh", ".bash")) or (
        first.startswith("#!") and ("sh" in first or "python" in first)
    )


def is_shell(path, text):
    first = text.split("\n", 1)[0]
    return path.endswith((".sh", ".bash")) or (
        first.startswith("#!") and "python" not in first and "sh" in first
    )


def is_python(path, text):
    first = text.split("\n", 1)[0]
    return path.endswith(".py") or (first.startswith("#!") and "python" in first)


_C_NOISE = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL
)


def strip_c(text):
    """C without comments and literals; lines and columns stay where they were."""

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))

    return _C_NOISE.sub(blank, text)


def includes(text):
    """(line, name, is_system) of every #include."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if match:
            found.append((number, match.group(2), match.group(1) == "<"))
    return found


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1
