#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_away.py: out of office: somebody stands in for an approver, from Home and by approvalctl.

Owns nothing but its cases; the World is e2e.py's. Never builds a payload of its own: the stand-in's
people press and send what they are shown.
"""
import json
import time

from e2e import main
from e2e_home import HomeCase
from lib.harness import ANA, BEN, CHANNEL, POLICY, RITA, World

DORA, GUEST, GONE = "U0DOR00001", "U0GUEST001", "U0GONE0001"
DAY_S = 86400
POLICIES = POLICY + f"""
policy away {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}", "U0CAR00001"}}
    quorum = 2
    delegation = true
}}
policy strict {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}"}}
}}
"""
AWAY = "Out of office"


class Away(HomeCase):
    options = {"policy": POLICIES}

    @classmethod
    def begin(cls):
        super().begin()
        cls.world.control("POST", "/add_user", {"id": DORA, "name": "dora", "channels": [CHANNEL]})
        cls.mine = {}
        for name, user in (("ana", ANA), ("dora", DORA)):
            token = cls.world.token(name, scopes=["decide", "read"], user=user)
            cls.world.secret_file("token-" + name, token)
            cls.mine[user] = cls.world.path("token-" + name)

    def tearDown(self):
        for one in self.delegations():
            self.world.ctl("delegate", "remove", str(one["id"]), check=0)
        super().tearDown()

    def delegations(self):
        return json.loads(self.world.ctl("delegate", "list", "--json", check=0).stdout)["delegations"]

    def send(self, user, to, begin_s=None, end_s=None):
        values = {"to": to, "to_time": end_s if end_s else int(time.time()) + DAY_S}
        if begin_s:
            values["from_time"] = begin_s
        return self.world.control("POST", "/submit", {"user": user, "values": values})

    def open_form(self, user):
        opened = self.act(user, "away_set", wait_modal=5)
        self.assertEqual(opened["modal"]["callback_id"], "away", opened)

    def delegate(self, user, to):
        self.open_home(user)
        self.open_form(user)
        sent = self.send(user, to)
        self.assertEqual(sent["outcome"], "closed", sent)

    def test_a_substitute_named_in_home_approves_for_the_approver_and_both_once(self):
        self.delegate(ANA, DORA)
        view = self.wait_home(ANA, lambda v: "stands in for you" in json.dumps(self.part(v, AWAY)[0]),
                              "Ana's Home shows it")
        self.assertIn(f"<@{DORA}> stands in for you", json.dumps(view))
        made = self.ask(policy="away", title="Deploy while away")
        self.open_home(DORA)
        view = self.wait_home(DORA, lambda v: made in self.waiting(v), "it waits for Dora")
        self.assertIn(f"You stand in for <@{ANA}>", json.dumps(self.part(view, AWAY)[0]))
        self.press(made, DORA)
        self.card(made, f"Approved by <@{DORA}> for <@{ANA}>")
        self.press(made, ANA)
        World.wait(lambda: self.refused(ANA, "count once together"), "Ana is told")
        self.assertEqual(self.get(made)["state"], "pending")
        self.press(made, BEN)
        done = self.wait_state(made, "approved")
        self.assertEqual([(d["user"], d["on_behalf_of"]) for d in done["decisions"]],
                         [(DORA, ANA), (BEN, None)])
        audit = self.world.api("GET", f"/v1/audit?request={made}&limit=100", token=self.token).json()
        said = [(e["action"], e["actor"], e["detail"]) for e in audit["entries"]]
        self.assertIn(("approval", f"user:{DORA} for:{ANA}", None), said)
        self.assertIn(("approved", f"user:{BEN}", f"{DORA} for {ANA}, {BEN}"), said)
        replies = self.wait_for("message", channel=CHANNEL, contains="approved for")
        self.assertIn(f"<@{DORA}> approved for <@{ANA}>", replies[0]["text"])

    def refused(self, user, words):
        return self.world.control("POST", "/ephemerals", {"to": user, "contains": words})["messages"]

    def test_a_policy_that_does_not_say_so_is_not_widened(self):
        self.delegate(ANA, DORA)
        made = self.ask(policy="strict", title="Ana alone")
        self.press(made, DORA)
        World.wait(lambda: self.refused(DORA, "not among the people"), "Dora is told")
        self.assertEqual(self.get(made)["decisions"], [])

    def test_ended_in_home_it_is_over_at_once(self):
        self.delegate(ANA, DORA)
        self.wait_home(ANA, lambda v: "away_end" in json.dumps(v), "it can be ended")
        made = self.ask(policy="away", title="Too late for Dora")
        self.act(ANA, "away_end")
        self.wait_home(ANA, lambda v: "away_end" not in json.dumps(v), "it is over")
        self.assertEqual(self.delegations(), [])
        self.press(made, DORA)
        World.wait(lambda: self.refused(DORA, "not among the people"), "Dora is told")

    def test_what_is_wrong_is_said_at_the_field(self):
        now_s = int(time.time())
        self.open_home(ANA)
        self.open_form(ANA)
        for values, field, words in (
                ((ANA,), "to", "Choose somebody else"),
                ((GUEST,), "to", "Guests"),
                ((GONE,), "to", "deactivated"),
                ((DORA, now_s + 7200, now_s + 3600), "to_time", "later than"),
                ((DORA, None, now_s + 400 * DAY_S), "to_time", "At most 366 days")):
            sent = self.send(ANA, *values)
            self.assertEqual(sent["outcome"], "errors", sent)
            self.assertIn(words, sent["errors"][field], sent)
        self.assertEqual(self.delegations(), [])
        self.assertEqual(self.send(ANA, DORA)["outcome"], "closed")
        self.open_form(ANA)
        sent = self.send(ANA, BEN)
        self.assertIn("already", sent["errors"]["from_time"])

    def test_the_same_form_twice_is_one_and_survives_a_crash(self):
        self.open_home(ANA)
        self.open_form(ANA)
        self.world.control("POST", "/push_fault", {"method": "view_submission", "kind": "abandon",
                                                   "seconds": 0})
        self.assertEqual(self.send(ANA, DORA)["outcome"], "trouble")
        self.world.daemon.kill()
        self.world.start()
        World.wait(lambda: self.world.admin("GET", "/v1/status").json()["slack"]["bot_user"],
                   "Slack has said who we are")
        self.world.control("POST", "/push_fault", {"method": "view_submission", "kind": "twice"})
        sent = self.world.control("POST", "/submit", {"user": ANA})  # it is still on the screen
        self.assertEqual(sent["outcome"], "closed", sent)
        one = self.delegations()
        self.assertEqual([d["to"] for d in one], [DORA])
        self.world.ctl("delegate", "remove", str(one[0]["id"]), check=0)
        again = self.world.control("POST", "/replay", {"delivery": sent["delivery"]})
        self.assertEqual(again["status"], 200)
        self.assertEqual(self.delegations(), [], "what was done and ended is not done again")
        self.delegate(ANA, DORA)
        made = self.ask(policy="away", title="After the crash")
        self.press(made, DORA)
        self.card(made, f"Approved by <@{DORA}> for <@{ANA}>")

    def test_approvalctl_names_lists_explains_and_ends(self):
        day = time.strftime("%Y-%m-%d", time.localtime(time.time() + 2 * DAY_S))
        out = self.world.ctl("delegate", "add", DORA, "--until", day, token_file=self.mine[ANA],
                             check=0)
        self.assertEqual(out.stdout, "written\n")
        one = self.delegations()[0]
        self.assertEqual((one["from"], one["to"], one["active"]), (ANA, DORA, True))
        self.assertEqual(one["made_by"], f"user:{ANA} token:ana")
        out = self.world.ctl("delegate", "add", DORA, "--until", day, "--user", BEN,
                             token_file=self.mine[ANA])
        self.assertNotEqual(out.returncode, 0)
        self.assertIn("only root", out.stderr)
        out = self.world.ctl("policy", "test", "away", "--approver", DORA, check=0)
        self.assertIn(f"{DORA}: yes, in the place of {ANA}", out.stdout)
        made = self.ask(policy="away", title="By hand")
        out = self.world.ctl("approve", made, token_file=self.mine[DORA], check=0)
        World.wait(lambda: self.get(made)["decisions"], "it counts")
        shown = self.world.ctl("show", made, token_file=self.token_file, check=0).stdout
        self.assertIn(f"by {DORA} in the place of {ANA}", shown)
        out = self.world.ctl("delegate", "remove", str(one["id"]), token_file=self.mine[DORA],
                             check=0)
        self.assertEqual(out.stdout, "ended\n")
        out = self.world.ctl("policy", "test", "away", "--approver", DORA)
        self.assertIn(f"{DORA}: no", out.stdout)

    def test_who_stands_in_is_asked_directly_when_there_is_no_card(self):
        self.delegate(ANA, DORA)
        self.world.control("POST", "/update_channel", {"channel": CHANNEL, "is_archived": True})
        try:
            made = self.ask(policy="away", title="No channel for this")
            said = self.wait_for("dm", to=DORA, contains="No channel for this")[0]
            self.assertIn("approve", self.buttons(said))
        finally:
            self.world.control("POST", "/update_channel", {"channel": CHANNEL,
                                                           "is_archived": False})
        self.assertEqual(self.get(made)["state"], "pending")

    def test_who_asked_is_not_helped_by_it(self):
        self.world.ctl("delegate", "add", RITA, "--user", ANA, "--until", "2099-01-01")  # too long
        day = time.strftime("%Y-%m-%d", time.localtime(time.time() + 2 * DAY_S))
        self.world.ctl("delegate", "add", RITA, "--user", ANA, "--until", day, check=0)
        made = self.ask(policy="away", title="Rita's own")
        self.press(made, RITA)
        World.wait(lambda: self.refused(RITA, "asked for this yourself"), "Rita is told")
        self.assertEqual(self.get(made)["decisions"], [])


del HomeCase  # its cases are e2e_home.py's

if __name__ == "__main__":
    main()
