#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""outage.py: how soon every card tells the truth after an outage of Slack, against the best possible time.

    tests/slack/outage.py [--requests 1000] [--minutes 10] [--per-minute 50] [--burst 20] [--channels 10]
                          [--copies 0]

Asks, lets Slack fail for so long, decides every request meanwhile without Slack, and measures from Slack's return
until every live card equals state. The best possible time is what the stand-in's rate of chat.update allows: the
burst at once, the rest at its pace; a request with copies in direct messages costs a change for each. Prints the
ratio, and ends with 1 when it is above 1.5.

Owns the figure and how it is measured. Never judges a card by what approvald says of it: the cards are read from the
stand-in, the state from the API. e2e_repair.py runs it shortened.
"""
import argparse
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import harness  # noqa: E402  the path is set above

RATIO_MAX = 1.5
BOT = "U0BOT00001"


class Figure:
    """One outage in one World."""

    def __init__(self, world, options):
        self.world, self.requests, self.seconds = world, options.requests, options.minutes * 60
        self.per_minute, self.burst = options.per_minute, options.burst
        self.channels = [f"C0OUTAGE{i:02d}" for i in range(options.channels)]
        self.people = [harness.ANA, *(f"U0OUTAGE{i:02d}" for i in range(1, options.copies))]
        self.copies = options.copies

    def best(self):
        """Seconds that so many changes take at the least."""
        return max(0, self.requests * (1 + self.copies) - self.burst) * 60 / self.per_minute

    def places(self):
        """Where cards are: the channels, and what the stand-in keeps for each person."""
        return [*self.channels, *("D" + user[1:] for user in self.people if self.copies)]

    def cards(self):
        """request id → the revision that its card shows."""
        found = [message for channel in self.places() for message in self.world.control("POST", "/messages", {
            "channel": channel, "metadata": {"surface": "card"}})["messages"]]
        shown = {}
        for message in found:
            payload = message["metadata"]["event_payload"]
            shown.setdefault(payload["request_id"], []).append(payload["revision"])
        return shown

    def wait_cards(self, wanted, what, seconds):
        """Until each request has its cards, and all show what is wanted."""
        def equal():
            shown = self.cards()
            return all(shown.get(request_id) == [revision] * (1 + self.copies) for request_id, revision in wanted.items())
        harness.World.wait(equal, what, seconds, step=0.2)

    def state(self, wanted):
        slack = self.world.admin("GET", "/v1/status").json()["slack"]["state"]
        return slack == wanted

    def ask(self, token, number):
        answer = self.world.create(token, title=f"Deploy {number}", policy=f"deploy-{number % len(self.channels)}")
        assert answer.status == 201, answer.body
        return answer.json()["id"]

    def prepare(self, token):
        for channel in self.channels:
            self.world.control("POST", "/add_channel", {"id": channel, "name": channel.lower(), "members": [
                harness.ANA, BOT]})
        for user in self.people[1:]:
            self.world.control("POST", "/add_user", {"id": user, "name": user.lower()})
        approvers = ", ".join(f'"{user}"' for user in self.people)
        direct = " direct_approvers = true" if self.copies else ""
        self.world.apply_policy("".join(
            f'policy deploy-{i} {{ channel = "{channel}" approvers = {{{approvers}}}{direct} }}\n'
            for i, channel in enumerate(self.channels)))
        made = [self.ask(token, i) for i in range(self.requests)]
        self.wait_cards({request_id: 1 for request_id in made}, "all cards are posted", 120 + 3 * self.requests)
        return made

    def run(self):
        """(seconds until all cards equal state, the best possible, of it until Slack was found to be up)"""
        token = self.world.token("asker")
        decider = self.world.token("ana-cli", scopes=["decide", "read"], user=harness.ANA)
        made = self.prepare(token)
        self.world.control("POST", "/config", {"rate_limits": {
            "chat.update": [self.per_minute, self.burst], "chat.postMessage": [300, 30]}})
        self.world.control("POST", "/fault", {"method": "*", "kind": "status", "status": 503, "count": 0})
        down = time.monotonic()
        for i in range(6):  # something has to be sent for an outage to be noticed
            self.ask(token, i)
        harness.World.wait(lambda: self.state("unreachable"), "Slack is found to be down", 60)
        self.decide(made, decider)
        time.sleep(max(0, self.seconds - (time.monotonic() - down)))
        wanted = {request_id: self.world.api("GET", "/v1/requests/" + request_id, token=token).json()
                  for request_id in made}
        assert all(request["state"] == "approved" for request in wanted.values())
        self.world.control("POST", "/clear_faults", {})
        back = time.monotonic()
        harness.World.wait(lambda: self.state("up"), "Slack is found to be up", 60)
        noticed = time.monotonic() - back
        self.wait_cards({request_id: 2 for request_id in made}, "every card equals state",
                        60 + 3 * self.best())
        return time.monotonic() - back, self.best(), noticed

    def decide(self, made, token):
        for request_id in made:
            answer = self.world.api("POST", f"/v1/requests/{request_id}/decisions", {"verdict": "approve"}, token=token)
            assert answer.status == 200, answer.body


def measure(options):
    """Runs it in a World of its own; what Figure.run gives."""
    folder = tempfile.mkdtemp(prefix="approvald-outage-")
    try:
        with harness.World(folder, options.build) as world:
            world.start()
            return Figure(world, options).run()
    finally:
        shutil.rmtree(folder)


def read(arguments=None):
    parser = argparse.ArgumentParser(description="Cards after an outage, against the best possible time.")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--per-minute", type=float, default=50, help="chat.update, as the stand-in allows it")
    parser.add_argument("--burst", type=int, default=20)
    parser.add_argument("--channels", type=int, default=10, help="more of them are soon filled: one post a second each")
    parser.add_argument("--copies", type=int, default=0, help="people who get each card as a direct message too")
    parser.add_argument("--build", default=os.environ.get("APPROVALD_BUILD", "build/gcc"))
    return parser.parse_args(arguments)


def main():
    options = read()
    took, best, noticed = measure(options)
    ratio = took / best if best > 0 else float("inf")
    print(f"{options.requests} open requests, {options.minutes:g} min without Slack: every card equals state after "
          f"{took:.1f} s ({noticed:.1f} s until it was noticed); the best possible is {best:.1f} s; ratio {ratio:.2f}")
    sys.exit(0 if ratio <= RATIO_MAX else 1)


if __name__ == "__main__":
    main()
