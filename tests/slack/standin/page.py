# SPDX-License-Identifier: Apache-2.0
"""The web page: a Slack to look at and press buttons in.

Owns serving the page's files and the snapshot of the workspace as one person sees it. Never builds HTML from
workspace data (static/*.js makes elements and sets their text), never acts: the page acts through /control/.
"""

import copy
import json
import os
import time
import urllib.parse

from . import wait
from .state import public_message

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " \
         "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_STATIC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "static")
_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/static/page.css": ("page.css", "text/css; charset=utf-8"),
    "/static/mrkdwn.js": ("mrkdwn.js", "text/javascript; charset=utf-8"),
    "/static/blocks.js": ("blocks.js", "text/javascript; charset=utf-8"),
    "/static/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
POLL_S = 20.0


def _visible_channels(world, user_id):
    """Public channels, and the private places the person is in; guests and foreigners see only their own."""
    user = world.users.get(user_id, {})
    outsider = user.get("is_restricted") or user.get("team_id", world.team["id"]) != world.team["id"]
    found = []
    for channel in world.channels.values():
        hidden = outsider or channel["is_private"] or channel["is_im"] or channel["is_mpim"]
        if not hidden or user_id in channel["members"]:
            found.append(copy.deepcopy(channel))
    return found


def snapshot(world, user_id):
    """All that one person sees."""
    channels = _visible_channels(world, user_id)
    ids = [channel["id"] for channel in channels]
    return {
        "version": world.version, "team": dict(world.team), "app": dict(world.app),
        "users": [{"id": u["id"], "name": u["name"], "real_name": u["real_name"], "deleted": u["deleted"],
                   "is_bot": u["is_bot"], "is_restricted": u["is_restricted"],
                   "foreign": u["team_id"] != world.team["id"]} for u in world.users.values()],
        "groups": [{"id": g["id"], "handle": g["handle"]} for g in world.groups.values()],
        "channels": channels, "commands": list(world.commands), "shortcuts": list(world.shortcuts),
        "messages": {key: [public_message(m) for m in world.messages[key]] for key in ids},
        "ephemerals": wait.ephemerals(world, {"to": user_id}),
        "modals": wait.modals(world, {"to": user_id}), "homes": wait.homes(world, {"to": user_id}),
        "notices": [n for n in world.notices if n["user"] == user_id and world.now() - n["at"] < 30],
    }


def _snapshot_when_newer(standin, query):
    """Long poll: the snapshot as soon as the world has moved past the version the page has."""
    args = dict(urllib.parse.parse_qsl(query))
    world = standin.world
    seen = int(args.get("version") or -1) if (args.get("version") or "-1").lstrip("-").isdigit() else -1
    deadline = time.monotonic() + POLL_S
    with world.lock:
        while world.version == seen and time.monotonic() < deadline and not standin.stopping.is_set():
            world.changed.wait(1.0)
        return snapshot(world, args.get("user", ""))


def serve(standin, path, query):
    """A GET outside /api/ and /control/: (status, content type, body)."""
    if path == "/ui/state":
        body = json.dumps(_snapshot_when_newer(standin, query)).encode("ascii")
        return 200, "application/json; charset=utf-8", body
    if path not in _FILES:
        return 404, "text/plain; charset=utf-8", b"not found\n"
    name, kind = _FILES[path]
    with open(os.path.join(_STATIC, name), "rb") as file:
        return 200, kind, file.read()
