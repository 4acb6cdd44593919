#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_flow.py: one approval from question to answer, through approvalctl, the API and Slack.

Owns nothing but its cases; the World is e2e.py's. Never sleeps for luck: it waits for what it
expects to see.
"""
import json
import subprocess
import time

from e2e import EndToEnd, harness, main
from lib.harness import ANA, BEN, CHANNEL, RITA
from lib.stalls import Stalls


class Flow(EndToEnd):
    def test_an_approval_from_the_command_line_to_the_updated_card(self):
        made = self.world.ctl("request", "--policy", "prod-deploy", "--title", "Deploy api 4.2.1",
                              "--reason", "fixes login", "--target", "prod-eu", "--requester", RITA,
                              "--json", token_file=self.token_file, check=0)
        request_id = json.loads(made.stdout)["id"]
        card = self.card(request_id)
        self.assertEqual(sorted(self.buttons(card)), ["approve", "reject"])
        self.assertIn("Deploy api 4.2.1", card["text"])
        pressed = self.press(request_id, ANA)
        self.assertEqual(pressed["status"], 200)
        self.world.ctl("wait", request_id, token_file=self.token_file, check=0)
        after = self.card(request_id, contains="Approved")
        self.assertEqual(after["ts"], card["ts"], "updated in place")
        self.assertEqual(self.buttons(after), [], "a decided card has no buttons")
        self.assertIn(ANA, json.dumps(after["blocks"]))
        self.wait_for("message", channel=CHANNEL, thread_ts=card["ts"], contains=ANA)
        self.wait_for("dm", to=RITA, contains="Deploy api 4.2.1")

    def test_a_rejection_asks_for_the_reason_in_a_modal_and_shows_it(self):
        request_id = self.ask(title="Drop the table")
        pressed = self.press(request_id, BEN, "reject", wait_modal=5)
        self.assertEqual(pressed["status"], 200)
        modal = self.wait_for("modal", to=BEN)[0]
        inputs = [b for b in modal["view"]["blocks"] if b["type"] == "input"]
        self.assertEqual(len(inputs), 1)
        values = {inputs[0]["block_id"]: {inputs[0]["element"]["action_id"]: "not on a Friday"}}
        self.world.control("POST", "/submit", {"user": BEN, "values": values})
        found = self.wait_state(request_id, "rejected")
        self.assertEqual(found["decisions"][0]["reason"], "not on a Friday")
        self.card(request_id, contains="not on a Friday")
        done = self.world.ctl("wait", request_id, token_file=self.token_file)
        self.assertEqual(done.returncode, 110, done)

    def test_two_distinct_people_are_two_and_one_person_is_one(self):
        request_id = self.ask(policy="two-people")
        self.press(request_id, ANA)
        self.card(request_id, contains="1 of 2")
        self.press(request_id, ANA)
        self.wait_for("ephemeral", to=ANA, contains="already decided")
        self.assertEqual(self.get(request_id)["state"], "pending")
        self.press(request_id, BEN)
        found = self.wait_state(request_id, "approved")
        self.assertEqual([d["user"] for d in found["decisions"]], [ANA, BEN])

    def test_a_claim_serves_once_and_is_consumed_with_the_result(self):
        request_id = self.ask(bind_hash="ab" * 32)
        early = self.world.api("POST", f"/v1/requests/{request_id}/claim",
                               {"bind_hash": "ab" * 32}, self.token)
        self.assertEqual((early.status, early.json()["refusal"]), (409, "not_approved"))
        self.press(request_id, ANA)
        self.wait_state(request_id, "approved")
        claim = f"/v1/requests/{request_id}/claim"
        wrong = self.world.api("POST", claim, {"bind_hash": "cd" * 32}, self.token)
        self.assertEqual((wrong.status, wrong.json()["refusal"]), (409, "wrong_hash"))
        first = self.world.api("POST", claim, {"bind_hash": "ab" * 32}, self.token)
        self.assertEqual((first.status, first.json()["use"]), (200, "claimed"))
        second = self.world.api("POST", claim, {"bind_hash": "ab" * 32}, self.token)
        self.assertEqual((second.status, second.json()["refusal"]), (409, "claimed"))
        done = self.world.api("POST", f"/v1/requests/{request_id}/consume", {"result": 7},
                              self.token)
        self.assertEqual((done.status, done.json()["use"]), (200, "consumed"))
        self.assertEqual(self.get(request_id)["result"], 7)

    def test_run_executes_the_approved_command_and_passes_its_exit_code(self):
        run = subprocess.Popen(
            [self.world.build + "/approvald/ctl/approvalctl", "run", "--url",
             f"http://127.0.0.1:{self.world.port}", "--token-file", self.token_file,
             "--policy", "prod-deploy", "--title", "Run it", "--", "sh", "-c", "echo ran; exit 3"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        card = self.wait_for("message", channel=CHANNEL, contains="Run it")[0]
        self.assertIn("echo ran", json.dumps(card["blocks"]), "the card shows what will run")
        self.assertIsNone(run.poll(), "nothing runs before the approval")
        self.world.control("POST", "/press", {"user": ANA, "action_id": "approve",
                                              "channel": CHANNEL, "ts": card["ts"]})
        out, err = run.communicate(timeout=60)
        self.assertEqual((run.returncode, out), (3, "ran\n"), err)
        found = self.get(card["metadata"]["event_payload"]["request_id"])
        self.assertEqual((found["use"], found["result"]), ("consumed", 3))

    def test_the_same_key_is_the_same_request_and_another_body_a_conflict(self):
        first = self.world.create(self.token, key="k1", title="One")
        again = self.world.create(self.token, key="k1", title="One")
        other = self.world.create(self.token, key="k1", title="Two")
        self.assertEqual(first.json()["id"], again.json()["id"])
        self.assertEqual((other.status, other.json()["refusal"]), (409, "key_reused"))

    def test_an_expired_request_says_so_everywhere(self):
        request_id = self.ask(title="Too late", expires_in_s=5)
        card = self.card(request_id)
        self.wait_state(request_id, "expired")
        self.card(request_id, contains="xpired")
        self.world.slack(harness.press(request_id, ANA, ts=card["ts"]))
        self.wait_for("ephemeral", to=ANA, contains="expired")
        done = self.world.ctl("wait", request_id, token_file=self.token_file)
        self.assertEqual(done.returncode, 111)

    def test_cancelling_ends_it_and_a_later_press_changes_nothing(self):
        request_id = self.ask(title="Never mind")
        card = self.card(request_id)
        self.world.ctl("cancel", request_id, token_file=self.token_file, check=0)
        self.card(request_id, contains="ancelled")
        self.world.slack(harness.press(request_id, ANA, ts=card["ts"]))
        self.assertEqual(self.get(request_id)["state"], "cancelled")
        self.wait_for("ephemeral", to=ANA, contains="already decided")

    def test_a_token_of_a_person_decides_as_that_person(self):
        request_id = self.ask(policy="two-people")
        secret = self.world.token("ana-cli", scopes=["decide", "read"], user=ANA)
        self.world.secret_file("ana", secret)
        self.world.ctl("approve", request_id, token_file=self.world.path("ana"), check=0)
        harness.World.wait(lambda: self.get(request_id)["decisions"], "the members are known")
        self.press(request_id, ANA)
        self.wait_for("ephemeral", to=ANA, contains="already decided")
        found = self.get(request_id)
        self.assertEqual([d["user"] for d in found["decisions"]], [ANA])
        self.world.ctl("approve", request_id, token_file=self.token_file, check=115)

    def test_a_long_poll_ends_within_moments_of_the_press(self):
        request_id = self.ask()
        wait = subprocess.Popen(
            [self.world.build + "/approvald/ctl/approvalctl", "wait", "--url",
             f"http://127.0.0.1:{self.world.port}", "--token-file", self.token_file,
             request_id], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.press(request_id, ANA)
        with Stalls() as stalls:
            began = time.monotonic()
            self.assertEqual(wait.wait(60), 0)
            took_s = time.monotonic() - began
        wait.communicate()
        self.assertLess(took_s, 2 + stalls.total_s)

    def test_the_slash_command_shows_and_helps(self):
        request_id = self.ask(title="Show me <!channel> & all")
        helped = self.world.control("POST", "/slash", {
            "user": RITA, "command": "/approval", "text": "help", "channel": CHANNEL})
        self.assertEqual(helped["status"], 200)
        self.wait_for("ephemeral", to=RITA, contains="`list`")
        shown = self.world.control("POST", "/slash", {
            "user": RITA, "command": "/approval", "text": "show " + request_id,
            "channel": CHANNEL})
        self.assertEqual(shown["status"], 200)
        said = self.wait_for("ephemeral", to=RITA, contains="Show me")[0]
        self.assertNotIn("<!channel>", json.dumps(said))


if __name__ == "__main__":
    main()
