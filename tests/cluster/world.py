# SPDX-License-Identifier: Apache-2.0
"""world.py: a pair of hosts, an arbiter and the clients' side, each in a network namespace.

Owns everything that it starts, one scratch directory and one Net. Real approvald, supervisor,
keepalived and etcd; the stand-in for Slack and the clients live together. Stands in for systemd:
it starts a supervisor, and starts it again. Never ends a process outside its namespaces.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, ".."), os.path.join(HERE, "..", "sup")]
import netns  # noqa: E402  the path is set above
from etcd import Authority, Etcd  # noqa: E402
from hurt import Hurt  # noqa: E402
from lib import harness, talk  # noqa: E402
from lib.waiting import until  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("APPROVALD_BUILD", os.path.join(ROOT, "build", "gcc")))
APPROVALD = os.path.join(BUILD, "approvald", "approvald")
APPROVALCTL = os.path.join(BUILD, "approvald", "ctl", "approvalctl")
SUPERVISOR = os.path.join(BUILD, "supervisor", "approvald-supervisor")
ADDRESSES = {"A": "10.77.0.1", "B": "10.77.0.2", "arbiter": "10.77.0.3", "client": "10.77.0.4"}
VIP, PORT, MANAGEMENT, LINK, SLACK, ETCD = "10.77.0.100", 8080, 9180, 7400, 8200, 2379
CLUSTER_ID = "a77a" * 8
HOSTS = ("A", "B")
PAIRED_S = 45  # to heal: a crash loop's longest pause, hold-down, a snapshot
LOST = (OSError, http.client.HTTPException, ValueError)


class NotInTime(AssertionError):
    """What had to come did not."""


def wait(predicate, what, seconds=15.0, step=0.01):
    """The first true value of predicate; failing calls count as not yet."""
    return until(predicate, what, seconds, step, LOST, NotInTime)


def let_go(world, keep):
    """Ends a world, if there is one; says where its files are kept."""
    if world is not None:
        if keep:
            print(f"     kept: {world.dir}", flush=True)
        world.close(keep)


def other(name):
    return "B" if name == "A" else "A"


def write(path, text, mode=0o600):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(fd, "w", encoding="utf-8") as out:
        out.write(text)
    os.chmod(path, mode)
    return path


class Host:
    """One of the pair."""

    def __init__(self, world, number):
        self.world, self.number = world, number
        self.name = HOSTS[number - 1]
        self.member = world.net[self.name]
        self.address = self.member.address
        self.dir = os.path.join(world.dir, self.name)
        self.supervisor = self.keepalived = None
        self.processor = None  # a number: the only one that it has
        for folder in ("data", "state", "run"):
            os.makedirs(self.path(folder), 0o700)
        self.hurt = Hurt(self.path("hurt"))
        self.files = self._certificates()
        self.write_config()

    def path(self, *names):
        return os.path.join(self.dir, *names)

    # -- configuration -----------------------------------------------------------------------------

    def _certificates(self):
        own = f"host{self.number}"
        pair = self.world.pair_ca.leaf(own, f"DNS:{own}")
        # etcd's gateway refuses certificates with a common name while users are enabled.
        arbiter = self.world.etcd_ca.leaf(own, f"DNS:{own}", subject="/O=approvald")
        return {"certificate": pair[0], "key": pair[1], "etcd_certificate": arbiter[0],
                "etcd_key": arbiter[1]}

    def write_config(self):
        world = self.world
        write(self.path("approvald.conf"), APPROVALD_CONF.format(
            data=self.path("data"), vip=VIP, port=PORT, own=self.address, management=MANAGEMENT,
            socket=self.path("run", "approvald.sock"), team=harness.TEAM, slack=world.slack_config()))
        where = (f'listen = "{self.address}:{LINK}"' if self.number == 1
                 else f'peer = "{ADDRESSES["A"]}:{LINK}"')
        options = {"hold_down": "1s", "start": "30s", "stop": "5s", "crash_window": "60s",
                   **world.options}
        write(self.path("supervisor.conf"), SUPERVISOR_CONF.format(
            state=self.path("state"), run=self.path("run"), program=self.path("approvald"),
            config=self.path("approvald.conf"), number=self.number, peer=3 - self.number,
            cluster=CLUSTER_ID, where=where, pair_ca=world.pair_ca.ca, etcd_ca=world.etcd_ca.ca,
            etcd=f"https://{ADDRESSES['arbiter']}:{ETCD}", vip=VIP, own_address=self.address,
            peer_address=ADDRESSES[other(self.name)],
            pair_extra=world.pair_extra, arbiter=world.arbiter, **options, **self.files) + world.more_config(self))
        library = os.path.join(BUILD, "tests", "cluster", "hurt.so")
        exports = "".join(f"export {name}='{value}'\n"
                          for name, value in self.hurt.environment(library).items())
        write(self.path("approvald"), f"#!/bin/sh\n{exports}exec {APPROVALD} \"$@\"\n", 0o700)

    def write_keepalived_conf(self):
        """With the product's own generator."""
        made = subprocess.run(
            [SUPERVISOR, "--config", self.path("supervisor.conf"), "--keepalived-config"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
        if made.returncode != 0 or "vrrp_instance" not in made.stdout:
            raise RuntimeError(f"--keepalived-config: {made.stdout}{made.stderr}")
        write(self.path("keepalived.conf"), made.stdout)

    # -- life --------------------------------------------------------------------------------------

    def start_supervisor(self):
        pin = [] if self.processor is None else ["taskset", "--cpu-list", str(self.processor)]
        self.supervisor = self.spawn("supervisor", *pin, SUPERVISOR, "--config",
                                      self.path("supervisor.conf"))

    def start_keepalived(self):
        self.keepalived = self.spawn(
            "keepalived", "keepalived", "-n", "-l", "-D", "-P", "-f", self.path("keepalived.conf"),
            "-p", self.path("run", "keepalived.pid"), "-r", self.path("run", "vrrp.pid"))

    def spawn(self, name, *command):
        with open(self.path(name + ".log"), "ab") as log:
            return subprocess.Popen(self.member.command(*command), stdin=subprocess.DEVNULL,
                                    stdout=log, stderr=log, start_new_session=True)

    def power_on(self):
        """As after a boot: /run is empty, the address is not there, nothing runs."""
        assert not self.alive(), "it is on already"
        shutil.rmtree(self.path("run"))
        os.makedirs(self.path("run"), 0o755)
        self.member.run("ip", "address", "del", f"{VIP}/24", "dev", "eth0", check=False)
        self.world.net.plug(self.name)
        self.hurt.clear()
        self.world.booted(self)
        self.start_supervisor()
        wait(lambda: os.path.exists(self.path("run", "vip-eligible")) or self._check(),
             f"{self.name}'s supervisor is up")
        self.start_keepalived()

    def _check(self):
        if self.supervisor.poll() is not None:
            raise AssertionError(f"{self.name}'s supervisor ended: {self.log_tail()}")
        return False

    def kill_all(self):
        """kill -9 of everything on the host; its kernel goes on, and so does its address."""
        netns.kill_all(self.member.namespace)
        self.reap()

    def power_off(self):
        """As by the power switch: nothing more comes from it, and then nothing runs."""
        self.world.net.unplug(self.name)
        self.kill_all()

    def stop(self):
        """As by systemctl stop of both services, or a clean shutdown."""
        for process in (self.keepalived, self.supervisor):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in (self.keepalived, self.supervisor):
            if process is not None:
                process.wait(30)
        self.reap()

    def reap(self):
        for process in (self.supervisor, self.keepalived):
            if process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)

    def alive(self):
        return [pid for pid in self.member.pids() if not netns.is_zombie(pid)]

    def signal_all(self, number):
        """The child first when it stops, so that nobody notices the other; in the end all have it."""
        for _ in range(2):
            for pid in sorted(self.member.pids(), reverse=True):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    def pid(self, program):
        """The pid of approvald, keepalived (the one that speaks VRRP), approvald-supervisor."""
        found = []
        for pid in self.alive():
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/comm", encoding="ascii") as comm:
                    if comm.read().strip() == program[:15]:
                        found.append(pid)
        return max(found) if found else None

    def signal(self, program, number):
        pid = self.pid(program)
        if pid is not None:
            os.kill(pid, number)
        return pid

    def up(self):
        """What systemd does: starts what is not there. Names what it had to start."""
        started = []
        if self.supervisor is None or self.supervisor.poll() is not None:
            if self.keepalived is None or self.keepalived.poll() is not None:
                self.kill_all()
                self.power_on()
                return ["host"]
            self.start_supervisor()
            started.append("supervisor")
        if self.keepalived is None or self.keepalived.poll() is not None:
            for pid in self.member.pids():  # its child outlives it
                with contextlib.suppress(OSError):
                    with open(f"/proc/{pid}/comm", encoding="ascii") as comm:
                        if comm.read().strip() == "keepalived":
                            os.kill(pid, signal.SIGKILL)
            self.start_keepalived()
            started.append("keepalived")
        return started

    # -- looking -----------------------------------------------------------------------------------

    def control(self, command, timeout=10.0):
        """One command to the supervisor; its answer."""
        return talk.ask(self.path("run", "supervisor.sock"), command, timeout)

    def status(self):
        """The supervisor's; None when nobody answers."""
        try:
            return self.control("status", timeout=2)
        except LOST:
            return None

    def local(self, method, path, body=None, headers=None, timeout=10):
        """A call to approvald over its unix socket, as root."""
        return harness.call(method, path, body, headers, unix=self.path("run", "approvald.sock"),
                            timeout=timeout)

    def serves(self):
        return bool((self.status() or {}).get("serving"))

    def is_up(self):
        status = self.status()
        return status is not None and status["child"]["state"] == "up"

    def service_status(self):
        return self.local("GET", "/v1/status", timeout=3).json()

    def has_vip(self):
        return f"{VIP}/" in self.member.run("ip", "-4", "address", "show", "dev", "eth0")

    def ctl(self, *words, check=0, timeout=60):
        """approvalctl, as root on the host."""
        done = subprocess.run(
            self.member.command(APPROVALCTL, *words, "--socket", self.path("run", "approvald.sock")),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)
        if check is not None and done.returncode != check:
            raise AssertionError(f"approvalctl {words}: {done.returncode}: {done.stderr}")
        return done

    def log_tail(self, lines=20):
        with open(self.path("supervisor.log"), encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-lines:])


class World:
    """Everything. options: see Host.write_config."""

    addresses = ADDRESSES

    def __init__(self, options=None, pair_extra="", arbiter="etcd", folder=None):
        self.dir = folder or tempfile.mkdtemp(prefix="apvt-", dir="/tmp")
        self.options, self.pair_extra, self.arbiter = options or {}, pair_extra, arbiter
        self.processes = []
        self.secrets = {}
        self.net = netns.Net(self.addresses)
        try:
            self.pair_ca = Authority(self._folder("pair-ca"))
            self.etcd_ca = Authority(self._folder("etcd-ca"))
            write(self.path("signing"), harness.SIGNING_SECRET)
            write(self.path("bot"), harness.BOT_TOKEN)
            self.prepare()
            self.etcd = Etcd(self._folder("arbiter"), self.etcd_ca, ADDRESSES["arbiter"], ETCD,
                             self.net["arbiter"].command())
            self.hosts = {name: Host(self, n) for n, name in enumerate(HOSTS, 1)}
        except BaseException:
            self.close()
            raise

    def prepare(self):
        """For a World with more in it: before the hosts are made."""

    def more_config(self, _host):
        """What else stands in a host's supervisor.conf."""
        return ""

    def booted(self, host):
        """Before its supervisor starts."""

    def slack_config(self):
        """What stands in the hosts' slack section."""
        return (f'api_url = "http://{ADDRESSES["client"]}:{SLACK}/api/"\n'
                f'signing_secret_file = "{self.path("signing")}"\n'
                f'bot_token_file = "{self.path("bot")}"')

    def standin_options(self):
        return []

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def _folder(self, name):
        os.makedirs(self.path(name), 0o700, exist_ok=True)
        return self.path(name)

    def __getitem__(self, name):
        return self.hosts[name]

    # -- life --------------------------------------------------------------------------------------

    def start(self):
        """A new pair, in sync, with policies and tokens; the stand-in beside it."""
        self.etcd.start()
        self.start_standin()
        for host in self.hosts.values():
            host.write_keepalived_conf()
        self["A"].power_on()
        together = self.arbiter in ("manual", "fence") or "strict" in self.pair_extra
        if together:
            self["B"].power_on()  # the register is on both; one strict host alone answers nothing
        wait(self["A"].is_up, "A's approvald is up")
        wait(lambda: self["A"].control("bootstrap")["ok"], "the register is created", step=0.1)
        wait(self["A"].serves, "A serves")
        if not together:
            self["B"].power_on()
        self.wait_paired()
        self.set_up()

    def start_standin(self):
        member = self.net["client"]
        command = member.command(
            sys.executable, os.path.join(ROOT, "tests/slack/standin.py"), "--host", member.address,
            "--port", str(SLACK), "--app-url", f"http://{VIP}:{PORT}", "--signing-secret-file",
            self.path("signing"), "--bot-token-file", self.path("bot"), *self.standin_options())
        with open(self.path("standin.log"), "ab") as log:
            self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                                   stderr=log))
        wait(lambda: self.slack("counters", get=True), "the stand-in answers")

    def set_up(self):
        primary = self.primary()
        answer = primary.local("PUT", "/v1/policies", harness.POLICY.encode(),
                               {"Content-Type": "text/plain"})
        assert answer.status == 200, answer.body
        self.secrets["token"] = self.token("cluster", ["ask", "read"])
        for user in (harness.ANA, harness.BEN):
            self.secrets["decider_" + user] = self.token("decider-" + user[-1] + user[3:6].lower(),
                                                         ["decide", "read"], user=user)

    def token(self, name, scopes, **more):
        answer = self.primary().local("POST", "/v1/tokens", {
            "name": name, "scopes": scopes, "rate_per_minute": harness.RATE_MAX, **more})
        assert answer.status == 201, answer.body
        return answer.json()["token"]

    def spawn_client(self, program, **spec):
        """client.py or probe.py; ends when its standard input is closed (see end_client)."""
        name = f"{program}-{len(self.processes)}"
        spec = {"vip": VIP, "port": PORT, "requester": harness.RITA, "seed": name,
                "signing_secret": harness.SIGNING_SECRET, "history": self.path(name + ".jsonl"),
                **self.secrets, **spec}
        path = write(self.path(name + ".json"), json.dumps(spec))
        with open(self.path(name + ".log"), "ab") as log:
            process = subprocess.Popen(
                self.net["client"].command(sys.executable, os.path.join(HERE, program + ".py"),
                                           path),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        process.history = spec["history"]
        process.log = self.path(name + ".log")
        self.processes.append(process)
        process.stdout.readline()
        return process

    @staticmethod
    def end_client(process, seconds=60):
        """Lets it end what it has begun; the lines of its history."""
        process.stdin.close()
        code = process.wait(seconds)
        process.stdout.close()
        if code != 0:
            with open(process.log, encoding="utf-8", errors="replace") as log:
                raise AssertionError(f"a client ended with {code}: {log.read()[-2000:]}")
        with open(process.history, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    def heal(self):
        """Takes back every fault; what does not run is started, as systemd would."""
        self.net.heal()
        if self.etcd.process is None or self.etcd.process.poll() is not None:
            self.etcd.start()
        else:
            self.etcd.thaw()
        for host in self.hosts.values():
            host.hurt.clear()
            host.signal_all(signal.SIGCONT)
            host.up()

    def note(self, text):
        """For whoever reads what a failed round has left."""
        with open(self.path("notes.log"), "a", encoding="utf-8") as notes:
            notes.write(f"{time.strftime('%H:%M:%S')} {text}\n")

    # -- looking -----------------------------------------------------------------------------------

    def statuses(self):
        return {name: host.status() for name, host in self.hosts.items()}

    def primary(self):
        """The host that serves."""
        def find():
            return [self.hosts[name] for name, status in self.statuses().items()
                    if status and status["serving"]]
        return wait(find, "somebody serves", PAIRED_S)[0]

    def standby(self):
        return self.hosts[other(self.primary().name)]

    def is_paired(self):
        return pair_problem(self.statuses()) is None

    def wait_paired(self, seconds=PAIRED_S):
        """Until both hosts are in sync and the virtual IP is where it belongs."""
        begin = time.monotonic()
        try:
            wait(lambda: self.is_paired() and self.primary().has_vip(), "the pair is paired",
                 seconds, 0.05)
        except NotInTime as problem:
            write(self.path("statuses.json"), json.dumps(self.statuses(), indent=1))
            raise NotInTime(f"{problem}: {pair_problem(self.statuses()) or 'no virtual IP'} "
                            "(statuses.json)") from None
        return time.monotonic() - begin

    def api(self, method, path, body=None, token="token", timeout=10):
        """(status, decoded JSON) of a call through the virtual IP, as a client."""
        conn = self.net["client"].connection(VIP, PORT, timeout)
        try:
            headers = {"Authorization": "Bearer " + self.secrets[token]}
            if body is not None:
                body = json.dumps(body).encode()
                headers["Content-Type"] = "application/json"
            conn.request(method, path, body, headers)
            response = conn.getresponse()
            data = response.read()
            return response.status, json.loads(data) if data else {}
        finally:
            conn.close()

    def slack(self, command, /, get=False, **arguments):
        """A command to the stand-in; its answer."""
        conn = self.net["client"].connection(ADDRESSES["client"], SLACK, 40)
        try:
            body = None if get else json.dumps(arguments).encode()
            conn.request("GET" if get else "POST", "/control/" + command, body,
                         {"Content-Type": "application/json"})
            response = conn.getresponse()
            data = response.read()
            if response.status != 200:
                raise OSError(f"stand-in: {command}: {response.status} {data[:200]}")
            return json.loads(data)
        finally:
            conn.close()

    def close(self, keep=False):
        for process in self.processes:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
        self.net.close()  # ends everything inside
        for process in self.processes:
            process.wait(10)
        if getattr(self, "etcd", None) is not None:
            self.etcd.kill()
        for host in getattr(self, "hosts", {}).values():
            host.reap()
            host.hurt.close()
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)


def pair_problem(statuses):
    """None for two statuses of a healthy pair, else what is wrong."""
    if not all(statuses.values()):
        return "a supervisor does not answer"
    roles = sorted(status["role"] for status in statuses.values())
    if roles != ["primary", "standby"]:
        return f"roles {roles}"
    for name, status in statuses.items():
        if not status["register"] or len(status["register"]["isr"]) != 2:
            return f"{name}: the register does not name both"
        if status["register"]["cas_unresolved"]:
            return f"{name}: a change is unresolved"
        if not status["link"] or not status["link"]["in_sync"]:
            return f"{name}: not in sync"
        if status["role"] == "primary" and not status["serving"]:
            return f"{name}: does not serve yet"
        if status["alarms"]:
            return f"{name}: alarms {[a['alarm'] for a in status['alarms']]}"
    epochs = {status["register"]["epoch"] for status in statuses.values()}
    return None if len(epochs) == 1 else f"epochs {epochs}"


APPROVALD_CONF = """\
data_dir = "{data}"
log_target = "text"
drain = "2s"
http {{
    listen = {{"{vip}:{port}"}}
    management_listen = {{"{own}:{management}"}}
    socket = "{socket}"
}}
slack {{
    team_id = "{team}"
    {slack}
}}
storage {{
    map_size = "256M"
    wal_size = "64M"
    headroom = "32M"
    ballast = "1M"
}}
"""

SUPERVISOR_CONF = """\
state_dir = "{state}"
run_dir = "{run}"
program = "{program}"
config = "{config}"
user = ""
log_target = "text"
pair {{
    host = {number}
    cluster_id = "{cluster}"
    {where}
    peer_name = "host{peer}"
    certificate = "{certificate}"
    key = "{key}"
    ca = "{pair_ca}"
    hold_down = "{hold_down}"
    {pair_extra}
}}
arbiter {{
    kind = "{arbiter}"
    endpoints = {{"{etcd}"}}
    certificate = "{etcd_certificate}"
    key = "{etcd_key}"
    ca = "{etcd_ca}"
}}
vip {{
    address = "{vip}/24"
    interface = "eth0"
    router_id = 77
    track_file = "{run}/vip-eligible"
    fifo = "{run}/keepalived.fifo"
    own_address = "{own_address}"
    peer_address = "{peer_address}"
}}
child {{
    crash_window = "{crash_window}"
    start = "{start}"
    stop = "{stop}"
}}
"""
