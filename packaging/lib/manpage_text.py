# SPDX-License-Identifier: Apache-2.0
"""manpage_text.py: parts of the documents as roff.

Owns which Markdown of docs/ is understood: paragraphs, headings, lists, tables, fenced blocks.
Never has words of its own, so a page made of a document says what the document says.
"""

import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def escaped(text):
    """Text as roff shows it: no line is a request, a hyphen can be copied."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    for sign, name in (("…", "\\&..."), ("—", "\\(em"), ("é", "\\('e"), ("→", "->")):
        text = text.replace(sign, name)
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line
                     for line in text.split("\n"))


def verbatim(text):
    return [".nf", escaped(text.strip("\n")), ".fi"]


def section(page, heading):
    """What stands under a heading of a document, down to the next one of its rank or higher; all but
    its title when heading is None."""
    with open(os.path.join(ROOT, page), encoding="utf-8") as handle:
        text = re.sub(r"\A(?:<!--.*?-->\n)?# .*\n", "", handle.read())
    if heading is None:
        return text
    # Within a block a # begins no heading.
    masked = re.sub(r"^```.*?^```", lambda found: found.group(0).replace("#", "\0"), text,
                    flags=re.MULTILINE | re.DOTALL)
    rank = re.search(rf"^(#+) {re.escape(heading)}$", masked, re.MULTILINE)
    rest = masked[rank.end():]
    end = re.search(rf"^#{{1,{len(rank.group(1))}}} ", rest, re.MULTILINE)
    return (rest[:end.start()] if end else rest).replace("\0", "#")


def _words(text):
    """Marks within a line: links become their words, code and strong words bold."""
    text = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", " ".join(text.split()))
    parts = re.split(r"`([^`]+)`|\*\*([^*]+)\*\*", text)
    out = ""
    for plain, code, strong in zip(parts[::3], parts[1::3] + [None], parts[2::3] + [None]):
        bold = code or (strong or "").replace("`", "")
        out += escaped(plain) + (f"\\fB{escaped(bold)}\\fR" if bold else "")
    return "\\&" + out if out.startswith((".", "'")) else out


def _table(lines):
    """Each row: its first cell, then the others."""
    cells = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    out = []
    for row in cells[2:]:
        out += [".TP", _words(row[0]), _words("; ".join(row[1:]))]
    return out


def _items(text):
    out = []
    for item in re.split(r"^(?:- |\d+\. )", text, flags=re.MULTILINE)[1:]:
        out += [".IP \\(bu 2", _words(item)]
    return out


def _paragraph(text):
    if text.startswith("#"):
        return [f".SS {escaped(text.lstrip('# '))}"]
    lines = text.split("\n")
    start = next((i for i, line in enumerate(lines) if re.match(r"- |\d+\. ", line)), None)
    if text.startswith("|"):
        return _table(lines)
    if start is None:
        return [".PP", _words(text)]
    before = [".PP", _words("\n".join(lines[:start]))] if start else []
    return before + _items("\n".join(lines[start:]))


def roff(markdown):
    """The lines of a part of a document."""
    out = []
    pieces = re.split(r"^```\w*\n(.*?)^```\n?", markdown, flags=re.MULTILINE | re.DOTALL)
    for index, piece in enumerate(pieces):
        if index % 2:
            out += [".PP", *verbatim(piece)]
            continue
        for part in re.split(r"\n\s*\n", piece.strip("\n")):
            if part.strip():
                out += _paragraph(part.strip("\n"))
    return out
