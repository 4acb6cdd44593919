#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""presser.py SPEC: people at Slack's client, until standard input ends: they ask, and many press on each card.

Runs in the clients' namespace. Owns its threads, its plan of who presses what and when, and the
history that it writes: JSON lines {"e": "asked"|"pressed"|"submitted"|"decided", "begin", "end": wall
seconds, …}. Never decides what is right: losscheck.py does. What it has begun it ends.
"""

import heapq
import http.client
import itertools
import json
import random
import sys
import threading
import time

from client import Client, History, join, until_told

REPEAT_SHARE = 0.15  # presses twice, from two devices
REJECT_SHARE = 0.1
OLD_SHARE = 0.2      # presses a card that has just changed
CARD_S = 20


class Plan:
    """What is to be done when; workers take it."""

    def __init__(self):
        self.changed = threading.Condition()
        self.tasks, self.numbers, self.ended = [], itertools.count(), False

    def add(self, after_s, task):
        with self.changed:
            heapq.heappush(self.tasks, (time.monotonic() + after_s, next(self.numbers), task))
            self.changed.notify()

    def take(self):
        """The next task when it is due; None: nothing more is begun."""
        with self.changed:
            while not self.ended:
                left_s = self.tasks[0][0] - time.monotonic() if self.tasks else 1.0
                if left_s <= 0:
                    return heapq.heappop(self.tasks)[2]
                self.changed.wait(left_s)
        return None

    def end(self):
        with self.changed:
            self.ended = True
            self.changed.notify_all()


class Presser(Client):
    """One pair of hands."""

    def __init__(self, number, spec, history, ending, plan):
        super().__init__(number, spec, history, None, ending)
        self.plan = plan

    def run(self):
        try:
            while (task := self.plan.take()) is not None:
                task(self)
        except Exception as problem:  # noqa: BLE001: told to the orchestrator, which fails
            self.problem = f"{type(problem).__name__}: {problem}"
        finally:
            self.drop()

    def slack(self, command, timeout_s=40, **arguments):
        """A command to the stand-in: (status, answer)."""
        conn = http.client.HTTPConnection(self.spec["slack_host"], self.spec["slack_port"], timeout=timeout_s)
        try:
            conn.request("POST", "/control/" + command, json.dumps(arguments), {"Content-Type": "application/json"})
            response = conn.getresponse()
            return response.status, json.loads(response.read())
        finally:
            conn.close()

    # -- a request -------------------------------------------------------------------------------------

    def ask(self, policy, batch=False):
        """A new request; then people look for its card."""
        key, begin = "p-" + self.name(), time.time()
        number = int(policy.rsplit("-", 1)[1])
        body = {"policy": policy, "title": f"Deploy {key}", "reason": "loss", "requester": self.spec["requester"]}
        answer = self.until_known(0, lambda: self.api("POST", "/v1/requests", body, key=key))
        if answer is None or answer[0] not in (200, 201):
            return
        request_id = json.loads(answer[1])["id"]
        channel = self.spec["channels"][number]
        self.history.write(e="asked", request=request_id, channel=channel, policy=policy, begin=begin, end=time.time())
        if batch:
            delay_s = self.spec["batch_after_s"] - (time.time() - self.spec["begun"])
            self.plan.add(max(0.1, delay_s), lambda hand: hand.decide(request_id))
        else:
            self.plan.add(0.05, lambda hand: hand.find(request_id, channel, time.monotonic() + CARD_S))

    def find(self, request_id, channel, until):
        """Its card, and then who presses it."""
        status, answer = self.slack("wait", kind="message", channel=channel, timeout=0.5,
                                    metadata={"request_id": request_id, "surface": "card"})
        if status != 200:
            if time.monotonic() < until:
                self.plan.add(0.2, lambda hand: hand.find(request_id, channel, until))
            return
        card = {"request": request_id, "channel": channel, "ts": answer["found"][0]["ts"]}
        for user in self.random.sample(self.spec["people"], self.spec["quorum"] + 2):
            rejects = self.random.random() < REJECT_SHARE
            after_s = self.random.uniform(0, self.spec["spread_s"])
            for _ in range(2 if not rejects and self.random.random() < REPEAT_SHARE else 1):
                act = Presser.reject if rejects else Presser.approve
                self.plan.add(after_s, lambda hand, act=act, user=user: act(hand, card, user))

    # -- people ----------------------------------------------------------------------------------------

    def press(self, card, user, action, **more):
        """Presses; what the person then sees. None: the button was not there any more."""
        begin = time.time()
        status, answer = self.slack("press", user=user, action_id=action, channel=card["channel"], ts=card["ts"], **more)
        if status != 200:
            return None
        self.history.write(e="pressed", user=user, action=action, request=card["request"], begin=begin, end=time.time(),
                           **{key: answer[key] for key in ("delivery", "acked", "error", "notice", "latency_ms")})
        return answer

    def approve(self, card, user):
        more = {"revision": 0} if self.random.random() < OLD_SHARE else {}
        if self.press(card, user, "approve", **more) is None and more:
            self.press(card, user, "approve")

    def reject(self, card, user):
        pressed = self.press(card, user, "reject", wait_modal=3)
        if not pressed or not pressed["modal"]:
            return
        begin = time.time()
        status, answer = self.slack("submit", user=user, view_id=pressed["modal"]["id"], values={"reason": "no"})
        if status == 200 and answer["delivered"]:
            self.history.write(e="submitted", user=user, request=card["request"], begin=begin, end=time.time(),
                               **{key: answer[key] for key in ("delivery", "acked", "error", "outcome", "latency_ms")})

    def decide(self, request_id):
        """Without Slack: over the API, with a token of one's own."""
        begin = time.time()
        answer = self.until_known(0, lambda: self.api(
            "POST", f"/v1/requests/{request_id}/decisions", {"verdict": "approve"}, token="decider_" + self.spec["decider"]))
        if answer is not None:
            self.history.write(e="decided", user=self.spec["decider"], request=request_id, status=answer[0],
                               doubt=answer[2], begin=begin, end=time.time())


def go_on_asking(plan, spec, draw):
    """Requests at an even pace, each in the next channel."""
    numbers = itertools.cycle(range(len(spec["channels"])))

    def again(hand):
        plan.add(spec["every_s"] * draw.uniform(0.5, 1.5), again)
        hand.ask(f"loss-{next(numbers)}")
    plan.add(0, again)
    for number in range(spec["batch"]):
        policy = f"quick-{number % len(spec['channels'])}"
        plan.add(0.02 * number, lambda hand, policy=policy: hand.ask(policy, batch=True))


def main():
    with open(sys.argv[1], encoding="utf-8") as handle:
        spec = json.load(handle)
    spec["begun"] = time.time()
    history, plan, ending = History(spec["history"]), Plan(), threading.Event()
    hands = [Presser(n, spec, history, ending, plan) for n in range(spec["hands"])]
    for hand in hands:
        hand.start()
    go_on_asking(plan, spec, random.Random(spec["seed"]))
    until_told()
    ending.set()
    plan.end()
    return join("presser", hands)


if __name__ == "__main__":
    sys.exit(main())
