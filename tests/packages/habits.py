# SPDX-License-Identifier: Apache-2.0
"""habits.py: what a pair from packages does where nobody looks: memory, crashes, broken settings, and
what a host tells who helps.

Owns the order of the cases on A, B and the arbiter, and Slack's stand-in. Never looks at a process but
through /proc, and never into a store.
"""

import os
import re
import time

import resident
import support
from broken import Broken
from machine import wait
from netns import run
from pair import HOSTS, UNIT, Pair, other
from slackside import SlackSide

IDLE_S = 60  # after which an idle pair is as it stays
RESIDENT_KIB_MAX = 30 * 1024  # of supervisor and approvald together, what both map counted once
PRIVATE_KIB_MAX = 12 * 1024  # what neither shares with anybody
STATES = {"approvald": "/var/lib/approvald", "approvald-supervisor": "/var/lib/approvald-supervisor"}
LOOPS = {"approvald": "app_run", "approvald-supervisor": "sup_run"}  # where a program is that waits
SIGSEGV, CAP_SYS_RESOURCE, MEMLOCK = 11, 24, "Max locked memory"


class Habits(Broken):
    """The cases, in their order."""

    # -- cases -------------------------------------------------------------------------------------

    def uses_slack(self):
        """both hosts get Slack, over sockets of their own, and the primary uses it"""
        slack = SlackSide(self.stage)
        first = self.primary()
        for name in HOSTS:
            slack.configure(self[name])
        for name in (other(first), first):
            self.restart(name)
            # Green only when both have the same secrets.
            wait(self.in_step, "both have every answer", 60)
        self.wait_green()
        wait(lambda: slack.is_live(self[self.primary()]), "Slack is used", 60)

    def is_small(self):
        """an idle pair with Slack: what its processes have in memory, after a minute"""
        time.sleep(IDLE_S)
        told = []
        for name in HOSTS:
            host = self[name]
            pids = {program: resident.pid_of(host, program) for program in resident.PROGRAMS}
            memory = {program: resident.Memory(host, pid) for program, pid in pids.items()}
            sums = {what: sum(getattr(one, what) for one in memory.values()) for what in ("rss", "pss", "private")}
            once = resident.together_kib(host, pids.values())
            role = "primary" if name == self.primary() else "standby"
            told.append(f"{role}: together {once / 1024:.1f} MiB (sums: RSS {sums['rss'] / 1024:.1f}, PSS "
                        f"{sums['pss'] / 1024:.1f}, private {sums['private'] / 1024:.1f}): "
                        + "; ".join(f"{program} {one.told()}" for program, one in memory.items()))
            if once > RESIDENT_KIB_MAX or sums["private"] > PRIVATE_KIB_MAX:
                for pid in pids.values():
                    print("\n".join(str(part) for part in resident.parts(host, pid)), flush=True)
                raise AssertionError(told)
        return "; ".join(told)

    def keeps_secrets_in_memory(self):
        """the supervisor's memory is locked and approvald's is not; no core of either can be had"""
        told = [word for word in [self.let_lock()] if word]
        for name in HOSTS:
            host = self[name]
            for program in resident.PROGRAMS:
                pid = resident.pid_of(host, program)
                locked = int(resident.status(host, pid)["VmLck"][0])
                assert locked > 1000 if program == "approvald-supervisor" else locked == 0, (name, program, locked)
                assert resident.limit(host, pid, "Max core file size") == ("0", "0"), (name, program)
                assert not resident.may_be_looked_into(host, pid), (name, program)
                told.append(f"{program} {locked} KiB")
            assert resident.limit(host, pid, MEMLOCK) == ("0", "0"), name
            said = host.run("journalctl", "--boot", f"_PID={resident.pid_of(host, 'approvald-supervisor')}")
            assert "memory is not locked" not in said, said
        self.must_see_who_may()
        return ", ".join(told)

    def let_lock(self):
        """LimitMEMLOCK= of the unit works where systemd may raise a limit, as on every real host. In a
        container that may not the capability stands for it: the unit's filter and bounds are its own."""
        [capabilities] = resident.status(self["A"], 1)["CapEff"]
        if int(capabilities, 16) >> CAP_SYS_RESOURCE & 1 or resident.limit(self["A"], 1, MEMLOCK)[1] == "unlimited":
            return None
        for name in HOSTS:
            self[name].write(f"/etc/systemd/system/{UNIT}.d/lock.conf",
                             "[Service]\nCapabilityBoundingSet=CAP_IPC_LOCK\n"
                             + ("" if self.is_roots(name) else "AmbientCapabilities=CAP_IPC_LOCK\n"))
            self[name].run("systemctl", "daemon-reload")
        self.restart_both()
        return "no limit may be raised here: by CAP_IPC_LOCK"

    def is_roots(self, name):
        return self[name].run("systemctl", "show", "-P", "User", UNIT).strip() in ("", "root")

    def must_see_who_may(self):
        """A process of the same user and group that does nothing about it could be looked into."""
        host = self["A"]
        for user in ("root", "approvald"):
            host.run("systemd-run", "--quiet", f"--unit=trial-{user}", "--property=Group=approvald",
                     f"--property=User={user}", "--property=CapabilityBoundingSet=CAP_KILL", "sleep", "600")
            pid = int(host.run("systemctl", "show", "-P", "MainPID", f"trial-{user}").strip())
            wait(lambda pid=pid: "sleep" in host.run("cat", f"/proc/{pid}/comm"), "it runs")
            assert resident.may_be_looked_into(host, pid), user
            host.run("systemctl", "stop", f"trial-{user}")

    def tells_of_crashes(self):
        """a fault ends approvald, then the supervisor: a report with our functions stays of each, everybody
        tells, and the tally outlives restart, reboot and power-off"""
        name = self.hurt = self.primary()
        host = self[name]
        starts, reports = self.told(name)[1]["child"]["starts"], self.counts(name, "crash_report")
        told = [self.crash(name, "approvald")]
        wait(lambda: self.told(name)[1]["child"]["starts"] > starts, "approvald is there again")
        self.wait_green()
        own, supervisor = self.told(name)
        assert (own["crash"]["reports"], own["crash"]["signal"]) == (1, "SIGSEGV"), own["crash"]
        assert own["crash"]["at"].startswith("approvald+0x"), own["crash"]
        assert supervisor["child"]["crash_count"] == 1, supervisor["child"]
        [entry] = supervisor["child"]["crashes"]
        assert (entry["cause"], entry["status"], entry["counts"]) == ("signal", SIGSEGV, True), entry
        assert "crashed   " in host.run("approvalctl", "status"), "status says nothing"
        assert re.search(r"^warn  approvald crashed \d+ s ago \(SIGSEGV at approvald\+0x\S+\): its report is crash-",
                         self.doctor(name), re.M), self.doctor(name)
        event = self.wait_event(name, "crash_report", "app", reports["app"])
        assert event["PRIORITY"] == "3" and own["crash"]["last"] in event["MESSAGE"], event

        told.append(self.crash(name, "approvald-supervisor"))
        self.wait_green()
        self.must_remember(name, "crashed", supervisors=1)
        assert "warn  the supervisor crashed" in self.doctor(name), self.doctor(name)
        self.restart(name)
        self.wait_green()
        self.must_remember(name, "stopped", supervisors=1)
        host.reboot()
        self.wait_green()
        self.must_remember(name, "stopped", supervisors=1)
        host.power_off()
        host.boot()
        self.wait_green()
        self.must_remember(name, "host went down", supervisors=1)
        return "; ".join(told)

    def crash(self, name, program):
        """SIGSEGV, with the limit raised as root could: a report is left and no core; what it says."""
        host = self[name]
        pid = resident.pid_of(host, program)
        host.run("prlimit", f"--pid={pid}", "--core=unlimited", check=None)  # where root may
        before = {path for path in host.run("find", STATES[program]).split("\n") if "/crash" in path}
        host.run("sh", "-c", f"kill -SEGV {pid}")
        path = wait(lambda: self.new_report(host, program, before), f"{program} has left a report", 60)
        text = host.run("cat", path)
        assert host.run("stat", "-c", "%a", path).strip() == "600", path
        assert text.startswith(f"crash-report 1\nprogram {program} ") and text.endswith("end\n"), text
        for line in ("\nsignal SIGSEGV\n", f"\nframe {program}+0x", "\nuptime-ms ", "\nrole ", "\nbefore "):
            assert line in text, (line, text)
        cores = host.run("find", "/", "-xdev", "-type", "f", "(", "-name", "core", "-o", "-name", "core.*", ")")
        assert not [path for path in cores.split() if host.run("head", "-c4", path) == "\x7fELF"], cores
        names = self.functions(program, text)
        assert LOOPS[program] in names, (names, text)
        return f"{program}: {' < '.join(names[:4])}"

    @staticmethod
    def new_report(host, program, before):
        found = {path for path in host.run("find", STATES[program]).split("\n")
                 if re.search(r"/crash-\d+$", path)} - before
        return found.pop() if found else None

    def functions(self, program, report):
        """The functions of its frames, by the debug symbols' package and the guide's command."""
        folder = self.stage.path("symbols")
        if not os.path.isdir(folder):
            [deb] = [name for name in os.listdir(self.stage.debs) if name.startswith("approvald-dbgsym_")]
            run("dpkg-deb", "--extract", os.path.join(self.stage.debs, deb), folder)
        build = re.search(r"^build-id ([0-9a-f]+)$", report, re.M).group(1)
        symbols = os.path.join(folder, f"usr/lib/debug/.build-id/{build[:2]}/{build[2:]}.debug")
        places = re.findall(rf"^(?:at|frame) {program}\+(0x[0-9a-f]+)$", report, re.M)
        return run("addr2line", "-f", "-e", symbols, *places).splitlines()[::2]

    def must_remember(self, name, before, supervisors):
        own, supervisor = self.told(name)
        assert own["crash"]["reports"] == 1, own["crash"]
        assert supervisor["crash"]["reports"] == supervisors, supervisor["crash"]
        assert supervisor["child"]["crash_count"] == 1, supervisor["child"]
        assert supervisor["watchdog"]["before"] == before, supervisor["watchdog"]

    def tells_who_helps(self):
        """doctor --bundle: what helps is in it, of the secrets of this host nothing in any spelling"""
        self.lead(self.hurt)
        return support.must_tell(self[self.hurt], self.joins)

    def purges(self):
        """and purged, it leaves nothing of all this"""
        for name in HOSTS:
            self[name].run("rm", "-rf", f"/etc/systemd/system/{UNIT}.d")
            self[name].run("systemctl", "daemon-reload")
            SlackSide.unconfigure(self[name])
        return super().purges()

    CASES = (Pair.is_set_up, uses_slack, is_small, keeps_secrets_in_memory, tells_of_crashes, tells_who_helps,
             *Broken.CASES, purges)
