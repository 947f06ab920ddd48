"""Calls 19 to 21: the leave-a-message form, sending it, and what became of what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select

from trunkline.clock import to_text
from trunkline.hosted import answers, models
from trunkline.hosted.call import Call
from trunkline.hosted.calls import Answered, ClientRoute
from trunkline.hosted.envelope import Envelope, SentForm, external_id
from trunkline.hosted.front import facts_of
from trunkline.hosted.reading import find_message, last_reply, threads_of
from trunkline.hosted.refusals import ClientRefused
from trunkline.hosted.sending import sending_of
from trunkline.hosted.versions import context_of, features_of
from trunkline.model import Text
from trunkline.service.submissions.form import FormField, check_form, filled_in, form_version, label_of
from trunkline.service.submissions.settings import (
    Decision,
    SubmissionSetting,
    Wish,
    decide,
    fields_of,
    notice_of,
    read_settings,
)
from trunkline.service.submissions.taking import submission_snapshot
from trunkline.store import schema

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["ROUTES", "current_form"]

_s = schema.submission.c
_MOST = 50
Settings = Mapping[tuple[str, str], SubmissionSetting]


class _Form(msgspec.Struct, frozen=True):
    """The form as it is now for one customer."""

    decision: Decision
    by_group_refused: str | None
    fields: tuple[FormField, ...]
    notice: Mapping[str, str]

    def shown(self, locale: str) -> dict[str, Any]:
        """Return it in the customer's language."""
        decision = self.decision
        return {
            "mode": decision.mode,
            "setting_dimension": decision.setting_dimension,
            **({"reason": decision.reason} if decision.reason else {}),
            "fields": [_field(field, locale) for field in self.fields],
            "notice": label_of(self.notice, locale) if self.notice else None,
            "version": form_version(self.fields),
        }


def _field(field: FormField, locale: str) -> dict[str, Any]:
    return {
        "key": field.key,
        "kind": field.kind,
        "label": label_of(field.label, locale),
        "required": field.required,
        "placeholder": label_of(field.placeholder, locale) if field.placeholder else None,
        "options": list(field.options),
        "max_length": field.max_length,
    }


async def form(call: Call) -> dict[str, Any]:
    """Return the form."""
    return await current_form(call, call.query.group_id)


async def current_form(call: Call, group_id: str | None = None) -> dict[str, Any]:
    """Return the form as call 19 shows it, for calls of applications that offer it.

    Raises:
        ClientRefused: submission_disabled.
    """
    async with call.front.house.store.read() as connection:
        found = _form(call, await read_settings(connection), group_id)
    return found.shown(call.client.locale)


def _form(call: Call, settings: Settings, group_id: str | None) -> _Form:
    """Return the form for a customer bound for a group.

    Raises:
        ClientRefused: 409, there is none.
    """
    channel, account_id = call.inbox.channel(call.client), call.inbox.id
    context = context_of(account_id, call.client, verified=call.holder.subject is not None, at_ms=call.now)
    refused = features_of(channel, context, {}).reasons.get("submission_by_group")
    wish = Wish(group_id=group_id, by_group_refused=refused)
    decision = decide(channel.effective(context).capabilities.submissions, settings, account_id, wish)
    if decision is None:
        raise ClientRefused("submission_disabled")
    return _Form(decision, refused, fields_of(settings, account_id), notice_of(settings, account_id))


async def submit(call: Call) -> Answered:
    """Take a form that was sent, once."""
    body = call.body
    async with call.front.house.store.read() as connection:
        known = await _known(connection, call)
        if known is not None:
            return await _replay(connection, call, known)
        found = _form(call, await read_settings(connection), body.group_id)
    if body.attachments:
        words = "A form carries no files yet; send them as messages afterwards."
        raise ClientRefused("invalid_field", words, field="attachments")
    if body.form_version != form_version(found.fields):
        raise ClientRefused("form_outdated", more={"form": found.shown(call.client.locale)})
    values, errors = check_form(found.fields, body.values)
    if errors:
        raise ClientRefused("field_errors", more={"errors": [msgspec.structs.asdict(error) for error in errors]})
    # What is refused or was stored before costs nothing: a mistake in an answer must not use up the hour.
    call.front.limiter.take("submissions", call.holder.visitor_id)
    return await _store(call, found, values)


async def _known(connection: AsyncConnection, call: Call) -> Any:
    name = external_id(call.holder.visitor_id, call.body.client_id.lower())
    query = select(schema.submission).where(_s.account_id == call.inbox.id, _s.external_id == name)
    return (await connection.execute(query)).one_or_none()


async def _replay(connection: AsyncConnection, call: Call, row: Any) -> Answered:
    """Answer a form that was stored before: it may have changed since then, the first answer holds."""
    if msgspec.json.decode(row.form_values) != filled_in(call.body.values):
        raise ClientRefused("client_id_conflict")
    return Answered(200, await _answer(connection, call, row, replayed=True))


async def _store(call: Call, found: _Form, values: dict[str, Any]) -> Answered:
    holder, house, body = call.holder, call.front.house, call.body
    sent = SentForm(
        values=values,
        form_version=body.form_version,
        group_id=body.group_id,
        client_version=call.client.version,
        by_group_refused=found.by_group_refused,
    )
    envelope = Envelope(
        visitor=holder.visitor_id,
        address=holder.address,
        client_id=body.client_id.lower(),
        at=call.now,
        content=Text(text=""),
        name=holder.name,
        channel=call.inbox.channel(call.client).code,
        form=sent,
    )
    request_id = call.front.request_id_of(call.request)
    sending = sending_of(holder, facts_of(call.inbox.account), envelope, request_id)
    taken = await asyncio.shield(house.store.writer.write_together(call.front.take, sending))
    if taken.refused is not None:
        raise ClientRefused(taken.refused)
    if taken.swallowed:
        return Answered(201, _lookalike(call, found, sending.arrival.raw_id))
    async with house.store.read() as connection:
        row = await _known(connection, call)
        if row is None:
            raise ClientRefused("unavailable", retry_after=1)
        return Answered(200 if taken.replayed else 201, await _answer(connection, call, row, replayed=taken.replayed))


def _lookalike(call: Call, found: _Form, raw_id: str) -> dict[str, Any]:
    """Return what a stored form would look like: somebody who is blocked shall not notice."""
    decision = found.decision
    state = "ticketed" if decision.mode == "ticket" else "unassigned"
    shown = {"id": f"sb_{raw_id}", "reference": None, "mode": decision.mode, "state": state}
    told = {"setting_dimension": decision.setting_dimension, "reason": decision.reason}
    shown |= {**told, "sdk_version": call.client.version, "created_at": to_text(call.now)}
    return {"submission": shown, "thread_id": f"th_{raw_id}", "message": None, "replayed": False}


async def _answer(connection: AsyncConnection, call: Call, row: Any, *, replayed: bool) -> dict[str, Any]:
    found = None
    if row.message_id is not None:
        found = await find_message(connection, call.inbox.id, row.external_id, call.front.shower_of(call.holder))
    shown = submission_object(submission_snapshot(row))
    message = None if found is None else found[0]
    return {"submission": shown, "thread_id": f"th_{row.thread_id}", "message": message, "replayed": replayed}


def submission_object(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return a submission as its sender may see it."""
    names = ("reference", "mode", "state", "setting_dimension", "reason", "created_at")
    return {"id": f"sb_{told['id']}", **{name: told[name] for name in names}, "sdk_version": told["client_version"]}


async def submissions(call: Call) -> dict[str, Any]:
    """List one's own, the newest first, each with the last reply."""
    async with call.front.house.store.read() as connection:
        threads = {row.id: row for row in await threads_of(connection, call.holder)}
        query = select(schema.submission).where(_s.thread_id.in_(threads)).order_by(_s.number.desc()).limit(_MOST)
        rows = (await connection.execute(query)).fetchall() if threads else []
        shown = [
            {
                **submission_object(submission_snapshot(row)),
                "thread_id": f"th_{row.thread_id}",
                "last_reply": await last_reply(
                    connection, row.thread_id, row.created_at, call.front.shower_of(call.holder)
                ),
            }
            for row in rows
        ]
    return {"submissions": shown}


ROUTES = (
    ClientRoute(
        method="GET",
        path="/submissions/form",
        handler=form,
        operation="submission_form",
        summary="The leave-a-message form as it is now.",
        query=models.FormQuery,
        answer=answers.Form,
        refusals=("submission_disabled",),
    ),
    ClientRoute(
        method="POST",
        path="/submissions",
        handler=submit,
        operation="submit",
        summary="Send a form; the same client_id stores it once.",
        status=201,
        also=(200,),
        body=models.SubmissionBody,
        answer=answers.SubmissionSent,
        refusals=("submission_disabled", "form_outdated", "field_errors", "client_id_conflict"),
        limits=("submissions.ip",),
    ),
    ClientRoute(
        method="GET",
        path="/submissions",
        handler=submissions,
        operation="submissions",
        summary="One's own forms, the newest first, each with the last reply.",
        answer=answers.SubmissionList,
    ),
)
