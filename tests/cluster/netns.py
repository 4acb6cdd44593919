# SPDX-License-Identifier: Apache-2.0
"""netns.py: a small network in namespaces of its own, which can be hurt.

Owns the namespaces, the bridge between them, their rules and every process in them. Never touches a
namespace, interface or process that it did not make: all carry the prefix of this process, and
what an earlier run that was killed left behind is known by the same prefix.
"""

import contextlib
import ctypes
import fcntl
import http.client
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PREFIX = "apvt"
CLONE_NEWNET = 0x40000000
SIOCETHTOOL, ETHTOOL_STXCSUM = 0x8946, 0x17
LIBC = ctypes.CDLL(None, use_errno=True)


class NoNamespaces(Exception):
    """This machine or user cannot make network namespaces."""


def run(*command, check=True, text=None):
    """Runs a short command; its output."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False,
                          timeout=30)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def why_not():
    """None when namespaces can be made here, else the reason."""
    if os.geteuid() != 0:
        return "not root"
    for tool in ("ip", "nft", "tc"):
        if not any(os.access(os.path.join(folder, tool), os.X_OK)
                   for folder in os.environ.get("PATH", "").split(":")):
            return f"no {tool} (packages iproute2, nftables)"
    name = f"{PREFIX}{os.getpid()}-probe"
    try:
        run("ip", "netns", "add", name)
    except RuntimeError as problem:
        return f"no network namespaces: {problem}"
    try:
        run("ip", "-n", name, "link", "add", "br0", "type", "bridge")
        run("ip", "netns", "exec", name, "nft", "add table bridge probe")
    except RuntimeError as problem:
        return f"no bridge: {problem}"
    finally:
        run("ip", "netns", "del", name, check=False)
    return None


def pids_of(namespace):
    """The processes of a namespace that we have made."""
    assert namespace.startswith(PREFIX)
    return [int(word) for word in run("ip", "netns", "pids", namespace, check=False).split()]


def kill_all(namespace, seconds=5):
    """Ends everything in the namespace; forks in between are found again."""
    until = time.monotonic() + seconds
    while True:
        pids = pids_of(namespace)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not [pid for pid in pids if not is_zombie(pid)]:
            return
        if time.monotonic() > until:
            raise RuntimeError(f"{namespace}: processes do not end: {pids}")
        time.sleep(0.002)


def is_zombie(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def sweep():
    """Removes what runs that were killed have left."""
    for line in run("ip", "netns", "list", check=False).split("\n"):
        match = re.match(rf"({PREFIX}(\d+)-\w+)", line)
        if match and not os.path.exists(f"/proc/{match.group(2)}"):
            kill_all(match.group(1))
            run("ip", "netns", "del", match.group(1), check=False)


class Member:
    """One namespace with the interface eth0."""

    def __init__(self, net, name, address):
        self.net, self.name, self.address = net, name, address
        self.namespace = net.prefix + name

    def command(self, *words):
        """The same command, run inside."""
        return ["ip", "netns", "exec", self.namespace, *words]

    def run(self, *words, check=True, text=None):
        return run(*self.command(*words), check=check, text=text)

    def socket(self, kind=socket.SOCK_STREAM, timeout=None):
        """A socket that lives inside, for use from here."""
        made = []

        def make():
            with open(f"/var/run/netns/{self.namespace}", "rb") as handle:
                if LIBC.setns(handle.fileno(), CLONE_NEWNET) != 0:
                    return
            made.append(socket.socket(socket.AF_INET, kind))

        thread = threading.Thread(target=make)  # only this thread enters
        thread.start()
        thread.join()
        if not made:
            raise OSError(f"{self.namespace} cannot be entered")
        made[0].settimeout(timeout)
        return made[0]

    def connection(self, address, port, timeout=10):
        """An HTTP connection from inside."""
        conn = http.client.HTTPConnection(address, port, timeout=timeout)
        conn._create_connection = lambda *_a, **_k: self._dial(address, port, timeout)
        return conn

    def _dial(self, address, port, timeout):
        sock = self.socket(timeout=timeout)
        try:
            sock.connect((address, port))
        except OSError:
            sock.close()
            raise
        return sock

    def pids(self):
        return pids_of(self.namespace)


class Net:
    """Members joined by a bridge; faults between them by name, in each direction."""

    BRIDGE = "bridge"

    def __init__(self, addresses, prefix_length=24):
        sweep()
        self.prefix = f"{PREFIX}{os.getpid()}-"
        self.members = {}
        self.rules = {}
        self.lags = {}
        self.bridge = Member(self, self.BRIDGE, None)
        try:
            self._build(addresses, prefix_length)
        except BaseException:
            self.close()
            raise

    def _build(self, addresses, prefix_length):
        run("ip", "netns", "add", self.bridge.namespace)
        inside = ("ip", "-n", self.bridge.namespace)
        run(*inside, "link", "add", "br0", "type", "bridge", "stp_state", "0", "forward_delay", "0",
            "mcast_snooping", "0")
        run(*inside, "link", "set", "br0", "up")
        for name, address in addresses.items():
            member = Member(self, name, address)
            self.members[name] = member
            run("ip", "netns", "add", member.namespace)
            run(*inside, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns",
                member.namespace)
            run(*inside, "link", "set", name, "master", "br0", "up")
            own = ("ip", "-n", member.namespace)
            member.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", check=False)
            run(*own, "address", "add", f"{address}/{prefix_length}", "dev", "eth0")
            run(*own, "link", "set", "lo", "up")
            run(*own, "link", "set", "eth0", "up")
            whole_checksums(member)
            member.run("nft", "add table inet own; add chain inet own out "
                       "{ type filter hook output priority 0; }")
        self.bridge.run("nft", "add table bridge cut; add chain bridge cut forward "
                        "{ type filter hook forward priority 0; }")

    def __getitem__(self, name):
        return self.members[name]

    def add_machine(self, name, address):
        """A member that is a virtual machine: the bridge gets a tap device of its name, and what uses
        it is run beside the bridge."""
        inside = ("ip", "-n", self.bridge.namespace)
        run(*inside, "tuntap", "add", name, "mode", "tap")
        run(*inside, "link", "set", name, "master", "br0", "up")
        member = Member(self, name, address)
        member.namespace = self.bridge.namespace
        return member

    def answer(self, address, prefix_length=24):
        """Members reach what runs beside the bridge at this address."""
        inside = ("ip", "-n", self.bridge.namespace)
        run(*inside, "address", "add", f"{address}/{prefix_length}", "dev", "br0")
        run(*inside, "link", "set", "lo", "up")

    # -- faults ------------------------------------------------------------------------------------

    def cut(self, source, target, loss=100):
        """Nothing (or loss percent less) gets from source to target; the links stay up."""
        chance = "" if loss >= 100 else f"numgen random mod 100 < {loss} "
        self._rule(("cut", source, target),
                   f'iifname {{ "{source}", "lag{source}" }} oifname {{ "{target}", "lag{target}" }} '
                   f"{chance}drop")

    def cut_both(self, one, other, loss=100):
        self.cut(one, other, loss)
        self.cut(other, one, loss)

    def isolate(self, name):
        """Nothing gets from or to name; its interface sees nothing of it."""
        self._rule(("in", name), f'oifname {{ "{name}", "lag{name}" }} drop')
        self._rule(("out", name), f'iifname {{ "{name}", "lag{name}" }} drop')

    def mend(self, *key):
        """Takes back what began with key (kind, then names); without key everything."""
        for rule in [r for r in self.rules if r[:len(key)] == key]:
            del self.rules[rule]
        self._apply()

    def _rule(self, key, text):
        self.rules[key] = text
        self._apply()

    def _apply(self):
        lines = ["flush chain bridge cut forward"]
        lines += [f"add rule bridge cut forward {text}" for text in self.rules.values()]
        self.bridge.run("nft", "-f", "-", text="\n".join(lines) + "\n")

    def drop_replies(self, source, target):
        """source's answers to connections that target has opened get lost; nothing else does."""
        self.members[source].run("nft", f"add rule inet own out ip daddr "
                                 f"{self.members[target].address} ct direction reply drop")

    def keep_replies(self, source):
        self.members[source].run("nft", "flush chain inet own out")

    def unplug(self, name):
        """The interface loses its carrier."""
        run("ip", "-n", self.bridge.namespace, "link", "set", name, "down")

    def plug(self, name):
        run("ip", "-n", self.bridge.namespace, "link", "set", name, "up")

    def slow(self, name, kilobit):
        """What goes to name passes at this rate."""
        self.bridge.run("tc", "qdisc", "replace", "dev", name, "root", "tbf", "rate",
                        f"{kilobit}kbit", "burst", "16kb", "latency", "400ms")

    def fast(self, name):
        self.bridge.run("tc", "qdisc", "del", "dev", name, "root", check=False)

    def lag(self, name, delay_ms, jitter_ms=0, twice=0):
        """Frames from and to name come late, by chance in another order, twice percent twice."""
        inside = ("ip", "-n", self.bridge.namespace)
        run(*inside, "link", "add", f"lag{name}", "type", "veth", "peer", "name", f"lap{name}")
        run(*inside, "link", "set", f"lap{name}", "up")
        run(*inside, "link", "set", name, "nomaster")
        run(*inside, "link", "set", f"lag{name}", "master", "br0", "up")
        self.lags[name] = subprocess.Popen(
            self.bridge.command(sys.executable, os.path.join(HERE, "lag.py"), name, f"lap{name}",
                                str(delay_ms), str(jitter_ms), str(twice)),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.lags[name].stdout.readline()  # it forwards from now on

    def unlag(self, name):
        process = self.lags.pop(name, None)
        if process is None:
            return
        inside = ("ip", "-n", self.bridge.namespace)
        run(*inside, "link", "set", name, "master", "br0")
        process.kill()
        process.wait()
        process.stdout.close()
        run(*inside, "link", "del", f"lag{name}")

    def heal(self):
        """Takes back every fault of the network."""
        for name in list(self.lags):
            self.unlag(name)
        self.mend()
        for name in self.members:
            self.keep_replies(name)
            self.fast(name)
            self.plug(name)

    def close(self):
        for process in self.lags.values():
            process.kill()
            process.wait()
            process.stdout.close()
        self.lags = {}
        for member in [*self.members.values(), self.bridge]:
            with contextlib.suppress(RuntimeError):
                kill_all(member.namespace)
            run("ip", "netns", "del", member.namespace, check=False)
        self.members = {}

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


def whole_checksums(member):
    """veth leaves checksums to be filled in later; what lag.py passes on needs them now."""
    value = ctypes.create_string_buffer(struct.pack("=II", ETHTOOL_STXCSUM, 0))
    request = struct.pack("16sP", b"eth0", ctypes.addressof(value))
    with member.socket(socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCETHTOOL, request)
