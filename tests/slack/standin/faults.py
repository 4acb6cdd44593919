# SPDX-License-Identifier: Apache-2.0
"""Faults on demand.

Owns the list of armed faults, who matches which, and counting them down. Never decides what a fault looks like on the
wire (server.py and push.py do) and never arms one by itself.

Kinds for Web API calls (`method` names one, or "*"):
  ratelimited   429; `retry_after` seconds, or any text, or null for no header
  status        HTTP `status` (500, 503 …) with an HTML body
  html_200      200 with an HTML body, as a proxy's login page
  empty_200     200 with no body
  truncated     200 with half of the JSON
  error         ok:false with `error` (`after_work` true: the work was done all the same)
  close_after   does the work, waits `seconds`, closes without an answer: outcome unknown
  hang_before   waits `seconds`, closes without doing the work
  delay         waits `seconds`, then works as usual
Kinds for deliveries to the app (`method` is the delivery kind: block_actions, view_submission, slash_command,
event_callback …, or "*"):
  drop          not delivered; the user sees Slack's trouble notice
  swallow       not delivered, and taken for acknowledged: what no app may do; proves that a test would see it
  twice         delivered again, byte for byte, after the first answer
  delay         delivered `seconds` late
  skew          signed with a timestamp `seconds` away from now
  bad_signature signed with another secret
  abandon       delivered, but the stand-in hangs up after `seconds` without reading the answer
"""

import threading

API_KINDS = ("ratelimited", "status", "html_200", "empty_200", "truncated", "error", "close_after", "hang_before",
             "delay")
PUSH_KINDS = ("drop", "swallow", "twice", "delay", "skew", "bad_signature", "abandon")


class Faults:
    """Armed faults of one side (Web API or deliveries)."""

    def __init__(self, kinds):
        self._kinds = kinds
        self._lock = threading.Lock()
        self._armed = []
        self._release = threading.Event()

    def arm(self, fault):
        """Arm a fault for the next `count` matches (default 1; 0 means until cleared)."""
        if fault.get("kind") not in self._kinds:
            raise ValueError("unknown fault kind %r, one of %s" % (fault.get("kind"), ", ".join(self._kinds)))
        entry = dict(fault)
        entry.setdefault("method", "*")
        entry["left"] = int(fault.get("count", 1))
        entry["forever"] = entry["left"] == 0
        with self._lock:
            self._armed.append(entry)

    def take(self, method):
        """The oldest armed fault that matches, counted down; or None."""
        with self._lock:
            for entry in self._armed:
                if entry["method"] not in ("*", method):
                    continue
                if not entry["forever"]:
                    entry["left"] -= 1
                    if entry["left"] <= 0:
                        self._armed.remove(entry)
                return dict(entry)
        return None

    def armed(self):
        with self._lock:
            return [dict(entry) for entry in self._armed]

    def clear(self):
        """Disarm everything and let go of calls that hang now."""
        with self._lock:
            self._armed = []
            release, self._release = self._release, threading.Event()
        release.set()

    def sleep(self, seconds):
        """Wait as a fault asks; `clear` ends the wait early."""
        with self._lock:
            release = self._release
        release.wait(max(0.0, float(seconds)))
