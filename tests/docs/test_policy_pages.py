#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_policy_pages.py: the policies that the documents show are taken, and the commands about policies,
freezes, substitutes, codes and tokens run as they are printed.

Owns one World (tests/lib/harness.py), in which it is root on the host, and what stands for the ids
and dates that a document cannot know (filled). Never changes anything else of a line. What needs
systemd or a pair is run by tests/packages, from docs/admin.md.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import pages  # noqa: E402  the path is set above
from lib import harness  # noqa: E402

POLICIES = ("docs/policies.md", "docs/policy-times.md", "docs/step-up.md", "docs/out-of-office.md")
PAGES = (*POLICIES, "docs/notify.md", "docs/approvalctl.md")
CTL = os.path.join(pages.BUILD, "approvald/ctl/approvalctl")
# What a line begins with that is run; how often the pages have it at least.
RUN = {"policy test": 2, "freeze add": 2, "freeze list": 1, "freeze remove": 1, "delegate add": 1,
       "delegate list": 1, "delegate remove": 1, "step-up enrol": 1, "step-up list": 1,
       "token add": 1, "outbox list": 1}  # fmt: skip


def lines(page):
    """Every whole approvalctl command of a page, in its order: of blocks, and in the text."""
    found = []
    text = pages.read(page).replace("\\\n", " ")
    for number, piece in enumerate(re.split(r"^```\w*$", text, flags=re.MULTILINE)):
        if number % 2:
            found += re.findall(r"^approvalctl .*$", piece, re.MULTILINE)
        else:
            found += re.findall(r"`(approvalctl [^`\n]+)`", piece)
    return [" ".join(line.split(" # ")[0].split()) for line in found]


def command_of(line):
    return " ".join(line.split()[1:3])


def ahead(line):
    """The same days of the first year in which none of them is over."""
    while any(day <= time.strftime("%Y-%m-%d", time.gmtime())
              for day in re.findall(r"\b20\d\d-\d\d-\d\d", line)):
        line = re.sub(r"\b(20\d\d)(?=-\d\d-\d\d)", lambda year: str(int(year.group(1)) + 1), line)
    return line


def is_whole(line):
    """Not only the command's name."""
    return len(line.split()) > 3 or command_of(line).endswith(" list")


class Policies(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        key = os.path.join(folder.name, "step-up-key")
        self.world = harness.World(folder.name, pages.BUILD)
        self.addCleanup(self.world.close)
        self.world.secret_file("step-up-key", "0123456789abcdef" * 4)
        with open(self.world.path("approvald.conf"), encoding="utf-8") as conf:
            text = conf.read()
        with open(self.world.path("approvald.conf"), "w", encoding="utf-8") as conf:
            conf.write(f'step_up_key_file = "{key}"\n{text}')
        self.world.start()
        self.delegation = None

    def bash(self, line):
        """As root on the host, in a folder of its own."""
        env = {"PATH": os.path.dirname(CTL) + ":" + os.environ["PATH"], "HOME": self.world.dir,
               "APPROVALD_SOCKET": self.world.socket}  # fmt: skip
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", line], env=env, timeout=60,
                              cwd=self.world.dir, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False)  # fmt: skip
        self.assertEqual(done.returncode, 0, f"{line}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    @staticmethod
    def peopled(text):
        """The ids of this workspace, where the document has its reader's."""
        return (text.replace("--requester U…", f"--requester {harness.RITA}")
                .replace("--approver U…", f"--approver {harness.ANA}")
                .replace("U0123456789", harness.ANA).replace("C0123456789", harness.CHANNEL))

    def filled(self, line):
        """What a document cannot know: ids, names of its reader, and the year in which it is read."""
        line = ahead(line)
        if line.startswith("approvalctl delegate add") and "--user" not in line:
            line += " --user U0ANA00001"  # root says for whom; an approver has a token of his own
        if "delegate remove" in line:
            line = line.replace("ID", self.delegation)
        if "--request ID" in line:
            line = line.replace("ID", self.request())
        return self.peopled(line).replace("NAME", "prod-deploy")

    def request(self):
        """The id of one that waits."""
        policy = self.world.path("waits")
        with open(policy, "w", encoding="utf-8") as out:
            out.write(harness.POLICY)
        self.bash(f"approvalctl policy apply {policy}")
        self.bash("approvalctl token add asks --ask --output asks")
        with open(self.world.path("asks"), encoding="utf-8") as token:
            answer = self.world.create(token.read().strip())
        self.assertEqual(answer.status, 201, answer.body)
        return answer.json()["id"]

    def apply(self, page):
        """Every policy that the page shows."""
        shown = [block for block in pages.blocks(page) if block.text.startswith("policy ")]
        for block in shown:
            with open(self.world.path("policies"), "w", encoding="utf-8") as out:
                out.write(self.peopled(block.text))
            name = block.text.split()[1]
            self.bash("approvalctl policy apply policies")
            self.assertIn(name, self.bash("approvalctl policy list"))
        return len(shown)

    def check(self, line, said):
        """What the line was to bring about."""
        command = command_of(line)
        if command == "freeze add":
            self.assertIn(line.split()[3], self.bash("approvalctl freeze list"))
        elif command == "freeze list":
            self.assertRegex(said, r"x-mas[\s\S]*no changes over the holidays")
        elif command == "freeze remove":
            self.assertNotIn(line.split()[3], self.bash("approvalctl freeze list"))
        elif command == "delegate add":
            listed = self.bash("approvalctl delegate list --json")
            self.delegation = re.search(r'"id":\s*"?([^",\s]+)', listed).group(1)
            self.assertIn("U0BEN00002", listed)
        elif command == "delegate remove":
            self.assertNotIn("U0BEN00002", self.bash("approvalctl delegate list --json"))
        elif command == "step-up enrol":
            self.assertIn("otpauth://", said)
            self.assertIn(harness.ANA, self.bash("approvalctl step-up list"))
        elif command == "token add":
            self.assertIn("notify", self.bash("approvalctl token list"))
        elif command == "policy test":
            self.assertRegex(said, rf"(?m)^{harness.ANA}: yes")

    def test_every_policy_shown_is_taken(self):
        self.assertGreaterEqual(sum(self.apply(page) for page in POLICIES), 8)

    def test_lines_do_what_they_say(self):
        ran = []
        for page in PAGES:
            if page in POLICIES:
                self.apply(page)
            for line in lines(page):
                if command_of(line) in RUN and is_whole(line):
                    line = self.filled(line)
                    self.check(line, self.bash(line))
                    ran.append(command_of(line))
        for command, count in RUN.items():
            self.assertGreaterEqual(ran.count(command), count, command)


if __name__ == "__main__":
    unittest.main(verbosity=1)
