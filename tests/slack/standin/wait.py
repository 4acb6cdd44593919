# SPDX-License-Identifier: Apache-2.0
"""Looking and waiting: what tests see of the workspace.

Owns the queries behind the control API's lists and the long poll that waits until a query has enough answers. Never
changes anything.
"""

import copy
import json
import time

from .state import public_message

WAIT_MAX_S = 120.0


class BadQuery(Exception):
    """The test asked for something that does not exist."""


def flat_text(thing):
    """All text of a message or view, so that `contains` finds words in blocks as well as in `text`."""
    words = []

    def walk(value, key):
        if isinstance(value, dict):
            for name, item in value.items():
                walk(item, name)
        elif isinstance(value, list):
            for item in value:
                walk(item, key)
        elif isinstance(value, str) and key in ("text", "alt_text", "url", "user_id", "value"):
            words.append(value)

    walk({key: item for key, item in thing.items() if not key.startswith("_")}, "")
    return "\n".join(words)


def _matches(message, query):
    if query.get("contains") is not None and query["contains"] not in flat_text(message):
        return False
    if query.get("lacks") is not None and query["lacks"] in flat_text(message):
        return False
    if query.get("action_id") is not None and '"action_id": "%s"' % query["action_id"] not in json.dumps(message):
        return False
    for key in ("ts", "thread_ts", "user", "bot_id"):
        if query.get(key) is not None and message.get(key) != query[key]:
            return False
    if query.get("metadata") is not None:
        payload = message.get("metadata", {}).get("event_payload", {})
        return all(payload.get(key) == value for key, value in query["metadata"].items())
    return True


def messages(world, query):
    """Messages of `channel`, or of every place; oldest first, thread replies included."""
    found = []
    for channel_id in [query["channel"]] if query.get("channel") else list(world.messages):
        for message in world.messages.get(channel_id, ()):
            if _matches(message, query):
                shown = public_message(message)
                shown["channel"] = channel_id
                shown["revisions"] = len(message.get("_revisions", ()))
                found.append(shown)
    return found


def dms(world, query):
    """Messages between the bot and `to` (a user id)."""
    channel = world.find_im(query.get("to") or "")
    if channel is None:
        return []
    return messages(world, dict(query, channel=channel["id"]))


def ephemerals(world, query):
    """What only one person sees; `to` names the person."""
    found = []
    for message in world.ephemerals:
        if query.get("to") is not None and message["to_user"] != query["to"]:
            continue
        if query.get("channel") is not None and message["channel"] != query["channel"]:
            continue
        if _matches(message, query):
            found.append(public_message(message))
    return found


def modals(world, query):
    """Open modals, root first; `to` names the person. Each has its field errors and notice."""
    found = []
    for user_id, stack in world.stacks.items():
        if query.get("to") is not None and user_id != query["to"]:
            continue
        for view_id in stack:
            entry = world.views[view_id]
            view = entry["view"]
            if query.get("callback_id") is not None and view["callback_id"] != query["callback_id"]:
                continue
            if query.get("contains") is not None and query["contains"] not in flat_text(view):
                continue
            found.append({"user": user_id, "view": copy.deepcopy(view), "errors": dict(entry["errors"]),
                          "notice": entry["notice"]})
    return found


def homes(world, query):
    """Published Home tabs; `to` names the person."""
    found = []
    for user_id, view_id in world.homes.items():
        if query.get("to") is not None and user_id != query["to"]:
            continue
        view = world.views[view_id]["view"]
        if query.get("contains") is None or query["contains"] in flat_text(view):
            found.append({"user": user_id, "view": copy.deepcopy(view)})
    return found


def calls(world, query):
    """Web API calls; `method`, `outcome` ("ok" or an error code) and `channel` narrow."""
    found = []
    for entry in world.calls:
        if query.get("method") is not None and entry["method"] != query["method"]:
            continue
        if query.get("outcome") is not None and entry["outcome"] != query["outcome"]:
            continue
        if query.get("channel") is not None and entry.get("channel", entry["args"].get("channel")) != query["channel"]:
            continue
        found.append(copy.deepcopy(entry))
    return found


def deliveries(world, query):
    """Deliveries to the app; `type`, `event_id`, `acked` and `status` narrow."""
    found = []
    for entry in world.deliveries:
        if query.get("type") is not None and entry["kind"] != query["type"]:
            continue
        if any(query.get(key) is not None and entry.get(key) != query[key] for key in ("event_id", "acked", "status")):
            continue
        found.append(copy.deepcopy(entry))
    return found


KINDS = {"message": messages, "dm": dms, "ephemeral": ephemerals, "modal": modals, "home": homes, "call": calls,
         "delivery": deliveries}


def wait(world, query, timeout_s, stopping):
    """Sleep until the query has `count` answers (default 1; `exactly` true: no more). Gives (reached, answers)."""
    look = KINDS.get(query.get("kind"))
    if look is None:
        raise BadQuery("kind must be one of %s" % ", ".join(sorted(KINDS)))
    count = int(query.get("count", 1))
    deadline = time.monotonic() + min(float(timeout_s), WAIT_MAX_S)
    with world.lock:
        while True:
            found = look(world, query)
            if len(found) == count or (len(found) > count and not query.get("exactly")):
                return True, found
            left_s = deadline - time.monotonic()
            if left_s <= 0 or stopping.is_set():
                return False, found
            # Woken at least once a second, so that a server that stops is not held up.
            world.changed.wait(min(left_s, 1.0))
