#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_pair_setup.py: approvalctl pair init, pair join and approvald-arbiter join, on loopback.

Owns three folders that stand for three machines, and the processes that it starts. Each test has
addresses of 127/8 of its own. Never starts a service of this host: --root sees to that.
"""

import json
import os
import re
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE]

from case import PROGRAM  # noqa: E402  the path is set above

BUILD = os.path.dirname(os.path.dirname(os.path.dirname(PROGRAM)))
ARBITER = os.path.join(BUILD, "approvald", "arbiter", "approvald-arbiter")
SUPERVISOR = os.path.join(BUILD, "supervisor", "approvald-supervisor")
DAEMON = os.path.join(BUILD, "approvald", "approvald")
TOKEN = r"^apvjoin[12]\.\S+$"
WAIT_S = 60
JOIN_PORT = 8472
# keepalived wants one that could carry an address; nothing is done to it.
INTERFACE = next((name for _i, name in socket.if_nameindex() if name != "lo"), "lo")


def openssl(*words):
    return subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)


class Machine:
    """A tree of files, and what is run for it."""

    def __init__(self, world, name):
        self.world = world
        self.root = os.path.join(world.dir, name)
        os.mkdir(self.root)

    def path(self, *names):
        """A file of /etc/approvald, wherever the build has put that."""
        for folder, _folders, _files in os.walk(self.root):
            if os.path.basename(folder) == "approvald" and "etc" in folder:
                return os.path.join(folder, *names)
        raise AssertionError(f"no approvald in {self.root}")

    def pair(self, *names):
        return self.path("pair", *names)

    def ctl(self, *words, stdin="", code=0):
        done = subprocess.run([PROGRAM, *words, "--root", self.root], input=stdin, text=True,
                              capture_output=True, timeout=60, check=False)
        self.world.test.assertEqual(done.returncode, code, f"{words}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def join(self, token, *words, code=0):
        return self.ctl("pair", "join", "--interface", INTERFACE, "--program", SUPERVISOR, *words,
                        stdin=token + "\n", code=code)


class World:
    """Two hosts and an arbiter. B's and the arbiter's addresses are not needed to be on a link."""

    def __init__(self, test):
        self.test = test
        self.dir = tempfile.mkdtemp(prefix="pair-setup-")
        test.addCleanup(shutil.rmtree, self.dir)
        net = f"127.{secrets.randbelow(250) + 2}.{secrets.randbelow(250) + 2}"
        self.address = {name: f"{net}.{i}" for i, name in enumerate(("A", "B", "arbiter"), 1)}
        self.vip = f"{net}.100"
        self.a, self.b, self.c = (Machine(self, name) for name in ("a", "b", "c"))
        self.server = None
        test.addCleanup(self.stop)

    def serve(self, *words, stdin=""):
        """Starts a command of A that prints tokens and waits; the tokens, arbiter's first."""
        self.stop()
        self.log = os.path.join(self.dir, "a.log")
        with open(self.log, "w", encoding="utf-8") as log:
            self.server = subprocess.Popen(
                [PROGRAM, "pair", *words, "--root", self.a.root, "--program", SUPERVISOR],
                stdin=subprocess.PIPE, stdout=log, stderr=log, text=True)
            self.server.stdin.write(stdin)
            self.server.stdin.close()
        self.wait(self.listens, "A listens")
        return re.findall(TOKEN, self.said(), re.M)

    def plan(self, arbiter=None):
        return ("--peer", self.address["B"], "--address", self.address["A"], "--vip",
                f"{self.vip}/24", "--interface", INTERFACE, "--arbiter",
                arbiter or self.address["arbiter"])

    def init(self, arbiter=None):
        return self.serve("init", *self.plan(arbiter))

    def listens(self):
        if self.server.poll() is not None:
            raise AssertionError(f"it ended: {self.said()}")
        with socket.socket() as sock:
            return sock.connect_ex((self.address["A"], JOIN_PORT)) == 0

    def said(self):
        with open(self.log, encoding="utf-8") as log:
            return log.read()

    def wait(self, predicate, what):
        end = time.monotonic() + WAIT_S
        while not predicate():
            self.test.assertLess(time.monotonic(), end, f"in vain until {what}: {self.said()}")
            time.sleep(0.02)

    def finish(self, code=0):
        self.test.assertEqual(self.server.wait(WAIT_S), code, self.said())

    def stop(self, how=signal.SIGKILL):
        if self.server is not None and self.server.poll() is None:
            self.server.send_signal(how)
            self.server.wait(WAIT_S)

    def arbiter_join(self, token, code=0):
        done = subprocess.run([ARBITER, "join", "--root", self.c.root], input=token + "\n", text=True,
                              capture_output=True, timeout=60, check=False)
        self.test.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def arbiter_file(self, name):
        for folder, _folders, files in os.walk(self.c.root):
            if name in files:
                return os.path.join(folder, name)
        raise AssertionError(f"the arbiter has no {name}")

    def set_up(self):
        arbiter, host = self.init()
        self.b.join(host)
        self.arbiter_join(arbiter)
        self.finish()


def files_of(machine, *ends):
    found = {}
    for name in os.listdir(machine.pair()):
        if name.endswith(ends):
            with open(machine.pair(name), "rb") as handle:
                found[name] = handle.read()
    return found


class PairSetup(unittest.TestCase):
    """From three bare machines to the files of a pair."""

    def setUp(self):
        self.world = World(self)

    def verify(self, authority, certificate, purpose, works=True):
        done = openssl("verify", "-x509_strict", "-purpose", purpose, "-CAfile", authority,
                       certificate)
        self.assertEqual(done.returncode == 0, works,
                         f"{certificate} as {purpose}: {done.stdout}{done.stderr}")

    def names(self, certificate):
        text = openssl("x509", "-in", certificate, "-noout", "-ext", "subjectAltName").stdout
        return sorted(re.findall(r"(?:DNS|IP Address):([^,\s]+)", text))

    def test_two_commands_make_a_pair(self):
        world = self.world
        world.set_up()
        self.assertIn("the pair is set up", world.said())
        for host, name, purpose, other in ((world.a, "host-1.pair", "sslserver", "sslclient"),
                                           (world.b, "host-2.pair", "sslclient", "sslserver")):
            self.verify(host.pair("link-ca.crt"), host.pair("link.crt"), purpose)
            self.verify(host.pair("link-ca.crt"), host.pair("link.crt"), other, works=False)
            self.assertEqual(self.names(host.pair("link.crt")), [name])
            self.verify(host.pair("arbiter-ca.crt"), host.pair("arbiter.crt"), "sslclient")
            self.verify(host.pair("arbiter-ca.crt"), host.pair("link.crt"), purpose, works=False)
            self.verify(host.pair("link-ca.crt"), host.pair("service.crt"), "sslserver")
            self.assertEqual(self.names(host.pair("service.crt")), [world.vip])
        for name in ("link-ca.crt", "arbiter-ca.crt", "plan.conf"):
            with open(world.a.pair(name), "rb") as ours, open(world.b.pair(name), "rb") as theirs:
                self.assertEqual(ours.read(), theirs.read())
        server, authority = world.arbiter_file("server.crt"), world.arbiter_file("ca.crt")
        self.verify(authority, server, "sslserver")
        self.verify(authority, server, "sslclient")
        self.assertEqual(self.names(server), [world.address["arbiter"]])

    def test_no_key_leaves_its_machine_and_keys_are_closed(self):
        world = self.world
        world.set_up()
        keys = {}
        for machine in (world.a, world.b, world.c):
            for folder, _folders, files in os.walk(machine.root):
                for name in (name for name in files if name.endswith(".key")):
                    path = os.path.join(folder, name)
                    self.assertEqual(os.stat(path).st_mode & 0o007, 0, path)
                    if "arbiter" not in path or machine is not world.c:
                        group = 0o040 if name in ("link.key", "service.key", "arbiter.key") else 0
                        self.assertEqual(os.stat(path).st_mode & 0o070, group, path)
                    with open(path, "rb") as handle:
                        keys.setdefault(handle.read(), []).append((machine.root, name))
        # The authorities' keys are on both hosts, and nothing else is anywhere twice.
        self.assertEqual(sorted(tuple(sorted(name for _root, name in places))
                                for places in keys.values() if len(places) > 1),
                         [("arbiter-ca.key",) * 2, ("link-ca.key",) * 2])

    def test_what_is_written_is_liked_by_those_who_read_it(self):
        world = self.world
        world.set_up()
        for host in (world.a, world.b):
            for program, name in ((SUPERVISOR, "supervisor.conf"), (DAEMON, "approvald.conf")):
                done = subprocess.run([program, "--config", host.path(name), "--check-config"],
                                      capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            if shutil.which("keepalived") and INTERFACE != "lo":
                conf = os.path.join(host.root, "etc", "keepalived", "keepalived.conf")
                done = subprocess.run(["keepalived", "-t", "-f", conf], capture_output=True,
                                      text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    @unittest.skipUnless(shutil.which("etcd") and shutil.which("curl"), "needs etcd and curl")
    def test_etcd_runs_by_its_file_and_lets_the_supervisors_in(self):
        world = self.world
        world.set_up()
        log = os.path.join(world.dir, "etcd.log")
        with open(log, "w", encoding="utf-8") as out:
            etcd = subprocess.Popen(["etcd", "--config-file", world.arbiter_file("etcd.yml")],
                                    stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                    env=dict(os.environ, ETCD_UNSUPPORTED_ARCH="arm64"))
        self.addCleanup(etcd.wait)
        self.addCleanup(etcd.kill)

        def read(host, leaf):
            return subprocess.run(
                ["curl", "-s", "--max-time", "5", "--cacert", host.pair("arbiter-ca.crt"),
                 "--cert", host.pair(f"{leaf}.crt"), "--key", host.pair(f"{leaf}.key"),
                 "-d", '{"key": "Zm9v"}', f"https://{world.address['arbiter']}:2379/v3/kv/range"],
                capture_output=True, text=True, check=False).stdout

        world.log = log
        world.wait(lambda: '"cluster_id"' in read(world.a, "arbiter"), "etcd answers A")
        with open(world.arbiter_file("etcd.yml"), encoding="utf-8") as conf:
            self.assertNotIn(":2380", conf.read())  # Debian's own etcd is there
        self.assertIn('"cluster_id"', read(world.b, "arbiter"))
        self.assertNotIn("cluster_id", read(world.b, "link"))  # approvald's key opens nothing

    def test_how_it_speaks_with_slack_is_said_on_both_hosts(self):
        world = self.world
        step = "approvalctl slack setup --socket-mode"
        words = ["--peer", world.address["B"], "--address", world.address["A"], "--vip",
                 f"{world.vip}/24", "--interface", INTERFACE, "--arbiter", "manual"]
        self.assertIn("socket, http or none",
                      world.a.ctl("pair", "init", *words, "--slack", "carrier-pigeon", code=116))
        [host] = world.serve("init", *words, "--slack", "socket")
        self.assertIn(step, world.said())
        self.assertIn(step, world.b.join(host))
        world.finish()
        [host] = world.serve("init", "--slack", "http")  # it may be said anew
        self.assertIn("approvalctl slack setup --public-url", world.said())
        self.assertIn("approvalctl slack setup --public-url", world.b.join(host))

    def test_a_token_serves_once(self):
        world = self.world
        arbiter, host = world.init()
        world.b.join(host)
        self.assertIn("was used", Machine(world, "thief").join(host, code=115))
        self.assertIn("was used", world.b.join(host, code=115))
        self.assertIn("is for the arbiter", world.b.join(arbiter, code=116))
        self.assertIn("is for the other host", world.arbiter_join(host, code=65))
        world.arbiter_join(arbiter)
        world.finish()

    def test_wrong_tokens_are_refused_and_the_right_one_still_serves(self):
        world = self.world
        arbiter, host = world.init()
        self.assertIn("not whole", world.b.join(host[:-8] + "AAAAAAA=", code=116))
        self.assertIn("no join token", world.b.join("xoxb-1", code=116))
        self.assertIn("no join token", world.b.join("", code=116))
        said = world.b.ctl("pair", "join", host, code=116)
        self.assertIn("a token is no argument", said)
        self.assertNotIn(host, said)
        world.b.join(host)
        world.arbiter_join(arbiter)
        world.finish()

    def test_a_former_token_ends_with_a_new_one(self):
        world = self.world
        _arbiter, former = world.init()
        new = world.serve("token", "host")[-1]
        self.assertNotEqual(former, new)
        self.assertIn("has ended", world.b.join(former, code=115))
        world.b.join(new)

    def test_an_impostor_at_the_address_gains_nothing(self):
        """Somebody else answers at A's address: another pair, with a certificate of its own."""
        world, other = self.world, World(self)
        _arbiter, host = world.init()
        world.stop()
        other.address["A"] = world.address["A"]
        other.init()
        self.assertIn("not the one that is awaited", world.b.join(host, code=115))

    def test_killed_while_it_grants_the_same_host_may_ask_again(self):
        """Whatever A's life is cut off, the token serves B's key and nobody else's."""
        world = self.world
        _arbiter, host = world.init()
        seen = self.cut_off(host)
        self.assertTrue(seen)
        world.stop()
        world.serve("serve")
        self.assertIn("was used", Machine(world, "thief").join(host, code=115))
        world.b.join(host)

    def cut_off(self, token):
        """B asks, the answer never arrives: a relay lets the request through and cuts."""
        world = self.world
        with socket.create_server((world.address["B"], JOIN_PORT)) as relay:
            moved = self.readdress(token, world.address["A"], world.address["B"])
            child = subprocess.Popen(
                [PROGRAM, "pair", "join", "--root", world.b.root, "--interface", INTERFACE,
                 "--program", SUPERVISOR],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            child.stdin.write(moved + "\n")
            child.stdin.close()
            with relay.accept()[0] as inside, socket.create_connection(
                    (world.address["A"], JOIN_PORT)) as outside:
                self.carry(inside, outside)
            self.assertNotEqual(child.wait(WAIT_S), 0, child.stdout.read())
            child.stdout.close()
        return self.taken()

    def carry(self, inside, outside):
        """Both ways until A has made durable that the token is taken; nothing of its answer then."""
        inside.settimeout(0.05)
        outside.settimeout(0.05)
        end = time.monotonic() + WAIT_S
        while not self.taken():
            self.assertLess(time.monotonic(), end, self.world.said())
            for source, target in ((inside, outside), (outside, inside)):
                try:
                    data = source.recv(65536)
                except TimeoutError:
                    continue
                if self.taken():
                    return
                target.sendall(data)

    def taken(self):
        """The state in the offer's file: 8 bytes of magic, version, role, state."""
        with open(self.world.a.pair("offer-host"), "rb") as handle:
            return handle.read()[10] == 1

    @staticmethod
    def readdress(token, old, new):
        """The token with another address: what an attacker who has it could make."""
        import base64
        import hashlib
        raw = base64.b64decode(token.split(".", 1)[1])[:-4].replace(old.encode(), new.encode())
        return "apvjoin1." + base64.b64encode(raw + hashlib.sha256(raw).digest()[:4]).decode()

    def test_strangers_do_not_hold_up_the_one_who_is_awaited(self):
        world = self.world
        arbiter, host = world.init()
        with socket.create_connection((world.address["A"], JOIN_PORT)) as garbage:
            garbage.sendall(b"GET / HTTP/1.1\r\n\r\n")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for said in (b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x04\x00\x00\x00abcd",
                     b"\x00\x02\x00\x00" + b"A" * 512):
            with socket.create_connection((world.address["A"], JOIN_PORT)) as sock:
                with context.wrap_socket(sock) as stranger:
                    stranger.sendall(said)
                    stranger.settimeout(WAIT_S)
                    try:
                        self.assertEqual(stranger.recv(100), b"")
                    except (ConnectionError, ssl.SSLError):
                        pass
        world.b.join(host)
        world.arbiter_join(arbiter)
        world.finish()

    def test_init_may_be_repeated_and_changes_nothing(self):
        world = self.world
        world.init()
        before = self.files(world.a, "crt", "key")
        arbiter, host = world.init()
        self.assertEqual(before, self.files(world.a, "crt", "key"))
        world.b.join(host)
        world.arbiter_join(arbiter)
        world.finish()
        said = world.a.ctl("pair", "init", "--peer", world.address["B"], "--address",
                           world.address["A"], "--vip", "none", "--arbiter", "manual", code=116)
        self.assertIn("pair leave first", said)

    files = staticmethod(files_of)

    def test_programs_read_lines_of_json(self):
        world = self.world
        self.assertEqual(world.serve("init", "--json", "--peer", world.address["B"], "--address",
                                     world.address["A"], "--vip", "none", "--arbiter", "manual"), [])
        told = [json.loads(line) for line in world.said().splitlines()]
        self.assertEqual([line["event"] for line in told][:2], ["plan", "token"])
        # That it listens was tried by a connection that says nothing: it may be told already.
        self.assertLessEqual({line["event"] for line in told[2:]}, {"enrolment"})
        self.assertEqual(told[1]["role"], "host")
        said = world.b.ctl("pair", "join", "--json", "--interface", INTERFACE, "--program", SUPERVISOR,
                           stdin=told[1]["token"] + "\n")
        self.assertEqual(json.loads(said)["event"], "joined")
        world.finish()
        self.assertEqual(json.loads(world.said().splitlines()[-1])["event"], "paired")

    def test_without_an_arbiter_the_other_host_is_enough(self):
        world = self.world
        tokens = world.init(arbiter="manual")
        self.assertEqual(len(tokens), 1)
        world.b.join(tokens[0])
        world.finish()
        with open(world.b.path("supervisor.conf.d", "50-pair.conf"), encoding="utf-8") as conf:
            self.assertIn("kind = manual", conf.read())
        self.assertFalse(os.path.exists(world.b.pair("arbiter.crt")))

    def test_what_the_admin_has_written_stays(self):
        world = self.world
        keepalived = os.path.join(world.b.root, "etc", "keepalived", "keepalived.conf")
        os.makedirs(os.path.dirname(keepalived))
        with open(keepalived, "w", encoding="utf-8") as conf:
            conf.write("# mine\n")
        world.set_up()
        with open(keepalived, encoding="utf-8") as conf:
            self.assertEqual(conf.read(), "# mine\n")
        with open(world.b.pair("keepalived.conf"), encoding="utf-8") as conf:
            self.assertIn("vrrp_instance", conf.read())

    def test_leaving_removes_what_was_written(self):
        world = self.world
        world.set_up()
        with open(world.b.path("supervisor.conf.d", "60-mine.conf"), "w", encoding="utf-8") as conf:
            conf.write("log_level = debug\n")
        world.b.ctl("pair", "leave", code=116)
        fence = world.b.path("supervisor.conf.d", "60-fence.conf")
        with open(fence, "w", encoding="utf-8") as conf:
            conf.write("arbiter {\n    kind = manual\n}\n")
        said = world.b.ctl("pair", "leave", "--program", SUPERVISOR, "--confirm", "leave the pair", code=116)
        self.assertIn("nothing was done", said)
        self.assertIn("60-fence.conf", said)
        self.assertTrue(os.path.exists(world.b.path("supervisor.conf.d", "50-pair.conf")))
        os.unlink(fence)
        world.b.ctl("pair", "leave", "--confirm", "leave the pair")
        left = sorted(name for _folder, _folders, names in os.walk(world.b.root) for name in names)
        self.assertEqual(left, ["60-mine.conf", "approvald.conf", "supervisor.conf"])
        world.b.ctl("pair", "leave", "--confirm", "leave the pair")  # may be repeated
        subprocess.run([ARBITER, "leave", "--root", world.c.root], check=True, timeout=60)
        self.assertEqual([names for _f, _d, names in os.walk(world.c.root) if names], [])

    def test_either_host_takes_a_replacement_of_the_other_in(self):
        world = self.world
        world.set_up()
        shutil.rmtree(world.a.root)  # lost for good
        os.mkdir(world.a.root)
        self.survive(world.b, world.a, "host-1.pair", "B")
        shutil.rmtree(world.b.root)
        os.mkdir(world.b.root)
        self.survive(world.a, world.b, "host-2.pair", "A")

    def survive(self, left, new, name, address):
        """left gives a token out, new joins with it and is what the lost one was."""
        world = self.world
        log = os.path.join(world.dir, "left.log")
        with open(log, "w", encoding="utf-8") as out:
            server = subprocess.Popen([PROGRAM, "pair", "token", "host", "--root", left.root,
                                       "--program", SUPERVISOR],
                                      stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        world.log = log
        world.wait(lambda: re.search(TOKEN, world.said(), re.M), "a token")
        token = re.search(TOKEN, world.said(), re.M).group(0)
        world.wait(lambda: self.reaches(world.address[address]), "it listens")
        new.join(token)
        self.assertEqual(server.wait(WAIT_S), 0, world.said())
        self.assertEqual(self.names(new.pair("link.crt")), [name])
        self.check_trust()

    @staticmethod
    def reaches(address):
        with socket.socket() as sock:
            return sock.connect_ex((address, JOIN_PORT)) == 0

    def test_renewal_leaves_young_ones_and_mends_what_does_not_fit(self):
        world = self.world
        world.set_up()
        before = self.files(world.b, "crt", "key")
        self.assertIn("0 certificates", world.b.ctl("pair", "renew"))
        os.unlink(world.b.pair("arbiter.crt"))  # as a crash between key and certificate leaves it
        shutil.copy(world.b.pair("service.key"), world.b.pair("link.key"))
        self.assertIn("2 certificates", world.b.ctl("pair", "renew"))
        after = self.files(world.b, "crt", "key")
        self.assertEqual({name for name in before if before[name] != after[name]},
                         {"arbiter.crt", "link.crt", "link.key"})
        self.verify(world.b.pair("link-ca.crt"), world.b.pair("link.crt"), "sslclient")
        self.assertIn("0 certificates", world.b.ctl("pair", "renew"))

    @unittest.skipUnless(shutil.which("faketime"), "needs faketime")
    def test_renewal_begins_with_a_third_left(self):
        world = self.world
        world.set_up()

        def renew(days):
            done = subprocess.run(["faketime", "-f", f"+{days}d", PROGRAM, "pair", "renew", "--root",
                                   world.a.root], capture_output=True, text=True, check=True)
            return done.stdout

        self.assertIn("0 certificates", renew(240))
        self.assertIn("4 certificates", renew(245))
        self.assertIn("0 certificates", renew(246))

    def test_rotation_never_leaves_two_that_do_not_trust_each_other(self):
        world = self.world
        world.set_up()
        former = self.files(world.a, "crt", "key")
        host, arbiter = world.serve("rotate")
        self.check_trust()
        self.assertIn("the other host joins first", world.arbiter_join(arbiter, code=77))
        self.check_trust()
        self.assertEqual(self.files(world.a, "crt")["link.crt"], former["link.crt"])
        world.b.join(host)
        self.check_trust()
        world.arbiter_join(arbiter)
        self.check_trust()
        world.finish()
        self.check_trust()
        world.b.ctl("pair", "rotate", "--end")
        self.check_trust()
        arbiter = world.serve("token", "arbiter")[-1]
        world.arbiter_join(arbiter)
        self.check_trust()
        new = self.files(world.a, "crt", "key")
        self.assertEqual([name for name in former if former[name] == new[name]], [])
        for name in ("link-ca.crt", "arbiter-ca.crt"):
            self.assertEqual(new[name].count(b"BEGIN"), 1)
            self.assertEqual(self.files(world.b, "crt")[name], new[name])
        with open(world.arbiter_file("ca.crt"), "rb") as handle:
            self.assertEqual(handle.read(), new["arbiter-ca.crt"])

    def check_trust(self):
        """Whoever speaks with whom, each trusts the other's certificate."""
        a, b = self.world.a, self.world.b
        server, authority = self.world.arbiter_file("server.crt"), self.world.arbiter_file("ca.crt")
        self.verify(a.pair("link-ca.crt"), b.pair("link.crt"), "sslclient")
        self.verify(b.pair("link-ca.crt"), a.pair("link.crt"), "sslserver")
        for host in (a, b):
            self.verify(authority, host.pair("arbiter.crt"), "sslclient")
            self.verify(host.pair("arbiter-ca.crt"), server, "sslserver")


if __name__ == "__main__":
    unittest.main()
