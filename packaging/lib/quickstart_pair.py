# SPDX-License-Identifier: Apache-2.0
"""quickstart_pair.py: two hosts, an arbiter and clients on this machine, each in a network namespace.

Owns the world of tests/cluster (real approvald, supervisor, keepalived and etcd), two doors from
this machine into it, and what a person may do to it. Never touches an installed approvald, and
leaves nothing behind, also after Ctrl-C.
"""

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PRESS_S = 0.12  # the press is on its way, and the standby has not yet been missed (300 ms)

COMMANDS = """\
    status        who leads, and what each host says
    kill A        everything on host A is killed; `start A` brings it back
    cut A         host A's network is cut; `mend` mends all
    switchover    the primary hands over
    quit          (or Ctrl-C)"""


class Door:
    """A port of this machine that leads to an address inside a namespace."""

    def __init__(self, member, address, port):
        self.member, self.target = member, (address, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(sock,), daemon=True).start()

    def _carry(self, sock):
        with contextlib.suppress(OSError), sock, self.member.socket(timeout=5) as inside:
            inside.connect(self.target)
            inside.settimeout(None)
            ends = {sock: inside, inside: sock}
            while True:
                for one in select.select(list(ends), [], [])[0]:
                    data = one.recv(65536)
                    if not data:
                        return
                    ends[one].sendall(data)

    def close(self):
        self.listener.close()


def build_pair(build):
    """The folder with the programs that a pair needs, built where quickstart builds."""
    folder = build(["approvald/approvald", "approvald/ctl/approvalctl",
                    "supervisor/approvald-supervisor", "tests/cluster/hurt.so"])
    os.environ["APPROVALD_BUILD"] = folder
    sys.path.insert(0, os.path.join(ROOT, "tests", "cluster"))
    import cases
    import netns
    import world
    reason = netns.why_not() or cases.missing()
    if reason:
        raise RuntimeError(f"a pair cannot be started here: {reason}")
    return world


class Pair:
    """The world, as a person sees it."""

    def __init__(self, module):
        self.module = module
        self.world = module.World()
        self.doors = []
        self.waiter = None

    def start(self):
        self.world.start()
        module, client = self.module, self.world.net["client"]
        module.write(self.world.path("token"), self.world.secrets["token"])
        self.doors = [Door(client, module.ADDRESSES["client"], module.SLACK),
                      Door(client, module.VIP, module.PORT)]

    def ctl(self, *words, wait=True):
        """approvalctl of the asker, who knows nothing but the virtual IP."""
        command = self.world.net["client"].command(
            self.module.APPROVALCTL, *words, "--url", f"http://{self.module.VIP}:{self.module.PORT}",
            "--token-file", self.world.path("token"))
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        if not wait:
            return child
        out, problem = child.communicate(timeout=60)
        if child.returncode != 0:
            raise RuntimeError(f"approvalctl {' '.join(words)}: {child.returncode}: {problem}")
        return out.strip()

    def ask(self):
        return self.ctl("request", "--policy", "prod-deploy", "--title",
                        "Deploy api 1.4.2 to production", "--reason", "fixes the login page",
                        "--target", "prod-eu", "--requester", self.module.harness.RITA)

    def cards(self, request_id, **more):
        """The cards of a request, once there is one that fits."""
        found = self.world.slack("wait", kind="message", channel=self.module.harness.CHANNEL,
                                 timeout=30, metadata={"request_id": request_id}, **more)["found"]
        return [m for m in found if m.get("thread_ts") in (None, m["ts"])]

    def press(self, card):
        return self.world.slack("press", user=self.module.harness.ANA, action_id="approve",
                                channel=self.module.harness.CHANNEL, ts=card["ts"])

    def close(self):
        for door in self.doors:
            door.close()
        if self.waiter is not None:
            self.waiter.kill()
            self.waiter.communicate()
        self.world.close()


def buttons(card):
    return [element["action_id"] for block in card["blocks"] if block["type"] == "actions"
            for element in block["elements"]]


# -- once --------------------------------------------------------------------------------------------

def press_and_kill(pair, card):
    """The press cannot be acknowledged: the standby's answer does not get through. Then the primary
    loses its power. What Slack saw of the press, and the host that is off."""
    world = pair.world
    primary = world.primary()
    standby = world[pair.module.other(primary.name)]
    seen = []
    world.net.cut(standby.name, primary.name)
    thread = threading.Thread(target=lambda: seen.append(pair.press(card)))
    thread.start()
    time.sleep(PRESS_S)
    begin = time.monotonic()
    primary.power_off()
    world.net.mend()
    pair.module.wait(standby.serves, "the other host serves")
    took = time.monotonic() - begin
    thread.join(30)
    return seen[0], primary, took


def press_again(pair, request_id):
    """What the person does, and what came of it. The press may be in the standby's log, or not."""
    def settled():
        request = pair.world.api("GET", f"/v1/requests/{request_id}")[1]
        cards = pair.cards(request_id)
        return (request["state"], cards[0], buttons(cards[0])) if (
            bool(buttons(cards[0])) == (request["state"] == "pending")) else None

    state, card, left = pair.module.wait(settled, "the card tells the truth", 30, 0.1)
    if not left:
        return f"the card already says {state}, her press was in the other host's log"
    again = pair.press(card)
    if not again["acked"]:
        raise RuntimeError(f"not so: the second press is acknowledged: {again}")
    return f"she pressed again, acknowledged in {again['latency_ms']} ms"


def run_once(pair):
    """One request from the question to the updated card; the primary dies on the way."""
    module, world, steps = pair.module, pair.world, 0

    def step(text, good=True):
        nonlocal steps
        if not good:
            raise RuntimeError(f"not so: {text}")
        steps += 1
        print(f"  {steps}. {text}", flush=True)

    step(f"two hosts are in sync; {world.primary().name} leads and has the virtual IP")
    request_id = pair.ask()
    step(f"asked with approvalctl through the virtual IP: {request_id}")
    card = pair.cards(request_id)[0]
    step("Slack shows a card with Approve and Reject", sorted(buttons(card)) == ["approve", "reject"])
    pair.waiter = pair.ctl("wait", request_id, "--timeout", "60s", wait=False)
    pressed, dead, took = press_and_kill(pair, card)
    step(f"Ana pressed Approve; host {dead.name} lost its power before it answered; the other host "
         f"serves after {1000 * took:.0f} ms")
    if not pressed["acked"]:
        step(f"Slack told Ana of trouble: {press_again(pair, request_id)}")
    code = pair.waiter.wait(30)
    step("approvalctl wait, which had begun before, ended with exit code 0: approved", code == 0)
    after = pair.cards(request_id, lacks="Approval needed")
    step("one card, which says who approved and has no buttons", len(after) == 1
         and after[0]["ts"] == card["ts"] and module.harness.ANA in json.dumps(after[0])
         and not buttons(after[0]))
    dead.power_on()
    step(f"host {dead.name} is back: in sync after {world.wait_paired():.1f} s")
    world.primary().control("switchover")
    module.wait(dead.serves, f"{dead.name} serves")
    world.wait_paired()
    step(f"handed over to {dead.name}, as planned")
    request = world.api("GET", f"/v1/requests/{request_id}")[1]
    step("nothing lost, nothing doubled: one decision, approved, by Ana",
         request["state"] == "approved" and len(request["decisions"]) == 1
         and request["decisions"][0]["user"] == module.harness.ANA)
    entries = world.api("GET", f"/v1/audit?from=1&limit=100&request={request_id}")[1]["entries"]
    step("the audit log has it once", [e["action"] for e in entries].count("approved") == 1)
    chain = world.primary().ctl("audit", "verify").stdout.strip()
    step(f"and verifies on the host that was off: {chain}", chain.startswith("ok"))
    print(f"{steps} passed, 0 failed")


# -- interactive -------------------------------------------------------------------------------------

def show(pair, request_id):
    names = ", ".join(f"{name} {host.address} ({host.member.namespace})"
                      for name, host in pair.world.hosts.items())
    print(f"""
  Hosts    {names}
  Clients  reach http://{pair.module.VIP}:{pair.module.PORT} in {pair.world.net['client'].namespace}
  Open     {pair.doors[0].url}/   a local Slack: choose Ana, look into #approvals, press Approve
  API      {pair.doors[1].url}    token in {pair.world.path('token')}
  Waiting  {request_id}

  Watch    ip netns exec {pair.world.net['client'].namespace} ping {pair.module.VIP}
           ip -n {pair.world['A'].member.namespace} address show eth0
           tail -f {pair.world.dir}/*/*.log
  Kill     ip netns pids {pair.world['A'].member.namespace} | xargs kill -9     or type here:
{COMMANDS}
""", flush=True)


def status_line(name, status):
    if not status:
        return f"  {name}: nobody answers"
    register = status["register"] or {"epoch": 0, "isr": []}
    alarms = ", ".join(alarm["alarm"] for alarm in status["alarms"]) or "no alarm"
    vip = "has the virtual IP" if status["vip"] and status["vip"]["here"] else ""
    return (f"  {name}: {status['role']}{' (serves)' if status['serving'] else ''}, epoch "
            f"{register['epoch']}, in sync: {[m['host'] for m in register['isr']]}, {alarms} {vip}")


def obey(pair, words):
    """One line of the person; False ends."""
    world = pair.world
    host = world.hosts.get(words[1].upper()) if len(words) == 2 else None
    if words == ["quit"]:
        return False
    if words == ["status"]:
        print("\n".join(status_line(name, s) for name, s in world.statuses().items()), flush=True)
    elif words == ["switchover"]:
        print("  " + world.primary().control("switchover")["message"], flush=True)
    elif words == ["mend"]:
        world.net.heal()
    elif host and words[0] == "kill":
        host.power_off()
    elif host and words[0] == "start":
        world.net.heal()
        host.up()
    elif host and words[0] == "cut":
        world.net.isolate(host.name)
    else:
        print(COMMANDS, flush=True)
    return True


def watch(pair):
    """Tells every change of who serves, and obeys, until the person goes."""
    told, stdin, go_on = None, [sys.stdin], True
    while go_on:
        statuses = pair.world.statuses()
        now = {name: (s or {}).get("role") for name, s in statuses.items()}
        if now != told:
            told = now
            print(time.strftime("  %H:%M:%S  ") + ", ".join(
                f"{name}: {role or 'off'}" for name, role in now.items()), flush=True)
        if pair.waiter is not None and pair.waiter.poll() is not None:
            print(f"  approvalctl wait ended with exit code {pair.waiter.returncode}", flush=True)
            pair.waiter.communicate()
            pair.waiter = None
        if select.select(stdin, [], [], 0.3)[0]:
            line = sys.stdin.readline()
            if not line:
                stdin = []  # nobody types here: until Ctrl-C
            elif line.split():
                try:
                    go_on = obey(pair, line.split())
                except (AssertionError, OSError, RuntimeError, ValueError) as problem:
                    print(f"  {problem}", flush=True)


def run(build, once):
    """The whole of packaging/quickstart --pair [--once]."""
    module = build_pair(build)
    print("Starting two hosts, an arbiter and a local Slack ...", flush=True)
    pair = Pair(module)
    try:
        pair.start()
        if once:
            run_once(pair)
            return
        request_id = pair.ask()
        pair.waiter = pair.ctl("wait", request_id, "--timeout", "24h", wait=False)
        show(pair, request_id)
        watch(pair)
    finally:
        pair.close()
