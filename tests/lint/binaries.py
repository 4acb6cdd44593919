#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""binaries.py: looks at built programs for the hardening they were built with: binaries.py FILE ...

A misspelt flag in the build drops hardening in silence; this reads the result with readelf. Proves
first, on a program built without hardening, that each check can fail. Never runs what it reads.
"""

import os
import re
import subprocess
import sys
import tempfile


def readelf(path):
    done = subprocess.run(
        ["readelf", "-hldsW", path], capture_output=True, text=True, check=True
    )
    return done.stdout


def is_pie(text):
    return bool(re.search(r"Type:\s+DYN", text)) and bool(re.search(r"FLAGS_1.*\bPIE\b", text))


def has_relro(text):
    return "GNU_RELRO" in text


def binds_now(text):
    return bool(re.search(r"BIND_NOW|FLAGS_1.*\bNOW\b", text))


def has_canary(text):
    return "__stack_chk_fail" in text


def is_fortified(text):
    return bool(re.search(r"__(?!stack)\w+_chk\b", text))


def stack_is_data(text):
    """The stack segment is present and not executable."""
    match = re.search(r"GNU_STACK\s.*", text)
    return bool(match) and not re.search(r"\bRWE\b", match.group(0))


CHECKS = {
    "position independent (PIE)": is_pie,
    "relocations read-only (RELRO)": has_relro,
    "bound at start (now)": binds_now,
    "stack canary": has_canary,
    "FORTIFY_SOURCE": is_fortified,
    "stack not executable": stack_is_data,
}

SAMPLE = "#include <string.h>\nint main(int c, char **v){char b[9];memcpy(b,v[0],c);return b[0];}\n"
SOFT = (
    "-O0 -no-pie -fno-pie -fno-stack-protector -U_FORTIFY_SOURCE -Wl,-z,norelro -Wl,-z,lazy "
    "-Wl,-z,execstack"
).split()


def soft_program(folder):
    source = os.path.join(folder, "soft.c")
    program = os.path.join(folder, "soft")
    with open(source, "w", encoding="utf-8") as handle:
        handle.write(SAMPLE)
    compiler = os.environ.get("CC", "gcc")
    subprocess.run([compiler, *SOFT, "-o", program, source], check=True)
    return program


def main():
    programs = sys.argv[1:]
    passed = failed = 0
    if not programs:
        print("no program to look at")
        failed += 1
    with tempfile.TemporaryDirectory() as folder:
        soft = readelf(soft_program(folder))
    for title, check in CHECKS.items():
        if check(soft):
            print(f"FAIL {title}: not able to fail")
            failed += 1
        else:
            passed += 1
    for program in programs:
        text = readelf(program)
        missing = [title for title, check in CHECKS.items() if not check(text)]
        failed += bool(missing)
        passed += not missing
        print(f"FAIL {program}: lacks {', '.join(missing)}" if missing else f"ok   {program}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
