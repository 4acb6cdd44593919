#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_etcd.py: the etcd arbiter against a real etcd under mutual TLS on loopback.

Owns the etcd that it starts. Never leaves loopback.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from etcd import Authority, Etcd  # noqa: E402
from lib.ports import free_port  # noqa: E402  etcd.py has set the path
from lib.waiting import PATIENCE_S, until  # noqa: E402

BUILD = os.environ.get("APPROVALD_BUILD", os.path.join(os.path.dirname(__file__), "../../build/gcc"))
PROBE = os.path.join(BUILD, "tests", "sup", "etcd_probe")
CLUSTER = "0102030405060708090a0b0c0d0e0f10"


class Answer:
    def __init__(self, line):
        words, _, self.problem = line.partition(" # ")
        parts = words.split()
        self.request, self.outcome = parts[:2]
        for part in parts[2:]:
            name, _, value = part.partition("=")
            setattr(self, name, int(value))


class Probe:
    def __init__(self, *endpoints, timeout_ms=60000, ca="-", leaf=("-", "-"), cluster=CLUSTER, env=()):
        self.process = subprocess.Popen(
            [PROBE, cluster, str(timeout_ms), ca, *leaf, *endpoints], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env=dict(os.environ, **dict(env)))

    def ask(self, line, count=1):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answers = [Answer(self.process.stdout.readline()) for _ in range(count)]
        return answers[0] if count == 1 else answers

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(timeout=60)


@unittest.skipUnless(shutil.which("etcd"), "etcd is not installed")
class EtcdCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="approvald-etcd-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.authority = Authority(self.folder)
        # etcd's gateway refuses certificates with a common name while users are enabled.
        self.leaf = self.authority.leaf("host1", "DNS:host1", subject="/O=approvald")
        self.etcd = Etcd(self.folder, self.authority)
        self.etcd.start()
        self.addCleanup(self.etcd.kill)

    def probe(self, *endpoints, **options):
        options.setdefault("ca", self.authority.ca)
        options.setdefault("leaf", self.leaf)
        probe = Probe(*(endpoints or (self.etcd.url,)), **options)
        self.addCleanup(lambda: probe.process.poll() is None and probe.close())
        return probe

    def test_a_register_is_created_once_and_changed_at_its_revision(self):
        a, b = self.probe(), self.probe()
        self.assertEqual(a.ask("read").outcome, "absent")
        made = a.ask("cas 0 1 1 11")
        self.assertEqual((made.outcome, made.epoch), ("done", 1))
        again = b.ask("cas 0 1 2 22")
        self.assertEqual((again.outcome, again.nonce, again.primary), ("conflict", 11, 1))
        seen = b.ask("read")
        self.assertEqual((seen.outcome, seen.revision, seen.nonce), ("done", made.revision, 11))
        won = b.ask(f"cas {made.revision} 2 2 23")
        self.assertEqual((won.outcome, won.epoch), ("done", 2))
        lost = a.ask(f"cas {made.revision} 2 1 12")
        self.assertEqual((lost.outcome, lost.nonce, lost.revision), ("conflict", 23, won.revision))
        self.assertGreater(won.revision, made.revision)
        self.assertEqual(lost.id, made.id)

    def test_a_rotated_authority_is_trusted_without_a_restart(self):
        """curl keeps an authority that it has read for a day, unless it is told not to."""
        probe = self.probe()
        self.assertEqual(probe.ask("read").outcome, "absent")
        new = Authority(self.folder, "new")
        with open(new.ca, encoding="ascii") as source, \
                open(self.authority.ca, "a", encoding="ascii") as both:
            both.write(source.read())
        self.etcd.kill()
        self.etcd.certificate, self.etcd.key = new.leaf("etcd", "IP:127.0.0.1", "DNS:localhost")
        self.etcd.start()
        self.assertEqual(probe.ask("read").outcome, "absent")
        new.leaf("host1", "DNS:host1", subject="/O=approvald")  # over the files in use
        self.etcd.kill()
        shutil.copy(new.ca, self.authority.ca)
        self.etcd.start()  # trusts the new one alone
        self.assertEqual(probe.ask("read").outcome, "absent")

    def test_of_many_that_try_at_once_one_wins(self):
        first = self.probe().ask("cas 0 1 1 1")
        outcomes = []

        def attempt(number):
            probe = self.probe()
            probe.ask("read")
            outcomes.append(probe.ask(f"cas {first.revision} 2 1 {number}").outcome)

        threads = [threading.Thread(target=attempt, args=(100 + i,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(outcomes), ["conflict"] * 5 + ["done"])

    def test_a_read_and_a_cas_go_side_by_side(self):
        answers = self.probe().ask("both 0 1 1 5", count=2)
        self.assertEqual({a.request for a in answers}, {"read", "cas"})
        self.assertIn("done", [a.outcome for a in answers if a.request == "cas"])

    def read(self, probe):
        """What one that waits a moment alone reads: at last, where the machine stands still."""
        def read():
            answer = probe.ask("read")
            return answer if answer.outcome == "done" else None
        return until(read, "it is read", PATIENCE_S, 0.05)

    def test_a_dead_arbiter_did_nothing_and_one_that_hangs_may_have(self):
        probe = self.probe(timeout_ms=300)
        made = self.probe().ask("cas 0 1 1 1")
        self.read(probe)  # it has a connection
        self.etcd.freeze()
        hung = probe.ask(f"cas {made.revision} 2 1 2")
        self.assertEqual(hung.outcome, "unknown")
        self.assertEqual(probe.ask("read").outcome, "not-sent")
        self.etcd.thaw()
        self.etcd.wait_ready()
        seen = self.read(probe)
        self.assertIn(seen.nonce, (1, 2))
        self.etcd.kill()
        dead = probe.ask(f"cas {seen.revision} 3 1 3")
        self.assertIn(dead.outcome, ("not-sent", "unknown"))  # a kept connection may have taken it
        self.assertEqual(probe.ask(f"cas {seen.revision} 3 1 4").outcome, "not-sent")
        self.assertNotEqual(probe.ask("read").problem, "")

    def test_the_next_endpoint_is_asked_when_one_is_dead(self):
        dead = f"https://127.0.0.1:{free_port()}"
        probe = self.probe(dead, self.etcd.url)
        self.assertEqual(probe.ask("cas 0 1 1 1").outcome, "done")
        self.assertEqual(probe.ask("read").outcome, "done")

    def test_a_wiped_arbiter_has_another_identity(self):
        probe = self.probe()
        before = probe.ask("cas 0 1 1 1")
        self.etcd.kill()
        shutil.rmtree(self.etcd.data)
        # The cluster's id comes from its members' addresses and names: another peer address.
        self.etcd.peer_port = free_port()
        self.etcd.start()
        after = [probe.ask("read"), probe.ask("read")][1]
        self.assertEqual(after.outcome, "absent")
        self.assertNotEqual(after.id, before.id)
        self.assertLess(after.head, before.head)

    def test_a_restored_arbiter_at_the_same_revision_is_not_the_one_that_was_read(self):
        a, b = self.probe(), self.probe()
        first = a.ask("cas 0 1 1 1")
        self.etcd.kill()
        backup = self.etcd.data + ".backup"
        shutil.copytree(self.etcd.data, backup)
        self.etcd.start()
        seen = a.ask(f"cas {first.revision} 2 1 2")
        self.assertEqual(seen.outcome, "done")
        self.etcd.kill()
        shutil.rmtree(self.etcd.data)
        os.rename(backup, self.etcd.data)
        self.etcd.start()
        self.assertEqual(b.ask("read").nonce, 1)
        other = b.ask(f"cas {first.revision} 2 2 3")
        self.assertEqual((other.outcome, other.revision, other.id),
                         ("done", seen.revision, seen.id))
        late = a.ask(f"cas {seen.revision} 3 1 4")
        self.assertEqual((late.outcome, late.nonce, late.primary), ("conflict", 3, 2))

    def test_strangers_are_not_believed_and_not_served(self):
        folder = os.path.join(self.folder, "other")
        os.mkdir(folder)
        other = Authority(folder, "other")
        stranger = self.probe(leaf=other.leaf("host1"))
        # TLS 1.3 tells the client late that its certificate is refused.
        self.assertIn(stranger.ask("cas 0 1 1 1").outcome, ("not-sent", "unknown"))
        doubter = self.probe(ca=other.ca)
        self.assertEqual(doubter.ask("cas 0 1 1 1").outcome, "not-sent")
        nobody = self.probe(leaf=("-", "-"))
        self.assertEqual(nobody.ask("read").outcome, "not-sent")
        self.assertEqual(self.probe().ask("read").outcome, "absent")

    def test_user_and_password_are_shown_and_a_stale_token_is_renewed(self):
        ctl = ["etcdctl", "--endpoints", self.etcd.url, "--cacert", self.authority.ca, "--cert",
               self.leaf[0], "--key", self.leaf[1]]
        env = dict(os.environ, ETCDCTL_API="3")

        def run(*arguments):
            subprocess.run([*ctl, *arguments], env=env, check=True, capture_output=True)

        run("user", "add", "root:rootpass")
        run("user", "grant-role", "root", "root")
        run("user", "add", "pair:s3cret")
        run("role", "add", "pair")
        run("role", "grant-permission", "pair", "--prefix=true", "readwrite", "/approvald/")
        run("user", "grant-role", "pair", "pair")
        run("auth", "enable")
        probe = self.probe(env={"ETCD_USER": "pair", "ETCD_PASSWORD": "s3cret"})
        made = probe.ask("cas 0 1 1 1")
        self.assertEqual(made.outcome, "done", made.problem)
        self.etcd.kill()  # simple tokens live in etcd's memory
        self.etcd.start()
        seen = [probe.ask("read"), probe.ask("read")][1]
        self.assertEqual((seen.outcome, seen.nonce), ("done", 1), seen.problem)
        wrong = self.probe(env={"ETCD_USER": "pair", "ETCD_PASSWORD": "wrong"})
        refused = wrong.ask(f"cas {made.revision} 2 1 2")
        self.assertEqual(refused.outcome, "not-sent")
        self.assertNotIn("wrong", refused.problem)


if __name__ == "__main__":
    unittest.main()
