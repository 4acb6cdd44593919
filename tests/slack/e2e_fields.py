#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_fields.py: a policy's own fields, from its text to the card: over the API, with approvalctl and
in the form of Slack.

Owns nothing but its cases; the World is e2e.py's. Never builds a payload of its own: the stand-in's
people open, fill in and submit what approvald shows them.
"""
import json

from e2e import main
from e2e_ask import AskCase
from lib.harness import ANA, BEN, CHANNEL, RITA, World

POLICY = f"""
policy deploy {{
    title = "Deploy to production"
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}"}}
    ask_in_slack = true
    fields = {{"environment", "ticket", "hosts", "due"}}
}}
policy restart {{
    title = "Restart a service"
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}"}}
    ask_in_slack = true
}}
policy rotate {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}"}}
    ask_in_slack = true
    fields = {{"ticket"}}
}}
field environment {{
    label = "Environment"
    kind = select
    options = {{"eu-1", "eu-2 <!channel>"}}
    required = true
    hint = "Where it goes"
}}
field ticket {{ label = "Change *ticket*" min = "3" max = "20" placeholder = "OPS-1234" }}
field hosts {{ label = "Hosts" kind = number min = "1" max = "12" }}
field due {{ label = "Not before" kind = date }}
"""


class FieldsCase(AskCase):
    options = {"policy": POLICY}


class Programs(FieldsCase):
    def create(self, fields, **more):
        return self.world.create(self.token, policy="deploy", fields=fields, **more)

    def test_values_go_from_the_api_to_the_card(self):
        made = self.create({"hosts": "3", "environment": "eu-2 <!channel>", "ticket": " "})
        self.assertEqual(made.status, 201, made.body)
        request = made.json()
        self.assertEqual(request["fields"], {"environment": "eu-2 <!channel>", "hosts": "3"})
        self.assertEqual(list(request["fields"]), ["environment", "hosts"])
        card = json.dumps(self.card(request["id"]))
        self.assertIn("*Environment*\\neu-2 &lt;!channel&gt;", card)
        self.assertIn("*Hosts*\\n3", card)
        self.assertNotIn("<!channel>", card)
        self.press(request["id"], ANA)
        self.assertEqual(self.wait_state(request["id"], "approved")["fields"], request["fields"])

    def test_what_does_not_fit_is_named(self):
        for fields, detail in (
                ({}, "fields.environment: must not be empty"),
                ({"environment": "moon"},
                 'fields.environment: choose one of the list; "moon" is not in it'),
                ({"environment": "eu-1", "hosts": "13"}, "fields.hosts: has to be from 1 to 12"),
                ({"environment": "eu-1", "hosts": 3}, "fields.hosts: has to be a text"),
                ({"environment": "eu-1", "ticket": "x"}, "fields.ticket: at least 3 characters"),
                ({"environment": "eu-1", "due": "soon"},
                 "fields.due: has to be a date such as 2026-01-31"),
                ({"environment": "eu-1", "colour": "red"},
                 "fields.colour: the policy has no such field"),
                ({"environment": "eu-1", "x" * 5000: "red"}, None),
                ({str(n): "" for n in range(7)}, "fields: has to be an object of at most 6 texts"),
                (["environment"], "fields: has to be an object of at most 6 texts")):
            answer = self.create(fields)
            self.assertEqual(answer.status, 400, answer.body)
            if detail:
                self.assertEqual(answer.json()["detail"], detail)

    def test_the_same_key_with_another_value_is_another_body(self):
        first = self.create({"environment": "eu-1"}, key="fields-1")
        again = self.create({"environment": "eu-1"}, key="fields-1")
        other = self.create({"environment": "eu-2 <!channel>"}, key="fields-1")
        self.assertEqual((first.status, again.status, other.status), (201, 200, 409))
        self.assertEqual(first.json()["id"], again.json()["id"])

    def test_approvalctl_asks_with_them_and_shows_them(self):
        asked = ["request", "--policy", "deploy", "--title", "Deploy", "--requester", RITA]
        request_id = self.world.ctl(*asked, "--field", "environment=eu-1", "--field", "hosts=2",
                                    "--field=ticket=A=B", check=0).stdout.strip()
        shown = self.world.ctl("show", request_id, check=0).stdout
        self.assertRegex(shown, r"(?m)^  environment   eu-1$")
        self.assertRegex(shown, r"(?m)^  hosts         2$")
        self.assertRegex(shown, r"(?m)^  ticket        A=B$")
        refused = self.world.ctl(*asked, "--field", "environment=moon")
        self.assertEqual(refused.returncode, 116)
        self.assertIn("fields.environment: choose one of the list", refused.stderr)
        for wrong in ("environment", "=eu-1", "x" * 100 + "=1"):
            self.assertEqual(self.world.ctl(*asked, "--field", wrong).returncode, 116)

    def test_the_policy_says_which_there_are(self):
        policies = self.world.admin("GET", "/v1/policies").json()["policies"]
        fields = {p["name"]: p["fields"] for p in policies}
        self.assertEqual(fields["restart"], [])
        self.assertEqual([f["name"] for f in fields["deploy"]],
                         ["environment", "ticket", "hosts", "due"])
        self.assertEqual(fields["deploy"][0], {
            "name": "environment", "label": "Environment", "kind": "select", "required": True,
            "min": 0, "max": 0, "options": ["eu-1", "eu-2 <!channel>"], "hint": "Where it goes",
            "placeholder": None})


class Form(FieldsCase):
    def blocks(self, modal):
        return {b["block_id"]: b for b in modal["blocks"]}

    def modal(self, user=RITA):
        return self.world.control("POST", "/modals", {"to": user})["modals"][-1]["view"]

    def choose(self, policy, **values):
        """The person chooses a policy in the open form; the form when it shows its fields."""
        pressed = self.world.control("POST", "/press", {
            "user": RITA, "action_id": "policy", "view_id": self.modal()["id"], "value": policy,
            "values": values})
        self.assertTrue(pressed["acked"], pressed)
        self.assertEqual((pressed["status"], pressed["answer"]), (200, ""))
        return World.wait(
            lambda: (lambda m: m if m["private_metadata"] == policy else None)(self.modal()),
            f"the form is {policy}'s")

    def test_the_form_shows_the_fields_of_the_policy_that_is_chosen(self):
        opened = self.shortcut()["modal"]
        self.assertFalse([b for b in self.blocks(opened) if b.startswith("fields.")])
        changed = self.choose("deploy", title="Typed before")
        self.assertEqual(list(self.blocks(changed))[:6], [
            "policy", "fields.environment", "fields.ticket", "fields.hosts", "fields.due", "title"])
        self.assertIn("Typed before", json.dumps(changed["state"]), "what was typed stays")
        element = self.blocks(changed)["fields.environment"]["element"]
        self.assertEqual([o["text"]["text"] for o in element["options"]],
                         ["eu-1", "eu-2 <!channel>"])
        self.assertEqual({b["element"]["type"] for n, b in self.blocks(changed).items()
                          if n.startswith("fields.")},
                         {"static_select", "plain_text_input", "number_input", "datepicker"})
        self.assertEqual(list(self.blocks(self.choose("rotate")))[:3],
                         ["policy", "fields.ticket", "title"])
        self.assertEqual(list(self.blocks(self.choose("restart")))[:2], ["policy", "title"])

    def test_what_a_message_began_the_form_with_stays(self):
        said = self.world.control("POST", "/say", {"user": BEN, "channel": CHANNEL,
                                                   "text": "please deploy"})
        self.world.control("POST", "/message_action", {
            "user": RITA, "channel": CHANNEL, "ts": said["ts"],
            "callback_id": "approval_from_message", "wait_modal": 5})
        details = self.blocks(self.choose("deploy"))["details"]["element"]
        self.assertIn("please deploy", details["initial_value"])
        self.submit(policy="deploy", title="From a message", **{"fields.environment": "eu-1"})
        self.assertIn("please deploy", self.one("From a message")["details"])

    def test_from_the_form_to_the_card(self):
        self.shortcut()
        self.choose("deploy")
        sent = self.submit(policy="deploy", title="Ship it", **{
            "fields.environment": "eu-2 <!channel>", "fields.ticket": "<@U0APR00002> & *co*",
            "fields.hosts": "3", "fields.due": "2026-01-31"})
        self.assertEqual(sent["outcome"], "updated", sent)
        made = self.one("Ship it")
        self.assertEqual(made["fields"], {
            "environment": "eu-2 <!channel>", "ticket": "<@U0APR00002> & *co*", "hosts": "3",
            "due": "2026-01-31"})
        card = self.card(made["id"])
        for text in self.mrkdwn(card["blocks"]) + [card["text"]]:
            for mark in ("<!channel>", "<@U0APR00002> ", "*ticket*", "*co*"):
                self.assertNotIn(mark, text)
        shown = self.slash(RITA, text="show " + made["id"])["answer"]
        self.assertIn("Environment: eu-2 &lt;!channel&gt;", shown)

    def test_what_is_wrong_is_said_at_the_field_and_what_was_typed_stays(self):
        self.shortcut()
        self.choose("deploy")
        good = {"policy": "deploy", "title": "Mended", "fields.environment": "eu-1"}
        sent = self.submit(**good, **{"fields.hosts": "13"})
        self.assertEqual((sent["outcome"], sent["errors"]),
                         ("errors", {"fields.hosts": "Has to be from 1 to 12."}))
        sent = self.submit(**good, **{"fields.hosts": "12"})
        self.assertEqual(sent["outcome"], "updated", sent)
        self.assertEqual(self.one("Mended")["fields"], {"environment": "eu-1", "hosts": "12"})

    def test_sent_before_the_form_had_changed(self):
        self.shortcut()
        self.world.control("POST", "/fault", {"method": "views.update", "kind": "error",
                                              "error": "internal_error", "count": 1})
        self.world.control("POST", "/press", {
            "user": RITA, "action_id": "policy", "view_id": self.modal()["id"], "value": "deploy"})
        sent = self.submit(policy="deploy", title="Too early")
        self.assertEqual(sent["outcome"], "errors", sent)
        self.assertIn("asks for other things", sent["errors"]["policy"])
        World.wait(lambda: self.modal()["private_metadata"] == "deploy", "the form is mended")
        sent = self.submit(**{"fields.environment": "eu-1"})
        self.assertEqual(sent["outcome"], "updated", sent)
        self.assertEqual(self.one("Too early")["fields"], {"environment": "eu-1"})

    def test_the_policy_changes_while_the_form_is_open(self):
        self.shortcut()
        self.choose("rotate")
        self.world.apply_policy(POLICY.replace('fields = {"ticket"}', 'fields = {"environment"}'))
        sent = self.submit(policy="rotate", title="Changed", **{"fields.ticket": "OPS-1"})
        self.assertIn("asks for other things", sent["errors"]["policy"])
        World.wait(lambda: "fields.environment" in self.blocks(self.modal()), "the form is mended")
        sent = self.submit(**{"fields.environment": "eu-1"})
        self.world.apply_policy(POLICY)
        self.assertEqual(sent["outcome"], "updated", sent)
        self.assertEqual(self.one("Changed")["fields"], {"environment": "eu-1"})


class FormOverSocket(Form):
    options = {"policy": POLICY, "socket_mode": True}


if __name__ == "__main__":
    main()
