# SPDX-License-Identifier: Apache-2.0
"""e2e_socket.py: approvald behind a firewall that lets nothing in: Slack comes over Socket Mode.

Owns what a person, an admin and a crash see of it. Never looks into approvald: the stand-in says
what was delivered and acknowledged, the API what was decided.
"""
import json
import os
import random
import re
import signal
import threading
import time

from e2e import EndToEnd, harness, main
from lib.stalls import Stalls

ANA, BEN, RITA, CHANNEL = harness.ANA, harness.BEN, harness.RITA, harness.CHANNEL


class SocketCase(EndToEnd):
    options = {"socket_mode": True}

    def sockets(self):
        return self.world.control("POST", "/sockets", {})

    def press_later(self, request_id, **more):
        """A press whose result comes while the test does something to the world."""
        result = {}

        def run():
            result.update(self.press(request_id, ANA, **more))

        thread = threading.Thread(target=run)
        thread.start()
        return thread, result

    def restart(self):
        self.world.daemon.kill()
        self.world.start()


class Socket(SocketCase):
    def test_a_press_over_a_socket_is_acknowledged_and_decides(self):
        request_id = self.ask()
        pressed = self.press(request_id, ANA)
        self.assertTrue(pressed["acked"], pressed)
        self.wait_state(request_id, "approved")
        self.card(request_id, contains="Approved")
        ack = self.sockets()["acks"][-1]
        self.assertLess(ack["size"], 200, "a press is acknowledged without a payload")

    def test_nothing_is_taken_over_http(self):
        answer = self.world.slack(harness.press(self.ask(), ANA))
        self.assertEqual((answer.status, answer.json()["detail"]),
                         (404, "Slack comes over Socket Mode on this host."))

    def timers(self):
        """The kernel's timer of each connection of approvald to Slack: "02" is TCP keepalive."""
        pid = self.world.daemon.child.pid
        inodes = set()
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{fd}")
            except FileNotFoundError:
                continue  # closed meanwhile
            if target.startswith("socket:["):
                inodes.add(target[len("socket:["):-1])
        with open(f"/proc/{pid}/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table.readlines()[1:]]
        port = f":{self.world.slack_port:04X}"
        return [row[5].split(":")[0] for row in rows
                if row[9] in inodes and row[2].endswith(port) and row[3] == "01"]

    def test_the_kernel_looks_after_idle_connections_too(self):
        harness.World.wait(lambda: len(self.timers()) >= 2 and set(self.timers()) == {"02"},
                           "all connections have TCP keepalive")

    def test_an_acknowledged_press_survives_a_kill(self):
        request_id = self.ask()
        self.assertTrue(self.press(request_id, ANA)["acked"])
        self.restart()
        self.wait_state(request_id, "approved")

    def test_a_press_in_the_hands_of_a_killed_process_is_delivered_again(self):
        request_id = self.ask()
        self.card(request_id)
        self.world.daemon.child.send_signal(signal.SIGSTOP)
        thread, result = self.press_later(request_id)
        time.sleep(0.3)
        self.restart()
        thread.join()
        self.assertTrue(result["acked"], result)
        self.assertEqual(len(self.wait_state(request_id, "approved")["decisions"]), 1)

    def test_killed_around_the_acknowledgement_each_press_counts_once(self):
        draw = random.Random(4)
        for _ in range(8):
            request_id = self.ask(policy="two-people")
            self.card(request_id)
            thread, result = self.press_later(request_id)
            time.sleep(draw.uniform(0, 0.03))
            self.restart()
            thread.join()
            self.assertTrue(result["acked"], result)
            found = harness.World.wait(
                lambda: (lambda r: r if r["decisions"] else None)(self.get(request_id)), "decided")
            self.assertEqual([d["user"] for d in found["decisions"]], [ANA])
            self.wait_live()

    def test_the_same_envelope_twice_is_decided_once(self):
        request_id = self.ask(policy="two-people", title="Delivered twice")
        self.world.control("POST", "/push_fault", {"method": "block_actions", "kind": "twice"})
        self.assertTrue(self.press(request_id, ANA)["acked"])
        found = harness.World.wait(
            lambda: (lambda r: r if r["decisions"] else None)(self.get(request_id)), "decided")
        self.assertEqual(len(found["decisions"]), 1)
        deliveries = self.world.control("POST", "/deliveries", {"kind": "delivery"})["deliveries"]
        self.assertTrue(all(d["acked"] for d in deliveries[-2:]), deliveries[-2:])
        said = self.world.control("POST", "/ephemerals", {"to": ANA, "contains": "Delivered twice"})
        self.assertEqual(said["messages"], [], "a repeated delivery is no second press")

    def test_a_refresh_loses_nothing(self):
        self.wait_live()
        requests = [self.ask(title=f"During refresh {n}") for n in range(12)]
        for request_id in requests:
            self.card(request_id)
        before = {c["number"] for c in self.sockets()["connections"]}
        results = []

        def press_all():
            for request_id in requests:
                results.append(self.press(request_id, ANA))
                time.sleep(0.1)

        thread = threading.Thread(target=press_all)
        stalls = self.enterContext(Stalls())
        thread.start()
        fewest = 2
        for number, reason in zip(sorted(before), ("refresh_requested", "warning")):
            self.world.control("POST", "/socket_disconnect", {
                "connection": number, "reason": reason, "close_after": 0.4})
            end = time.monotonic() + 1
            while time.monotonic() < end:
                fewest = min(fewest, len(self.sockets()["connections"]))
        thread.join()
        longest_ms = 2000 + stalls.so_far_s() * 1000
        self.assertTrue(all(r["acked"] and r["latency_ms"] < longest_ms for r in results), results)
        self.assertEqual(fewest, 2, "the replacement comes before the old one goes")
        self.assertFalse(before & {c["number"] for c in self.sockets()["connections"]})
        self.wait_live()
        for request_id in requests:
            self.wait_state(request_id, "approved")

    def test_cut_connections_come_back_and_what_was_under_way_too(self):
        request_id = self.ask()
        self.card(request_id)
        self.world.control("POST", "/socket_cut", {})
        self.assertTrue(self.press(request_id, ANA)["acked"])
        self.wait_live()
        self.restart()  # a full budget for the next test
        self.wait_live()

    def test_a_modal_goes_over_the_socket_and_its_answer_comes_back(self):
        request_id = self.ask(title="In a modal")
        opened = self.press(request_id, ANA, action="reject", wait_modal=5)
        self.assertIsNotNone(opened["modal"], opened)
        self.press(request_id, BEN)
        self.wait_state(request_id, "approved")  # a press is acknowledged before it is decided
        block = next(b for b in opened["modal"]["blocks"] if b["type"] == "input")
        values = {block["block_id"]: {block["element"]["action_id"]: "Too late"}}
        sent = self.world.control("POST", "/submit", {"user": ANA, "values": values})
        self.assertEqual(sent["outcome"], "updated", sent)
        self.assertIn("already decided", json.dumps(sent["modal"]))

    def test_the_slash_command_answers_over_the_socket(self):
        typed = self.world.control("POST", "/slash", {
            "user": RITA, "command": "/approval", "text": "help", "channel": CHANNEL})
        self.assertTrue(typed["acked"], typed)
        self.wait_for("ephemeral", to=RITA, contains="`list`")

    def test_fragments_and_pings_between_them_are_put_together(self):
        self.world.control("POST", "/config", {"socket_fragments": 5})
        request_id = self.ask()
        self.assertTrue(self.press(request_id, ANA)["acked"])
        self.world.control("POST", "/config", {"socket_fragments": 1})

    def test_events_and_nonsense_are_answered(self):
        opened = self.world.control("POST", "/home_opened", {"user": ANA})
        self.assertTrue(opened["acked"], opened)
        self.assertTrue(self.world.control("POST", "/rate_limited_event", {})["acked"])

    def test_the_admin_sees_which_way_is_live_and_when_something_came(self):
        request_id = self.ask()
        self.press(request_id, ANA)
        socket = self.wait_live()
        self.assertEqual((socket["state"], socket["strangers"]), ("live", 0))
        self.assertTrue(socket["last_event_at"])
        status = self.world.admin("GET", "/v1/status").json()["slack"]
        self.assertFalse(status["http"]["configured"])
        checked = self.world.ctl("slack", "check", check=0).stdout
        self.assertIn("sockets of Socket Mode: 2", checked)
        status = self.world.ctl("status", check=0).stdout
        self.assertRegex(status, r"(?m)^  sockets   2 live, last came 20\d\d-")
        self.assertNotIn("  http ", status)
        metrics = harness.call("GET", "/metrics", port=self.world.management_port).body.decode()
        self.assertIn("approvald_slack_sockets 2", metrics)
        self.assertIn("approvald_slack_socket_state 1\n", metrics)

    def test_no_secret_is_in_the_log(self):
        self.wait_live()
        with open(self.world.path("approvald.log"), encoding="utf-8") as log:
            text = log.read()
        for secret in (harness.APP_TOKEN, harness.BOT_TOKEN, "ticket="):
            self.assertNotIn(secret, text)


class Refused(SocketCase):
    def test_a_refused_token_stops_with_an_alarm_until_a_reload(self):
        self.world.control("POST", "/config", {"app_token_error": "invalid_auth"})
        self.world.control("POST", "/socket_cut", {})
        harness.World.wait(lambda: self.socket()["state"] == "refused", "the refusal is told")
        self.assertEqual(self.socket()["last_error"], "invalid_auth")
        for words in (("slack", "check"), ("slack", "check", "--json"), ("doctor",)):
            self.assertEqual(self.world.ctl(*words).returncode, 119, words)
        self.assertEqual(self.gauge(), "3")
        self.assertIn("write a good one to its file", self.world.ctl("doctor").stdout)
        calls = self.opens()
        time.sleep(3)
        self.assertEqual(self.opens(), calls, "nothing is asked for any more")
        self.world.control("POST", "/config", {"app_token_error": ""})
        self.world.daemon.child.send_signal(signal.SIGHUP)
        self.wait_live(1)  # the second waits: what is left of the budget is for a worse day

    def gauge(self):
        metrics = harness.call("GET", "/metrics", port=self.world.management_port).body.decode()
        return re.search(r"(?m)^approvald_slack_socket_state (\d+)$", metrics).group(1)

    def opens(self):
        counters = self.world.control("POST", "/counters", {})
        return json.dumps(counters["methods"].get("apps.connections.open"))

    def test_socket_mode_switched_off_is_told(self):
        self.world.control("POST", "/socket_disconnect", {
            "reason": "link_disabled", "close_after": 0.1})
        harness.World.wait(lambda: self.socket()["state"] == "disabled", "it is told")
        self.assertEqual(self.gauge(), "4")
        self.assertIn("switch it on in the app's settings", self.world.ctl("doctor").stdout)
        self.restart()
        self.wait_live()


class Behind(SocketCase):
    """A proxy that wants credentials, and one that inspects TLS: wss through CONNECT."""

    @classmethod
    def setUpClass(cls):
        cls.stand_between()
        cls.options = {**SocketCase.options, "public_url": f"https://localhost:{cls.front.port}",
                       "slack_config": cls.network("host:p%40ss")}
        super().setUpClass()

    @classmethod
    def network(cls, credentials, ca=True, no_proxy=""):
        return (f'proxy = "http://{credentials}@127.0.0.1:{cls.proxy.port}"\n'
                f'no_proxy = "{no_proxy or "nothing.example"}"\n' +
                (f'ca_file = "{cls.front.certificate}"\n' if ca else ""))

    @classmethod
    def begin(cls):
        cls.front.target = cls.world.slack_port
        super().begin()

    def again(self, slack_config):
        """Another start, with another configuration."""
        self.world.daemon.stop()
        self.world.write_config("", slack_config)
        self.world.start()

    def tearDown(self):
        self.again(self.network("host:p%40ss"))
        self.wait_live()

    def test_sockets_are_opened_through_the_proxy_and_come_back_after_it(self):
        request_id = self.ask()
        self.assertTrue(self.press(request_id, ANA)["acked"])
        self.assertEqual(set(self.proxy.tunnels), {f"localhost:{self.front.port}"})
        self.proxy.cut()
        request_id = self.ask(title="After the proxy's restart")
        self.assertTrue(self.press(request_id, ANA)["acked"])

    def test_a_large_payload_comes_whole_through_tls(self):
        request_id = self.ask(title="Large", reason="x" * 900)
        card = self.card(request_id)
        payload = harness.press(request_id, ANA, ts=card["ts"])
        payload["message"]["blocks"] = [{"type": "section", "text": {
            "type": "mrkdwn", "text": "y" * 3000}} for _ in range(200)]
        sent = self.world.control("POST", "/envelope", {"type": "interactive", "payload": payload})
        self.assertTrue(sent["acked"], sent)
        self.wait_state(request_id, "approved")

    def test_wrong_credentials_are_named(self):
        self.again(self.network("host:wrong"))
        said = harness.World.wait(lambda: self.socket()["last_error"], "the reason is told")
        self.assertIn("407", said)
        self.assertEqual(self.socket()["state"], "connecting")

    def test_an_unknown_certificate_is_refused(self):
        self.again(self.network("host:p%40ss", ca=False))
        said = harness.World.wait(lambda: self.socket()["last_error"], "the reason is told")
        self.assertIn("certificate", said)

    def test_hosts_of_no_proxy_are_reached_without_it(self):
        before = len(self.proxy.tunnels)
        self.again(self.network("host:wrong", no_proxy="localhost"))
        self.wait_live()
        self.assertEqual(len(self.proxy.tunnels), before)


class Stopped(SocketCase):
    def test_a_stop_answers_what_is_under_way_and_closes(self):
        request_id = self.ask()
        self.card(request_id)
        thread, result = self.press_later(request_id)
        time.sleep(0.02)
        self.assertEqual(self.world.daemon.stop(), 0)
        self.world.start()
        thread.join()
        self.assertTrue(result["acked"], result)
        self.assertEqual(len(self.wait_state(request_id, "approved")["decisions"]), 1)
        self.wait_live()


class BothWays(SocketCase):
    """The admin moves from HTTP to Socket Mode, or back: both are configured."""

    @classmethod
    def begin(cls):
        cls.world.write_config("", f'signing_secret_file = "{cls.world.path("signing")}"')
        super().begin()

    def test_the_same_press_over_both_ways_is_one(self):
        request_id = self.ask(policy="two-people")
        card = self.card(request_id)
        payload = harness.press(request_id, ANA, ts=card["ts"])
        self.assertEqual(self.world.slack(payload).status, 200)
        pressed = self.press(request_id, BEN)
        self.assertTrue(pressed["acked"], pressed)
        self.assertEqual(self.world.slack(payload).status, 200)
        found = self.wait_state(request_id, "approved")
        self.assertEqual(sorted(d["user"] for d in found["decisions"]), [ANA, BEN])
        status = self.world.admin("GET", "/v1/status").json()["slack"]
        self.assertTrue(status["http"]["configured"])
        self.assertTrue(status["http"]["last_event_at"])


if __name__ == "__main__":
    main()
