# SPDX-License-Identifier: Apache-2.0
"""slackfaults.py: what happens between the pair and Slack while people press.

Owns the table of these faults, as nemesis.py owns its own: a fault is a generator that hurts the world
and yields for how long; what it broke SlackWorld.heal takes back. A name begins with its kind. Never
looks at results.
"""

import math
import signal

from nemesis import command, serving
from world import other

FAULTS = {}
CUT_MAX_S = 60.0
KINDS = ("refresh", "kill", "switchover", "host", "proxy", "cut")


def fault(name, weight=2):
    """Enters the generator function into the table."""
    def enter(function):
        assert name not in FAULTS and name.split(":")[0] in KINDS
        FAULTS[name] = (function, weight)
        return function
    return enter


def numbers(world):
    return [each["number"] for each in world.slack("sockets")["connections"]]


# -- refresh: Slack ends sockets ---------------------------------------------------------------------

for _reason in ("refresh_requested", "warning", "too_many_websockets"):
    def _refresh(world, rng, reason=_reason):
        for number in rng.sample(numbers(world), rng.choice((1, 2)))[:2]:
            world.slack("socket_disconnect", reason=reason, connection=number,
                        close_after=rng.choice((0.05, 0.5, 2.0, 5.0)))
            yield rng.uniform(0.0, 1.0)
        yield rng.uniform(1.0, 4.0)

    fault(f"refresh: {_reason}", 2)(_refresh)


@fault("refresh: link_disabled", 1)
def link_disabled(world, rng):
    """Switched off in the app's settings, and on again; the admin reloads."""
    world.slack("config", socket_mode=False)
    world.slack("socket_disconnect", reason="link_disabled", close_after=rng.choice((0.05, 1.0)))
    yield rng.uniform(0.5, 4.0)
    world.slack("config", socket_mode=True)
    serving(world).signal("approvald", signal.SIGHUP)
    yield 1.0


@fault("refresh: sockets are cut", 1)
def sockets_cut(world, rng):
    for number in rng.choice((numbers(world), numbers(world)[:1])):
        world.slack("socket_cut", connection=number)
    yield rng.uniform(0.5, 3.0)


@fault("refresh: a socket goes half-open", 1)
def half_open(world, rng):
    """It is counted and chosen, and nothing of it arrives, until silence is death."""
    world.slack("socket_haunt", connection=rng.choice(numbers(world)))
    yield rng.uniform(2.0, 8.0)


# -- kill: approvald dies ----------------------------------------------------------------------------

@fault("kill: the primary's approvald", 3)
def kill(world, rng):
    serving(world).signal("approvald", signal.SIGKILL)
    yield rng.uniform(0.5, 3.0)


@fault("kill: again and again", 2)
def kill_often(world, rng):
    for _ in range(3):
        serving(world).signal("approvald", signal.SIGKILL)
        yield rng.uniform(0.2, 2.0)


@fault("kill: with presses in its hands", 2)
def kill_holding(world, rng):
    host = serving(world)
    host.signal("approvald", signal.SIGSTOP)
    yield rng.uniform(0.05, 0.4)
    host.signal("approvald", signal.SIGKILL)
    yield rng.uniform(0.5, 2.0)


@fault("kill: both approvalds", 1)
def kill_both(world, rng):
    for name in rng.sample(list(world.hosts), 2):
        world[name].signal("approvald", signal.SIGKILL)
    yield rng.uniform(0.5, 2.0)


# -- switchover, host --------------------------------------------------------------------------------

@fault("switchover", 6)
def switchover(world, rng):
    for _ in range(rng.choice((1, 1, 2))):
        command(serving(world), "switchover")
        yield rng.uniform(0.5, 2.5)


@fault("switchover: and the old primary dies", 2)
def switchover_hurt(world, rng):
    host = serving(world)
    command(host, "switchover")
    yield rng.uniform(0.0, 0.2)
    host.signal("approvald", signal.SIGKILL)
    yield rng.uniform(0.5, 2.0)


@fault("host: the primary loses its power", 5)
def lose_primary(world, rng):
    serving(world).power_off()
    yield rng.uniform(1.0, 5.0)


@fault("host: the standby loses its power", 1)
def lose_standby(world, rng):
    world[other(serving(world).name)].power_off()
    yield rng.uniform(1.0, 4.0)


@fault("host: both lose their power", 1)
def lose_both(world, rng):
    for name in rng.sample(list(world.hosts), 2):
        world[name].power_off()
        yield rng.uniform(0.0, 0.5)
    yield rng.uniform(0.5, 3.0)


# -- proxy, cut --------------------------------------------------------------------------------------

@fault("proxy: restarts", 6)
def proxy_restarts(world, rng):
    for _ in range(rng.choice((1, 1, 2))):
        world.kill_proxy()
        yield rng.choice((0.0, 0.3, 2.0, 6.0))
        world.start_proxy()
        yield rng.uniform(0.3, 1.0)


def cut_s(rng):
    """1 to 60 s, short ones more often; in a quick check the long ones are cut short."""
    return min(CUT_MAX_S, math.exp(rng.uniform(0.0, math.log(60.0))))


@fault("cut: between the proxy and Slack", 3)
def cut_slack(world, rng):
    world.net.cut_both("proxy", "client")
    yield cut_s(rng)


@fault("cut: between both hosts and the proxy", 2)
def cut_proxy(world, rng):
    for name in world.hosts:
        world.net.cut_both(name, "proxy")
    yield cut_s(rng)


@fault("cut: only what Slack says", 1)
def cut_half(world, rng):
    """One direction: acknowledgements arrive, presses do not; or the other way round."""
    world.net.cut(*rng.choice((("proxy", "client"), ("client", "proxy"))))
    yield cut_s(rng)


@fault("cut: the primary from everything", 2)
def cut_primary(world, rng):
    world.net.isolate(serving(world).name)
    yield cut_s(rng)


@fault("cut: between the hosts", 1)
def cut_pair(world, rng):
    world.net.cut_both("A", "B")
    yield cut_s(rng)
