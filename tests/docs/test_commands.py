#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_commands.py: what README.md and docs/*.md tell people to type exists and does what they say.

Owns one World (tests/lib/harness.py), and how each printed approvalctl line is run: unchanged but
for an id that the document cannot know. An approver, a thread, presses Approve on every card. Never
runs what needs root, systemd or Slack itself; for these it checks that commands, options and
configuration keys exist.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import pages  # noqa: E402  the path is set above
from lib import harness  # noqa: E402

README, SETUP = "README.md", "docs/slack-setup.md"
PAGES = (README, SETUP, "docs/admin.md", "docs/api.md", "docs/approvalctl.md", "docs/architecture.md",
         "docs/slack-cases.md", "docs/notify.md", "docs/pair.md", "docs/policies.md", "docs/policy-times.md",
         "docs/step-up.md", "docs/out-of-office.md")  # fmt: skip
CTL = os.path.join(pages.BUILD, "approvald/ctl/approvalctl")
DAEMON = os.path.join(pages.BUILD, "approvald/approvald")
SCRIPTS = ("packaging/lib/check.py", "packaging/lib/quickstart.py")
OPTION = r"--[a-z-]+"
# Configuration keys in running text: by their ending, or because a value follows.
KEY = r"([a-z_]+_(?:file|url|id)|proxy)(?: =.*)?"


def output(*argv):
    """What a program prints; it has to end with 0."""
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout


def approvalctl_lines(page):
    """Every command of the blocks that begins with approvalctl, without its comment."""
    return [
        part.strip()
        for block in pages.blocks(page)
        for line in block.text.split("\n")
        for part in line.split("#")[0].split(";")
        if part.strip().startswith("approvalctl ")
    ]


class Written(unittest.TestCase):
    """Names in the documents against the programs' own lists."""

    @classmethod
    def setUpClass(cls):
        cls.commands = re.findall(r"^  ([a-z-]+(?: [a-z]+)?)  +\S", output(CTL, "--help"), re.M)

    def command_of(self, line):
        """The longest command that a line begins with; None for approvalctl's own options."""
        words = line.split()[1:]
        if not words or words[0].startswith("--") or words[0] == "COMMAND":
            return None
        for count in (2, 1):
            if " ".join(words[:count]) in self.commands:
                return " ".join(words[:count])
        return self.fail(f"no such command: {line}")

    def test_commands_and_options_exist(self):
        checked = 0
        for page in PAGES:
            mentions = [text for text in pages.inline(page) if text.startswith("approvalctl ")]
            for line in approvalctl_lines(page) + mentions:
                command = self.command_of(line.replace("…", ""))
                told = output(CTL, *(command or "").split(), "--help")
                for option in re.findall(OPTION, line.split(" -- ")[0]):
                    self.assertRegex(told, rf"(?m)^  {option}\b|^approvalctl COMMAND {option}\b",
                                     f"{page}: {line}")  # fmt: skip
                checked += 1
        self.assertGreater(checked, 10)

    def test_approvald_options_exist(self):
        told = output(DAEMON, "--help")
        for page in PAGES:
            for text in pages.inline(page):
                if text.startswith("approvald "):
                    for option in re.findall(OPTION, text):
                        self.assertIn(f" {option} ", told, f"{page}: {text}")

    def test_options_of_our_scripts_exist(self):
        for block in pages.blocks(README):
            for line in block.text.split("\n"):
                if line.startswith("packaging/"):
                    program = os.path.join(pages.ROOT, line.split()[0])
                    self.assertTrue(os.access(program, os.X_OK), line)
        sources = "".join(pages.read(name) for name in SCRIPTS)
        for text in pages.inline(README):
            if re.match(r"(packaging/\S+ )?--", text):
                for option in set(re.findall(OPTION, text)) - {"--help"}:
                    self.assertTrue(f'"{option}"' in sources, text)

    def test_configuration_keys_exist(self):
        rows = [line.split("|") for line in output(DAEMON, "--describe-config").split("\n")[2:]]
        keys = {(row[1].strip(), row[2].strip()) for row in rows if len(row) > 2}
        names = {name for _, name in keys}
        found = [match for text in pages.inline(SETUP) if (match := re.fullmatch(KEY, text))]
        self.assertGreater(len(found), 4)
        for match in found:
            self.assertIn(match.group(1), names, match.group(0))
        for listed in re.findall(r"`(\w+)\.(\w+)`", pages.read("docs/api.md")):
            self.assertIn(listed, keys)

    def test_the_configuration_shown_is_accepted(self):
        [block] = [b for b in pages.blocks(SETUP) if b.text.startswith("slack {")]
        [installs] = [b for b in pages.blocks(SETUP) if b.text.startswith("install ")]
        secrets = {"slack-signing-secret": harness.SIGNING_SECRET,
                   "slack-app-token": harness.APP_TOKEN, "slack-bot-token": harness.BOT_TOKEN}
        with tempfile.TemporaryDirectory() as folder:
            data = os.path.join(folder, "data")
            os.mkdir(data, 0o700)
            os.mkdir(os.path.join(folder, "secrets"), 0o750)
            for line in installs.text.strip().split("\n"):
                line = line.replace("/etc/approvald", folder)
                command = shlex.split(line.replace("-g approvald", f"-g {os.getgid()}"),
                                      comments=True)
                name = os.path.basename(command[-1])
                subprocess.run(command, input=secrets.pop(name), text=True, check=True)
            self.assertEqual(secrets, {}, "no secret is left out")
            path = os.path.join(folder, "approvald.conf")
            with open(path, "w", encoding="utf-8") as handle:
                handle.write(f'data_dir = "{data}"\n{block.text}'.replace("/etc/approvald", folder))
            output(DAEMON, "--config", path, "--check-config")

    def test_scopes_and_paths_are_the_manifests(self):
        [socket, line] = [text for text in approvalctl_lines(SETUP) if "manifest" in text]
        outward = json.loads(output(CTL, *socket.split(" >")[0].split()[1:]))
        self.assertTrue(outward["settings"]["socket_mode_enabled"])
        manifest = json.loads(output(CTL, *line.split(" >")[0].split()[1:]))
        scopes = [
            scope
            for cells in pages.rows(SETUP, "1. Create the app from the manifest")
            for scope in re.findall(r"`([a-z:.]+)`", cells[0])
        ]
        self.assertEqual(sorted(scopes), sorted(manifest["oauth_config"]["scopes"]["bot"]))
        self.assertEqual(outward["oauth_config"], manifest["oauth_config"])
        base = re.search(r"--public-url (\S+)", line).group(1)
        urls = set(re.findall(re.escape(base) + r"(/[a-z/]+)", json.dumps(manifest)))
        self.assertEqual(urls, {t for t in pages.inline(SETUP) if t.startswith("/slack/")})
        commands = {c["command"] for c in manifest["features"]["slash_commands"]}
        self.assertEqual(commands, {t.split()[0] for t in pages.inline(SETUP)
                                    if t.startswith("/appr")})


class Run(unittest.TestCase):
    """The lines that work on a host without Slack, against a World."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.world = harness.World(folder.name, pages.BUILD)
        self.addCleanup(self.world.close)
        self.world.start()
        self.world.apply_policy()
        self.token = self.world.token("ci")
        self.world.secret_file("token", self.token)
        with open(self.world.path("deploy.sh"), "w", encoding="utf-8") as handle:
            handle.write('#!/bin/sh\necho "deployed $*"\n')
        os.chmod(self.world.path("deploy.sh"), 0o755)
        self.stop = threading.Event()
        presser = threading.Thread(target=self.press_all)
        presser.start()
        self.addCleanup(presser.join, 30)
        self.addCleanup(self.stop.set)

    def press_all(self):
        """Approves every card that appears, once."""
        pressed = set()
        while not self.stop.wait(0.05):
            query = {"channel": harness.CHANNEL, "action_id": "approve"}
            for card in self.world.control("POST", "/messages", query)["messages"]:
                if card["ts"] not in pressed:
                    pressed.add(card["ts"])
                    self.world.control("POST", "/press", {**query, "user": harness.ANA,
                                                          "ts": card["ts"]})  # fmt: skip

    def bash(self, line):
        """Runs a line in the folder of the World, as somebody with a token."""
        env = {
            "PATH": os.path.dirname(CTL) + ":" + os.environ["PATH"],
            "HOME": self.world.dir,
            "APPROVALD_URL": f"http://127.0.0.1:{self.world.port}",
            "APPROVALD_TOKEN_FILE": self.world.path("token"),
        }
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", line], env=env, timeout=60,
                              cwd=self.world.dir, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False)  # fmt: skip
        self.assertEqual(done.returncode, 0, f"{line}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def where(self):
        """The World's configuration, instead of a host's."""
        return f"--config {self.world.path('approvald.conf')} --program {DAEMON}"

    def test_lines_do_what_they_say(self):
        last = None
        ran = []
        for page in (README, SETUP):
            for line in approvalctl_lines(page):
                line = line.replace("slack setup", "slack setup " + self.where())
                out = self.bash(re.sub(r"req_\w+…", last or "none", line))
                command = line.split()[1]
                ran.append(command)
                if command == "request":
                    last = out.strip()
                    self.assertRegex(last, r"^req_[0-9A-Z]{26}$")
                elif command == "run":
                    self.assertEqual(out, "deployed api 1.4.2\n")
                elif command in ("status", "doctor"):
                    self.assertRegex(out, "ready")
        self.assertEqual(ran, ["request", "wait", "run", "status", "doctor", "slack", "slack",
                               "slack", "slack", "slack", "request"])  # fmt: skip
        found = self.world.api("GET", "/v1/requests/" + last, token=self.token).json()
        self.assertEqual(found["policy"]["name"], "prod-deploy")


if __name__ == "__main__":
    unittest.main(verbosity=1)
