#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""packages.py: the real packages in containers with systemd: their sizes, one host, the guide, a
pair, a pair without a third host, a pair's habits.

Owns the order of the cases and the count: prints one line each and, last, "N passed, M failed".
Needs root and what machine.why_not names; without them it says why, and ends with 77. The packages
are those of make deb (make packages-check makes them first). --short is for another release of Debian
than the one where everything is run: what systemd, apt, keepalived and the libraries there have a say in.
"""

import argparse
import os
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, ".."), os.path.join(HERE, "..", "cluster"),
                os.path.join(HERE, "..", "sup")]
import machine  # noqa: E402  the path is set above
from built import Built  # noqa: E402
from fenced import Fenced  # noqa: E402
from guide import Guide  # noqa: E402
from habits import Habits  # noqa: E402
from lib import ending  # noqa: E402
from pair import Pair  # noqa: E402
from single import Single  # noqa: E402
from sizes import Sizes  # noqa: E402
from stage import Stage  # noqa: E402

WHOLE = {"built": Built, "sizes": Sizes, "single": Single, "guide": Guide, "pair": Pair, "fenced": Fenced,
         "habits": Habits}


def chosen(only=None, short=False):
    """{name: whole} to run, in their order."""
    return {name: whole for name, whole in WHOLE.items()
            if only in (None, name) and (not short or "SHORT" in vars(whole))}


def run_cases(whole, cases):
    """The cases of one whole, until one fails: the next ones stand on it."""
    passed = 0
    for case in cases:
        begin = time.monotonic()
        try:
            told = case(whole)
        except Exception as problem:  # noqa: BLE001: told like any other
            print(f"FAIL {case.__doc__}: {problem}", flush=True)
            traceback.print_exc(file=sys.stdout)
            whole.stage.report()
            return passed, 1
        passed += 1
        print(f"ok   {case.__doc__} ({time.monotonic() - begin:.1f} s){f': {told}' if told else ''}",
              flush=True)
    return passed, 0


def run(args):
    passed = failed = 0
    stage = Stage(args.suite, args.debs)
    try:
        begin = time.monotonic()
        stage.prepare()
        print(f"prepared in {time.monotonic() - begin:.1f} s", flush=True)
        for whole in chosen(args.only, args.short).values():
            rounds = {"rounds": args.upgrades} if whole is Pair else {}
            made = whole(stage, **rounds)
            more = run_cases(made, made.SHORT if args.short else made.CASES)
            passed, failed = passed + more[0], failed + more[1]
            if more[1]:
                stage.forget()
    finally:
        keep = args.keep and failed
        stage.close(keep)
        if keep:
            print(f"kept: {stage.dir}")
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description="The packages in containers with systemd.")
    parser.add_argument("--suite", default="bookworm", help="of Debian")
    parser.add_argument("--debs", help="the folder with the packages for it")
    parser.add_argument("--upgrades", type=int, default=1, metavar="N",
                        help="a pair is upgraded and downgraded so often")
    parser.add_argument("--only", choices=sorted(WHOLE))
    parser.add_argument("--short", action="store_true",
                        help="a host and a pair alone, from install to purge, once through")
    parser.add_argument("--may-run", action="store_true", help="only says whether it could, or why not")
    parser.add_argument("--keep", action="store_true", help="the folder of a run that failed")
    args = parser.parse_args()
    reason = machine.why_not()
    if reason:
        return ending.skipped(reason)
    if args.may_run:
        return 0
    return ending.of(lambda: run(args))


if __name__ == "__main__":
    sys.exit(main())
