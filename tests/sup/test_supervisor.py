#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_supervisor.py: the real supervisor with a child that does what the test asks for.

Owns its benches. Never sleeps to wait for something: it waits for the thing itself.
"""
import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench  # noqa: E402  the path is set above
from bench import Bench, alive, proc_status  # noqa: E402
from lib.stalls import Stalls  # noqa: E402  bench.py has set the path

# Far enough for the arbiter's secret to be read.
PAIR_WITH_USER = bench.PAIR.removesuffix("}\n") + '    user_file = "USER_FILE"\n}\n'


class Client(threading.Thread):
    """Connects again and again, and counts what it got."""

    def __init__(self, target):
        super().__init__(daemon=True)
        self.target = target
        self.done = threading.Event()
        self.pids, self.refused, self.other = set(), 0, []

    def run(self):
        while not self.done.is_set():
            try:
                self.pids.add(self.target.connect())
            except ConnectionRefusedError:
                self.refused += 1
            except OSError as failure:
                self.other.append(repr(failure))

    def end(self):
        self.done.set()
        self.join(15)


class Life(unittest.TestCase):
    """Starting, restarting, stopping."""

    def test_child_is_granted_and_stopped(self):
        with Bench() as sup:
            sup.start()
            pid = sup.child()
            self.assertEqual(sup.connect(), pid)
            self.assertEqual(sup.stop(), 0)
            words = [word for _pid, word, _n in sup.trace()]
            told = [word for word in words if word != "SUMMARY"]
            self.assertEqual(told[:7], ["start", "service", "management", "local", "CONFIGURE",
                                        "SEAL", "GRANT"])
            self.assertEqual(told[-1], "end")
            self.assertFalse(alive(pid))
            self.assertFalse(os.path.exists(sup.path("run/supervisor.sock")))
            self.assertFalse(os.path.exists(sup.path("local.sock")))

    def test_restart_after_kill_refuses_no_connection(self):
        with Bench() as sup:
            sup.start()
            first = sup.connect()
            client = Client(sup)
            client.start()
            os.kill(first, signal.SIGKILL)
            sup.wait(lambda: len(client.pids - {first}) > 0, "another child answers")
            client.end()
            self.assertEqual(client.refused, 0)
            # A connection that the killed process had accepted is reset: at most that one.
            self.assertLessEqual(len(client.other), 1, client.other)
            crash = sup.status()["child"]["crashes"][0]
            self.assertEqual((crash["cause"], crash["status"]), ("signal", 9))

    def test_sigterm_kills_a_child_that_does_not_stop(self):
        with Bench() as sup:
            sup.behave("do ignore-term")
            sup.start()
            pid = sup.child()
            begun = time.monotonic()
            self.assertEqual(sup.stop(), 0)
            self.assertGreaterEqual(time.monotonic() - begun, 0.9)
            self.assertFalse(alive(pid))
            self.assertNotIn("end", [word for _pid, word, _n in sup.trace()])

    def test_restart_where_sigchld_was_ignored(self):
        with Bench(prefix=("env", "--ignore-signal=CHLD")) as sup:
            sup.start()
            first = sup.connect()
            os.kill(first, signal.SIGKILL)
            sup.wait(lambda: sup.connect(timeout=1) != first, "another child answers")

    def test_child_dies_with_the_supervisor(self):
        with Bench() as sup:
            sup.start()
            pid = sup.child()
            sup.wait(lambda: sup.status()["remembered"], "the start is remembered")
            sup.stop(signal.SIGKILL)
            bench.wait(lambda: not alive(pid), "the child is gone")
            sup.start()
            self.assertEqual(sup.status()["watchdog"]["before"], "crashed")
            self.assertEqual(sup.stop(), 0)
            sup.start()
            self.assertEqual(sup.status()["watchdog"]["before"], "stopped")

    def test_memory_that_cannot_be_written_ends_everything(self):
        with Bench() as sup:
            sup.start()
            pid = sup.child()
            sup.wait(lambda: sup.status()["remembered"], "the start is remembered")
            for name in ("supervisor-0", "supervisor-1", "supervisor.new"):
                if os.path.exists(sup.path("state/" + name)):
                    os.unlink(sup.path("state/" + name))
                os.mkdir(sup.path("state/" + name))
            os.kill(pid, signal.SIGKILL)  # the crash has to be remembered
            self.assertEqual(sup.process.wait(20), 74, sup.log())
            self.assertIn("fatal", sup.log())
            # The next child does not wait for the disk; but it does not outlive the supervisor.
            for child in {p for p, _word, _n in sup.trace()} | {pid}:
                self.assertFalse(alive(child))
            with self.assertRaises(ConnectionRefusedError):
                sup.connect()

    def test_second_supervisor_is_kept_out(self):
        with Bench() as sup:
            sup.start()
            done = subprocess.run([bench.SUPERVISOR, "-c", sup.path("supervisor.conf")],
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 69)
            self.assertIn("another supervisor runs here", done.stderr)
            self.assertEqual(sup.connect(), sup.child())

    def test_program_that_cannot_run_is_told(self):
        with Bench() as sup:
            sup.edit(bench.FAKE, "/nowhere/approvald")
            sup.start(wait_up=False)
            self.assertEqual(sup.process.wait(20), 78)
            self.assertIn("/nowhere/approvald", sup.log())

    def test_a_user_file_that_would_be_cut_is_refused(self):
        for text, said in (("root:" + "x" * 507, ":1: longer than 511 bytes"),
                           ("root:a\nroot:b\n", ":2: one line is wanted")):
            with Bench(extra=PAIR_WITH_USER) as sup:
                with open(sup.path("etcd-user"), "w", encoding="utf-8") as user:
                    user.write(text)
                sup.edit("USER_FILE", sup.path("etcd-user"))
                sup.start(wait_up=False)
                self.assertEqual(sup.process.wait(20), 78)
                self.assertIn("etcd-user" + said, sup.log())

    def test_print_sockets_that_hangs_is_given_up(self):
        with Bench() as sup:
            sup.behave("do slow-print")
            sup.start(wait_up=False)
            self.assertNotEqual(sup.process.wait(20), 0)
            self.assertIn("no answer within 5000 ms", sup.log())


class Confinement(unittest.TestCase):
    """What the child has, and has not."""

    def test_descriptors_are_the_sockets_the_contract_and_the_leash_alone(self):
        with Bench() as sup:
            sup.start()
            names = {n: w for _pid, w, n in sup.trace() if w in ("service", "management", "local")}
            self.assertEqual(names, {3: "service", 4: "management", 5: "local"})
            folder = f"/proc/{sup.child()}/fd"
            self.assertEqual(sorted(int(fd) for fd in os.listdir(folder)), list(range(8)))

    def test_no_privileges_and_no_way_to_any(self):
        with Bench() as sup:
            sup.start()
            status = proc_status(sup.child())
            self.assertEqual(status["NoNewPrivs"], "1")
            for name in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
                self.assertEqual(int(status[name], 16), 0, name)
            self.assertEqual(int(status["SigIgn"], 16), 0)
            self.assertEqual(int(status["SigBlk"], 16), 0)
            self.assertEqual(os.getsid(sup.child()), sup.child())

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_child_runs_as_the_configured_user(self):
        nobody = pwd.getpwnam("nobody")
        with Bench() as sup:
            program = sup.path("fake_child")
            sup.edit('user = ""', 'user = "nobody"')
            sup.edit(bench.FAKE, program)
            os.chmod(sup.dir, 0o755)
            subprocess.run(["cp", bench.FAKE, program], check=True)
            os.chmod(program, 0o755)
            os.chmod(sup.path("child.conf"), 0o644)
            sup.start()
            status = proc_status(sup.child())
            self.assertEqual(status["Uid"].split(), [str(nobody.pw_uid)] * 4)
            self.assertEqual(status["Gid"].split(), [str(nobody.pw_gid)] * 4)
            self.assertEqual(int(status["CapPrm"], 16), 0)
            self.assertEqual(sup.connect(), sup.child())
            pid = sup.child()
            sup.stop(signal.SIGKILL)  # the leash outlives the change of user
            bench.wait(lambda: not alive(pid), "the child is gone")


class Hangs(unittest.TestCase):
    """A task that stands still is cured within the deadline."""

    def test_hang_of_each_task(self):
        for number, task in enumerate(bench.TASKS):
            with self.subTest(task=task), Bench() as sup:
                sup.behave(f"do hang {number}", "once")
                sup.start()
                first = sup.child()
                with Stalls() as stalls:
                    begun = time.monotonic()
                    sup.wait(lambda: sup.connect() != first, "another child answers")
                    took_s = time.monotonic() - begun
                self.assertLess(took_s, 2.0 + stalls.total_s)  # 0.6 s and a restart
                crash = sup.status()["child"]["crashes"][0]
                self.assertEqual((crash["cause"], crash["task"]), ("hang", task))
                self.assertIn(task, crash["reason"])

    def test_stopped_process(self):
        with Bench() as sup:
            sup.start()
            first = sup.connect()
            os.kill(first, signal.SIGSTOP)
            sup.wait(lambda: sup.connect() != first, "another child answers")
            self.assertFalse(alive(first))

    def test_supervisor_that_was_paused_does_not_blame_its_child(self):
        with Bench() as sup:
            sup.start()
            first = sup.connect()
            for _ in range(5):
                sup.process.send_signal(signal.SIGSTOP)
                time.sleep(1.0)  # longer than checkin: the pause is the thing itself
                sup.process.send_signal(signal.SIGCONT)
                self.assertEqual(sup.status()["child"]["crash_count"], 0, sup.log())
            self.assertEqual(sup.connect(), first)

    def test_never_ready(self):
        with Bench(times="child {\n start = 300ms\n backoff = 10ms\n}\n") as sup:
            sup.behave("do never-ready")
            sup.start(wait_up=False)
            sup.wait(lambda: sup.status()["child"]["crash_count"] > 0, "the first is given up")
            sup.behave()
            sup.wait(lambda: sup.status()["child"]["state"] == "up", "the next is up")
            crashes = sup.status()["child"]["crashes"]
            self.assertEqual(crashes[0]["cause"], "slow")

    def test_never_lead(self):
        """It is up, and turns, and does not serve what it was granted."""
        with Bench(times="child {\n lead = 1s\n backoff = 10ms\n}\n") as sup:
            sup.behave("do never-lead", "after 1h")
            sup.start(wait_up=False)
            sup.wait(lambda: sup.status()["child"]["crash_count"] > 0, "the first is given up")
            sup.behave()
            sup.wait(lambda: sup.status()["serving"], "the next serves")
            crashes = sup.status()["child"]["crashes"]
            self.assertIn("does not answer 1000 ms after it was to lead", crashes[0]["reason"])


class Contract(unittest.TestCase):
    """A child that breaks the contract is ended."""

    def check(self, deed, cause, reason):
        with Bench() as sup:
            sup.behave(f"do {deed}", "once")
            sup.start(wait_up=False)
            sup.wait(lambda: sup.status()["child"]["crash_count"] == 1, "the first has ended")
            sup.wait(sup.connect, "another child answers")
            crash = sup.status()["child"]["crashes"][0]
            self.assertEqual(crash["cause"], cause)
            self.assertRegex(crash["reason"], reason)

    def test_message_that_is_not_its_own_to_send(self):
        self.check("illegal", "contract", "(?i)grant")

    def test_garbage(self):
        self.check("garbage", "contract", ".")

    def test_closed_contract(self):
        self.check("close", "contract", "closed the contract")

    def test_last_words_are_kept(self):
        self.check("fail", "exit", "code 74: the disk is full")

    def test_abort(self):
        self.check("abort", "signal", "signal 6")


class CrashLoop(unittest.TestCase):
    """Many crashes in a short time."""

    def loop(self, sup):
        sup.behave("do crash 3")
        sup.start(wait_up=False)
        sup.wait(lambda: sup.status()["child"]["safe_mode"], "safe mode")

    def test_safe_mode_with_its_reason(self):
        with Bench() as sup:
            self.loop(sup)
            status = sup.status()
            self.assertRegex(status["child"]["safe_reason"],
                             "crash loop: 4 in 20 s, last: ended with exit code 3")
            self.assertTrue(all(c["cause"] == "exit" and c["status"] == 3
                                for c in status["child"]["crashes"]))
            sup.behave()
            sup.wait(lambda: sup.status()["child"]["state"] == "up", "it is still restarted")
            self.assertTrue(sup.status()["child"]["safe_mode"])
            self.assertTrue(sup.command("safe-mode-clear")["ok"])
            self.assertFalse(sup.status()["child"]["safe_mode"])

    def test_tally_outlives_the_supervisor(self):
        with Bench() as sup:
            self.loop(sup)
            sup.wait(lambda: sup.status()["remembered"], "the crashes are remembered")
            sup.stop(signal.SIGKILL)
            sup.behave()
            sup.start()
            status = sup.status()["child"]
            self.assertTrue(status["safe_mode"])
            self.assertGreaterEqual(status["crash_count"], 4)
            self.assertEqual(status["starts"], 1)


class Operator(unittest.TestCase):
    """Commands, reloads, options."""

    def test_status_names_everything(self):
        with Bench() as sup:
            sup.start()
            sup.wait(lambda: sup.status()["serving"], "it serves")
            status = sup.status()
            for name in ("host", "role", "serving", "listening", "maintenance", "reason",
                         "register", "alarms", "link", "arbiter", "vip", "child", "watchdog"):
                self.assertIn(name, status)
            self.assertEqual(status["role"], "primary")
            self.assertTrue(status["listening"])
            self.assertFalse(status["watchdog"]["armed"])

    def test_unknown_command(self):
        with Bench() as sup:
            sup.start()
            answer = sup.command("reboot")
            self.assertFalse(answer["ok"])
            self.assertIn("unknown command", answer["message"])

    def test_commands_are_answered(self):
        with Bench() as sup:
            sup.start()
            for command in ("switchover", "peer-off", "bootstrap", "reseed", "rejoin",
                            "promote-force", "maintenance on", "maintenance off"):
                answer = sup.command(command)
                self.assertIn("ok", answer, command)
                self.assertTrue(answer["message"], command)
                sup.wait(lambda: sup.status()["child"]["state"] == "up", "the child is up")

    def test_reload_is_all_or_nothing(self):
        with Bench() as sup:
            sup.start()
            sup.edit("stop = 1s", "stop = 2s\n wrong = 1")
            sup.process.send_signal(signal.SIGHUP)
            sup.wait(lambda: "reload_refused" in sup.log(), "it is refused")
            sup.edit("\n wrong = 1", "")
            sup.edit('user = ""', 'user = "root"')
            sup.process.send_signal(signal.SIGHUP)
            sup.wait(lambda: "takes effect only at a start" in sup.log(), "it is refused")
            self.assertNotIn("sup: reloaded", sup.log())
            sup.edit('user = "root"', 'user = ""')
            sup.process.send_signal(signal.SIGHUP)
            sup.wait(lambda: "sup: reloaded" in sup.log(), "it is taken")

    def test_reload_reaches_a_child_when_it_is_up(self):
        with Bench() as sup:
            sup.behave("do late-ready 1000")
            sup.start(wait_up=False)
            sup.wait(lambda: "CONFIGURE" in [word for _pid, word, _n in sup.trace()], "it starts")
            sup.process.send_signal(signal.SIGHUP)
            sup.wait(lambda: "sup: reloaded" in sup.log(), "the supervisor has reloaded")
            sup.wait(lambda: "HANGUP" in [word for _pid, word, _n in sup.trace()], "the child too")
            self.assertEqual(len({pid for pid, word, _n in sup.trace() if word == "start"}), 1)
            sup.process.send_signal(signal.SIGHUP)
            sup.wait(lambda: [word for _pid, word, _n in sup.trace()].count("HANGUP") == 2,
                     "and again")

    def test_options_print(self):
        for option, word in (("--describe-config", "checkin"), ("--version", "approvald-super"),
                             ("--help", "Usage:")):
            done = subprocess.run([bench.SUPERVISOR, option], capture_output=True, text=True,
                                  timeout=60, check=True)
            self.assertIn(word, done.stdout)

    def test_check_names_file_and_line(self):
        with Bench(extra="pair {\n host = 1\n}\n") as sup:
            done = subprocess.run([bench.SUPERVISOR, "--check-config", "-c",
                                   sup.path("supervisor.conf")],
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 78)
            self.assertRegex(done.stderr, r"supervisor\.conf:\d+: arbiter: kind none: a pair needs")

    def test_dump_is_a_configuration(self):
        with Bench() as sup:
            conf = sup.path("supervisor.conf")
            once = subprocess.run([bench.SUPERVISOR, "--dump-config", "-c", conf], timeout=60,
                                  capture_output=True, text=True, check=True).stdout
            with open(conf, "w", encoding="utf-8") as file:
                file.write(once)
            again = subprocess.run([bench.SUPERVISOR, "--dump-config", "-c", conf], timeout=60,
                                   capture_output=True, text=True, check=True).stdout
            self.assertEqual(once, again)


class Notify(unittest.TestCase):
    """What systemd is told."""

    def test_ready_watchdog_status_and_stopping(self):
        with Bench() as sup, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(sup.path("notify"))
            manager.settimeout(10)
            os.environ["NOTIFY_SOCKET"] = sup.path("notify")
            os.environ["WATCHDOG_USEC"] = "600000"
            try:
                sup.start()
            finally:
                del os.environ["NOTIFY_SOCKET"], os.environ["WATCHDOG_USEC"]
            said = []
            while said.count("WATCHDOG=1") < 4 or "READY=1" not in said:
                said += manager.recv(4096).decode().split("\n")
            self.assertTrue(any(line.startswith("STATUS=primary") for line in said), said)
            with open(f"/proc/{sup.child()}/environ", "rb") as file:
                environment = file.read()
            self.assertNotIn(b"NOTIFY_SOCKET", environment)
            self.assertNotIn(b"WATCHDOG_USEC", environment)
            sup.stop()
            manager.setblocking(False)
            while "STOPPING=1" not in said:
                said += manager.recv(4096).decode().split("\n")


if __name__ == "__main__":
    unittest.main()
