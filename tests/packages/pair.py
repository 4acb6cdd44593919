# SPDX-License-Identifier: Apache-2.0
"""pair.py: two hosts and an arbiter from packages, joined by a bridge, configured by hand as
docs/pair.md says: real keepalived, real etcd, mutual TLS.

Owns the order of the cases on A, B and the arbiter. Never speaks to a host but over the bridge and
as root inside.
"""

import json
import os

from etcd import Authority
from machine import wait
from single import ask, as_who, green, state, succeeds, tokens
from stage import ADDRESSES, EARLIER, PORT, VIP, Load

HOSTS = ("A", "B")
CLUSTER_ID = "b88b" * 8
PLACE = "/etc/approvald/pair"
LINK, ETCD = 7400, 2379
UNIT = "approvald-supervisor.service"
LISTEN = f'http {{\n    listen = {{"{VIP}:{PORT}"}}\n}}\n'
# With these the cases of two busy cores are as those of a quiet host, only faster again in step.
PAIR_CONF = """\
pair {{
    host = {number}
    cluster_id = "{cluster}"
    {where}
    peer_name = "host{peer}"
    certificate = "{place}/host.pem"
    key = "{place}/host.key"
    ca = "{place}/pair-ca.pem"
    hold_down = 1s
}}
arbiter {{
    kind = etcd
    endpoints = {{"https://{arbiter}:{etcd}"}}
    certificate = "{place}/etcd.pem"
    key = "{place}/etcd.key"
    ca = "{place}/etcd-ca.pem"
}}
vip {{
    address = "{vip}/24"
    interface = "eth0"
    router_id = 78
    own_address = "{own}"
    peer_address = "{other}"
}}
"""
# Beside the etcd that etcd-server starts: another address for clients, another port for peers.
ETCD_CONF = """\
name: arbiter
data-dir: /var/lib/approvald-arbiter/etcd
listen-client-urls: https://{address}:{port}
advertise-client-urls: https://{address}:{port}
listen-peer-urls: http://127.0.0.1:2381
initial-advertise-peer-urls: http://127.0.0.1:2381
initial-cluster: arbiter=http://127.0.0.1:2381
enable-grpc-gateway: true
logger: zap
log-outputs: [stderr]
client-transport-security:
  cert-file: {place}/server.crt
  key-file: {place}/server.key
  trusted-ca-file: {place}/ca.crt
  client-cert-auth: true
"""
ARBITER_PLACE = "/etc/approvald-arbiter"
ARBITER_UNIT = "approvald-arbiter.service"


def other(name):
    return "B" if name == "A" else "A"


class Pair:
    """The cases, in their order."""

    def __init__(self, stage):
        self.stage = stage
        self.request = None
        os.makedirs(stage.path("ca"))
        self.etcd_ca = Authority(stage.path("ca"), "etcd-ca")
        self.pair_ca = Authority(stage.path("ca"), "pair-ca")

    def __getitem__(self, name):
        return self.stage.machine(name)

    # -- configuration -----------------------------------------------------------------------------

    def put(self, name, here, place, group):
        """A file for the program that runs as group."""
        host = self[name]
        with open(here, encoding="ascii") as handle:
            host.write(place, handle.read(), 0o640)
        host.run("chgrp", group, place)

    def set_up_arbiter(self):
        host = self["arbiter"]
        host.apt("install", "approvald-arbiter")
        assert "inactive" in host.run("systemctl", "is-active", ARBITER_UNIT, check=None)
        certificate, key = self.etcd_ca.leaf("arbiter", f"IP:{ADDRESSES['arbiter']}")
        for here, name in ((certificate, "server.crt"), (key, "server.key"),
                           (self.etcd_ca.ca, "ca.crt")):
            self.put("arbiter", here, f"{ARBITER_PLACE}/{name}", "approvald-arbiter")
        host.write(f"{ARBITER_PLACE}/etcd.yml", ETCD_CONF.format(
            address=ADDRESSES["arbiter"], port=ETCD, place=ARBITER_PLACE))
        host.run("systemctl", "start", ARBITER_UNIT)

    def set_up(self, name):
        host, number = self[name], 1 + HOSTS.index(name)
        host.apt("install", f"{EARLIER}/approvald.deb", "keepalived", "ca-certificates")
        # The package has begun as a single host, whose store is of no pair.
        host.run("systemctl", "stop", UNIT)
        host.run("find", "/var/lib/approvald", "-mindepth", "1", "-delete")
        pair = self.pair_ca.leaf(f"host{number}", f"DNS:host{number}")
        etcd = self.etcd_ca.leaf(f"client{number}", f"DNS:host{number}", subject="/O=approvald")
        for here, file in ((pair[0], "host.pem"), (pair[1], "host.key"),
                           (self.pair_ca.ca, "pair-ca.pem"), (etcd[0], "etcd.pem"),
                           (etcd[1], "etcd.key"), (self.etcd_ca.ca, "etcd-ca.pem")):
            self.put(name, here, f"{PLACE}/{file}", "approvald")
        where = (f'listen = "{ADDRESSES["A"]}:{LINK}"' if number == 1
                 else f'peer = "{ADDRESSES["A"]}:{LINK}"')
        host.write("/etc/approvald/supervisor.conf.d/pair.conf", PAIR_CONF.format(
            number=number, peer=3 - number, where=where, cluster=CLUSTER_ID, place=PLACE,
            arbiter=ADDRESSES["arbiter"], etcd=ETCD, vip=VIP, own=ADDRESSES[name],
            other=ADDRESSES[other(name)]))
        host.write("/etc/approvald/approvald.conf.d/listen.conf", LISTEN)
        host.run("approvald-supervisor", "--check-config")
        host.write("/etc/keepalived/keepalived.conf", host.run("approvalctl", "keepalived-config"))
        host.run("systemctl", "restart", UNIT, "keepalived")

    # -- looking -----------------------------------------------------------------------------------

    def primary(self):
        """The name of the host that serves."""
        def find():
            return [name for name in HOSTS if self[name].process is not None
                    and "PRIMARY" in self.first_line(name)]
        return wait(find, "somebody is primary", 60)[0]

    def first_line(self, name):
        return self[name].run("approvalctl", "status", check=None).split("\n")[0].upper()

    def wait_green(self, seconds=90):
        """Both hosts are in step and nobody raises an alarm."""
        for name in HOSTS:
            green(self[name], seconds)

    def load(self):
        primary = self[self.tokens_at]
        return self.stage.load(VIP, primary.run("cat", "/root/tokens/ci").strip())

    def end(self, load):
        return Load(self.stage, load)

    # -- cases -------------------------------------------------------------------------------------

    def is_set_up(self):
        """two hosts and an arbiter become a pair; both are green"""
        self.set_up_arbiter()
        for name in HOSTS:
            self.set_up(name)
        self.stage.say("installed, configured")
        wait(lambda: succeeds(self["A"], "approvalctl", "pair", "bootstrap"),
             "the register is made", 30, 0.5)
        self.stage.say("registered")
        self.wait_green()
        self.tokens_at = self.primary()
        tokens(self[self.tokens_at])
        self["B"].run("mkdir", "-p", "/root/tokens")
        for who in ("ci", "ana"):  # whichever host is there asks
            self["B"].write(f"/root/tokens/{who}", self["A"].run("cat", f"/root/tokens/{who}"),
                            0o600)

    def approves(self):
        """an approval through the virtual address"""
        self.request = ask(self["A"], VIP)
        as_who(self["B"], "ana", VIP, "approve", self.request)
        assert state(self["A"], VIP, self.request) == "approved"

    def upgrades(self):
        """standby upgraded, switchover, the other upgraded, under load: no request fails"""
        load = self.load()
        first = self.primary()
        for name in (other(first), first):
            self[name].apt("install", "approvald")
            self.wait_green()
            if name != first:
                self[first].run("approvalctl", "switchover")
                self.wait_green()
        assert self.primary() == other(first)
        return self.end(load).must_be_repeatable()

    def downgrades(self):
        """and back by one version in the same way: no request fails"""
        load = self.load()
        first = self.primary()
        for name in (other(first), first):
            self[name].apt("install", "--allow-downgrades", f"{EARLIER}/approvald.deb")
            self.wait_green()
            if name != first:
                self[first].run("approvalctl", "switchover")
                self.wait_green()
        return self.end(load).must_be_repeatable()

    def reboots(self):
        """each of the three rebooted in turn: what was cut is answered again"""
        load = self.load()
        first = self.primary()
        for name in ("arbiter", other(first), first):
            self[name].reboot()
            self.wait_green()
        assert state(self["A"], VIP, self.request) == "approved"
        return self.end(load).must_be_repeatable(unavailable=True)

    def loses_the_primary(self):
        """power-off of the primary: the other answers, and knows what was answered"""
        load = self.load()
        lost = self.primary()
        self[lost].power_off()
        left = other(lost)
        wait(lambda: "PRIMARY" in self.first_line(left), f"{left} leads", 30)
        assert state(self[left], VIP, self.request) == "approved"
        as_who(self[left], "ci", VIP, "claim", self.request)
        told = self.end(load).must_be_repeatable(unavailable=True)
        self[lost].boot()
        self.wait_green()
        said = json.loads(as_who(self[lost], "ci", VIP, "show", self.request, "--json"))
        assert said["use"] == "claimed", said
        return told

    def gives_up(self):
        """a supervisor that systemd starts no more gives up the address, and says so"""
        first = self.primary()
        host = self[first]
        limit = "/etc/systemd/system/approvald-supervisor.service.d/limit.conf"
        host.write(limit, "[Unit]\nStartLimitBurst=1\n")
        host.run("systemctl", "daemon-reload")
        load = self.load()
        pid = host.run("systemctl", "show", "-P", "MainPID", UNIT).strip()
        host.run("sh", "-c", f"kill -KILL {pid}")
        wait(lambda: "failed" in host.run("systemctl", "is-failed", UNIT, check=None),
             "systemd has given up")
        wait(lambda: host.run("cat", "/run/approvald/vip-eligible") == "0\n", "the address is given up")
        wait(lambda: "PRIMARY" in self.first_line(other(first)), "the other host leads")
        wait(lambda: "not started any more" in host.run("journalctl", "-p", "alert", "--no-pager"),
             "the journal has the alert")
        told = self.end(load).must_be_repeatable(unavailable=True)
        host.run("rm", limit)
        host.run("systemctl", "daemon-reload")
        host.run("systemctl", "reset-failed", UNIT)
        host.run("systemctl", "start", UNIT)
        self.wait_green()
        return told

    def purges(self):
        """purged on both, nothing of it stays but what the administrator wrote"""
        for name in HOSTS:
            host = self[name]
            host.run("rm", "-r", PLACE, "/etc/approvald/supervisor.conf.d",
                     "/etc/approvald/approvald.conf.d")
            host.apt("purge", "approvald")
            host.run("test", "!", "-e", "/etc/approvald", "-a", "!", "-e", "/var/lib/approvald")
        host = self["arbiter"]
        said = host.run("systemd-analyze", "security", "--no-pager", ARBITER_UNIT)
        host.apt("purge", "approvald-arbiter")
        host.run("test", "!", "-e", ARBITER_PLACE, "-a", "!", "-e", "/var/lib/approvald-arbiter")
        return "the arbiter's unit: " + said.strip().split("\n")[-1]

    CASES = (is_set_up, approves, upgrades, downgrades, reboots, loses_the_primary, gives_up,
             purges)
