# SPDX-License-Identifier: Apache-2.0
"""nemesis.py: the faults, and the book of which were drawn.

Owns the table of faults. A fault is a generator: it hurts the world, yields for how long (seconds),
and may go on hurting; what it broke in files it repairs itself, everything else World.heal takes
back. Never looks at results: that is the checker's work.
"""

import contextlib
import errno
import os
import random
import shutil
import signal
import time

import hurt
from world import HOSTS, LOST, NotInTime, other, wait

FAULTS = {}


def fault(name, weight=2):
    """Enters the generator function into the table."""
    def enter(function):
        assert name not in FAULTS
        FAULTS[name] = (function, weight)
        return function
    return enter


def serving(world):
    """The host that serves, or host A when none does just now."""
    for name, status in world.statuses().items():
        if status and status["serving"]:
            return world[name]
    return world["A"]


def either(world, rng):
    return world[rng.choice(HOSTS)]


# -- processes ---------------------------------------------------------------------------------------

for _program in ("approvald", "approvald-supervisor", "keepalived"):
    for _role in ("primary", "standby"):
        def _kill(world, rng, program=_program, role=_role):
            host = serving(world)
            host = host if role == "primary" else world[other(host.name)]
            host.signal(program, signal.SIGKILL)
            yield rng.uniform(0.3, 1.0)  # systemd's pause
            host.up()
            yield rng.uniform(0.5, 2.0)

        def _pause(world, rng, program=_program, role=_role):
            host = serving(world)
            host = host if role == "primary" else world[other(host.name)]
            pid = host.signal(program, signal.SIGSTOP)
            yield rng.choice((0.1, 0.4, 0.8, 1.5, 3.0))
            with contextlib.suppress(ProcessLookupError, TypeError):
                os.kill(pid, signal.SIGCONT)
            yield 1.0

        fault(f"kill {_role}'s {_program}", 3 if _program == "approvald" else 1)(_kill)
        fault(f"pause {_role}'s {_program}", 2 if _program == "approvald" else 1)(_pause)


@fault("kill approvald again and again")
def kill_often(world, rng):
    host = either(world, rng)
    for _ in range(4):
        host.signal("approvald", signal.SIGKILL)
        yield rng.uniform(0.1, 0.8)


@fault("kill both approvalds")
def kill_both(world, rng):
    for name in rng.sample(HOSTS, 2):
        world[name].signal("approvald", signal.SIGKILL)
    yield rng.uniform(0.5, 3.0)


@fault("kill everything on the primary", 3)
def kill_host(world, rng):
    serving(world).kill_all()
    yield rng.uniform(1.0, 3.0)


@fault("pause everything on the primary", 3)
def pause_host(world, rng):
    host = serving(world)
    host.signal_all(signal.SIGSTOP)
    yield rng.choice((0.2, 0.5, 0.7, 1.5, 4.0))
    host.signal_all(signal.SIGCONT)
    yield 1.0


@fault("pause everything on the standby")
def pause_standby(world, rng):
    host = world[other(serving(world).name)]
    host.signal_all(signal.SIGSTOP)
    yield rng.choice((0.2, 0.5, 1.5, 4.0))


@fault("power off a host", 3)
def power_off(world, rng):
    either(world, rng).power_off()
    yield rng.uniform(0.5, 3.0)


@fault("power off both hosts, on in either order", 3)
def power_off_both(world, rng):
    first, second = rng.sample(HOSTS, 2)
    world[first].power_off()
    yield rng.choice((0.0, 0.1, 1.0, 2.5))
    world[second].power_off()
    yield rng.uniform(0.1, 0.5)
    for name in rng.sample(HOSTS, 2):
        world[name].power_on()
        yield rng.choice((0.0, 0.2, 2.0, 6.0))


@fault("stop a host cleanly")
def stop_host(world, rng):
    host = either(world, rng)
    host.stop()
    yield rng.uniform(0.3, 2.0)


@fault("hang one thread of approvald", 4)
def hang_thread(world, rng):
    host = either(world, rng)
    pid = host.pid("approvald")
    if pid is None:
        return
    held = None
    with contextlib.suppress(OSError):  # it may end meanwhile
        held = hurt.Frozen(rng.choice(list(hurt.threads(pid))))
    yield rng.choice((0.4, 1.2, 3.5))
    if held is not None:
        held.release()
    yield 1.0


# -- network -----------------------------------------------------------------------------------------

@fault("cut the link between the hosts", 3)
def cut_link(world, rng):
    world.net.cut_both("A", "B")
    yield rng.uniform(0.2, 3.0)


@fault("cut one direction between the hosts", 3)
def cut_half(world, rng):
    source = rng.choice(HOSTS)
    world.net.cut(source, other(source))
    yield rng.uniform(0.2, 3.0)


@fault("cut the primary's network", 3)
def isolate_primary(world, rng):
    world.net.isolate(serving(world).name)
    yield rng.uniform(0.3, 3.0)


@fault("unplug a host")
def unplug(world, rng):
    world.net.unplug(either(world, rng).name)
    yield rng.uniform(0.3, 3.0)


@fault("the link flaps")
def flap(world, rng):
    for _ in range(6):
        world.net.cut_both("A", "B")
        yield rng.uniform(0.05, 0.5)
        world.net.mend()
        yield rng.uniform(0.05, 0.5)


@fault("the primary reaches only the clients", 2)
def only_clients(world, rng):
    name = serving(world).name
    world.net.cut_both(name, other(name))
    world.net.cut_both(name, "arbiter")
    yield rng.uniform(0.5, 3.0)


@fault("the primary reaches all but the clients")
def no_clients(world, rng):
    world.net.cut_both(serving(world).name, "client")
    yield rng.uniform(0.3, 2.0)


@fault("one direction of one path")
def one_direction(world, rng):
    ends = rng.sample(("A", "B", "arbiter", "client"), 2)
    world.net.cut(*ends)
    yield rng.uniform(0.3, 3.0)


@fault("only replies get lost", 2)
def lost_replies(world, rng):
    source, target = rng.choice((("A", "B"), ("B", "A"), ("A", "client"), ("B", "client"),
                                 ("arbiter", "A"), ("arbiter", "B")))
    world.net.drop_replies(source, target)
    yield rng.uniform(0.3, 3.0)


@fault("frames get lost at random", 2)
def loss(world, rng):
    percent = rng.choice((5, 15, 30))
    for name in HOSTS:
        world.net.cut_both(name, rng.choice((other(name), "client", "arbiter")), percent)
    yield rng.uniform(1.0, 3.0)


@fault("a slow link")
def slow_link(world, rng):
    for name in HOSTS:
        world.net.slow(name, rng.choice((300, 1000, 4000)))
    yield rng.uniform(1.0, 3.0)


@fault("frames come late, twice and in another order", 2)
def lag(world, rng):
    world.net.lag(rng.choice((*HOSTS, "arbiter")), rng.choice((5, 30, 100)), rng.choice((5, 60)), 3)
    yield rng.uniform(1.0, 3.0)


# -- disks and clocks --------------------------------------------------------------------------------

@fault("an fsync fails", 4)
def failing_sync(world, rng):
    either(world, rng).hurt.fail_sync(rng.choice((hurt.WAL, hurt.STATE, hurt.EVERY_FILE)),
                                      count=rng.choice((1, 1, hurt.FOREVER)))
    yield rng.uniform(0.5, 2.5)


@fault("a write fails", 3)
def failing_write(world, rng):
    either(world, rng).hurt.fail_write(rng.choice((hurt.WAL, hurt.STATE, hurt.EVERY_FILE)),
                                       rng.choice((errno.EIO, errno.ENOSPC)),
                                       rng.choice((1, 1, hurt.FOREVER)))
    yield rng.uniform(0.5, 2.5)


@fault("a slow disk", 3)
def slow_disk(world, rng):
    either(world, rng).hurt.slow_sync(rng.choice((30, 150, 600, 1500)), hurt.EVERY_FILE)
    yield rng.uniform(1.0, 3.0)


@fault("death at a write or sync", 6)
def die_at(world, rng):
    """Of the log, the store, or another file, of either host; restarts die there again."""
    host = either(world, rng)
    for _ in range(rng.choice((1, 1, 3))):
        host.hurt.die(rng.choice((hurt.BEFORE_WRITE, hurt.AFTER_WRITE, hurt.BEFORE_SYNC,
                                  hurt.AFTER_SYNC)), rng.choice((1, 2, 5, 20)),
                      rng.choice((hurt.WAL, hurt.WAL, hurt.STATE, hurt.EVERY_FILE)))
        yield rng.uniform(0.3, 1.2)
        host.hurt.clear()


@fault("a snapshot is cut short", 2)
def cut_snapshot(world, rng):
    """The standby begins anew, and one of the two dies, or the link, while it fetches."""
    primary = serving(world)
    host = world[other(primary.name)]
    host.kill_all()
    shutil.rmtree(host.path("data"))
    os.makedirs(host.path("data"), 0o700)
    host.up()
    for _ in range(3):
        yield rng.uniform(0.02, 0.4)
        rng.choice((lambda: host.signal("approvald", signal.SIGKILL),
                    lambda: primary.signal("approvald", signal.SIGKILL),
                    lambda: world.net.cut_both("A", "B"), world.net.mend,
                    lambda: host.hurt.die(hurt.BEFORE_SYNC, 2, hurt.EVERY_FILE)))()
    yield 0.5


@fault("a byte of the standby's log is flipped", 2)
def flip_byte(world, rng):
    host = world[other(serving(world).name)]
    host.kill_all()
    flip(host.path("data"), rng)
    yield rng.uniform(0.2, 1.0)
    host.up()
    yield 1.0


def flip(folder, rng):
    """One bit somewhere in what was written of a segment."""
    names = sorted(n for n in os.listdir(folder) if n.startswith("wal-") and n.endswith(".seg"))
    for name in names[-1:]:
        with open(os.path.join(folder, name), "r+b") as segment:
            used = len(segment.read().rstrip(b"\0"))
            at = rng.randrange(4096, max(used, 4097))
            segment.seek(at)
            byte = segment.read(1)
            segment.seek(at)
            segment.write(bytes([(byte or b"\0")[0] ^ 1 << rng.randrange(8)]))


@fault("a wall clock jumps")
def clock_jump(world, rng):
    host = either(world, rng)
    host.hurt.clock(rng.choice((-200_000, -5_000, 5_000, 200_000)))  # Slack allows 300 s
    yield rng.uniform(0.5, 1.5)
    if rng.random() < 0.5:
        host.signal("approvald", signal.SIGKILL)  # the other one goes on from such a time
        yield 1.0


# -- the arbiter -------------------------------------------------------------------------------------

@fault("kill the arbiter")
def kill_arbiter(world, rng):
    world.etcd.kill()
    yield rng.uniform(0.3, 2.0)


@fault("pause the arbiter")
def pause_arbiter(world, rng):
    world.etcd.freeze()
    yield rng.uniform(0.3, 3.0)
    world.etcd.thaw()


@fault("pause the arbiter while a change is on its way", 3)
def pause_arbiter_in_change(world, rng):
    world.etcd.freeze()
    world.net.cut_both("A", "B")
    yield rng.uniform(0.3, 2.0)
    world.etcd.thaw()
    yield rng.uniform(0.2, 1.0)


@fault("arbiter and a host together", 2)
def arbiter_and_host(world, rng):
    world.etcd.kill()
    either(world, rng).kill_all()
    yield rng.uniform(0.5, 2.5)


@fault("the hosts' paths to the arbiter", 2)
def cut_arbiter(world, rng):
    for name in rng.choice((("A",), ("B",), ("A", "B"))):
        world.net.cut_both(name, "arbiter")
    yield rng.uniform(0.3, 2.0)
    if rng.random() < 0.5:
        serving(world).signal("approvald", signal.SIGKILL)
        yield 1.0


@fault("an arbiter from an old copy")
def old_arbiter(world, rng):
    """A copy is taken, the register changes, the copy comes back: it must be refused. In the end
    the arbiter has its own data again."""
    world.etcd.kill()
    copy = world.path("arbiter", "copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(world.etcd.data, copy)
    world.etcd.start()
    before = epochs(world)
    command(serving(world), "switchover")
    yield 1.0
    if all(new > old for new, old in zip(epochs(world), before, strict=True)):
        yield from swapped_arbiter(world, rng, copy)  # else the copy would be as good as the own


def epochs(world):
    """What each host has seen in the register."""
    return [((status or {}).get("register") or {}).get("epoch", 0)
            for status in world.statuses().values()]


@fault("a wiped arbiter")
def wiped_arbiter(world, rng):
    empty = world.path("arbiter", "empty")
    shutil.rmtree(empty, ignore_errors=True)
    yield from swapped_arbiter(world, rng, empty, other_cluster=True)


def swapped_arbiter(world, rng, folder, other_cluster=False):
    """folder's data in the arbiter, a host hurt, the arbiter's own data again."""
    world.etcd.kill()
    own, world.etcd.data = world.etcd.data, folder
    port = world.etcd.peer_port
    world.etcd.peer_port += 10 if other_cluster else 0  # etcd makes its cluster's id of it
    try:
        world.etcd.start()
        yield rng.uniform(0.2, 1.0)
        rng.choice((lambda: either(world, rng).kill_all(),
                    lambda: either(world, rng).signal("approvald", signal.SIGKILL),
                    lambda: world.net.cut_both("A", "B")))()
        yield rng.uniform(0.5, 2.0)
    finally:
        world.etcd.kill()
        world.etcd.data, world.etcd.peer_port = own, port
    world.heal()
    yield 1.0
    yield from reseed(world)


def reseed(world):
    """A host that saw a wrong arbiter trusts none until the operator says so, there."""
    for _ in range(10):
        wrong = [world[name] for name, status in world.statuses().items()
                 if status and any(a["alarm"] == "arbiter_wrong" for a in status["alarms"])]
        for host in sorted(wrong, key=lambda host: not (host.status() or {}).get("serving")):
            command(host, "reseed")
        yield 0.5
        if not wrong:
            return


# -- the virtual IP ----------------------------------------------------------------------------------

@fault("delete the virtual IP")
def delete_vip(world, _rng):
    serving(world).member.run("ip", "address", "del", "10.77.0.100/24", "dev", "eth0", check=False)
    yield 1.5


@fault("stop keepalived")
def stop_keepalived(world, rng):
    host = either(world, rng)
    host.keepalived.terminate()
    yield rng.uniform(0.5, 2.0)


@fault("a wrong track file")
def track_file(world, rng):
    host = either(world, rng)
    with open(host.path("run", "vip-eligible"), "w", encoding="ascii") as track:
        track.write(rng.choice(("0", "1", "", "x")))
    yield rng.uniform(0.5, 1.5)
    serving(world).signal("approvald-supervisor", signal.SIGKILL)  # who starts writes it anew
    world[other(serving(world).name)].signal("approvald-supervisor", signal.SIGKILL)
    yield 0.3


@fault("nobody reads keepalived's FIFO")
def full_fifo(world, _rng):
    """While the supervisor is stopped the FIFO fills up; lines that make no sense come besides."""
    host = serving(world)
    pid = host.signal("approvald-supervisor", signal.SIGSTOP)
    with contextlib.suppress(OSError):
        fd = os.open(host.path("run", "keepalived.fifo"), os.O_WRONLY | os.O_NONBLOCK)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(fd, b'INSTANCE "approvald" BACKUP 254\nnonsense "\n' * 50)
        os.close(fd)
    yield 0.2
    with contextlib.suppress(ProcessLookupError, TypeError):
        os.kill(pid, signal.SIGCONT)
    yield 0.8


# -- what operators do -------------------------------------------------------------------------------

def command(host, words):
    """An operator's command; it may be refused, or nobody may be there."""
    with contextlib.suppress(*LOST):
        return host.control(words)
    return None


@fault("switch over", 3)
def switch_over(world, rng):
    for _ in range(rng.choice((1, 3))):
        command(either(world, rng), "switchover")
        yield rng.uniform(0.3, 1.5)


@fault("switch over and hurt it", 4)
def switch_over_hurt(world, rng):
    primary = serving(world)
    command_later(primary)
    yield rng.uniform(0.0, 0.1)
    rng.choice((lambda: primary.signal("approvald", signal.SIGKILL),
                lambda: world[other(primary.name)].signal("approvald", signal.SIGKILL),
                primary.kill_all, lambda: world.net.cut_both("A", "B"), world.etcd.freeze,
                lambda: world.net.isolate(primary.name)))()
    yield rng.uniform(1.0, 3.0)


def command_later(host):
    """Asks for a switchover and does not wait for the answer."""
    import socket
    sock = socket.socket(socket.AF_UNIX)
    with contextlib.suppress(*LOST), sock:
        sock.connect(host.path("run", "supervisor.sock"))
        sock.sendall(b"switchover\n")


@fault("maintenance")
def maintenance(world, rng):
    host = either(world, rng)
    command(host, "maintenance on")
    yield rng.uniform(0.5, 2.0)
    command(host, "maintenance off")


@fault("the standby begins anew", 2)
def rejoin(world, rng):
    host = world[other(serving(world).name)]
    if rng.random() < 0.5:
        command(host, "rejoin")
    else:
        host.kill_all()
        shutil.rmtree(host.path("data"))
        os.makedirs(host.path("data"), 0o700)
    yield rng.uniform(0.5, 2.0)


@fault("two at once", 8)
def two_at_once(world, rng):
    """The steps of two faults, in turns."""
    names = rng.sample([name for name in FAULTS if name not in ALONE], 2)
    world.note(" + ".join(names))
    turns = [FAULTS[name][0](world, rng) for name in names]
    while turns:
        for turn in list(turns):
            try:
                yield min(next(turn), 1.0)
            except StopIteration:
                turns.remove(turn)
            except (*LOST, NotInTime, AssertionError):  # the other fault has taken its ground away
                turns.remove(turn)


ALONE = ("two at once", "an arbiter from an old copy", "a wiped arbiter",
         "power off both hosts, on in either order")


# -- rounds ------------------------------------------------------------------------------------------

class Book:
    """Which faults are drawn, and what became of their rounds."""

    def __init__(self, rng, only=(), faults=FAULTS):
        self.rng = rng
        self.faults = {name: weight for name, (_, weight) in faults.items()
                       if not only or any(word in name for word in only)}
        if not self.faults:
            raise ValueError(f"no fault is called {only}")
        self.rounds = dict.fromkeys(self.faults, 0)
        self.failed = dict.fromkeys(self.faults, 0)

    def draw(self):
        """The next fault: one that was never drawn first, then by weight."""
        fresh = [name for name, count in self.rounds.items() if count == 0]
        if fresh:
            return self.rng.choice(fresh)
        names = list(self.faults)
        return self.rng.choices(names, [self.faults[name] for name in names])[0]

    def enter(self, name, good):
        self.rounds[name] += 1
        self.failed[name] += int(not good)

    def table(self):
        width = max(len(name) for name in self.rounds)
        lines = [f"{'fault':{width}}  rounds  failed"]
        lines += [f"{name:{width}}  {self.rounds[name]:6}  {self.failed[name]:6}"
                  for name in sorted(self.rounds)]
        return "\n".join(lines)


def hurt_world(world, name, seed, sleep=time.sleep, faults=FAULTS):
    """One fault from its beginning to its end, then everything is taken back."""
    function, _ = faults[name]
    begin = time.monotonic()
    try:
        for seconds in function(world, random.Random(seed)):
            sleep(seconds)
    finally:
        world.heal()
        forgive(world)
    return time.monotonic() - begin


def forgive(world):
    """What an operator does after the day's work: crashes are no reason to keep a host away."""
    for host in world.hosts.values():
        with contextlib.suppress(NotInTime):
            wait(lambda host=host: host.control("safe-mode-clear")["ok"],
                 f"{host.name}'s supervisor answers", 5)
