# SPDX-License-Identifier: Apache-2.0
"""losscheck.py: what people did at Slack's client against what the store has and what the cards show.

Owns the judgement of one run, as pure functions of what was written down: the pressers' history, the
stand-in's record of deliveries and calls, the audit log, the requests, the cards. Never asks anybody.
"""

import collections
import json

ACK_S = 3.0         # Slack's patience
ATTEMPTS = 3        # of the stand-in, in all
RATIO_MAX = 1.5     # of the time until every card equals state, against the best that the rates allow
BOUND_MIN_S = 5.0   # a shorter bound is no bound: then nothing but the way through us takes time
VERDICTS = ("approval", "rejection")


class Evidence:
    """Of one run. Times are wall seconds."""

    def __init__(self, history, deliveries, audit, requests, cards, calls, healed, live, rates=None, places=None):
        self.history, self.deliveries, self.audit = history, deliveries, audit
        self.requests = requests  # id -> as the API has it
        self.cards = cards        # id -> its cards, as the stand-in shows them
        self.calls = calls        # that worked, of chat.update and chat.postMessage
        self.healed, self.live = healed, live
        self.rates = rates or {"methods": {}, "channels": {}}
        self.places = places or {}  # id -> the channels that have a card each; not there: one, anywhere


def check(evidence):
    """What is wrong, in sentences that begin with the kind."""
    return [*check_pressed(evidence), *check_decided(evidence), *check_unseen(evidence), *check_after(evidence),
            *check_cards(evidence)]


# -- presses and the store ---------------------------------------------------------------------------

def verdict_of(delivery):
    """(user, request id) of a delivery that is to leave an entry in the audit log, else None."""
    payload = delivery["payload"]
    if payload["type"] == "block_actions" and payload["actions"][0]["action_id"] == "approve":
        return payload["user"]["id"], payload["actions"][0]["value"]
    if payload["type"] == "view_submission":
        return payload["user"]["id"], json.loads(payload["view"]["private_metadata"])["r"]
    return None


def events_of(deliveries):
    """((user, request), event) -> was it acknowledged? A window that is sent twice is one event."""
    events = {}
    for delivery in deliveries:
        key = verdict_of(delivery)
        if key is not None:
            event = (key, delivery["payload"].get("view", {}).get("id") or delivery["id"])
            events[event] = events.get(event, False) or is_acked(delivery)
    return events


def is_acked(delivery):
    return delivery["acked"] or delivery.get("acked_late", False)


def entries_of(audit):
    """(user, request) -> entries that a press has left."""
    found = collections.Counter()
    for entry in audit:
        if entry["via"] == "slack" and entry["actor"].startswith("user:") and (
                entry["action"] in VERDICTS or entry["action"] == "refused"):
            found[entry["actor"][len("user:"):], entry["request"]] += 1
    return found


def check_pressed(evidence):
    """Each acknowledged press has its entry, and no press has two."""
    made, acked = collections.Counter(), collections.Counter()
    for (key, _), told in events_of(evidence.deliveries).items():
        made[key] += 1
        acked[key] += int(told)
    left, wrong = entries_of(evidence.audit), []
    for key in made:
        if left[key] < acked[key]:
            wrong.append(f"lost: {key[0]} on {key[1]}: {acked[key]} presses were acknowledged, the store has {left[key]}")
        if left[key] > made[key]:
            wrong.append(f"double: {key[0]} on {key[1]}: {made[key]} presses, the store has {left[key]}")
    for key in left:
        if key not in made and key[1] in evidence.requests:
            wrong.append(f"unknown: the store has a press of {key[0]} on {key[1]} that nobody made")
    return wrong


def check_decided(evidence):
    """Nobody decides twice, the log and the request agree, an answer over the API was true."""
    wrong, outcomes = [], collections.Counter()
    for entry in evidence.audit:
        outcomes[entry["request"]] += int(entry["action"] in ("approved", "rejected", "cancelled", "expired"))
    for request_id, request in evidence.requests.items():
        users = [decision["user"] for decision in request["decisions"]]
        if len(users) != len(set(users)):
            wrong.append(f"double: {request_id} was decided twice by one person: {users}")
        logged = sorted(entry["actor"].split()[0] for entry in evidence.audit
                        if entry["request"] == request_id and entry["action"] in VERDICTS)
        if logged != sorted("user:" + user for user in users):
            wrong.append(f"apart: {request_id} has decisions of {users}, its log those of {logged}")
        if outcomes[request_id] != int(request["state"] != "pending"):
            wrong.append(f"double: {request_id} is {request['state']} and has {outcomes[request_id]} outcomes")
    for line in evidence.history:
        if line["e"] == "asked" and line["request"] not in evidence.requests:
            wrong.append(f"lost: {line['request']} was acknowledged and is not there")
        if line["e"] == "decided" and line["status"] == 200 and line["user"] not in [
                decision["user"] for decision in evidence.requests.get(line["request"], {"decisions": []})["decisions"]]:
            wrong.append(f"lost: {line['user']} was told that {line['request']} is decided")
    return wrong


def check_unseen(evidence):
    """What was not acknowledged was shown as failed, and delivered again as long as Slack does."""
    told, wrong = {}, []
    for line in evidence.history:
        if line["e"] in ("pressed", "submitted"):
            told[line["delivery"]] = bool(line.get("notice")) or line.get("outcome") == "trouble"
    for delivery in evidence.deliveries:
        if delivery["acked"] or delivery["id"] not in told:
            continue
        if not told[delivery["id"]]:
            wrong.append(f"unseen: delivery {delivery['id']} was not acknowledged and nobody saw that it failed")
        if delivery.get("transport") != "socket":
            continue  # Socket Mode is switched off: Slack delivers nothing of people twice over HTTP
        if "sent" not in delivery:
            wrong.append(f"unseen: delivery {delivery['id']} was not acknowledged and not delivered again")
        elif not is_acked(delivery) and delivery["sent"] < ATTEMPTS and not delivery["in_vain"]:
            wrong.append(f"unseen: delivery {delivery['id']} was given up after {delivery['sent']} of {ATTEMPTS}")
    return wrong


def check_after(evidence):
    """With the way to Slack whole and both sockets open every press is acknowledged in time."""
    return [f"unserved: {line['user']} pressed {line['request']} {line['begin'] - evidence.live:.2f} s after all was well: "
            f"{line['error']}" for line in evidence.history
            if line["e"] in ("pressed", "submitted") and line["begin"] > evidence.live and not line["acked"]]


# -- cards -------------------------------------------------------------------------------------------

def difference(request, cards, places=None):
    """None when each place has one card and all show what is so, else what is wrong."""
    if len(cards) != 1 and not places:
        return f"{len(cards)} cards"
    found = sorted(card["channel"] for card in cards)
    wanted = [place for place in places or found if not is_spared(request, place)]
    if not set(wanted) <= set(found) <= set(places or found):
        return f"cards in {found}, not in {sorted(places)}"
    if len(found) != len(set(found)):
        return f"cards in {found}: one twice"
    return next((what for card in cards if (what := difference_of(request, card))), None)


def is_spared(request, place):
    """No card need be there: whose it would be had decided, or was not needed any more, when it was found
    out who gets one. Whoever still may decide misses none."""
    users = [decision["user"] for decision in request["decisions"]]
    return place.startswith("D") and (request["state"] != "pending" or "U" + place[1:] in users)


def difference_of(request, card):
    """The same of one card."""
    shown = card["metadata"]["event_payload"]["revision"]
    if shown != request["revision"]:
        return f"revision {shown} of {request['revision']}"
    text = json.dumps(card["blocks"])
    if ('"action_id": "approve"' in text) != (request["state"] == "pending"):
        return f"its buttons do not fit {request['state']}"
    missing = [d["user"] for d in request["decisions"] if d["user"] not in text]
    return f"it does not name {missing}" if missing else None


def check_cards(evidence):
    return [f"card: {request_id}: {what}" for request_id, request in evidence.requests.items()
            if (what := difference(request, evidence.cards.get(request_id, []), evidence.places.get(request_id)))]


class Bucket:
    """Slack's: when is the next call allowed, at the earliest?"""

    def __init__(self, state, at):
        self.tokens, self.per_s, self.size = state
        self.at = at

    def earliest(self, ready):
        self.tokens = min(self.size, self.tokens + max(0.0, ready - self.at) * self.per_s)
        self.at = max(self.at, ready)
        if self.tokens < 1:
            self.at += (1 - self.tokens) / self.per_s
            self.tokens = 1
        self.tokens -= 1
        return self.at


def best_s(jobs, rates, healed):
    """Seconds after healed at which the last job can be done at the earliest. A job is (when it is
    ready, method, channel or None); the best order is the one in which they become ready."""
    methods, channels, last = {}, {}, healed
    for ready, method, channel in sorted(jobs, key=lambda job: job[0]):
        ready = max(ready, healed)
        if channel in rates["channels"]:
            ready = channels.setdefault(channel, Bucket(rates["channels"][channel], healed)).earliest(ready)
        if method in rates["methods"]:
            ready = methods.setdefault(method, Bucket(rates["methods"][method], healed)).earliest(ready)
        last = max(last, ready)
    return last - healed


class Lateness:
    """How soon after healing every card equalled state."""

    def __init__(self, evidence):
        jobs, self.took_s = [], 0.0
        changed = self._changed(evidence)
        for request_id, cards in evidence.cards.items():
            for card in cards:
                done, method = self._done(evidence, card)
                if done > evidence.healed:
                    channel = card["channel"] if method == "chat.postMessage" else None
                    jobs.append((changed.get(request_id, evidence.healed), method, channel))
                    self.took_s = max(self.took_s, done - evidence.healed)
        self.late_count = len(jobs)
        self.bound_s = best_s(jobs, evidence.rates, evidence.healed)
        self.ready_s = max((max(job[0], evidence.healed) for job in jobs), default=evidence.healed) - evidence.healed
        self.over_s = max(0.0, self.took_s - self.bound_s)

    @staticmethod
    def _changed(evidence):
        """request -> when it changed last, as the log has it."""
        changed = {}
        for entry in evidence.audit:
            if entry["action"] in (*VERDICTS, "created", "approved", "rejected"):
                changed[entry["request"]] = entry["at_ms"] / 1000
        return changed

    @staticmethod
    def _done(evidence, card):
        """(when its last change was made, by which method)."""
        calls = [(call["at"], call["method"]) for call in evidence.calls
                 if call.get("channel") == card["channel"] and call.get("ts") == card["ts"]]
        return max(calls, default=(0.0, ""))

    def is_bound(self):
        """Do the rates say how long it must take, and not when people pressed?"""
        return self.bound_s - self.ready_s >= BOUND_MIN_S

    def ratio(self):
        return self.took_s / self.bound_s

    def __str__(self):
        if not self.late_count:
            return "no card was late"
        return f"{self.late_count} cards equal state after {self.took_s:.1f} s, best {self.bound_s:.1f} s" + (
            f", ratio {self.ratio():.2f}" if self.is_bound() else "")
