#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_pair_leave.py: what becomes of a host's store and files when it joins a pair, and when it
leaves it, also when it is cut meanwhile, on the machines of test_pair_setup.py.

Owns what it puts into their files, and supervisors that say what a test wants.
"""

import os
import shutil
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE]

from case import PROGRAM  # noqa: E402  the path is set above
from fake_supervisor import FakeSupervisor, status  # noqa: E402
from test_pair_setup import ARBITER, DAEMON, INTERFACE, SUPERVISOR, World, files_of  # noqa: E402

LEAVE = ("pair", "leave", "--confirm", "leave the pair")


class PairLeave(unittest.TestCase):
    """B, beside an A that awaits it."""

    def setUp(self):
        self.world = World(self)

    def store(self, name, target=None):
        """B has served alone: its configurations, and something in its data_dir."""
        world = self.world
        folder = os.path.join(world.b.root, os.path.relpath(world.a.path(), world.a.root))
        data = os.path.join(world.dir, name)
        os.makedirs(folder, exist_ok=True)
        os.mkdir(target or data, 0o700)
        if target:
            os.symlink(target, data)
        for file, text in (("supervisor.conf", f'program = "{DAEMON}"\nuser = ""\n'
                            f'config = "{folder}/approvald.conf"\n'),
                           ("approvald.conf", f'data_dir = "{data}"\n')):
            with open(os.path.join(folder, file), "w", encoding="utf-8") as conf:
                conf.write(text)
        with open(os.path.join(data, "state.mdb"), "w", encoding="utf-8") as state:
            state.write("mine")
        return data

    def kept(self, data):
        """The folders in which what B had stored is kept."""
        above, name = os.path.split(data)
        return [kept for kept in os.listdir(above) if kept.startswith(name + ".before-pair-") and
                os.path.exists(os.path.join(above, kept, "state.mdb"))]

    def test_what_the_second_host_had_is_set_aside_where_it_lies(self):
        """Also behind a link: the large disk that it leads to is the one that is used on."""
        world = self.world
        arbiter, host = world.init()
        large = os.path.join(world.dir, "large")
        os.mkdir(large)
        data = self.store("data", os.path.join(large, "store"))
        self.assertIn(f"{large}/store.before-pair-", world.b.join(host))
        self.assertTrue(os.path.islink(data))
        self.assertEqual(os.listdir(data), [])
        self.assertEqual(len(self.kept(os.path.join(large, "store"))), 1)
        world.arbiter_join(arbiter)
        world.finish()

    @unittest.skipUnless(shutil.which("strace"), "needs strace")
    def test_cut_while_it_sets_its_store_aside_a_host_has_a_data_dir(self):
        """Nobody but who installs makes one."""
        world = self.world
        _arbiter, token = world.init()
        for number, call in enumerate(("rename", "renameat2", "mkdir", "?chown", "fchown")):
            data = self.store(f"data-{number}")
            subprocess.run(["strace", "-qq", "-o", "/dev/null", "-P", data, "-e", f"trace={call}", "-e",
                            f"inject={call}:signal=KILL:when=1", PROGRAM, "pair", "join",
                            "--root", world.b.root, "--interface", INTERFACE, "--program", SUPERVISOR],
                           input=token + "\n", text=True, capture_output=True, timeout=60, check=False)
            if not os.path.exists(world.b.pair("plan.conf")):
                world.b.join(token)
            self.assertEqual(os.listdir(data), [])
            self.assertEqual(len(self.kept(data)), 1)
            shutil.rmtree(world.b.root)
            os.mkdir(world.b.root)
            token = world.serve("token", "host")[-1]

    @unittest.skipUnless(shutil.which("strace"), "needs strace")
    def test_cut_behind_its_last_word_a_join_is_repeated(self):
        """The token has served, the other host goes on and listens no more; this one has only
        to put in force what it has."""
        world = self.world
        [token] = world.init("manual")
        piece = os.path.join(world.b.root, os.path.relpath(world.a.path(), world.a.root),
                             "supervisor.conf.d", "50-pair.conf")
        subprocess.run(["strace", "-qq", "-o", "/dev/null", "-P", piece + ".part", "-e", "trace=rename", "-e",
                        "inject=rename:signal=KILL:when=1", PROGRAM, "pair", "join", "--root",
                        world.b.root, "--interface", INTERFACE, "--program", SUPERVISOR],
                       input=token + "\n", text=True, capture_output=True, timeout=60, check=False)
        world.finish()
        self.assertFalse(os.path.exists(piece))
        self.assertIn("joined", world.b.join(token))
        self.assertTrue(os.path.exists(piece))
        self.assertEqual(set(os.listdir(world.b.pair())) & {"join.key", "joined", "restart"}, set())

    def cut_at_its_end(self, program, *words, path, token):
        """Killed when it removes that for the second time: it begins with that, too."""
        subprocess.run(["strace", "-qq", "-o", "/dev/null", "-P", path, "-e", "trace=unlink", "-e",
                        "inject=unlink:signal=KILL:when=2", program, *words],
                       input=token + "\n", text=True, capture_output=True, timeout=60, check=False)

    @unittest.skipUnless(shutil.which("strace"), "needs strace")
    def test_what_a_join_has_left_is_not_taken_for_one_with_another_token(self):
        """Whose services somebody has started by hand: years later a rotation is a join as any,
        with keys of its own."""
        world = self.world
        arbiter, host = world.init()
        folder = world.a.path()[len(world.a.root):]
        self.cut_at_its_end(PROGRAM, "pair", "join", "--root", world.b.root, "--interface", INTERFACE,
                            "--program", SUPERVISOR, path=f"{world.b.root}{folder}/pair/joined", token=host)
        self.assertTrue(os.path.exists(world.b.pair("joined")))
        self.cut_at_its_end(ARBITER, "join", "--root", world.c.root, token=arbiter,
                            path=f"{world.c.root}{folder}-arbiter/joined")
        self.assertTrue(os.path.exists(world.arbiter_file("joined")))
        world.finish()
        before = files_of(world.b, "link.key")
        host, arbiter = world.serve("rotate")
        world.b.join(host)
        world.arbiter_join(arbiter)
        world.finish()
        self.assertNotEqual(files_of(world.b, "link.key"), before)
        world.b.ctl("pair", "rotate", "--end")
        for left in (os.listdir(world.b.pair()), os.listdir(os.path.dirname(world.arbiter_file("etcd.yml")))):
            self.assertEqual(set(left) & {"join.key", "joined", "join.token"}, set())

    @unittest.skipUnless(shutil.which("strace"), "needs strace")
    def test_a_rotation_that_was_cut_is_not_ended_before_all_have_joined(self):
        world = self.world
        world.set_up()
        for name in ("link-ca.key", "link-ca.crt", "arbiter-ca.key", "arbiter-ca.crt"):
            done = subprocess.run(["strace", "-qq", "-o", "/dev/null", "-P", world.a.pair(name + ".part"),
                                   "-e", "trace=rename", "-e", "inject=rename:signal=KILL:when=1", PROGRAM,
                                   "pair", "rotate", "--root", world.a.root, "--program", SUPERVISOR],
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
            self.assertNotEqual(done.returncode, 0)
            if name == "arbiter-ca.key":  # one of the two is begun, and both are whole
                token = world.serve("token", "arbiter")[-1]
                self.assertIn("the other host joins first", world.arbiter_join(token, code=77))
                self.assertIn("nothing was done", world.a.ctl("pair", "rotate", "--end", code=115))
        host, arbiter = world.serve("rotate")
        self.assertIn("nothing was done", world.a.ctl("pair", "rotate", "--end", code=115))
        world.b.join(host)
        world.arbiter_join(arbiter)
        world.finish()
        world.b.ctl("pair", "rotate", "--end")

    def test_leaving_is_looked_at_without_touching_a_file(self):
        """The supervisor is asked about the rest while all is in place: a start meanwhile, or a
        kill, finds the configuration of the pair."""
        world = self.world
        world.set_up()
        piece = world.b.path("supervisor.conf.d", "50-pair.conf")
        program, seen = (os.path.join(world.dir, name) for name in ("program", "seen"))
        with open(program, "w", encoding="utf-8") as script:
            script.write(f"#!/bin/sh\nls {piece} >>{seen} 2>&1\nexec {SUPERVISOR} \"$@\"\n")
        os.chmod(program, 0o755)
        world.b.ctl(*LEAVE, "--program", program)
        with open(seen, encoding="utf-8") as lines:
            self.assertEqual(set(lines.read().splitlines()), {piece})
        self.assertFalse(os.path.exists(piece))

    def test_who_would_still_be_of_a_pair_does_not_leave(self):
        """A configuration of the admin's own, whole without ours, makes one too."""
        world = self.world
        world.set_up()
        before = files_of(world.b, "crt", "key", "conf")
        piece = world.b.path("supervisor.conf.d", "50-pair.conf")
        with open(piece, encoding="utf-8") as conf:
            mine = "".join(conf.read().splitlines(keepends=True)[1:])  # without our mark
        for name in ("60-mine.conf", "50-pair.conf"):
            with open(world.b.path("supervisor.conf.d", name), "w", encoding="utf-8") as conf:
                conf.write(mine)
            said = world.b.ctl(*LEAVE, "--program", SUPERVISOR, code=115)
            self.assertIn("nothing was done", said)
            self.assertIn("supervisor.conf.d", said)
            self.assertEqual(files_of(world.b, "crt", "key", "conf"), before)
            if name == "60-mine.conf":
                os.unlink(world.b.path("supervisor.conf.d", name))
        os.unlink(world.b.pair("plan.conf"))  # and no pair of ours at all
        self.assertIn("nothing was done", world.b.ctl(*LEAVE, "--program", SUPERVISOR, code=115))
        self.assertTrue(os.path.exists(world.b.pair("link.key")))

    def test_who_may_lack_answers_leaves_only_when_that_is_said(self):
        world = self.world
        world.set_up()
        both = status()["register"]["isr"]
        lack = "leave the pair without what the other host has answered"
        for changes, lacking in (
                ({}, False),  # a standby in sync
                ({"link__in_sync": False}, True),
                ({"link__up": False, "role": "waiting"}, True),
                ({"register__isr": both[:1]}, True),  # of the other host alone
                ({"role": "halted"}, True),
                ({"role": "primary"}, False),
                ({"role": "primary", "register__isr": both[1:]}, False),  # alone
                ({"role": "waiting", "register__isr": both[1:]}, False),  # and just started
                ({"role": "primary", "register__isr": both[1:], "child__store": "33" * 16}, True),
                ({"role": "primary", "link__up": False}, True),  # the other one may lead by now
                ({"role": "waiting", "pair": False}, False)):
            fake = FakeSupervisor(world.dir, status(**changes))
            words = ("pair", "leave", "--program", "/nowhere", "--supervisor", fake.path, "--confirm")
            said = world.b.ctl(*words, "leave the pairs", code=116)
            self.assertIn("nothing was done", said)
            self.assertEqual("not in sync" in said and lack in said, lacking, f"{changes}: {said}")
            if lacking:
                world.b.ctl(*words, "leave the pair", code=116)
            else:
                world.b.ctl(*words, lack, code=116)
            self.assertTrue(os.path.exists(world.b.pair("plan.conf")))
            fake.close()
        # In sync when it was asked, not so any more when it was answered.
        answers = [status(), status(link__in_sync=False)]
        fake = FakeSupervisor(world.dir, lambda _line: answers.pop(0) if len(answers) > 1 else answers[0])
        said = world.b.ctl("pair", "leave", "--program", "/nowhere", "--supervisor", fake.path, "--confirm",
                           "leave the pair", code=116)
        self.assertIn("not in sync", said)
        self.assertTrue(os.path.exists(world.b.pair("plan.conf")))
        fake.close()
        fake = FakeSupervisor(world.dir, status(link__in_sync=False))
        self.addCleanup(fake.close)
        world.b.ctl("pair", "leave", "--program", "/nowhere", "--supervisor", fake.path, "--confirm", lack)
        self.assertFalse(os.path.exists(world.b.path("pair")))


if __name__ == "__main__":
    unittest.main()
