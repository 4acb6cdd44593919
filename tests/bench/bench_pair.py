#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench_pair.py: the pair against a floor that also waits for a peer's fdatasync, in one run.

Owns a World of tests/cluster (two hosts, an arbiter and a client in network namespaces of their
own, directories on the same file system) and the floors in the same namespaces. Rounds of floor and
pair alternate; ratios are of medians, with the least and greatest. Root only.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent import futures

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, ".."), os.path.join(HERE, "..", "cluster")]
import bench  # noqa: E402  the path is set above
import world as cluster  # noqa: E402
from lib import harness  # noqa: E402

FLOOR_PORT, PEER_PORT = 8300, 8301
LARGER = {"256M": "2G", "64M": "256M"}
LIMITS = "limits {\n    open_requests = 4000000\n}\n"


class PairBench:
    def __init__(self, options):
        self.options = options
        self.build = os.path.abspath(options.build)
        self.results = {}
        self.runs = 0
        folder = os.path.join(self.build, f"bench-pair-{os.getpid()}")
        os.makedirs(folder)
        self.apart = None
        if options.standby_dir:
            self.apart = tempfile.mkdtemp(prefix="approvald-standby-", dir=options.standby_dir)
            os.symlink(self.apart, os.path.join(folder, "B"))
        self.world = cluster.World(folder=folder)
        for host in self.world.hosts.values():
            self.enlarge(host.path("approvald.conf"))
        if options.pin:
            for host, processor in zip(self.world.hosts.values(), sorted(os.sched_getaffinity(0))):
                host.processor = processor
        self.floors = []

    @staticmethod
    def enlarge(path):
        """The cluster tests' stores are small on purpose."""
        with open(path, encoding="utf-8") as conf:
            text = conf.read()
        for small, large in LARGER.items():
            text = text.replace(f'"{small}"', f'"{large}"', 1)
        with open(path, "w", encoding="utf-8") as conf:
            conf.write(text + LIMITS)

    def tool(self, name):
        return os.path.join(self.build, "tests/bench", name)

    def note(self, name, side, result):
        self.results.setdefault(name, {}).setdefault(side, []).append(result)
        print(json.dumps({"measure": name, "side": side, **result}), flush=True)

    def start(self):
        self.world.start()
        self.warm()
        for host, words in (("B", ["peer", f"{cluster.ADDRESSES['B']}:{PEER_PORT}"]),
                            ("A", [f"{cluster.ADDRESSES['A']}:{FLOOR_PORT}"])):
            argv = [self.tool("floor"), *words, self.world[host].path("floor")]
            if host == "A":
                argv += [harness.SIGNING_SECRET, f"{cluster.ADDRESSES['B']}:{PEER_PORT}"]
            # In a session of its own, as the supervisors' children are: on a busy machine the
            # kernel's autogroups would give it another share of the processor otherwise.
            child = subprocess.Popen(self.world[host].member.command(*argv), text=True,
                                     stdout=subprocess.PIPE, start_new_session=True)
            assert child.stdout.readline() == "ready\n"
            self.floors.append(child)

    def warm(self):
        """The directory learns who presses, as it does in the first seconds of a real day."""
        status, made = self.world.api("POST", "/v1/requests",
                                      {"policy": "prod-deploy", "title": bench.TITLE,
                                       "requester": harness.RITA})
        assert status == 201, made
        path = self.world.path("warm.raw")
        bench.write_presses(path, [made["id"]])
        self.load(cluster.VIP, cluster.PORT, path, 1)
        cluster.wait(lambda: self.world.api("GET", "/v1/requests/" + made["id"])[1]["state"] ==
                     "approved", "the first press is decided")

    def load(self, address, port, requests, connections, rate=0, bodies=None):
        argv = [self.tool("load"), "--address", address, "--port", str(port), "--requests",
                requests, "--connections", str(connections)]
        argv += ["--rate", str(rate)] if rate else []
        argv += ["--bodies", bodies] if bodies else []
        done = subprocess.run(self.world.net["client"].command(*argv), capture_output=True,
                              text=True, timeout=900, check=False)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert result["other"] == 0, result
        return result

    def creates(self, count):
        self.runs += 1
        path, bodies = self.world.path("creates.raw"), self.world.path("bodies.raw")
        bench.write_creates(path, count, self.world.secrets["token"], self.runs)
        self.load(cluster.VIP, cluster.PORT, path, 64, bodies=bodies)
        with open(bodies, encoding="utf-8") as lines:
            ids = [json.loads(line)["id"] for line in lines if line.strip()]
        assert len(set(ids)) == count
        return ids

    def presses(self, name, count, connections):
        path = self.world.path("presses.raw")
        ids = self.creates(count)
        bench.write_presses(path, ids)
        self.note(name, "floor", self.load(cluster.ADDRESSES["A"], FLOOR_PORT, path, connections))
        self.note(name, "approvald", self.load(cluster.VIP, cluster.PORT, path, connections))
        for request_id in ids[:: max(1, len(ids) // 20)]:
            found = self.world.api("GET", "/v1/requests/" + request_id)[1]
            assert found["state"] == "approved", found

    def part_presses(self):
        for _ in range(self.options.rounds):
            self.presses("pair, presses, 1 connection", self.options.count // 8, 1)
            self.presses("pair, presses, 64 connections", self.options.count, 64)
            self.presses("pair, presses, 256 connections", self.options.count, 256)

    def part_catch_up(self):
        """A standby that was away catches up while the primary is loaded at half its capacity."""
        primary, standby = self.world.primary(), self.world.standby()
        rate = self.options.rate or self.half_capacity()
        self.prepare(rate)
        self.note("catch-up, open loop, paired", "approvald", self.open_loop(rate))
        self.note("catch-up", "floor", {"mib_per_s": self.disk_speed(standby.path("disk"))})
        standby.power_off()
        cluster.wait(lambda: len(primary.status()["register"]["isr"]) == 1, "it is alone", 20)
        first, written = self.lsn(primary), 0
        while written < self.options.away:
            written += len(self.creates(self.options.count))
        self.prepare(rate)
        standby.power_on()
        with futures.ThreadPoolExecutor(1) as pool:
            loaded = pool.submit(self.open_loop, rate)
            cluster.wait(lambda: primary.status()["link"]["up"], "the link is up", 60, 0.1)
            before, began = self.sent(primary), time.monotonic()
            cluster.wait(lambda: primary.status()["link"]["in_sync"], "it has caught up", 600, 0.1)
            seconds, sent = time.monotonic() - began, self.sent(primary) - before
            self.note("catch-up, open loop meanwhile", "approvald", loaded.result())
        cluster.wait(self.world.is_paired, "they are a pair", 60)
        self.note("catch-up", "approvald",
                  {"requests": written, "records": self.lsn(primary) - first,
                   "mib": sent / 1048576, "seconds": seconds,
                   "mib_per_s": sent / 1048576 / seconds})

    @staticmethod
    def lsn(host):
        return host.service_status()["lsn"]["last"]

    @staticmethod
    def disk_speed(path, size=256 << 20, piece=1 << 20):
        """Bytes that are there already are written over and synced a piece at a time, as a log's."""
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            zeros, data = bytes(piece), os.urandom(piece)
            for at in range(0, size, piece):
                os.pwrite(file, zeros, at)
            os.fsync(file)
            began = time.monotonic()
            for at in range(0, size, piece):
                os.pwrite(file, data, at)
                os.fdatasync(file)
            return size / 1048576 / (time.monotonic() - began)
        finally:
            os.close(file)
            os.unlink(path)

    @staticmethod
    def sent(host):
        return host.service_status()["pair"]["sent_bytes"]

    def half_capacity(self):
        """Requests a second: half of what 64 connections get through."""
        path = self.world.path("presses.raw")
        bench.write_presses(path, self.creates(self.options.count))
        return int(self.load(cluster.VIP, cluster.PORT, path, 64)["per_second"] / 2)

    def prepare(self, rate):
        """What is pressed in the open loop is there before it begins."""
        bench.write_presses(self.world.path("open.raw"),
                            self.creates(rate * self.options.open_seconds))

    def open_loop(self, rate):
        return self.load(cluster.VIP, cluster.PORT, self.world.path("open.raw"), 64, rate)

    def close(self):
        for child in self.floors:
            child.kill()
            child.wait()
        self.world.close()
        if self.apart:
            shutil.rmtree(self.apart)

    def table(self):
        print(f"\n{'measure':46} {'pair (min–max)':>30} {'floor (min–max)':>28} {'ratio':>6}")
        for name, sides in self.results.items():
            for key in ("per_second", "p50_us", "p99_us", "mib_per_s"):
                ours, floor = sides.get("approvald", []), sides.get("floor", [])
                if not ours or key not in ours[0]:
                    continue
                ratio = f"{bench.median(ours, key) / bench.median(floor, key):6.2f}" if floor else ""
                print(f"{name + ', ' + key:46} {bench.spread(ours, key):>30} "
                      f"{bench.spread(floor, key):>28} {ratio}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--build", default=".")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=20000, help="requests in a measurement")
    parser.add_argument("--open-seconds", type=int, default=20)
    parser.add_argument("--rate", type=int, default=0, help="of the open loop; 0: half capacity")
    parser.add_argument("--away", type=int, default=1000000, help="requests while it is away")
    parser.add_argument("--standby-dir", help="host B's files go below it: a disk of its own")
    parser.add_argument("--pin", action="store_true",
                        help="each host has one processor, not shared with the other host")
    parser.add_argument("--parts", default="presses,catch_up")
    run = PairBench(parser.parse_args())
    try:
        run.start()
        for part in run.options.parts.split(","):
            getattr(run, "part_" + part)()
    finally:
        run.close()
    run.table()


if __name__ == "__main__":
    main()
