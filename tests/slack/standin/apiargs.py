# SPDX-License-Identifier: Apache-2.0
"""Arguments and errors of Web API calls.

Owns how a request's bytes become arguments (JSON, form, query) and the one error type methods raise. Never knows a
method, never touches the workspace.
"""

import json
import urllib.parse


class ApiError(Exception):
    """ok:false with a code; extra members go into the answer as they are."""

    def __init__(self, code, messages=None, **extra):
        super().__init__(code)
        self.code = code
        self.extra = dict(extra)
        if messages is not None:
            self.extra["response_metadata"] = {"messages": ["[ERROR] %s" % words for words in messages]}


def missing(name):
    """The error for a required argument that is not there."""
    return ApiError("invalid_arguments", ["missing required field: %s" % name])


class Args:
    """Arguments by name, whichever encoding brought them."""

    def __init__(self, values):
        self.values = values

    def has(self, name):
        return self.values.get(name) is not None

    def text(self, name, default=None):
        value = self.values.get(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (int, float)):
            return str(value)
        if not isinstance(value, str):
            raise ApiError("invalid_arguments", ["must be a string [json-pointer:/%s]" % name])
        return value

    def need(self, name):
        value = self.text(name)
        if not value:
            raise missing(name)
        return value

    def flag(self, name, default=False):
        value = self.values.get(name)
        if value is None:
            return default
        return value in (True, 1, "true", "1", "True", "TRUE")

    def number(self, name, default):
        value = self.values.get(name)
        if value is None or value == "":
            return default
        try:
            return int(value)
        except (OverflowError, TypeError, ValueError):
            raise ApiError("invalid_arguments", ["must be an integer [json-pointer:/%s]" % name]) from None

    def nested(self, name, error):
        """A list or object; in a form it is JSON text, and JSON bodies may carry it as text too."""
        value = self.values.get(name)
        if isinstance(value, str):
            if not value:
                return None
            try:
                value = json.loads(value)
            except ValueError:
                raise error from None
        return value


def _from_form(text):
    pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict")
    return dict(pairs)


def parse(http_method, content_type, query, body, takes_json):
    """Arguments of a request. Returns (Args, list of warnings); raises ApiError for an unusable body."""
    kind = (content_type or "").split(";")[0].strip().lower()
    if http_method == "GET":
        return Args(_from_form(query)), []
    if not body and not kind:
        return Args({}), []
    if not kind:
        raise ApiError("missing_post_type")
    if kind == "application/x-www-form-urlencoded":
        try:
            return Args(_from_form(body.decode("utf-8"))), []
        except (UnicodeDecodeError, ValueError):
            raise ApiError("invalid_form_data") from None
    if kind != "application/json":
        raise ApiError("invalid_post_type")
    try:
        values = json.loads(body.decode("utf-8"))
    except (UnicodeDecodeError, ValueError):
        raise ApiError("invalid_json") from None
    if not isinstance(values, dict):
        raise ApiError("json_not_object")
    warnings = [] if "charset" in content_type.lower() else ["missing_charset"]
    # Slack's read methods take form or query only and do not see a JSON body.
    return Args(values if takes_json else {}), warnings
