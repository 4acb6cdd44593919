#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""loss.py: is an event from Slack ever lost? The real pair behind a proxy, Slack over Socket Mode, --runs faults.

    tests/cluster/loss.py --runs 200            # about an hour
    tests/cluster/loss.py --seed 7 --run 31     # run 31 of seed 7 alone
    tests/cluster/loss.py --prove               # lies to itself, and has to see each lie

Owns the order of a run: people press, a fault, heal, sockets open, settled, judged. Prints the seed
and the reason of every run, and in the end what was counted and "N passed, N failed". What a failed run
leaves is kept. Needs root and network namespaces; without them it says why, and ends with 77.
"""

import argparse
import collections
import contextlib
import json
import os
import random
import shutil
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases  # noqa: E402  the path is set above
import losscheck  # noqa: E402
import nemesis  # noqa: E402
import netns  # noqa: E402
import slackfaults  # noqa: E402
import slackworld  # noqa: E402
from lib import ending, harness  # noqa: E402
from verify import Verifier  # noqa: E402
from world import ADDRESSES, SLACK, NotInTime, let_go, wait, write  # noqa: E402

QUIET_S = 1.5        # of presses before a fault, and after it when all is well
BATCH_COUNT, BATCH_SHARE, BATCH_S = 40, 0.3, 9.0  # cards that change in the dark; so long until all are posted
WORLD_RUNS = 20      # then the stand-in has seen enough
SOCKETS_S = 75       # a dead socket is noticed after 30 s, Slack may be asked once a minute
SETTLE_S = 240       # Slack delivers again for so long
CARDS_S = 90         # beyond the best possible time: then no more is waited for
OVER_MAX_S = 20      # a question in the dark (6 s), a breaker's longest pause (5 s), the spacing (3 s), the way


class Settings:
    """Of one run, drawn from its seed."""

    def __init__(self, seed, name):
        draw = random.Random(f"{seed}/settings")
        batch = name.startswith(("cut", "host", "proxy")) and draw.random() < BATCH_SHARE and \
            slackfaults.CUT_MAX_S >= BATCH_S
        self.batch = BATCH_COUNT if batch else 0
        self.before_s = BATCH_S if batch else QUIET_S
        self.spec = {
            "hands": 24, "people": slackworld.people(), "channels": slackworld.channels(), "quorum": slackworld.QUORUM,
            "every_s": 1.4, "spread_s": draw.choice((0.3, 2.0, 4.0)), "batch": self.batch, "decider": harness.ANA,
            "batch_after_s": self.before_s + 0.7, "slack_host": ADDRESSES["client"], "slack_port": SLACK}


class Runs:
    """Runs in a world that lives until one fails, or has had enough of them."""

    def __init__(self, lie=None):
        self.world = self.verifier = None
        self.left = 0
        self.lie = lie
        self.born = {}

    def fresh(self):
        if self.world is None or self.left == 0:
            self.drop()
            self.world = slackworld.SlackWorld(options={"crash_window": "5s"})
            self.world.start()
            self.verifier = Verifier(self.world)
            self.left = WORLD_RUNS
        self.left -= 1
        self.world.wait_paired()
        self.refill()
        self.world.wait_live()

    def refill(self):
        """Slack may be asked for sockets once a minute; days lie between such faults, so the budget is whole."""
        primary = self.world.primary()
        pid = primary.pid("approvald")
        born = self.born.setdefault((primary.name, pid), time.monotonic())
        opened = metric(primary, "approvald_slack_socket_opens_total")
        if opened - (time.monotonic() - born) / 60 > 2:
            self.world.note("switchover for a fresh budget")
            nemesis.command(primary, "switchover")
            wait(lambda: self.world.primary().name != primary.name, "the other host serves", 30)
            self.world.wait_paired()

    # -- one run ---------------------------------------------------------------------------------------

    def one(self, name, seed):
        """(what is wrong, Lateness, Evidence, seconds until the sockets were open) of one run."""
        self.fresh()
        world, settings = self.world, Settings(seed, name)
        world.note(f"run, seed {seed}: {name}")
        world.slack("clear_logs")
        first = len(self.verifier.audit)
        self._lie_before()
        load = world.spawn_client("presser", **{**settings.spec, "seed": seed})
        time.sleep(settings.before_s)
        if name in slackfaults.FAULTS:
            nemesis.hurt_world(world, name, seed, faults=slackfaults.FAULTS)
        world.primary()
        healed, rates = time.time(), world.slack("rates")
        live = self._wait_sockets(healed)
        time.sleep(QUIET_S)
        history = [line for line in world.end_client(load) if line["e"] != "unknown"]
        self._settle()
        evidence = self._evidence(history, first, healed, live, rates)
        wrong = losscheck.check(evidence) + self.verifier_found
        late = losscheck.Lateness(evidence)
        if late.is_bound() and late.ratio() > losscheck.RATIO_MAX:
            wrong.append(f"late: {late}")
        elif not late.is_bound() and late.over_s > OVER_MAX_S:
            wrong.append(f"late: {late}, {late.over_s:.1f} s more than need be")
        if wrong:
            write(world.path("evidence.json"), json.dumps(vars(evidence), indent=1))
        return wrong, late, evidence, live - healed

    def _wait_sockets(self, healed):
        """Until all connections that Slack knows are ours, and have answered what was sent after healing
        (TCP itself needs its time after a cut): from now on nothing may fail. It may be one: when much
        of the budget was spent, what is left is kept for a worse moment."""
        world = self.world

        def whole():
            known = world.slack("sockets")["connections"]
            return 1 <= len(known) == world.socket()["live"] and not any(
                each["ghost"] or each["answered_at"] < healed for each in known)
        wait(whole, "sockets are open and no others", max(1.0, SOCKETS_S - (time.time() - healed)), 0.1)
        return time.time()

    def _settle(self):
        world = self.world
        wait(lambda: not world.slack("sockets")["waiting"], "Slack delivers nothing again", SETTLE_S, 0.2)
        world.wait_paired()
        self.verifier.settle()

    def _evidence(self, history, first, healed, live, rates):
        world, asked = self.world, {line["request"]: line for line in history if line["e"] == "asked"}
        requests = {}
        for request_id in asked:
            status, request = self.verifier.read(request_id)
            if status == 200:
                requests[request_id] = request
        places = {request_id: slackworld.places(line["policy"]) for request_id, line in asked.items()}
        self._wait_cards(requests, rates, places)
        self._lie_after(requests)
        self.verifier_found = self.verifier.check_audit()
        audit = [entry for entry in self.verifier.audit[first:] if entry["request"] in requests]
        calls = [call for method in ("chat.update", "chat.postMessage")
                 for call in world.slack("calls", method=method, outcome="ok")["calls"]]
        deliveries = [each for each in world.slack("deliveries")["deliveries"]
                      if (losscheck.verdict_of(each) or (None, None))[1] in requests or not losscheck.verdict_of(each)]
        return losscheck.Evidence(history, deliveries, audit, requests, self._cards(requests),
                                  [slim(call) for call in calls], healed, live, rates, places)

    def _cards(self, requests):
        found = {request_id: [] for request_id in requests}
        for channel in [*slackworld.channels(), *slackworld.direct_channels()]:
            for card in self.world.slack("messages", channel=channel, metadata={"surface": "card"})["messages"]:
                request_id = card["metadata"]["event_payload"]["request_id"]
                if request_id in found:
                    found[request_id].append(card)
        return found

    def _wait_cards(self, requests, rates, places):
        """Until every card equals state; what is still wrong then is found by the judgement."""
        slowest = min((state[1] for name, state in rates["methods"].items() if name.startswith("chat.")), default=1.0)
        with contextlib.suppress(NotInTime):
            wait(lambda: all(losscheck.difference(requests[request_id], cards, places[request_id]) is None
                             for request_id, cards in self._cards(requests).items()),
                 "every card equals state", CARDS_S + sum(map(len, places.values())) / slowest, 0.3)

    # -- lies ------------------------------------------------------------------------------------------

    def _lie_before(self):
        if self.lie == "swallow":
            self.world.slack("push_fault", kind="swallow", method="block_actions", count=1)
        elif self.lie == "deaf":
            self.world.slack("config", socket_ack_timeout_s=0.0)

    def _lie_after(self, requests):
        if self.lie == "deaf":
            self.world.slack("config", socket_ack_timeout_s=3.0)
        elif self.lie == "twin":
            pressed = next(each for each in self.world.slack("deliveries")["deliveries"]
                           if losscheck.verdict_of(each) and each["payload"]["type"] == "block_actions")
            payload = pressed["payload"]
            payload["actions"][0]["action_ts"] = f"{time.time():.6f}"
            payload["trigger_id"] = "1.2.twin"
            assert self.world.slack("envelope", type="interactive", payload=payload)["acked"]
        elif self.lie == "card":
            card = next(card for cards in self._cards(requests).values() for card in cards)
            self.world.slack("edit_message", channel=card["channel"], ts=card["ts"], blocks=[
                {"type": "section", "text": {"type": "mrkdwn", "text": "Something else"}}])

    def drop(self, keep=False):
        let_go(self.world, keep)
        self.world = None


def slim(call):
    return {key: call[key] for key in ("at", "method", "channel", "ts") if key in call}


def metric(host, name):
    text = host.local("GET", "/metrics").body.decode()
    return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + " ")), 0.0)


# -- figures -----------------------------------------------------------------------------------------

class Figures:
    """What all runs together have shown."""

    def __init__(self):
        self.counts = collections.Counter()
        self.lates, self.sockets = [], []
        self.kinds = {kind: [0, 0] for kind in slackfaults.KINDS}

    def enter(self, name, good, found):
        kind = self.kinds.setdefault(name.split(":")[0], [0, 0])
        kind[0] += 1
        kind[1] += int(not good)
        if found is None:
            return
        late, evidence, sockets_s = found
        self.lates.append(late)
        self.sockets.append(sockets_s)
        for each in evidence.deliveries:
            if losscheck.verdict_of(each) is None:
                continue
            self.counts["presses"] += 1
            self.counts["acknowledged"] += int(each["acked"])
            self.counts["acknowledged when delivered again"] += int(not each["acked"] and losscheck.is_acked(each))
            self.counts["shown as failed"] += int(not losscheck.is_acked(each))
        self.counts["requests"] += len(evidence.requests)
        self.counts["decisions"] += sum(len(request["decisions"]) for request in evidence.requests.values())

    def table(self):
        lines = [f"{'fault':12} runs failed"]
        lines += [f"{kind:12} {runs:4} {failed:6}" for kind, (runs, failed) in self.kinds.items() if runs]
        lines.append(", ".join(f"{count} {what}" for what, count in self.counts.items()))
        ratios = sorted(late.ratio() for late in self.lates if late.is_bound())
        if ratios:
            lines.append(f"cards against the best that the rates allow, {len(ratios)} runs: ratio {spread(ratios, 2)}")
        overs = sorted(late.over_s for late in self.lates if late.late_count and not late.is_bound())
        if overs:
            lines.append(f"cards where the rates do not bind, {len(overs)} runs: seconds over the best {spread(overs, 1)}")
        if self.sockets:
            lines.append(f"sockets after healing, seconds: {spread(sorted(self.sockets), 1)}")
        return "\n".join(lines)


def spread(values, digits):
    return (f"median {values[len(values) // 2]:.{digits}f}, 95 % {values[len(values) * 95 // 100]:.{digits}f}, "
            f"worst {values[-1]:.{digits}f}")


def draws(seed, count):
    """The faults of all runs: those of run n are the same whatever count is."""
    book, drawn = nemesis.Book(random.Random(seed), faults=slackfaults.FAULTS), []
    for _ in range(count):
        name = book.draw()
        book.enter(name, True)
        drawn.append(name)
    return drawn


def run_all(args, seed, tried):
    runs, figures, passed, failed = Runs(), Figures(), 0, 0
    numbers = [args.run] if args.run else range(1, args.runs + 1)
    drawn = draws(seed, max(numbers))
    try:
        for number in numbers:
            name, begin, found = drawn[number - 1], time.monotonic(), None
            try:
                wrong, *found = runs.one(name, f"{seed}/{number}")
                told = f"{found[0]}; sockets after {found[2]:.1f} s"
            except Exception as problem:  # noqa: BLE001: one run must not hide the others
                wrong, told = [f"{type(problem).__name__}: {problem}", traceback.format_exc()], ""
            passed, failed = passed + int(not wrong), failed + int(bool(wrong))
            figures.enter(name, not wrong, found)
            tried.tell(f"run {number} ({time.monotonic() - begin:.1f} s, seed {seed}): {name}: {told}", wrong)
            if wrong:
                runs.drop(keep=True)
            if shutil.disk_usage("/tmp").free < 1 << 30:
                print("less than 1 GiB is free: stopped", flush=True)
                failed += 1
                break
    finally:
        runs.drop()
        print("\n" + figures.table(), flush=True)
    return passed, failed


LIES = {"swallow": "lost: ", "twin": "double: ", "card": "card: ", "deaf": "unserved: "}


def prove():
    """Each lie has to be found, and without one nothing."""
    passed = failed = 0
    for lie, wanted in [(None, None), *LIES.items()]:
        runs = Runs(lie)
        try:
            wrong = runs.one("nothing", "prove")[0]
        finally:
            runs.drop()
        good = any(text.startswith(wanted) for text in wrong) if wanted else not wrong
        passed, failed = passed + int(good), failed + int(not good)
        print(f"{'ok  ' if good else 'FAIL'} {lie or 'no lie'}: {wrong[:2] or 'nothing is wrong'}", flush=True)
    return passed, failed


def parse_arguments():
    parser = argparse.ArgumentParser(description="Is an event from Slack ever lost?")
    parser.add_argument("--runs", type=int, default=6, help="of drawn faults")
    parser.add_argument("--run", type=int, default=0, metavar="N", help="only the N-th of them")
    parser.add_argument("--seed", type=int, help="draw the same again")
    parser.add_argument("--cut-max", type=float, default=slackfaults.CUT_MAX_S, metavar="S",
                        help="for a quick check: no network cut is longer, no cards change in the dark")
    parser.add_argument("--prove", action="store_true", help="only: does it see what is wrong?")
    parser.add_argument("--list", action="store_true", help="names of faults")
    return parser.parse_args()


def main():
    args = parse_arguments()
    if args.list:
        print("\n".join(slackfaults.FAULTS))
        return 0
    reason = netns.why_not() or cases.missing()
    if reason:
        return ending.skipped(reason)
    slackfaults.CUT_MAX_S = args.cut_max
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    tried = ending.Tried()
    return ending.of(lambda: prove() if args.prove else run_all(args, seed, tried), tried)


if __name__ == "__main__":
    sys.exit(main())
