# SPDX-License-Identifier: Apache-2.0
"""Shared by the stand-in's own tests: a stand-in in this process and a tiny app for it to talk to.

Owns FakeApp (an approval app of a few lines, which checks signatures on its own) and SlackCase. Never a model of
approvald's rules: it holds nothing durable and decides nothing.
"""

import hashlib
import hmac
import http.server
import json
import os
import sys
import threading
import time
import unittest
import urllib.parse

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

import slack_client
from standin.server import StandIn

CHANNEL, REQUESTER, ANA, BEN = "C0APV00001", "U0REQ00001", "U0APR00001", "U0APR00002"


class AppHandler(http.server.BaseHTTPRequestHandler):
    """Checks the signature, remembers the request, answers what the test wants."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        """Silent."""

    def do_POST(self):
        app = self.server.app
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        timestamp = self.headers.get("X-Slack-Request-Timestamp", "")
        wanted = "v0=" + hmac.new(slack_client.SIGNING_SECRET.encode(), b"v0:%s:%s" % (timestamp.encode(), body),
                                  hashlib.sha256).hexdigest()
        signed = hmac.compare_digest(wanted, self.headers.get("X-Slack-Signature", "")) and \
            abs(time.time() - int(timestamp or 0)) <= 300
        status, kind, answer, headers = app.answer(self.path, dict(self.headers), body, signed)
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)
        except OSError:
            self.close_connection = True


class FakeApp:
    """An app whose answers a test sets: `on(kind, function)`; the function gives None, text, a dict or a tuple."""

    def __init__(self):
        self.seen = []
        self.handlers = {}
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), AppHandler)
        self.server.daemon_threads = True
        self.server.app = self
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def on(self, kind, handler):
        self.handlers[kind] = handler

    def hold(self, kind):
        """Takes such deliveries and does not answer before the event that this gives is set."""
        gate = threading.Event()
        self.handlers[kind] = lambda _payload: gate.wait(60) and None
        return gate

    def answer(self, path, headers, body, signed):
        """(status, content type, body, headers) for one delivery."""
        kind, payload = self.understand(path, body)
        self.seen.append({"kind": kind, "path": path, "headers": headers, "payload": payload, "signed": signed,
                          "body": body})
        if not signed and kind != "ssl_check":
            return 401, "text/plain", b"", {}
        result = self.handlers.get(kind, lambda _payload: None)(payload)
        if isinstance(result, tuple):
            return result
        if isinstance(result, dict):
            return 200, "application/json", json.dumps(result).encode(), {}
        return 200, "text/plain", (result or "").encode(), {}

    @staticmethod
    def understand(path, body):
        try:
            if path == "/slack/events":
                payload = json.loads(body)
                return payload["type"], payload
            fields = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
            if "payload" in fields:
                payload = json.loads(fields["payload"])
                return payload["type"], payload
            return ("ssl_check" if "ssl_check" in fields else "slash_command"), fields
        except ValueError:
            return "unreadable", None


class SlackCase(unittest.TestCase):
    """One stand-in and one fake app per class, set back before every test."""

    @classmethod
    def setUpClass(cls):
        cls.app = FakeApp()
        cls.standin = StandIn(cls.app.url, slack_client.SIGNING_SECRET.encode(), slack_client.BOT_TOKEN.encode())
        port = cls.standin.bind("127.0.0.1", 0)
        cls.thread = threading.Thread(target=cls.standin.serve, daemon=True)
        cls.thread.start()
        cls.slack = slack_client.Slack("http://127.0.0.1:%d" % port)

    @classmethod
    def tearDownClass(cls):
        cls.standin.stop()
        cls.thread.join(5)
        cls.app.stop()

    def setUp(self):
        self.app.handlers = {}
        self.app.seen = []
        self.slack.control("reset")
        # Longer than Slack's 3 s, where that is not the matter: the machine may stand still.
        self.slack.control("config", app_url=self.app.url, ack_timeout_s=60, event_retry_delays_s=[0, 0, 0],
                           rate_limits="off", trigger_life_s=60)

    # -- shorthands -----------------------------------------------------------------------------------------------

    def ok(self, method, **args):
        answer = self.slack.api(method, args)
        self.assertTrue(answer["ok"], answer)
        return answer

    def read(self, method, **args):
        answer = self.slack.api(method, args, form=True)
        self.assertTrue(answer["ok"], answer)
        return answer

    def fails(self, code, method, form=False, **args):
        answer = self.slack.api(method, args, form=form)
        self.assertEqual((answer["ok"], answer.get("error")), (False, code), answer)
        return answer

    def post_card(self, channel=CHANNEL):
        return self.ok("chat.postMessage", channel=channel, text="Approval needed", blocks=card_blocks(),
                       metadata={"event_type": "approval_request", "event_payload": {"request_id": "req_1"}})["ts"]


def plain(text):
    return {"type": "plain_text", "text": text}


def mrkdwn(text):
    return {"type": "mrkdwn", "text": text}


def card_blocks():
    """A card as the product draws it."""
    return [
        {"type": "header", "block_id": "h.1", "text": plain("Approval needed: production deploy")},
        {"type": "section", "block_id": "s.1", "text": mrkdwn("*Deploy billing-api 4.2.1*"),
         "fields": [mrkdwn("*Requested by*\n<@%s>" % REQUESTER), mrkdwn("*Needs*\n1 of <!subteam^S0APV00001>")]},
        {"type": "actions", "block_id": "a.1", "elements": [
            {"type": "button", "action_id": "approval_approve", "text": plain("Approve"), "style": "primary",
             "value": "req_1"},
            {"type": "button", "action_id": "approval_reject", "text": plain("Reject"), "value": "req_1",
             "confirm": {"title": plain("Reject this request?"), "text": mrkdwn("It will *not* run."),
                         "confirm": plain("Reject"), "deny": plain("Go back"), "style": "danger"}}]},
        {"type": "context", "block_id": "c.1", "elements": [mrkdwn("Request req_1")]},
    ]


def reject_view(**more):
    """A modal that asks for a reason."""
    view = {"type": "modal", "callback_id": "approval_reject_reason", "title": plain("Reject request"),
            "submit": plain("Reject"), "close": plain("Cancel"), "notify_on_close": True,
            "private_metadata": "req_1", "blocks": [
                {"type": "input", "block_id": "reason", "label": plain("Reason"),
                 "element": {"type": "plain_text_input", "action_id": "reason_text", "multiline": True,
                             "max_length": 200}}]}
    view.update(more)
    return view
