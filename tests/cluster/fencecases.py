# SPDX-License-Identifier: Apache-2.0
"""fencecases.py: named cases of the arbiter "fence", on the real pair with a fake power switch.

Owns nothing but its cases (see cases.py). Never believes a status: who is off has no processes.
"""

import signal
import time

from cases import Watched, asks, case, finish, say
from fenceworld import FenceWorld
from world import other, wait

FENCED_S = 20  # wait, delay, a few runs of an agent, and a busy machine


def take_over(world, fault):
    """The primary is hurt; the other one switches it off and serves. (the primary, watched)"""
    world.wait_believed()
    one = Watched(world, clients=2)
    host = world.primary()
    survivor = world[other(host.name)]
    one.fault(lambda: fault(host))
    wait(lambda: not host.alive() and not world.switch.outlets[host.name],
         f"{host.name} is switched off", FENCED_S)
    wait(survivor.serves, f"{survivor.name} serves", FENCED_S)
    assert not world.switch.outlets[host.name], "its outlet is on"
    one.end(1.0)
    return host, one


def stays_down(world, host, seconds, words):
    """The other host does not take over, and says aloud why."""
    survivor = world[other(host.name)]
    wait(lambda: asks(survivor, words), f"{survivor.name} says: {words}", FENCED_S)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert not survivor.serves(), "it took over without a confirmed off"
        time.sleep(0.05)


@case("fence: a lost primary is switched off, and the standby takes over", world=FenceWorld)
def fence_lost(world, _runs):
    host, one = take_over(world, lambda host: host.power_off())
    took = one.first()
    host.power_on()
    finish(world, one)
    return f"after {say([took])}; it stays off until it is switched on, then follows"


@case("fence: a frozen primary is switched off, and does not wake up",
      quick=0, world=FenceWorld)
def fence_frozen(world, _runs):
    host, one = take_over(world, lambda host: host.signal_all(signal.SIGSTOP))
    host.power_on()
    wait(lambda: (host.status() or {}).get("role") == "standby", f"{host.name} follows", 30)
    finish(world, one)
    return f"after {say([one.first()])}"


@case("fence: a cut link leaves the primary, and switches the standby off", world=FenceWorld)
def fence_cut(world, _runs):
    world.wait_believed()
    one = Watched(world, clients=2)
    host, standby = world.primary(), world.standby()
    one.fault(lambda: world.net.cut_both("A", "B"))
    wait(lambda: not standby.alive(), "the standby is off", FENCED_S)
    wait(host.serves, "the primary serves", FENCED_S)
    one.end(4.0)  # longer than the standby's delay
    assert host.alive() and world.switch.outlets[host.name], "both were switched off"
    assert (standby.name, "off") in world.switch.asked
    assert (host.name, "off") not in world.switch.asked, "the standby was not late enough"
    finish(world, one)
    return f"a pause of {say([one.gap()])}"


@case("fence: a standby that is restarted is not switched off", world=FenceWorld)
def fence_restart(world, _runs):
    world.wait_believed()
    one = Watched(world, clients=2)
    host = world.standby()
    one.fault(host.stop)
    time.sleep(3.0)  # much longer than fence.wait
    assert (host.name, "off") not in world.switch.asked, "it was switched off"
    host.up()
    world.wait_paired()
    one.end(0.5)
    assert (host.name, "off") not in world.switch.asked
    finish(world, one)
    return f"a pause of {say([one.gap()])}"


@case("fence: a dead device is told before it is needed, and nobody takes over", world=FenceWorld)
def fence_dead(world, _runs):
    world.wait_believed()
    host = world.primary()
    survivor = world[other(host.name)]
    world.switch.modes[host.name] = "dead"

    def warned():
        return any(alarm["alarm"] == "arbiter_down" and "fence device peer" in alarm["reason"]
                   for alarm in survivor.status()["alarms"])
    wait(warned, "the dead device is an alarm", 10)
    one = Watched(world, clients=2)
    one.fault(host.power_off)
    stays_down(world, host, 5.0, "not fenced: peer: off:")
    world.switch.modes[host.name] = "good"
    wait(survivor.serves, "it takes over when the device is back", FENCED_S)
    one.end(0.5)
    finish(world, one)
    return "and takes over when it is mended"


@case("fence: an agent that hangs is killed, and nobody takes over", world=FenceWorld)
def fence_hangs(world, _runs):
    world.wait_believed()
    host = world.primary()
    survivor = world[other(host.name)]
    one = Watched(world, clients=2)
    world.switch.modes[host.name] = "hang"
    one.fault(host.power_off)
    stays_down(world, host, 7.0, "no answer in time")
    assert survivor.status()["child"]["state"] == "up", "the supervisor waited for the agent"
    world.switch.modes[host.name] = "good"
    wait(survivor.serves, "it takes over when the device answers", FENCED_S)
    one.end(0.5)
    finish(world, one)
    return "and takes over when it answers"


@case("fence: who takes \"off\" and leaves the power on has fenced nobody",
      quick=0, world=FenceWorld)
def fence_lies(world, _runs):
    world.wait_believed()
    host = world.primary()
    one = Watched(world, clients=2)
    world.switch.modes[host.name] = "idle"
    one.fault(lambda: host.signal_all(signal.SIGSTOP))
    stays_down(world, host, 5.0, "says that the other host is on")
    host.signal_all(signal.SIGCONT)
    world.wait_paired()  # else it is still wanted off, and a device that is mended does it
    one.end(0.5)
    world.switch.modes[host.name] = "good"
    finish(world, one)
    return "and the primary goes on when it wakes up"


@case("fence: a device with a wrong plug is not believed",
      quick=0, world=FenceWorld)
def fence_wrong(world, _runs):
    world.wait_believed()
    host = world.primary()
    survivor = world[other(host.name)]
    world.switch.modes[host.name] = "wrong"
    wait(lambda: survivor.status()["fence"]["phase"] == "trouble", "it is noticed", 30)
    one = Watched(world, clients=2)
    one.fault(lambda: host.signal_all(signal.SIGSTOP))
    stays_down(world, host, 4.0, "not fenced: peer said \"off\"")
    host.signal_all(signal.SIGCONT)
    world.wait_paired()
    one.end(0.5)
    assert (host.name, "off") not in world.switch.asked, "something was switched off by it"
    world.switch.modes[host.name] = "good"
    finish(world, one)
    return "nothing is switched off by it"
