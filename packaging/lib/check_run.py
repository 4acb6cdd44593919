# SPDX-License-Identifier: Apache-2.0
"""check_run.py: how a step of packaging/check runs commands and counts what they proved.

Owns logs and the counting of results; never decides which steps there are (check_steps.py), nor which
lines of a log say what failed (check_told.py).
"""

import os
import re
import shutil
import subprocess
import sys
import traceback

import check_told

LINE_SIZE_MAX = 300  # characters of a line in the tail: compilers can print very long ones
TAIL_LINES = 40  # of a failing step's log: enough for one failing assertion and its reason


class Result:
    """What a step proved, in test programs."""

    COUNTS = ("passed", "failed", "skipped")

    def __init__(self, passed=0, failed=0, skipped=0, note=""):
        self.passed = passed
        self.failed = failed
        self.skipped = skipped
        self.note = note
        self.seconds = 0.0

    def add(self, other):
        for word in self.COUNTS:
            setattr(self, word, getattr(self, word) + getattr(other, word))
        self.note = "; ".join(n for n in (self.note, other.note) if n)
        return self


class StepFailed(Exception):
    """A command of a step failed where the step cannot go on."""


class Logs:
    """One log a step."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))

    def path(self, name):
        return os.path.join(self.folder, name + ".log")

    def open(self, name):
        return open(self.path(name), "w", encoding="utf-8", errors="replace")

    def lines(self, name):
        if not os.path.exists(self.path(name)):
            return []
        with open(self.path(name), encoding="utf-8", errors="replace") as log:
            return log.read().rstrip("\n").split("\n")

    def print_tail(self, name):
        """What failed, then the end of the log: that may be a long table without a reason in it."""
        lines = self.lines(name)
        told = check_told.before_tail(lines, TAIL_LINES)
        if told:
            print(f"\n---- {name}: what failed, of build/logs/{name}.log")
            self._print(told)
        print(f"\n---- {name}: the end of build/logs/{name}.log")
        self._print(lines[-TAIL_LINES:])

    def first_failing(self, name):
        return check_told.first(self.lines(name))[:LINE_SIZE_MAX]

    @staticmethod
    def _print(lines):
        for line in lines:
            print("  " + line[:LINE_SIZE_MAX])
        sys.stdout.flush()


class Runner:
    """Runs the commands of one step; everything they say goes to the step's log."""

    def __init__(self, root, log, quick, jobs):
        self.root = root
        self.log = log
        self.quick = quick
        self.jobs = jobs

    def guard(self, function):
        """The step's result; an exception is a failure that the log explains."""
        try:
            return function(self)
        except StepFailed as problem:
            self.say(f"FAIL {problem}")
            return Result(failed=1, note=str(problem))
        except Exception:  # noqa: BLE001: one broken step must not hide the others
            self.say("FAIL " + traceback.format_exc())
            return Result(failed=1, note="the step itself broke: see its log")

    def say(self, text):
        self.log.write(text + "\n")
        self.log.flush()

    def call(self, command, cwd=None, env=None, timeout_s=1500):
        """(exit code, output); the output is in the log as well."""
        self.say("$ " + " ".join(command))
        begin = self.log.tell()
        try:
            code = subprocess.run(
                command,
                cwd=cwd or self.root,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            self.say(f"FAIL no end after {timeout_s} s: {' '.join(command)}")
            code = 124
        with open(self.log.name, encoding="utf-8", errors="replace") as log:
            log.seek(begin)
            return code, log.read()

    def must(self, command, **how):
        code, output = self.call(command, **how)
        if code != 0:
            raise StepFailed(f"exit code {code}: {' '.join(command[:6])}")
        return output

    def program(self, command, **how):
        """One test program: its exit code is its result; one that ran no test has failed."""
        code, output = self.call(command, **how)
        name = os.path.basename(command[-1])
        if code == 0 and re.search(r"^Ran 0 tests.*\n\nOK \(skipped=", output, re.MULTILINE):
            code = 77
        if code == 0 and ran_no_test(output):
            self.say(f"FAIL {name}: ran no test")
            code = 5
        if code == 77:
            return Result(skipped=1, note=f"{name} skipped")
        return Result(passed=int(code == 0), failed=int(code != 0), note="" if not code else name)


def ran_no_test(output):
    """True when a Python test program said nothing about tests, or that there were none."""
    said = re.findall(r"^Ran (\d+) tests?|^(\d+) passed, \d+ failed", output, re.MULTILINE)
    return not any(int(a or b or 0) for a, b in said)


def automake_counts(output):
    """The counts that automake's test harness prints."""
    found = dict(re.findall(r"^# (TOTAL|PASS|SKIP|XFAIL|FAIL|XPASS|ERROR):\s+(\d+)", output, re.M))
    if not found:
        raise StepFailed("nothing was tested: see the log for what did not build")
    count = {word: int(number) for word, number in found.items()}
    failed = count["FAIL"] + count["XPASS"] + count["ERROR"]
    note = f"{count['PASS']} programs"
    return Result(count["PASS"], failed, count["SKIP"], note)


def version_of(tool):
    """The major version of a tool of LLVM, or 0."""
    path = shutil.which(f"{tool}-14") or shutil.which(tool)
    if path is None:
        return 0
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"version (\d+)", said)
    return int(match.group(1)) if match else 0
