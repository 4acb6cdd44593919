#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_ctl_pair.py: what approvalctl says of a pair, and its exit codes, for every state that an
admin may find it in; against a supervisor and an approvald that say what the test wants.

Owns both fakes. Never needs the real programs.
"""

import json
import os
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import case  # noqa: E402  the path is set above
from fake_supervisor import FakeSupervisor, status  # noqa: E402

PRIMARY = {
    "host": 1, "role": "primary", "serving": True, "listening": True, "link__peer_leads": False,
    "peer__role": "standby", "peer__serving": False, "peer__vip_here": False,
    "peer__vrrp": "fault", "vip__here": True, "link__peer_store": "22" * 16,
}  # fmt: skip
ALONE = {
    **PRIMARY, "register__isr": [{"host": 1, "store": "11" * 16}], "link__up": False,
    "link__in_sync": False,
    "alarms": [{"alarm": "unprotected", "reason": "one host holds every record alone"}],
}  # fmt: skip


def approvald(ready, records=0):
    """What approvald's own status is."""
    return {
        "version": "1", "role": "primary" if ready else "standby", "ready": ready,
        "why": "" if ready else "This host is the standby, or waits to become primary.",
        "epoch": 7, "counts": {"pending": 3}, "slack": {"state": "up"},
        "storage": {"sync_us_mean": 900, "sync_us_max": 4000},
        "pair": {"lag_records": records, "lag_ms": 0, "promised": 7,
                 "certificate_not_after_s": 0},
    }  # fmt: skip


class PairTest(case.CtlTest):
    def supervise(self, answer):
        fake = FakeSupervisor(self.folder, answer)
        self.addCleanup(fake.close)
        return fake

    def status(self, code, *, ready, records=0, **changes):
        """approvalctl status; what it prints."""
        fake = self.supervise(status(**changes))
        socket = os.path.join(self.folder, "s")
        self.serve(lambda _call: (200, approvald(ready, records)), path=socket)
        done = self.check(code, "status", "--socket", socket, "--supervisor", fake.path)
        self.assertEqual(fake.asked, ["status"])
        return done.out


class Status(PairTest):
    def test_a_standby_is_well(self):
        out = self.status(0, ready=False)
        self.assertTrue(out.startswith("standing by: host 1 serves, this host has every answer\n"))
        self.assertNotIn("NOT", out)
        self.assertNotIn("pending", out)
        self.assertIn("other host  1: primary, serves\n", out)
        self.assertIn("nothing outstanding", out)
        self.assertIn("answers in 2 ms; the other host in 4 ms", out)

    def test_a_primary_is_well(self):
        out = self.status(0, ready=True, records=2, **PRIMARY)
        self.assertTrue(out.startswith("ready: primary, and host 2 has every answer too\n"))
        self.assertIn("2 records outstanding", out)
        self.assertIn("192.0.2.10/24 is here (VRRP: backup; the other host: fault)", out)
        self.assertIn("3 requests", out)

    def test_a_primary_that_nobody_acknowledges_needs_a_person(self):
        for change in ({"link__up": False, "link__in_sync": False}, {"link__in_sync": False},
                       {"link__silent": True}, {"link__peer_store": "33" * 16}):  # fmt: skip
            with self.subTest(change):
                out = self.status(119, ready=True, **{**PRIMARY, **change})
                self.assertTrue(out.startswith("STALLED: primary, but host 2, which has to"), out)
                self.assertIn("protection  both have to acknowledge, and are NOT IN SYNC", out)

    def test_a_standby_that_is_behind_needs_a_person(self):
        out = self.status(119, ready=False, link__in_sync=False)
        self.assertTrue(out.startswith("standing by, NOT IN SYNC"), out)

    def test_a_primary_alone_needs_a_person(self):
        out = self.status(119, ready=True, records=9, **ALONE)
        self.assertTrue(out.startswith("ready, but UNPROTECTED"))
        self.assertIn("NOT HEARD, was standby", out)
        self.assertIn("NOT CONNECTED\n", out)
        self.assertIn("ALARM       unprotected: one host holds", out)

    def test_a_standby_out_of_sync_needs_a_person(self):
        out = self.status(119, ready=False,
                          register__isr=[{"host": 1, "store": "11" * 16}])  # fmt: skip
        self.assertTrue(out.startswith("standing by, NOT IN SYNC: host 1 serves"))

    def test_an_arbiter_that_is_down_needs_a_person(self):
        out = self.status(119, ready=False, arbiter__reachable=False, arbiter__problem="timeout",
                          peer__arbiter_reachable=False,
                          alarms=[{"alarm": "arbiter_down", "reason": "no answer for 6 s"}])
        self.assertIn("etcd DOES NOT ANSWER: timeout; THE OTHER HOST DOES NOT REACH IT", out)
        self.assertIn("ALARM       arbiter_down: no answer", out)

    def test_fence_devices_are_shown_as_they_are(self):
        device = {"name": "pdu-a", "says": "on", "believed": True, "known": True, "age_ms": 1,
                  "problem": ""}  # fmt: skip
        fence = {"phase": "ready", "problem": "", "devices": [device, {**device, "name": "pdu-b"}]}
        self.assertIn("  fence       ready; pdu-a says on; pdu-b says on\n",
                      self.status(0, ready=False, fence=fence))
        fence = {"phase": "trouble", "problem": "pdu-a: status: no answer in time",
                 "devices": [{**device, "says": "", "problem": "status: no answer in time"}]}
        self.assertIn("  fence       trouble: pdu-a: status: no answer in time; pdu-a says nothing\n",
                      self.status(0, ready=False, fence=fence))

    def test_the_other_hosts_alarm_and_safe_mode_are_seen(self):
        out = self.status(119, ready=False, peer__safe_mode=True,
                          peer__alarms=[{"alarm": "arbiter_down"}])  # fmt: skip
        self.assertIn("1: primary, serves, in SAFE MODE", out)
        self.assertIn("ALARM       of the other host: arbiter_down", out)

    def test_safe_mode_says_how_to_go_on(self):
        out = self.status(119, ready=False, child__safe_mode=True,
                          child__safe_reason="5 crashes in 60 s")  # fmt: skip
        self.assertIn("SAFE MODE   5 crashes in 60 s; then: approvalctl safe-mode clear", out)

    def test_maintenance_is_no_alarm(self):
        out = self.status(0, ready=False, maintenance=True)
        self.assertIn("2: standby, in maintenance", out)

    def test_nobody_serves(self):
        out = self.status(119, ready=False, role="waiting", link__peer_leads=False,
                          peer__role="waiting", peer__serving=False)  # fmt: skip
        self.assertTrue(out.startswith("NOT READY\n  because"))

    def test_what_the_other_side_says_is_escaped(self):
        out = self.status(0, ready=False, peer__role="x\x1b[2J", reason="a\x07b")
        self.assertNotIn("\x1b", out)
        self.assertNotIn("\x07", out)


class Move(PairTest):
    """switchover and maintenance on: what ends with 0 is done."""

    def move(self, code, *words, before, after, reply=(True, "hands over to host 2")):
        """The status before the command, and then one after the other, the last for ever."""
        told = [status(**before)] + [status(**one) for one in after]
        ok, message = reply

        def answer(line):
            if line != "status":
                return {"ok": ok, "message": message}
            return told.pop(0) if len(told) > 1 else told[0]

        fake = self.supervise(answer)
        # What succeeds has the time that a busy machine takes; what does not has to run out of it.
        done = self.check(code, *words, "--supervisor", fake.path, "--timeout", "60s" if code == 0 else "1s")
        return done, fake.asked

    def test_it_succeeds_when_the_other_host_leads(self):
        moving = {**PRIMARY, "role": "handing over", "serving": True}
        for words in (("switchover",), ("maintenance", "on")):
            with self.subTest(words):
                _, asked = self.move(0, *words, before=PRIMARY,
                                     after=[moving, {**moving, "serving": False}, {}])  # fmt: skip
                self.assertEqual(asked, ["status", " ".join(words)] + ["status"] * 3)

    def test_it_fails_when_this_host_serves_on(self):
        back = {**PRIMARY, "reason": "handover: the register did not change in time"}
        moving = {**PRIMARY, "role": "handing over"}
        for after in ([moving, back], [moving]):
            done, _ = self.move(115, "maintenance", "on", before=PRIMARY, after=after)
            self.assertIn("this host still serves", done.err)
        done, _ = self.move(115, "switchover", before={}, after=[{}],
                            reply=(True, "passed on to the primary"))  # fmt: skip
        self.assertIn("the other host still serves: leads epoch 7", done.err)

    def test_a_refusal_is_no_wait(self):
        _, asked = self.move(115, "maintenance", "on", before=ALONE, after=[ALONE],
                             reply=(False, "the other host is not in the ISR"))  # fmt: skip
        self.assertEqual(asked, ["status", "maintenance on"])

    def test_a_standby_has_nothing_to_hand_over(self):
        _, asked = self.move(0, "maintenance", "on", before={}, after=[{}])
        self.assertEqual(asked, ["status", "maintenance on"])


class Doctor(PairTest):
    """Each line is ok, warn or FAIL, and says what to do."""

    def setUp(self):
        super().setUp()
        self.files = {"pair": self.certificate("pair", days=60),
                      "arbiter": self.certificate("arbiter", days=60)}  # fmt: skip

    def certificate(self, name, *, days):
        """A certificate that is its own CA; the paths as the supervisor tells them."""
        path, key = (os.path.join(self.folder, name + end) for end in (".pem", ".key"))
        request = os.path.join(self.folder, name + ".csr")
        for words in (["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                       "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}"],
                      ["x509", "-req", "-in", request, "-signkey", key, "-days", str(days),
                       "-out", path]):  # fmt: skip
            subprocess.run(["openssl", *words], check=True, capture_output=True)
        return {"certificate": path, "key": key, "ca": path}

    def doctor(self, code, *, ready=False, own=None, **changes):
        made = {**status(**changes), "files": self.files, "peer_address": "127.0.0.1"}
        fake = self.supervise(made)
        socket = os.path.join(self.folder, "s")

        def answer(call):
            if call["path"] == "/readyz" and not ready:
                return 503, {"title": "no", "status": 503, "detail": "This host is the standby."}
            return 200, {**approvald(ready), **(own or {})}

        self.serve(answer, path=socket)
        done = self.check(code, "doctor", "--socket", socket, "--supervisor", fake.path,
                          "--program", self.program())  # fmt: skip
        return done.out

    def program(self):
        """An approvald that finds no fault and configures nothing."""
        path = os.path.join(self.folder, "approvald")
        with open(path, "w", encoding="utf-8") as out:
            out.write("#!/bin/sh\n")
        os.chmod(path, 0o755)
        return path

    def test_all_is_well_on_a_standby(self):
        out = self.doctor(0)
        self.assertNotRegex(out, "(?m)^(warn|FAIL)")
        self.assertIn("All is well.", out)
        for words in ("as it should be", "every answer is on both hosts", "differ by 3 ms",
                      "answers this host in 2 ms", "answers the other host in 4 ms",
                      "certificate of the pair", "CA of the arbiter", "to 127.0.0.1",
                      "an fdatasync takes 0.9 ms, the longest 4 ms", "epoch 7",
                      "begins after 550 ms", "VRRP: keepalived says backup"):  # fmt: skip
            self.assertIn(words, out)

    def test_json_is_whole(self):
        fake = self.supervise({**status(), "files": self.files})
        socket = os.path.join(self.folder, "s")
        self.serve(lambda _call: (200, approvald(False)), path=socket)
        done = self.check(0, "doctor", "--json", "--socket", socket, "--supervisor", fake.path,
                          "--program", self.program())  # fmt: skip
        self.assertEqual({line["mark"] for line in json.loads(done.out)}, {"ok"})

    def test_fence_devices_that_would_not_do(self):
        good = {"name": "pdu", "says": "on", "believed": True, "known": True, "age_ms": 9000,
                "problem": ""}  # fmt: skip
        fence = {"phase": "ready", "problem": "", "devices": [good]}
        out = self.doctor(0, fence=fence)
        self.assertRegex(out, "ok +fence: pdu said 9 s ago that the other host is on")
        bad = {**good, "says": "", "problem": "status: no answer in time"}
        out = self.doctor(119, fence={**fence, "phase": "trouble", "devices": [good, bad]})
        self.assertRegex(out, "FAIL +fence: pdu: status: no answer in time: no takeover")
        wrong = {**good, "says": "off", "believed": False}
        out = self.doctor(119, fence={"phase": "trouble", "problem": "pdu: a wrong plug?",
                                      "devices": [wrong]})  # fmt: skip
        self.assertRegex(out, "FAIL +fence: pdu: a wrong plug[?]")
        self.assertRegex(out, "warn +fence: pdu said 9 s ago that the other host is off")

    def test_certificates_that_end_soon_or_have_ended(self):
        self.files["pair"] = self.certificate("soon", days=10)
        out = self.doctor(0)
        self.assertRegex(out, r"warn  certificate of the pair: .* ends in (9|10) days: renew it")
        self.files["arbiter"] = self.certificate("over", days=-1)
        out = self.doctor(119)
        self.assertRegex(out, r"FAIL  certificate of the arbiter: .* has ended: renew it")
        self.files["arbiter"] = {**self.files["arbiter"], "certificate": "/nowhere"}
        self.assertRegex(self.doctor(119), r"FAIL  certificate of the arbiter: .*/nowhere")

    def test_what_fails_says_what_to_do(self):
        lines = (
            ({"link__up": False}, "other host: not connected: is it on"),
            ({"link__in_sync": False}, "both hosts have to acknowledge, and are not in sync"),
            ({"link__clock_ahead_ms": -130000}, "differ by 130000 ms: is NTP running"),
            ({"arbiter__reachable": False, "arbiter__problem": "refused"},
             "does not answer this host: refused: no takeover"),
            ({"peer__arbiter_reachable": False}, "arbiter: does not answer the other host"),
            ({"vip__here": True}, "on both hosts: their VRRP packets do not arrive"),
            ({"peer__vip_here": False}, "virtual IP: on neither host"),
            ({"link__peer_lineage": "00000000000000bb", "serving": True},
             "approvalctl rejoin there"),
            ({"link__peer_lineage": "00000000000000bb"}, "give up neither"),
            ({"register__isr": [{"host": 1}]}, "host 1 alone has every answer"),
            ({"child__safe_mode": True, "child__safe_reason": "5 crashes"}, "safe mode: 5 crash"),
            ({"register": None}, "approvalctl pair bootstrap"),
            ({"alarms": [{"alarm": "needs_operator", "reason": "rejoin"}]}, "needs_operator: rej"),
        )  # fmt: skip
        for changes, words in lines:
            with self.subTest(words):
                self.assertRegex(self.doctor(119, **changes), "(?m)^FAIL .*" + words)

    def test_what_is_odd_is_a_warning(self):
        lines = (
            ({"link__clock_ahead_ms": 5000}, "differ by 5000 ms"),
            ({"arbiter__latency_ms": 900}, "answers this host in 900 ms: a takeover takes so"),
            ({"vip__vrrp": "unknown"}, "keepalived has told nothing"),
            ({"maintenance": True}, "approvalctl maintenance off"),
            ({"peer__version": "2"}, "1 here, 2 there: finish the upgrade"),
            ({"times_ms__evict": 60000}, "Slack waits for 3 s"),
            ({"child__promised": 99}, "is the arbiter the right one"),
            ({"peer": None}, "supervisor says nothing"),
            ({"own": {"storage": {"sync_us_mean": 50000, "sync_us_max": 90000}}},
             "an fdatasync takes 50.0 ms"),
        )  # fmt: skip
        for changes, words in lines:
            with self.subTest(words):
                self.assertRegex(self.doctor(0, **changes), "(?m)^warn .*" + words)


if __name__ == "__main__":
    unittest.main(verbosity=1)
