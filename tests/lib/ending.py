# SPDX-License-Identifier: Apache-2.0
"""ending.py: how a long test program ends: its line, its exit code, and what SIGTERM does to it.

Owns nothing. Never decides what passed.
"""

import signal

SKIPPED, INTERRUPTED = 77, 130


def _interrupt(_number, _frame):
    raise KeyboardInterrupt


def skipped(reason):
    print(f"skipped: {reason}")
    return SKIPPED


def of(work):
    """work() returns how many passed and failed. SIGTERM and ^C end it by way of its finally's."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        passed, failed = work()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        return INTERRUPTED
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0
