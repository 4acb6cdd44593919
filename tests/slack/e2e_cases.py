#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_cases.py: awkward cases of Slack (docs/slack-cases.md) that have no room elsewhere.

Owns nothing but its cases and what stands between approvald and Slack. Never looks into approvald.
"""

from e2e import EndToEnd, harness, main
from lib import tunnel
from lib.harness import ANA, BEN, press


class Clock(EndToEnd):
    def slack(self):
        return self.world.admin("GET", "/v1/status").json()["slack"]

    def restart(self, skew_s):
        self.world.control("POST", "/config", {"date_skew_s": skew_s})
        self.world.daemon.stop()
        self.world.start()
        harness.World.wait(lambda: self.slack()["bot_user"], "Slack has said who we are")

    def test_a_clock_that_is_off_is_told_before_presses_fail(self):
        self.restart(-90)
        self.assertAlmostEqual(self.slack()["skew_s"], -90, delta=2)
        checked = self.world.ctl("slack", "check")
        self.assertNotEqual(checked.returncode, 0)
        self.assertRegex(checked.stdout, r"FAIL  seconds between this clock and Slack's: -\d+")
        with open(self.world.path("approvald.log"), encoding="utf-8") as log:
            self.assertIn("check NTP", log.read())
        self.restart(30)
        self.assertIn("ok    seconds between", self.world.ctl("slack", "check", check=0).stdout)


class Barred(EndToEnd):
    """Slack calls us; between us and Slack is a proxy that wants credentials, and TLS of its own."""

    @classmethod
    def setUpClass(cls):
        cls.stand_between()
        cls.options = {"public_url": f"https://localhost:{cls.front.port}",
                       "slack_config": cls.network("host:wrong")}
        super().setUpClass()

    @classmethod
    def network(cls, credentials, ca=True):
        return (f'proxy = "http://{credentials}@127.0.0.1:{cls.proxy.port}"\n' +
                (f'ca_file = "{cls.front.certificate}"\n' if ca else ""))

    @classmethod
    def begin(cls):
        cls.front.target = cls.world.slack_port
        super().begin()

    def checked(self, slack_config, status):
        """What slack check says behind this network, once Slack was tried."""
        self.world.daemon.stop()
        self.world.write_config("", slack_config)
        self.world.start()
        told = lambda: (lambda s: s["error"] or s["bot_user"])(
            self.world.admin("GET", "/v1/status").json()["slack"])
        harness.World.wait(told, "Slack was tried")
        return self.world.ctl("slack", "check", check=status).stdout

    def test_what_bars_the_way_to_slack_is_named(self):
        said = self.checked(self.network("host:wrong"), 119)
        self.assertIn("FAIL  Slack cannot be reached: localhost: the proxy wants credentials (407)",
                      said)
        self.assertNotIn("signed in", said)
        said = self.checked(self.network("host:p%40ss", ca=False), 119)
        self.assertRegex(said, "FAIL  Slack cannot be reached: localhost: .*certificate.*CA file")
        said = self.checked(self.network("host:p%40ss"), 0)
        self.assertIn("ok    signed in to team T", said)
        self.assertNotIn("FAIL", said)


    def test_a_certificate_of_another_name_is_refused_and_told(self):
        """A proxy that inspects TLS, and is trusted, and shows a certificate for something else."""
        other, key = tunnel.TlsFront.made(self.keep.name, "elsewhere.example")
        own = self.front.certificate
        self.front.context.load_cert_chain(other, key)
        try:
            said = self.checked(self.network("host:p%40ss").replace(own, other), 119)
        finally:
            self.front.context.load_cert_chain(own, own.replace(".pem", ".key"))
        self.assertRegex(said, "FAIL  Slack cannot be reached: localhost: .*name")
        self.assertNotIn("signed in", said)


class Scopes(EndToEnd):
    def test_a_missing_scope_is_named_and_what_needs_it_waits(self):
        self.world.control("POST", "/scopes", {"remove": ["usergroups:read"]})
        self.world.daemon.stop()
        self.world.start()
        said = harness.World.wait(
            lambda: (lambda out: out if "usergroups:read" in out else None)(
                self.world.ctl("slack", "check", check=119).stdout), "the scope is named", step=0.2)
        self.assertIn("FAIL  add this scope and install the app again: usergroups:read", said)
        request_id = self.ask(policy="two-people")
        self.assertTrue(self.press(request_id, ANA)["acked"], "the press is kept")
        self.assertEqual(self.get(request_id)["decisions"], [])
        self.world.control("POST", "/scopes", {"add": ["usergroups:read"]})
        harness.World.wait(lambda: self.get(request_id)["decisions"], "it counts after all", 30)
        self.world.ctl("slack", "check", check=0)


class Cards(EndToEnd):
    def test_an_old_button_is_explained_and_its_card_drawn_anew(self):
        request_id = self.ask(title="Old buttons")
        card = self.card(request_id)
        before = len(self.updates(card))
        answer = self.world.slack(press(request_id, ANA, action="approve_v1", ts=card["ts"]))
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.wait_for("ephemeral", to=ANA, contains="out of date")
        harness.World.wait(lambda: len(self.updates(card)) > before, "the card is drawn anew")
        self.assertEqual(self.get(request_id)["state"], "pending")
        self.card(request_id, contains="Old buttons")

    def test_whoever_is_second_is_told_who_was_first(self):
        request_id = self.ask(title="Two at once")
        card = self.card(request_id)
        self.assertEqual(self.world.slack(press(request_id, ANA, ts=card["ts"])).status, 200)
        # A press is acknowledged before it is decided, when the directory has to be asked first.
        self.wait_state(request_id, "approved")
        self.assertEqual(self.world.slack(press(request_id, BEN, ts=card["ts"])).status, 200)
        said = self.wait_for("ephemeral", to=BEN, contains="Two at once")[0]["text"]
        self.assertIn(f"already decided; nothing was changed. It was approved by <@{ANA}>.", said)
        self.assertEqual([d["user"] for d in self.get(request_id)["decisions"]], [ANA])

    def updates(self, card):
        calls = self.world.control("POST", "/calls", {"method": "chat.update", "outcome": "ok"})
        return [c for c in calls["calls"] if c["args"].get("ts") == card["ts"]]


if __name__ == "__main__":
    main()
