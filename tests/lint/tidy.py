#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tidy.py: clang-format and clang-tidy over the tree: tidy.py format|tidy [options]

Owns a cache of files found clean (key: the file, the house headers under it, the settings, the
flags), so that a second run looks at what changed. Never changes a source file; --fix of "format"
is the exception, on request.
"""

import argparse
import concurrent.futures
import hashlib
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True

import tree  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def tool(name):
    """The version that the settings were tested with, else the default one."""
    return shutil.which(f"{name}-14") or shutil.which(name)


SKIPPED = 77  # the exit code by which test runners know it


def changed_since(base):
    """Tracked files that differ from base, and new ones."""
    names = subprocess.run(
        ["git", "-C", ROOT, "diff", "--name-only", "--diff-filter=d", base],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    names += subprocess.run(
        ["git", "-C", ROOT, "ls-files", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return set(names.split("\n"))


def merge_base():
    """Where this branch left the main line; the commit before when it is the main line."""
    for upstream in ("origin/main", "main"):
        found = subprocess.run(
            ["git", "-C", ROOT, "merge-base", "HEAD", upstream],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if found.returncode == 0:
            return found.stdout.strip()
    return "HEAD"


def house_headers(path, files, seen):
    """path and every house header that it includes, directly or not."""
    waiting = [path]
    while waiting:
        name = waiting.pop()
        if name in files and name not in seen:
            seen.add(name)
            waiting += [n for _line, n, system in tree.includes(files[name]) if not system]
    return seen


def key_of(path, files, flags):
    digest = hashlib.sha256(repr(flags).encode())
    for name in [".clang-tidy", "tests/.clang-tidy", *sorted(house_headers(path, files, set()))]:
        digest.update(name.encode() + b"\0" + files.get(name, "").encode() + b"\0")
    return digest.hexdigest()


def build_flags(build):
    """The flags that the makefile of a build directory compiles with."""
    subprocess.run(["make", "-s", "-C", build, "am--refresh", "config.h"], capture_output=True, check=True)
    show = "lint-flags: ; @echo $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(AM_CFLAGS)\n"
    done = subprocess.run(
        ["make", "-s", "--no-print-directory", "-C", build, "-f", "Makefile", "-f", "-", "lint-flags"],
        input=show, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [flag for flag in done.stdout.split() if flag != "-Werror"]


def tidy_one(path, build, flags):
    done = subprocess.run(
        [tool("clang-tidy"), "--quiet", os.path.join(ROOT, path), "--", *flags],
        cwd=build, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + (done.stderr if done.returncode else "")


def run_tidy(args, files):
    build = os.path.abspath(args.build)
    flags = build_flags(build)
    wanted = [p for p in files if p.endswith(".c")]
    if args.changed:
        changed = changed_since(merge_base())
        wanted = [p for p in wanted if house_headers(p, files, set()) & changed]
    cache = os.path.join(build, "tidy-cache")
    os.makedirs(cache, exist_ok=True)
    keys = {path: key_of(path, files, flags) for path in wanted}
    waiting = [p for p in wanted if not os.path.exists(os.path.join(cache, keys[p]))]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        jobs = {pool.submit(tidy_one, path, build, flags): path for path in waiting}
        for job in concurrent.futures.as_completed(jobs):
            code, text = job.result()
            path = jobs[job]
            if code == 0:
                with open(os.path.join(cache, keys[path]), "w", encoding="utf-8"):
                    pass
            else:
                failed += 1
                print(f"FAIL {path}\n{text}", flush=True)
    print(f"{len(waiting)} files looked at, {len(wanted) - len(waiting)} known to be clean")
    return len(wanted) - failed, failed


FORMAT_BATCH = 64  # files of one call: starting the program costs more than formatting


def run_format(args, files):
    wanted = [p for p in files if tree.is_c(p)]
    mode = ["-i"] if args.fix else ["--dry-run", "-Werror"]
    bad = set()
    for begin in range(0, len(wanted), FORMAT_BATCH):
        batch = wanted[begin : begin + FORMAT_BATCH]
        done = subprocess.run(
            [tool("clang-format"), *mode, *batch],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        named = {line.split(":")[0] for line in done.stderr.split("\n")} & set(batch)
        bad |= named if named or done.returncode == 0 else set(batch)
        print(done.stderr, end="")
    for path in sorted(bad):
        print(f"FAIL {path}")
    return len(wanted) - len(bad), len(bad)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("what", choices=("format", "tidy"))
    parser.add_argument("--build", default="build/clang", help="a configured build directory")
    parser.add_argument("--changed", action="store_true", help="only what differs from main")
    parser.add_argument("--fix", action="store_true", help="format: rewrite the files")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    files = tree.load(ROOT)
    run = {"format": run_format, "tidy": run_tidy}[args.what]
    passed, failed = run(args, files)
    if args.changed and passed + failed == 0:
        print("nothing differs from main: skipped")
        return SKIPPED
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
