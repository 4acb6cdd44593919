#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_home.py: the Home tab: what waits for me, what I asked for, what ended; kept fresh.

Owns nothing but its cases; the World is e2e.py's. Never builds a payload of its own: the stand-in's
people open their Home and press what it shows.
"""
import json
import time

from e2e import EndToEnd, main
from lib.harness import ANA, BEN, CHANNEL, POLICY, RITA, World

GUEST = "U0GUEST001"
NEWCOMER = "U0NEW00001"  # opens nothing but what one case opens
TEAM_GROUP = "S0TEAM0001"  # Rita and Ana
SPACING_S = 3
WAITING, MINE, RECENT = "Waiting for you", "Your open requests", "Recently ended"
NOTHING = "Nothing waits for your decision"
POLICIES = POLICY + f"""
policy apart {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}"}}
    exclude_requester_groups = {{"{TEAM_GROUP}"}}
}}
policy own {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{RITA}", "{GUEST}"}}
    self_approval = true
}}
"""


class HomeCase(EndToEnd):
    options = {"policy": POLICIES}

    @classmethod
    def begin(cls):
        cls.world.control("POST", "/add_group", {"id": TEAM_GROUP, "users": [RITA, ANA]})
        super().begin()

    def setUp(self):
        super().setUp()
        World.wait(lambda: self.world.admin("GET", "/v1/status").json()["slack"]["bot_user"],
                   "Slack has said who we are")

    def tearDown(self):
        """No test leaves anything open to the next."""
        for modal in self.world.control("POST", "/modals", {})["modals"]:
            self.world.control("POST", "/close", {"user": modal["user"], "how": "x"})
        for request in self.open_ones():
            self.world.api("POST", f"/v1/requests/{request['id']}/cancel", {}, self.token)
        self.assertEqual(self.open_ones(), [])

    def open_ones(self):
        return self.world.api("GET", "/v1/requests?state=pending&limit=100",
                              token=self.token).json()["requests"]

    def open_home(self, user):
        """Opens it; the first view that is published after that."""
        before = len(self.publishes(user))
        answer = self.world.control("POST", "/home_opened", {"user": user})
        self.assertEqual(answer["status"], 200)
        World.wait(lambda: len(self.publishes(user)) > before, f"the Home of {user}")
        return self.home(user)

    def publishes(self, user):
        calls = self.world.control("POST", "/calls", {"method": "views.publish"})["calls"]
        return [c for c in calls if c["args"].get("user_id") == user]

    def home(self, user):
        return self.world.control("POST", "/homes", {"to": user})["homes"][0]["view"]

    def wait_home(self, user, predicate, what):
        return World.wait(lambda: (lambda v: v if predicate(v) else None)(self.home(user)), what)

    @staticmethod
    def part(view, title):
        """The blocks under one heading, and what stands behind the colon in it."""
        inside, found, count = False, [], None
        for block in view["blocks"]:
            if block["type"] == "header":
                text = block["text"]["text"]
                inside = text.startswith(title)
                if inside and ": " in text:
                    count = int(text.rsplit(": ", 1)[1])
            elif inside:
                found.append(block)
        return found, count

    @staticmethod
    def ids(blocks):
        """Requests that have buttons, in their order."""
        return [e["value"] for b in blocks if b["type"] == "actions" for e in b["elements"]
                if e["action_id"] == "approve"]

    def waiting(self, view):
        return self.ids(self.part(view, WAITING)[0])

    def act(self, user, action, value=None, **more):
        """Presses the real button of a Home."""
        view = self.home(user)
        for block in view["blocks"]:
            for element in block.get("elements", ()):
                if element.get("action_id") == action and value in (None, element["value"]):
                    return self.world.control("POST", "/press", {
                        "user": user, "view_id": view["id"], "action_id": action,
                        "block_id": block["block_id"], **more})
        self.fail(f"no {action} {value} in {json.dumps(view)}")


class Home(HomeCase):
    def test_an_empty_home_says_what_will_be_there(self):
        view = self.open_home(BEN)
        self.assertEqual(view["type"], "home")
        text = json.dumps(view)
        for words in (NOTHING, "None of your requests waits", "Updated"):
            self.assertIn(words, text)
        self.assertEqual(self.waiting(view), [])

    def test_without_events_a_home_is_old_and_its_buttons_decide(self):
        self.open_home(ANA)
        made = self.ask(title="No event comes")
        self.wait_home(ANA, lambda v: made in self.waiting(v), "it waits for Ana")
        self.world.control("POST", "/push_fault", {"method": "event_callback", "kind": "drop", "count": 0})
        self.addCleanup(self.world.control, "POST", "/clear_faults", {})
        before = len(self.publishes(BEN))
        lost = self.world.control("POST", "/home_opened", {"user": BEN})
        self.assertFalse(lost["delivered"], lost)
        self.act(ANA, "approve", made)
        self.wait_state(made, "approved")
        self.wait_home(ANA, lambda v: made not in self.waiting(v), "and it is mended by the press")
        self.assertEqual(len(self.publishes(BEN)), before, "whose event was lost has what he had")

    def test_the_messages_tab_publishes_nothing(self):
        self.world.control("POST", "/add_user", {"id": NEWCOMER, "name": "nora",
                                                 "channels": [CHANNEL]})
        self.world.control("POST", "/home_opened", {"user": NEWCOMER, "tab": "messages"})
        self.open_home(ANA)
        made = self.ask(title="Later")
        self.wait_home(ANA, lambda v: made in self.waiting(v), "what came later is done")
        self.assertEqual(self.publishes(NEWCOMER), [])

    def test_a_request_appears_and_is_approved_without_opening_it_again(self):
        self.open_home(ANA)
        self.open_home(RITA)
        made = self.ask(title="Deploy shop", reason="<!channel> *now*", details="./deploy shop")
        view = self.wait_home(ANA, lambda v: made in self.waiting(v), "it waits for Ana")
        text = json.dumps(view)
        self.assertNotIn("<!channel>", text)
        self.assertIn("./deploy shop", text)
        mine = self.wait_home(RITA, lambda v: "Deploy shop" in json.dumps(self.part(v, MINE)[0]),
                              "it is Rita's")
        self.assertEqual(self.part(mine, MINE)[1], 1)
        self.assertEqual(self.waiting(mine), [], "nobody decides what he asked for himself")
        self.wait_home(ANA, lambda v: "archives/" + CHANNEL in json.dumps(v), "the card is linked")
        pressed = self.act(ANA, "approve", made)
        self.assertEqual((pressed["status"], pressed["notice"]), (200, ""))
        self.wait_state(made, "approved")
        self.card(made, "Approved")
        view = self.wait_home(ANA, lambda v: made not in self.waiting(v), "it waits no more")
        self.assertIn("Deploy shop", json.dumps(self.part(view, RECENT)[0]))
        self.wait_home(RITA, lambda v: "Deploy shop" in json.dumps(self.part(v, RECENT)[0]),
                       "Rita sees the outcome")

    def test_a_rejection_asks_for_the_reason_and_shows_it(self):
        made = self.ask(title="Open the gate")
        self.open_home(ANA)
        self.wait_home(ANA, lambda v: made in self.waiting(v), "it waits")
        opened = self.act(ANA, "reject", made, wait_modal=5)
        self.assertEqual(opened["modal"]["callback_id"], "reject")
        sent = self.world.control("POST", "/submit", {"user": ANA, "values": {"reason": "not now"}})
        self.assertEqual(sent["outcome"], "closed", sent)
        self.wait_state(made, "rejected")
        self.card(made, "Rejected")
        view = self.wait_home(ANA, lambda v: made not in self.waiting(v), "it waits no more")
        self.assertIn("not now", json.dumps(self.part(view, RECENT)[0]))

    def test_who_shares_an_excluded_group_has_no_buttons_and_reads_why(self):
        made = self.ask(policy="apart", title="Of our own team")
        self.open_home(ANA)
        view = self.wait_home(ANA, lambda v: "you are in a group with the requester" in
                              json.dumps(self.part(v, WAITING)[0]), "she reads why")
        self.assertIn("Of our own team", json.dumps(self.part(view, WAITING)[0]))
        self.assertNotIn(made, self.waiting(view))
        self.open_home(BEN)
        self.wait_home(BEN, lambda v: made in self.waiting(v), "Ben has the buttons")
        other = self.ask(policy="apart", title="Of others", requester=BEN)
        self.wait_home(ANA, lambda v: other in self.waiting(v), "Ben is in no group with her")

    def test_a_refused_press_opens_a_window_and_changes_nothing(self):
        made = self.ask(title="Too late")
        self.open_home(ANA)
        view = self.wait_home(ANA, lambda v: made in self.waiting(v), "it waits")
        # Ben decides while Ana still looks at the old view.
        self.world.control("POST", "/fault", {"method": "views.publish", "kind": "status",
                                              "status": 503, "count": 1})
        self.press(made, BEN)
        self.wait_state(made, "approved")
        self.assertIn(made, self.waiting(view))
        refused = self.act(ANA, "approve", made, wait_modal=5)
        self.assertIn("already decided", json.dumps(refused["modal"]))
        self.assertEqual(len(self.get(made)["decisions"]), 1)
        self.assertEqual(self.world.control("POST", "/dms", {
            "to": ANA, "contains": "already decided"})["messages"], [], "said once")
        self.wait_home(ANA, lambda v: made not in self.waiting(v), "the Home is right again")

    def test_half_a_quorum_is_shown_and_who_has_decided_is_not_asked_again(self):
        made = self.ask(policy="two-people", title="Both of us")
        self.open_home(ANA)
        self.open_home(BEN)
        self.wait_home(ANA, lambda v: made in self.waiting(v), "it waits for Ana")
        self.act(ANA, "approve", made)
        self.wait_home(ANA, lambda v: made not in self.waiting(v), "not for Ana any more")
        self.wait_home(BEN, lambda v: "1 of 2 approved" in json.dumps(self.part(v, WAITING)[0]),
                       "Ben sees it")
        self.act(BEN, "approve", made)
        self.wait_state(made, "approved")

    def test_own_requests_wait_for_oneself_only_where_the_policy_says_so(self):
        made = self.ask(policy="own", title="Mine to decide")
        self.open_home(RITA)
        self.wait_home(RITA, lambda v: self.waiting(v) == [made], "it waits for its asker")
        self.assertEqual(self.waiting(self.open_home(GUEST)), [], "a guest decides nothing")

    def test_what_expires_first_comes_first_and_pages_are_turned(self):
        asked = [self.ask(title=f"Request {i}", expires_in_s=3600 - 60 * i) for i in range(12)]
        self.open_home(ANA)
        first = self.wait_home(ANA, lambda v: self.part(v, WAITING)[1] == 12, "all wait")
        wanted = asked[::-1]
        self.assertEqual(self.waiting(first), wanted[:5])
        self.act(ANA, "home_waiting_next")
        second = self.wait_home(ANA, lambda v: self.waiting(v) == wanted[5:10], "page 2")
        self.assertEqual(second["private_metadata"], "1 0 0")
        self.act(ANA, "home_waiting_next")
        self.wait_home(ANA, lambda v: self.waiting(v) == wanted[10:], "page 3")
        self.assertNotIn("home_waiting_next", json.dumps(self.home(ANA)))
        self.act(ANA, "home_waiting_back")
        self.wait_home(ANA, lambda v: self.waiting(v) == wanted[5:10], "page 2 again")
        # A page that is not there any more is the last one.
        for one in wanted[:8]:
            self.world.api("POST", f"/v1/requests/{one}/cancel", {}, self.token)
        self.wait_home(ANA, lambda v: self.waiting(v) == wanted[8:], "what is left")
        self.open_home(RITA)
        self.wait_home(RITA, lambda v: self.part(v, MINE)[1] == 4, "four are Rita's")

    def test_many_changes_are_few_publishes(self):
        self.open_home(ANA)
        before = len(self.publishes(ANA))
        begun = time.monotonic()
        made = [self.ask(title=f"Many {i}") for i in range(60)]
        for one in made:
            self.world.api("POST", f"/v1/requests/{one}/cancel", {}, self.token)
        made = self.ask(title="The last one")
        self.wait_home(ANA, lambda v: self.waiting(v) == [made], "the newest state")
        took_s = time.monotonic() - begun
        self.assertLessEqual(len(self.publishes(ANA)) - before, took_s / SPACING_S + 2)

    def test_trouble_at_slack_is_waited_out(self):
        self.open_home(ANA)
        self.world.control("POST", "/fault", {"method": "views.publish", "kind": "ratelimited",
                                              "retry_after": "2", "count": 1})
        made = self.ask(title="In trouble")
        self.wait_home(ANA, lambda v: made in self.waiting(v), "it appears")
        # Somebody else has published: the next one is on top of it all the same.
        self.world.control("POST", "/fault", {"method": "views.publish", "kind": "error",
                                              "error": "hash_conflict", "count": 1})
        other = self.ask(title="After the conflict")
        self.wait_home(ANA, lambda v: other in self.waiting(v), "it appears too")

    def test_what_was_open_before_a_restart_is_shown_after_it(self):
        made = self.ask(title="From before")
        self.world.daemon.kill()
        self.world.start()
        self.open_home(ANA)
        self.wait_home(ANA, lambda v: self.waiting(v) == [made], "it is found")


if __name__ == "__main__":
    main()
