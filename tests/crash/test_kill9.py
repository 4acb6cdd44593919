#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_kill9.py: kills approvald under load, at random moments and at named points of its I/O, and
asks afterwards: is everything acknowledged still there, and is nothing decided twice?

Owns the processes of its World. Never trusts its own expectations over what was acknowledged: an
unacknowledged call may or may not have happened, and is repeated with the same key or signature,
as an asker or Slack would.

What is checked after every cycle: each request that got its 201 exists under the same id; each
press that got its 200 shows as that person's decision, or the request had ended by another's; one
decision per person; an outcome, once seen, never changes; a repeated Idempotency-Key gives the
same id. At the end: the audit chain verifies and holds exactly one outcome per ended request.
"""
import argparse
import http.client
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import harness  # noqa: E402  the path is set above
from lib.harness import ANA, BEN, World, form, press, reject_submission, sign  # noqa: E402

POINTS = ("wal-write", "wal-torn", "wal-written", "wal-sync", "wal-synced", "state-write",
          "state-written", "state-sync", "state-synced", "rename", "renamed", "reply", "replied")
OUTCOMES = ("approved", "rejected", "expired", "cancelled")
LOST = (OSError, http.client.HTTPException)


class Intent:
    """One request that somebody wants, and the presses on it."""

    def __init__(self, key, policy):
        self.key, self.policy = key, policy
        self.id = None
        self.presses = []  # [user, verdict, body, acknowledged]
        self.outcome = None


class Client(threading.Thread):
    """Asks and presses over one keep-alive connection until the server is gone."""

    def __init__(self, world, token, seed, intents, lock):
        super().__init__(daemon=True)
        self.world, self.token, self.lock = world, token, lock
        self.random = random.Random(seed)
        self.intents = intents
        self.conn = http.client.HTTPConnection("127.0.0.1", world.port, timeout=5)
        self.stopped = threading.Event()
        self.created = self.pressed = 0
        self.bad = None

    def send(self, path, body, headers):
        self.conn.request("POST", path, body, headers)
        response = self.conn.getresponse()
        return response.status, response.read()

    def run(self):
        try:
            while not self.stopped.is_set():
                self.step()
        except LOST:
            pass
        finally:
            self.conn.close()

    def step(self):
        intent = Intent(f"key-{self.random.getrandbits(64):x}",
                        self.random.choice(("prod-deploy", "prod-deploy", "two-people")))
        with self.lock:
            self.intents.append(intent)
        create(self.send, intent, self.token)
        self.created += 1
        users = [ANA, BEN]
        self.random.shuffle(users)
        for user in users:
            if self.random.random() < 0.8:
                reject = self.random.random() < 0.2
                payload = reject_submission(intent.id, user) if reject else press(intent.id, user)
                entry = [user, "reject" if reject else "approve", form(payload), False]
                intent.presses.append(entry)
                deliver(self.send, entry)
                self.pressed += 1


def create(send, intent, token):
    body = harness.json.dumps({"policy": intent.policy, "title": "Deploy " + intent.key,
                               "reason": "r", "target": "t", "requester": harness.RITA}).encode()
    status, answer = send("/v1/requests", body, {
        "Content-Type": "application/json", "Idempotency-Key": intent.key,
        "Authorization": "Bearer " + token})
    if status == 503:
        raise http.client.HTTPException("503")
    assert status in (200, 201), (status, answer)
    found = harness.json.loads(answer)["id"]
    assert intent.id in (None, found), f"{intent.key}: two requests, {intent.id} and {found}"
    intent.id = found


def deliver(send, entry):
    status, answer = send("/slack/interactions", entry[2], sign(entry[2]))
    if status == 503:
        raise http.client.HTTPException("503")
    assert status == 200, (status, answer)
    entry[3] = True


def one_shot(world):
    def send(path, body, headers):
        answer = harness.call("POST", path, body, headers, port=world.port)
        return answer.status, answer.body
    return send


def settle(world):
    """Until no event waits in the inbox."""
    world.wait(lambda: world.admin("GET", "/v1/status").json()["counts"]["inbox"] == 0,
               "the inbox is empty", 60)


def verify(world, intent, token):
    answer = world.api("GET", f"/v1/requests/{intent.id}", token=token)
    assert answer.status == 200, f"acknowledged request {intent.id} is lost: {answer.status}"
    found = answer.json()
    users = [d["user"] for d in found["decisions"]]
    assert len(users) == len(set(users)), f"{intent.id}: one person decided twice: {users}"
    for user, verdict, _, acknowledged in intent.presses:
        if not acknowledged:
            continue
        mine = [d for d in found["decisions"] if d["user"] == user]
        if not mine:
            assert found["state"] in OUTCOMES, f"{intent.id}: acknowledged {verdict} of {user} lost"
        else:
            assert mine[0]["verdict"] == verdict, f"{intent.id}: {user} pressed {verdict}"
    assert intent.outcome in (None, found["state"]), \
        f"{intent.id}: was {intent.outcome}, is {found['state']}"
    if found["state"] in OUTCOMES:
        intent.outcome = found["state"]


def run_cycle(world, token, seed, state):
    """One life of the process: load, death, restart, questions. Returns what killed it."""
    rng = random.Random(seed)
    env = dict(os.environ)
    point = None
    if state["shim"] and rng.random() < 0.5:
        point = f"{rng.choice(POINTS)}:{1 + int(rng.expovariate(1 / 60))}"
        env.update(LD_PRELOAD=state["shim"], FAILPOINT=point)
    world.start(env=env, wait=False)
    try:
        world.wait(lambda: not world.daemon.alive() or world.ready(), "ready", 60)
    except AssertionError:
        if world.daemon.alive():
            raise
    intents, lock = [], threading.Lock()
    clients = [Client(world, token, rng.getrandbits(64), intents, lock) for _ in range(4)]
    for client in clients:
        client.start()
    end = time.monotonic() + rng.uniform(0.02, 0.5)
    while world.daemon.alive() and time.monotonic() < end:
        time.sleep(0.002)
    world.daemon.kill()
    for client in clients:
        client.stopped.set()
        client.join(60)
        assert not client.is_alive(), "a client hangs"
    state["created"] += sum(c.created for c in clients)
    state["pressed"] += sum(c.pressed for c in clients)
    world.start()
    for intent in intents:
        create(one_shot(world), intent, token)
        for entry in intent.presses:
            if not entry[3]:
                deliver(one_shot(world), entry)
    settle(world)
    for intent in intents:
        verify(world, intent, token)
    state["intents"] += intents
    world.daemon.kill()
    return point or "random"


def audit(world, token, state):
    """The whole chain, and one outcome for each ended request in it."""
    world.start()
    settle(world)
    for intent in state["intents"]:
        verify(world, intent, token)
    world.ctl("audit", "verify", check=0, timeout=600)
    outcomes, after = {}, 1
    while after:
        page = world.admin("GET", f"/v1/audit?from={after}&limit=100", timeout=60).json()
        for entry in page["entries"]:
            if entry["action"] in OUTCOMES:
                outcomes.setdefault(entry["request"], []).append(entry["action"])
        after = page["next"]
    for intent in state["intents"]:
        expected = [intent.outcome] if intent.outcome else []
        assert outcomes.get(intent.id, []) == expected, \
            f"{intent.id}: audit says {outcomes.get(intent.id)}, state says {intent.outcome}"
    return sum(len(v) for v in outcomes.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", default=os.environ.get("APPROVALD_BUILD", "."))
    parser.add_argument("--cycles", type=int, default=40)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    shim = os.path.abspath(os.path.join(options.build, "tests/crash/failpoint.so"))
    directory = tempfile.mkdtemp(prefix="approvald-kill9-")
    state = {"shim": shim if os.path.exists(shim) else None, "created": 0, "pressed": 0,
             "intents": []}
    assert state["shim"], "tests/crash/failpoint.so is not built"
    deaths = {}
    try:
        with World(directory, options.build) as world:
            world.start()
            world.apply_policy()
            token = world.token("kill9")
            world.daemon.kill()
            for cycle in range(options.cycles):
                try:
                    cause = run_cycle(world, token, options.seed + cycle, state)
                except BaseException:
                    print(f"kill9: failed with seed {options.seed + cycle}; log: "
                          f"{world.log_tail()}", flush=True)
                    raise
                name = cause.split(":")[0]
                deaths[name] = deaths.get(name, 0) + 1
            ended = audit(world, token, state)
        acknowledged = sum(p[3] for i in state["intents"] for p in i.presses)
        print(f"kill9: {options.cycles} cycles from seed {options.seed}: "
              f"{len(state['intents'])} requests, {acknowledged} acknowledged presses, "
              f"{ended} outcomes, 0 lost, 0 decided twice; deaths {deaths}")
        print("1 passed, 0 failed")
        shutil.rmtree(directory)
    except (AssertionError, subprocess.SubprocessError) as failure:
        print(f"kill9: FAILED: {failure}; kept {directory}")
        print("0 passed, 1 failed")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
