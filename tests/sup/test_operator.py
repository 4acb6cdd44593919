#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_operator.py: the operator's day with a real pair on loopback: bootstrap, takeover, rejoin,
switchover from either host, maintenance, forced promotion; each seen through approvalctl.

Owns one Pair (pair.py) a test. Never looks into a store: what counts is what the programs say.
"""

import os
import pty
import shutil
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pair as kit  # noqa: E402  the path is set above
from pair import Pair, wait  # noqa: E402


class PairTest(unittest.TestCase):
    def setUp(self):
        self.pair = Pair()
        self.pair.__enter__()
        self.addCleanup(self.pair.__exit__, None, None, None)
        self.pair.bootstrap()
        self.one, self.two = self.pair.hosts[1], self.pair.hosts[2]
        self.token = self.one.let_ask()
        self.made = []

    def run(self, result=None):
        """The supervisors' last words help when a test fails."""
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            sys.stderr.write(self.words)

    def tearDown(self):
        self.words = "".join(host.log_tail() for host in self.pair.hosts.values())

    def ask(self, host):
        self.made.append(host.create(self.token))

    def has_all(self, host):
        return all(host.has(request, self.token) for request in self.made)

    def check_well(self, primary):
        """Both hosts say that all is well, with exit code 0."""
        standby = self.pair.other(primary)
        wait(self.pair.is_paired, "both are in the ISR")
        wait(lambda: standby.status()["peer"]["role"] == "primary", "the standby is told")
        self.assertIn("ready: primary, and host", primary.ctl("status", check=0).stdout)
        self.assertIn("standing by: host", standby.ctl("status", check=0).stdout)

    def test_takeover_rejoin_switchover_and_maintenance(self):
        one, two = self.one, self.two
        self.check_well(one)
        self.ask(one)
        one.kill()
        wait(lambda: two.status().get("serving"), "host 2 takes over")
        self.assertTrue(self.has_all(two))
        said = two.ctl("status", check=119).stdout
        self.assertIn("UNPROTECTED", said)
        self.assertIn("NOT HEARD", said)
        self.assertIn("not in the ISR", two.ctl("maintenance", "on", check=115).stdout)
        self.ask(two)
        one.start()
        wait(self.pair.is_paired, "host 1 has come back by itself")
        self.check_well(two)
        # From the standby: passed on to the primary.
        self.assertIn("passed on", one.ctl("switchover", check=0).stdout)
        self.assertTrue(one.status()["serving"])
        self.check_well(one)
        # From the primary itself.
        wait(lambda: one.ctl("switchover").returncode == 0, "it hands over")
        wait(lambda: two.status().get("serving"), "host 2 leads")
        self.check_well(two)
        self.assertTrue(self.has_all(two))
        two.ctl("maintenance", "on", check=0)
        self.assertFalse(two.status()["serving"])  # as for "maintenance on && reboot"
        wait(lambda: one.status().get("serving"), "host 1 serves")
        self.assertIn("in maintenance", two.ctl("status", check=0).stdout)
        wait(lambda: "standby, in maintenance" in one.ctl("status").stdout, "host 1 is told")
        two.ctl("maintenance", "off", check=0)
        self.ask(one)
        self.assertEqual(one.ctl("audit verify").returncode, 0)

    def test_a_forced_promotion_and_the_way_back(self):
        one, two = self.one, self.two
        self.ask(one)
        # The standby falls back, then the primary is lost with what only it had.
        two.kill()
        wait(lambda: len(one.status()["register"]["isr"]) == 1, "host 1 goes on alone")
        self.ask(one)
        lost = self.made.pop()
        one.kill()
        two.start()
        wait(lambda: two.status().get("register"), "host 2 reads the register")
        self.assertEqual(two.ctl("promote", "--force").returncode, 116)
        self.assertIn("nothing was done", two.ctl("promote", "--force", "--confirm", "x").stderr)
        self.assertFalse(two.status()["serving"])
        self.assertEqual(self.typed(two, "the other host is off"), 0)
        wait(lambda: two.status().get("serving"), "host 2 leads under a new lineage")
        self.assertTrue(self.has_all(two))
        self.assertFalse(two.has(lost, self.token))
        self.ask(two)
        one.start()
        wait(lambda: ": approvalctl rejoin" in one.ctl("status").stdout, "the old host says what to do")
        self.assertNotEqual(one.ctl("status").returncode, 0)
        self.assertFalse(one.status()["serving"])
        one.ctl("rejoin", "--confirm", "give up this store", check=0)
        self.check_well(two)
        self.assertTrue([name for name in os.listdir(one.path("data"))
                         if name.startswith("diverged-")])  # fmt: skip
        wait(lambda: two.ctl("switchover").returncode == 0, "it hands over")
        wait(lambda: one.status().get("serving"), "host 1 leads")
        self.assertTrue(self.has_all(one))

    def test_a_forced_promotion_whose_host_then_loses_its_disk(self):
        one, two = self.one, self.two
        self.ask(one)
        one.kill()
        wait(lambda: two.status().get("serving"), "host 2 leads")
        two.kill()
        one.start()
        wait(lambda: one.status().get("register"), "host 1 reads the register")
        wait(lambda: one.ctl("promote", "--force", "--confirm", "the other host is off")
             .returncode == 0, "host 1 is promoted")  # fmt: skip
        wait(lambda: one.status().get("serving"), "host 1 leads under a new lineage")
        one.kill()
        shutil.rmtree(one.path("data"))
        os.makedirs(one.path("data"), 0o700)
        two.start()
        self.assertIn("--other-lineage", wait(
            lambda: self.said("do NOT rejoin", two), "host 2 says what not to do"))  # fmt: skip
        refused = two.ctl("rejoin", "--confirm", "give up this store", check=115)
        self.assertIn("nothing to fetch", refused.stdout)
        words = "give up lineage " + two.status()["register"]["lineage"]
        force = ("--force", "--other-lineage", "--confirm")
        self.assertIn(words, two.ctl("promote", *force, "give up lineage", check=116).stderr)
        self.assertIn("peer-off", two.ctl("promote", *force, words, check=115).stdout)
        two.ctl("peer-off", "--confirm", "the other host is off", check=0)
        two.ctl("promote", *force, words, check=0)
        wait(lambda: two.status().get("serving"), "host 2 leads under another new lineage")
        self.assertTrue(self.has_all(two))
        one.start()
        self.check_well(two)

    def typed(self, host, words):
        """promote --force at a terminal, with the words typed; the exit code."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(kit.CTL, [kit.CTL, "promote", "--force", "--supervisor", host.control])
        with os.fdopen(terminal, "r+b", buffering=0) as tty:
            said = b""
            while b"to go on" not in said:
                said += tty.read(1024)
            self.assertIn(b"switch it off first", said)
            tty.write(words.encode() + b"\n")
            while True:
                try:
                    if not tty.read(1024):
                        break
                except OSError:
                    break  # the other end is closed
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def test_an_arbiter_that_is_lost_is_told_on_both_hosts(self):
        self.pair.etcd.kill()
        for host in (self.one, self.two):
            wait(lambda host=host: "DOES NOT ANSWER" in host.ctl("status").stdout,
                 f"host {host.number} misses the arbiter", 15)  # fmt: skip
        self.assertIn("arbiter_down", self.one.ctl("status", check=119).stdout)
        self.assertIn("THE OTHER HOST DOES NOT REACH IT",
                      wait(lambda: self.said("DOES NOT REACH"), "the other host is told"))
        self.assertIn("no takeover is possible", self.one.ctl(
            "doctor", "--config", self.one.path("approvald.conf"), "--program",
            f"{kit.BUILD}/approvald/approvald", check=119).stdout)  # fmt: skip
        self.ask(self.one)  # a healthy pair needs no arbiter to write
        self.pair.etcd.start()
        wait(lambda: self.one.ctl("status").returncode == 0, "the alarm is over", 40)
        self.check_well(self.one)

    def said(self, words, host=None):
        """The status of a host, host 1 unless said otherwise, when it has these words."""
        out = (host or self.one).ctl("status").stdout
        return out if words in out else None

    def test_a_backup_is_taken_on_either_host(self):
        self.ask(self.one)
        for host in (self.one, self.two):
            file = host.path("copy.backup")
            host.ctl("backup", file, check=0)
            self.assertGreater(os.path.getsize(file), 1000)


if __name__ == "__main__":
    unittest.main(verbosity=1)
