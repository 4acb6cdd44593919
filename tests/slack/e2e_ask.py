#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_ask.py: people ask for an approval in Slack: by the shortcut and by /approval request.

Owns nothing but its cases; the World is e2e.py's. Never builds a payload of its own: the stand-in's
people open, fill in and submit what approvald shows them.
"""
import json

from e2e import EndToEnd, main
from lib.harness import ANA, BEN, CHANNEL, RITA, World

GUEST, STRANGER = "U0GUEST001", "U0EXT00009"
POLICY = f"""
policy restart {{
    title = "Restart <!channel> & <@{ANA}>"
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}", "{RITA}", "{GUEST}"}}
    ask_in_slack = true
}}
policy strict {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}"}}
    ask_in_slack = true
    require_reason = true
}}
policy programs {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}"}}
}}
"""


class AskCase(EndToEnd):
    options = {"policy": POLICY}

    def setUp(self):
        super().setUp()
        self.wait_identity()

    @classmethod
    def wait_identity(cls):
        """Who is a stranger is known once it is known who we are."""
        World.wait(lambda: cls.world.admin("GET", "/v1/status").json()["slack"]["bot_user"],
                   "Slack has said who we are")

    def tearDown(self):
        while self.world.control("POST", "/modals", {})["modals"]:
            for modal in self.world.control("POST", "/modals", {})["modals"]:
                self.world.control("POST", "/close", {"user": modal["user"], "how": "x"})

    def shortcut(self, user=RITA, **more):
        return self.world.control("POST", "/shortcut", {
            "user": user, "callback_id": "approval_new", "wait_modal": 5, **more})

    def slash(self, user=RITA, **more):
        return self.world.control("POST", "/slash", {
            "user": user, "command": "/approval", "text": "request", "channel": CHANNEL, **more})

    def submit(self, user=RITA, **values):
        return self.world.control("POST", "/submit", {"user": user, "values": values})

    def asked(self, title):
        """The requests of this title."""
        found = self.world.api("GET", "/v1/requests?limit=100", token=self.token).json()
        return [r for r in found["requests"] if r["title"] == title]

    def one(self, title):
        found = self.asked(title)
        self.assertEqual(len(found), 1, found)
        return found[0]


    def mrkdwn(self, node):
        """Every text of a tree that Slack would parse."""
        if isinstance(node, list):
            return [text for item in node for text in self.mrkdwn(item)]
        if not isinstance(node, dict):
            return []
        own = [node["text"]] if node.get("type") == "mrkdwn" else []
        return own + [text for item in node.values() for text in self.mrkdwn(item)]


class Ask(AskCase):
    def test_from_the_shortcut_to_the_outcome(self):
        opened = self.shortcut()
        self.assertEqual((opened["status"], opened["answer"]), (200, ""))
        blocks = {b["block_id"]: b for b in opened["modal"]["blocks"]}
        self.assertEqual(list(blocks), ["policy", "title", "target", "reason", "details",
                                        "requester", "expires_in"])
        choices = blocks["policy"]["element"]["options"]
        self.assertEqual([c["value"] for c in choices], ["restart", "strict"])
        sent = self.submit(policy="restart", title="Restart the queue", target="eu-1",
                           reason="it is stuck", details="systemctl restart queue",
                           expires_in="900")
        self.assertEqual(sent["outcome"], "updated", sent)
        self.assertIn("You have asked", json.dumps(sent["modal"]))
        made = self.one("Restart the queue")
        self.assertEqual(
            [made[name] for name in ("state", "requester", "asker", "target", "reason", "details")],
            ["pending", RITA, None, "eu-1", "it is stuck", "systemctl restart queue"])
        self.assertIn(made["id"], json.dumps(sent["modal"]))
        card = self.card(made["id"])
        self.assertIn(RITA, json.dumps(card["blocks"]))
        self.press(made["id"], RITA)
        self.wait_for("ephemeral", to=RITA, contains="somebody else has to decide")
        self.press(made["id"], ANA)
        self.wait_state(made["id"], "approved")
        self.wait_for("dm", to=RITA, contains="Restart the queue")
        audit = self.world.admin("GET", f"/v1/audit?request={made['id']}").json()["entries"]
        self.assertEqual([(e["action"], e["actor"], e["via"]) for e in audit][0],
                         ("created", "user:" + RITA, "slack"))

    def test_the_command_opens_the_form_and_its_person_may_cancel(self):
        typed = self.slash(wait_modal=5)
        self.assertEqual((typed["status"], typed["answer"]), (200, ""))
        self.assertEqual(typed["modal"]["callback_id"], "ask")
        self.submit(policy="restart", title="Never mind")
        made = self.one("Never mind")
        self.slash(text="cancel " + made["id"])
        self.wait_state(made["id"], "cancelled")

    def test_asked_for_somebody_else_it_is_both_of_theirs(self):
        opened = self.shortcut()["modal"]
        block = {b["block_id"]: b for b in opened["blocks"]}["requester"]
        self.assertEqual((block["element"]["type"], block["optional"]), ("users_select", True))
        sent = self.submit(policy="restart", title="For Ben", requester=BEN)
        self.assertIn("will tell both of you the outcome", json.dumps(sent["modal"]))
        made = self.one("For Ben")
        self.assertEqual((made["requester"], made["asker"]), (BEN, RITA))
        self.assertIn(f"<@{RITA}> for <@{BEN}>", json.dumps(self.card(made["id"])))
        for user in (RITA, BEN):
            self.press(made["id"], user)
            self.wait_for("ephemeral", to=user, contains="somebody else has to decide")
            self.assertIn("For Ben", self.slash(user, text="list")["answer"])
            self.assertIn(f"asked by <@{RITA}> for <@{BEN}>",
                          self.slash(user, text="show " + made["id"])["answer"])
        self.press(made["id"], ANA)
        self.wait_state(made["id"], "approved")
        for user in (BEN, RITA):
            self.wait_for("dm", to=user, contains="For Ben")
        self.shortcut()
        self.submit(policy="restart", title="For Rita", requester=RITA)
        self.assertEqual(self.one("For Rita")["asker"], None, "that is for herself")

    def test_what_nobody_could_approve_is_said_at_the_field(self):
        self.shortcut()
        sent = self.submit(policy="strict", title="For its only approver", reason="x",
                           requester=ANA)
        self.assertEqual((sent["outcome"], list(sent["errors"])), ("errors", ["requester"]))
        self.assertIn("oo few people could approve this", sent["errors"]["requester"])
        self.assertEqual(self.asked("For its only approver"), [])
        sent = self.submit(policy="strict", title="For Ben instead", reason="x", requester=BEN)
        self.assertEqual(sent["outcome"], "updated", sent)

    def about(self, text, **more):
        """The form that a shortcut on a message with this text opens."""
        said = self.world.control("POST", "/say", {"user": BEN, "channel": CHANNEL, "text": text})
        opened = self.world.control("POST", "/message_action", {
            "user": RITA, "channel": CHANNEL, "ts": said["ts"],
            "callback_id": "approval_from_message", "wait_modal": 5, **more})
        self.assertEqual((opened["status"], opened["answer"]), (200, ""))
        details = {b["block_id"]: b for b in opened["modal"]["blocks"]}["details"]["element"]
        link = f"https://acme.slack.com/archives/{CHANNEL}/p{said['ts'].replace('.', '')}"
        return details["initial_value"], link

    def test_a_shortcut_on_a_message_begins_the_form_with_it(self):
        text, link = self.about("can someone restart\nqueue &lt;2&gt; &amp;amp; 3?")
        self.assertEqual(text, f"can someone restart\nqueue <2> &amp; 3?\n\n{link}")
        sent = self.submit(policy="restart", title="Restart queue 2")
        self.assertEqual(sent["outcome"], "updated", sent)
        made = self.one("Restart queue 2")
        self.assertEqual((made["requester"], made["details"]), (RITA, text))
        self.assertIn(link, json.dumps(self.card(made["id"])))

    def test_a_hostile_or_long_message_is_only_text(self):
        text, link = self.about("<!channel> <@U0APR00002> \u202eevil <https://evil.example|here>")
        self.assertEqual(text, "<!channel> <@U0APR00002> evil <https://evil.example|here>"
                               f"\n\n{link}")
        self.submit(policy="restart", title="Hostile message")
        card = self.card(self.one("Hostile message")["id"])
        for part in self.mrkdwn(card["blocks"]) + [card["text"]]:
            self.assertNotIn("<!channel>", part)
            self.assertNotIn("<https://evil.example|here>", part)
        self.tearDown()
        text, link = self.about("&amp;" * 5000)
        self.assertEqual(len(text), 1000 + 2 + len(link), "what is cut is cut before the link")
        text, link = self.about("x" * 5000)
        self.assertEqual((len(text), text.endswith("x\n\n" + link)), (2500, True))
        text, link = self.about("")
        self.assertEqual(text, link)

    def test_what_is_wrong_is_said_at_the_field_and_what_was_typed_stays(self):
        self.shortcut()
        sent = self.submit(policy="strict", title="Why ever")
        self.assertEqual((sent["outcome"], sent["errors"]),
                         ("errors", {"reason": "Policy strict wants to know why."}))
        self.assertEqual(self.asked("Why ever"), [])
        sent = self.submit(policy="strict", title="\u202e \u200b")
        self.assertEqual(sent["outcome"], "errors", sent)
        self.assertEqual(list(sent["errors"]), ["title"])
        sent = self.submit(policy="strict", title="Why ever", reason="because")
        self.assertEqual(sent["outcome"], "updated", sent)
        self.assertEqual(self.one("Why ever")["reason"], "because")

    def test_one_form_asks_once_however_often_it_comes(self):
        self.shortcut()
        self.world.control("POST", "/push_fault", {"method": "view_submission", "kind": "twice"})
        self.submit(policy="restart", title="Once")
        self.one("Once")
        self.shortcut()
        self.world.control("POST", "/push_fault", {"method": "view_submission", "kind": "abandon",
                                                   "seconds": 0})
        sent = self.submit(policy="restart", title="Once more")
        self.assertEqual(sent["outcome"], "trouble", sent)
        self.world.daemon.kill()
        self.world.start()
        self.wait_identity()
        sent = self.submit()  # the form is still on the screen, and filled in
        self.assertEqual(sent["outcome"], "updated", sent)
        made = self.one("Once more")
        again = self.world.control("POST", "/replay", {"delivery": sent["delivery"]})
        self.assertIn(made["id"], again["answer"])
        self.one("Once more")
        self.card(made["id"])

    def test_hostile_text_makes_no_mention(self):
        text = f"<!channel> <@{BEN}> <https://evil.example|here> &amp; *x*"
        self.shortcut()
        sent = self.submit(policy="restart", title=text, target=text, reason=text, details=text)
        self.assertEqual(sent["outcome"], "updated", sent)
        made = [r for r in self.asked(text) if r["state"] == "pending"]
        self.assertEqual(len(made), 1, "what was typed is what is kept")
        card = self.card(made[0]["id"])
        for shown in (card, sent["modal"]):
            mrkdwn = self.mrkdwn(shown["blocks"]) + [shown.get("text", "")]
            for part in (x for x in mrkdwn if isinstance(x, str)):
                self.assertNotIn("<!channel>", part)
                self.assertNotIn(f"<@{BEN}> <https", part)
                self.assertNotIn("<https://evil.example|here>", part)

    def test_who_may_not_ask_gets_no_form(self):
        self.press(self.ask(policy="restart"), GUEST)
        self.wait_for("ephemeral", to=GUEST, contains="Guests of this workspace")  # he is known now
        self.assertIsNone(self.shortcut(GUEST, wait_modal=0)["modal"])
        self.wait_for("dm", to=GUEST, contains="Guests of this workspace")
        self.assertEqual(self.world.control("POST", "/modals", {"to": GUEST})["modals"], [])
        self.assertIsNone(self.shortcut(STRANGER, wait_modal=0)["modal"])
        World.wait(lambda: any(e["detail"] == "ask: foreign" for e in self.audit()), "it is audited")
        self.assertEqual(self.world.control("POST", "/modals", {"to": STRANGER})["modals"], [])

    def test_a_guest_who_was_not_known_in_time_is_refused_at_the_end(self):
        self.world.control("POST", "/add_user", {"id": "U0GUEST077", "name": "temp",
                                                 "is_restricted": True, "channels": [CHANNEL]})
        self.assertIsNotNone(self.shortcut("U0GUEST077")["modal"])
        sent = self.submit("U0GUEST077", policy="restart", title="Let me")
        self.assertEqual(sent["outcome"], "updated", sent)
        self.assertIn("Guests of this workspace", json.dumps(sent["modal"]))
        self.assertEqual(self.asked("Let me"), [])
        self.assertTrue(any(e["detail"] == "create: guest" for e in self.audit()))

    def audit(self):
        return self.world.admin("GET", "/v1/audit?limit=100").json()["entries"]

    def test_a_form_that_slack_would_not_open_is_told(self):
        self.world.control("POST", "/fault", {"method": "views.open", "kind": "error",
                                              "error": "expired_trigger_id"})
        self.slash()
        self.wait_for("ephemeral", to=RITA, contains="took too long")
        self.world.control("POST", "/fault", {"method": "views.open", "kind": "error",
                                              "error": "expired_trigger_id"})
        self.shortcut(ANA, wait_modal=0)
        self.wait_for("dm", to=ANA, contains="took too long")

    def test_a_policy_that_goes_while_the_form_is_open(self):
        self.world.apply_policy(POLICY + 'policy brief { approvers = {"U0APR00001"} '
                                'ask_in_slack = true }')
        self.shortcut()
        self.world.apply_policy(POLICY + 'policy brief { approvers = {"U0APR00001"} }')
        sent = self.submit(policy="brief", title="Too late")
        self.assertEqual((sent["outcome"], sent["errors"]), (
            "errors", {"policy": "This policy takes no requests from Slack."}))
        sent = self.submit(policy="restart", title="Too late")
        self.assertEqual(sent["outcome"], "updated", sent)
        self.assertEqual(self.one("Too late")["policy"]["name"], "restart")


class AskOverSocket(AskCase):
    options = {"policy": POLICY, "socket_mode": True}

    def test_shortcut_command_and_form_go_over_a_socket(self):
        self.assertIsNotNone(self.shortcut()["modal"])
        sent = self.submit(policy="restart", title="Over a socket")
        self.assertEqual(sent["outcome"], "updated", sent)
        self.card(self.one("Over a socket")["id"])
        self.assertEqual(self.slash(wait_modal=5)["modal"]["callback_id"], "ask")
        sent = self.submit(policy="strict", title="Over a socket")
        self.assertEqual(list(sent["errors"]), ["reason"])


class AskNobody(AskCase):
    options = {}  # policies for programs only

    def test_without_a_policy_for_it_that_is_said(self):
        self.slash()
        self.wait_for("ephemeral", to=RITA, contains="No policy takes requests from Slack")
        self.assertIsNone(self.shortcut(wait_modal=0)["modal"])
        self.wait_for("dm", to=RITA, contains="No policy takes requests from Slack")


if __name__ == "__main__":
    main()
