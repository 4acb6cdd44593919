# SPDX-License-Identifier: Apache-2.0
"""restored.py: a pair that goes back to a backup, by the commands of docs/admin.md as they stand there.

Owns what is decided before and after the backup. Never changes a block, nor which host it is for.
"""

import json
import os
import sys

from single import as_who, ask, state
from stage import HERE, VIP

sys.path.insert(0, os.path.join(HERE, "..", "docs"))
import pages  # noqa: E402  the path is set above

PAGE, HEADING = "docs/admin.md", "Restore a pair"
TIMER, OLD = "approvald-backup.timer", "/var/lib/approvald.old"
REFUSED_S = 10  # of a loop that ends only when it is obeyed
UNKNOWN = 115  # approvalctl, of a request that is not there


def blocks():
    """The backup's block, and those of the restore: to stop a host, of the one with the backup, of the other."""
    found = pages.blocks(PAGE)
    [backup] = [block for block in found if f"enable --now {TIMER}" in block.text]
    return backup, *(block for block in found if block.heading == HEADING)


def type_in(host, block):
    try:
        return host.run("bash", "-euc", block.text, seconds=240)
    except AssertionError as problem:
        raise AssertionError(f"{block}: {problem}") from None


def decided(pair):
    """A request, approved on the way that everybody takes."""
    request = ask(pair["A"], VIP)
    as_who(pair["B"], "ana", VIP, "approve", request)
    return request


def comes_back(pair, other):
    """The case; pair is green before it and after."""
    backup, stop, restore, follow = blocks()
    pair.lead("A")
    kept = decided(pair)
    type_in(pair["A"], backup)
    lost = decided(pair)
    pair["A"].run("approvalctl", "token", "revoke", "ana")  # the wrong command, which is on both hosts
    stop_both(pair, other, stop)
    type_in(pair["A"], restore)
    type_in(pair["B"], follow)
    pair.wait_green()
    must_be_as_it_was(pair, kept, lost)
    lost = decided(pair)
    for name in ("A", "B"):
        pair[name].run("rm", "-r", OLD)
    stop_both(pair, other, stop)
    restore_once_more(pair["A"], restore)
    type_in(pair["B"], follow)
    pair.wait_green()
    must_be_as_it_was(pair, kept, lost)
    pair.lead("B")  # which has fetched all of it
    must_be_as_it_was(pair, kept, lost)
    as_who(pair["A"], "ci", VIP, "claim", kept)
    pair.lead("A")
    assert json.loads(as_who(pair["B"], "ci", VIP, "show", kept, "--json"))["use"] == "claimed"
    for name in ("A", "B"):
        pair[name].run("rm", "-r", OLD)
    pair["A"].run("systemctl", "disable", "--now", TIMER)


def stop_both(pair, other, stop):
    first = pair.primary()
    for name in (other(first), first):
        type_in(pair[name], stop)


def restore_once_more(host, block):
    """The backup is older than the lineage of the restore before: the block says so and goes on asking."""
    said = host.run("timeout", str(REFUSED_S), "bash", "-euc", block.text, check=124)
    assert "promote --force --other-lineage" in said, said
    host.run("approvalctl", "peer-off", "--confirm", "the other host is off")
    force = ("approvalctl", "promote", "--force", "--other-lineage", "--confirm")
    told = json.loads(host.run("approvalctl", "status", "--json", check=None).strip().split("\n")[-1])
    host.run(*force, f"give up lineage {told['register']['lineage']}")


def must_be_as_it_was(pair, kept, lost):
    assert state(pair["A"], VIP, kept) == "approved"
    as_who(pair["A"], "ci", VIP, "show", lost, check=UNKNOWN)
    assert state(pair["A"], VIP, decided(pair)) == "approved"
