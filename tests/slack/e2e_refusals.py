#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_refusals.py: people who may not decide, and input that no friend would send.

Owns nothing but its cases. Every refusal changes nothing, is explained to who pressed, is audited
where it names a request, and leaves the process alive.
"""
import glob
import json
import os
import time

from e2e import EndToEnd, harness, main
from lib.harness import ANA, BEN, CHANNEL, GROUP, RITA, call, form, press, sign

GUEST, GONE = "U0GUEST001", "U0GONE0001"
POLICY = harness.POLICY + f"""
policy everybody {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{RITA}", "{GUEST}", "{GONE}", "U0EXT00009", "U0BOT00002"}}
}}
"""
SAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "slack")


class Refusals(EndToEnd):
    options = {"policy": POLICY}

    @classmethod
    def begin(cls):
        super().begin()
        cls.world.control("POST", "/add_user", {"id": "U0BOT00002", "name": "robot",
                                                "is_bot": True, "channels": [CHANNEL]})

    def refused(self, presser, words, shown=True, **payload_fields):
        request_id = self.ask(policy="everybody")
        self.card(request_id)
        payload = press(request_id, presser)
        payload.update(payload_fields)
        self.assertEqual(self.world.slack(payload).status, 200)
        if shown:
            self.assertTrue(self.wait_for("ephemeral", to=presser, contains=words))
        harness.World.wait(
            lambda: self.world.admin("GET", "/v1/status").json()["counts"]["inbox"] == 0,
            "the press is processed")
        self.assertEqual(self.get(request_id)["decisions"], [])
        audit = self.world.admin("GET", f"/v1/audit?request={request_id}").json()["entries"]
        self.assertTrue(any("refus" in e["action"] for e in audit), audit)

    def test_the_requester_cannot_approve_himself(self):
        self.refused(RITA, "somebody else")

    def test_a_guest_cannot_decide(self):
        self.refused(GUEST, "Guests")

    def test_a_bot_cannot_decide(self):
        self.refused("U0BOT00002", "Bots")

    def test_a_deactivated_account_cannot_decide(self):
        # Slack shows nothing to an account that is gone; the audit log says why.
        self.refused(GONE, "deactivated", shown=False)

    def test_somebody_of_another_organisation_cannot_decide(self):
        self.refused("U0EXT00009", "organisation",
                     user={"id": "U0EXT00009", "name": "far", "team_id": "T0OTHER009"})

    def test_somebody_who_is_no_approver_is_told_so(self):
        request_id = self.ask()
        self.press(request_id, RITA)
        self.wait_for("ephemeral", to=RITA, contains="")
        self.assertEqual(self.get(request_id)["state"], "pending")

    def test_leaving_the_group_ends_the_right_to_decide(self):
        self.world.control("POST", "/update_group", {"group": GROUP, "users": [BEN]})
        try:
            self.world.daemon.stop()
            self.world.start()
            request_id = self.ask(policy="two-people")
            self.press(request_id, ANA)
            self.wait_for("ephemeral", to=ANA, contains="may decide")
            self.assertEqual(self.get(request_id)["decisions"], [])
        finally:
            self.world.control("POST", "/update_group", {"group": GROUP, "users": [ANA, BEN]})
            self.world.daemon.stop()
            self.world.start()

    def test_unknown_ids_and_actions_are_answered_and_change_nothing(self):
        for value in ("req_00000000000000000000000000", "req_'; DROP", "", "x" * 1900):
            self.assertEqual(self.world.slack(press(value, ANA)).status, 200, value)
        request_id = self.ask()
        self.assertEqual(self.world.slack(press(request_id, ANA, action="launch")).status, 200)
        self.assertEqual(self.get(request_id)["state"], "pending")

    def test_the_same_delivery_twice_counts_once_and_owes_nothing(self):
        request_id = self.ask(policy="two-people")
        body = form(press(request_id, ANA))
        for _ in range(3):
            answer = call("POST", "/slack/interactions", body, sign(body), port=self.world.port)
            self.assertEqual(answer.status, 200)
        self.wait_for("message", channel=CHANNEL, contains="1 of 2",
                      metadata={"request_id": request_id})
        self.assertEqual(len(self.get(request_id)["decisions"]), 1)
        replies = self.world.control("POST", "/ephemerals", {"to": ANA, "contains": request_id})
        self.assertEqual(replies["messages"], [])


class Signatures(EndToEnd):
    def expect(self, status, body, headers, path="/slack/interactions"):
        answer = call("POST", path, body, headers, port=self.world.port)
        self.assertEqual(answer.status, status, (headers, answer.body[:200]))
        if status >= 400:
            self.assertEqual(answer.headers.get("Content-Type"), "application/problem+json")
            self.assertEqual(answer.json()["status"], status)

    def test_bad_signatures_are_401(self):
        body = form(press(self.ask(), ANA))
        good = sign(body)
        self.expect(401, body, {"Content-Type": good["Content-Type"]})
        self.expect(401, body, {**good, "X-Slack-Signature": "v0=" + "0" * 64})
        self.expect(401, body, {**good, "X-Slack-Signature": good["X-Slack-Signature"][:-1]})
        self.expect(401, body, {**good, "X-Slack-Signature": "v1" + good["X-Slack-Signature"][2:]})
        self.expect(401, body, {**good, "X-Slack-Request-Timestamp": "12a"})
        self.expect(401, body + b" ", good)
        self.expect(401, body, sign(body, at=time.time() - 301))
        self.expect(401, body, sign(body, at=time.time() + 330))
        self.expect(401, body, sign(body, secret="another"))

    def test_hostile_bodies_get_a_clear_4xx(self):
        def signed(body, status, content_type="application/x-www-form-urlencoded"):
            self.expect(status, body, {**sign(body), "Content-Type": content_type})
        signed(b"payload=%7B%22type", 400)
        signed(b"payload=" + b"%5B" * 5000, 400)
        signed(b"payload=%7B%22type%22%3A%22a%5Cu0000b%22%7D", 400)
        signed(b"payload=%7B%22type%22%3A%22%5Cud800%22%7D", 400)
        signed(b"payload=%zz", 400)
        signed(b"nothing=1", 400)
        signed(b"payload=%7B%7D&payload=%7B%7D", 400)
        signed(b"{}", 415, "text/plain")
        signed(b"payload=" + b"a" * (3 << 20), 413)

    def test_unknown_payloads_are_accepted_and_ignored(self):
        for payload in ({"type": "novelty"}, {"type": "block_actions", "actions": []},
                        {"type": "block_actions", "user": None, "actions": [{}]}):
            self.assertEqual(self.world.slack(payload).status, 200, payload)

    def test_every_inbound_sample_is_answered_as_the_reference_says(self):
        seen = 0
        for path in sorted(glob.glob(os.path.join(SAMPLES, "*.json"))):
            with open(path, encoding="utf-8") as sample:
                text = sample.read()
            payload = json.loads(text)
            if not isinstance(payload, dict) or "type" not in payload:
                continue
            kind = payload["type"]
            if kind in ("event_callback", "url_verification", "app_rate_limited"):
                body = text.encode()
                headers = {**sign(body), "Content-Type": "application/json"}
                answer = call("POST", "/slack/events", body, headers, port=self.world.port)
            elif kind in ("block_actions", "view_submission", "view_closed", "shortcut",
                          "message_action", "block_suggestion"):
                answer = self.world.slack(payload)
            else:
                continue
            seen += 1
            self.assertEqual(answer.status, 200, (path, answer.body))
            if kind == "url_verification":
                self.assertIn(payload["challenge"].encode(), answer.body)
            elif kind == "block_suggestion":
                self.assertIn("options", answer.json())
            elif kind not in ("view_submission",):
                self.assertEqual(answer.body, b"", path)
        self.assertGreaterEqual(seen, 15, "the samples are there")

    def test_the_certificate_probe_is_answered_unsigned_and_smuggles_nothing(self):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self.expect(200, b"ssl_check=1&token=x", headers, "/slack/commands")
        self.expect(401, b"ssl_check=0&token=x", headers, "/slack/commands")
        request_id = self.ask()
        self.expect(200, b"ssl_check=1&" + form(press(request_id, ANA)), headers,
                    "/slack/commands")
        self.assertEqual(self.get(request_id)["state"], "pending")


class Api(EndToEnd):
    def problem(self, status, method, path, body=None, token="", headers=None):
        answer = self.world.api(method, path, body, self.token if token == "" else token, headers)
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        return answer.json()

    def test_bad_api_input_is_named(self):
        self.problem(401, "GET", "/v1/requests", token=None)
        self.problem(401, "GET", "/v1/requests", token="apv_" + "x" * 43)
        self.problem(404, "GET", "/v1/requests/req_00000000000000000000000000")
        self.problem(404, "GET", "/v1/nothing")
        self.problem(405, "DELETE", "/v1/requests")
        self.problem(400, "POST", "/v1/requests", b'{"policy":', headers={
            "Content-Type": "application/json"})
        self.problem(415, "POST", "/v1/requests", b"policy=x", headers={
            "Content-Type": "application/x-www-form-urlencoded"})
        self.problem(413, "POST", "/v1/requests", b" " * 200000, headers={
            "Content-Type": "application/json"})
        found = self.problem(400, "POST", "/v1/requests", {"policy": "prod-deploy"})
        self.assertIn("title", found["detail"])
        found = self.problem(400, "POST", "/v1/requests",
                             {"policy": "prod-deploy", "title": "x" * 1000})
        self.assertIn("title", found["detail"])
        found = self.problem(404, "POST", "/v1/requests", {"policy": "none", "title": "x"})
        self.assertEqual(found["refusal"], "unknown_policy")

    def test_a_revoked_token_is_refused_at_once(self):
        secret = self.world.token("short-lived")
        self.assertEqual(self.world.create(secret).status, 201)
        self.world.ctl("token", "revoke", "short-lived", check=0)
        self.problem(401, "GET", "/v1/requests", token=secret)

    def test_a_token_for_one_policy_asks_for_no_other(self):
        secret = self.world.token("narrow", policies=["two-people"])
        answer = self.world.create(secret, policy="prod-deploy")
        self.assertEqual((answer.status, answer.json()["refusal"]), (403, "scope"))
        self.assertEqual(self.world.create(secret, policy="two-people").status, 201)

    def test_a_busy_token_is_told_to_slow_down(self):
        secret = self.world.token("slow", rate_per_minute=2)
        statuses = [self.world.create(secret).status for _ in range(6)]
        self.assertIn(429, statuses)
        self.assertEqual(statuses[0], 201)


if __name__ == "__main__":
    main()
