# SPDX-License-Identifier: Apache-2.0
"""machine.py: hosts with a systemd of their own, each a container in a network namespace.

Owns the containers that it boots: their layer over the common root, their control groups, what runs
in them. The root itself is made once by mmdebstrap and never written to. Never ends a process
outside its containers, and leaves nothing mounted.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "cluster"), os.path.join(HERE, "..")]
import netns  # noqa: E402  the path is set above
from lib.waiting import until  # noqa: E402

TOOLS = {"mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container",
         "apt-ftparchive": "apt-utils", "dh": "debhelper", "nsenter": "util-linux"}
# What apt, libc6 and systemd recommend: every real host has it, and what is recommended outlives a
# purge.
INCLUDED = "systemd,systemd-sysv,dbus,iproute2,ca-certificates,libidn2-0,libp11-kit0"
BOOT_S = 60  # two shared cores; alone it takes 2 s
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LOWEST = ("cpuset",)  # control groups that cannot be made without more ado


class NotInTime(AssertionError):
    """What had to come did not."""


def wait(predicate, what, seconds=30.0, step=0.05):
    """The first true value of predicate."""
    return until(predicate, what, seconds, step, error=NotInTime)


def why_not():
    """None when containers can be booted here, else the reason."""
    reason = netns.why_not()
    if reason:
        return reason
    for tool, package in TOOLS.items():
        if shutil.which(tool) is None:
            return f"no {tool} (package {package})"
    trial = subprocess.run(["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "true"],
                           capture_output=True, text=True, check=False)
    if trial.returncode != 0:
        return f"no containers: {trial.stderr.strip()}"
    return None


def image(folder, suite):
    """A root of that Debian with what is INCLUDED, made when there is none yet; apt in it knows no
    source."""
    root = os.path.join(folder, f"root-{suite}-{zlib.crc32(INCLUDED.encode()):08x}")
    if not os.path.isdir(root):
        partial = root + ".new"
        shutil.rmtree(partial, ignore_errors=True)
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", f"--include={INCLUDED}", suite,
                        partial], check=True, stdin=subprocess.DEVNULL, timeout=600)
        for path in ("etc/apt/sources.list", "etc/machine-id", "etc/hostname", "etc/resolv.conf"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(partial, path))
        os.rename(partial, root)
    return root


class Groups:
    """A control group of its own in each hierarchy where we are: two systemds in one would end each
    other's processes."""

    def __init__(self, name):
        self.folders = []
        if os.path.isdir("/run/systemd/system"):
            return  # then systemd-nspawn asks it for a scope
        with open("/proc/self/cgroup", encoding="ascii") as lines:
            for line in lines:
                _, controller, place = line.rstrip("\n").split(":", 2)
                mount = controller.removeprefix("name=") or "unified"
                mount = f"/sys/fs/cgroup/{mount}"
                folder = f"{mount if os.path.isdir(mount) else '/sys/fs/cgroup'}{place}/{name}"
                if controller in LOWEST:
                    continue
                with contextlib.suppress(OSError):
                    os.makedirs(folder)
                    self.folders.append(folder)

    def enter(self):
        """In the child that becomes systemd-nspawn."""
        for folder in self.folders:
            with open(os.path.join(folder, "cgroup.procs"), "w", encoding="ascii") as procs:
                procs.write("0")

    def remove(self):
        for top in self.folders:
            for folder, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)


class Machine:
    """One container. binds: {path here: path inside}, read only."""

    def __init__(self, root, member, folder, binds=None):
        self.root, self.member, self.binds = root, member, binds or {}
        self.name = member.namespace
        self.dir = os.path.join(folder, member.name)
        self.merged = self.path("merged")
        for name in ("upper", "work", "merged"):
            os.makedirs(self.path(name))
        self.log = self.path("console.log")
        self.process = self.pid = None
        layers = f"lowerdir={root},upperdir={self.path('upper')},workdir={self.path('work')}"
        netns.run("mount", "-t", "overlay", "overlay", "-o", layers, self.merged)
        self.mounted = True
        # The network is made from outside: networkd would wait for its interface in vain.
        os.makedirs(self.file("/etc/systemd/system"), exist_ok=True)
        for unit in ("systemd-networkd.service", "systemd-networkd-wait-online.service"):
            with contextlib.suppress(FileExistsError):
                os.symlink("/dev/null", self.file(f"/etc/systemd/system/{unit}"))
        self.write("/etc/hostname", member.name.lower() + "\n")
        self.write("/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {member.name.lower()}\n")

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def file(self, path):
        """A path inside, as it is called from here."""
        return self.merged + path

    def write(self, path, text, mode=0o644):
        os.makedirs(os.path.dirname(self.file(path)), exist_ok=True)
        with open(self.file(path), "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(self.file(path), mode)

    # -- life --------------------------------------------------------------------------------------

    def boot(self):
        """Power on; returns when systemd says that everything has been started."""
        assert self.process is None, "it is on already"
        self.groups = Groups(f"{self.name}-{len(os.listdir(self.dir))}")
        keep = [] if os.path.isdir("/run/systemd/system") else ["--keep-unit"]
        binds = [f"--bind-ro={here}:{inside}" for here, inside in self.binds.items()]
        command = ["systemd-nspawn", "--quiet", "--boot", f"--directory={self.merged}",
                   f"--machine={self.name}", f"--network-namespace-path=/run/netns/{self.name}",
                   # IPC_LOCK: habits.py, where it stands for a limit that may not be raised.
                   "--capability=CAP_NET_ADMIN,CAP_IPC_LOCK", "--resolv-conf=off", "--link-journal=no",
                   "--register=no", *keep, *binds]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, preexec_fn=self.groups.enter)
        self.pid = wait(self._leader, f"{self.name} has its first process", BOOT_S)
        wait(self._is_up, f"{self.name} has started", BOOT_S)

    def _leader(self):
        """The first process of the container."""
        if self.process.poll() is not None:
            raise AssertionError(f"systemd-nspawn ended: {self.console()}")
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                  encoding="ascii") as children:
            for pid in children.read().split():
                with contextlib.suppress(OSError):
                    with open(f"/proc/{pid}/comm", encoding="ascii") as comm:
                        if comm.read().strip() in ("systemd", "init"):
                            return int(pid)
        return None

    def _is_up(self):
        said = self.run("systemctl", "is-system-running", check=None).strip()
        return said in ("running", "degraded")

    def power_off(self):
        """As by the power switch: nothing of it runs from one moment to the next."""
        os.kill(self.pid, 9)
        self._ended()

    def reboot(self):
        """Shut down in order, and started again."""
        self.run("systemctl", "poweroff", "--no-block")
        self._ended()
        self.boot()

    def _ended(self):
        self.process.wait(BOOT_S)
        self.process = self.pid = None
        self.groups.remove()

    def close(self):
        try:
            if self.process is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid or self.process.pid, 9)
                self._ended()
        finally:
            if self.mounted:
                netns.run("umount", self.merged)
                self.mounted = False

    def console(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()[-2000:]

    # -- inside ------------------------------------------------------------------------------------

    def command(self, *words):
        """The same command as root inside."""
        return ["nsenter", f"--target={self.pid}", "--mount", "--uts", "--ipc", "--net", "--pid",
                "--", "env", "-i", f"PATH={PATH}", "HOME=/root", "LC_ALL=C.UTF-8",
                "DEBIAN_FRONTEND=noninteractive", *words]

    def run(self, *words, check=0, text="", seconds=120):
        """What a command inside prints. check: the exit code that is wanted; None: any."""
        done = subprocess.run(self.command(*words), input=text, capture_output=True, text=True,
                              timeout=seconds, check=False)
        if check is not None and done.returncode != check:
            raise AssertionError(f"{self.member.name}: {' '.join(words)}: {done.returncode}:\n"
                                 f"{done.stdout}{done.stderr}")
        return done.stdout

    def apt(self, *words):
        """apt-get from what is bound in: no network is needed. dpkg does not sync each file: what it
        would take of the disk is taken from the pairs that run beside it."""
        return self.run("apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0",
                        "-o", "Dpkg::Options::=--force-confold",
                        "-o", "Dpkg::Options::=--force-unsafe-io", *words, seconds=240)

    def files(self):
        """{path: kind and, of a file, its content's digest} of all that may stay over a purge."""
        said = self.run("find", "/", "-xdev", "-printf", "%p\\t%y\\n")
        return dict(line.split("\t") for line in said.split("\n") if line.count("\t") == 1)
