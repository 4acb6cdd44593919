#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_waiting.py: what was acknowledged before an end counts before it, though Slack says only
later who pressed: a stop, an approval near the expiry, over a kill of approvald as well.

Owns nothing but its cases; the World is e2e.py's. Slack's answer is held back until the end is
past, and the test waits for what it expects to see.
"""
import time

from e2e import EndToEnd, harness, main
from lib.harness import ANA, BEN, CHANNEL

POLICY = f"""
policy careful {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}"}}
    takes_effect_after = 4s
}}
policy brief {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}"}}
    expires_after = 5s
}}
"""
LATE_S = 6


class Waiting(EndToEnd):
    options = {"policy": POLICY}

    def setUp(self):
        super().setUp()
        harness.World.wait(
            lambda: self.world.admin("GET", "/v1/status").json()["counts"]["inbox"] == 0,
            "nobody waits from the test before", 30)
        self.world.daemon.kill()  # forget who people are
        self.world.start()

    def hold_back(self):
        self.world.control("POST", "/fault", {
            "method": "users.info", "kind": "delay", "seconds": LATE_S, "count": 0})

    def actions(self, request_id):
        answer = self.world.admin("GET", f"/v1/audit?request={request_id}&limit=100")
        self.assertEqual(answer.status, 200, answer.body)
        return [entry["action"] for entry in answer.json()["entries"]]

    def wait_past(self, request_id, field):
        """Until the time is over by a second, and the request's state then."""
        end = harness.World.wait(lambda: self.get(request_id)[field], field)
        end_s = time.mktime(time.strptime(end[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
        harness.World.wait(lambda: time.time() > end_s + 1, "the time is over")
        return self.get(request_id)["state"]

    def press_unknown(self, request_id, user, action):
        harness.World.wait(lambda: action in self.buttons(self.card(request_id)), f"it can be pressed: {action}")
        self.hold_back()
        pressed = self.press(request_id, user, action=action)
        self.assertEqual(pressed["status"], 200)
        self.assertIn("deferred", self.actions(request_id))

    def delayed(self, title):
        request_id = self.ask(policy="careful", title=title)
        self.press(request_id, ANA)
        self.card(request_id, contains="Takes effect")
        return request_id

    def test_a_stop_in_time_stops_it_though_slack_says_later_who_it_was(self):
        request_id = self.delayed("Stop me in time")
        self.press_unknown(request_id, BEN, "stop")
        self.assertEqual(self.wait_past(request_id, "takes_effect_at"), "pending")
        self.wait_state(request_id, "rejected")
        self.assertNotIn("approved", self.actions(request_id))
        self.card(request_id, contains="Stopped by")

    def test_an_approval_in_time_counts_though_slack_says_later_who_it_was(self):
        request_id = self.ask(policy="brief", title="Just in time")
        self.press_unknown(request_id, BEN, "approve")
        self.assertEqual(self.wait_past(request_id, "expires_at"), "pending")
        self.wait_state(request_id, "approved")
        self.assertNotIn("expired", self.actions(request_id))

    def test_a_kill_takes_no_stop_away(self):
        request_id = self.delayed("Kill me while I wait")
        self.press_unknown(request_id, BEN, "stop")
        self.world.daemon.kill()
        self.world.start()
        self.assertEqual(self.wait_past(request_id, "takes_effect_at"), "pending")
        self.wait_state(request_id, "rejected")
        self.assertNotIn("approved", self.actions(request_id))

    def test_who_may_not_stop_it_only_delays_it(self):
        request_id = self.delayed("A stranger presses")
        self.press_unknown(request_id, "U0GUEST001", "stop")
        self.wait_state(request_id, "approved")
        self.assertEqual(self.actions(request_id).count("approved"), 1)


if __name__ == "__main__":
    main()
