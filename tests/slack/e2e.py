# SPDX-License-Identifier: Apache-2.0
"""e2e.py: the base of the end-to-end tests: one approvald and one stand-in per test class.

Owns the World of a class and its scratch directory (kept when a test failed). Never reaches into
approvald: everything is seen through the API, approvalctl and the stand-in.
"""
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import harness, tunnel  # noqa: E402  the path is set above
from lib.waiting import PATIENCE_S  # noqa: E402

BUILD = os.environ.get("APPROVALD_BUILD", "build/gcc")


class EndToEnd(unittest.TestCase):
    """Subclasses set options of World and may add steps to setUpClass."""

    options = {}
    failed = False

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="approvald-e2e-")
        cls.world = harness.World(cls.dir, BUILD, **cls.options)
        try:
            cls.begin()
        except BaseException:
            cls.failed = True
            cls.tearDownClass()
            raise

    @classmethod
    def stand_between(cls):
        """A proxy that wants credentials, and TLS of its own, stand between approvald and Slack."""
        cls.keep = tempfile.TemporaryDirectory(prefix="approvald-tls-")
        cls.addClassCleanup(cls.keep.cleanup)
        cls.front = tunnel.TlsFront(cls.keep.name)
        cls.proxy = tunnel.Proxy("host", "p@ss")
        cls.addClassCleanup(cls.front.close)
        cls.addClassCleanup(cls.proxy.close)

    @classmethod
    def begin(cls):
        cls.world.start()
        cls.world.apply_policy()
        cls.token = cls.world.token("e2e")
        cls.world.secret_file("token", cls.token)
        cls.token_file = cls.world.path("token")
        if cls.options.get("socket_mode"):
            cls.wait_live()

    @classmethod
    def socket(cls):
        return cls.world.admin("GET", "/v1/status").json()["slack"]["socket"]

    @classmethod
    def wait_live(cls, count=2, seconds=PATIENCE_S):
        return harness.World.wait(lambda: cls.socket()["live"] == count and cls.socket(),
                                  f"{count} sockets are live", seconds)

    @classmethod
    def tearDownClass(cls):
        cls.world.close()
        if cls.failed:
            print("kept " + cls.dir, file=sys.stderr)
        else:
            shutil.rmtree(cls.dir)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result is not None else 0
        super().run(result)
        if result is not None and len(result.failures) + len(result.errors) > before:
            type(self).failed = True

    def setUp(self):
        self.world.control("POST", "/clear_faults", {})

    def ask(self, **fields):
        """A new request; its id."""
        answer = self.world.create(self.token, **fields)
        self.assertEqual(answer.status, 201, answer.body)
        return answer.json()["id"]

    def get(self, request_id):
        answer = self.world.api("GET", "/v1/requests/" + request_id, token=self.token)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def wait_state(self, request_id, state):
        return harness.World.wait(
            lambda: (lambda r: r if r["state"] == state else None)(self.get(request_id)),
            f"{request_id} is {state}")

    def wait_for(self, kind, **query):
        """The messages that the stand-in shows once at least one matches."""
        return self.world.control("POST", "/wait", {"kind": kind, "timeout": PATIENCE_S, **query})["found"]

    def card(self, request_id, contains=None, channel=harness.CHANNEL):
        """The one card of a request in the channel, once it shows contains."""
        query = {"channel": channel, "metadata": {"request_id": request_id}}
        found = self.wait_for("message", contains=contains, **query)
        everything = self.world.control("POST", "/messages", query)["messages"]
        cards = [m for m in everything if not m.get("thread_ts") or m["thread_ts"] == m["ts"]]
        self.assertEqual(len(cards), 1, "one request, one card")
        return found[0]

    def press(self, request_id, user, action="approve", **more):
        """Presses the real button on the card, as the stand-in's Slack."""
        card = self.card(request_id)
        return self.world.control("POST", "/press", {
            "user": user, "action_id": action, "channel": harness.CHANNEL, "ts": card["ts"], **more})

    def buttons(self, message):
        return [e["action_id"] for b in message["blocks"] if b["type"] == "actions"
                for e in b["elements"]]


def main():
    unittest.main(module="__main__", verbosity=1)
