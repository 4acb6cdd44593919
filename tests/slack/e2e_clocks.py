#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_clocks.py: what time does to a request, seen in Slack and through the API: a reminder, an
escalation, an approval that can be stopped before it takes effect.

Owns nothing but its cases; the World is e2e.py's. Times are short; it waits for what it expects to
see and never sleeps for luck.
"""
import time

from e2e import EndToEnd, harness, main
from lib.harness import ANA, BEN, CHANNEL, RITA

BOSSES = "C0GEN00001"
POLICY = f"""
policy soon {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}"}}
    expires_after = 6s
    remind_before = 4s
}}
policy upwards {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}"}}
    escalate_after = 2s
    escalate_to = {{"{BEN}", "{BOSSES}"}}
}}
policy later {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}"}}
    escalate_after = 1h
    escalate_to = {{"{BEN}"}}
}}
policy careful {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}"}}
    takes_effect_after = 3s
}}
policy firm {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}"}}
    recheck = strict
}}
policy slowly {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}"}}
    takes_effect_after = 1h
}}
"""


class Clocks(EndToEnd):
    options = {"policy": POLICY}

    @classmethod
    def begin(cls):
        super().begin()
        cls.world.control("POST", "/update_channel", {
            "channel": BOSSES, "members": ["U0BOT00001", RITA, ANA, BEN]})

    def entries(self, card, contains):
        """The entries under a card that say it."""
        found = self.world.control("POST", "/messages", {
            "channel": CHANNEL, "thread_ts": card["ts"], "contains": contains})["messages"]
        return [m for m in found if m["ts"] != card["ts"]]

    def actions(self, request_id):
        answer = self.world.admin("GET", f"/v1/audit?request={request_id}&limit=100")
        self.assertEqual(answer.status, 200, answer.body)
        return [entry["action"] for entry in answer.json()["entries"]]

    def explain(self, code, *words):
        done = self.world.ctl("policy", "test", "--request", *words)
        self.assertEqual(done.returncode, code, done)
        return done.stdout

    def test_policy_test_explains_a_request_as_it_stands(self):
        request_id = self.ask(policy="later", requester=RITA)
        shown = self.explain(0, request_id)
        self.assertRegex(shown, r"(?m)^not escalated yet, but from 20\S+Z on; may decide then too:\n    " + BEN)
        self.assertIn(f"{ANA}: yes\n", shown)
        self.assertRegex(shown, rf"(?m)^{BEN}: not yet: from 20\S+Z on, when it is escalated$")
        self.assertIn(f"{RITA}: no: ", self.explain(115, request_id, RITA))
        self.assertNotIn(f"{ANA}: ", self.explain(115, request_id, BEN))
        self.press(request_id, ANA)
        self.wait_state(request_id, "approved")
        shown = self.explain(115, request_id, "--approver", ANA, "--approver", BEN)
        self.assertRegex(shown, rf"(?m)^  approved      20\S+Z by {ANA} ")
        self.assertRegex(shown, rf"(?m)^{BEN}: no: ")
        self.assertNotIn("escalated", shown)

    def test_policy_test_knows_the_version_that_a_request_keeps(self):
        request_id = self.ask(policy="soon", requester=RITA)
        changed = POLICY.replace(f'approvers = {{"{ANA}", "{BEN}"}}\n    expires_after = 6s',
                                 f'approvers = {{"{BEN}"}}\n    expires_after = 6s')
        self.assertNotEqual(changed, POLICY)
        self.world.apply_policy(changed)
        try:
            self.assertIn(f"{ANA}: yes\n", self.explain(0, request_id, ANA))
            self.assertEqual(self.world.ctl("policy", "test", "soon", "--approver", ANA).returncode, 115)
        finally:
            self.world.apply_policy(POLICY)
        self.wait_state(request_id, "expired")
        self.assertIn(f"{ANA}: no: ", self.explain(115, request_id, ANA))

    def test_policy_test_of_what_is_none_is_refused(self):
        request_id = self.ask(policy="later")
        for code, words in ((115, ("--request", "req_01K4AAAAAAAAAAAAAAAAAAAAAA")), (115, ("--request", "x")), (116, ()),
                            (116, ("--request", request_id, "--requester", RITA)),
                            (116, ("--request", request_id, "ana"))):
            self.assertEqual(self.world.ctl("policy", "test", *words).returncode, code, words)
        answer = self.world.api("GET", f"/v1/requests/{request_id}/test", None, self.token)
        self.assertEqual(answer.status, 404, "on the local socket alone")

    def test_approvers_are_reminded_once_before_it_expires(self):
        request_id = self.ask(policy="soon", title="Remember me")
        card = self.card(request_id)
        said = self.wait_for("message", channel=CHANNEL, thread_ts=card["ts"], contains="Reminder")
        self.assertIn(f"<@{ANA}>", said[0]["text"])
        self.assertIn(f"<@{BEN}>", said[0]["text"])
        self.assertEqual(self.get(request_id)["state"], "pending")
        self.wait_state(request_id, "expired")
        self.card(request_id, contains="Expired")
        self.assertEqual(len(self.entries(card, "Reminder")), 1)
        self.assertEqual(self.actions(request_id).count("reminded"), 1)

    def test_an_escalation_lets_others_decide_and_shows_them_a_card(self):
        request_id = self.ask(policy="upwards", title="Nobody is here")
        card = self.card(request_id)
        other = self.card(request_id, channel=BOSSES)
        self.assertIsNotNone(self.get(request_id)["escalated_at"])
        self.wait_for("message", channel=CHANNEL, thread_ts=card["ts"],
                      contains=f"<@{BEN}> may decide this too")
        self.world.control("POST", "/press", {
            "user": BEN, "action_id": "approve", "channel": BOSSES, "ts": other["ts"]})
        self.wait_state(request_id, "approved")
        for channel, ts in ((CHANNEL, card["ts"]), (BOSSES, other["ts"])):
            after = self.card(request_id, contains="1 of 1 approved", channel=channel)
            self.assertEqual(after["ts"], ts, "updated in place")
            self.assertEqual(self.buttons(after), [])

    def test_before_an_escalation_the_others_may_not_decide(self):
        request_id = self.ask(policy="later", title="Not your turn")
        self.press(request_id, BEN)
        self.wait_for("ephemeral", to=BEN, contains="not among the people")
        self.assertEqual(self.get(request_id)["decisions"], [])

    def test_an_approval_takes_effect_when_nobody_stopped_it(self):
        request_id = self.ask(policy="careful", title="Slow and sure", requester=RITA)
        card = self.card(request_id)
        began = time.monotonic()
        self.press(request_id, ANA)
        self.world.ctl("wait", request_id, token_file=self.token_file, check=0)
        self.assertGreaterEqual(time.monotonic() - began, 3)
        after = self.card(request_id, contains="Not used yet")
        self.assertEqual((after["ts"], self.buttons(after)), (card["ts"], []))
        self.wait_for("dm", to=RITA, contains="Not used yet")
        self.assertEqual(self.actions(request_id),
                         ["created", "approval", "effect_delayed", "approved"])

    def test_before_it_takes_effect_nothing_may_run(self):
        request_id = self.ask(policy="slowly", title="Not yet")
        self.press(request_id, ANA)
        card = self.card(request_id, contains="Takes effect")
        self.assertEqual(self.buttons(card), ["stop"])
        found = self.get(request_id)
        self.assertEqual((found["state"], found["approvals"], found["quorum"]), ("pending", 1, 1))
        self.assertIsNotNone(found["takes_effect_at"])
        claim = self.world.api("POST", f"/v1/requests/{request_id}/claim", {}, self.token)
        self.assertEqual((claim.status, claim.json()["refusal"]), (409, "not_approved"))

    def test_stop_is_one_press_and_ends_it(self):
        request_id = self.ask(policy="slowly", title="Wait a moment")
        self.press(request_id, ANA)
        self.card(request_id, contains="Takes effect")
        stopped = self.press(request_id, ANA, action="stop")
        self.assertEqual(stopped["status"], 200)
        found = self.wait_state(request_id, "rejected")
        self.assertEqual([d["verdict"] for d in found["decisions"]], ["approve", "reject"])
        card = self.card(request_id, contains="Stopped by")
        self.assertEqual(self.buttons(card), [])
        self.world.ctl("wait", request_id, token_file=self.token_file, check=110)

    def test_a_late_approval_of_an_old_card_is_told_that_it_is_enough(self):
        request_id = self.ask(policy="slowly", title="Enough is enough")
        card = self.card(request_id)
        self.press(request_id, ANA)
        self.card(request_id, contains="Takes effect")
        self.world.slack(harness.press(request_id, BEN, ts=card["ts"]))
        self.wait_for("ephemeral", to=BEN, contains="Enough people have approved")
        ben = self.world.token("ben-cli", scopes=["decide", "read"], user=BEN)
        late = self.world.api("POST", f"/v1/requests/{request_id}/decisions",
                              {"verdict": "approve"}, ben)
        self.assertEqual((late.status, late.json()["refusal"]), (409, "enough"))
        shown = self.world.ctl("show", request_id, token_file=self.token_file, check=0)
        self.assertIn("takes effect", shown.stdout)
        self.assertEqual(self.get(request_id)["approvals"], 1)

    def test_a_claim_under_changed_rules_is_refused_and_under_the_old_ones_succeeds(self):
        request_id = self.ask(policy="firm", title="Still true?")
        self.press(request_id, ANA)
        self.wait_state(request_id, "approved")
        claim = f"/v1/requests/{request_id}/claim"
        self.world.apply_policy(
            POLICY.replace("    recheck", "    self_approval = true\n    recheck"))
        refused = self.world.api("POST", claim, {}, self.token)
        self.assertEqual((refused.status, refused.json()["refusal"]), (409, "policy_changed"))
        self.world.apply_policy(POLICY)
        done = self.world.api("POST", claim, {}, self.token)
        self.assertEqual((done.status, done.json()["use"]), (200, "claimed"))

    def test_a_crash_in_the_window_loses_nothing_and_decides_once(self):
        request_id = self.ask(policy="careful", title="Kill me twice")
        self.press(request_id, ANA)
        harness.World.wait(lambda: self.get(request_id)["takes_effect_at"], "the window is open")
        self.world.daemon.kill()
        self.world.start()
        self.assertIsNotNone(self.get(request_id)["takes_effect_at"])
        self.wait_state(request_id, "approved")
        self.card(request_id, contains="Not used yet")
        self.assertEqual(self.actions(request_id).count("approved"), 1)
        self.assertEqual(self.actions(request_id).count("approval"), 1)


if __name__ == "__main__":
    main()
