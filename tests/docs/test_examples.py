#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_examples.py: every example of docs/api.md runs as it is printed, against a real approvald.

Owns one World (tests/lib/harness.py). The blocks marked ```sh run in one shell, in the order of the
document, because later ones use what earlier ones made; curl gets --fail-with-body, nothing else is
changed. Never skips a block.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))

from lib import harness  # noqa: E402  the path is set above

BUILD = os.environ.get("APPROVALD_BUILD", os.path.join(ROOT, "build/gcc"))
PAGE = "docs/api.md"
BLOCKS_MIN = 8  # fewer: the document or its marks have changed and nothing would be tested


def blocks():
    """(line, text) of every ```sh block."""
    with open(os.path.join(ROOT, PAGE), encoding="utf-8") as handle:
        text = handle.read()
    return [
        (text.count("\n", 0, match.start()) + 2, match.group(1))
        for match in re.finditer(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


class Examples(unittest.TestCase):
    """One shell, all blocks."""

    def test_all(self):
        found = blocks()
        self.assertGreaterEqual(len(found), BLOCKS_MIN)
        with tempfile.TemporaryDirectory() as folder, harness.World(folder, BUILD) as world:
            world.start()
            world.apply_policy()
            env = {
                "PATH": os.environ["PATH"],
                "APPROVALD_URL": f"http://127.0.0.1:{world.port}",
                "APPROVALD_SOCKET": world.socket,
                "TOKEN": world.token("docs"),
                "DECIDER": world.token("ana", scopes=["decide"], user=harness.ANA),
            }
            script = "set -eu -o pipefail\ncurl() { command curl --fail-with-body \"$@\"; echo; }\n"
            for line, text in found:
                script += f"echo '== {PAGE}:{line}'\n{text}\n"
            done = subprocess.run(
                ["bash", "-c", script], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, timeout=120, check=False,
            )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout[-3000:])
        print(f"{len(found)} blocks of {PAGE} ran")


if __name__ == "__main__":
    unittest.main(verbosity=1)
