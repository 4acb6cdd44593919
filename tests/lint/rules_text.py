# SPDX-License-Identifier: Apache-2.0
"""rules_text.py: how files begin, how long they are, which words they use.

Owns the rules about text of every kind; never looks at what the code does.
"""

import ast
import os
import re

from tree import Finding, is_c, is_python, is_script, is_shell, line_of, strip_c

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
SPDX = "SPDX-License-Identifier: Apache-2.0"

# Words of the house (style section 2): the first group is never used for our parts.
WRONG_WORDS = {
    "master": "primary",
    "slave": "standby",
    "leader": "primary",
    "follower": "standby",
    "whitelist": "allow list",
    "blacklist": "deny list",
}
UNFINISHED = re.compile(r"\bTODO\b(?!\(#\d+\)|:? #\d+)|\bFIXME\b|\bXXX\b|\bHACK\b|\bfor now\b")
SELF = "tests/lint/"  # the rules name what they forbid

# (path, word): why this one is right.
WORD_EXCEPTIONS = {
    ("supervisor/keepalived.c", "master"): "VRRP's own word, in keepalived's lines",
    ("tests/unit/test_keepalived.c", "master"): "VRRP's own word, in keepalived's lines",
    ("tests/sup/test_vip.py", "master"): "VRRP's own word, in keepalived's lines",
    ("tests/cluster/netns.py", "master"): "ip(8) calls a bridge so",
}


def _source(path, text):
    return is_c(path) or is_script(path, text) or path.endswith(("Makefile.inc", "Makefile.am", ".ac"))


def spdx(files):
    """Every source file says its licence on line 1, or on line 2 under a #!."""
    return [
        Finding(path, 1, f"no {SPDX} on top")
        for path, text in files.items()
        if _source(path, text) and SPDX not in "\n".join(text.split("\n")[:2])
    ]


def _top_comment(text):
    """The comment that follows the SPDX line of a C file."""
    match = re.match(r"/\* SPDX[^\n]*\*/\n/\*(.*?)\*/", text, re.DOTALL)
    return match.group(1) if match else None


def top_comment(files):
    """A .c opens with its name, what it owns and what it never does; a .h with its name."""
    found = []
    for path, text in files.items():
        if not is_c(path):
            continue
        comment = _top_comment(text)
        if comment is None or not comment.lstrip(" *\n").startswith(os.path.basename(path) + ":"):
            found.append(Finding(path, 2, f'no comment "{os.path.basename(path)}: ..." on top'))
        elif path.endswith(".c") and not re.search(r"\bown", comment, re.IGNORECASE):
            found.append(Finding(path, 2, "the top comment does not say what the file owns"))
        elif path.endswith(".c") and not re.search(r"ever\b", comment):
            found.append(Finding(path, 2, "the top comment does not say what the file never does"))
    return found


def script_comment(files):
    """Shell and Python files say at the top what they are."""
    found = []
    for path, text in files.items():
        if not is_script(path, text) or os.path.basename(path) == "__init__.py":
            continue
        head = "\n".join(text.split("\n")[:8])
        said = re.search(r'"""|^# (?!SPDX)\S', head, re.MULTILINE)
        if not said:
            found.append(Finding(path, 2, "no word on top about what this file is"))
    return found


def header_guard(files):
    """A header's guard is its path."""
    found = []
    for path, text in files.items():
        if not path.endswith(".h"):
            continue
        guard = re.sub(r"[^A-Za-z0-9]", "_", path).upper()
        if f"#ifndef {guard}\n#define {guard}\n" not in text:
            found.append(Finding(path, 1, f"guard is not {guard}"))
    return found


def file_lines(files):
    """No source file over 600 lines: find the wall."""
    found = []
    for path, text in files.items():
        count = text.count("\n")
        if (is_c(path) or is_script(path, text)) and count > FILE_LINES_MAX:
            found.append(Finding(path, count, f"{count} lines: more than {FILE_LINES_MAX}"))
    return found


def _c_functions(text):
    """(line, lines) of every function body: a { in column 0 up to the } in column 0."""
    start = None
    for number, line in enumerate(strip_c(text).split("\n"), 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            yield start, number - start + 1
            start = None


def _python_functions(path, text):
    try:
        tree = ast.parse(text)
    except SyntaxError as problem:
        yield problem.lineno or 1, FUNCTION_LINES_MAX + 1
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1


def function_lines(files):
    """A function fits on a screen."""
    found = []
    for path, text in files.items():
        functions = ()
        if is_c(path):
            functions = _c_functions(text)
        elif is_python(path, text):
            functions = _python_functions(path, text)
        found += [
            Finding(path, line, f"a function of {count} lines: more than {FUNCTION_LINES_MAX}")
            for line, count in functions
            if count > FUNCTION_LINES_MAX
        ]
    return found


def words(files):
    """One word per concept, the field's own word."""
    found = []
    pattern = re.compile(r"\b(%s)s?\b" % "|".join(WRONG_WORDS), re.IGNORECASE)
    for path, text in files.items():
        if path.startswith(SELF) or not (_source(path, text) or path.endswith((".md", ".conf"))):
            continue
        for match in pattern.finditer(text):
            word = match.group(1).lower()
            if (path, word) not in WORD_EXCEPTIONS:
                better = WRONG_WORDS[word]
                found.append(Finding(path, line_of(text, match.start()), f"{word}: say {better}"))
    return found


def unfinished(files):
    """A TODO names an issue; nothing is left half done."""
    return [
        Finding(path, line_of(text, match.start()), f"unfinished: {match.group(0)}")
        for path, text in files.items()
        if _source(path, text) and not path.startswith(SELF)
        for match in UNFINISHED.finditer(text)
    ]


def download_addresses(files):
    """A lock file names packages and hashes, never the host they once came from."""
    found = []
    for path, text in files.items():
        if not path.endswith(".json"):
            continue
        for match in re.finditer(r'"resolved":\s*"https?:', text):
            found.append(Finding(path, line_of(text, match.start()), "names a download host"))
    return found


def can_fail(files):
    """A check that ends in "|| true" cannot fail; say why on the line when that is wanted."""
    found = []
    for path, text in files.items():
        if not is_shell(path, text):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if re.search(r"\|\|\s*(true|:)\s*$", line):
                found.append(Finding(path, number, "|| true without a reason behind it"))
    return found


def tests_are_built(files):
    """Every test and fuzzer is named in a makefile; a forgotten one proves nothing."""
    makefiles = "\n".join(t for p, t in files.items() if p.endswith(("Makefile.inc", "Makefile.am")))
    found = []
    for path in files:
        match = re.match(r"tests/\w+/((?:test|fuzz|crash)_\w+)\.c$", path)
        if match and not re.search(r"\b%s\b" % match.group(1), makefiles):
            found.append(Finding(path, 1, "in no Makefile.inc: never built, never run"))
    return found


def own_place(root):
    """A rule that knows where this tree lies: no file names that place."""
    place = os.path.realpath(root) + "/"

    def rule(files):
        return [
            Finding(path, line_of(text, text.index(place)), "names a directory of this machine")
            for path, text in files.items()
            if place in text
        ]

    return rule


_C_HEAD = f"/* {SPDX} */\n"
_LONG = "{\n" + "    x();\n" * FUNCTION_LINES_MAX + "}\n"
_FIT = "{\n" + "    x();\n" * (FUNCTION_LINES_MAX - 2) + "}\n"

RULES = {
    "spdx": (
        spdx,
        ({"base/a.c": "int x;\n"}, {"packaging/run": "#!/bin/sh\necho\n"}, {"a/b.py": "x = 1\n"}),
        {"base/a.c": _C_HEAD, "packaging/run": f"#!/bin/sh\n# {SPDX}\n"},
    ),
    "top-comment": (
        top_comment,
        (
            {"base/a.c": _C_HEAD + "int x;\n"},
            {"base/a.c": _C_HEAD + "/* b.c: owns x, never does y. */\n"},
            {"base/a.c": _C_HEAD + "/* a.c: owns x. */\n"},
            {"base/a.c": _C_HEAD + "/* a.c: never does y. */\n"},
            {"base/a.h": _C_HEAD + "/* a header */\n"},
        ),
        {
            "base/a.c": _C_HEAD + "/* a.c: x.\n * Owns x; never does y. */\n",
            "base/a.h": _C_HEAD + "/* a.h: x. */\n",
        },
    ),
    "script-comment": (
        script_comment,
        ({"a.sh": f"#!/bin/sh\n# {SPDX}\necho\n"},),
        {"a.sh": f"#!/bin/sh\n# {SPDX}\n# a.sh: says nothing.\necho\n", "b.py": '"""b.py"""\n'},
    ),
    "header-guard": (
        header_guard,
        ({"base/a.h": "#ifndef A_H\n#define A_H\n#endif\n"},),
        {"base/a.h": "#ifndef BASE_A_H\n#define BASE_A_H\n#endif\n"},
    ),
    "file-lines": (
        file_lines,
        ({"base/a.c": "\n" * (FILE_LINES_MAX + 1)},),
        {"base/a.c": "\n" * FILE_LINES_MAX, "docs/a.md": "\n" * 2000},
    ),
    "function-lines": (
        function_lines,
        (
            {"base/a.c": "void f(void)\n" + _LONG},
            {"a.py": "def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX},
        ),
        {"base/a.c": "void f(void)\n" + _FIT + "void g(void)\n" + _FIT},
    ),
    "words": (
        words,
        ({"docs/a.md": "the master host\n"}, {"base/a.c": "/* the Slaves */\n"}),
        {"docs/a.md": "the primary; remastered; leadership\n"},
    ),
    "unfinished": (
        unfinished,
        ({"base/a.c": "/* TODO later */\n"}, {"a.sh": "# good enough for now\n"}),
        {"base/a.c": "/* TODO(#12): faster */\n"},
    ),
    "download-addresses": (
        download_addresses,
        ({"a/package-lock.json": '{"resolved": "https:' '//host/x.tgz"}\n'},),
        {"a/package-lock.json": '{"integrity": "sha512-x"}\n'},
    ),
    "can-fail": (
        can_fail,
        ({"a.sh": "run_tests || true\n"},),
        {"a.sh": "kill 1 || true # it may be gone already\n"},
    ),
    "tests-are-built": (
        tests_are_built,
        ({"tests/unit/test_a.c": "", "tests/unit/Makefile.inc": "test_ab\n"},),
        {"tests/unit/test_a.c": "", "tests/unit/Makefile.inc": "%D%/test_a\n"},
    ),
}
