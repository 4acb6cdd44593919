# SPDX-License-Identifier: Apache-2.0
"""fenced.py: two hosts from packages without a third one, each of which can have the other switched
off: the two commands of admin.md, the helper's unit as systemd starts it, a power switch that really
ends a machine.

Owns the switch, an outlet for each host, and the fence agent in their /usr/sbin that asks it. Never
switches a machine on by itself.
"""

import json

from lib import talk
from machine import wait
from pair import HOSTS, UNIT, Pair, other
from single import green
from stage import ADDRESSES, VIP

AGENT = """#!/bin/bash
# Says all that it was told to the switch, whose answer is the exit code.
exec 3<>/dev/tcp/{address}/{port} || exit 1
cat >&3
echo end >&3
read -r -t 20 code <&3 || exit 1
exit "$code"
"""
PORT = 7410
SECRET = "s3cret of the switch"
FENCED_S = 60  # fence.wait and fence.delay are 10 s
SOCKET = "approvald-fence.socket"


class Switch:
    """Answers agents as they end: 0 on or done, 2 off, 1 nothing to do with it."""

    def __init__(self, stage, power_off):
        self.power_off = power_off
        self.outlets = dict.fromkeys(HOSTS, True)
        self.asked = []
        self.server = stage.net["client"].socket()
        self.server.bind((ADDRESSES["client"], PORT))
        self.server.listen(8)
        talk.accept_each(self.server, self._serve)

    def _serve(self, connection):
        said = b""
        with connection:
            while not said.endswith(b"\nend\n"):
                piece = connection.recv(4096)
                if not piece:
                    return  # an agent that was killed
                said += piece
            told = dict(line.split("=", 1) for line in said.decode().split("\n") if "=" in line)
            connection.sendall(f"{self._do(told)}\n".encode())

    def _do(self, told):
        if told.get("password") != SECRET or told.get("plug") not in self.outlets:
            return 1
        name, action = told["plug"], told["action"]
        self.asked.append((name, action))
        if action == "off":
            self.outlets[name] = False
            self.power_off(name)
            return 0
        return 0 if self.outlets[name] else 2

    def close(self):
        self.server.close()


class Fenced(Pair):
    """The cases, in their order."""

    def __init__(self, stage):
        super().__init__(stage)
        self.switch = Switch(stage, lambda name: self[name].power_off())

    def init(self, secret):
        return self["A"].run(
            "approvalctl", "pair", "init", "--json", "--peer", ADDRESSES["B"], "--vip", f"{VIP}/24",
            "--arbiter", "fence", "--fence", "agent=fence_fake", "--fence-1", "plug=A", "--fence-2",
            "plug=B", "--fence-secret", "password", text=secret + "\n", check=None)

    def becomes_a_pair(self):
        """two hosts and their power switch become a pair by two commands; a wrong password makes none"""
        for name in HOSTS:
            self[name].write("/usr/sbin/fence_fake",
                             AGENT.format(address=ADDRESSES["client"], port=PORT), 0o755)
            self[name].apt("install", "approvald")
            green(self[name])
        assert "token" not in self.init("another one")
        left = self["A"].run("sh", "-c", f"ls -d /etc/approvald/fence /etc/approvald/pair; systemctl is-active {SOCKET}",
                             check=None)  # fmt: skip
        assert left == "inactive\n", left
        told = [json.loads(line) for line in self.init(SECRET).split("\n") if line.startswith("{")]
        [token] = [line["token"] for line in told if "token" in line]
        self["B"].run("approvalctl", "pair", "join", text=token + "\n")
        self.wait_green()
        for name in HOSTS:
            wait(lambda n=name: self.believes(n), f"{name} believes its device", 90)
            host = self[name]
            assert host.run("systemctl", "is-enabled", SOCKET) == "enabled\n"
            modes = host.run("stat", "-c", "%a %U", "/etc/approvald/fence", "/etc/approvald/fence/peer",
                             "/etc/approvald/pair/fence-own")
            assert modes == "700 root\n600 root\n600 root\n", modes
            assert SECRET not in host.run("journalctl", "--no-pager", "--output=json")
        assert {action for _, action in self.switch.asked} == {"status"}, self.switch.asked

    def believes(self, name):
        said = self[name].run("approvalctl", "doctor", check=None)
        return "fence: peer said" in said and "is on\n" in said and "FAIL" not in said

    def switches_off_what_is_cut_off(self):
        """a primary whose cable is pulled is switched off, and the other host leads"""
        lost = self.primary()
        left = other(lost)
        self.stage.net.unplug(lost)
        wait(lambda: "PRIMARY" in self.first_line(left), f"{left} leads", FENCED_S)
        assert self[lost].process is None and not self.switch.outlets[lost], "it is still on"
        assert self.switch.outlets[left]
        self.stage.net.plug(lost)
        self.switch.outlets[lost] = True  # somebody has looked at it
        self[lost].boot()
        self.wait_green()

    def leaves(self):
        """who leaves is not switched off for it, and takes the secrets away; purged nothing stays"""
        first = self.primary()
        gone = other(first)
        before = self.switch.asked.count((gone, "off"))
        said = self[gone].run("approvalctl", "pair", "leave", "--confirm", "leave the pair")
        assert "approvalctl peer-off" in said, said
        self[first].run("approvalctl", "peer-off", "--confirm", "the other host is off")
        green(self[gone])
        wait(lambda: "PRIMARY" in self.first_line(first), f"{first} goes on", 30)
        self[first].run("approvalctl", "pair", "leave", "--confirm", "leave the pair")
        green(self[first])
        for name in HOSTS:
            host = self[name]
            assert host.run("systemctl", "is-enabled", SOCKET, check=None) == "disabled\n"
            assert not host.run("sh", "-c", f"grep -rl '{SECRET}' /etc || :")
            host.apt("purge", "approvald")
            stays = host.run("sh", "-c", "ls -d /etc/approvald* /var/lib/approvald* || :", check=None)
            assert not stays, stays
        assert self.switch.asked.count((gone, "off")) == before
        self.switch.close()

    CASES = (becomes_a_pair, switches_off_what_is_cut_off, leaves)
