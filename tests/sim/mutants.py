#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mutants.py: takes one rule of the pair away at a time; some seed must notice.

Owns the table (mutant, rule, invariant that caught it, at which seed). The mutants are those of
storage/mutant.h and supervisor/failover/mutant.h, all of them: some are for a unit test to notice, which is
built and run here. Never passes a mutant that nothing has caught.
"""

import argparse
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FLAGS = ["-std=gnu11", "-O2", "-g", "-D_GNU_SOURCE"]
SMALL = "-DSTORAGE_LIMITS_SMALL"
LISTS = ("storage/mutant.h", "supervisor/failover/mutant.h")
ROW = re.compile(r"^ \*  ([A-N6-])    ([a-z_]+) ", re.MULTILINE)
# What is no rule of its own but stands behind one, and what is in the engine, which the simulation
# does not link: the case that fails without it.
UNIT = {
    "ack_without_hash": ("test_engine_log", "an acknowledgement with another hash is a conflict"),
    "apply_uncommitted": ("test_storage_pair", "a recovered tail is adopted too"),
    "fold_before_commit": ("test_storage_pair", "nothing uncommitted reaches the state on disk"),
    "release_without_echo": ("test_storage_pair", "a read waits for an echo of a later ping"),
    "speak_deposed": ("test_replica", "a deposed primary counts and says nothing any more"),
    "sync_retried": ("test_storage", "nothing is served after a failed sync"),
}
# What a unit test program consists of besides its own source.
KITS = {"test_replica": ("replica_kit.c", "replica_kit_effects.c")}
# Caught within some hundred seeds: what the check of every day runs.
QUICK = (
    "ack_after_seal ack_before_cut ack_before_promise add_without_require apply_beyond_verified"
    " forget_unresolved_add grant_unsealed match_by_lsn promoted_by_other refused_ends_removal"
    " seek_outside_isr stop_before_cas accept_regression forget_nonces lead_over_higher"
    " fence_off_is_proof fence_unclear_is_off offer_outlives_grant outdated_seeks seek_unread speak_deposed step_down_undrained"
).split()
# What only fence devices can do wrong: every seed has them.
FENCE = "fence_old_answer fence_off_is_proof fence_unclear_is_off fence_unseen".split()
UNIT_S = 30  # for one unit test program; how far it came is seen: its output is not buffered
CONTROL_SEEDS = 2000  # the unchanged program must pass these, or a catch proves nothing
MUTANT = re.compile(r"MUTANT\((\w+)\)")


def rules():
    """{mutant: rule} from the tables in the headers."""
    found = {}
    for path in LISTS:
        with open(os.path.join(ROOT, path), encoding="utf-8") as handle:
            found.update({name: rule for rule, name in ROW.findall(handle.read())})
    return found


def uses(sources):
    """{mutant: sources that mention it}."""
    found = {}
    for path in sources:
        if not path.endswith(".c"):
            continue
        with open(os.path.join(ROOT, path), encoding="utf-8") as handle:
            for name in set(MUTANT.findall(handle.read())):
                found.setdefault(name, []).append(path)
    return found


class Builder:
    """Compiles each source once, and again only where a mutant changes it."""

    def __init__(self, arguments):
        self.cc = arguments.cc.split()
        self.build = arguments.build
        self.libs = arguments.libs.split()
        self.folder = os.path.join(arguments.build, "tests", "sim", "mutants")
        self.sources = [s for s in arguments.sources if s.endswith(".c")]
        os.makedirs(self.folder, exist_ok=True)

    def _object(self, source, mutant, flags=(SMALL,)):
        name = source.replace("/", "_")[:-2] + (f".{mutant}" if mutant else "") + ".o"
        path = os.path.join(self.folder, name)
        define = [*flags, *([f"-DMUTANT_{mutant}=1"] if mutant else [])]
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

    def unit(self, test, mutant, changed):
        """The unit test program with that rule missing; the changed objects hide the library's."""
        sources = [f"tests/unit/{name}" for name in (f"{test}.c", *KITS.get(test, ()))]
        objects = [self._object(s, None, ()) for s in sources]
        objects += [self._object(s, mutant, ()) for s in changed]
        path = os.path.join(self.folder, f"{test}-{mutant}")
        folders = ("tests/lib/libtestlib.a", "storage/libstorage.a", "base/libbase.a")
        archives = [os.path.join(self.build, name) for name in folders]
        command = [*self.cc, "-o", path, *objects, *archives, *self.libs, "-lpthread"]
        subprocess.run(command, check=True)
        return path


def unit_passes(builder, test, case, mutant, changed):
    """Whether that case of the unit test passes with the rule missing; the case must be run."""
    program = builder.unit(test, mutant, changed)
    with subprocess.Popen(["stdbuf", "-o0", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        try:
            output = run.communicate(timeout=UNIT_S)[0]
        except subprocess.TimeoutExpired: # where nothing comes of a case it has not passed
            run.kill()
            output = run.communicate()[0]
    os.unlink(program)
    output = output.decode("utf-8", "replace")
    found = re.search(rf"^  Test: {re.escape(case)} \.\.\.(\w*)", output, re.MULTILINE)
    if found is None:
        raise SystemExit(f"{test} has no case {case!r}, or it ended before")
    return found.group(1) == "passed"


def try_unit(builder, name, rule, changed):
    """True when the unit test that is named for the mutant fails, and passes without it."""
    test, case = UNIT[name]
    if not unit_passes(builder, test, case, "none", ()):
        print(f"{name:24} {rule:4}  {test} fails by itself: {case}", flush=True)
        return False
    if unit_passes(builder, test, case, name, changed):
        print(f"{name:24} {rule:4}  NOT CAUGHT by {test}: {case}", flush=True)
        return False
    print(f"{name:24} {rule:4}  {test}: {case}", flush=True)
    return True


def try_seeds(builder, base, name, rule, changed, arguments):
    """True when some seed notices."""
    program = builder.program(base, name, changed)
    more = ["--fence"] if name in FENCE else []
    invariant, seed, ran = hunt(program, arguments, arguments.seeds, more)
    os.unlink(program)
    if invariant is None:
        print(f"{name:24} {rule:4}  NOT CAUGHT in {ran} seeds", flush=True)
        return False
    print(f"{name:24} {rule:4}  {invariant:20} {seed:6} {ran:6}", flush=True)
    return True


def hunt(program, arguments, seeds, more=()):
    """(invariant, seed, seeds run) of the first catch; (None, None, run) when there is none."""
    command = [program, "--seeds", f"1..{seeds}", "--jobs", str(arguments.jobs), *more]
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
    parser.add_argument("--libs", default="-lcunit", help="of the unit tests")
    parser.add_argument("--cc", default=os.environ.get("CC", "gcc"))
    parser.add_argument("--seeds", type=int, default=60000)
    parser.add_argument("--seconds", type=int, default=240)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="those that few seeds catch")
    parser.add_argument("--only", default="", help="comma-separated names")
    parser.add_argument("sources", nargs="+")
    arguments = parser.parse_args()
    known = rules()
    used = uses(arguments.sources)
    engine = uses(os.path.join("storage", n) for n in os.listdir(os.path.join(ROOT, "storage")))
    named = [n for n in arguments.only.split(",") if n]
    wanted = named or (QUICK if arguments.quick else sorted(known))
    builder = Builder(arguments)
    base = builder.base()
    control = hunt(builder.program(base, "none", ()), arguments, CONTROL_SEEDS)
    if control[0] is None and control[2] > 0:
        control = hunt(builder.program(base, "none", ()), arguments, CONTROL_SEEDS, ["--fence"])
    if control[0] is not None or control[2] == 0:
        print(f"the unchanged program fails: {control[0]} at seed {control[1]}")
        return 1
    print(f"{'mutant':24} rule  {'caught by':20} {'seed':>6} {'ran':>6} (of {arguments.seeds})")
    passed = failed = 0
    for name in wanted:
        rule = known.get(name, "?")
        if name in UNIT:
            caught = try_unit(builder, name, rule, engine.get(name, ()))
        elif name in used:
            caught = try_seeds(builder, base, name, rule, used[name], arguments)
        else:
            print(f"{name:24} {rule:4}  NOT CAUGHT: in no source of the simulation", flush=True)
            caught = False
        passed += 1 if caught else 0
        failed += 0 if caught else 1
    unlisted = sorted((set(used) | set(engine)) - set(known))
    for name in unlisted:
        failed += 1
        print(f"{name:24} stands in no table of mutants")
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
