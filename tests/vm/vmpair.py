# SPDX-License-Identifier: Apache-2.0
"""vmpair.py: what only a machine with its own kernel, disk and watchdog can show.

Owns the order of the cases on A, B and the arbiter. In each, clients work through the virtual
address while a machine is hurt; then both are in step again, and everything that the clients were
told has to be so, on either host. Never hurts the arbiter.
"""

import json
import os
import sys
import time

import checker
from guest import NoAgent
from lib import harness
from machine import wait
from pair import HOSTS, LISTEN, UNIT, Pair, other
from single import green, succeeds, tokens
from stage import HERE as PACKAGES, PORT, TOKENS, VIP, Load

sys.path.insert(0, os.path.join(PACKAGES, "..", "docs"))
import pages  # noqa: E402  the path is set above

GUIDE, CHAPTER = "docs/admin.md", "Hardware watchdog"
DROP_IN = "/etc/systemd/system/approvald-supervisor.service.d/emulated.conf"
GREEN_S = 300
AUDIT_PAGE = 100


def count(lines):
    """Of a history: how much clients were told."""
    kinds = {(line["source"], line["op"]): line["kind"] for line in lines if line["e"] == "invoke"}
    told = [kinds[line["source"], line["op"]] for line in lines if line["e"] == "ok"]
    return f"{len(told)} answers, {told.count('decide')} decisions among them"


class Pace:
    """What is asked of machines. An emulated one on shared cores stands still now and then, for tenths
    of a second and, where others work, for seconds; the times that are shipped take that for the loss
    of a host, or for a process that hangs: it gets longer ones."""

    def __init__(self, emulated):
        self.watchdog_s = 45.0 if emulated else 15.0  # watchdog.timeout and its default
        self.takeover_s = 15.0 if emulated else 3.0  # design, section 8: less than a second; shared cores
        self.slack_s = 15.0 if emulated else 3.0  # until a command that hurts is carried out
        self.every_s = 0.5 if emulated else 0.1
        self.clients, self.pause_s = (2, 0.5) if emulated else (3, 0.1)
        self.conf = EMULATED if emulated else ""


EMULATED = """watchdog {
    timeout = "45s"
}
pair {
    ping = "200ms"
    silence = "2s"
    bias = "1s"
    evict = "6s"
    start_wait = "8s"
    handover = "20s"
}
child {
    checkin = "10s"
}
"""
EMULATED_UNIT = "[Service]\nWatchdogSec=30s\n"


class VmPair(Pair):
    """The cases, in their order."""

    def __init__(self, stage):
        super().__init__(stage)
        self.pace = Pace(stage.kind == "tcg")
        self.history, self.secrets = [], {}

    # -- the way in --------------------------------------------------------------------------------

    def install(self, name):
        host = self[name]
        host.write("/etc/approvald/approvald.conf.d/60-listen.conf", LISTEN)
        if self.pace.conf:
            host.write("/etc/approvald/supervisor.conf.d/60-emulated.conf", self.pace.conf)
            host.write(DROP_IN, EMULATED_UNIT)
        [block] = [b for b in pages.blocks(GUIDE) if b.heading == CHAPTER]
        host.run("bash", "-euc", block.text)
        green(host, GREEN_S)

    def first_line(self, name):
        try:
            return super().first_line(name)
        except NoAgent:
            return ""

    def wait_green(self, seconds=GREEN_S):
        for name in (*HOSTS, "A"):
            wait(lambda host=self[name]: self.is_green(host), f"{name}: status is green", seconds, 0.5)

    @staticmethod
    def is_green(host):
        try:
            return succeeds(host, "approvalctl", "status")
        except NoAgent:
            return False

    def supervisor(self, name):
        """What the supervisor of that host says of itself; approvald's line may stand before it."""
        said = self[name].run("approvalctl", "status", "--json", check=None)
        return json.loads(said.splitlines()[-1])

    # -- clients -----------------------------------------------------------------------------------

    def load(self):
        """Clients whose history is checked, and a probe that measures the pause."""
        self.running = self.stage.clients(self.secrets, self.pace.clients, self.pace.pause_s)
        return self.stage.load(VIP, self.secrets["token"], self.pace.every_s)

    def end(self, load, back=None, hurt=None, more_s=0.0):
        """Ends them: what they were told is so on the host that is back. hurt: before it was, from
        when on pauses count; more_s: for which one may be longer than a takeover."""
        probes = Load(self.stage, load)
        told = probes.must_be_repeatable(unavailable=True)
        lines = [{**line, "source": load.pid} for line in self.stage.end_clients(self.running)]
        self.history += lines
        self.let_lead(back or self.primary())
        self.must_be_so(lines)
        told = f"{told}; {count(lines)}, 0 lost"
        if hurt is not None:
            # Until a command that hurts has come through, probes are answered as before.
            last = max(line["end"] for line in probes.lines)
            pause = checker.longest_gap(probes.lines, hurt, last)
            limit = self.pace.takeover_s + more_s
            assert pause <= limit, f"nothing was answered for {pause:.1f} s (at most {limit}); {told}"
            told = f"longest pause {pause:.2f} s; {told}"
        return told

    def let_lead(self, name):
        if self.primary() != name:
            self[other(name)].run("approvalctl", "switchover")
            self.wait_green()
            assert self.primary() == name

    def must_be_so(self, lines):
        """What clients were told, asked of who leads."""
        wrong = checker.check_history(lines, self.finals(lines))
        assert not wrong, "\n".join(wrong[:5])

    def finals(self, lines):
        """{id: the request as the primary has it}, of all that a history names."""
        found = {}
        for request in sorted({line["request"] for line in lines if line.get("request")}):
            status, said = self.ask(f"/v1/requests/{request}")
            if status == 200:
                found[request] = {"state": said["state"], "use": said["use"], "result": said["result"],
                                  "users": [d["user"] for d in said["decisions"]]}
        return found

    def check_audit(self):
        """The whole audit log."""
        entries = []
        while True:
            status, page = self.ask(f"/v1/audit?from={len(entries) + 1}&limit={AUDIT_PAGE}")
            assert status == 200, page
            entries += page["entries"]
            if not page["entries"] or not page["next"]:
                return checker.check_audit(entries)

    def ask(self, path):
        """(status, answer) of a read through the virtual address; a few tries, as any client has."""
        headers = {"Authorization": "Bearer " + self.secrets["token"]}
        for left in range(4, -1, -1):
            conn = self.stage.net["client"].connection(VIP, PORT)
            try:
                conn.request("GET", path, headers=headers)
                response = conn.getresponse()
                status, body = response.status, response.read()
                if status not in (429, 503) or not left:
                    return status, json.loads(body)
            except OSError:
                if not left:
                    raise
            finally:
                conn.close()
            time.sleep(0.5)
        raise AssertionError("not reached")

    # -- cases -------------------------------------------------------------------------------------

    def boots(self):
        """two machines with the package boot"""
        for name in HOSTS:
            self[name].power_on()
        for name in HOSTS:
            self[name].wait_up()
        return f"by {self.stage.kind}"

    def is_set_up(self):
        """they and an arbiter become a pair, watchdogs armed, by the documented commands"""
        self["arbiter"].apt("install", "approvald-arbiter")
        for name in HOSTS:
            self.install(name)
        tokens(self["A"])
        for who, user in (("ben", harness.BEN),):
            self["A"].run("approvalctl", "token", "add", who, "--decide", "--read", "--user", user,
                          "--output", f"{TOKENS}/{who}")
        for name, who in (("token", "ci"), ("decider_" + harness.ANA, "ana"),
                          ("decider_" + harness.BEN, "ben")):
            self.secrets[name] = self["A"].run("cat", f"{TOKENS}/{who}").strip()
        begin = time.monotonic()
        self.join()
        self.wait_green()
        took = time.monotonic() - begin
        for name in HOSTS:
            watchdog = self.supervisor(name)["watchdog"]
            assert watchdog["armed"] and not watchdog["reset_before_boot"], watchdog
            assert watchdog["timeout_ms"] == self.pace.watchdog_s * 1000, watchdog
        return f"green {took:.1f} s after the first command"

    def is_reset(self, name, boot, begin):
        """Waits for the watchdog's deed and for the host's return; when it was done."""
        host = self[name]
        limit = self.pace.watchdog_s + self.pace.slack_s
        at = host.event("WATCHDOG", begin, limit + 5)
        assert at - begin <= limit, f"reset only after {at - begin:.1f} s"
        host.wait_up(boot)
        self.wait_green()
        watchdog = self.supervisor(name)["watchdog"]
        assert watchdog["before"] == "host went down", watchdog
        assert watchdog["reset_before_boot"] and watchdog["armed_before"], watchdog
        assert watchdog["armed"], watchdog
        return f"{name} reset after {at - begin:.1f} s"

    def ends_a_supervisor_that_stands_still(self):
        """a supervisor that is stopped: systemd ends it in time, nobody resets the host"""
        load = self.load()
        first = self.primary()
        host, begin = self[first], time.monotonic()
        boot, pid = host.boot_id(), self.pid(host)
        host.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", UNIT)
        wait(lambda: self.pid(host) not in (pid, "0"), "another supervisor runs", 120, 0.5)
        took = time.monotonic() - begin
        self.wait_green()
        host.monitor.listen(0.1)
        assert not [e for e in host.monitor.events if e["event"] == "WATCHDOG"], host.monitor.events
        assert host.boot_id() == boot
        return f"another one after {took:.1f} s; {self.end(load, first)}"

    @staticmethod
    def pid(host):
        return host.run("systemctl", "show", "-P", "MainPID", UNIT).strip()

    def resets_a_host_that_cannot_end_its_supervisor(self):
        """a supervisor that hangs and cannot be ended: the watchdog resets the host, status says so"""
        load = self.load()
        lost = self.primary()
        boot, begin = self[lost].boot_id(), time.monotonic()
        # As if all of its threads waited for a disk: no signal but the last one gets through.
        self[lost].run("sh", "-c", f"echo 1 >/sys/fs/cgroup/approvald.slice/{UNIT}/cgroup.freeze")
        wait(lambda: "PRIMARY" in self.first_line(other(lost)), f"{other(lost)} leads", 60)
        led = time.monotonic() - begin
        told = self.is_reset(lost, boot, begin)
        # Until then keepalived there, which is well, may have kept the address.
        told = f"{other(lost)} led after {led:.1f} s; {told}"
        return f"{told}; {self.end(load, lost, begin, self.pace.watchdog_s + self.pace.slack_s)}"

    def resets_a_host_whose_kernel_hangs(self):
        """a kernel that hangs, which no program can notice: the same"""
        load = self.load()
        lost = self.primary()
        boot, begin = self[lost].boot_id(), time.monotonic()
        self[lost].begin("sh", "-c", "echo c >/proc/sysrq-trigger")
        told = self.is_reset(lost, boot, begin)
        return f"{told}; {self.end(load, lost, begin)}"

    def loses_power(self):
        """power loss of the primary: the other leads; back again it has what was answered"""
        load = self.load()
        lost = self.primary()
        begin = time.monotonic()
        self[lost].power_off()
        wait(lambda: "PRIMARY" in self.first_line(other(lost)), f"{other(lost)} leads", 60)
        self[lost].boot()
        self.wait_green()
        watchdog = self.supervisor(lost)["watchdog"]
        assert watchdog["before"] == "host went down" and not watchdog["reset_before_boot"], watchdog
        return f"{lost} lost; {self.end(load, lost, begin)}"

    def loses_power_of_both(self):
        """power loss of both at once: back again they lead by themselves, nothing is lost"""
        load = self.load()
        first = self.primary()
        for name in (first, other(first)):
            self[name].power_off()
        for name in HOSTS:
            self[name].power_on()
        for name in HOSTS:
            self[name].wait_up()
        self.wait_green()
        return self.end(load)

    def has_everything(self):
        """all that clients have been told since the beginning is so, on either host, and once"""
        for name in (self.primary(), other(self.primary())):
            self.let_lead(name)
            self.must_be_so(self.history)
            wrong = self.check_audit()
            assert not wrong, wrong[:5]
        return f"{count(self.history)}, 0 lost"

    CASES = (boots, is_set_up, ends_a_supervisor_that_stands_still,
             resets_a_host_that_cannot_end_its_supervisor, resets_a_host_whose_kernel_hangs,
             loses_power, loses_power_of_both, has_everything)
