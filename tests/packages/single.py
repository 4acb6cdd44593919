# SPDX-License-Identifier: Apache-2.0
"""single.py: one host, as an administrator without the pair has it: from install to purge.

Owns the order of the cases on host A. Never speaks to the network but through that host's address.
"""

import json
import os
import re

from lib import harness
from machine import wait
from stage import ADDRESSES, BUNDLE, EARLIER, PORT, ROOT, TOKENS, Load

CONF = f'http {{\n    listen = {{"{ADDRESSES["A"]}:{PORT}"}}\n}}\n'
UNIT = "approvald-supervisor.service"
PROGRAM = "/usr/sbin/approvald-supervisor"
ELSEWHERE = "/run/elsewhere"
VIP_CONF = f"""vip {{
    address = "10.78.0.99/24"
    interface = "lo"
    router_id = 51
    unicast = false
    track_file = "{ELSEWHERE}/eligible"
}}
"""
CREDENTIALS = "/run/approvald-credentials"
EXPOSURE_MAX = 2.0  # docs/architecture.md says what for
# SETGID, SETUID, NET_BIND_SERVICE, NET_ADMIN: it starts approvald, binds ports, removes an address.
CAPABILITIES = 1 << 6 | 1 << 7 | 1 << 10 | 1 << 12
SLACK_CONF = "/etc/approvald/approvald.conf.d/40-slack.conf"
SLACK_MARK = "# Written by approvalctl slack setup"
MEMORY_KIB_MAX = 64 * 1024  # both, with the libraries' pages, which other programs share
# What a purge leaves, and why. The rest of the system has no trace of it.
LEFT = {
    "/etc/passwd": "the two users: their numbers must not come to mean somebody else",
    "/etc/group": "their groups",
    "/etc/shadow": "their lack of a password",
    "/etc/gshadow": "their groups'",
}
# apt's and dpkg's own books, caches and logs; systemd's, but for what it keeps of our units.
BOOKS = re.compile(r"/(var/(cache|lib/(apt|dpkg)|log)|tmp|var/tmp|root|srv)(/|$)"
                   r"|/var/lib/systemd(?!/.*approvald)(/|$)"
                   r"|/etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|/etc/ld\.so\.cache$"
                   r"|/etc/\.pwd\.lock$")
DIGESTS = "find /etc -xdev -type f -exec sha256sum {} +"


def files(host):
    """{path: digest, of /etc; else nothing} of all files, but for the books."""
    found = dict.fromkeys(host.run("find", "/", "-xdev").split("\n"), "")
    for line in host.run("sh", "-c", DIGESTS).split("\n"):
        digest, _, path = line.partition("  ")
        found[path] = digest
    return {path: digest for path, digest in found.items() if path and not BOOKS.match(path)}


def green(host, seconds=30):
    """approvalctl status ends with 0."""
    wait(lambda: succeeds(host, "approvalctl", "status"), f"{host.name}: status is green", seconds)


def succeeds(host, *words):
    return host.run("sh", "-c", '"$@" >/dev/null 2>&1; echo $?', "-", *words).strip() == "0"


def tokens(host):
    """A policy, and the tokens of who asks and of who decides."""
    host.run("approvalctl", "policy", "apply", "-", text=harness.POLICY)
    host.run("rm", "-rf", TOKENS)
    host.run("mkdir", "-p", TOKENS)
    host.run("approvalctl", "token", "add", "ci", "--ask", "--read", "--rate",
             "100000", "--output", TOKENS + "/ci")
    host.run("approvalctl", "token", "add", "ana", "--decide", "--read", "--user", harness.ANA,
             "--output", TOKENS + "/ana")


def as_who(host, who, address, *words, check=0):
    return host.run("approvalctl", *words, "--url", f"http://{address}:{PORT}", "--token-file",
                    f"{TOKENS}/{who}", check=check).strip()


def ask(host, address):
    return as_who(host, "ci", address, "request", "--policy", "prod-deploy", "--title", "Deploy",
                  "--requester", harness.RITA)


def state(host, address, request):
    said = as_who(host, "ci", address, "show", request, "--json")
    return json.loads(said)["state"]


def is_killed_for_good(host):
    """Kills the supervisor that runs now; true when systemd starts none any more."""
    if host.run("systemctl", "is-failed", UNIT, check=None).strip() == "failed":
        return True
    pid = host.run("systemctl", "show", "-P", "MainPID", UNIT).strip()
    if pid != "0":
        host.run("sh", "-c", f"kill -KILL {pid}", check=None)  # it may have ended already
    return False


class Single:
    """The cases, in their order."""

    def __init__(self, stage):
        self.stage = stage
        self.host = stage.machine("A")
        self.address = ADDRESSES["A"]
        self.request = None

    def installs_and_is_green(self):
        """installed by apt without network, it starts and its status is green"""
        host = self.host
        self.before = files(host)
        host.apt("install", f"{EARLIER}/approvald.deb")
        host.run("systemctl", "is-active", UNIT)
        host.write("/etc/approvald/approvald.conf.d/listen.conf", CONF)
        host.run("approvalctl", "config", "check")
        host.run("systemctl", "restart", UNIT)
        green(host)
        tokens(host)
        return host.run("sh", "-c", "dpkg-query -W -f '${Version}, ${Installed-Size} KiB' approvald")

    def approves(self):
        """a request is made, approved and claimed once, from the command line"""
        self.request = ask(self.host, self.address)
        as_who(self.host, "ana", self.address, "approve", self.request)
        as_who(self.host, "ci", self.address, "claim", self.request)
        as_who(self.host, "ci", self.address, "claim", self.request, check=118)
        return self.request

    def takes_credentials(self):
        """a secret that systemd has for the unit reaches approvald, which is another user"""
        host = self.host
        drop_in = "/etc/systemd/system/approvald-supervisor.service.d"
        conf = "/etc/approvald/approvald.conf.d/70-credential.conf"
        host.write("/srv/step-up", "0123456789abcdef0123456789abcdef\n", 0o600)
        host.write(f"{drop_in}/credential.conf", "[Service]\nLoadCredential=step-up:/srv/step-up\n")
        host.write(conf, 'step_up_key_file = "step-up"\n')
        host.run("systemctl", "daemon-reload")
        host.run("systemctl", "restart", UNIT)
        green(host)  # a last-known-good configuration would be an alarm
        said = host.run("stat", "-c", "%a %U %G", CREDENTIALS, f"{CREDENTIALS}/step-up").split("\n")
        assert said[:2] == ["750 root approvald", "640 root approvald"], said
        host.run("approvalctl", "config", "check")
        host.run("rm", conf, f"{drop_in}/credential.conf", "/srv/step-up")
        host.run("systemctl", "daemon-reload")
        host.run("systemctl", "restart", UNIT)
        green(host)
        host.run("test", "!", "-e", CREDENTIALS)

    def gives_up(self):
        """when systemd starts the supervisor no more, 0 stands in the track file, wherever that is"""
        host = self.host
        drop_in = "/etc/systemd/system/approvald-supervisor.service.d/elsewhere.conf"
        host.write("/etc/approvald/supervisor.conf.d/70-vip.conf", VIP_CONF)
        host.run("install", "-d", "-o", "approvald-supervisor", ELSEWHERE)
        host.write(drop_in, f"[Service]\nReadWritePaths={ELSEWHERE}\n")
        host.run("systemctl", "daemon-reload")
        host.run("systemctl", "restart", UNIT)
        said = lambda: host.run("cat", f"{ELSEWHERE}/eligible", check=None)  # noqa: E731
        wait(lambda: said() == "1\n", "it is eligible")
        host.write(drop_in, f"[Unit]\nStartLimitBurst=1\n[Service]\nReadWritePaths={ELSEWHERE}\n")
        host.run("systemctl", "daemon-reload")
        wait(lambda: is_killed_for_good(host), "systemd has given up")
        wait(lambda: said() == "0\n", "the address is given up")
        wait(lambda: "not started any more" in host.run("journalctl", "-p", "alert", "--no-pager"),
             "the journal has the alert")
        self.gives_up_without_its_program()
        host.run("rm", "-r", drop_in, ELSEWHERE, "/etc/approvald/supervisor.conf.d")
        host.run("systemctl", "daemon-reload")
        host.run("systemctl", "reset-failed", UNIT)
        host.run("systemctl", "start", UNIT)
        green(host)
        failed = host.run("systemctl", "--failed", "--no-legend", "--plain")
        assert not failed.strip(), failed

    def gives_up_without_its_program(self):
        """At the default place at least, where nothing but a shell is there."""
        host = self.host
        host.run("sh", "-c", "echo 1 >/run/approvald/vip-eligible")
        host.run("mv", PROGRAM, "/srv/program")
        host.run("systemctl", "start", "approvald-failed.service", check=None)
        host.run("mv", "/srv/program", PROGRAM)
        host.run("test", "!", "-e", "/run/approvald/vip-eligible")
        host.run("systemctl", "reset-failed", "approvald-failed.service")

    def pids(self, program):
        said = self.host.run("sh", "-c", f"grep -lx '{program[:15]}' /proc/[0-9]*/comm || :")
        return {int(path.split("/")[2]) for path in said.split()}

    def is_hardened(self):
        """exposure, users, capabilities, memory and the journal's fields are as they should be"""
        host = self.host
        said = host.run("systemd-analyze", "security", "--no-pager", UNIT).strip().split("\n")[-1]
        exposure = float(re.search(r": (\d+\.\d) ", said).group(1))
        assert exposure <= EXPOSURE_MAX, said
        self.must_be_users_of_their_own()
        memory = {name: self.memory_kib(name) for name in ("approvald", "approvald-supervisor")}
        assert sum(memory.values()) < MEMORY_KIB_MAX, memory
        self.must_be_bounded()
        entries = host.run("journalctl", "-o", "json", "APPROVALD_EVENT=started").strip()
        entry = json.loads(entries.split("\n")[0])
        assert (entry["APPROVALD_MODULE"], entry["_SYSTEMD_UNIT"]) == ("sup", UNIT), entry
        return f"exposure {exposure}; resident {memory}"

    def must_be_bounded(self):
        """The slice's limits are in force, not only in its file, and the service is in it."""
        with open(os.path.join(ROOT, "systemd", "approvald.slice"), encoding="utf-8") as unit:
            limits = dict(re.findall(r"^(MemoryHigh|MemoryMax)=(\d+[MG])$", unit.read(), re.M))
        assert len(limits) == 2, limits
        for name, text in limits.items():
            size = int(text[:-1]) << {"M": 20, "G": 30}[text[-1]]
            said = self.host.run("systemctl", "show", "-p", name, "--value", "approvald.slice").strip()
            assert said == str(size), (name, said)
        # What the kernel has, where this machine gives the controller to a container.
        said = self.host.run("sh", "-c", "cat /sys/fs/cgroup/approvald.slice/memory.max "
                             "/sys/fs/cgroup/memory/approvald.slice/memory.limit_in_bytes 2>/dev/null || :").strip()
        assert said in ("", str(int(limits["MemoryMax"][:-1]) << 30)), said
        where = self.host.run("systemctl", "show", "-p", "ControlGroup", "--value", UNIT).strip()
        assert where.startswith("/approvald.slice/"), where

    def must_be_users_of_their_own(self):
        """Neither is root, and approvald has nothing at all."""
        for program, capabilities in (("approvald-supervisor", CAPABILITIES), ("approvald", 0)):
            [pid] = self.pids(program)
            text = self.host.run("cat", f"/proc/{pid}/status")
            status = dict(line.split(":\t", 1) for line in text.split("\n") if ":\t" in line)
            user = self.host.run("id", "-u", program).strip()
            assert status["Uid"].split() == [user] * 4 and user != "0", status
            for name in ("CapPrm", "CapEff", "CapAmb"):
                assert int(status[name], 16) == capabilities, (program, name, status)
            assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status
        # Whatever systemd has done to the folder meanwhile.
        said = self.host.run("stat", "-c", "%U:%G %a", "/run/approvald/approvald.sock").strip()
        assert said == "approvald-supervisor:approvald 660", said
        groups = self.host.run("id", "-Gn", "approvald").split()
        assert groups == ["approvald"], groups  # the keys of the supervisor's are not its

    def memory_kib(self, program):
        """Private and shared pages that are there now."""
        [pid] = self.pids(program)
        text = self.host.run("cat", f"/proc/{pid}/status")
        return int(re.search(r"VmRSS:\s+(\d+) kB", text).group(1))

    def survives_kills(self):
        """kill -9 of approvald, and of the supervisor: nobody is refused, what was cut is answered again"""
        told = []
        for program in ("approvald", "approvald-supervisor"):
            load = self.load()
            before = self.pids(program)
            assert before, f"no {program}"
            for pid in before:
                self.host.run("sh", "-c", f"kill -KILL {pid}")
            wait(lambda old=before, name=program: self.pids(name) - old, f"{program} is back")
            green(self.host)
            told.append(f"{program}: {self.end(load).must_be_repeatable(refused=False)}")
        assert state(self.host, self.address, self.request) == "approved"
        return "; ".join(told)

    def load(self):
        token = self.host.run("cat", TOKENS + "/ci").strip()
        return self.stage.load(self.address, token)

    def end(self, load):
        return Load(self.stage, load)

    def upgrades(self):
        """upgraded by apt under load: no request fails"""
        load = self.load()
        self.host.apt("install", "approvald")
        green(self.host)
        self.must_be_users_of_their_own()
        return self.end(load).must_be_whole()

    def downgrades(self):
        """and back by one version in the same way; what was answered is there"""
        load = self.load()
        self.host.apt("install", "--allow-downgrades", f"{EARLIER}/approvald.deb")
        green(self.host)
        told = self.end(load).must_be_whole()
        assert state(self.host, self.address, self.request) == "approved"
        self.host.apt("install", "approvald")
        green(self.host)
        return told

    def comes_again(self):
        """removed, installed again, and reinstalled under load: what was stored is there"""
        host = self.host
        host.apt("remove", "approvald")
        left = host.run("systemctl", "list-units", "--no-legend", "--plain", "approvald*")
        assert not left.strip(), left
        host.apt("install", "approvald")
        green(host)
        assert state(host, self.address, self.request) == "approved"
        load = self.load()
        host.apt("install", "--reinstall", "approvald")
        green(host)
        self.must_be_users_of_their_own()
        return self.end(load).must_be_whole()

    def reboots(self):
        """after a reboot the request is there, and the service"""
        self.host.reboot()
        green(self.host)
        assert state(self.host, self.address, self.request) == "approved"

    def leaves_traces(self):
        """What a host has in use when it is purged: a backup, timers that have run, a waiting token."""
        host = self.host
        host.run("systemctl", "enable", "--now", "approvald-backup.timer", "approvald-fence.socket")
        host.run("systemctl", "start", "approvald-backup.service", "approvald-pair-renew.service")
        host.run("sh", "-c", "touch /var/lib/systemd/timers/stamp-approvald-backup.timer "
                 "/var/lib/systemd/timers/stamp-approvald-pair-renew.timer")
        host.write(SLACK_CONF, f'{SLACK_MARK}\nslack {{\n    team_id = "T0ACME0001"\n}}\n')
        host.run("approvalctl", "pair", "init", "--peer", ADDRESSES["B"], "--address", ADDRESSES["A"],
                 "--vip", "none", "--arbiter", "manual")
        host.run("systemctl", "is-active", "approvald-pair.service")

    def purges(self):
        """purged while everything of it is in use, it leaves nothing but the system users"""
        host = self.host
        host.run("rm", "/etc/approvald/approvald.conf.d/listen.conf")  # ours, not the package's
        host.run("rmdir", "/etc/approvald/approvald.conf.d")
        self.leaves_traces()
        host.apt("purge", "--autoremove", "approvald")
        units = host.run("systemctl", "list-units", "--no-legend", "--plain", "approvald*").strip()
        assert not units, units
        running = [pid for name in ("approvald", "approvald-supervisor", "approvalctl")
                   for pid in self.pids(name)]
        assert not running, running
        after = files(host)
        more = sorted(set(after) - set(self.before))
        less = sorted(set(self.before) - set(after))
        other = sorted(path for path in after if path in self.before and path not in LEFT
                       and after[path] != self.before[path])
        assert not (more or less or other), f"left: {more}; lost: {less}; changed: {other}"
        host.run("test", "!", "-e", "/run/approvald")
        assert "not-found" in host.run("systemctl", "show", "-P", "LoadState", UNIT)
        return f"{len(after)} files compared; left: {', '.join(LEFT)}"

    CASES = (installs_and_is_green, approves, is_hardened, takes_credentials, gives_up, survives_kills,
             upgrades, downgrades, comes_again, reboots, purges)
    SHORT = (installs_and_is_green, approves, is_hardened, takes_credentials, purges)
