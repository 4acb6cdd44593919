#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_secrets.py: a real pair whose hosts do not have the same secrets says so before a failover
shows it.

Owns one Pair (pair.py) and its hosts' secrets. Never looks at a secret through the programs: none
may tell one.
"""

import json
import os
import signal
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pair import Pair, wait  # noqa: E402  the path is set above
from lib import harness  # noqa: E402

KEY, OTHER = "0123456789abcdef" * 4, "fedcba9876543210" * 4


class Secrets(unittest.TestCase):
    def setUp(self):
        self.pair = Pair()
        self.pair.__enter__()
        self.addCleanup(self.pair.__exit__, None, None, None)
        self.one, self.two = self.pair.hosts[1], self.pair.hosts[2]
        for host, key in ((self.one, KEY), (self.two, OTHER)):
            self.write_key(host, key)
            with open(host.path("approvald.conf"), "a", encoding="utf-8") as conf:
                conf.write(f'step_up_key_file = "{host.path("step-up")}"\n')
            host.write_supervisor_conf("silence = 700ms\nevict = 2500ms")  # for a busy machine
        self.pair.bootstrap()

    @staticmethod
    def write_key(host, key):
        with open(os.open(host.path("step-up"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
                  "w", encoding="ascii") as out:  # fmt: skip
            out.write(key)

    @staticmethod
    def compared(host):
        """Each option and how it compares, as approvald says it."""
        out = host.ctl("status", "--json").stdout
        found, _end = json.JSONDecoder().raw_decode(out)
        return {item["option"]: item["state"] for item in found["pair"]["secrets"]}

    @staticmethod
    def wait_metric(host, count):
        line = f"\napprovald_pair_secrets_differ {count}\n"
        wait(lambda: line in harness.call("GET", "/metrics", port=host.management).body.decode(),
             f"the metric is {count}")  # fmt: skip

    @staticmethod
    def wait_said(host, command, words, code=None):
        """What a command says, once it has the words; a pair on a busy machine has its moments."""
        def said():
            done = host.ctl(command)
            return done.stdout if words in done.stdout and code in (None, done.returncode) else None
        return wait(said, f"{command} says: {words}")

    def reload(self, host):
        host.supervisor.send_signal(signal.SIGHUP)

    def both(self, state):
        return all(self.compared(host)["step_up_key_file"] == state
                   for host in (self.one, self.two))  # fmt: skip

    def test_another_key_is_told_on_both_hosts_until_it_is_the_same(self):
        wait(lambda: self.both("differs"), "both have heard of it")
        self.assertEqual(self.compared(self.one)["slack.bot_token_file"], "unused")
        for host in (self.one, self.two):
            status = self.wait_said(
                host, "status", "SECRETS   step_up_key_file differs from the other host's", 119)
            doctor = self.wait_said(host, "doctor", "FAIL  secrets: step_up_key_file differs")
            self.wait_metric(host, 1)
            self.assertNotIn(KEY[:16], status + doctor)
        self.write_key(self.two, KEY)  # host 1 serves: the standby's is changed
        self.reload(self.two)
        wait(lambda: self.both("same"), "both have heard that it is mended")
        for host in (self.one, self.two):
            self.assertNotIn("SECRETS", self.wait_said(host, "status", "in step", 0))
            self.wait_said(host, "doctor", "ok    secrets: the same on both hosts")
            self.wait_metric(host, 0)
            with open(host.path("supervisor.log"), encoding="utf-8") as log:
                said = log.read()
            self.assertIn("secrets_differ", said)
            for key in (KEY, OTHER):
                self.assertNotIn(key[:16], said)
        # A reload of the primary does not change the key that it goes on with.
        self.write_key(self.one, OTHER)
        self.reload(self.one)
        wait(lambda: self.log_says(self.one, "reloaded"), "it has read its files")
        wait(lambda: self.both("same"), "nothing has changed")

    def test_a_key_that_is_missing_on_one_host_is_told(self):
        with open(self.two.path("approvald.conf"), "a", encoding="utf-8") as conf:
            conf.write('step_up_key_file = ""\n')
        self.reload(self.two)
        wait(lambda: self.compared(self.one)["step_up_key_file"] == "missing_there" and
             self.compared(self.two)["step_up_key_file"] == "missing_here", "both know")  # fmt: skip
        self.wait_said(self.two, "status", "is missing here", 119)
        self.two.stop()
        wait(lambda: self.compared(self.one)["step_up_key_file"] == "unknown", "nobody is there")

    @staticmethod
    def log_says(host, word):
        with open(host.path("supervisor.log"), encoding="utf-8") as log:
            return word in log.read()


if __name__ == "__main__":
    unittest.main(verbosity=1)
