# SPDX-License-Identifier: Apache-2.0
"""guide.py: the blocks of docs/admin.md that are marked sh, run in their order on a fresh host.

Owns host B until it has purged everything there. Never changes a block.
"""

import os
import sys

from single import BOOKS, LEFT, files
from stage import HERE, TOKENS

sys.path.insert(0, os.path.join(HERE, "..", "docs"))
import pages  # noqa: E402  the path is set above

PAGE = "docs/admin.md"


class Guide:
    """The cases, in their order."""

    def __init__(self, stage):
        self.stage = stage
        self.host = stage.machine("B")

    def is_true(self):
        """every block of the administrator's guide does what it says"""
        self.before = files(self.host)
        blocks = [block for block in pages.blocks(PAGE) if block.language == "sh"]
        assert len(blocks) >= 4, blocks
        for block in blocks:
            try:
                self.host.run("bash", "-euc", block.text, seconds=240)
            except AssertionError as problem:
                raise AssertionError(f"{block}: {problem}") from None
        return f"{len(blocks)} blocks"

    def keeps_as_many_backups_as_it_should(self):
        """of three backups two stay when two are wanted, and a foreign file stays"""
        host = self.host
        host.write("/etc/systemd/system/approvald-backup.service.d/two.conf",
                   "[Service]\nEnvironment=APPROVALD_BACKUP_COUNT=2\n")
        host.write("/var/backups/approvald/approvald-mine.backup", "mine\n")
        host.run("systemctl", "daemon-reload")
        for day in (1, 2):
            host.run("cp", "-a", "/var/backups/approvald/approvald-mine.backup",
                     f"/var/backups/approvald/approvald-2020010{day}T000000Z.backup")
        before = host.run("ls", "/var/backups/approvald").split()
        host.run("systemctl", "start", "approvald-backup.service")
        names = host.run("ls", "/var/backups/approvald").split()
        assert len(names) == 3 and "approvald-mine.backup" in names, names
        # The guide's backup before, of the same second perhaps, and then of the same name.
        made = [name for name in sorted({*before, *names}) if name != "approvald-mine.backup"]
        assert set(made[-2:]) < set(names), (before, names)
        security = host.run("systemd-analyze", "security", "--no-pager", "approvald-backup.service")
        return security.strip().split("\n")[-1]

    def purges(self):
        """purged after all that, only what the administrator made is left"""
        host = self.host
        host.run("rm", "-rf", "/var/lib/approvald.old", "/etc/approvald/approvald.conf.d",
                 "/var/backups/approvald/approvald-mine.backup",
                 "/etc/systemd/system/approvald-backup.service.d", TOKENS)
        host.apt("purge", "--autoremove", "approvald")
        failed = host.run("systemctl", "--failed", "--no-legend", "--plain")
        assert not failed.strip(), failed
        after = files(host)
        wrong = {path for path in set(after) ^ set(self.before)}
        wrong |= {path for path in after if path not in LEFT
                  and after[path] != self.before.get(path)}
        assert not {path for path in wrong if not BOOKS.match(path)}, wrong

    CASES = (is_true, keeps_as_many_backups_as_it_should, purges)
