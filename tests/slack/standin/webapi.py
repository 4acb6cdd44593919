# SPDX-License-Identifier: Apache-2.0
"""The Web API's front: POST /api/METHOD.

Owns tokens, scopes, tiers, faults and the shape of answers; one table says what each method needs. Never does a
method's work (methods_*.py do), never writes to a socket. Tokens are compared and forgotten, never logged.
"""

import collections
import hmac
import json

from . import methods_chat, methods_read, methods_views
from .apiargs import ApiError, parse

HTML_503 = b"<!doctype html><html><head><title>Server error</title></head></html>\n"
HTML_LOGIN = b"<!doctype html><html><head><title>Proxy sign-in</title></head><body>Sign in</body></html>\n"

Method = collections.namedtuple("Method", "run tier scope takes_json")
Answer = collections.namedtuple("Answer", "status headers body close")

# Scope None: no scope, or one that depends on the conversation and is checked where that is known.
METHODS = {
    "auth.test": Method(methods_read.auth_test, "special", None, True),
    "apps.connections.open": Method(methods_read.connections_open, "tier1", None, True),
    "chat.postMessage": Method(methods_chat.post_message, "special", "chat:write", True),
    "chat.update": Method(methods_chat.update, "tier3", "chat:write", True),
    "chat.postEphemeral": Method(methods_chat.post_ephemeral, "tier4", "chat:write", True),
    "chat.delete": Method(methods_chat.delete, "tier3", "chat:write", True),
    "chat.getPermalink": Method(methods_chat.get_permalink, "special", None, False),
    "conversations.open": Method(methods_read.conversations_open, "tier3", None, True),
    "conversations.history": Method(methods_read.conversations_history, "tier3", None, False),
    "conversations.replies": Method(methods_read.conversations_replies, "tier3", None, False),
    "conversations.info": Method(methods_read.conversations_info, "tier3", None, False),
    "conversations.members": Method(methods_read.conversations_members, "tier4", None, False),
    "users.info": Method(methods_read.users_info, "tier4", "users:read", False),
    "users.lookupByEmail": Method(methods_read.users_lookup_by_email, "tier3", "users:read.email", False),
    "usergroups.list": Method(methods_read.usergroups_list, "tier2", "usergroups:read", False),
    "usergroups.users.list": Method(methods_read.usergroups_users_list, "tier2", "usergroups:read", False),
    "views.open": Method(methods_views.views_open, "tier4", None, True),
    "views.push": Method(methods_views.views_push, "tier4", None, True),
    "views.update": Method(methods_views.views_update, "tier4", None, True),
    "views.publish": Method(methods_views.views_publish, "tier4", None, True),
}


class WebApi:
    """Answers Web API requests for one workspace."""

    def __init__(self, world, faults, rate_limits, bot_token):
        self.world = world
        self.faults = faults
        self.rate_limits = rate_limits
        self._bot_token = bot_token

    def set_token(self, bot_token):
        """From now on only this token is good."""
        self._bot_token = bot_token

    def handle(self, name, http_method, headers, query, body):
        """One request, from parsed HTTP to an Answer."""
        fault = self.faults.take(name) or {}
        kind = fault.get("kind")
        if kind in ("hang_before", "delay"):
            self.faults.sleep(fault.get("seconds", 0))
        if kind in ("hang_before", "ratelimited", "status", "html_200", "empty_200") or (
                kind == "error" and not fault.get("after_work")):
            with self.world.lock:
                self.world.note_call({"at": self.world.now(), "method": name, "args": {},
                                      "outcome": fault.get("error") or "fault:" + kind})
            return self._fault_answer(fault, None)
        answer = self._work(name, http_method, headers, query, body)
        if kind == "close_after":
            self.faults.sleep(fault.get("seconds", 0))
        if kind in ("close_after", "truncated", "error"):
            return self._fault_answer(fault, answer)
        return answer

    @staticmethod
    def _fault_answer(fault, answer):
        kind = fault["kind"]
        html = {"Content-Type": "text/html"}
        if kind in ("hang_before", "close_after"):
            return Answer(0, {}, b"", True)
        if kind == "ratelimited":
            wait = fault.get("retry_after", 1)
            headers = {} if wait is None else {"Retry-After": str(wait)}
            return json_answer({"ok": False, "error": "ratelimited"}, headers, 429)
        if kind == "status":
            return Answer(int(fault.get("status", 503)), html, HTML_503, False)
        if kind == "html_200":
            return Answer(200, html, HTML_LOGIN, False)
        if kind == "empty_200":
            return Answer(200, {}, b"", False)
        if kind == "truncated":
            return answer._replace(body=answer.body[:len(answer.body) // 2])
        return json_answer({"ok": False, "error": fault.get("error", "internal_error")})

    def _work(self, name, http_method, headers, query, body):
        """The method itself, with the checks before it; every outcome is counted."""
        method = METHODS.get(name)
        args, warnings, extra_headers, status = None, [], {}, 200
        with self.world.lock:
            try:
                if method is None:
                    raise ApiError("unknown_method", req_method=name)
                extra_headers = {"X-OAuth-Scopes": ",".join(self.world.scopes),
                                 "X-Accepted-OAuth-Scopes": method.scope or ""}
                self._check_token(name, headers.get("Authorization"))
                args, warnings = parse(http_method, headers.get("Content-Type"), query, body, method.takes_json)
                self._check_scope(method)
                self._check_rate(name, method, args, extra_headers)
                result = {"ok": True}
                result.update(method.run(self.world, args))
            except ApiError as error:
                status = 429 if error.code == "ratelimited" else 200
                result = {"ok": False, "error": error.code}
                result.update(error.extra)
            self._add_warnings(result, warnings)
            self.world.note_call(self._log_entry(name, args, result))
        return json_answer(result, extra_headers, status)

    def _check_token(self, name, header):
        if not header or not header.startswith("Bearer "):
            raise ApiError("not_authed")
        token = header[len("Bearer "):].strip()
        if token.startswith("xapp-"):
            if name != "apps.connections.open":
                raise ApiError("not_allowed_token_type")
            known = self.world.app_token
            if known is not None and not hmac.compare_digest(token.encode("utf-8", "replace"), known):
                raise ApiError("invalid_auth")
            return
        if not hmac.compare_digest(token.encode("utf-8", "replace"), self._bot_token):
            raise ApiError("invalid_auth")
        if self.world.token_state != "valid":
            raise ApiError(self.world.token_state)
        if name == "apps.connections.open":
            raise ApiError("not_allowed_token_type")

    def _check_scope(self, method):
        if method.scope and method.scope not in self.world.scopes:
            raise ApiError("missing_scope", needed=method.scope, provided=",".join(self.world.scopes))

    def _check_rate(self, name, method, args, headers):
        channel_id = args.values.get("channel") if name == "chat.postMessage" else None
        wait_s = self.rate_limits.check(name, method.tier, channel_id, self.world.now())
        if wait_s:
            headers["Retry-After"] = str(wait_s)
            raise ApiError("ratelimited")

    @staticmethod
    def _add_warnings(result, warnings):
        if warnings:
            result.setdefault("warning", warnings[0])
            result.setdefault("response_metadata", {})["warnings"] = warnings

    def _log_entry(self, name, args, result):
        logged = {}
        for key, value in (args.values if args else {}).items():
            logged[key] = value
            if key in ("blocks", "view", "metadata") and isinstance(value, str):
                try:
                    logged[key] = json.loads(value)
                except ValueError:
                    pass
        logged.pop("token", None)
        entry = {"at": self.world.now(), "method": name, "args": logged,
                 "outcome": "ok" if result["ok"] else result["error"]}
        for key in ("channel", "ts", "message_ts"):
            if isinstance(result.get(key), str):
                entry[key] = result[key]
        if isinstance(result.get("view"), dict):
            entry["view_id"] = result["view"]["id"]
        return entry


def json_answer(value, headers=None, status=200):
    """An answer with a JSON body."""
    full = {"Content-Type": "application/json; charset=utf-8"}
    full.update(headers or {})
    return Answer(status, full, json.dumps(value).encode("ascii"), False)
