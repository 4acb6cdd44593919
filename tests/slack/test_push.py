# SPDX-License-Identifier: Apache-2.0
"""Deliveries to the app: signing, the ack rule, retries, modals, commands and response URLs."""

import json
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

import slack_client
from fixture import ANA, BEN, CHANNEL, REQUESTER, FakeApp, SlackCase, mrkdwn, plain, reject_view
from lib.ports import free_port
from lib.waiting import PATIENCE_S, until
from standin import payloads
from standin.push import sign
from standin.server import StandIn

DOC_SECRET = b"8f742231b10e8888abcd99yyyzzz85a5"
DOC_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
    b"channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url="
    b"https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&"
    b"trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c")
DOC_SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"


class Signing(SlackCase):
    def test_the_published_vector(self):
        self.assertEqual(len(DOC_BODY), 362)
        self.assertEqual(sign(DOC_SECRET, "1531420618", DOC_BODY), DOC_SIGNATURE)

    def test_any_other_byte_gives_another_signature(self):
        for secret, stamp, body in ((DOC_SECRET + b"x", "1531420618", DOC_BODY),
                                    (DOC_SECRET, "1531420619", DOC_BODY),
                                    (DOC_SECRET, "1531420618", DOC_BODY + b"\n"),
                                    (DOC_SECRET, "1531420618", b"")):
            self.assertNotEqual(sign(secret, stamp, body), DOC_SIGNATURE)

    def test_every_kind_arrives_signed(self):
        ts = self.post_card()
        self.slack.press(ANA, "approval_approve", CHANNEL, ts)
        self.slack.control("slash", user=ANA, command="/approval", text="list", channel=CHANNEL)
        self.slack.control("home_opened", user=ANA)
        self.slack.control("message_action", user=ANA, channel=CHANNEL, ts=ts, callback_id="approval_from_message")
        self.assertEqual([(seen["kind"], seen["signed"], seen["path"]) for seen in self.app.seen], [
            ("block_actions", True, "/slack/interactions"), ("slash_command", True, "/slack/commands"),
            ("event_callback", True, "/slack/events"), ("message_action", True, "/slack/interactions")])

    def test_faults_spoil_a_signature(self):
        ts = self.post_card()
        for fault in ({"kind": "bad_signature"}, {"kind": "skew", "seconds": -301}, {"kind": "skew", "seconds": 310}):
            self.slack.control("push_fault", **fault)
            self.assertEqual(self.slack.press(ANA, "approval_approve", CHANNEL, ts)["status"], 401)
        self.assertEqual(self.slack.press(ANA, "approval_approve", CHANNEL, ts)["status"], 200)

    def test_the_signing_secret_can_be_rotated(self):
        ts = self.post_card()
        with tempfile.NamedTemporaryFile("w", prefix="standin.") as file:
            for secret, status in (("another one", 401), (slack_client.SIGNING_SECRET, 200)):
                file.seek(0)
                file.truncate()
                file.write(secret)
                file.flush()
                self.slack.control("config", signing_secret_file=file.name)
                self.assertEqual(self.slack.press(ANA, "approval_approve", CHANNEL, ts)["status"], status)

    def test_replay_sends_the_same_bytes(self):
        ts = self.post_card()
        first = self.slack.press(ANA, "approval_approve", CHANNEL, ts)
        self.slack.control("replay", delivery=first["delivery"])
        self.assertEqual(self.app.seen[0]["body"], self.app.seen[1]["body"])
        self.assertEqual(self.app.seen[0]["headers"]["X-Slack-Signature"],
                         self.app.seen[1]["headers"]["X-Slack-Signature"])

    def test_raw_bytes_and_the_certificate_probe(self):
        self.assertEqual(self.slack.control("deliver", body="payload=%7B")["status"], 200)
        self.assertEqual(self.slack.control("deliver", body="x", signed=False)["status"], 401)
        self.assertEqual(self.slack.control("ssl_check")["status"], 200)
        self.assertNotIn("X-Slack-Signature", self.app.seen[-1]["headers"])


class Presses(SlackCase):
    def test_a_press_has_what_the_sample_has(self):
        ts = self.post_card()
        self.slack.press(ANA, "approval_approve", CHANNEL, ts)
        payload = self.app.seen[0]["payload"]
        self.assertEqual(payload["user"], {"id": ANA, "username": "ana", "name": "ana", "team_id": "T0APV00001"})
        self.assertEqual(payload["container"], {"type": "message", "message_ts": ts, "channel_id": CHANNEL,
                                                "is_ephemeral": False})
        self.assertEqual(payload["channel"], {"id": CHANNEL, "name": "approvals"})
        self.assertEqual(payload["message"]["ts"], ts)
        self.assertEqual(payload["message"]["metadata"]["event_payload"], {"request_id": "req_1"})
        action = payload["actions"][0]
        self.assertEqual((action["type"], action["action_id"], action["block_id"], action["value"], action["style"]),
                         ("button", "approval_approve", "a.1", "req_1", "primary"))
        self.assertEqual(payload["state"], {"values": {}})
        self.assertIsNone(payload["enterprise"])
        self.assertEqual(set(payload), {"type", "user", "api_app_id", "token", "container", "trigger_id", "team",
                                        "enterprise", "is_enterprise_install", "channel", "message", "state",
                                        "response_url", "actions"})

    def test_threads_direct_messages_and_ephemerals(self):
        parent = self.ok("chat.postMessage", channel=CHANNEL, text="p")["ts"]
        blocks = [{"type": "actions", "elements": [{"type": "button", "action_id": "x", "text": plain("X")}]}]
        reply = self.ok("chat.postMessage", channel=CHANNEL, text="r", thread_ts=parent, blocks=blocks)["ts"]
        direct = self.ok("chat.postMessage", channel=ANA, text="d", blocks=blocks)
        eph = self.ok("chat.postEphemeral", channel=CHANNEL, user=ANA, text="e", blocks=blocks)["message_ts"]
        self.slack.press(ANA, "x", CHANNEL, reply)
        self.slack.press(ANA, "x", direct["channel"], direct["ts"])
        self.slack.press(ANA, "x", CHANNEL, eph)
        thread, dm, ephemeral = [seen["payload"] for seen in self.app.seen]
        self.assertEqual(thread["container"]["thread_ts"], parent)
        self.assertEqual(dm["channel"], {"id": "D0APR00001", "name": "directmessage"})
        self.assertTrue(ephemeral["container"]["is_ephemeral"])
        self.assertNotIn("message", ephemeral)
        with self.assertRaises(slack_client.ControlError):
            self.slack.press(BEN, "x", CHANNEL, eph)

    def test_a_foreign_user_brings_their_own_team(self):
        ts = self.post_card()
        self.slack.press("U0EXT00009", "approval_approve", CHANNEL, ts)
        payload = self.app.seen[0]["payload"]
        self.assertEqual((payload["user"]["team_id"], payload["team"]["id"]), ("T0OTHER009", "T0APV00001"))

    def test_selects_carry_what_was_chosen(self):
        options = [{"text": plain("One"), "value": "1"}, {"text": plain("Two"), "value": "2"}]
        blocks = [{"type": "actions", "block_id": "a", "elements": [
            {"type": "static_select", "action_id": "s", "options": options},
            {"type": "checkboxes", "action_id": "c", "options": options},
            {"type": "overflow", "action_id": "o", "options": options},
            {"type": "users_select", "action_id": "u"}, {"type": "datepicker", "action_id": "d"}]}]
        ts = self.ok("chat.postMessage", channel=CHANNEL, text="x", blocks=blocks)["ts"]
        for action, value in (("s", "2"), ("c", ["1", "2"]), ("o", "1"), ("u", BEN), ("d", "2026-01-31")):
            self.slack.press(ANA, action, CHANNEL, ts, value=value)
        chosen = [seen["payload"]["actions"][0] for seen in self.app.seen]
        self.assertEqual(chosen[0]["selected_option"]["value"], "2")
        self.assertEqual([o["value"] for o in chosen[1]["selected_options"]], ["1", "2"])
        self.assertEqual(chosen[2]["selected_option"]["value"], "1")
        self.assertEqual((chosen[3]["selected_user"], chosen[4]["selected_date"]), (BEN, "2026-01-31"))

    def test_what_nobody_can_press_is_refused(self):
        ts = self.post_card()
        for args in ({"action_id": "nope"}, {"ts": "1.000001"}, {"channel": "C0NOPE0001"}, {"user": "U0NOPE0001"}):
            wanted = dict({"user": ANA, "action_id": "approval_approve", "channel": CHANNEL, "ts": ts}, **args)
            with self.subTest(args), self.assertRaises(slack_client.ControlError):
                self.slack.control("press", **wanted)
        self.assertEqual(self.app.seen, [])

    def test_a_press_on_the_card_as_it_was(self):
        ts = self.post_card()
        self.ok("chat.update", channel=CHANNEL, ts=ts, text="Approved")
        with self.assertRaises(slack_client.ControlError):
            self.slack.press(ANA, "approval_approve", CHANNEL, ts)
        self.slack.press(ANA, "approval_approve", CHANNEL, ts, revision=0)
        self.assertEqual(self.app.seen[0]["payload"]["actions"][0]["block_id"], "a.1")

    def test_dropped_doubled_and_slow(self):
        ts = self.post_card()
        self.slack.control("push_fault", kind="drop", method="block_actions")
        dropped = self.slack.press(ANA, "approval_approve", CHANNEL, ts)
        self.assertEqual((dropped["delivered"], len(self.app.seen)), (False, 0))
        self.assertIn("trouble", dropped["notice"])
        self.slack.control("push_fault", kind="twice")
        self.slack.press(ANA, "approval_approve", CHANNEL, ts)
        self.assertEqual(self.app.seen[0]["body"], self.app.seen[1]["body"])
        self.slack.control("config", ack_timeout_s=0.1)
        self.addCleanup(self.app.hold("block_actions").set)
        slow = self.slack.press(ANA, "approval_approve", CHANNEL, ts)
        self.assertEqual((slow["acked"], slow["error"]), (False, "http_timeout"))
        self.assertEqual(self.slack.control("deliveries", type="block_actions")["deliveries"][-1]["error"],
                         "http_timeout")

    def test_an_answer_that_drips_is_still_too_slow(self):
        listener = socket.create_server(("127.0.0.1", 0))

        def drip():
            connection = listener.accept()[0]
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                for _ in range(1000):
                    connection.sendall(b"x")
                    time.sleep(0.02)
            except OSError:
                pass
            connection.close()

        threading.Thread(target=drip, daemon=True).start()
        ts = self.post_card()
        self.slack.control("config", app_url="http://127.0.0.1:%d" % listener.getsockname()[1], ack_timeout_s=0.2)
        result = self.slack.press(ANA, "approval_approve", CHANNEL, ts)
        listener.close()
        self.assertEqual((result["acked"], result["error"]), (False, "http_timeout"))

    def test_no_app_there(self):
        ts = self.post_card()
        self.slack.control("config", app_url="http://127.0.0.1:%d" % free_port())
        self.assertEqual(self.slack.press(ANA, "approval_approve", CHANNEL, ts)["error"], "connection_failed")


    def test_late_and_abandoned(self):
        ts = self.post_card()
        self.slack.control("push_fault", kind="delay", seconds=0.1)
        started = time.monotonic()
        self.assertTrue(self.slack.press(ANA, "approval_approve", CHANNEL, ts)["acked"])
        self.assertGreaterEqual(time.monotonic() - started, 0.1)
        self.slack.control("push_fault", kind="abandon", seconds=0.3)
        self.addCleanup(self.app.hold("block_actions").set)
        result = self.slack.press(ANA, "approval_approve", CHANNEL, ts)
        self.assertEqual((result["delivered"], result["acked"]), (True, False))
        until(lambda: len(self.app.seen) == 2, "the app has it all the same", PATIENCE_S, 0.01)


class Tls(unittest.TestCase):
    def deliver(self, folder, ca_file):
        """A press-less delivery to an app that speaks TLS; gives the record."""
        app = FakeApp()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder + "/cert.pem", folder + "/key.pem")
        app.server.socket = context.wrap_socket(app.server.socket, server_side=True)
        app.server.handle_error = lambda *_: None
        standin = StandIn(app.url.replace("http:", "https:"), slack_client.SIGNING_SECRET.encode(), b"t",
                          app_ca_file=ca_file)
        try:
            return standin.push.event(payloads.event_callback(standin.world, {"type": "app_uninstalled"}),
                                      retries=False)
        finally:
            app.stop()

    def test_the_apps_certificate_is_checked(self):
        with tempfile.TemporaryDirectory(prefix="standin.") as folder:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                            "-nodes", "-days", "2", "-subj", "/CN=app", "-addext", "subjectAltName=IP:127.0.0.1",
                            "-keyout", folder + "/key.pem", "-out", folder + "/cert.pem"], check=True,
                           stderr=subprocess.DEVNULL)
            self.assertEqual(self.deliver(folder, folder + "/cert.pem")["status"], 200)
            self.assertEqual(self.deliver(folder, None)["error"], "ssl_error")


class Modals(SlackCase):
    def open(self, view=None):
        """A press that opens a modal, the app calling views.open before it answers."""
        self.app.on("block_actions", lambda payload: self.slack.api(
            "views.open", {"trigger_id": payload["trigger_id"], "view": view or reject_view()}) and None)
        return self.slack.press(ANA, "approval_reject", CHANNEL, self.post_card())["modal"]

    def submit(self, answer, **values):
        self.app.on("view_submission", lambda _payload: answer)
        return self.slack.control("submit", user=ANA, values=values)

    def test_open_fill_submit_close(self):
        view = self.open()
        self.assertEqual(view["callback_id"], "approval_reject_reason")
        done = self.submit(None, reason="Change freeze – “no”")
        self.assertEqual((done["outcome"], done["modal"]), ("closed", None))
        payload = self.app.seen[-1]["payload"]
        self.assertEqual(payload["view"]["state"]["values"], {
            "reason": {"reason_text": {"type": "plain_text_input", "value": "Change freeze – “no”"}}})
        self.assertEqual((payload["view"]["id"], payload["view"]["private_metadata"], payload["response_urls"]),
                         (view["id"], "req_1", []))
        self.assertIn("trigger_id", payload)

    def test_a_late_modal_can_be_waited_for(self):
        def later(payload):
            threading.Timer(0.1, self.slack.api, ("views.open", {
                "trigger_id": payload["trigger_id"], "view": reject_view()})).start()

        self.app.on("block_actions", later)
        self.assertIsNotNone(self.slack.press(ANA, "approval_reject", CHANNEL, self.post_card(),
                                              wait_modal=5)["modal"])

    def test_errors_stay_at_their_fields(self):
        self.open()
        done = self.submit({"response_action": "errors", "errors": {"reason": "Too short."}}, reason="no")
        self.assertEqual((done["outcome"], done["errors"]), ("errors", {"reason": "Too short."}))
        shown = self.slack.control("modals", to=ANA)["modals"][0]
        self.assertEqual(shown["errors"], {"reason": "Too short."})
        self.assertEqual(shown["view"]["state"]["values"]["reason"]["reason_text"]["value"], "no")
        self.assertEqual(self.submit(None, reason="long enough")["outcome"], "closed")

    def test_update_push_and_clear(self):
        self.open()
        done = self.submit({"response_action": "update", "view": reject_view(title=plain("Sure?"))}, reason="x")
        self.assertEqual((done["outcome"], done["modal"]["title"]["text"]), ("updated", "Sure?"))
        done = self.submit({"response_action": "push", "view": reject_view(title=plain("More"))}, reason="x")
        self.assertEqual((done["outcome"], len(self.slack.control("modals", to=ANA)["modals"])), ("pushed", 2))
        self.assertEqual(self.submit({"response_action": "clear"}, reason="x")["outcome"], "cleared")
        self.assertEqual(self.slack.control("modals")["modals"], [])

    def test_answers_slack_cannot_use(self):
        self.open()
        bad = reject_view(title=plain("t" * 25))
        for answer in ({"response_action": "update", "view": bad}, {"response_action": "errors", "errors": {}},
                       {"response_action": "errors", "errors": {"nope": "x"}}, {"response_action": "dance"},
                       (200, "application/json", b"{", {}), (500, "text/plain", b"", {}),
                       (204, "text/plain", b"", {})):
            done = self.submit(answer, reason="x")
            self.assertEqual(done["outcome"], "trouble", answer)
            self.assertTrue(done["problem"])
        self.assertIn("trouble", self.slack.control("modals", to=ANA)["modals"][0]["notice"])

    def test_the_client_refuses_what_slack_never_sends(self):
        self.open()
        self.assertEqual(self.submit(None)["errors"], {"reason": "Please complete this required field."})
        self.assertIn("200", self.submit(None, reason="x" * 201)["errors"]["reason"])
        self.assertEqual([seen["kind"] for seen in self.app.seen], ["block_actions"])

    def test_empty_inputs_are_null(self):
        blocks = [{"type": "input", "block_id": "t", "optional": True, "label": plain("T"),
                   "element": {"type": "plain_text_input", "action_id": "t1"}},
                  {"type": "input", "block_id": "s", "optional": True, "label": plain("S"),
                   "element": {"type": "static_select", "action_id": "s1",
                               "options": [{"text": plain("One"), "value": "1"}]}}]
        self.open(reject_view(blocks=blocks))
        self.submit(None)
        self.assertEqual(self.app.seen[-1]["payload"]["view"]["state"]["values"], {
            "t": {"t1": {"type": "plain_text_input", "value": None}},
            "s": {"s1": {"type": "static_select", "selected_option": None}}})

    def test_response_urls_come_with_a_conversation(self):
        blocks = [{"type": "input", "block_id": "n", "label": plain("Also post in"), "element": {
            "type": "conversations_select", "action_id": "conv", "response_url_enabled": True}}]
        self.open(reject_view(blocks=blocks))
        self.submit(None, n=CHANNEL)
        urls = self.app.seen[-1]["payload"]["response_urls"]
        self.assertEqual([(u["block_id"], u["action_id"], u["channel_id"]) for u in urls], [("n", "conv", CHANNEL)])

    def test_cancel_and_cross(self):
        view = self.open()
        self.assertTrue(self.slack.control("close", user=ANA)["notify_on_close"])
        payload = self.app.seen[-1]["payload"]
        self.assertEqual((payload["type"], payload["is_cleared"], payload["view"]["id"]),
                         ("view_closed", False, view["id"]))
        root = self.open()
        self.submit({"response_action": "push", "view": reject_view()}, reason="x")
        self.slack.control("close", user=ANA, how="x")
        payload = self.app.seen[-1]["payload"]
        self.assertEqual((payload["is_cleared"], payload["view"]["id"]), (True, root["id"]))
        self.assertEqual(self.slack.control("modals")["modals"], [])

    def test_no_notice_unless_asked_for(self):
        self.open(reject_view(notify_on_close=False))
        self.assertFalse(self.slack.control("close", user=ANA)["delivered"])
        self.assertEqual([seen["kind"] for seen in self.app.seen], ["block_actions"])

    def test_options_are_asked_for(self):
        blocks = [{"type": "input", "block_id": "service", "label": plain("Service"), "element": {
            "type": "external_select", "action_id": "pick", "min_query_length": 1}}]
        view = self.open(reject_view(blocks=blocks))
        self.app.on("block_suggestion", lambda payload: {"options": [
            {"text": plain(payload["value"] + "ling"), "value": "svc"}]})
        found = self.slack.control("suggest", user=ANA, action_id="pick", typed="bil", view_id=view["id"])
        self.assertEqual(found["options"][0]["text"]["text"], "billing")
        self.app.on("block_suggestion", lambda _payload: "no json")
        self.assertTrue(self.slack.control("suggest", user=ANA, action_id="pick", view_id=view["id"])["problem"])

    def test_a_home_button_knows_its_view(self):
        home = {"type": "home", "blocks": [{"type": "section", "block_id": "b", "text": mrkdwn("x"), "accessory": {
            "type": "button", "action_id": "home_review", "text": plain("Review"), "value": "req_1"}}]}
        view = self.ok("views.publish", user_id=ANA, view=home)["view"]
        self.slack.control("press", user=ANA, view_id=view["id"], action_id="home_review")
        payload = self.app.seen[-1]["payload"]
        self.assertEqual((payload["container"], payload["view"]["type"]),
                         ({"type": "view", "view_id": view["id"]}, "home"))
        self.assertFalse({"channel", "message", "response_url"} & set(payload))


class Commands(SlackCase):
    def slash(self, answer):
        self.app.on("slash_command", lambda _payload: answer)
        return self.slack.control("slash", user=REQUESTER, command="/approval", text="new <@U0APR00001> & co",
                                  channel=CHANNEL)

    def test_fields(self):
        self.slash(None)
        fields = self.app.seen[0]["payload"]
        self.assertEqual((fields["command"], fields["text"], fields["user_id"], fields["channel_name"],
                          fields["is_enterprise_install"]),
                         ("/approval", "new <@U0APR00001> & co", REQUESTER, "approvals", "false"))
        self.assertNotIn("enterprise_id", fields)

    def test_answers(self):
        self.assertIsNone(self.slash(None)["shown"])
        self.slash("plain text")
        self.slash({"text": "json", "blocks": [{"type": "section", "text": mrkdwn("in a block")}]})
        shown = self.slack.control("ephemerals", to=REQUESTER)["messages"]
        self.assertEqual([m["text"] for m in shown], ["plain text", "json"])
        self.slash({"response_type": "in_channel", "text": "for all"})
        texts = [m["text"] for m in self.slack.control("messages", channel=CHANNEL)["messages"]]
        self.assertEqual(texts, ["/approval new <@U0APR00001> & co", "for all"])
        self.assertEqual(self.slash({"blocks": [{"type": "shout"}]})["problem"], "invalid_blocks")

    def test_failure_is_shown_to_the_user(self):
        self.assertEqual(self.slash((500, "text/plain", b"", {}))["problem"], "dispatch_failed")
        self.slack.control("config", ack_timeout_s=0.1)
        self.addCleanup(self.app.hold("slash_command").set)
        self.slack.control("slash", user=REQUESTER, command="/approval", channel=CHANNEL)
        self.assertIn("operation_timeout", self.slack.control("ephemerals", to=REQUESTER)["messages"][-1]["text"])

    def test_people_of_other_workspaces_have_no_commands(self):
        with self.assertRaises(slack_client.ControlError):
            self.slack.control("slash", user="U0EXT00009", command="/approval", channel=CHANNEL)


class Events(SlackCase):
    def test_home_opened_brings_the_view_once_published(self):
        self.slack.control("home_opened", user=ANA)
        self.ok("views.publish", user_id=ANA, view={"type": "home", "blocks": []})
        self.slack.control("home_opened", user=ANA)
        self.slack.control("home_opened", user=ANA, tab="messages")
        events = [seen["payload"]["event"] for seen in self.app.seen]
        self.assertEqual(["view" in event for event in events], [False, True, False])
        self.assertEqual(events[0]["channel"], "D0APR00001")
        envelope = self.app.seen[0]["payload"]
        self.assertEqual((envelope["type"], envelope["authorizations"][0]["user_id"]),
                         ("event_callback", "U0BOT00001"))

    def test_revoked_tokens_are_told_and_no_longer_work(self):
        self.slack.control("token", state="token_revoked", send_event=True)
        self.assertEqual(self.app.seen[0]["payload"]["event"]["tokens"], {"oauth": [], "bot": ["U0BOT00001"]})
        self.fails("token_revoked", "auth.test")

    def test_rate_limited_has_no_inner_event(self):
        self.slack.control("rate_limited_event")
        self.assertNotIn("event", self.app.seen[0]["payload"])

    def test_url_verification(self):
        for answer in (lambda p: p["challenge"], lambda p: {"challenge": p["challenge"]},
                       lambda p: "challenge=" + p["challenge"]):
            self.app.on("url_verification", answer)
            self.assertTrue(self.slack.control("verify_url")["verified"])
        self.app.on("url_verification", lambda _p: "nothing")
        self.assertFalse(self.slack.control("verify_url")["verified"])

    def retried(self, count):
        return self.slack.wait("delivery", type="event_callback", count=count)

    def test_three_retries_say_which_and_why(self):
        self.app.on("event_callback", lambda _payload: (500, "text/plain", b"", {}))
        event_id = self.slack.control("home_opened", user=ANA)["event_id"]
        found = self.retried(4)
        self.assertEqual([d["retry_num"] for d in found], [0, 1, 2, 3])
        self.assertEqual({d["event_id"] for d in found}, {event_id})
        headers = [seen["headers"] for seen in self.app.seen]
        self.assertNotIn("x-slack-retry-num", headers[0])
        self.assertEqual((headers[3]["x-slack-retry-num"], headers[3]["x-slack-retry-reason"]), ("3", "http_error"))

    def test_a_retry_that_is_acked_is_the_last(self):
        answers = iter([(503, "text/plain", b"", {}), None])
        self.app.on("event_callback", lambda _payload: next(answers))
        self.slack.control("home_opened", user=ANA)
        self.assertEqual([d["acked"] for d in self.retried(2)], [False, True])

    def test_the_app_can_refuse_retries(self):
        self.app.on("event_callback", lambda _payload: (500, "text/plain", b"", {"x-slack-no-retry": "1"}))
        self.slack.control("home_opened", user=ANA)
        with self.assertRaises(slack_client.ControlError):
            self.slack.wait("delivery", type="event_callback", count=2, timeout=0.3)

    def test_a_reset_ends_pending_retries(self):
        self.slack.control("config", event_retry_delays_s=[0.2])
        self.app.on("event_callback", lambda _payload: (500, "text/plain", b"", {}))
        self.slack.control("home_opened", user=ANA)
        self.slack.control("reset")
        with self.assertRaises(slack_client.ControlError):
            self.slack.wait("delivery", type="event_callback", timeout=0.4)

    def test_reasons(self):
        self.slack.control("config", ack_timeout_s=0.1, event_retry_delays_s=[0])
        self.addCleanup(self.app.hold("event_callback").set)
        self.slack.control("home_opened", user=ANA)
        self.assertEqual(self.retried(2)[1]["retry_reason"], "http_timeout")
        self.slack.control("clear_logs")
        self.app.on("event_callback", lambda _payload: (302, "text/plain", b"", {"Location": "/slack/events"}))
        self.slack.control("config", ack_timeout_s=60)
        self.slack.control("home_opened", user=ANA)
        self.assertEqual(self.retried(2)[1]["retry_reason"], "too_many_redirects")


class ResponseUrls(SlackCase):
    def url(self):
        self.ts = self.post_card()
        return self.slack.press(ANA, "approval_approve", CHANNEL, self.ts)["response_url"]

    def respond(self, url, **content):
        path = url[len(self.slack.base_url):]
        status, _, body = slack_client.request(self.slack.base_url, "POST", path, json.dumps(content),
                                               {"Content-Type": "application/json"})
        return status, body.decode()

    def test_ephemeral_replace_in_channel_delete(self):
        url = self.url()
        self.assertEqual(self.respond(url, text="only you"), (200, "ok"))
        self.assertEqual(self.slack.control("ephemerals", to=ANA)["messages"][0]["text"], "only you")
        self.respond(url, replace_original=True, text="Approved")
        self.assertEqual(self.slack.control("messages", ts=self.ts)["messages"][0]["text"], "Approved")
        self.respond(url, response_type="in_channel", text="for all", thread_ts=self.ts, replace_original=False)
        self.assertEqual(len(self.slack.control("messages", thread_ts=self.ts, contains="for all")["messages"]), 1)
        self.respond(url, delete_original=True)
        self.assertEqual(self.slack.control("messages", ts=self.ts)["messages"], [])

    def test_an_ephemeral_can_replace_itself(self):
        blocks = [{"type": "actions", "elements": [{"type": "button", "action_id": "x", "text": plain("X")}]}]
        eph = self.ok("chat.postEphemeral", channel=CHANNEL, user=ANA, text="e", blocks=blocks)["message_ts"]
        url = self.slack.press(ANA, "x", CHANNEL, eph)["response_url"]
        self.respond(url, replace_original=True, text="done")
        self.assertEqual([m["text"] for m in self.slack.control("ephemerals", to=ANA)["messages"]], ["done"])

    def test_five_uses(self):
        url = self.url()
        for _ in range(5):
            self.assertEqual(self.respond(url, text="x")[0], 200)
        status, body = self.respond(url, text="x")
        self.assertEqual((status, json.loads(body)["error"]), (404, "used_url"))

    def test_thirty_minutes(self):
        url = self.url()
        self.slack.control("advance", seconds=1799)
        self.assertEqual(self.respond(url, text="x")[0], 200)
        self.slack.control("advance", seconds=2)
        self.assertEqual(json.loads(self.respond(url, text="x")[1])["error"], "expired_url")

    def test_bad_content_and_unknown_urls(self):
        url = self.url()
        self.assertEqual(json.loads(self.respond(url)[1])["error"], "no_text")
        self.assertEqual(self.respond(url + "x", text="x")[0], 404)


if __name__ == "__main__":
    unittest.main()
