# SPDX-License-Identifier: Apache-2.0
"""check_steps.py: the steps of packaging/check, in the order in which they are begun.

Owns what each step builds and runs; never how it is logged or counted (check_run.py).
"""

import glob
import os
import platform
import re
import shutil
import subprocess
import threading

from check_run import Result, StepFailed, automake_counts, version_of

LLVM_TESTED = 14  # .clang-format and .clang-tidy were written for it; others format differently
FUZZ_SECONDS = 12  # for each fuzzer: a smoke test over the corpus and a little beyond
FUZZ_HANG_S = 20  # an input that takes so long hangs; a machine that stands still does not last so long
SIM_SEEDS = 4000  # about a minute on two cores
SIM_JOBS = 16  # at most
SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


class Step:
    """One line of the table."""

    def __init__(self, name, run, needs=(), quick=False):
        self.name = name
        self.run = run
        self.needs = needs
        self.quick = quick


def _fixed_addresses():
    """Sanitizers of this age fail now and then under strong address randomisation."""
    trial = ["setarch", "-R", "true"]
    if shutil.which("setarch") and subprocess.run(trial, check=False).returncode == 0:
        return trial[:-1]
    return []


CONFIGURING = threading.Lock()  # two steps may share a build directory


def _configure(run, name, arguments):
    """build/NAME, configured with arguments; configured again only when those have changed."""
    with CONFIGURING:
        return _configure_locked(run, name, arguments)


def _configure_locked(run, name, arguments):
    folder = os.path.join(run.root, "build", name)
    stamp = os.path.join(folder, "configured-with")
    wanted = " ".join(arguments)
    fresh = os.path.exists(os.path.join(folder, "config.status"))
    if fresh and os.path.exists(stamp):
        with open(stamp, encoding="utf-8") as handle:
            fresh = handle.read() == wanted
    if not fresh or not os.path.exists(stamp):
        if os.path.isdir(folder):
            shutil.rmtree(folder)
        os.makedirs(folder)
        run.must([os.path.join(run.root, "configure"), *arguments], cwd=folder)
        with open(stamp, "w", encoding="utf-8") as handle:
            handle.write(wanted)
    run.must(["make", "-s", "am--refresh", "config.h"], cwd=folder)
    return folder


def _build(run, name, arguments):
    folder = _configure(run, name, arguments)
    run.must(["make", f"-j{run.jobs}", "all"], cwd=folder)
    return folder


def _check(run, folder, env=None, prefix=()):
    code, output = run.call([*prefix, "make", f"-j{run.jobs}", "check"], cwd=folder, env=env)
    result = automake_counts(output)
    if code != 0 and not result.failed:
        raise StepFailed(f"make check: exit code {code}")
    if result.failed:
        for log in sorted(glob.glob(os.path.join(folder, "tests", "**", "*.trs"), recursive=True)):
            with open(log, encoding="utf-8") as handle:
                if ":test-result: FAIL" in handle.read():
                    run.call(["tail", "-n", "40", log[:-4] + ".log"])
    return result


def prepare(run):
    """makes configure"""
    fresh = not os.path.exists(os.path.join(run.root, "configure"))
    run.must(["autoreconf", "-fi" if fresh else "-i"])
    return Result(passed=1)


def lint(run):
    """the house style as tests"""
    result = run.program(["python3", "tests/lint/lint.py"])
    return result


def shell(run):
    """shellcheck over every shell script"""
    listed = run.must(["git", "grep", "--untracked", "-lE", "^#!.*\\b(ba|da)?sh\\b|^# shellcheck shell="]).split()
    scripts = [n for n in listed if "\n" not in n and os.path.isfile(os.path.join(run.root, n))]
    scripts = [n for n in scripts if not n.endswith((".md", ".py", ".ac", ".am", ".inc"))]
    if not scripts:
        raise StepFailed("found no script")
    run.must(["shellcheck", "-x", *scripts])
    return Result(passed=len(scripts), note=f"{len(scripts)} scripts")


def formatting(run):
    """clang-format changes nothing"""
    if version_of("clang-format") != LLVM_TESTED:
        return Result(skipped=1, note=f"clang-format is not version {LLVM_TESTED}")
    return run.program(["python3", "tests/lint/tidy.py", "format"])


def build(run):
    """gcc with -Werror: everything, tests too"""
    folder = _build(run, "gcc", ["--enable-werror", "CC=gcc"])
    run.must(["make", f"-j{run.jobs}", "check", "TESTS="], cwd=folder)
    return Result(passed=1)


def unit(run):
    """unit tests"""
    return _check(run, os.path.join(run.root, "build", "gcc"))


def binaries(run):
    """the programs are hardened"""
    folder = os.path.join(run.root, "build", "gcc")
    show = "print-programs: ; @echo $(bin_PROGRAMS) $(sbin_PROGRAMS) $(libexec_PROGRAMS)\n"
    rules = os.path.join(folder, "print-programs.mk")
    with open(rules, "w", encoding="utf-8") as handle:
        handle.write(show)
    make = ["make", "-s", "--no-print-directory", "-f", "Makefile", "-f", rules, "print-programs"]
    programs = [os.path.join(folder, name) for name in run.must(make, cwd=folder).split()]
    return run.program(["python3", os.path.join(run.root, "tests/lint/binaries.py"), *programs])


def clang(run):
    """clang with -Werror, unit tests"""
    return _check(run, _build(run, "clang", ["--enable-werror", "CC=clang"]))


def tidy(run):
    """clang-tidy; --quick: what differs from main"""
    if version_of("clang-tidy") != LLVM_TESTED:
        return Result(skipped=1, note=f"clang-tidy is not version {LLVM_TESTED}")
    folder = _configure(run, "clang", ["--enable-werror", "CC=clang"])
    changed = ["--changed"] if run.quick else []
    return run.program(["python3", "tests/lint/tidy.py", "tidy", "--build", folder, *changed])


def asan(run):
    """unit tests under AddressSanitizer and UndefinedBehaviorSanitizer"""
    folder = _build(run, "asan", ["--enable-sanitizers=address,undefined", "CFLAGS=-g -O1"])
    return _check(run, folder, env=SANITIZER_ENV, prefix=_fixed_addresses())


def tsan(run):
    """unit tests under ThreadSanitizer"""
    folder = _build(run, "tsan", ["--enable-sanitizers=thread", "CFLAGS=-g -O1"])
    return _check(run, folder, env=SANITIZER_ENV, prefix=_fixed_addresses())


def fuzz(run):
    """every fuzzer for some seconds"""
    arguments = ["--enable-fuzzer", "--enable-sanitizers=address,undefined", "CC=clang"]
    folder = _build(run, "fuzz", [*arguments, "CFLAGS=-g -O1"])
    result = Result()
    for program in sorted(glob.glob(os.path.join(folder, "tests", "fuzz", "fuzz_*"))):
        if not os.access(program, os.X_OK) or not os.path.isfile(program):
            continue
        name = os.path.basename(program)
        corpus = os.path.join(run.root, "tests", "fuzz", "corpus", name)
        found = os.path.join(folder, "found", name)
        os.makedirs(found, exist_ok=True)
        seeds = [corpus] if os.path.isdir(corpus) else []
        limits = [f"-max_total_time={FUZZ_SECONDS}", f"-timeout={FUZZ_HANG_S}", "-rss_limit_mb=1024"]
        limits.append(f"-artifact_prefix={found}/crash-")
        command = [*_fixed_addresses(), program, *limits, found, *seeds]
        code, _output = run.call(command, env=SANITIZER_ENV, timeout_s=FUZZ_SECONDS + FUZZ_HANG_S + 60)
        result.add(Result(passed=int(code == 0), failed=int(code != 0), note=name if code else ""))
    if not result.passed + result.failed:
        raise StepFailed("found no fuzzer")
    return result


def _environment(run):
    """What Python tests need to find the programs under test."""
    return {
        "APPROVALD_BUILD": os.path.join(run.root, "build", "gcc"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "REQUIRE_BROWSER": "0" if run.quick else "1",  # --quick installs none
    }


def _python(run, *patterns):
    """Each file is a program of its own; one that ran no test has failed."""
    result = Result()
    for pattern in patterns:
        for path in sorted(glob.glob(os.path.join(run.root, pattern))):
            run.say(f"---- {os.path.relpath(path, run.root)}")
            result.add(run.program(["python3", path], env=_environment(run), timeout_s=1200))
    if not result.passed + result.failed + result.skipped:
        raise StepFailed(f"found no test: {' '.join(patterns)}")
    return result


def python(run):
    """the command line, the supervisor, older versions' files; of tests: the Slack stand-in, the loads"""
    return _python(run, "tests/slack/test_*.py", "tests/ctl/test_*.py", "tests/sup/test_*.py",
                   "tests/formats/test_*.py", "tests/packages/test_*.py", "tests/vm/test_*.py")


def crash(run):
    """power loss and kills at every write"""
    return _python(run, "tests/crash/test_*.py")


def cluster(run):
    """the real pair in network namespaces: faults, clients, a history that is checked"""
    result = _python(run, "tests/cluster/test_*.py")
    environment = {"APPROVALD_BUILD": os.path.join(run.root, "build", "gcc")}
    code, output = run.call(["python3", "tests/cluster/cluster.py"], env=environment, timeout_s=1200)
    if code == 77:
        reason = (re.findall(r"^skipped: (.*)", output, re.MULTILINE) or ["skipped"])[0]
        if "(package" in reason:
            raise StepFailed(f"{reason}: packaging/debian-packages should have brought it")
        return result.add(Result(skipped=1, note=reason))
    said = re.search(r"^([1-9]\d*) passed, (\d+) failed$", output, re.MULTILINE)
    if code != 0 or not said or said.group(2) != "0":
        return result.add(Result(failed=1, note="cluster.py failed"))
    losses = run.must(["python3", "tests/cluster/loss.py", "--runs", "6", "--cut-max", "6"], env=environment,
                      timeout_s=600)
    if not re.search(r"^6 passed, 0 failed$", losses, re.MULTILINE):
        raise StepFailed("loss.py did not say that it passed")
    output = run.must(["packaging/quickstart", "--pair", "--once"], env=environment, timeout_s=300)
    if not re.search(r"^[1-9]\d* passed, 0 failed$", output, re.MULTILINE):
        raise StepFailed("quickstart --pair did not say that it passed")
    result.add(_bench_runs(run, environment))
    return result.add(Result(passed=3, note=f"{said.group(1)} rounds and cases"))


def _bench_runs(run, environment):
    """That the pair's measurement still runs; its figures mean nothing on a busy machine."""
    folder = environment["APPROVALD_BUILD"]
    programs = [f"tests/bench/{name}" for name in ("load", "floor", "populate")]
    run.must(["make", f"-j{run.jobs}", *programs], cwd=folder)
    small = ["--rounds", "1", "--count", "256", "--parts", "presses"]
    output = run.must(["python3", "tests/bench/bench_pair.py", "--build", folder, *small],
                      env=environment, timeout_s=180)
    if "pair, presses, 256 connections, per_second" not in output:
        raise StepFailed("bench_pair printed no table")
    return Result(passed=1)


def _packages_skipped(output):
    """The result when packages.py says that it cannot run here, else None."""
    skipped = re.findall(r"^skipped: (.*)", output, re.MULTILINE)
    if not skipped:
        return None
    if "(package" in skipped[0]:
        raise StepFailed(f"{skipped[0]}: packaging/debian-packages should have brought it")
    return Result(skipped=1, note=skipped[0])


def _packages_check(run, folder, *arguments):
    code, output = run.call(["make", "packages-check", *arguments], cwd=folder, timeout_s=1800)
    skipped = _packages_skipped(output)
    if skipped:
        return skipped
    said = re.search(r"^([1-9]\d*) passed, (\d+) failed$", output, re.MULTILINE)
    if code != 0 or not said or said.group(2) != "0":
        raise StepFailed("make packages-check failed")
    return Result(passed=int(said.group(1)), note="installed, upgraded, purged")


def packages(run):
    """the Debian packages in containers with systemd: one host, a pair, upgrades under load"""
    return _packages_check(run, os.path.join(run.root, "build", "gcc"))


def other_suite(suite):
    """Of the two releases of Debian that we promise, the one that this machine does not have."""
    return "bookworm" if suite == "trixie" else "trixie"


def elsewhere(run):
    """the packages on Debian 13 (where this is 13: on 12), in short: built there, one host, a pair"""
    # Building there is root's alone as well.
    skipped = _packages_skipped(run.call(["python3", "tests/packages/packages.py", "--may-run"])[1])
    if skipped:
        return skipped
    # A folder of its own: two make deb in one, at the same time, would have one tarball.
    folder = _configure(run, "elsewhere", ["CC=gcc"])
    suite = other_suite(platform.freedesktop_os_release().get("VERSION_CODENAME"))
    return _packages_check(run, folder, f"SUITE={suite}", "PACKAGES_CHECK=--short")


def model(run):
    """the model of the pair: what must hold holds, what must be found is found"""
    output = run.must(["python3", "tests/model/model.py", "--quick"], timeout_s=1200)
    passed = re.search(r"^(\d+) passed, 0 failed$", output, re.MULTILINE)
    if not passed or int(passed.group(1)) == 0:
        raise StepFailed("checked nothing")
    return Result(passed=1, note=f"{passed.group(1)} searches")


def _counted(run, target, *arguments):
    """A make target of tests/sim, whose lines "N passed, M failed" count."""
    folder = os.path.join(run.root, "build", "gcc")
    code, output = run.call(["make", target, *arguments], cwd=folder, timeout_s=1200)
    result = Result()
    for passed, failed in re.findall(r"^(\d+) passed, (\d+) failed$", output, re.MULTILINE):
        result.add(Result(passed=int(passed), failed=int(failed)))
    if not result.passed + result.failed or (code != 0 and not result.failed):
        raise StepFailed(f"make {target}: exit code {code}")
    return result


def sim(run):
    """the pair under faults: seeds that once failed, then thousands of others"""
    return _counted(run, "sim", f"SEEDS={SIM_SEEDS}", f"JOBS={min(run.jobs, SIM_JOBS)}")


def mutants(run):
    """one rule of the pair missing at a time: the simulation notices"""
    return _counted(run, "mutants", "MUTANTS=--quick", f"JOBS={min(run.jobs, SIM_JOBS)}")


def docs(run):
    """the examples of docs/api.md run as printed"""
    return _python(run, "tests/docs/test_*.py")


def endtoend(run):
    """approvald, approvalctl and the stand-in together"""
    return _python(run, "tests/slack/e2e_*.py")


def conformance(run):
    """Slack's own SDKs against the stand-in"""
    output = run.must(["sh", "tests/slack/conformance/run.sh"], timeout_s=900)
    passed = re.search(r"^. pass (\d+)", output, re.MULTILINE)
    if not passed or int(passed.group(1)) == 0:
        raise StepFailed("ran no test")
    return Result(passed=1, note=f"{passed.group(1)} cases")


def quickstart(run):
    """one request from approvalctl to the pressed card, over HTTP and over Socket Mode"""
    ways = ([], ["--socket"])
    for way in ways:
        output = run.must(["packaging/quickstart", "--once", *way], env=_environment(run),
                          timeout_s=300)
        if not re.search(r"^[1-9]\d* passed, 0 failed$", output, re.MULTILINE):
            raise StepFailed(f"quickstart {' '.join(way)} did not say that it passed")
    return Result(passed=len(ways))


def distcheck(run):
    """the tarball builds, tests, installs and removes itself"""
    folder = _configure(run, "dist", [])
    run.must(["make", f"-j{run.jobs}", "distcheck"], cwd=folder)
    return Result(passed=1)


STEPS = (
    Step("prepare", prepare, quick=True),
    Step("build", build, ("prepare",), quick=True),
    Step("lint", lint, quick=True),
    Step("shell", shell, quick=True),
    Step("format", formatting, quick=True),
    Step("tidy", tidy, ("prepare",), quick=True),
    Step("unit", unit, ("build",), quick=True),
    Step("binaries", binaries, ("build",), quick=True),
    Step("asan", asan, ("prepare",)),
    Step("python", python, ("build",), quick=True),
    Step("tsan", tsan, ("prepare",)),
    Step("conformance", conformance),
    # The longest beside many short ones, and the next longest beside the rest: no worker is idle.
    Step("endtoend", endtoend, ("build",)),
    Step("fuzz", fuzz, ("prepare",)),
    Step("clang", clang, ("prepare",)),
    Step("crash", crash, ("build",)),
    Step("model", model),
    Step("sim", sim, ("build",), quick=True),
    Step("mutants", mutants, ("sim",)),
    Step("distcheck", distcheck, ("prepare",)),
    Step("cluster", cluster, ("build",)),
    Step("packages", packages, ("build",)),
    Step("elsewhere", elsewhere, ("build",)),
    Step("docs", docs, ("build",), quick=True),
    Step("quickstart", quickstart, ("build",), quick=True),
)
