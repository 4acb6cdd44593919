#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_restore.py: a real pair that has lost both stores, and its arbiter as well, comes back from a
backup as docs/approvalctl.md says.

Owns one Pair (pair.py) and what it loses. Never restores while something runs.
"""

import os
import shutil
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pair import BUILD, Pair, wait  # noqa: E402  the path is set above
from lib import harness  # noqa: E402

POLICY = f'policy prod-deploy {{\n channel = "{harness.CHANNEL}"\n approvers = {{"{harness.ANA}"}}\n}}\n'


class Restore(unittest.TestCase):
    def setUp(self):
        self.pair = Pair()
        self.pair.__enter__()
        self.addCleanup(self.pair.__exit__, None, None, None)
        self.one, self.two = self.pair.hosts[1], self.pair.hosts[2]
        for host in (self.one, self.two):
            host.write_supervisor_conf("silence = 700ms\nevict = 2500ms")  # for a busy machine
        self.pair.bootstrap()
        leads = self.pair.primary()
        with open(leads.path("policy"), "w", encoding="utf-8") as out:
            out.write(POLICY)
        leads.ctl("policy apply", leads.path("policy"), check=0)
        leads.ctl("backup", self.backup(), check=0)

    def backup(self):
        return os.path.join(self.pair.folder, "backup")

    def lose(self, *names):
        """Both hosts' directories, the arbiter's data; a new arbiter is at the old one's address."""
        for host in (self.two, self.one):
            host.stop()
        self.pair.etcd.kill()
        shutil.rmtree(self.pair.etcd.data)
        self.pair.etcd.start()
        for host in (self.one, self.two):
            for name in names:
                shutil.rmtree(host.path(name))
                os.makedirs(host.path(name), 0o700)

    def restore(self):
        subprocess.run([os.path.join(BUILD, "approvald/approvald"), "--config", self.one.path("approvald.conf"),
                        "--restore", self.backup()], check=True, capture_output=True, timeout=30)  # fmt: skip
        self.one.start()
        wait(lambda: self.one.status().get("child", {}).get("state") == "up", "it is up")

    def is_there(self):
        leads = self.pair.primary()
        self.assertIn("prod-deploy", leads.ctl("policy list", check=0).stdout)

    def test_with_the_supervisors_state_moved_away_too_bootstrap_begins_anew(self):
        self.lose("data", "state")
        self.restore()
        wait(lambda: self.one.ctl("pair bootstrap").returncode == 0, "the register is made")
        self.two.start()
        wait(self.pair.is_paired, "both are in the ISR")
        self.is_there()

    def test_with_the_supervisors_state_kept_it_is_a_reseed(self):
        self.lose("data")
        self.restore()
        refused = wait(lambda: next((done for done in [self.one.ctl("pair bootstrap")]
                                     if "reseed" in done.stdout + done.stderr), None), "bootstrap is refused")
        self.assertEqual(refused.returncode, 115)
        self.one.ctl("peer-off", "--confirm", "the other host is off", check=0)
        wait(lambda: self.one.ctl("arbiter reseed", "--confirm", "the old arbiter is lost").returncode == 0,
             "the register is made")
        self.two.start()
        wait(lambda: self.two.ctl("arbiter reseed", "--confirm", "the old arbiter is lost").returncode == 0,
             "the other one takes the new arbiter")
        wait(self.pair.is_paired, "both are in the ISR")
        self.is_there()


if __name__ == "__main__":
    unittest.main()
