# SPDX-License-Identifier: Apache-2.0
"""Web API: auth, conversations.*, users.*, usergroups.*.

Owns looking things up and opening direct messages. Never changes a message, never parses HTTP, never checks tokens or
tiers. Every function takes (world, args) under the world's lock and gives the members of the answer, or raises
ApiError.
"""

import base64
import re
import secrets
import time

from . import sockets
from .apiargs import ApiError, missing
from .state import make_id, public_message

OPEN_USERS_MAX = 8
HISTORY_LIMIT_MAX = 999
MEMBERS_LIMIT_MAX = 999
_TS = re.compile(r"^\d{1,12}(\.\d{1,6})?$")


def auth_test(world, _args):
    bot = world.users[world.bot_user_id]
    return {"url": "https://%s.slack.com/" % world.team_domain(), "team": world.team["name"], "user": bot["name"],
            "team_id": world.team["id"], "user_id": world.bot_user_id, "bot_id": world.app["bot_id"],
            "is_enterprise_install": False}


def connections_open(world, _args):
    """A ticket for one WebSocket (sockets.py), good once and not for long."""
    if world.app_token_error:
        raise ApiError(world.app_token_error)
    if not world.socket_mode:
        raise ApiError("socket_mode_not_enabled", ["Socket Mode is switched off for this app"])
    ticket = secrets.token_hex(16)
    world.socket_tickets[ticket] = time.monotonic() + sockets.TICKET_LIFE_S
    base = "ws" + world.base_url[len("http"):]
    return {"url": "%s/link/?ticket=%s&app_id=%s" % (base, ticket, world.app["id"])}


# -- conversations --------------------------------------------------------------------------------------------------


def need_scope(world, channel, suffix):
    """Conversation methods need the scope of the kind of place."""
    if channel["is_im"]:
        scope = "im:" + suffix
    elif channel["is_mpim"]:
        scope = "mpim:" + suffix
    else:
        scope = ("groups:" if channel["is_private"] else "channels:") + suffix
    if scope not in world.scopes:
        raise ApiError("missing_scope", needed=scope, provided=",".join(world.scopes))


def visible_channel(world, args, suffix):
    """A channel the bot may know about."""
    channel = world.channels.get(args.need("channel"))
    if channel is None:
        raise ApiError("channel_not_found")
    if not world.bot_is_member(channel["id"]) and (channel["is_private"] or channel["is_im"]):
        raise ApiError("channel_not_found")
    need_scope(world, channel, suffix)
    return channel


def open_users(world, wanted):
    """Check the people a direct message is wanted with."""
    for user_id in wanted:
        user = world.users.get(user_id)
        if user is None:
            raise ApiError("user_not_found")
        if not user["_visible"]:
            raise ApiError("user_not_visible")
        if user["deleted"]:
            raise ApiError("user_disabled")
        if user["is_bot"]:
            raise ApiError("cannot_dm_bot")


def conversations_open(world, args):
    if args.has("channel"):
        channel = world.channels.get(args.need("channel"))
        if channel is None or not (channel["is_im"] or channel["is_mpim"]):
            raise ApiError("channel_not_found")
        return {"no_op": True, "already_open": True, "channel": {"id": channel["id"]}}
    wanted = [user for user in args.text("users", "").split(",") if user]
    if not wanted:
        raise ApiError("users_list_not_supplied")
    if len(wanted) > OPEN_USERS_MAX:
        raise ApiError("too_many_users")
    open_users(world, wanted)
    if len(wanted) > 1:
        return open_group(world, args, sorted(set(wanted)))
    if "im:write" not in world.scopes:
        raise ApiError("missing_scope", needed="im:write", provided=",".join(world.scopes))
    found = world.find_im(wanted[0])
    if found:
        return {"no_op": True, "already_open": True, "channel": {"id": found["id"]}}
    if args.flag("prevent_creation"):
        raise ApiError("channel_not_found")
    return {"channel": {"id": world.open_im(wanted[0])["id"]}}


def open_group(world, args, wanted):
    """A conversation of several people; one per set of people."""
    if "mpim:write" not in world.scopes:
        raise ApiError("missing_scope", needed="mpim:write", provided=",".join(world.scopes))
    members = wanted + [world.bot_user_id]
    for channel in world.channels.values():
        if channel["is_mpim"] and sorted(channel["members"]) == sorted(members):
            return {"no_op": True, "already_open": True, "channel": {"id": channel["id"]}}
    if args.flag("prevent_creation"):
        raise ApiError("channel_not_found")
    names = "--".join(world.users[user]["name"] for user in wanted)
    made = world.add_channel({"id": make_id("G"), "name": "mpdm-%s-1" % names, "is_mpim": True, "members": members})
    return {"channel": {"id": made["id"]}}


def _ts_arg(args, name, error):
    value = args.text(name)
    if value is None or value == "":
        return None
    if not _TS.match(value):
        raise ApiError(error)
    return ts_key(value)


def ts_key(ts):
    """A ts as a whole number of microseconds, so that comparing never rounds."""
    seconds, _, micros = ts.partition(".")
    return int(seconds) * 1000000 + int((micros or "0").ljust(6, "0"))


def _cursor(args, prefix):
    """The position inside a cursor we gave out, or None."""
    value = args.text("cursor")
    if not value:
        return None
    try:
        word, _, position = base64.b64decode(value, validate=True).decode("ascii").partition(":")
        if word == prefix:
            return int(position)
    except ValueError:
        pass
    raise ApiError("invalid_cursor")


def _make_cursor(prefix, position):
    return base64.b64encode(("%s:%d" % (prefix, position)).encode("ascii")).decode("ascii")


def shown(message, include_all_metadata):
    """A message in a history; its metadata payload only for those who ask."""
    copied = public_message(message)
    if "metadata" in copied and not include_all_metadata:
        copied["metadata"] = {"event_type": copied["metadata"]["event_type"]}
    return copied


def page_of(world, args, channel, messages):
    """A page of messages: `messages` come in the order they are to be listed."""
    latest = _ts_arg(args, "latest", "invalid_ts_latest")
    oldest = _ts_arg(args, "oldest", "invalid_ts_oldest")
    inclusive = args.flag("inclusive")
    limit = args.number("limit", 100)
    if limit < 1:
        raise ApiError("invalid_limit")
    start = _cursor(args, "next_ts")

    def wanted(message):
        key = ts_key(message["ts"])
        if latest is not None and (key > latest or (key == latest and not inclusive)):
            return False
        return not (oldest is not None and (key < oldest or (key == oldest and not inclusive)))

    found = [message for message in messages if wanted(message)]
    if start is not None:
        index = next((i for i, m in enumerate(found) if ts_key(m["ts"]) == start), None)
        if index is None:
            raise ApiError("invalid_cursor")
        found = found[index:]
    limit = min(limit, HISTORY_LIMIT_MAX)
    page, rest = found[:limit], found[limit:]
    everything = args.flag("include_all_metadata")
    return {"messages": [shown(message, everything) for message in page], "has_more": bool(rest),
            "response_metadata": {"next_cursor": _make_cursor("next_ts", ts_key(rest[0]["ts"])) if rest else ""}}


def conversations_history(world, args):
    channel = visible_channel(world, args, "history")
    if not world.bot_is_member(channel["id"]):
        raise ApiError("not_in_channel")
    top = [m for m in reversed(world.messages[channel["id"]]) if m.get("thread_ts", m["ts"]) == m["ts"]]
    answer = page_of(world, args, channel, top)
    answer["pin_count"] = 0
    return answer


def conversations_replies(world, args):
    channel = visible_channel(world, args, "history")
    if not world.bot_is_member(channel["id"]):
        raise ApiError("not_in_channel")
    ts = args.need("ts")
    parent = world.find_message(channel["id"], ts)
    if parent is None:
        raise ApiError("thread_not_found")
    thread = [m for m in world.messages[channel["id"]] if m["ts"] == ts or m.get("thread_ts") == ts]
    return page_of(world, args, channel, thread)


def channel_object(world, channel):
    """A conversation as conversations.info shows it."""
    is_place = not channel["is_im"] and not channel["is_mpim"]
    full = {"id": channel["id"], "created": channel["created"], "is_im": channel["is_im"],
            "is_mpim": channel["is_mpim"], "is_archived": channel["is_archived"], "is_org_shared": False,
            "is_ext_shared": channel["is_ext_shared"], "is_shared": channel["is_ext_shared"],
            "context_team_id": world.team["id"], "updated": channel["created"] * 1000}
    if channel["is_im"]:
        full.update({"user": channel["user"], "is_user_deleted": world.users[channel["user"]]["deleted"],
                     "is_open": True})
    else:
        full.update({"name": channel["name"], "name_normalized": channel["name"],
                     "is_channel": is_place and not channel["is_private"],
                     "is_group": is_place and channel["is_private"],
                     "is_private": channel["is_private"] or channel["is_mpim"],
                     "is_member": world.bot_is_member(channel["id"]), "is_general": False})
    return full


def conversations_info(world, args):
    channel = visible_channel(world, args, "read")
    full = channel_object(world, channel)
    if args.flag("include_num_members"):
        full["num_members"] = len(channel["members"])
    return {"channel": full}


def conversations_members(world, args):
    channel = visible_channel(world, args, "read")
    limit = args.number("limit", 100)
    if not 1 <= limit <= MEMBERS_LIMIT_MAX:
        raise ApiError("invalid_limit")
    start = _cursor(args, "member") or 0
    members = channel["members"][start:]
    return {"members": members[:limit], "response_metadata": {
        "next_cursor": _make_cursor("member", start + limit) if len(members) > limit else ""}}


# -- people ---------------------------------------------------------------------------------------------------------


def user_object(world, user, args):
    """A user as the app's scopes let it see; a deactivated account shows little."""
    profile = dict(user["profile"])
    if "users:read.email" not in world.scopes or not profile.get("email"):
        profile.pop("email", None)
    if user["deleted"]:
        return {"id": user["id"], "team_id": user["team_id"], "name": user["name"], "deleted": True,
                "profile": profile, "is_bot": user["is_bot"], "is_app_user": user["is_app_user"],
                "updated": user["updated"]}
    full = {key: value for key, value in user.items() if not key.startswith("_")}
    full["profile"] = profile
    if not args.flag("include_locale"):
        full.pop("locale", None)
    if not full["is_stranger"]:
        full.pop("is_stranger")
    return full


def users_info(world, args):
    user = world.users.get(args.need("user"))
    if user is None:
        raise ApiError("user_not_found")
    if not user["_visible"]:
        raise ApiError("user_not_visible")
    return {"user": user_object(world, user, args)}


def users_lookup_by_email(world, args):
    email = args.need("email").lower()
    for user in world.users.values():
        if (user["profile"].get("email") or "").lower() == email and not user["deleted"]:
            return {"user": user_object(world, user, args)}
    raise ApiError("users_not_found")


# -- user groups ----------------------------------------------------------------------------------------------------


def usergroups_list(world, args):
    groups = []
    for group in world.groups.values():
        if group["date_delete"] and not args.flag("include_disabled"):
            continue
        full = {key: value for key, value in group.items() if key != "users"}
        full.update({"is_external": False, "auto_type": None, "prefs": {"channels": [], "groups": []}})
        if args.flag("include_users"):
            full["users"] = list(group["users"])
        if args.flag("include_count"):
            full["user_count"] = len(group["users"])
        groups.append(full)
    return {"usergroups": groups}


def usergroups_users_list(world, args):
    wanted = args.text("usergroup")
    if not wanted:
        raise missing("usergroup")
    group = world.groups.get(wanted)
    if group is None or (group["date_delete"] and not args.flag("include_disabled")):
        raise ApiError("no_such_subteam")
    return {"users": list(group["users"])}
