#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_fence_qmp.py: the fence agent for virtual machines, against a monitor that is played here.

Owns a unix socket in a folder of its own. Never needs QEMU.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
AGENT = os.path.join(HERE, "fence_qmp.py")


class Played(threading.Thread):
    """A monitor of one machine. stuck: it never gets where it is told to."""

    def __init__(self, path, status="running", stuck=False, greeting='{"QMP": {}}'):
        super().__init__(daemon=True)
        self.status, self.stuck, self.greeting, self.said = status, stuck, greeting, []
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(path)
        self.sock.listen()
        self.start()

    def run(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            with conn, conn.makefile("rw", encoding="utf-8") as stream:
                stream.write(self.greeting + "\n")
                stream.flush()
                for line in stream:
                    stream.write('{"event": "NOISE"}\n')
                    stream.write(json.dumps(self.answer(json.loads(line)["execute"])) + "\n")
                    stream.flush()

    def answer(self, command):
        self.said.append(command)
        moves = {("stop", "running"): "paused", ("system_reset", "paused"): "prelaunch",
                 ("cont", "prelaunch"): "running", ("cont", "paused"): "running"}
        if not self.stuck:
            self.status = moves.get((command, self.status), self.status)
        if command == "query-status":
            return {"return": {"status": self.status, "running": self.status == "running"}}
        if command == "query-name":
            return {"return": {"name": "B"}}
        if command == "system_powerdown":
            return {"error": {"desc": "that is no power switch"}}
        return {"return": {}}


class Fence(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="apvf-")
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "monitor")

    def play(self, **how):
        played = Played(self.path, **how)
        self.addCleanup(played.sock.close)
        return played

    def call(self, action, **more):
        """(exit code, output, complaint)"""
        given = {"action": action, "path": self.path, "power_timeout": "0.2", "plug": "B", **more}
        text = "# a comment\nunknown\n" + "".join(f"{k}={v}\n" for k, v in given.items())
        done = subprocess.run([sys.executable, AGENT], input=text, capture_output=True, text=True,
                              timeout=30, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_off_stops_and_resets_and_status_confirms_it(self):
        played = self.play()
        self.assertEqual(self.call("status")[0], 0)
        self.assertEqual(self.call("off")[0], 0)
        orders = [said for said in played.said if said in ("stop", "system_reset", "cont", "quit")]
        self.assertEqual(orders, ["stop", "system_reset"])
        self.assertEqual(self.call("status")[0], 2)

    def test_off_again_changes_nothing(self):
        played = self.play(status="prelaunch")
        self.assertEqual(self.call("off")[0], 0)
        self.assertNotIn("stop", played.said)

    def test_a_machine_that_is_only_stopped_is_on(self):
        self.play(status="paused")
        self.assertEqual(self.call("status")[0], 0)

    def test_a_machine_that_goes_on_is_not_off(self):
        self.play(stuck=True)
        code, _, complaint = self.call("off")
        self.assertEqual(code, 1)
        self.assertIn("not off", complaint)

    def test_on_and_reboot(self):
        played = self.play(status="prelaunch")
        self.assertEqual(self.call("on")[0], 0)
        self.assertEqual(played.status, "running")
        self.assertEqual(self.call("reboot")[0], 0)
        self.assertEqual([said for said in played.said if said in ("stop", "system_reset", "cont")],
                         ["cont", "stop", "system_reset", "cont"])

    def test_who_cannot_be_asked_is_neither_on_nor_off(self):
        for action in ("status", "off", "monitor"):
            code, _, complaint = self.call(action)
            self.assertEqual(code, 1, action)
            self.assertTrue(complaint)

    def test_another_machine_is_left_alone(self):
        played = self.play()
        self.assertEqual(self.call("off", plug="A")[0], 1)
        self.assertEqual(played.status, "running")

    def test_what_is_no_monitor_is_told(self):
        self.play(greeting='{"SSH": 2}')
        self.assertEqual(self.call("status")[0], 1)

    def test_nonsense_is_told(self):
        self.play(greeting="hello")
        self.assertEqual(self.call("status")[0], 1)

    def test_an_unknown_action_is_refused(self):
        self.play()
        self.assertEqual(self.call("cycle")[0], 1)
        self.assertEqual(self.call("")[0], 1)

    def test_metadata_names_the_actions(self):
        code, output, _ = self.call("metadata")
        self.assertEqual(code, 0)
        for action in ("off", "status", "metadata"):
            self.assertIn(f'<action name="{action}" />', output)


if __name__ == "__main__":
    unittest.main()
