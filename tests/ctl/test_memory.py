#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_memory.py: what an idle approvald takes of its own: pools are reserved, and not filled.

Owns a World (tests/lib/harness.py). Never counts the pages of files: they are shared, and go under
pressure.
"""

import os
import re
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import case  # noqa: E402  the path is set above
from lib import harness  # noqa: E402

BUILD = os.path.dirname(os.path.dirname(os.path.dirname(case.PROGRAM)))
IDLE_KB_MAX = 5 * 1024  # measured: 4.3 MiB with Slack; 5.6 where pools come out of the heap


class Memory(unittest.TestCase):
    def test_an_idle_process_has_little_of_its_own(self):
        with tempfile.TemporaryDirectory() as folder:
            with harness.World(folder, BUILD) as world:
                world.start()
                with open(f"/proc/{world.daemon.child.pid}/status", encoding="ascii") as status:
                    taken = int(re.search(r"^RssAnon:\s+(\d+) kB", status.read(), re.M).group(1))
        self.assertLess(taken, IDLE_KB_MAX)


if __name__ == "__main__":
    unittest.main()
