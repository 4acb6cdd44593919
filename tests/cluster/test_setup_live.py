#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_setup_live.py: the commands that set a pair up, exactly as an admin types them.

Owns four network namespaces and, for each machine, a mount namespace in which /usr/local, /var/lib,
/run, /etc/keepalived and /etc/group are its own, and systemctl is a script that starts and stops what
the units would. So nothing is left out: two commands on A, two on B (with the installation), one on
the arbiter. Never touches a file or a service of this machine.
"""

import http.client
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE]

import netns  # noqa: E402  the path is set above
import world as cluster  # noqa: E402
from test_setup import ADDRESSES, ARBITER, VIP, missing  # noqa: E402

PORT = 8443  # of the service, as pair init writes it
ETC = re.search(r"(/\S*?/?etc)/approvald/supervisor\.conf",
                subprocess.run([cluster.SUPERVISOR, "--help"], check=True, capture_output=True,
                               text=True).stdout).group(1)
PREFIX = os.path.dirname(ETC)
FENCER = os.path.join(cluster.BUILD, "supervisor", "fencer", "approvald-fence")
TOKEN = r"^apvjoin[12]\.\S+$"

SYSTEMCTL = """#!/bin/sh
# What the units of the packages do, as far as the commands ask for it.
echo "$*" >> /var/lib/systemctl.log
stop() {
    [ ! -f "/run/$1.pid" ] || kill "$(cat "/run/$1.pid")" 2>/dev/null
    while [ -f "/run/$1.pid" ] && kill -0 "$(cat "/run/$1.pid")" 2>/dev/null; do sleep 0.05; done
    rm -f "/run/$1.pid"
}
start() {
    unit=$1
    shift
    setsid "$@" >> "/var/lib/$unit.log" 2>&1 < /dev/null &
    echo $! > "/run/$unit.pid"
}
for last; do :; done
unit=${last%.service}
case "$1 $unit" in
"enable approvald-fence.socket" | "start approvald-fence.socket")
    [ ! -f "/run/$unit.pid" ] || exit 0
    start "$unit" PREFIX/sbin/approvald-fence --listen /run/approvald-fence.sock --devices ETC/approvald/fence
    while [ ! -S /run/approvald-fence.sock ]; do sleep 0.05; done
    exit ;;
"stop approvald-fence.socket") rm -f /run/approvald-fence.sock ;;
esac
case "$1" in
enable) [ ! -e /run/no-enable ] ;;
is-active) [ -f "/run/$unit.pid" ] ;;
stop | disable) stop "$unit" ;;
try-reload-or-restart) kill -HUP "$(cat "/run/$unit.pid")" ;;
start | restart)
    [ "$1" = restart ] || [ ! -f "/run/$unit.pid" ] || exit 0
    stop "$unit"
    case "$unit" in
    approvald-supervisor)
        [ ! -e ETC/approvald/pair/leaving ] || exit 1
        start "$unit" PREFIX/sbin/approvald-supervisor ;;
    approvald-pair) start "$unit" PREFIX/bin/approvalctl pair serve ;;
    keepalived) start "$unit" keepalived -n -l -f /etc/keepalived/keepalived.conf -p /run/k.pid -r /run/v.pid ;;
    approvald-arbiter) start "$unit" etcd --config-file ETC/approvald-arbiter/etcd.yml ;;
    *) exit 5 ;;
    esac ;;
*) exit 1 ;;
esac
"""

# Own file trees, then a process that holds the namespace until it is killed.
ENTER = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/approvald
mount --bind "$1/prefix" PREFIX
mount --bind "$1/lib" /var/lib
mkdir -p "$1/keepalived"
[ -d /etc/keepalived ] && mount --bind "$1/keepalived" /etc/keepalived
mount --bind "$1/group" /etc/group
touch "$1/ready"
exec sleep infinity
"""


class Machine:
    """One machine, as its admin sees it."""

    def __init__(self, test, name):
        self.test, self.name = test, name
        self.root = os.path.join(test.dir, name)
        etc = ETC[len(PREFIX):].lstrip("/")
        for folder in ("bin", "sbin", f"{etc}/approvald"):
            os.makedirs(os.path.join(self.root, "prefix", folder))
        os.makedirs(os.path.join(self.root, "lib", "approvald"), 0o700)
        for folder, program in (("sbin", cluster.APPROVALD), ("sbin", cluster.SUPERVISOR),
                                ("sbin", ARBITER), ("sbin", FENCER),
                                ("bin", cluster.APPROVALCTL)):
            os.symlink(program, os.path.join(self.root, "prefix", folder, os.path.basename(program)))
        cluster.write(os.path.join(self.root, "prefix", "bin", "systemctl"),
                      SYSTEMCTL.replace("PREFIX", PREFIX).replace("ETC", ETC), 0o755)
        conf = os.path.join(self.root, "prefix", etc, "approvald")
        cluster.write(os.path.join(conf, "supervisor.conf"), 'user = ""\n')
        cluster.write(os.path.join(conf, "approvald.conf"), "storage {\n    map_size = 64M\n}\n")
        with open("/etc/group", encoding="utf-8") as group:
            cluster.write(os.path.join(self.root, "group"), group.read() +
                          "approvald:x:64901:\napprovald-arbiter:x:64902:\n"
                          "approvald-supervisor:x:64903:\n", 0o644)
        self.holder = subprocess.Popen(
            test.net[name].command("unshare", "-m", "sh", "-c", ENTER.replace("PREFIX", PREFIX), "sh",
                                   self.root), stdin=subprocess.DEVNULL)
        test.addCleanup(self.holder.wait)
        test.addCleanup(self.holder.kill)
        cluster.wait(lambda: os.path.exists(os.path.join(self.root, "ready")), f"{name} is there")

    def run(self, *words, stdin="", check=True):
        done = subprocess.run(
            ["nsenter", "-t", str(self.holder.pid), "-m", "-n", *words], input=stdin,
            capture_output=True, text=True, timeout=90, check=False,
            env={"PATH": f"{PREFIX}/bin:{PREFIX}/sbin:{os.environ['PATH']}", "HOME": "/root", "TMPDIR": "/run",
                 "ETCD_UNSUPPORTED_ARCH": "arm64"})
        if check:
            self.test.assertEqual(done.returncode, 0,
                                  f"{self.name}: {words}: {done.stdout}{done.stderr}{self.logs()}")
        return done

    def is_green(self):
        return self.run("approvalctl", "status", check=False).returncode == 0

    def is_paired(self):
        said = self.run("approvalctl", "doctor", check=False).stdout
        return "every answer is on both hosts" in said and "other host: connected" in said

    def logs(self):
        text = ""
        folder = os.path.join(self.root, "lib")
        for name in sorted(os.listdir(folder)):
            if name.endswith(".log"):
                with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as log:
                    text += f"\n--- {self.name} {name}\n" + "".join(log.readlines()[-15:])
        return text


class Asker(threading.Thread):
    """A client that asks at the virtual address, over a new connection each time, and repeats nothing."""

    EVERY_S = 0.05

    def __init__(self, place, token):
        super().__init__()
        self.place, self.token = place, token
        self.done = threading.Event()
        self.answered, self.failed = 0, []

    def ask(self, number):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # whose changes meanwhile
        connection = self.place.connection(VIP, PORT)
        try:
            connection.connect()
            connection.sock = context.wrap_socket(connection.sock)
            connection.request("POST", "/v1/requests", '{"policy": "kept", "title": "Rotation"}',
                               {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json",
                                "Idempotency-Key": f"rotation-{number}"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def run(self):
        number = 0
        while not self.done.wait(self.EVERY_S):
            number += 1
            try:
                status, body = self.ask(number)
            except (OSError, http.client.HTTPException) as problem:
                status, body = 0, repr(problem)
            self.answered += status == 201
            if status != 201:
                self.failed.append((number, status, body))

    def end(self):
        self.done.set()
        self.join(30)


@unittest.skipIf(missing() or shutil.which("nsenter") is None, str(missing() or "no nsenter"))
class LiveCase(unittest.TestCase):
    """A, B and the arbiter."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="live-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.net = netns.Net(ADDRESSES)
        self.addCleanup(self.net.close)  # ends what runs in it
        self.a, self.b, self.arbiter = (Machine(self, name) for name in ("A", "B", "arbiter"))

    def wait(self, predicate, what, seconds=60):
        try:
            return cluster.wait(predicate, what, seconds, 0.5)
        except cluster.NotInTime as problem:
            said = self.a.run("approvalctl", "status", check=False)
            self.fail(f"{problem}\n{said.stdout}{said.stderr}{self.a.logs()}{self.b.logs()}"
                      f"{self.arbiter.logs()}")

    def installed(self):
        """As apt leaves them: a single host each."""
        for host in (self.a, self.b):
            host.run("systemctl", "restart", "approvald-supervisor.service")
            self.wait(lambda h=host: h.run("approvalctl", "policy", "list", check=False).returncode == 0,
                      f"{host.name} serves alone")

    def tokens(self, text):
        return re.findall(TOKEN, text, re.M)

    def listens(self):
        with self.net["B"].socket(timeout=1) as sock:
            return sock.connect_ex((ADDRESSES["A"], 8472)) == 0

    def paired(self):
        """The commands of docs/pair.md."""
        said = self.a.run("approvalctl", "pair", "init", "--peer", ADDRESSES["B"], "--vip",
                          f"{VIP}/24", "--arbiter", ADDRESSES["arbiter"]).stdout
        arbiter, host = self.tokens(said)
        self.wait(self.listens, "A listens")
        self.arbiter.run("approvald-arbiter", "join", stdin=arbiter + "\n")
        self.b.run("approvalctl", "pair", "join", stdin=host + "\n")
        for machine in (self.a, self.b):
            self.wait(lambda m=machine: m.is_green() and m.is_paired(), f"{machine.name} is green")


class Live(LiveCase):
    """The life of a pair."""

    def test_two_commands_and_a_line_make_a_pair_that_is_green(self):
        self.installed()
        began = time.monotonic()
        self.paired()
        self.assertLess(time.monotonic() - began, 60)
        self.keys_are_closed()
        self.rotate()
        self.a.run("approvalctl", "switchover")
        self.wait(self.b.is_green, "B leads")
        self.assertIn("0 certificates renewed", self.b.run("approvalctl", "pair", "renew").stdout)

    def test_what_is_renewed_is_in_use_or_it_is_said(self):
        self.installed()
        self.paired()
        typo = f"{ETC}/approvald/approvald.conf.d/99-typo.conf"
        self.a.run("sh", "-c", f"echo 'nonsense = 1' >{typo}; rm {ETC}/approvald/pair/service.crt")
        for _ in range(2):  # the second one renews nothing, and what is in use is as old as before
            done = self.a.run("approvalctl", "pair", "renew", check=False)
            self.assertEqual(done.returncode, 115, done.stdout + done.stderr)
            self.assertIn("refused to reload", done.stderr)
        self.a.run("rm", typo)
        self.a.run("approvalctl", "pair", "renew")
        serial = "openssl x509 -noout -serial"
        served = self.a.run("sh", "-c", f"openssl s_client -connect {VIP}:8443 </dev/null 2>&1 | {serial}")
        self.assertEqual(served.stdout, self.a.run(
            "sh", "-c", f"{serial} -in {ETC}/approvald/pair/service.crt").stdout)

    def test_who_leaves_goes_on_alone_with_everything(self):
        self.test_two_commands_and_a_line_make_a_pair_that_is_green()
        path = os.path.join(self.b.root, "lib", "policy.conf")
        cluster.write(path, 'policy kept { title = "Kept" channel = "C0APV00001" '
                            'approvers = {"U0APR00001"} quorum = 1 }\n')
        self.b.run("approvalctl", "policy", "apply", "/var/lib/policy.conf")
        said = self.b.run("approvalctl", "pair", "leave", "--confirm", "leave the pair").stdout
        self.assertIn("left the pair", said)
        self.wait(lambda: "kept" in self.b.run("approvalctl", "policy", "list", check=False).stdout,
                  "B serves alone, with what it had")
        self.assertFalse(self.b.is_paired())
        self.wait(lambda: "kept" in self.a.run("approvalctl", "policy", "list", check=False).stdout,
                  "A has taken over")
        self.b.run("approvalctl", "pair", "leave", "--confirm", "leave the pair")  # nothing is left
        host = self.tokens(self.a.run("approvalctl", "pair", "token", "host").stdout)[0]
        self.wait(self.listens, "A listens")
        self.b.run("approvalctl", "pair", "join", stdin=host + "\n")  # and it may come back
        self.wait(lambda: self.a.is_green() and self.a.is_paired(), "A is green again")

    def test_whose_services_did_not_start_repeats_it(self):
        """All three have what they need by then, and their tokens have served."""
        self.installed()
        said = self.a.run("approvalctl", "pair", "init", "--peer", ADDRESSES["B"], "--vip",
                          f"{VIP}/24", "--arbiter", ADDRESSES["arbiter"]).stdout
        arbiter, host = self.tokens(said)
        self.wait(self.listens, "A listens")
        for machine in (self.a, self.b, self.arbiter):
            machine.run("touch", "/run/no-enable")
        for machine, token, words in ((self.arbiter, arbiter, ("approvald-arbiter", "join")),
                                      (self.b, host, ("approvalctl", "pair", "join"))):
            for _ in range(2):
                done = machine.run(*words, stdin=token + "\n", check=False)
                self.assertIn("systemctl enable", done.stderr)
            machine.run("rm", "/run/no-enable")
            self.assertIn("joined", machine.run(*words, stdin=token + "\n").stdout)
        self.wait(lambda: "approvald-supervisor.service failed" in self.a.logs(), "A could not start either")
        self.a.run("rm", "/run/no-enable")
        self.a.run("systemctl", "restart", "approvald-pair.service")  # as Restart=on-failure does
        for machine in (self.a, self.b):
            self.wait(lambda m=machine: m.is_green() and m.is_paired(), f"{machine.name} is green")

    @unittest.skipUnless(os.path.exists("/usr/sbin/keepalived"), "keepalived is elsewhere")
    def test_without_keepalived_it_is_said_before_anything_is_done(self):
        self.installed()
        words = ("approvalctl", "pair", "init", "--peer", ADDRESSES["B"], "--vip", f"{VIP}/24",
                 "--arbiter", "manual")
        for host in (self.a, self.b):
            host.run("mount", "--bind", "/dev/null", "/usr/sbin/keepalived")
        self.assertIn("not installed", self.a.run(*words, check=False).stderr)
        self.a.run("umount", "/usr/sbin/keepalived")
        token = self.tokens(self.a.run(*words).stdout)[0]
        self.wait(self.listens, "A listens")
        said = self.b.run("approvalctl", "pair", "join", stdin=token + "\n", check=False)
        self.assertIn("not installed", said.stderr)
        self.b.run("approvalctl", "policy", "list")  # B goes on as it was
        self.b.run("umount", "/usr/sbin/keepalived")
        self.b.run("approvalctl", "pair", "join", stdin=token + "\n")  # the same token
        self.wait(lambda: self.a.is_green() and self.a.is_paired(), "A is green")

    def keys_are_closed(self):
        folder = f"{ETC}/approvald/pair"
        said = self.a.run("stat", "-c", "%n %a %G", *(f"{folder}/{name}.key" for name in (
            "link", "service", "arbiter", "enrol", "link-ca", "arbiter-ca"))).stdout
        self.assertEqual([line.split()[1:] for line in said.splitlines()],
                         [["640", "approvald"]] * 2 + [["640", "approvald-supervisor"]] + [["600", "root"]] * 3)

    def rotate(self):
        """Every authority and certificate, and nobody who asks meanwhile notices."""
        path = os.path.join(self.a.root, "lib", "policy.conf")
        cluster.write(path, 'policy kept { title = "Kept" approvers = {"U0APR00001"} }\n')
        self.a.run("approvalctl", "policy", "apply", "/var/lib/policy.conf")
        said = self.a.run("approvalctl", "token", "add", "asker", "--ask", "--rate", "6000").stdout
        asker = Asker(self.net["arbiter"], re.search(r"apv_\S+", said).group(0))
        asker.start()
        try:
            self.rotate_all()
        finally:
            asker.end()
        self.assertEqual(asker.failed, [])
        self.assertGreater(asker.answered, 5)  # a busy machine answers in half a second

    def rotate_all(self):
        host, arbiter = self.tokens(self.a.run("approvalctl", "pair", "rotate").stdout)
        self.wait(self.listens, "A listens")
        self.b.run("approvalctl", "pair", "join", stdin=host + "\n")
        self.arbiter.run("approvald-arbiter", "join", stdin=arbiter + "\n")
        self.wait(lambda: "rotated" in self.a.logs(), "A has rotated")
        self.b.run("approvalctl", "pair", "rotate", "--end")
        self.wait(self.a.is_green, "A is green")
        self.wait(self.b.is_green, "B is green")


if __name__ == "__main__":
    unittest.main()
