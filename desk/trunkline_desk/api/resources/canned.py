"""Prepared answers."""

from __future__ import annotations

from typing import Any

from trunkline.http.problems import Problem
from trunkline_desk.api.actors import change_of
from trunkline_desk.api.models.canned import CannedReply, CannedReplyBody, CannedReplyChange, CannedReplyPage
from trunkline_desk.api.route import Call, Route
from trunkline_desk.people.roles import Action, may
from trunkline_desk.threads.canned import add_canned, change_canned, delete_canned, list_canned, share_canned
from trunkline_desk.threads.rows import ask

__all__ = ["ROUTES"]


async def canned(call: Call[None, None]) -> dict[str, Any]:
    """Return everybody's and one's own."""
    return await ask(call.desk.house.store, list_canned, call.actor.id)


async def add(call: Call[CannedReplyBody, None]) -> dict[str, Any]:
    """Store one; everybody's only by who may."""
    body = call.body
    if body.shared and not _may_share(call):
        raise Problem(403, "not_allowed", "Only an admin prepares answers for everybody.")
    values = body.model_dump(exclude={"shared"})
    return await call.commit(lambda tx: add_canned(tx, change_of(call, "-"), values, shared=body.shared))


async def change(call: Call[CannedReplyChange, None]) -> dict[str, Any]:
    """Change one."""
    values, reply_id = call.body.model_dump(exclude_none=True, exclude={"shared"}), call.path("reply_id")
    wanted, shared = call.body.shared, _may_share(call)
    if wanted is not None and not shared:
        raise Problem(403, "not_allowed", "Only an admin decides who may use a prepared answer.")

    def work(tx: Any) -> dict[str, Any]:
        if wanted is not None:
            share_canned(tx, reply_id, change_of(call, "-"), values, everybody=wanted)
        return change_canned(tx, reply_id, change_of(call, "-"), values, shared=shared)

    return await call.commit(work)


async def delete(call: Call[None, None]) -> None:
    """Delete one."""
    reply_id, shared = call.path("reply_id"), _may_share(call)
    await call.commit(lambda tx: delete_canned(tx, reply_id, change_of(call, "-"), shared=shared))


def _may_share(call: Call[Any, Any]) -> bool:
    return may(call.actor, Action.MANAGE_CANNED)


ROUTES = (
    Route(
        method="GET",
        path="/canned-replies",
        handler=canned,
        action=Action.USE_CANNED,
        operation="canned_replies",
        summary="Prepared answers: everybody's and one's own.",
        answer=CannedReplyPage,
    ),
    Route(
        method="POST",
        path="/canned-replies",
        handler=add,
        action=Action.USE_CANNED,
        operation="add_canned_reply",
        summary="Prepare an answer; for everybody only as an admin.",
        status=201,
        body=CannedReplyBody,
        answer=CannedReply,
        refusals=((409, "shortcut_taken"), (409, "too_many")),
    ),
    Route(
        method="PATCH",
        path="/canned-replies/{reply_id}",
        handler=change,
        action=Action.USE_CANNED,
        operation="change_canned_reply",
        summary="Change a prepared answer; everybody's only as an admin.",
        body=CannedReplyChange,
        answer=CannedReply,
        refusals=((404, "unknown_canned_reply"), (409, "shortcut_taken"), (409, "too_many")),
    ),
    Route(
        method="DELETE",
        path="/canned-replies/{reply_id}",
        handler=delete,
        action=Action.USE_CANNED,
        operation="delete_canned_reply",
        summary="Delete a prepared answer; everybody's only as an admin.",
        status=204,
        refusals=((404, "unknown_canned_reply"),),
    ),
)
