# SPDX-License-Identifier: Apache-2.0
"""A small WebDriver client: Chromium through Debian's chromium-driver, standard library only.

Owns one chromedriver process and one browser session. Never downloads a browser, never waits with a fixed sleep.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib.ports import free_port

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
WAIT_S = 60


class BrowserMissing(Exception):
    """chromium or chromedriver is not installed."""


class DriverError(Exception):
    """The driver refused a command."""


class Browser:
    """A headless Chromium; use as a context manager."""

    def __init__(self, width=1280, height=800):
        self._size = (width, height)
        self._driver = None
        self._profile = None
        self._base = ""

    def __enter__(self):
        driver, browser = shutil.which("chromedriver"), shutil.which("chromium")
        if not driver or not browser:
            raise BrowserMissing("needs Debian's chromium and chromium-driver")
        port = free_port()
        self._driver = subprocess.Popen([driver, "--port=%d" % port, "--silent"], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self._profile = tempfile.TemporaryDirectory(prefix="standin.browser.", ignore_cleanup_errors=True)
        self._base = "http://127.0.0.1:%d" % port
        self._wait_ready()
        args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", "--user-data-dir=" + self._profile.name,
                "--window-size=%d,%d" % self._size]
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"binary": browser, "args": args}}}})
        self._base += "/session/" + session["sessionId"]
        self.resize(*self._size)
        return self

    def __exit__(self, *_):
        try:
            self._call("DELETE", "", None)
        except (DriverError, OSError):
            pass
        self._driver.terminate()
        self._driver.wait(10)
        self._profile.cleanup()

    def _wait_ready(self):
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                if self._call("GET", "/status", None)["ready"]:
                    return
            except (OSError, DriverError):
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def _call(self, method, path, body):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, {"Content-Type": "application/json"}, method=method)
        # The driver listens here; a proxy from the environment has no business in between.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise DriverError("%s: %s" % (value.get("error"), value.get("message", "")[:300])) from None

    # -- acts ---------------------------------------------------------------------------------------------------

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    def resize(self, width, height):
        """Size of the page itself. Chromium's window cannot be narrower than 500, so the device is emulated."""
        self._call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}})

    def find_all(self, selector):
        found = self._call("POST", "/elements", {"using": "css selector", "value": selector})
        return [item[ELEMENT] for item in found]

    def script(self, text, *args):
        return self._call("POST", "/execute/sync", {"script": text, "args": list(args)})

    def until(self, attempt, what):
        """Try until it gives something true; elements that a refresh replaced are tried again."""
        deadline = time.monotonic() + WAIT_S
        problem = None
        while time.monotonic() < deadline:
            try:
                result = attempt()
                if result:
                    return result
            except DriverError as error:
                problem = error
            time.sleep(0.03)
        raise AssertionError("never happened: %s (%s)" % (what, problem))

    def click(self, selector):
        """Press a real element as a user does: it must be visible and not covered."""
        def attempt():
            found = self.find_all(selector)
            if not found:
                return False
            self._call("POST", "/element/%s/click" % found[0], {})
            return True

        self.until(attempt, "click " + selector)

    def type(self, selector, text):
        def attempt():
            found = self.find_all(selector)
            if not found:
                return False
            self._call("POST", "/element/%s/clear" % found[0], {})
            self._call("POST", "/element/%s/value" % found[0], {"text": text})
            return True

        self.until(attempt, "type into " + selector)

    def text(self, selector):
        """Text of the first visible match, or None."""
        return self.script(
            "for (const e of document.querySelectorAll(arguments[0])) if (e.checkVisibility()) return e.innerText;"
            "return null;", selector)

    def see(self, selector, words=""):
        """Wait until a visible match shows the words."""
        return self.until(lambda: (self.text(selector) or "").find(words) >= 0 and self.text(selector) is not None,
                          "%s shows %r" % (selector, words))

    def gone(self, selector):
        """Wait until nothing visible matches."""
        return self.until(lambda: self.text(selector) is None, selector + " goes away")

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._call("GET", "/screenshot", None)))

    def picture(self, selector, path):
        """A screenshot of the first match alone."""
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._call("GET", "/element/%s/screenshot" % self.find_all(selector)[0], None)))

    def console_errors(self):
        """Errors the page logged since the last call."""
        try:
            entries = self._call("POST", "/se/log", {"type": "browser"})
        except DriverError:
            return []
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]


def needed():
    """Whether a missing browser is a failure instead of a skip."""
    return os.environ.get("REQUIRE_BROWSER") == "1"
