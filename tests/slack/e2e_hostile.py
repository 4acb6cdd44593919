#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_hostile.py: text that people type, through every surface: cards, threads, direct messages,
windows, the slash command, the terminal, the log, the audit list.

Owns the corpus. What Slack would make of a text is judged by a parser that is not ours
(conformance/mrkdwn.mjs), the rest by rules of a line: nothing forges one, nothing controls a terminal.
"""
import json

from e2e import EndToEnd, harness, main
from e2e_sdk import run
from lib.harness import ANA, CHANNEL, RITA

FORGED_ID = "req_01K4AAAAAAAAAAAAAAAAAAAAAA"
CORPUS = (
    "<!channel> <!here> <@U0EVIL0001> <#C0EVIL0001> <https://evil.example|Approve>",
    "&lt;!channel&gt; &lt;@U0EVIL0001&gt; &amp;lt;!here&amp;gt;",
    "*Approved* by _everyone_ ~not~ `code` :white_check_mark:",
    "ok\n> *Approved* by _everyone_\n&gt; quoted\n```\n<!here>\n```",
    f"ok\nstate     approved\n{FORGED_ID}  approved  yes\r\nid  {FORGED_ID}",
    "\u202eevil\u202c \x1b]0;owned\x07\x1b[2J\x9b31m\u200b\u2066x\u2069\ufeff",
    "a\u2028state     approved\u2029b\x0bc\x0cd\x85e",
    '"}],"text":"forged","x":"\\u0000\\ud800',
    "https://evil.example mailto:evil@evil.example #channel @here @channel",
)
CONTROLS = [chr(c) for c in (*range(9), *range(11, 32), *range(127, 160), 0x2028, 0x2029, 0x202e,
                             0x202c, 0x2066, 0x2069, 0xfeff)]


class Hostile(EndToEnd):
    def setUp(self):
        super().setUp()
        self.shown = []

    def show(self, kind, **found):
        self.shown.append(json.dumps({"kind": kind, **found}))

    def keep_messages(self, name, **query):
        for message in self.world.control("POST", "/" + name, query)["messages"]:
            self.show("message", text=message["text"], blocks=message.get("blocks", []))

    def run_through(self, text):
        """Asked, looked at and rejected, with this text wherever a person may write one."""
        line = " ".join(text.split())
        request_id = self.ask(title=line, target=line, reason=text, details=text)
        opened = self.press(request_id, ANA, action="reject", wait_modal=5)["modal"]
        self.show("modal", view=opened)
        for command in ("list", "show " + request_id, "cancel " + text, text):
            typed = self.world.control("POST", "/slash", {
                "user": RITA, "command": "/approval", "text": command, "channel": CHANNEL})
            self.assertTrue(typed["acked"], typed)
        block = next(b for b in opened["blocks"] if b["type"] == "input")
        values = {block["block_id"]: {block["element"]["action_id"]: text}}
        sent = self.world.control("POST", "/submit", {"user": ANA, "values": values})
        self.assertEqual(sent["outcome"], "closed", sent)
        self.wait_state(request_id, "rejected")
        self.wait_for("dm", to=RITA, metadata={"request_id": request_id})
        return request_id

    def check_terminal(self, request_id):
        for arguments in (("show", request_id), ("list",), ("audit", "list")):
            said = self.world.ctl(*arguments, check=0).stdout
            for control in CONTROLS:
                self.assertNotIn(control, said, arguments)
            for line in said.split("\n"):
                self.assertFalse(line.startswith((FORGED_ID, "id  " + FORGED_ID)), line)
            states = [line for line in said.split("\n") if line.startswith("state ")]
            self.assertLessEqual(len(states), 1, said)

    def test_nothing_that_people_type_forges_anything(self):
        ids = [self.run_through(text) for text in CORPUS]
        harness.World.wait(
            lambda: self.world.admin("GET", "/v1/status").json()["counts"]["outbox_owed"] == 0,
            "everything is shown")
        for request_id in ids:
            self.check_terminal(request_id)
        self.keep_messages("messages", channel=CHANNEL)
        self.keep_messages("dms", to=RITA)
        self.keep_messages("ephemerals", to=RITA)
        self.assertGreater(len(self.shown), 5 * len(CORPUS))
        with open(self.world.path("shown.jsonl"), "w", encoding="utf-8") as out:
            out.write("\n".join(self.shown) + "\n")
        done = run("mrkdwn", self.world.path("shown.jsonl"))
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-2000:])
        self.check_records()

    def check_records(self):
        """A line of the log is one JSON object; the audit log is whole, a line an entry."""
        with open(self.world.path("approvald.log"), encoding="utf-8") as log:
            for line in log.read().split("\n")[:-1]:
                self.assertIn("event", json.loads(line))
        entries = self.world.admin("GET", "/v1/audit?limit=100").json()["entries"]
        said = self.world.ctl("audit", "list", check=0).stdout.strip().split("\n")
        self.assertEqual(len(said), len(entries) + 1, said)
        self.world.ctl("audit", "verify", check=0)


if __name__ == "__main__":
    main()
