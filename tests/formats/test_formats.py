#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_formats.py: what each version wrote is read by the present code as it was meant; and a format
that changes has a fixture of the present version.

Owns nothing but its cases. Never writes a fixture: make formats-fixture does.
"""

import mmap
import os
import re
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import formats  # noqa: E402  the path is set above

VERSIONS = sorted((name for name in os.listdir(formats.FOLDER) if re.fullmatch(r"[0-9.]+", name)),
                  key=lambda name: [int(part) for part in name.split(".")])
# LMDB's file is of a host's word, byte order and page; a backup is the way to another kind of host.
SAME_KIND = sys.byteorder == "little" and sys.maxsize > 2**32 and mmap.PAGESIZE == 4096
OF_THE_HOST = ("store",)


def text_of(version, name):
    with open(os.path.join(formats.FOLDER, version, name), encoding="ascii") as handle:
        return handle.read()


def expected(version):
    """{part: text} of what was read when the fixture was made."""
    pieces = re.split(r"^== (\w+)\n", text_of(version, formats.READ), flags=re.MULTILINE)
    return {name: f"== {name}\n{text}" for name, text in zip(pieces[1::2], pieces[2::2])}


class Formats(unittest.TestCase):
    maxDiff = None

    def test_what_each_version_wrote_is_read_as_it_was_meant(self):
        self.assertNotEqual(VERSIONS, [])
        for version in VERSIONS:
            wanted = expected(version)
            with tempfile.TemporaryDirectory() as folder:
                formats.unpack(os.path.join(formats.FOLDER, version, formats.FILES), folder)
                self.assertEqual(sorted(wanted), sorted(os.listdir(folder)))
                for part, text in wanted.items():
                    if SAME_KIND or part not in OF_THE_HOST:
                        with self.subTest(version=version, part=part):
                            self.assertEqual(formats.read(folder, part), text)

    def test_the_log_holds_what_the_state_does_not(self):
        """Else opening the store would replay nothing, and prove nothing."""
        for version in VERSIONS:
            text = expected(version)["store"]
            applied = re.search(r"^state.mdb: applied LSN (\d+)", text, re.MULTILINE)
            replayed = re.search(r"^replayed: last LSN (\d+)", text, re.MULTILINE)
            kept = re.search(r"^backup: LSN (\d+)", expected(version)["backup"], re.MULTILINE)
            self.assertEqual(applied.group(1), kept.group(1))
            self.assertLess(int(applied.group(1)) + 1, int(replayed.group(1)))  # more than its start
            self.assertIn("Changed behind the checkpoint", text)
            self.assertNotIn("Changed behind the checkpoint", expected(version)["backup"])

    def test_the_present_formats_have_a_fixture(self):
        """A field, a record or a message that is new: give it a value in tests/formats/sample_*.c and
        print it in record.c or wire.c, then make formats-fixture."""
        self.assertEqual(VERSIONS[-1], formats.version(), "make formats-fixture")
        self.assertEqual(formats.ask("written"), text_of(VERSIONS[-1], formats.WRITTEN),
                         "a format has changed: make formats-fixture")

    def test_every_table_and_every_message_is_in_it(self):
        keys = os.path.join(formats.ROOT, "approvald", "service", "keys.h")
        with open(keys, encoding="utf-8") as handle:
            tables = set(re.findall(r"^    TABLE_\w+ = '(.)'", handle.read(), re.MULTILINE))
        self.assertEqual(tables, set(re.findall(r"^table (.) key", expected(VERSIONS[-1])["store"],
                                                re.MULTILINE)))
        with open(os.path.join(formats.ROOT, "storage", "message.h"), encoding="utf-8") as handle:
            listed = re.search(r"enum message_type \{(.*?)MESSAGE_TYPE_END", handle.read(), re.DOTALL)
        kinds = re.findall(r"^    (MESSAGE_\w+)", listed.group(1), re.MULTILINE)
        self.assertEqual(len(kinds), expected(VERSIONS[-1])["link"].count("\nmessage "))

    def test_a_changed_byte_is_noticed(self):
        with tempfile.TemporaryDirectory() as folder:
            formats.unpack(os.path.join(formats.FOLDER, VERSIONS[-1], formats.FILES), folder)
            for name in ("backup", "link", "promise/promise-0"):
                path = os.path.join(folder, name)
                with open(path, "r+b") as handle:
                    handle.seek(40)
                    byte = handle.read(1)
                    handle.seek(40)
                    handle.write(bytes([byte[0] ^ 0x10]))
            with self.assertRaises(RuntimeError):
                formats.read(folder, "backup")
            self.assertNotEqual(formats.read(folder, "link"), expected(VERSIONS[-1])["link"])

    def test_it_is_small(self):
        size = sum(os.path.getsize(os.path.join(where, name))
                   for where, _folders, names in os.walk(formats.FOLDER) for name in names)
        self.assertLess(size, 300 * 1024 * len(VERSIONS))


if __name__ == "__main__":
    unittest.main()
