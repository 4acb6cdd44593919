# SPDX-License-Identifier: Apache-2.0
"""check_told.py: where a log says what failed, and why.

Owns the shapes of lines that say so: of our own programs, unittest, CUnit, automake, TAP, compilers
and sanitizers. Never decides that a step has failed: an exit code or a count does.
"""

import os
import re

FAILING = re.compile(
    r"(FAIL|ERROR|not ok)\b|✖ "
    r"|\s*Test: .*\.\.\.\s*FAILED"  # CUnit; its reasons follow
    r"|seed \d+: invariant |\S+ +\S+ +NOT CAUGHT "  # the simulation, its mutants
    r"|==\d+==ERROR: |WARNING: ThreadSanitizer|.*: runtime error: "
    r"|\S+?:\d+(:\d+)?: (fatal )?error: |.*: undefined reference to "
)
PASSING = re.compile(r"ok\b|PASS\b|SKIP\b|skip\b|\$ |---- |={20,}|\s*Test: |\d+ passed, \d+ failed")
COMMAND = re.compile(r"\$ (?:python3 (\S+\.py)\b)?")  # check_run.py writes it before the output
GROUP_HEAD, GROUP_END = 8, 5  # lines of one failure: what it is; of a trace, what it ends with
GROUPS_MAX = 12  # whole failures of one log


def failures(lines):
    """[(number of its first line, its lines)] for each failure; what follows one is its reasons."""
    found, open_group = [], None
    for number, line in enumerate(lines):
        if FAILING.match(line):
            open_group = [line]
            found.append((number, open_group))
        elif not line.strip() or PASSING.match(line):
            open_group = None
        elif open_group is not None:
            open_group.append(line)
    return found


def shortened(group):
    if len(group) <= GROUP_HEAD + GROUP_END + 1:
        return group
    return [*group[:GROUP_HEAD], f"     ({len(group) - GROUP_HEAD - GROUP_END} lines)", *group[-GROUP_END:]]


def before_tail(lines, size):
    """What failed before the last size lines, without what these say again, in a bounded number of lines."""
    tail, seen, told, left = lines[-size:], set(), [], 0
    again = {group[0]: len(group) for _, group in failures(tail)}
    for number, group in failures(lines[:-size]):
        whole = "\n".join(group)
        if whole in seen or again.get(group[0], 0) >= min(len(group), 2):
            continue
        seen.add(whole)
        if len(seen) <= GROUPS_MAX:
            told += shortened(group)
        else:
            left += 1
    return told + [f"and {left} more"] * bool(left)


def first(lines):
    """The first line that says what failed, with the test program that said it; "" when none does."""
    for number, group in failures(lines):
        commands = [match for match in map(COMMAND.match, lines[:number]) if match]
        program = commands[-1].group(1) if commands else None
        return (os.path.basename(program) + ": " if program else "") + group[0].strip()
    return ""
