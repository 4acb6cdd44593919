# SPDX-License-Identifier: Apache-2.0
"""fake_server.py: an approvald that answers what a test tells it, and remembers what it was asked.

Owns a listening socket on 127.0.0.1 or a path and its thread; never decides anything by itself.
"""

import http.server
import json
import os
import socket
import socketserver
import sys
import threading
import time

DROP = "drop"  # read the request, close without an answer


def request_json(request_id="req_01TEST", **changes):
    """A request as approvald renders it."""
    request = {
        "id": request_id,
        "revision": 1,
        "state": "pending",
        "use": "none",
        "policy": {"name": "prod", "version": 3},
        "requester": None,
        "asker": "ci",
        "title": "Deploy",
        "reason": None,
        "target": None,
        "details": None,
        "bind_hash": None,
        "created_at": "2026-01-01T00:00:00Z",
        "expires_at": "2099-01-01T00:00:00Z",
        "lapses_at": None,
        "ended_at": None,
        "claimed_at": None,
        "consumed_at": None,
        "quorum": 1,
        "approvals": 0,
        "needs": [],
        "rejection_quorum": 1,
        "rejections": 0,
        "decisions": [],
        "cancelled_by": None,
        "cancel_reason": None,
        "result": None,
    }
    request.update(changes)
    return request


def problem(status, detail, refusal=None):
    body = {"title": "Problem", "status": status, "detail": detail}
    if refusal:
        body["refusal"] = refusal
    return status, body


class Handler(http.server.BaseHTTPRequestHandler):
    """Asks the server's script for each answer."""

    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.owner.connections.append(self.connection)

    def log_message(self, *_args):
        """Quiet: the test prints what it needs."""

    def address_string(self):
        return "local"

    def answer(self):
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        call = {
            "method": self.command,
            "path": self.path,
            "headers": dict(self.headers.items()),
            "body": body.decode("utf-8", "replace"),
        }
        reply = self.server.owner.reply(call)
        if reply == DROP:
            self.close_connection = True
            return
        status, content = reply[0], reply[1]
        headers = reply[2] if len(reply) > 2 else {}
        raw = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        kind = "application/problem+json" if status >= 400 else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = do_PUT = do_DELETE = answer


class _Quiet(socketserver.ThreadingMixIn):
    """A client that hangs up is what some tests are about."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Tcp(_Quiet, http.server.HTTPServer):
    allow_reuse_address = True


class _Unix(_Quiet, socketserver.UnixStreamServer):
    """The local socket."""


class FakeServer:
    """script: a function from a call to (status, body[, headers]) or DROP."""

    def __init__(self, script, port=0, path=None):
        self.script = script
        self.calls = []
        self.connections = []
        self.lock = threading.Lock()
        if path:
            if os.path.exists(path):
                os.unlink(path)
            self.server = _Unix(path, Handler)
            self.url = None
        else:
            self.server = _Tcp(("127.0.0.1", port), Handler)
            self.port = self.server.server_address[1]
            self.url = f"http://127.0.0.1:{self.port}"
        self.server.owner = self
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def reply(self, call):
        with self.lock:
            self.calls.append(call)
        return self.script(call)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # its peer has gone already

    def seen(self, method, part):
        return [c for c in self.calls if c["method"] == method and part in c["path"]]


def sequence(*replies):
    """Answers in this order; the last one for ever."""
    left = list(replies)
    lock = threading.Lock()

    def script(_call):
        with lock:
            return left.pop(0) if len(left) > 1 else left[0]

    return script


def wait_until(condition, seconds=60):
    """Polls: for what another process does in its own time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False
