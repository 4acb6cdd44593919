# SPDX-License-Identifier: Apache-2.0
"""support.py: what a host gives to who helps (doctor --bundle), and that no secret of it is in there.

Owns what it plants in the journal, in a report of a crash and in the settings, and takes it away. Never
looks for secrets that it does not know: planted.py has the spellings.
"""

import base64
import io
import json
import os
import re
import tarfile
import urllib.parse

import planted
from lib import harness
from single import as_who
from slackside import FENCE_PASSWORD, HOOK_PATH, PLANTED, PROXY_PASSWORD
from stage import TOKENS, VIP

FILE, CRASHES = "/srv/approvald-bundle.tar.gz", "/var/lib/approvald/crash-7"
SETTINGS = "/etc/approvald/approvald.conf.d/80-notes.conf"
FILES = {"about.txt", "doctor.txt", "status.json", "approvald.conf", "supervisor.conf", "metrics.txt", "journal.txt",
         "crashes.txt", "files.txt"}
WORDS = {"title": "planted-title-word", "reason": "planted-reason-word", "details": "planted-details-word"}
# Known by their looks alone: they are in no file of the host, and spelled otherwise they have none.
BY_LOOKS = ("seed", "token of ", "join token of ")
SEED = r"\b[A-Z2-7]{26,}\b"


def secrets_of(host, joins):
    """{name: text} of all that this host has to keep for itself."""
    found = {**PLANTED, **WORDS, "fence password": FENCE_PASSWORD, "proxy password": PROXY_PASSWORD,
             "webhook's path": HOOK_PATH}
    found |= {f"join token of the {role}": token for role, token in joins.items()}
    for who in ("ci", "ana"):
        found[f"token of {who}"] = host.run("cat", f"{TOKENS}/{who}").strip()
    found["seed"] = re.search(SEED, host.run("approvalctl", "step-up", "enrol", harness.BEN)).group(0)
    names = host.run("sh", "-c", "grep -rl 'PRIVATE KEY' /etc/approvald").split()
    assert len(names) >= 4, names  # the pair's and the arbiter's, and their authorities'
    for name in names:
        found |= {f"{name}, line {number}": line
                  for number, line in planted.lines_of(host.run("cat", name)).items()}
    return found


def notes_of(secrets):
    """Lines as a program might say them that is not careful, each secret as it is and as it is written in
    forms, headers and dumps."""
    for name, value in secrets.items():
        if name in WORDS:
            continue  # these are looked for where requests are
        yield f"planted: got {value}"
        yield f'planted: {json.dumps({"value": value})}'
        yield f"planted: token={urllib.parse.quote_plus(value)}&trigger=1"
        yield f"planted: Authorization: Basic {base64.b64encode(b'svc:' + value.encode()).decode()}"
        if not name.startswith(BY_LOOKS):
            yield f"planted: {value.encode().hex()}"
            yield f"planted: {base64.b64encode(value.encode()).decode()}"


def plant(host, secrets):
    """Into the journal of a unit of ours, a report of a crash, comments of the settings, and a request."""
    notes = list(notes_of(secrets))
    host.write("/srv/notes", "\n".join([*notes, "planted: the end", ""]), 0o600)
    host.run("systemd-run", "--quiet", "--wait", "--unit=approvald-planted", "cat", "/srv/notes")
    host.write(CRASHES, "\n".join(["crash-report 1", "program approvald 1", "signal SIGBUS", *notes])[:8000], 0o600)
    host.write(SETTINGS, "".join(f"# {note}\n" for note in notes))
    as_who(host, "ci", VIP, "request", "--policy", "prod-deploy", "--requester", harness.RITA,
           *(word for name, value in WORDS.items() for word in (f"--{name}", value)))


def clear(host):
    host.run("rm", "-f", FILE, CRASHES, SETTINGS, "/srv/notes")
    host.run("approvalctl", "step-up", "remove", harness.BEN, check=None)  # of whoever leads


def unpacked(host):
    """{name: text} of the archive."""
    mode, owner = host.run("stat", "-c", "%a %u", FILE).split()
    assert (mode, owner) == ("600", "0"), (mode, owner)
    with open(host.file(FILE), "rb") as file:
        content = file.read()
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
        assert all(member.mode & 0o077 == 0 for member in members), members
        return {os.path.basename(member.name): archive.extractfile(member).read().decode() for member in members}


def must_help(files):
    """What whoever helps asks for first."""
    assert set(files) == FILES, sorted(files)
    own, supervisor = (json.loads(line) for line in files["status.json"].strip().split("\n"))
    assert own["version"] == supervisor["version"] and own["version"] in files["about.txt"], files["about.txt"]
    assert supervisor["watchdog"]["before"] == "host went down", supervisor["watchdog"]
    assert supervisor["child"]["crash_count"] == 1, supervisor["child"]
    wanted = {"doctor.txt": ("ok    protection: every answer is on both hosts", "approvald crashed"),
              "crashes.txt": ("program approvald ", "program approvald-supervisor ", "frame approvald+0x"),
              "journal.txt": ("planted: the end", "systemd[1]: ", "Keepalived", "approvald"),
              "approvald.conf": ('api_url = "https://', "hooks.example.com/[removed]"),
              "supervisor.conf": ('kind = "etcd"', 'peer_address = "'),
              "metrics.txt": ("approvald_storage_lsn", "approvald_config_last_good 0"),
              "files.txt": ("/var/lib/approvald\n", "/var/lib/approvald-supervisor\n", "last-good.conf")}
    for name, words in wanted.items():
        missing = [word for word in words if word not in files[name]]
        assert not missing, f"{name}: no {missing}:\n{files[name][-3000:]}"


def must_tell(host, joins):
    """Makes it, and looks; what it was."""
    secrets = secrets_of(host, joins)
    plant(host, secrets)
    try:
        said = host.run("approvalctl", "doctor", "--bundle", FILE)
        files = unpacked(host)
    finally:
        clear(host)
    hits = [(name, hit) for name, text in {**files, "what it says": said}.items()
            for hit in planted.found_in(text.encode(), secrets)]
    assert not hits, hits
    must_help(files)
    assert re.search(r"look into it before you give it away", said, re.I), said
    whole = sum(len(text) for text in files.values())
    count = len(planted.spellings("x" * 40))
    return f"{len(files)} files of {whole // 1024} KiB, {len(secrets)} secrets in {count} spellings looked for"
