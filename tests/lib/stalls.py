# SPDX-License-Identifier: Apache-2.0
"""stalls.py: how long the machine stood still while something was timed.

Owns two threads and one small file while it is entered. Never excuses slowness: only what neither a
thread that sleeps nor one that writes had got done in time counts, beyond what a busy machine takes.
"""

import os
import tempfile
import threading
import time

STEP_S = 0.02
COUNTS_S = 0.2  # shorter is no stall


class Stalls:
    """A context manager; total_s is whole when it has been left, or so_far_s was asked."""

    def __init__(self):
        self._late_s = [0.0, 0.0]  # of each watcher: a stall of the processors is seen by both
        self._over = threading.Event()
        self._turns = [0, 0]
        self._threads = [threading.Thread(target=self._watch, args=(number, act), daemon=True)
                         for number, act in enumerate((lambda: None, self._write))]

    def __enter__(self):
        self._file = tempfile.TemporaryFile()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_unused):
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._file.close()

    @property
    def total_s(self):
        return max(self._late_s)

    def so_far_s(self):
        """With the stall that has just ended: its watchers may not have run yet."""
        seen = list(self._turns)
        while any(new == old for new, old in zip(self._turns, seen, strict=True)):
            time.sleep(STEP_S)
        return self.total_s

    def _write(self):
        os.pwrite(self._file.fileno(), b"x", 0)
        os.fsync(self._file.fileno())

    def _watch(self, number, act):
        over = False
        while not over:  # what was stood still in is counted although it is over by then
            begin = time.monotonic()
            over = self._over.wait(STEP_S)
            act()
            late_s = time.monotonic() - begin - STEP_S
            if late_s > COUNTS_S:
                self._late_s[number] += late_s
            self._turns[number] += 1
