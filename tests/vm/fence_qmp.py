#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fence_qmp.py: a fence agent whose power switch is the monitor of QEMU (QMP); for tests.

Takes its options as every fence agent does, lines key=value on standard input: action; ip and
ipport, or path (a unix socket): where the monitor is; plug: the machine's name, which has to be
that of the machine behind; power_timeout: seconds in which off has to be confirmed. Ends with 0;
of status with 0: on, 2: off; else 1, and says why on standard error.

Off is what the power switch of a host does: nothing of it runs from one moment to the next, its
memory is lost, and nothing but this switch starts it again. So the machine is stopped and then
reset; QEMU's word for that state is "prelaunch". A machine that is only stopped still has its memory
and is on. Whoever cannot be asked is neither: never takes silence for off.
"""

import contextlib
import json
import socket
import sys
import time

ANSWER_S = 5.0        # a monitor answers at once
POWER_S = 20.0        # unless power_timeout says another
LINE_MAX = 1 << 20    # bytes of one answer
OFF = "prelaunch"
METADATA = """<?xml version="1.0" ?>
<resource-agent name="fence_qmp" shortdesc="Fence agent for QEMU's monitor">
<parameters>
<parameter name="action" required="1"><content type="string" default="off" /></parameter>
<parameter name="ip"><content type="string" /></parameter>
<parameter name="ipport"><content type="integer" /></parameter>
<parameter name="path"><content type="string" /></parameter>
<parameter name="plug"><content type="string" /></parameter>
<parameter name="power_timeout"><content type="second" default="20" /></parameter>
</parameters>
<actions>
<action name="on" /><action name="off" /><action name="reboot" /><action name="status" />
<action name="monitor" /><action name="metadata" /><action name="validate-all" />
</actions>
</resource-agent>"""


class Refused(Exception):
    """The monitor cannot be reached, or says no."""


class Monitor:
    """A connection to a monitor. Events that come meanwhile are kept, in their order."""

    def __init__(self, place, seconds=ANSWER_S):
        """place: the path of a unix socket, or (address, port)."""
        kind = socket.AF_UNIX if isinstance(place, str) else socket.AF_INET
        self.events, self.buffer = [], b""
        self.sock = socket.socket(kind)
        try:
            self.sock.settimeout(seconds)
            self.sock.connect(place)
            if "QMP" not in self._message():
                raise Refused("what answers is no monitor of QEMU")
            self.execute("qmp_capabilities")
        except (OSError, ValueError) as problem:
            self.close()
            raise Refused(f"{place}: {problem}") from None
        except Refused:
            self.close()
            raise

    def close(self):
        self.sock.close()

    def _message(self):
        """The next message; OSError (TimeoutError among them) when there is none."""
        while b"\n" not in self.buffer:
            more = self.sock.recv(65536)
            if not more:
                raise ConnectionResetError("the monitor has gone")
            self.buffer += more
            if len(self.buffer) > LINE_MAX:
                raise ValueError("a message without an end")
        line, _, self.buffer = self.buffer.partition(b"\n")
        message = json.loads(line)
        if not isinstance(message, dict):
            raise ValueError("a message that is none")
        if "event" in message:
            self.events.append(message)
        return message

    def execute(self, command, **arguments):
        """What the monitor answers."""
        text = json.dumps({"execute": command, "arguments": arguments})
        try:
            self.sock.sendall(text.encode() + b"\n")
            while True:
                message = self._message()
                if "return" in message:
                    return message["return"]
                if "error" in message:
                    raise Refused(f"{command}: {message['error'].get('desc')}")
        except (OSError, ValueError) as problem:
            raise Refused(f"{command}: {problem}") from None

    def listen(self, seconds):
        """Takes in what has been sent, waiting for it at most so long."""
        before = self.sock.gettimeout()
        self.sock.settimeout(seconds)
        try:
            self._message()
        except TimeoutError:
            pass
        finally:
            self.sock.settimeout(before)

    def state(self):
        return self.execute("query-status")["status"]


def power_off(monitor, seconds):
    """True when it is off."""
    if monitor.state() != OFF:
        monitor.execute("stop")
        monitor.execute("system_reset")
    end = time.monotonic() + seconds
    while monitor.state() != OFF:
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def power_on(monitor):
    """Only what is off is switched on: a machine that somebody has stopped stays so."""
    if monitor.state() == OFF:
        monitor.execute("cont")
    return monitor.state() != OFF


def carry_out(action, monitor, seconds):
    """The exit code."""
    if action == "status":
        return 2 if monitor.state() == OFF else 0
    if action in ("monitor", "validate-all"):
        return 0  # it has answered
    done = action == "on" or power_off(monitor, seconds)
    if not done:
        raise Refused(f"not off after {seconds:g} s")
    if action != "off" and not power_on(monitor):
        raise Refused("not on")
    return 0


def options(lines):
    """{key: value}; what is no option is passed over, as the standard wants."""
    found = {}
    for line in lines:
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            found[key.strip()] = value.strip()
    return found


def run(given):
    action = given.get("action", "")
    if action == "metadata":
        print(METADATA)
        return 0
    if action not in ("on", "off", "reboot", "status", "monitor", "validate-all"):
        raise Refused(f"no action {action!r}")
    place = given.get("path") or (given.get("ip", ""), int(given.get("ipport", "0")))
    monitor = Monitor(place)
    with contextlib.closing(monitor):
        name = monitor.execute("query-name").get("name")
        if given.get("plug") and given["plug"] != name:
            raise Refused(f"the machine behind is {name!r}, not {given['plug']!r}")
        return carry_out(action, monitor, float(given.get("power_timeout", POWER_S)))


def main():
    try:
        return run(options(sys.stdin))
    except (Refused, ValueError, KeyError) as problem:
        print(f"fence_qmp: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
