#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_socket_slow.py: what shows only after half a minute and more: a socket that is open on one
side only, and the sockets of another program.

Owns its waits, whose lengths are approvald's own limits. Never looks into approvald.
"""
import os
import re
import time

from e2e import harness, main
from e2e_socket import SocketCase
from lib.harness import ANA

LIMITS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..",
                      "approvald", "slack", "limits.h")


def limit_s(name):
    """A time of limits.h."""
    with open(LIMITS, encoding="utf-8") as limits:
        return int(re.search(rf"#define {name} +(\d+)", limits.read()).group(1)) / 1000


class HalfOpen(SocketCase):
    def test_a_socket_that_is_open_on_one_side_only_is_replaced(self):
        before = {c["number"] for c in self.sockets()["connections"]}
        request_id = self.ask(title="Into the void")
        self.card(request_id)
        self.world.control("POST", "/socket_haunt", {})
        pressed = self.press(request_id, ANA)
        self.assertFalse(pressed["acked"], "nothing passes: the person sees that it failed")
        self.assertEqual(self.get(request_id)["state"], "pending")
        living = lambda: [c for c in self.sockets()["connections"]
                          if not c["ghost"] and c["number"] not in before]
        harness.World.wait(living, "they are given up and replaced",
                           limit_s("SOCKET_SILENCE_MS") + 10, step=0.2)
        self.wait_live()
        self.assertTrue(self.press(request_id, ANA)["acked"], "and pressing again works")
        self.assertEqual(len(self.wait_state(request_id, "approved")["decisions"]), 1)


class Strangers(SocketCase):
    def test_another_program_with_our_token_is_an_alarm(self):
        # So long the sockets of this host's last process may still be counted.
        time.sleep(limit_s("SOCKET_GHOST_MS") + 1)
        self.assertEqual(self.socket()["strangers"], 0)
        self.world.control("POST", "/socket_strangers", {"count": 2})
        number = min(c["number"] for c in self.sockets()["connections"])
        self.world.control("POST", "/socket_disconnect", {
            "connection": number, "reason": "refresh_requested", "close_after": 0.3})
        harness.World.wait(lambda: self.socket()["strangers"] == 2, "they are noticed")
        checked = self.world.ctl("slack", "check")
        self.assertNotEqual(checked.returncode, 0)
        self.assertIn("FAIL  sockets of another program, which takes presses away: 2",
                      checked.stdout)
        metrics = harness.call("GET", "/metrics", port=self.world.management_port).body.decode()
        self.assertRegex(metrics, r"approvald_slack_socket\w*strangers\w* 2")


if __name__ == "__main__":
    main()
