#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_pair_fence.py: approvalctl pair init --arbiter fence and pair join, with a fake power switch.

Owns, beside the folders of test_pair_setup.py, a fence helper for each host, which runs the fence
agent of that host's tree as the real one does, and the switch that the agents ask. Never switches
anything off: that nobody asks for it is what is to be seen.
"""

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import test_pair_setup as setup  # noqa: E402  the path is set above
from case import PROGRAM  # noqa: E402
from lib import talk  # noqa: E402

SECRET = ("s3cret of one", "s3cret of two")
OPTIONS = ("--fence", "agent=fence_fake", "--fence", "username=approvald", "--fence-1", "plug=1",
           "--fence-2", "plug=2", "--fence-secret", "password")
AGENT = """#!/bin/sh
while read -r line; do echo "$line"; done >>"$0.asked"
plug=$(sed -n 's/^plug=//p' "$0.asked" | tail -n 1)
echo "of the agent" >&2
exit "$(cat "$0.$plug")"
"""
ON, OFF, BROKEN = 0, 2, 1


class Helper:
    """What systemd and approvald-fence are to a host: one connection, one question."""

    def __init__(self, test, machine, folder):
        self.machine = machine
        self.asked = []
        self.agent = os.path.join(machine.root, "usr", "sbin", "fence_fake")
        os.makedirs(os.path.dirname(self.agent))
        with open(self.agent, "w", encoding="ascii") as out:
            out.write(AGENT)
        os.chmod(self.agent, 0o755)
        self.set(ON, ON)
        self.path = os.path.join(folder, "fence.sock")
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen(8)
        test.addCleanup(self.server.close)
        talk.accept(self.server, self._serve)

    def set(self, *says):
        """What the switch says of host 1, of host 2."""
        for plug, code in enumerate(says, 1):
            with open(f"{self.agent}.{plug}", "w", encoding="ascii") as out:
                out.write(str(code))

    def _serve(self, connection):
        with connection:
            connection.sendall(self._answer(connection.recv(200).decode()).encode())

    def _answer(self, question):
        self.asked.append(question)
        action, name = question.split()
        file = self.machine.path("fence", name)
        mode = os.stat(file).st_mode & 0o777
        with open(file, encoding="utf-8") as device:
            lines = [line for line in device.read().splitlines() if line and line[0] != "#"]
        if mode != 0o600 or lines[0] != "agent=fence_fake":
            return f"failed mode {mode:o}, {lines[0]}\n"
        done = subprocess.run([self.agent], input="\n".join([*lines[1:], f"action={action}", ""]),
                              capture_output=True, text=True, check=False)
        return f"exit {done.returncode} {done.stderr.strip()}\n"


class PairFence(unittest.TestCase):
    """The devices on their way from the admin to both hosts, and away again."""

    def setUp(self):
        self.world = setup.World(self)
        self.helper = {}
        for name, machine in (("A", self.world.a), ("B", self.world.b)):
            folder = os.path.join(self.world.dir, "run-" + name)
            os.mkdir(folder)
            self.helper[name] = Helper(self, machine, folder)

    def words(self, *options):
        return (*self.world.plan("fence"), *(options or OPTIONS), "--fence-socket",
                self.helper["A"].path)

    def init(self, *options, secrets=SECRET):
        """The tokens that it prints; it waits then."""
        return self.world.serve("init", *self.words(*options),
                                stdin="".join(secret + "\n" for secret in secrets))

    def fails(self, *options, secrets=SECRET, code=115):
        """What an init says that does not get so far."""
        said = self.world.a.ctl("pair", "init", *self.words(*options), "--program", setup.SUPERVISOR,
                                stdin="".join(secret + "\n" for secret in secrets), code=code)
        self.assertEqual(self.left(self.world.a), [], "something was kept")
        return said

    def join(self, token, code=0):
        return self.world.b.join(token, "--fence-socket", self.helper["B"].path, code=code)

    def left(self, machine):
        """The files of a host, without its agent's."""
        return sorted(os.path.join(folder, name)[len(machine.root):]
                      for folder, _folders, names in os.walk(machine.root) for name in names
                      if not name.startswith("fence_fake"))

    def device(self, machine, *names):
        path = machine.path(*names)
        info = os.stat(path)
        self.assertEqual(info.st_mode & 0o777, 0o600, path)
        self.assertEqual(info.st_uid, os.geteuid())
        with open(path, encoding="utf-8") as handle:
            lines = handle.read().splitlines()
        return dict(line.split("=", 1) for line in lines if not line.startswith("#"))

    def check_devices(self, secrets=SECRET):
        a, b = self.world.a, self.world.b
        for host, theirs in ((a, 2), (b, 1)):
            for names, plug in ((("fence", "peer"), theirs), (("pair", "fence-own"), 3 - theirs)):
                self.assertEqual(self.device(host, *names), {
                    "agent": "fence_fake", "username": "approvald", "plug": str(plug),
                    "password": secrets[plug - 1]})
            self.assertEqual(os.listdir(host.path("fence")), ["peer"])
            self.assertEqual(os.stat(host.path("fence")).st_mode & 0o777, 0o700)

    def check_asked(self):
        for helper in self.helper.values():
            self.assertLessEqual(set(helper.asked), {"status candidate\n"})
            if os.path.exists(helper.agent + ".asked"):
                with open(helper.agent + ".asked", encoding="utf-8") as asked:
                    self.assertNotRegex(asked.read(), "action=(?!status)")

    def set_up(self):
        [token] = self.init()  # there is no arbiter to give one to
        self.join(token)
        self.world.finish()

    def test_two_commands_make_a_pair_that_can_switch_each_other_off(self):
        self.set_up()
        self.check_devices()
        said = self.world.said()
        self.assertIn("the fence device of host 2 says that it is on", said)
        self.assertIn("arbiter fence", said)
        self.assertNotIn("approvald-arbiter", said)
        self.assertNotIn("s3cret", said)
        for host in (self.world.a, self.world.b):
            with open(host.path("supervisor.conf.d", "50-pair.conf"), encoding="utf-8") as conf:
                self.assertIn('kind = fence\n}\nfence {\n    devices = {"peer"}', conf.read())
            self.assertFalse(os.path.exists(host.pair("arbiter.crt")))
            for path in self.left(host):  # but for the two, no file has a secret
                with open(host.root + path, "rb") as handle:
                    self.assertEqual(b"s3cret" in handle.read(),
                                     path.endswith(("fence/peer", "pair/fence-own")), path)
        self.check_asked()
        self.assertTrue(all(helper.asked for helper in self.helper.values()))

    def test_one_secret_serves_for_both(self):
        [token] = self.init(secrets=("the one",))
        self.join(token)
        self.world.finish()
        self.check_devices(("the one", "the one"))

    def test_a_device_that_does_not_answer_makes_no_pair(self):
        self.helper["A"].set(ON, BROKEN)
        said = self.fails()
        self.assertIn("nothing was done", said)
        self.assertIn("host 2 does not say whether it is on (fence_fake, status): of the agent", said)
        os.unlink(self.helper["A"].agent)
        self.assertIn("apt install fence-agents", self.fails())
        self.check_asked()

    def test_a_wrong_plug_of_this_host_makes_no_pair(self):
        self.helper["A"].set(OFF, ON)
        self.assertIn("a wrong plug", self.fails())
        self.helper["A"].set(BROKEN, ON)  # a BMC that shares its host's card: host 2 will say
        self.init()
        self.assertIn("own fence device does not answer here (of the agent)", self.world.said())

    def test_without_a_helper_it_is_said(self):
        os.unlink(self.helper["A"].path)
        self.assertIn("fence.sock", self.fails())

    def test_host_2_may_be_off_and_is_told_of_when_it_joins(self):
        self.helper["A"].set(ON, OFF)
        [token] = self.init()
        self.assertIn("host 2 says that it is off: if it is on, plug or address", self.world.said())
        before = self.left(self.world.b)
        for says, why in ((OFF, "it has just answered: a wrong plug"), (BROKEN, "of the agent")):
            self.helper["B"].set(says, ON)
            said = self.join(token, code=115)
            self.assertIn("nothing was done", said)
            self.assertIn(why, said)
            self.assertEqual([path for path in self.left(self.world.b) if path not in before and
                              not path.endswith(("join.key", "join.token"))], [])
        self.helper["B"].set(ON, OFF)
        self.assertIn("that is this host", self.join(token, code=115))
        self.helper["B"].set(ON, ON)
        self.join(token)  # the same token
        self.world.finish()
        self.check_devices()
        self.check_asked()

    def test_secrets_are_no_arguments(self):
        for words in (("--fence", "password=s3cret"), ("--fence-1", "Passwd=s3cret"),
                      ("--fence-2", "snmp_community=s3cret"), ("--fence-secret", "password=s3cret"),
                      ("--fence", "password_script=/s3cret")):
            said = self.fails("--fence", "agent=fence_fake", *words, code=116)
            self.assertNotIn("s3cret", said)
            self.assertIn("standard input", said)
        self.assertIn("none came", self.fails(secrets=(), code=116))
        self.assertIn("too long", self.fails(secrets=("x" * 256, "y"), code=116))
        self.assertIn("blank", self.fails(secrets=("x ", "y"), code=116))
        self.assertEqual(self.helper["A"].asked, [])

    def test_hostile_options_go_nowhere(self):
        agent = ("--fence", "agent=fence_fake")
        for words in (
                ("--fence", "agent=/bin/sh"), ("--fence", "agent=../bin/fence_x"),
                ("--fence", "agent=poweroff"), ("--fence", "agent=fence_" + "x" * 200),
                (*agent, "--fence", "ip=1\naction=off"), (*agent, "--fence", "action=off"),
                (*agent, "--fence", "option=off"), (*agent, "--fence", "=x"),
                (*agent, "--fence", "ip=" + "x" * 256), (*agent, "--fence", "k" * 60 + "=x"),
                (*agent, "--fence", "ip"), (*agent, "--fence", "a=1", "--fence", "a=2"),
                (*agent, *(word for i in range(24) for word in ("--fence", f"a{i}=x"))),
                ("--fence", "ip=1"), agent, (*agent, "--fence-3", "plug=1"),
                (*agent, "--fence-secret", "../x")):
            said = self.fails(*words, code=116)
            self.assertNotIn("x" * 60, said)
        self.assertEqual(self.helper["A"].asked, [])
        self.assertIn("switch itself off", self.fails(*agent, "--fence", "plug=1", code=116))
        self.assertIn("go with --arbiter fence", self.world.a.ctl(
            "pair", "init", *self.world.plan("manual"), *agent, code=116))

    def test_a_repetition_keeps_or_replaces_them(self):
        world = self.world
        self.set_up()
        asked = len(self.helper["A"].asked)
        world.serve("init", *world.plan("fence"))  # nothing new is said, nothing asked
        self.assertEqual(len(self.helper["A"].asked), asked)
        self.init()  # the same again
        self.assertEqual(len(self.helper["A"].asked), asked)
        self.check_devices()
        world.stop()
        self.helper["A"].set(ON, BROKEN)
        new = ("new one", "new two")
        said = world.a.ctl("pair", "init", *self.words(), stdin="\n".join(new) + "\n", code=115)
        self.assertIn("of the agent", said)
        self.check_devices()  # those that serve stay
        self.helper["A"].set(ON, ON)
        [token] = self.init(secrets=new)
        self.join(token)
        world.finish()
        self.check_devices(new)
        self.assertIn("pair leave first",
                      world.a.ctl("pair", "init", *world.plan("manual"), code=116))

    def test_leaving_takes_the_secrets_away_and_says_what_follows(self):
        world = self.world
        self.set_up()
        with open(world.b.path("fence", "mine"), "w", encoding="utf-8") as mine:
            mine.write("agent=fence_mine\n")
        for host in (world.a, world.b):
            with open(host.path("fence", "candidate"), "w", encoding="utf-8") as cut_off:
                cut_off.write("# Written by approvalctl pair\npassword=s3cret\n")
            for _ in range(2):  # may be repeated
                said = host.ctl("pair", "leave", "--program", setup.SUPERVISOR, "--confirm", "leave the pair")
            self.assertNotIn("peer-off", said)
        self.assertEqual([os.path.basename(path) for path in self.left(world.a)],
                         ["approvald.conf", "supervisor.conf"])
        self.assertFalse(os.path.exists(world.a.path("fence")))
        self.assertEqual(os.listdir(world.b.path("fence")), ["mine"])

    def test_a_link_of_the_admin_stops_nobody_from_leaving(self):
        """As of who keeps the device's file elsewhere, in a pair made by hand."""
        world = self.world
        [token] = world.init(arbiter="manual")
        world.b.join(token)
        world.finish()
        os.makedirs(os.path.join(world.b.path(), "fence"))
        os.symlink("/nowhere", world.b.path("fence", "peer"))
        world.b.ctl("pair", "leave", "--program", setup.SUPERVISOR, "--confirm", "leave the pair")
        self.assertTrue(os.path.islink(world.b.path("fence", "peer")))

    def test_who_leaves_is_told_of_the_other_host(self):
        self.set_up()
        said = self.world.b.ctl("pair", "leave", "--program", setup.SUPERVISOR, "--confirm", "leave the pair")
        self.assertIn("switched off after two minutes", said)
        self.assertIn("approvalctl peer-off", said)

    def test_a_device_of_the_admin_stays(self):
        world = self.world
        [token] = self.init()
        folder = os.path.dirname(world.a.path("fence")).replace(world.a.root, world.b.root)
        os.makedirs(os.path.join(folder, "fence"), 0o700)
        with open(os.path.join(folder, "fence", "peer"), "w", encoding="utf-8") as mine:
            mine.write("agent=fence_mine\n")
        said = self.join(token, code=115)
        self.assertIn("nothing was done", said)
        self.assertIn("move it away", said)
        with open(os.path.join(folder, "fence", "peer"), encoding="utf-8") as mine:
            self.assertEqual(mine.read(), "agent=fence_mine\n")
        self.assertEqual(self.helper["B"].asked, [])

    def test_who_knows_no_fence_devices_gets_no_grant(self):
        """As a host of an earlier version speaks: the first version of the message."""
        world = self.world
        [token] = self.init()
        self.assertTrue(token.startswith("apvjoin2."))  # at which it would have stopped
        said = self.join(token.replace("apvjoin2.", "apvjoin1."), code=115)
        self.assertIn("upgrade", said)
        self.join(token)
        world.finish()

    def test_either_host_takes_a_replacement_in(self):
        world = self.world
        self.set_up()
        self.helper["A"].agent_kept = shutil.copy(self.helper["A"].agent, world.dir)
        for folder, _folders, names in os.walk(world.a.root):
            if "fence_fake" not in names:
                for name in names:
                    os.unlink(os.path.join(folder, name))
        log = os.path.join(world.dir, "b.log")
        with open(log, "w", encoding="utf-8") as out:
            server = subprocess.Popen([PROGRAM, "pair", "token", "host", "--root", world.b.root,
                                       "--program", setup.SUPERVISOR],
                                      stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        world.log = log
        world.wait(lambda: re.search(setup.TOKEN, world.said(), re.M), "a token")
        token = re.search(setup.TOKEN, world.said(), re.M).group(0)
        world.wait(lambda: setup.PairSetup.reaches(world.address["B"]), "it listens")
        world.a.join(token, "--fence-socket", self.helper["A"].path)
        self.assertEqual(server.wait(setup.WAIT_S), 0, world.said())
        self.check_devices()

    def test_a_rotation_waits_for_no_device(self):
        world = self.world
        self.set_up()
        [token] = world.serve("rotate")
        self.helper["B"].set(BROKEN, BROKEN)
        self.join(token)
        world.finish()
        self.assertIn("pair rotate --end", world.said())
        self.assertNotIn("arbiter", world.said().split("rotated:")[1])
        self.check_devices()

    ANSWERS = (("switches, as fence_ipmilan?", "fence_fake"), ("alike", "password=s3cret"),
               ("hidden, afterwards", None), ("another one", "action=off"),
               ("another one", "username=approvald"), ("another one", ""),
               ("host 1, this one, alone", "plug=1"), ("another one", ""),
               ("host 2 alone", "plug=2"), ("another one", ""),
               ("password of the switch of host 1", SECRET[0]))

    @contextlib.contextmanager
    def at_terminal(self):
        """pair init with a person at it, who has answered up to host 1's password: its process, the
        terminal."""
        child, terminal = pty.fork()
        if child == 0:
            os.execv(PROGRAM, [PROGRAM, "pair", "init", *self.world.plan("fence"), "--slack", "none",
                               "--fence-socket", self.helper["A"].path, "--root", self.world.a.root,
                               "--program", setup.SUPERVISOR])
        try:
            for question, line in self.ANSWERS:
                self.read_until(terminal, question)
                if line is not None:
                    os.write(terminal, line.encode() + b"\n")
            yield child, terminal
        finally:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            os.close(terminal)

    def test_a_person_is_asked(self):
        """At a terminal: few questions, and no echo of the password."""
        with self.at_terminal() as (_child, terminal):
            seen = self.read_until(terminal, "password of the switch of host 2")
            os.write(terminal, SECRET[1].encode() + b"\n")
            seen += self.read_until(terminal, "apvjoin2.")
        self.assertIn("Asking the fence device of host 2 (fence_fake, status)", seen)
        self.assertNotIn("s3cret", seen)
        self.assertEqual(self.device(self.world.a, "fence", "peer")["password"], SECRET[1])
        self.assertEqual(self.device(self.world.a, "pair", "fence-own")["plug"], "1")

    def test_a_person_may_think_better_of_it(self):
        with self.at_terminal() as (child, terminal):
            self.read_until(terminal, "password of the switch of host 2")
            os.write(terminal, b"half of it\x03")
            self.assertEqual(self.end_of(child), -signal.SIGINT)
        self.assertEqual(self.left(self.world.a), [])

    def end_of(self, child):
        end = time.monotonic() + setup.WAIT_S
        while True:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid == child:
                return os.waitstatus_to_exitcode(status)
            self.assertLess(time.monotonic(), end, "it goes on")
            time.sleep(0.02)

    def read_until(self, terminal, text):
        seen = ""
        end = time.monotonic() + setup.WAIT_S
        while text not in seen:
            if not select.select([terminal], [], [], end - time.monotonic())[0]:
                self.fail(f"in vain until {text}: {seen}")
            seen += os.read(terminal, 1).decode(errors="replace")
        return seen


if __name__ == "__main__":
    unittest.main()
