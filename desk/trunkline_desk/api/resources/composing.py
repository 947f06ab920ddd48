"""Before an answer is sent: what the channel will carry of it, and the templates there are."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import select

from trunkline.model import Content
from trunkline.service.drafts import Draft, files_of
from trunkline.service.previewing import Carried, Objection, Preview, preview_reply
from trunkline.service.refusals import ReplyRefused
from trunkline.service.snapshots import media_snapshot, time_text, with_media
from trunkline.store import schema
from trunkline_desk.api.drafts import draft_of, insist_on_own, insist_on_template, problem_of
from trunkline_desk.api.models import composing
from trunkline_desk.api.models.messages import NewReply
from trunkline_desk.api.route import Call, Route
from trunkline_desk.people.roles import Action
from trunkline_desk.threads.rows import Database, ask, not_found

__all__ = ["ROUTES"]

_media = schema.media.c


async def preview(call: Call[NewReply, None]) -> dict[str, Any]:
    """Say what would become of an answer; nothing is stored."""
    draft, objections = draft_of(call.body), list[Objection]()
    try:
        await insist_on_template(call, draft)
    except ReplyRefused as refusal:
        objections.append(Objection(refusal.code, str(refusal), refusal.field))
    try:
        return await ask(call.desk.house.store, _read, call, draft, objections)
    except ReplyRefused as refusal:
        raise problem_of(refusal) from None


def _read(database: Database, call: Call[NewReply, None], draft: Draft, objections: list[Objection]) -> dict[str, Any]:
    insist_on_own(database, draft, call.actor.id)
    found = preview_reply(database, call.desk.house, call.path("thread_id"), draft, call.now)
    files = _files(database, [part for one in found.requests for part in one.parts])
    return {
        "requests": [_carried(one, files) for one in found.requests],
        "level": found.level.value,
        "window": _window(found),
        "quota_before": found.quota_before,
        "quota_after": found.quota_after,
        "refusals": [msgspec.to_builtins(one) for one in (*objections, *found.refusals)],
    }


def _files(database: Database, contents: list[Content]) -> dict[str, dict[str, Any]]:
    named = [media_id for content in contents for media_id in files_of(content)]
    return {row.id: media_snapshot(row) for row in database.execute(select(schema.media).where(_media.id.in_(named)))}


def _carried(one: Carried, files: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "message": one.message,
        "parts": [with_media(msgspec.to_builtins(part), files) for part in one.parts],
        "quick_replies": msgspec.to_builtins(one.quick_replies),
        "level": one.level.value,
        "notes": list(one.notes),
        "cost": None if one.cost is None else one.cost.value,
        "refusal": None if one.refusal is None else msgspec.to_builtins(one.refusal),
    }


def _window(found: Preview) -> dict[str, Any] | None:
    if found.window is None:
        return None
    shown: dict[str, Any] = msgspec.to_builtins(found.window)
    return shown | {"expires_at": time_text(found.window.expires_at)}


async def templates(call: Call[None, None]) -> dict[str, Any]:
    """Return what the platform approved, as it told in the last minutes."""
    account = call.desk.house.accounts.get(call.path("account_id"))
    if account is None:
        raise not_found("account")
    try:
        found = await call.desk.templates.of(account)
    except ReplyRefused as refusal:
        raise problem_of(refusal) from None
    return {"items": [msgspec.to_builtins(one) for one in found], "next_cursor": None}


_UNREAD = (
    (404, "unknown_account"),
    (409, "account_not_ready"),
    (409, "sign_in_needed_at_platform"),
    (502, "platform_unreachable"),
    (503, "platform_busy"),
)

ROUTES = (
    Route(
        method="POST",
        path="/threads/{thread_id}/preview",
        handler=preview,
        action=Action.REPLY,
        operation="preview_reply",
        summary="What the channel will carry of an answer; nothing is stored or sent.",
        body=NewReply,
        answer=composing.ReplyPreview,
        refusals=((404, "unknown_thread"), (404, "attachment_not_found"), (409, "account_gone")),
        repeatable=False,
    ),
    Route(
        method="GET",
        path="/accounts/{account_id}/templates",
        handler=templates,
        action=Action.REPLY,
        operation="templates",
        summary="The templates that the platform approved for the account; asked again after five minutes.",
        answer=composing.TemplatePage,
        refusals=_UNREAD,
    ),
)
