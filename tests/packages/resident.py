# SPDX-License-Identifier: Apache-2.0
"""resident.py: what the kernel says of a process on a host: memory, limits, whether others may look.

Owns the reading of /proc. Never changes a process.
"""

import contextlib
import os
import re
import struct

PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
PRESENT, FRAME = 1 << 63, (1 << 55) - 1  # of an entry of /proc/PID/pagemap
PROGRAMS = ("approvald-supervisor", "approvald")


def pid_of(host, program):
    """The one process of that program."""
    said = host.run("sh", "-c", f"grep -lx '{program[:15]}' /proc/[0-9]*/comm || :")
    [path] = said.split()
    return int(path.split("/")[2])


def status(host, pid):
    """{field: its words} of /proc/PID/status."""
    said = host.run("cat", f"/proc/{pid}/status")
    return {name: words.split() for name, words in re.findall(r"^(\w+):\s+(.*)$", said, re.M)}


def limit(host, pid, name):
    """[soft, hard] of /proc/PID/limits."""
    said = host.run("cat", f"/proc/{pid}/limits")
    return re.search(rf"^{name}\s+(\S+)\s+(\S+)", said, re.M).groups()


class Memory:
    """KiB of one process: all that is mapped and there, its share of it, and what is its own alone."""

    def __init__(self, host, pid):
        field = {name: int(kib) for name, kib in
                 re.findall(r"^(\w+):\s+(\d+) kB$", host.run("cat", f"/proc/{pid}/smaps_rollup"), re.M)}
        self.rss, self.pss, self.anonymous = field["Rss"], field["Pss"], field["Anonymous"]
        self.private = field["Private_Clean"] + field["Private_Dirty"]

    def told(self):
        return (f"RSS {self.rss / 1024:.1f}, PSS {self.pss / 1024:.1f}, private {self.private / 1024:.1f}, "
                f"anonymous {self.anonymous / 1024:.1f}")


def seen_from_here(host, pid):
    """The number that a process of the container has outside of it."""
    space = os.readlink(f"/proc/{host.pid}/ns/pid")
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{name}/ns/pid") == space:
                with open(f"/proc/{name}/status", encoding="utf-8") as status_file:
                    inside = re.search(r"^NSpid:.*\s(\d+)$", status_file.read(), re.M).group(1)
                if int(inside) == pid:
                    return int(name)
    raise AssertionError(f"{host.name}: no process {pid}")


def frames(host, pid):
    """The numbers of the pages of memory behind what a process has mapped."""
    outside, found = seen_from_here(host, pid), set()
    with open(f"/proc/{outside}/maps", encoding="utf-8") as maps, open(f"/proc/{outside}/pagemap", "rb") as pages:
        for line in maps:
            if line.rstrip().endswith(("[vsyscall]", "[vvar]", "[vvar_vclock]", "[vdso]")):
                continue  # the kernel's own
            begin, end = (int(word, 16) // PAGE_SIZE for word in line.split()[0].split("-"))
            while begin < end:  # a piece at a time: what only is reserved may be gigabytes
                count = min(end - begin, 1 << 16)
                pages.seek(begin * 8)
                entries = struct.unpack(f"={count}Q", pages.read(count * 8))
                found |= {entry & FRAME for entry in entries if entry & PRESENT}
                begin += count
    assert len(found) > 100, f"{host.name}: the kernel does not say which pages {pid} has"
    return found


def together_kib(host, pids):
    """KiB of memory behind these processes, what several of them map counted once."""
    return len(set().union(*(frames(host, pid) for pid in pids))) * PAGE_SIZE // 1024


def parts(host, pid, count=12):
    """[(KiB there, KiB of its own, what)], the largest first: where the memory of a process is."""
    found = {}
    what = None
    for line in host.run("cat", f"/proc/{pid}/smaps").split("\n"):
        head = re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+\s*(.*)$", line)
        if head:
            what = head.group(1) or "anonymous"
            continue
        field = re.match(r"(Rss|Private_Clean|Private_Dirty):\s+(\d+) kB", line)
        if field:
            there, own = found.get(what, (0, 0))
            kib = int(field.group(2))
            found[what] = (there + kib, own) if field.group(1) == "Rss" else (there, own + kib)
    return sorted(((there, own, what) for what, (there, own) in found.items()), reverse=True)[:count]


def may_be_looked_into(host, pid):
    """Whether a process with the same user and group, but without privileges over others, could read
    it; where a core of it could be had, too (PR_SET_DUMPABLE)."""
    words = status(host, pid)
    user, group = words["Uid"][0], words["Gid"][0]
    if user != "0":  # the kernel gives what is not dumpable to root
        return host.run("stat", "-c", "%u", f"/proc/{pid}/environ").strip() == user
    # Each of the three would be a privilege to look into any process.
    without = "--bounding-set=-sys_ptrace,-perfmon,-sys_admin --inh-caps=-all"
    return host.run("sh", "-c", f"setpriv --regid={group} --clear-groups {without} -- cat /proc/{pid}/environ "
                                ">/dev/null 2>&1; echo $?").strip() == "0"
