# SPDX-License-Identifier: Apache-2.0
"""ending.py: how a long test program ends: what failed, its line, its exit code, and what SIGTERM does to it.

Owns the lines of what was tried. Never decides what passed.
"""

import signal

SKIPPED, INTERRUPTED = 77, 130
REASONS_MAX = 12  # of one failure: what is wrong may be wrong a thousand times


def _interrupt(_number, _frame):
    raise KeyboardInterrupt


def skipped(reason):
    print(f"skipped: {reason}")
    return SKIPPED


class Tried:
    """Prints how each round or case ended, and in the end once more what failed: by then it is out
    of sight behind the others and their table."""

    def __init__(self):
        self.failed = []

    def tell(self, words, wrong):
        """True when nothing is wrong, which is a list of texts."""
        print(f"{'FAIL' if wrong else 'ok  '} {words}", flush=True)
        print_reasons(wrong)
        if wrong:
            self.failed.append((words, wrong))
        return not wrong

    def again(self):
        if self.failed:
            print("\nwhat failed:")
        for words, wrong in self.failed:
            first, *more = "\n".join([words, *wrong]).splitlines()
            print(f"FAIL {first}")
            print_reasons(more)


def print_reasons(texts):
    for text in texts[:REASONS_MAX]:
        print("     " + text, flush=True)
    if len(texts) > REASONS_MAX:
        print(f"     and {len(texts) - REASONS_MAX} more", flush=True)


def of(work, tried=None):
    """work() returns how many passed and failed. SIGTERM and ^C end it by way of its finally's."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        passed, failed = work()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        return INTERRUPTED
    finally:
        if tried is not None:
            tried.again()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0
