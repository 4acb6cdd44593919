#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_bundle.py: approvalctl doctor --bundle: what helps is in it, and no secret: they are planted
wherever one could get in from, and the archive is searched for each.

Owns a World (tests/lib/harness.py) and a journalctl of its own. Never asks the host's journal.
"""

import base64
import glob
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import case  # noqa: E402  the path is set above
from lib import harness  # noqa: E402

BUILD = os.path.dirname(os.path.dirname(os.path.dirname(case.PROGRAM)))
STEP_UP = "5f1c0e9a7b3d2846" * 4
HOOK = "hook-shared-secret-4711"
URL_PATH = "services/T0SECRET/B0SECRET/pathsecret"
PASSWORD = "proxy-password-42"
WORDS = ["planted-title-word", "planted-reason-word", "planted-details-word"]


class Bundle(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.world = harness.World(self.folder, BUILD, extra_config=f"""
step_up_key_file = "{os.path.join(self.folder, 'step-up')}"
webhook "ci" {{
    url = "http://hookuser:{PASSWORD}@127.0.0.1:9/{URL_PATH}"
    secret_file = "{os.path.join(self.folder, 'hook')}"
    allow_inward = true
}}
""")
        self.addCleanup(self.world.close)
        self.world.secret_file("step-up", STEP_UP)
        self.world.secret_file("hook", HOOK)
        self.world.start()
        self.world.apply_policy()
        self.token = self.world.token("ci")
        self.file = os.path.join(self.folder, "bundle.tar.gz")

    def journal(self, text):
        """A journalctl that says this."""
        tools = os.path.join(self.folder, "bin")
        os.makedirs(tools, exist_ok=True)
        with open(os.path.join(tools, "said"), "w", encoding="utf-8") as said:
            said.write(text)
        with open(os.path.join(tools, "journalctl"), "w", encoding="utf-8") as script:
            script.write(f'#!/bin/sh\nexec cat "{tools}/said" "{self.world.path("approvald.log")}"\n')
        os.chmod(os.path.join(tools, "journalctl"), 0o755)
        return dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}")

    def bundle(self, env, *more, check=0):
        return self.world.ctl(
            "doctor", "--bundle", self.file, "--program", os.path.join(BUILD, "approvald/approvald"),
            "--config", self.world.path("approvald.conf"), *more, env=env, check=check)  # fmt: skip

    def unpacked(self):
        with tarfile.open(self.file, "r:gz") as archive:
            members = archive.getmembers()
            for member in members:
                self.assertTrue(member.name.split("/")[0] == "approvald-bundle", member.name)
                self.assertEqual(member.mode & 0o077, 0, member.name)
                self.assertEqual((member.uid, member.gid), (0, 0))
            return {os.path.basename(m.name): archive.extractfile(m).read().decode()
                    for m in members if m.isfile()}

    def make_request(self):
        answer = self.world.create(self.token, title=WORDS[0], reason=WORDS[1], details=WORDS[2])
        self.assertEqual(answer.status, 201, answer.body)

    def test_no_planted_secret_is_in_it(self):
        self.make_request()
        seed = re.search(r"\b[A-Z2-7]{26,}\b", self.world.ctl("step-up", "enrol", "U0APR00001", check=0).stdout)
        self.assertIsNotNone(seed)
        key = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIPlantedKeyBytes\n-----END EC PRIVATE KEY-----"
        with open(self.world.path("signing"), encoding="utf-8") as text:
            signing = text.read().strip()
        slack = "https://hooks.slack.com/commands/T0/1/responseurlsecret"
        code = base64.b64encode(b"some other long random token 1234").decode()
        secrets = [self.token, harness.BOT_TOKEN, signing, STEP_UP, HOOK, PASSWORD, seed.group(0),
                   "MHcCAQEEIPlantedKeyBytes", "responseurlsecret", "pathsecret", code, "xoxp-1-planted",
                   "apvjoin1.planted", "planted/behind"]
        planted = "\n".join([f"approvald says {self.token} {harness.BOT_TOKEN} {signing}", STEP_UP, HOOK,
                             f"http://u:{PASSWORD}@proxy/", seed.group(0), key, slack,
                             f"Authorization: Bearer {code}", "xoxp-1-planted apvjoin1.planted apvjoin2.p/planted/behind", ""])
        with open(self.world.path("data/crash-7"), "w", encoding="utf-8") as crash:
            crash.write("crash-report 1\nprogram approvald 1\nsignal SIGBUS\n" + planted)
        with open(self.world.path("approvald.conf"), "a", encoding="utf-8") as conf:
            conf.write("\n# ".join(["", *planted.splitlines()]) + "\n")
        said = self.bundle(self.journal(planted))
        self.assertIn(self.file, said.stdout)
        self.assertEqual(os.stat(self.file).st_mode & 0o777, 0o600)
        files = self.unpacked()
        everything = "\n".join(files.values())
        for secret in [*secrets, *WORDS]:
            self.assertNotIn(secret, everything)
            self.assertNotIn(secret, said.stdout + said.stderr)
        with open(self.file, "rb") as raw:
            self.assertNotIn(self.token.encode(), raw.read())
        self.assertIn("[removed]", files["journal.txt"])
        self.assertIn("[removed]", files["crashes.txt"])

    def plant(self, *names, text):
        path = os.path.join(self.folder, *names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def assert_absent(self, *secrets):
        self.assertGreater(len(secrets), 0)
        everything = "\n".join(self.unpacked().values())
        self.assertEqual([secret for secret in secrets if secret in everything], [])

    def test_secrets_are_known_when_the_configuration_has_a_fault(self):
        signing, password, user = "00112233445566778899aabbccddeeff", "bmc, password", "etcd-password"
        own = "of this host's own"
        self.plant("secrets", "slack-signing-secret", text=signing + "\n")
        self.plant("secrets", "etcd-user", text=f"approvald:{user}\n")
        self.plant("fence", "peer", text=f"agent=fence_ipmilan\nusername=approvald\npassword={password}\n")
        self.plant("pair", "fence-own", text=f"agent=fence_ipmilan\npassword={own}\n")
        with open(self.world.path("approvald.conf"), "a", encoding="utf-8") as conf:
            conf.write("\n{ nonsense\n")
        said = self.bundle(self.journal(f"says {signing} as approvald/{user} with '{password}', '{own}'\n"))
        self.assert_absent(signing, password, user, own)
        self.assertIn("as approvald/[removed]", self.unpacked()["journal.txt"])
        self.assertRegex(said.stdout.splitlines()[-1], r"files of approvald's \(its configuration cannot be had\)"
                                                       r".*Look into it before you give it away\.$")

    def test_what_could_not_be_read_is_said(self):
        said = self.bundle(self.journal("x\n"))
        self.assertIn("It names hosts and people: look into it", said.stdout.splitlines()[-1])
        os.unlink(self.world.path("hook"))
        said = self.bundle(self.journal("x\n"))
        self.assertIn(f'{self.world.path("hook")} (No such file or directory)', said.stdout.splitlines()[-1])

    def test_a_proxys_password_may_hold_any_sign(self):
        with open(self.world.path("approvald.conf"), "a", encoding="utf-8") as conf:
            conf.write('\nslack {\n    proxy = "http://svc:Pa,ss;1@proxy:3128"\n}\n')
        files = self.unpacked_of(self.journal("proxy said: no to Pa,ss;1\n"))
        self.assertIn("[removed]proxy:3128", files["approvald.conf"])
        self.assert_absent("Pa,ss;1", "svc:")

    def test_what_helps_is_in_it(self):
        files = self.unpacked_of(self.journal("a line of the journal\n"))
        self.assertEqual(set(files), {"about.txt", "doctor.txt", "status.json", "approvald.conf",
                                      "supervisor.conf", "metrics.txt", "journal.txt", "crashes.txt",
                                      "files.txt"})  # fmt: skip
        self.assertNotIn("exit code 0", "".join(files.values()))
        self.assertIn("approvalctl ", files["about.txt"])
        self.assertIn("ok    ", files["doctor.txt"])
        self.assertTrue(json.loads(files["status.json"])["ready"])
        self.assertIn(f'data_dir = "{self.world.path("data")}"', files["approvald.conf"])
        self.assertIn("127.0.0.1:9/[removed]", files["approvald.conf"])
        self.assertIn("approvald_storage_lsn", files["metrics.txt"])
        self.assertIn("a line of the journal", files["journal.txt"])
        self.assertRegex(files["files.txt"], r"(?m)^-0600 .* \d+ 20\S+ \S+")
        self.assertIn("crash.now", files["files.txt"])

    def unpacked_of(self, env):
        self.bundle(env)
        return self.unpacked()

    def test_it_is_made_when_nothing_answers(self):
        self.world.daemon.stop()
        files = self.unpacked_of(self.journal("down\n"))
        self.assertIn("FAIL", files["doctor.txt"])
        self.assertIn("down", files["journal.txt"])

    @unittest.skipUnless(shutil.which("strace"), "strace is not installed")
    def test_the_archive_is_on_the_disk_before_it_has_its_name_and_its_name_too(self):
        trace = os.path.join(self.folder, "trace")
        done = subprocess.run(
            ["strace", "-y", "-o", trace, "-e", "trace=fsync,rename,renameat,renameat2", case.PROGRAM,
             "--socket", self.world.socket, "doctor", "--bundle", self.file, "--program",
             os.path.join(BUILD, "approvald/approvald"), "--config", self.world.path("approvald.conf")],
            env=self.journal("x\n"), capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(trace, encoding="utf-8") as text:
            calls = re.findall(r"^(\w+)\(.*?(?:<|\")([^>\"]*)[>\"].*= 0$", text.read(), re.M)
        self.assertEqual(calls[-3:], [("fsync", self.file + ".part"), ("rename", self.file + ".part"),
                                      ("fsync", self.folder)])  # fmt: skip

    def test_what_cannot_be_written_leaves_nothing(self):
        before = set(glob.glob("/tmp/approvald-bundle-*"))
        self.file = os.path.join(self.folder, "is/not/there.tar.gz")
        done = self.bundle(self.journal("x\n"), check=None)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("there.tar.gz", done.stderr)
        self.assertEqual(set(glob.glob("/tmp/approvald-bundle-*")) - before, set())
        # And a tar that fails leaves no half of an archive.
        self.file = os.path.join(self.folder, "bundle.tar.gz")
        env = self.journal("x\n")
        tar = os.path.join(self.folder, "bin/tar")
        with open(tar, "w", encoding="utf-8") as script:
            script.write("#!/bin/sh\necho half\nexit 2\n")
        os.chmod(tar, 0o755)
        self.assertNotEqual(self.bundle(env, check=None).returncode, 0)
        self.assertEqual(glob.glob(self.file + "*"), [])


if __name__ == "__main__":
    unittest.main()
