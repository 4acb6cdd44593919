#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_strict.py: a pair with protection = strict on loopback: what one host has alone is never
answered, and the status of a pair that cannot acknowledge says so, and what to do.

Owns one Pair (pair.py) a test. Never looks into a store: what counts is what the programs say.
"""

import os
import shutil
import sys
import threading
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pair import Pair, wait  # noqa: E402  the path is set above
from lib import harness  # noqa: E402  pair.py sets the path


class StrictTest(unittest.TestCase):
    def setUp(self):
        self.pair = Pair()
        self.pair.__enter__()
        self.addCleanup(self.pair.__exit__, None, None, None)
        for host in self.pair.hosts.values():
            host.write_supervisor_conf("protection = strict")
        self.pair.bootstrap()
        self.one, self.two = self.pair.hosts[1], self.pair.hosts[2]
        self.token = self.one.let_ask()

    def ready(self, host):
        """The status of /readyz, and what it says."""
        answer = harness.call("GET", "/readyz", port=host.management)
        return answer.status, answer.body.decode()

    def leads(self, host):
        found = host.status()
        return found.get("role") == "primary" and found["register"]["primary"] == host.number

    def check_held(self, host):
        """It leads, its ISR is itself, and it answers nothing."""
        wait(lambda: self.leads(host), f"host {host.number} leads")
        status = host.status()
        self.assertEqual([member["host"] for member in status["register"]["isr"]], [host.number])
        self.assertFalse(status["serving"])
        code, said = self.ready(host)
        self.assertEqual(code, 503)
        self.assertIn("Strict: the other host is not in sync", said)
        answer = harness.call("GET", "/v1/requests", None,
                              {"Authorization": "Bearer " + self.token}, port=host.port)  # fmt: skip
        self.assertEqual(answer.status, 503)
        self.assertIn("Strict", answer.body.decode())
        self.assertIn("NOT READY", host.ctl("status", check=119).stdout)

    def test_a_standby_that_takes_over_answers_nothing_alone(self):
        one, two = self.one, self.two
        asked = one.create(self.token)
        one.kill()
        self.check_held(two)
        one.start()
        wait(self.pair.is_paired, "both are in the ISR")
        wait(lambda: self.ready(two)[0] == 200, "host 2 serves")
        self.assertTrue(two.has(asked, self.token))
        two.create(self.token)
        two.ctl("status", check=0)

    def test_a_primary_that_nobody_acknowledges_says_what_to_do(self):
        one, two = self.one, self.two
        two.kill()
        said = wait(lambda: self.said(one, "STALLED: primary, but host 2"), "the status says so")
        self.assertNotIn("every answer is on both hosts", said)
        wait(lambda: self.said(one, "host 2 has to acknowledge and is not heard: start it"),
             "it says what to do")  # fmt: skip
        writer = threading.Thread(target=self.write_in_vain, args=(one,))
        writer.start()
        wait(lambda: self.ready(one)[0] == 503, "host 1 is not ready")
        self.assertIn("does not: nothing is answered", self.ready(one)[1])
        two.start()
        wait(self.pair.is_paired, "host 2 has come back by itself")
        writer.join(20)
        wait(lambda: self.ready(one)[0] == 200, "host 1 is ready")
        one.ctl("status", check=0)

    def test_a_standby_that_is_back_with_another_store_says_what_to_do(self):
        one, two = self.one, self.two
        asked = one.create(self.token)
        two.kill()
        shutil.rmtree(two.path("data"))
        os.makedirs(two.path("data"), 0o700)
        two.start()
        wait(lambda: self.said(one, "host 2 is back with another store (its disk was lost?): "
                               "restart approvald-supervisor here"), "the primary says so")  # fmt: skip
        self.assertIn("STALLED", one.ctl("status", check=119).stdout)
        one.kill()
        one.start()
        wait(self.pair.is_paired, "host 2 has fetched the store")
        wait(lambda: self.ready(one)[0] == 200, "host 1 serves")
        self.assertTrue(one.has(asked, self.token))

    def write_in_vain(self, host):
        try:
            host.create(self.token)
        except (OSError, AssertionError):
            pass  # its fate is not this test's matter

    def said(self, host, words):
        out = host.ctl("status").stdout
        return out if words in out else None


if __name__ == "__main__":
    unittest.main(verbosity=1)
