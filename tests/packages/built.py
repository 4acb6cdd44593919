# SPDX-License-Identifier: Apache-2.0
"""built.py: what can be said of the packages before anybody installs them.

Owns the cases without a host. Never looks into a package that make deb has not left.
"""

import glob
import os
import shutil
import subprocess
import tempfile

from stage import ROOT, run_long

# Of packages that Debian itself does not have.
NOT_OURS = "initial-upload-closes-no-bugs"


class Built:
    """The cases, in their order."""

    def __init__(self, stage):
        self.stage = stage

    def is_clean(self):
        """lintian has nothing to say, overrides included"""
        if shutil.which("lintian") is None:
            return "not looked at: no lintian here"
        [changes] = glob.glob(os.path.join(self.stage.debs, "*.changes"))
        # As nobody, who may read it in a place of his own.
        done = subprocess.run(["lintian", "--allow-root", "--show-overrides", "--suppress-tags",
                               NOT_OURS, "--fail-on", "error,warning,override", changes],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=300, check=False)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def is_signed(self):
        """make apt-repo's directory is signed by the key that was named, and by no other"""
        home = self.stage.path("gnupg")
        os.mkdir(home, 0o700)
        environment = {**os.environ, "GNUPGHOME": home}
        user = "test@approvald.example"
        gpg = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", user,
               "ed25519"]
        try:
            subprocess.run(gpg, env=environment, check=True, capture_output=True, timeout=60)
            repo = self.stage.path("apt-repo")
            subprocess.run([os.path.join(ROOT, "packaging", "apt-repo"), repo, user,
                            self.stage.debs], env=environment, check=True, capture_output=True,
                           timeout=120)  # fmt: skip
        finally:
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
        release = os.path.join(repo, "dists", "approvald", "InRelease")
        run_long("gpgv", "--keyring", os.path.join(repo, "approvald.gpg"), release)
        with open(release, encoding="utf-8") as handle:
            text = handle.read()
        with open(release, "w", encoding="utf-8") as handle:
            handle.write(text.replace("Suite: approvald", "Suite: another"))
        wrong = subprocess.run(["gpgv", "--keyring", os.path.join(repo, "approvald.gpg"), release],
                               capture_output=True, check=False)
        assert wrong.returncode != 0, "a changed Release is accepted"

    def is_restarted_as_any_other(self):
        """needrestart is told nothing, and no unit refuses it (admin.md, Upgrade)"""
        for path in glob.glob(os.path.join(self.stage.debs, "*.deb")):
            with tempfile.TemporaryDirectory() as folder:
                subprocess.run(["dpkg-deb", "--extract", path, folder], check=True, timeout=60)
                units = glob.glob(folder + "/**/systemd/system/*", recursive=True)
                assert not os.path.exists(os.path.join(folder, "etc", "needrestart")), path
                for unit in filter(os.path.isfile, units):
                    with open(unit, encoding="utf-8") as handle:
                        assert "RefuseManual" not in handle.read(), unit

    CASES = (is_clean, is_restarted_as_any_other, is_signed)
