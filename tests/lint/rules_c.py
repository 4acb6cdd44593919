# SPDX-License-Identifier: Apache-2.0
"""rules_c.py: what C files may include and call.

Owns the house's table of rooms, wrappers and banned calls, each exception with its reason.
Never compiles anything: clang-tidy sees what these rules cannot.
"""

import fnmatch
import re

from tree import Finding, includes, is_c, line_of, strip_c

ROOMS = ("base", "storage", "supervisor", "approvald", "tests")

# Which house headers a path may include: the first pattern that fits decides.
MAY_INCLUDE = (
    ("base/*", ("base/*",)),
    ("storage/*", ("storage/*", "base/*")),
    # The core that decides sees nothing of who asks it, and the arbiters nothing of who has them.
    ("supervisor/failover/*", ("supervisor/failover/*", "base/*")),
    ("supervisor/arbiter/*",
     ("supervisor/arbiter/*", "supervisor/failover/*", "supervisor/keeper.h", "supervisor/limits.h",
      "base/*")),
    ("supervisor/*", ("supervisor/*", "base/*")),
    (
        "approvald/core/*",
        ("approvald/core/*",)
        + tuple(f"base/{m}.h" for m in "err assert mem span buf pack text crypto tz".split()),
    ),
    ("approvald/service/*", ("approvald/service/*", "approvald/core/*", "storage/*", "base/*")),
    # Who sets a pair up knows nothing of the service.
    ("approvald/enrol/*", ("approvald/enrol/*", "base/*")),
    # A backup is checked where it is copied; its format is pure.
    ("approvald/ctl/*",
     ("approvald/ctl/*", "approvald/core/*", "approvald/enrol/*", "storage/backup_format.h",
      "base/*")),
    ("approvald/http/*", ("approvald/*", "storage/*", "base/*")),
    ("approvald/slack/*", ("approvald/*", "storage/*", "base/*")),
    ("approvald/webhook/*", ("approvald/*", "storage/*", "base/*")),
    ("approvald/*", ("approvald/*", "storage/*", "base/*", "supervisor/contract.h")),
    ("tests/*", ("*",)),
)

# Rooms of Slack, from the wire up: each uses those before it.
SLACK_ROOMS = ("wire", "people", "show", "outbound", "inbound", "socket")

# Rooms that never see each other.
STRANGERS = tuple(
    (f"approvald/slack/{room}/*",
     ("approvald/http/*", "approvald/webhook/*", "approvald/ctl/*")
     + tuple(f"approvald/slack/{later}/*" for later in SLACK_ROOMS[at + 1 :]))
    for at, room in enumerate(SLACK_ROOMS)
) + (
    ("approvald/http/*", ("approvald/slack/*", "approvald/webhook/*", "approvald/ctl/*")),
    ("approvald/slack/*", ("approvald/http/*", "approvald/webhook/*", "approvald/ctl/*")),
    ("approvald/webhook/*", ("approvald/http/*", "approvald/slack/*", "approvald/ctl/*")),
    ("approvald/service/*", ("approvald/http/*", "approvald/slack/*", "approvald/webhook/*")),
)

# tests/unit/cert.c makes the certificates that the tests of TLS need.
MBEDTLS_HOMES = (
    "base/crypto.c", "base/crypto_seal.c", "base/tls*.c", "base/tls_material.h", "base/x509*.c",
    "base/x509_internal.h", "tests/bench/*.c", "tests/unit/cert.c",
)  # fmt: skip

# Library header -> the only files that include it. tests/bench/ measures the libraries
# themselves, without our wrappers.
WRAPPERS = (
    ("lmdb.h", ("storage/store*.c", "storage/store_internal.h")),
    ("curl/*", ("base/fetch*.c", "base/fetch_call.h", "base/fetch_loop.h")),
    ("event2/http*.h", ("tests/*.c",)),  # evhttp serves nothing of ours: architecture.md
    ("cjson/*", ("base/json*.c", "tests/bench/*.c")),
    ("mbedtls/*", MBEDTLS_HOMES),
    ("psa/*", MBEDTLS_HOMES),
    ("confuse.h", ("base/conf*.c",)),
    ("systemd/*", ("base/notify*.c",)),
    ("wslay/*", ("approvald/slack/wire/websocket*.c",)),
    ("CUnit/*", ("tests/*",)),
)

# libevent belongs to shells, and only to their .c files.
LOOP_HEADERS = ("event2/*", "event.h", "evhttp.h", "evdns.h")
LOOP_FREE = ("approvald/core/*", "approvald/service/*", "approvald/ctl/*", "storage/*")

# Cores are functions of state and event: no time, no threads, no system calls.
IMPURE_HEADERS = (
    "time.h", "unistd.h", "pthread.h", "fcntl.h", "signal.h", "poll.h", "threads.h", "sys/*",
    "netinet/*", "arpa/*", "netdb.h",
)  # fmt: skip
CORE_FILES = (
    "approvald/core/*", "supervisor/contract.[ch]", "supervisor/failover/failover*.[ch]",
    "supervisor/failover/register.[ch]", "supervisor/watch.[ch]",
    "approvald/enrol/offer.[ch]", "approvald/enrol/message.[ch]",
    "approvald/enrol/texts.[ch]",
)  # fmt: skip
# stdio.h is there for snprintf alone.
IMPURE_CALLS = ("printf", "fprintf", "puts", "putchar", "fputs", "fopen", "fwrite", "fread", "getenv")

# Calls banned everywhere, with what to use.
BANNED = {
    "strcpy": "buf_append or memcpy with a size",
    "strcat": "buf_append",
    "stpcpy": "buf_append or memcpy with a size",
    "sprintf": "snprintf or buf_append_format",
    "vsprintf": "vsnprintf or buf_append_format",
    "gets": "getline with a limit",
    "atoi": "text_parse_u64",
    "atol": "text_parse_u64",
    "atoll": "text_parse_u64",
    "atof": "text_parse_u64",
    "strtok": "spans",
    "rand": "base/rng.h",
    "srand": "base/rng.h",
    "random": "base/rng.h",
    "tmpnam": "mkstemp",
    "mktemp": "mkstemp",
    "alloca": "a bounded array",
    "signal": "sigaction or a loop event",
}

# Calls that one module wraps: product code goes through it. Tests may call them.
WRAPPED = {
    "time": ("base/clock.c",),
    "clock_gettime": ("base/clock.c",),
    "gettimeofday": ("base/clock.c",),
    "localtime": (),
    "gmtime": (),
    "ctime": (),
    "system": (),
    "popen": (),
    "getrandom": ("base/rng.c",),
    "malloc": ("base/mem.c",),
    "calloc": ("base/mem.c",),
    "realloc": ("base/mem.c",),
    "free": ("base/mem.c",),
    "strdup": (),
    "strndup": (),
    "asprintf": (),
    # The supervisor has no storage room: its files are synced where they are written. A backup is
    # the admin's, wherever he wants it.
    "fsync": ("storage/disk*.c", "supervisor/memory.c", "supervisor/arbiter/mirror_file.c", "base/lastgood.c",
              "approvald/ctl/bundle.c", "approvald/ctl/cmd_backup.c", "approvald/ctl/cmd_notify.c",
              "approvald/enrol/files.c", "approvald/enrol/aside.c"),
    "fdatasync": ("storage/disk*.c", "supervisor/memory.c", "supervisor/arbiter/mirror_file.c"),
}

# exit, abort and _exit: in main.c, in base/assert.h, and in a forked child before exec.
EXITS = {
    "exit": ("*/main.c",),
    "abort": ("base/assert.h", "*/main.c"),
    "_exit": ("*/main.c",),
    "quick_exit": (),
}

# (path, call): why this one is right.
EXCEPTIONS = {
    ("approvald/ctl/program.c", "_exit"): "the forked child before exec has nothing to return to",
    ("supervisor/arbiter/agent.c", "_exit"): "the forked child before exec has nothing to return to",
    ("supervisor/child.c", "_exit"): "the forked child before exec has nothing to return to",
    ("base/conf_load.c", "free"): "scandir allocates what only free can give back",
    ("approvald/ctl/child.c", "_exit"): "the forked child before exec has nothing to return to",
    ("approvald/ctl/notify_run.c", "_exit"): "the forked child before exec has nothing to return to",
}


def _fits(path, patterns):
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def _allowed_includes(path):
    for pattern, allowed in MAY_INCLUDE:
        if fnmatch.fnmatchcase(path, pattern):
            return allowed
    return ()


def _strangers(path):
    for pattern, others in STRANGERS:
        if fnmatch.fnmatchcase(path, pattern):
            return others
    return ()


def include_directions(files):
    """base <- storage <- approvald; base <- supervisor; core sees base's pure parts only."""
    found = []
    for path, text in files.items():
        if not is_c(path) or path.split("/")[0] not in ROOMS:
            continue
        for line, name, system in includes(text):
            if system or name == "config.h":
                continue
            if not _fits(name, _allowed_includes(path)):
                found.append(Finding(path, line, f"may not include {name}: wrong direction"))
            elif _fits(name, _strangers(path)):
                found.append(Finding(path, line, f"may not include {name}: rooms kept apart"))
    return found


def whole_paths(files):
    """House headers are named from the top, so that a reader sees the room."""
    return [
        Finding(path, line, f'"{name}" does not begin with its room')
        for path, text in files.items()
        if is_c(path)
        for line, name, system in includes(text)
        if not system and name != "config.h" and name.split("/")[0] not in ROOMS
    ]


def one_wrapper(files):
    """One file per library, so that replacing a library touches one file."""
    found = []
    for path, text in files.items():
        if not is_c(path):
            continue
        for line, name, _system in includes(text):
            for header, homes in WRAPPERS:
                if fnmatch.fnmatchcase(name, header) and not _fits(path, homes):
                    found.append(Finding(path, line, f"{name} belongs to {', '.join(homes)}"))
    return found


def loop_in_shells(files):
    """libevent in shells' .c only."""
    found = []
    for path, text in files.items():
        if not is_c(path):
            continue
        barred = path.endswith(".h") or _fits(path, LOOP_FREE + CORE_FILES)
        for line, name, _system in includes(text):
            if barred and _fits(name, LOOP_HEADERS):
                found.append(Finding(path, line, f"{name}: libevent belongs to a shell's .c"))
    return found


def _calls(text):
    """(line, name) of every call of a plain name; members (x->time()) are not calls of time."""
    stripped = strip_c(text)
    for match in re.finditer(r"(?<![\w.>])([a-z_]\w*)\s*\(", stripped):
        yield line_of(stripped, match.start(1)), match.group(1)


def pure_core(files):
    """Cores include and call nothing that could act."""
    found = []
    for path, text in files.items():
        if not is_c(path) or not _fits(path, CORE_FILES):
            continue
        for line, name, system in includes(text):
            if system and _fits(name, IMPURE_HEADERS):
                found.append(Finding(path, line, f"{name}: a core makes no system call"))
        for line, name in _calls(text):
            if name in IMPURE_CALLS:
                found.append(Finding(path, line, f"{name}: a core neither prints nor reads"))
    return found


def banned_calls(files):
    """Calls that overflow, guess or hide state."""
    return [
        Finding(path, line, f"{name} is banned: use {BANNED[name]}")
        for path, text in files.items()
        if is_c(path)
        for line, name in _calls(text)
        if name in BANNED and (path, name) not in EXCEPTIONS
    ]


def wrapped_calls(files):
    """Calls that a module of base or storage wraps, so that tests can replace them."""
    found = []
    for path, text in files.items():
        if not is_c(path) or path.startswith("tests/"):
            continue
        for line, name in _calls(text):
            homes = WRAPPED.get(name)
            if homes is None or _fits(path, homes) or (path, name) in EXCEPTIONS:
                continue
            where = ", ".join(homes) or "nowhere"
            found.append(Finding(path, line, f"{name} may be called in: {where}"))
    return found


def exits(files):
    """A library never ends its process."""
    found = []
    for path, text in files.items():
        if not is_c(path) or path.startswith("tests/"):
            continue
        for line, name in _calls(text):
            homes = EXITS.get(name)
            if homes is None or _fits(path, homes) or (path, name) in EXCEPTIONS:
                continue
            found.append(Finding(path, line, f"{name} may be called in: {', '.join(homes)}"))
    return found


def used_exceptions(files):
    """An exception that nothing needs any more is removed."""
    found = []
    for path, name in EXCEPTIONS:
        text = files.get(path)
        if text is not None and name not in {call for _line, call in _calls(text)}:
            found.append(Finding(path, 1, f"the exception for {name} is not used"))
    return found


# name: (rule, a tree that breaks it, a tree that keeps it)
RULES = {
    "include-directions": (
        include_directions,
        (
            {"base/a.c": '#include "storage/wal.h"\n'},
            {"storage/a.c": '#include "approvald/core/types.h"\n'},
            {"approvald/core/a.c": '#include "base/log.h"\n'},
            {"approvald/http/a.c": '#include "approvald/slack/x.h"\n'},
            {"approvald/slack/a.c": '#include "approvald/webhook/x.h"\n'},
            {"approvald/slack/wire/a.c": '#include "approvald/slack/show/x.h"\n'},
            {"approvald/slack/show/a.c": '#include "approvald/http/x.h"\n'},
            {"approvald/webhook/a.h": '#include "approvald/http/x.h"\n'},
            {"supervisor/failover/a.c": '#include "supervisor/arbiter/x.h"\n'},
            {"supervisor/arbiter/a.c": '#include "supervisor/sup.h"\n'},
            {"supervisor/a.c": '#include "approvald/core/types.h"\n'},
            {"approvald/ctl/a.c": '#include "approvald/service/service.h"\n'},
            {"approvald/enrol/a.c": '#include "approvald/ctl/ctl.h"\n'},
            {"approvald/pair.c": '#include "supervisor/failover/failover.h"\n'},
            {"storage/pair.c": '#include "supervisor/contract.h"\n'},
        ),
        {
            "storage/a.c": '#include "base/buf.h"\n#include "storage/wal.h"\n',
            "approvald/core/a.c": '#include "base/err.h"\n#include "approvald/core/types.h"\n',
            "approvald/http/a.c": '#include "approvald/service/service.h"\n',
            "approvald/pair.c": '#include "supervisor/contract.h"\n',
            "approvald/slack/socket/a.c": '#include "approvald/slack/inbound/x.h"\n',
            "supervisor/a.c": '#include "supervisor/failover/failover.h"\n#include "base/log.h"\n',
            "tests/unit/a.c": '#include "approvald/http/x.h"\n#include "approvald/slack/x.h"\n',
        },
    ),
    "whole-paths": (
        whole_paths,
        ({"base/a.c": '#include "buf.h"\n'},),
        {"base/a.c": '#include "base/buf.h"\n#include "config.h"\n#include <stdio.h>\n'},
    ),
    "one-wrapper": (
        one_wrapper,
        (
            {"storage/wal.c": "#include <lmdb.h>\n"},
            {"approvald/ctl/a.c": "#include <curl/curl.h>\n"},
            {"approvald/http/routes.c": "#include <event2/http.h>\n"},
            {"approvald/core/a.c": "#include <cjson/cJSON.h>\n"},
            {"storage/hash.c": "#include <mbedtls/md.h>\n"},
            {"base/buf.c": "#include <CUnit/CUnit.h>\n"},
        ),
        {
            "storage/store.c": "#include <lmdb.h>\n",
            "base/fetch.c": "#include <curl/curl.h>\n",
            "tests/bench/*.c": "#include <event2/http.h>\n",
            "base/json.c": "#include <cjson/cJSON.h>\n",
            "base/tls.c": "#include <mbedtls/ssl.h>\n",
        },
    ),
    "loop-in-shells": (
        loop_in_shells,
        (
            {"base/fetch.h": "#include <event2/event.h>\n"},
            {"storage/writer.c": "#include <event2/event.h>\n"},
            {"approvald/service/a.c": "#include <event2/event.h>\n"},
            {"supervisor/failover/failover_seek.c": "#include <event2/event.h>\n"},
        ),
        {"base/fetch.c": "#include <event2/event.h>\n"},
    ),
    "pure-core": (
        pure_core,
        (
            {"approvald/core/a.c": "#include <time.h>\n"},
            {"approvald/core/a.c": 'printf("x");\n'},
            {"supervisor/failover/failover_seek.c": "#include <time.h>\n"},
            {"supervisor/watch.c": "#include <unistd.h>\n"},
            {"supervisor/failover/register.h": "#include <sys/types.h>\n"},
            {"supervisor/contract.c": 'puts("x");\n'},
        ),
        {
            "approvald/core/a.c": "#include <string.h>\n",
            "storage/a.c": "#include <time.h>\n",
            "supervisor/arbiter/arbiter.c": "#include <unistd.h>\n",
        },
    ),
    "banned-calls": (
        banned_calls,
        (
            {"base/a.c": "void f(char *t)\n{\n    strcpy(t, t);\n}\n"},
            {"tests/unit/a.c": "int x = atoi (argv[1]);\n"},
            {"storage/a.c": "int x = rand();\n"},
        ),
        {
            "base/a.c": "/* strcpy(a, b) */\nconst char *t = \"atoi(\";\nmy_strcpy(a);\n"
            "x->random(1);\n"
        },
    ),
    "wrapped-calls": (
        wrapped_calls,
        (
            {"approvald/http/a.c": "x = time(NULL);\n"},
            {"approvald/core/a.c": "x = malloc(3);\n"},
            {"storage/wal.c": "fsync(fd);\n"},
            {"approvald/ctl/a.c": "system(line);\n"},
        ),
        {
            "base/clock.c": "x = clock_gettime(CLOCK_BOOTTIME, &t);\n",
            "storage/disk.c": "fdatasync(fd);\n",
            "tests/unit/a.c": "free(malloc(3));\n",
            "base/a.c": "disk->fsync(fd); mem_free(x);\n",
        },
    ),
    "exits": (
        exits,
        (
            {"storage/a.c": "exit(1);\n"},
            {"approvald/ctl/run.c": "_exit(127);\n"},
            {"base/err.c": "abort();\n"},
        ),
        {"approvald/main.c": "exit(1);\n", "base/assert.h": "abort();\n"},
    ),
    "used-exceptions": (
        used_exceptions,
        ({"approvald/ctl/child.c": "return;\n"},),
        {"approvald/ctl/child.c": "_exit(127);\n"},
    ),
}
