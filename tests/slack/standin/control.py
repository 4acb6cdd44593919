# SPDX-License-Identifier: Apache-2.0
"""The control API: what tests and the page may ask of the stand-in, under /control/.

Owns the list of commands and their arguments. Never does the work itself: acts.py acts, wait.py looks, seed.py and
World hold the workspace. tests/slack/README.md documents every command with an example.

Every command is POST /control/NAME with a JSON object (GET with a query for the lists); the answer is a JSON object
with `ok`. 400: bad arguments, or an act no person could do; 404: no such command; 504: `wait` ran out of time.
"""

import copy

from . import acts, seed, wait, webapi
from .payloads import BadInput
from .state import public_message

CARD_METHODS = ("chat.postMessage", "chat.update")
TOKEN_STATES = ("valid", "token_revoked", "account_inactive", "token_expired", "invalid_auth")


class Control:
    """All control commands; a public method per command."""

    def __init__(self, standin):
        self._standin = standin
        self._world = standin.world
        self._acts = acts.Acts(standin.world, standin.push)

    def run(self, name, args):
        """Run a command by name. Gives (HTTP status, answer)."""
        command = getattr(self, "do_" + name, None)
        if command is None:
            return 404, {"ok": False, "error": "no control command %r" % name}
        try:
            result = command(**args)
        except (BadInput, wait.BadQuery, KeyError, IndexError, OSError, TypeError, ValueError) as error:
            return 400, {"ok": False, "error": "%s: %s" % (type(error).__name__, error)}
        status = 504 if result.pop("_timeout", False) else 200
        answer = {"ok": status == 200}
        answer.update(result)
        return status, answer

    # -- people act ---------------------------------------------------------------------------------------------

    def do_press(self, **args):
        return self._acts.press(**args)

    def do_submit(self, **args):
        return self._acts.submit(**args)

    def do_close(self, **args):
        return self._acts.close(**args)

    def do_slash(self, **args):
        return self._acts.slash(**args)

    def do_shortcut(self, **args):
        return self._acts.shortcut(**args)

    def do_message_action(self, **args):
        return self._acts.message_action(**args)

    def do_suggest(self, **args):
        return self._acts.suggest(**args)

    def do_home_opened(self, **args):
        return self._acts.home_opened(**args)

    def do_say(self, **args):
        return self._acts.say(**args)

    # -- Slack acts ---------------------------------------------------------------------------------------------

    def do_event(self, event, event_id=None):
        return self._acts.event(event, event_id)

    def do_rate_limited_event(self):
        """app_rate_limited, which has no inner event."""
        world = self._world
        entry = self._standin.push.event({
            "token": world.verification_token, "type": "app_rate_limited", "team_id": world.team["id"],
            "minute_rate_limited": int(world.now()) // 60 * 60, "api_app_id": world.app["id"]})
        return {"delivery": entry["id"], "status": entry["status"], "acked": entry["acked"]}

    def do_verify_url(self, path="/slack/events"):
        """url_verification, as Slack sends it when the URL is typed in."""
        challenge = self._world.make_hash() + "MadeUpChallenge"
        envelope = {"token": self._world.verification_token, "challenge": challenge, "type": "url_verification"}
        entry = self._standin.push.event(envelope, path, retries=False)
        return {"status": entry["status"], "verified": entry["acked"] and challenge in entry["answer"],
                "answer": entry["answer"]}

    def do_ssl_check(self, path="/slack/commands"):
        """Slack's unsigned certificate probe."""
        body = ("ssl_check=1&token=" + self._world.verification_token).encode("ascii")
        entry = self._standin.push.deliver("ssl_check", path, "application/x-www-form-urlencoded", body, None,
                                           signed=False)
        return {"status": entry["status"], "answer": entry["answer"], "acked": entry["acked"]}

    def do_deliver(self, body, path="/slack/interactions", content_type="application/x-www-form-urlencoded",
                   headers=None, signed=True):
        """Any bytes (as text), signed unless `signed` is false: hostile or malformed input."""
        entry = self._standin.push.deliver("raw", path, content_type, body.encode("utf-8", "surrogateescape"), None,
                                           headers, signed)
        return {"delivery": entry["id"], "status": entry["status"], "answer": entry["answer"],
                "acked": entry["acked"], "error": entry["error"]}

    def do_replay(self, delivery):
        """The very bytes of an earlier delivery again, old timestamp and signature included."""
        entry = self._standin.push.replay(int(delivery))
        return {"delivery": entry["id"], "status": entry["status"], "answer": entry["answer"],
                "acked": entry["acked"], "error": entry["error"]}

    # -- the workspace ------------------------------------------------------------------------------------------

    def do_reset(self, seed_world=None):
        """Back to the seed, faults disarmed, logs empty."""
        self._standin.reset(seed_world)
        return {}

    def do_add_user(self, **wanted):
        with self._world.lock:
            user = seed.make_user(self._world, wanted)
            self._world.users[user["id"]] = user
            for channel_id in wanted.get("channels", ()):
                self._world.channels[channel_id]["members"].append(user["id"])
            self._world.touch()
            return {"user": copy.deepcopy(user)}

    def do_update_user(self, user, **fields):
        """Change flags or names: deleted, is_restricted, name, real_name, email, visible, team_id …"""
        with self._world.lock:
            known = self._world.users[user]
            for key, value in fields.items():
                if key in ("email", "display_name"):
                    known["profile"][key] = value
                elif key == "visible":
                    known["_visible"] = bool(value)
                elif key in known:
                    known[key] = value
                else:
                    raise ValueError("a user has no %s" % key)
            known["updated"] = int(self._world.now())
            self._world.touch()
            return {"user": copy.deepcopy(known)}

    def do_add_group(self, **wanted):
        with self._world.lock:
            group = seed.make_group(self._world, wanted)
            self._world.groups[group["id"]] = group
            self._world.touch()
            return {"group": copy.deepcopy(group)}

    def do_update_group(self, group, users=None, date_delete=None):
        with self._world.lock:
            known = self._world.groups[group]
            if users is not None:
                known["users"] = list(users)
            if date_delete is not None:
                known["date_delete"] = int(date_delete)
            self._world.touch()
            return {"group": copy.deepcopy(known)}

    def do_add_channel(self, **wanted):
        with self._world.lock:
            return {"channel": copy.deepcopy(self._world.add_channel(wanted))}

    def do_update_channel(self, channel, **fields):
        """is_archived, is_private, name, members, is_ext_shared; post_error: the error every post there gets."""
        with self._world.lock:
            known = self._world.channels[channel]
            for key, value in fields.items():
                if key not in known or key in ("id", "is_im"):
                    raise ValueError("a channel has no changeable %s" % key)
                known[key] = value
            self._world.touch()
            return {"channel": copy.deepcopy(known)}

    def do_delete_message(self, channel, ts):
        """As a person or a retention rule does: the app is not told."""
        with self._world.lock:
            return {"deleted": self._world.delete_message(channel, ts)}

    def do_edit_message(self, channel, ts, **fields):
        """As another program with the app's token does: text, blocks, metadata; the rest stays."""
        with self._world.lock:
            message = self._world.find_message(channel, ts)
            if message is None or not set(fields) <= {"text", "blocks", "metadata"}:
                raise ValueError("no such message, or a member that is not its content")
            self._world.replace_message(message, fields)
            return {"message": public_message(message)}

    def do_copy_message(self, channel, ts):
        """The same message once more, as after a post whose answer was lost."""
        with self._world.lock:
            again = copy.deepcopy(self._world.find_message(channel, ts))
            self._world.add_message(channel, again)
            return {"message": public_message(again)}

    def do_token(self, state="token_revoked", send_event=False):
        """What the bot token is worth from now on: valid, token_revoked, account_inactive, token_expired."""
        if state not in TOKEN_STATES:
            raise ValueError("state must be one of %s" % ", ".join(TOKEN_STATES))
        with self._world.lock:
            self._world.token_state = state
            bot = self._world.bot_user_id
        if send_event:
            return self._acts.event({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [bot]}})
        return {}

    def do_scopes(self, scopes=None, add=(), remove=()):
        """The token's scopes: set whole, or add and remove."""
        with self._world.lock:
            wanted = list(self._world.scopes if scopes is None else scopes)
            wanted = [scope for scope in wanted if scope not in remove]
            wanted += [scope for scope in add if scope not in wanted]
            self._world.scopes = wanted
            return {"scopes": list(wanted)}

    def do_advance(self, seconds):
        """Move workspace time: ages trigger ids, response URLs and rate limits without sleeping."""
        with self._world.lock:
            self._world.clock_offset_s += float(seconds)
            self._world.touch()
            return {"now": self._world.now()}

    def do_config(self, **wanted):
        """app_url, ack_timeout_s, event_retry_delays_s, rate_limits (off | real | {method:
        [calls a minute, burst]}, and those that are not named are real), trigger_life_s, and to rotate
        secrets signing_secret_file, bot_token_file; of Socket Mode socket_mode, app_token_error, socket_lifetime_s,
        socket_fragments, socket_redeliver, socket_ack_timeout_s, socket_oversize (drop | close). date_skew_s: how far
        Slack's clock, as its Date headers tell it, is from this host's."""
        push = self._standin.push
        for key, value in wanted.items():
            if key == "app_url":
                push.app_url = value
            elif key == "ack_timeout_s":
                push.ack_timeout_s = float(value)
            elif key == "event_retry_delays_s":
                push.retry_delays_s = [float(item) for item in value]
            elif key == "rate_limits":
                self._standin.rate_limits.set(value)
            elif key == "trigger_life_s":
                self._world.trigger_life_s = float(value)
            elif key == "socket_mode":
                self._world.socket_mode = bool(value)
            elif key == "date_skew_s":
                self._world.date_skew_s = float(value)
            elif key == "app_token_error":
                self._world.app_token_error = value
            elif key in ("socket_lifetime_s", "socket_fragments", "socket_redeliver", "socket_ack_timeout_s",
                         "socket_oversize"):
                setattr(self._standin.sockets, key[len("socket_"):], value)
            elif key == "signing_secret_file":
                push.set_secret(self._standin.read_secret(value))
            elif key == "bot_token_file":
                self._standin.api.set_token(self._standin.read_secret(value))
            else:
                raise ValueError("no setting %s" % key)
        return {"app_url": push.app_url, "ack_timeout_s": push.ack_timeout_s,
                "event_retry_delays_s": push.retry_delays_s,
                "rate_limits": self._standin.rate_limits.shown(),
                "trigger_life_s": self._world.trigger_life_s}

    # -- Socket Mode ----------------------------------------------------------------------------------------------

    def do_sockets(self):
        """Connections, acknowledgements seen, envelopes that wait."""
        return self._standin.sockets.state()

    def do_envelope(self, type, payload, takes_answer=False):
        """Any payload in an envelope."""
        acked, answer, error, identity = self._standin.sockets.deliver(type, payload, takes_answer)
        return {"acked": acked, "answer": answer, "error": error, "envelope_id": identity}

    def do_socket_disconnect(self, reason="refresh_requested", connection=None, close_after=None):
        """Slack says that a connection (or all) will end, and ends it after so many seconds."""
        return {"connections": self._standin.sockets.disconnect(reason, connection, close_after)}

    def do_socket_cut(self, connection=None):
        """A connection (or all) ends without a word."""
        return {"connections": self._standin.sockets.cut(connection)}

    def do_socket_haunt(self, connection=None):
        """A connection (or all) goes half-open: it stays, and nothing passes."""
        return {"connections": self._standin.sockets.haunt(connection)}

    def do_socket_strangers(self, count=1):
        """So many connections of another program with the same token."""
        self._standin.sockets.set_strangers(count)
        return {}

    # -- faults -------------------------------------------------------------------------------------------------

    def do_fault(self, **fault):
        """Arm a fault for Web API calls; kinds in faults.py."""
        self._standin.api_faults.arm(fault)
        return {"armed": self._standin.api_faults.armed()}

    def do_push_fault(self, **fault):
        """Arm a fault for deliveries; kinds in faults.py."""
        self._standin.push_faults.arm(fault)
        return {"armed": self._standin.push_faults.armed()}

    def do_clear_faults(self):
        self._standin.api_faults.clear()
        self._standin.push_faults.clear()
        return {}

    # -- looking ------------------------------------------------------------------------------------------------

    def _list(self, kind, name, query):
        with self._world.lock:
            return {name: wait.KINDS[kind](self._world, query)}

    def do_messages(self, **query):
        return self._list("message", "messages", query)

    def do_dms(self, **query):
        return self._list("dm", "messages", query)

    def do_ephemerals(self, **query):
        return self._list("ephemeral", "messages", query)

    def do_modals(self, **query):
        return self._list("modal", "modals", query)

    def do_homes(self, **query):
        return self._list("home", "homes", query)

    def do_calls(self, **query):
        return self._list("call", "calls", query)

    def do_deliveries(self, **query):
        return self._list("delivery", "deliveries", query)

    def do_counters(self):
        """Calls per method (with outcomes) and deliveries per kind."""
        with self._world.lock:
            return {"methods": copy.deepcopy(self._world.call_counts),
                    "deliveries": dict(self._world.delivery_counts)}

    def do_rates(self):
        """What the rate limits leave: buckets of methods, and of the channels that were used."""
        tiers = {name: method.tier for name, method in webapi.METHODS.items() if name in CARD_METHODS}
        with self._world.lock:
            methods, channels = self._standin.rate_limits.left(self._world.now(), tiers)
            return {"at": self._world.now(), "methods": methods, "channels": channels}

    def do_clear_logs(self):
        """Forget calls, deliveries and counters; messages stay."""
        with self._world.lock:
            self._world.calls.clear()
            self._world.deliveries.clear()
            self._world.call_counts.clear()
            self._world.delivery_counts.clear()
            return {}

    def do_wait(self, timeout=10, **query):
        """Sleep until a list has `count` members that match."""
        reached, found = wait.wait(self._world, query, timeout, self._standin.stopping)
        return {"_timeout": not reached, "found": found, "count": len(found)}

    def do_state(self):
        """Everything at once."""
        world = self._world
        with world.lock:
            return copy.deepcopy({
                "version": world.version, "team": world.team, "app": world.app,
                "users": list(world.users.values()), "groups": list(world.groups.values()),
                "channels": list(world.channels.values()), "commands": world.commands,
                "shortcuts": world.shortcuts, "notices": world.notices,
                "messages": {key: [public_message(m) for m in kept] for key, kept in world.messages.items()},
                "ephemerals": [public_message(m) for m in world.ephemerals],
                "modals": wait.modals(world, {}), "homes": wait.homes(world, {})})
