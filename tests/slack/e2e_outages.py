#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_outages.py: what people see when Slack, the network or approvald itself fails halfway.

Owns nothing but its cases and a small receiver of webhooks on loopback. The promise under test:
decisions are exact, effects arrive at least once, and people see one card, not two.
"""
import hashlib
import hmac
import http.server
import json
import threading

from e2e import EndToEnd, harness, main
from lib.harness import ANA, BEN, CHANNEL, RITA, call, form, press, sign

WEBHOOK_SECRET = "webhook-secret-of-the-test"


class Receiver(http.server.BaseHTTPRequestHandler):
    """Remembers deliveries; answers with the next status of the plan, then 200."""

    seen, plan = [], []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((dict(self.headers), body))
        self.send_response(self.plan.pop(0) if self.plan else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *unused):
        pass


class Outages(EndToEnd):
    def test_killed_between_press_and_card_the_card_is_repaired(self):
        request_id = self.ask(title="Survivor")
        card = self.card(request_id)
        self.world.control("POST", "/fault", {"method": "chat.update", "kind": "status",
                                              "status": 503, "count": 1})
        body = form(press(request_id, ANA, ts=card["ts"]))
        self.assertEqual(call("POST", "/slack/interactions", body, sign(body),
                              port=self.world.port).status, 200)
        self.world.daemon.kill()
        self.world.start()
        self.wait_state(request_id, "approved")
        self.assertEqual(self.card(request_id, contains="Approved")["ts"], card["ts"])

    def test_a_post_of_unknown_fate_is_found_again_and_not_repeated(self):
        self.world.control("POST", "/fault", {"method": "chat.postMessage", "kind": "close_after",
                                              "seconds": 0.2, "count": 1})
        request_id = self.ask(title="Only once")
        self.press(request_id, ANA)
        self.card(request_id, contains="Approved")

    def test_killed_while_posting_there_is_one_card(self):
        self.world.control("POST", "/fault", {"method": "chat.postMessage", "kind": "close_after",
                                              "seconds": 1, "count": 1})
        request_id = self.ask(title="Killed while posting")
        self.wait_for("message", channel=CHANNEL, metadata={"request_id": request_id})
        self.world.daemon.kill()
        self.world.start()
        self.press(request_id, ANA)
        self.card(request_id, contains="Approved")

    def test_slack_errors_are_waited_out(self):
        for fault in ({"kind": "ratelimited", "retry_after": 1}, {"kind": "status", "status": 500},
                      {"kind": "html_200"}, {"kind": "truncated"},
                      {"kind": "error", "error": "internal_error"}):
            self.world.control("POST", "/fault", {"method": "chat.postMessage", "count": 1,
                                                  **fault})
        request_id = self.ask(title="Patience")
        self.card(request_id)

    def test_a_deleted_card_is_posted_once_more_with_the_outcome(self):
        request_id = self.ask(title="Deleted by someone")
        card = self.card(request_id)
        self.world.control("POST", "/delete_message", {"channel": CHANNEL, "ts": card["ts"]})
        self.world.slack(press(request_id, ANA, ts=card["ts"]))
        again = self.card(request_id, contains="Approved")
        self.assertNotEqual(again["ts"], card["ts"])

    def test_a_dropped_press_changes_nothing_and_can_be_repeated(self):
        request_id = self.ask()
        self.card(request_id)
        self.world.control("POST", "/push_fault", {"method": "block_actions", "kind": "drop"})
        self.press(request_id, ANA)
        self.assertEqual(self.get(request_id)["state"], "pending")
        self.press(request_id, ANA)
        self.wait_state(request_id, "approved")

    def test_an_archived_channel_is_a_dead_letter_that_can_be_replayed(self):
        self.world.control("POST", "/update_channel", {"channel": CHANNEL, "is_archived": True})
        request_id = self.ask(title="Nobody there")
        dead = harness.World.wait(lambda: [
            row for row in self.world.admin("GET", "/v1/outbox?dead=1").json()["rows"]
            if row["request"] == request_id and row["surface"] == "card"], "the row is dead")
        self.assertIn("archived", dead[0]["error"])
        self.world.control("POST", "/update_channel", {"channel": CHANNEL, "is_archived": False})
        self.world.ctl("outbox", "replay", "--all", check=0)
        self.card(request_id)

    def test_a_revoked_token_keeps_the_queue_and_a_new_one_empties_it(self):
        self.world.control("POST", "/token", {"state": "token_revoked"})
        request_id = self.ask(title="Waiting for a token")
        harness.World.wait(lambda: self.world.admin("GET", "/v1/status").json()["slack"]["state"] != "up",
                           "status says that Slack refuses us")
        self.world.control("POST", "/token", {"state": "valid"})
        self.world.daemon.child.send_signal(1)  # SIGHUP: the admin put a new token in place
        self.card(request_id)

    def test_a_broken_configuration_keeps_the_old_one_in_force(self):
        with open(self.world.path("approvald.conf"), encoding="utf-8") as conf:
            good = conf.read()
        with open(self.world.path("approvald.conf"), "a", encoding="utf-8") as conf:
            conf.write("surprise = 1\n")
        self.world.daemon.child.send_signal(1)
        harness.World.wait(lambda: "surprise" in self.world.log_tail(), "the log names the key")
        self.assertEqual(self.world.create(self.token).status, 201)
        with open(self.world.path("approvald.conf"), "w", encoding="utf-8") as conf:
            conf.write(good)

    def test_sigterm_answers_what_was_accepted_and_exits_0(self):
        request_id = self.ask(title="Before the end")
        self.assertEqual(self.world.daemon.stop(), 0)
        self.world.start()
        self.assertEqual(self.get(request_id)["state"], "pending")


class Webhooks(EndToEnd):
    @classmethod
    def begin(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.server.shutdown)
        port = cls.server.server_address[1]
        cls.world.secret_file("webhook", WEBHOOK_SECRET)
        cls.world.write_config("".join(
            f'webhook {name} {{ url = "{scheme}://127.0.0.1:{port}/hook"\n secret_file = "{cls.world.path("webhook")}"\n'
            f' allow_inward = {allow} }}\n' for name, scheme, allow in (
                ("ci", "http", "true"), ("inward", "https", "false"))))
        cls.world.policy = harness.POLICY + "".join(
            f'policy with-{name} {{ channel = "{CHANNEL}"\n approvers = {{"{ANA}"}}\n'
            f' webhooks = {{"{name}"}} }}\n' for name in ("ci", "inward")) + f"""
policy timed {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}"}}
    webhooks = {{"ci"}}
    expires_after = 1h
    remind_before = 3599s
    escalate_after = 2s
    escalate_to = {{"{BEN}"}}
    takes_effect_after = 2s
}}
"""
        super().begin()

    def deliveries(self, request_id):
        return [(h, json.loads(b), b) for h, b in Receiver.seen if request_id.encode() in b]

    def test_the_outcome_is_delivered_signed_and_again_until_accepted(self):
        Receiver.plan[:] = [503]
        request_id = self.ask(policy="with-ci")
        self.press(request_id, ANA)
        harness.World.wait(lambda: len(self.deliveries(request_id)) >= 2, "a second attempt", 30)
        headers, _, body = self.deliveries(request_id)[-1]
        parts = dict(p.split("=", 1) for p in headers["Approvald-Signature"].split(","))
        delivery = headers["Approvald-Delivery"]
        mac = hmac.new(WEBHOOK_SECRET.encode(), f"{parts['t']}.{delivery}.".encode() + body,
                       hashlib.sha256)
        self.assertEqual(parts["v1"], mac.hexdigest())
        ids = [h["Approvald-Delivery"] for h, _, _ in self.deliveries(request_id)]
        self.assertEqual(ids[0], ids[1], "a repeat carries the same id")
        self.assertEqual(self.deliveries(request_id)[-1][1]["request"]["state"], "approved")

    def test_reminder_escalation_and_window_are_events(self):
        request_id = self.ask(policy="timed")
        harness.World.wait(lambda: self.get(request_id)["escalated_at"], "others are asked")
        self.press(request_id, BEN)
        self.wait_state(request_id, "approved")
        wanted = ["reminded", "escalated", "effect_delayed", "approved"]
        found = harness.World.wait(
            lambda: (lambda d: d if len(d) >= len(wanted) else None)(self.deliveries(request_id)),
            "all are told")
        self.assertEqual([body["event"] for _, body, _ in found], wanted)
        self.assertEqual(len({h["Approvald-Delivery"] for h, _, _ in found}), len(wanted))
        self.assertTrue(all(body["user"] is None for _, body, _ in found), "time did it")
        self.assertIsNotNone(found[2][1]["request"]["decisions"])

    def test_a_destination_that_points_inward_is_never_called(self):
        request_id = self.ask(policy="with-inward")
        self.press(request_id, ANA)
        self.wait_state(request_id, "approved")
        rows = harness.World.wait(lambda: [
            row for row in self.world.admin("GET", "/v1/outbox").json()["rows"] +
            self.world.admin("GET", "/v1/outbox?dead=1").json()["rows"]
            if row["request"] == request_id and row["surface"] == "webhook" and row["error"]],
            "the attempt is refused with a reason")
        self.assertTrue(rows)
        self.assertEqual(self.deliveries(request_id), [])


class Requester(EndToEnd):
    def test_the_requester_hears_of_the_outcome_once(self):
        request_id = self.ask(title="Tell me")
        self.press(request_id, ANA)
        self.wait_for("dm", to=RITA, contains="Tell me")
        self.world.daemon.kill()
        self.world.start()
        self.wait_state(request_id, "approved")
        harness.World.wait(
            lambda: self.world.admin("GET", "/v1/status").json()["counts"]["outbox_owed"] == 0,
            "nothing is owed")
        found = self.world.control("POST", "/dms", {"to": RITA, "contains": "Tell me"})
        self.assertEqual(len(found["messages"]), 1)

    def test_a_requester_who_is_gone_leaves_a_trace(self):
        self.press(self.ask(title="Still there"), ANA)
        place = self.wait_for("dm", to=RITA, contains="Still there")[0]["channel"]
        self.world.control("POST", "/update_channel", {"channel": place, "post_error": "user_disabled"})
        self.addCleanup(self.world.control, "POST", "/update_channel", {"channel": place, "post_error": None})
        request_id = self.ask(title="Gone meanwhile")
        self.press(request_id, ANA)
        self.wait_state(request_id, "approved")

        def traced():
            entries = self.world.admin("GET", f"/v1/audit?request={request_id}&limit=100").json()["entries"]
            return [e["detail"] for e in entries if e["action"] == "outbox_dropped"]
        self.assertEqual(harness.World.wait(traced, "the audit log says it"), [f"direct {RITA}: user_disabled"])
        with open(self.world.path("approvald.log"), encoding="utf-8") as log:
            self.assertTrue(any('"person_not_told"' in line and RITA in line for line in log))

    def test_where_no_direct_message_tells_it_the_thread_does(self):
        self.world.apply_policy(harness.POLICY + f"""
policy quiet {{ channel = "{CHANNEL}" approvers = {{"{ANA}"}} direct_requester = false }}
policy nowhere {{ approvers = {{"{ANA}"}} direct_requester = false }}
""")
        request_id = self.ask(policy="quiet", title="Tell me there")
        card = self.card(request_id)
        self.press(request_id, ANA)
        reply = self.wait_for("message", channel=CHANNEL, thread_ts=card["ts"],
                              contains="This is the outcome of your request")[0]
        self.assertIn(f"<@{RITA}>", reply["text"])
        self.assertIn(f"<@{RITA}>", json.dumps(reply["blocks"]))
        self.assertEqual(self.world.control("POST", "/dms", {"to": RITA, "contains": "Tell me there"})["messages"], [])
        request_id = self.ask(policy="nowhere", title="Tell me somehow")
        answer = self.world.api("POST", f"/v1/requests/{request_id}/cancel", {}, self.token)
        self.assertEqual(answer.status, 200, answer.body)
        self.wait_for("dm", to=RITA, contains="Tell me somehow")


if __name__ == "__main__":
    main()
