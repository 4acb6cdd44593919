#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_hurt.py: what hurts approvald hurts a small program in the same way, and stops when told.

Owns the processes that it starts and one scratch directory.
"""

import errno
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hurt  # noqa: E402

BUILD = os.environ.get("APPROVALD_BUILD", os.path.join(os.path.dirname(__file__), "../../build/gcc"))
LIBRARY = os.path.abspath(os.path.join(BUILD, "tests/cluster/hurt.so"))
PROGRAM = """
import os, sys, threading, time
wal = os.open(sys.argv[1] + "/wal-1.seg", os.O_RDWR | os.O_CREAT)
other = os.open(sys.argv[1] + "/other", os.O_RDWR | os.O_CREAT)
def beat():
    while True:
        time.sleep(0.01)
threading.Thread(target=beat, daemon=True).start()
for line in sys.stdin:
    word = line.strip()
    begin = time.monotonic()
    try:
        if word == "time":
            result = str(int(time.time() * 1000))
        elif word == "write":
            result = str(os.pwrite(wal, b"x", 0))
        else:
            os.fdatasync(wal if word == "wal" else other)
            result = "ok"
    except OSError as problem:
        result = str(problem.errno)
    print(result, int((time.monotonic() - begin) * 1000), flush=True)
"""


class HurtCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="approvald-hurt-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.hurt = hurt.Hurt(os.path.join(self.folder, "page"))
        self.addCleanup(self.hurt.close)
        self.child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, self.folder], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
            env={**os.environ, **self.hurt.environment(LIBRARY)})
        self.addCleanup(self.end)

    def end(self):
        self.child.stdin.close()
        self.child.stdout.close()
        self.child.kill()
        self.child.wait()

    def ask(self, word):
        self.child.stdin.write(word + "\n")
        self.child.stdin.flush()
        result, milliseconds = self.child.stdout.readline().split()
        return result, int(milliseconds)

    def test_nothing_happens_while_the_page_is_zero(self):
        self.assertEqual(self.ask("wal")[0], "ok")
        self.assertEqual(self.ask("write")[0], "1")

    def test_a_sync_fails_as_often_as_asked_for_and_only_of_that_kind(self):
        self.hurt.fail_sync(hurt.WAL, count=2)
        self.assertEqual(self.ask("other")[0], "ok")
        answers = [self.ask("wal")[0] for _ in range(3)]
        self.assertEqual(answers, [str(errno.EIO)] * 2 + ["ok"])
        self.assertEqual(self.hurt.get("handed"), 2)

    def test_writes_find_no_space_until_it_is_cleared(self):
        self.hurt.fail_write(hurt.WAL, errno.ENOSPC)
        self.assertEqual(self.ask("write")[0], str(errno.ENOSPC))
        self.hurt.clear()
        self.assertEqual(self.ask("write")[0], "1")

    def test_the_process_dies_at_the_very_passage(self):
        self.hurt.die(hurt.AFTER_SYNC, 2)
        self.assertEqual(self.ask("wal")[0], "ok")
        self.assertEqual(self.ask("other")[0], "ok")
        self.child.stdin.write("wal\n")
        self.child.stdin.flush()
        self.assertEqual(self.child.wait(60), -9)

    def test_a_slow_disk_takes_its_time(self):
        self.hurt.slow_sync(120)
        self.assertGreaterEqual(self.ask("wal")[1], 119)

    def test_another_kind_of_file_is_not_slow(self):
        self.hurt.slow_sync(3_600_000)
        self.assertEqual(self.ask("other")[0], "ok")  # within the hour

    def test_a_disk_that_hangs_answers_when_it_is_cleared(self):
        self.hurt.slow_sync(3_600_000)
        self.child.stdin.write("wal\n")
        self.child.stdin.flush()
        self.assertEqual(select.select([self.child.stdout], [], [], 0.2)[0], [])
        self.hurt.clear()
        self.assertTrue(select.select([self.child.stdout], [], [], 60)[0])
        self.assertEqual(self.child.stdout.readline().split()[0], "ok")

    def test_the_wall_clock_jumps_both_ways(self):
        for off in (3_600_500, -3_600_500):
            self.hurt.clock(off)
            told = int(self.ask("time")[0])
            self.assertAlmostEqual(told - time.time() * 1000, off, delta=2000)

    def test_one_thread_hangs_and_goes_on(self):
        self.ask("wal")  # it has made its thread by then
        main, beat = list(hurt.threads(self.child.pid))[:2]
        frozen = hurt.Frozen(beat)
        self.assertTrue(hurt.wait_state(self.child.pid, beat, "t"))
        self.assertNotEqual(hurt.thread_state(self.child.pid, main), "t")
        self.assertEqual(self.ask("wal")[0], "ok")
        frozen.release()
        self.assertTrue(hurt.wait_state(self.child.pid, beat, "S"))

    def test_a_process_with_a_held_thread_can_be_killed(self):
        frozen = hurt.Frozen(list(hurt.threads(self.child.pid))[0])
        self.child.kill()
        self.child.wait(60)
        frozen.release()


if __name__ == "__main__":
    unittest.main()
