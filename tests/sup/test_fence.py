#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_fence.py: approvald-fence with fake agents: what an agent gets, how it ends, what is told.

Owns its helper and one scratch directory. Never touches a power switch; the pair with fake ones is
tests/cluster's.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib.stalls import Stalls  # noqa: E402  the path is set above
from lib.waiting import PATIENCE_S  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("APPROVALD_BUILD", os.path.join(ROOT, "build", "gcc")))
HELPER = os.path.join(BUILD, "supervisor", "fencer", "approvald-fence")
SECRET = "tr0ub4dor&3"
TIMEOUT_S = 120  # a machine under load runs a script late
SHORT_S = 2


def is_running(pid):
    """A zombie that nobody has reaped yet does not run."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def members(group):
    """Those of a process group that run: an agent leads one of its own."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as stat:
                state, _, number = stat.read().rsplit(")", 1)[1].split()[:3]
        except OSError:  # it has gone
            continue
        if int(number) == group and state not in "ZX":
            found.append(int(name))
    return found


class Helper(unittest.TestCase):
    """One helper that listens, and devices whose agents are shell scripts."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="sup-fence-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.socket = self.path("fence.sock")
        self.start(TIMEOUT_S)
        self.addCleanup(self.end)

    def start(self, timeout_s):
        self.helper = subprocess.Popen([HELPER, "--devices", self.dir, "--listen", self.socket,
                                        "--timeout", str(timeout_s)], stdin=subprocess.DEVNULL)
        self.wait(lambda: self.try_connect(), "the helper listens")

    def end(self):
        self.helper.kill()
        self.helper.wait(PATIENCE_S)

    def path(self, name):
        return os.path.join(self.dir, name)

    def wait(self, predicate, what):
        end = time.monotonic() + PATIENCE_S
        while not predicate():
            self.assertLess(time.monotonic(), end, f"waited in vain until {what}")
            time.sleep(0.01)

    def try_connect(self):
        try:
            self.connect().close()
        except OSError:
            return False
        return True

    def connect(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(PATIENCE_S)
        try:
            sock.connect(self.socket)
        except OSError:
            sock.close()
            raise
        return sock

    def device(self, name, script, options=f"ip=192.0.2.9\npassword={SECRET}\nplug=3\n", mode=0o600):
        agent = self.path(name + ".sh")
        with open(agent, "w", encoding="utf-8") as out:
            out.write("#!/bin/sh\n" + script)
        os.chmod(agent, 0o700)
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(f"# the other host\nagent={agent}\n\n{options}")
        os.chmod(self.path(name), mode)

    def ask(self, question):
        with self.connect() as sock:
            sock.sendall(question.encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                try:
                    piece = sock.recv(4096)
                except ConnectionResetError:  # hung up before all of the question was read
                    piece = b""
                if not piece:
                    break
                answer += piece
        return answer.decode()

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def test_options_come_on_standard_input_and_never_as_arguments(self):
        self.device("pdu", f"cat > {self.dir}/input\ntr '\\0' '\\n' < /proc/$$/cmdline > {self.dir}/argv\n"
                           f"env > {self.dir}/env\n")
        self.assertEqual(self.ask("off pdu"), "exit 0 exit code 0\n")
        self.assertEqual(self.read("input"), f"ip=192.0.2.9\npassword={SECRET}\nplug=3\naction=off\n")
        self.assertEqual(self.read("argv").split(), ["/bin/sh", self.path("pdu.sh")])
        self.assertNotIn(SECRET, self.read("env"))
        self.assertEqual(self.ask("status pdu"), "exit 0 exit code 0\n")
        self.assertTrue(self.read("input").endswith("action=status\n"))

    def test_exit_codes_and_last_words_are_passed_on(self):
        for code in (0, 1, 2, 127):
            self.device("pdu", f"echo first >&2; echo 'Failed: plug' >&2; echo out; exit {code}\n")
            self.assertEqual(self.ask("status pdu"), f"exit {code} Failed: plug\n")
        self.device("pdu", "kill -9 $$\n")
        self.assertEqual(self.ask("status pdu"), "failed killed by signal 9\n")

    def test_a_secret_that_an_agent_says_is_not_told(self):
        self.device("pdu", "while read line; do echo \"got $line\" >&2; last=$line; done;"
                           f"echo 'login {SECRET} failed\033[31m' >&2; exit 1\n")
        answer = self.ask("off pdu")
        self.assertEqual(answer, f"exit 1 login {'*' * len(SECRET)} failed?[31m\n")

    def test_an_agent_that_talks_without_end_is_bounded(self):
        self.device("pdu", "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo end >&2; exit 2\n")
        self.assertEqual(self.ask("status pdu"), "exit 2 end\n")
        self.device("pdu", "head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 2\n")
        self.assertEqual(self.ask("status pdu"), "exit 2 exit code 2\n")

    def test_an_agent_that_hangs_is_killed_with_all_that_it_has_started(self):
        self.device("pdu", f"trap '' TERM INT HUP\nsleep 1000 &\necho $! $$ > {self.dir}/pids\nsleep 1000\n")
        self.end()
        self.start(SHORT_S)
        with Stalls() as stalls:
            begin = time.monotonic()
            self.assertEqual(self.ask("off pdu"), "failed no answer in time\n")
            took_s = time.monotonic() - begin
        self.assertLess(took_s, SHORT_S + 3 + stalls.total_s)
        for pid in self.read("pids").split():
            self.wait(lambda pid=pid: not is_running(int(pid)), f"{pid} is gone")

    def test_what_an_agent_leaves_behind_is_killed(self):
        self.device("pdu", f"sleep 1000 > /dev/null 2>&1 &\necho $! > {self.dir}/pids\nexit 2\n")
        self.assertEqual(self.ask("status pdu"), "exit 2 exit code 2\n")
        self.wait(lambda: not is_running(int(self.read("pids"))), "it is gone")

    def test_an_agent_ends_with_its_asker(self):
        self.device("pdu", f"echo $$ > {self.dir}/pids.new\nmv {self.dir}/pids.new {self.dir}/pids\nsleep 1000\n")
        sock = self.connect()
        sock.sendall(b"off pdu\n")
        self.wait(lambda: os.path.exists(self.path("pids")), "the agent runs")
        group = int(self.read("pids"))
        self.assertIn(group, members(group))
        sock.close()
        self.wait(lambda: not members(group), "it is killed")  # long before its time is over

    def test_an_agent_ends_with_the_helper(self):
        # What it has started itself the kernel does not end with it: it starts nothing.
        self.device("pdu", f"echo $$ > {self.dir}/pids.new\nmv {self.dir}/pids.new {self.dir}/pids\n"
                           "exec sleep 1000\n")
        with self.connect() as sock:
            sock.sendall(b"off pdu\n")
            self.wait(lambda: os.path.exists(self.path("pids")), "the agent runs")
            group = int(self.read("pids"))
            self.assertIn(group, members(group))
            self.helper.send_signal(signal.SIGKILL)
            self.wait(lambda: not members(group), "it is killed")

    def test_a_file_that_others_may_read_is_refused(self):
        for mode in (0o640, 0o604, 0o666):
            self.device("pdu", "exit 2\n", mode=mode)
            self.assertEqual(self.ask("status pdu"),
                             "failed device's file: has to be the helper's, mode 0600\n")

    def test_bad_files_are_refused_without_telling_what_stands_in_them(self):
        for options in (f"action=on\npassword={SECRET}\n", f"{SECRET}\n", f"={SECRET}\n",
                        f"pass word={SECRET}\n", f"agent=/bin/true\npassword={SECRET}\n",
                        f"option={SECRET}\n"):
            self.device("pdu", "exit 2\n", options)
            answer = self.ask("status pdu")
            self.assertRegex(answer, "^failed device: line [0-9]+: ")
            self.assertNotIn(SECRET, answer)
        self.device("pdu", "exit 2\n", "x=" + "y" * 9000 + "\n")
        self.assertRegex(self.ask("status pdu"), "^failed device: longer")
        with open(self.path("pdu"), "w", encoding="utf-8") as out:
            out.write("ip=1\n")
        self.assertEqual(self.ask("status pdu"), "failed device: agent= is missing\n")
        with open(self.path("pdu"), "w", encoding="utf-8") as out:
            out.write("agent=../../bin/true\n")
        self.assertRegex(self.ask("status pdu"), "^failed device: line 1: ")
        with open(self.path("pdu"), "w", encoding="utf-8") as out:
            out.write("agent=fence_nothing_of_this_name\n")
        self.assertRegex(self.ask("status pdu"), "^failed /usr/sbin/fence_nothing_of_this_name: No such")

    def test_strange_questions_run_nothing(self):
        self.device("pdu", f"touch {self.dir}/ran\n")
        for question in ("on pdu", "reboot pdu", "off ", "off", "off ../pdu", "off pdu.sh", "off a b",
                         "off " + "a" * 32, "", "off p\0du", "OFF pdu"):
            answer = self.ask(question)
            self.assertIn(answer, ("failed not understood\n", ""), question)
        self.assertRegex(self.ask("off nobody"), "^failed device's file: No such file")
        self.assertEqual(self.ask("off " + "a" * 500), "")
        self.assertFalse(os.path.exists(self.path("ran")))

    def test_only_its_own_user_may_ask(self):
        self.assertEqual(os.stat(self.socket).st_mode & 0o777, 0o600)

    def test_a_connection_is_enough_for_systemd(self):
        self.device("pdu", "exit 2\n")
        ours, theirs = socket.socketpair()
        with ours, theirs, subprocess.Popen([HELPER, "--devices", self.dir], stdin=theirs) as one:
            ours.sendall(b"status pdu\n")
            self.assertEqual(ours.recv(100), b"exit 2 exit code 2\n")
            self.assertEqual(one.wait(PATIENCE_S), 0)


if __name__ == "__main__":
    unittest.main()
