# SPDX-License-Identifier: Apache-2.0
"""cases.py: named cases: what design section 8 says of each loss, with its times, on the real pair.

Owns a world a case. A case is a function of a world and a number of runs; it ends with a sentence
about what it measured, or raises. Times are read from writes through the virtual IP, each over a
connection of its own (probe.py). Never judges consistency itself: verify.py does, after each case.
"""

import errno
import os
import shutil
import signal
import statistics
import subprocess
import time
import traceback

import checker
import hurt
import netns
from nemesis import forgive
from verify import Verifier
from world import APPROVALCTL, APPROVALD, BUILD, SUPERVISOR, World, other, wait

SILENCE_S, EVICT_S, CHECKIN_S = 0.3, 1.0, 2.0  # the defaults of supervisor.conf
CASES = {}


def case(name, quick=1, **options):
    """Enters the function into the table: its runs in a quick check (0: not in it), and the world's
    options."""
    def enter(function):
        CASES[name] = (function, quick, options)
        return function
    return enter


def names():
    return list(CASES)


def missing():
    """None when everything that a world is made of is there, else the reason."""
    for program in (APPROVALD, APPROVALCTL, SUPERVISOR,
                    os.path.join(BUILD, "tests", "cluster", "hurt.so")):
        if not os.path.exists(program):
            return f"{program} is not built"
    for tool in ("keepalived", "etcd", "openssl", "curl"):
        if shutil.which(tool) is None and not os.path.exists(f"/usr/sbin/{tool}"):
            return f"no {tool} (packages curl, etcd-server, keepalived, openssl)"
    return None


SURE_RUNS = 5  # of a case that was too slow


class TooSlow(AssertionError):
    """A time was longer than it may be: on a busy machine that may be the machine's fault."""


def limit(good, text):
    if not good:
        raise TooSlow(text)


def say(seconds):
    return ", ".join(f"{1000 * s:.0f}" for s in seconds) + " ms"


class Watched:
    """Clients and a probe around a fault. The probe's writes tell of pauses."""

    def __init__(self, world, every=0.005, timeout=0.1, clients=4):
        self.world = world
        self.load = world.spawn_client("client", clients=clients, pause=0.02) if clients else None
        self.probe = world.spawn_client("probe", every=every, timeout=timeout)
        self.begin = time.monotonic()
        time.sleep(0.5)

    def fault(self, function):
        self.at = time.monotonic()
        result = function()
        self.done = time.monotonic()
        return result

    def end(self, seconds):
        """Lets it go on for so long; then all probes, and the clients' history."""
        time.sleep(seconds)
        self.until = time.monotonic() - 0.2
        self.probes = World.end_client(self.probe)
        self.lines = World.end_client(self.load) if self.load else []
        return self

    def first(self):
        return checker.first_after(self.probes, self.at, self.done)

    def gap(self):
        return checker.longest_gap(self.probes, self.begin + 0.2, self.until)


def finish(world, *watched):
    """Heals, waits until the pair is paired, and checks all that clients were told."""
    world.heal()
    forgive(world)
    world.wait_paired()
    lines = []
    for source, one in enumerate(watched):
        lines += [{**line, "source": source} for line in one.lines]
    _, wrong = Verifier(world).verify(lines)
    assert not wrong, "\n".join(wrong[:5])


# -- the primary is lost -----------------------------------------------------------------------------

def paired_watch(world):
    """Clients and a probe on a pair that is in sync at this moment: a host that a busy machine kept
    silent for 300 ms is not, and could not take over."""
    for _ in range(4):
        one = Watched(world, clients=2)
        if world.is_paired():
            return one
        one.end(0.0)
        world.wait_paired()
    raise TooSlow("the pair does not stay in sync on this machine")


def time_failover(world, runs, function, median_s=0.7):
    """So often: the fault, and how long until a write is acknowledged."""
    times, watched = [], []
    for _ in range(runs):
        one = paired_watch(world)
        host = world.primary()
        one.fault(lambda host=host: function(world, host))
        one.end(1.9)
        times.append(one.first())
        watched.append(one)
        world.heal()
        forgive(world)
        world.wait_paired()
    finish(world, *watched)
    limit(statistics.median(times) <= median_s, f"median above {median_s} s: {say(times)}")
    limit(max(times) <= 1.5, f"worst above 1500 ms: {say(times)}")
    return f"median {say([statistics.median(times)])}, worst {say([max(times)])} of {runs}"


@case("the primary is lost: kill -9 of everything on it", quick=3)
def primary_killed(world, runs):
    return time_failover(world, runs, lambda _world, host: host.kill_all())


@case("the primary is lost: its network is cut", quick=3)
def primary_cut(world, runs):
    return time_failover(world, runs, lambda world, host: world.net.isolate(host.name))


@case("the primary is lost: everything on it is stopped", quick=3)
def primary_stopped(world, runs):
    return time_failover(world, runs, lambda _world, host: host.signal_all(signal.SIGSTOP))


@case("the primary is lost: its power", quick=0)
def primary_off(world, runs):
    return time_failover(world, runs, lambda _world, host: host.power_off())


@case("the primary is stopped cleanly", quick=0)
def primary_stopped_cleanly(world, runs):
    gaps, watched = [], []
    for _ in range(min(runs, 3)):
        one = paired_watch(world)
        host = world.primary()
        one.fault(host.stop)
        gaps.append(one.end(1.0).gap())
        watched.append(one)
        world.heal()
        world.wait_paired()
    finish(world, *watched)
    limit(max(gaps) <= 1.5, f"a pause above 1500 ms: {say(gaps)}")
    return f"pauses {say(gaps)}"


# -- planned -----------------------------------------------------------------------------------------

def time_switchover(world, runs, sync_ms, limit_s):
    """The longest pause; no request fails. sync_ms: so slow is the disk of who hands over."""
    gaps, refused, watched = [], 0, []
    for _ in range(runs):
        host = world.primary()
        one = Watched(world, timeout=3.0)
        host.hurt.slow_sync(sync_ms)
        answer = one.fault(lambda host=host: host.control("switchover"))
        assert answer["ok"], answer
        one.end(1.0)
        host.hurt.clear()
        failed = checker.failures(one.probes)
        refused += sum(not p["sent"] for p in failed)
        sent = [p for p in failed if p["sent"]]
        assert not sent, f"failed: {sent[:3]}"
        world.wait_paired()
        assert world.primary().name == other(host.name), "it has not moved"
        gaps.append(one.gap())
        watched.append(one)
    finish(world, *watched)
    limit(max(gaps) <= limit_s, f"a gap above {1000 * limit_s:.0f} ms: {say(gaps)}")
    return f"gaps {say(gaps)}; {refused} connections refused, no request failed"


@case("a planned switchover under load")
def switchover(world, runs):
    return time_switchover(world, runs, 0, 0.15)


@case("a planned switchover under load, and the disk is slow")
def switchover_slow(world, runs):
    """What is passed on waits for a record that this disk has to hold, too: longer than the address
    stays by itself. Each step of the move waits for it as well."""
    return time_switchover(world, runs, 250, 2.5)


# -- the standby -------------------------------------------------------------------------------------

def time_standby(world, runs, function, limit_s, refused=False):
    """The longest pause around the fault; no write fails (refused: connections may be)."""
    gaps, watched = [], []
    for _ in range(runs):
        host = world.standby()
        one = Watched(world, timeout=3.0)
        one.fault(lambda host=host: function(world, host))
        one.end(2.0)
        failed = [p for p in checker.failures(one.probes) if p["sent"] or not refused]
        assert not failed, f"failed: {failed[:3]}"
        gaps.append(one.gap())
        watched.append(one)
        world.heal()
        forgive(world)
        world.wait_paired()
    finish(world, *watched)
    limit(max(gaps) <= limit_s, f"a pause above {1000 * limit_s:.0f} ms: {say(gaps)}")
    return f"pauses {say(gaps)}"


@case("the standby is lost: kill -9 of everything on it")
def standby_killed(world, runs):
    return time_standby(world, runs, lambda _w, host: host.kill_all(), SILENCE_S + 0.1)


@case("the standby is lost: its network is cut", quick=0)
def standby_cut(world, runs):
    return time_standby(world, runs, lambda w, host: w.net.isolate(host.name), SILENCE_S + 0.1)


@case("the link between the hosts is cut, and with it VRRP")
def link_cut(world, runs):
    """Both keepalived take the address for a moment; the one that stays announces it each second."""
    return time_standby(world, runs, lambda w, _host: w.net.cut_both("A", "B"), 1.8, refused=True)


@case("the link between the hosts is cut, but not VRRP")
def pair_link_cut(world, runs):
    def cut(world, _host):
        for name in ("A", "B"):
            world[name].member.run("nft", "add rule inet own out tcp sport 7400 drop; "
                                   "add rule inet own out tcp dport 7400 drop")

    return time_standby(world, runs, cut, SILENCE_S + 0.1)


@case("the standby's disk is slow")
def standby_slow(world, runs):
    return time_standby(world, runs, lambda _w, host: host.hurt.slow_sync(5000), EVICT_S + 0.1)


@case("the arbiter is lost")
def arbiter_lost(world, runs):
    return time_standby(world, runs, lambda w, _host: w.etcd.kill(), 0.25)


@case("strict protection: one host alone accepts nothing", pair_extra='protection = "strict"')
def strict_protection(world, _runs):
    one = Watched(world, timeout=0.5, clients=2)
    one.fault(world.standby().kill_all)
    one.end(2.5)
    alone = [p for p in one.probes if p["begin"] > one.done and p["status"] in (200, 201)]
    assert not alone, f"{len(alone)} writes were acknowledged by one host alone"
    members = world.primary().status()["register"]["isr"]
    assert len(members) == 2, f"the ISR is {members}"
    finish(world, one)
    return "and goes on when the other one is back"


@case("without an arbiter a lost primary waits for the operator", arbiter="manual")
def manual_arbiter(world, _runs):
    """Nothing is promoted by silence; once the operator says that it is off, at once."""
    host = world.primary()
    survivor = world[other(host.name)]
    one = Watched(world, clients=2)
    one.fault(host.power_off)
    time.sleep(2.5)
    status = survivor.status()
    assert not status["serving"], "it was promoted without anybody's word"
    assert "needs_operator" in [alarm["alarm"] for alarm in status["alarms"]], status["alarms"]
    begin = time.monotonic()
    answer = survivor.control("peer-off")
    wait(survivor.serves, f"it serves after {answer}", 5)
    took = time.monotonic() - begin
    one.end(0.5)
    finish(world, one)
    return f"nothing for 2.5 s, then {say([took])} after peer-off"


def asks(host, words):
    """Whether its alarm asks the operator for that."""
    status = host.status() or {"alarms": []}
    return any(alarm["alarm"] == "needs_operator" and words in alarm["reason"]
               for alarm in status["alarms"])


def obey(host, words, command):
    """The operator does what he is asked for, as often as it takes."""
    wait(lambda: asks(host, words), f"{host.name} asks for it: {words}", 20)
    wait(lambda: host.control(command)["ok"], f"{host.name} takes {command}", 20)


@case("both hosts are promoted by force: the words that end the split", arbiter="manual")
def split_ends(world, _runs):
    """Whoever does what status says gets out; of the two halves the one that was not shut down stays."""
    hosts = [world["A"], world["B"]]
    for host in hosts:
        host.power_off()
    world.net.cut_both("A", "B")
    for host in hosts:
        host.power_on()
        obey(host, "then approvalctl peer-off", "peer-off")
        obey(host, "approvalctl promote --force", "promote-force")
    for host in hosts:
        wait(host.serves, f"{host.name} leads its half", 20)
    world.net.mend()
    way_out = "shut down the one whose changes are to go, then approvalctl peer-off on the other one"
    for host in hosts:
        wait(lambda host=host: asks(host, way_out), f"{host.name} says that they are split", 20)
        assert not host.control("peer-off")["ok"], "the word is taken while the other one is heard"
    hosts[0].power_off()
    obey(hosts[1], way_out, "peer-off")
    wait(lambda: hosts[1].serves() and not asks(hosts[1], ""), "B is well", 20)
    lineage = hosts[1].status()["register"]["lineage"]
    hosts[0].power_on()
    obey(hosts[0], "approvalctl arbiter reseed", "reseed")  # the same epoch, and another value
    obey(hosts[0], "approvalctl rejoin", "rejoin")
    world.wait_paired()
    kept = {host.status()["register"]["lineage"] for host in hosts}
    assert kept == {lineage}, f"{kept}, and not {lineage}"
    return "peer-off behind a shut-down, there reseed and rejoin"


# -- approvald ---------------------------------------------------------------------------------------

@case("approvald crashes", quick=0)
def approvald_crashes(world, runs):
    return time_failover(world, runs, lambda _w, host: host.signal("approvald", signal.SIGKILL))


@case("approvald is stopped")
def approvald_stopped(world, runs):
    """Its supervisor lives: it has to notice that the peer took over, and let the address go."""
    return time_failover(world, runs, lambda _w, host: host.signal("approvald", signal.SIGSTOP),
                         1.1)


@case("a crash loop hands over to the peer")
def crash_loop(world, _runs):
    host = world.primary()
    one = Watched(world)

    def crash_often():
        for _ in range(5):
            pid = wait(lambda: host.is_up() and host.pid("approvald"),
                       "approvald is up")
            os.kill(pid, signal.SIGKILL)
            wait(lambda pid=pid: host.pid("approvald") != pid, "it is gone")

    one.fault(crash_often)
    wait(world[other(host.name)].serves, "the peer serves", 20)
    one.end(0.5)
    status = host.status()
    assert status["child"]["safe_mode"], status["child"]
    assert not host.has_vip(), "it holds the virtual IP in safe mode"
    finish(world, one)
    return "safe mode; the peer serves"


@case("a task hangs, each of them")
def hanging_tasks(world, _runs):
    told = []
    count = len(hurt.threads(world.primary().pid("approvald")))
    for index in range(count):
        host = world.primary()
        pid = host.pid("approvald")
        one = Watched(world)
        tid = list(hurt.threads(pid))[index]
        frozen = one.fault(lambda tid=tid: hurt.Frozen(tid))
        try:
            wait(lambda host=host, pid=pid: netns.is_zombie(pid), f"thread {index} is missed",
                 CHECKIN_S * 2 + 3)
            took = time.monotonic() - one.at
        finally:
            frozen.release()
        one.end(1.5)
        crash = host.status()["child"]["crashes"][0]
        assert crash["cause"] == "hang", crash
        limit(one.gap() <= CHECKIN_S + 1.5, f"thread {index}: a pause of {say([one.gap()])}")
        told.append(f"{crash.get('task')} {took:.1f} s")
        finish(world, one)
    return "; ".join(told)


# -- disks -------------------------------------------------------------------------------------------

def disk_fault(world, host, function, limit_s):
    """The disk of host fails until it is healed: the other one serves, or goes on."""
    one = Watched(world, timeout=3.0)
    one.fault(lambda: function(host))
    one.end(4.0)
    survivor = world[other(host.name)]
    status = survivor.status()
    assert status["serving"], f"{survivor.name} does not serve: {status['reason']}"
    members = [member["host"] for member in status["register"]["isr"]]
    assert members == [survivor.number], f"the ISR is {members}"
    assert host.hurt.get("handed") > 0, "the disk was not used"
    limit(one.gap() <= limit_s, f"a pause of {say([one.gap()])}")
    finish(world, one)
    return say([one.gap()])


@case("an fsync fails, on each side")
def failing_fsync(world, _runs):
    first = disk_fault(world, world.standby(), lambda h: h.hurt.fail_sync(hurt.WAL), 1.5)
    return f"standby {first}; primary " + disk_fault(
        world, world.primary(), lambda h: h.hurt.fail_sync(hurt.WAL), 1.5)


@case("the disk is full, on each side")
def full_disk(world, _runs):
    def fill(host):
        host.hurt.fail_write(hurt.EVERY_FILE, errno.ENOSPC)

    first = disk_fault(world, world.standby(), fill, 1.5)
    return f"standby {first}; primary " + disk_fault(world, world.primary(), fill, 1.5)


# -- rules L and M, and that these cases can fail ----------------------------------------------------

# supervisor/child.c puts the leash behind the contract; a pipe that nobody has open signals nobody
OFF_THE_LEASH = """if [ -n "$APPROVALD_SUPERVISOR_FD" ]
then eval "exec $((APPROVALD_SUPERVISOR_FD + 1))<&-"
fi
"""


def outlives(host):
    """Kills a host's supervisor; true when its approvald, which hangs, is there a second later."""
    pid = host.signal("approvald", signal.SIGSTOP)
    host.signal("approvald-supervisor", signal.SIGKILL)
    time.sleep(1.0)
    lives = not netns.is_zombie(pid)
    if lives:
        os.kill(pid, signal.SIGKILL)
    return lives


@case("L children die with the supervisor")
def children_die(world, _runs):
    assert not outlives(world.primary()), "approvald has outlived its supervisor"
    finish(world)
    host = world.standby()
    with open(host.path("approvald"), encoding="utf-8") as script:
        text = script.read()
    with open(host.path("approvald"), "w", encoding="utf-8") as script:
        script.write(text.replace("exec ", OFF_THE_LEASH + "exec "))
    host.signal("approvald", signal.SIGKILL)  # the next one is started by the broken script
    time.sleep(0.5)
    world.wait_paired()
    assert outlives(host), "the rule was broken, and the case did not see it"
    finish(world)
    return "and an approvald that is not bound to it is seen"


def is_eligible(host):
    status = host.status()
    return status is None or status["vip"]["eligible"]


@case("M the virtual IP follows eligibility")
def vip_follows(world, _runs):
    standby = world.standby()
    world.net.cut_both("A", "B")
    wait(lambda: not is_eligible(standby), "the standby knows that it is out", 10)
    assert not holds_within(standby, 2.0), "a host outside the ISR has the virtual IP"
    world.heal()
    world.wait_paired()
    standby = world.standby()
    with open(standby.path("keepalived.conf"), encoding="utf-8") as conf:
        text = conf.read()
    with open(standby.path("keepalived.conf"), "w", encoding="utf-8") as conf:
        conf.write(text.replace("weight 0 reverse", "weight 1"))  # the trap of reference/ha.md
    standby.keepalived.terminate()
    standby.keepalived.wait(10)
    standby.start_keepalived()
    world.net.cut_both("A", "B")
    wait(lambda: not is_eligible(standby), "the standby knows that it is out", 10)
    assert holds_within(standby, 4.0), "the rule was broken, and the case did not see it"
    return "and a keepalived that ignores the track file is seen"


def holds_within(host, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if host.has_vip():
            return True
        time.sleep(0.005)
    return False


# -- running them ------------------------------------------------------------------------------------

def run_one(name, runs, tried):
    """True when the case held. One run is no median: what was too slow in a few is measured in more, and
    those decide. On a busy machine that is done twice."""
    words, wrong, problem = try_one(name, runs)
    for busy_only in (False, True):
        busy = os.getloadavg()[0] > 1.5 * (os.cpu_count() or 1)
        if isinstance(problem, TooSlow) and (busy or not busy_only):
            print(f"slow {words}\n     once more, at least {SURE_RUNS} times", flush=True)
            words, wrong, problem = try_one(name, max(runs or CASES[name][1] or 1, SURE_RUNS))
    return tried.tell(words, wrong)


def try_one(name, runs):
    """What it told, a list of what was wrong, and the exception; of a case that failed the files are kept."""
    function, quick, options = CASES[name]
    make = options.get("world", World)
    runs = runs or quick or 1
    begin, world, problem = time.monotonic(), None, None
    try:
        world = make(**{key: value for key, value in options.items() if key != "world"})
        world.start()
        told = function(world, runs)
    except (AssertionError, OSError, RuntimeError, ValueError, KeyError, TypeError,
            subprocess.SubprocessError) as error:
        problem, told = error, f"{type(error).__name__}: {error}"
    except BaseException:  # Ctrl-C leaves nothing behind
        if world is not None:
            world.close()
        raise
    took = time.monotonic() - begin
    wrong = []
    if problem:
        wrong += [*"".join(traceback.format_tb(problem.__traceback__)[-2:]).splitlines(),
                  f"load average {os.getloadavg()[0]:.1f}; kept: {world.dir if world else 'nothing'}"]
    if world is not None:
        world.close(keep=problem is not None)
    return f"{name} ({took:.1f} s): {told}", wrong, problem


def run(words, runs, tried):
    """(passed, failed) of the cases whose name has one of the words; 0 runs: a quick check's."""
    chosen = [name for name in CASES if not words or any(word in name for word in words)]
    chosen = [name for name in chosen if runs or words or CASES[name][1]]
    good = sum(run_one(name, runs, tried) for name in chosen)
    return good, len(chosen) - good
