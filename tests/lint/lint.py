#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.py: the house style as ordinary tests: lint.py [--root DIR] [RULE ...]

Every rule is proved able to fail on a bad sample and able to pass on a good one before it looks at
the tree. Owns no rule itself; never changes a file.
"""

import argparse
import os
import sys

sys.dont_write_bytecode = True

import rules_c  # noqa: E402
import rules_text  # noqa: E402
import tree  # noqa: E402


class Report:
    """Counts and prints."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, title, problems):
        if problems:
            self.failed += 1
            print(f"FAIL {title}")
            for problem in problems:
                print(f"     {problem}")
        else:
            self.passed += 1
            print(f"ok   {title}")


def self_test(report, name, rule, bad_trees, good_tree):
    silent = [f"sample {i} was not seen" for i, bad in enumerate(bad_trees) if not rule(bad)]
    report.check(f"{name}: can fail ({len(bad_trees)} bad samples)", silent)
    report.check(f"{name}: can pass", rule(good_tree))


def all_rules(root):
    place = os.path.realpath(root)
    rules = dict(rules_c.RULES)
    rules.update(rules_text.RULES)
    rules["own-place"] = (
        rules_text.own_place(root),
        ({"docs/a.md": f"see {place}/README\n"},),
        {"docs/a.md": "see README\n"},
    )
    return rules


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(here)))
    parser.add_argument("rules", nargs="*", help="only these rules")
    args = parser.parse_args()
    rules = all_rules(args.root)
    unknown = set(args.rules) - set(rules)
    if unknown:
        parser.error(f"no rule {', '.join(sorted(unknown))}; there are {', '.join(sorted(rules))}")
    files = tree.load(args.root)
    report = Report()
    for name, (rule, bad_trees, good_tree) in rules.items():
        if not args.rules or name in args.rules:
            self_test(report, name, rule, bad_trees, good_tree)
            report.check(f"{name}: {len(files)} files", rule(files))
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
