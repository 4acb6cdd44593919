# SPDX-License-Identifier: Apache-2.0
"""What the app receives: the shapes of interactions, commands and events.

Owns building payload objects from the workspace. Never sends them (push.py does), never changes messages or views;
it does make trigger ids and response URLs, because those belong to one payload. Callers hold the world's lock.
"""

import copy
import secrets

from . import limits
from .state import make_id, public_message

STATELESS = ("button", "overflow", "workflow_button", "image")


class BadInput(Exception):
    """A user could not have done this in Slack's client."""


def find_option(element, value):
    """The whole option object for an option's value."""
    options = list(element.get("options", ()))
    for group in element.get("option_groups", ()):
        options.extend(group["options"])
    for option in options:
        if option["value"] == value:
            return copy.deepcopy(option)
    if element["type"].endswith("external_select"):
        return {"text": {"type": "plain_text", "text": value, "emoji": True}, "value": value}
    raise BadInput("no option %r in %s" % (value, element.get("action_id")))


# Element type → (member of state.values, member that holds the initial value, how many are chosen).
_SELECTED = {
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "multi_static_select": ("selected_options", "initial_options"),
    "multi_external_select": ("selected_options", "initial_options"),
    "checkboxes": ("selected_options", "initial_options"),
    "users_select": ("selected_user", "initial_user"),
    "multi_users_select": ("selected_users", "initial_users"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "channels_select": ("selected_channel", "initial_channel"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "rich_text_input": ("rich_text_value", "initial_value"),
}


def element_state(element, given):
    """The entry in state.values for an element; `given` None means untouched, "" or [] means emptied."""
    kind = element["type"]
    member, initial = _SELECTED.get(kind, ("value", "initial_value"))
    many = member.endswith("s")
    if given is None:
        value = copy.deepcopy(element.get(initial))
        return {"type": kind, member: value if value is not None else ([] if many else None)}
    if given in ("", []):
        return {"type": kind, member: [] if many else None}
    if member == "selected_option":
        given = find_option(element, given)
    elif member == "selected_options":
        given = [find_option(element, value) for value in ([given] if isinstance(given, str) else given)]
    return {"type": kind, member: given}


def given_value(values, block_id, action_id):
    """What the user entered: values by block and action, or by either alone."""
    by_block = values.get(block_id)
    if isinstance(by_block, dict):
        return by_block.get(action_id)
    if by_block is not None:
        return by_block
    by_action = values.get(action_id)
    return None if isinstance(by_action, dict) else by_action


def state_of(blocks, values, known=None):
    """state.values of a message or view: what was entered now, else what was there, else the initial value."""
    state = {}
    for block in blocks:
        for element in limits.interactive_elements(block):
            if element["type"] in STATELESS:
                continue
            block_id, action_id = block["block_id"], element["action_id"]
            given = given_value(values, block_id, action_id)
            before = (known or {}).get(block_id, {}).get(action_id)
            if given is None and before is not None:
                entry = before
            else:
                entry = element_state(element, given)
            state.setdefault(block_id, {})[action_id] = entry
    return state


def action_item(world, block, element, given):
    """One member of actions[]."""
    item = {"action_id": element["action_id"], "block_id": block["block_id"]}
    kind = element["type"]
    if kind in ("button", "workflow_button"):
        for key in ("text", "value", "style"):
            if key in element:
                item[key] = copy.deepcopy(element[key])
    elif kind == "overflow":
        item["selected_option"] = find_option(element, given)
    else:
        item.update(element_state(element, given))
    item["type"] = kind
    item["action_ts"] = world.make_ts()
    return item


def _head(world, kind, user_id):
    return {"type": kind, "user": world.user_brief(user_id), "api_app_id": world.app["id"],
            "token": world.verification_token, "team": {"id": world.team["id"], "domain": world.team_domain()},
            "enterprise": None, "is_enterprise_install": False}


def block_actions_message(world, user_id, channel_id, message, block, element, given, values):
    """A press on a message, which may be an ephemeral one."""
    ephemeral = "to_user" in message
    container = {"type": "message", "message_ts": message["ts"], "channel_id": channel_id,
                 "is_ephemeral": ephemeral}
    if message.get("thread_ts"):
        container["thread_ts"] = message["thread_ts"]
    payload = _head(world, "block_actions", user_id)
    payload.update({
        "container": container, "trigger_id": world.make_trigger(user_id),
        "channel": world.channel_brief(channel_id), "state": {"values": state_of(message["blocks"], values)},
        "response_url": world.make_response_url("actions", user_id, channel_id, message["ts"], ephemeral,
                                                message.get("thread_ts")),
        "actions": [action_item(world, block, element, given)],
    })
    if not ephemeral:
        payload["message"] = public_message(message)
    return payload


def block_actions_view(world, user_id, view, block, element, given):
    """A press in a modal or on the Home tab."""
    payload = _head(world, "block_actions", user_id)
    payload.update({
        "container": {"type": "view", "view_id": view["id"]},
        "trigger_id": world.make_trigger(user_id, view["id"] if view["type"] == limits.MODAL else None),
        "view": copy.deepcopy(view), "actions": [action_item(world, block, element, given)],
    })
    return payload


def view_submission(world, user_id, view):
    """A submitted modal, whose state has been filled in."""
    payload = _head(world, "view_submission", user_id)
    urls = []
    for block in view["blocks"]:
        element = block.get("element", {})
        if block["type"] != "input" or not element.get("response_url_enabled"):
            continue
        state = view["state"]["values"][block["block_id"]][element["action_id"]]
        channel_id = state.get("selected_conversation") or state.get("selected_channel")
        if channel_id:
            urls.append({"block_id": block["block_id"], "action_id": element["action_id"],
                         "channel_id": channel_id,
                         "response_url": world.make_response_url("app", user_id, channel_id)})
    payload.update({"trigger_id": world.make_trigger(user_id, view["id"]), "view": copy.deepcopy(view),
                    "response_urls": urls})
    return payload


def view_closed(world, user_id, view, is_cleared):
    payload = _head(world, "view_closed", user_id)
    payload.update({"view": copy.deepcopy(view), "is_cleared": is_cleared})
    return payload


def shortcut(world, user_id, callback_id):
    """A global shortcut: no channel, no response URL."""
    payload = _head(world, "shortcut", user_id)
    payload.pop("api_app_id")
    payload["user"].pop("name")
    payload.update({"action_ts": world.make_ts(), "callback_id": callback_id,
                    "trigger_id": world.make_trigger(user_id)})
    return payload


def message_action(world, user_id, channel_id, message, callback_id):
    """A shortcut on a message."""
    payload = _head(world, "message_action", user_id)
    payload.pop("api_app_id")
    payload["user"].pop("username")
    payload.update({
        "action_ts": world.make_ts(), "callback_id": callback_id, "trigger_id": world.make_trigger(user_id),
        "channel": world.channel_brief(channel_id), "message_ts": message["ts"], "message": public_message(message),
        "response_url": world.make_response_url("app", user_id, channel_id, message["ts"], False,
                                                message.get("thread_ts")),
    })
    return payload


def block_suggestion(world, user_id, typed, block_id, action_id, view=None, channel_id=None, message=None):
    """Options wanted for what the user has typed so far."""
    payload = _head(world, "block_suggestion", user_id)
    payload.update({"action_id": action_id, "block_id": block_id, "value": typed})
    if view is not None:
        payload.update({"container": {"type": "view", "view_id": view["id"]}, "view": copy.deepcopy(view)})
    else:
        payload.update({
            "container": {"type": "message", "message_ts": message["ts"], "channel_id": channel_id,
                          "is_ephemeral": False},
            "channel": world.channel_brief(channel_id), "message": public_message(message)})
    return payload


def slash_command(world, user_id, channel_id, command, text):
    """The form fields of a slash command; enterprise fields are absent outside Enterprise Grid."""
    user = world.users[user_id]
    channel = world.channel_brief(channel_id)
    return {
        "token": world.verification_token, "team_id": world.team["id"], "team_domain": world.team_domain(),
        "channel_id": channel_id, "channel_name": channel["name"], "user_id": user_id, "user_name": user["name"],
        "command": command, "text": text, "api_app_id": world.app["id"], "is_enterprise_install": "false",
        "response_url": world.make_response_url("commands", user_id, channel_id),
        "trigger_id": world.make_trigger(user_id),
    }


def event_callback(world, event, event_id=None):
    """The envelope around an event."""
    envelope = {
        "token": world.verification_token, "team_id": world.team["id"], "context_team_id": world.team["id"],
        "context_enterprise_id": None, "api_app_id": world.app["id"], "event": event, "type": "event_callback",
        "event_id": event_id or make_id("Ev"), "event_time": int(world.now()), "is_ext_shared_channel": False,
        "event_context": "4-" + secrets.token_urlsafe(18),
    }
    if event.get("type") not in ("app_uninstalled", "tokens_revoked"):
        envelope["authorizations"] = [{"enterprise_id": None, "team_id": world.team["id"],
                                       "user_id": world.bot_user_id, "is_bot": True,
                                       "is_enterprise_install": False}]
    return envelope


def app_home_opened(world, user_id, tab):
    """Sent on every opening; the view is there only once one was published."""
    event = {"type": "app_home_opened", "user": user_id, "channel": world.open_im(user_id)["id"], "tab": tab,
             "event_ts": world.make_ts()}
    view_id = world.homes.get(user_id)
    if tab == "home" and view_id:
        event["view"] = copy.deepcopy(world.views[view_id]["view"])
    return event
