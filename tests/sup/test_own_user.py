#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_own_user.py: a supervisor that is not root's, as under its unit: a user of its own with two
capabilities starts, signals and ends a child that is another user's.

Owns its benches. Never needs a system user of ours: daemon stands for the supervisor's, nobody for
approvald's.
"""
import os
import pwd
import shutil
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench  # noqa: E402  the path is set above
from bench import Bench, alive, proc_status  # noqa: E402

SUPERVISOR, CHILD = "daemon", "nobody"
CAPABILITIES = (1 << 6) | (1 << 7)  # SETGID, SETUID
ALONE = ["setpriv", f"--reuid={SUPERVISOR}", f"--regid={SUPERVISOR}",
         f"--groups={pwd.getpwnam(CHILD).pw_gid}",
         *(f"--{which}=-all,+setuid,+setgid" for which in ("inh-caps", "ambient-caps", "bounding-set")),
         "--no-new-privs", "--"]  # fmt: skip


def works():
    return os.geteuid() == 0 and subprocess.run([*ALONE, "true"], capture_output=True,
                                                check=False).returncode == 0  # fmt: skip


@unittest.skipUnless(works(), "needs root, and setpriv")
class OwnUser(unittest.TestCase):
    def made(self, prefix=ALONE, wait_up=True):
        made = Bench(prefix=prefix)
        self.addCleanup(made.close)
        own = pwd.getpwnam(SUPERVISOR)
        program = made.path("fake_child")
        with open(made.path("child.conf.trace"), "ab"):
            os.chown(made.path("child.conf.trace"), pwd.getpwnam(CHILD).pw_uid, -1)
        made.edit('user = ""', f'user = "{CHILD}"')
        made.edit(bench.FAKE, program)
        shutil.copy(bench.FAKE, program)
        os.chmod(program, 0o755)
        os.chmod(made.dir, 0o755)
        os.chown(made.dir, own.pw_uid, own.pw_gid)
        os.chmod(made.path("child.conf"), 0o644)
        os.chmod(made.path("supervisor.conf"), 0o644)
        return made.start(wait_up)

    def hung(self, made):
        """The pid of a child that has come after one that had to be killed."""
        first = made.connect()
        os.kill(first, signal.SIGSTOP)  # only SIGKILL ends it
        made.wait(lambda: made.connect() != first, "another child answers")
        self.assertFalse(alive(first))
        return made.child()

    def test_the_child_has_the_other_user_and_nothing_else(self):
        made = self.made()
        status = proc_status(made.child())
        wanted = pwd.getpwnam(CHILD)
        self.assertEqual(status["Uid"].split(), [str(wanted.pw_uid)] * 4)
        self.assertEqual(status["Gid"].split(), [str(wanted.pw_gid)] * 4)
        with open(f"/proc/{made.child()}/status", encoding="ascii") as lines:
            self.assertEqual([line.split()[1:] for line in lines if line.startswith("Groups:")], [[]])
        self.assertEqual(status["NoNewPrivs"], "1")
        # A change from one user to another takes nothing away by itself.
        for name in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)
        # What is left over bounds only what a file or root could give, and neither can any more.
        self.assertEqual(int(status["CapBnd"], 16), CAPABILITIES)

    def test_the_supervisor_has_two_capabilities_and_a_filter_of_users(self):
        made = self.made()
        status = proc_status(made.process.pid)
        for name in ("CapPrm", "CapEff", "CapAmb", "CapBnd"):
            self.assertEqual(int(status[name], 16), CAPABILITIES, name)
        self.assertEqual(status["Seccomp"], "2")

    def test_sockets_are_for_the_groups_that_need_them(self):
        made = self.made()
        own, other = pwd.getpwnam(SUPERVISOR), pwd.getpwnam(CHILD)
        for path, group in ((made.path("local.sock"), other.pw_gid),
                            (made.path("run/supervisor.sock"), own.pw_gid)):
            found = os.stat(path)
            self.assertEqual((found.st_uid, found.st_gid, found.st_mode & 0o777),
                             (own.pw_uid, group, 0o660), path)
        self.assertEqual(proc_status(made.process.pid)["Gid"].split(), [str(own.pw_gid)] * 4)
        self.assertEqual(os.stat(f"/proc/{made.process.pid}/environ").st_uid, 0)

    def test_a_stopped_child_is_killed(self):
        made = self.made()
        self.hung(made)
        # Who has had another user for a moment is its own again, and leaves no core.
        own = pwd.getpwnam(SUPERVISOR).pw_uid
        self.assertEqual(proc_status(made.process.pid)["Uid"].split(), [str(own)] * 4)
        self.assertEqual(os.stat(f"/proc/{made.process.pid}/environ").st_uid, 0)
        again = self.hung(made)  # once more, with what the first time has left
        self.assertEqual(made.connect(), again)

    def test_a_supervisor_that_is_killed_takes_even_a_stopped_child_along(self):
        made = self.made()
        pid = made.connect()
        os.kill(pid, signal.SIGSTOP)
        made.stop(signal.SIGKILL)
        bench.wait(lambda: not alive(pid), "the child is gone")

    def test_signals_reach_the_child_and_it_ends_in_order(self):
        made = self.made()
        pid = made.connect()
        made.process.send_signal(signal.SIGHUP)
        made.wait(lambda: "HANGUP" in [word for _pid, word, _n in made.trace()], "the child reloads")
        self.assertEqual(made.stop(), 0)
        self.assertFalse(alive(pid))
        self.assertNotIn("child_unkillable", made.log())

    def test_without_the_capabilities_it_says_what_it_needs(self):
        none = [word.replace(",+setuid,+setgid", "") for word in ALONE]
        made = self.made(none, wait_up=False)
        self.assertEqual(made.process.wait(20), 77)
        self.assertIn("SETUID and SETGID", made.log())


if __name__ == "__main__":
    unittest.main()
