#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_setup.py: two single hosts and a bare machine become a pair, by the commands that people type.

Owns four network namespaces and what runs in them: real approvald, supervisor, keepalived and etcd,
with the configurations that pair init, pair join and approvald-arbiter join have written. Stands in
for systemd: it restarts what they would. Never touches a service of this machine.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE]

import netns  # noqa: E402  the path is set above
import world as cluster  # noqa: E402

ARBITER = os.path.join(cluster.BUILD, "approvald", "arbiter", "approvald-arbiter")
ADDRESSES, VIP = cluster.ADDRESSES, cluster.VIP
TOOLS = ("keepalived", "etcd", "curl")


def missing():
    return netns.why_not() or next((f"no {t}" for t in TOOLS if shutil.which(t) is None), None)


def sysconf(root):
    """ROOT/…/etc/approvald, wherever the build has put it."""
    shown = subprocess.run([cluster.SUPERVISOR, "--help"], check=True, capture_output=True, text=True)
    return root + re.search(r"(/\S*/?etc/approvald)/supervisor\.conf", shown.stdout).group(1)


class Host:
    """One machine of the pair."""

    def __init__(self, test, name):
        self.test, self.name = test, name
        self.member = test.net[name]
        self.root = os.path.join(test.dir, name)
        self.conf = sysconf(self.root)
        self.run_dir = os.path.join(self.root, "run")
        for folder in (self.conf, self.run_dir, *(os.path.join(self.root, f) for f in ("data", "state"))):
            os.makedirs(folder, 0o700)
        self.processes = {}
        cluster.write(os.path.join(self.conf, "supervisor.conf"), f"""
state_dir = "{self.root}/state"
run_dir = "{self.run_dir}"
program = "{cluster.APPROVALD}"
config = "{self.conf}/approvald.conf"
user = ""
vip {{
    track_file = "{self.run_dir}/vip-eligible"
    fifo = "{self.run_dir}/keepalived.fifo"
}}
pair {{
    hold_down = 1s
}}
""")
        cluster.write(os.path.join(self.conf, "approvald.conf"), f"""
data_dir = "{self.root}/data"
http {{
    socket = "{self.run_dir}/approvald.sock"
}}
storage {{
    map_size = 64M
}}
""")

    def spawn(self, name, *command):
        with open(os.path.join(self.root, name + ".log"), "ab") as log:
            self.processes[name] = subprocess.Popen(
                self.member.command(*command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self):
        self.spawn("supervisor", cluster.SUPERVISOR, "--config",
                   os.path.join(self.conf, "supervisor.conf"))

    def restart(self):
        self.stop("supervisor")
        self.start()

    def keepalived(self):
        self.spawn("keepalived", "keepalived", "-n", "-l", "-f",
                   os.path.join(self.root, "etc/keepalived/keepalived.conf"), "-p",
                   os.path.join(self.run_dir, "k.pid"), "-r", os.path.join(self.run_dir, "v.pid"))

    def stop(self, name):
        process = self.processes.pop(name, None)
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)

    def pair(self, *words, stdin="", code=0):
        """approvalctl pair …; what it prints."""
        done = subprocess.run(
            self.member.command(cluster.APPROVALCTL, "pair", *words, "--root", self.root,
                                "--program", cluster.SUPERVISOR),
            input=stdin, capture_output=True, text=True, timeout=60, check=False)
        self.test.assertEqual(done.returncode, code, f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def serve(self, *words):
        """A command that prints tokens and waits for who brings them."""
        self.spawn("pair", cluster.APPROVALCTL, "pair", *words, "--json", "--root", self.root,
                   "--program", cluster.SUPERVISOR)
        count = 1 if words[0] == "token" else 2
        cluster.wait(lambda: len(self.tokens()) >= count, "the tokens are printed")
        return self.tokens()

    def tokens(self):
        """Of the newest command: the log goes on."""
        with open(os.path.join(self.root, "pair.log"), encoding="utf-8") as log:
            lines = [json.loads(line) for line in log if line.startswith("{")]
        return {line["role"]: line["token"] for line in lines[self.seen():] if "token" in line}

    def seen(self):
        return getattr(self, "_seen", 0)

    def finish(self):
        self.test.assertEqual(self.processes.pop("pair").wait(30), 0)
        with open(os.path.join(self.root, "pair.log"), encoding="utf-8") as log:
            self._seen = sum(1 for line in log if line.startswith("{"))

    def ctl(self, *words):
        return subprocess.run(self.member.command(cluster.APPROVALCTL, *words),
                              capture_output=True, text=True, timeout=60, check=False)

    def local(self, *words):
        done = self.ctl(*words, "--socket", f"{self.run_dir}/approvald.sock")
        self.test.assertEqual(done.returncode, 0, f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def control(self, *words):
        return self.ctl(*words, "--supervisor", f"{self.run_dir}/supervisor.sock")

    def reload(self):
        self.processes["supervisor"].send_signal(signal.SIGHUP)

    def pair_file(self, name):
        return os.path.join(self.conf, "pair", name)

    def logs(self):
        text = ""
        for name in sorted(os.listdir(self.root)):
            if name.endswith(".log"):
                with open(os.path.join(self.root, name), encoding="utf-8", errors="replace") as log:
                    text += f"--- {self.name} {name}\n" + "".join(log.readlines()[-25:])
        return text


@unittest.skipIf(missing(), str(missing()))
class Setup(unittest.TestCase):
    """From single hosts to a pair that is in sync, fails over and has its certificates replaced."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="setup-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.net = netns.Net(ADDRESSES)
        self.addCleanup(self.net.close)
        self.a, self.b = Host(self, "A"), Host(self, "B")
        self.etcd = None
        self.addCleanup(self.end)

    def end(self):
        for host in (self.a, self.b):
            for name in list(host.processes):
                host.stop(name)
        if self.etcd is not None:
            self.etcd.terminate()
            self.etcd.wait(30)

    def wait(self, predicate, what, seconds=45):
        try:
            return cluster.wait(predicate, what, seconds, 0.5)
        except cluster.NotInTime as problem:
            self.fail(f"{problem}\n{self.a.logs()}{self.b.logs()}")

    def arbiter_join(self, token):
        root = os.path.join(self.dir, "arbiter")
        os.makedirs(root, exist_ok=True)
        subprocess.run(self.net["arbiter"].command(ARBITER, "join", "--root", root), input=token + "\n",
                       text=True, capture_output=True, timeout=60, check=True)
        if self.etcd is not None:
            self.etcd.terminate()
            self.etcd.wait(30)
        with open(os.path.join(self.dir, "etcd.log"), "ab") as log:
            self.etcd = subprocess.Popen(
                self.net["arbiter"].command("etcd", "--config-file",
                                            sysconf(root) + "-arbiter/etcd.yml"),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(os.environ, ETCD_UNSUPPORTED_ARCH="arm64"))

    def policies(self, host, title):
        path = os.path.join(self.dir, "policy.conf")
        cluster.write(path, f'policy p {{ title = "{title}" channel = "C0APV00001" '
                            'approvers = {"U0APR00001"} quorum = 1 }\n')
        host.local("policy", "apply", path)

    def sup(self, host):
        """The supervisor's own words."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(f"{host.run_dir}/supervisor.sock")
            sock.sendall(b"status\n")
            said = b""
            while True:
                piece = sock.recv(65536)
                if not piece:
                    return json.loads(said)
                said += piece

    def in_sync(self):
        status = self.sup(self.a)
        register = status["register"]  # null until it was read
        return (register is not None and status["link"]["up"] and
                [member["host"] for member in register["isr"]] == [1, 2])

    def single_hosts(self):
        for host, title in ((self.a, "A's own"), (self.b, "B's own")):
            host.start()
            self.wait(lambda h=host: self.sup(h)["serving"], f"{host.name} serves alone")
            self.policies(host, title)

    def make_pair(self):
        tokens = self.a.serve("init", "--peer", ADDRESSES["B"], "--vip", f"{VIP}/24", "--arbiter",
                              ADDRESSES["arbiter"], "--socket", f"{self.a.run_dir}/approvald.sock")
        self.arbiter_join(tokens["arbiter"])
        self.assertTrue(self.sup(self.a)["serving"])  # A goes on alone meanwhile
        self.b.stop("supervisor")
        self.assertIn("kept in", self.b.pair("join", stdin=tokens["host"] + "\n"))
        self.b.start()
        self.a.finish()
        self.a.restart()
        self.wait(lambda: self.a.control("pair", "bootstrap").returncode == 0, "the register is made")
        for host in (self.a, self.b):
            host.keepalived()
        self.wait(self.in_sync, "both are in sync")

    def over_vip(self):
        """What a client sees of the service over the virtual IP: 401, over a certificate that fits."""
        return subprocess.run(
            self.net["client"].command("curl", "-s", "--max-time", "5", "--cacert",
                                       self.a.pair_file("link-ca.crt"), "-o", os.devnull, "-w",
                                       "%{http_code}", f"https://{VIP}:8443/v1/requests"),
            capture_output=True, text=True, check=False).stdout

    def test_a_pair_is_set_up_fails_over_and_is_rotated(self):
        self.single_hosts()
        self.make_pair()
        self.wait(lambda: self.over_vip() == "401", "the service answers on the virtual IP")
        self.rotate()
        self.assertTrue(self.in_sync())
        self.wait(lambda: self.over_vip() == "401", "the service shows its new certificate")
        self.a.stop("keepalived")
        self.a.stop("supervisor")  # a primary that stops hands over
        self.wait(lambda: self.sup(self.b)["serving"], "B serves")
        self.wait(lambda: self.over_vip() == "401", "the service answers on the virtual IP again")
        self.assertIn("A's own", self.b.local("policy", "list"))

    def rotate(self):
        """Nobody is restarted but etcd; epochs stay, so nobody was missed for a moment."""
        epoch = self.sup(self.a)["register"]["epoch"]
        tokens = self.a.serve("rotate")
        self.b.pair("join", stdin=tokens["host"] + "\n")
        self.arbiter_join(tokens["arbiter"])
        self.a.finish()
        self.a.reload()
        self.b.pair("rotate", "--end")
        self.b.reload()
        self.arbiter_join(self.a.serve("token", "arbiter")["arbiter"])
        self.a.finish()
        for host in (self.a, self.b):
            self.wait(lambda h=host: self.sup(h)["arbiter"]["reachable"] and not any(
                alarm["alarm"] == "arbiter_down" for alarm in self.sup(h)["alarms"]),
                f"{host.name} reaches the arbiter")
        self.assertEqual(self.sup(self.a)["register"]["epoch"], epoch)


if __name__ == "__main__":
    unittest.main()
