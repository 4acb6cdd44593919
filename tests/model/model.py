#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""model.py: checks the model of the pair with Spin: model.py [--quick] [--jobs N] [--list] [NAME ...]

Owns the running of Spin, of the compiler and of the search, and the judgement of each; the
scenarios and their bounds are in runs.py. Never believes a search that was cut short: one that hit
its time, its memory or its depth has failed. `model.py --trace NAME` prints the steps to a violation.
"""

import argparse
import concurrent.futures
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

import runs  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
MEMORY_MB = {True: 3000, False: 8000}  # by --quick; pan's own limit, the process is a little larger
CPU_SECONDS_MAX = {True: 120, False: 1500}  # of one search
WALL_FACTOR = 10  # a machine that is shared may take longer by the clock
DEPTH_MAX = 5_000_000  # of a depth-first search

COMPILE = {
    "breadth": ["-DBFS", "-DSAFETY", "-DNOFAIR"],
    "cycles": ["-DNP", "-DNOFAIR"],
}
SEARCH = {
    "breadth": ["-E"],
    "cycles": ["-l", "-E", f"-m{DEPTH_MAX}"],
}
TITLE = {
    "breadth": "breadth-first, exact",
    "cycles": "depth-first for cycles, exact",
}


class Outcome:
    """What one search said."""

    def __init__(self):
        self.states = 0
        self.depth = 0
        self.violation = ""
        self.trouble = ""
        self.seconds = 0.0

    def judge(self, run):
        """Why it has failed, or nothing."""
        if self.trouble:
            return self.trouble
        if run.expect and not self.violation:
            return f"not found: {run.expect}"
        if run.expect and run.expect not in squeeze(self.violation):
            return f"another violation than {run.expect}"
        if not run.expect and self.violation:
            return "a violation of the present wording"
        return ""


def squeeze(text):
    return re.sub(r"\s+", "", text)


def read_pan(output, outcome):
    """The figures of pan's report; what stopped it early is trouble."""
    found = re.search(r"^\s*(\d+) states, stored", output, re.MULTILINE)
    outcome.states = int(found.group(1)) if found else 0
    found = re.search(r"depth reached (\d+)", output)
    outcome.depth = int(found.group(1)) if found else 0
    found = re.search(r"^pan:\d+: (.*) \(at depth", output, re.MULTILINE)
    outcome.violation = found.group(1) if found else ""
    if "errors:" not in output:
        outcome.trouble = "no result"
    elif "out of memory" in output or "MEMLIM" in output:
        outcome.trouble = "the memory limit was reached"
    elif "max search depth too small" in output:
        outcome.trouble = "the depth limit was reached"
    elif "Search not completed" in output and not outcome.violation:
        outcome.trouble = "the search was not completed"


def limits(quick):
    def apply():
        size = (MEMORY_MB[quick] + 1000) * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        seconds = CPU_SECONDS_MAX[quick]
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))

    return apply


def call(command, folder, seconds, preexec=None):
    """(exit code, output); code None where the time was over."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
            preexec_fn=preexec,
        )
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout.decode("utf-8", "replace")


def build(run, folder, quick):
    """pan of this run in folder; what went wrong, or nothing."""
    for name in os.listdir(HERE):
        if name.endswith(".pml"):
            shutil.copy(os.path.join(HERE, name), folder)
    code, output = call(["spin", "-a", *run.defines(), "pair.pml"], folder, 300)
    if code != 0 or "rror:" in output or not os.path.exists(os.path.join(folder, "pan.c")):
        return f"spin: {output.strip()[:300]}"
    level = "-O0" if run.expect else "-O2"  # a bug is found before an optimiser pays
    flags = [level, "-w", f"-DMEMLIM={MEMORY_MB[quick]}", *COMPILE[run.search]]
    if not quick:
        flags.append("-DCOLLAPSE")  # smaller and still exact, but slower
    code, output = call(["gcc", *flags, "-o", "pan", "pan.c"], folder, 600)
    return "" if code == 0 else f"gcc: {output.strip()[:300]}"


def perform(run, quick, folder):
    outcome = Outcome()
    begin = time.monotonic()
    outcome.trouble = build(run, folder, quick)
    if not outcome.trouble:
        pan = [os.path.join(folder, "pan"), *SEARCH[run.search]]
        wall = CPU_SECONDS_MAX[quick] * WALL_FACTOR
        code, output = call(pan, folder, wall, limits(quick))
        if code is None or code == -signal.SIGXCPU:
            outcome.trouble = f"no end after {CPU_SECONDS_MAX[quick]} s of work"
        else:
            read_pan(output, outcome)
    outcome.seconds = time.monotonic() - begin
    return outcome


def show(run, outcome):
    """One line, and whether the run passed."""
    reason = outcome.judge(run)
    said = f"violation found: {outcome.violation[:80]}" if outcome.violation else "no violation"
    wanted = "a violation" if run.expect else "none"
    print(
        f"{'FAIL' if reason else 'ok  '} {run.name} | {run.bounds()} | {TITLE[run.search]} |"
        f" {outcome.states} states, depth {outcome.depth}, {outcome.seconds:.1f} s |"
        f" {said} (expected: {wanted}){' | ' + reason if reason else ''}",
        flush=True,
    )
    return not reason


def check(chosen, quick, jobs):
    with tempfile.TemporaryDirectory(prefix="pair-model-") as place:

        def one(run):
            folder = os.path.join(place, run.name)
            os.mkdir(folder)
            outcome = perform(run, quick, folder)
            shutil.rmtree(folder)
            return outcome

        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            results = [show(run, outcome) for run, outcome in zip(chosen, pool.map(one, chosen))]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if results and all(results) else 1


def trace(run, quick):
    """The first line of every step, as Spin replays it."""
    with tempfile.TemporaryDirectory(prefix="pair-model-") as folder:
        outcome = perform(run, quick, folder)
        show(run, outcome)
        if not outcome.violation:
            return 1
        _code, output = call(["spin", "-t", "-p", *run.defines(), "pair.pml"], folder, 300)
        last = ""
        for line in output.splitlines():
            found = re.match(r"\s*(\d+):\s+proc\s+(\d+) .*?(\w+\.pml):(\d+).*?\[(.*)\]", line)
            if found and found.group(1) != last:
                last, process, file, number, text = found.groups()
                who = {"1": "A", "2": "B", "3": "world"}.get(process, "begin")
                print(f"{last:>4} {who:5} {file}:{number} {text[:110]}")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="smaller bounds: 3 minutes on one core")
    parser.add_argument("--jobs", type=int, default=1, help="searches at once")
    parser.add_argument("--list", action="store_true", help="only name the runs")
    parser.add_argument("--trace", metavar="NAME", help="the steps to the violation of one run")
    parser.add_argument("names", nargs="*", help="only these runs")
    args = parser.parse_args()
    known = runs.table(args.quick)
    wanted = args.names or [run.name for run in known]
    unknown = set(wanted + ([args.trace] if args.trace else [])) - {run.name for run in known}
    if unknown:
        parser.error(f"no run {', '.join(sorted(unknown))}")
    if args.list:
        for run in known:
            print(f"{run.name} | {run.bounds()} | expected: {run.expect or 'none'}")
        return 0
    if not shutil.which("spin"):
        print("spin is not installed: skipped")
        return 77
    if args.trace:
        return trace(next(run for run in known if run.name == args.trace), args.quick)
    return check([run for run in known if run.name in wanted], args.quick, args.jobs)


if __name__ == "__main__":
    sys.exit(main())
