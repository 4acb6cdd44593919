# SPDX-License-Identifier: Apache-2.0
"""verify.py: after everything is healed: is the pair whole, and was everything that was told true?

Owns the questions that are asked of a healed world; checker.py and wal.py judge the answers. Never
heals anything itself, and never trusts one host: what both have must be equal.
"""

import json
import time

import checker
import wal
from lib.harness import CHANNEL
from world import LOST, wait

SETTLE_S = 30.0
AUDIT_PAGE = 100
CARDS_MAX = 6


class Verifier:
    """Keeps what was verified already: the audit log and the WAL grow over the rounds."""

    def __init__(self, world):
        self.world = world
        self.audit = []

    def verify(self, lines):
        """What is wrong with a history and with the pair that it ended in."""
        world = self.world
        took = world.wait_paired()
        self.settle()
        wrong = checker.check_history(lines, self.finals(lines))
        wrong += self.check_audit()
        wrong += self.check_logs()
        wrong += self.check_cards(lines)
        return took, wrong

    def settle(self):
        """Until what was accepted is processed and the standby has all of it."""
        def settled():
            status = self.world.primary().service_status()
            lag = status["pair"]["lag_records"]
            return status["counts"]["inbox"] == 0 and lag == 0
        wait(settled, "inbox and lag are 0", SETTLE_S, 0.03)

    def finals(self, lines):
        """Each request that the history names, as the pair has it now."""
        ids = {line["request"] for line in lines if line.get("request")}
        found = {}
        for request_id in sorted(ids):
            status, request = self.read(request_id)
            if status == 200:
                found[request_id] = {
                    "state": request["state"], "use": request["use"],
                    "result": request["result"],
                    "users": [d["user"] for d in request["decisions"]]}
        return found

    def read(self, request_id):
        return self.get(f"/v1/requests/{request_id}")

    def get(self, path):
        """(status, answer) of a strong read; on a busy machine a healed pair may change once more."""
        for attempt in range(40):
            try:
                status, answer = self.world.api("GET", path)
                if status not in (429, 503):
                    return status, answer
            except LOST:
                if attempt == 39:
                    raise
            time.sleep(0.05)
        raise AssertionError(f"{path} cannot be read although the pair is healed")

    def check_audit(self):
        """The whole log, from its first entry; pages that were read before are asked for again
        only where they must join."""
        first = len(self.audit) + 1
        while True:
            status, page = self.get(f"/v1/audit?from={first}&limit={AUDIT_PAGE}")
            if status != 200:
                return [f"the audit log cannot be read: {status} {page}"]
            if not page["entries"]:
                break
            self.audit += page["entries"]
            first = self.audit[-1]["seq"] + 1
            if not page["next"]:
                break
        return checker.check_audit(self.audit)

    def check_logs(self):
        """Both hosts have the same records, up to the same last one."""
        logs = {name: wal.read_log(host.path("data")) for name, host in self.world.hosts.items()}
        count, wrong = wal.compare(logs["A"], logs["B"])
        if count == 0:
            wrong.append(f"no record is in both logs: A {bounds(logs['A'])}, B {bounds(logs['B'])}")
        return wrong

    def check_stores(self):
        """Stops both hosts: each store with its log applied holds the same."""
        self.world.wait_paired()
        self.settle()
        for host in (self.world.standby(), self.world.primary()):
            host.stop()
        folders = [host.path("data") for host in self.world.hosts.values()]
        stores, logs = ([read(folder) for folder in folders]
                        for read in (wal.read_store, wal.read_log))
        _, wrong = wal.compare(*logs)
        return wrong if None in stores else wrong + wal.compare_stores(stores, logs)

    def check_cards(self, lines):
        """One card a request, however often the host that posts it changed."""
        ids = [line["request"] for line in lines
               if line["e"] == "ok" and line.get("request")][:CARDS_MAX]
        wrong = []
        for request_id in sorted(set(ids)):
            cards = self.world.slack("messages", channel=CHANNEL,
                                     metadata={"request_id": request_id})["messages"]
            cards = [m for m in cards if m.get("thread_ts") in (None, m["ts"])]
            if len(cards) > 1:
                wrong.append(f"double: {request_id} has {len(cards)} cards: {json.dumps(cards)[:600]}")
        return wrong


def bounds(log):
    return f"{min(log)}-{max(log)}" if log else "empty"
