# SPDX-License-Identifier: Apache-2.0
"""harness.py: starts approvald and the stand-in for tests that look from outside.

Owns the processes it starts (ended by pid, their logs kept in the directory) and one scratch
directory. Never touches a process, port or file that it did not make, and never talks to anything
but loopback and its own unix socket.
"""
import hashlib
import hmac
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

from lib.ports import free_port
from lib.waiting import PATIENCE_S, until

TEAM = "T0APV00001"
CHANNEL = "C0APV00001"
RITA, ANA, BEN = "U0REQ00001", "U0APR00001", "U0APR00002"
GROUP = "S0APV00001"
SIGNING_SECRET = "0123456789abcdef0123456789abcdef"
RATE_MAX = 1000000  # calls a minute: what a token may be given at most
BOT_TOKEN = "xoxb-test-0123456789"
APP_TOKEN = "xapp-1-test-0123456789"
POLICY = f"""
policy prod-deploy {{
    title = "Production deploy"
    channel = "{CHANNEL}"
    approvers = {{"{ANA}", "{BEN}"}}
    quorum = 1
}}
policy two-people {{
    title = "Two people"
    channel = "{CHANNEL}"
    approvers = {{"{GROUP}"}}
    quorum = 2
}}
"""


def sign(body, secret=SIGNING_SECRET, at=None):
    """The headers with which Slack signs body (bytes)."""
    stamp = str(int(time.time() if at is None else at))
    mac = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256)
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": "v0=" + mac.hexdigest(),
            "Content-Type": "application/x-www-form-urlencoded"}


def form(payload):
    return b"payload=" + urllib.parse.quote_plus(json.dumps(payload)).encode()


class Serial:
    """Unique action timestamps and trigger ids, as Slack gives them."""

    def __init__(self):
        self.last = 0

    def stamp(self):
        self.last = max(self.last + 1, int(time.time() * 1_000_000))
        return f"{self.last // 1_000_000}.{self.last % 1_000_000:06d}"


SERIAL = Serial()


def press(request_id, user, action="approve", channel=CHANNEL, ts="1700000000.000100"):
    """A block_actions payload as Slack sends it for a press on a card."""
    stamp = SERIAL.stamp()
    return {
        "type": "block_actions", "team": {"id": TEAM, "domain": "acme"},
        "user": {"id": user, "username": "someone", "name": "someone", "team_id": TEAM},
        "api_app_id": "A0APV00001", "token": "unused", "enterprise": None,
        "is_enterprise_install": False, "trigger_id": f"{stamp}.abcdef",
        "response_url": "https://hooks.slack.com/actions/T0/1/x",
        "container": {"type": "message", "message_ts": ts, "channel_id": channel,
                      "is_ephemeral": False},
        "channel": {"id": channel, "name": "approvals"},
        "message": {"type": "message", "ts": ts, "user": "U0BOT00001", "bot_id": "B0BOT00001",
                    "app_id": "A0APV00001", "team": TEAM, "text": "Deploy", "blocks": []},
        "state": {"values": {}},
        "actions": [{"type": "button", "action_id": action, "block_id": "b1", "value": request_id,
                     "action_ts": stamp, "text": {"type": "plain_text", "text": "Approve"}}]}


def reject_submission(request_id, user, reason="no", channel=CHANNEL, ts="1700000000.000100"):
    """The view_submission of the reject modal."""
    stamp = SERIAL.stamp()
    return {
        "type": "view_submission", "team": {"id": TEAM, "domain": "acme"}, "enterprise": None,
        "user": {"id": user, "username": "someone", "name": "someone", "team_id": TEAM},
        "api_app_id": "A0APV00001", "token": "unused", "trigger_id": f"{stamp}.abcdef",
        "is_enterprise_install": False, "response_urls": [],
        "view": {"id": "V" + stamp.replace(".", ""), "team_id": TEAM, "type": "modal",
                 "callback_id": "reject", "hash": f"{stamp}.hash", "previous_view_id": None,
                 "private_metadata": json.dumps(
                     {"r": request_id, "c": channel, "m": ts, "t": ""}),
                 "state": {"values": {"reason": {"reason": {
                     "type": "plain_text_input", "value": reason}}}}}}


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def call(method, path, body=None, headers=None, port=None, unix=None, timeout=PATIENCE_S):
    """One HTTP call over a connection of its own; raises OSError or HTTPException."""
    conn = UnixConnection(unix, timeout) if unix else http.client.HTTPConnection(
        "127.0.0.1", port, timeout=timeout)
    try:
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers = {"Content-Type": "application/json", **(headers or {})}
        conn.request(method, path, body, headers or {})
        response = conn.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())
    finally:
        conn.close()


class Process:
    """A child with its log; ended by pid."""

    def __init__(self, argv, log, env=None):
        self.log = log
        with open(log, "ab") as out:
            self.child = subprocess.Popen(argv, stdout=out, stderr=out,
                                          stdin=subprocess.DEVNULL, env=env)

    def alive(self):
        return self.child.poll() is None

    def kill(self):
        if self.alive():
            self.child.kill()
        return self.child.wait()

    def stop(self, seconds=PATIENCE_S):
        """SIGTERM, and SIGKILL when that does not help; the exit status."""
        if self.alive():
            self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


class World:
    """A stand-in and an approvald in one scratch directory."""

    def __init__(self, directory, build, slack=True, extra_config="", rate_limits="off",
                 slack_config="", policy=POLICY, socket_mode=False, public_url=None):
        """socket_mode: Slack's deliveries come over sockets that approvald opens, and nothing over
        HTTP. public_url: how approvald reaches the stand-in, when not directly."""
        self.dir = os.path.abspath(directory)
        self.build = os.path.abspath(build)
        self.source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        os.makedirs(self.path("data"), 0o700, exist_ok=True)
        os.chmod(self.path("data"), 0o700)
        self.port, self.slack_port = free_port(), None
        self.management_port = free_port()
        self.socket = self.path("approvald.sock")
        self.policy = policy
        self.standin = self.daemon = None
        self.arguments = []  # more of approvald's
        self.rate_limits = rate_limits
        self.socket_mode, self.public_url = socket_mode, public_url
        self.secret_file("app", APP_TOKEN)
        self.secret_file("signing", SIGNING_SECRET)
        self.secret_file("bot", BOT_TOKEN)
        if slack:
            self.start_standin()
        self.write_config(extra_config, slack_config)

    def path(self, name):
        return os.path.join(self.dir, name)

    def secret_file(self, name, text):
        fd = os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as out:
            out.write(text)

    def write_config(self, extra="", slack_extra=""):
        api = (self.public_url or f"http://127.0.0.1:{self.slack_port or 9}") + "/api/"
        way_in = "app_token_file" if self.socket_mode else "signing_secret_file"
        with open(self.path("approvald.conf"), "w") as out:
            out.write(f"""
data_dir = "{self.path('data')}"
log_target = "json"
http {{
    listen = {{"127.0.0.1:{self.port}"}}
    management_listen = {{"127.0.0.1:{self.management_port}"}}
    socket = "{self.socket}"
}}
slack {{
    api_url = "{api}"
    team_id = "{TEAM}"
    {way_in} = "{self.path('app' if self.socket_mode else 'signing')}"
    bot_token_file = "{self.path('bot')}"
    {slack_extra}
}}
{extra}
""")

    def start_standin(self):
        self.slack_port = self.slack_port or free_port()
        self.standin = Process(
            [sys.executable, os.path.join(self.source, "tests/slack/standin.py"),
             "--port", str(self.slack_port), "--app-url", f"http://127.0.0.1:{self.port}",
             "--signing-secret-file", self.path("signing"), "--bot-token-file", self.path("bot"),
             "--rate-limits", self.rate_limits,
             *(["--app-token-file", self.path("app")] if self.socket_mode else []),
             *(["--public-url", self.public_url] if self.public_url else [])],
            self.path("standin.log"))
        self.wait(lambda: call("GET", "/control/counters", port=self.slack_port).status == 200,
                  "the stand-in answers")

    def start(self, env=None, wait=True):
        self.daemon = Process([os.path.join(self.build, "approvald/approvald"), "--config",
                               self.path("approvald.conf"), *self.arguments],
                              self.path("approvald.log"),
                              env=env)
        if wait:
            self.wait(self.ready, "approvald is ready")

    def ready(self):
        if not self.daemon.alive():
            raise AssertionError("approvald ended: " + self.log_tail())
        return call("GET", "/readyz", port=self.management_port, timeout=2).status == 200

    def log_tail(self):
        with open(self.path("approvald.log"), errors="replace") as log:
            return "".join(log.readlines()[-5:])

    @staticmethod
    def wait(predicate, what, seconds=PATIENCE_S, step=0.005):
        """Until predicate() is true; connection errors count as not yet."""
        return until(predicate, what, seconds, step, (OSError, http.client.HTTPException))

    def admin(self, method, path, body=None, headers=None, timeout=PATIENCE_S):
        """A call over the local socket."""
        return call(method, path, body, headers, unix=self.socket, timeout=timeout)

    def api(self, method, path, body=None, token=None, headers=None, timeout=PATIENCE_S):
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = "Bearer " + token
        return call(method, path, body, headers, port=self.port, timeout=timeout)

    def apply_policy(self, text=None):
        answer = self.admin("PUT", "/v1/policies", (text or self.policy).encode(),
                            {"Content-Type": "text/plain"})
        assert answer.status == 200, answer.body
        return answer

    def token(self, name, **fields):
        fields = {"name": name, "scopes": ["ask", "read"], "rate_per_minute": RATE_MAX, **fields}
        answer = self.admin("POST", "/v1/tokens", fields)
        assert answer.status == 201, answer.body
        return answer.json()["token"]

    def create(self, token, key=None, policy="prod-deploy", title="Deploy api", **fields):
        headers = {"Idempotency-Key": key} if key else {}
        return self.api("POST", "/v1/requests", {
            "policy": policy, "title": title, "reason": "release", "target": "prod",
            "requester": RITA, **fields}, token, headers)

    def slack(self, payload, timeout=PATIENCE_S, port=None):
        """Delivers a signed interaction; the answer."""
        body = form(payload)
        return call("POST", "/slack/interactions", body, sign(body), port=port or self.port,
                    timeout=timeout)

    def control(self, method, path, body=None):
        """The stand-in's control interface; the decoded JSON."""
        answer = call(method, "/control" + path, body, port=self.slack_port, timeout=2 * PATIENCE_S)
        assert answer.status == 200, (path, answer.status, answer.body)
        return answer.json()

    def ctl(self, *args, token_file=None, check=None, env=None, timeout=60):
        """Runs approvalctl over the local socket, or with a token over HTTP."""
        words = 2 if args[0] in ("token", "delegate", "step-up", "policy", "outbox", "audit", "config", "slack",
                                 "freeze") else 1
        where = (["--url", f"http://127.0.0.1:{self.port}", "--token-file", token_file]
                 if token_file else ["--socket", self.socket])
        argv = [os.path.join(self.build, "approvald/ctl/approvalctl"), *args[:words], *where,
                *args[words:]]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout,
                              env=env, check=False)
        if check is not None:
            assert done.returncode == check, (args, done.returncode, done.stdout, done.stderr)
        return done

    def close(self):
        for process in (self.daemon, self.standin):
            if process is not None:
                process.kill()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()
