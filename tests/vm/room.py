# SPDX-License-Identifier: Apache-2.0
"""room.py: two virtual machines, an arbiter and a client on one bridge, and the machines' power switch.

Owns what stage.py owns, the machines, and the clients whose history is checked. The arbiter is a
container: nothing here hurts it. Never looks at what a case proves.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading

import guest
import image
import machine
from agent import NoAgent
from lib import harness
from stage import ADDRESSES, BUNDLE, HERE as PACKAGES, PORT, VIP, Stage

HOSTS = {"A": 1, "B": 2}
SWITCH, SWITCH_PORT = "10.78.0.5", 7000  # the monitor of host n listens at port 7000 + n
FENCE_AGENT = "/usr/sbin/fence_qmp"
NO_ANSWER = (NoAgent, AssertionError, RuntimeError)  # of a machine that is asked what it has to say
WEIGHTS = {"create": 5, "read": 4, "decide": 6, "claim": 4, "consume": 3, "cancel": 1}  # Slack is away


class Room(Stage):
    """Folders, network, machines."""

    def __init__(self, suite, limit_s, debs=None):
        super().__init__(suite, debs, {name: ADDRESSES[name] for name in ("arbiter", "client")})
        self.limit_s = limit_s
        self.alarm = threading.Timer(limit_s, self.out_of_time)
        self.alarm.daemon = True
        self.alarm.start()
        self.net.answer(SWITCH)

    def out_of_time(self):
        """Nobody waits any more."""
        print(f"FAIL not done after {self.limit_s} s", flush=True)
        os.kill(os.getpid(), signal.SIGTERM)

    def prepare(self):
        super().prepare()
        self.vm_root = image.root(self.cache, self.suite)
        self.boot_files = image.boot_files(self.vm_root)
        extra = {BUNDLE: self.path("approvald-bundle"),
                 FENCE_AGENT: os.path.join(os.path.dirname(__file__), "fence_qmp.py")}
        os.makedirs(self.path("vm", "installed"))
        self.below = image.installed(self.vm_root, self.path("vm", "installed"), extra, ("approvald",))
        self.kind = guest.accelerator(self.boot_files, self.dir)
        self.say(f"machines run by {self.kind}")

    def machine(self, name):
        """The host of that name; a virtual one is not booted yet."""
        if name not in HOSTS:
            return super().machine(name)
        if name not in self.machines:
            work = self.path("vm", name)
            os.makedirs(work)
            disk = image.disk(self.below, work, name, ADDRESSES[name])
            member = self.net.add_machine(name, ADDRESSES[name])
            switch = (SWITCH, SWITCH_PORT + HOSTS[name])
            self.machines[name] = guest.Guest(member, HOSTS[name], self.kind, self.boot_files, disk,
                                              switch)
        return self.machines[name]

    def clients(self, secrets, count, pause_s):
        """Several clients at once, until end_clients."""
        number = len(self.processes)
        spec = {"vip": VIP, "port": PORT, "requester": harness.RITA, "seed": f"clients-{number}",
                "clients": count, "pause": pause_s, "weights": WEIGHTS, "patience": 120,
                "history": self.path(f"clients-{number}.jsonl"), **secrets}
        place = self.path(f"clients-{number}.json")
        with open(os.open(place, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as out:
            json.dump(spec, out)
        program = os.path.join(PACKAGES, "..", "cluster", "client.py")
        process = subprocess.Popen(self.net["client"].command(sys.executable, program, place),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.history = spec["history"]
        self.processes.append(process)
        process.stdout.readline()
        return process

    @staticmethod
    def end_clients(process):
        """The lines of their history."""
        process.stdin.close()
        process.wait(180)
        with open(process.history, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    def report(self):
        """What each host says, as far as it says anything."""
        for name in HOSTS:
            if name in self.machines:
                print(f"---- console of {name}\n{self.machines[name].tail()}", flush=True)
        super().report()

    def report_of(self, one):
        with contextlib.suppress(*NO_ANSWER):
            super().report_of(one)

    def keep_logs(self, folder):
        """Of a run that failed: all that was said, without the disks."""
        self.alarm.cancel()  # this has limits of its own
        os.makedirs(folder, exist_ok=True)
        for name in HOSTS:
            one = self.machines.get(name)
            if one is None:
                continue
            one.agent.close()  # out of time it may have been in the middle of an answer
            for log in ("console.log", "qemu.log"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copy(os.path.join(one.dir, log), os.path.join(folder, f"{name}-{log}"))
            with open(os.path.join(folder, f"{name}-journal.log"), "w", encoding="utf-8") as out, \
                    contextlib.suppress(*NO_ANSWER):
                out.write(one.run("journalctl", "--no-pager", "-o", "short-monotonic", "-n", "4000",
                                  check=None))

    def close(self, keep=False):
        self.alarm.cancel()
        super().close(keep)
