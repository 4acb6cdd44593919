# SPDX-License-Identifier: Apache-2.0
"""guest.py: a virtual machine with a hardware watchdog: the same calls as of a container (machine.py).

Owns the process of QEMU that it starts, in a network namespace of the test. Never shares anything of
a running machine with another one but the network.
"""

import contextlib
import os
import subprocess
import time

import fence_qmp
from agent import Agent, NoAgent
from machine import NotInTime, PATH, wait

MEMORY_MIB = 768
UP_S = 600.0        # emulated, on two shared cores; alone it takes a twentieth
KVM_TRIAL_S = 10.0  # a kernel that runs says so in less than two
ENVIRONMENT = [f"PATH={PATH}", "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]
# The kernel's own panic=0: after a crash it hangs, until somebody resets the machine.
KERNEL_LINE = ("root=/dev/vda rw console=ttyS0 quiet systemd.show_status=no net.ifnames=0 mitigations=off "
               "tsc=reliable no_timer_check nokaslr panic=0")
# Of what is emulated the processor is the simpler the better.
ACCELERATORS = {"kvm": ("pc,accel=kvm", "host"), "kvm, simple processor": ("pc,accel=kvm", "qemu64"),
                "tcg": ("pc,accel=tcg,hpet=off", "Nehalem")}


def base(kind, boot_files, line):
    """The words that every machine begins with."""
    machine, processor = ACCELERATORS[kind]
    return ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-machine",
            machine, "-cpu", processor, "-smp", "1", "-m", str(MEMORY_MIB), "-kernel", boot_files[0],
            "-initrd", boot_files[1], "-append", line]


def accelerator(boot_files, folder):
    """The first kind under which a kernel says its name: /dev/kvm may be there and not work."""
    for kind in ACCELERATORS:
        if kind == "tcg" or works(kind, boot_files, os.path.join(folder, "trial.log")):
            return kind
    raise AssertionError("the last one is not tried")


def works(kind, boot_files, log):
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    command = [*base(kind, boot_files, "console=ttyS0 earlyprintk=serial"), "-serial", f"file:{log}"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        return bool(wait(lambda: process.poll() is None and os.path.exists(log)
                         and says(log, b"Linux version"), "the kernel runs", KVM_TRIAL_S))
    except NotInTime:
        return False
    finally:
        process.kill()
        process.wait()


def says(path, what):
    with open(path, "rb") as log:
        return what in log.read()


class Guest:
    """One machine, of a disk that outlives it. switch: (address, port) of its power switch."""

    def __init__(self, member, number, kind, boot_files, disk, switch):
        self.member, self.number, self.kind = member, number, kind
        self.name, self.boot_files, self.disk, self.switch = member.name, boot_files, disk, switch
        self.dir = os.path.dirname(disk)
        self.log = os.path.join(self.dir, "console.log")
        self.process = self.monitor = None
        self.agent = Agent(os.path.join(self.dir, "agent"))

    def command(self):
        place = self.dir
        address, port = self.switch
        return [*base(self.kind, self.boot_files, KERNEL_LINE), "-name", self.name,
                "-drive", f"file={self.disk},format=raw,if=none,id=disk",
                "-device", "virtio-blk-pci,drive=disk",
                "-netdev", f"tap,id=net,ifname={self.name},script=no,downscript=no",
                "-device", f"virtio-net-pci,netdev=net,romfile=,mac=52:54:00:78:00:{self.number:02x}",
                "-object", "rng-random,id=rng,filename=/dev/urandom",
                "-device", "virtio-rng-pci,rng=rng",
                "-device", "i6300esb", "-action", "watchdog=reset",
                "-chardev", f"file,id=console,path={self.log},append=on", "-serial", "chardev:console",
                "-chardev", f"socket,id=agent,path={place}/agent,server=on,wait=off",
                "-device", "virtio-serial-pci",
                "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
                "-chardev", f"socket,id=own,path={place}/own,server=on,wait=off",
                "-mon", "chardev=own,mode=control",
                "-chardev", f"socket,id=switch,host={address},port={port},server=on,wait=off",
                "-mon", "chardev=switch,mode=control"]

    # -- life --------------------------------------------------------------------------------------

    def power_on(self):
        """Returns at once; wait_up waits."""
        assert self.process is None, "it is on already"
        for name in ("agent", "own"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.dir, name))
        with open(os.path.join(self.dir, "qemu.log"), "ab") as log:
            self.process = subprocess.Popen(self.member.command(*self.command()), stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        self.monitor = wait(self._monitor, f"{self.name}: QEMU runs", 30)

    def _monitor(self):
        if self.process.poll() is not None:
            raise AssertionError(f"QEMU ended: {self.tail('qemu.log')}")
        with contextlib.suppress(fence_qmp.Refused):
            return fence_qmp.Monitor(os.path.join(self.dir, "own"))
        return None

    def wait_up(self, not_boot=None):
        """Until systemd says that everything has been started; in another boot than not_boot."""
        self.agent.close()
        wait(lambda: self._is_up(not_boot), f"{self.name} has started: {self.tail()}", UP_S, 0.5)

    def _is_up(self, not_boot):
        if self.process.poll() is not None:
            raise AssertionError(f"QEMU ended: {self.tail('qemu.log')}")
        try:
            self.agent.call("guest-ping", seconds=2.0)
            said = self.run("systemctl", "is-system-running", check=None).strip()
            return said in ("running", "degraded") and self.boot_id() != not_boot
        except NoAgent:
            return False

    def boot(self):
        self.power_on()
        self.wait_up()

    def power_off(self):
        """As by the power switch: nothing of it runs from one moment to the next, its memory is lost."""
        self.process.kill()
        self._ended()

    def reboot(self):
        """Shut down in order, and started again."""
        self.run("systemctl", "poweroff", "--no-block")
        self.process.wait(UP_S)
        self._ended()
        self.boot()

    def _ended(self):
        self.process.wait(30)
        self.process = None
        if self.monitor is not None:  # else QEMU has never run
            self.monitor.close()
            self.monitor = None
        self.agent.close()

    def close(self):
        if self.process is not None:
            self.power_off()

    def event(self, name, since, seconds):
        """When, on the monotonic clock, the first event of that name came after since."""
        end = time.monotonic() + seconds
        while True:
            for event in self.monitor.events:
                stamp = event["timestamp"]["seconds"] + event["timestamp"]["microseconds"] / 1e6
                at = stamp - time.time() + time.monotonic()
                if event["event"] == name and at >= since:
                    return at
            if time.monotonic() > end:
                raise NotInTime(f"{self.name}: waited {seconds} s in vain for {name}")
            self.monitor.listen(0.2)

    def tail(self, name="console.log"):
        with contextlib.suppress(FileNotFoundError):
            with open(os.path.join(self.dir, name), encoding="utf-8", errors="replace") as log:
                return log.read()[-2000:]
        return ""

    # -- inside ------------------------------------------------------------------------------------

    def run(self, *words, check=0, text="", seconds=240):
        """What a command inside prints. check: the exit code that is wanted; None: any."""
        code, out, complaints = self.agent.run(["/usr/bin/env", "--", *words], text, ENVIRONMENT, seconds)
        if check is not None and code != check:
            raise AssertionError(f"{self.name}: {' '.join(words)}: {code}:\n{out}{complaints}")
        return out

    def begin(self, *words):
        """A command after which the machine may not answer any more."""
        with contextlib.suppress(NoAgent):
            self.agent.call("guest-exec", seconds=2.0, path="/usr/bin/env", arg=["--", *words],
                            env=ENVIRONMENT)

    def write(self, path, text, mode=0o644):
        self.run("sh", "-c", f'mkdir -p "$(dirname {path})" && cat >{path} && chmod {mode:o} {path}',
                 text=text)

    def apt(self, *words):
        """apt-get from what is on the disk: no network is needed."""
        return self.run("apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0",
                        "-o", "Dpkg::Options::=--force-confold", *words, seconds=600)

    def boot_id(self):
        return self.run("cat", "/proc/sys/kernel/random/boot_id").strip()
