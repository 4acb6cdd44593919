#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mutants.py: takes one rule of the pair away at a time; some seed must notice.

Owns the table (mutant, rule, invariant that caught it, at which seed). The mutants are those of
storage/mutant.h and supervisor/mutant.h. Never passes a mutant that no seed has caught.
"""

import argparse
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FLAGS = ["-std=gnu11", "-O2", "-g", "-D_GNU_SOURCE", "-DSTORAGE_LIMITS_SMALL"]
LISTS = ("storage/mutant.h", "supervisor/mutant.h")
ROW = re.compile(r"^ \*  ([A-N])    ([a-z_]+) ", re.MULTILINE)
# Rules that another one backs up: without them alone nothing that the checkers forbid can happen,
# or the simulation has no such world. Unit tests and the model hold them.
UNSEEN = {
    "count_any_incarnation": "an acknowledgement carries the record's hash, an echo a number of"
    " this process: an old one says nothing false",
    "forget_nonces": "the attempt that landed is taken for somebody else's: one failover more",
    "handover_undrained": "the layer above has drained before it asks",
    "lead_over_higher": "what only the higher log has is not committed",
    "offer_outlives_grant": "seen once in some thousand seeds: tests/unit/test_replica",
    "propose_any_epoch": "a proposal overtaken by its epoch's end was not seen in 1000 seeds",
    "seek_unread": "a CAS that succeeds is a linearizable read itself",
    "outdated_seeks": "rule E: the arbiter of this world is linearizable",
    "speak_deposed": "the peer has sealed: it says nothing at the old epoch that could be counted",
    "step_down_undrained": "the peer's STATE comes before its LEAD and deposes the primary",
    "tail_unrequired": "an acknowledgement of the start record covers the tail before it",
}
# Caught within some hundred seeds: what the check of every day runs.
QUICK = (
    "ack_after_seal ack_before_cut ack_before_promise add_without_require apply_beyond_verified"
    " forget_unresolved_add grant_unsealed match_by_lsn promoted_by_other refused_ends_removal"
    " seek_outside_isr stop_before_cas accept_regression"
).split()
CONTROL_SEEDS = 500  # the unchanged program must pass these, or a catch proves nothing
MUTANT = re.compile(r"MUTANT\((\w+)\)")


def rules():
    """{mutant: rule} from the tables in the headers, and those that are this simulation's to
    find."""
    found = {}
    ours = set()
    for path in LISTS:
        with open(os.path.join(ROOT, path), encoding="utf-8") as handle:
            text = handle.read()
        found.update({name: rule for rule, name in ROW.findall(text)})
        ours.update(name for _, name in ROW.findall(text.split("Found by tests/unit")[0]))
    return found, ours


def uses(sources):
    """{mutant: sources that mention it}."""
    found = {}
    for path in sources:
        with open(os.path.join(ROOT, path), encoding="utf-8") as handle:
            for name in set(MUTANT.findall(handle.read())):
                found.setdefault(name, []).append(path)
    return found


class Builder:
    """Compiles each source once, and again only where a mutant changes it."""

    def __init__(self, arguments):
        self.cc = arguments.cc.split()
        self.build = arguments.build
        self.folder = os.path.join(arguments.build, "tests", "sim", "mutants")
        self.sources = [s for s in arguments.sources if s.endswith(".c")]
        os.makedirs(self.folder, exist_ok=True)

    def _object(self, source, mutant):
        name = source.replace("/", "_")[:-2] + (f".{mutant}" if mutant else "") + ".o"
        path = os.path.join(self.folder, name)
        define = [f"-DMUTANT_{mutant}=1"] if mutant else []
        where = ["-I", ROOT, "-I", self.build]
        command = [*self.cc, *FLAGS, *define, *where, "-c", os.path.join(ROOT, source), "-o", path]
        subprocess.run(command, check=True)
        return path

    def base(self):
        """The objects of the unchanged program."""
        jobs = [(s, self._object(s, None)) for s in self.sources]
        return dict(jobs)

    def program(self, base, mutant, changed):
        """The program with that rule missing."""
        objects = dict(base)
        for source in changed:
            objects[source] = self._object(source, mutant)
        path = os.path.join(self.folder, f"sim-{mutant}")
        library = os.path.join(self.build, "base", "libbase.a")
        subprocess.run([*self.cc, "-o", path, *objects.values(), library, "-lpthread"], check=True)
        return path


def hunt(program, arguments, seeds):
    """(invariant, seed, seeds run) of the first catch; (None, None, run) when there is none."""
    command = [program, "--seeds", f"1..{seeds}", "--jobs", str(arguments.jobs)]
    command += ["--first", "--brief", "--time-limit", str(arguments.seconds)]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    output = run.stdout.decode("utf-8", "replace")
    count = re.search(r"^(\d+) seeds,", output, re.MULTILINE)
    caught = re.findall(r"^seed (\d+): invariant ([^:]+):", output, re.MULTILINE)
    ran = int(count.group(1)) if count else 0
    if not caught:
        return None, None, ran
    seed, invariant = min(caught, key=lambda c: int(c[0]))
    return invariant, seed, ran


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--cc", default=os.environ.get("CC", "gcc"))
    parser.add_argument("--seeds", type=int, default=20000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="those that few seeds catch")
    parser.add_argument("--only", default="", help="comma-separated names")
    parser.add_argument("sources", nargs="+")
    arguments = parser.parse_args()
    known, ours = rules()
    used = uses(arguments.sources)
    named = [n for n in arguments.only.split(",") if n]
    wanted = named or (QUICK if arguments.quick else sorted(set(used) - set(UNSEEN)))
    builder = Builder(arguments)
    base = builder.base()
    passed = failed = 0
    control = hunt(builder.program(base, "none", ()), arguments, CONTROL_SEEDS)
    if control[0] is not None or control[2] == 0:
        print(f"the unchanged program fails: {control[0]} at seed {control[1]}")
        return 1
    print(f"{'mutant':24} rule  {'caught by':20} seed (of {arguments.seeds} at most)")
    for name in wanted:
        rule = known.get(name, "?")
        program = builder.program(base, name, used[name])
        invariant, seed, ran = hunt(program, arguments, arguments.seeds)
        os.unlink(program)
        if invariant is None:
            failed += 1
            print(f"{name:24} {rule:4}  NOT CAUGHT in {ran} seeds", flush=True)
        else:
            passed += 1
            print(f"{name:24} {rule:4}  {invariant:20} {seed}", flush=True)
    missing = sorted(ours - set(used))
    if missing and not named and not arguments.quick:
        failed += len(missing)
        print(f"in no source of the simulation: {', '.join(missing)}")
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
