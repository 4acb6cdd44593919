#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_policies.py: policies with needs, several rejections and excluded groups, as people see them.

Owns nothing but its cases; the World is e2e.py's. Never asks approvald who is in a group: Slack says
it, here the stand-in.
"""
import json

from e2e import EndToEnd, main
from lib.harness import ANA, BEN, CHANNEL, RITA, World

CAL, DAN = "U0APR00003", "U0APR00004"
SECURITY, OPS, TEAM, FADING = "S0SEC00001", "S0OPS00001", "S0TEAM0001", "S0FADE0001"
POLICY = f"""
policy both {{
    channel = "{CHANNEL}"
    needs = {{"security: 1 of {SECURITY}", "ops: 1 of {OPS}"}}
}}
policy ways {{
    channel = "{CHANNEL}"
    needs = {{"security: 1 of {SECURITY}", "ops: 2 of {OPS}", "or", "boss: 1 of {BEN}"}}
}}
policy fading {{
    channel = "{CHANNEL}"
    needs = {{"fading: 1 of {FADING}", "boss: 1 of {BEN}"}}
}}
policy apart {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}"}}
    rejections = 2
    exclude_requester_groups = {{"{TEAM}"}}
    self_approval = true
}}
"""


class Policies(EndToEnd):
    options = {"policy": POLICY}

    @classmethod
    def begin(cls):
        for user, name in ((CAL, "cal"), (DAN, "dan")):
            cls.world.control("POST", "/add_user", {"id": user, "name": name,
                                                       "channels": [CHANNEL]})
        for group, users in ((SECURITY, [ANA, CAL, DAN]), (OPS, [ANA]), (TEAM, [RITA, ANA]),
                             (FADING, [CAL])):
            cls.world.control("POST", "/add_group", {"id": group, "users": users})
        super().begin()

    def say(self, request_id, contains):
        """The card once it says so, in its blocks as well as in the text that is read aloud."""
        card = self.card(request_id, contains=contains)
        self.assertIn(contains, card["text"])
        return json.dumps(card["blocks"])

    def needs(self, request_id):
        return [(n["name"], n["approvals"], n["quorum"]) for n in self.get(request_id)["needs"]]

    def test_who_is_in_both_groups_fills_one_need_and_makes_room(self):
        request_id = self.ask(policy="both")
        self.say(request_id, "security 0 of 1, ops 0 of 1 approved")
        self.press(request_id, ANA)
        blocks = self.say(request_id, "security 1 of 1, ops 0 of 1 approved")
        self.assertIn(f"Approved by <@{ANA}> for security", blocks)
        self.press(request_id, ANA)
        self.wait_for("ephemeral", to=ANA, contains="already decided")
        self.assertEqual(self.get(request_id)["state"], "pending")
        self.press(request_id, CAL)  # of security alone: ana counts for ops from now on
        found = self.wait_state(request_id, "approved")
        self.assertEqual([(d["user"], d["need"]) for d in found["decisions"]],
                         [(ANA, "ops"), (CAL, "security")])
        self.assertIn(f"Approved by <@{ANA}> for ops",
                      self.say(request_id, "security 1 of 1, ops 1 of 1 approved"))

    def test_an_approval_that_cannot_help_is_refused(self):
        other = self.ask(policy="both")
        self.press(other, DAN)
        self.say(other, "security 1 of 1, ops 0 of 1 approved")
        request_id = self.ask(policy="both")
        self.press(request_id, CAL)
        self.say(request_id, "security 1 of 1, ops 0 of 1 approved")
        self.press(request_id, DAN)
        self.wait_for("ephemeral", to=DAN, contains="is approved already; other people")
        self.assertEqual(self.needs(request_id), [("security", 1, 1), ("ops", 0, 1)])
        shown = self.world.ctl("show", request_id, token_file=self.token_file, check=0).stdout
        self.assertIn("pending, security 1 of 1, ops 0 of 1 approved\n", shown)
        self.world.control("POST", "/slash", {"user": DAN, "command": "/approval",
                                              "text": "show " + request_id, "channel": CHANNEL})
        self.wait_for("ephemeral", to=DAN, contains=f"`{request_id}` is pending")
        self.press(request_id, ANA)
        self.wait_state(request_id, "approved")

    def test_one_whole_alternative_is_enough(self):
        request_id = self.ask(policy="ways")
        self.press(request_id, ANA)
        self.say(request_id, "security 1 of 1, ops 0 of 2, or boss 0 of 1 approved")
        self.press(request_id, BEN)
        self.wait_state(request_id, "approved")
        self.assertNotIn("ops", self.say(request_id, "boss 1 of 1 approved").split("Asked by")[0])

    def test_what_was_decided_outlasts_the_group_and_a_restart(self):
        request_id = self.ask(policy="fading")
        self.press(request_id, CAL)
        self.say(request_id, "fading 1 of 1, boss 0 of 1")
        self.world.control("POST", "/update_group", {"group": FADING, "users": []})
        self.world.daemon.kill()
        self.world.start()
        self.assertEqual(self.needs(request_id), [("fading", 1, 1), ("boss", 0, 1)])
        other = self.ask(policy="fading")
        self.press(other, CAL)
        self.wait_for("ephemeral", to=CAL, contains="not among the people")
        self.press(request_id, BEN)
        self.wait_state(request_id, "approved")

    def test_a_group_does_not_decide_what_its_member_asks(self):
        request_id = self.ask(policy="apart")
        self.press(request_id, ANA)
        self.wait_for("ephemeral", to=ANA, contains="You are in a group with the requester")
        self.assertEqual(self.get(request_id)["decisions"], [])
        self.press(request_id, BEN)
        self.wait_state(request_id, "approved")
        other = self.ask(policy="apart", requester=CAL)
        self.press(other, ANA)
        self.wait_state(other, "approved")

    def test_as_many_people_as_the_policy_says_reject(self):
        request_id = self.ask(policy="apart", requester=CAL)
        for user in (ANA, BEN):
            self.world.secret_file(user, self.world.token("no-" + user.lower(), user=user,
                                                          scopes=["decide", "read"]))
        self.world.ctl("reject", request_id, "--reason", "too early",
                       token_file=self.world.path(ANA), check=0)
        World.wait(lambda: self.get(request_id)["rejections"] == 1, "it is counted")
        self.say(request_id, "1 of 2 rejected")
        self.assertEqual(self.get(request_id)["state"], "pending")
        self.world.ctl("reject", request_id, token_file=self.world.path(BEN), check=0)
        self.wait_state(request_id, "rejected")

    def test_policy_test_explains_who_could_approve(self):
        done = self.world.ctl("policy", "test", "both", "--requester", RITA, "--approver", ANA,
                              "--approver", BEN)
        self.assertEqual(done.returncode, 115, done)
        self.assertIn(f"security: 1 of\n    {SECURITY} (3 members)\n", done.stdout)
        self.assertIn(f"{ANA}: yes, for security or ops\n", done.stdout)
        self.assertIn(f"{BEN}: no: You are not among the people", done.stdout)
        done = self.world.ctl("policy", "test", "apart", "--requester", RITA, "--approver", ANA)
        self.assertIn("does not decide what its own members ask for: " + TEAM, done.stdout)
        self.assertIn(f"{ANA}: no: You are in a group with the requester", done.stdout)


if __name__ == "__main__":
    main()
