# SPDX-License-Identifier: Apache-2.0
"""broken.py: settings with a fault in them: a reload keeps the old ones, a start goes on with those
that served last, and everybody is told.

Owns the files that it breaks and mends. Never writes a copy of settings itself, but to tear it.
"""

import re

from looking import Looking
from machine import wait
from pair import UNIT, other
from lib import harness
from single import as_who, succeeds
from slackside import SECRETS
from stage import PORT, TOKENS, VIP

OPTION, NAME = "no_such_option", "99-broken.conf"
FAULT = f"{OPTION} = 1\n"
# By module: where its settings are, its copy of those that served last, who reads them.
FOLDERS = {"app": "/etc/approvald/approvald.conf.d", "sup": "/etc/approvald/supervisor.conf.d"}
COPIES = {"app": "/var/lib/approvald/last-good.conf", "sup": "/var/lib/approvald-supervisor/last-good.conf"}
# Settings that a reload puts in force, and what is seen of them in a copy.
CHANGES = {"app": f'slack {{\n    signing_secret_file = "{SECRETS}/slack-previous-secret"\n}}\n',
           "sup": "child {\n    crashes = 3\n}\n"}
SEEN = {"app": "slack-previous-secret", "sup": "crashes = 3"}
ASIDE = "127.0.0.1:9181"  # another management address: what a start would put in force
EX_CONFIG = 78


class Broken(Looking):
    """Cases on whichever host stands by, or leads."""

    def set(self, name, module, text):
        """Writes the settings; without text they are taken away."""
        path = f"{FOLDERS[module]}/{NAME}"
        if text:
            self[name].write(path, text)
        else:
            self[name].run("rm", "-f", path)

    def reload(self, name):
        self[name].run("systemctl", "reload", UNIT)

    def copy(self, name, module):
        return self[name].run("cat", COPIES[module])

    def wait_event(self, name, event, module, count):
        """More than count entries of that module; the last one."""
        found = wait(lambda: self.events(name, event, APPROVALD_MODULE=module)[count:],
                     f"{name}: {module}: {event}", 30)
        return found[-1]

    def counts(self, name, event):
        return {module: len(self.events(name, event, APPROVALD_MODULE=module)) for module in FOLDERS}

    def secrets(self, name):
        return {one["option"]: one["state"] for one in self.told(name)[0]["pair"]["secrets"]}

    # -- cases -------------------------------------------------------------------------------------

    def keeps_what_served(self):
        """a reload of broken settings, of approvald and of the supervisor, keeps the old ones whole and says
        so; mended, it takes the new ones"""
        name = other(self.primary())
        before = self.secrets(name)
        assert set(before.values()) == {"same"}, before
        refused = self.counts(name, "reload_refused")
        for module, change in CHANGES.items():
            self.set(name, module, change + FAULT)
        self.reload(name)
        for module, count in refused.items():
            entry = self.wait_event(name, "reload_refused", module, count)
            assert entry["PRIORITY"] == "3" and NAME in entry["MESSAGE"] and OPTION in entry["MESSAGE"], entry
            assert SEEN[module] not in self.copy(name, module), module
        assert self.status(name)[0] == 0, self.status(name)
        assert self.metric(name, "approvald_config_last_good") == ["0"]
        assert self.secrets(name) == before
        said = self.doctor(name)
        for words in ("configuration: ", "supervisor's configuration: "):
            assert re.search(rf"^FAIL  {words}.*{NAME}.*{OPTION}", said, re.M), said

        for module, change in CHANGES.items():
            self.set(name, module, change)
        self.reload(name)
        for module in CHANGES:
            wait(lambda module=module: SEEN[module] in self.copy(name, module), f"{module} has taken it", 30)
        wait(lambda: self.secrets(name)["slack.signing_secret_file"] == "differs", "approvald has another secret", 30)
        self.mend(name)

    def mend(self, name):
        """Takes all away, and waits until it has ended."""
        for module in FOLDERS:
            self.set(name, module, "")
        self.reload(name)
        for module in CHANGES:
            wait(lambda module=module: SEEN[module] not in self.copy(name, module), f"{module} is as before", 30)
        self.wait_green()
        assert self.metric(name, "approvald_config_last_good") == ["0"]
        said = self.doctor(name)
        assert "ok    configuration: has no fault" in said and "supervisor's configuration: has no fault" in said, said

    def starts_with_what_served(self):
        """approvald, started with broken settings, serves with those that served last, and says so; what was
        revoked and changed since stays so, for that is in the store"""
        name = other(self.primary())
        lead = self[other(name)]
        lead.run("approvalctl", "token", "add", "gone", "--ask", "--read", "--output", f"{TOKENS}/gone")
        self[name].write(f"{TOKENS}/gone", lead.run("cat", f"{TOKENS}/gone"), 0o600)
        as_who(lead, "gone", VIP, "list")
        lead.run("approvalctl", "token", "revoke", "gone")
        changed = harness.POLICY.replace("Production deploy", "Changed since")
        lead.run("approvalctl", "policy", "apply", "-", text=changed)

        used = self.counts(name, "last_good_config_used")
        self.set(name, "app", f'http {{\n    management_listen = {{"{ASIDE}"}}\n}}\n{FAULT}')
        self.restart(name)
        entry = self.wait_event(name, "last_good_config_used", "app", used["app"])
        assert entry["PRIORITY"] == "3" and OPTION in entry["MESSAGE"], entry
        wait(self.in_step, "both have every answer", 60)
        self.must_tell_everybody(
            name, rf"^  CONFIG    is BROKEN: .*{NAME}.*{OPTION}.*\n +in force is what served at 20",
            rf"^FAIL  configuration: .*{NAME}.*{OPTION}")
        assert self.told(name)[0]["config"]["last_good"] is True

        lead.run("approvalctl", "switchover")
        wait(lambda: "PRIMARY" in self.first_line(name), f"{name} leads", 30)
        listing = f"approvalctl list --url http://{VIP}:{PORT} --token-file {TOKENS}/gone 2>&1; echo $?"
        said = self[name].run("sh", "-c", listing).strip().split("\n")
        assert said == ["approvalctl: This token is not known or revoked.", "115"], said
        assert "Changed since" in self[name].run("approvalctl", "policy", "show", "prod-deploy")
        self.mend(name)
        return f"told by status, doctor, metric and journal: {entry['MESSAGE']}"

    def must_tell_everybody(self, name, status, doctor):
        code, said = self.status(name)
        assert code == 119 and re.search(status, said, re.M), (code, said)
        assert re.search(doctor, self.doctor(name), re.M), self.doctor(name)
        assert self.metric(name, "approvald_config_last_good") == ["1"]

    def supervises_with_what_served(self):
        """so does the supervisor"""
        name = other(self.primary())
        used = self.counts(name, "last_good_config_used")
        self.set(name, "sup", CHANGES["sup"] + FAULT)
        self.restart(name)
        entry = self.wait_event(name, "last_good_config_used", "sup", used["sup"])
        assert entry["PRIORITY"] == "3" and OPTION in entry["MESSAGE"], entry
        wait(self.in_step, "both have every answer", 60)
        wait(lambda: self.metric(name, "approvald_config_last_good") == ["1"], "the metric says so", 10)
        self.must_tell_everybody(name, rf"^  ALARM       config_broken: .*{OPTION}",
                                 rf"^FAIL  alarm: config_broken: .*{OPTION}")
        assert SEEN["sup"] not in self.copy(name, "sup")
        self.mend(name)
        return entry["MESSAGE"]

    def does_not_start_with_a_torn_copy(self):
        """and with a torn copy nothing starts; the other host serves, and the journal has an alert"""
        name = self.primary()
        host = self[name]
        torn = self.copy(name, "sup")[:-3]
        self.set(name, "sup", FAULT)
        host.run("systemctl", "stop", UNIT)
        host.run("sh", "-c", f"cat >{COPIES['sup']}", text=torn)
        assert not succeeds(host, "systemctl", "start", UNIT)
        wait(lambda: host.run("systemctl", "is-failed", UNIT, check=None).strip() == "failed",
             "systemd has given up", 30)
        assert host.run("systemctl", "show", "-P", "ExecMainStatus", UNIT).strip() == str(EX_CONFIG)
        wait(lambda: "not started any more" in host.run("journalctl", "-b", "-p", "alert", "--no-pager"),
             "the journal has the alert", 30)
        said = host.run("journalctl", "-b", "-u", UNIT, "-n", "20", "--no-pager")
        assert OPTION in said and "torn" in said, said
        wait(lambda: "PRIMARY" in self.first_line(other(name)), "the other host leads", 30)
        self.set(name, "sup", "")
        host.run("systemctl", "reset-failed", UNIT)
        host.run("systemctl", "start", UNIT)
        self.wait_green()

    CASES = (keeps_what_served, starts_with_what_served, supervises_with_what_served, does_not_start_with_a_torn_copy)
