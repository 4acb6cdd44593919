# SPDX-License-Identifier: Apache-2.0
"""What people do in Slack's client: press, submit, close, type a command, open Home.

Owns turning an act into a delivery and the app's answer into what the user then sees. Never signs or sends by itself
(push.py), never builds payload shapes (payloads.py). Takes the world's lock for looking and changing, never while a
delivery is under way.
"""

import copy
import json
import time

from . import limits, methods_chat, methods_views, payloads
from .apiargs import ApiError
from .payloads import BadInput

TROUBLE = "We had some trouble connecting. Try again?"
REQUIRED = "Please complete this required field."
SUGGESTIONS_MAX = 100


class Acts:
    """Acts of the workspace's people, as the control API and the page ask for them."""

    def __init__(self, world, push):
        self.world = world
        self.push = push

    # -- helpers ------------------------------------------------------------------------------------------------

    def _user(self, user_id):
        if user_id not in self.world.users:
            raise BadInput("no user %s" % user_id)
        return user_id

    def _channel(self, channel_id):
        if channel_id not in self.world.channels:
            raise BadInput("no channel %s" % channel_id)
        return channel_id

    def _message(self, user_id, channel_id, ts):
        """A message the user can see: posted, or ephemeral and meant for them."""
        message = self.world.find_message(self._channel(channel_id), ts)
        if message is not None:
            return message
        for ephemeral in self.world.ephemerals:
            if (ephemeral["channel"], ephemeral["ts"], ephemeral["to_user"]) == (channel_id, ts, user_id):
                return ephemeral
        raise BadInput("no message %s in %s that %s can see" % (ts, channel_id, user_id))

    def _notice(self, user_id, where, text):
        self.world.notices.append({"user": user_id, "where": where, "text": text, "at": self.world.now()})
        del self.world.notices[:-1000]
        self.world.touch()

    @staticmethod
    def _result(entry, **extra):
        """What an act gives back to the test."""
        result = {"delivery": entry["id"], "delivered": not entry["dropped"], "acked": entry["acked"],
                  "status": entry["status"], "answer": entry["answer"], "latency_ms": entry["latency_ms"],
                  "error": entry["error"]}
        result.update(extra)
        return result

    def _modal_since(self, user_id, before, wait_s):
        """The user's top modal when it is another one than before; waits a little for an app that acks first."""
        deadline = time.monotonic() + wait_s
        with self.world.lock:
            while True:
                top = self.world.top_view_id(user_id)
                if top is not None and top != before:
                    return copy.deepcopy(self.world.views[top]["view"])
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not self.world.changed.wait(left_s):
                    return None

    # -- buttons and selects ------------------------------------------------------------------------------------

    def press(self, user, action_id, channel=None, ts=None, view_id=None, block_id=None, value=None, values=None,
              revision=None, wait_modal=0):
        """Press a button (or choose in a select) on a message, in a modal or on the Home tab.

        `revision` presses the card as it was before its n-th change: a click that crosses an update.
        """
        with self.world.lock:
            self._user(user)
            before = self.world.top_view_id(user)
            if view_id is not None:
                payload, where = self._press_view(user, view_id, action_id, block_id, value, values or {})
            else:
                message = self._message(user, channel, ts)
                if revision is not None:
                    message = message["_revisions"][int(revision)]
                block, element = limits.find_element(message.get("blocks", ()), action_id, block_id)
                if element is None:
                    raise BadInput("no %s on message %s" % (action_id, ts))
                payload = payloads.block_actions_message(self.world, user, channel, message, block, element, value,
                                                         values or {})
                where = ts
        entry = self.push.interaction(payload)
        if not entry["acked"]:
            with self.world.lock:
                self._notice(user, where, TROUBLE)
        return self._result(entry, trigger_id=payload["trigger_id"], response_url=payload.get("response_url"),
                            notice="" if entry["acked"] else TROUBLE,
                            modal=self._modal_since(user, before, float(wait_modal)))

    def _press_view(self, user, view_id, action_id, block_id, value, values):
        entry = self.world.views.get(view_id)
        if entry is None or entry["user"] != user:
            raise BadInput("no view %s on the screen of %s" % (view_id, user))
        view = entry["view"]
        block, element = limits.find_element(view["blocks"], action_id, block_id)
        if element is None:
            raise BadInput("no %s in view %s" % (action_id, view_id))
        if block["type"] == "input" and not block.get("dispatch_action"):
            raise BadInput("%s stands in an input without dispatch_action: Slack tells nobody" % action_id)
        given = dict(values)
        if value is not None and element["type"] not in payloads.STATELESS:
            given[block["block_id"]] = {action_id: value}
        view["state"]["values"] = payloads.state_of(view["blocks"], given, view["state"]["values"])
        return payloads.block_actions_view(self.world, user, view, block, element, value), view_id

    # -- modals -------------------------------------------------------------------------------------------------

    def submit(self, user, view_id=None, values=None):
        """Submit the user's top modal (or the one named)."""
        with self.world.lock:
            self._user(user)
            view_id = view_id or self.world.top_view_id(user)
            if view_id not in self.world.stack(user):
                raise BadInput("%s has no such modal open" % user)
            entry = self.world.views[view_id]
            view = entry["view"]
            if not view["submit"]:
                raise BadInput("the modal has nothing to submit")
            view["state"]["values"] = payloads.state_of(view["blocks"], values or {}, view["state"]["values"])
            entry["errors"] = client_errors(view)
            entry["notice"] = ""
            if entry["errors"]:
                self.world.touch()
                return {"delivered": False, "outcome": "refused_by_client", "errors": dict(entry["errors"])}
            payload = payloads.view_submission(self.world, user, view)
        delivery = self.push.interaction(payload)
        with self.world.lock:
            outcome, errors, problem = self._after_submit(user, view_id, delivery)
            if outcome == "trouble" and view_id in self.world.views:
                self.world.views[view_id]["notice"] = TROUBLE
            self.world.touch()
            top = self.world.top_view_id(user)
            modal = copy.deepcopy(self.world.views[top]["view"]) if top else None
        return self._result(delivery, outcome=outcome, errors=errors, problem=problem, modal=modal,
                            trigger_id=payload["trigger_id"])

    def _after_submit(self, user, view_id, delivery):
        """Interpret the answer to view_submission: (outcome, errors, problem)."""
        if not delivery["acked"] or delivery["status"] != 200:
            return "trouble", {}, delivery["error"] or "status is not 200"
        if not delivery["answer"].strip():
            self.world.drop_view(user, view_id)
            return "closed", {}, ""
        try:
            answer = json.loads(delivery["answer"])
            action = answer.get("response_action")
        except (ValueError, AttributeError):
            return "trouble", {}, "the answer is not a JSON object"
        if action is None and not answer:
            self.world.drop_view(user, view_id)
            return "closed", {}, ""
        if action == "clear":
            self.world.clear_stack(user)
            return "cleared", {}, ""
        if action == "errors":
            return self._show_errors(view_id, answer.get("errors"))
        if action in ("update", "push"):
            return self._show_view(user, view_id, action, answer.get("view"))
        return "trouble", {}, "unknown response_action"

    def _show_errors(self, view_id, errors):
        entry = self.world.views.get(view_id)
        if entry is None:
            return "trouble", {}, "the modal is gone"
        inputs = {block["block_id"] for block in entry["view"]["blocks"] if block["type"] == "input"}
        if not isinstance(errors, dict) or not errors or set(errors) - inputs or not all(
                isinstance(text, str) for text in errors.values()):
            return "trouble", {}, "errors must name input blocks"
        entry["errors"] = dict(errors)
        return "errors", dict(errors), ""

    def _show_view(self, user, view_id, action, view):
        try:
            own = view_id if action == "update" else None
            full = methods_views.check_view(self.world, view, (limits.MODAL,), own_view_id=own)
            if action == "update":
                if view_id not in self.world.views:
                    return "trouble", {}, "the modal is gone"
                self.world.replace_view(view_id, full)
                return "updated", {}, ""
            methods_views.push_view(self.world, user, full)
            return "pushed", {}, ""
        except ApiError as error:
            # Slack reports this to nobody; the test still gets to know.
            words = error.extra.get("response_metadata", {}).get("messages", [])
            return "trouble", {}, " ".join([error.code] + words)

    def close(self, user, view_id=None, how="cancel"):
        """Close a modal: "cancel" takes the top view away, "x" the whole stack."""
        with self.world.lock:
            stack = list(self.world.stack(self._user(user)))
            if not stack:
                raise BadInput("%s has no modal open" % user)
            view_id = stack[0] if how == "x" else view_id or stack[-1]
            if view_id not in stack:
                raise BadInput("%s has no such modal open" % user)
            view = self.world.views[view_id]["view"]
            cleared = how == "x" or view["clear_on_close"]
            payload = payloads.view_closed(self.world, user, view, cleared) if view["notify_on_close"] else None
            if cleared:
                self.world.clear_stack(user)
            else:
                self.world.drop_view(user, view_id)
        if payload is None:
            return {"delivered": False, "notify_on_close": False}
        return self._result(self.push.interaction(payload), notify_on_close=True)

    # -- commands and shortcuts ---------------------------------------------------------------------------------

    def slash(self, user, command, text="", channel=None, wait_modal=0):
        """Type a slash command. The answer is shown as Slack would show it."""
        with self.world.lock:
            self._user(user)
            if self.world.users[user]["team_id"] != self.world.team["id"]:
                raise BadInput("people of other workspaces cannot use this workspace's commands")
            channel = self._channel(channel) if channel else self.world.open_im(user)["id"]
            before = self.world.top_view_id(user)
            fields = payloads.slash_command(self.world, user, channel, command, text)
        entry = self.push.command(fields)
        with self.world.lock:
            shown, problem = self._show_slash(entry, user, channel, command, text)
        return self._result(entry, shown=shown, problem=problem, trigger_id=fields["trigger_id"],
                            response_url=fields["response_url"],
                            modal=self._modal_since(user, before, float(wait_modal)))

    def _show_slash(self, entry, user, channel, command, text):
        """Show a command's answer: (what was shown, problem)."""
        target = {"user": user, "channel": channel, "source_ts": None}
        if not entry["acked"]:
            error = "operation_timeout" if entry["error"] == "http_timeout" else "dispatch_failed"
            words = "%s failed with the error \"%s\"" % (command, error)
            self._notice(user, channel, words)
            shown = {"user": "USLACKBOT", "type": "message", "ts": "", "text": words}
            self.world.add_ephemeral(channel, user, shown)
            return {"ephemeral": shown["ts"]}, error
        answer = entry["answer"]
        if not answer.strip():
            return None, ""
        content = {"text": answer}
        if entry["answer_type"].startswith("application/json"):
            try:
                content = json.loads(answer)
            except ValueError:
                return None, "the answer is not valid JSON"
            if not isinstance(content, dict):
                return None, "the answer is not a JSON object"
            if not content:
                return None, ""
        try:
            if content.get("response_type") == "in_channel":
                self.world.add_message(channel, {"user": user, "type": "message", "team": self.world.team["id"],
                                                 "text": (command + " " + text).strip()})
            return methods_chat.apply_response(self.world, target, content), ""
        except ApiError as error:
            return None, error.code

    def shortcut(self, user, callback_id, wait_modal=0):
        """Use a global shortcut."""
        with self.world.lock:
            before = self.world.top_view_id(self._user(user))
            payload = payloads.shortcut(self.world, user, callback_id)
        return self._after_shortcut(user, payload, before, wait_modal)

    def message_action(self, user, channel, ts, callback_id, wait_modal=0):
        """Use a shortcut on a message."""
        with self.world.lock:
            before = self.world.top_view_id(self._user(user))
            message = self._message(user, channel, ts)
            payload = payloads.message_action(self.world, user, channel, message, callback_id)
        return self._after_shortcut(user, payload, before, wait_modal)

    def _after_shortcut(self, user, payload, before, wait_modal):
        entry = self.push.interaction(payload)
        if not entry["acked"]:
            with self.world.lock:
                self._notice(user, "shortcut", TROUBLE)
        return self._result(entry, trigger_id=payload["trigger_id"], response_url=payload.get("response_url"),
                            notice="" if entry["acked"] else TROUBLE,
                            modal=self._modal_since(user, before, float(wait_modal)))

    def suggest(self, user, action_id, typed="", view_id=None, channel=None, ts=None):
        """Type into an external select; gives the options the app offers."""
        with self.world.lock:
            self._user(user)
            if view_id is not None:
                if view_id not in self.world.views:
                    raise BadInput("no view %s" % view_id)
                view, message = self.world.views[view_id]["view"], None
            else:
                view, message = None, self._message(user, channel, ts)
            blocks = view["blocks"] if view else message.get("blocks", ())
            block, element = limits.find_element(blocks, action_id)
            if element is None:
                raise BadInput("no %s there" % action_id)
            payload = payloads.block_suggestion(self.world, user, typed, block["block_id"], action_id, view,
                                                channel, message)
        entry = self.push.interaction(payload)
        options, problem = [], entry["error"]
        if entry["acked"]:
            try:
                answer = json.loads(entry["answer"])
                groups = answer.get("option_groups")
                options = [o for g in groups for o in g["options"]] if groups else answer["options"]
                if len(options) > SUGGESTIONS_MAX:
                    options, problem = [], "more than %d options" % SUGGESTIONS_MAX
            except (ValueError, KeyError, TypeError, AttributeError):
                problem = "the answer has no options"
        return self._result(entry, options=options, problem=problem)

    # -- the rest -----------------------------------------------------------------------------------------------

    def home_opened(self, user, tab="home"):
        """Open the app's Home (or Messages) tab."""
        with self.world.lock:
            event = payloads.app_home_opened(self.world, self._user(user), tab)
        return self.event(event)

    def event(self, event, event_id=None):
        """Send an event in its envelope."""
        with self.world.lock:
            envelope = payloads.event_callback(self.world, event, event_id)
        entry = self.push.event(envelope)
        return self._result(entry, event_id=envelope["event_id"])

    def say(self, user, channel, text, thread_ts=None):
        """Write an ordinary message; the app is not subscribed to those."""
        with self.world.lock:
            message = {"user": self._user(user), "type": "message", "team": self.world.users[user]["team_id"],
                       "text": text}
            if thread_ts:
                message["thread_ts"] = thread_ts
            self.world.add_message(self._channel(channel), message)
            return {"channel": channel, "ts": message["ts"]}


def _length_error(element, value):
    if "max_length" in element and len(value) > element["max_length"]:
        return "Must be at most %d characters." % element["max_length"]
    if len(value) < element.get("min_length", 0):
        return "Must be at least %d characters." % element["min_length"]
    return ""


def client_errors(view):
    """What Slack's client refuses before anything is sent: empty required fields and lengths."""
    errors = {}
    for block in view["blocks"]:
        if block["type"] != "input":
            continue
        element = block["element"]
        entry = view["state"]["values"][block["block_id"]][element["action_id"]]
        value = next(item for key, item in entry.items() if key != "type")
        if value in (None, "", []):
            if not block.get("optional"):
                errors[block["block_id"]] = REQUIRED
        elif element["type"] == "plain_text_input" and _length_error(element, value):
            errors[block["block_id"]] = _length_error(element, value)
    return errors
