#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_pair.py: supervisors of a pair with a real etcd and fake children, which have no link.

Owns its benches and its etcd. Never tests what goes over the link: tests/cluster does.
"""
import os
import shutil
import signal
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import etcd  # noqa: E402  the path is set above
from bench import Bench  # noqa: E402
from lib.ports import free_port  # noqa: E402  bench.py has set the path

CLUSTER = "000102030405060708090a0b0c0d0e0f"
TOOLS = all(shutil.which(tool) for tool in ("etcd", "openssl", "curl"))


class Host(Bench):
    """One host of the pair."""

    def __init__(self, number, arbiter, authority):
        certificate, key = authority.leaf(f"host{number}", "IP:127.0.0.1")
        link = free_port()
        super().__init__(extra=f"""
pair {{
    host = {number}
    cluster_id = "{CLUSTER}"
    listen = "127.0.0.1:{link}"
    peer = "127.0.0.1:{link}"
    peer_name = "host{3 - number}"
    certificate = "{certificate}"
    key = "{key}"
    ca = "{authority.ca}"
    start_wait = 600ms
}}
arbiter {{
    kind = etcd
    endpoints = {{"{arbiter.url}"}}
    certificate = "{certificate}"
    key = "{key}"
    ca = "{authority.ca}"
}}
""")

    def bootstrap(self):
        """Says no until etcd was read once."""
        self.wait(lambda: self.command("bootstrap")["ok"], "the register is made")

    def register(self):
        return self.status()["register"]

    def refuses(self):
        try:
            self.connect(timeout=1)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
        return False


@unittest.skipUnless(TOOLS, "needs etcd, openssl and curl")
class Pair(unittest.TestCase):
    """Authority by the register."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="sup-pair-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.authority, self.arbiter = etcd.own(self, self.dir)

    def lead(self, host):
        """Bootstraps the register and waits until the host serves."""
        host.start()
        host.bootstrap()
        host.wait(lambda: host.status()["serving"], "it serves")

    def test_nothing_is_served_without_a_register(self):
        with Host(1, self.arbiter, self.authority) as host:
            host.start()
            host.wait(lambda: host.status()["arbiter"]["reachable"], "etcd was asked")
            self.assertTrue(host.refuses())
            self.assertFalse(host.status()["serving"])
            self.assertNotIn("GRANT", [word for _pid, word, _n in host.trace()])

    def test_bootstrap_leads_and_a_restart_leads_under_a_higher_epoch(self):
        with Host(1, self.arbiter, self.authority) as host:
            self.lead(host)
            first = host.register()["epoch"]
            pid = host.connect()
            os.kill(pid, signal.SIGKILL)
            host.wait(lambda: host.connect() != pid, "another child answers")
            self.assertGreater(host.register()["epoch"], first)
            grants = [n for _pid, word, n in host.trace() if word == "GRANT"]
            self.assertEqual(grants, sorted(set(grants)))  # no epoch twice

    def test_host_outside_the_isr_refuses_connections(self):
        with Host(1, self.arbiter, self.authority) as one, \
                Host(2, self.arbiter, self.authority) as two:
            self.lead(one)
            two.start()
            two.wait(lambda: two.register() is not None, "it has read the register")
            two.wait(lambda: two.status()["role"] == "standby", "it is standby")
            self.assertTrue(two.refuses())
            self.assertEqual(two.register()["primary"], 1)
            one.stop(signal.SIGKILL)  # not in the ISR: it may not take over
            two.wait(lambda: two.status()["child"]["state"] == "up", "it goes on")
            self.assertFalse(two.status()["serving"])
            self.assertNotIn("GRANT", [word for _pid, word, _n in two.trace()])
            one.start()
            one.wait(lambda: one.status()["serving"], "the first leads again")

    def test_lost_arbiter_stops_nothing_and_is_told(self):
        with Host(1, self.arbiter, self.authority) as host:
            self.lead(host)
            self.arbiter.kill()
            host.wait(lambda: "arbiter_down" in [a["alarm"] for a in host.status()["alarms"]],
                      "the alarm", 60)
            self.assertEqual(host.connect(), host.child())
            self.assertTrue(host.status()["serving"])
            self.arbiter.start()
            host.wait(lambda: "arbiter_down" not in
                      [a["alarm"] for a in host.status()["alarms"]], "the alarm ends", 60)

    def test_crash_loop_leaves_the_lead(self):
        with Host(1, self.arbiter, self.authority) as host:
            host.behave("do crash 3")
            host.start()
            host.bootstrap()
            host.wait(lambda: host.status()["child"]["safe_mode"], "safe mode")
            grants = len([1 for _pid, word, _n in host.trace() if word == "GRANT"])
            host.behave()
            host.wait(lambda: host.status()["child"]["state"] == "up", "the child is up")
            host.wait(host.refuses, "nothing is served")
            self.assertIn("crash loop", host.status()["child"]["safe_reason"])
            self.assertEqual(len([1 for _pid, word, _n in host.trace() if word == "GRANT"]), grants)
            host.command("safe-mode-clear")
            host.wait(lambda: host.status()["serving"], "it leads again")


if __name__ == "__main__":
    unittest.main()
