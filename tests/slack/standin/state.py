# SPDX-License-Identifier: Apache-2.0
"""The workspace: everything the stand-in remembers.

Owns users, channels, groups, messages, ephemerals, views, trigger ids, response URLs and the logs that tests read,
all behind one lock with a version that `wait` sleeps on. Never does I/O, never decides what a method answers, never
validates Block Kit. Callers hold `world.lock` while they touch a member.
"""

import collections
import copy
import secrets
import string
import threading
import time

# What one test run can hold; a log that reaches its bound forgets its oldest entry.
LOG_COUNT_MAX = 20000
MESSAGES_PER_CHANNEL_MAX = 20000

TRIGGER_LIFE_S = 3.0
RESPONSE_URL_LIFE_S = 1800.0
RESPONSE_URL_USES_MAX = 5
MODAL_STACK_MAX = 3

ALL_SCOPES = (
    "chat:write", "chat:write.public", "commands", "im:write", "mpim:write", "users:read", "users:read.email",
    "usergroups:read", "channels:read", "groups:read", "im:read", "mpim:read", "channels:history",
    "groups:history", "im:history", "mpim:history",
)

_ID_LETTERS = string.ascii_uppercase + string.digits


def make_id(prefix):
    """An id that looks like Slack's: a letter and ten more characters."""
    return prefix + "0" + "".join(secrets.choice(_ID_LETTERS) for _ in range(9))


class World:
    """All state of one workspace."""

    def __init__(self):
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.version = 0
        self.clock_offset_s = 0.0
        self._last_ts = 0
        self.base_url = ""
        self.verification_token = "deprecatedVerifToken000000"
        self.token_state = "valid"
        self.scopes = list(ALL_SCOPES)
        self.trigger_life_s = TRIGGER_LIFE_S
        self.socket_mode = False
        self.app_token = None
        self.app_token_error = ""
        self.date_skew_s = 0.0  # of the clock that the Date headers tell
        self.socket_tickets = {}
        self.clear()

    def clear(self):
        """Forget the workspace and the logs; the seed fills it again."""
        self.team = {}
        self.app = {}
        self.bot_user_id = ""
        self.users = {}
        self.channels = {}
        self.groups = {}
        self.messages = {}
        self.ephemerals = []
        self.views = {}
        self.stacks = {}
        self.homes = {}
        self.triggers = {}
        self.response_urls = {}
        self.commands = []
        self.shortcuts = []
        self.notices = []
        self.calls = collections.deque(maxlen=LOG_COUNT_MAX)
        self.deliveries = collections.deque(maxlen=LOG_COUNT_MAX)
        self.call_counts = {}
        self.delivery_counts = {}

    # -- time and change ------------------------------------------------------------------------------------------

    def now(self):
        """Workspace time: real time plus what a test has advanced."""
        return time.time() + self.clock_offset_s

    def touch(self):
        """Something visible changed: wake every waiter."""
        self.version += 1
        self.changed.notify_all()

    def make_ts(self):
        """A message ts: unique and rising, as Slack's are within a channel."""
        micros = max(int(self.now() * 1000000), self._last_ts + 1)
        self._last_ts = micros
        return "%d.%06d" % divmod(micros, 1000000)

    # -- people and places ----------------------------------------------------------------------------------------

    def team_domain(self):
        return self.team["domain"]

    def user_brief(self, user_id):
        """The user object inside interaction payloads."""
        user = self.users[user_id]
        return {"id": user_id, "username": user["name"], "name": user["name"], "team_id": user["team_id"]}

    def channel_brief(self, channel_id):
        """The channel object inside interaction payloads; private places have a generic name there."""
        channel = self.channels[channel_id]
        if channel["is_im"]:
            return {"id": channel_id, "name": "directmessage"}
        if channel["is_private"]:
            return {"id": channel_id, "name": "privategroup"}
        return {"id": channel_id, "name": channel["name"]}

    def add_channel(self, channel):
        """Store a channel, completing what the caller left out."""
        full = {
            "id": channel.get("id") or make_id("C"), "name": channel.get("name", ""),
            "is_private": bool(channel.get("is_private")), "is_archived": bool(channel.get("is_archived")),
            "is_im": bool(channel.get("is_im")), "is_mpim": bool(channel.get("is_mpim")),
            "is_ext_shared": bool(channel.get("is_ext_shared")), "user": channel.get("user"),
            "members": list(channel.get("members", [])), "created": int(self.now()),
            "post_error": channel.get("post_error"),
        }
        self.channels[full["id"]] = full
        self.messages.setdefault(full["id"], [])
        self.touch()
        return full

    def find_im(self, user_id):
        """The direct-message channel between the bot and a user, or None."""
        for channel in self.channels.values():
            if channel["is_im"] and channel["user"] == user_id:
                return channel
        return None

    def open_im(self, user_id):
        """The direct-message channel with a user, made when missing."""
        found = self.find_im(user_id)
        if found:
            return found
        # A derived id keeps logs readable (U0APR00001 talks in D0APR00001); it can only clash with a seeded id.
        wanted = "D" + user_id[1:]
        return self.add_channel({"id": wanted if wanted not in self.channels else make_id("D"), "is_im": True,
                                 "user": user_id, "members": [user_id, self.bot_user_id]})

    def bot_is_member(self, channel_id):
        return self.bot_user_id in self.channels[channel_id]["members"]

    # -- messages -------------------------------------------------------------------------------------------------

    def find_message(self, channel_id, ts):
        for message in self.messages.get(channel_id, ()):
            if message["ts"] == ts:
                return message
        return None

    def add_message(self, channel_id, message):
        """Append a message; a thread reply also counts on its parent."""
        message["ts"] = self.make_ts()
        kept = self.messages[channel_id]
        kept.append(message)
        del kept[:-MESSAGES_PER_CHANNEL_MAX]
        parent = self.find_message(channel_id, message.get("thread_ts")) if message.get("thread_ts") else None
        if parent:
            message["parent_user_id"] = parent.get("user")
            parent["thread_ts"] = parent["ts"]
            parent["reply_count"] = parent.get("reply_count", 0) + 1
            users = parent.setdefault("reply_users", [])
            if message.get("user") not in users:
                users.append(message.get("user"))
            parent["reply_users_count"] = len(users)
            parent["latest_reply"] = message["ts"]
        self.touch()
        return message

    def replace_message(self, message, fields):
        """Change a message in place, keeping the old form so that a test can press an out-of-date card."""
        old = {key: copy.deepcopy(value) for key, value in message.items() if key != "_revisions"}
        message.setdefault("_revisions", []).append(old)
        for key, value in fields.items():
            if value is None:
                message.pop(key, None)
            else:
                message[key] = value
        self.touch()

    def delete_message(self, channel_id, ts):
        kept = self.messages.get(channel_id, [])
        for index, message in enumerate(kept):
            if message["ts"] == ts:
                del kept[index]
                self.touch()
                return True
        return False

    def add_ephemeral(self, channel_id, user_id, message):
        """Show something to one user only."""
        message["ts"] = self.make_ts()
        message["channel"] = channel_id
        message["to_user"] = user_id
        self.ephemerals.append(message)
        del self.ephemerals[:-LOG_COUNT_MAX]
        self.touch()
        return message

    # -- short-lived handles --------------------------------------------------------------------------------------

    def make_trigger(self, user_id, view_id=None):
        """A trigger id: good for one use within three seconds, by whoever caused it."""
        trigger_id = "%d.%d.%s" % (secrets.randbelow(9 * 10**12) + 10**12, 5501230045678, secrets.token_hex(16))
        self.triggers[trigger_id] = {"user": user_id, "born": self.now(), "used": False, "view_id": view_id}
        return trigger_id

    def take_trigger(self, trigger_id):
        """Use up a trigger id. Returns (entry, None) or (None, error code)."""
        entry = self.triggers.get(trigger_id)
        if entry is None:
            return None, "invalid_trigger_id"
        if entry["used"]:
            return None, "exchanged_trigger_id"
        if self.now() - entry["born"] > self.trigger_life_s:
            return None, "expired_trigger_id"
        entry["used"] = True
        return entry, None

    def make_response_url(self, kind, user_id, channel_id, source_ts=None, is_ephemeral=False, thread_ts=None):
        """A response URL; kind is the first path part: actions, commands or app."""
        path = "/%s/%s/%d/%s" % (kind, self.team["id"], secrets.randbelow(9 * 10**12) + 10**12,
                                 secrets.token_urlsafe(18))
        self.response_urls[path] = {"user": user_id, "channel": channel_id, "source_ts": source_ts,
                                    "is_ephemeral": is_ephemeral, "thread_ts": thread_ts, "born": self.now(),
                                    "uses": 0, "kind": kind}
        return self.base_url + path

    # -- views ----------------------------------------------------------------------------------------------------

    def make_view(self, view, user_id, root=None, previous=None):
        """Store a view in the shape Slack returns; root and previous are view ids of a modal stack."""
        view_id = make_id("V")
        full = {
            "id": view_id, "team_id": self.team["id"], "type": view["type"], "blocks": view["blocks"],
            "private_metadata": view.get("private_metadata") or "", "callback_id": view.get("callback_id") or "",
            "state": {"values": {}}, "hash": self.make_hash(),
            "title": view.get("title") or {"type": "plain_text", "text": "View Title", "emoji": True},
            "clear_on_close": bool(view.get("clear_on_close")),
            "notify_on_close": bool(view.get("notify_on_close")),
            "close": view.get("close"), "submit": view.get("submit"), "previous_view_id": previous,
            "root_view_id": root or view_id, "app_id": self.app["id"],
            "external_id": view.get("external_id") or "", "app_installed_team_id": self.team["id"],
            "bot_id": self.app["bot_id"],
        }
        self.views[view_id] = {"view": full, "user": user_id, "errors": {}, "notice": ""}
        return full

    def make_hash(self):
        return "%d.%s" % (int(self.now()), secrets.token_hex(4))

    def replace_view(self, view_id, view):
        """New content for a view that stays where it is in its stack."""
        entry = self.views[view_id]
        full = entry["view"]
        for key, default in (("blocks", []), ("private_metadata", ""), ("callback_id", ""), ("external_id", ""),
                             ("close", None), ("submit", None)):
            full[key] = view.get(key) or default
        full["title"] = view.get("title") or full["title"]
        full["clear_on_close"] = bool(view.get("clear_on_close"))
        full["notify_on_close"] = bool(view.get("notify_on_close"))
        full["hash"] = self.make_hash()
        entry["errors"] = {}
        entry["notice"] = ""
        self.touch()
        return full

    def stack(self, user_id):
        """View ids of the user's open modals, root first."""
        return self.stacks.setdefault(user_id, [])

    def top_view_id(self, user_id):
        stack = self.stack(user_id)
        return stack[-1] if stack else None

    def drop_view(self, user_id, view_id):
        """Take a view off the user's screen."""
        stack = self.stack(user_id)
        if view_id in stack:
            stack.remove(view_id)
        self.views.pop(view_id, None)
        self.touch()

    def clear_stack(self, user_id):
        for view_id in list(self.stack(user_id)):
            self.views.pop(view_id, None)
        self.stacks[user_id] = []
        self.touch()

    def find_external(self, external_id):
        for view_id, entry in self.views.items():
            if entry["view"]["external_id"] == external_id:
                return view_id
        return None

    # -- logs -----------------------------------------------------------------------------------------------------

    def note_call(self, entry):
        """Record one Web API call; arguments only, never the token."""
        self.calls.append(entry)
        counts = self.call_counts.setdefault(entry["method"], {"calls": 0, "ok": 0, "errors": {}})
        counts["calls"] += 1
        if entry["outcome"] == "ok":
            counts["ok"] += 1
        else:
            counts["errors"][entry["outcome"]] = counts["errors"].get(entry["outcome"], 0) + 1
        self.touch()

    def note_delivery(self, entry):
        """Record one delivery to the app together with its answer."""
        self.deliveries.append(entry)
        self.delivery_counts[entry["kind"]] = self.delivery_counts.get(entry["kind"], 0) + 1
        self.touch()


def public_message(message):
    """A message without the stand-in's own bookkeeping."""
    return {key: copy.deepcopy(value) for key, value in message.items() if not key.startswith("_")}
