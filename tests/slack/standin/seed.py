# SPDX-License-Identifier: Apache-2.0
"""The world a stand-in starts with.

Owns the default workspace (the ids of the sample payloads) and how a seed file changes it. Never touches a running
test's state except through World, never reads secrets.
"""

from .state import make_id

BOT_USER_ID = "U0BOT00001"

DEFAULT_SEED = {
    "team": {"id": "T0APV00001", "name": "Acme", "domain": "acme"},
    "app": {"id": "A0APV00001", "bot_id": "B0APV00001", "bot_user": BOT_USER_ID, "name": "Approvals"},
    "users": [
        {"id": BOT_USER_ID, "name": "approvals", "real_name": "Approvals", "is_bot": True},
        {"id": "U0REQ00001", "name": "rita", "real_name": "Rita Requester", "email": "rita@acme.example"},
        {"id": "U0APR00001", "name": "ana", "real_name": "Ana Approver", "email": "ana@acme.example"},
        {"id": "U0APR00002", "name": "ben", "real_name": "Ben Approver", "email": "ben@acme.example"},
        {"id": "U0GUEST001", "name": "gus", "real_name": "Gus Guest", "email": "gus@contractor.example",
         "is_restricted": True},
        {"id": "U0GONE0001", "name": "gina", "real_name": "Gina Gone", "email": "gina@acme.example",
         "deleted": True},
        {"id": "U0EXT00009", "name": "ext.partner", "real_name": "Erin External", "team_id": "T0OTHER009",
         "is_stranger": True},
    ],
    "channels": [
        {"id": "C0APV00001", "name": "approvals", "is_ext_shared": True,
         "members": [BOT_USER_ID, "U0REQ00001", "U0APR00001", "U0APR00002", "U0GUEST001", "U0EXT00009"]},
        {"id": "C0GEN00001", "name": "general", "members": ["U0REQ00001", "U0APR00001", "U0APR00002"]},
        {"id": "C0PRV00001", "name": "leadership", "is_private": True, "members": ["U0APR00001", "U0APR00002"]},
        {"id": "C0OLD00001", "name": "old-approvals", "is_archived": True, "members": [BOT_USER_ID, "U0REQ00001"]},
    ],
    "groups": [
        {"id": "S0APV00001", "handle": "release-managers", "name": "Release managers",
         "users": ["U0APR00001", "U0APR00002"]},
    ],
    "commands": [{"command": "/approval", "description": "Request, list or decide approvals"}],
    "shortcuts": [
        {"name": "New approval", "type": "global", "callback_id": "approval_new"},
        {"name": "Ask for approval", "type": "message", "callback_id": "approval_from_message"},
    ],
}


def make_user(world, wanted):
    """A complete user record from the few keys a seed or a test gives."""
    user_id = wanted.get("id") or make_id("U")
    name = wanted.get("name") or user_id.lower()
    real_name = wanted.get("real_name") or name
    user = {
        "id": user_id, "team_id": wanted.get("team_id") or world.team["id"], "name": name,
        "deleted": bool(wanted.get("deleted")), "real_name": real_name, "tz": wanted.get("tz", "Europe/London"),
        "tz_label": wanted.get("tz_label", "Greenwich Mean Time"), "tz_offset": wanted.get("tz_offset", 0),
        "profile": {"real_name": real_name, "display_name": wanted.get("display_name", name),
                    "email": wanted.get("email")},
        "is_admin": bool(wanted.get("is_admin")), "is_owner": False,
        "is_restricted": bool(wanted.get("is_restricted") or wanted.get("is_ultra_restricted")),
        "is_ultra_restricted": bool(wanted.get("is_ultra_restricted")), "is_bot": bool(wanted.get("is_bot")),
        "is_app_user": bool(wanted.get("is_app_user")), "is_stranger": bool(wanted.get("is_stranger")),
        "updated": int(world.now()), "locale": wanted.get("locale", "en-GB"),
        "_visible": wanted.get("visible", True),
    }
    if wanted.get("enterprise_user"):
        user["enterprise_user"] = wanted["enterprise_user"]
    return user


def make_group(world, wanted):
    """A complete user group."""
    return {"id": wanted.get("id") or make_id("S"), "team_id": world.team["id"], "is_usergroup": True,
            "name": wanted.get("name") or wanted.get("handle", ""), "handle": wanted.get("handle", ""),
            "description": wanted.get("description", ""), "date_delete": int(wanted.get("date_delete", 0)),
            "users": list(wanted.get("users", []))}


def fill(world, seed=None):
    """Empty the world and fill it. Keys of `seed` replace the default's keys of the same name, whole."""
    plan = dict(DEFAULT_SEED)
    plan.update(seed or {})
    with world.lock:
        world.clear()
        world.team = dict(plan["team"])
        world.app = dict(plan["app"])
        world.bot_user_id = world.app["bot_user"]
        for wanted in plan["users"]:
            user = make_user(world, wanted)
            world.users[user["id"]] = user
        for wanted in plan["channels"]:
            world.add_channel(wanted)
        for wanted in plan["groups"]:
            group = make_group(world, wanted)
            world.groups[group["id"]] = group
        world.commands = list(plan["commands"])
        world.shortcuts = list(plan["shortcuts"])
        world.touch()
