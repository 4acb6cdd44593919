#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_vip.py: the virtual IP: what keepalived is told, what it says, and what is left behind.

Owns its benches and, where it may make them, network namespaces of its own. Never touches the
host's addresses: without a namespace of its own such a test is skipped.
"""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench  # noqa: E402  the path is set above
from bench import Bench  # noqa: E402

ADDRESS = "192.0.2.10"
ADDRESS_6 = "2001:db8::10"
KEEPALIVED = shutil.which("keepalived") or "/usr/sbin/keepalived"


def own_network():
    """The words that run a command in a new network namespace, or None."""
    words = ["unshare", "--net", "--"]
    trial = subprocess.run([*words, "ip", "link", "set", "lo", "up"], capture_output=True,
                           check=False) if shutil.which("ip") else None
    return words if trial is not None and trial.returncode == 0 else None


OWN_NETWORK = own_network()


class Vip(Bench):
    """A bench with a section vip; in a network of its own with an interface vip0."""

    def __init__(self, own=False):
        super().__init__()
        self.network = None
        interface = "vip0" if own else "lo"
        with open(self.path("supervisor.conf"), "a", encoding="utf-8") as conf:
            conf.write(f"""
vip {{
    address = "{ADDRESS}/24"
    interface = "{interface}"
    router_id = 51
    track_file = "{self.path('run/track')}"
    fifo = "{self.path('run/fifo')}"
    own_address = "192.0.2.1"
    peer_address = "192.0.2.2"
}}
""")
        if own:
            self.network = subprocess.Popen([*OWN_NETWORK, "sh", "-c", "echo there; exec cat"],
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.network.stdout.readline()
            self.prefix = ["nsenter", "-t", str(self.network.pid), "--net", "--"]
            self.run("ip", "link", "set", "lo", "up")
            self.run("ip", "link", "add", "vip0", "type", "veth", "peer", "name", "vip1")
            self.run("ip", "link", "set", "vip0", "up")
            self.run("ip", "link", "set", "vip1", "up")
            self.run("ip", "address", "add", "192.0.2.1/24", "dev", "vip0")

    def run(self, *command):
        return subprocess.run([*self.prefix, *command], capture_output=True, text=True, check=True,
                              timeout=60).stdout

    def has_address(self, address=ADDRESS):
        return address + "/" in self.run("ip", "-o", "address", "show", "dev", "vip0")

    def track(self):
        with open(self.path("run/track"), encoding="ascii") as track:
            return track.read()

    def close(self):
        super().close()
        if self.network is not None:
            self.network.stdin.close()
            self.network.stdout.close()
            self.network.wait(10)


class Files(unittest.TestCase):
    """Track file and FIFO; no privileges needed."""

    def test_track_file_follows_eligibility(self):
        with Vip() as sup:
            sup.start()
            sup.wait(lambda: sup.status()["vip"]["eligible"], "it is eligible")
            self.assertEqual(sup.track(), "1\n")
            self.assertEqual(sup.stop(), 0)
            self.assertEqual(sup.track(), "0\n")
            self.assertEqual(sorted(os.listdir(sup.path("run"))), ["fifo", "track"])

    def test_track_file_is_zero_before_the_child_is_up(self):
        with Vip() as sup:
            sup.behave("do never-ready")
            os.makedirs(sup.path("run"))
            with open(sup.path("run/track"), "w", encoding="ascii") as track:
                track.write("1\n")  # of a supervisor that was killed
            sup.start(wait_up=False)
            sup.wait(lambda: sup.status()["child"]["state"] == "starting", "the child starts")
            self.assertEqual(sup.track(), "0\n")
            self.assertFalse(sup.status()["vip"]["eligible"])

    def test_track_file_is_zero_when_the_next_supervisor_cannot_start(self):
        def no_program(sup):
            sup.edit(bench.FAKE, "/nowhere/approvald")

        def damaged(sup):
            for number in (0, 1):
                with contextlib.suppress(FileNotFoundError), \
                        open(sup.path(f"state/supervisor-{number}"), "r+b") as copy:
                    copy.write(b"nonsense")

        def open_to_all(sup):
            os.chmod(sup.path("state"), 0o755)

        for breaks, code in ((no_program, 78), (damaged, 65), (open_to_all, 77)):
            with self.subTest(breaks=breaks.__name__), Vip() as sup:
                sup.start()
                sup.wait(lambda sup=sup: sup.track() == "1\n", "it is eligible")
                sup.stop(signal.SIGKILL)
                self.assertEqual(sup.track(), "1\n")
                breaks(sup)
                sup.start(wait_up=False)
                self.assertEqual(sup.process.wait(20), code, sup.log())
                self.assertEqual(sup.track(), "0\n")

    @staticmethod
    def give_up(sup, *more):
        """As approvald-failed.service does it."""
        return subprocess.run([bench.SUPERVISOR, "-c", sup.path("supervisor.conf"), "--give-up", *more],
                              capture_output=True, text=True, timeout=60, check=False)

    def killed(self, sup, kept=None):
        """A supervisor that was killed for good: the track file still says 1."""
        sup.start()
        sup.wait(lambda: sup.track() == "1\n", "it is eligible")
        sup.wait(lambda: kept is None or os.path.exists(kept), "its configuration is kept")
        sup.stop(signal.SIGKILL)
        self.assertEqual(sup.track(), "1\n")

    def test_what_is_started_no_more_gives_up_where_its_track_file_is(self):
        with Vip() as sup:
            self.killed(sup)
            done = self.give_up(sup)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
            self.assertEqual(sup.track(), "0\n")
            os.unlink(sup.path("run/track"))  # counts as 0
            self.assertEqual(self.give_up(sup).returncode, 0)
            self.assertFalse(os.path.exists(sup.path("run/track")))

    def test_what_gives_up_and_may_not_write_removes_the_track_file_or_says_so(self):
        with Vip() as sup:
            self.killed(sup)
            os.mkdir(sup.path("run/track.new"))
            self.assertEqual(self.give_up(sup).returncode, 0)
            self.assertFalse(os.path.exists(sup.path("run/track")))
            os.mkdir(sup.path("run/track"))
            done = self.give_up(sup)
            self.assertEqual(done.returncode, 74)
            self.assertIn(sup.path("run/track"), done.stderr)

    def test_what_gives_up_with_a_broken_configuration_knows_the_last_good_one(self):
        with Vip() as sup:
            copy = sup.path("last-good")
            sup.arguments = ["--last-good", copy]
            self.killed(sup, copy)
            sup.edit("router_id = 51", "router_id = fifty-one")
            self.assertEqual(self.give_up(sup).returncode, 78)  # without the copy nobody knows where
            self.assertEqual(sup.track(), "1\n")
            self.assertEqual(self.give_up(sup, *sup.arguments).returncode, 0)
            self.assertEqual(sup.track(), "0\n")

    def test_nobody_gives_up_what_a_running_supervisor_has(self):
        with Vip() as sup:
            sup.start()
            sup.wait(lambda: sup.track() == "1\n", "it is eligible")
            before = os.stat(sup.path("run/track"))
            self.assertEqual(self.give_up(sup).returncode, 0)
            after = os.stat(sup.path("run/track"))
            self.assertEqual((before.st_ino, before.st_mtime_ns), (after.st_ino, after.st_mtime_ns))

    def test_second_supervisor_leaves_the_track_file_alone(self):
        with Vip() as sup:
            sup.start()
            sup.wait(lambda: sup.track() == "1\n", "it is eligible")
            before = os.stat(sup.path("run/track"))
            os.chmod(sup.path("state"), 0o755)
            done = subprocess.run([bench.SUPERVISOR, "-c", sup.path("supervisor.conf")],
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 69, done.stderr)
            after = os.stat(sup.path("run/track"))
            self.assertEqual((before.st_ino, before.st_mtime_ns), (after.st_ino, after.st_mtime_ns))
            self.assertEqual(sup.track(), "1\n")

    def test_track_file_that_was_removed_or_could_not_be_written_is_written_again(self):
        with Vip() as sup:
            sup.start()
            sup.wait(lambda: sup.track() == "1\n", "it is eligible")
            os.unlink(sup.path("run/track"))
            sup.wait(lambda: sup.track() == "1\n", "it is written again")
            os.mkdir(sup.path("run/track.new"))  # in the way of the next write
            with open(sup.path("run/track"), "w", encoding="ascii") as track:
                track.write("0\n")
            sup.wait(lambda: sup.status()["vip"]["problem"], "the problem is told")
            os.rmdir(sup.path("run/track.new"))
            sup.wait(lambda: sup.track() == "1\n", "it is written again")
            sup.wait(lambda: not sup.status()["vip"]["problem"], "the problem is over")

    def test_socket_that_cannot_listen_is_told_and_tried_again(self):
        with Vip() as sup, socket.socket() as other:
            sup.behave("do late-ready 1500")
            sup.start(wait_up=False)
            sup.wait(lambda: sup.status()["child"]["state"] == "starting", "it is bound")
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", sup.port))
            other.listen()
            sup.wait(lambda: sup.status()["serving"], "it serves")
            self.assertFalse(sup.status()["listening"])
            self.assertIn("listen", sup.status()["vip"]["problem"])
            other.close()
            sup.wait(lambda: sup.status()["listening"], "it listens")
            self.assertEqual(sup.connect(), sup.child())
            self.assertEqual(sup.status()["vip"]["problem"], "")

    def test_fifo_lines_are_taken_and_garbage_is_not(self):
        with Vip() as sup:
            sup.start()
            with open(sup.path("run/fifo"), "wb", buffering=0) as fifo:
                fifo.write(b"x" * 3000 + b"\nGROUP \"a\" MASTER 1\n\0\xff\n")
                fifo.write(b'INSTANCE "other" FAULT 100\nINSTANCE "approvald" MAS')
                fifo.write(b"TER 254\n")
                sup.wait(lambda: sup.status()["vip"]["vrrp"] == "master", "it is master")
                fifo.write(b'INSTANCE "approvald" BACKUP 254\n')
                sup.wait(lambda: sup.status()["vip"]["vrrp"] == "backup", "it is backup")
            self.assertNotIn("fault", sup.log())


@unittest.skipUnless(OWN_NETWORK, "needs root, CAP_NET_ADMIN and ip")
class Address(unittest.TestCase):
    """In a network of its own."""

    def test_address_left_behind_is_removed_at_the_start(self):
        with Vip(own=True) as sup:
            sup.behave("do never-ready")
            sup.run("ip", "address", "add", ADDRESS + "/24", "dev", "vip0")
            self.assertTrue(sup.has_address())
            sup.start(wait_up=False)
            sup.wait(lambda: not sup.has_address(), "the address is gone")
            sup.wait(lambda: not sup.status()["vip"]["here"], "the status knows")
            self.assertEqual(sup.status()["vip"]["problem"], "")
            self.assertIn("192.0.2.1/", sup.run("ip", "-o", "address", "show", "dev", "vip0"))

    def test_address_with_another_prefix_is_removed_too(self):
        with Vip(own=True) as sup:
            sup.behave("do never-ready")
            sup.run("ip", "address", "add", ADDRESS + "/32", "dev", "vip0")
            sup.start(wait_up=False)
            sup.wait(lambda: not sup.has_address(), "the address is gone")

    def test_address_of_ipv6_is_removed_too(self):
        with Vip(own=True) as sup:
            sup.edit(ADDRESS + "/24", ADDRESS_6 + "/64")
            sup.run("ip", "address", "add", ADDRESS_6 + "/64", "dev", "vip0", "nodad")
            self.assertTrue(sup.has_address(ADDRESS_6))
            sup.behave("do never-ready")
            sup.start(wait_up=False)
            sup.wait(lambda: not sup.has_address(ADDRESS_6), "the address is gone")

    def test_address_that_comes_later_is_seen_and_kept_while_eligible(self):
        with Vip(own=True) as sup:
            sup.start()
            sup.wait(lambda: sup.status()["vip"]["eligible"], "it is eligible")
            self.assertFalse(sup.status()["vip"]["here"])
            sup.run("ip", "address", "add", ADDRESS + "/24", "dev", "vip0")
            sup.wait(lambda: sup.status()["vip"]["here"], "the status knows")
            self.assertTrue(sup.has_address())
            self.assertEqual(sup.stop(), 0)
            sup.process.wait(10)
            bench.wait(lambda: not sup.has_address(), "the address is gone with us")

    def test_who_serves_without_the_address_says_so(self):
        def alarm():
            return [one["reason"] for one in sup.status()["alarms"] if one["alarm"] == "virtual_ip"]

        with Vip(own=True) as sup:
            sup.start()
            sup.wait(lambda: sup.status()["serving"], "it serves")
            self.assertEqual(alarm(), [])  # VRRP takes its time
            sup.wait(alarm, "the alarm")
            self.assertIn(f"{ADDRESS}/24 is not here, and keepalived has told nothing", alarm()[0])
            sup.run("ip", "address", "add", ADDRESS + "/24", "dev", "vip0")
            sup.wait(lambda: not alarm(), "all is well")

    def test_address_of_a_killed_supervisor_goes_with_the_next(self):
        with Vip(own=True) as sup:
            sup.start()
            sup.wait(lambda: sup.status()["vip"]["eligible"], "it is eligible")
            sup.run("ip", "address", "add", ADDRESS + "/24", "dev", "vip0")
            sup.wait(lambda: sup.status()["vip"]["here"], "the status knows")
            sup.stop(signal.SIGKILL)
            self.assertTrue(sup.has_address())
            sup.behave("do never-ready")
            sup.start(wait_up=False)
            sup.wait(lambda: not sup.has_address(), "the address is gone")


@unittest.skipUnless(OWN_NETWORK and os.access(KEEPALIVED, os.X_OK), "needs keepalived and root")
class Keepalived(unittest.TestCase):
    """The generated configuration, read by keepalived itself."""

    def generate(self, sup, *words):
        emit = os.path.join(bench.BUILD, "tests", "lib", "emit_keepalived")
        text = subprocess.run([emit, sup.path("run/track"), sup.path("run/fifo"), *words],
                              capture_output=True, text=True, check=True, timeout=60).stdout
        path = sup.path("keepalived.conf")
        with open(path, "w", encoding="utf-8") as conf:
            conf.write(text)
        return path

    @staticmethod
    def said(sup):
        with open(sup.path("keepalived.log"), encoding="utf-8", errors="replace") as log:
            return log.read()

    @staticmethod
    def config_test(sup, path):
        return subprocess.run([*sup.prefix, KEEPALIVED, "--config-test", "-f", path],
                              capture_output=True, text=True, check=False, timeout=30)

    def test_keepalived_accepts_it(self):
        for way in ("unicast", "multicast"):
            with self.subTest(way=way), Vip(own=True) as sup:
                sup.start()  # its files exist
                done = self.config_test(sup, self.generate(sup, "vip0", way))
                said = done.stdout + done.stderr
                self.assertEqual(done.returncode, 0, said)
                self.assertIsNone(re.search(r"(?i)unknown keyword|invalid|error", said), said)

    def test_config_test_can_fail(self):
        with Vip(own=True) as sup:
            sup.start()
            path = self.generate(sup, "vip0", "unicast")
            with open(path, "a", encoding="utf-8") as conf:
                conf.write("vrrp_instance broken {\n state NOWHERE\n}\n")
            self.assertNotEqual(self.config_test(sup, path).returncode, 0)

    def test_address_follows_the_track_file(self):
        with Vip(own=True) as sup:
            sup.start()
            sup.wait(lambda: sup.status()["vip"]["eligible"], "it is eligible")
            path = self.generate(sup, "vip0", "unicast")
            with open(sup.path("keepalived.log"), "wb") as log:
                daemon = subprocess.Popen(
                    [*sup.prefix, KEEPALIVED, "-n", "-l", "-D", "-P", "-f", path,
                     "-p", sup.path("k.pid"), "-r", sup.path("v.pid")],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                sup.wait(sup.has_address, "keepalived took the address", 20)
                sup.wait(lambda: sup.status()["vip"]["vrrp"] == "master", "the FIFO told it")
                sup.wait(lambda: sup.status()["vip"]["here"], "netlink told it")
                self.assertEqual(sup.stop(), 0)
                bench.wait(lambda: not sup.has_address(), "the address is gone")
                bench.wait(lambda: "FAULT" in self.said(sup),
                           "keepalived is in FAULT: it does not take the address again")
                self.assertFalse(sup.has_address())
            finally:
                daemon.terminate()
                daemon.wait(20)



@unittest.skipUnless(os.geteuid() == 0, "needs root, for a mount namespace")
class Broken(unittest.TestCase):
    """A configuration that cannot be read, and the default places, on file systems of their own."""

    SCRIPT = """
        set -e
        mount -t tmpfs none /run && mount -t tmpfs none /var/lib
        mkdir -p /run/approvald && echo 1 > /run/approvald/vip-eligible
        mkdir -m 700 /var/lib/approvald-supervisor
        "$@" || code=$?
        cat /run/approvald/vip-eligible
        exit "$code"
    """

    def start(self, *prefix):
        """What the track file says after a start."""
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
            conf.write("nonsense = 1\n")
            conf.flush()
            done = subprocess.run(
                ["unshare", "-m", "sh", "-c", self.SCRIPT, "sh", *prefix, bench.SUPERVISOR, "-c",
                 conf.name], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 78, done.stderr)
        return done.stdout

    def test_a_former_life_s_word_is_taken_back(self):
        self.assertEqual(self.start(), "0\n")

    def test_the_word_of_one_that_runs_stays(self):
        self.assertEqual(self.start("flock", "/var/lib/approvald-supervisor"), "1\n")


if __name__ == "__main__":
    unittest.main()
