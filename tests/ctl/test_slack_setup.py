#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_slack_setup.py: approvalctl slack setup against the stand-in: what is asked, stored, and said.

Owns its folders and a stand-in in this process. Never reaches further than loopback; approvald itself
only prints its configuration here.
"""

import json
import os
import pty
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import termios
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, ".."), os.path.join(HERE, "..", "slack")]
from case import PROGRAM, ROOT  # noqa: E402  the path is set above
from lib.ports import free_port  # noqa: E402
from lib.tunnel import Proxy, TlsFront  # noqa: E402
from standin.server import StandIn  # noqa: E402

DAEMON = os.path.join(os.path.dirname(PROGRAM), "..", "approvald")
BOT = "xoxb-1111111111-2222222222-AbCdEfGhIjKlMnOp"
APP = "xapp-1-A0APP00001-3333333333-0123456789abcdef"
SIGNING = "0123456789abcdef0123456789abcdef"
FILES = {"bot_token_file": "slack-bot-token", "app_token_file": "slack-app-token",
         "signing_secret_file": "slack-signing-secret"}


class SlackSetup(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.config = self.path("approvald.conf")
        self.standin = StandIn("http://127.0.0.1:9", SIGNING.encode(), BOT.encode())
        self.standin.enable_socket_mode(APP.encode())
        self.port = self.standin.bind("127.0.0.1", 0)
        thread = threading.Thread(target=self.standin.serve, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 5)
        self.addCleanup(self.standin.stop)
        self.team = self.standin.world.team["id"]
        self.configure()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def read(self, *names):
        with open(self.path(*names), encoding="utf-8") as file:
            return file.read()

    def configure(self, more="", url=None):
        with open(self.config, "w", encoding="utf-8") as conf:
            conf.write(f'slack {{\n    api_url = "{url or f"http://127.0.0.1:{self.port}/api/"}"\n'
                       f'{more}\n}}\n')

    def command(self, *words):
        return [PROGRAM, "slack", "setup", "--config", self.config, "--program", DAEMON, *words]

    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": self.folder, "LC_ALL": "C.UTF-8"}

    def setup_slack(self, *secrets, code=0, words=()):
        done = subprocess.run(self.command(*words), input="".join(s + "\n" for s in secrets),
                              env=self.environment(), capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        for secret in (BOT, APP, SIGNING, *(s for s in secrets if s)):
            self.assertNotIn(secret, done.stdout + done.stderr)
        return done

    def stored(self):
        found = self.path("secrets")
        return sorted(os.listdir(found)) if os.path.isdir(found) else []

    def assert_nothing(self):
        self.assertEqual(self.stored(), [])
        self.assertFalse(os.path.exists(self.path("approvald.conf.d")))

    def check_config(self):
        done = subprocess.run([DAEMON, "--check-config", "--config", self.config], check=False,
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)

    # -- what is stored ----------------------------------------------------------------------------

    def test_tokens_that_slack_takes_are_stored_and_named(self):
        said = self.setup_slack(BOT, APP).stdout
        manifest = json.loads(said[:said.index("\n}\n") + 3])
        self.assertTrue(manifest["settings"]["socket_mode_enabled"])
        self.assertIn(f"bot token: team {self.team}", said)
        self.assertIn("every scope of the manifest", said)
        self.assertIn("it may open sockets", said)
        self.assertIn("systemctl restart approvald-supervisor", said)
        self.assertEqual(self.stored(), ["slack-app-token", "slack-bot-token"])
        for name, secret in (("slack-bot-token", BOT), ("slack-app-token", APP)):
            self.assertEqual(self.read("secrets", name), secret + "\n")
            mode = stat.S_IMODE(os.stat(self.path("secrets", name)).st_mode)
            self.assertEqual(mode & 0o007, 0, oct(mode))
        fragment = self.read("approvald.conf.d", "40-slack.conf")
        self.assertIn(f'team_id = "{self.team}"', fragment)
        self.assertNotIn("signing_secret_file", fragment)
        self.check_config()

    def test_it_may_be_repeated_and_asks_about_the_stored_ones(self):
        self.setup_slack(BOT, APP)
        before = self.read("approvald.conf.d", "40-slack.conf")
        said = self.setup_slack().stdout
        self.assertIn("systemctl reload approvald-supervisor", said)
        self.assertNotIn("stored in", said)
        self.setup_slack(APP)  # one alone, the other stays
        self.setup_slack(SIGNING)
        self.assertIn("signing_secret_file", self.read("approvald.conf.d", "40-slack.conf"))
        self.assertNotEqual(before, self.read("approvald.conf.d", "40-slack.conf"))
        self.check_config()
        self.standin.world.token_state = "token_revoked"
        self.assertIn("token_revoked: the token was revoked", self.setup_slack(code=115).stderr)

    def test_files_that_an_administrator_has_named_are_taken(self):
        os.mkdir(self.path("mine"))
        self.configure("\n".join(f'    {option} = "{self.path("mine", name)}"'
                                 for option, name in FILES.items() if "signing" not in option)
                       + f'\n    team_id = "{self.team}"')
        said = self.setup_slack(BOT, APP).stdout
        self.assertIn("systemctl reload", said)
        self.assertEqual(sorted(os.listdir(self.path("mine"))),
                         ["slack-app-token", "slack-bot-token"])
        self.assert_nothing()
        self.check_config()

    def test_over_http_the_manifest_has_this_hosts_own_url(self):
        said = self.setup_slack(BOT, SIGNING, words=("--public-url", "https://a.example.com")).stdout
        self.assertIn('"request_url": "https://a.example.com/slack/events"', said)
        self.assertIn("let Slack reach https://a.example.com/slack/", said)
        self.check_config()
        said = self.setup_slack().stdout  # now it is configured for HTTP
        self.assertIn('"socket_mode_enabled": false', said)
        self.assertIn(f'"https://{socket.gethostname().partition(".")[0]}', said)

    def test_a_foreign_fragment_is_left_alone(self):
        os.mkdir(self.path("approvald.conf.d"))
        with open(self.path("approvald.conf.d", "40-slack.conf"), "w", encoding="utf-8") as mine:
            mine.write("# mine\n")
        self.assertIn("move it away", self.setup_slack(BOT, APP, code=118).stderr)
        self.assertEqual(self.read("approvald.conf.d", "40-slack.conf"), "# mine\n")

    # -- what is not -------------------------------------------------------------------------------

    def test_a_wrong_token_is_not_stored(self):
        wrong = BOT.replace("AbCd", "ZzZz")
        self.assertIn("Slack says invalid_auth: the token is wrong",
                      self.setup_slack(wrong, APP, code=115).stderr)
        self.assert_nothing()
        self.assertIn("nothing was stored: apps.connections.open: Slack says invalid_auth",
                      self.setup_slack(BOT, APP.replace("0123", "9999"), code=115).stderr)
        self.assert_nothing()

    def test_a_secret_of_another_shape_is_told_what_it_is(self):
        for given, words in (("xoxp-1111111111-2222222222-AbCdEfGhIjKl", "a user's token"),
                             ("xoxe.xoxb-1-AbCdEfGhIjKlMnOpQrSt", "rotates its tokens"),
                             ("hello", "none of Slack's secrets"),
                             ("xoxb-short", "is cut"),
                             (BOT + " and more", "something before or behind"),
                             (BOT + "\0", "a NUL byte"),
                             ("x" * 600, "too long a line")):
            with self.subTest(given=given[:20]):
                self.assertIn(words, self.setup_slack(given, APP, code=116).stderr)
        self.assertIn("two times a bot token", self.setup_slack(BOT, BOT, code=116).stderr)
        self.assert_nothing()

    def test_half_of_what_is_needed_is_not_stored(self):
        self.assertIn("the bot token is needed", self.setup_slack(code=116).stderr)
        self.assertIn("the app-level token is needed too", self.setup_slack(BOT, code=116).stderr)
        self.assertIn("the signing secret is needed too", self.setup_slack(
            BOT, code=116, words=("--public-url", "https://a.example.com")).stderr)
        self.assert_nothing()

    def test_a_token_of_another_team_is_refused(self):
        self.configure('    team_id = "T0OTHER001"')
        self.assertIn("and slack.team_id says T0OTHER001 (40-slack.conf, or wherever it is set): change it first",
                      self.setup_slack(BOT, APP, code=115).stderr)
        self.assert_nothing()

    def test_a_credential_of_systemd_is_not_ours_to_write(self):
        self.configure('    bot_token_file = "slack-bot-token"\n    app_token_file = "slack-app"')
        done = self.setup_slack(BOT, APP, code=116)
        self.assertIn("is a credential of systemd", done.stderr)
        self.assertNotIn("bot token: team", done.stdout)  # Slack was not asked
        self.assert_nothing()

    def test_a_link_is_not_followed(self):
        os.mkdir(self.path("secrets"))
        for target in (self.path("elsewhere"), self.path("nowhere")):
            with self.subTest(target=target):
                with open(self.path("elsewhere"), "w", encoding="utf-8") as file:
                    file.write(BOT + "\n")
                os.symlink(target, self.path("secrets", "slack-bot-token"))
                done = self.setup_slack(BOT, APP, code=116)
                self.assertIn("slack-bot-token is a link: give the file itself", done.stderr)
                self.assertNotIn("bot token: team", done.stdout)
                os.unlink(self.path("secrets", "slack-bot-token"))
        self.assertEqual(self.stored(), [])

    def test_a_fault_of_the_configuration_is_said(self):
        self.configure("    nonsense = 1")
        self.assertIn("nonsense", self.setup_slack(BOT, APP, code=119).stderr)

    # -- scopes and the way ------------------------------------------------------------------------

    def test_a_missing_scope_is_named_with_what_stops_working(self):
        self.standin.world.scopes = [s for s in self.standin.world.scopes
                                     if s not in ("users:read", "groups:history")]
        said = self.setup_slack(BOT, APP, code=119).stdout
        self.assertIn("FAIL  scope users:read is missing: nobody can be told from a guest", said)
        self.assertIn("FAIL  scope groups:history is missing: after a time-out", said)
        self.assertEqual(said.count("is missing"), 2)
        self.assertEqual(len(self.stored()), 2)  # it works as far as it does

    def test_socket_mode_that_is_off_in_the_app_is_said(self):
        self.standin.world.socket_mode = False
        self.assertIn("Socket Mode is off", self.setup_slack(BOT, APP, code=115).stderr)

    def test_slack_is_asked_through_the_proxy_and_the_private_ca(self):
        front = TlsFront(self.folder)
        front.target = self.port
        proxy = Proxy("me", "secret")
        self.addCleanup(front.close)
        self.addCleanup(proxy.close)
        url = f"https://localhost:{front.port}/api/"
        through = f'    ca_file = "{front.certificate}"\n    no_proxy = "none.example"\n    proxy = '
        self.configure(f'{through}"http://me:wrong@127.0.0.1:{proxy.port}"', url)
        said = self.setup_slack(BOT, APP, code=119).stderr
        self.assertIn("Slack was not reached", said)
        self.assertIn("407", said)
        self.assert_nothing()
        self.configure(f'{through}"http://me:secret@127.0.0.1:{proxy.port}"', url)
        self.setup_slack(BOT, APP)
        self.assertEqual(set(proxy.tunnels), {f"localhost:{front.port}"})
        self.assertEqual(len(self.stored()), 2)

    def test_without_a_network_nothing_is_stored(self):
        self.configure(url=f"http://127.0.0.1:{free_port()}/api/")
        said = self.setup_slack(BOT, APP, code=119).stderr
        self.assertIn("nothing was stored: auth.test: Slack was not reached", said)
        self.assert_nothing()

    # -- a person at a terminal --------------------------------------------------------------------

    def test_at_a_terminal_what_is_typed_is_not_shown(self):
        screen, keyboard = pty.openpty()
        self.addCleanup(os.close, screen)
        child = subprocess.Popen(self.command(), stdin=keyboard, stdout=subprocess.DEVNULL,
                                 stderr=keyboard, env=self.environment())
        os.close(keyboard)
        shown = b""
        for question, answer in ((b"xoxb-", BOT), (b"xapp-", APP)):
            while question not in shown.rpartition(b"\n")[2]:
                self.assertTrue(select.select([screen], [], [], 30)[0], shown)
                shown += os.read(screen, 4096)
            self.assertFalse(termios.tcgetattr(screen)[3] & termios.ECHO)
            os.write(screen, answer.encode() + b"\n")
        self.assertEqual(child.wait(60), 0, shown)
        for secret in (BOT, APP):
            self.assertNotIn(secret.encode(), shown)
        self.assertEqual(len(self.stored()), 2)

    def test_at_a_terminal_control_c_ends_it(self):
        screen, keyboard = pty.openpty()
        self.addCleanup(os.close, screen)
        before = termios.tcgetattr(keyboard)
        child = subprocess.Popen(self.command(), stdin=keyboard, stdout=subprocess.DEVNULL,
                                 stderr=keyboard, env=self.environment(), start_new_session=True)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        shown = b""
        while b"xoxb-" not in shown.rpartition(b"\n")[2]:
            self.assertTrue(select.select([screen], [], [], 30)[0], shown)
            shown += os.read(screen, 4096)
        os.write(screen, BOT[:9].encode() + b"\x03")
        self.assertEqual(child.wait(30), -signal.SIGINT)
        self.assertEqual(termios.tcgetattr(keyboard), before)
        os.close(keyboard)
        self.assert_nothing()


if __name__ == "__main__":
    assert os.path.isdir(ROOT)
    unittest.main()
