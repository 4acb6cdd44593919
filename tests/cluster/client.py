#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""client.py SPEC: several clients at once, through the virtual IP, until standard input ends.

Runs in the clients' namespace. Owns its connections and the history that it writes: JSON lines
{"e": "invoke"|"ok"|"fail"|"unknown", "op": number, "t": seconds on the monotonic clock, …}.
Never decides what is right: checker.py does. A call of unknown fate is repeated with the same key,
as an asker or Slack would, and stays one operation; when the time is up it is "unknown".

An operation has "kind", the request it is about, and what it was given; its end has what was told.
"""

import http.client
import itertools
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib.harness import ANA, BEN, form, press, sign  # noqa: E402  the path is set above

LOST = (OSError, http.client.HTTPException)
CALL_S = 3.0  # Slack's own patience
RETRY_S = 0.03
OPEN_MAX = 24  # requests that are acted upon at a time, so that clients meet at the same ones
WEIGHTS = {"create": 5, "read": 6, "decide": 3, "press": 5, "claim": 4, "consume": 3, "cancel": 1}


class History:
    """Appends lines; each is in the file before the call that follows it begins."""

    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)

    def invoke(self, **what):
        with self.lock:
            number = next(self.numbers)
        self.write(e="invoke", op=number, **what)
        return number

    def write(self, **line):
        line["t"] = time.monotonic()
        text = json.dumps(line) + "\n"
        with self.lock:
            self.file.write(text)
            self.file.flush()


class Board:
    """Requests that are under way, shared by all clients."""

    def __init__(self, seed):
        self.lock = threading.Lock()
        self.random = random.Random(seed)
        self.requests = {}  # id -> number of times it was acted on

    def add(self, request_id):
        with self.lock:
            self.requests[request_id] = 0
            if len(self.requests) > OPEN_MAX:
                worn = max(self.requests, key=self.requests.get)
                del self.requests[worn]

    def pick(self):
        with self.lock:
            if not self.requests:
                return None
            request_id = self.random.choice(list(self.requests))
            self.requests[request_id] += 1
            if self.requests[request_id] > 14:  # enough to have met every rule
                del self.requests[request_id]
            return request_id


class Client(threading.Thread):
    """One client: one operation at a time."""

    def __init__(self, number, spec, history, board, ending):
        super().__init__(daemon=True)
        self.number, self.spec, self.history, self.board = number, spec, history, board
        self.ending = ending
        self.random = random.Random(f"{spec['seed']}/{number}")
        self.conn = None
        self.serial = itertools.count(1)
        self.problem = None

    # -- one call ----------------------------------------------------------------------------------

    def send(self, method, path, body, headers):
        """(status, body); a new connection now and then, as many clients would."""
        if self.conn is None or self.random.random() < 0.3:
            self.drop()
            self.conn = http.client.HTTPConnection(self.spec["vip"], self.spec["port"],
                                                   timeout=CALL_S)
        try:
            self.conn.request(method, path, body, headers)
            response = self.conn.getresponse()
            data = response.read()
            if response.getheader("Connection", "").lower() == "close":
                self.drop()
            return response.status, data
        except LOST:
            self.drop()
            raise

    def drop(self):
        if self.conn is not None:
            self.conn.close()
            self.conn = None

    def api(self, method, path, body=None, token="token", key=None):
        headers = {"Authorization": "Bearer " + self.spec[token]}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        if key:
            headers["Idempotency-Key"] = key
        return self.send(method, path, data, headers)

    def until_known(self, number, call):
        """(status, body, whether an earlier try may have done it), or None: the time was up."""
        tries, doubt = 0, False
        give_up = time.monotonic() + self.spec.get("patience", 30)
        while True:
            tries += 1
            try:
                status, body = call()
                if status not in (429, 500, 502, 503, 504):
                    return status, body, doubt
                doubt = doubt or status != 429
            except ConnectionRefusedError:
                pass  # nothing was sent
            except LOST:
                doubt = True
            if time.monotonic() > give_up or (self.ending.is_set() and tries > 3):
                self.history.write(e="unknown", op=number, tries=tries)
                return None
            self.ending.wait(RETRY_S * self.random.uniform(0.5, 1.5))

    # -- operations --------------------------------------------------------------------------------

    def run(self):
        kinds, weights = zip(*self.spec.get("weights", WEIGHTS).items(), strict=True)
        try:
            while not self.ending.is_set():
                kind = self.random.choices(kinds, weights)[0]
                request_id = None if kind == "create" else self.board.pick()
                if kind != "create" and request_id is None:
                    kind = "create"
                getattr(self, "do_" + kind)(request_id)
                self.ending.wait(self.spec.get("pause", 0.0))
        except Exception as problem:  # noqa: BLE001: told to the orchestrator, which fails
            self.problem = f"{type(problem).__name__}: {problem}"
            self.history.write(e="broken", op=0, problem=self.problem)
        finally:
            self.drop()

    def name(self):
        return f"{self.spec['seed']}-{self.number}-{next(self.serial)}"

    def end(self, number, answer, good, **more):
        """Writes the end of an operation; refusals carry their word."""
        status, body, doubt = answer
        if status in good:
            self.history.write(e="ok", op=number, status=status, doubt=doubt, **more)
            return
        try:
            refusal = json.loads(body).get("refusal") or f"status {status}"
        except ValueError:
            refusal = f"status {status}"
        self.history.write(e="fail", op=number, status=status, doubt=doubt, refusal=refusal, **more)

    def do_create(self, _unused):
        key = "k-" + self.name()
        body = {"policy": "prod-deploy", "title": f"Deploy {key}", "reason": "cluster",
                "requester": self.spec["requester"]}
        number = self.history.invoke(kind="create", client=self.number, key=key)
        answer = self.until_known(number, lambda: self.api("POST", "/v1/requests", body, key=key))
        if answer is None:
            return
        made = json.loads(answer[1]) if answer[0] in (200, 201) else {}
        self.end(number, answer, (200, 201), request=made.get("id"))
        if made:
            self.board.add(made["id"])

    def do_read(self, request_id):
        number = self.history.invoke(kind="read", client=self.number, request=request_id)
        answer = self.until_known(number, lambda: self.api("GET", f"/v1/requests/{request_id}"))
        if answer is not None:
            seen = json.loads(answer[1]) if answer[0] == 200 else {}
            self.end(number, answer, (200,), **what_was_seen(seen))

    def do_decide(self, request_id):
        user = self.random.choice((ANA, BEN))
        verdict = self.random.choice(("approve", "approve", "reject"))
        number = self.history.invoke(kind="decide", client=self.number, request=request_id,
                                     user=user, verdict=verdict)
        answer = self.until_known(number, lambda: self.api(
            "POST", f"/v1/requests/{request_id}/decisions", {"verdict": verdict},
            token="decider_" + user))
        if answer is not None:
            self.end(number, answer, (200, 202))

    def do_press(self, request_id):
        """Slack repeats an unacknowledged press never; a proxy may. The bytes stay the same."""
        user = self.random.choice((ANA, BEN))
        body = form(press(request_id, user))
        number = self.history.invoke(kind="press", client=self.number, request=request_id,
                                     user=user, verdict="approve")
        answer = self.until_known(number, lambda: self.send(
            "POST", "/slack/interactions", body, sign(body, self.spec["signing_secret"])))
        if answer is not None:
            self.end(number, answer, (200,))

    def do_claim(self, request_id):
        key = self.name()
        number = self.history.invoke(kind="claim", client=self.number, request=request_id, key=key)
        answer = self.until_known(number, lambda: self.api(
            "POST", f"/v1/requests/{request_id}/claim", {"claim_key": key}))
        if answer is not None:
            self.end(number, answer, (200,))

    def do_consume(self, request_id):
        result = self.random.randrange(100)
        number = self.history.invoke(kind="consume", client=self.number, request=request_id,
                                     result=result)
        answer = self.until_known(number, lambda: self.api(
            "POST", f"/v1/requests/{request_id}/consume", {"result": result}))
        if answer is not None:
            self.end(number, answer, (200,))

    def do_cancel(self, request_id):
        number = self.history.invoke(kind="cancel", client=self.number, request=request_id)
        answer = self.until_known(number, lambda: self.api(
            "POST", f"/v1/requests/{request_id}/cancel", {"reason": "cluster"}))
        if answer is not None:
            self.end(number, answer, (200,))


def what_was_seen(request):
    """The part of a request that the model knows."""
    if not request:
        return {}
    return {"state": request["state"], "use": request["use"], "result": request["result"],
            "users": [d["user"] for d in request["decisions"]],
            "verdicts": [d["verdict"] for d in request["decisions"]]}


def until_told():
    """Says that all has begun; returns when standard input ends."""
    print("ready", flush=True)
    sys.stdin.read()


def join(name, threads):
    """The exit code, when all have ended: 1 when one broke; what of is told."""
    for thread in threads:
        thread.join()
    broken = [thread.problem for thread in threads if thread.problem]
    for problem in broken:
        print(f"{name}: {problem}", file=sys.stderr)
    return 1 if broken else 0


def main():
    with open(sys.argv[1], encoding="utf-8") as handle:
        spec = json.load(handle)
    history, board, ending = History(spec["history"]), Board(spec["seed"]), threading.Event()
    clients = [Client(n, spec, history, board, ending) for n in range(spec["clients"])]
    for client in clients:
        client.start()
    until_told()
    ending.set()
    return join("client", clients)


if __name__ == "__main__":
    sys.exit(main())
