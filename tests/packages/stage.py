# SPDX-License-Identifier: Apache-2.0
"""stage.py: what every case of the packages stands on: the packages, the source for apt, the hosts.

Owns the folder of one run, its network and its machines. The packages come from make deb, a lower
version of the same from earlier(). Never looks at what a case proves.
"""

import collections
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, ".."), os.path.join(HERE, "..", "cluster")]
import machine  # noqa: E402  the path is set above
import netns  # noqa: E402
from lib import harness  # noqa: E402
from probe import request_bytes  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("APPROVALD_BUILD", os.path.join(ROOT, "build", "gcc")))
ADDRESSES = {"A": "10.78.0.1", "B": "10.78.0.2", "arbiter": "10.78.0.3", "client": "10.78.0.4"}
VIP, PORT = "10.78.0.100", 8080
EVERY_S = 0.02  # between two requests of the load
BUNDLE, EARLIER = "/srv/approvald-bundle", "/srv/earlier"
TOKENS = "/srv/tokens"  # in a container


def run_long(*command):
    """A command that may take minutes; what it says is shown when it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.returncode}:\n{done.stdout[-3000:]}")


def earlier(debs, folder):
    """The package approvald again, under a lower version: for upgrades and downgrades. Programs are
    the same, which a rebuild with another changelog would give too (make deb is reproducible)."""
    os.makedirs(folder)
    for name in sorted(os.listdir(debs)):
        if not name.startswith("approvald") or "dbgsym" in name or not name.endswith(".deb"):
            continue
        tree = os.path.join(folder, "tree")
        netns.run("dpkg-deb", "--raw-extract", os.path.join(debs, name), tree)
        control = os.path.join(tree, "DEBIAN", "control")
        with open(control, encoding="utf-8") as handle:
            text = handle.read()
        version = next(line.split()[1] for line in text.split("\n") if line.startswith("Version:"))
        with open(control, "w", encoding="utf-8") as handle:
            handle.write(text.replace(f"Version: {version}\n", f"Version: {version}~earlier\n"))
        run_long("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree,
                 os.path.join(folder, name.split("_")[0] + ".deb"))
        shutil.rmtree(tree)


class Stage:
    """Folders, network, machines. Hosts are booted when a case asks for them."""

    def __init__(self, suite, debs=None, addresses=None):
        self.suite, self.begin = suite, time.monotonic()
        self.cache = os.path.join(BUILD, "packages")
        os.makedirs(self.cache, exist_ok=True)
        self.debs = debs or os.path.join(BUILD, "deb")
        self.dir = tempfile.mkdtemp(prefix="apvp-")
        self.machines, self.processes = {}, []
        self.net = netns.Net(addresses or ADDRESSES)

    def say(self, what):
        """How far a case is, for whoever waits."""
        print(f"     {time.monotonic() - self.begin:6.1f} s {what}", flush=True)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def prepare(self):
        """The root, the bundle and the earlier packages; what is there already is used."""
        self.root = machine.image(self.cache, self.suite)
        bundle = os.path.join(self.cache, f"approvald-bundle-{self.suite}.tar")
        newest = max(os.path.getmtime(os.path.join(self.debs, n)) for n in os.listdir(self.debs))
        if not os.path.exists(bundle) or os.path.getmtime(bundle) < newest:
            run_long(os.path.join(ROOT, "packaging", "offline-bundle"), self.debs, bundle,
                     self.suite)
        run_long("tar", "-C", self.dir, "-xf", bundle)
        earlier(self.debs, self.path("earlier"))

    def machine(self, name):
        """The booted host of that name."""
        if name not in self.machines:
            binds = {self.path("approvald-bundle"): BUNDLE, self.path("earlier"): EARLIER}
            made = machine.Machine(self.root, self.net[name], self.path("machines"), binds)
            self.machines[name] = made
            made.boot()
            made.run(BUNDLE + "/setup")
        return self.machines[name]

    def forget(self):
        """The hosts as a failed case left them are nobody's to stand on: who comes next gets others."""
        try:
            with contextlib.ExitStack() as left:
                for one in self.machines.values():
                    left.callback(one.close)
        finally:
            self.machines = {}
            if os.path.isdir(self.path("machines")):
                os.rename(self.path("machines"), self.path(f"machines-{time.monotonic_ns()}"))

    def load(self, address, token, every=EVERY_S):
        """Requests over a new connection every few milliseconds until end_load."""
        number = len(self.processes)
        spec = {"vip": address, "port": PORT, "requester": harness.RITA, "token": token,
                "seed": f"load-{number}", "every": every, "timeout": 20,
                "history": self.path(f"load-{number}.jsonl")}
        place = self.path(f"load-{number}.json")
        with open(place, "w", encoding="utf-8") as out:
            json.dump(spec, out)
        probe = os.path.join(HERE, "..", "cluster", "probe.py")
        process = subprocess.Popen(self.net["client"].command(sys.executable, probe, place),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.history, process.spec = spec["history"], place
        self.processes.append(process)
        process.stdout.readline()
        machine.wait(lambda: os.path.exists(process.history), "the load runs")
        return process

    def again(self, spec, number):
        """The status of a request of a load, repeated with its key."""
        conn = self.net["client"].connection(spec["vip"], spec["port"])
        try:
            head, _, body = request_bytes(spec, number).partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")[1:]
            conn.request("POST", "/v1/requests", body, dict(line.split(": ", 1) for line in lines))
            return conn.getresponse().status
        finally:
            conn.close()

    def report(self):
        """What a failed case leaves behind: each host's view, and the end of its journal."""
        for name, one in self.machines.items():
            if one.process is None:
                continue
            print(f"---- {name}", flush=True)
            self.report_of(one)

    def report_of(self, one):
        for command in ("approvalctl status", "approvalctl doctor", "systemctl --failed",
                        "journalctl --no-pager -n 30 -p info"):
            print(one.run("sh", "-c", f"{command} 2>&1 || :", check=None)[-4000:], flush=True)

    def close(self, keep=False):
        """Everything is tried, whatever went wrong before it; in the end that is raised."""
        with contextlib.ExitStack() as left:  # the last one first
            if not keep:
                left.callback(shutil.rmtree, self.dir, ignore_errors=True)
            for process in self.processes:
                left.callback(process.stdout.close)
                left.callback(process.wait, 30)
            left.callback(self.net.close)
            for one in self.machines.values():
                left.callback(one.close)
            for process in self.processes:
                with contextlib.suppress(OSError):
                    process.stdin.close()


class Load:
    """What a load has seen, over at least MORE requests after what was done to the service."""

    MORE = 25
    STALL_MS = 200  # pair.silence is 300 ms, and VRRP's is not longer
    TAKEOVER_S = 3.0  # after that, of a host that was taken for lost; on shared cores

    def __init__(self, stage, process):
        until = self._count(process) + self.MORE
        machine.wait(lambda: self._count(process) >= until, "the load goes on", 60)
        process.stdin.close()
        process.wait(60)
        with open(process.history, encoding="utf-8") as lines:
            self.lines = [json.loads(line) for line in lines]
        with open(process.spec, encoding="utf-8") as spec:
            self.spec = json.load(spec)
        self.stage = stage
        self.failed = [line for line in self.lines if line["status"] not in (200, 201)]
        self.stalls = self._stalls()
        self.unexcused = [line for line in self.failed if not self._is_excused(line)]

    @staticmethod
    def _count(process):
        with open(process.history, "rb") as lines:
            return lines.read().count(b"\n")

    def gap_ms(self):
        """The longest time in which no request was answered."""
        ends = sorted(line["end"] for line in self.lines if line["status"] in (200, 201))
        return 1000 * max((b - a for a, b in zip(ends, ends[1:])), default=0)

    def told(self):
        why = collections.Counter(str(line["status"] or line["problem"]) for line in self.failed)
        named = ", ".join(f"{count} {word}" for word, count in sorted(why.items()))
        return (f"{len(self.lines)} requests, {len(self.failed)} to be repeated"
                f"{f' ({named})' if named else ''}, longest gap {self.gap_ms():.0f} ms")

    def _stalls(self):
        """[(begin, end)] in which the load itself did not run: the machine had no time for us."""
        begins = sorted(line["begin"] for line in self.lines)
        longest = self.spec["every"] + self.STALL_MS / 1000
        return [(a, b) for a, b in zip(begins, begins[1:]) if b - a >= longest]

    def _is_excused(self, line):
        """It was under way while the machine stood still, or until a takeover because of that is over."""
        return any(line["begin"] <= end + self.TAKEOVER_S and line["end"] >= begin
                   for begin, end in self.stalls)

    def stood_still(self, since=0.0):
        return any(end >= since for _, end in self.stalls)

    @classmethod
    def summary(cls, loads):
        """Of many; each of them must be whole, and one at least without an excuse."""
        failed = sum(len(load.unexcused) for load in loads)
        excused = [load for load in loads if load.failed and not load.unexcused]
        told = (f"{len(loads)} loads, {sum(len(load.lines) for load in loads)} requests, {failed} to "
                f"be repeated, longest gap {max(load.gap_ms() for load in loads):.0f} ms; {len(excused)} "
                f"excused: the machine stood still for {cls.STALL_MS} ms or more")
        assert not failed, told
        assert len(excused) < len(loads), f"nothing is shown: {told}"
        for load in excused:
            load.must_be_repeatable(unavailable=True)
        return told

    def must_be_whole(self):
        """Every request got its answer the first time it was said. Only what failed while the machine
        stood still for so long that a host takes the other one for lost must but be repeatable."""
        assert not self.unexcused, f"{self.told()}: {self.unexcused[:5]}"
        if not self.failed:
            return self.told()
        longest = max(end - begin for begin, end in self.stalls)
        return (f"{self.must_be_repeatable(unavailable=True)}; the machine stood still for "
                f"{1000 * longest:.0f} ms")

    def must_be_repeatable(self, refused=True, unavailable=False):
        """Each request that got no answer gets one when it is said again with its key. refused: a
        connection may be refused (at a host that has just handed over); unavailable: 503 is no
        wrong answer either (nobody leads yet)."""
        wrong = [line for line in self.failed
                 if (line["status"] and not (unavailable and line["status"] == 503))
                 or not (line["sent"] or refused)]
        assert not wrong, f"{self.told()}: {wrong[:5]}"
        for line in self.failed:
            status = self.stage.again(self.spec, line["n"])
            assert status in (200, 201), f"request {line['n']} repeated: {status}"
        return f"{self.told()}, 0 failed"
