# SPDX-License-Identifier: Apache-2.0
"""slackworld.py: the pair with Slack as a firewalled company has it: outbound alone, through a proxy, over TLS.

Owns what a World has more: a proxy that wants credentials in a namespace of its own, a TLS front
before the stand-in, Socket Mode, Slack's rates, many people and channels. Never looks at results.

    host A, host B  --CONNECT-->  proxy  -->  TLS front, stand-in  (the clients' namespace)
"""

import os
import signal
import subprocess
import sys

import world
from lib import harness
from world import ADDRESSES, SLACK, World, wait, write

PROXY_ADDRESS, PROXY_PORT, TLS_PORT = "10.77.0.5", 3128, 8443
TUNNEL = os.path.join(world.ROOT, "tests", "lib", "tunnel.py")
BOT = "U0BOT00001"
CHANNEL_COUNT, PEOPLE_COUNT, QUORUM = 8, 24, 4
TWICE, DIRECT, DIRECT_COUNT = "loss-0", "loss-1", 6  # shown in a second channel; to so many people as well
# Slack's tiers, with the burst that Slack does not publish; of apps.connections.open the tier of its page (3).
RATES = {"chat.update": [50, 20], "apps.connections.open": [50, 10]}


def channels():
    return [f"C0LOSS{number:04d}" for number in range(CHANNEL_COUNT)]


def people():
    return [f"U0LOSS{number:04d}" for number in range(PEOPLE_COUNT)]


def direct_channels():
    """Where the stand-in keeps what those people are sent."""
    return ["D" + user[1:] for user in people()[:DIRECT_COUNT]]


def places(policy):
    """The channels in which a request of that policy has a card."""
    first = channels()[int(policy.rsplit("-", 1)[1])]
    more = {TWICE: [channels()[2]], DIRECT: direct_channels()}
    return [first, *more.get(policy, [])]


def approvers(number):
    asked = people()[:DIRECT_COUNT] if f"loss-{number}" == DIRECT else people()
    return ", ".join(f'"{user}"' for user in asked)


def routes(policy):
    shown = ", ".join(f'"{place}"' for place in places(policy) if place[0] == "C")
    return f"channels = {{{shown}}}" + (" direct_approvers = true" if policy == DIRECT else "")


def policies():
    """One for each channel, and one for requests that one person decides without Slack."""
    quick = "".join(f'policy quick-{number} {{ channel = "{channel}" approvers = {{"{harness.ANA}", "{harness.BEN}"}} }}\n'
                    for number, channel in enumerate(channels()))
    return quick + "".join(
        f'policy loss-{number} {{ {routes(f"loss-{number}")} approvers = {{{approvers(number)}}} '
        f'quorum = {QUORUM} rejections = 2 }}\n' for number in range(CHANNEL_COUNT))


class SlackWorld(World):
    addresses = {**ADDRESSES, "proxy": PROXY_ADDRESS}

    def prepare(self):
        self.proxy = None
        self.slack_ca = world.Authority(self._folder("slack-ca"))
        self.front_files = self.slack_ca.leaf("slack", f"IP:{ADDRESSES['client']}")
        write(self.path("app"), harness.APP_TOKEN)

    def slack_config(self):
        return (f'api_url = "https://{ADDRESSES["client"]}:{TLS_PORT}/api/"\n'
                f'app_token_file = "{self.path("app")}"\n'
                f'bot_token_file = "{self.path("bot")}"\n'
                f'proxy = "http://host:p%40ss@{PROXY_ADDRESS}:{PROXY_PORT}"\n'
                f'ca_file = "{self.slack_ca.ca}"')

    def standin_options(self):
        return ["--app-token-file", self.path("app"),
                "--public-url", f"https://{ADDRESSES['client']}:{TLS_PORT}"]

    def start_standin(self):
        super().start_standin()
        for channel in channels():
            self.slack("add_channel", id=channel, name=channel.lower(), members=[BOT, *people()])
        for user in people():
            self.slack("add_user", id=user, name=user.lower(), channels=channels())
        self.slack("config", rate_limits=RATES)
        self._tunnel("client", "tls", TLS_PORT, *self.front_files)
        self.start_proxy()

    def _tunnel(self, member, kind, port, *more):
        target = (ADDRESSES["client"], SLACK if kind == "tls" else TLS_PORT)
        member = self.net[member]
        with open(self.path(kind + ".log"), "ab") as log:
            process = subprocess.Popen(
                member.command(sys.executable, TUNNEL, kind, f"{member.address}:{port}",
                               f"{target[0]}:{target[1]}", *more),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        self.processes.append(process)
        if process.stdout.readline() != b"ready\n":
            raise AssertionError(f"{kind} did not start: see {self.path(kind + '.log')}")
        return process

    def start_proxy(self):
        self.proxy = self._tunnel("proxy", "proxy", PROXY_PORT, "host", "p@ss")

    def kill_proxy(self):
        if self.proxy is not None:
            for pid in self.net["proxy"].pids():
                os.kill(pid, signal.SIGKILL)
            self.proxy.wait(10)
            self.proxy.stdout.close()
            self.processes.remove(self.proxy)
            self.proxy = None

    def heal(self):
        super().heal()
        self.slack("config", socket_mode=True)
        if self.proxy is None:
            self.start_proxy()

    def set_up(self):
        super().set_up()
        answer = self.primary().local("PUT", "/v1/policies", policies().encode(),
                                      {"Content-Type": "text/plain"})
        assert answer.status == 200, answer.body
        self.wait_live()

    def socket(self):
        """What the primary says of its sockets."""
        return self.primary().service_status()["slack"].get("socket", {"live": 0})  # it may just change

    def wait_live(self, count=2, seconds=90):
        wait(lambda: self.socket()["live"] >= count, f"{count} sockets are live", seconds, 0.05)
