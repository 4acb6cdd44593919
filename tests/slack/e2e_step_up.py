#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_step_up.py: an approval that needs a one-time code, in Slack, Home and by approvalctl.

Owns nothing but its cases and the people's authenticator app; the World is e2e.py's. Never builds a
payload of its own: the stand-in's people press and type.
"""
import base64
import glob
import hashlib
import hmac
import json
import os
import pty
import struct
import subprocess
import tempfile
import time

from e2e import main
from e2e_home import HomeCase
from lib.harness import ANA, BEN, CHANNEL, POLICY, RITA, World

POLICIES = POLICY + f"""
policy risky {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}"}}
    step_up = true
}}
policy risky-urgent {{
    channel = "{CHANNEL}"
    approvers = {{"{ANA}"}}
    step_up = true
    break_glass = {{"{RITA}"}}
    break_glass_tell = {{"{BEN}"}}
}}
"""
KEYS = tempfile.mkdtemp(prefix="approvald-step-up-")
KEY_FILE = os.path.join(KEYS, "key")
with open(os.open(KEY_FILE, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
    file.write("0123456789abcdef" * 4)


class StepUp(HomeCase):
    options = {"policy": POLICIES, "extra_config": f'step_up_key_file = "{KEY_FILE}"'}
    used = {}  # the newest step of each secret

    @classmethod
    def begin(cls):
        super().begin()
        cls.secret, cls.ritas = cls.enrol(ANA), cls.enrol(RITA)
        token = cls.world.token("ana", scopes=["decide", "read"], user=ANA)
        cls.world.secret_file("token-ana", token)
        cls.mine = cls.world.path("token-ana")

    @classmethod
    def enrol(cls, user):
        out = cls.world.ctl("step-up", "enrol", user, check=0).stdout
        uri, secret = out.split("\n")[:2]
        secret = secret.split(": ")[1]
        assert uri == (f"otpauth://totp/approvald:{user}?secret={secret}&issuer=approvald"
                       "&algorithm=SHA1&digits=6&period=30"), uri
        return secret

    @staticmethod
    def code_at(step, secret):
        mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
        at = mac[-1] & 15
        return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1000000:06d}"

    @classmethod
    def code(cls, secret=None):
        """One that counts and has not been used: the app shows the next one soon enough."""
        secret = secret or cls.secret
        while True:
            used, step = cls.used.get(secret, 0), int(time.time()) // 30
            for one in (step - 1, step, step + 1):
                if one > used and one >= int(time.time()) // 30 - 1:
                    cls.used[secret] = one
                    return cls.code_at(one, secret)
            World.wait(lambda used=used: int(time.time()) // 30 + 1 > used, "the next code", 35, 0.1)

    def wrong(self, secret=None):
        step = int(time.time()) // 30
        right = {self.code_at(step + d, secret or self.secret) for d in range(-2, 4)}
        return next(c for c in (f"{n:06d}" for n in range(9)) if c not in right)

    def send(self, code, user=ANA):
        return self.world.control("POST", "/submit", {"user": user, "values": {"code": code}})

    def unlock(self):
        self.world.ctl("step-up", "unlock", ANA, check=0)

    def test_a_press_opens_the_window_and_the_code_approves(self):
        made = self.ask(policy="risky", title="Drop the table")
        opened = self.press(made, ANA, wait_modal=5)
        self.assertEqual(opened["modal"]["callback_id"], "code", opened)
        self.assertIn("Drop the table", json.dumps(opened["modal"]))
        self.assertEqual(self.get(made)["decisions"], [])
        for bad in ("1234567", "abcdef"):
            sent = self.send(bad)
            self.assertEqual(sent["outcome"], "errors", sent)
            self.assertIn("six digits", sent["errors"]["code"])
        sent = self.send(self.wrong())
        self.assertEqual(sent["outcome"], "errors", sent)
        said = sent["errors"]["code"]
        self.assertIn("does not count", said)
        code = self.code()
        sent = self.send(code)
        self.assertEqual(sent["outcome"], "closed", sent)
        self.wait_state(made, "approved")
        self.card(made, "Approved")
        # The same bytes again: done, and nothing is used twice.
        again = self.world.control("POST", "/replay", {"delivery": sent["delivery"]})
        self.assertEqual(again["status"], 200, again)
        self.assertEqual(len(self.get(made)["decisions"]), 1)
        # A used code, and a person who is not enrolled, get the words of a wrong one.
        made = self.ask(policy="risky", title="Once more")
        self.press(made, ANA, wait_modal=5)
        self.assertEqual(self.send(code)["errors"]["code"], said)
        self.world.control("POST", "/close", {"user": ANA, "how": "x"})
        self.press(made, BEN, wait_modal=5)
        self.assertEqual(self.send(self.code(), BEN)["errors"]["code"], said)
        self.unlock()

    def test_from_home_too_and_reject_needs_none(self):
        made = self.ask(policy="risky", title="From Home")
        self.open_home(ANA)
        self.wait_home(ANA, lambda v: made in self.waiting(v), "it waits")
        opened = self.act(ANA, "approve", made, wait_modal=5)
        self.assertEqual(opened["modal"]["callback_id"], "code")
        self.assertEqual(self.send(self.code())["outcome"], "closed")
        self.wait_state(made, "approved")
        made = self.ask(policy="risky", title="No")
        self.press(made, BEN, "reject", wait_modal=5)
        self.world.control("POST", "/submit", {"user": BEN, "values": {"reason": "no"}})
        self.wait_state(made, "rejected")

    def test_wrong_codes_lock_over_a_crash_until_root_unlocks(self):
        made = self.ask(policy="risky", title="Guess")
        self.press(made, ANA, wait_modal=5)
        for i in range(5):
            self.assertEqual(self.send(self.wrong())["outcome"], "errors")
            if i == 2:
                self.world.daemon.kill()
                self.world.start()
        self.assertEqual(self.send(self.code())["outcome"], "errors", "locked")
        listed = json.loads(self.world.ctl("step-up", "list", "--json", check=0).stdout)["people"]
        mine = next(p for p in listed if p["user"] == ANA)
        self.assertEqual(mine["wrong_codes"], 5)
        self.assertIsNotNone(mine["locked_until"])
        self.unlock()
        self.assertEqual(self.send(self.code())["outcome"], "closed")
        self.wait_state(made, "approved")

    def break_glass(self, title):
        """Rita asks, and chooses it: the id, and the fields of the window that opens."""
        made = self.ask(policy="risky-urgent", title=title)
        opened = self.press(made, RITA, "break_glass", value=made, wait_modal=5)
        self.assertEqual(opened["modal"]["callback_id"], "break_glass", opened)
        return made, [b["block_id"] for b in opened["modal"]["blocks"] if b["type"] == "input"]

    def send_glass(self, code, reason="Customers cannot pay"):
        return self.world.control("POST", "/submit",
                                  {"user": RITA, "values": {"reason": reason, "code": code}})

    def test_breaking_the_glass_asks_for_a_reason_and_a_code(self):
        made, fields = self.break_glass("Restart payments")
        self.assertEqual(fields, ["reason", "code"])
        code = self.code(self.ritas)
        sent = self.send_glass(code, "  ")
        self.assertEqual((sent["outcome"], list(sent["errors"])), ("errors", ["reason"]), sent)
        sent = self.send_glass("12345x")
        self.assertEqual((sent["outcome"], list(sent["errors"])), ("errors", ["code"]), sent)
        self.assertIn("six digits", sent["errors"]["code"])
        sent = self.send_glass(self.wrong(self.ritas))
        self.assertEqual((sent["outcome"], list(sent["errors"])), ("errors", ["code"]), sent)
        self.assertIn("does not count", sent["errors"]["code"])
        self.assertEqual(self.get(made)["state"], "pending")
        sent = self.send_glass(code)  # what failed for its reason has used up no code
        self.assertEqual(sent["outcome"], "closed", sent)
        self.wait_state(made, "approved")
        self.assertEqual(self.get(made)["break_glass"]["reason"], "Customers cannot pay")
        self.card(made, contains="BREAK GLASS")
        again = self.world.control("POST", "/replay", {"delivery": sent["delivery"]})
        self.assertEqual(again["status"], 200, again)
        made, _ = self.break_glass("Once more")  # and it served once
        self.assertEqual(list(self.send_glass(code)["errors"]), ["code"])
        self.assertEqual(self.get(made)["state"], "pending")
        self.world.ctl("step-up", "unlock", RITA, check=0)

    def test_wrong_codes_lock_who_breaks_the_glass_too(self):
        made, _ = self.break_glass("Guess")
        for _ in range(5):
            self.assertEqual(self.send_glass(self.wrong(self.ritas))["outcome"], "errors")
        self.assertEqual(self.send_glass(self.code(self.ritas))["outcome"], "errors", "locked")
        self.world.ctl("step-up", "unlock", RITA, check=0)
        self.assertEqual(self.send_glass(self.code(self.ritas))["outcome"], "closed")
        self.wait_state(made, "approved")

    def test_approvalctl_reads_it_from_standard_input(self):
        made = self.ask(policy="risky", title="By hand")
        argv = [os.path.join(self.world.build, "approvald/ctl/approvalctl"), "approve", "--url",
                f"http://127.0.0.1:{self.world.port}", "--token-file", self.mine, made]
        out = subprocess.run(argv, input="", capture_output=True, text=True, timeout=60)
        self.assertEqual(out.returncode, 116, out)
        self.assertIn("one-time code", out.stderr)
        out = subprocess.run(argv, input=self.wrong() + "\n", capture_output=True, text=True,
                             timeout=60)
        self.assertEqual(out.returncode, 115, out)
        self.assertIn("does not count", out.stderr)
        out = subprocess.run(argv, input=self.code() + "\n", capture_output=True, text=True,
                             timeout=60)
        self.assertEqual(out.returncode, 0, out)
        self.wait_state(made, "approved")

    def test_approvalctl_asks_at_the_terminal_without_echo(self):
        made = self.ask(policy="risky", title="At the terminal")
        code = self.code()
        near, far = pty.openpty()
        argv = [os.path.join(self.world.build, "approvald/ctl/approvalctl"), "approve", "--url",
                f"http://127.0.0.1:{self.world.port}", "--token-file", self.mine, made]
        child = subprocess.Popen(argv, stdin=far, stdout=far, stderr=far)
        os.close(far)
        shown = b""
        while b"app: " not in shown:
            shown += os.read(near, 1024)
        os.write(near, code.encode() + b"\n")
        try:
            while True:
                more = os.read(near, 1024)
                if not more:
                    break
                shown += more
        except OSError:
            pass  # the other end is closed
        self.assertEqual(child.wait(20), 0, shown)
        self.assertNotIn(code.encode(), shown)
        self.wait_state(made, "approved")

    def test_policy_test_says_that_a_code_is_needed(self):
        out = self.world.ctl("policy", "test", "risky", "--approver", ANA, check=0).stdout
        self.assertIn("an approval needs a one-time code as well\n", out)
        self.assertIn(f"{ANA}: yes", out)

    def test_no_code_is_left_anywhere(self):
        made = self.ask(policy="risky", title="Leaves no trace")
        self.press(made, ANA, wait_modal=5)
        wrong, right = self.wrong(), self.code()
        self.send(wrong)
        self.assertEqual(self.send(right)["outcome"], "closed")
        self.wait_state(made, "approved")
        self.unlock()
        self.world.daemon.stop()
        seed = base64.b32decode(self.secret)
        for name in glob.glob(self.world.path("data") + "/**", recursive=True):
            if os.path.isfile(name):
                with open(name, "rb") as file:
                    held = file.read()
                self.assertNotIn(seed, held, name)
                self.assertNotIn(self.secret.encode(), held, name)
                self.assertNotIn(b'"' + right.encode(), held, name)
        with open(self.world.path("approvald.log"), "rb") as file:
            log = file.read()
        for one in (self.secret.encode(), f'"{right}"'.encode(), f'"{wrong}"'.encode()):
            self.assertNotIn(one, log)
        self.world.start()
        audit = self.world.api("GET", "/v1/audit?limit=100", token=self.token).body
        self.assertIn(b"step_up_enrolled", audit)
        self.assertNotIn(f'{right}'.encode(), json.dumps(
            [e["detail"] for e in json.loads(audit)["entries"]]).encode())


del HomeCase  # its cases are e2e_home.py's

if __name__ == "__main__":
    main()
