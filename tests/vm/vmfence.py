# SPDX-License-Identifier: Apache-2.0
"""vmfence.py: a pair without a third host, whose hosts switch each other off by a real power switch.

Owns the order of its cases. They stand on the pair of vmpair.py, whose machines, store and clients'
history go on. Never switches a machine off itself: that is what is to be seen.
"""

import json
import os
import time

import fence_qmp
from machine import wait
from pair import HOSTS, UNIT, other
from room import SWITCH, SWITCH_PORT
from stage import ADDRESSES, VIP
from vmpair import VmPair

CONF = "arbiter {\n    kind = fence\n}\nfence {\n    devices = {\"peer\"}\n}\n"
FENCED_S = 60  # fence.wait and fence.delay are 10 s, and an emulated machine runs Python
DEVICE_FILE = "/etc/approvald/fence/peer"


class VmFence(VmPair):
    """The cases, in their order; before is the VmPair that was here first."""

    def __init__(self, before):
        super().__init__(before.stage)
        self.history, self.secrets = before.history, before.secrets

    def device(self, name):
        """The file with the other host's outlet."""
        number = HOSTS.index(other(name)) + 1
        return f"agent=fence_qmp\nip={SWITCH}\nipport={SWITCH_PORT + number}\nplug={other(name)}\n"

    def join(self):
        said = self["A"].run("approvalctl", "pair", "init", "--json", "--peer", ADDRESSES["B"],
                             "--vip", f"{VIP}/24", "--arbiter", "manual")
        [token] = [told["token"] for told in map(json.loads, said.splitlines()) if "token" in told]
        self["B"].run("approvalctl", "pair", "join", text=token + "\n")

    def becomes_one_without_a_third(self):
        """the same hosts leave their pair and make one whose arbiter is a fence device for each"""
        first = self.primary()
        for name in (other(first), first):
            self[name].run("approvalctl", "pair", "leave", "--confirm", "leave the pair")
        self.join()
        self.wait_green()
        for name in (other(self.primary()), self.primary()):
            host = self[name]
            host.run("install", "-d", "-m", "0700", os.path.dirname(DEVICE_FILE))
            host.write(DEVICE_FILE, self.device(name), 0o600)
            host.write("/etc/approvald/supervisor.conf.d/60-fence.conf", CONF)
            host.run("systemctl", "enable", "--now", "approvald-fence.socket")
            host.run("systemctl", "restart", UNIT)
            self.wait_green()
        for name in HOSTS:
            said = self[name].run("approvalctl", "doctor", check=None)
            assert "fence" in said and "FAIL" not in said, said

    def switches_off_what_is_silent(self):
        """a primary that stands still is switched off, really, before the other leads"""
        load = self.load()
        lost = self.primary()
        left = other(lost)
        begin = time.monotonic()
        self[lost].monitor.execute("stop")  # nothing of it runs, and all of it could go on
        wait(lambda: self[lost].monitor.state() == fence_qmp.OFF, f"{lost} is off", FENCED_S)
        off = time.monotonic() - begin
        wait(lambda: "PRIMARY" in self.first_line(left), f"{left} leads", FENCED_S)
        assert self[lost].monitor.state() == fence_qmp.OFF, "it was switched on again by itself"
        took = time.monotonic() - begin
        self[lost].monitor.execute("cont")  # somebody has looked at it
        self[lost].wait_up()
        self.wait_green()
        return f"{lost} off after {off:.1f} s, {left} led after {took:.1f} s; {self.end(load)}"

    CASES = (becomes_one_without_a_third, switches_off_what_is_silent)
