#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""vm.py: the real packages in two virtual machines with a hardware watchdog: hangs and power loss.

Owns the order of the cases and the count: prints one line each and, last, "N passed, M failed".
Needs root and what why_not names; without them it says why, and ends with 77. The packages are those
of make deb (make vm-check makes them first). What is printed is kept below the build directory when
a case fails.
"""

import argparse
import os
import shutil
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, *(os.path.join(HERE, "..", name) for name in ("packages", "", "cluster", "sup"))]
import image  # noqa: E402  the path is set above
import machine  # noqa: E402
import packages  # noqa: E402
from lib import ending  # noqa: E402
from room import Room  # noqa: E402
from vmfence import VmFence  # noqa: E402
from vmpair import VmPair  # noqa: E402


def why_not():
    """None when machines can be booted here, else the reason."""
    missing = [f"{tool} (package {package})" for tool, package in image.TOOLS.items()
               if shutil.which(tool) is None]
    if missing:
        return "no " + ", ".join(missing)
    if not os.path.exists("/dev/net/tun"):
        return "no /dev/net/tun (module tun)"
    return machine.why_not()


def run(args):
    passed = failed = 0
    room = Room(args.suite, 60 * args.minutes, args.debs)
    whole = False
    try:
        begin = time.monotonic()
        room.prepare()
        print(f"prepared in {time.monotonic() - begin:.1f} s", flush=True)
        pair = VmPair(room)
        passed, failed = packages.run_cases(pair, pair.CASES)
        if not failed:
            fence = VmFence(pair)
            more = packages.run_cases(fence, fence.CASES)
            passed, failed = passed + more[0], more[1]
        whole = not failed
    finally:  # out of time too
        leave(room, whole, args.keep)
    return passed, failed


def leave(room, whole, keep):
    """Of a run that was not whole its logs stay, and its folder where that was asked for."""
    keep = keep and not whole
    try:
        if not whole:
            room.keep_logs(os.path.join(room.cache, "vm-logs"))
    finally:
        if keep:
            print(f"kept: {room.dir}", flush=True)
        room.close(keep)


def main():
    parser = argparse.ArgumentParser(description="The packages in virtual machines.")
    parser.add_argument("--suite", default="bookworm", help="of Debian")
    parser.add_argument("--debs", help="the folder with the packages for it")
    parser.add_argument("--minutes", type=int, default=20, help="then it ends itself")
    parser.add_argument("--keep", action="store_true", help="the folder of a run that failed, disks too")
    args = parser.parse_args()
    reason = why_not()
    if reason:
        return ending.skipped(reason)
    return ending.of(lambda: run(args))


if __name__ == "__main__":
    sys.exit(main())
