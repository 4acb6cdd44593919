# SPDX-License-Identifier: Apache-2.0
"""case.py: what the tests of approvalctl share: the program, a server, ways to call it.

Needs a built approvalctl: in $APPROVALD_BUILD, else in build/gcc or build. Owns temporary files and
servers of a test; never needs approvald itself.
"""

import os
import subprocess
import sys
import tempfile
import unittest

from fake_server import FakeServer

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ID = "req_01TEST"


def find_program():
    folders = [os.environ.get("APPROVALD_BUILD"), f"{ROOT}/build/gcc", f"{ROOT}/build"]
    for folder in folders:
        path = f"{folder}/approvald/ctl/approvalctl"
        if folder and os.access(path, os.X_OK):
            return os.path.abspath(path)
    sys.exit("approvalctl is not built: make, or set APPROVALD_BUILD")


PROGRAM = find_program()


class CtlTest(unittest.TestCase):
    """A server, a folder, and ways to call approvalctl."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.server = None
        self.token_file = os.path.join(self.folder, "token")
        with open(self.token_file, "w", encoding="utf-8") as handle:
            handle.write("apv_secret\n")
        os.chmod(self.token_file, 0o600)

    def serve(self, script, **how):
        self.server = FakeServer(script, **how)
        self.addCleanup(self.server.close)
        return self.server

    def environment(self, **more):
        env = {"PATH": os.environ["PATH"], "HOME": self.folder, "LC_ALL": "C.UTF-8", **more}
        if self.server is not None and self.server.url:
            env["APPROVALD_URL"] = self.server.url
        return env

    def start(self, *args, env=None, **how):
        return subprocess.Popen(
            [PROGRAM, *args],
            env=env or self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **how,
        )

    def ctl(self, *args, env=None, **how):
        child = self.start(*args, env=env, **how)
        child.out, child.err = child.communicate(timeout=60)
        return child

    def check(self, code, *args, **how):
        done = self.ctl(*args, **how)
        self.assertEqual(done.returncode, code, f"{args}: {done.out}{done.err}")
        return done
