# SPDX-License-Identifier: Apache-2.0
"""bench.py: one approvald-supervisor with a fake child (tests/lib/fake_child.c) for tests that look
from outside.

Owns the processes it starts (ended by pid) and one scratch directory. Never touches anything that it
did not make, and never talks to anything but loopback and its own unix sockets.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from lib import talk  # noqa: E402  the path is set above
from lib.ports import free_port  # noqa: E402
from lib.waiting import PATIENCE_S, until  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("APPROVALD_BUILD", os.path.join(ROOT, "build", "gcc"))
SUPERVISOR = os.path.join(BUILD, "supervisor", "approvald-supervisor")
FAKE = os.path.join(BUILD, "tests", "lib", "fake_child")
TASKS = ("loop", "writer", "syncer", "checkpointer", "replication", "outbox")

# Short times, so that a test of a deadline is short; long enough for a machine under load.
CHILD_TIMES = """
child {
    start = 30s
    stop = 1s
    checkin = 600ms
    backoff = 50ms
    backoff_max = 200ms
    crashes = 4
    crash_window = 20s
    quiet = 30s
}
"""

# A pair that is complete as far as its arbiter's secret, of which nothing is there.
PAIR = """pair {
    host = 2
    cluster_id = "000102030405060708090a0b0c0d0e0f"
    peer = "127.0.0.1:9190"
    peer_name = "one"
    certificate = "c"
    key = "k"
    ca = "a"
}
arbiter {
    kind = etcd
    endpoints = {"https://127.0.0.1:2379"}
    certificate = "c"
    key = "k"
    ca = "a"
}
"""


def wait(predicate, what, seconds=PATIENCE_S, step=0.002):
    """Until predicate() is true; its value. Connection errors count as not yet."""
    return until(predicate, what, seconds, step, (OSError, ValueError))


def alive(pid):
    """Running or stopped, not a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class Bench:
    """A supervisor in a directory of its own."""

    def __init__(self, extra="", times=CHILD_TIMES, prefix=()):
        self.dir = tempfile.mkdtemp(prefix="sup-test-")
        self.prefix = list(prefix)
        self.arguments = []  # more of the supervisor's
        self.process = None
        self.port = free_port()
        self.management = free_port()
        self.behave()
        with open(self.path("supervisor.conf"), "w", encoding="utf-8") as conf:
            conf.write(f"""
state_dir = "{self.path('state')}"
run_dir = "{self.path('run')}"
program = "{FAKE}"
config = "{self.path('child.conf')}"
user = ""
log_target = text
{times}
{extra}
""")

    def path(self, name):
        return os.path.join(self.dir, name)

    def behave(self, *lines):
        """How the children do that are started from now on."""
        sockets = (f"socket service 127.0.0.1:{self.port}",
                   f"socket management 127.0.0.1:{self.management}",
                   f"socket local {self.path('local.sock')}")
        with open(self.path("child.new"), "w", encoding="utf-8") as conf:
            conf.write("\n".join((*sockets, *lines)) + "\n")
        os.rename(self.path("child.new"), self.path("child.conf"))

    def edit(self, old, new):
        """Changes the supervisor's configuration."""
        with open(self.path("supervisor.conf"), encoding="utf-8") as conf:
            text = conf.read()
        assert old in text, old
        with open(self.path("supervisor.conf"), "w", encoding="utf-8") as conf:
            conf.write(text.replace(old, new))

    def start(self, wait_up=True):
        with open(self.path("log"), "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, SUPERVISOR, "-c", self.path("supervisor.conf"), *self.arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait_up:
            self.wait(lambda: self.status()["child"]["state"] == "up", "the child is up")
        return self

    def log(self):
        with open(self.path("log"), encoding="utf-8", errors="replace") as log:
            return log.read()

    def trace(self):
        """[(pid, word, number)] of all children so far."""
        try:
            with open(self.path("child.conf.trace"), encoding="utf-8") as trace:
                return [(int(p), w, int(n)) for p, w, n in (line.split() for line in trace)]
        except FileNotFoundError:
            return []

    def wait(self, predicate, what, seconds=PATIENCE_S):
        def looked():
            if self.process.poll() is not None:
                raise AssertionError(f"the supervisor ended ({self.process.returncode}) before "
                                     f"{what}:\n{self.log()}")
            return predicate()
        try:
            return wait(looked, what, seconds)
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{self.log()[-4000:]}") from None

    def command(self, text):
        """The decoded answer line."""
        return talk.ask(self.path("run/supervisor.sock"), text, PATIENCE_S)

    def status(self):
        return self.command("status")

    def child(self):
        return self.status()["child"]["pid"]

    def connect(self, timeout=PATIENCE_S):
        """The pid of the child that answers; an OSError when refused."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as client:
            client.settimeout(timeout)
            answer = client.recv(64)
            if not answer:
                raise ConnectionResetError("no answer")
            return int(answer)

    def stop(self, number=signal.SIGTERM):
        """The exit code after a signal."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
        shutil.rmtree(self.dir)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


def proc_status(pid):
    """/proc/PID/status as a dictionary."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return dict(re.findall(r"^(\w+):\s*(.*)$", status.read(), re.MULTILINE))
