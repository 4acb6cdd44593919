# SPDX-License-Identifier: Apache-2.0
"""planted.py: a secret in the spellings in which it may leave a host, and where one is found.

Owns the spellings. Never says a secret itself: what is found is named.
"""

import base64
import html
import json
import re
import urllib.parse

LEAST = 6  # bytes; what is shorter stands everywhere


def _inner_base64(value):
    """What is the same in the base64 of every text that has the value in it, for each of the three ways in
    which it may lie there."""
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + value).rstrip(b"=")
        # The first characters and the last one may share bits with neighbours.
        yield text[(0, 2, 3)[offset]:-1]


def spellings(value):
    """{name: bytes} of a secret (text), itself the first."""
    plain = value.encode()
    found = {"plain": plain, "reversed": plain[::-1], "hex": plain.hex().encode(),
             "HEX": plain.hex().upper().encode(),
             "percent": urllib.parse.quote(value, safe="").encode(), "form": urllib.parse.quote_plus(value).encode(),
             "json": json.dumps(value)[1:-1].encode(), "html": html.escape(value).encode(),
             "utf-16": value.encode("utf-16-le"), "base32": base64.b32encode(plain).rstrip(b"=")[:-1]}
    for number, text in enumerate(_inner_base64(plain)):
        found[f"base64 {number}"] = text
        found[f"base64url {number}"] = text.translate(bytes.maketrans(b"+/", b"-_"))
    return {name: text for name, text in found.items() if len(text) >= LEAST}


def found_in(content, secrets):
    """[(name of the secret, spelling)] of those that stand in content (bytes), in one piece or broken
    into lines. secrets: {name: text}."""
    joined = re.sub(rb"\s+", b"", content)
    hits = []
    for name, value in secrets.items():
        for spelling, text in spellings(value).items():
            if text in content or re.sub(rb"\s+", b"", text) in joined:
                hits.append((name, spelling))
                break
    return hits


def lines_of(pem):
    """{number: line} of a private key's own lines."""
    return {number: line for number, line in enumerate(pem.split("\n"))
            if len(line) >= LEAST and not line.startswith("-----")}
