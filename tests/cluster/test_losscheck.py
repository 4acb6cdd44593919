#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_losscheck.py: a run in which nothing is wrong, and for each judgement one that breaks it alone.

Owns its made-up evidence. Never starts anything.
"""

import copy
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import losscheck  # noqa: E402
import nemesis  # noqa: E402
import slackfaults  # noqa: E402
from losscheck import Evidence, Lateness, best_s, check  # noqa: E402

ANA, BEN, CAL = "U0A", "U0B", "U0C"
HEALED, LIVE = 100.0, 101.0
RATES = {"methods": {"chat.update": [2.0, 1.0, 20]}, "channels": {"C1": [1.0, 1.0, 3]}}


def press(number, user, acked=True, **more):
    return {"id": number, "acked": acked, "transport": "socket", "payload": {
        "type": "block_actions", "user": {"id": user}, "actions": [{"action_id": "approve", "value": "r1"}]}, **more}


def submission(number, user, view="V1"):
    return {"id": number, "acked": True, "payload": {
        "type": "view_submission", "user": {"id": user}, "view": {"id": view, "private_metadata": '{"r": "r1"}'}}}


def entry(action, user=None, at_ms=90_000):
    return {"request": "r1", "action": action, "actor": "user:" + user if user else "system",
            "via": "slack" if user else "system", "at_ms": at_ms}


def card(users, revision=3, buttons=False):
    return {"channel": "C1", "ts": "1.0", "metadata": {"event_payload": {"revision": revision, "request_id": "r1"}},
            "blocks": [*({"mention": user} for user in users), *([{"action_id": "approve"}] if buttons else [])]}


def pressed(number, user, begin=90.0, acked=True, notice=""):
    return {"e": "pressed", "delivery": number, "user": user, "request": "r1", "begin": begin, "end": begin + 1,
            "acked": acked, "notice": notice, "error": ""}


class Healthy(unittest.TestCase):
    """Ana and Ben decided; Cal came late, and his press was acknowledged when it was delivered again."""

    def setUp(self):
        decisions = [{"user": ANA}, {"user": BEN}]
        self.evidence = Evidence(
            history=[{"e": "asked", "request": "r1"}, pressed(1, ANA), pressed(2, BEN),
                     pressed(3, CAL, acked=False, notice="trouble")],
            deliveries=[press(1, ANA), press(2, BEN), press(3, CAL, False, acked_late=True, sent=2, in_vain=False)],
            audit=[entry("created"), entry("approval", ANA), entry("approval", BEN), entry("approved", BEN),
                   entry("refused", CAL)],
            requests={"r1": {"state": "approved", "revision": 3, "decisions": decisions}},
            cards={"r1": [card((ANA, BEN))]}, calls=[], healed=HEALED, live=LIVE, rates=RATES)

    def found(self):
        return [text.split(":")[0] for text in check(self.evidence)]

    def test_nothing_is_wrong(self):
        self.assertEqual(check(self.evidence), [])

    def test_an_acknowledged_press_without_an_entry_is_lost(self):
        self.evidence.audit.pop()
        self.assertEqual(self.found(), ["lost"])

    def test_a_late_acknowledgement_is_one_too(self):
        self.evidence.deliveries[2]["acked_late"] = False
        self.evidence.deliveries[2]["sent"] = 3
        self.evidence.audit.pop()
        self.assertEqual(self.found(), [], "nobody was told that it worked")

    def test_every_copy_has_to_be_there_once_and_to_tell_the_truth(self):
        self.evidence.places["r1"] = ["C1", "D1"]
        self.assertEqual(self.found(), [], "it has ended: nobody else is needed")
        self.evidence.cards["r1"][0]["channel"] = "C2"
        self.assertEqual(self.found(), ["card"], "the channel's is elsewhere")
        self.evidence.cards["r1"][0]["channel"] = "C1"
        copy_of = {**card((ANA, BEN)), "channel": "D1"}
        self.evidence.cards["r1"].append(copy_of)
        self.assertEqual(self.found(), [])
        self.evidence.cards["r1"].append({**copy_of, "ts": "2.0"})
        self.assertEqual(self.found(), ["card"], "one is there twice")
        self.evidence.cards["r1"][1:] = [{**card((ANA, BEN), revision=2), "channel": "D1"}]
        self.assertEqual(self.found(), ["card"], "one is old")

    def test_whoever_may_still_decide_has_his_copy(self):
        request = {"state": "pending", "revision": 3, "decisions": [{"user": ANA}]}
        shown = [card((ANA,), buttons=True)]
        self.assertIsNone(losscheck.difference(request, shown, ["C1", "D" + ANA[1:]]), "she has decided")
        self.assertIsNotNone(losscheck.difference(request, shown, ["C1", "D" + BEN[1:]]))

    def test_every_copy_is_a_change_of_its_own_in_the_bound(self):
        self.evidence.cards["r1"] = [{**card((ANA, BEN)), "channel": f"D{number}"} for number in range(40)]
        self.evidence.calls = [{"at": 130.0, "method": "chat.update", "channel": f"D{number}", "ts": "1.0"}
                               for number in range(40)]
        late = Lateness(self.evidence)
        self.assertEqual((late.late_count, late.took_s), (40, 30.0))
        self.assertAlmostEqual(late.bound_s, 38.0)  # two at once, then one a second

    def test_a_submission_counts_as_a_press(self):
        self.evidence.deliveries[0] = submission(1, ANA)
        self.assertEqual(self.found(), [])
        self.evidence.deliveries.append(submission(4, ANA))
        self.assertEqual(self.found(), [], "the same window")
        self.evidence.deliveries.append(submission(5, ANA, "V2"))
        self.assertEqual(self.found(), ["lost"])

    def test_two_entries_of_one_press_are_double(self):
        self.evidence.audit.append(entry("refused", CAL))
        self.assertEqual(self.found(), ["double"])

    def test_a_press_that_nobody_made(self):
        self.evidence.audit.append(entry("refused", "U0D"))
        self.assertEqual(self.found(), ["unknown"])

    def test_two_outcomes_are_double(self):
        self.evidence.audit.append(entry("rejected", BEN))
        self.assertEqual(self.found(), ["double"])

    def test_one_person_who_decides_twice(self):
        self.evidence.requests["r1"]["decisions"].append({"user": ANA})
        self.assertIn("double", self.found())

    def test_a_decision_that_its_log_does_not_know(self):
        self.evidence.audit[1]["action"] = "refused"
        self.assertEqual(self.found(), ["apart"])

    def test_a_request_that_is_gone(self):
        self.evidence.history.append({"e": "asked", "request": "r2"})
        self.assertEqual(self.found(), ["lost"])

    def test_a_decision_over_the_api_that_is_gone(self):
        self.evidence.history.append({"e": "decided", "request": "r1", "user": "U0D", "status": 200})
        self.assertEqual(self.found(), ["lost"])

    def test_what_failed_and_nobody_saw(self):
        self.evidence.history[3]["notice"] = ""
        self.assertEqual(self.found(), ["unseen"])

    def test_what_was_not_delivered_again(self):
        del self.evidence.deliveries[2]["sent"]
        self.assertEqual(self.found(), ["unseen"])

    def test_over_http_nothing_of_people_is_delivered_again(self):
        del self.evidence.deliveries[2]["sent"]
        self.evidence.deliveries[2]["transport"] = "http"
        self.assertEqual(self.found(), [])

    def test_what_was_given_up_too_soon(self):
        self.evidence.deliveries[2].update(acked_late=False, sent=2)
        self.assertEqual(self.found(), ["unseen"])
        self.evidence.deliveries[2]["in_vain"] = True
        self.assertEqual(self.found(), [], "there was no connection for it in all the time")

    def test_a_press_that_fails_although_all_is_well(self):
        self.evidence.history[3]["begin"] = LIVE + 0.1
        self.assertEqual(self.found(), ["unserved"])

    def test_cards_that_do_not_equal_state(self):
        for cards in ([], [card((ANA, BEN))] * 2, [card((ANA, BEN), revision=2)], [card((ANA,))],
                      [card((ANA, BEN), buttons=True)]):
            with self.subTest(cards=cards):
                self.evidence.cards = {"r1": cards}
                self.assertEqual(self.found(), ["card"])

    def test_how_late_a_card_was(self):
        evidence = copy.copy(self.evidence)
        call = {"method": "chat.update", "channel": "C1", "ts": "1.0"}
        evidence.calls = [{**call, "at": HEALED - 1}]
        self.assertEqual(Lateness(evidence).late_count, 0)
        evidence.calls = [{**call, "at": HEALED - 1}, {**call, "at": HEALED + 9}]
        late = Lateness(evidence)
        self.assertEqual((late.late_count, late.took_s, late.bound_s, late.over_s), (1, 9.0, 0.0, 9.0))
        self.assertFalse(late.is_bound())


class Best(unittest.TestCase):
    def test_the_burst_at_once_the_rest_at_its_pace(self):
        jobs = [(0.0, "chat.update", None)] * 5
        self.assertEqual(best_s(jobs[:2], RATES, HEALED), 0)
        self.assertEqual(best_s(jobs, RATES, HEALED), 3)

    def test_a_job_waits_until_it_is_ready_and_tokens_grow_meanwhile(self):
        jobs = [(0.0, "chat.update", None)] * 2 + [(HEALED + 1.5, "chat.update", None)] * 2
        self.assertEqual(best_s(jobs, RATES, HEALED), 2)

    def test_a_channel_takes_one_post_a_second_and_others_do_not_wait_for_it(self):
        jobs = [(0.0, "chat.postMessage", "C1")] * 3 + [(0.0, "chat.postMessage", "C2")] * 9
        self.assertEqual(best_s(jobs, RATES, HEALED), 2)

    def test_nothing_to_do_takes_no_time(self):
        self.assertEqual(best_s([], RATES, HEALED), 0)


class Faults(unittest.TestCase):
    def test_each_kind_of_fault_is_drawn_and_a_seed_draws_the_same(self):
        def drawn():
            book = nemesis.Book(random.Random(3), faults=slackfaults.FAULTS)
            names = [book.draw() for _ in range(200)]
            for name in names:
                book.enter(name, True)
            return names
        self.assertEqual(drawn(), drawn())
        self.assertEqual({name.split(":")[0] for name in drawn()}, set(slackfaults.KINDS))

    def test_cuts_are_from_one_to_sixty_seconds(self):
        lengths = [slackfaults.cut_s(random.Random(seed)) for seed in range(500)]
        self.assertGreaterEqual(min(lengths), 1)
        self.assertLessEqual(max(lengths), 60)
        self.assertGreater(sum(length > 20 for length in lengths), 100)


if __name__ == "__main__":
    unittest.main()
