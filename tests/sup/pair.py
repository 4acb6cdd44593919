# SPDX-License-Identifier: Apache-2.0
"""pair.py: two real supervisors with real approvalds on loopback, and a real etcd, without a
virtual IP; and approvalctl on either host.

Owns every process and file of one Pair; ends only what it started. Never waits by sleeping alone:
it asks until the thing itself is so.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from lib import harness  # noqa: E402  the path is set above
from lib.ports import free_port  # noqa: E402
from lib.waiting import PATIENCE_S, until  # noqa: E402
import etcd  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
CLUSTER = "0123456789abcdef0123456789abcdef"


def find_build():
    for folder in (os.environ.get("APPROVALD_BUILD"), f"{ROOT}/build/gcc", f"{ROOT}/build"):
        if folder and os.access(f"{folder}/supervisor/approvald-supervisor", os.X_OK):
            return os.path.abspath(folder)
    sys.exit("approvald-supervisor is not built: make, or set APPROVALD_BUILD")


BUILD = find_build()
CTL = f"{BUILD}/approvald/ctl/approvalctl"


def wait(predicate, what, seconds=PATIENCE_S, step=0.02):
    """Until predicate() is true; connection errors count as not yet."""
    return until(predicate, what, seconds, step, (OSError, ValueError))


class Host:
    """One of the two."""

    def __init__(self, pair, number):
        self.pair, self.number = pair, number
        self.folder = os.path.join(pair.folder, f"host{number}")
        for name in ("data", "state", "run"):
            os.makedirs(self.path(name), 0o700)
        self.port, self.supervisor, self.serial = free_port(), None, 0
        self.management = free_port()
        self.socket, self.control = self.path("local.sock"), self.path("run/supervisor.sock")
        self.certificate, self.key = pair.authority.leaf(f"host{number}")
        self.etcd_certificate, self.etcd_key = pair.authority.leaf(f"client{number}")
        with open(self.path("approvald.conf"), "w", encoding="utf-8") as out:
            out.write(f"""
data_dir = "{self.path('data')}"
log_target = "text"
http {{
    listen = {{"127.0.0.1:{self.port}"}}
    management_listen = {{"127.0.0.1:{self.management}"}}
    socket = "{self.socket}"
}}
""")
        self.write_supervisor_conf()

    def path(self, name):
        return os.path.join(self.folder, name)

    def write_supervisor_conf(self, pair_extra="", extra=""):
        where = "listen" if self.number == 1 else "peer"
        with open(self.path("supervisor.conf"), "w", encoding="utf-8") as out:
            out.write(f"""
state_dir = "{self.path('state')}"
run_dir = "{self.path('run')}"
program = "{BUILD}/approvald/approvald"
config = "{self.path('approvald.conf')}"
user = ""
log_target = "text"
pair {{
    host = {self.number}
    cluster_id = "{CLUSTER}"
    {where} = "127.0.0.1:{self.pair.link_port}"
    peer_name = "host{3 - self.number}"
    certificate = "{self.certificate}"
    key = "{self.key}"
    ca = "{self.pair.authority.ca}"
    hold_down = 1s
    start_wait = 1s
    {pair_extra}
}}
{self.arbiter_conf()}
{extra}
""")

    def edit(self, old, new):
        """Changes the supervisor's configuration."""
        with open(self.path("supervisor.conf"), encoding="utf-8") as conf:
            text = conf.read()
        assert old in text, old
        with open(self.path("supervisor.conf"), "w", encoding="utf-8") as out:
            out.write(text.replace(old, new, 1))

    def arbiter_conf(self):
        if self.pair.arbiter != "etcd":
            return f"arbiter {{\n    kind = {self.pair.arbiter}\n}}"
        return f"""arbiter {{
    kind = etcd
    endpoints = {{"{self.pair.etcd.url}"}}
    certificate = "{self.etcd_certificate}"
    key = "{self.etcd_key}"
    ca = "{self.pair.authority.ca}"
}}"""

    def start(self):
        with open(self.path("supervisor.log"), "ab") as log:
            self.supervisor = subprocess.Popen(
                [f"{BUILD}/supervisor/approvald-supervisor", "--config",
                 self.path("supervisor.conf")],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)  # fmt: skip

    def kill(self):
        """As by a power switch: approvald dies with its supervisor."""
        if self.supervisor is not None and self.supervisor.poll() is None:
            self.supervisor.kill()
            self.supervisor.wait()
            wait(lambda: self.port_is_free(), f"host {self.number}'s approvald is gone")
        self.supervisor = None

    def port_is_free(self):
        try:
            harness.call("GET", "/healthz", port=self.management, timeout=1)
        except ConnectionRefusedError:
            return True
        return False

    def stop(self):
        if self.supervisor is not None and self.supervisor.poll() is None:
            self.supervisor.send_signal(signal.SIGTERM)
            self.supervisor.wait(PATIENCE_S)
        self.supervisor = None

    def status(self):
        """What the supervisor says, as approvalctl prints it; {} while there is none."""
        done = self.ctl("status", "--json")
        decoder, found, rest = json.JSONDecoder(), {}, done.stdout.strip()
        while rest:
            value, end = decoder.raw_decode(rest)
            found = value if "child" in value else found
            rest = rest[end:].strip()
        return found

    def role(self):
        return self.status().get("role")

    def ctl(self, command, *args, check=None, timeout=2 * PATIENCE_S):
        """approvalctl on this host, as root."""
        words = command.split()
        where = []
        if words[0] in ("status", "doctor", "backup", "policy", "token", "audit"):
            where += ["--socket", self.socket]
        if words[0] not in ("backup", "policy", "token", "audit", "keepalived-config"):
            where += ["--supervisor", self.control]
        done = subprocess.run([CTL, *words, *where, *args], capture_output=True, text=True,
                              timeout=timeout, stdin=subprocess.DEVNULL, check=False,
                              env={"PATH": os.environ["PATH"], "HOME": self.folder})  # fmt: skip
        if check is not None:
            assert done.returncode == check, (command, done.returncode, done.stdout, done.stderr)
        return done

    def create(self, token):
        """Asks here; the id."""
        self.serial += 1
        answer = harness.call(
            "POST", "/v1/requests",
            {"policy": "prod-deploy", "title": f"Deploy {self.number}.{self.serial}",
             "requester": harness.RITA},
            {"Authorization": "Bearer " + token}, port=self.port)  # fmt: skip
        assert answer.status == 201, (answer.status, answer.body)
        return answer.json()["id"]

    def let_ask(self):
        """Applies the policy; a token that may ask and read."""
        policy, token = self.path("policy"), self.path("token")
        with open(policy, "w", encoding="utf-8") as out:
            out.write(harness.POLICY)
        self.ctl("policy apply", policy, check=0)
        self.ctl("token add", "ci", "--ask", "--read", "--output", token, check=0)
        with open(token, encoding="utf-8") as handle:
            return handle.read().strip()

    def has(self, request, token):
        answer = harness.call("GET", "/v1/requests/" + request, None,
                              {"Authorization": "Bearer " + token}, port=self.port)  # fmt: skip
        return answer.status == 200

    def log_tail(self):
        with open(self.path("supervisor.log"), encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-15:])


class Pair:
    """etcd (it idles where the arbiter is another one) and two hosts; a context manager."""

    def __init__(self, arbiter="etcd"):
        self.arbiter = arbiter
        self.scratch = tempfile.TemporaryDirectory()
        self.folder = self.scratch.name
        self.authority = etcd.Authority(self.folder)
        self.link_port = free_port()
        self.etcd = etcd.Etcd(self.folder, self.authority)
        self.hosts = {number: Host(self, number) for number in (1, 2)}

    def __enter__(self):
        self.etcd.start()
        return self

    def __exit__(self, *unused):
        for host in self.hosts.values():
            if host.supervisor is not None and host.supervisor.poll() is None:
                host.supervisor.kill()
                host.supervisor.wait()
        self.etcd.kill()
        self.scratch.cleanup()

    def bootstrap(self):
        """Host 1 begins, host 2 joins; both in the ISR."""
        for host in self.hosts.values():
            host.start()
        first = self.hosts[1]
        try:
            wait(lambda: first.ctl("pair bootstrap").returncode == 0, "the register is made")
        except AssertionError as error:
            raise AssertionError(first.ctl("pair bootstrap").stderr + first.log_tail()) from error
        wait(self.is_paired, "both are in the ISR")

    def is_paired(self):
        found = [host.status() for host in self.hosts.values()]
        return all(one.get("register") and len(one["register"]["isr"]) == 2 and
                   one.get("link") and one["link"]["in_sync"] and not one["alarms"]
                   for one in found) and any(one["serving"] for one in found)  # fmt: skip

    def primary(self):
        return wait(lambda: next((host for host in self.hosts.values()
                                  if host.status().get("serving")), None), "somebody serves")

    def other(self, host):
        return self.hosts[3 - host.number]
