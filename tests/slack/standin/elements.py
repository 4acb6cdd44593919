# SPDX-License-Identifier: Apache-2.0
"""Block Kit elements: the parts that sit inside blocks.

Owns the legal keys, types and lengths of text objects, options, confirm dialogs, rich text and interactive elements.
Never looks at a whole message or view (limits.py does), never changes what it is given, never unescapes text. Lengths
count code points, which is how Slack counts as far as seen.
"""

# The limits of Block Kit, one name each, as in the table of the Slack reference.
ID_MAX = 255
TEXT_MAX = 3000
BUTTON_TEXT_MAX = 75
BUTTON_VALUE_MAX = 2000
URL_MAX = 3000
ACCESSIBILITY_LABEL_MAX = 75
CONFIRM_TITLE_MAX = 100
CONFIRM_TEXT_MAX = 300
CONFIRM_LABEL_MAX = 30
OPTION_TEXT_MAX = 75
# Sources differ (75 or 150); the smaller keeps our own output safe under either.
OPTION_VALUE_MAX = 75
OPTIONS_MAX = 100
OPTION_GROUPS_MAX = 100
OVERFLOW_OPTIONS_MAX = 5
CHECK_OPTIONS_MAX = 10
PLACEHOLDER_MAX = 150
INPUT_LENGTH_MAX = 3000
ALT_TEXT_MAX = 2000

_BASE = {"type", "action_id"}
_COMMON = _BASE | {"confirm", "focus_on_load", "placeholder"}
ELEMENT_KEYS = {
    "button": _BASE | {"text", "value", "url", "style", "confirm", "accessibility_label"},
    "workflow_button": _BASE | {"text", "workflow", "style", "accessibility_label"},
    "static_select": _COMMON | {"options", "option_groups", "initial_option"},
    "multi_static_select": _COMMON | {"options", "option_groups", "initial_options", "max_selected_items"},
    "external_select": _COMMON | {"initial_option", "min_query_length"},
    "multi_external_select": _COMMON | {"initial_options", "min_query_length", "max_selected_items"},
    "users_select": _COMMON | {"initial_user"},
    "multi_users_select": _COMMON | {"initial_users", "max_selected_items"},
    "conversations_select": _COMMON | {"initial_conversation", "default_to_current_conversation",
                                       "response_url_enabled", "filter"},
    "multi_conversations_select": _COMMON | {"initial_conversations", "default_to_current_conversation",
                                             "max_selected_items", "filter"},
    "channels_select": _COMMON | {"initial_channel", "response_url_enabled"},
    "multi_channels_select": _COMMON | {"initial_channels", "max_selected_items"},
    "overflow": _BASE | {"options", "confirm"},
    "datepicker": _COMMON | {"initial_date"},
    "timepicker": _COMMON | {"initial_time", "timezone"},
    "datetimepicker": _COMMON | {"initial_date_time"},
    "radio_buttons": _COMMON | {"options", "initial_option"},
    "checkboxes": _COMMON | {"options", "initial_options"},
    "plain_text_input": _COMMON | {"initial_value", "multiline", "min_length", "max_length",
                                   "dispatch_action_config"},
    "email_text_input": _COMMON | {"initial_value", "dispatch_action_config"},
    "url_text_input": _COMMON | {"initial_value", "dispatch_action_config"},
    "number_input": _COMMON | {"initial_value", "is_decimal_allowed", "min_value", "max_value",
                               "dispatch_action_config"},
    "rich_text_input": _COMMON | {"initial_value", "dispatch_action_config"},
    "file_input": _BASE | {"filetypes", "max_files"},
    "image": {"type", "image_url", "slack_file", "alt_text"},
}
SELECTS = ("static_select", "external_select", "users_select", "conversations_select", "channels_select")
MULTI_SELECTS = tuple("multi_" + name for name in SELECTS)
PICKERS = ("datepicker", "timepicker", "datetimepicker", "radio_buttons", "checkboxes")
TEXT_INPUTS = ("plain_text_input", "email_text_input", "url_text_input", "number_input", "rich_text_input")
IN_ACTIONS = ("button", "workflow_button", "overflow", "rich_text_input") + SELECTS + MULTI_SELECTS + PICKERS
IN_ACCESSORY = ("button", "workflow_button", "overflow", "image", "datepicker", "timepicker", "radio_buttons",
                "checkboxes") + SELECTS + MULTI_SELECTS
IN_INPUT = SELECTS + MULTI_SELECTS + PICKERS + TEXT_INPUTS + ("file_input",)

RICH_BLOCKS = ("rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted")
RICH_LEAVES = ("text", "link", "user", "channel", "usergroup", "emoji", "date", "broadcast", "color")
RICH_NEEDS = {"text": "text", "link": "url", "user": "user_id", "channel": "channel_id",
              "usergroup": "usergroup_id", "emoji": "name", "date": "timestamp", "broadcast": "range",
              "color": "value"}


class Check:
    """Collects what is wrong, each with a JSON pointer, in Slack's manner."""

    def __init__(self):
        self.errors = []

    def fail(self, pointer, words):
        self.errors.append("%s [json-pointer:%s]" % (words, pointer))

    def is_object(self, value, pointer):
        if isinstance(value, dict):
            return True
        self.fail(pointer, "must be an object")
        return False

    def keys(self, value, allowed, pointer):
        for key in value:
            if key not in allowed:
                self.fail(pointer, "invalid additional property: %s" % key)

    def string(self, owner, key, limit, pointer, required=False, least=1):
        """A bounded string member. Gives the string when it is fine."""
        if key not in owner or owner[key] is None:
            if required:
                self.fail(pointer, "missing required field: %s" % key)
            return None
        value, where = owner[key], "%s/%s" % (pointer, key)
        if not isinstance(value, str):
            self.fail(where, "must be a string")
        elif len(value) > limit:
            self.fail(where, "must be less than %d characters" % (limit + 1))
        elif len(value) < least:
            self.fail(where, "must be more than %d characters" % (least - 1))
        else:
            return value
        return None

    def boolean(self, owner, key, pointer):
        if key in owner and not isinstance(owner[key], bool):
            self.fail("%s/%s" % (pointer, key), "must be a boolean")

    def one_of(self, owner, key, allowed, pointer, required=False):
        if key not in owner:
            if required:
                self.fail(pointer, "missing required field: %s" % key)
        elif owner[key] not in allowed:
            self.fail("%s/%s" % (pointer, key), "must be a valid enum value")

    def items(self, owner, key, least, most, pointer, required=True):
        """A bounded list member; gives an empty list when it is unusable."""
        if key not in owner:
            if required:
                self.fail(pointer, "missing required field: %s" % key)
            return []
        value, where = owner[key], "%s/%s" % (pointer, key)
        if not isinstance(value, list):
            self.fail(where, "must be an array")
            return []
        if len(value) > most:
            self.fail(where, "no more than %d items allowed" % most)
        if len(value) < least:
            self.fail(where, "no less than %d items allowed" % least)
        return value

    def text(self, owner, key, limit, pointer, plain=False, required=True):
        """A text object member."""
        if key not in owner or owner[key] is None:
            if required:
                self.fail(pointer, "missing required field: %s" % key)
            return
        self.text_object(owner[key], limit, "%s/%s" % (pointer, key), plain)

    def text_object(self, value, limit, pointer, plain=False):
        if not self.is_object(value, pointer):
            return
        kind = value.get("type")
        if kind == "plain_text":
            self.keys(value, {"type", "text", "emoji"}, pointer)
            self.boolean(value, "emoji", pointer)
        elif kind == "mrkdwn" and not plain:
            self.keys(value, {"type", "text", "verbatim"}, pointer)
            self.boolean(value, "verbatim", pointer)
        else:
            self.fail(pointer + "/type", "must be plain_text" if plain else "must be plain_text or mrkdwn")
        self.string(value, "text", limit, pointer, required=True)


def check_confirm(check, owner, pointer):
    """The optional confirmation dialog of an element."""
    if "confirm" not in owner:
        return
    value, where = owner["confirm"], pointer + "/confirm"
    if not check.is_object(value, where):
        return
    check.keys(value, {"title", "text", "confirm", "deny", "style"}, where)
    check.text(value, "title", CONFIRM_TITLE_MAX, where, plain=True)
    check.text(value, "text", CONFIRM_TEXT_MAX, where)
    check.text(value, "confirm", CONFIRM_LABEL_MAX, where, plain=True)
    check.text(value, "deny", CONFIRM_LABEL_MAX, where, plain=True)
    check.one_of(value, "style", ("primary", "danger"), where)


def check_option(check, option, pointer, may_mrkdwn):
    """One choice of a select, overflow, radio or checkbox element."""
    if not check.is_object(option, pointer):
        return
    check.keys(option, {"text", "value", "description", "url"}, pointer)
    check.text(option, "text", OPTION_TEXT_MAX, pointer, plain=not may_mrkdwn)
    check.text(option, "description", OPTION_TEXT_MAX, pointer, plain=not may_mrkdwn, required=False)
    check.string(option, "value", OPTION_VALUE_MAX, pointer, required=True)
    check.string(option, "url", URL_MAX, pointer)


def check_options(check, element, pointer, most, may_mrkdwn=False):
    """A flat list of options; initial options must be among them."""
    options = check.items(element, "options", 1, most, pointer)
    for index, option in enumerate(options):
        check_option(check, option, "%s/options/%d" % (pointer, index), may_mrkdwn)
    wanted = [element["initial_option"]] if "initial_option" in element else element.get("initial_options", [])
    known = [option.get("value") for option in options if isinstance(option, dict)]
    for option in wanted if isinstance(wanted, list) else []:
        if not isinstance(option, dict) or option.get("value") not in known:
            check.fail(pointer, "initial option is not one of the options")


def check_select(check, element, pointer):
    """A static select: either options or groups of options."""
    if ("options" in element) == ("option_groups" in element):
        check.fail(pointer, "must have either options or option_groups")
        return
    if "options" in element:
        check_options(check, element, pointer, OPTIONS_MAX)
        return
    for index, group in enumerate(check.items(element, "option_groups", 1, OPTION_GROUPS_MAX, pointer)):
        where = "%s/option_groups/%d" % (pointer, index)
        if check.is_object(group, where):
            check.keys(group, {"label", "options"}, where)
            check.text(group, "label", OPTION_TEXT_MAX, where, plain=True)
            check_options(check, group, where, OPTIONS_MAX)


def check_image(check, value, pointer):
    check.string(value, "alt_text", ALT_TEXT_MAX, pointer, required=True)
    if ("image_url" in value) == ("slack_file" in value):
        check.fail(pointer, "must have either image_url or slack_file")
    check.string(value, "image_url", URL_MAX, pointer)


def check_button(check, element, pointer):
    check.text(element, "text", BUTTON_TEXT_MAX, pointer, plain=True)
    check.string(element, "value", BUTTON_VALUE_MAX, pointer, least=0)
    check.string(element, "url", URL_MAX, pointer)
    check.string(element, "accessibility_label", ACCESSIBILITY_LABEL_MAX, pointer)
    check.one_of(element, "style", ("primary", "danger"), pointer)


def check_text_input(check, element, pointer):
    least, most = element.get("min_length", 0), element.get("max_length", INPUT_LENGTH_MAX)
    for key, value in (("min_length", least), ("max_length", most)):
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= INPUT_LENGTH_MAX:
            check.fail("%s/%s" % (pointer, key), "must be a whole number up to %d" % INPUT_LENGTH_MAX)
            return
    if most < least or most == 0:
        check.fail(pointer + "/max_length", "must be at least min_length and more than 0")
    check.boolean(element, "multiline", pointer)
    check.string(element, "initial_value", most, pointer, least=0)


def check_element(check, element, pointer, allowed):
    """Any element, in a place where only `allowed` types may stand."""
    if not check.is_object(element, pointer):
        return
    kind = element.get("type")
    if kind not in allowed:
        check.fail(pointer + "/type", "unsupported type: %s" % kind)
        return
    check.keys(element, ELEMENT_KEYS[kind], pointer)
    check.string(element, "action_id", ID_MAX, pointer)
    check.text(element, "placeholder", PLACEHOLDER_MAX, pointer, plain=True, required=False)
    check_confirm(check, element, pointer)
    if kind == "button":
        check_button(check, element, pointer)
    elif kind == "image":
        check_image(check, element, pointer)
    elif kind in ("static_select", "multi_static_select"):
        check_select(check, element, pointer)
    elif kind == "overflow":
        check_options(check, element, pointer, OVERFLOW_OPTIONS_MAX)
    elif kind in ("radio_buttons", "checkboxes"):
        check_options(check, element, pointer, CHECK_OPTIONS_MAX, may_mrkdwn=True)
    elif kind == "plain_text_input":
        check_text_input(check, element, pointer)


def check_rich_leaf(check, leaf, pointer):
    if not check.is_object(leaf, pointer):
        return
    kind = leaf.get("type")
    if kind not in RICH_LEAVES:
        check.fail(pointer + "/type", "unsupported type: %s" % kind)
    elif RICH_NEEDS[kind] not in leaf:
        check.fail(pointer, "missing required field: %s" % RICH_NEEDS[kind])
    elif kind == "text":
        check.string(leaf, "text", 10**6, pointer, required=True)


def check_rich_text(check, block, pointer):
    """A rich_text block: sections, lists, quotes and preformatted parts, each of leaves."""
    for index, part in enumerate(check.items(block, "elements", 1, 1000, pointer)):
        where = "%s/elements/%d" % (pointer, index)
        if not check.is_object(part, where):
            continue
        if part.get("type") not in RICH_BLOCKS:
            check.fail(where + "/type", "unsupported type: %s" % part.get("type"))
            continue
        if part["type"] == "rich_text_list":
            check.one_of(part, "style", ("bullet", "ordered"), where, required=True)
        for number, leaf in enumerate(check.items(part, "elements", 0, 1000, where)):
            spot = "%s/elements/%d" % (where, number)
            if part["type"] != "rich_text_list":
                check_rich_leaf(check, leaf, spot)
            elif not isinstance(leaf, dict) or leaf.get("type") != "rich_text_section":
                check.fail(spot + "/type", "must be rich_text_section")
            else:
                for depth, inner in enumerate(check.items(leaf, "elements", 0, 1000, spot)):
                    check_rich_leaf(check, inner, "%s/elements/%d" % (spot, depth))
