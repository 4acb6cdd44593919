# SPDX-License-Identifier: Apache-2.0
"""The HTTP server.

Owns sockets, request framing and which part answers which path. Never knows a Web API method or a control command.
/api/ is Slack's Web API; /actions/, /commands/ and /app/ are response URLs; /control/ serves tests; / is the page.
"""

import json
import socket
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import control, faults, methods_chat, page, push, ratelimit, seed, sockets, state, webapi
from .apiargs import ApiError

BODY_SIZE_MAX = 4 * 1024 * 1024
IDLE_TIMEOUT_S = 120


def read_secret(path):
    """A secret's bytes, without the newline an editor adds."""
    with open(path, "rb") as file:
        secret = file.read().strip()
    if not secret:
        raise ValueError("%s is empty" % path)
    return secret


class StandIn:
    """One workspace with everything that serves it."""

    def __init__(self, app_url, signing_secret, bot_token, rate_limits=False, seed_world=None, app_ca_file=None):
        self.seed_world = seed_world
        self.stopping = threading.Event()
        self.world = state.World()
        seed.fill(self.world, seed_world)
        self.api_faults = faults.Faults(faults.API_KINDS)
        self.push_faults = faults.Faults(faults.PUSH_KINDS)
        self.rate_limits = ratelimit.RateLimits(rate_limits)
        self.api = webapi.WebApi(self.world, self.api_faults, self.rate_limits, bot_token)
        self.push = push.Push(self.world, self.push_faults, app_url, signing_secret, app_ca_file)
        self.sockets = sockets.Sockets(self.world, self.stopping)
        self.push.sockets = self.sockets
        self.control = control.Control(self)
        self.server = None

    read_secret = staticmethod(read_secret)

    def reset(self, seed_world=None):
        """As freshly started, on the same port."""
        self.push.cancel_retries()
        self.api_faults.clear()
        self.push_faults.clear()
        self.sockets.reset()
        with self.world.lock:
            self.world.app_token_error = ""
            self.world.date_skew_s = 0.0
            self.rate_limits.reset()
            self.world.token_state = "valid"
            self.world.scopes = list(state.ALL_SCOPES)
            self.world.clock_offset_s = 0.0
            seed.fill(self.world, seed_world or self.seed_world)

    def enable_socket_mode(self, app_token=None):
        """From now on deliveries travel over the app's WebSockets, and HTTP addresses are not called."""
        with self.world.lock:
            self.world.app_token = app_token
            self.world.socket_mode = True

    def bind(self, host, port, public_url=None):
        """Listen; gives the port. Serving starts with `serve`."""
        server_class = type("Server", (Server,), {"address_family": socket.AF_INET6 if ":" in host
                                                  else socket.AF_INET})
        self.server = server_class((host, port), Handler)
        self.server.standin = self
        bound = self.server.server_address[1]
        self.world.base_url = public_url or "http://%s:%d" % ("[%s]" % host if ":" in host else host, bound)
        return bound

    def serve(self):
        """Serve until `stop`."""
        self.server.serve_forever(poll_interval=0.1)

    def stop(self):
        """Let go of everything that waits and close the listener."""
        self.stopping.set()
        self.push.cancel_retries()
        self.api_faults.clear()
        self.push_faults.clear()
        self.server.shutdown()
        self.server.server_close()


class Server(ThreadingHTTPServer):
    """A thread per connection; connections end with the process."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    standin = None

    def handle_error(self, request, client_address):
        """A peer that hangs up is part of the job; anything else is a fault of ours and must be seen."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Routes one connection's requests."""

    protocol_version = "HTTP/1.1"
    server_version = "slack-standin"
    sys_version = ""
    timeout = IDLE_TIMEOUT_S
    # Small answers leave at once, instead of waiting for an acknowledgement of the headers.
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, format, *args):
        """Silent: request lines may hold response URLs."""

    def date_time_string(self, timestamp=None):
        """The Date header: by Slack's clock, which may be another than this host's."""
        now = time.time() if timestamp is None else timestamp
        return super().date_time_string(now + self.server.standin.world.date_skew_s)

    def do_GET(self):
        self._route("GET")

    def do_POST(self):
        self._route("POST")

    def _route(self, http_method):
        parts = urllib.parse.urlsplit(self.path)
        if parts.path == "/link/":
            self._socket(parts.query)
            return
        body = self._read_body()
        if body is None:
            return
        if parts.path.startswith("/api/"):
            self._api(http_method, parts, body)
        elif parts.path.startswith("/control/"):
            self._control(http_method, parts, body)
        elif parts.path.startswith(("/actions/", "/commands/", "/app/")):
            self._response_url(http_method, parts.path, body)
        elif http_method == "GET":
            status, kind, content = page.serve(self.server.standin, parts.path, parts.query)
            self._send(status, {"Content-Type": kind, "Cache-Control": "no-store",
                                "Content-Security-Policy": page.POLICY, "X-Content-Type-Options": "nosniff"}, content)
        else:
            self._send_json(404, {"ok": False, "error": "not_found"})

    def _socket(self, query):
        """A WebSocket, for as long as it lasts."""
        status = self.server.standin.sockets.serve(self, dict(urllib.parse.parse_qsl(query)))
        self.close_connection = True
        if status:
            self._send_json(status, {"ok": False, "error": "bad_ticket" if status == 409 else "no_socket"})

    def _read_body(self):
        """The whole body, or None when an answer has been sent already."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._read_chunks()
        try:
            size = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            size = -1
        if not 0 <= size <= BODY_SIZE_MAX:
            self.close_connection = True
            self._send_json(413 if size > 0 else 400, {"ok": False, "error": "request_too_large"})
            return None
        return self.rfile.read(size) if size else b""

    def _read_chunks(self):
        body = b""
        while True:
            try:
                size = int(self.rfile.readline(1024).split(b";")[0], 16)
            except ValueError:
                size = -1
            if not 0 <= len(body) + size <= BODY_SIZE_MAX or size < 0:
                self.close_connection = True
                self._send_json(400, {"ok": False, "error": "bad_chunk"})
                return None
            body += self.rfile.read(size)
            if self.rfile.readline(1024).strip() == b"" and size == 0:
                return body

    def _api(self, http_method, parts, body):
        name = parts.path[len("/api/"):]
        answer = self.server.standin.api.handle(name, http_method, self.headers, parts.query, body)
        if answer.close:
            self._hang_up()
            return
        self._send(answer.status, answer.headers, answer.body)

    def _hang_up(self):
        """Close without a byte: the caller cannot know what happened."""
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _control(self, http_method, parts, body):
        name = parts.path[len("/control/"):]
        # A JSON content type is something a foreign web page cannot send here without asking first.
        if http_method == "POST" and not (self.headers.get("Content-Type") or "").startswith("application/json"):
            self._send_json(415, {"ok": False, "error": "send application/json"})
            return
        try:
            if http_method == "GET":
                args = dict(urllib.parse.parse_qsl(parts.query))
            else:
                args = json.loads(body.decode("utf-8")) if body else {}
            if not isinstance(args, dict):
                raise ValueError("not an object")
        except ValueError:
            self._send_json(400, {"ok": False, "error": "send a JSON object"})
            return
        status, answer = self.server.standin.control.run(name, args)
        self._send_json(status, answer)

    def _response_url(self, http_method, path, body):
        """Five uses in thirty minutes; the answer to a good one is the bare word ok."""
        world = self.server.standin.world
        try:
            content = json.loads(body.decode("utf-8"))
        except ValueError:
            content = None
        with world.lock:
            entry = world.response_urls.get(path)
            if http_method != "POST" or entry is None:
                status, error = 404, "not_found"
            elif world.now() - entry["born"] > state.RESPONSE_URL_LIFE_S:
                status, error = 404, "expired_url"
            elif entry["uses"] >= state.RESPONSE_URL_USES_MAX:
                status, error = 404, "used_url"
            elif not isinstance(content, dict):
                status, error = 400, "invalid_payload"
            else:
                status, error = 200, ""
                entry["uses"] += 1
                try:
                    methods_chat.apply_response(world, entry, content)
                except ApiError as refused:
                    status, error = 400, refused.code
            world.note_call({"at": world.now(), "method": "response_url", "args": content or {},
                             "channel": entry["channel"] if entry else "", "outcome": error or "ok"})
        if error:
            self._send_json(status, {"ok": False, "error": error})
        else:
            self._send(200, {"Content-Type": "text/plain; charset=utf-8"}, b"ok")

    def _send_json(self, status, value):
        self._send(status, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(value).encode("ascii"))

    def _send(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
