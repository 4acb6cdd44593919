#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_stop.py: what a clean stop of one host costs those who ask the other one meanwhile, and what
a host does that cannot do what it was started for.

Owns one Pair (pair.py), whose silence is long enough to tell it from a busy machine. Never measures
a handover: that is tests/cluster's.
"""

import os
import signal
import sys
import threading
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pair import BUILD, Pair, wait  # noqa: E402  the path is set above
from lib import talk  # noqa: E402  pair.py has set the path
from lib.stalls import Stalls  # noqa: E402

SILENCE_MS = 3000
PAUSE_S = 0.03  # a token that asks too often is told to slow down


class Asker(threading.Thread):
    """Asks again and again; remembers how long each answer took."""

    def __init__(self, host, token):
        super().__init__()
        self.host, self.token = host, token
        self.made, self.took_ms, self.over = [], [], threading.Event()

    def run(self):
        while not self.over.is_set():
            begun = time.monotonic()
            self.made.append(self.host.create(self.token))
            self.took_ms.append((time.monotonic() - begun) * 1000)
            time.sleep(PAUSE_S)


class PairCase(unittest.TestCase):
    """A pair that is whole, and a token to ask with."""

    arbiter = "etcd"

    def setUp(self):
        self.pair = Pair(self.arbiter)
        self.pair.__enter__()
        self.addCleanup(self.pair.__exit__, None, None, None)
        for host in self.pair.hosts.values():
            host.write_supervisor_conf(
                f"silence = {SILENCE_MS}ms\nevict = 10s\nstart_wait = 5s\n")
        self.pair.bootstrap()
        self.one, self.two = self.pair.hosts[1], self.pair.hosts[2]
        self.token = self.one.let_ask()


class Stop(PairCase):
    def assert_alone(self, host):
        """Since before the other one ended: nothing had to be found out, or confirmed."""
        status = host.status()
        self.assertEqual(len(status["register"]["isr"]), 1, status)
        self.assertTrue(status["serving"], status)
        self.assertNotIn("needs_operator", [alarm["alarm"] for alarm in status["alarms"]])

    def test_a_stopped_standby_costs_nothing(self):
        asker = Asker(self.one, self.token)
        stalls = self.enterContext(Stalls())
        asker.start()
        try:
            wait(lambda: len(asker.made) > 20, "some were answered")
            self.two.stop()
            self.assert_alone(self.one)
            count = len(asker.made)
            wait(lambda: len(asker.made) > count + 20, "it answers")
        finally:
            asker.over.set()
            asker.join()
        print(f"longest answer {max(asker.took_ms):.0f} ms, silence {SILENCE_MS} ms")
        self.assertLess(max(asker.took_ms), SILENCE_MS / 2 + stalls.so_far_s() * 1000)
        # Nothing is lost, and it is taken in again.
        self.two.start()
        wait(self.pair.is_paired, "both are in the ISR again")
        for request in asker.made:
            self.assertTrue(self.one.has(request, self.token))
            time.sleep(PAUSE_S)

    def test_a_stopped_primary_hands_over_and_is_not_waited_for(self):
        made = [self.one.create(self.token)]
        self.one.stop()
        self.assert_alone(self.two)
        made.append(self.two.create(self.token))
        self.one.start()
        wait(self.pair.is_paired, "both are in the ISR again")
        for request in made:
            self.assertTrue(self.two.has(request, self.token))

    def test_a_host_that_hands_over_is_stopped_behind_that(self):
        made = [self.one.create(self.token)]
        with Stalls() as stalls:
            self.two.supervisor.send_signal(signal.SIGSTOP)  # it takes its time to take over
            try:
                self.assertTrue(talk.ask(self.one.control, "switchover", 10)["ok"])
                begun = time.monotonic()
                self.one.supervisor.send_signal(signal.SIGTERM)
                time.sleep(0.3)
            finally:
                self.two.supervisor.send_signal(signal.SIGCONT)
            wait(lambda: self.two.status()["serving"], "the other one serves")
            took_s = time.monotonic() - begun
        self.one.supervisor.wait(20)  # a second signal would end it at once
        self.assert_alone(self.two)
        self.assertLess(took_s, SILENCE_MS / 2000 + stalls.total_s)
        made.append(self.two.create(self.token))
        for request in made:
            self.assertTrue(self.two.has(request, self.token))

    def test_who_cannot_be_taken_out_ends_in_time(self):
        """The arbiter, or who would ask it, does not answer."""
        if self.arbiter == "etcd":
            self.pair.etcd.kill()
        else:
            self.one.supervisor.send_signal(signal.SIGSTOP)
            self.addCleanup(self.one.supervisor.send_signal, signal.SIGCONT)
        with Stalls() as stalls:
            begun = time.monotonic()
            self.two.stop()
            took_s = time.monotonic() - begun
        self.assertLess(took_s, 10 + stalls.total_s)


class Unfit(PairCase):
    """Not stopped: of a version that takes the lead and never serves."""

    def mute(self, host):
        program = host.path("muted")
        with open(program, "w", encoding="utf-8") as out:
            out.write(f"#!/bin/sh\nMUTED_PROGRAM={BUILD}/approvald/approvald exec {sys.executable} "
                      f"{os.path.dirname(os.path.abspath(__file__))}/muted.py \"$@\"\n")
        os.chmod(program, 0o700)
        host.edit(f'program = "{BUILD}/approvald/approvald"', f'program = "{program}"')
        host.edit("log_target = \"text\"\n", "log_target = \"text\"\nchild {\n    lead = 2s\n}\n")

    def test_the_lead_goes_back(self):
        made = [self.one.create(self.token)]
        self.two.stop()
        self.mute(self.two)
        self.two.start()
        wait(self.pair.is_paired, "both are in the ISR again")
        self.one.ctl("switchover")  # what it says is said before the other one has shown what it is
        wait(lambda: self.two.status()["child"]["safe_mode"], "it has had its time")
        wait(lambda: self.one.status()["serving"], "the other one leads again")
        made.append(self.one.create(self.token))
        self.assertIn("does not answer", self.two.ctl("status").stdout)
        for request in made:
            self.assertTrue(self.one.has(request, self.token))


class StopWithoutArbiter(Stop):
    """Both hosts keep the register: who is gone could be taken out by an operator's word only."""

    arbiter = "manual"


if __name__ == "__main__":
    unittest.main(verbosity=1)
