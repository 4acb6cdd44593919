# SPDX-License-Identifier: Apache-2.0
"""Signed deliveries to the app.

Owns signing, the three-second rule, redirects and retries of events, and the record of every delivery with its
answer. Never builds a payload, never interprets an answer, never logs the signing secret. Called without the world's
lock, because the app calls the Web API while it answers.
"""

import hashlib
import hmac
import http.client
import json
import socket
import ssl
import threading
import time
import urllib.parse

from .state import LOG_COUNT_MAX

ACK_TIMEOUT_S = 3.0
EVENT_RETRY_DELAYS_S = (0.0, 60.0, 300.0)
REDIRECTS_MAX = 2
ANSWER_SIZE_MAX = 1024 * 1024
ENVELOPES = {"/slack/interactions": "interactive", "/slack/commands": "slash_commands", "/slack/events": "events_api"}
USER_AGENT = "Slackbot 1.0 (+https://api.slack.com/robots)"


def sign(secret, timestamp, body):
    """Slack's v0 signature: keyed over the timestamp's text and the raw body."""
    base = b"v0:" + timestamp.encode("ascii") + b":" + body
    return "v0=" + hmac.new(secret, base, hashlib.sha256).hexdigest()


class TooSlow(Exception):
    """No whole answer in time."""


class Push:
    """Delivers to one app."""

    def __init__(self, world, faults, app_url, signing_secret, ca_file=None):
        self.world = world
        self.faults = faults
        self.app_url = app_url
        self.ack_timeout_s = ACK_TIMEOUT_S
        self.retry_delays_s = list(EVENT_RETRY_DELAYS_S)
        self._secret = signing_secret
        self._tls = ssl.create_default_context(cafile=ca_file) if app_url.startswith("https:") or ca_file else None
        self._next_id = 0
        self._raw = {}
        self._stop = threading.Event()
        self.sockets = None

    def set_secret(self, signing_secret):
        """From now on deliveries are signed with this."""
        self._secret = signing_secret

    def cancel_retries(self):
        """End pending retries; later events have theirs."""
        stop, self._stop = self._stop, threading.Event()
        stop.set()

    # -- one delivery -------------------------------------------------------------------------------------------

    def deliver(self, kind, path, content_type, body, payload, headers=None, signed=True, note=None):
        """Send once (a fault may drop or double it). Gives the record: status, answer, latency, acked, error."""
        if self.world.socket_mode and signed and kind != "url_verification" and payload is not None:
            return self._deliver_envelope(kind, path, payload, note or {})
        fault = self.faults.take(kind) or {}
        entry = self._entry(kind, path, payload, note)
        if fault.get("kind") == "drop":
            entry.update({"dropped": True, "error": "dropped"})
            self._record(entry)
            return entry
        if fault.get("kind") == "delay":
            self.faults.sleep(fault.get("seconds", 0))
        full = {"Content-Type": content_type, "User-Agent": USER_AGENT, "Accept": "application/json,*/*"}
        full.update(headers or {})
        if signed:
            full.update(self._signature(body, fault))
        timeout_s = float(fault["seconds"]) if fault.get("kind") == "abandon" else self.ack_timeout_s
        self._remember(entry["id"], path, full, body)
        self._send(entry, path, full, body, timeout_s)
        self._record(entry)
        if fault.get("kind") == "twice":
            again = self._entry(kind, path, payload, note)
            again["repeat_of"] = entry["id"]
            self._send(again, path, full, body, timeout_s)
            self._record(again)
        return entry

    def _deliver_envelope(self, kind, path, payload, note):
        """The same over Socket Mode. Only these answers reach Slack: a view's, a command's, a list of options."""
        fault = self.faults.take(kind) or {}
        entry = self._entry(kind, path, payload, dict(note, transport="socket"))
        if fault.get("kind") == "drop":
            entry.update({"dropped": True, "error": "dropped"})
            self._record(entry)
            return entry
        if fault.get("kind") == "swallow":
            entry.update({"acked": True, "status": 200})
            self._record(entry)
            return entry
        if fault.get("kind") == "delay":
            self.faults.sleep(fault.get("seconds", 0))
        takes_answer = kind in ("slash_command", "view_submission", "block_suggestion")
        retry = (note.get("retry_num", 0), note.get("retry_reason", ""))
        started = time.monotonic()

        def late(acked, sent, in_vain):
            with self.world.lock:
                entry["acked_late"], entry["sent"], entry["in_vain"] = acked, sent, in_vain
                self.world.touch()

        acked, answer, error, identity = self.sockets.deliver(ENVELOPES[path], payload, takes_answer, retry, late=late)
        entry.update({"acked": acked, "status": 200 if acked else 0, "answer": answer, "envelope_id": identity,
                      "answer_type": "application/json" if answer else "",
                      "error": "http_timeout" if error == "timeout" else error,
                      "latency_ms": int((time.monotonic() - started) * 1000)})
        self._record(entry)
        if fault.get("kind") == "twice":
            again = self._entry(kind, path, payload, dict(note, transport="socket", repeat_of=entry["id"]))
            again["acked"] = self.sockets.deliver(ENVELOPES[path], payload, takes_answer, (1, "timeout"), identity)[0]
            self._record(again)
        return entry

    def replay(self, delivery_id):
        """Send the very bytes of an earlier delivery again: same timestamp, same signature."""
        path, headers, body = self._raw[delivery_id]
        entry = self._entry("replay", path, None, None)
        entry["repeat_of"] = delivery_id
        self._send(entry, path, headers, body, self.ack_timeout_s)
        self._record(entry)
        return entry

    def _signature(self, body, fault):
        shift_s = float(fault.get("seconds", 0)) if fault.get("kind") == "skew" else 0.0
        timestamp = str(int(time.time() + shift_s))
        secret = b"some other secret" if fault.get("kind") == "bad_signature" else self._secret
        return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": sign(secret, timestamp, body)}

    def _entry(self, kind, path, payload, note):
        with self.world.lock:
            self._next_id += 1
            entry = {"id": self._next_id, "kind": kind, "path": path, "at": time.time(), "status": 0, "answer": "",
                     "answer_type": "", "no_retry": False, "latency_ms": 0, "acked": False, "error": "",
                     "dropped": False, "payload": payload}
        entry.update(note or {})
        return entry

    def _remember(self, delivery_id, path, headers, body):
        with self.world.lock:
            self._raw[delivery_id] = (path, headers, body)
            self._raw.pop(delivery_id - LOG_COUNT_MAX, None)

    def _record(self, entry):
        with self.world.lock:
            self.world.note_delivery(entry)

    # -- the wire -----------------------------------------------------------------------------------------------

    def _send(self, entry, path, headers, body, timeout_s):
        """POST, following an event's redirects; fills in the entry."""
        started = time.monotonic()
        deadline = started + timeout_s
        url = self.app_url.rstrip("/") + path
        redirects = REDIRECTS_MAX if entry["kind"] == "event_callback" else 0
        try:
            while True:
                status, answer_headers, answer = self._post(url, headers, body, deadline)
                location = answer_headers.get("Location")
                if status not in (301, 302) or not location or entry["kind"] != "event_callback":
                    break
                if redirects == 0:
                    entry["error"] = "too_many_redirects"
                    break
                redirects -= 1
                url = urllib.parse.urljoin(url, location)
            entry["status"] = status
            entry["answer"] = answer.decode("utf-8", "replace")
            entry["answer_type"] = answer_headers.get("Content-Type") or ""
            entry["no_retry"] = answer_headers.get("x-slack-no-retry") == "1"
            if not 200 <= status < 300 and not entry["error"]:
                entry["error"] = "http_error"
        except (TooSlow, socket.timeout):
            entry["error"] = "http_timeout"
        except ssl.SSLError:
            entry["error"] = "ssl_error"
        except (OSError, http.client.HTTPException):
            entry["error"] = "connection_failed"
        entry["latency_ms"] = int((time.monotonic() - started) * 1000)
        entry["acked"] = not entry["error"]

    def _post(self, url, headers, body, deadline):
        parts = urllib.parse.urlsplit(url)
        connection = self._connect(parts, max(0.01, deadline - time.monotonic()))
        try:
            target = parts.path + ("?" + parts.query if parts.query else "")
            connection.request("POST", target, body, dict(headers, Connection="close"))
            sock = connection.sock
            sock.settimeout(max(0.01, deadline - time.monotonic()))
            response = connection.getresponse()
            answer = b""
            while len(answer) < ANSWER_SIZE_MAX:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise TooSlow()
                sock.settimeout(left_s)
                part = response.read1(65536)
                if not part:
                    break
                answer += part
            return response.status, response.headers, answer
        finally:
            connection.close()

    def _connect(self, parts, timeout_s):
        if parts.scheme == "https":
            return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout_s, context=self._tls)
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)

    # -- kinds --------------------------------------------------------------------------------------------------

    def interaction(self, payload, path="/slack/interactions"):
        """A payload in Slack's form encoding, slashes escaped as Slack's encoder does."""
        text = json.dumps(payload, separators=(",", ":")).replace("/", "\\/")
        body = urllib.parse.urlencode({"payload": text}).encode("ascii")
        return self.deliver(payload["type"], path, "application/x-www-form-urlencoded", body, payload)

    def command(self, fields, path="/slack/commands"):
        body = urllib.parse.urlencode(fields).encode("ascii")
        return self.deliver("slash_command", path, "application/x-www-form-urlencoded", body, fields)

    def event(self, envelope, path="/slack/events", retries=True):
        """First try now; retries, if any, follow on a thread of their own. Gives the first try's record."""
        body = json.dumps(envelope, separators=(",", ":")).replace("/", "\\/").encode("ascii")
        stop = self._stop
        first = self._event_try(path, body, envelope, 0, "")
        if retries and not first["acked"] and not first["no_retry"]:
            threading.Thread(target=self._retry, args=(stop, path, body, envelope, first["error"]),
                             daemon=True).start()
        return first

    def _event_try(self, path, body, envelope, number, reason):
        headers = {"x-slack-retry-num": str(number), "x-slack-retry-reason": reason} if number else {}
        note = {"event_id": envelope.get("event_id"), "retry_num": number, "retry_reason": reason}
        kind = envelope.get("type", "event_callback")
        return self.deliver(kind, path, "application/json", body, envelope, headers, note=note)

    def _retry(self, stop, path, body, envelope, error):
        for number, delay_s in enumerate(list(self.retry_delays_s), 1):
            if stop.wait(delay_s):
                return
            reason = "connection_failed" if error == "dropped" else error
            entry = self._event_try(path, body, envelope, number, reason)
            if entry["acked"] or entry["no_retry"]:
                return
            error = entry["error"]
