#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_repair.py: every card tells the truth in the end: after deletions, changes, copies and outages.

Owns nothing but its cases. A sweep of the reconciler is started as an admin's restart starts it, or by an
outage; when it has ended is read from /v1/status. Never waits for luck.
"""
import json
import time
import unittest

import outage
from e2e import BUILD, EndToEnd, harness, main
from lib.harness import ANA, BEN, CHANNEL, RITA, press

OUTAGE = {"method": "*", "kind": "status", "status": 503, "count": 0}
HISTORY = ["channels:history", "groups:history", "im:history", "mpim:history"]


class Base(EndToEnd):
    """What both see of the product."""

    def slack(self):
        return self.world.admin("GET", "/v1/status").json()["slack"]

    def counts(self):
        return self.world.admin("GET", "/v1/status").json()["counts"]

    def swept(self):
        """What the reconciler found once it has compared everything and nothing is owed."""
        def done():
            cards = self.slack()["cards"]
            settled = cards["compared_at"] and not cards["comparing"] and self.counts()["outbox_owed"] == 0
            return cards if settled else None
        return harness.World.wait(done, "the cards are compared and nothing is owed", 30)

    def restart(self):
        self.world.daemon.kill()
        self.world.start()
        return self.swept()

    def calm(self):
        harness.World.wait(lambda: self.counts()["outbox_owed"] == 0, "nothing is owed")

    def cards(self, request_id):
        found = self.world.control("POST", "/messages", {
            "channel": CHANNEL, "metadata": {"request_id": request_id, "surface": "card"}})
        return found["messages"]

    def calls(self, method):
        return self.world.control("POST", "/calls", {"method": method})["calls"]

    def delete(self, card):
        self.assertTrue(self.world.control("POST", "/delete_message", {
            "channel": CHANNEL, "ts": card["ts"]})["deleted"])

    def dead(self, request_id):
        return [row for row in self.world.admin("GET", "/v1/outbox?dead=1").json()["rows"]
                if row["request"] == request_id]


class Repair(Base):
    def test_a_deleted_card_is_posted_anew_once_and_not_for_ever(self):
        request_id = self.ask(title="Deleted by someone")
        bystander = self.ask(title="Left alone")
        first = self.card(request_id)
        untouched = self.card(bystander)
        self.calm()
        self.delete(first)
        found = self.restart()
        self.assertEqual((found["missing"], found["repaired"]), (1, 1))
        again = self.card(request_id)
        self.assertNotEqual(again["ts"], first["ts"])
        self.assertEqual(self.card(bystander)["ts"], untouched["ts"])
        self.delete(again)
        self.restart()
        self.assertEqual(self.cards(request_id), [], "who deletes it again means it")
        self.assertIn("deleted again", self.dead(request_id)[0]["error"])
        self.restart()
        self.assertEqual(self.cards(request_id), [])
        self.world.ctl("outbox", "replay", "--all", check=0)
        self.press(request_id, ANA)
        self.card(request_id, contains="Approved")

    def test_a_card_that_shows_something_else_is_put_right(self):
        altered, older, fine = (self.ask(title=f"Card {name}") for name in ("altered", "older", "fine"))
        shown = {request_id: self.card(request_id) for request_id in (altered, older, fine)}
        self.calm()
        self.world.control("POST", "/edit_message", {
            "channel": CHANNEL, "ts": shown[altered]["ts"], "text": "Approved by everybody", "blocks": None})
        metadata = json.loads(json.dumps(shown[older]["metadata"]))
        self.assertEqual(metadata["event_payload"].pop("revision"), 1)
        metadata["event_payload"]["revision"] = 0
        self.world.control("POST", "/edit_message", {
            "channel": CHANNEL, "ts": shown[older]["ts"], "metadata": metadata})
        self.world.control("POST", "/clear_logs", {})
        found = self.restart()
        self.assertEqual((found["stale"], found["missing"], found["repaired"]), (2, 0, 2))
        for request_id in (altered, older, fine):
            card = self.card(request_id, contains="Card ")
            self.assertEqual(card["ts"], shown[request_id]["ts"], "in place")
            self.assertEqual(sorted(self.buttons(card)), ["approve", "reject"])
            self.assertEqual(card["metadata"], shown[request_id]["metadata"])
        self.assertEqual(len(self.calls("chat.update")), 2, "what is right is left alone")
        self.assertEqual(self.restart()["stale"], 0)

    def test_a_second_card_of_a_request_is_removed(self):
        request_id = self.ask(title="Twice")
        card = self.card(request_id)
        self.calm()
        self.world.control("POST", "/copy_message", {"channel": CHANNEL, "ts": card["ts"]})
        self.assertEqual(len(self.cards(request_id)), 2)
        found = self.restart()
        self.assertEqual((found["copies_removed"], found["repaired"]), (1, 0))
        self.assertEqual(self.card(request_id)["ts"], card["ts"])

    def test_one_that_is_gone_makes_it_look_for_others(self):
        pressed, other = (self.ask(title=title) for title in ("Pressed", "Gone, too"))
        cards = {request_id: self.card(request_id) for request_id in (pressed, other)}
        self.calm()
        self.restart()
        for card in cards.values():
            self.delete(card)
        self.world.slack(press(pressed, ANA, ts=cards[pressed]["ts"]))
        self.card(pressed, contains="Approved")
        # A minute after the last sweep at the earliest: the next one is due, and need not be waited for.
        self.assertEqual(self.cards(other), [])
        self.restart()
        self.card(other)

    def test_a_button_that_should_be_gone_puts_the_card_right(self):
        request_id = self.ask(title="Set back")
        card = self.card(request_id)
        self.press(request_id, BEN)
        self.card(request_id, contains="Approved")
        changed = time.monotonic()
        self.calm()
        self.restart()  # the next sweep is far away
        harness.World.wait(lambda: time.monotonic() - changed > FRESH_S, "the change is old", FRESH_S + 10)
        self.world.control("POST", "/edit_message", {
            "channel": CHANNEL, "ts": card["ts"], "text": card["text"], "blocks": card["blocks"],
            "metadata": card["metadata"]})
        self.world.control("POST", "/press", {"user": ANA, "action_id": "approve", "channel": CHANNEL,
                                              "ts": card["ts"]})
        self.wait_for("ephemeral", to=ANA, contains="already decided")
        self.assertEqual(self.buttons(self.card(request_id, contains="Approved")), [])

    def test_what_the_requester_was_told_is_put_right(self):
        request_id = self.ask(title="Told wrong", requester=RITA)
        self.card(request_id)
        self.press(request_id, ANA)
        told = self.wait_for("dm", to=RITA, contains="Not used yet", metadata={"request_id": request_id})[0]
        self.calm()
        self.world.control("POST", "/edit_message", {
            "channel": told["channel"], "ts": told["ts"], "text": "Rejected: nothing will run", "blocks": None})
        found = self.restart()
        self.assertEqual((found["stale"], found["missing"]), (1, 0))
        again = self.wait_for("dm", to=RITA, contains="Not used yet", metadata={"request_id": request_id})
        self.assertEqual([message["ts"] for message in again], [told["ts"]], "in place")

    def test_without_the_scope_it_says_what_it_cannot_repair(self):
        request_id = self.ask(title="Unseen")
        card = self.card(request_id)
        self.calm()
        self.world.control("POST", "/scopes", {"remove": HISTORY})
        self.addCleanup(self.world.control, "POST", "/scopes", {"add": HISTORY})
        self.delete(card)
        found = self.restart()
        self.assertGreaterEqual(found["unseen"], 1)
        self.assertEqual((found["unseen_because"], found["unseen_scope"]), ("missing_scope", "channels:history"))
        shown = self.world.ctl("status").stdout
        self.assertIn("cannot be compared, add the scope channels:history", shown)
        told = self.world.ctl("doctor").stdout
        self.assertIn("channels:history", told)
        self.assertIn("add the scope and install the app again", told)
        with open(self.world.path("approvald.log"), encoding="utf-8") as log:
            self.assertTrue(any('"unseen"' in line and "channels:history" in line for line in log))
        self.assertEqual(self.cards(request_id), [])
        self.world.slack(press(request_id, ANA, ts=card["ts"]))  # a change finds out
        self.card(request_id, contains="Approved")


FRESH_S = 11  # SERVICE_REFRESH_FRESH_MS, and a second
LONG_S = 31  # SLACK_SEND_HOLD_AFTER_MS, and a second


class Outage(Base):
    """An outage of Slack: noticed, told, waited out, and then everything is brought up to date."""

    def down(self):
        self.world.control("POST", "/fault", OUTAGE)

    def metric(self, name):
        text = harness.call("GET", "/metrics", port=self.world.management_port).body.decode()
        return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + " "))

    def wait_slack(self, state):
        return harness.World.wait(lambda: (lambda s: s if s["state"] == state else None)(self.slack()),
                                  f"Slack is {state}", 40)

    def test_an_outage_is_told_and_costs_no_attempts_and_cards_come_before_new_ones(self):
        before = [self.ask(title=f"Before {i}") for i in range(6)]
        cards = {request_id: self.card(request_id) for request_id in before}
        self.calm()
        secret = self.world.token("ana-cli", scopes=["decide", "read"], user=ANA)
        self.world.secret_file("ana", secret)
        self.down()
        during = [self.ask(title=f"During {i}") for i in range(3)]
        slack = self.wait_slack("unreachable")
        for request_id in before:
            self.world.ctl("approve", request_id, token_file=self.world.path("ana"), check=0)
            self.assertEqual(self.get(request_id)["state"], "approved", "without Slack")
        self.assertEqual(slack["error"], "http_503")
        self.assertIn(slack["breaker"]["state"], ("open", "half-open"))
        self.assertGreaterEqual(self.metric("approvald_slack_outages_total"), 1)
        self.assertGreaterEqual(self.metric("approvald_slack_breaker"), 1)
        done = self.world.ctl("status")
        self.assertIn("slack     DOWN for", done.stdout)
        self.assertIn("approvalctl approve", done.stdout)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(self.get(during[0])["state"], "pending")
        attempts = [row["attempts"] for row in self.world.admin("GET", "/v1/outbox").json()["rows"]]
        probes = len(self.calls("auth.test"))
        harness.World.wait(lambda: len(self.calls("auth.test")) >= probes + 2, "two more probes", 40)
        self.assertEqual(attempts, [
            row["attempts"] for row in self.world.admin("GET", "/v1/outbox").json()["rows"]])
        self.world.control("POST", "/clear_logs", {})
        self.world.control("POST", "/clear_faults", {})
        self.wait_slack("up")
        found = self.swept()
        self.assertEqual(found["stale"] + found["missing"], 0)
        for request_id in before:
            self.assertEqual(self.card(request_id, contains="Approved")["ts"], cards[request_id]["ts"])
        for request_id in during:
            self.card(request_id)
        updated = [call["at"] for call in self.calls("chat.update") if call["outcome"] == "ok"]
        posted = [call["at"] for call in self.calls("chat.postMessage")
                  if call["outcome"] == "ok" and not call["args"].get("thread_ts")
                  and call["args"].get("channel") == CHANNEL]
        self.assertEqual((len(updated), len(posted)), (6, 3))
        self.assertLess(max(updated), min(posted), "what is wrong goes before what is new")
        self.assertEqual(self.metric("approvald_slack_breaker"), 0)
        with open(self.world.path("approvald.log"), encoding="utf-8") as log:
            states = [json.loads(line).get("state") for line in log if '"slack_webapi"' in line]
        self.assertIn("down", states)

    def test_what_was_changed_or_deleted_in_an_outage_is_put_right_before_new_cards(self):
        altered, deleted, fine = (self.ask(title=f"Old {name}") for name in ("altered", "deleted", "fine"))
        cards = {request_id: self.card(request_id) for request_id in (altered, deleted, fine)}
        self.calm()
        self.down()
        new = [self.ask(title=f"New {i}") for i in range(3)]
        self.wait_slack("unreachable")
        noticed = time.monotonic()
        self.world.control("POST", "/edit_message", {
            "channel": CHANNEL, "ts": cards[altered]["ts"], "text": "Approved by everybody", "blocks": None})
        self.delete(cards[deleted])
        harness.World.wait(lambda: time.monotonic() - noticed > LONG_S, "it is a long outage", LONG_S + 10)
        self.world.control("POST", "/clear_logs", {})
        self.world.control("POST", "/clear_faults", {})
        self.wait_slack("up")
        self.card(altered, contains="Old altered")
        for request_id in (deleted, fine, *new):
            self.card(request_id)
        self.calm()
        at = {}
        for method in ("chat.update", "chat.postMessage"):
            for call in self.calls(method):
                if call["outcome"] == "ok":
                    at[call["args"]["metadata"]["event_payload"]["request_id"]] = call["at"]
        self.assertNotIn(fine, at, "what is right is left alone")
        self.assertLess(max(at[altered], at[deleted]), min(at[request_id] for request_id in new))

    def test_a_card_deleted_in_an_outage_is_back_after_it(self):
        request_id = self.ask(title="Deleted in the dark")
        card = self.card(request_id)
        self.calm()
        self.down()
        self.ask(title="Something to send")
        self.wait_slack("unreachable")
        self.delete(card)
        self.world.control("POST", "/clear_faults", {})
        self.wait_slack("up")
        again = self.card(request_id)
        self.assertNotEqual(again["ts"], card["ts"])


class Rate(unittest.TestCase):
    def test_after_an_outage_cards_equal_state_as_soon_as_the_rates_allow(self):
        took, best, noticed = outage.measure(outage.read(
            ["--requests", "50", "--minutes", "0.33", "--channels", "5", "--build", BUILD]))
        self.assertGreater(best, 30)
        self.assertLessEqual(took / best, outage.RATIO_MAX, f"{took:.1f} s, {noticed:.1f} s of them unnoticed")

    def test_copies_in_direct_messages_cost_their_changes_and_no_more(self):
        took, best, noticed = outage.measure(outage.read(
            ["--requests", "12", "--minutes", "0.33", "--channels", "3", "--copies", "3", "--build", BUILD]))
        self.assertGreater(best, 30)
        self.assertLessEqual(took / best, outage.RATIO_MAX, f"{took:.1f} s, {noticed:.1f} s of them unnoticed")


if __name__ == "__main__":
    main()
