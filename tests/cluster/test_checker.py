#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_checker.py: the checker finds each kind of fault, and none in good histories.

Owns hand-made histories. A checker that cannot fail is worth nothing: for each rule there is a
history that breaks it and nothing else.
"""

import hashlib
import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checker  # noqa: E402
import wal  # noqa: E402

ANA, BEN = "U0APR00001", "U0APR00002"


class Story:
    """A history in the making. Times are given: begin, end (None: unknown fate)."""

    def __init__(self):
        self.lines, self.number = [], 0

    def op(self, kind, begin, end, told="ok", status=200, doubt=False, given=(), **answer):
        self.number += 1
        given = {"request": "r1", **dict(given)} if kind != "create" else dict(given)
        self.lines.append({"e": "invoke", "op": self.number, "kind": kind, "t": begin, **given})
        if end is None:
            self.lines.append({"e": "unknown", "op": self.number, "t": begin + 100})
        else:
            self.lines.append({"e": told, "op": self.number, "t": end, "status": status,
                               "doubt": doubt, **answer})
        return self

    def create(self, begin=0, end=1, key="k1", request="r1", told="ok"):
        return self.op("create", begin, end, told=told, given={"key": key}, request=request)

    def read(self, begin, end, state="pending", use="none", users=(), result=None):
        return self.op("read", begin, end, **seen(state, use, users, result))

    def decide(self, begin, end, user=ANA, verdict="approve", **more):
        return self.op("decide", begin, end, given={"user": user, "verdict": verdict}, **more)

    def press(self, begin, end, user=ANA):
        return self.op("press", begin, end, given={"user": user, "verdict": "approve"})

    def claim(self, begin, end, key="c1", **more):
        return self.op("claim", begin, end, given={"key": key}, **more)

    def consume(self, begin, end, result=7, **more):
        return self.op("consume", begin, end, given={"result": result}, **more)

    def cancel(self, begin, end, **more):
        return self.op("cancel", begin, end, **more)

    def wrong(self, final=None, known=False):
        finals = {"r1": final} if final else {}
        return checker.check_history(self.lines, finals if final or known else None)


def seen(state, use="none", users=(), result=None):
    return {"state": state, "use": use, "users": list(users), "result": result}


CONSUMED = seen("approved", "consumed", [ANA], 7)


class Good(unittest.TestCase):
    def good(self, story, final=None):
        self.assertEqual(story.wrong(final), [])

    def test_a_whole_life(self):
        self.good(Story().create().read(2, 3).decide(4, 5).read(6, 7, "approved", "unused", [ANA])
                  .claim(8, 9).consume(10, 11).read(12, 13, "approved", "consumed", [ANA], 7),
                  CONSUMED)

    def test_two_that_overlap_may_go_either_way(self):
        for winner, state in (("decide", "approved"), ("cancel", "cancelled")):
            story = Story().create()
            if winner == "decide":
                story.decide(2, 5).cancel(2, 5, told="fail", status=409, refusal="ended")
            else:
                story.cancel(2, 5).decide(2, 5, told="fail", status=409, refusal="ended")
            self.good(story, seen(state, "unused" if state == "approved" else "none",
                                  [ANA] if state == "approved" else []))

    def test_what_is_unknown_may_have_happened_or_not_or_late(self):
        self.good(Story().create().decide(2, None).read(3, 4), seen("pending"))
        self.good(Story().create().decide(2, None).read(3, 4), seen("approved", "unused", [ANA]))

    def test_an_acknowledged_press_may_be_carried_out_later(self):
        self.good(Story().create().press(2, 3).read(4, 5), seen("approved", "unused", [ANA]))

    def test_a_press_on_what_has_ended_changes_nothing(self):
        self.good(Story().create().cancel(2, 3).press(4, 5), seen("cancelled"))

    def test_a_repeated_call_gets_its_own_answer(self):
        self.good(Story().create().decide(2, 3).claim(4, 9, doubt=True)
                  .claim(5, 6, key="c2", told="fail", status=409, refusal="claimed")
                  .consume(10, 11).consume(12, 13, 8, told="fail", status=409, refusal="consumed")
                  .claim(14, 15, told="fail", status=409, refusal="claimed"), CONSUMED)

    def test_a_lost_answer_is_told_as_a_refusal_to_the_second_try(self):
        self.good(Story().create().decide(2, 9, told="fail", status=409, doubt=True,
                                          refusal="already_decided")
                  .read(3, 4, "approved", "unused", [ANA])
                  .claim(4, 9, told="fail", status=409, doubt=True, refusal="claimed")
                  .consume(5, 6), CONSUMED)

    def test_who_cancels_twice_or_consumes_the_same_is_told_so(self):
        self.good(Story().create().cancel(2, 3).cancel(4, 5), seen("cancelled"))
        self.good(Story().create().decide(2, 3).claim(4, 5).consume(6, 7).consume(8, 9), CONSUMED)

    def test_other_requests_are_other_objects(self):
        story = Story().create()
        story.op("create", 0, 1, given={"key": "k2"}, request="r2")
        story.op("read", 2, 3, given={"request": "r2"}, **seen("pending"))
        self.good(story.decide(2, 3).read(4, 5, "approved", "unused", [ANA]))


class Bad(unittest.TestCase):
    def bad(self, story, word, final=None, known=False):
        wrong = story.wrong(final, known)
        self.assertEqual(len(wrong), 1, wrong)
        self.assertIn(word, wrong[0])

    def test_a_lost_request(self):
        self.bad(Story().create(), "lost", known=True)

    def test_a_lost_decision(self):
        self.bad(Story().create().decide(2, 3), "lost", seen("pending"))

    def test_a_lost_press(self):
        self.bad(Story().create().press(2, 3), "lost", seen("pending"))

    def test_a_lost_claim(self):
        self.bad(Story().create().decide(2, 3).claim(4, 5), "lost",
                 seen("approved", "unused", [ANA]))

    def test_a_lost_consumption(self):
        self.bad(Story().create().decide(2, 3).claim(4, 5).consume(6, 7), "lost",
                 seen("approved", "claimed", [ANA]))

    def test_a_refused_decision_that_was_carried_out(self):
        self.bad(Story().create().decide(2, 3, told="fail", status=409, refusal="ended"),
                 "no order", seen("approved", "unused", [ANA]))

    def test_a_refusal_that_has_no_reason(self):
        for refusal in ("claimed", "consumed", "lapsed"):
            self.bad(Story().create().decide(2, 3).claim(4, 5, told="fail", status=409,
                                                         refusal=refusal), "no order")
        self.bad(Story().create().decide(2, 3).decide(4, 5, told="fail", status=409,
                                                      refusal="ended"), "no order")
        self.bad(Story().create().decide(2, 3).claim(4, 5).consume(
            6, 7, told="fail", status=409, refusal="consumed"), "no order")
        self.bad(Story().create().cancel(2, 3, told="fail", status=409, refusal="ended"),
                 "no order")

    def test_two_outcomes(self):
        self.bad(Story().create().decide(2, 3).cancel(4, 5), "no order")

    def test_two_that_both_claimed(self):
        self.bad(Story().create().decide(2, 3).claim(4, 5).claim(6, 7, key="c2"),
                 "double: claimed")

    def test_two_that_both_claimed_at_the_same_time(self):
        self.bad(Story().create().decide(2, 3).claim(4, 9).claim(4, 9, key="c2"),
                 "double: claimed")

    def test_consumed_twice(self):
        self.bad(Story().create().decide(2, 3).claim(4, 5).consume(6, 7).consume(8, 9, result=8),
                 "double: consumed")

    def test_consumed_before_it_was_claimed(self):
        self.bad(Story().create().decide(2, 3).consume(4, 5), "no order")

    def test_claimed_before_it_was_approved(self):
        self.bad(Story().create().claim(2, 3).decide(4, 5), "no order")

    def test_a_stale_read(self):
        self.bad(Story().create().decide(2, 3).read(4, 5), "a read told")

    def test_a_read_of_what_was_never_done(self):
        self.bad(Story().create().read(2, 3, "rejected", "none", [BEN]), "a read told")

    def test_reads_that_go_back(self):
        self.bad(Story().create().decide(2, None).read(3, 4, "approved", "unused", [ANA])
                 .read(5, 6), "a read told")

    def test_a_read_of_somebody_elses_decision(self):
        self.bad(Story().create().decide(2, 3).read(4, 5, "approved", "unused", [BEN]),
                 "a read told")

    def test_one_key_two_requests(self):
        story = Story().create()
        story.op("create", 2, 3, given={"key": "k1"}, request="r2")
        self.bad(story, "double: key k1")

    def test_one_request_two_keys(self):
        story = Story().create()
        story.op("create", 0, 1, given={"key": "k2"}, request="r1")
        self.assertTrue(any("double: r1" in text for text in story.wrong()))

    def test_a_press_that_is_refused(self):
        self.bad(Story().create().op("press", 2, 3, told="fail", status=401, refusal="status 401",
                                     given={"user": ANA, "verdict": "approve"}), "no order")

    def test_a_client_that_broke(self):
        story = Story()
        story.lines.append({"e": "broken", "op": 0, "t": 1, "problem": "KeyError"})
        self.bad(story, "broke")


def chain(*actions):
    """Entries as GET /v1/audit gives them."""
    entries, previous = [], bytes(32)
    for seq, (action, request) in enumerate(actions, 1):
        body = f"{seq} {action} {request}".encode()
        digest = hashlib.sha256(previous + body).digest()
        entries.append({"seq": seq, "action": action, "request": request, "bytes": body.hex(),
                        "previous": previous.hex(), "hash": digest.hex()})
        previous = digest
    return entries


class Audit(unittest.TestCase):
    LIFE = (("created", "r1"), ("approved", "r1"), ("created", "r2"), ("claimed", "r1"),
            ("consumed", "r1"), ("cancelled", "r2"), ("policy", None), ("policy", None))

    def test_a_good_chain(self):
        self.assertEqual(checker.check_audit(chain(*self.LIFE)), [])

    def test_a_changed_entry(self):
        entries = chain(*self.LIFE)
        entries[3]["bytes"] = b"4 claimed r2".hex()
        self.assertIn("another hash", checker.check_audit(entries)[0])

    def test_a_missing_entry(self):
        entries = chain(*self.LIFE)
        del entries[3]
        self.assertIn("where 4 belongs", checker.check_audit(entries)[0])

    def test_an_exchanged_past(self):
        entries = chain(*self.LIFE)
        entries[:2] = chain(("created", "r9"), ("approved", "r9"))
        self.assertIn("does not follow", checker.check_audit(entries)[0])

    def test_two_of_what_may_be_once(self):
        for action in ("created", "rejected", "claimed", "consumed"):
            wrong = checker.check_audit(chain(*self.LIFE, (action, "r1")))
            self.assertEqual(len(wrong), 1, action)
            self.assertIn("double: r1", wrong[0])


class Pauses(unittest.TestCase):
    PROBES = [{"begin": t, "end": t + 0.01, "status": s} for t, s in
              ((1.0, 201), (1.1, 201), (1.2, 0), (1.3, 503), (1.9, 201), (2.0, 200))]

    def test_the_first_that_began_after_the_fault_counts(self):
        self.assertAlmostEqual(checker.first_after(self.PROBES, 1.15, 1.15), 0.76)
        self.assertEqual(checker.first_after(self.PROBES, 2.5, 2.6), checker.FOREVER)

    def test_a_fault_that_takes_its_time_had_not_happened_while_writes_were_acknowledged(self):
        self.assertAlmostEqual(checker.first_after(self.PROBES, 1.05, 1.15), 0.8)
        self.assertAlmostEqual(checker.first_after(self.PROBES, 1.05, 1.05), 0.06)

    def test_the_longest_gap_counts_its_edges(self):
        self.assertAlmostEqual(checker.longest_gap(self.PROBES, 1.0, 2.1), 0.8)
        self.assertAlmostEqual(checker.longest_gap(self.PROBES, 1.0, 4.01), 2.0)

    def test_failures_are_those_without_an_acknowledgement(self):
        self.assertEqual(len(checker.failures(self.PROBES)), 2)


def segment(records, salt=7, size=16384):
    data = bytearray(size)
    wal.SEGMENT.pack_into(data, 0, wal.SEGMENT_MAGIC, 0, 1, 1, size, salt, bytes(16), bytes(16))
    at = wal.FIRST
    for lsn, epoch, payload, own in records:
        wal.RECORD.pack_into(data, at, wal.RECORD_MAGIC, 0, own, 0, 1, 1, 0, len(payload), lsn,
                             epoch, 0, bytes(16), bytes(16))
        data[at + wal.HEADER:at + wal.HEADER + len(payload)] = payload
        at += wal.HEADER + (len(payload) + 7 & ~7)
    return bytes(data)


class Logs(unittest.TestCase):
    @staticmethod
    def log(*records, salt=7):
        return {lsn: (epoch, data) for lsn, epoch, data in wal.segment_records(
            segment([(*record, salt) for record in records], salt))}

    def test_equal_logs_of_two_hosts(self):
        one = self.log((1, 1, b""), (2, 1, b"abc"), (3, 2, b"x" * 9))
        count, wrong = wal.compare(one, self.log((2, 1, b"abc"), (3, 2, b"x" * 9), salt=9))
        self.assertEqual((count, wrong), (2, []))

    def test_another_payload_under_the_same_lsn(self):
        _, wrong = wal.compare(self.log((1, 1, b"abc")), self.log((1, 1, b"abd")))
        self.assertIn("other bytes", wrong[0])

    def test_another_epoch_under_the_same_lsn(self):
        _, wrong = wal.compare(self.log((1, 1, b"abc")), self.log((1, 2, b"abc")))
        self.assertIn("epoch 1 here, 2 there", wrong[0])

    @staticmethod
    def changes(*items):
        """A payload of puts and, where the value is None, deletes."""
        return b"".join(wal.CHANGE.pack(2 if v is None else 1, 0, len(k), len(v or b"")) + k
                        + (v or b"") for k, v in items)

    def test_stores_are_equal_when_the_log_makes_them_so(self):
        log = self.log((1, 1, self.changes((b"k1", b"a"), (b"k2", b"b"))),
                       (2, 1, self.changes((b"k1", None), (b"k3", b"c"))))
        behind, there = (1, {b"k1": b"a", b"k2": b"b"}), (2, {b"k2": b"b", b"k3": b"c"})
        self.assertEqual(wal.compare_stores((behind, there), (log, {})), [])
        wrong = wal.compare_stores((behind, (2, {b"k2": b"x", b"k3": b"c"})), (log, log))
        self.assertIn("differ at LSN 2 in 1 keys", wrong[0])

    def test_stores_between_which_the_log_is_missing_are_told(self):
        wrong = wal.compare_stores(((1, {}), (3, {})), ({}, {}))
        self.assertIn("cannot be compared", wrong[0])

    def test_a_dump_is_read(self):
        facts = bytes(36) + struct.pack(">Q", 7) + bytes(40)
        text = ("VERSION=3\ndatabase=facts\nHEADER=END\n 6d\n " + facts.hex() + "\nDATA=END\n"
                "VERSION=3\ndatabase=state\nHEADER=END\n 6101\n 0203\nDATA=END\n")
        self.assertEqual(wal.parse_dump(text), (7, {b"a\x01": b"\x02\x03"}))

    def test_what_an_earlier_life_of_the_file_left_is_not_read(self):
        data = bytearray(segment([(1, 1, b"abc", 7)]))
        data[wal.FIRST + 96:wal.FIRST + 96 + 100] = segment([(2, 1, b"old", 5)])[
            wal.FIRST:wal.FIRST + 100]
        self.assertEqual([lsn for lsn, _, _ in wal.segment_records(bytes(data))], [1])

    def test_a_file_that_is_no_segment(self):
        with self.assertRaises(ValueError):
            list(wal.segment_records(struct.pack("<Q", 1) + bytes(8192)))


if __name__ == "__main__":
    unittest.main()
