# SPDX-License-Identifier: Apache-2.0
"""sizes.py: how much room the packages take, and what they bring with them.

Owns nothing: apt is asked what it would do on a fresh host. Never installs anything.
"""

import re

OWN_KIB_MAX = 3 * 1024  # programs, man pages and units of one package
# What comes along on a host that has no more than apt, libc6, systemd and what these recommend.
NEEDED_KIB_MAX = {"approvald": 12 * 1024, "approvald-arbiter": 56 * 1024, "approvald-doc": 0}


def mib(kib):
    return f"{kib / 1024:.1f} MiB"


class Sizes:
    """The cases, in their order."""

    def __init__(self, stage):
        self.stage = stage
        self.host = stage.machine("A")

    def shown(self, package):
        """(installed KiB, archive KiB) of a package that apt knows."""
        said = self.host.run("apt-cache", "show", "--no-all-versions", package)
        field = dict(re.findall(r"^(Installed-Size|Size): (\d+)$", said, re.M))
        return int(field["Installed-Size"]), int(field["Size"]) // 1024

    def brought(self, package, *options):
        """The names of what apt would install."""
        said = self.host.run("apt-get", "-s", *options, "install", package)
        names = re.findall(r"^Inst (\S+) ", said, re.M)
        assert package in names, said
        return names

    def told(self, package):
        sizes = {name: self.shown(name) for name in self.brought(package)}
        needed = self.brought(package, "--no-install-recommends")
        own, archive = sizes[package]
        more = sum(sizes[name][0] for name in needed) - own
        wished = sum(kib for kib, _ in sizes.values()) - own - more
        assert more <= NEEDED_KIB_MAX[package], (package, needed)
        fetched = sum(sizes[name][1] for name in needed)
        return own, (f"{package} {mib(own)} (archive {mib(archive)}), needs {len(needed) - 1} packages more of "
                     f"{mib(more)} (all archives {mib(fetched)}), recommends {len(sizes) - len(needed)} of "
                     f"{mib(wished)}")

    def is_small(self):
        """the packages are as small as they should be, and need little"""
        told = []
        for package in NEEDED_KIB_MAX:
            own, words = self.told(package)
            assert own <= OWN_KIB_MAX, words
            told.append(words)
        return "; ".join(told)

    CASES = (is_small,)
