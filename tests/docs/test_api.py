#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_api.py: every example of docs/api.md runs as it is printed, against a real approvald.

Owns one World (tests/lib/harness.py) and what each part of the document promises of its answers.
The blocks marked ```sh run in one shell, in the order of the document, because later ones use what
earlier ones made. They run unchanged: a curlrc of the test makes curl fail on a refusal and tell
the status. Never skips a block: one under a heading that the test does not know is a failure.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import pages  # noqa: E402  the path is set above
from lib import harness  # noqa: E402

PAGE = "docs/api.md"
CURLRC = 'fail-with-body\nwrite-out = "%{stderr}%{http_code}\\n"\n'
MARK = "== block "
# What the document promises: the status of each call under a heading that starts so.
STATUSES = {
    "Ask": [201],
    "Wait": [201, 200],
    "List": [200],
    "What waits": [200],
    "Decide": None,  # 200 or 202, see its test
    "Cancel": [200, 200],
    "Use an approval": [200, 200, 200],
    "What `bind_hash`": [],
    "Audit": [200],
    "Policies": [200, 200, 200],
    "Freezes": [200, 204, 204],
    "Root": [201, 204, 200],
    "Health": [200, 200, 200],
}


class Run:
    """What the blocks of one part printed and which statuses their calls got."""

    def __init__(self):
        self.bodies, self.statuses, self.rest = [], [], ""

    def add(self, out, statuses):
        """JSON values one after another, between them lines that are none."""
        decoder, rest = json.JSONDecoder(), out.strip()
        while rest:
            if rest.startswith("{"):
                body, end = decoder.raw_decode(rest)
                self.bodies.append(body)
            else:
                end = len(rest.split("\n", 1)[0])
                self.rest += rest[:end] + "\n"
            rest = rest[end:].strip()
        self.statuses += statuses


def split(text):
    """{number of the block: what came after its mark}"""
    parts = re.split("^" + MARK + r"(\d+)\n", text, flags=re.M)[1:]
    return dict(zip(map(int, parts[::2]), parts[1::2]))


def shape(value):
    """The members of a JSON value and of the objects in it; texts and numbers do not matter."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return None


class Api(unittest.TestCase):
    """One shell, all blocks; then one test per part of the document."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.world = harness.World(cls.folder.name, pages.BUILD)
        cls.addClassCleanup(cls.world.close)
        cls.world.start()
        cls.world.apply_policy()
        cls.token = cls.world.token("ci")
        cls.decider = cls.world.token("ana", scopes=["decide"], user=harness.ANA)
        harness.World.wait(lambda: cls.world.api("GET", f"/v1/waiting?user={harness.ANA}", token=cls.token).status
                           == 200, "what is open is read")  # fmt: skip
        with open(cls.world.path(".curlrc"), "w", encoding="utf-8") as handle:
            handle.write(CURLRC)
        cls.blocks = pages.blocks(PAGE)
        cls.script = [block for block in cls.blocks if block.language == "sh"]
        cls.run_script()

    @classmethod
    def run_script(cls):
        text = ""
        for number, block in enumerate(cls.script):
            text += f"echo; echo '{MARK}{number}'; echo '{MARK}{number}' >&2\n{block.text}"
        env = {
            "PATH": os.environ["PATH"],
            "CURL_HOME": cls.world.dir,
            "APPROVALD_URL": f"http://127.0.0.1:{cls.world.port}",
            "APPROVALD_SOCKET": cls.world.socket,
            "TOKEN": cls.token,
            "DECIDER": cls.decider,
        }
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], env=env, timeout=120,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False)  # fmt: skip
        out, err = split(done.stdout), split(done.stderr)
        if done.returncode != 0:
            last = max(out)
            raise AssertionError(f"{cls.script[last]} ended with {done.returncode}:\n"
                                 f"{out[last]}\n{err.get(last, '')}")  # fmt: skip
        cls.runs = {}
        for number, block in enumerate(cls.script):
            statuses = err[number].split()
            if not all(re.fullmatch(r"\d{3}", status) for status in statuses):
                raise AssertionError(f"{block} complains: {err[number]}")
            run = cls.runs.setdefault(cls.part(block), Run())
            run.add(out[number], list(map(int, statuses)))

    @staticmethod
    def part(block):
        """The key of STATUSES for a block."""
        for key in STATUSES:
            if block.heading.startswith(key):
                return key
        raise AssertionError(f"{block}: say in STATUSES and in a test what it has to answer")

    def json_of(self, heading):
        """The JSON that the document shows under a heading."""
        [block] = [
            b for b in self.blocks if b.language == "json" and b.heading.startswith(heading)
        ]
        return json.loads(block.text)

    def request(self):
        """The request whose life the document tells, as it is now."""
        found = self.world.api("GET", "/v1/requests?state=approved", token=self.token).json()
        [request] = found["requests"]
        return request

    def test_every_call_gets_the_status_that_is_promised(self):
        for key, statuses in STATUSES.items():
            with self.subTest(part=key):
                self.assertIn(key, self.runs, "the document has no example of it any more")
                if statuses is not None:
                    self.assertEqual(self.runs[key].statuses, statuses)

    def test_ask_makes_a_pending_request(self):
        [made] = self.runs["Ask"].bodies
        self.assertEqual((made["state"], made["use"], made["requester"], made["target"]),
                         ("pending", "none", harness.RITA, "eu-1"))  # fmt: skip

    def test_the_same_key_is_the_same_request(self):
        body = {"policy": "prod-deploy", "title": "Once"}
        answers = [
            self.world.api("POST", "/v1/requests", body, self.token, {"Idempotency-Key": "once"})
            for _ in range(2)
        ]
        first, again = answers
        self.assertEqual((first.status, again.status), (201, 200))
        self.assertEqual(first.headers["Location"], "/v1/requests/" + first.json()["id"])
        self.assertEqual(again.headers["Idempotency-Replayed"], "true")

    def test_a_request_has_the_members_that_are_shown(self):
        self.assertEqual(shape(self.json_of("A request")), shape(self.request()))

    def test_a_refusal_looks_as_it_is_shown(self):
        path = f"/v1/requests/{self.request()['id']}/decisions"
        verdict = {"verdict": "approve"}
        other = self.world.token("ben", scopes=["decide"], user=harness.BEN)
        answer = self.world.api("POST", path, verdict, other)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        self.assertEqual((answer.status, answer.json()), (409, self.json_of("Errors")))

    def test_every_refusal_has_its_status_in_the_table(self):
        told = {
            (word, cells[0])
            for cells in pages.rows(PAGE, "Errors")
            for word in re.findall(r"`([a-z_]+)`", cells[1])
        }
        types, api = map(pages.read, ("approvald/core/types.h", "approvald/http/api.c"))
        words = dict(re.findall(r'X\((REFUSAL_\w+),\s*"(\w+)"', types))
        statuses = re.findall(r"\[(REFUSAL_\w+)\] = (\d+)", api)
        self.assertEqual(len(statuses), len(words) - 1, "all but none")
        self.assertEqual({(words[name], status) for name, status in statuses} - told, set())

    def test_wait_answers_with_the_state_as_it_is(self):
        [polled] = self.runs["Wait"].bodies
        self.assertEqual((polled["state"], polled["id"]), ("pending", self.request()["id"]))

    def test_list_is_newest_first(self):
        [page] = self.runs["List"].bodies
        self.assertEqual([r["title"] for r in page["requests"]],
                         ["Restart the queue", "Deploy api 1.4.2 to production"])  # fmt: skip
        self.assertIsNone(page["next"])

    def test_what_waits_is_what_is_open(self):
        [waiting] = self.runs["What waits"].bodies
        self.assertEqual([r["title"] for r in waiting["requests"]],
                         ["Deploy api 1.4.2 to production", "Restart the queue"])  # fmt: skip
        self.assertEqual((waiting["total"], waiting["page"], waiting["more"], waiting["incomplete"]),
                         (2, 0, False, False))  # fmt: skip

    def test_decide_counts_or_is_deferred(self):
        [status] = self.runs["Decide"].statuses
        self.assertIn(status, (200, 202))
        [answer] = self.runs["Decide"].bodies
        self.assertEqual(answer.get("deferred", False), status == 202)
        [decision] = self.request()["decisions"]
        self.assertEqual((decision["user"], decision["verdict"], decision["reason"]),
                         (harness.ANA, "approve", "looks good"))  # fmt: skip

    def test_cancel_ends_the_other_request(self):
        [cancelled] = self.runs["Cancel"].bodies
        self.assertEqual((cancelled["state"], cancelled["cancel_reason"], cancelled["title"]),
                         ("cancelled", "no longer needed",
                          "Deploy api 1.4.2 to production"))  # fmt: skip

    def test_an_approval_is_claimed_and_consumed(self):
        bodies = self.runs["Use an approval"].bodies
        self.assertEqual([(b["state"], b["use"], b["result"]) for b in bodies],
                         [("approved", "unused", None), ("approved", "claimed", None),
                          ("approved", "consumed", 0)])  # fmt: skip

    def test_the_hash_is_what_run_binds(self):
        run = self.runs["What `bind_hash`"]
        texts = ["approvald-bind-v1", "/srv/app", "2", "make", "deploy", "0"]
        wanted = hashlib.sha256("".join(f"{len(t)}:{t}," for t in texts).encode()).hexdigest()
        self.assertEqual(run.rest.split()[0], wanted)

    def test_the_audit_log_verifies_as_described(self):
        [page] = self.runs["Audit"].bodies
        entries, previous = page["entries"], bytes(32)
        self.assertEqual(entries[0].keys(), self.json_of("Audit").keys())
        self.assertEqual(page["next"], len(entries) + 1)
        for entry in entries:
            raw = bytes.fromhex(entry["bytes"])
            self.assertEqual(entry["previous"], previous.hex())
            self.assertEqual(entry["hash"], hashlib.sha256(previous + raw).hexdigest())
            previous = bytes.fromhex(entry["hash"])
            self.assertEqual(
                (raw[0], int.from_bytes(raw[1:9], "little"), int.from_bytes(raw[9:17], "little")),
                (1, entry["seq"], entry["at_ms"]))  # fmt: skip
            texts, at = [], 17
            for name in ("action", "actor", "via", None, "detail"):
                if name is None:
                    at += 17 if raw[at] else 1
                    continue
                end = at + 2 + int.from_bytes(raw[at : at + 2], "little")
                texts.append((name, raw[at + 2 : end].decode()))
                at = end
            self.assertEqual(texts, [(name, entry[name] or "") for name, _ in texts])
            self.assertEqual(at, len(raw))

    def test_a_freeze_has_the_members_that_are_named(self):
        [listed] = self.runs["Freezes"].bodies
        self.assertEqual(listed, {"freezes": []})
        made = {"name": "docs", "for_s": 60, "reason": "shown"}
        self.assertEqual(self.world.admin("POST", "/v1/freezes", made).status, 204)
        [freeze] = self.world.api("GET", "/v1/freezes", token=self.token).json()["freezes"]
        self.assertEqual(self.world.admin("DELETE", "/v1/freezes/docs").status, 204)
        self.assertEqual(set(freeze), {"name", "state", "from", "to", "passes", "reason",
                                       "added_at", "added_by"})  # fmt: skip

    def test_policies_are_read_and_a_dry_run_writes_nothing(self):
        listed, one, _dry = self.runs["Policies"].bodies
        self.assertIn("prod-deploy", json.dumps(listed))
        self.assertIn("prod-deploy", json.dumps(one))
        self.assertNotIn("docs-example", self.world.ctl("policy", "list", check=0).stdout)

    def test_root_makes_and_revokes_a_token(self):
        made, dead = self.runs["Root"].bodies
        self.assertRegex(made["token"], "^apv_")
        self.assertIn("next", dead)
        answer = self.world.api("GET", "/v1/requests", token=made["token"])
        self.assertEqual(answer.status, 401, "revoked")

    def test_health_is_told(self):
        run = self.runs["Health"]
        [status] = [body for body in run.bodies if "role" in body]
        self.assertEqual(status["role"], "primary")


if __name__ == "__main__":
    unittest.main(verbosity=1)
