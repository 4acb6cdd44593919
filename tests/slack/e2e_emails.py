#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_emails.py: policies that name people by their e-mail addresses, as people see them.

Owns nothing but its cases; the World is e2e.py's. Never asks approvald whose an address is: Slack
says it, here the stand-in.
"""
import json

from e2e import EndToEnd, main
from lib.harness import ANA, BEN, CHANNEL, RITA, World

CAL = "U0APR00003"
ANA_AT, BEN_AT, CAL_AT = "ana@acme.example", "ben@acme.example", "cal@acme.example"
POLICY = f"""
policy named {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA_AT}", "{BEN_AT}"}}
    recheck = strict
}}
policy twice {{
    channel = "{CHANNEL}"
    needs = {{"first: 1 of {ANA} {BEN_AT}", "second: 1 of {ANA_AT} {BEN}"}}
}}
policy hurry {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA_AT}", "{BEN}"}}
    expires_after = 1h
    remind_before = 3597s
}}
policy later {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}"}}
    escalate_after = 1s
    escalate_to = {{"{CAL_AT}"}}
}}
"""


class Emails(EndToEnd):
    options = {"policy": POLICY}

    @classmethod
    def begin(cls):
        cls.world.control("POST", "/add_user", {"id": CAL, "name": "cal", "channels": [CHANNEL],
                                                "email": "Cal@Acme.Example"})
        super().begin()

    def tearDown(self):
        for user, email in ((ANA, ANA_AT), (BEN, BEN_AT)):
            self.world.control("POST", "/update_user", {"user": user, "email": email})
        self.world.control("POST", "/scopes", {"add": ["users:read.email"]})

    def again(self):
        """A new process knows of nobody whose an address is."""
        self.world.daemon.kill()
        self.world.start()

    def apply(self, text, check=0):
        """What approvalctl says; the World's own policies are there again afterwards."""
        with open(self.world.path("policies"), "w", encoding="utf-8") as out:
            out.write(text)
        return self.world.ctl("policy", "apply", self.world.path("policies"), check=check)

    def test_who_has_the_address_decides_and_is_recorded_by_his_id(self):
        request_id = self.ask(policy="named")
        self.press(request_id, CAL)
        self.wait_for("ephemeral", to=CAL, contains="not among the people")
        self.press(request_id, ANA)
        found = self.wait_state(request_id, "approved")
        self.assertEqual([d["user"] for d in found["decisions"]], [ANA])
        card = self.card(request_id, contains="Approved by")
        self.assertNotIn(ANA_AT, json.dumps(card))

    def test_cards_and_reminders_mention_people_and_not_addresses(self):
        World.wait(lambda: self.owner("hurry", ANA_AT) == ANA, "it is known")
        request_id = self.ask(policy="hurry")
        card = self.card(request_id, contains=f"<@{ANA}>")
        self.assertNotIn(ANA_AT, json.dumps(card))
        found = self.wait_for("message", channel=CHANNEL, thread_ts=card["ts"], contains="<@")
        self.assertIn(f"<@{ANA}>, <@{BEN}>", json.dumps(found))

    def test_after_an_escalation_who_has_the_address_is_asked_and_decides(self):
        World.wait(lambda: self.owner("later", CAL_AT) == CAL, "it is known")
        request_id = self.ask(policy="later")
        card = self.card(request_id)
        self.wait_for("message", channel=CHANNEL, thread_ts=card["ts"], contains=f"<@{CAL}>")
        self.press(request_id, CAL)
        self.assertEqual([d["user"] for d in self.wait_state(request_id, "approved")["decisions"]], [CAL])

    def owner(self, policy, email):
        answer = self.world.admin("GET", f"/v1/policies/{policy}/test").json()["emails"]
        return {e["email"]: e["user"] for e in answer}[email]

    def test_one_person_fills_one_place_however_often_he_is_named(self):
        request_id = self.ask(policy="twice")
        self.press(request_id, ANA)
        self.card(request_id, contains="first 1 of 1, second 0 of 1")
        self.press(request_id, ANA)
        self.wait_for("ephemeral", to=ANA, contains="already decided")
        self.assertEqual(self.get(request_id)["state"], "pending")
        self.press(request_id, BEN)
        self.wait_state(request_id, "approved")

    def test_an_address_that_moved_is_another_ones(self):
        request_id = self.ask(policy="named")
        self.press(request_id, ANA)
        self.wait_state(request_id, "approved")
        self.world.control("POST", "/update_user", {"user": ANA, "email": "ana.b@acme.example"})
        self.world.control("POST", "/update_user", {"user": CAL, "email": "Ana@acme.example"})
        self.again()
        answer = self.world.admin("GET", f"/v1/policies/named/test?approver={ANA}").json()
        self.assertEqual(answer["approver"]["may"], "no")
        claim = self.world.api("POST", f"/v1/requests/{request_id}/claim", {"key": "k"},
                               token=self.token)
        self.assertEqual((claim.status, claim.json()["refusal"]), (409, "approver_gone"))
        other = self.ask(policy="named")
        self.press(other, ANA)
        self.wait_for("ephemeral", to=ANA, contains="not among the people")
        self.press(other, CAL)
        self.assertEqual([d["user"] for d in self.wait_state(other, "approved")["decisions"]], [CAL])
        self.world.control("POST", "/update_user", {"user": CAL, "email": CAL_AT})
        self.world.control("POST", "/update_user", {"user": ANA, "email": ANA_AT})
        self.again()

    def test_an_apply_shows_what_slack_does_not_know(self):
        done = self.apply(f"""
policy strange {{ channel = "{CHANNEL}" approvers = {{"nobody@acme.example", "C0NOWHERE1", "{BEN}"}} }}
policy doubled {{ channel = "{CHANNEL}" approvers = {{"{ANA}", "{ANA_AT}", "{BEN}"}} quorum = 2 }}
""")
        self.assertIn("Written.\nwarning: strange: C0NOWHERE1: Slack does not tell who is in it "
                      "(channel_not_found)\nwarning: strange: nobody@acme.example: nobody in the "
                      "workspace has this e-mail address\n"
                      f"warning: doubled: {ANA_AT}: this person is named twice, and counts once "
                      f"({ANA})\n", done.stdout)
        shown = self.world.ctl("policy", "test", "strange", "--approver", RITA).stdout
        self.assertIn("    nobody@acme.example (nobody): users_not_found\n", shown)
        shown = self.world.ctl("policy", "test", "doubled", "--approver", ANA).stdout
        self.assertIn(f"    {ANA_AT} ({ANA})\n", shown)
        self.assertIn(f"{ANA}: yes\n", shown)
        shown = self.world.ctl("slack", "check", check=119).stdout
        self.assertIn("FAIL  nobody@acme.example: nobody in the workspace has this e-mail address "
                      "(users_not_found)\n", shown)
        self.apply("policy strange { approvers = {\"" + BEN + "\"} }")

    def test_an_address_in_another_spelling_is_refused(self):
        for email in ("Ana@acme.example", "ana@acme", "ana@@acme.example", "ana@acme.example>",
                      "<!channel>@acme.example", "ana@-acme.example"):
            done = self.apply(f'policy odd {{ approvers = {{"{email}"}} }}', check=None)
            self.assertNotEqual(done.returncode, 0, email)
            self.assertIn("an e-mail address in small letters", done.stderr)

    def test_without_the_scope_a_press_waits_and_the_scope_is_named(self):
        self.world.control("POST", "/scopes", {"remove": ["users:read.email"]})
        self.again()
        request_id = self.ask(policy="named")
        self.press(request_id, ANA)
        World.wait(lambda: "(missing_scope users:read.email)" in
                   self.world.ctl("slack", "check").stdout, "it is noticed")
        self.assertEqual(self.get(request_id)["state"], "pending")
        self.world.control("POST", "/scopes", {"add": ["users:read.email"]})
        World.wait(lambda: self.get(request_id)["state"] == "approved", "it is approved", 40)


if __name__ == "__main__":
    main()
