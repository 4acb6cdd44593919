# SPDX-License-Identifier: Apache-2.0
"""check.py: every test of this tree: packaging/check [--quick] [--only STEP] [--list]

Runs named steps, two at a time, each with a log of its own; prints a table and, last, one line
"N passed, N failed" that counts test programs. Where steps failed, a line "failed: STEP: ..." for each
follows it, for those who see only the end. Owns build/ and what it starts; never ends a process that
it did not start.
"""

import argparse
import concurrent.futures
import os
import sys
import threading
import time

sys.dont_write_bytecode = True

import check_steps  # noqa: E402
from check_run import Logs, Result, Runner  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORKERS = 2  # steps at a time: the smallest machine that we test on has two cores


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="packaging/check",
        description="Runs every test of this tree with one command.",
        epilog="Logs: build/logs/STEP.log. Exit code 0 when everything passed.",
    )
    parser.add_argument("--quick", action="store_true", help="the steps to run before each push")
    parser.add_argument(
        "--only", action="append", default=[], metavar="STEP", help="this step and what it needs"
    )
    parser.add_argument("--list", action="store_true", help="the names of the steps")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="of make")
    return parser.parse_args()


def choose(args):
    """The steps to run, with those that they need, in the order of the table."""
    steps = {step.name: step for step in check_steps.STEPS}
    unknown = [name for name in args.only if name not in steps]
    if unknown:
        sys.exit(f"no step {', '.join(unknown)}; there are: {', '.join(steps)}")
    if args.only:
        wanted = set(args.only)
    else:
        wanted = {s.name for s in steps.values() if s.quick or not args.quick}
    waiting = list(wanted)
    while waiting:
        for need in steps[waiting.pop()].needs:
            if need not in wanted:
                wanted.add(need)
                waiting.append(need)
    return [step for step in check_steps.STEPS if step.name in wanted]


class Board:
    """Which steps wait, run and are done."""

    def __init__(self, steps):
        self.waiting = list(steps)
        self.results = {}
        self.changed = threading.Condition()

    def take(self):
        """The next step whose needs have passed; None when nothing is left."""
        with self.changed:
            while self.waiting:
                for step in self.waiting:
                    if all(need in self.results for need in step.needs):
                        self.waiting.remove(step)
                        return step
                self.changed.wait()
            return None

    def put(self, step, result):
        with self.changed:
            self.results[step.name] = result
            self.changed.notify_all()

    def broken_need(self, step):
        for need in step.needs:
            if self.results[need].failed:
                return need
        return None


def run_step(step, board, args, logs):
    need = board.broken_need(step)
    begin = time.monotonic()
    if need:
        result = Result(failed=1, note=f"{need} failed")
    else:
        with logs.open(step.name) as log:
            runner = Runner(ROOT, log, args.quick, args.jobs)
            result = runner.guard(step.run)
    result.seconds = time.monotonic() - begin
    mark = "FAIL" if result.failed else ("skip" if not result.passed else "ok")
    print(f"{mark:4} {step.name:12} {result.seconds:6.1f} s  {result.note}", flush=True)
    board.put(step, result)


def work(board, args, logs):
    while True:
        step = board.take()
        if step is None:
            return
        run_step(step, board, args, logs)


def table(steps, board, logs):
    print(f"\n{'step':12} {'seconds':>8} {'passed':>7} {'failed':>7} {'skipped':>8}")
    for step in steps:
        r = board.results[step.name]
        print(f"{step.name:12} {r.seconds:8.1f} {r.passed:7} {r.failed:7} {r.skipped:8}  {r.note}")
    for step in steps:
        if board.results[step.name].failed:
            logs.print_tail(step.name)


def what_failed(steps, board, logs):
    """One line each: a step that failed and the first line of its log that says what."""
    for step in steps:
        result = board.results[step.name]
        if result.failed:
            print(f"failed: {step.name}: {logs.first_failing(step.name) or result.note}")


def main():
    args = parse_arguments()
    if args.list:
        for step in check_steps.STEPS:
            print(f"{step.name:12} {'quick' if step.quick else 'full ':5}  {step.run.__doc__}")
        return 0
    os.chdir(ROOT)
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    steps = choose(args)
    logs = Logs(os.path.join(ROOT, "build", "logs"))
    board = Board(steps)
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for done in [pool.submit(work, board, args, logs) for _ in range(WORKERS)]:
            done.result()
    table(steps, board, logs)
    results = board.results.values()
    passed, failed, skipped = (sum(getattr(r, w) for r in results) for w in Result.COUNTS)
    print(f"\n{time.monotonic() - begin:.0f} s in all; logs in build/logs")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    what_failed(steps, board, logs)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
