#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_channels.py: policies whose approvers are the members of a channel, as people see them.

Owns nothing but its cases; the World is e2e.py's. Never asks approvald who is in a channel: Slack
says it, here the stand-in.
"""
import json

from e2e import EndToEnd, main
from lib.harness import ANA, BEN, CHANNEL, RITA, World

BOT, CAL, GUS, ERIN = "U0BOT00001", "U0APR00003", "U0GUEST001", "U0EXT00009"
CREW, CLOSED, HUGE = "C0CREW0001", "C0CLOSED01", "C0HUGE0001"
POLICY = f"""
policy crew {{
    channel = "{CHANNEL}"
    approvers = {{"{CREW}"}}
    recheck = strict
}}
policy closed {{
    channel = "{CHANNEL}"
    approvers = {{"{CLOSED}", "{BEN}"}}
}}
policy huge {{
    channel = "{CHANNEL}"
    needs = {{"crew: 1 of {HUGE}", "boss: 1 of {BEN} {CREW}"}}
}}
"""


class Channels(EndToEnd):
    options = {"policy": POLICY}

    @classmethod
    def begin(cls):
        control = cls.world.control
        control("POST", "/add_user", {"id": CAL, "name": "cal", "channels": [CHANNEL]})
        for channel, members, private in (
                (CREW, [BOT, ANA, RITA, GUS, ERIN], True), (CLOSED, [CAL], True),
                (HUGE, [f"U0M{i:07d}" for i in range(9998)] + [ANA, CAL], False)):
            control("POST", "/add_channel", {"id": channel, "name": channel.lower(),
                                             "is_private": private, "members": members})
        super().begin()

    def members(self, channel, users):
        self.world.control("POST", "/update_channel", {"channel": channel, "members": users})

    def tearDown(self):
        self.members(CREW, [BOT, ANA, RITA, GUS, ERIN])
        self.world.control("POST", "/scopes", {"add": ["channels:read", "groups:read"]})

    def again(self):
        """A new process knows of nobody who is where."""
        self.world.daemon.kill()
        self.world.start()

    def known(self, policy, user):
        return self.world.admin("GET",
                                f"/v1/policies/{policy}/test?approver={user}").json()["approver"]["may"]

    def names(self):
        return {n["id"]: (n["word"], n["works"])
                for n in self.world.admin("GET", "/v1/status").json()["slack"]["names"]}

    def test_the_members_of_the_channel_decide_and_nobody_else(self):
        request_id = self.ask(policy="crew")
        card = self.card(request_id, contains=f"members of <#{CREW}>")
        self.assertIn(f"members of <#{CREW}>", json.dumps(card["blocks"]))
        for user, why in ((RITA, "asked for this yourself"), (GUS, "Guests of this workspace"),
                          (ERIN, "Only people of this organisation"),
                          (BEN, "not among the people")):
            self.press(request_id, user)
            self.wait_for("ephemeral", to=user, contains=why)
        self.assertEqual(self.get(request_id)["decisions"], [])
        self.press(request_id, ANA)
        found = self.wait_state(request_id, "approved")
        self.assertEqual([d["user"] for d in found["decisions"]], [ANA])

    def test_who_left_the_channel_before_the_claim_is_gone(self):
        request_id = self.ask(policy="crew")
        self.press(request_id, ANA)
        self.wait_state(request_id, "approved")
        self.members(CREW, [BOT, BEN])
        self.again()
        World.wait(lambda: self.known("crew", ANA) == "no", "it is known that she left")
        claim = self.world.api("POST", f"/v1/requests/{request_id}/claim", {"key": "k1"},
                               token=self.token)
        self.assertEqual((claim.status, claim.json()["refusal"]), (409, "approver_gone"), claim.body)
        self.members(CREW, [BOT, ANA])
        self.again()
        World.wait(lambda: self.known("crew", ANA) == "yes", "it is known that she is back")
        claim = self.world.api("POST", f"/v1/requests/{request_id}/claim", {"key": "k2"},
                               token=self.token)
        self.assertEqual(claim.status, 200, claim.body)

    def test_a_channel_that_the_app_is_not_in_is_told_and_awaited(self):
        World.wait(lambda: self.names().get(CLOSED) == ("channel_not_found", False) and
                   self.names().get(HUGE) == ("is_public", True), "it is noticed", 25)
        shown = self.world.ctl("slack", "check", check=119).stdout
        self.assertIn(f"FAIL  {CLOSED}: Slack shows no such channel to the app; if it is private, "
                      "invite the app to it (channel_not_found)\n", shown)
        self.assertIn(f"warn  {HUGE}: the channel is public: everybody may join it", shown)
        self.assertIn(f"who is in {CLOSED} is not known (channel_not_found)",
                      self.world.ctl("doctor", "--config", self.world.path("approvald.conf")).stdout)
        self.assertIn("  approvers 1 that policies name are UNKNOWN, see approvalctl slack check\n",
                      self.world.ctl("status").stdout)
        shown = self.world.ctl("policy", "test", "closed", "--approver", CAL).stdout
        self.assertIn(f"{CLOSED} (who is in it is not known now): channel_not_found\n", shown)
        self.assertIn(f"{CAL}: unknown:", shown)
        request_id = self.ask(policy="closed")
        self.press(request_id, CAL)
        World.wait(lambda: self.world.admin("GET", "/v1/status").json()["counts"]["inbox"] == 1,
                   "the press is kept")
        self.members(CLOSED, [BOT, CAL])
        self.wait_state_in(request_id, "approved", 40)
        World.wait(lambda: CLOSED not in self.names(), "all is well")
        self.members(CLOSED, [CAL])

    def wait_state_in(self, request_id, state, seconds):
        World.wait(lambda: self.get(request_id)["state"] == state, f"it is {state}", seconds)

    def test_others_whom_the_policy_names_need_not_wait(self):
        request_id = self.ask(policy="closed")
        self.press(request_id, BEN)
        self.wait_state(request_id, "approved")

    def test_a_missing_scope_is_named_and_a_press_waits_for_it(self):
        self.world.control("POST", "/scopes", {"remove": ["groups:read"]})
        self.again()
        request_id = self.ask(policy="crew")
        self.press(request_id, ANA)
        World.wait(lambda: self.names().get(CREW) == ("missing_scope", False), "it is noticed")
        shown = self.world.ctl("slack", "check", check=119).stdout
        self.assertIn(f"FAIL  {CREW}: add this scope and install the app again "
                      "(missing_scope groups:read)\n", shown)
        self.assertEqual(self.get(request_id)["state"], "pending")
        self.world.control("POST", "/scopes", {"add": ["groups:read"]})
        self.wait_state_in(request_id, "approved", 30)

    def test_a_channel_of_ten_thousand_is_read_whole(self):
        request_id = self.ask(policy="huge")
        self.press(request_id, CAL)
        self.wait_state_in(request_id, "pending", 5)
        self.card(request_id, contains="crew 1 of 1, boss 0 of 1")
        self.press(request_id, ANA)  # of both channels: she is counted where she is needed
        found = self.wait_state(request_id, "approved")
        self.assertEqual([(d["user"], d["need"]) for d in found["decisions"]],
                         [(CAL, "crew"), (ANA, "boss")])

    def test_errors_of_the_reference_are_waited_out(self):
        for error in ("fetch_members_failed", "invalid_cursor", "internal_error"):
            self.world.control("POST", "/fault", {"kind": "error", "method": "conversations.members",
                                                  "error": error, "count": 2})
        self.world.control("POST", "/fault", {"kind": "ratelimited", "retry_after": 1,
                                              "method": "conversations.members"})
        self.again()
        request_id = self.ask(policy="crew")
        self.press(request_id, ANA)
        self.wait_state_in(request_id, "approved", 55)


if __name__ == "__main__":
    main()
