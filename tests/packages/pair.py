# SPDX-License-Identifier: Apache-2.0
"""pair.py: two hosts and an arbiter from packages, joined by a bridge, made a pair by the commands of
docs/pair.md: real keepalived, real etcd, mutual TLS.

Owns the order of the cases on A, B and the arbiter. Never speaks to a host but over the bridge and
as root inside.
"""

import json
import re
import time

import restored
from machine import wait
from single import ask, as_who, green, is_killed_for_good, state, tokens
from stage import ADDRESSES, EARLIER, PORT, TOKENS, VIP, Load

HOSTS = ("A", "B")
UNIT = "approvald-supervisor.service"
ARBITER_UNIT = "approvald-arbiter.service"
KEY = "/etc/approvald/pair/arbiter.key"
METRICS = (r"exec 3<>/dev/tcp/127.0.0.1/9180; printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3; "
           "tr -d '\\r' <&3")
# The pair's own address has TLS; the load, which begins 50 connections a second, has none.
# Each name that is answered for is in the file before the next one is asked for.
WRITER = """
i=$(date +%s)000
while [ ! -e /srv/stop ]; do
    i=$((i+1))
    ! approvalctl token add t$i --read --output /srv/t$i || echo t$i >>/srv/answered
done
"""
LISTEN = f'http {{\n    listen = {{"{VIP}:{PORT}"}}\n}}\n'


def other(name):
    return "B" if name == "A" else "A"


class Pair:
    """The cases, in their order."""

    def __init__(self, stage, rounds=1):
        self.stage, self.rounds = stage, rounds
        self.request = None
        if rounds < 2:  # what does nothing does not pass
            self.CASES = tuple(case for case in self.CASES if case is not Pair.upgrades_again)

    def __getitem__(self, name):
        return self.stage.machine(name)

    def install(self, name):
        """The version before, so that there is something to upgrade to."""
        host = self[name]
        host.apt("install", f"{EARLIER}/approvald.deb")
        host.write("/etc/approvald/approvald.conf.d/60-listen.conf", LISTEN)
        host.run("systemctl", "restart", UNIT)
        green(host)

    def join(self):
        """The commands that an administrator types, in their order."""
        said = self["A"].run("approvalctl", "pair", "init", "--json", "--peer", ADDRESSES["B"],
                             "--vip", f"{VIP}/24", "--arbiter", ADDRESSES["arbiter"])
        told = [json.loads(line) for line in said.split("\n") if line.startswith("{")]
        joins = self.joins = {line["role"]: line["token"] for line in told if "token" in line}
        for name, words, role in (("arbiter", ("approvald-arbiter", "join"), "arbiter"),
                                  ("B", ("approvalctl", "pair", "join"), "host")):
            self[name].run(*words, text=joins[role] + "\n")

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
        for name in (*HOSTS, "A"):  # A is green on its own too, before it becomes one of two
            green(self[name], seconds)

    def lead(self, name):
        """That host is the primary."""
        if self.primary() != name:
            self[other(name)].run("approvalctl", "switchover")
            self.wait_green()
            assert self.primary() == name

    def load(self):
        return self.stage.load(VIP, self["A"].run("cat", f"{TOKENS}/ci").strip())

    def end(self, load):
        return Load(self.stage, load)

    # -- cases -------------------------------------------------------------------------------------

    def is_set_up(self):
        """a host with its store, another one and an arbiter become a pair by three commands"""
        self["arbiter"].apt("install", "approvald-arbiter")
        assert "inactive" in self["arbiter"].run("systemctl", "is-active", ARBITER_UNIT, check=None)
        for name in HOSTS:
            self.install(name)
        tokens(self["A"])
        begin = time.monotonic()
        self.join()
        self.wait_green()
        took = time.monotonic() - begin
        assert self.primary() == "A"
        self["B"].run("mkdir", "-p", TOKENS)
        for who in ("ci", "ana"):  # whichever host is there asks
            self["B"].write(f"{TOKENS}/{who}", self["A"].run("cat", f"{TOKENS}/{who}"),
                            0o600)
        self.must_renew()
        self.must_know_ends()
        for name in HOSTS:
            self.must_be_the_supervisors(name)
        return f"green {took:.1f} s after the first command"

    def must_know_ends(self):
        """Each host's metrics say when each certificate ends."""
        for name in HOSTS:
            said = self[name].run("bash", "-c", METRICS)
            ends = {of: float(value) for of, value in re.findall(
                r'^approvald_certificate_not_after_seconds\{of="([a-z-]+)"\} (\S+)$', said, re.M)}
            assert len(ends) == 6 and min(ends.values()) > time.time() + 300 * 86400, (name, ends)

    def must_renew(self):
        """The timer that renews certificates runs, and what it starts finds nothing to do yet."""
        for name in HOSTS:
            for word in ("is-enabled", "is-active"):
                self[name].run("systemctl", word, "approvald-pair-renew.timer")
            self[name].run("systemctl", "start", "approvald-pair-renew.service")
            said = self[name].run("journalctl", "-u", "approvald-pair-renew.service", "-o", "cat")
            assert "0 certificates renewed" in said, (name, said)

    def approves(self):
        """an approval through the virtual address"""
        self.request = ask(self["A"], VIP)
        as_who(self["B"], "ana", VIP, "approve", self.request)
        assert state(self["A"], VIP, self.request) == "approved"

    def as_before(self, name):
        """The key for the arbiter, as the versions left it whose supervisor was root."""
        self[name].run("chown", "root:root", KEY)
        self[name].run("chmod", "0600", KEY)

    def renews(self):
        """a certificate that is gone is made anew by the timer's unit, and is in use when that ends"""
        for name in HOSTS:
            self[name].run("rm", "/etc/approvald/pair/service.crt")
            self[name].run("systemctl", "start", "approvald-pair-renew.service")
        self.wait_green()

    def must_be_the_supervisors(self, name):
        """The key for the arbiter is read by the supervisor's user, and by approvald's never."""
        said = self[name].run("stat", "-c", "%U:%G %a", KEY).strip()
        assert said == "root:approvald-supervisor 640", (name, said)
        self[name].run("setpriv", "--reuid=approvald", "--regid=approvald", "--init-groups",
                       "cat", KEY, check=1)

    def renew(self, *words):
        """The standby gets another version, switchover, the other one too; what a load saw."""
        load = self.load()
        first, switched = self.primary(), None
        for name in (other(first), first):
            self.as_before(name)
            self[name].apt("install", *words)
            self.must_be_the_supervisors(name)
            self.wait_green()
            if name != first:
                switched = time.monotonic()
                self[first].run("approvalctl", "switchover")
                self.wait_green()
        seen = self.end(load)
        # Only a machine that stood still after that may have moved it again.
        assert seen.stood_still(switched) or self.primary() == other(first)
        return seen

    def upgrades(self):
        """standby upgraded, switchover, the other upgraded, under load: no request fails"""
        return self.renew("approvald").must_be_whole()

    def downgrades(self):
        """and back by one version in the same way: no request fails"""
        return self.renew("--allow-downgrades", f"{EARLIER}/approvald.deb").must_be_whole()

    def upgrades_again(self):
        """and all that again, as often as was asked for"""
        seen = []
        for number in range(2, self.rounds + 1):
            for words in (("approvald",), ("--allow-downgrades", f"{EARLIER}/approvald.deb")):
                seen.append(self.renew(*words))
                self.stage.say(f"round {number}: {seen[-1].told()}")
        return Load.summary(seen)

    def reboots(self):
        """each of the three rebooted in turn: no request fails, and a primary hands over first"""
        told = []
        first = self.primary()
        for name, what in (("arbiter", "arbiter"), (other(first), "standby"), (first, "primary")):
            # Else the journal ends with the machine.
            self[name].run("mkdir", "-p", "/var/log/journal")
            self[name].run("journalctl", "--flush")
            self.lead(first)  # a machine that stood still may have moved it
            load = self.load()
            self[name].reboot()
            self.wait_green()
            told.append(f"{what}: {self.end(load).must_be_whole()}")
        self.must_have_left_in_order(first)
        assert state(self["A"], VIP, self.request) == "approved"
        return "; ".join(told)

    def must_have_left_in_order(self, name):
        """When the host went down keepalived carried the address until the handover was over."""
        said = self[name].run("journalctl", "--boot=-1", "--output=json")
        entries = [json.loads(line) for line in said.split("\n") if line]
        turns = [entry for entry in entries if entry.get("APPROVALD_EVENT") == "leaves"
                 or entry.get("APPROVALD_ROLE") == "handing over"]
        left = [int(entry["__MONOTONIC_TIMESTAMP"]) for entry in turns]
        stops = [int(entry["__MONOTONIC_TIMESTAMP"]) for entry in entries
                 if entry.get("UNIT") == "keepalived.service"
                 and entry["MESSAGE"].startswith("Stopping ")]
        # The last stop of this boot, which others came before: a standby leaves as well.
        last = [entry["APPROVALD_EVENT"] for entry in turns[-2:]]
        assert last == ["changed", "leaves"], f"{name} did not hand over as a primary that is stopped does"
        assert left[-1] < stops[-1], f"{name}: keepalived stopped {left[-1] - stops[-1]} us before"

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
        wait(lambda: is_killed_for_good(host), "systemd has given up")
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

    def leave(self, name):
        self[name].run("approvalctl", "pair", "leave", "--confirm", "leave the pair")
        green(self[name], 60)

    def leaves_and_pairs_again(self):
        """both leave, the last one while it is written to; all is there, and a pair again by the same commands"""
        lost = []
        for arbiter_leaves in (False, True):
            self.leave("B")
            host = self["A"]
            host.write("/srv/writer", WRITER)
            host.run("sh", "-c", "rm -f /srv/stop /srv/answered; sh /srv/writer >/dev/null 2>&1 &")
            wait(lambda h=host: h.run("sh", "-c", "cat /srv/answered || :").count("\n") > 20, "it writes")
            self.leave("A")
            answered = host.run("sh", "-c", "touch /srv/stop; cat /srv/answered").split()
            listed = host.run("approvalctl", "token", "list").split()
            lost += [name for name in answered if name not in listed]
            host.run("sh", "-c", "rm -f /srv/t[0-9]*")
            if arbiter_leaves:
                self["arbiter"].run("approvald-arbiter", "leave")
            self.join()
            self.wait_green()
            self.must_carry_the_address()
            assert state(host, VIP, self.request) == "approved"
        assert not lost, lost

    def must_carry_the_address(self):
        """Which leaving has switched off on each host."""
        for name in HOSTS:
            for word in ("is-enabled", "is-active"):
                self[name].run("systemctl", word, "keepalived.service")

    def comes_back(self):
        """a pair goes back to a backup as docs/admin.md says: what was decided before it is there, on both"""
        restored.comes_back(self, other)

    def purges(self):
        """purged, of a pair and after leaving it, nothing stays but what the administrator wrote"""
        for name in ("B", "A"):
            host = self[name]
            host.run("rm", "/etc/approvald/approvald.conf.d/60-listen.conf")
            if name == "B":
                self.leave(name)
            host.apt("purge", "approvald")
            left = host.run("sh", "-c", "ls -d /etc/approvald* /var/lib/approvald* /run/approvald* "
                            "/etc/keepalived/keepalived.conf /var/lib/systemd/timers/*approvald* || :",
                            check=None)
            assert not left, left
            units = host.run("systemctl", "list-units", "--no-legend", "--plain", "approvald*").strip()
            assert not units, units
        host = self["arbiter"]
        said = host.run("systemd-analyze", "security", "--no-pager", ARBITER_UNIT)
        host.apt("purge", "approvald-arbiter")
        host.run("test", "!", "-e", "/etc/approvald-arbiter", "-a", "!", "-e", "/var/lib/approvald-arbiter")
        return "the arbiter's unit: " + said.strip().split("\n")[-1]

    CASES = (is_set_up, approves, renews, upgrades, downgrades, upgrades_again, reboots, loses_the_primary,
             gives_up, leaves_and_pairs_again, comes_back, purges)
    SHORT = (is_set_up, approves, upgrades, reboots, loses_the_primary, purges)
