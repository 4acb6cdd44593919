#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_last_good.py: approvald that is started with a broken configuration serves with the one that
served last: approvalctl status, the metric and the log say so; policies and tokens are the store's.

Owns a World (tests/lib/harness.py). Never writes the copy itself.
"""

import os
import signal
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import case  # noqa: E402  the path is set above
from lib import harness  # noqa: E402

BUILD = os.path.dirname(os.path.dirname(os.path.dirname(case.PROGRAM)))
DAEMON = os.path.join(BUILD, "approvald/approvald")


class LastGood(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.world = harness.World(folder.name, BUILD)
        self.addCleanup(self.world.close)
        self.copy = os.path.join(folder.name, "last-good.conf")
        self.conf = self.world.path("approvald.conf")
        self.world.arguments = ["--last-good", self.copy]
        self.world.start()
        self.kept()

    def kept(self, has="last-good 1"):
        def looked():
            with open(self.copy, encoding="utf-8") as handle:
                text = handle.read()
            return text if has in text else None
        return self.world.wait(looked, f"the copy has {has}")

    def append(self, text):
        with open(self.conf, "a", encoding="utf-8") as handle:
            handle.write(text)

    def log(self):
        with open(self.world.path("approvald.log"), encoding="utf-8") as handle:
            return handle.read()

    def metric(self):
        text = harness.call("GET", "/metrics", port=self.world.management_port).body.decode()
        return [line for line in text.splitlines() if line.startswith("approvald_config_last_good")]

    def test_it_serves_and_everybody_is_told(self):
        self.assertEqual(self.metric(), ["approvald_config_last_good 0"])
        self.assertEqual(self.world.ctl("status").returncode, 0)
        self.world.daemon.stop()
        self.append("\nno_such_option = 1\n")
        self.world.start()
        done = self.world.ctl("status")
        self.assertEqual(done.returncode, 119, done.stdout)
        self.assertIn("CONFIG    is BROKEN", done.stdout)
        self.assertIn("no_such_option", done.stdout)
        self.assertEqual(self.metric(), ["approvald_config_last_good 1"])
        self.assertIn("last_good_config_used", self.log())
        # The sockets that a supervisor binds for it are those of what will run; a check is of the
        # file.
        for what, code in (("--print-sockets", 0), ("--check-config", 78)):
            done = subprocess.run([DAEMON, what, "-c", self.conf, *self.world.arguments],
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, code, done.stderr)
        with open(self.conf, encoding="utf-8") as handle:
            text = handle.read()
        with open(self.conf, "w", encoding="utf-8") as handle:
            handle.write(text.replace("no_such_option = 1", ""))
        self.world.daemon.child.send_signal(signal.SIGHUP)
        self.world.wait(lambda: self.metric() == ["approvald_config_last_good 0"], "it is mended")
        self.assertEqual(self.world.ctl("status").returncode, 0)

    def test_policies_and_tokens_are_those_of_the_store(self):
        """What was revoked after the copy was made stays revoked."""
        self.world.apply_policy()
        token = self.world.token("ci")
        self.assertEqual(self.world.create(token).status, 201)
        kept = self.kept()
        self.assertNotIn(token, kept)
        self.world.ctl("token", "revoke", "ci", check=0)
        self.world.daemon.stop()
        self.append("\nno_such_option = 1\n")
        self.world.start()
        self.assertEqual(self.metric(), ["approvald_config_last_good 1"])
        self.assertEqual(self.world.create(token).status, 401)

    def test_no_secret_is_in_the_copy_and_a_secret_that_is_gone_stays_gone(self):
        key = self.world.path("step-up-key")
        with open(key, "w", encoding="utf-8") as handle:
            handle.write("0123456789abcdef0123456789abcdef0123\n")
        os.chmod(key, 0o600)
        self.world.daemon.stop()
        with open(self.conf, encoding="utf-8") as handle:
            text = handle.read()
        with open(self.conf, "w", encoding="utf-8") as handle:
            handle.write(f'step_up_key_file = "{key}"\n' + text)
        self.world.start()
        kept = self.kept("step_up_key_file")
        self.assertNotIn("0123456789abcdef", kept)
        self.world.daemon.stop()
        os.remove(key)
        done = subprocess.run([DAEMON, "-c", self.conf, *self.world.arguments],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertIn("step-up-key", done.stderr)

    def test_a_reload_that_fails_keeps_the_old(self):
        self.append("\nno_such_option = 1\n")
        self.world.daemon.child.send_signal(signal.SIGHUP)
        self.world.wait(lambda: "reload_refused" in self.log(), "the reload is refused")
        self.assertEqual(self.metric(), ["approvald_config_last_good 0"])
        self.assertEqual(self.world.ctl("status").returncode, 0)

    def test_what_needs_a_start_is_kept_by_the_start(self):
        kept = self.kept()
        self.append('\nlog_level = warning\nhttp {\n    long_polls = 7\n}\n')
        self.world.daemon.child.send_signal(signal.SIGHUP)
        self.world.wait(lambda: "reload_needs_restart" in self.log(), "the reload is done")
        self.assertEqual(self.kept(), kept)
        self.world.daemon.stop()
        self.world.start()
        self.kept("long_polls = 7")


if __name__ == "__main__":
    unittest.main()
