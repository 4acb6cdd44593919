#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cluster.py: the real pair under clients and faults: --rounds of drawn ones, and the named cases.

Owns the order of a round: clients, fault, heal, paired again, checked. Prints the seed of every
round and, last, once more what failed, and "N passed, N failed". What a failed round leaves is kept,
and its place printed.
Needs root and network namespaces; without them it says why, and ends with 77.
"""

import argparse
import os
import random
import shutil
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases  # noqa: E402  the path is set above
import fencecases  # noqa: E402,F401  enters its cases
import nemesis  # noqa: E402
import netns  # noqa: E402
from lib import ending  # noqa: E402
from verify import Verifier  # noqa: E402
from world import World, let_go  # noqa: E402

QUICK_ROUNDS = 15
QUIET_S = 0.4  # of undisturbed load before and after each fault


class Rounds:
    """Rounds of drawn faults in a world that lives until a round fails."""

    def __init__(self, args, seed, tried):
        self.args, self.seed, self.tried = args, seed, tried
        self.book = nemesis.Book(random.Random(seed), args.only)
        self.world = self.verifier = None

    def fresh(self):
        if self.world is None:
            self.world = World(options={"crash_window": "5s"})
            self.world.start()
            self.verifier = Verifier(self.world)

    def one(self, number):
        """One round; true when nothing was wrong."""
        name, seed = self.book.draw(), f"{self.seed}/{number}"
        begin = time.monotonic()
        try:
            self.fresh()
            self.world.note(f"round {number}, seed {seed}: {name}")
            load = self.world.spawn_client("client", clients=self.args.clients,
                                            seed=seed, pause=0.01)
            time.sleep(QUIET_S)
            nemesis.hurt_world(self.world, name, seed)
            took = self.world.wait_paired()
            time.sleep(QUIET_S)
            lines = self.world.end_client(load)
            _, wrong = self.verifier.verify(lines)
            told = f"{sum(line['e'] == 'ok' for line in lines)} acknowledged, paired after {took:.1f} s"
        except Exception as problem:  # noqa: BLE001: one round must not hide the others
            wrong, told = [f"{type(problem).__name__}: {problem}", traceback.format_exc()], ""
        good = not wrong
        self.book.enter(name, good)
        self.tried.tell(f"round {number} ({time.monotonic() - begin:.1f} s, seed {seed}): {name}: {told}", wrong)
        if not good:
            self.drop(keep=True)
        return good

    def last(self):
        """In the end both stores are compared; true when they are equal, or there is no world."""
        if self.world is None:
            return True
        try:
            wrong = self.verifier.check_stores()
        except Exception as problem:  # noqa: BLE001: told like any other
            wrong = [f"{type(problem).__name__}: {problem}"]
        self.tried.tell("both stores are equal", wrong)
        self.drop(keep=bool(wrong))
        return not wrong

    def drop(self, keep=False):
        let_go(self.world, keep)
        self.world = None


def run_rounds(args, seed, tried):
    rounds, failed = Rounds(args, seed, tried), 0
    passed = 0
    try:
        for number in range(1, args.rounds + 1):
            good = rounds.one(number)
            passed, failed = passed + int(good), failed + int(not good)
            if shutil.disk_usage("/tmp").free < 1 << 30:
                print("less than 1 GiB is free: stopped", flush=True)
                failed += 1
                break
        good = rounds.last()
        passed, failed = passed + int(good), failed + int(not good)
    finally:
        rounds.drop()
    if args.rounds:
        print("\n" + rounds.book.table(), flush=True)
    return passed, failed


def parse_arguments():
    parser = argparse.ArgumentParser(description="The real pair under clients and faults.")
    parser.add_argument("--rounds", type=int, default=QUICK_ROUNDS, help="of drawn faults")
    parser.add_argument("--clients", type=int, default=6, help="at a time")
    parser.add_argument("--seed", type=int, help="draw the same again")
    parser.add_argument("--only", action="append", default=[], metavar="WORDS",
                        help="faults whose name contains WORDS")
    parser.add_argument("--case", action="append", default=[], metavar="WORDS",
                        help="named cases whose name contains WORDS; none: all")
    parser.add_argument("--no-cases", action="store_true")
    parser.add_argument("--runs", type=int, default=0,
                        help="of each measured case; default: as few as in a quick check")
    parser.add_argument("--list", action="store_true", help="names of faults and cases")
    return parser.parse_args()


def run_all(args, seed, tried):
    passed = failed = 0
    if not args.no_cases:
        passed, failed = cases.run(args.case, args.runs, tried)
    if not args.case:
        more = run_rounds(args, seed, tried)
        passed, failed = passed + more[0], failed + more[1]
    return passed, failed


def main():
    args = parse_arguments()
    if args.list:
        print("\n".join([*nemesis.FAULTS, "", *cases.names()]))
        return 0
    reason = netns.why_not() or cases.missing()
    if reason:
        return ending.skipped(reason)
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    tried = ending.Tried()
    return ending.of(lambda: run_all(args, seed, tried), tried)


if __name__ == "__main__":
    sys.exit(main())
