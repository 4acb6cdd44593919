#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_command.py: /approval help, list, show, cancel as people type them, over HTTP and over a socket.

Owns nothing but its cases; the World is e2e.py's. Never builds a payload of its own.
"""
import json
import time

from e2e import main
from e2e_ask import GUEST, AskCase
from lib.harness import ANA, BEN, CHANNEL, RITA, World

GROUP = "S0APV00001"  # Ana and Ben are in it
NEWCOMER = "U0NEW00001"  # for the one case that wants somebody whom approvald does not know
HOSTILE = f"<!channel> <@{BEN}> `x` *Approved* <https://evil.example|here>\u202e"
POLICY = f"""
policy deploy {{
    title = "Deploy"
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{GUEST}", "{NEWCOMER}"}}
    ask_in_slack = true
}}
policy silent {{ approvers = {{"{ANA}"}} }}
policy grouped {{
    channel = "{CHANNEL}"
    approvers = {{"{GROUP}"}}
}}
policy apart {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}"}}
    exclude_requester_groups = {{"{GROUP}"}}
}}
"""
NOTHING = "There is no such request that you asked for or may decide."


class Command(AskCase):
    options = {"policy": POLICY}

    def typed(self, text, user=RITA):
        """The text of the answer, which nobody else sees."""
        typed = self.slash(user, text=text)
        self.assertEqual(typed["status"], 200, typed)
        answer = json.loads(typed["answer"])
        self.assertEqual(answer["response_type"], "ephemeral")
        return answer["text"]

    def create(self, title, **more):
        return self.ask(**{"policy": "deploy", "title": title, **more})

    def told(self, user, contains):
        found = self.world.control("POST", "/ephemerals", {"to": user, "contains": contains})
        return found["messages"]

    def test_help_for_help_for_nothing_and_for_what_is_unknown(self):
        for text in ("help", "", "   ", "approve everything", HOSTILE, "x" * 3000):
            said = self.typed(text)
            for word in ("`request`", "`list`", "`show ID`", "`cancel ID`"):
                self.assertIn(word, said)
            self.assertNotIn("evil", said)

    def test_details_are_whole_in_a_window_and_in_show(self):
        lines = [f"step {number:02d} <!channel> of what will run" for number in range(60)]
        made = self.create("Long", details="\n".join(lines), bind_hash="ab" * 32)
        card = self.card(made)
        text = json.dumps(card["blocks"])
        self.assertIn(lines[7], text)
        self.assertNotIn(lines[8], text)
        self.assertIn("*52 more lines* under Details.", text)
        self.assertEqual(self.buttons(card), ["approve", "reject", "details"])
        pressed = self.world.control("POST", "/press", {"user": BEN, "action_id": "details", "channel": CHANNEL,
                                                        "ts": card["ts"], "wait_modal": 5})
        self.assertEqual((pressed["status"], pressed["answer"]), (200, ""))
        self.assertIn("\\n".join(lines), json.dumps(pressed["modal"]["blocks"]))
        self.assertEqual(self.get(made)["decisions"], [])
        said = self.typed("show " + made)
        for shown in (text, json.dumps(pressed["modal"]["blocks"]), said):
            self.assertIn("abab-abab", shown)
        for line in (lines[0], lines[59]):
            self.assertIn(line.replace("<!channel>", "&lt;!channel&gt;"), said)

    def test_list_shows_ones_own_that_wait(self):
        self.assertIn("None of your requests", self.typed("list", BEN))
        mine = self.create("Mine " + HOSTILE)
        other = self.create("Somebody else's", requester=ANA)
        done = self.create("Decided")
        self.press(done, ANA)
        self.wait_state(done, "approved")
        said = self.typed("list")
        self.assertIn(mine, said)
        self.assertIn("Mine &lt;!channel&gt;", said)
        self.assertNotIn(other, said)
        self.assertNotIn(done, said)
        for mark in ("<!channel>", f"<@{BEN}>", "<https://evil", "\u202e"):
            self.assertNotIn(mark, said)
        for number in range(12):
            self.create(f"Many {number}", requester=BEN, policy="silent")
        said = self.typed("list", BEN)
        self.assertEqual(said.count("req_"), 10)
        self.assertIn("There may be more", said)

    def test_show_to_whom_it_concerns_and_to_nobody_else(self):
        request_id = self.create("Shown " + HOSTILE, reason="why " + HOSTILE)
        self.world.control("POST", "/add_user", {"id": NEWCOMER, "name": "nora",
                                                 "channels": [CHANNEL]})
        for user in (RITA, NEWCOMER):
            said = self.typed("show " + request_id, user)
            self.assertIn("Shown &lt;!channel&gt;", said)
            self.assertIn(f"asked by <@{RITA}>", said)
            for mark in ("<!channel>", f"<@{BEN}> ", "<https://evil"):
                self.assertNotIn(mark, said)
        self.assertEqual(self.typed("show " + request_id, BEN), NOTHING)
        self.assertEqual(self.typed("show req_00000000000000000000000000", BEN), NOTHING)
        grouped = self.create("Of a group", policy="grouped")
        self.assertIn("Of a group", self.typed("show " + grouped, BEN))
        apart = self.create("Of another team", policy="apart")  # Rita is not in Ana's group
        self.assertIn("Of another team", self.typed("show " + apart, ANA))
        apart = self.create("Of one's own team", policy="apart", requester=BEN)
        self.assertEqual(self.typed("show " + apart, ANA), NOTHING)
        self.assertIn("Which one?", self.typed("show"))
        self.assertIn("Which one?", self.typed("show " + HOSTILE))
        self.assertIn("is pending", self.typed(f"show `{request_id}`"), "copied with its marks")
        self.press(request_id, ANA)
        self.wait_state(request_id, "approved")
        self.assertIn(f"Approved by <@{ANA}>", self.typed("show " + request_id))

    def test_cancel_ones_own_and_nobody_elses(self):
        request_id = self.create("To cancel")
        said = self.typed("cancel " + request_id, ANA)
        self.assertIn("Only the asker", said)
        self.assertEqual(self.get(request_id)["state"], "pending")
        audit = self.world.admin("GET", f"/v1/audit?request={request_id}").json()["entries"]
        self.assertEqual([(e["action"], e["actor"], e["detail"]) for e in audit][-1],
                         ("refused", "user:" + ANA, "cancel: not_asker"))
        self.assertEqual(self.typed("cancel " + request_id), "The request is cancelled.")
        self.wait_state(request_id, "cancelled")
        self.card(request_id, contains="Cancelled")
        self.assertEqual(self.typed("cancel " + request_id), "The request is cancelled.",
                         "once more is no failure")
        ended = self.create("Decided before")
        self.press(ended, ANA)
        self.wait_state(ended, "approved")
        self.assertIn("already decided", self.typed("cancel " + ended))
        self.assertIn("not known here", self.typed("cancel req_00000000000000000000000000"))
        self.assertIn("Which one?", self.typed("cancel everything"))

    def test_a_refusal_is_said_once(self):
        request_id = self.create("Said once")
        before = len(self.told(ANA, "Only the asker of this request"))
        self.typed("cancel " + request_id, ANA)
        rejected = self.press(request_id, BEN)  # a notice that is owed comes behind it
        self.assertTrue(rejected["acked"], rejected)
        self.wait_for("ephemeral", to=BEN, contains="You are not among")
        self.assertEqual(len(self.told(ANA, "Only the asker of this request")), before + 1)


class CommandOverSocket(Command):
    options = {"policy": POLICY, "socket_mode": True}

    def again(self, typed):
        """The same command in another second and another envelope, as after a lost acknowledgement."""
        deliveries = self.world.control("POST", "/deliveries", {})["deliveries"]
        payload = next(d["payload"] for d in deliveries if d["id"] == typed["delivery"])
        second = int(time.time())
        World.wait(lambda: int(time.time()) > second, "a second has passed")
        sent = self.world.control("POST", "/envelope", {
            "type": "slash_commands", "payload": payload, "takes_answer": True})
        self.assertTrue(sent["acked"], sent)
        return sent["answer"]

    def audited(self, detail):
        entries = self.world.admin("GET", "/v1/audit?limit=100").json()["entries"]
        return len([e for e in entries if e["detail"] == detail])

    def test_a_command_delivered_again_does_and_says_nothing_more(self):
        request_id = self.create("Delivered twice")
        before = self.audited("cancel: not_asker")
        refused = self.slash(ANA, text="cancel " + request_id)
        self.assertEqual(json.loads(self.again(refused)), json.loads(refused["answer"]))
        self.assertEqual(self.audited("cancel: not_asker"), before + 1)
        done = self.slash(RITA, text="cancel " + request_id)
        self.assertEqual(json.loads(self.again(done)), json.loads(done["answer"]))
        self.assertEqual(self.get(request_id)["revision"], 2)

    def test_who_may_not_ask_is_told_once_however_often_it_is_delivered(self):
        self.press(self.create("To know the guest"), GUEST)
        self.wait_for("ephemeral", to=GUEST, contains="Guests of this workspace")
        refused = self.slash(GUEST, text="request")
        World.wait(lambda: len(self.told(GUEST, "Guests of this workspace")) == 2, "he is told")
        self.again(refused)
        self.assertEqual(self.audited("ask: guest"), 1)
        self.assertEqual(len(self.told(GUEST, "Guests of this workspace")), 2)

    def test_a_form_is_opened_once_however_often_it_is_delivered(self):
        self.world.control("POST", "/push_fault", {"method": "slash_command", "kind": "twice"})
        opened = self.slash(RITA, wait_modal=5)
        self.assertEqual(opened["modal"]["callback_id"], "ask")
        self.assertEqual(len(self.world.control("POST", "/modals", {"to": RITA})["modals"]), 1)
        self.assertEqual(self.told(RITA, "took too long") + self.told(RITA, "could not be opened"),
                         [])


if __name__ == "__main__":
    main()
