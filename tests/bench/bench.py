#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench.py: approvald against a floor, in one run on one machine.

Owns the processes that it starts and a scratch directory on the same file system for both. Never
compares with figures of another run: machines are shared and noisy, so rounds of floor and
approvald alternate and the ratio is of medians, with the least and greatest of each.

Prints a JSON line per measurement and a table of ratios at the end. Options choose the parts and
the size; the defaults are what the project's claims rest on.
"""
import argparse
import hashlib
import hmac
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import harness  # noqa: E402  the path is set above
from lib.ports import free_port  # noqa: E402

LIMITS = """
limits {
    open_requests = 1000000
}
"""
TITLE = "Deploy api 4.2.1 to production"


def raw(path, body, headers):
    """One HTTP/1.1 request as bytes, framed for the load generator."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    whole = head.encode() + b"\r\n" + body
    return struct.pack("<I", len(whole)) + whole


def write_presses(path, ids):
    """Signed presses, each on another request; about 2 KB each."""
    sample = harness.press("@ID@", harness.ANA)
    sample["trigger_id"] = "@TS@.0123456789abcdef"
    sample["actions"][0]["action_ts"] = "@TS@"
    sample["message"]["text"] = TITLE + " asked by somebody for a reason of about this length. " * 4
    template = urllib.parse.quote_plus(json.dumps(sample, separators=(",", ":"))).encode()
    stamp = str(int(time.time()))
    key = hmac.new(harness.SIGNING_SECRET.encode(), b"v0:" + stamp.encode() + b":", hashlib.sha256)
    size = 0
    with open(path, "wb") as out:
        for request_id in ids:
            at = harness.SERIAL.stamp().encode()
            body = b"payload=" + template.replace(b"%40ID%40", request_id.encode()).replace(
                b"%40TS%40", at)
            mac = key.copy()
            mac.update(body)
            out.write(raw("/slack/interactions", body, {
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": "v0=" + mac.hexdigest()}))
            size = len(body)
    return size


def write_creates(path, count, token, run):
    with open(path, "wb") as out:
        for i in range(count):
            body = json.dumps({"policy": "prod-deploy", "title": TITLE, "reason": "release 4.2.1",
                               "target": "prod-eu-1", "requester": harness.RITA}).encode()
            out.write(raw("/v1/requests", body, {
                "Content-Type": "application/json", "Authorization": "Bearer " + token,
                "Idempotency-Key": f"bench-{run}-{i}"}))


class Bench:
    def __init__(self, options):
        self.options = options
        self.build = os.path.abspath(options.build)
        self.dir = tempfile.mkdtemp(prefix="bench-", dir=self.build)
        self.results = {}
        self.runs = 0
        self.floors = []

    def tool(self, name):
        return os.path.join(self.build, "tests/bench", name)

    def note(self, name, side, result):
        self.results.setdefault(name, {}).setdefault(side, []).append(result)
        print(json.dumps({"measure": name, "side": side, **result}), flush=True)

    def load(self, port, requests, connections, rate=0, tls=False, bodies=None):
        argv = [self.tool("load"), "--port", str(port), "--requests", requests, "--connections",
                str(connections)]
        argv += ["--rate", str(rate)] if rate else []
        argv += ["--tls"] if tls else []
        argv += ["--bodies", bodies] if bodies else []
        done = subprocess.run(argv, capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert result["other"] == 0, result
        return result

    def start_floor(self, tls=False):
        port = free_port()
        argv = [self.tool("floor"), str(port), os.path.join(self.dir, f"floor{port}"),
                harness.SIGNING_SECRET]
        argv += [self.cert, self.key] if tls else []
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert child.stdout.readline() == "ready\n"
        self.floors.append(child)
        return port

    def make_certificate(self):
        self.cert = os.path.join(self.dir, "cert.pem")
        self.key = os.path.join(self.dir, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-keyout", self.key, "-out", self.cert],
                       check=True, capture_output=True)
        os.chmod(self.key, 0o600)

    def world(self, name):
        tls = free_port()
        world = harness.World(os.path.join(self.dir, name), self.build, extra_config=LIMITS)
        world.tls_port = tls
        with open(world.path("approvald.conf"), encoding="utf-8") as conf:
            text = conf.read()
        text = text.replace("http {", f"""http {{
    tls_listen = {{"127.0.0.1:{tls}"}}
    tls_certificate = "{self.cert}"
    tls_key = "{self.key}\"""", 1)
        with open(world.path("approvald.conf"), "w", encoding="utf-8") as conf:
            conf.write(text)
        return world

    def begin(self, world):
        world.start()
        world.apply_policy()
        world.bench_token = world.token("bench")
        self.warm(world)

    def warm(self, world):
        """The directory learns who presses, as it does in the first seconds of a real day."""
        answer = world.create(world.bench_token)
        assert answer.status == 201, answer.body
        world.slack(harness.press(answer.json()["id"], harness.ANA))
        world.wait(lambda: world.api("GET", "/v1/requests/" + answer.json()["id"],
                                     token=world.bench_token).json()["state"] == "approved",
                   "the first press is decided")

    def creates(self, world, count, connections, tls=False):
        """Creates count requests; the result and their ids."""
        self.runs += 1
        path, bodies = os.path.join(self.dir, "creates.raw"), os.path.join(self.dir, "bodies.raw")
        write_creates(path, count, world.bench_token, self.runs)
        result = self.load(world.tls_port if tls else world.port, path, connections, tls=tls,
                           bodies=bodies)
        with open(bodies, encoding="utf-8") as lines:
            ids = [json.loads(line)["id"] for line in lines if line.strip()]
        assert len(set(ids)) == count
        return result, ids

    def presses(self, name, world, floor_port, count, connections, rate=0):
        """One round: the floor, then approvald, with the same bytes."""
        path = os.path.join(self.dir, "presses.raw")
        _, ids = self.creates(world, count, 64)
        write_presses(path, ids)
        if floor_port:
            self.note(name, "floor", self.load(floor_port, path, connections, rate))
        self.note(name, "approvald", self.load(world.port, path, connections, rate))
        sample = ids[:: max(1, len(ids) // 20)]
        for request_id in sample:
            found = world.api("GET", "/v1/requests/" + request_id, token=world.bench_token).json()
            assert found["state"] == "approved", found

    def rss_anon(self, world):
        with open(f"/proc/{world.daemon.child.pid}/status", encoding="utf-8") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1])
        raise AssertionError("no RssAnon")

    def exec_to_ready(self, world):
        """Milliseconds from exec until /readyz says 200, polled without pause."""
        began = time.monotonic()
        world.start(wait=False)
        world.wait(world.ready, "ready", 60, step=0.001)
        return (time.monotonic() - began) * 1000

    def part_presses(self):
        count = self.options.count
        with self.world("presses") as world:
            self.begin(world)
            floor = self.start_floor()
            for _ in range(self.options.rounds):
                self.presses("presses, 1 connection", world, floor, count // 4, 1)
                self.presses("presses, 64 connections", world, floor, count, 64)
                self.presses("presses, 256 connections", world, floor, count, 256)
                self.presses("presses, open loop 1000/s", world, floor,
                             self.options.open_seconds * 1000, 256, 1000)

    def part_creates(self):
        with self.world("creates") as world:
            self.begin(world)
            ports = {False: self.start_floor(), True: self.start_floor(tls=True)}
            for _ in range(self.options.rounds):
                for tls in (False, True):
                    name = "creation, 64 connections" + (", TLS" if tls else "")
                    result, _ = self.creates(world, self.options.count, 64, tls)
                    self.note(name, "floor", self.load(ports[tls], os.path.join(
                        self.dir, "creates.raw"), 64, tls=tls))
                    self.note(name, "approvald", result)

    def part_memory(self):
        with self.world("memory") as world:
            self.begin(world)
            self.creates(world, 10000, 16)
            time.sleep(3)
            self.note("RssAnon with 10,000 pending", "approvald", {"kib": self.rss_anon(world)})
            world.daemon.stop()
            times = []
            for _ in range(5):
                times.append(self.exec_to_ready(world))
                world.daemon.stop()
            self.note("exec to ready, 10,000 pending", "approvald",
                      {"ms": statistics.median(times)})
        with self.world("empty") as world:
            for _ in range(5):
                self.note("exec to ready, empty", "approvald", {"ms": self.exec_to_ready(world)})
                world.daemon.stop()
                shutil.rmtree(world.path("data"))
                os.mkdir(world.path("data"), 0o700)

    def part_stored(self):
        few, many = self.options.stored
        worlds = {}
        for stored in (few, many):
            world = worlds[stored] = self.world(f"stored{stored}")
            subprocess.run([self.tool("populate"), world.path("data"), str(stored)], check=True)
            for _ in range(3):
                self.note(f"exec to ready, {stored:,} stored", "approvald",
                          {"ms": self.exec_to_ready(world)})
                world.daemon.stop(60)
            self.begin(world)
        for _ in range(self.options.rounds):
            for stored in (few, many):
                self.presses(f"presses, 64 connections, {stored:,} stored", worlds[stored], None,
                             self.options.count, 64)
        for world in worlds.values():
            world.close()

    def close(self):
        for child in self.floors:
            child.kill()
            child.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def table(self):
        print(f"\n{'measure':46} {'approvald (min–max)':>30} {'floor (min–max)':>28} {'ratio':>6}")
        for name, sides in self.results.items():
            for key in ("per_second", "p50_us", "p99_us", "kib", "ms"):
                self.row(name, key, sides)
        few, many = (self.results.get(f"presses, 64 connections, {n:,} stored")
                     for n in self.options.stored)
        if few and many:
            ratio = median(many["approvald"], "per_second") / median(few["approvald"], "per_second")
            print(f"speed with {self.options.stored[1]:,} stored to that with "
                  f"{self.options.stored[0]:,}: {ratio:.2f}")

    def row(self, name, key, sides):
        ours, floor = sides.get("approvald", []), sides.get("floor", [])
        if not ours or key not in ours[0]:
            return
        ratio = f"{median(ours, key) / median(floor, key):6.2f}" if floor else ""
        print(f"{name + ', ' + key:46} {spread(ours, key):>30} {spread(floor, key):>28} {ratio}")


def median(results, key):
    return statistics.median(r[key] for r in results)


def spread(results, key):
    if not results:
        return "-"
    values = [r[key] for r in results]
    return f"{statistics.median(values):,.0f} ({min(values):,.0f}–{max(values):,.0f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", default=".")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=20000, help="requests in a measurement")
    parser.add_argument("--open-seconds", type=int, default=10)
    parser.add_argument("--stored", type=int, nargs=2, default=(1000, 1000000))
    parser.add_argument("--parts", default="presses,creates,memory,stored")
    bench = Bench(parser.parse_args())
    try:
        bench.make_certificate()
        for part in bench.options.parts.split(","):
            getattr(bench, "part_" + part)()
    finally:
        bench.close()
    bench.table()


if __name__ == "__main__":
    main()
