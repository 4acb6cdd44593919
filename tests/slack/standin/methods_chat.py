# SPDX-License-Identifier: Apache-2.0
"""Web API: chat.*.

Owns posting, changing and deleting messages as the bot. Never parses HTTP, never checks tokens or tiers (webapi.py
does). Every function takes (world, args) under the world's lock and gives the members of the answer, or raises
ApiError.
"""

import json

from . import limits
from .apiargs import ApiError, Args
from .state import public_message

TEXT_CUT = 40000
UPDATE_TEXT_MAX = 4000
ATTACHMENTS_MAX = 100
# Slack publishes no number; this one only has to be far above an opaque id and far below a whole request.
METADATA_SIZE_MAX = 8192


def find_channel(world, args, posting):
    """The channel an app names: an id, a #name, or (for posts) a user id."""
    wanted = args.need("channel")
    if posting and wanted in world.users:
        if world.users[wanted]["is_bot"]:
            raise ApiError("channel_not_found")
        # A post to a deactivated user succeeds, though nobody will read it.
        return world.open_im(wanted)
    channel = world.channels.get(wanted)
    if channel is None and posting:
        name = wanted.lstrip("#")
        channel = next((c for c in world.channels.values() if c["name"] == name and name), None)
    if channel is None:
        raise ApiError("channel_not_found")
    if not world.bot_is_member(channel["id"]) and (channel["is_private"] or channel["is_im"]):
        raise ApiError("channel_not_found")
    return channel


def check_may_post(world, channel):
    if channel["is_archived"]:
        raise ApiError("is_archived")
    if channel["post_error"]:
        raise ApiError(channel["post_error"])
    if not world.bot_is_member(channel["id"]) and "chat:write.public" not in world.scopes:
        raise ApiError("not_in_channel")


def take_blocks(args):
    """Checked blocks: a list, or None when the call has none."""
    blocks = args.nested("blocks", ApiError("invalid_blocks_format"))
    if blocks is None:
        return None
    if not isinstance(blocks, list):
        raise ApiError("invalid_blocks_format")
    errors = limits.message_errors(blocks)
    if errors:
        raise ApiError("invalid_blocks", errors, errors=errors)
    return limits.complete_blocks(blocks)


def take_attachments(args):
    """Attachments, kept as they are: a list, or None when the call has none."""
    attachments = args.nested("attachments", ApiError("invalid_attachments"))
    if attachments is None:
        return None
    if not isinstance(attachments, list):
        raise ApiError("invalid_attachments")
    if len(attachments) > ATTACHMENTS_MAX:
        raise ApiError("too_many_attachments")
    return attachments


def take_metadata(args):
    """Checked metadata: an object, {} to remove it, or None when absent."""
    metadata = args.nested("metadata", ApiError("invalid_metadata_format"))
    if metadata is None or metadata == {}:
        return metadata
    if not isinstance(metadata, dict) or set(metadata) - {"event_type", "event_payload", "entities"}:
        raise ApiError("invalid_metadata_format")
    if not isinstance(metadata.get("event_type"), str) or not isinstance(metadata.get("event_payload"), dict):
        raise ApiError("invalid_metadata_schema")
    if len(json.dumps(metadata)) > METADATA_SIZE_MAX:
        raise ApiError("metadata_too_large")
    return metadata


def text_of_blocks(blocks):
    """The notification text Slack builds itself when an app sends blocks alone."""
    words = []
    for block in blocks or ():
        for part in [block.get("text")] + list(block.get("fields", ())):
            if isinstance(part, dict):
                words.append(part.get("text", ""))
    return " ".join(words)


def bot_message(world, text, blocks):
    """A message from the app's bot; ts comes when it is stored."""
    message = {"user": world.bot_user_id, "type": "message", "ts": "", "bot_id": world.app["bot_id"],
               "app_id": world.app["id"], "text": text, "team": world.team["id"]}
    if blocks:
        message["blocks"] = blocks
    return message


def post_content(args):
    """Text and blocks of a post, as checked and completed."""
    blocks = take_blocks(args)
    attachments = take_attachments(args)
    text = args.text("text", "")
    if not text and not blocks and not attachments:
        raise ApiError("no_text")
    return text or text_of_blocks(blocks), blocks, attachments


def post_message(world, args):
    channel = find_channel(world, args, posting=True)
    check_may_post(world, channel)
    text, blocks, attachments = post_content(args)
    metadata = take_metadata(args)
    thread_ts = args.text("thread_ts")
    if thread_ts:
        parent = world.find_message(channel["id"], thread_ts)
        if parent is None:
            raise ApiError("cannot_reply_to_message")
        thread_ts = parent.get("thread_ts", parent["ts"])
    message = bot_message(world, text[:TEXT_CUT], blocks)
    if attachments:
        message["attachments"] = attachments
    if metadata:
        message["metadata"] = metadata
    if thread_ts:
        message["thread_ts"] = thread_ts
    world.add_message(channel["id"], message)
    answer = {"channel": channel["id"], "ts": message["ts"], "message": public_message(message)}
    if len(text) > TEXT_CUT:
        answer["warning"] = "message_truncated"
    return answer


def own_message(world, args, error):
    """A message the bot wrote, in a channel the bot can see."""
    channel = find_channel(world, args, posting=False)
    message = world.find_message(channel["id"], args.need("ts"))
    if message is None:
        raise ApiError("message_not_found")
    if message.get("bot_id") != world.app["bot_id"]:
        raise ApiError(error)
    return channel, message


def update(world, args):
    channel, message = own_message(world, args, "cant_update_message")
    if channel["is_archived"]:
        raise ApiError("is_inactive")
    has_blocks = args.has("blocks")
    blocks = take_blocks(args)
    text = args.text("text", "")
    attachments = take_attachments(args)
    if not text and not has_blocks and attachments is None:
        raise ApiError("no_text")
    if len(text) > UPDATE_TEXT_MAX:
        raise ApiError("msg_too_long")
    metadata = take_metadata(args)
    # Text without blocks takes the blocks away: Slack treats the call as the whole new content.
    fields = {"text": text or text_of_blocks(blocks), "blocks": blocks or None}
    if attachments is not None:
        fields["attachments"] = attachments or None
    if metadata is not None:
        fields["metadata"] = metadata or None
    if not blocks:
        fields["edited"] = {"user": world.bot_user_id, "ts": world.make_ts()}
    world.replace_message(message, fields)
    shown = public_message(message)
    shown.pop("ts", None)
    return {"channel": channel["id"], "ts": message["ts"], "text": message["text"], "message": shown}


def post_ephemeral(world, args):
    channel = find_channel(world, args, posting=True)
    if channel["is_archived"]:
        raise ApiError("is_archived")
    if channel["post_error"]:
        raise ApiError(channel["post_error"])
    if not world.bot_is_member(channel["id"]):
        raise ApiError("not_in_channel")
    user_id = args.need("user")
    if user_id not in channel["members"] or world.users.get(user_id, {}).get("deleted"):
        raise ApiError("user_not_in_channel")
    text, blocks, _ = post_content(args)
    message = bot_message(world, text[:TEXT_CUT], blocks)
    if args.has("thread_ts"):
        message["thread_ts"] = args.text("thread_ts")
    world.add_ephemeral(channel["id"], user_id, message)
    return {"message_ts": message["ts"]}


def delete(world, args):
    channel, message = own_message(world, args, "cant_delete_message")
    world.delete_message(channel["id"], message["ts"])
    return {"channel": channel["id"], "ts": message["ts"]}


def get_permalink(world, args):
    channel = find_channel(world, args, posting=False)
    ts = args.need("message_ts")
    if world.find_message(channel["id"], ts) is None:
        raise ApiError("message_not_found")
    return {"channel": channel["id"], "permalink": "https://%s.slack.com/archives/%s/p%s" % (
        world.team_domain(), channel["id"], ts.replace(".", ""))}


def apply_response(world, entry, content):
    """What a response URL (or a slash command's answer) does. Gives what was shown, or raises ApiError."""
    # The body of a response URL follows the same rules as the arguments of a call.
    args = Args(content)
    source = world.find_message(entry["channel"], entry["source_ts"]) if entry["source_ts"] else None
    ephemeral = next((e for e in world.ephemerals if e["ts"] == entry["source_ts"]), None)
    if args.flag("delete_original"):
        if ephemeral:
            world.ephemerals.remove(ephemeral)
            world.touch()
        elif source:
            world.delete_message(entry["channel"], entry["source_ts"])
        return {"deleted": entry["source_ts"]}
    text, blocks, _ = post_content(args)
    if args.flag("replace_original") and (source or ephemeral):
        world.replace_message(source or ephemeral, {"text": text, "blocks": blocks or None})
        return {"replaced": entry["source_ts"]}
    message = bot_message(world, text[:TEXT_CUT], blocks)
    if args.has("thread_ts"):
        message["thread_ts"] = args.text("thread_ts")
    if args.text("response_type") == "in_channel":
        world.add_message(entry["channel"], message)
        return {"posted": message["ts"]}
    world.add_ephemeral(entry["channel"], entry["user"], message)
    return {"ephemeral": message["ts"]}
