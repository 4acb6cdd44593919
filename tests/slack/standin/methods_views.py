# SPDX-License-Identifier: Apache-2.0
"""Web API: views.*.

Owns opening, pushing, updating and publishing views, and the checks an answer to view_submission shares with them.
Never delivers anything to the app, never checks tokens or tiers. Functions take (world, args) under the world's lock.
"""

import copy

from . import limits
from .apiargs import ApiError, missing
from .state import MODAL_STACK_MAX


def check_view(world, view, surfaces, own_view_id=None):
    """A checked and completed view, or ApiError."""
    errors, too_large = limits.view_errors(view, surfaces)
    if too_large:
        raise ApiError("view_too_large")
    if errors:
        raise ApiError("invalid_arguments", errors)
    external_id = view.get("external_id")
    if external_id:
        holder = world.find_external(external_id)
        if holder is not None and holder != own_view_id:
            raise ApiError("duplicate_external_id")
    return limits.complete_view(view)


def take_view(args):
    view = args.nested("view", ApiError("invalid_arguments", ["view is not valid JSON [json-pointer:/view]"]))
    if view is None:
        raise missing("view")
    return view


def take_trigger(world, args):
    entry, error = world.take_trigger(args.need("trigger_id"))
    if error:
        raise ApiError(error)
    return entry


def views_open(world, args):
    args.need("trigger_id")
    view = check_view(world, take_view(args), (limits.MODAL,))
    user_id = take_trigger(world, args)["user"]
    # A new root replaces whatever this app has on the user's screen.
    world.clear_stack(user_id)
    full = world.make_view(view, user_id)
    world.stack(user_id).append(full["id"])
    world.touch()
    return {"view": copy.deepcopy(full)}


def push_view(world, user_id, view):
    """Put a checked view on top of the user's stack."""
    stack = world.stack(user_id)
    if not stack:
        raise ApiError("not_found")
    if len(stack) >= MODAL_STACK_MAX:
        raise ApiError("push_limit_reached")
    full = world.make_view(view, user_id, root=stack[0], previous=stack[-1])
    stack.append(full["id"])
    world.touch()
    return full


def views_push(world, args):
    args.need("trigger_id")
    view = check_view(world, take_view(args), (limits.MODAL,))
    # Looked at before it is used up: a full stack must not cost the caller its trigger.
    entry = world.triggers.get(args.need("trigger_id"))
    if entry is not None and entry["view_id"] is None:
        raise ApiError("invalid_trigger_id")
    if entry is not None and len(world.stack(entry["user"])) >= MODAL_STACK_MAX:
        raise ApiError("push_limit_reached")
    return {"view": copy.deepcopy(push_view(world, take_trigger(world, args)["user"], view))}


def views_update(world, args):
    view_id = args.text("view_id")
    external_id = args.text("external_id")
    if not view_id and not external_id:
        raise missing("view_id")
    if not view_id:
        view_id = world.find_external(external_id)
    entry = world.views.get(view_id)
    if entry is None:
        raise ApiError("not_found")
    view = check_view(world, take_view(args), (entry["view"]["type"],), own_view_id=view_id)
    wanted_hash = args.text("hash")
    if wanted_hash and wanted_hash != entry["view"]["hash"]:
        raise ApiError("hash_conflict")
    return {"view": copy.deepcopy(world.replace_view(view_id, view))}


def views_publish(world, args):
    user = world.users.get(args.need("user_id"))
    if user is None or user["deleted"]:
        raise ApiError("user_not_found")
    if not world.app.get("home_enabled", True):
        raise ApiError("not_enabled")
    view_id = world.homes.get(user["id"])
    view = check_view(world, take_view(args), (limits.HOME,), own_view_id=view_id)
    wanted_hash = args.text("hash")
    if view_id is None:
        full = world.make_view(view, user["id"])
        world.homes[user["id"]] = full["id"]
        world.touch()
        return {"view": copy.deepcopy(full)}
    if wanted_hash and wanted_hash != world.views[view_id]["view"]["hash"]:
        raise ApiError("hash_conflict")
    return {"view": copy.deepcopy(world.replace_view(view_id, view))}
