# SPDX-License-Identifier: Apache-2.0
"""Faults, rate limits, waiting and the process itself."""

import http.client
import json
import tempfile
import threading
import time
import unittest

import slack_client
from fixture import ANA, CHANNEL, SlackCase


class ApiFaults(SlackCase):
    def post(self):
        return self.slack.api_raw("chat.postMessage", {"channel": CHANNEL, "text": "x"})

    def count(self):
        return len(self.slack.control("messages", channel=CHANNEL)["messages"])

    def test_429_with_and_without_retry_after(self):
        self.slack.control("fault", method="chat.postMessage", kind="ratelimited", count=2, retry_after=30)
        for _ in range(2):
            status, headers, body = self.post()
            self.assertEqual((status, headers["Retry-After"], json.loads(body)["error"]), (429, "30", "ratelimited"))
        self.assertEqual(self.post()[0], 200)
        for value, header in ((None, None), ("soon", "soon")):
            self.slack.control("fault", kind="ratelimited", retry_after=value)
            self.assertEqual(self.post()[1]["Retry-After"], header)

    def test_a_fault_hits_only_its_method(self):
        self.slack.control("fault", method="chat.update", kind="status", status=500)
        self.assertEqual(self.post()[0], 200)
        status, headers, body = self.slack.api_raw("chat.update", {"channel": CHANNEL, "ts": "1.1", "text": "x"})
        self.assertEqual((status, headers["Content-Type"]), (500, "text/html"))
        self.assertIn(b"<html>", body)

    def test_answers_that_are_no_json(self):
        self.slack.control("fault", kind="html_200")
        self.assertIn(b"<html>", self.post()[2])
        self.slack.control("fault", kind="empty_200")
        self.assertEqual(self.post()[2], b"")
        self.assertEqual(self.count(), 0)
        self.slack.control("fault", kind="truncated")
        with self.assertRaises(ValueError):
            json.loads(self.post()[2])
        self.assertEqual(self.count(), 1)

    def test_close_after_the_work_leaves_the_message(self):
        self.slack.control("fault", kind="close_after")
        with self.assertRaises((http.client.HTTPException, ConnectionError)):
            self.post()
        self.assertEqual(self.count(), 1)

    def test_hang_before_leaves_nothing(self):
        self.slack.control("fault", kind="hang_before", seconds=0.05)
        started = time.monotonic()
        with self.assertRaises((http.client.HTTPException, ConnectionError)):
            self.post()
        self.assertGreaterEqual(time.monotonic() - started, 0.05)
        self.assertEqual(self.count(), 0)

    def test_an_error_before_and_after_the_work(self):
        self.slack.control("fault", kind="error", error="internal_error")
        self.assertEqual(json.loads(self.post()[2])["error"], "internal_error")
        self.assertEqual(self.count(), 0)
        self.slack.control("fault", kind="error", error="fatal_error", after_work=True)
        self.assertEqual(json.loads(self.post()[2])["error"], "fatal_error")
        self.assertEqual(self.count(), 1)

    def test_clearing_lets_hanging_calls_go(self):
        self.slack.control("fault", kind="delay", seconds=60)
        done = threading.Event()
        threading.Thread(target=lambda: (self.post(), done.set()), daemon=True).start()
        deadline = time.monotonic() + 60
        while not done.is_set() and time.monotonic() < deadline:
            self.slack.control("clear_faults")
            done.wait(0.02)
        self.assertTrue(done.is_set())

    def test_unknown_faults_are_refused(self):
        for command in ("fault", "push_fault"):
            with self.assertRaises(slack_client.ControlError):
                self.slack.control(command, kind="earthquake")


class RateLimits(SlackCase):
    def test_one_message_a_second_and_channel(self):
        self.slack.control("config", rate_limits="real")
        statuses, headers = [], {}
        while 429 not in statuses and len(statuses) < 60:  # in a stall tokens come back
            status, headers = self.slack.api_raw("chat.postMessage", {"channel": CHANNEL, "text": "x"})[:2]
            statuses.append(status)
        self.assertEqual(statuses[:3], [200, 200, 200])
        self.assertEqual(statuses[-1], 429)
        self.assertEqual(headers["Retry-After"], "1")
        self.assertEqual(self.slack.api_raw("chat.postMessage", {"channel": ANA, "text": "x"})[0], 200)
        self.slack.control("advance", seconds=1)
        self.assertEqual(self.slack.api_raw("chat.postMessage", {"channel": CHANNEL, "text": "x"})[0], 200)

    def test_a_tier_is_per_method(self):
        self.slack.control("config", rate_limits="real")
        form = {"usergroup": "S0APV00001"}
        statuses = [self.slack.api_raw("usergroups.users.list", form, form=True)[0] for _ in range(25)]
        self.assertEqual((statuses.count(429) > 0, statuses[:20]), (True, [200] * 20))
        self.assertEqual(self.slack.api_raw("usergroups.list", {}, form=True)[0], 200)


class Waiting(SlackCase):
    def test_wait_ends_when_the_message_comes(self):
        threading.Timer(0.1, self.post_card).start()
        found = self.slack.wait("message", channel=CHANNEL, contains="billing-api")
        self.assertEqual(len(found), 1)

    def test_wait_gives_up(self):
        with self.assertRaisesRegex(slack_client.ControlError, "504"):
            self.slack.wait("message", contains="never", timeout=0.1)
        with self.assertRaisesRegex(slack_client.ControlError, "400"):
            self.slack.wait("earthquake")

    def test_exactly_refuses_more(self):
        self.post_card()
        self.post_card()
        self.assertEqual(len(self.slack.wait("message", count=1)), 2)
        with self.assertRaises(slack_client.ControlError):
            self.slack.wait("message", count=1, exactly=True, timeout=0.1)

    def test_filters(self):
        ts = self.post_card()
        for query, count in (({"metadata": {"request_id": "req_1"}}, 1), ({"metadata": {"request_id": "r"}}, 0),
                             ({"action_id": "approval_approve"}, 1), ({"action_id": "approval"}, 0),
                             ({"ts": ts, "lacks": "Approve"}, 0), ({"contains": "Requested by"}, 1)):
            with self.subTest(query):
                self.assertEqual(len(self.slack.control("messages", **query)["messages"]), count)

    def test_bad_commands_say_so(self):
        for command, args, status in (("nope", {}, "404"), ("press", {"nope": 1}, "400"), ("config", {"x": 1}, "400"),
                                      ("update_user", {"user": ANA, "x": 1}, "400"), ("token", {"state": "x"}, "400")):
            with self.subTest(command), self.assertRaisesRegex(slack_client.ControlError, status):
                self.slack.control(command, **args)

    def test_a_web_page_cannot_post_a_form_here(self):
        status, _, _ = slack_client.request(self.slack.base_url, "POST", "/control/reset", "{}",
                                            {"Content-Type": "text/plain"})
        self.assertEqual(status, 415)


class Wire(SlackCase):
    def test_connections_are_kept(self):
        parts = self.slack.base_url.rsplit(":", 1)[1]
        connection = http.client.HTTPConnection("127.0.0.1", int(parts), timeout=60)
        headers = {"Authorization": "Bearer " + self.slack.token}
        connection.request("POST", "/api/auth.test", headers=headers)
        connection.getresponse().read()
        first = connection.sock
        connection.request("POST", "/api/auth.test", headers=headers)
        self.assertTrue(json.loads(connection.getresponse().read())["ok"])
        self.assertIs(connection.sock, first)
        connection.close()

    def test_chunked_bodies(self):
        connection = http.client.HTTPConnection("127.0.0.1", int(self.slack.base_url.rsplit(":", 1)[1]), timeout=60)
        body = json.dumps({"channel": CHANNEL, "text": "in chunks"}).encode()
        connection.request("POST", "/api/chat.postMessage", iter([body[:10], body[10:]]), {
            "Authorization": "Bearer " + self.slack.token, "Content-Type": "application/json; charset=utf-8"},
            encode_chunked=True)
        self.assertTrue(json.loads(connection.getresponse().read())["ok"])
        connection.close()

    def test_a_huge_body_is_refused(self):
        connection = http.client.HTTPConnection("127.0.0.1", int(self.slack.base_url.rsplit(":", 1)[1]), timeout=60)
        connection.putrequest("POST", "/api/chat.postMessage")
        connection.putheader("Content-Length", str(10**9))
        connection.endheaders()
        self.assertEqual(connection.getresponse().status, 413)
        connection.close()


class Process(unittest.TestCase):
    def test_secrets_can_be_rotated(self):
        with slack_client.StandInProcess("http://127.0.0.1:1") as slack, \
                tempfile.NamedTemporaryFile("w", prefix="standin.") as file:
            file.write("xoxb-the-next-one\n")
            file.flush()
            slack.control("config", bot_token_file=file.name)
            self.assertEqual(slack.api("auth.test")["error"], "invalid_auth")
            self.assertTrue(slack.api("auth.test", token="xoxb-the-next-one")["ok"])
            with self.assertRaises(slack_client.ControlError):
                slack.control("config", signing_secret_file=file.name + ".gone")

    def test_it_starts_tells_its_port_and_stops(self):
        seed = {"channels": [{"id": "C0ONLY0001", "name": "only", "members": ["U0BOT00001"]}]}
        with slack_client.StandInProcess("http://127.0.0.1:1", "--rate-limits", "real") as slack:
            self.assertEqual(slack.api("auth.test")["team_id"], "T0APV00001")
            self.assertEqual(slack.control("config")["rate_limits"], "real")
            slack.control("reset", seed_world=seed)
            self.assertEqual([c["id"] for c in slack.control("state")["channels"]], ["C0ONLY0001"])
        self.assertEqual(slack.process.returncode, 0)


if __name__ == "__main__":
    unittest.main()
