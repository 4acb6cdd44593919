# SPDX-License-Identifier: Apache-2.0
"""quickstart.py: builds approvald, starts it with a local Slack, and shows one approval.

Owns build/quickstart, a folder of its own for state, and the processes that it starts, which it
ends by their ids. Never touches an installed approvald and never needs the network beyond packages.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from lib.ports import free_port  # noqa: E402  the path is set above

TEAM, CHANNEL = "T0APV00001", "C0APV00001"
RITA, ANA, BEN = "U0REQ00001", "U0APR00001", "U0APR00002"
START_S = 30  # a slow machine; approvald itself needs a second

HELP = """Builds approvald, starts it with its embedded storage and a local stand-in for Slack, and
prints where to look and which button to press. Runs until Ctrl-C.

With --once one request goes all the way without a person: asked with approvalctl, shown as a card,
approved with a signed press, answered to `approvalctl wait`, the card updated; then it ends.

With --socket Slack comes over Socket Mode: approvald opens the connections itself and nothing has to
reach it. Together with --once the same request goes all the way over those sockets.

With --pair (as root) it starts two hosts that share a virtual IP, an arbiter and clients, each in a
network namespace of this machine, and tells how to watch them and how to kill one. With --pair
--once a request goes all the way while the primary loses its power between the press and the
answer; exit code 0 only if nothing was lost or doubled.

With SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET in the environment it uses the real Slack: then also
set APPROVALD_CHANNEL (C...) and APPROVALD_APPROVERS (U...,U...), and let APPROVALD_PUBLIC_URL lead
to the address that is printed (docs/slack-setup.md). With --socket it is SLACK_APP_TOKEN in the place
of SLACK_SIGNING_SECRET, and no public address."""


class Failed(Exception):
    """Something that a person should read."""


def quiet(command, **how):
    """Runs a step of the build; its words are shown only when it fails."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", check=False, **how,
    )  # fmt: skip
    if done.returncode != 0:
        sys.stderr.write("\n".join(done.stdout.split("\n")[-40:]))
        raise Failed(f"{' '.join(command)}: exit code {done.returncode}")


def build(targets=("approvald/approvald", "approvald/ctl/approvalctl")):
    """The folder with the programs: $APPROVALD_BUILD, else built here."""
    given = os.environ.get("APPROVALD_BUILD")
    if given:
        return os.path.abspath(given)
    folder = os.path.join(ROOT, "build", "quickstart")
    print("Building (a minute the first time) ...", flush=True)
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(os.path.join(ROOT, "configure")):
        quiet(["autoreconf", "-fi"], cwd=ROOT)
    if not os.path.exists(os.path.join(folder, "config.status")):
        quiet([os.path.join(ROOT, "configure"), "-q"], cwd=folder)
    quiet(["make", f"-j{os.cpu_count() or 2}", *targets], cwd=folder)
    return folder


class Child:
    """A process with a log; ended by its id."""

    def __init__(self, name, command, log):
        self.name = name
        self.log = log
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )

    def check(self):
        if self.process.poll() is None:
            return
        with open(self.log, encoding="utf-8", errors="replace") as log:
            sys.stderr.write("".join(log.readlines()[-20:]))
        raise Failed(f"{self.name} ended with code {self.process.returncode}")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Quickstart:
    """One approvald, and a stand-in unless real credentials are given."""

    def __init__(self, once, socket_mode=False):
        self.once = once
        self.socket_mode = socket_mode
        self.children = []
        self.slack_port = None
        self.port = free_port()
        self.real = not once and all(
            os.environ.get(name) for name in ("SLACK_BOT_TOKEN", self.secret_variable())
        )
        self.folder = tempfile.mkdtemp(prefix="approvald-quickstart-")
        self.build = None

    def secret_variable(self):
        return "SLACK_APP_TOKEN" if self.socket_mode else "SLACK_SIGNING_SECRET"

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        descriptor = os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(text)
        return self.path(name)

    def start(self, name, command, ready):
        child = Child(name, command, self.path(name + ".log"))
        self.children.append(child)
        end = time.monotonic() + START_S
        while not ready():
            child.check()
            if time.monotonic() > end:
                raise Failed(f"{name} is not ready after {START_S} s: {child.log}")
            time.sleep(0.02)

    def answers(self, url):
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def start_slack(self):
        secret = self.write("signing-secret", os.urandom(16).hex() + "\n")
        token = self.write("bot-token", "xoxb-quickstart-" + os.urandom(8).hex() + "\n")
        self.slack_port = free_port()
        # Over Socket Mode the stand-in is given an address where nobody listens.
        app_port = free_port() if self.socket_mode else self.port
        command = [
            sys.executable, os.path.join(ROOT, "tests/slack/standin.py"),
            "--port", str(self.slack_port), "--app-url", f"http://127.0.0.1:{app_port}",
            "--signing-secret-file", secret, "--bot-token-file", token,
        ]  # fmt: skip
        if self.socket_mode:
            app_token = self.write("app-token", "xapp-1-quickstart-" + os.urandom(8).hex() + "\n")
            command += ["--app-token-file", app_token]
        address = f"http://127.0.0.1:{self.slack_port}/control/counters"
        self.start("standin", command, lambda: self.answers(address))
        return f'    api_url = "http://127.0.0.1:{self.slack_port}/api/"\n    team_id = "{TEAM}"\n'

    def use_real_slack(self):
        name = "app-token" if self.socket_mode else "signing-secret"
        self.write(name, os.environ[self.secret_variable()] + "\n")
        self.write("bot-token", os.environ["SLACK_BOT_TOKEN"] + "\n")
        return ""

    def start_approvald(self, slack):
        os.makedirs(self.path("data"), 0o700)
        management = free_port()
        way_in = "app_token" if self.socket_mode else "signing_secret"
        config = self.write("approvald.conf", f"""\
data_dir = "{self.path('data')}"
log_target = "text"
http {{
    listen = {{"127.0.0.1:{self.port}"}}
    management_listen = {{"127.0.0.1:{management}"}}
    socket = "{self.path('approvald.sock')}"
}}
slack {{
{slack}    {way_in}_file = "{self.path(way_in.replace('_', '-'))}"
    bot_token_file = "{self.path('bot-token')}"
}}
storage {{
    map_size = "256M"
    wal_size = "64M"
    ballast = "1M"
}}
""")
        program = os.path.join(self.build, "approvald", "approvald")
        address = f"http://127.0.0.1:{management}/readyz"
        command = [program, "--config", config]
        self.start("approvald", command, lambda: self.answers(address))
        if self.socket_mode:
            self.wait_live()

    def slack_status(self):
        """What approvalctl status says of Slack, also while it is not well."""
        return json.loads(self.ctl("status", "--json", codes=(0, 119)))["slack"]

    def wait_live(self):
        """Both sockets to Slack are open."""
        end = time.monotonic() + START_S
        while (told := self.slack_status()["socket"])["live"] < 2:
            if time.monotonic() > end:
                raise Failed(f"the sockets to Slack are not open after {START_S} s: {told}")
            time.sleep(0.05)

    def ctl(self, *words, token=False, codes=(0,)):
        """Runs approvalctl, as root over the socket or with the asker's token; its output."""
        command = [os.path.join(self.build, "approvald", "ctl", "approvalctl"), *words]
        if token:
            where = ["--url", f"http://127.0.0.1:{self.port}", "--token-file", self.path("token")]
        else:
            where = ["--socket", self.path("approvald.sock")]
        done = subprocess.run(
            [*command, *where], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        if done.returncode not in codes:
            raise Failed(f"approvalctl {' '.join(words)}: {done.returncode}: {done.stderr}")
        return done.stdout.strip()

    def set_up(self):
        channel, approvers = CHANNEL, [ANA, BEN]
        if self.real:
            channel = os.environ.get("APPROVALD_CHANNEL", "")
            approvers = [u for u in os.environ.get("APPROVALD_APPROVERS", "").split(",") if u]
            if not channel or not approvers:
                raise Failed("set APPROVALD_CHANNEL (C...) and APPROVALD_APPROVERS (U...,U...)")
        names = ", ".join(f'"{user}"' for user in approvers)
        policy = self.write("policies.conf", f"""\
policy demo {{
    title = "Demonstration"
    channel = "{channel}"
    approvers = {{{names}}}
    quorum = 1
    ask_in_slack = true
}}
""")
        self.ctl("policy", "apply", policy)
        self.ctl("token", "add", "quickstart", "--ask", "--read", "--output", self.path("token"))

    def ask(self):
        requester = [] if self.real else ["--requester", RITA]
        return self.ctl(
            "request", "--policy", "demo", "--title", "Deploy api 1.4.2 to production",
            "--reason", "fixes the login page", "--target", "prod-eu", *requester, token=True,
        )  # fmt: skip

    def control(self, command, **arguments):
        """A command to the stand-in; its answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.slack_port}/control/{command}",
            json.dumps(arguments).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as problem:
            text = problem.read().decode("utf-8", "replace")[:300]
            raise Failed(f"stand-in: {command}: {problem.code} {text}") from problem

    def card(self, request_id, **more):
        """The card of a request, once there is one that fits."""
        found = self.control(
            "wait", kind="message", channel=CHANNEL, timeout=20,
            metadata={"request_id": request_id}, **more,
        )["found"]  # fmt: skip
        return [m for m in found if m.get("thread_ts") in (None, m["ts"])][0]

    def close(self):
        for child in reversed(self.children):
            child.stop()
        shutil.rmtree(self.folder)


def buttons(card):
    return [
        element["action_id"]
        for block in card["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
    ]


def run_once(quickstart):
    """One request from the question to the updated card, each step checked."""
    steps = 0

    def step(text, good):
        nonlocal steps
        if not good:
            raise Failed(f"not so: {text}")
        steps += 1
        print(f"  {steps}. {text}", flush=True)

    request_id = quickstart.ask()
    step(f"asked with approvalctl: {request_id}", request_id.startswith("req_"))
    card = quickstart.card(request_id)
    step("Slack shows a card with Approve and Reject", sorted(buttons(card)) == ["approve", "reject"])
    pressed = quickstart.control(
        "press", user=ANA, action_id="approve", channel=CHANNEL, ts=card["ts"]
    )
    step(f"Ana pressed Approve, acknowledged in {pressed['latency_ms']} ms", pressed["acked"])
    quickstart.ctl("wait", request_id, "--timeout", "20s", token=True)
    step("approvalctl wait ended with exit code 0: approved", True)
    after = quickstart.card(request_id, ts=card["ts"], lacks="Approval needed")
    step("the same card says who approved and has no buttons", after["ts"] == card["ts"]
         and ANA in json.dumps(after) and not buttons(after))  # fmt: skip
    if quickstart.socket_mode:
        status = quickstart.slack_status()
        step("all of it over two sockets that approvald opened; Slack called nothing here",
             status["socket"]["live"] == 2 and not status["http"]["configured"]
             and not status["http"]["last_event_at"] and status["socket"]["last_event_at"])
    chain = quickstart.ctl("audit", "verify")
    step(f"the audit log verifies: {chain}", chain.startswith("ok"))
    print(f"{steps} passed, 0 failed")


def show(quickstart, request_id):
    """Where to look and what to press."""
    ctl = os.path.relpath(os.path.join(quickstart.build, "approvald", "ctl", "approvalctl"))
    address = f"--url http://127.0.0.1:{quickstart.port} --token-file {quickstart.path('token')}"
    if quickstart.real and quickstart.socket_mode:
        print("\n  A card is in your channel; presses come over the sockets that approvald holds.")
    elif quickstart.real:
        print(f"\n  A card is in your channel. Slack has to reach http://127.0.0.1:{quickstart.port}")
        print("  through APPROVALD_PUBLIC_URL: /slack/interactions, /slack/commands, /slack/events.")
    else:
        print(f"\n  Open   http://127.0.0.1:{quickstart.slack_port}/")
        print("         a local Slack: choose Ana, look into #approvals, press Approve.")
    print(f"""
  The asker waits with
      {ctl} wait {request_id} {address}
  Ask again, and run something only when it is approved:
      {ctl} run --policy demo {address} -- echo deployed
  Look after it:
      {ctl} status --socket {quickstart.path('approvald.sock')}

  Logs: {quickstart.folder}/*.log     Stop: Ctrl-C
""", flush=True)


def wait_for_press(quickstart, request_id):
    """Tells the outcome when it comes, then keeps everything running."""
    command = [
        os.path.join(quickstart.build, "approvald", "ctl", "approvalctl"), "wait", request_id,
        "--url", f"http://127.0.0.1:{quickstart.port}", "--token-file", quickstart.path("token"),
    ]  # fmt: skip
    waiter = Child("approvalctl", command, quickstart.path("wait.log"))
    quickstart.children.append(waiter)
    told = False
    while True:
        for child in quickstart.children:
            if child is not waiter:
                child.check()
        if not told and waiter.process.poll() is not None:
            told = True
            print(f"  approvalctl wait ended with exit code {waiter.process.returncode}:", flush=True)
            with open(waiter.log, encoding="utf-8") as log:
                print("".join("    " + line for line in log), flush=True)
        time.sleep(0.2)


def run(quickstart):
    quickstart.build = build()
    print("Starting ...", flush=True)
    slack = quickstart.use_real_slack() if quickstart.real else quickstart.start_slack()
    quickstart.start_approvald(slack)
    quickstart.set_up()
    if quickstart.once:
        run_once(quickstart)
        return
    request_id = quickstart.ask()
    print(f"approvald runs; request {request_id} waits for a decision.")
    show(quickstart, request_id)
    wait_for_press(quickstart, request_id)


def interrupted(_number, _frame):
    raise KeyboardInterrupt


def run_pair(once):
    import quickstart_pair  # what it needs is there only for a pair

    try:
        quickstart_pair.run(build, once)
    except KeyboardInterrupt:
        print("\nStopped.", flush=True)
    except (Failed, AssertionError, OSError, RuntimeError, subprocess.SubprocessError) as problem:
        print(f"quickstart: {problem}", file=sys.stderr)
        return 1
    return 0


def main():
    parser = argparse.ArgumentParser(
        prog="packaging/quickstart", description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--once", action="store_true", help="one request to the end, then stop")
    parser.add_argument("--socket", action="store_true", help="Slack comes over Socket Mode")
    parser.add_argument("--pair", action="store_true", help="two hosts, as root")
    quickstart_args = parser.parse_args()
    signal.signal(signal.SIGTERM, interrupted)
    if quickstart_args.pair and quickstart_args.socket:
        parser.error("--socket is for one host here; --pair shows the failover over HTTP")
    if quickstart_args.pair:
        return run_pair(quickstart_args.once)
    quickstart = Quickstart(quickstart_args.once, quickstart_args.socket)
    try:
        run(quickstart)
    except KeyboardInterrupt:
        print("\nStopping.", flush=True)
    except Failed as problem:
        print(f"quickstart: {problem}", file=sys.stderr)
        return 1
    finally:
        with contextlib.suppress(KeyboardInterrupt):
            quickstart.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
