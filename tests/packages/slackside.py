# SPDX-License-Identifier: Apache-2.0
"""slackside.py: Slack as hosts from packages reach it: over TLS of an authority of its own, beside the
clients; and the secrets that a host has because of it and otherwise.

Owns the stand-in, the TLS front before it, and what it writes on a host. Never looks at what is sent.
"""

import json
import os
import subprocess
import sys

from etcd import Authority
from lib import harness
from stage import ADDRESSES, HERE

PLAIN, TLS = 8200, 8443  # ports
SECRETS, CONF = "/etc/approvald/secrets", "/etc/approvald/approvald.conf.d/70-slack.conf"
FENCE = "/etc/approvald/fence"
CA = "/usr/local/share/ca-certificates/slack-of-this-test.crt"  # no secret
# Each with signs that other spellings change.
PLANTED = {
    "slack-bot-token": "xoxb-2468013579-1357924680-PlantedBotToken",
    "slack-app-token": "xapp-1-A0APV00001-24680-plantedapptoken",
    "slack-signing-secret": "9f1d0b73c5e2a486917b3d5f0c2e4a68",
    "slack-previous-secret": "0a2c4e6f81735d9bb7f5d3e19c8a6420",
    "step-up-key": "5f1c0e9a7b3d2846" * 4,
    "hook-secret": "Hook+shared/secret=4711?",
}
FENCE_PASSWORD, PROXY_PASSWORD = "bmc, pass;word&42", "Pa,ss;1!planted"
HOOK_PATH = "services/T0PLANTED/B0PLANTED/plantedpath"


class SlackSide:
    """One for all hosts."""

    def __init__(self, stage):
        self.stage, self.member = stage, stage.net["client"]
        folder = stage.path("slack")
        os.makedirs(folder)
        self.ca = Authority(folder)
        certificate, key = self.ca.leaf("slack", f"IP:{self.member.address}")
        for name in ("slack-bot-token", "slack-app-token", "slack-signing-secret"):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
                out.write(PLANTED[name])
        self.url = f"https://{self.member.address}:{TLS}"
        self.start("standin", os.path.join(HERE, "..", "slack", "standin.py"), "--host", self.member.address,
                   "--port", str(PLAIN), "--app-url", "http://127.0.0.1:9", "--public-url", self.url,
                   "--bot-token-file", os.path.join(folder, "slack-bot-token"),
                   "--app-token-file", os.path.join(folder, "slack-app-token"),
                   "--signing-secret-file", os.path.join(folder, "slack-signing-secret"))
        self.start("tls", os.path.join(HERE, "..", "lib", "tunnel.py"), "tls", f"{self.member.address}:{TLS}",
                   f"{self.member.address}:{PLAIN}", certificate, key)

    def start(self, name, *command):
        """The stage ends it, with the namespace."""
        with open(self.stage.path(name + ".log"), "wb") as log:
            process = subprocess.Popen(self.member.command(sys.executable, *command), stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=log)
        self.stage.processes.append(process)
        assert process.stdout.readline(), f"{name} did not start: see {log.name}"

    def configure(self, host):
        """What an administrator writes: Slack, a webhook, one-time codes, a fence device; as root."""
        for name, value in PLANTED.items():
            host.write(f"{SECRETS}/{name}", value + "\n", 0o640)
            host.run("chgrp", "approvald", f"{SECRETS}/{name}")
        with open(self.ca.ca, encoding="utf-8") as pem:
            host.write(CA, pem.read())
        host.run("update-ca-certificates")  # as Slack's own: among all the others of the system
        host.run("install", "-d", "-m", "0700", FENCE)
        host.write(f"{FENCE}/peer", "agent=fence_ipmilan\nip=192.0.2.102\nusername=approvald\n"
                                    f"password={FENCE_PASSWORD}\n", 0o600)
        host.write(CONF, self.conf())

    def conf(self):
        return f"""step_up_key_file = "{SECRETS}/step-up-key"
slack {{
    api_url = "{self.url}/api/"
    team_id = "{harness.TEAM}"
    bot_token_file = "{SECRETS}/slack-bot-token"
    app_token_file = "{SECRETS}/slack-app-token"
    signing_secret_file = "{SECRETS}/slack-signing-secret"
    proxy = "http://host:{PROXY_PASSWORD}@192.0.2.3:3128"
    no_proxy = "{ADDRESSES["client"]}"
}}
webhook "ci" {{
    url = "https://hooks.example.com/{HOOK_PATH}"
    secret_file = "{SECRETS}/hook-secret"
}}
"""

    @staticmethod
    def unconfigure(host):
        host.run("rm", "-rf", CONF, CA, FENCE, *(f"{SECRETS}/{name}" for name in PLANTED))

    @staticmethod
    def is_live(host):
        """It leads, is signed in, and has its sockets."""
        said = host.run("approvalctl", "status", "--json", check=None).split("\n")[0]
        slack = json.loads(said or "{}").get("slack", {})
        return slack.get("state") == "up" and slack.get("socket", {}).get("live", 0) > 0
