#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_windows.py: windows of time and change freezes, in Slack, through the API and with approvalctl.

Owns nothing but its cases; the World is e2e.py's. Windows are shut for hours around the present one,
so that no hour that ends meanwhile matters.
"""
import json
import os
import re
import signal
import subprocess
import time

from e2e import EndToEnd, harness, main
from e2e_hostile import CONTROLS, CORPUS
from e2e_sdk import run
from lib.harness import ANA, CHANNEL, RITA

HOUR = time.gmtime().tm_hour
SHUT = f"daily {(HOUR + 3) % 24:02}:00-{(HOUR - 2) % 24:02}:00"
OPEN = f"daily {(HOUR - 2) % 24:02}:00-{(HOUR + 3) % 24:02}:00"
COMMON = f'channel = "{CHANNEL}" approvers = {{"{ANA}"}}'
POLICY = f"""
policy shut {{ {COMMON} windows = {{"{SHUT}"}} time_zone = "UTC" break_glass = {{"{RITA}"}} }}
policy open {{ {COMMON} windows = {{"{OPEN}"}} break_glass = {{"{RITA}"}} }}
policy strict {{ {COMMON} windows = {{"{SHUT}"}} outside_windows = refuse }}
policy zoned {{ {COMMON} windows = {{"mon-sun 00:00-24:00"}} time_zone = "Europe/Berlin" }}
"""


class Windows(EndToEnd):
    options = {"policy": POLICY}

    def claim(self, request_id):
        answer = self.world.api("POST", f"/v1/requests/{request_id}/claim", {}, self.token)
        return answer.status, answer.json()

    def approved(self, **fields):
        request_id = self.ask(**fields)
        self.press(request_id, ANA)
        self.wait_state(request_id, "approved")
        return request_id

    def freeze(self, name, *more):
        self.world.ctl("freeze", "add", name, "--reason", "stocktaking", *more, check=0)
        self.addCleanup(self.world.ctl, "freeze", "remove", name)

    def test_outside_the_windows_it_is_decided_and_its_claim_waits(self):
        request_id = self.approved(policy="shut", title="Too early")
        card = self.card(request_id, contains="Outside the policy's time windows")
        self.assertIn("it can be used from", card["text"])
        status, problem = self.claim(request_id)
        self.assertEqual((status, problem["refusal"]), (409, "outside_windows"), problem)
        opens = f"T{(HOUR + 3) % 24:02}:00:00Z"
        self.assertIn(opens, problem["detail"])
        found = self.get(request_id)
        self.assertEqual((found["use"], found["held"]["freeze"]), ("unused", None))
        self.assertTrue(found["held"]["until"].endswith(opens), found["held"])
        self.assertIn("held until", self.world.ctl("show", request_id, check=0).stdout)
        shown = json.dumps(self.card(self.ask(policy="shut"))["blocks"])
        self.assertIn(f"Only {SHUT} (UTC).", re.sub(r"\\u[0-9a-f]{4}", "", shown))

    def test_inside_them_nothing_is_in_the_way(self):
        for policy in ("open", "zoned"):
            status, found = self.claim(self.approved(policy=policy))
            self.assertEqual((status, found["use"], found["held"]), (200, "claimed", None))

    def test_a_policy_may_refuse_to_be_asked(self):
        answer = self.world.create(self.token, policy="strict")
        self.assertEqual((answer.status, answer.json()["refusal"]), (409, "outside_windows"))
        self.assertIn("It opens", answer.json()["detail"])

    def test_a_window_that_never_opens_is_refused(self):
        for window, zone in (("mon 09:00-09:00", "UTC"), ("daily 09:00-10:00", "Nowhere/At_All"),
                             ("daily 09:00-10:00", "../../../etc/localtime")):
            text = f'policy bad {{ {COMMON} windows = {{"{window}"}} time_zone = "{zone}" }}'
            answer = self.world.admin("PUT", "/v1/policies", text.encode(),
                                      {"Content-Type": "text/plain"})
            self.assertEqual(answer.status, 400, answer.body)

    def test_a_freeze_between_approval_and_claim_counts_and_survives_a_crash(self):
        request_id = self.approved(policy="open", title="Frozen")
        self.freeze("x-mas", "--for", "2h")
        self.world.daemon.kill()
        self.world.start()
        status, problem = self.claim(request_id)
        self.assertEqual((status, problem["refusal"]), (409, "frozen"), problem)
        self.assertIn("change freeze x-mas holds", problem["detail"])
        self.card(request_id, contains="Change freeze x-mas (stocktaking)")
        listed = self.world.ctl("freeze", "list", check=0).stdout
        self.assertRegex(listed, r"x-mas\s+holds")
        tested = self.world.ctl("policy", "test", "open", check=0).stdout
        self.assertIn("change freeze x-mas", tested)
        self.world.ctl("freeze", "remove", "x-mas", check=0)
        self.assertEqual(self.claim(request_id)[0], 200)
        self.card(request_id, contains="Approved and claimed")

    def test_cards_say_so_when_a_freeze_is_added_and_removed(self):
        request_id = self.approved(policy="open", title="Look at me")
        self.card(request_id, contains="Not used yet")
        self.freeze("sudden", "--for", "2h")
        card = self.card(request_id, contains="Change freeze sudden")
        self.assertEqual(self.get(request_id)["held"]["freeze"], "sudden")
        self.world.ctl("freeze", "remove", "sudden", check=0)
        harness.World.wait(
            lambda: "sudden" not in json.dumps(self.card(request_id)["blocks"]),
            "the card says that nothing is in the way")
        self.assertEqual(self.card(request_id)["ts"], card["ts"])
        self.assertIsNone(self.get(request_id)["held"])
        self.assertNotIn("freeze", self.world.ctl("show", request_id, check=0).stdout)

    def test_who_breaks_the_glass_passes_what_lets_him(self):
        token = self.world.token("rita-windows", scopes=["decide"], user=RITA)
        self.freeze("soft", "--for", "2h")
        request_id = self.ask(policy="shut", title="Emergency")
        broken = self.world.api("POST", f"/v1/requests/{request_id}/decisions",
                                {"verdict": "break_glass", "reason": "down"}, token)
        self.assertIn(broken.status, (200, 202), broken.body)
        self.assertIsNone(self.wait_state(request_id, "approved")["held"])
        self.freeze("hard", "--for", "2h", "--all")
        self.assertEqual(self.claim(request_id)[1]["refusal"], "frozen")
        self.world.ctl("freeze", "remove", "hard", check=0)
        self.assertEqual(self.claim(request_id)[0], 200)

    def test_run_waits_until_it_may_go_on(self):
        self.freeze("short", "--for", "6s")
        began = time.monotonic()
        with subprocess.Popen(
                [os.path.join(self.world.build, "approvald/ctl/approvalctl"), "run", "--url",
                 f"http://127.0.0.1:{self.world.port}", "--token-file", self.token_file, "--policy",
                 "open", "--title", "Wait for it", "--", "echo", "it", "ran"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as job:
            found = self.wait_for("message", channel=CHANNEL, contains="Wait for it")
            self.press(found[0]["metadata"]["event_payload"]["request_id"], ANA)
            out, said = job.communicate(timeout=60)
        self.assertEqual((job.returncode, out), (0, "it ran\n"), said)
        self.assertIn("change freeze short holds", said)
        self.assertGreater(time.monotonic() - began, 4)

    def test_who_interrupts_run_while_it_waits_runs_nothing(self):
        self.freeze("long", "--for", "1h")
        with subprocess.Popen(
                [os.path.join(self.world.build, "approvald/ctl/approvalctl"), "run", "--url",
                 f"http://127.0.0.1:{self.world.port}", "--token-file", self.token_file, "--policy",
                 "open", "--title", "Never mind", "--", "echo", "it", "ran"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as job:
            found = self.wait_for("message", channel=CHANNEL, contains="Never mind")
            request_id = found[0]["metadata"]["event_payload"]["request_id"]
            self.press(request_id, ANA)
            self.wait_state(request_id, "approved")
            for said in job.stderr:  # ends with the program at the latest
                if "holds" in said:
                    break
            job.send_signal(signal.SIGINT)
            out, said = job.communicate(timeout=30)
        # Between two naps a signal simply ends it.
        self.assertIn(job.returncode, (128 + signal.SIGINT, -signal.SIGINT), said)
        self.assertEqual(out, "")
        self.assertEqual(self.get(request_id)["use"], "unused")

    def test_a_freeze_is_written_in_times_that_make_sense(self):
        good = {"name": "later", "from": "2099-12-24T18:00:00Z", "to": "2100-01-02T07:00:00Z",
                "reason": "holidays"}
        bad = ({"reason": ""}, {"name": "No Name"}, {"to": "2099-12-24T17:00:00Z"},
               {"to": "2101-01-02T07:00:00Z"}, {"to": "2099-02-30T00:00:00Z", "from": None},
               {"to": "tomorrow"}, {"to": None}, {"for_s": 60}, {"to": None, "for_s": 0},
               {"reason": "x" * 201}, {"from": "2099-12-24 18:00:00"})
        for wrong in bad:
            answer = self.world.admin("POST", "/v1/freezes", {**good, **wrong})
            self.assertEqual(answer.status, 400, (wrong, answer.body))
        self.assertEqual(self.world.admin("POST", "/v1/freezes", good).status, 204)
        self.assertEqual(self.world.admin("POST", "/v1/freezes", good).status, 204, "the same")
        other = self.world.admin("POST", "/v1/freezes", {**good, "reason": "other"})
        self.assertEqual(other.status, 409)
        self.assertEqual(self.world.api("POST", "/v1/freezes", good, self.token).status, 405,
                         "root alone")
        found = self.world.api("GET", "/v1/freezes", token=self.token).json()["freezes"]
        self.assertEqual([(f["name"], f["state"], f["from"]) for f in found if f["name"] == "later"],
                         [("later", "to come", "2099-12-24T18:00:00Z")])
        self.assertEqual(self.world.admin("DELETE", "/v1/freezes/later").status, 204)
        self.assertEqual(self.world.admin("DELETE", "/v1/freezes/later").status, 404)

    def hostile_reasons(self):
        """All of the corpus, as many of them in one reason as it takes."""
        reasons = [""]
        for text in CORPUS:
            if reasons[-1] and len(reasons[-1]) + len(text) + 1 > 200:
                reasons.append("")
            reasons[-1] = (reasons[-1] + " " + text)[:200] if reasons[-1] else text[:200]
        return reasons

    def test_a_hostile_reason_forges_nothing(self):
        request_id = self.approved(policy="open", title="Hostile")
        shown = []
        for number, text in enumerate(self.hostile_reasons()):
            made = self.world.admin("POST", "/v1/freezes", {
                "name": f"h{number}", "for_s": 7200, "reason": text})
            self.assertEqual(made.status, 204, made.body)
            self.assertEqual(self.claim(request_id)[1]["refusal"], "frozen")
            said = self.world.ctl("freeze", "list", check=0).stdout
            for control in CONTROLS:
                self.assertNotIn(control, said)
            shown.append(self.card(request_id, contains=f"Change freeze h{number} "))
            self.assertEqual(self.world.admin("DELETE", f"/v1/freezes/h{number}").status, 204)
        with open(self.world.path("shown.jsonl"), "w", encoding="utf-8") as out:
            for message in shown:
                out.write(json.dumps({"kind": "message", "text": message["text"],
                                      "blocks": message.get("blocks", [])}) + "\n")
        done = run("mrkdwn", self.world.path("shown.jsonl"))
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-2000:])


if __name__ == "__main__":
    main()
