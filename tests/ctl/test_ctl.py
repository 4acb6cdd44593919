#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_ctl.py: approvalctl against a server that answers, refuses, vanishes and lies.

See case.py for what it needs.
"""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from case import ID, PROGRAM, CtlTest  # noqa: E402
from fake_server import (  # noqa: E402
    DROP,
    FakeServer,
    problem,
    request_json,
    sequence,
    wait_until,
)
from lib.ports import free_port  # noqa: E402


class ExitCodes(CtlTest):
    """One number for one meaning."""

    def test_wait_tells_each_outcome(self):
        outcomes = {
            0: {"state": "approved", "use": "unused"},
            110: {"state": "rejected"},
            111: {"state": "expired"},
            112: {"state": "cancelled"},
            113: {"state": "approved", "use": "lapsed"},
        }
        for code, changes in outcomes.items():
            self.serve(sequence((200, request_json(**changes))))
            self.check(code, "wait", ID)

    def test_wait_polls_on_while_pending(self):
        self.serve(sequence((200, request_json()), (200, request_json(state="approved"))))
        self.check(0, "wait", ID)
        self.assertIn("wait=", self.server.calls[0]["path"])
        self.assertEqual(len(self.server.calls), 2)

    def test_wait_without_outcome_in_time(self):
        self.serve(lambda _call: (time.sleep(0.3), (200, request_json()))[1])
        self.check(117, "wait", ID, "--timeout", "4s")  # asked and answered in between

    def test_nobody_listens(self):
        env = self.environment(APPROVALD_URL=f"http://127.0.0.1:{free_port()}")
        done = self.check(114, "show", ID, "--timeout", "1s", env=env)
        self.assertIn("check the URL", done.err)
        done = self.check(114, "wait", ID, "--timeout", "1s", env=env)
        self.assertIn("check the URL", done.err)

    def test_no_socket(self):
        dead = f"{self.folder}/dead"
        with socket.socket(socket.AF_UNIX) as left:  # as a killed approvald leaves it
            left.bind(dead)
        for path in (f"{self.folder}/none", dead):
            for words in (("status",), ("wait", ID)):
                done = self.check(114, *words, "--socket", path, "--timeout", "1s")
                self.assertIn(f"{path}: nobody answers on this socket", done.err)
                self.assertIn("systemctl status approvald", done.err)
                self.assertNotIn("localhost", done.err)

    def test_refusals(self):
        table = {
            (401, None): 115,
            (403, "scope"): 115,
            (403, "not_approver"): 115,
            (404, "unknown_request"): 115,
            (409, "ended"): 118,
            (409, "already_decided"): 118,
            (409, "claimed"): 118,
            (409, "key_reused"): 118,
            (409, "consumed"): 118,
            (409, "wrong_hash"): 115,
            (409, "not_approved"): 115,
            (410, "expired"): 111,
            (409, "lapsed"): 113,
            (400, None): 116,
            (413, None): 116,
            (500, None): 119,
        }
        for (status, refusal), code in table.items():
            self.serve(sequence(problem(status, "because of the test", refusal)))
            done = self.check(code, "approve", ID)
            self.assertIn("because of the test", done.err)
            self.assertEqual(done.out, "")

    def test_wrong_calls(self):
        for args in (
            ("nonsense",),
            ("token",),
            ("show",),
            ("show", "a", "b"),
            ("show", "a", "--nonsense"),
            ("request", "--title", "x"),
            ("request", "--policy", "x"),
            ("request", "--policy", "x", "--title", "x", "--expires", "soon"),
            ("request", "--policy", "x", "--title", "x", "--bind-hash", "12"),
            ("request", "--policy", "x", "--title", "x", "--key", "a b"),
            ("run", "--policy", "x"),
            ("list", "--", "x"),
            ("list", "--limit", "many"),
            ("token", "add", "x"),
            ("outbox", "replay", "x"),
            ("slack", "manifest"),
            ("policy", "apply", "/does/not/exist"),
            ("status", "--url", "ftp://x"),
            ("status", "--url", "https://x/"),
        ):
            self.check(116, *args)


class Help(CtlTest):
    """A person can learn from the program alone."""

    def test_every_command_explains_itself(self):
        words = self.check(0, "--words").out.split()
        self.assertIn("run", words)
        commands = []
        for word in words:
            seconds = self.check(0, "--words", word).out.split()
            if seconds and not seconds[0].startswith("--"):
                commands += [(word, second) for second in seconds]
            else:
                commands.append((word,))
        self.assertGreater(len(commands), 20)
        for command in commands:
            done = self.check(0, *command, "--help")
            self.assertIn("usage: approvalctl " + " ".join(command), done.out)
            self.assertIn("  approvalctl " + " ".join(command), done.out)
            self.assertIn("117", done.out)

    def test_overview(self):
        self.assertIn("--help explains", self.check(0, "--help").out)
        self.assertIn("commands:", self.check(116).out)
        self.assertRegex(self.check(0, "--version").out, r"^approvalctl \d")


class Talking(CtlTest):
    """What is sent, and how often."""

    def test_request_sends_what_was_said(self):
        self.serve(sequence((201, request_json())))
        done = self.check(
            0, "request", "--policy", "prod", "--title", "Deploy ü", "--reason", "r", "--target",
            "t", "--details", "a\nb", "--requester", "U1", "--expires", "2h", "--key", "k1",
            "--token-file", self.token_file,
        )  # fmt: skip
        self.assertEqual(done.out, ID + "\n")
        call = self.server.calls[0]
        self.assertEqual((call["method"], call["path"]), ("POST", "/v1/requests"))
        self.assertEqual(call["headers"]["Authorization"], "Bearer apv_secret")
        self.assertEqual(call["headers"]["Idempotency-Key"], "k1")
        self.assertEqual(
            json.loads(call["body"]),
            {
                "policy": "prod", "title": "Deploy ü", "reason": "r", "target": "t",
                "details": "a\nb", "requester": "U1", "expires_in_s": 7200,
            },
        )  # fmt: skip

    def test_a_repeated_request_keeps_its_key(self):
        unavailable = (503, {"detail": "not primary"}, {"Retry-After": "0"})
        self.serve(sequence(DROP, unavailable, (201, request_json())))
        self.check(0, "request", "--policy", "prod", "--title", "x")
        keys = {c["headers"]["Idempotency-Key"] for c in self.server.calls}
        self.assertEqual((len(self.server.calls), len(keys)), (3, 1))

    def test_two_requests_have_two_keys(self):
        self.serve(sequence((201, request_json())))
        for _ in range(2):
            self.check(0, "request", "--policy", "prod", "--title", "x")
        keys = {c["headers"]["Idempotency-Key"] for c in self.server.calls}
        self.assertEqual(len(keys), 2)

    def test_a_token_is_never_made_twice(self):
        self.serve(sequence(DROP, (201, {"token": "apv_1"})))
        self.check(114, "token", "add", "x", "--ask", "--timeout", "60s")
        self.assertEqual(len(self.server.calls), 1)

    def test_a_decision_that_arrived_is_not_an_error(self):
        self.serve(sequence(DROP, problem(409, "you have already", "already_decided")))
        self.check(0, "approve", ID)

    def test_wait_outlasts_a_restart(self):
        port = free_port()
        env = self.environment(APPROVALD_URL=f"http://127.0.0.1:{port}")
        child = self.start("wait", ID, "--timeout", "120s", env=env)
        time.sleep(1)
        self.assertIsNone(child.poll())
        first = FakeServer(lambda _call: (time.sleep(0.2), (200, request_json()))[1], port=port)
        self.assertTrue(wait_until(lambda: len(first.calls) > 1))
        first.close()
        time.sleep(0.5)
        self.serve(sequence((200, request_json(state="approved"))), port=port)
        out, err = child.communicate(timeout=120)
        self.assertEqual(child.returncode, 0, out + err)

    def test_the_local_socket(self):
        path = os.path.join(self.folder, "s")
        self.serve(sequence((200, {"tokens": []})), path=path)
        done = self.check(0, "token", "list", "--socket", path)
        self.assertIn("No tokens", done.out)

    def test_settings_from_the_users_file(self):
        self.serve(sequence((200, request_json())))
        folder = os.path.join(self.folder, ".config", "approvald")
        os.makedirs(folder)
        with open(f"{folder}/approvalctl.conf", "w", encoding="utf-8") as handle:
            handle.write(f'url = "{self.server.url}"\ntoken_file = "{self.token_file}"\n')
        env = self.environment()
        del env["APPROVALD_URL"]
        self.check(0, "show", ID, env=env)
        self.assertEqual(self.server.calls[0]["headers"]["Authorization"], "Bearer apv_secret")
        with open(f"{folder}/approvalctl.conf", "a", encoding="utf-8") as handle:
            handle.write('tokn = "x"\n')
        done = self.check(116, "show", ID, env=env)
        self.assertIn("approvalctl.conf:3", done.err)

    def test_options_before_the_command(self):
        self.serve(sequence((200, request_json())))
        where = ("--url", self.server.url, "--json")
        done = self.check(0, *where, "show", ID, env={"HOME": self.folder})
        self.assertEqual(json.loads(done.out)["id"], ID)
        self.check(116, *where)
        self.check(116, "--url")
        self.check(116, "--nonsense", "show", ID)

    def test_the_token_is_in_no_output(self):
        self.serve(sequence(problem(401, "no such token")))
        done = self.check(115, "show", ID, "--token-file", self.token_file)
        self.assertNotIn("apv_secret", done.out + done.err)


class Showing(CtlTest):
    """What is printed."""

    HOSTILE = "\x1b]0;owned\x07\x1b[2Jgone\x9b31m\u202eevil\r\nx"

    def test_hostile_text_is_escaped(self):
        request = request_json(
            title=self.HOSTILE,
            reason=self.HOSTILE,
            details=self.HOSTILE,
            decisions=[{"user": self.HOSTILE, "verdict": "approve", "at": "x", "via": "slack",
                        "reason": self.HOSTILE}],
        )  # fmt: skip
        replies = {
            ("show", ID): (200, request),
            ("list",): (200, {"requests": [request], "next": self.HOSTILE}),
            ("approve", ID): problem(403, self.HOSTILE, "scope"),
            ("audit", "list"): (200, {"entries": [{"seq": 1, "detail": self.HOSTILE}]}),
            ("policy", "list"): (200, {"policies": [{"name": self.HOSTILE}]}),
        }
        for args, reply in replies.items():
            self.serve(sequence(reply))
            done = self.ctl(*args)
            for bad in ("\x1b", "\x07", "\x9b", "\u202e", "\r"):
                self.assertNotIn(bad, done.out + done.err, args)
            self.assertIn("evil", done.out + done.err, args)

    def test_json_is_what_the_server_said(self):
        request = request_json(title="x")
        self.serve(sequence((200, request)))
        self.assertEqual(json.loads(self.check(0, "show", ID, "--json").out), request)
        self.serve(sequence(problem(403, "no", "scope")))
        self.assertEqual(json.loads(self.check(115, "show", ID, "--json").out)["refusal"], "scope")

    def test_columns_fit_the_terminal(self):
        long = request_json(title="word " * 40)
        self.serve(sequence((200, {"requests": [long], "next": None})))
        self.assertIn("word " * 39, self.check(0, "list").out)
        env = {**self.environment(), "COLUMNS": "80"}
        command = f"stty -echo; {PROGRAM} list"
        done = subprocess.run(
            ["script", "-qec", command, "/dev/null"], env=env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        lines = done.stdout.replace("\r", "").split("\n")
        self.assertTrue(any("…" in line for line in lines), done.stdout)
        self.assertLessEqual(max(len(line) for line in lines), 80)

    def test_a_new_token_goes_to_a_file_of_ones_own(self):
        self.serve(sequence((201, {"token": "apv_new"})))
        target = os.path.join(self.folder, "new")
        done = self.check(
            0, "token", "add", "ci", "--ask", "--policy", "a", "--policy", "b", "--output", target
        )
        self.assertNotIn("apv_new", done.out + done.err)
        self.assertEqual(os.stat(target).st_mode & 0o777, 0o600)
        with open(target, encoding="utf-8") as handle:
            self.assertEqual(handle.read(), "apv_new\n")
        body = json.loads(self.server.calls[0]["body"])
        self.assertEqual((body["scopes"], body["policies"]), (["ask"], ["a", "b"]))
        self.check(116, "token", "add", "ci", "--ask", "--output", target)
        self.assertEqual(len(self.server.calls), 1)

    def test_admin_commands_say_where_they_work(self):
        self.serve(sequence(problem(404, "no such path")))
        self.assertIn("local socket", self.check(115, "token", "list").err)

    def test_show_says_which_needs_are_met_and_by_whom(self):
        needs = [
            {"name": "security", "alternative": 0, "quorum": 1, "approvals": 1},
            {"name": "ops", "alternative": 0, "quorum": 2, "approvals": 0},
            {"name": "director", "alternative": 1, "quorum": 1, "approvals": 0},
        ]
        decision = {"user": "U1", "verdict": "approve", "need": "security", "via": "slack"}
        shown = request_json(
            needs=needs, approvals=1, rejection_quorum=2, rejections=1, decisions=[decision]
        )
        self.serve(sequence((200, shown)))
        done = self.check(0, "show", ID)
        line = "pending, security 1 of 1, ops 0 of 2, or director 0 of 1 approved, 1 of 2 rejections"
        self.assertIn(line, done.out)
        self.assertIn("by U1 (slack) for security", done.out)
        self.serve(sequence((200, request_json())))
        self.assertIn("pending, 0 of 1 approvals\n", self.check(0, "show", ID).out)

    def test_policy_test_explains_needs_and_each_approver(self):
        needs = [
            {"name": "security", "alternative": 0, "quorum": 1, "users": ["U1"], "groups": []},
            {
                "name": "ops",
                "alternative": 1,
                "quorum": 2,
                "users": [],
                "groups": [{"id": "S1", "members": 12}, {"id": "S2", "members": None}],
            },
        ]
        rules = {"needs": needs, "rejections": 2, "exclude_requester_groups": [{"id": "S3"}]}
        yes = {"user": "U1", "may": "yes", "detail": None, "needs": ["security", "ops"]}
        no = {"user": "U2", "may": "no", "detail": "You are not it.", "needs": []}
        self.serve(sequence((200, {**rules, "approver": yes}), (200, {**rules, "approver": no})))
        people = ("--requester", "U9", "--approver", "U1", "--approver", "U2")
        done = self.check(115, "policy", "test", "p", *people)
        self.assertIn("security: 1 of\n    U1\nor ops: 2 of\n    S1 (12 members)\n", done.out)
        self.assertIn("rejected by 2 of them; the requester does not decide\n", done.out)
        self.assertIn("its own members ask for: S3 (who is in it is not known now)\n", done.out)
        self.assertIn("U1: yes, for security or ops\nU2: no: You are not it.\n", done.out)
        paths = [call["path"] for call in self.server.calls]
        self.assertEqual(paths[0], "/v1/policies/p/test?requester=U9&approver=U1")
        self.assertEqual(paths[1], "/v1/policies/p/test?requester=U9&approver=U2")
        self.serve(sequence((200, {**rules, "approver": None})))
        self.assertIn("security: 1 of", self.check(0, "policy", "test", "p").out)
        self.assertEqual(self.server.calls[0]["path"], "/v1/policies/p/test")

    def test_policy_apply_sends_the_text_and_shows_the_difference(self):
        fields = [{"name": "quorum", "before": "1", "after": "2"}]
        fresh = [{"name": "quorum", "before": None, "after": "3"}]
        policies = [
            {"name": "a", "change": "changed", "fields": fields},
            {"name": "b", "change": "added", "fields": fresh},
            {"name": "c", "change": "deleted", "fields": []},
            {"name": "d", "change": "unchanged", "fields": []},
        ]
        kept = {"change": "unchanged", "requests": "90d", "audit": "400d"}
        self.serve(sequence((200, {"policies": policies, "retention": kept})))
        name = os.path.join(self.folder, "p.conf")
        with open(name, "w", encoding="utf-8") as handle:
            handle.write("policy x {}\n")
        done = self.check(0, "policy", "apply", name, "--dry-run", "--delete-absent")
        shown = "~ a\n    quorum: 1 -> 2\n+ b\n    quorum: 3\n- c\nNothing was written"
        self.assertIn(shown, done.out)
        call = self.server.calls[0]
        self.assertEqual(call["path"], "/v1/policies?dry_run=1&delete_absent=1")
        self.assertTrue(call["headers"]["Content-Type"].startswith("text/plain"))
        self.assertEqual(call["body"], "policy x {}\n")

    def test_status_is_for_monitoring(self):
        good = {"ready": True, "counts": {"outbox_dead": 0}, "slack": {"state": "up"}}
        self.serve(sequence((200, good)))
        self.assertTrue(self.check(0, "status").out.startswith("ready"))
        bad = ({"ready": False}, {"counts": {"outbox_dead": 2}}, {"slack": {"state": "refused"}})
        for change in bad:
            self.serve(sequence((200, {**good, **change})))
            self.check(119, "status")

    def test_status_and_check_say_which_way_in_is_live_and_when_something_last_came(self):
        slack = {"state": "up", "team": "T1", "bot_user": "U1", "error": ""}
        http = {"configured": True, "last_event_at": "2026-11-26T10:00:00Z"}
        live = {"state": "live", "live": 2, "last_event_at": None}
        for ways, code, lines in (
            ({"http": http}, 0, {"http      configured, last came 2026-11-26T10:00:00Z"}),
            ({"http": {"configured": False}, "socket": live}, 0, {"sockets   2 live, nothing came yet"}),
            ({"http": http, "socket": {**live, "last_event_at": "2026-11-26T11:00:00Z"}}, 0,
             {"http      configured, last came 2026-11-26T10:00:00Z", "sockets   2 live, last came 2026-11-26T11:00:00Z"}),
            ({"http": http, "socket": {"state": "disabled", "last_event_at": "2026-11-26T09:00:00Z"}}, 0,
             {"http      configured, last came 2026-11-26T10:00:00Z",
              "sockets   switched off in the app's settings: HTTP is the way in, last came 2026-11-26T09:00:00Z"}),
            ({"http": {"configured": False}, "socket": {"state": "disabled"}}, 119,
             {"sockets   NONE (disabled), nothing came yet: approvalctl slack check"}),
            ({"http": http, "socket": {"state": "refused"}}, 119,
             {"http      configured, last came 2026-11-26T10:00:00Z",
              "sockets   NONE (refused), nothing came yet: approvalctl slack check"}),
        ):
            self.serve(lambda _call, answer={"ready": True, "slack": {**slack, **ways}}: (200, answer))
            shown = {line.strip() for line in self.check(code, "status").out.splitlines()}
            self.assertEqual({line for line in shown if line.startswith(("http", "sockets"))}, lines)
            checked = self.check(code, "slack", "check").out
            self.assertEqual("last came 2026-11-26T10:00:00Z" in checked, "last_event_at" in ways["http"], checked)

    def test_status_says_that_slack_is_down_and_what_approvers_can_do(self):
        down = {"state": "unreachable", "error": "http_503", "breaker": {"state": "open", "down_s": 720}}
        self.serve(sequence((200, {"ready": True, "counts": {"pending": 3}, "slack": down})))
        shown = self.check(119, "status").out
        self.assertIn("  slack     DOWN for 12 min: http_503\n", shown)
        self.assertIn("3 wait: approvers can decide with approvalctl approve ID", shown)

    def test_slack_check_fails_only_when_slack_is_not_up(self):
        slack = {"state": "up", "team": "T1", "bot_user": "U1", "error": "timeout"}
        self.serve(sequence((200, {"slack": slack})))
        shown = self.check(0, "slack", "check").out
        self.assertIn("ok    signed in to team T1\n", shown)
        self.assertIn("warn  the last call failed: timeout\n", shown)
        self.serve(sequence((200, {"slack": slack})))
        self.check(0, "slack", "check", "--json")
        for change in ({"state": "unreachable"}, {"team": ""}):
            self.serve(sequence((200, {"slack": {**slack, **change}})))
            shown = self.check(119, "slack", "check").out
            self.assertIn("FAIL  Slack cannot be reached: timeout\n", shown)

    def test_slack_check_is_as_strict_with_json_as_in_words(self):
        good = {"state": "up", "team": "T1", "bot_user": "U1", "error": "",
                "socket": {"state": "live", "live": 2, "strangers": 0, "last_error": ""}}
        name = {"id": "S1", "word": "no_such_subteam", "scope": "", "works": False}
        bad = ({"socket": {"state": "refused", "live": 0, "last_error": "invalid_auth"}},
               {"socket": {"state": "disabled", "live": 0}}, {"socket": {"state": "connecting"}},
               {"socket": {"state": "live", "live": 2, "strangers": 1}}, {"missing_scope": "users:read"},
               {"team_mismatch": True}, {"skew_s": 60}, {"skew_s": -60}, {"names": [name]}, {"state": "refused"})
        for code, changes in ((0, ({}, {"skew_s": -59}, {"names": [{**name, "works": True}]})), (119, bad)):
            for change in changes:
                for words in ((), ("--json",)):
                    self.serve(sequence((200, {"slack": {**good, **change}})))
                    done = self.check(code, "slack", "check", *words)
                    self.assertEqual(done.out.startswith("{"), bool(words), done.out)

    def test_doctor_says_how_cards_can_be_compared_again(self):
        remedies = {
            "missing_scope": "repaired only when the request changes: add the scope and install the app again\n",
            "not_in_channel": "repaired only when the request changes: /invite the app in the channel\n",
            "channel_not_found": "repaired only when the request changes: /invite the app in the channel\n",
            "fatal_error": "repaired only when the request changes\n",
        }
        for error, remedy in remedies.items():
            cards = {"unseen": 2, "unseen_because": error, "unseen_scope": ""}
            status = {"ready": True, "slack": {"state": "up", "cards": cards}}
            self.serve(lambda _call, answer=status: (200, answer))
            shown = self.ctl("doctor").out
            self.assertIn(f"2 cards cannot be compared with their channel ({error})", shown)
            self.assertIn(remedy, shown)

    def test_doctor_names_a_program_that_is_not_there(self):
        self.serve(sequence((200, {"ready": True})))
        done = self.check(119, "doctor", "--config", "/dev/null", "--program", "/nonexistent")
        self.assertIn("/nonexistent: No such file", done.out)

    def test_doctor_takes_secrets_as_the_daemon_does(self):
        self.serve(sequence((200, {"ready": True})))
        secret, program = (os.path.join(self.folder, name) for name in ("secret", "daemon"))
        for path, text in ((secret, "xoxb"), (program, f"#!/bin/sh\necho 'bot_token_file = {secret}'")):
            with open(path, "w", encoding="utf-8") as handle:
                handle.write(text)
        os.chmod(program, 0o700)
        closed, open_to_all = "is closed to others", f"can be used by others: chmod o= {secret}"
        for mode, code, said in ((0o600, 0, closed), (0o640, 0, closed), (0o644, 119, open_to_all)):
            os.chmod(secret, mode)
            out = self.check(code, "doctor", "--config", "/dev/null", "--program", program).out
            self.assertIn(f"bot_token_file: {secret} {said}\n", out, oct(mode))


def le_text(text):
    raw = text.encode()
    return len(raw).to_bytes(2, "little") + raw


def audit_log(count):
    """Entries as approvald makes and shows them (core/audit.h)."""
    entries = []
    previous = bytes(32)
    for seq in range(1, count + 1):
        raw = b"\x01" + seq.to_bytes(8, "little") + (1790000000000).to_bytes(8, "little")
        raw += le_text("created") + le_text("root") + le_text("cli") + b"\x00" + le_text(f"n{seq}")
        digest = hashlib.sha256(previous + raw).digest()
        entries.append({
            "seq": seq, "at": "2026-09-21T14:13:20Z", "action": "created", "actor": "root",
            "via": "cli", "request": None, "detail": f"n{seq}", "previous": previous.hex(),
            "bytes": raw.hex(), "hash": digest.hex(),
        })  # fmt: skip
        previous = digest
    return entries


def audit_script(entries):
    """Serves pages as approvald does."""

    def script(call):
        query = dict(p.split("=") for p in call["path"].split("?")[1].split("&"))
        page = [e for e in entries if e["seq"] >= int(query["from"])][: int(query["limit"])]
        return 200, {"entries": page, "next": None}

    return script


class Audit(CtlTest):
    """The chain is recomputed, never believed."""

    def test_a_whole_log(self):
        self.serve(audit_script(audit_log(250)))
        done = self.check(0, "audit", "verify")
        self.assertIn("ok: 250 entries, 1 to 250", done.out)

    def test_forgeries(self):
        for change in (
            {"detail": "nothing"}, {"actor": "user:U1"}, {"hash": "00" * 32},
            {"previous": "00" * 32}, {"seq": 9},
        ):  # fmt: skip
            entries = audit_log(5)
            entries[2].update(change)
            self.serve(audit_script(entries))
            done = self.check(119, "audit", "verify")
            self.assertIn("entry", done.err)

    def test_a_head_file_sees_a_cut_log(self):
        head = os.path.join(self.folder, "head")
        entries = audit_log(20)
        self.serve(audit_script(entries))
        self.check(0, "audit", "verify", "--head-file", head)
        self.check(0, "audit", "verify", "--head-file", head)
        self.serve(audit_script(entries[:15]))
        done = self.check(119, "audit", "verify", "--head-file", head)
        self.assertIn("the log was cut", done.err)


if __name__ == "__main__":
    unittest.main(verbosity=1)
