# SPDX-License-Identifier: Apache-2.0
"""Talking to a stand-in from a Python test.

Owns starting a stand-in as a process of its own, calling its control API and calling its Web API as an app would.
Never imports the stand-in's modules: it sees what any other program sees.

  with StandInProcess("http://127.0.0.1:8080") as slack:
      slack.control("wait", kind="message", contains="Approval needed")
      slack.press("U0APR00001", "approval_approve", "C0APV00001", ts)
"""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import urllib.parse

STANDIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "standin.py")
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
BOT_TOKEN = "xoxb-standin-0000-made-up"
START_TIMEOUT_S = 60


class ControlError(Exception):
    """The control API said no."""


def request(base_url, method, path, body=None, headers=None, timeout_s=150):
    """One HTTP request: (status, headers, body bytes)."""
    parts = urllib.parse.urlsplit(base_url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


class Slack:
    """A running stand-in."""

    def __init__(self, base_url, token=BOT_TOKEN):
        self.base_url = base_url
        self.api_url = base_url + "/api/"
        self.token = token

    def control(self, command, /, **args):
        """Run a control command; raises ControlError unless it worked."""
        status, _, body = request(self.base_url, "POST", "/control/" + command, json.dumps(args),
                                  {"Content-Type": "application/json"})
        answer = json.loads(body)
        if status != 200:
            raise ControlError("%s: %d %s" % (command, status, answer.get("error") or body[:2000]))
        return answer

    def press(self, user, action_id, channel=None, ts=None, **more):
        return self.control("press", user=user, action_id=action_id, channel=channel, ts=ts, **more)

    def wait(self, kind, /, timeout=60, **query):
        """Wait for messages, modals, calls …; gives what was found."""
        return self.control("wait", kind=kind, timeout=timeout, **query)["found"]

    def api(self, method, args=None, form=False, token=None):
        """Call a Web API method as JSON or form: the answer's JSON."""
        return json.loads(self.api_raw(method, args, form, token)[2])

    def api_raw(self, method, args=None, form=False, token=None):
        headers = {"Authorization": "Bearer " + (token or self.token)}
        if form:
            fields = {key: value if isinstance(value, str) else json.dumps(value)
                      for key, value in (args or {}).items()}
            body = urllib.parse.urlencode(fields)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        else:
            body = json.dumps(args or {})
            headers["Content-Type"] = "application/json; charset=utf-8"
        return request(self.base_url, "POST", "/api/" + method, body, headers)


class StandInProcess(Slack):
    """A stand-in of one's own, ended with the `with` block."""

    def __init__(self, app_url, *extra, signing_secret=SIGNING_SECRET, token=BOT_TOKEN):
        super().__init__("", token)
        self._folder = tempfile.TemporaryDirectory(prefix="standin.")
        names = {}
        for name, content in (("secret", signing_secret), ("token", token)):
            names[name] = os.path.join(self._folder.name, name)
            with open(names[name], "w", encoding="ascii") as file:
                file.write(content + "\n")
        self._command = [sys.executable, STANDIN, "--port", "0", "--app-url", app_url, "--signing-secret-file",
                         names["secret"], "--bot-token-file", names["token"]] + list(extra)
        self.process = None

    def __enter__(self):
        reader, writer = os.pipe()
        with os.fdopen(reader, "r", encoding="ascii") as ready:
            self.process = subprocess.Popen(self._command + ["--ready-fd", str(writer)], pass_fds=(writer,),
                                            stdout=subprocess.DEVNULL)
            os.close(writer)
            line = ready.readline()
        if not line:
            raise RuntimeError("the stand-in did not start")
        self.base_url = "http://127.0.0.1:%d" % int(line)
        self.api_url = self.base_url + "/api/"
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(START_TIMEOUT_S)
        self._folder.cleanup()
