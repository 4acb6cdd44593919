# SPDX-License-Identifier: Apache-2.0
"""hurt.py: hurts a running approvald: its disk and clock through hurt.c, one thread by ptrace.

Owns the page that hurt.c reads. Never hurts anything but the process that was given to it.
"""

import ctypes
import errno
import mmap
import os
import struct
import threading
import time

WAL, STATE, OTHER = 1, 2, 4
EVERY_FILE = WAL | STATE | OTHER
LAYOUT = struct.Struct("=7Ii2I")
FIELDS = ("kinds", "sync_errno", "write_errno", "sync_delay_us", "write_delay_us", "left", "handed",
          "clock_ms", "die_at", "die_left")
BEFORE_WRITE, AFTER_WRITE, BEFORE_SYNC, AFTER_SYNC = 1, 2, 3, 4
FOREVER = 0x7FFFFFFF

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WNOHANG, WALL = 1, 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)


class Hurt:
    """The page of one approvald."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as page:
            page.write(bytes(4096))
        with open(path, "r+b") as page:
            self.page = mmap.mmap(page.fileno(), 4096)

    def environment(self, library):
        return {"HURT_FILE": self.path, "LD_PRELOAD": library}

    def set(self, **fields):
        values = dict(zip(FIELDS, LAYOUT.unpack_from(self.page), strict=True))
        values.update(fields)
        # What is hurt comes last: until then the rest has no effect.
        kinds, values["kinds"] = values["kinds"], 0
        LAYOUT.pack_into(self.page, 0, *(values[name] for name in FIELDS))
        struct.pack_into("=I", self.page, 0, kinds)

    def get(self, field):
        return LAYOUT.unpack_from(self.page)[FIELDS.index(field)]

    def fail_sync(self, kinds=WAL, number=errno.EIO, count=FOREVER):
        self.set(kinds=kinds, sync_errno=number, write_errno=0, left=count, handed=0)

    def fail_write(self, kinds=WAL, number=errno.EIO, count=FOREVER):
        self.set(kinds=kinds, write_errno=number, sync_errno=0, left=count, handed=0)

    def die(self, where, count, kinds=WAL):
        """Killed at the count-th passage of a write or sync."""
        self.set(kinds=kinds, sync_errno=0, write_errno=0, die_at=where, die_left=count)

    def slow_sync(self, milliseconds, kinds=WAL):
        self.set(kinds=kinds, sync_delay_us=milliseconds * 1000)

    def clock(self, milliseconds):
        self.set(clock_ms=milliseconds)

    def clear(self):
        self.set(**dict.fromkeys(FIELDS, 0))

    def close(self):
        self.page.close()


class Frozen:
    """One thread of a process, held by ptrace: as if it hung in a call. A kill still ends it."""

    def __init__(self, tid):
        self.tid = tid
        self.held = threading.Event()
        self.let_go = threading.Event()
        self.problem = None
        self.thread = threading.Thread(target=self._hold, daemon=True)
        self.thread.start()
        self.held.wait(5)
        if self.problem:
            raise OSError(f"thread {tid} cannot be held: {self.problem}")

    def _ptrace(self, request):
        if LIBC.ptrace(request, self.tid, None, None) != 0:
            self.problem = os.strerror(ctypes.get_errno())
            return False
        return True

    def _hold(self):
        """All by one thread: the tracer of a thread is a thread."""
        if self._ptrace(PTRACE_SEIZE) and self._ptrace(PTRACE_INTERRUPT):
            self._wait(0)
            self.held.set()
            while not self.let_go.wait(0.005):
                if self._wait(WNOHANG):
                    return  # it was killed
            self._ptrace(PTRACE_DETACH)
        self.held.set()

    def _wait(self, options):
        """True when the thread has ended."""
        try:
            tid, status = os.waitpid(self.tid, options | WALL)
        except ChildProcessError:
            return True
        return tid != 0 and (os.WIFSIGNALED(status) or os.WIFEXITED(status))

    def release(self):
        self.let_go.set()
        self.thread.join(5)


def threads(pid):
    """{tid: name} of a process, in order of creation."""
    found = {}
    for tid in sorted(int(name) for name in os.listdir(f"/proc/{pid}/task")):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="utf-8", errors="replace") as comm:
            found[tid] = comm.read().strip()
    return found


def thread_state(pid, tid):
    with open(f"/proc/{pid}/task/{tid}/stat", encoding="utf-8", errors="replace") as stat:
        return stat.read().rpartition(")")[2].split()[0]


def wait_state(pid, tid, states, seconds=60):
    until = time.monotonic() + seconds
    while thread_state(pid, tid) not in states:
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True
