#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_routes.py: one request shown in several channels and in direct messages, every copy in step.

Owns nothing but its cases. What a copy shows is read from the stand-in; a kill is SIGKILL at a moment that the
stand-in has seen. Never waits for luck.
"""

import time

from e2e import EndToEnd, harness, main
from lib.harness import ANA, BEN, CHANNEL, GROUP, RITA

OWNERS = "C0OWNERS01"
BOSS, CAL, DORA = "U0BOSS0001", "U0CAR00001", "U0DOR00001"
CROWD = [f"U0CROWD{i:02d}" for i in range(21)]  # one more than get direct messages
POLICY = f"""
policy both {{
    channels = {{"{CHANNEL}", "{OWNERS}"}}
    direct_approvers = true
    approvers = {{"cal@acme.example", "{GROUP}"}}
    quorum = 2
}}
policy direct {{
    direct_approvers = true
    approvers = {{"{ANA}", "{BEN}", "{RITA}"}}
}}
policy later {{
    direct_approvers = true
    approvers = {{"{ANA}", "{BEN}", "{CAL}"}}
    quorum = 2
    expires_after = 1h
    escalate_after = 2s
    escalate_to = {{"boss@acme.example"}}
    remind_before = 3597s
}}
policy away {{
    direct_approvers = true
    approvers = {{"{ANA}"}}
    delegation = true
}}
policy crowd {{
    channel = "{CHANNEL}"
    direct_approvers = true
    approvers = {{"S0CROWD001"}}
}}
policy crowd-alone {{
    direct_approvers = true
    approvers = {{"{ANA}", "S0CROWD001"}}
}}
"""
NOWHERE = "C0NOWHERE1"
REFUSED = POLICY + f"""
policy refused {{
    channel = "{NOWHERE}"
    approvers = {{"{GROUP}"}}
}}
policy members {{
    channel = "{NOWHERE}"
    approvers = {{"{OWNERS}"}}
}}
policy half {{
    channels = {{"{NOWHERE}", "{CHANNEL}"}}
    approvers = {{"{ANA}"}}
}}
policy refused-crowd {{
    channel = "{NOWHERE}"
    approvers = {{"S0CROWD001"}}
}}
"""
EVERYWHERE = (CHANNEL, OWNERS, ANA, BEN, CAL)


class Routed(EndToEnd):
    """What the cases see of the copies."""

    options = {"policy": POLICY}

    @classmethod
    def begin(cls):
        for user, name in ((CAL, "cal"), (BOSS, "boss"), (DORA, "dora")):
            cls.world.control("POST", "/add_user", {"id": user, "name": name, "email": f"{name}@acme.example",
                                                    "channels": [CHANNEL]})
        for user in CROWD:
            cls.world.control("POST", "/add_user", {"id": user, "name": user.lower()})
        cls.world.control("POST", "/add_group", {"id": "S0CROWD001", "handle": "crowd", "users": CROWD})
        cls.world.control("POST", "/add_channel", {"id": OWNERS, "name": "owners", "members": [ANA, "U0BOT00001"]})
        super().begin()

    def copies(self, request_id, place):
        """The cards of a request in a channel or with a person."""
        where = {"channel": place} if place[0] == "C" else {"to": place}
        path = "/messages" if place[0] == "C" else "/dms"
        return self.world.control("POST", path, {**where, "metadata": {
            "request_id": request_id, "surface": "card"}})["messages"]

    def wait_copies(self, request_id, places, revision=1):
        """Each of these places has one card, which shows the revision; the cards by place."""
        def shown():
            found = {place: self.copies(request_id, place) for place in places}
            fit = all(len(cards) == 1 and cards[0]["metadata"]["event_payload"]["revision"] == revision
                      for cards in found.values())
            return {place: cards[0] for place, cards in found.items()} if fit else None
        return harness.World.wait(shown, f"{request_id} is shown as revision {revision} in {places}", 30)

    def press_copy(self, card, user, action="approve"):
        return self.world.control("POST", "/press", {"user": user, "action_id": action, "channel": card["channel"],
                                                     "ts": card["ts"]})

    def owed(self):
        return self.world.admin("GET", "/v1/status").json()["counts"]["outbox_owed"]

    def calm(self):
        harness.World.wait(lambda: self.owed() == 0, "nothing is owed", 30)

    def dead(self, request_id):
        return [row for row in self.world.admin("GET", "/v1/outbox?dead=1").json()["rows"]
                if row["request"] == request_id]

    def restart(self):
        self.world.daemon.kill()
        self.world.start()

    def swept(self):
        def done():
            cards = self.world.admin("GET", "/v1/status").json()["slack"]["cards"]
            return cards if cards["compared_at"] and not cards["comparing"] and self.owed() == 0 else None
        return harness.World.wait(done, "the cards are compared and nothing is owed", 30)

    def reached(self, request_id):
        """Who has a copy."""
        users = (ANA, BEN, CAL, RITA, BOSS, DORA, *CROWD)
        return {user for user in users if self.copies(request_id, user)}


class Refused(Routed):
    """No channel takes the card."""

    options = {"policy": REFUSED}

    def test_the_people_of_a_group_get_copies_and_the_requester_is_told(self):
        request_id = self.ask(policy="refused", requester=RITA, title="Refused to a group")
        cards = self.wait_copies(request_id, (ANA, BEN))
        self.assertEqual(self.reached(request_id), {ANA, BEN}, "not the requester")
        self.wait_for("dm", to=RITA, contains="did not take this request")
        self.assertEqual([row["surface"] for row in self.dead(request_id)], ["card"], "the admin knows it, too")
        self.assertEqual(self.buttons(cards[BEN]), ["approve", "reject"])
        answer = self.world.api("POST", f"/v1/requests/{request_id}/cancel", {}, self.token)
        self.assertEqual(answer.status, 200, answer.body)
        for user, card in self.wait_copies(request_id, (ANA, BEN), 2).items():
            self.assertEqual(card["ts"], cards[user]["ts"], "in place")
            self.assertEqual(self.buttons(card), [])

    def test_the_members_of_a_channel_get_copies_and_decide(self):
        request_id = self.ask(policy="members", requester=RITA)
        cards = self.wait_copies(request_id, (ANA,))
        self.press_copy(cards[ANA], ANA)
        self.wait_state(request_id, "approved")
        self.wait_for("dm", to=RITA, contains="Not used yet", metadata={"request_id": request_id})
        self.wait_copies(request_id, (ANA,), 2)

    def test_where_another_channel_has_it_nobody_is_asked_directly(self):
        request_id = self.ask(policy="half", requester=RITA)
        self.wait_copies(request_id, (CHANNEL,))
        harness.World.wait(lambda: self.dead(request_id), "the other one is given up")
        self.assertEqual([row for row in self.world.admin("GET", "/v1/outbox").json()["rows"]
                          if row["request"] == request_id and not row["dead"]], [], "nothing more is owed")
        self.assertEqual(self.reached(request_id), set())

    def test_of_more_people_than_get_messages_some_are_asked(self):
        request_id = self.ask(policy="refused-crowd")
        harness.World.wait(lambda: len(self.reached(request_id)) == 20, "twenty are asked", 60)
        self.assertLess(self.reached(request_id), set(CROWD))

    def test_killed_behind_the_refusal_they_are_asked_once(self):
        self.world.control("POST", "/fault", {"method": "usergroups.users.list", "kind": "status", "status": 503,
                                              "count": 0})
        self.restart()  # the group is not known
        request_id = self.ask(policy="refused", title="Refused and killed")
        harness.World.wait(lambda: self.dead(request_id), "the card is refused")
        self.restart()
        self.world.control("POST", "/clear_faults", {})
        self.wait_copies(request_id, (ANA, BEN))
        self.world.ctl("outbox", "replay", "--all", check=0)  # refused again
        harness.World.wait(lambda: self.dead(request_id), "the card is refused again")
        self.wait_copies(request_id, (ANA, BEN))


class Routes(Routed):
    def test_a_press_on_any_copy_counts_and_all_are_changed(self):
        request_id = self.ask(policy="both")
        cards = self.wait_copies(request_id, EVERYWHERE)
        for card in cards.values():
            self.assertEqual(self.buttons(card), ["approve", "reject"])
        self.press_copy(cards[OWNERS], ANA)
        cards = self.wait_copies(request_id, EVERYWHERE, 2)
        for card in cards.values():
            self.assertIn(f"<@{ANA}>", str(card["blocks"]))
        self.press_copy(cards[CAL], CAL)
        self.wait_state(request_id, "approved")
        for place, card in self.wait_copies(request_id, EVERYWHERE, 3).items():
            self.assertEqual(card["ts"], cards[place]["ts"], "in place")
            self.assertEqual(self.buttons(card), [])
        self.assertEqual(self.reached(request_id), {ANA, BEN, CAL})

    def test_a_press_by_who_may_not_is_answered_in_his_direct_messages(self):
        request_id = self.ask(policy="direct", requester=RITA)
        cards = self.wait_copies(request_id, (ANA, BEN))
        self.assertEqual(self.reached(request_id), {ANA, BEN}, "not the requester")
        self.press_copy(cards[ANA], ANA)
        self.wait_copies(request_id, (ANA, BEN), 2)
        self.world.control("POST", "/press", {"user": BEN, "action_id": "approve", "channel": cards[BEN]["channel"],
                                              "ts": cards[BEN]["ts"], "revision": 0})
        self.wait_for("ephemeral", to=BEN, channel=cards[BEN]["channel"], contains="already decided")
        self.assertEqual(len(self.get(request_id)["decisions"]), 1)

    def test_one_copy_that_cannot_be_posted_is_in_error_alone(self):
        opened = self.ask(policy="direct")
        place = self.wait_copies(opened, (ANA, BEN))[ANA]["channel"]
        self.world.control("POST", "/update_channel", {"channel": place, "post_error": "messages_tab_disabled"})
        try:
            request_id = self.ask(policy="both")
            cards = self.wait_copies(request_id, (CHANNEL, OWNERS, BEN, CAL))
            rows = harness.World.wait(lambda: self.dead(request_id), "the copy is given up")
            self.assertEqual([(row["surface"], row["target"]) for row in rows], [("card", ANA)])
            self.assertIn("messages_tab_disabled: direct messages to the app are off", rows[0]["error"])
            self.press_copy(cards[CAL], CAL)
            self.press_copy(cards[BEN], BEN)
            self.wait_state(request_id, "approved")
            self.wait_copies(request_id, (CHANNEL, OWNERS, BEN, CAL), 3)
        finally:
            self.world.control("POST", "/update_channel", {"channel": place, "post_error": None})
        self.calm()
        self.assertEqual(self.copies(request_id, ANA), [], "an outcome alone is not sent")

    def test_a_rate_limit_delays_copies_and_repeats_none(self):
        for _ in range(3):
            self.world.control("POST", "/fault", {"method": "chat.postMessage", "kind": "ratelimited",
                                                  "retry_after": 1, "count": 1})
        request_id = self.ask(policy="both")
        self.wait_copies(request_id, EVERYWHERE)

    def test_what_ended_before_it_was_sent_is_not_sent_to_people(self):
        # Refused for certain: what may have got out is looked for, for as long as it may arrive late.
        self.world.control("POST", "/fault", {"method": "chat.postMessage", "kind": "ratelimited", "retry_after": 1,
                                              "count": 0})
        token = self.world.token("ana-first", scopes=["decide", "read"], user=ANA)
        request_id = self.ask(policy="direct")
        answer = self.world.api("POST", f"/v1/requests/{request_id}/decisions", {"verdict": "approve"}, token=token)
        self.assertEqual(answer.status, 200, answer.body)
        self.world.control("POST", "/clear_faults", {})
        self.calm()
        self.assertEqual(self.reached(request_id), set())

    def test_reminders_and_escalations_reach_people_directly(self):
        request_id = self.ask(policy="later")
        cards = self.wait_copies(request_id, (ANA, BEN, CAL))
        self.press_copy(cards[BEN], BEN)
        self.wait_for("message", channel=cards[ANA]["channel"], thread_ts=cards[ANA]["ts"], contains="eminder")
        self.wait_for("dm", to=BOSS, metadata={"request_id": request_id, "surface": "card"})
        self.calm()
        self.assertEqual(self.reached(request_id), {ANA, BEN, CAL, BOSS})
        replies = self.world.control("POST", "/messages", {"channel": cards[BEN]["channel"],
                                                           "thread_ts": cards[BEN]["ts"]})["messages"]
        self.assertEqual([m for m in replies if m["ts"] != cards[BEN]["ts"]], [], "who has decided is not reminded")
        boss = self.copies(request_id, BOSS)[0]
        self.press_copy(boss, BOSS)
        self.wait_state(request_id, "approved")
        harness.World.wait(lambda: all(self.buttons(self.copies(request_id, user)[0]) == []
                                       for user in (ANA, BEN, CAL, BOSS)), "all copies show the outcome", 30)

    def test_who_stands_in_gets_a_copy_too(self):
        self.world.ctl("delegate", "add", DORA, "--user", ANA, "--until",
                       time.strftime("%Y-%m-%d", time.gmtime(time.time() + 2 * 86400)), check=0)
        try:
            request_id = self.ask(policy="away")
            cards = self.wait_copies(request_id, (ANA, DORA))
            self.press_copy(cards[DORA], DORA)
            self.wait_state(request_id, "approved")
            self.wait_copies(request_id, (ANA, DORA), 2)
        finally:
            for one in self.world.admin("GET", "/v1/delegations").json()["delegations"]:
                self.world.ctl("delegate", "remove", str(one["id"]), check=0)

    def test_of_too_many_the_channel_is_told_or_the_first(self):
        request_id = self.ask(policy="crowd")
        self.wait_copies(request_id, (CHANNEL,))
        self.calm()
        self.assertEqual(self.reached(request_id), set())
        request_id = self.ask(policy="crowd-alone")
        self.calm()
        self.assertEqual(self.reached(request_id), {ANA, *CROWD[:19]})
        shown = self.world.ctl("policy", "test", "crowd-alone", check=0).stdout
        self.assertIn("direct messages: up to 22 people may approve, only the first 20 get one", shown)
        shown = self.world.ctl("policy", "test", "crowd", check=0).stdout
        self.assertIn(f"shown in {CHANNEL}\ndirect messages: none, up to 21 people may approve", shown)

    def test_a_copy_that_is_gone_or_altered_is_put_right(self):
        request_id = self.ask(policy="both")
        cards = self.wait_copies(request_id, EVERYWHERE)
        self.calm()
        self.world.control("POST", "/delete_message", {"channel": cards[BEN]["channel"], "ts": cards[BEN]["ts"]})
        self.world.control("POST", "/edit_message", {"channel": cards[CAL]["channel"], "ts": cards[CAL]["ts"],
                                                     "text": "Approved by everybody", "blocks": None})
        self.world.control("POST", "/copy_message", {"channel": cards[ANA]["channel"], "ts": cards[ANA]["ts"]})
        self.restart()
        found = self.swept()
        self.assertEqual((found["missing"], found["stale"], found["repaired"], found["copies_removed"]), (1, 1, 2, 1))
        again = self.wait_copies(request_id, EVERYWHERE)
        self.assertNotEqual(again[BEN]["ts"], cards[BEN]["ts"])
        self.assertEqual(self.buttons(again[CAL]), ["approve", "reject"])


class Killed(Routed):
    """kill -9 in the middle: at each moment the rows say what has to be found out again."""

    def test_while_the_copies_are_posted_there_is_one_of_each(self):
        for count in range(1, 6):
            with self.subTest(posts=count):
                self.world.control("POST", "/fault", {"method": "chat.postMessage", "kind": "close_after",
                                                      "seconds": 1, "count": 0})
                request_id = self.ask(policy="both")
                harness.World.wait(lambda: sum(len(self.copies(request_id, place)) for place in EVERYWHERE) >= count,
                                   f"{count} posts have arrived and none is answered")
                self.world.daemon.kill()
                self.world.control("POST", "/clear_faults", {})
                self.world.start()
                cards = self.wait_copies(request_id, EVERYWHERE)
                self.press_copy(cards[BEN], BEN)
                self.press_copy(cards[CHANNEL], ANA)
                self.wait_copies(request_id, EVERYWHERE, 3)
                self.calm()

    def test_between_a_press_and_its_changes_all_copies_are_changed(self):
        request_id = self.ask(policy="both")
        cards = self.wait_copies(request_id, EVERYWHERE)
        self.world.control("POST", "/fault", {"method": "chat.update", "kind": "close_after", "seconds": 1, "count": 0})
        self.press_copy(cards[ANA], ANA)
        self.press_copy(cards[CAL], CAL)
        self.world.daemon.kill()
        self.world.control("POST", "/clear_faults", {})
        self.world.start()
        self.wait_state(request_id, "approved")
        for card in self.wait_copies(request_id, EVERYWHERE, 3).values():
            self.assertEqual(self.buttons(card), [])

    def test_before_anybody_was_found_they_are_found_afterwards(self):
        self.world.control("POST", "/fault", {"method": "usergroups.users.list", "kind": "status", "status": 503,
                                              "count": 0})
        self.restart()  # a new process knows of nobody who is in a group
        request_id = self.ask(policy="both")
        self.world.daemon.kill()
        self.world.control("POST", "/clear_faults", {})
        self.world.start()
        self.wait_copies(request_id, EVERYWHERE)


if __name__ == "__main__":
    main()
