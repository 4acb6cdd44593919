#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_leave_live.py: the way out of a pair, and into the next one, on the machines of
test_setup_live.py: nothing that was answered is lost, whatever dies in the middle.

Owns a writer beside the leave, and the copies of a host's files from which each try begins.
"""

import os
import re
import shutil
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE]

import test_setup_live as live  # noqa: E402  the path is set above
import world as cluster  # noqa: E402
from test_setup import ADDRESSES, VIP  # noqa: E402

LACKING = "leave the pair without what the other host has answered"
LEAVE = ("approvalctl", "pair", "leave", "--confirm", "leave the pair")
# Each name that is answered for is in the file before the next one is asked for.
WRITER = """
i=0
while [ ! -e /run/stop ]; do
    i=$((i+1))
    ! approvalctl token add t$i --read --output /run/t$i >/dev/null 2>&1 || echo t$i >>/run/answered
done
"""
# A call of these is what changes something; the program is killed at the one of that number, which
# strace counts for each call by itself.
CALLS = ("rename", "mkdir", "unlink", "unlinkat", "rmdir")


class Leave(live.LiveCase):
    """A and B, and the arbiter."""

    def kept(self, host):
        return "kept" in host.run("approvalctl", "policy", "list", check=False).stdout

    def policy(self, host):
        path = os.path.join(host.root, "lib", "policy.conf")
        cluster.write(path, 'policy kept { title = "Kept" channel = "C0APV00001" '
                            'approvers = {"U0APR00001"} quorum = 1 }\n')
        host.run("approvalctl", "policy", "apply", "/var/lib/policy.conf")

    def leaves(self, host, words=LEAVE):
        # Not before it knows that it has every answer.
        self.wait(lambda: host.run(*words, check=False).returncode != 116, f"{host.name} may leave")
        self.wait(host.is_green, f"{host.name} serves alone")

    def write_while(self, host, action):
        """What was answered meanwhile."""
        writer = subprocess.Popen(["nsenter", "-t", str(host.holder.pid), "-m", "-n", "env",
                                   f"PATH={live.PREFIX}/bin:{os.environ['PATH']}", "sh", "-c", WRITER],
                                  stdin=subprocess.DEVNULL)
        self.addCleanup(writer.wait)
        self.addCleanup(writer.kill)

        def answered():
            return host.run("cat", "/run/answered", check=False).stdout.split()

        self.wait(lambda: len(answered()) > 20, "it writes")
        action()
        before = len(answered())
        self.wait(lambda: len(answered()) > before, "it goes on writing")
        host.run("touch", "/run/stop")
        writer.wait(30)
        return answered()

    def test_the_last_host_leaves_with_every_answer(self):
        self.installed()
        self.paired()
        self.policy(self.a)
        self.leaves(self.b)
        self.wait(lambda: self.kept(self.a), "A goes on")
        answered = self.write_while(self.a, lambda: self.leaves(self.a))
        listed = self.a.run("approvalctl", "token", "list").stdout.split()
        self.assertEqual([name for name in answered if name not in listed], [])
        self.assertTrue(self.kept(self.a))

    def test_who_has_left_makes_a_pair_again(self):
        self.installed()
        self.paired()
        self.policy(self.a)
        for arbiter_leaves in (False, True):
            if arbiter_leaves:
                self.arbiter.run("approvald-arbiter", "leave")
            self.leaves(self.b)
            # Without the arbiter A cannot know that B has not gone on without it.
            self.leaves(self.a, LEAVE[:-1] + (LACKING,) if arbiter_leaves else LEAVE)
            self.paired()
            self.assertTrue(self.kept(self.a))
            self.assertTrue(self.kept(self.a) or self.kept(self.b))

    def test_a_mount_point_is_refused_before_anything_is_stopped(self):
        """It cannot be renamed, and that is known beforehand."""
        self.installed()
        self.b.run("mount", "--bind", "/var/lib/approvald", "/var/lib/approvald")
        self.a.run("approvalctl", "pair", "init", "--peer", ADDRESSES["B"], "--vip", f"{VIP}/24",
                   "--arbiter", "manual")
        token = self.tokens(self.a.run("approvalctl", "pair", "token", "host").stdout)[0]
        self.wait(self.listens, "A listens")
        self.refused_for_its_mount("approvalctl", "pair", "join", stdin=token + "\n")
        self.b.run("umount", "/var/lib/approvald")
        self.b.run("approvalctl", "pair", "join", stdin=token + "\n")  # the same token
        self.wait(lambda: self.b.is_green() and self.b.is_paired(), "B is green")
        self.b.run("mount", "--bind", "/var/lib/approvald", "/var/lib/approvald")
        self.refused_for_its_mount(*LEAVE)
        self.b.run("umount", "/var/lib/approvald")
        self.leaves(self.b)

    def refused_for_its_mount(self, *words, stdin=""):
        def stops():
            with open(os.path.join(self.b.root, "lib", "systemctl.log"), encoding="utf-8") as log:
                return sum("stop" in line for line in log)

        before = stops()
        said = self.b.run(*words, stdin=stdin, check=False)
        self.assertEqual(said.returncode, 115, said.stdout + said.stderr)
        self.assertIn("/var/lib/approvald is a mount point", said.stderr)
        self.assertIn("data_dir", said.stderr)
        self.assertEqual(stops(), before)
        self.assertTrue(self.b.is_green())

    def files(self, host):
        """What the host has on its disk."""
        etc = os.path.join(host.root, "prefix", live.ETC[len(live.PREFIX):].lstrip("/"))
        return (os.path.join(host.root, "lib"), etc, os.path.join(host.root, "keepalived"))

    def copy(self, host, back=False):
        for number, folder in enumerate(self.files(host)):
            copied = os.path.join(self.dir, f"copy-{number}")
            source, target = (copied, folder) if back else (folder, copied)
            if back:  # the folder itself is a mount
                for name in os.listdir(folder):
                    subprocess.run(["rm", "-rf", os.path.join(folder, name)], check=True)
            subprocess.run(["cp", "-a", source + "/.", target], check=True)

    @unittest.skipIf(shutil.which("strace") is None, "no strace")
    def test_cut_anywhere_it_is_repeated_and_then_done(self):
        self.installed()
        self.paired()
        self.policy(self.a)
        self.a.run("systemctl", "stop", "approvald-supervisor.service")
        self.copy(self.a)
        cuts = 0
        for call in CALLS:
            number = 1
            while self.is_cut_at(call, number):
                number += 1
            cuts += number - 1
        self.assertGreater(cuts, 25)  # it was cut in each step

    def is_cut_at(self, call, number):
        done = self.a.run("strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                          f"inject={call}:signal=KILL:when={number}", *LEAVE, check=False)
        if done.returncode == 0:
            self.wait(lambda: self.kept(self.a), "A serves alone, with what it had")
        else:  # nothing serves but what has everything: a host that is booted now
            self.a.run("systemctl", "start", "approvald-supervisor.service", check=False)
            self.leaves(self.a)
            self.wait(lambda: self.kept(self.a), "A serves alone, with what it had")
            left = self.a.run("sh", "-c", f"cd {live.ETC}/approvald; ls -d pair *.d/50-pair.conf; "
                              "ls -d /var/lib/approvald.alone-*", check=False).stdout
            self.assertEqual(left, "")
        self.a.run("systemctl", "stop", "approvald-supervisor.service")
        self.copy(self.a, back=True)
        return done.returncode != 0


if __name__ == "__main__":
    unittest.main()
