#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_sockets.py: who of a real pair holds the sockets of Socket Mode, and what becomes of presses
while the pair moves.

Owns one Pair (pair.py) and one stand-in a test. Never looks into a store: what counts is what the
stand-in saw acknowledged, and what the pair then says was decided.
"""

import os
import random
import sys
import threading
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pair import ROOT, Pair, wait  # noqa: E402  the path is set above
from lib import harness  # noqa: E402  pair.py has set the path

sys.path.insert(0, os.path.join(ROOT, "tests", "slack"))
import slack_client  # noqa: E402  the path is set above


class Sockets(unittest.TestCase):
    def setUp(self):
        self.pair = Pair()
        self.addCleanup(self.pair.__exit__, None, None, None)
        self.slack = slack_client.StandInProcess("http://127.0.0.1:9", token=harness.BOT_TOKEN)
        self.addCleanup(self.slack.__exit__)
        self.slack.__enter__()
        self.slack.control("config", socket_mode=True)
        self.pair.__enter__()
        for host in self.pair.hosts.values():
            self.configure(host)
        self.pair.bootstrap()
        self.token = self.pair.hosts[1].let_ask()

    def configure(self, host):
        for name, secret in (("app", harness.APP_TOKEN), ("bot", harness.BOT_TOKEN)):
            with open(host.path(name), "w", encoding="ascii") as out:
                os.chmod(host.path(name), 0o600)
                out.write(secret)
        with open(host.path("approvald.conf"), "a", encoding="utf-8") as conf:
            conf.write(f"""
slack {{
    api_url = "{self.slack.api_url}"
    team_id = "{harness.TEAM}"
    app_token_file = "{host.path('app')}"
    bot_token_file = "{host.path('bot')}"
}}
""")

    def status(self, host):
        answer = harness.call("GET", "/v1/status", unix=host.socket, timeout=harness.PATIENCE_S)
        return answer.json()["slack"].get("socket", {"state": "none", "live": 0})

    def connections(self):
        return len(self.slack.control("sockets")["connections"])

    def wait_live(self, host):
        wait(lambda: self.status(host)["live"] == 2, f"host {host.number} has its sockets", 90)

    def ask(self, host):
        """A request whose card is posted; its id and the card's ts."""
        request = host.create(self.token)
        card = self.slack.wait("message", channel=harness.CHANNEL,
                               metadata={"request_id": request})[0]
        return request, card["ts"]

    def press(self, card):
        return self.slack.press(harness.ANA, "approve", harness.CHANNEL, card)

    def decisions(self, host, request):
        answer = harness.call("GET", "/v1/requests/" + request, None,
                              {"Authorization": "Bearer " + self.token}, port=host.port)
        return [d["user"] for d in answer.json()["decisions"]]

    def press_during(self, requests, move):
        """Presses on all cards, one after the other, while the pair moves."""
        results = {}

        def run():
            for request, card in requests:
                results[request] = self.press(card)
                time.sleep(random.uniform(0, 0.05))

        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(0.1)
        move()
        thread.join()
        return results

    def check_all(self, host, results):
        """Nothing acknowledged is lost, nothing is decided twice, and what Slack delivers again
        arrives."""
        for request in results:
            wait(lambda: self.decisions(host, request), f"{request} is decided", 30)
            self.assertEqual(self.decisions(host, request), [harness.ANA])

    def test_only_the_primary_holds_sockets_and_a_switchover_loses_no_press(self):
        one, two = self.pair.hosts[1], self.pair.hosts[2]
        self.wait_live(one)
        self.assertEqual(self.connections(), 2)
        self.assertEqual(self.status(two)["state"], "none")
        requests = [self.ask(one) for _ in range(15)]

        def move():
            one.ctl("switchover", check=0)
            wait(lambda: two.status().get("serving"), "host 2 leads")

        results = self.press_during(requests, move)
        self.wait_live(two)
        wait(lambda: self.connections() == 2, "host 1 holds none")
        self.assertEqual(self.status(one)["state"], "none")
        self.check_all(two, results)
        self.assertTrue(all(result["acked"] for result in results.values()), results)

    def test_a_lost_primary_loses_no_acknowledged_press(self):
        one, two = self.pair.hosts[1], self.pair.hosts[2]
        self.wait_live(one)
        requests = [self.ask(one) for _ in range(10)]

        def move():
            one.kill()
            wait(lambda: two.status().get("serving"), "host 2 takes over")

        results = self.press_during(requests, move)
        self.wait_live(two)
        self.check_all(two, results)


if __name__ == "__main__":
    unittest.main()
