#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""formats.py: writes the fixture of the present version to tests/data/formats (make formats-fixture).

Owns where the parts of a fixture lie and how they are packed. Never overwrites that of a released
version: its folder has a file RELEASED.
"""

import gzip
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("APPROVALD_BUILD", os.path.join(ROOT, "build", "gcc")))
PROGRAM = os.path.join(BUILD, "tests", "formats", "formats")
FOLDER = os.path.join(ROOT, "tests", "data", "formats")
FILES, READ, WRITTEN, RELEASED = "files.tar.gz", "read.txt", "written.txt", "RELEASED"
BOOT = {"APPROVALD_BOOT_ID": "0" * 31 + "1"}  # every fixture's: what counts of a boot counts on every host
LEAVE_OUT = ("lock", "ballast", "state.mdb-lock")  # made anew by each start


def version():
    """Of configure.ac."""
    with open(os.path.join(ROOT, "configure.ac"), encoding="utf-8") as handle:
        return re.search(r"^AC_INIT\(\[approvald\], \[([0-9.]+)\]", handle.read(), re.MULTILINE).group(1)


def ask(*words):
    done = subprocess.run([PROGRAM, *words], env={**os.environ, **BOOT}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def parts():
    return ask("parts").split()


def read(folder, part):
    """What the present code makes of a part, with its name in front."""
    return f"== {part}\n{ask('read', folder, part)}"


def _plain(entry):
    """Nobody's, of no time: the same files make the same archive."""
    if os.path.basename(entry.name) in LEAVE_OUT:
        return None
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def pack(folder, path):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(os.listdir(folder)):
            archive.add(os.path.join(folder, name), arcname=name, filter=_plain)
    with open(path, "wb") as handle, gzip.GzipFile("", "wb", 9, handle, 0) as packed:
        packed.write(plain.getvalue())


def unpack(path, folder):
    with tarfile.open(path) as archive:
        archive.extractall(folder)
    for name, folders, files in os.walk(folder):
        for entry in (*folders, *files):
            os.chown(os.path.join(name, entry), os.getuid(), os.getgid())


def make(target):
    os.makedirs(target, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for part in parts():
            ask("make", folder, part)
        pack(folder, os.path.join(target, FILES))
    with tempfile.TemporaryDirectory() as folder:
        unpack(os.path.join(target, FILES), folder)
        text = "".join(read(folder, part) for part in parts())
    for name, said in ((READ, text), (WRITTEN, ask("written"))):
        with open(os.path.join(target, name), "w", encoding="ascii") as handle:
            handle.write(said)


def main():
    target = os.path.join(FOLDER, version())
    if os.path.exists(os.path.join(target, RELEASED)):
        sys.exit(f"{version()} is released: its fixture stays. Raise the version in configure.ac first.")
    make(target)
    print(f"wrote {os.path.relpath(target, ROOT)}; read the difference before you commit it")


if __name__ == "__main__":
    main()
