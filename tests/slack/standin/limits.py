# SPDX-License-Identifier: Apache-2.0
"""Block Kit limits of whole messages and views.

Owns which blocks may stand where, how many, and the rules over a whole message or view; also the defaults Slack fills
in (block_id, action_id, emoji, verbatim). Never touches the workspace; never alters text, so escaping stays exactly
as the app sent it.
"""

import copy
import json
import secrets

from . import elements
from .elements import Check

BLOCKS_MESSAGE_MAX = 50
BLOCKS_VIEW_MAX = 100
HEADER_MAX = 150
SECTION_FIELDS_MAX = 10
FIELD_MAX = 2000
CONTEXT_ELEMENTS_MAX = 10
ACTIONS_ELEMENTS_MAX = 25
LABEL_MAX = 2000
ALERT_MAX = 200
MARKDOWN_MAX = 12000
TABLE_ROWS_MAX = 100
TABLE_COLUMNS_MAX = 20
VIEW_TITLE_MAX = 24
PRIVATE_METADATA_MAX = 3000
VIEW_SIZE_MAX = 250 * 1024

MESSAGE, MODAL, HOME = "message", "modal", "home"
_ANYWHERE = ("section", "header", "divider", "image", "actions", "context", "input", "rich_text", "video")
ALLOWED = {
    MESSAGE: _ANYWHERE + ("markdown", "table"),
    MODAL: _ANYWHERE + ("alert",),
    HOME: _ANYWHERE,
}
_BLOCK = {"type", "block_id"}
BLOCK_KEYS = {
    "section": _BLOCK | {"text", "fields", "accessory", "expand"},
    "header": _BLOCK | {"text", "level"},
    "divider": _BLOCK,
    "image": _BLOCK | {"image_url", "slack_file", "alt_text", "title"},
    "actions": _BLOCK | {"elements"},
    "context": _BLOCK | {"elements"},
    "input": _BLOCK | {"label", "element", "hint", "optional", "dispatch_action"},
    "rich_text": _BLOCK | {"elements"},
    "markdown": _BLOCK | {"text"},
    "table": _BLOCK | {"rows", "column_settings"},
    "alert": _BLOCK | {"text", "level"},
    "video": _BLOCK | {"title", "title_url", "description", "video_url", "alt_text", "thumbnail_url", "author_name",
                       "provider_name", "provider_icon_url"},
}
VIEW_KEYS = {
    MODAL: {"type", "title", "blocks", "close", "submit", "private_metadata", "callback_id", "clear_on_close",
            "notify_on_close", "external_id", "submit_disabled"},
    HOME: {"type", "blocks", "private_metadata", "callback_id", "external_id"},
}


def check_section(check, block, pointer):
    if "text" not in block and "fields" not in block:
        check.fail(pointer, "must have text or fields")
    check.text(block, "text", elements.TEXT_MAX, pointer, required=False)
    for index, field in enumerate(check.items(block, "fields", 1, SECTION_FIELDS_MAX, pointer, required=False)):
        check.text_object(field, FIELD_MAX, "%s/fields/%d" % (pointer, index))
    if "accessory" in block:
        elements.check_element(check, block["accessory"], pointer + "/accessory", elements.IN_ACCESSORY)


def check_actions(check, block, pointer):
    seen = set()
    for index, element in enumerate(check.items(block, "elements", 1, ACTIONS_ELEMENTS_MAX, pointer)):
        where = "%s/elements/%d" % (pointer, index)
        elements.check_element(check, element, where, elements.IN_ACTIONS)
        action_id = element.get("action_id") if isinstance(element, dict) else None
        if isinstance(action_id, str):
            if action_id in seen:
                check.fail(where + "/action_id", "`action_id` %s already exists" % action_id)
            seen.add(action_id)


def check_context(check, block, pointer):
    for index, element in enumerate(check.items(block, "elements", 1, CONTEXT_ELEMENTS_MAX, pointer)):
        where = "%s/elements/%d" % (pointer, index)
        if isinstance(element, dict) and element.get("type") == "image":
            elements.check_element(check, element, where, ("image",))
        else:
            check.text_object(element, elements.TEXT_MAX, where)


def check_input(check, block, pointer):
    check.text(block, "label", LABEL_MAX, pointer, plain=True)
    check.text(block, "hint", LABEL_MAX, pointer, plain=True, required=False)
    check.boolean(block, "optional", pointer)
    check.boolean(block, "dispatch_action", pointer)
    if "element" not in block:
        check.fail(pointer, "missing required field: element")
    else:
        elements.check_element(check, block["element"], pointer + "/element", elements.IN_INPUT)


def check_table(check, block, pointer):
    for index, row in enumerate(check.items(block, "rows", 1, TABLE_ROWS_MAX, pointer)):
        if not isinstance(row, list) or not 1 <= len(row) <= TABLE_COLUMNS_MAX:
            check.fail("%s/rows/%d" % (pointer, index), "must have 1 to %d cells" % TABLE_COLUMNS_MAX)


def check_block(check, block, pointer):
    """The inside of one block whose type is known."""
    kind = block["type"]
    check.keys(block, BLOCK_KEYS[kind], pointer)
    check.string(block, "block_id", elements.ID_MAX, pointer)
    if kind == "section":
        check_section(check, block, pointer)
    elif kind == "header":
        check.text(block, "text", HEADER_MAX, pointer, plain=True)
    elif kind == "actions":
        check_actions(check, block, pointer)
    elif kind == "context":
        check_context(check, block, pointer)
    elif kind == "input":
        check_input(check, block, pointer)
    elif kind == "image":
        elements.check_image(check, block, pointer)
        check.text(block, "title", elements.ALT_TEXT_MAX, pointer, plain=True, required=False)
    elif kind == "rich_text":
        elements.check_rich_text(check, block, pointer)
    elif kind == "markdown":
        check.string(block, "text", MARKDOWN_MAX, pointer, required=True)
    elif kind == "table":
        check_table(check, block, pointer)
    elif kind == "alert":
        check.text(block, "text", ALERT_MAX, pointer)
        check.one_of(block, "level", ("default", "info", "warning", "error", "success"), pointer)
    elif kind == "video":
        check.string(block, "video_url", elements.URL_MAX, pointer, required=True)


def check_blocks(check, blocks, surface, pointer="/blocks"):
    """A list of blocks on a surface."""
    most = BLOCKS_MESSAGE_MAX if surface == MESSAGE else BLOCKS_VIEW_MAX
    if len(blocks) > most:
        check.fail(pointer, "no more than %d items allowed" % most)
    seen = set()
    markdown_size = 0
    for index, block in enumerate(blocks):
        where = "%s/%d" % (pointer, index)
        if not check.is_object(block, where):
            continue
        if block.get("type") not in ALLOWED[surface]:
            check.fail(where + "/type", "unsupported type: %s" % block.get("type"))
            continue
        check_block(check, block, where)
        block_id = block.get("block_id")
        if isinstance(block_id, str):
            if block_id in seen:
                check.fail(where + "/block_id", "`block_id` %s already exists" % block_id)
            seen.add(block_id)
        if block["type"] == "markdown" and isinstance(block.get("text"), str):
            markdown_size += len(block["text"])
    if markdown_size > MARKDOWN_MAX:
        check.fail(pointer, "markdown text must be less than %d characters in total" % (MARKDOWN_MAX + 1))


def message_errors(blocks):
    """What is wrong with a message's blocks: a list, empty when they are fine."""
    check = Check()
    check_blocks(check, blocks, MESSAGE)
    return check.errors


def view_errors(view, surfaces):
    """What is wrong with a view. Returns (errors, whether it is merely too large)."""
    check = Check()
    if not check.is_object(view, "/view"):
        return check.errors, False
    surface = view.get("type")
    if surface not in surfaces:
        check.fail("/view/type", "unsupported type: %s" % surface)
        return check.errors, False
    if len(json.dumps(view)) > VIEW_SIZE_MAX:
        return ["view is too large"], True
    check.keys(view, VIEW_KEYS[surface], "/view")
    check.string(view, "private_metadata", PRIVATE_METADATA_MAX, "/view", least=0)
    check.string(view, "callback_id", elements.ID_MAX, "/view", least=0)
    check.string(view, "external_id", elements.ID_MAX, "/view", least=0)
    blocks = check.items(view, "blocks", 0, BLOCKS_VIEW_MAX, "/view")
    check_blocks(check, blocks, surface, "/view/blocks")
    if surface == MODAL:
        check.text(view, "title", VIEW_TITLE_MAX, "/view", plain=True)
        check.text(view, "submit", VIEW_TITLE_MAX, "/view", plain=True, required=False)
        check.text(view, "close", VIEW_TITLE_MAX, "/view", plain=True, required=False)
        if not view.get("submit") and any(isinstance(b, dict) and b.get("type") == "input" for b in blocks):
            check.fail("/view", "missing required field: submit")
    return check.errors, False


def complete(value):
    """A copy with the defaults Slack adds to what it stores: text flags at every depth."""
    if isinstance(value, list):
        return [complete(item) for item in value]
    if not isinstance(value, dict):
        return copy.copy(value)
    done = {key: complete(item) for key, item in value.items()}
    if done.get("type") == "plain_text" and isinstance(done.get("text"), str):
        done.setdefault("emoji", True)
    elif done.get("type") == "mrkdwn" and isinstance(done.get("text"), str):
        done.setdefault("verbatim", False)
    return done


def complete_blocks(blocks):
    """Blocks as Slack stores them: ids made up where the app gave none."""
    done = complete(blocks)
    for block in done:
        if not block.get("block_id"):
            block["block_id"] = secrets.token_urlsafe(4)
        for element in interactive_elements(block):
            if not element.get("action_id"):
                element["action_id"] = secrets.token_urlsafe(4)
    return done


def complete_view(view):
    """A view as Slack stores it."""
    done = complete(view)
    done["blocks"] = complete_blocks(view["blocks"])
    return done


def interactive_elements(block):
    """The elements of a block that a user can act on."""
    kind = block.get("type")
    if kind == "actions":
        return list(block["elements"])
    if kind == "input":
        return [block["element"]]
    if kind == "section" and block.get("accessory", {}).get("type") not in (None, "image"):
        return [block["accessory"]]
    return []


def find_element(blocks, action_id, block_id=None):
    """(block, element) that carries an action id, or (None, None)."""
    for block in blocks:
        if block_id is not None and block.get("block_id") != block_id:
            continue
        for element in interactive_elements(block):
            if element.get("action_id") == action_id:
                return block, element
    return None, None
