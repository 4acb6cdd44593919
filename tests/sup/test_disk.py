#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_disk.py: a supervisor whose own disk hangs or fails.

Owns its benches and its etcd. Hurts no disk but that of its own supervisors (tests/cluster/hurt.c).
"""
import concurrent.futures
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "cluster")]
import bench  # noqa: E402  the path is set above
import etcd  # noqa: E402
import hurt  # noqa: E402
from lib.stalls import Stalls  # noqa: E402  bench.py has set the path
from lib.waiting import PATIENCE_S  # noqa: E402
from test_etcd import Probe  # noqa: E402
from test_pair import CLUSTER, TOOLS, Host  # noqa: E402

HANG_MS = 300000  # cleared long before
PROMPT_S = 6  # what does not wait for the disk
SLOW_CHECKIN = bench.CHILD_TIMES.replace("checkin = 600ms", "checkin = 2s")
PTRACE_O_TRACEEXIT = 0x40


class HurtHost(Host):
    """Host 1 with a virtual IP that is nowhere, on a disk that can be hurt."""

    def __init__(self, arbiter, authority):
        super().__init__(1, arbiter, authority)
        self.hurt = hurt.Hurt(self.path("hurt"))
        library = os.path.join(bench.BUILD, "tests", "cluster", "hurt.so")
        self.prefix = ["env", *(f"{name}={value}"
                                for name, value in self.hurt.environment(library).items())]
        self.edit(bench.CHILD_TIMES, SLOW_CHECKIN)
        with open(self.path("supervisor.conf"), "a", encoding="utf-8") as conf:
            conf.write(f"""
vip {{
    address = "192.0.2.10/24"
    interface = "lo"
    router_id = 51
    track_file = "{self.path('run/track')}"
    fifo = "{self.path('run/fifo')}"
    own_address = "192.0.2.1"
    peer_address = "192.0.2.2"
}}
""")

    def track(self):
        with open(self.path("run/track"), encoding="ascii") as track:
            return track.read()

    def close(self):
        super().close()
        self.hurt.close()


class Unkillable(threading.Thread):
    """Holds a process at its exit, as a disk that hangs would: a kill does not end it."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.held, self.over = pid, threading.Event(), threading.Event()
        self.start()
        assert self.held.wait(PATIENCE_S)

    def run(self):
        """All by one thread: the tracer of a process is a thread."""
        ptrace = hurt.LIBC.ptrace
        options = ctypes.c_void_p(PTRACE_O_TRACEEXIT)
        if ptrace(hurt.PTRACE_SEIZE, self.pid, None, options) == 0:
            self.held.set()
        self.over.wait()
        ptrace(hurt.PTRACE_DETACH, self.pid, None, None)


def numbers(host, word):
    """What its children were told with that word, in order."""
    return [number for _pid, told, number in host.trace() if told == word]


def alarms(host):
    return [entry["alarm"] for entry in host.status()["alarms"]]


class Manager(threading.Thread):
    """systemd's end: counts the signs of life that it is given."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.kicks = path, 0
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.start()

    def run(self):
        while said := self.socket.recv(4096):
            self.kicks += b"WATCHDOG=1" in said

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.path)
        self.join()
        self.socket.close()


@unittest.skipUnless(TOOLS, "needs etcd, openssl and curl")
class Disk(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="sup-disk-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.authority, self.arbiter = etcd.own(self, self.dir)

    def lead(self, host):
        host.start()
        host.bootstrap()
        host.wait(lambda: host.status()["serving"] and host.track() == "1\n", "it serves")

    def depose(self, host):
        """The other host takes over: in the register alone."""
        epoch = host.register()["epoch"]
        probe = Probe(self.arbiter.url, ca=self.authority.ca, cluster=CLUSTER,
                      leaf=self.authority.leaf("probe", "IP:127.0.0.1"))
        revision = probe.ask("read").revision
        self.assertEqual(probe.ask(f"cas {revision} {epoch + 1} 2 99").outcome, "done")
        probe.close()

    def test_a_hung_disk_does_not_keep_the_address(self):
        with HurtHost(self.arbiter, self.authority) as host:
            self.lead(host)
            pid = host.child()
            self.depose(host)
            host.hurt.slow_sync(HANG_MS, hurt.OTHER)
            os.kill(pid, signal.SIGSTOP)  # it misses its check-ins: the register is read
            with Stalls() as stalls:
                begun = time.monotonic()
                bench.wait(lambda: host.track() == "0\n", "the address is given up")
                bench.wait(lambda: not bench.alive(pid), "the child is ended")
                bench.wait(host.refuses, "connections are refused")
                took_s = time.monotonic() - begun
            self.assertLess(took_s, 3 + stalls.total_s)
            host.hurt.clear()
            host.wait(lambda: host.status()["child"]["state"] == "up", "it goes on")
            self.assertFalse(host.status()["serving"])

    def test_a_crash_to_be_remembered_on_a_hung_disk_holds_nothing_up(self):
        """Watchdogs, the operator's questions, the next child, and the address."""
        with HurtHost(self.arbiter, self.authority) as host, \
                contextlib.closing(Manager(host.path("notify"))) as manager, Stalls() as stalls:
            host.prefix += ["NOTIFY_SOCKET=" + host.path("notify"), "WATCHDOG_USEC=600000"]
            self.lead(host)
            epoch, pid = host.register()["epoch"], host.child()
            host.hurt.slow_sync(HANG_MS, hurt.OTHER)
            begun = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            host.wait(lambda: host.status()["child"]["state"] == "up" and host.child() != pid,
                      "another child is up")
            host.wait(lambda: host.register()["epoch"] > epoch, "it takes authority")
            kicks = manager.kicks
            host.wait(lambda: manager.kicks > kicks + 2, "it gives signs of life")
            self.assertNotIn(epoch + 1, numbers(host, "SEAL"))  # the epoch is not durable yet
            self.depose(host)
            os.kill(host.child(), signal.SIGSTOP)
            host.wait(lambda: host.track() == "0\n", "the address is given up")
            took_s = time.monotonic() - begun
            self.assertLess(took_s, PROMPT_S + stalls.so_far_s())
            host.wait(lambda: "disk_hangs" in alarms(host), "an alarm says so")
            host.hurt.clear()
            host.wait(lambda: "disk_answers" in host.log(), "the disk answers")
            self.assertNotIn("disk_hangs", alarms(host))
            host.wait(lambda: host.status()["child"]["state"] == "up", "it goes on")
            self.assertIn("disk_hangs", host.log())
            self.assertNotIn(epoch + 1, numbers(host, "GRANT"))

    def test_what_waits_for_the_disk_reaches_the_child_that_it_was_for_or_none(self):
        with HurtHost(self.arbiter, self.authority) as host:
            self.lead(host)
            epoch, first = host.register()["epoch"], host.child()
            host.hurt.slow_sync(HANG_MS, hurt.OTHER)
            os.kill(first, signal.SIGKILL)
            host.wait(lambda: host.register()["epoch"] == epoch + 1, "the second child leads")
            second = host.child()
            os.kill(second, signal.SIGKILL)
            host.wait(lambda: host.child() not in (0, second) and
                      host.status()["child"]["state"] == "up", "the third child is up")
            third = host.child()
            self.assertEqual(numbers(host, "SEAL"), [epoch])
            host.hurt.clear()
            host.wait(lambda: host.status()["serving"], "it serves")
            self.assertEqual(host.child(), third)
            self.assertEqual(numbers(host, "SEAL"), [epoch, epoch + 2])
            self.assertEqual(numbers(host, "GRANT"), [epoch, epoch + 2])
            self.assertEqual(host.stop(), 0)

    def test_a_child_that_cannot_be_killed_is_told_once(self):
        with HurtHost(self.arbiter, self.authority) as host:
            self.lead(host)
            stuck = Unkillable(host.child())
            try:
                os.kill(host.child(), signal.SIGSTOP)
                host.wait(lambda: "child_unkillable" in host.log(), "it is told")
                turned = time.monotonic() + 3  # the loop turns each second at least
                host.wait(lambda: host.status() and time.monotonic() > turned, "it turns")
                self.assertEqual(host.log().count("child_unkillable"), 1)
            finally:
                stuck.over.set()
                stuck.join()

    def test_the_operator_is_answered_when_the_disk_has_it(self):
        with HurtHost(self.arbiter, self.authority) as host:
            host.start()
            for command in ("maintenance on", "safe-mode-clear"):
                host.hurt.slow_sync(HANG_MS, hurt.OTHER)
                begun = time.monotonic()
                with concurrent.futures.ThreadPoolExecutor() as pool:
                    answer = pool.submit(host.command, command)
                    host.status()
                    time.sleep(max(0.0, begun + 1.4 - time.monotonic()))
                    self.assertFalse(answer.done(), command)
                    host.status()
                    self.assertFalse(answer.done(), command)
                    host.hurt.clear()
                    self.assertTrue(answer.result()["ok"], command)

    def test_a_register_whose_disk_hangs_holds_up_nothing_else(self):
        """manual: the first register is made alone; its save hangs, and the loop turns."""
        with HurtHost(self.arbiter, self.authority) as host, \
                contextlib.closing(Manager(host.path("notify"))) as manager, Stalls() as stalls:
            host.edit("kind = etcd", "kind = manual")
            host.prefix += [f"NOTIFY_SOCKET={manager.path}", "WATCHDOG_USEC=600000"]
            host.start()
            host.command("peer-off")
            host.wait(lambda: host.status()["reason"].startswith("there is no register yet"),
                      "the register is read")
            host.command("maintenance off")  # answered when all before it is durable
            host.hurt.slow_sync(HANG_MS, hurt.OTHER)
            begun = time.monotonic()
            self.assertTrue(host.command("bootstrap")["ok"])
            kicks = manager.kicks
            host.wait(lambda: "disk_hangs" in alarms(host), "it says so")
            self.assertIsNone(host.status()["register"])  # not before it is durable
            took_s = time.monotonic() - begun
            self.assertLess(took_s, PROMPT_S + stalls.so_far_s())
            self.assertGreater(manager.kicks, kicks + 5)
            host.hurt.clear()
            host.wait(lambda: host.status()["serving"], "it leads after all")
            host.wait(lambda: "disk_hangs" not in alarms(host), "and is well")

    def test_a_register_that_cannot_be_kept_is_told_after_a_reload_too(self):
        """With freed memory overwritten: what is told must not come from the old configuration."""
        with Host(1, self.arbiter, self.authority) as host:
            host.prefix = ["env", "MALLOC_PERTURB_=170"]
            host.edit("kind = etcd", "kind = manual")
            host.start()
            host.process.send_signal(signal.SIGHUP)
            host.wait(lambda: "sup: reloaded" in host.log(), "it has reloaded")
            for name in ("register-0", "register-1", "register-new"):
                os.mkdir(host.path("state/" + name))
            host.command("peer-off")
            bench.wait(lambda: host.process.poll() is not None or
                       host.command("bootstrap") is None, "it has failed")
            self.assertEqual(host.process.wait(), 74, host.log())
            self.assertIn(f"register in {host.path('state')}: ", host.log())

    def test_a_primary_whose_disk_fails_does_not_listen_again(self):
        with HurtHost(self.arbiter, self.authority) as host:
            self.lead(host)
            host.hurt.fail_sync(hurt.OTHER)
            os.kill(host.child(), signal.SIGKILL)  # a crash has to be remembered
            self.assertEqual(host.process.wait(PATIENCE_S), 74)
            end = host.log().split("sup: fatal", 1)[1]
            self.assertIn("service_closed", end)
            self.assertNotIn("service_opened", end)
            self.assertEqual(host.track(), "0\n")

    def test_a_failed_disk_and_a_child_that_cannot_be_killed(self):
        with HurtHost(self.arbiter, self.authority) as host:
            self.lead(host)
            pid = host.child()
            stuck = Unkillable(pid)
            try:
                self.depose(host)
                host.hurt.fail_sync(hurt.OTHER)
                os.kill(pid, signal.SIGSTOP)
                bench.wait(lambda: host.track() == "0\n", "the address is given up")
                bench.wait(host.refuses, "connections are refused")
                self.assertEqual(host.process.wait(PATIENCE_S), 74)
                self.assertTrue(bench.alive(pid))
            finally:
                stuck.over.set()
                stuck.join()


if __name__ == "__main__":
    unittest.main()
