#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_glass.py: somebody breaks the glass: from the card, with approvalctl, as root; who is told, and
who is refused.

Owns nothing but its cases; the World is e2e.py's. It waits for what it expects to see.
"""
import json

from e2e import EndToEnd, harness, main
from e2e_hostile import CONTROLS, CORPUS, FORGED_ID
from e2e_sdk import run
from lib.harness import ANA, BEN, CHANNEL, RITA

LOUD = "C0GEN00001"
POLICY = f"""
policy urgent {{
    title = "Urgent"
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}"}}
    quorum = 1
    takes_effect_after = 1h
    break_glass = {{"{RITA}", "root"}}
    break_glass_tell = {{"{LOUD}", "{BEN}"}}
}}
policy usual {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}"}}
    self_approval = true
}}
"""


class Glass(EndToEnd):
    options = {"policy": POLICY}

    @classmethod
    def begin(cls):
        super().begin()
        cls.world.control("POST", "/update_channel", {
            "channel": LOUD, "members": ["U0BOT00001", RITA, ANA, BEN]})
        cls.world.secret_file("rita", cls.world.token("rita", scopes=["ask", "decide", "read"],
                                                      user=RITA))
        cls.rita = cls.world.path("rita")

    def menu(self, message):
        """The choices behind the three dots."""
        return [o["text"]["text"] for b in message["blocks"] if b["type"] == "actions"
                for e in b["elements"] if e["type"] == "overflow" for o in e["options"]]

    def choose(self, request_id, user):
        card = self.card(request_id)
        return self.world.control("POST", "/press", {
            "user": user, "action_id": "break_glass", "channel": CHANNEL, "ts": card["ts"],
            "value": request_id, "wait_modal": 5})

    def submit(self, user, modal, reason):
        block = next(b for b in modal["blocks"] if b["type"] == "input")
        values = {block["block_id"]: {block["element"]["action_id"]: reason}}
        return self.world.control("POST", "/submit", {"user": user, "values": values})

    def actions(self, request_id):
        answer = self.world.admin("GET", f"/v1/audit?request={request_id}&limit=100")
        return [entry["action"] for entry in answer.json()["entries"]]

    def test_the_requester_breaks_it_from_the_card_and_everybody_hears(self):
        request_id = self.ask(policy="urgent", title="Restart payments")
        self.assertEqual(self.menu(self.card(request_id)), ["Break glass\u2026"])
        chosen = self.choose(request_id, RITA)
        self.assertEqual(chosen["status"], 200, chosen)
        blank = self.submit(RITA, chosen["modal"], "   ")
        self.assertEqual(blank["outcome"], "errors", blank)
        self.assertEqual(self.get(request_id)["state"], "pending")
        sent = self.submit(RITA, chosen["modal"], "Customers cannot pay")
        self.assertEqual(sent["outcome"], "closed", sent)
        found = self.wait_state(request_id, "approved")  # at once, whatever takes_effect_after says
        self.assertEqual(found["decisions"], [])
        self.assertEqual((found["break_glass"]["user"], found["break_glass"]["reason"]),
                         (RITA, "Customers cannot pay"))
        card = self.card(request_id, contains="BREAK GLASS")
        self.assertEqual(self.buttons(card), [])
        self.wait_for("message", channel=CHANNEL, thread_ts=card["ts"], contains="broke the glass")
        loud = self.card(request_id, contains="BREAK GLASS", channel=LOUD)
        self.assertIn("Customers cannot pay", json.dumps(loud["blocks"]))
        for person in (BEN, RITA):
            self.wait_for("dm", to=person, contains="BREAK GLASS: Restart payments")
        actions = self.actions(request_id)
        self.assertEqual((actions.count("break_glass"), actions.count("approved")), (1, 1), actions)
        claim = self.world.api("POST", f"/v1/requests/{request_id}/claim", {}, self.token)
        self.assertEqual((claim.status, claim.json()["use"]), (200, "claimed"))
        self.card(request_id, contains="BREAK GLASS, claimed", channel=LOUD)  # kept in step
        status = self.world.admin("GET", "/v1/status").json()["break_glass"]
        self.assertGreaterEqual(status["count"], 1)
        metrics = harness.call("GET", "/metrics", port=self.world.management_port).body.decode()
        self.assertRegex(metrics, r"(?m)^approvald_break_glass_total [1-9]")
        self.assertRegex(metrics, r"(?m)^approvald_break_glass_last_seconds [1-9]")

    def test_others_are_told_why_not_and_see_no_window(self):
        request_id = self.ask(policy="urgent", title="Not yours")
        chosen = self.choose(request_id, ANA)
        self.assertEqual(chosen["status"], 200, chosen)
        self.assertIsNone(chosen["modal"])
        self.wait_for("ephemeral", to=ANA, contains="not among the people who may break the glass")
        self.assertEqual(self.get(request_id)["state"], "pending")
        self.assertEqual(self.actions(request_id).count("break_glass"), 0)
        self.press(request_id, ANA)  # as an approver she is what she was
        self.card(request_id, contains="Approved, not in effect yet")

    def test_a_card_has_the_menu_only_where_it_serves(self):
        self.assertEqual(self.menu(self.card(self.ask(policy="usual"))), [])
        self.assertEqual(self.menu(self.card(self.ask(policy="urgent", requester=ANA))), [])

    def test_who_may_no_longer_is_refused_though_the_window_is_open(self):
        request_id = self.ask(policy="urgent", title="Taken away")
        modal = self.choose(request_id, RITA)["modal"]
        try:
            self.world.apply_policy(POLICY.replace(f'break_glass = {{"{RITA}", "root"}}',
                                                   'break_glass = {"root"}'))
            sent = self.submit(RITA, modal, "quick")
            self.assertEqual(sent["outcome"], "updated", sent)
            self.assertEqual(self.get(request_id)["state"], "pending")
        finally:
            self.world.apply_policy()

    def test_from_the_command_line_with_a_reason_and_only_with_one(self):
        request_id = self.ask(policy="urgent", title="From the terminal")
        bare = self.world.ctl("approve", request_id, "--break-glass", token_file=self.rita)
        self.assertEqual(bare.returncode, 116, bare)
        self.assertIn("--reason", bare.stderr)
        done = self.world.ctl("approve", request_id, "--break-glass", "--reason", "INC-88",
                              token_file=self.rita, check=0)
        self.assertIn("BROKEN GLASS", done.stdout)
        self.assertIn("INC-88", done.stdout)
        again = self.world.ctl("approve", request_id, "--break-glass", "--reason", "INC-88",
                               token_file=self.rita)
        self.assertNotEqual(again.returncode, 0, again)
        listed = self.world.ctl("list", "--policy", "urgent", check=0).stdout
        self.assertIn("GLASS", listed.split("\n")[0])
        self.assertIn(RITA, next(line for line in listed.split("\n") if request_id in line))
        self.assertIn("broken ", self.world.ctl("status").stdout)
        self.assertIn("may break the glass",
                      self.world.ctl("policy", "test", "urgent", check=0).stdout)

    def test_root_breaks_what_root_asked_and_decides_nothing_else(self):
        made = self.world.ctl("request", "--policy", "urgent", "--title", "Host repair", "--json",
                              check=0)
        request_id = json.loads(made.stdout)["id"]
        plain = self.world.ctl("approve", request_id, "--reason", "me")
        self.assertNotEqual(plain.returncode, 0, plain)
        other = self.ask(policy="urgent", title="Of somebody else")
        self.assertNotEqual(self.world.ctl("approve", other, "--break-glass", "--reason",
                                           "me").returncode, 0)
        self.world.ctl("approve", request_id, "--break-glass", "--reason", "disk is full", check=0)
        card = self.card(request_id, contains="BREAK GLASS")
        self.assertIn("root", card["text"])
        made = self.world.ctl("request", "--policy", "usual", "--title", "Usual", "--json", check=0)
        refused = self.world.ctl("approve", json.loads(made.stdout)["id"], "--break-glass",
                                 "--reason", "me")
        self.assertIn("not among the people", refused.stderr)

    def test_a_hostile_reason_forges_nothing(self):
        ids = []
        for text in CORPUS:
            ids.append(self.ask(policy="urgent", title="Hostile"))
            modal = self.choose(ids[-1], RITA)["modal"]
            self.assertEqual(self.submit(RITA, modal, text)["outcome"], "closed", text)
            self.wait_state(ids[-1], "approved")
        harness.World.wait(
            lambda: self.world.admin("GET", "/v1/status").json()["counts"]["outbox_owed"] == 0,
            "everything is shown", seconds=60)
        shown = []
        for name, query in (("messages", {"channel": CHANNEL}), ("messages", {"channel": LOUD}),
                            ("dms", {"to": BEN}), ("dms", {"to": RITA})):
            for message in self.world.control("POST", "/" + name, query)["messages"]:
                shown.append(json.dumps({"kind": "message", "text": message["text"],
                                         "blocks": message.get("blocks", [])}))
        with open(self.world.path("shown.jsonl"), "w", encoding="utf-8") as out:
            out.write("\n".join(shown) + "\n")
        done = run("mrkdwn", self.world.path("shown.jsonl"))
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-2000:])
        for request_id in ids:
            said = self.world.ctl("show", request_id, check=0).stdout
            for control in CONTROLS:
                self.assertNotIn(control, said)
            self.assertFalse([line for line in said.split("\n") if line.startswith(FORGED_ID)])


if __name__ == "__main__":
    main()
