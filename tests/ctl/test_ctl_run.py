#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_ctl_run.py: approvalctl run: what was approved, once, or not at all; and shell completion.

See case.py for what it needs.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from case import ID, PROGRAM, ROOT, CtlTest  # noqa: E402
from fake_server import problem, request_json, wait_until  # noqa: E402


def run_script(state="approved", claim=None, consume=(200, None), seen=None):
    """The server's side of `run`: create, wait, claim, consume."""
    box = seen if seen is not None else {}

    def script(call):
        path = call["path"]
        if call["method"] == "POST" and path == "/v1/requests":
            box["asked"] = json.loads(call["body"])
            return 201, request_json(bind_hash=box["asked"]["bind_hash"])
        if call["method"] == "GET":
            time.sleep(0.1)
            return 200, request_json(state=state, bind_hash=box["asked"]["bind_hash"])
        if path.endswith("/claim"):
            answer = request_json(state="approved", use="claimed")
            answer["bind_hash"] = json.loads(call["body"])["bind_hash"]
            return claim or (200, answer)
        if path.endswith("/consume"):
            box["result"] = json.loads(call["body"])["result"]
            return consume[0], consume[1] or request_json(state="approved", use="consumed")
        return 200, request_json(state="cancelled")

    return script


class Run(CtlTest):
    """run: exactly what was approved, once, or not at all."""

    def run_it(self, code, *command, args=(), seen=None, **server):
        self.serve(run_script(seen=seen, **server))
        return self.check(code, "run", "--policy", "prod", *args, "--", *command, cwd=self.folder)

    def test_the_commands_output_and_code_pass_through(self):
        seen = {}
        done = self.run_it(7, "sh", "-c", "echo out; echo err >&2; exit 7", seen=seen)
        self.assertEqual(done.out, "out\n")
        self.assertIn("err", done.err)
        self.assertEqual(seen["result"], 7)
        self.assertEqual(len(self.server.seen("POST", "/claim")), 1)

    def test_the_approver_sees_what_runs(self):
        seen = {}
        done = self.run_it(0, "echo", "a b", "$HOME", args=("--env", "LC_ALL"), seen=seen)
        self.assertEqual(done.out, "a b $HOME\n")
        self.assertTrue(
            seen["asked"]["details"].startswith(
                f"echo 'a b' '$HOME'\nin {self.folder}\nwith LC_ALL=C.UTF-8\ncode "
            ),
            seen["asked"]["details"],
        )
        parts = ["approvald-bind-v1", self.folder, "3", "echo", "a b", "$HOME", "1"]
        parts.append("LC_ALL=C.UTF-8")
        raw = "".join(f"{len(p)}:{p}," for p in parts).encode()
        self.assertEqual(seen["asked"]["bind_hash"], hashlib.sha256(raw).hexdigest())
        code = seen["asked"]["bind_hash"][:8]
        self.assertIn(code, seen["asked"]["details"])
        self.assertIn(code, done.err)

    def test_nothing_runs_without_an_approval(self):
        for state, code in (("rejected", 110), ("expired", 111), ("cancelled", 112)):
            self.run_it(code, "touch", "ran", state=state)
        refused = {"claimed": 118, "lapsed": 113, "wrong_hash": 115, "not_approved": 115}
        for refusal, code in refused.items():
            self.run_it(code, "touch", "ran", claim=problem(409, "no", refusal))
        other = request_json(state="approved", use="claimed", bind_hash="00" * 32)
        done = self.run_it(115, "touch", "ran", claim=(200, other))
        self.assertIn("approved for something else", done.err)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "ran")))

    def test_nobody_decides_in_time(self):
        self.run_it(117, "touch", "ran", args=("--timeout", "4s"), state="pending")
        self.assertEqual(len(self.server.seen("POST", "/cancel")), 1)

    def test_a_command_that_cannot_run(self):
        seen = {}
        self.run_it(127, "no-such-command-here", seen=seen)
        self.assertEqual(seen["result"], 127)
        self.run_it(126, "./", seen=seen)

    def test_a_signal_ends_the_command(self):
        seen = {}
        self.run_it(128 + signal.SIGTERM, "sh", "-c", "kill -TERM $$", seen=seen)
        self.assertEqual(seen["result"], 143)

    def test_a_signal_to_us_reaches_the_command(self):
        seen = {}
        self.serve(run_script(seen=seen))
        script = "trap 'echo caught; exit 3' TERM; echo up; while :; do sleep 0.05; done"
        child = self.start("run", "--policy", "p", "--", "sh", "-c", script)
        self.assertEqual(child.stdout.readline(), "up\n")
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=60)
        self.assertEqual((child.returncode, out), (3, "caught\n"), err)
        self.assertEqual(seen["result"], 3)

    def test_interrupted_while_waiting_it_takes_the_request_back(self):
        self.serve(run_script(state="pending"))
        child = self.start("run", "--policy", "p", "--", "touch", f"{self.folder}/ran")
        self.assertTrue(wait_until(lambda: self.server.seen("GET", ID)))
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=60)
        self.assertEqual(child.returncode, 128 + signal.SIGTERM)
        self.assertEqual(len(self.server.seen("POST", "/cancel")), 1)
        self.assertFalse(os.path.exists(f"{self.folder}/ran"))

    def test_a_lost_report_does_not_change_the_code(self):
        done = self.run_it(0, "true", consume=problem(409, "no", "not_claimed"))
        self.assertIn("could not be reported", done.err)

    def test_a_claim_outlasts_a_restart(self):
        plain = run_script()
        refusals = [503] * 4

        def script(call):
            if call["path"].endswith("/claim") and refusals:
                return refusals.pop(), {"detail": "not primary"}
            return plain(call)

        self.serve(script)
        done = self.check(0, "run", "--policy", "p", "--", "echo", "ran")
        self.assertEqual(done.out, "ran\n")
        bodies = {call["body"] for call in self.server.seen("POST", "/claim")}
        self.assertEqual((len(self.server.seen("POST", "/claim")), len(bodies)), (5, 1))

    def test_too_much_to_read_is_not_asked(self):
        self.serve(run_script())
        done = self.check(116, "run", "--policy", "p", "--", "echo", "x" * 3000)
        self.assertIn("put it into a script", done.err)
        self.assertEqual(self.server.calls, [])

    def test_the_directory_is_the_one_that_was_approved(self):
        seen = {}
        gate = threading.Event()
        plain = run_script(seen=seen)

        def script(call):
            if call["method"] == "GET":
                gate.wait(60)
            return plain(call)

        self.serve(script)
        place = os.path.join(self.folder, "place")
        os.mkdir(place)
        child = self.start("run", "--policy", "p", "--", "touch", "here", cwd=place)
        self.assertTrue(wait_until(lambda: "asked" in seen))
        os.rename(place, place + "-moved")
        os.mkdir(place)
        gate.set()
        child.communicate(timeout=60)
        self.assertTrue(os.path.exists(place + "-moved/here"))
        self.assertFalse(os.path.exists(place + "/here"))


class Completion(CtlTest):
    """The shell knows the words that the program knows."""

    def complete(self, *words):
        script = (
            f"source {ROOT}/packaging/completion/approvalctl.bash\n"
            'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _approvalctl; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        env = {**self.environment(), "PATH": os.path.dirname(PROGRAM) + ":" + os.environ["PATH"]}
        done = subprocess.run(
            ["bash", "-c", script, "bash", "approvalctl", *words], env=env,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return [word.strip() for word in done.stdout.split("\n") if word.strip()]

    def test_words(self):
        self.assertIn("request", self.complete(""))
        self.assertEqual(self.complete("req"), ["request"])
        self.assertEqual(sorted(self.complete("token", "")), ["add", "list", "revoke"])
        self.assertIn("--policy=", self.complete("request", "--po"))
        self.assertIn("--dry-run", self.complete("policy", "apply", "--d"))


if __name__ == "__main__":
    unittest.main(verbosity=1)
