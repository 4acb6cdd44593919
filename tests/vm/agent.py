# SPDX-License-Identifier: Apache-2.0
"""agent.py: commands inside a virtual machine, through QEMU's guest agent.

Owns one connection to the agent's socket. It needs nothing of the machine's network, which the tests
hurt. Never takes what was meant for an earlier question for an answer: after each doubt both sides
begin anew.
"""

import base64
import itertools
import json
import os
import socket
import time

POLL_S, POLL_MAX_S = 0.02, 0.3
ANSWER_S = 20.0  # an emulated machine under load is slow


class NoAgent(Exception):
    """Nobody answers: the machine is off, boots, or hangs."""


class Agent:
    """Connects by itself, and again after a reset."""

    def __init__(self, path):
        self.path = path
        self.sock, self.buffer = None, b""
        self.serial = itertools.count(os.getpid() * 1000)

    def close(self):
        if self.sock is not None:
            self.sock.close()
        self.sock, self.buffer = None, b""

    def call(self, command, seconds=ANSWER_S, **arguments):
        """What the agent answers. NoAgent, or RuntimeError when it refuses."""
        try:
            if self.sock is None:
                self._open(seconds)
            self._send(command, arguments)
            answer = self._line(time.monotonic() + seconds)
        except (OSError, ValueError) as problem:
            self.close()
            raise NoAgent(f"{command}: {problem}") from None
        if "error" in answer:
            raise RuntimeError(f"{command}: {answer['error'].get('desc')}")
        return answer["return"]

    def _open(self, seconds):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)
        number = next(self.serial)
        self.sock.sendall(b"\xff")  # ends whatever was half said
        self._send("guest-sync", {"id": number})
        end = time.monotonic() + seconds
        while self._line(end).get("return") != number:
            pass

    def _send(self, command, arguments):
        self.sock.settimeout(ANSWER_S)
        self.sock.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")

    def _line(self, end):
        while b"\n" not in self.buffer:
            self.sock.settimeout(max(end - time.monotonic(), 0.001))
            more = self.sock.recv(1 << 16)
            if not more:
                raise ConnectionResetError("the socket was closed")
            self.buffer += more
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line.lstrip(b"\xff"))

    def run(self, words, text, environment, seconds):
        """(exit code, output, complaints) of a command. Its end is asked for, less and less often."""
        given = base64.b64encode(text.encode()).decode()
        end = time.monotonic() + seconds
        pid = self.call("guest-exec", path=words[0], arg=list(words[1:]), env=environment,
                        **{"input-data": given, "capture-output": True})["pid"]
        pause = POLL_S
        while True:
            told = self.call("guest-exec-status", pid=pid)
            if told["exited"]:
                break
            if time.monotonic() > end:
                raise AssertionError(f"{' '.join(words)}: has not ended after {seconds} s")
            time.sleep(pause)
            pause = min(pause * 1.5, POLL_MAX_S)
        out, complaints = (base64.b64decode(told.get(name, "")).decode(errors="replace")
                           for name in ("out-data", "err-data"))
        return told.get("exitcode", 128 + told.get("signal", 0)), out, complaints
