#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_netns.py: the network that the cluster tests hurt really is hurt, and mended, and gone after.

Owns the networks that it makes. Never starts a program of ours.
"""

import os
import signal
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import netns  # noqa: E402  the path is set above
from lib.waiting import PATIENCE_S  # noqa: E402

REASON = netns.why_not()
NAMES = {"A": "10.77.0.1", "B": "10.77.0.2", "C": "10.77.0.4"}


@unittest.skipIf(REASON, REASON)
class NetCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.net = netns.Net(NAMES)
        cls.listeners = {}
        for name, address in NAMES.items():
            sock = cls.net[name].socket()
            sock.bind((address, 7000))
            sock.listen(64)
            cls.listeners[name] = sock

    @classmethod
    def tearDownClass(cls):
        for sock in cls.listeners.values():
            sock.close()
        cls.net.close()

    def tearDown(self):
        self.net.heal()

    def reaches(self, source, target, timeout=0.4):
        """True when source can open a connection to target and hears back over it."""
        with self.net[source].socket(timeout=timeout) as sock:
            try:
                sock.connect((NAMES[target], 7000))
            except OSError:
                return False
            taken, _ = self.listeners[target].accept()
            with taken:
                taken.settimeout(timeout)
                try:
                    sock.sendall(b"x")
                    taken.recv(1)
                    taken.sendall(b"y")
                    return sock.recv(1) == b"y"
                except OSError:
                    return False

    def sends(self, source, target, count=1):
        """How many of count datagrams arrive: one direction alone."""
        with self.net[target].socket(netns.socket.SOCK_DGRAM, timeout=0.3) as inbox, \
                self.net[source].socket(netns.socket.SOCK_DGRAM) as outbox:
            inbox.bind((NAMES[target], 7001))
            for _ in range(count):
                outbox.sendto(b"x", (NAMES[target], 7001))
            arrived = 0
            try:
                while arrived < count:
                    inbox.recv(1)
                    arrived += 1
            except OSError:
                pass
            return arrived

    def test_what_runs_beside_the_bridge_is_reached_at_its_own_address(self):
        self.net.answer("10.77.0.5")
        with self.net.bridge.socket() as switch:
            switch.bind(("10.77.0.5", 7000))
            switch.listen()
            with self.net["A"].socket(timeout=PATIENCE_S) as sock:
                sock.connect(("10.77.0.5", 7000))

    @unittest.skipUnless(os.path.exists("/dev/net/tun"), "no /dev/net/tun")
    def test_a_virtual_machine_is_a_port_of_the_bridge(self):
        member = self.net.add_machine("V", "10.77.0.9")
        self.assertIn("bridge_slave", member.run("ip", "-d", "link", "show", "V"))
        self.assertIn("br0", member.run("ip", "link", "show", "V"))

    def test_everybody_reaches_everybody(self):
        for source in NAMES:
            for target in NAMES:
                if source != target:
                    self.assertTrue(self.reaches(source, target, timeout=PATIENCE_S), (source, target))

    def test_a_cut_holds_in_one_direction_only(self):
        self.assertEqual(self.sends("A", "B"), 1)
        self.net.cut("A", "B")
        self.assertEqual(self.sends("A", "B"), 0)
        self.assertEqual(self.sends("B", "A"), 1)
        self.assertFalse(self.reaches("B", "A"))
        self.assertTrue(self.reaches("A", "C", timeout=PATIENCE_S))
        self.net.mend("cut", "A", "B")
        self.assertTrue(self.reaches("A", "B", timeout=PATIENCE_S))

    def test_an_isolated_member_is_alone(self):
        self.net.isolate("A")
        self.assertFalse(self.reaches("A", "C"))
        self.assertFalse(self.reaches("C", "A"))
        self.assertTrue(self.reaches("B", "C", timeout=PATIENCE_S))

    def test_dropped_replies_leave_the_other_way_round_alone(self):
        self.net.drop_replies("A", "B")
        self.assertFalse(self.reaches("B", "A"))
        self.assertTrue(self.reaches("A", "B", timeout=PATIENCE_S))

    def test_loss_is_about_as_much_as_was_asked_for(self):
        self.net.cut("A", "B", loss=50)
        arrived = self.sends("A", "B", count=400)
        self.assertGreater(arrived, 100)
        self.assertLess(arrived, 300)

    def test_an_unplugged_interface_has_no_carrier(self):
        self.net.unplug("A")
        self.assertIn("NO-CARRIER", self.net["A"].run("ip", "link", "show", "eth0"))
        self.assertFalse(self.reaches("B", "A"))
        self.net.plug("A")
        self.assertTrue(self.reaches("B", "A", timeout=PATIENCE_S))

    def test_a_slow_link_takes_its_time(self):
        self.net.slow("B", 400)
        with self.net["A"].socket(timeout=10) as sock:
            sock.connect((NAMES["B"], 7000))
            taken, _ = self.listeners["B"].accept()
            with taken:
                taken.settimeout(10)
                begin = time.monotonic()
                sock.sendall(bytes(60000))
                got = 0
                while got < 60000:
                    got += len(taken.recv(65536))
                self.assertGreater(time.monotonic() - begin, 0.5)

    def test_lag_delays_both_ways_and_ends(self):
        self.net.lag("A", 60, 20, 5)
        begin = time.monotonic()
        self.assertTrue(self.reaches("A", "B", timeout=PATIENCE_S))
        self.assertGreater(time.monotonic() - begin, 0.24)  # two round trips
        self.net.cut("A", "B")
        self.assertFalse(self.reaches("A", "B"))
        self.net.heal()
        took_s = []
        while not took_s or (min(took_s) >= 0.2 and len(took_s) < 20):  # a busy machine may be slow once
            begin = time.monotonic()
            self.assertTrue(self.reaches("A", "B", timeout=PATIENCE_S))
            took_s.append(time.monotonic() - begin)
        self.assertLess(min(took_s), 0.2)


@unittest.skipIf(REASON, REASON)
class LeftoverCase(unittest.TestCase):
    SCRIPT = """
import sys, time
sys.path.insert(0, {here!r})
import netns
net = netns.Net({names!r})
import subprocess
subprocess.Popen(net["A"].command("sleep", "600"))
print(net.prefix, flush=True)
try:
    time.sleep(600)
finally:
    net.close()
"""

    def start(self):
        text = self.SCRIPT.format(here=netns.HERE, names=NAMES)
        child = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
        self.addCleanup(child.stdout.close)
        return child, child.stdout.readline().strip()

    def names(self, prefix):
        return [line for line in netns.run("ip", "netns", "list").split("\n")
                if line.startswith(prefix)]

    def test_nothing_is_left_after_ctrl_c(self):
        child, prefix = self.start()
        self.assertEqual(len(self.names(prefix)), 4)
        child.send_signal(signal.SIGINT)
        child.wait(20)
        self.assertEqual(self.names(prefix), [])

    def test_what_a_killed_run_left_is_swept_by_the_next(self):
        child, prefix = self.start()
        child.kill()
        child.wait()
        self.assertEqual(len(self.names(prefix)), 4)
        pids = netns.pids_of(prefix + "A")
        self.assertEqual(len(pids), 1)
        netns.sweep()
        self.assertEqual(self.names(prefix), [])
        self.assertTrue(netns.is_zombie(pids[0]))


if __name__ == "__main__":
    unittest.main()
