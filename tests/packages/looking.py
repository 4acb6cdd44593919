# SPDX-License-Identifier: Apache-2.0
"""looking.py: a pair from packages, and what its hosts say of themselves.

Owns the questions. Never has a case of its own.
"""

import json
import re

from pair import HOSTS, LISTEN, METRICS, UNIT, Pair, other
from single import green


class Looking(Pair):
    """What cases ask."""

    def install(self, name):
        host = self[name]
        host.apt("install", "approvald")
        host.write("/etc/approvald/approvald.conf.d/60-listen.conf", LISTEN)
        host.run("systemctl", "restart", UNIT)
        green(host)

    def told(self, name):
        """(approvald's status, the supervisor's) of a host."""
        lines = self[name].run("approvalctl", "status", "--json", check=None).strip().split("\n")
        return json.loads(lines[0]), json.loads(lines[-1])

    def status(self, name):
        """(exit code, what it says) of approvalctl status."""
        said = self[name].run("sh", "-c", "approvalctl status; echo $?").strip()
        text, _, code = said.rpartition("\n")
        return int(code), text

    def doctor(self, name):
        return self[name].run("approvalctl", "doctor", check=None)

    def events(self, name, event, **fields):
        """The journal's entries of that event since the host was switched on, the last one last."""
        said = self[name].run("journalctl", "--boot", "--output=json", f"APPROVALD_EVENT={event}",
                              *(f"{key}={value}" for key, value in fields.items()))
        return [json.loads(line) for line in said.split("\n") if line]

    def metric(self, name, which):
        said = self[name].run("bash", "-c", METRICS, check=None)
        return re.findall(rf"^{which} (\S+)$", said, re.M)

    def in_step(self):
        """Both hosts have every answer, say both supervisors: whatever else is wrong with one."""
        return all(self.is_in_step(self.told(name)[1]) for name in HOSTS)

    @staticmethod
    def is_in_step(supervisor):
        link, register = supervisor.get("link") or {}, supervisor.get("register") or {}
        return bool(link.get("up") and link.get("in_sync")) and len(register.get("isr", ())) == len(HOSTS)

    def restart(self, name):
        self[name].run("systemctl", "restart", UNIT)

    def restart_both(self):
        """First the standby, so that somebody serves."""
        first = self.primary()
        for name in (other(first), first):
            self.restart(name)
            self.wait_green()

