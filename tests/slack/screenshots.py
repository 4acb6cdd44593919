#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""screenshots.py: pictures of real cards and of the form in the stand-in, to be looked at by a person.

Run by hand, never by packaging/check: what is good in a picture only eyes can say. Owns one World
(tests/lib/harness.py) with a pending, an approved and a rejected request, and the pictures that it
writes into the folder given (default: a new one) and names. Needs Debian's chromium and
chromium-driver.

    python3 tests/slack/screenshots.py [FOLDER]
"""
import hashlib
import os
import sys
import tempfile
import time

import e2e_fields
import webdriver
from e2e import BUILD, harness
from lib.harness import ANA, BEN, CHANNEL, RITA

SIZES = {"desktop": (1280, 900), "phone": (390, 844), "all": (960, 1150)}
HOME_SIZES = {"desktop": (1280, 900), "phone": (390, 844), "all": (960, 2400)}
GUEST = "U0GUEST001"
PENDING = {
    "policy": "two-people", "title": "Deploy api 1.4.2 to production",
    "reason": "Fixes the login loop after password resets (incident 311).",
    "target": "eu-1, 12 hosts", "requester": RITA, "expires_in_s": 1800,
    "details": "./deploy.sh --cluster eu-1 api 1.4.2\nin /srv/deploy",
    "bind_hash": hashlib.sha256(b"deploy").hexdigest()}
APPROVED = {"policy": "prod-deploy", "title": "Restart the payment queue", "requester": RITA,
            "reason": "Workers hang since 09:40.", "target": "queue-2"}
# Without what only a test shows to people.
FORM_POLICY = e2e_fields.POLICY.replace(" <!channel>", "").replace("*ticket*", "ticket")
FORM = {"title": "Release api 1.4.2", "fields.environment": "eu-1", "fields.ticket": "OPS-1234",
        "fields.due": "2026-12-01", "reason": "Fixes the login loop after password resets."}
REJECTED = {"policy": "prod-deploy", "title": "Open port 5432 to the office network",
            "requester": RITA, "reason": "Analysts want to query the replica.", "target": "fw-1"}


def ask(world, token, fields):
    """The id and the ts of the card of a new request."""
    answer = world.api("POST", "/v1/requests", fields, token)
    assert answer.status == 201, answer.body
    request_id = answer.json()["id"]
    return request_id, shown(world, request_id, "")


def shown(world, request_id, text):
    found = world.control("POST", "/wait", {
        "kind": "message", "channel": CHANNEL, "metadata": {"request_id": request_id},
        "contains": text, "timeout": 15})["found"]
    return found[0]["ts"]


def tell_story(world):
    """Three requests: one approved, one rejected with a reason, one that waits for the second."""
    token = world.token("ci")
    approved, ts = ask(world, token, APPROVED)
    world.control("POST", "/press", {"user": ANA, "action_id": "approve", "channel": CHANNEL,
                                     "ts": ts})
    shown(world, approved, "Approved")
    rejected, ts = ask(world, token, REJECTED)
    world.control("POST", "/press", {"user": BEN, "action_id": "reject", "channel": CHANNEL,
                                     "ts": ts, "wait_modal": 5})
    world.control("POST", "/submit", {
        "user": BEN, "values": {"reason": "Use the read-only proxy instead; see the wiki."}})
    shown(world, rejected, "Rejected")
    _, ts = ask(world, token, PENDING)
    time.sleep(1)  # replies and direct messages are part of the picture
    return ts


def take(world, folder, what, user, selector, words):
    """Each picture when the page shows the words."""
    url = f"http://127.0.0.1:{world.slack_port}/?user={user}&at={CHANNEL}"
    for name, size in SIZES.items():
        path = os.path.join(folder, f"{what}-{name}.png")
        with webdriver.Browser(*size) as browser:
            browser.open(url)
            browser.see(selector, words)
            browser.screenshot(path)
        print(path)


def top_form(world):
    return world.control("POST", "/modals", {"to": RITA})["modals"][-1]["view"]


def take_form(world, folder):
    """The form as it opens, with a policy's own fields and an error, and the card that it makes."""
    world.apply_policy(FORM_POLICY)
    world.wait(lambda: world.admin("GET", "/v1/status").json()["slack"]["bot_user"], "we are known")
    world.control("POST", "/shortcut", {"user": RITA, "callback_id": "approval_new",
                                        "wait_modal": 5})
    take(world, folder, "form-open", RITA, "#modal-title", "Ask")
    world.control("POST", "/press", {"user": RITA, "action_id": "policy", "value": "deploy",
                                     "view_id": top_form(world)["id"]})
    world.wait(lambda: top_form(world)["private_metadata"] == "deploy", "the form has changed")
    world.control("POST", "/submit", {"user": RITA, "values": {**FORM, "fields.hosts": "13"}})
    take(world, folder, "form-error", RITA, ".field-error", "from 1 to 12")
    world.control("POST", "/submit", {"user": RITA, "values": {"fields.hosts": "3"}})
    take(world, folder, "form-sent", RITA, "#modal-title", "Approval")
    world.control("POST", "/close", {"user": RITA, "how": "x"})
    card = world.control("POST", "/wait", {"kind": "message", "channel": CHANNEL,
                                           "contains": FORM["title"], "timeout": 15})["found"][0]
    take(world, folder, "form-card", ANA, f'[data-ts="{card["ts"]}"]', FORM["title"])


def take_homes(world, folder):
    """The Home of an approver, of a requester, and of somebody who has nothing to do with it."""
    token = world.token("ci2")
    for i in range(6):
        ask(world, token, {"policy": "prod-deploy", "title": f"Rotate the keys of cluster {i + 1}",
                           "requester": RITA, "expires_in_s": 3600 + 60 * i})
    for user, name in ((ANA, "approver"), (RITA, "requester"), (GUEST, "empty")):
        world.control("POST", "/home_opened", {"user": user})
        world.control("POST", "/wait", {"kind": "home", "to": user, "timeout": 15})
        time.sleep(1)  # a second look may follow: the directory has just learnt who is in a group
        for size in SIZES:
            path = os.path.join(folder, f"home-{name}-{size}.png")
            with webdriver.Browser(*HOME_SIZES[size]) as browser:
                browser.open(f"http://127.0.0.1:{world.slack_port}/?user={user}&at=app")
                browser.see("body", "Waiting for you")
                browser.screenshot(path)
            print(path)


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="approvald-pictures-")
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, harness.World(scratch, BUILD) as world:
        world.start()
        world.apply_policy()
        ts = tell_story(world)
        take(world, folder, "card", ANA, f'[data-ts="{ts}"]', PENDING["title"])
        take_form(world, folder)
        take_homes(world, folder)


if __name__ == "__main__":
    main()
