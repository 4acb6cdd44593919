# SPDX-License-Identifier: Apache-2.0
"""runs.py: what model.py runs: the present wording under several bounds, and what must be found.

Owns names, bounds and expected violations; never runs anything. One table: README.md explains it.
"""


class Run:
    """One search: bounds and macros of pair.pml, the kind of search, the violation to be found."""

    def __init__(self, name, text, search="breadth", expect=""):
        self.name = name
        self.text = text
        self.search = search
        self.expect = expect  # a part of the assertion, without blanks; "": none may be violated

    def defines(self):
        return [f"-D{word}" for word in self.text.split()]

    def bounds(self):
        return self.text


# The parts of an assertion by which a violation is known.
LOST = "==ghost[i]"  # 3, 8: a committed record is not in the log
STALE = "rdl>=rdg"  # 10
TWICE = "(((kE[me]*16)+(me*8))+inc[me])"  # 7, 1: two incarnations append under one epoch
UNION = "add[me])"  # 5, 13: a commit under less than the register may say
UNSYNCED = "dur[(1-me)]>=n"  # 2
DIVERGED = "(log[i]>>4)!="  # 4
CUT = "c>=app[me]"  # 9: an applied record is cut
TOLD = "c>=told[me]"  # F: what a client was told is cut silently
OUTSIDER = "(rI>>(3*n))&7)!=0"  # 11
LINEAGE = "lin[n]==glin"  # F
ENDED = "written&&"  # 20
ALONE = "(rI>>(3*alone))"  # 20, where one host is left

HOLDS_QUICK = (
    ("loss", "MAXE=4 MAXL=3"),
    ("retries", "MAXE=3 MAXL=2 NC=2"),
    ("kill", "MAXE=4 MAXL=2 KILLS=1"),
    ("power", "MAXE=4 MAXL=2 POWERS=1"),
    ("two-crashes", "MAXE=3 MAXL=2 KILLS=1 POWERS=1"),
    ("disk", "MAXE=4 MAXL=2 DISKS=1"),
    ("reads", "MAXE=3 MAXL=2 READS=1"),
    ("reads-solo", "MAXE=3 MAXL=2 READS=1 BEGIN=2"),
    ("handover-reads", "MAXE=3 MAXL=2 HANDOVERS=1 READS=1"),
    ("handover-disk", "MAXE=3 MAXL=2 HANDOVERS=1 DISKS=1"),
    ("applied", "MAXE=3 MAXL=2 APPLY=1"),
    ("forced", "MAXE=3 MAXL=2 FORCES=1 KILLS=1"),
    ("reseeded", "MAXE=3 MAXL=2 FORCES=1 KILLS=1 RESEED"),
    ("restored", "MAXE=3 MAXL=2 RESTORES=1"),
)
HOLDS_FULL = (
    ("disk-long", "MAXE=4 MAXL=3 DISKS=1"),
    ("reads-long", "MAXE=3 MAXL=3 READS=1"),
    ("reads-solo-long", "MAXE=3 MAXL=3 READS=1 BEGIN=2"),
    ("forced-kill", "MAXE=4 MAXL=2 FORCES=1 KILLS=1"),
    ("loss-deep", "MAXE=6 MAXL=4"),
    ("retries-deep", "MAXE=4 MAXL=3 NC=2"),
    ("kill-deep", "MAXE=4 MAXL=3 KILLS=1"),
    ("power-deep", "MAXE=4 MAXL=3 POWERS=1"),
    ("two-crashes-deep", "MAXE=4 MAXL=2 KILLS=1 POWERS=1"),
    ("two-powers", "MAXE=4 MAXL=2 POWERS=2"),
    ("both-down", "MAXE=4 MAXL=3 BEGIN=1 POWERS=1"),
    ("any-order", "MAXE=4 MAXL=3 POWERS=1 ANY_ORDER"),
    ("two-disks", "MAXE=4 MAXL=3 DISKS=2"),
    ("disk-crash", "MAXE=4 MAXL=2 DISKS=1 POWERS=1"),
    ("reads-kill", "MAXE=3 MAXL=2 READS=1 KILLS=1"),
    ("handover-reads-deep", "MAXE=3 MAXL=3 HANDOVERS=1 READS=1"),
    ("handover-disk-deep", "MAXE=4 MAXL=3 HANDOVERS=1 DISKS=1"),
    ("handover-disk-reads", "MAXE=3 MAXL=2 HANDOVERS=1 DISKS=1 READS=1"),
    ("handover-power", "MAXE=3 MAXL=2 HANDOVERS=1 POWERS=1"),
    ("applied-power", "MAXE=3 MAXL=2 APPLY=1 POWERS=1"),
    ("applied-kill", "MAXE=3 MAXL=2 APPLY=1 KILLS=1"),
    ("forced-deep", "MAXE=4 MAXL=3 FORCES=1"),
    ("forced-disk", "MAXE=3 MAXL=2 FORCES=1 DISKS=1"),
    ("restored-kill", "MAXE=3 MAXL=2 RESTORES=1 KILLS=1"),
)
HEALS_QUICK = (
    ("heal-all", "LIVE=1 KILLS=1 MAXE=3 MAXL=2 HEALE=9 HEALL=8"),
    ("heal-all-disk", "LIVE=1 DISKS=1 MAXE=3 MAXL=2 HEALE=9 HEALL=8"),
    ("heal-one", "LIVE=2 KILLS=1 MAXE=3 MAXL=2 HEALE=9 HEALL=8"),
    ("arbiter-lost", "LIVE=3 MAXE=3 MAXL=2 HEALE=9 HEALL=8"),
    ("arbiter-lost-handover", "LIVE=3 HANDOVERS=1 MAXE=3 MAXL=2 HEALE=9 HEALL=8"),
)
HEALS_FULL = (
    ("heal-all-two", "LIVE=1 KILLS=1 POWERS=1 MAXE=3 MAXL=2 HEALE=9 HEALL=8"),
    ("heal-all-both-down", "LIVE=1 BEGIN=1 KILLS=1 MAXE=3 MAXL=2 HEALE=9 HEALL=8"),
    ("heal-all-handover", "LIVE=1 HANDOVERS=1 DISKS=1 MAXE=3 MAXL=2 HEALE=9 HEALL=8"),
    ("heal-one-disk", "LIVE=2 DISKS=1 MAXE=3 MAXL=2 HEALE=9 HEALL=8"),
    ("heal-one-handover", "LIVE=2 HANDOVERS=1 KILLS=1 MAXE=3 MAXL=2 HEALE=9 HEALL=8"),
)
# The twelve old wordings of the table of counterexamples.
ROWS = (
    ("row-1", "OLD_ADOPT_LONGER MAXE=5 MAXL=4 KILLS=1", LOST),
    ("row-2", "OLD_RECOVERED_IS_DURABLE MAXE=3 MAXL=3 KILLS=1 POWERS=1", UNSYNCED),
    ("row-3", "OLD_REREAD_RESOLVES MAXE=4 MAXL=3", UNION),
    ("row-4", "OLD_STOP_WHEN_ISSUED LIVE=3 MAXE=3 MAXL=2 HEALE=9 HEALL=8", ENDED),
    ("row-5", "OLD_ADD_REQUIRES_ACKS_ONLY MAXE=4 MAXL=3 READS=1", STALE),
    ("row-6", "OLD_CUT_TO_NEWER_EPOCH MAXE=4 MAXL=3 HANDOVERS=1", DIVERGED),
    ("row-7", "OLD_APPLY_TO_COMMIT MAXE=4 MAXL=3 APPLY=1", LOST),
    ("row-8", "OLD_VOLATILE_PROMISE MAXE=4 MAXL=3 APPLY=1 KILLS=1", CUT),
    ("row-9", "OLD_ISR_NAMES_HOSTS MAXE=4 MAXL=3 DISKS=1", LOST),
    ("row-10", "OLD_HANDOVER_BY_PRIMARY MAXE=4 MAXL=3 HANDOVERS=1 DISKS=1", LOST),
    ("row-11", "OLD_REVISION_NOT_KEPT MAXE=4 MAXL=3 RESTORES=1 KILLS=1", TWICE),
    ("row-12", "OLD_FORCE_BESIDE_REGISTER MAXE=4 MAXL=3 FORCES=1", LINEAGE),
)
SEEDED = (
    ("seed-no-epoch-bump", "BUG_NO_EPOCH_BUMP MAXE=4 MAXL=3 KILLS=1", TWICE),
    ("seed-outsider-promotes", "BUG_OUTSIDER_PROMOTES MAXE=4 MAXL=3", LOST),
    ("seed-evict-after-ceasing", "BUG_EVICT_AFTER_CEASING MAXE=4 MAXL=3", "ceased[me]"),
    ("seed-read-without-echo", "BUG_READ_WITHOUT_ECHO MAXE=4 MAXL=3 READS=1", STALE),
    ("seed-add-by-cas-first", "BUG_ADD_BY_CAS_FIRST MAXE=4 MAXL=3", UNION),
    ("seed-ack-after-authority", "BUG_ACK_AFTER_AUTHORITY MAXE=4 MAXL=3 READS=1", STALE),
    ("seed-ack-by-lsn-only", "BUG_ACK_BY_LSN_ONLY MAXE=5 MAXL=3 POWERS=1", "c>=n"),
)
# What this model found in the rules as they were written, and the documented limit of row 11.
FOUND = (
    ("found-win-at-seen-epoch", "OLD_WIN_AT_SEEN_EPOCH MAXE=4 MAXL=3 RESTORES=1", TWICE),
    ("found-cas-compares-epoch", "OLD_CAS_COMPARES_EPOCH MAXE=4 MAXL=3 RESTORES=1 KILLS=1", OUTSIDER),
    ("found-epoch-alone-kept", "OLD_EPOCH_ALONE_KEPT MAXE=4 MAXL=2 RESTORES=1 KILLS=1", LOST),
    ("found-applied-unsynced", "OLD_APPLY_UNSYNCED MAXE=4 MAXL=3 APPLY=1 POWERS=1", CUT),
    ("found-lineage-cuts", "OLD_LINEAGE_CUTS MAXE=4 MAXL=3 FORCES=1", TOLD),
    ("found-reseed-epoch", "OLD_RESEED_NEXT_EPOCH RESEED MAXE=4 MAXL=3 FORCES=1 KILLS=1", TWICE),
    ("found-no-taking-back", "OLD_NO_TAKING_BACK LIVE=2 KILLS=1 MAXE=3 MAXL=2 HEALE=9 HEALL=8", ALONE),
    ("limit-old-register", "RESTORES=2 MAXE=4 MAXL=3", TWICE),
)


def table(quick):
    holds = HOLDS_QUICK if quick else HOLDS_QUICK + HOLDS_FULL
    heals = HEALS_QUICK if quick else HEALS_QUICK + HEALS_FULL
    made = [Run(name, text) for name, text in holds]
    made += [Run(name, text, search="cycles") for name, text in heals]
    made += [Run(name, text, expect=expect) for name, text, expect in ROWS + SEEDED + FOUND]
    return made
