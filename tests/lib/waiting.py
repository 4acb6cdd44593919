# SPDX-License-Identifier: Apache-2.0
"""waiting.py: waits until something is so.

Owns nothing. Never waits by sleeping alone.
"""

import contextlib
import time

# For what the product promises no time: a machine under load may stand still for seconds.
PATIENCE_S = 60


def until(predicate, what, seconds, step, lost=(), error=AssertionError):
    """The first true value of predicate(). lost: exceptions of it that count as not yet."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(*lost):
            value = predicate()
            if value:
                return value
        if time.monotonic() > end:
            raise error(f"waited {seconds} s in vain until {what}")
        time.sleep(step)
