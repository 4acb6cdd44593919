#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_recheck.py: what a claim asks Slack about those who approved, and what comes of it when Slack
says no, says nothing, or takes its time.

Owns nothing but its cases; the World is e2e.py's.
"""
import time

from e2e import EndToEnd, harness, main
from lib.harness import ANA, BEN, CHANNEL, GROUP, RITA
from lib.stalls import Stalls

NEW_ENOUGH_S = 1  # SERVICE_CLAIM_AGE_MS
POLICY = f"""
policy firm {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}"}}
    recheck = strict
}}
policy team {{
    channel = "{CHANNEL}"
    approvers = {{"{GROUP}"}}
    recheck = strict
}}
policy loose {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}"}}
}}
policy alarm {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}"}}
    break_glass = {{"{RITA}"}}
    break_glass_tell = {{"{ANA}"}}
}}
"""


class Recheck(EndToEnd):
    options = {"policy": POLICY}

    def setUp(self):
        super().setUp()
        for user in (ANA, RITA):
            self.world.control("POST", "/update_user", {"user": user, "deleted": False})

    def approved(self, policy, title):
        """Approved by ANA, and what Slack said then is not new any more."""
        request_id = self.ask(policy=policy, title=title)
        self.press(request_id, ANA)
        self.wait_state(request_id, "approved")
        self.grow_older()
        return request_id

    def grow_older(self):
        end = time.monotonic() + NEW_ENOUGH_S + 0.2
        harness.World.wait(lambda: time.monotonic() > end, "what was said is not new any more")

    def claim(self, request_id):
        return self.world.api("POST", f"/v1/requests/{request_id}/claim", {}, self.token)

    def test_who_was_deactivated_a_moment_ago_takes_his_approval_with_him(self):
        request_id = self.approved("firm", "Still here?")
        self.world.control("POST", "/update_user", {"user": ANA, "deleted": True})
        claim = self.claim(request_id)
        self.assertEqual((claim.status, claim.json()["refusal"]), (409, "approver_gone"))
        self.world.control("POST", "/update_user", {"user": ANA, "deleted": False})
        self.grow_older()
        claim = self.claim(request_id)
        self.assertEqual((claim.status, claim.json()["use"]), (200, "claimed"))

    def test_who_left_the_group_a_moment_ago_is_gone(self):
        request_id = self.approved("team", "Still one of us?")
        members = self.world.control("POST", "/update_group", {"group": GROUP, "users": [BEN]})
        self.assertTrue(members["ok"], members)
        claim = self.claim(request_id)
        self.assertEqual((claim.status, claim.json()["refusal"]), (409, "approver_gone"))

    def test_silence_is_no_yes_and_the_claim_succeeds_when_slack_speaks_again(self):
        request_id = self.approved("firm", "Say something")
        self.world.control("POST", "/fault", {
            "method": "users.info", "kind": "status", "status": 503, "count": 0})
        claim = self.claim(request_id)
        self.assertEqual((claim.status, claim.json()["refusal"]), (503, "approver_unknown"))
        self.assertGreaterEqual(int(claim.headers["Retry-After"]), 5)
        self.assertIn("Slack", claim.json()["detail"])
        self.world.control("POST", "/clear_faults", {})
        claim = harness.World.wait(
            lambda: (lambda c: c if c.status == 200 else None)(self.claim(request_id)),
            "Slack has said that she may", 30)
        self.assertEqual(claim.json()["use"], "claimed")

    def test_a_slow_slack_is_not_waited_for_longer_than_a_caller_waits(self):
        request_id = self.approved("firm", "Take your time")
        self.world.control("POST", "/fault", {
            "method": "users.info", "kind": "delay", "seconds": 9, "count": 0})
        with Stalls() as stalls:
            began = time.monotonic()
            claim = self.claim(request_id)
            took_s = time.monotonic() - began
        self.assertEqual((claim.status, claim.json()["refusal"]), (503, "approver_unknown"))
        self.assertLess(took_s, 8 + stalls.total_s)

    def test_without_recheck_slack_is_not_asked(self):
        request_id = self.approved("loose", "Approved is approved")
        self.world.control("POST", "/update_user", {"user": ANA, "deleted": True})
        self.assertEqual(self.claim(request_id).json()["use"], "claimed")

    def test_a_claim_says_by_which_rules_it_was_approved(self):
        request_id = self.approved("loose", "Which rules?")
        self.assertEqual(self.claim(request_id).status, 200)
        entries = self.world.admin("GET", f"/v1/audit?request={request_id}&limit=100").json()["entries"]
        policy = self.world.admin("GET", "/v1/policies/loose").json()["policies"][0]
        claimed = [e["detail"] for e in entries if e["action"] == "claimed"]
        self.assertEqual(claimed, [f"version {policy['version']}, rules {policy['rules']}"])
        self.assertEqual(self.get(request_id)["policy"]["version"], policy["version"])

    def test_who_broke_the_glass_and_was_deactivated_since_is_gone(self):
        rita = self.world.token("rita-cli", scopes=["decide", "read"], user=RITA)
        request_id = self.ask(policy="alarm", title="It burns", requester=RITA)
        broken = self.world.api("POST", f"/v1/requests/{request_id}/decisions",
                                {"verdict": "break_glass", "reason": "it burns"}, rita)
        self.assertIn(broken.status, (200, 202), broken.body)
        self.wait_state(request_id, "approved")
        self.grow_older()
        self.world.control("POST", "/update_user", {"user": RITA, "deleted": True})
        claim = self.claim(request_id)
        self.assertEqual((claim.status, claim.json()["refusal"]), (409, "approver_gone"))


if __name__ == "__main__":
    main()
