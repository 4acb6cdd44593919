# SPDX-License-Identifier: Apache-2.0
"""fenceworld.py: a pair without a third host whose hosts can switch each other off.

Owns a power switch, one outlet a host, which really ends everything on it, and the fence agent that
asks it. Real approvald-fence helpers, one on each host, run that agent. Never switches a host on by
itself.
"""

import os
import socket

from lib import talk
from world import BUILD, World, other, wait, write

FENCER = os.path.join(BUILD, "supervisor", "fencer", "approvald-fence")
AGENT = """\
#!/usr/bin/env python3
import socket, sys
switch = socket.socket(socket.AF_UNIX)
switch.connect("{path}")
switch.sendall(sys.stdin.buffer.read())
switch.shutdown(socket.SHUT_WR)
answer = switch.recv(16).decode()
sys.exit(int(answer) if answer else 1)
"""
TIMES = {"leave": "30s", "wait": "200ms", "delay": "2s", "timeout": "3s", "pause": "1s", "monitor": "1s"}
AGENT_S = 2  # the helper's limit


class PowerSwitch:
    """Answers agents. A host's mode is what its outlet does: good; dead (no answer); hang; idle
    (takes "off" and does nothing); wrong (connected to nothing: "off", whatever is asked)."""

    def __init__(self, world, path):
        self.world = world
        self.outlets = dict.fromkeys(world.hosts, True)
        self.modes = dict.fromkeys(world.hosts, "good")
        self.asked = []
        self.hanging = []
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(path)
        self.server.listen(8)
        talk.accept_each(self.server, self._serve)

    def _serve(self, connection):
        said = b""
        while piece := connection.recv(4096):
            said += piece
        options = dict(line.split("=", 1) for line in said.decode().split("\n") if "=" in line)
        if "plug" not in options or "action" not in options:  # an agent that was killed
            connection.close()
            return
        code = self._do(options["plug"], options["action"])
        if code is None:
            self.hanging.append(connection)
            return
        with connection:
            connection.sendall(code.encode())

    def _do(self, name, action):
        mode = self.modes[name]
        self.asked.append((name, action))
        if mode == "dead":
            return ""
        if mode == "hang":
            return None
        if mode == "wrong":
            return "2" if action == "status" else "0"
        if action == "status":
            return "0" if self.outlets[name] else "2"
        if mode == "good":
            self.outlets[name] = False
            self.world[name].power_off()
        return "0"

    def close(self):
        self.server.close()
        for connection in self.hanging:
            connection.close()


class FenceWorld(World):
    """Host A has the device of host B, and the other way round."""

    switch = None

    def __init__(self, **more):
        super().__init__(arbiter="fence", **more)
        self.switch = PowerSwitch(self, self.path("switch.sock"))
        for name, host in self.hosts.items():
            os.makedirs(host.path("fence"), 0o700)
            agent = write(host.path("agent"), AGENT.format(path=self.path("switch.sock")), 0o700)
            write(host.path("fence", "peer"), f"agent={agent}\nplug={other(name)}\npassword=x\n")

    def more_config(self, host):
        times = "".join(f'    {name} = "{value}"\n' for name, value in TIMES.items())
        return f'fence {{\n    socket = "{host.path("run", "fence.sock")}"\n{times}}}\n'

    def booted(self, host):
        host.spawn("fencer", FENCER, "--devices", host.path("fence"), "--timeout", str(AGENT_S),
                   "--listen", host.path("run", "fence.sock"))
        if self.switch is not None:
            self.switch.outlets[host.name] = True

    def wait_believed(self):
        """Paired, and each host's device has said "on" of the other one."""
        self.wait_paired()

        def believed():
            return all(device["believed"] for host in self.hosts.values()
                       for device in host.status()["fence"]["devices"])
        wait(believed, "the fence devices are believed", 20)

    def close(self, keep=False):
        if self.switch is not None:
            self.switch.close()
        super().close(keep)
