#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_planted.py: a planted secret is found however it is spelled, and nothing else is.

Owns nothing. Never looks at a host.
"""

import base64
import json
import os
import sys
import unittest
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import planted  # noqa: E402  the path is set above

SECRETS = {"password": "bmc, pass;word&42", "token": "xoxb-1-planted"}


class Found(unittest.TestCase):
    def found(self, text):
        return [name for name, _ in planted.found_in(text if isinstance(text, bytes) else text.encode(), SECRETS)]

    def test_every_spelling_is_found(self):
        value = SECRETS["password"]
        for text in (value, f"<{value}>", value.encode().hex(), urllib.parse.quote_plus(value),
                     json.dumps({"a": value}), base64.b32encode(value.encode()).decode(), value[::-1],
                     value.encode("utf-16-le")):  # fmt: skip
            self.assertEqual(self.found(text), ["password"], text)

    def test_in_base64_it_is_found_wherever_it_begins(self):
        value = SECRETS["token"].encode()
        for before in (b"", b"u:", b"us:", b"use:"):
            for after in (b"", b"!", b"!!"):
                for encode in (base64.b64encode, base64.urlsafe_b64encode):
                    self.assertEqual(self.found(encode(before + value + after)), ["token"], (before, after))

    def test_broken_into_lines_it_is_found(self):
        self.assertEqual(self.found("xoxb-1-\n   planted"), ["token"])
        wrapped = base64.encodebytes(b"x" * 50 + SECRETS["password"].encode())
        self.assertEqual(self.found(wrapped), ["password"])

    def test_what_is_removed_or_another_is_not_found(self):
        for text in ("", "xoxb-1-plante", "[removed]", "bmc, pass;word&4", base64.b64encode(b"xoxb-1-other")):
            self.assertEqual(self.found(text), [])

    def test_of_a_key_the_lines_between_are_looked_for(self):
        lines = planted.lines_of("-----BEGIN EC PRIVATE KEY-----\nMHcPlanted\nAA==\n-----END EC PRIVATE KEY-----\n")
        self.assertEqual(lines, {1: "MHcPlanted"})


if __name__ == "__main__":
    unittest.main()
