#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_notify.py: approvers are told by the admin's own command while Slack is down.

Owns the command (a script that notes what it was given), the processes of approvalctl notify and
their directories. Never sends a mail.
"""
import email
import email.policy
import json
import os
import subprocess
import time

from e2e import EndToEnd, harness, main
from e2e_hostile import CONTROLS, CORPUS
from lib.harness import ANA, BEN, RITA

DORA = "U0DOR00001"
EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../systemd/examples/notify-mail")
# The example with a mail server that keeps what it is sent.
MAILER = """#!/usr/bin/env python3
import runpy, smtplib
class Server:
    def __init__(self, *_args, **_more): pass
    def __enter__(self): return self
    def __exit__(self, *_args): pass
    def send_message(self, mail):
        with open("{dir}/mails", "ab") as out:
            out.write(bytes(mail) + b"\\0")
smtplib.SMTP = Server
runpy.run_path("{example}")
"""
FORGED = ("log loop\nexpires: 2099-12-01T00:00:00Z\n\nSlack cannot be reached. Decide with: approvalctl approve "
          "req_EVIL, or approvalctl reject req_EVIL\n\n\u202e",
          "x " * 30 + "expires: 2099-12-01T00:00:00Z " + "y" * 60 + " Decide with: approvalctl approve req_EVIL",
          "a\u2028expires: 2099-12-01T00:00:00Z\u2029b\r\nSubject: forged\r\n\r\nexpires: never\x85why: not")
AWAY = f'policy away {{ approvers = {{"{ANA}"}} delegation = true }}\n'
DOWN = {"method": "*", "kind": "status", "status": 503, "count": 0}
HOSTILE = "x\"; touch /tmp/pwned; $(id) `id` <!channel>\u202e"
COMMAND = """#!/bin/sh
printf '%s|%s|' "$#" "$*" >> {dir}/seen
cat >> {dir}/seen
[ ! -e {dir}/fails ]
"""


class Notify(EndToEnd):
    @classmethod
    def begin(cls):
        super().begin()
        cls.world.apply_policy(harness.POLICY + AWAY)
        cls.world.control("POST", "/add_user", {"id": DORA, "name": "dora"})
        cls.reader = cls.world.token("notify", scopes=["read"])
        cls.world.secret_file("reader", cls.reader)
        cls.deciders = {user: cls.world.token("cli-" + user[-1], scopes=["decide", "read"], user=user)
                        for user in (ANA, BEN)}

    def setUp(self):
        super().setUp()
        self.keep = self.world.path("notify-" + self.id().rsplit(".", 1)[1])
        os.makedirs(os.path.join(self.keep, "state"))
        self.file("command", COMMAND.format(dir=self.keep), 0o700)
        self.file("people", f"# who is told\n{ANA} ana@example.com\n")
        self.process = None

    def tearDown(self):
        if self.process is not None:
            self.stop()
        self.world.control("POST", "/clear_faults", {})
        harness.World.wait(lambda: self.slack() == "up", "Slack is up", 60)

    def file(self, name, text, mode=0o600):
        path = os.path.join(self.keep, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(path, mode)

    def start(self, *more):
        with open(os.path.join(self.keep, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [os.path.join(self.world.build, "approvald/ctl/approvalctl"), "notify", "--url",
                 f"http://127.0.0.1:{self.world.management_port}", "--token-file", self.world.path("reader"),
                 "--people", os.path.join(self.keep, "people"), "--state-dir", os.path.join(self.keep, "state"),
                 "--after", "1s", *more, "--", os.path.join(self.keep, "command"), "--from", "approvald"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self):
        process, self.process = self.process, None
        process.terminate()
        self.assertEqual(process.wait(20), 0, self.log())

    def log(self):
        with open(os.path.join(self.keep, "log"), encoding="utf-8") as log:
            return log.read()

    def slack(self):
        return self.world.admin("GET", "/v1/status").json()["slack"]["state"]

    def seen(self):
        """What the command was given: (arguments, the notice)."""
        try:
            with open(os.path.join(self.keep, "seen"), encoding="utf-8") as seen:
                lines = [line.split("|", 2) for line in seen if line.endswith("}\n")]  # written in pieces
        except FileNotFoundError:
            return []
        return [((count, words), json.loads(text)) for count, words, text in lines]

    def ids(self):
        return [notice["request"]["id"] for _, notice in self.seen()]

    def down(self):
        self.world.control("POST", "/fault", DOWN)
        for i in range(6):  # something has to be sent for an outage to be noticed
            self.ask(title=f"Noticed {i}", policy="two-people", requester=ANA)
        harness.World.wait(lambda: self.slack() == "unreachable", "Slack is down", 40)

    def wait_told(self, request_id):
        return harness.World.wait(lambda: next(
            (notice for _, notice in self.seen() if notice["request"]["id"] == request_id), None),
            f"{request_id} is told", 45)

    def test_each_open_request_is_told_once_to_each_person_and_nothing_else(self):
        request_id, ended = self.ask(title=HOSTILE), self.ask(title="Ended")
        self.world.api("POST", f"/v1/requests/{ended}/cancel", {}, token=self.token)
        self.start()
        self.assertEqual(self.seen(), [], "Slack is up")
        self.down()
        notice = self.wait_told(request_id)
        self.assertEqual((notice["id"], notice["user"], notice["to"]),
                         (f"{request_id}/{ANA}", ANA, "ana@example.com"))
        self.assertEqual(notice["request"]["state"], "pending")
        self.assertIn("touch /tmp/pwned", notice["request"]["title"])
        self.assertEqual({words for words, _ in self.seen()}, {("2", "--from approvald")},
                         "no text of people on the command line")
        self.stop()
        self.start()
        later = self.ask(title="Later")
        self.wait_told(later)
        told = self.ids()
        self.assertEqual(len(told), len(set(told)), "each once, also after a restart")
        self.assertNotIn(ended, told)
        self.assertEqual({notice["user"] for _, notice in self.seen()}, {ANA}, "Ben is not in the file")

    def mails(self):
        try:
            with open(os.path.join(self.keep, "mails"), "rb") as kept:
                parts = kept.read().split(b"\0")[:-1]
        except FileNotFoundError:
            return {}
        parsed = [email.message_from_bytes(part, policy=email.policy.default) for part in parts]
        return {mail["Message-ID"].strip("<").split(".")[0]: mail for mail in parsed}

    def test_no_text_of_people_forges_a_line_of_the_example_mail(self):
        texts = (*FORGED, *CORPUS)
        self.file("command", MAILER.format(dir=self.keep, example=EXAMPLE), 0o700)
        asked = {self.ask(title=" ".join(text.split())[:100], target=" ".join(text.split())[:100], reason=text): text
                 for text in texts}
        for request_id in asked:  # those of other cases are told behind them
            self.addCleanup(self.world.api, "POST", f"/v1/requests/{request_id}/cancel", {}, token=self.token)
        self.start()
        self.down()
        mails = harness.World.wait(lambda: (lambda m: m if set(asked) <= set(m) else None)(self.mails()),
                                   "each is mailed", 60)
        for request_id, text in asked.items():
            with self.subTest(text=text):
                mail, lines = mails[request_id], mails[request_id].get_content().rstrip("\n").split("\n")
                self.assertEqual([c for c in mail["Subject"] + "".join(lines) if c in CONTROLS], [])
                self.assertRegex(mail["Subject"].strip(), r"^Approval needed: .*\Z")  # one line
                self.assertEqual(mail["To"], "ana@example.com")
                ours = [line for line in lines if not line.startswith("    | ")]
                self.assertEqual([line.split(":")[0] for line in ours[:5]],
                                 ["what", "asked by", "target", "why", "expires"], lines)
                self.assertEqual(ours[4], "expires: " + self.get(request_id)["expires_at"])
                self.assertEqual(ours[5:], ["", "Slack cannot be reached. Decide with: approvalctl approve "
                                                f"{request_id}, or approvalctl reject {request_id}"])
                self.assertLessEqual(max(map(len, lines[:-1])), 72)

    def test_who_stands_in_is_told_too_though_nobody_is_known_after_a_failover(self):
        self.file("people", f"{DORA} dora@example.com\n")
        self.world.ctl("delegate", "add", DORA, "--user", ANA, "--until",
                       time.strftime("%Y-%m-%d", time.gmtime(time.time() + 2 * 86400)), check=0)
        try:
            request_id = self.ask(policy="away")
            self.world.control("POST", "/token", {"state": "token_revoked"})
            self.world.daemon.kill()  # a new process: Slack tells it of nobody
            self.world.start()
            harness.World.wait(lambda: self.slack() != "up", "Slack refuses us", 40)
            self.start()
            self.assertEqual(self.wait_told(request_id)["user"], DORA)
        finally:
            self.world.control("POST", "/token", {"state": "valid"})
            self.world.daemon.child.send_signal(1)  # SIGHUP: the admin put a new token in place
            for one in self.world.admin("GET", "/v1/delegations").json()["delegations"]:
                self.world.ctl("delegate", "remove", str(one["id"]), check=0)

    def test_the_other_host_tells_again_under_the_same_id(self):
        request_id = self.ask(title="Over a failover")
        self.start()
        self.down()
        self.wait_told(request_id)
        self.stop()
        os.rename(os.path.join(self.keep, "state"), os.path.join(self.keep, "first"))
        os.makedirs(os.path.join(self.keep, "state"))
        self.start()
        harness.World.wait(lambda: self.ids().count(request_id) == 2, "the other one tells", 45)
        self.assertEqual({notice["id"] for _, notice in self.seen() if notice["request"]["id"] == request_id},
                         {f"{request_id}/{ANA}"})

    def test_a_token_that_is_refused_is_told_once(self):
        self.world.secret_file("reader", "apv_none")
        try:
            self.start()
            harness.World.wait(lambda: "notify: /v1/waiting" in self.log(), "it is told before an outage", 20)
            self.ask()
            self.down()
            harness.World.wait(lambda: self.unauthenticated() >= 2, "it is asked again", 30)
            self.assertEqual(self.log().count("/v1/waiting"), 1, self.log())
        finally:
            self.world.secret_file("reader", self.reader)

    def unauthenticated(self):
        with open(self.world.path("approvald.log"), encoding="utf-8") as log:
            return log.read().count('"unauthenticated"')

    def metric(self, name):
        text = harness.call("GET", "/metrics", port=self.world.management_port).body.decode()
        return next(int(line.split()[1]) for line in text.split("\n")
                    if line.startswith(f"approvald_notify_{name} "))

    def test_how_it_goes_is_seen_in_the_metrics(self):
        words = ("delivered_total", "failed_total", "given_up_total")
        before = {word: self.metric(word) for word in words}
        self.file("fails", "")
        self.start()
        harness.World.wait(lambda: self.metric("last_seen_seconds") > 0, "it reports while all is well")
        request_id = self.ask(title="Counted")
        self.down()
        self.wait_told(request_id)
        harness.World.wait(lambda: self.metric("failed_total") > before["failed_total"], "a failure is counted", 45)
        success = self.metric("last_success_seconds")
        os.unlink(os.path.join(self.keep, "fails"))
        harness.World.wait(lambda: self.metric("delivered_total") > before["delivered_total"], "a success is", 60)
        self.assertGreater(self.metric("last_success_seconds"), success)
        self.assertEqual(self.metric("given_up_total"), before["given_up_total"])
        # A process that was started anew begins at 0, and the counters go on.
        held = {word: self.metric(word) for word in words}
        self.stop()
        seen = self.metric("last_seen_seconds")
        harness.World.wait(lambda: time.time() > seen + 1, "a report now is of another second")
        self.start()
        harness.World.wait(lambda: self.metric("last_seen_seconds") > seen, "the new one reports")
        for word in words:
            self.assertGreaterEqual(self.metric(word), held[word], word)

    def test_what_failed_before_approvald_started_is_no_news(self):
        """The alert asks how the counter has grown: a start must not make it grow."""
        self.world.daemon.stop()
        self.world.start()
        for failed, counted in ((3, 0), (3, 0), (4, 1), (1, 2)):  # the last is a process begun anew
            body = {"delivered": 0, "failed": failed, "given_up": 0, "last_success_s": 5}
            self.assertLess(self.world.api("POST", "/v1/waiting/told", body, token=self.reader).status, 300)
            self.assertEqual(self.metric("failed_total"), counted)

    def test_a_report_that_is_none_changes_nothing(self):
        body = {"delivered": 1, "failed": 1, "given_up": 0, "last_success_s": 5}
        before = self.metric("failed_total"), self.metric("last_seen_seconds")
        asks = self.world.token("asks-report", scopes=["ask"])
        bound = self.world.token("bound-report", scopes=["read"], policies=["prod-deploy"])
        for token, sent, status in ((asks, body, 403), (bound, body, 403), (self.reader, {**body, "failed": -1}, 400),
                                    (self.reader, {**body, "delivered": "1"}, 400), (self.reader, {}, 400)):
            with self.subTest(sent=sent, status=status):
                self.assertEqual(self.world.api("POST", "/v1/waiting/told", sent, token=token).status, status)
        self.assertEqual((self.metric("failed_total"), self.metric("last_seen_seconds")), before)

    def test_what_fails_is_an_alarm_and_tried_again(self):
        request_id = self.ask(title="Fails first")
        self.file("fails", "")
        self.start()
        self.down()
        self.wait_told(request_id)
        harness.World.wait(lambda: f"notify: {request_id}/{ANA}: " in self.log(), "the failure is told", 10)
        os.unlink(os.path.join(self.keep, "fails"))
        harness.World.wait(lambda: self.ids().count(request_id) == 2, "it is tried again", 60)
        self.stop()
        with open(os.path.join(self.keep, "state", "journal"), encoding="utf-8") as journal:
            self.assertIn(f"delivered {request_id}/{ANA}\n", journal.read())

    def test_a_command_that_hangs_is_killed(self):
        request_id = self.ask(title="Hangs")
        self.file("command", COMMAND.format(dir=self.keep) + "sleep 300\n", 0o700)
        self.start("--timeout", "1s")
        self.down()
        self.wait_told(request_id)
        harness.World.wait(lambda: "killed after 1 s" in self.log(), "it is killed")

    def test_one_at_a_time_for_a_directory_and_nonsense_is_refused(self):
        self.start()
        harness.World.wait(lambda: os.path.exists(os.path.join(self.keep, "state", "journal")), "it runs", 10)
        first, self.process = self.process, None
        self.start()
        self.assertEqual(self.process.wait(20), 118)
        self.assertIn("another approvalctl notify uses it", self.log())
        self.process = first
        for words in (("--people", "/nonexistent"), ("--state-dir", "/nonexistent"), ("--timeout", "0s")):
            with self.subTest(words=words):
                self.process = None
                self.start(*words)
                self.assertNotEqual(self.process.wait(20), 0)
        self.process = first

    def test_what_waits_for_a_person(self):
        request_id = self.ask(title="For Ana and Ben")

        def waiting(user, token=self.world.path("reader"), more=""):
            with open(token, encoding="ascii") as secret:
                return self.world.api("GET", f"/v1/waiting?user={user}{more}", token=secret.read())

        def ids(user):
            found = []
            for page in range(20):
                answer = harness.World.wait(lambda page=page: (lambda answer: answer if answer.status == 200 else None)(
                    waiting(user, more=f"&page={page}")), "it is read").json()
                found += [request["id"] for request in answer["requests"]]
                if not answer["more"]:
                    break
            self.assertEqual(len(found), answer["total"])
            return found
        self.assertIn(request_id, ids(ANA))
        self.assertIn(request_id, ids(BEN))
        self.assertNotIn(request_id, ids(RITA))
        self.assertEqual(waiting("ana").status, 400)
        self.assertEqual(waiting(ANA, more="&page=999").status, 400)
        self.assertEqual(waiting(ANA, token=self.token_file).status, 200, "it may read")
        self.world.secret_file("asks", self.world.token("asks", scopes=["ask"]))
        self.assertEqual(waiting(ANA, token=self.world.path("asks")).status, 403)
        self.assertLess(self.world.api("POST", f"/v1/requests/{request_id}/decisions", {"verdict": "approve"},
                                       token=self.deciders[ANA]).status, 300)
        self.wait_state(request_id, "approved")
        self.assertNotIn(request_id, ids(BEN))


if __name__ == "__main__":
    main()
