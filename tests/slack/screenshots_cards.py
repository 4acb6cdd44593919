#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""screenshots_cards.py: pictures of every kind of card, thread, window and Home, as on a telephone,
to be looked at by a person.

Run by hand as screenshots.py, never by packaging/check. Owns one World whose policies have a bit of
everything, and the pictures that it writes into the folder given. Needs Debian's chromium and
chromium-driver.

    python3 tests/slack/screenshots_cards.py [FOLDER]
"""
import hashlib
import os
import sys
import tempfile
import time

import webdriver
from e2e import BUILD, harness
from e2e_step_up import KEY_FILE
from lib.harness import ANA, BEN, CHANNEL, RITA

LOUD = "C0GEN00001"
GUEST, DORA = "U0GUEST001", "U0DOR00001"
HOUR = time.gmtime().tm_hour
SHUT = f"mon-fri {(HOUR + 3) % 24:02}:00-{(HOUR + 5) % 24:02}:00"
BOTH = f'channel = "{CHANNEL}" approvers = {{"{ANA}", "{BEN}"}} quorum = 1'
POLICY = f"""
policy deploy {{ {BOTH} title = "Production deploy" self_approval = false }}
policy two {{ channel = "{CHANNEL}" approvers = {{"{ANA}", "{BEN}", "U0CAR00001"}} quorum = 2
    delegation = true title = "Database change" }}
policy soon {{ {BOTH} expires_after = 5s remind_before = 3s title = "Quick answer" }}
policy upwards {{ channel = "{CHANNEL}" approvers = {{"{ANA}"}} escalate_after = 2s
    escalate_to = {{"{BEN}", "{LOUD}"}} title = "Firewall" }}
policy careful {{ {BOTH} takes_effect_after = 1h title = "Delete customer data" }}
policy urgent {{ {BOTH} break_glass = {{"{RITA}"}} break_glass_tell = {{"{LOUD}", "{BEN}"}}
    step_up = true title = "Emergency change" }}
policy shut {{ {BOTH} windows = {{"{SHUT}"}} time_zone = "UTC" title = "Quiet hours" }}
policy groups {{ channel = "{CHANNEL}" title = "Two teams"
    needs = {{"security: 1 of {ANA}", "operations: 1 of {BEN} {DORA}"}} }}
"""
ASKS = {
    "deploy": {"title": "Deploy api 1.4.2 to production", "target": "eu-1, 12 hosts",
               "reason": "Fixes the login loop after password resets (incident 311)."},
    "two": {"title": "Drop the table sessions_2024", "target": "db-main",
            "reason": "Nobody has read it since March; the backup of last night is checked.",
            "details": "psql db-main -c 'DROP TABLE sessions_2024'"},
    "soon": {"title": "Restart the payment queue", "target": "queue-2",
             "reason": "Workers hang since 09:40."},
    "upwards": {"title": "Open port 5432 to the office network", "target": "fw-1",
                "reason": "Analysts want to query the replica."},
    "careful": {"title": "Delete the data of customer 4711", "reason": "Asked for by mail, OPS-88."},
    "urgent": {"title": "Fail over the database now", "reason": "The primary loses writes."},
    "shut": {"title": "Reboot the build hosts", "reason": "Kernel update."},
    "groups": {"title": "Rotate the root keys of cluster 3", "reason": "Yearly rotation."},
}
SCRIPT = "\n".join(f"ssh host-{number:02d} systemctl restart api" for number in range(1, 41))


class Story:
    """What happens in the world."""

    def __init__(self, world):
        self.world, self.token, self.cards = world, world.token("ci"), {}

    def ask(self, policy, **more):
        fields = {"policy": policy, "requester": RITA,
                  "bind_hash": hashlib.sha256(policy.encode()).hexdigest(), **ASKS[policy], **more}
        answer = self.world.api("POST", "/v1/requests", fields, self.token)
        assert answer.status == 201, answer.body
        self.shown(answer.json()["id"], "")
        return answer.json()["id"]

    def shown(self, request_id, text):
        found = self.world.control("POST", "/wait", {
            "kind": "message", "channel": CHANNEL, "metadata": {"request_id": request_id},
            "contains": text, "timeout": 20, **self.cards.get(request_id, {})})["found"]
        self.cards[request_id] = {"ts": found[0]["ts"]}
        return found[0]["ts"]

    def press(self, request_id, user, action="approve", **more):
        return self.world.control("POST", "/press", {
            "user": user, "action_id": action, "channel": CHANNEL,
            "ts": self.shown(request_id, ""), **more})

    def submit(self, user, **values):
        return self.world.control("POST", "/submit", {"user": user, "values": values})

    def close(self, user):
        self.world.control("POST", "/close", {"user": user, "how": "x"})


def take(world, folder, name, user, selector, words, size=(390, 844), place=CHANNEL):
    path = os.path.join(folder, name + ".png")
    with webdriver.Browser(*size) as browser:
        browser.open(f"http://127.0.0.1:{world.slack_port}/?user={user}&at={place}")
        browser.see(selector, words)
        browser.screenshot(path)
    print(path)


def take_card(world, folder, name, ts, place=CHANNEL, user=ANA):
    """The one message, as wide as a telephone."""
    path = os.path.join(folder, name + ".png")
    with webdriver.Browser(390, 1600) as browser:
        browser.open(f"http://127.0.0.1:{world.slack_port}/?user={user}&at={place}")
        browser.see(f'[data-ts="{ts}"]')
        browser.picture(f'[data-ts="{ts}"]', path)
    print(path)


def take_open(story, folder):
    """Cards that wait."""
    for policy in ("deploy", "two", "groups", "careful", "urgent", "shut"):
        made = story.ask(policy)
        take_card(story.world, folder, f"pending-{policy}", story.shown(made, ""))
    made = story.ask("deploy", details=SCRIPT, reason=" ".join([ASKS["deploy"]["reason"]] * 8))
    take_card(story.world, folder, "long", story.shown(made, ""))
    story.press(made, ANA, "details", wait_modal=5)
    take(story.world, folder, "window-details", ANA, "#modal-title", "")
    story.close(ANA)
    story.press(made, BEN)
    take_card(story.world, folder, "long-approved", story.shown(made, "Approved"))
    made = story.ask("two")
    story.press(made, ANA)
    take_card(story.world, folder, "partial", story.shown(made, "1 of 2"))
    made = story.ask("groups")
    story.press(made, ANA)
    take_card(story.world, folder, "partial-groups", story.shown(made, "Approved by"))
    made = story.ask("upwards")
    take_card(story.world, folder, "escalated", story.shown(made, f"<@{BEN}>"))


def take_ended(story, folder):
    """Cards that are decided, each way."""
    made = story.ask("deploy")
    story.press(made, ANA)
    take_card(story.world, folder, "approved", story.shown(made, "Approved"))
    made = story.ask("deploy")
    story.press(made, BEN, "reject", wait_modal=5)
    take(story.world, folder, "window-reject", BEN, "#modal-title", "")
    story.submit(BEN, reason="Use the read-only proxy instead; see the wiki.")
    take_card(story.world, folder, "rejected", story.shown(made, "Rejected"))
    made = story.ask("soon")
    take_card(story.world, folder, "expired", story.shown(made, "Expired"))
    made = story.ask("deploy")
    story.world.api("POST", f"/v1/requests/{made}/cancel", {"reason": "not needed any more"},
                    story.token)
    take_card(story.world, folder, "cancelled", story.shown(made, "ancelled"))
    made = story.ask("careful")
    story.press(made, ANA)
    take_card(story.world, folder, "delayed", story.shown(made, "not in effect"))
    stopped = story.ask("careful")
    story.press(stopped, ANA)
    story.shown(stopped, "not in effect")
    story.press(stopped, BEN, "stop")
    take_card(story.world, folder, "stopped", story.shown(stopped, "topped"))
    made = story.ask("shut")
    story.press(made, ANA)
    take_card(story.world, folder, "approved-outside-window", story.shown(made, "Outside"))
    story.world.ctl("freeze", "add", "stocktaking", "--reason", "yearly count", "--for", "3h",
                    check=0)
    made = story.ask("deploy")
    take_card(story.world, folder, "pending-in-freeze", story.shown(made, ""))
    story.press(made, ANA)
    take_card(story.world, folder, "approved-in-freeze", story.shown(made, "freeze"))
    story.world.ctl("freeze", "remove", "stocktaking", check=0)


def take_glass(story, folder):
    """The emergency, with its codes; without an enrolment none counts."""
    made = story.ask("urgent")
    story.press(made, ANA, wait_modal=5)
    take(story.world, folder, "window-code", ANA, "#modal-title", "")
    story.submit(ANA, code="000000")
    take(story.world, folder, "window-code-wrong", ANA, ".field-error", "")
    story.close(ANA)
    story.press(made, RITA, "break_glass", value=made, wait_modal=5)
    take(story.world, folder, "window-glass", RITA, "#modal-title", "")
    story.submit(RITA, reason="Customers cannot pay", code="000000")
    take(story.world, folder, "window-glass-wrong", RITA, ".field-error", "")
    story.close(RITA)
    story.world.apply_policy(POLICY.replace("step_up = true", "step_up = false"))
    made = story.ask("urgent")
    story.press(made, RITA, "break_glass", value=made, wait_modal=5)
    story.submit(RITA, reason="Customers cannot pay")
    take_card(story.world, folder, "glass", story.shown(made, "BREAK GLASS"))
    loud = story.world.control("POST", "/wait", {
        "kind": "message", "channel": LOUD, "contains": "BREAK GLASS", "timeout": 15})["found"]
    take_card(story.world, folder, "glass-told", loud[0]["ts"], LOUD)


def take_refusals(story, folder):
    """What is said to whoever may not, or comes too late: ephemeral sentences."""
    made = story.ask("deploy")
    for user in (RITA, GUEST):
        story.press(made, user)
    story.press(made, ANA)
    story.shown(made, "Approved")
    story.world.control("POST", "/press", {
        "user": BEN, "action_id": "approve", "channel": CHANNEL, "ts": story.shown(made, ""),
        "revision": 0})
    two = story.ask("two")
    for _ in range(2):
        story.press(two, ANA)
    time.sleep(2)  # the sentences are part of the picture
    for user, name in ((RITA, "requester"), (GUEST, "guest"), (BEN, "late"), (ANA, "twice")):
        take(story.world, folder, "told-" + name, user, "body", "", (390, 1600))


def take_away(story, folder):
    """Home: empty, full, and out of office."""
    world = story.world
    for user, name in ((ANA, "approver"), (RITA, "requester"), (GUEST, "empty")):
        world.control("POST", "/home_opened", {"user": user})
        world.control("POST", "/wait", {"kind": "home", "to": user, "timeout": 15})
        time.sleep(1)  # a second look may follow
        take(world, folder, "home-" + name, user, "body", "Waiting for you", (390, 2600), "app")
    view = world.control("POST", "/homes", {"to": ANA})["homes"][-1]
    world.control("POST", "/press", {"user": ANA, "action_id": "away_set",
                                     "view_id": view["view"]["id"], "wait_modal": 5})
    take(world, folder, "window-away", ANA, "#modal-title", "", place="app")
    story.submit(ANA, to=ANA, to_time=int(time.time()) + 86400)
    take(world, folder, "window-away-wrong", ANA, ".field-error", "", place="app")
    story.submit(ANA, to=DORA, to_time=int(time.time()) + 86400)
    time.sleep(4)  # a Home is published at most every few seconds
    take(world, folder, "home-away", ANA, "body", "stands in", (390, 2600), "app")
    made = story.ask("two")
    story.press(made, DORA)
    take_card(world, folder, "partial-away", story.shown(made, "for <@"))


def take_threads(story, folder):
    for user, name in ((ANA, "channel"), (RITA, "requester-channel")):
        take(story.world, folder, name, user, "body", "", (390, 6000))
    for user, name in ((RITA, "requester"), (BEN, "told")):
        take(story.world, folder, "direct-" + name, user, "body", "", (390, 2600),
             user.replace("U", "D", 1))


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="approvald-pictures-")
    os.makedirs(folder, exist_ok=True)
    extra = f'step_up_key_file = "{KEY_FILE}"'
    with tempfile.TemporaryDirectory() as scratch, \
            harness.World(scratch, BUILD, policy=POLICY, extra_config=extra) as world:
        world.start()
        world.control("POST", "/update_channel", {
            "channel": LOUD, "members": ["U0BOT00001", RITA, ANA, BEN]})
        world.control("POST", "/add_user", {"id": DORA, "name": "dora", "channels": [CHANNEL]})
        world.apply_policy()
        story = Story(world)
        for part in (take_open, take_ended, take_refusals, take_away, take_glass, take_threads):
            part(story, folder)


if __name__ == "__main__":
    main()
