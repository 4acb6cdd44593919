#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_setup_fence.py: pair init --arbiter fence and pair join, exactly as an admin types them, up to
a primary that is lost and really switched off.

Owns two machines of test_setup_live.py with a fence agent in their /usr/sbin, and the power switch of
fenceworld.py, which ends all that runs on them. Real approvald-fence helpers run the agent. Never
switches a machine on by itself.
"""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE]

import netns  # noqa: E402  the path is set above
import test_setup_live as live  # noqa: E402
import world as cluster  # noqa: E402
from fenceworld import AGENT, PowerSwitch  # noqa: E402
from test_setup import ADDRESSES, VIP, missing  # noqa: E402

SECRET = "s3cret of the switch"
FENCED_S = 60  # fence.wait and fence.delay are 10 s
OVERLAY = 'mount -t overlay overlay -o "lowerdir=$1:/usr/sbin" /usr/sbin'


class Machine(live.Machine):
    """One with a fence agent, that can lose its power."""

    def __init__(self, test, name):
        super().__init__(test, name)
        agents = os.path.join(self.root, "agents")
        os.mkdir(agents)
        cluster.write(os.path.join(agents, "fence_fake"), AGENT.format(path=test.switch_path), 0o755)
        self.run("sh", "-c", OVERLAY, "sh", agents)

    def power_off(self):
        """Nothing of it runs from one moment to the next; the holder is the namespace's, not its."""
        self.test.net.unplug(self.name)
        while pids := [pid for pid in netns.pids_of(self.test.net[self.name].namespace)
                       if pid != self.holder.pid and not netns.is_zombie(pid)]:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def power_on(self):
        """Somebody has looked at it; /run is a new one, and systemd starts what is enabled."""
        self.test.switch.outlets[self.name] = True
        self.test.net.plug(self.name)
        self.run("sh", "-c", "rm -f /run/*.pid /run/*.sock /run/approvald/*")
        self.run("systemctl", "start", "approvald-fence.socket")
        for unit in ("approvald-supervisor.service", "keepalived.service"):
            self.run("systemctl", "restart", unit)


@unittest.skipIf(missing() or shutil.which("nsenter") is None, str(missing() or "no nsenter"))
class Fenced(unittest.TestCase):
    """A and B."""

    tokens, wait, installed = live.Live.tokens, live.Live.wait, live.Live.installed
    listens = live.Live.listens

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="fenced-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.net = netns.Net(ADDRESSES)
        self.addCleanup(self.net.close)  # ends what runs in it
        self.switch_path = os.path.join(self.dir, "switch.sock")
        self.hosts = {}
        for name in ("A", "B"):
            self.hosts[name] = Machine(self, name)
        self.a, self.b = self.hosts.values()
        self.arbiter = self.b  # whose logs are shown, too
        self.switch = PowerSwitch(self, self.switch_path)
        self.addCleanup(self.switch.close)

    def __getitem__(self, name):
        return self.hosts[name]

    def believes(self, host):
        said = host.run("approvalctl", "doctor", check=False).stdout
        return "fence: peer said" in said and "is on\n" in said and "FAIL" not in said

    def init(self, *words, check=True):
        return self.a.run(
            "approvalctl", "pair", "init", "--peer", ADDRESSES["B"], "--vip", f"{VIP}/24",
            "--arbiter", "fence", "--fence", "agent=fence_fake", "--fence-1", "plug=A", "--fence-2",
            "plug=B", "--fence-secret", "password", *words, stdin=SECRET + "\n", check=check)

    def test_a_lost_primary_is_switched_off_and_the_other_host_goes_on(self):
        self.installed()
        self.switch.modes["B"] = "dead"
        said = self.init(check=False)
        self.assertIn("the fence device of host 2 does not say", said.stderr)
        self.assertEqual(self.traces(self.a), "")
        self.switch.modes["B"] = "good"
        said = self.init().stdout
        [token] = self.tokens(said)
        self.assertNotIn("approvald-arbiter", said)
        self.wait(self.listens, "A listens")
        self.b.run("approvalctl", "pair", "join", stdin=token + "\n")
        for host in (self.a, self.b):
            self.wait(lambda h=host: h.is_green() and h.is_paired() and self.believes(h),
                      f"{host.name} is green, and believes its device")
        self.assertEqual({action for _host, action in self.switch.asked}, {"status"})
        self.keys_are_closed()
        self.a.power_off()
        self.wait(lambda: ("A", "off") in self.switch.asked, "A is switched off", FENCED_S)
        self.wait(self.serves, "B serves", FENCED_S)
        self.assertEqual((self.switch.outlets["A"], self.switch.outlets["B"]), (False, True))
        self.a.power_on()
        for host in (self.a, self.b):
            self.wait(lambda h=host: h.is_green() and h.is_paired(), f"{host.name} is green again")
        self.leaves()

    def serves(self):
        return self.b.run("approvalctl", "policy", "list", check=False).returncode == 0

    def keys_are_closed(self):
        for host in (self.a, self.b):
            said = host.run("stat", "-c", "%a %U", f"{live.ETC}/approvald/fence",
                            f"{live.ETC}/approvald/fence/peer", f"{live.ETC}/approvald/pair/fence-own")
            self.assertEqual(said.stdout.split("\n")[:3], ["700 root", "600 root", "600 root"])
            for log in ("approvald-supervisor", "approvald-pair", "systemctl"):
                with contextlib.suppress(FileNotFoundError), open(
                        os.path.join(host.root, "lib", log + ".log"), encoding="utf-8") as text:
                    self.assertNotIn(SECRET, text.read())

    def traces(self, host):
        """Files with the secret, and a helper that still runs."""
        return (host.run("grep", "-rl", SECRET, f"{live.ETC}/approvald", check=False).stdout +
                host.run("sh", "-c", "ls /run/approvald-fence.socket.pid 2>&-", check=False).stdout)

    def leaves(self):
        """A, which follows; nobody switches it off for that."""
        before = self.switch.asked.count(("A", "off"))
        said = self.a.run("approvalctl", "pair", "leave", "--confirm", "leave the pair").stdout
        self.assertIn("approvalctl peer-off", said)
        self.b.run("approvalctl", "peer-off", "--confirm", "the other host is off")
        self.wait(self.serves, "B goes on")
        self.assertEqual(self.traces(self.a), "")
        self.assertEqual(self.switch.asked.count(("A", "off")), before)
        self.assertEqual(self.a.run("approvalctl", "policy", "list").returncode, 0)


if __name__ == "__main__":
    unittest.main()
