"""Leave-a-message forms: the table of channels, how they are set, and what was sent."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import select

from trunkline.http.problems import FieldError, Problem
from trunkline.service.submissions.form import DEFAULT_FIELDS
from trunkline.service.submissions.matrix import matrix
from trunkline.service.submissions.settings import (
    SettingRefused,
    SubmissionSetting,
    check_setting,
    read_settings,
    save_setting,
    settings_in,
)
from trunkline.service.submissions.taking import submission_snapshot
from trunkline.store import schema
from trunkline_desk.api.actors import log_actor
from trunkline_desk.api.models.submissions import (
    MatrixPage,
    SubmissionPage,
    SubmissionQuery,
    SubmissionSettingBody,
    SubmissionSettingPage,
    SubmissionSettingShown,
)
from trunkline_desk.api.route import Call, Route
from trunkline_desk.people.roles import Action
from trunkline_desk.threads.rows import Place, cursor_of, read_cursor

__all__ = ["ROUTES"]

_s = schema.submission.c
#: The id of the one deployment in an address.
ALL = "all"


async def table(call: Call[None, None]) -> dict[str, Any]:
    """Return what every installed channel takes."""
    return {"items": matrix(call.desk.house.registry.connectors.values()), "next_cursor": None}


async def settings(call: Call[None, None]) -> dict[str, Any]:
    """Return all that is set, and what is asked where nothing is."""
    async with call.desk.house.store.read() as connection:
        found = await read_settings(connection)
    items = [_shown(scope, scope_id, setting) for (scope, scope_id), setting in sorted(found.items())]
    return {"items": items, "next_cursor": None, "default_fields": msgspec.to_builtins(DEFAULT_FIELDS)}


def _shown(scope: str, scope_id: str, setting: SubmissionSetting) -> dict[str, Any]:
    return {"scope": scope, "scope_id": scope_id or ALL, "setting": msgspec.to_builtins(setting)}


async def put(call: Call[SubmissionSettingBody, None]) -> dict[str, Any]:
    """Say what holds for a scope; what is left out is left to the wider one."""
    scope, scope_id = call.path("scope"), call.path("scope_id")
    setting = msgspec.convert(call.body.model_dump(exclude_none=True), SubmissionSetting)
    _check(call, scope, scope_id, setting)
    place = "" if scope == "deployment" else scope_id

    def work(tx: Any) -> dict[str, Any]:
        save_setting(tx, scope, place, setting, call.now)
        payload = {"scope": scope, "scope_id": place, "fields": sorted(call.body.model_dump(exclude_none=True))}
        tx.append("submission_setting_changed", actor=log_actor(call), at=call.now, payload=payload)
        return _shown(scope, place, settings_in(tx).get((scope, place), SubmissionSetting()))

    return await call.commit(work)


def _check(call: Call[Any, Any], scope: str, scope_id: str, setting: SubmissionSetting) -> None:
    """Refuse what would never hold.

    Raises:
        Problem: 404 for a scope that there is not, 422 with the place.
    """
    account = call.desk.house.accounts.find(scope_id) if scope == "account" else None
    known = scope == "group" or (scope == "deployment" and scope_id == ALL) or account is not None
    if not known:
        raise Problem(404, "unknown_scope", "There is no such account, group or deployment.")
    can = None if account is None else account.capabilities.submissions
    try:
        check_setting(scope, setting, can)
    except SettingRefused as refused:
        raise Problem(422, refused.code, str(refused), errors=[FieldError(refused.field, str(refused))]) from None


async def sent(call: Call[None, SubmissionQuery]) -> dict[str, Any]:
    """Return forms that were sent, the newest first."""
    query, wanted = call.query, select(schema.submission)
    for column, value in ((_s.mode, query.mode), (_s.state, query.state), (_s.account_id, query.account)):
        if value is not None:
            wanted = wanted.where(column == value)
    if query.cursor is not None:
        wanted = wanted.where(_s.number < read_cursor(query.cursor, tuple[Place])[0])
    async with call.desk.house.store.read() as connection:
        rows = (await connection.execute(wanted.order_by(_s.number.desc()).limit(query.limit + 1))).fetchall()
    more = len(rows) > query.limit
    items = [submission_snapshot(row) for row in rows[: query.limit]]
    return {"items": items, "next_cursor": cursor_of(rows[query.limit - 1].number) if more else None}


ROUTES = (
    Route(
        method="GET",
        path="/submissions",
        handler=sent,
        action=Action.READ_SUBMISSIONS,
        operation="submissions",
        summary="Leave-a-message forms that were sent, the newest first.",
        query=SubmissionQuery,
        answer=SubmissionPage,
    ),
    Route(
        method="GET",
        path="/submissions/matrix",
        handler=table,
        action=Action.READ_ACCOUNTS,
        operation="submission_matrix",
        summary="Which forms each channel takes, in the order of the table.",
        answer=MatrixPage,
    ),
    Route(
        method="GET",
        path="/submissions/settings",
        handler=settings,
        action=Action.READ_SUBMISSION_SETTINGS,
        operation="submission_settings",
        summary="How forms are set: for all, by account, by group; and what is asked where nothing is set.",
        answer=SubmissionSettingPage,
    ),
    Route(
        method="PUT",
        path="/submissions/settings/{scope}/{scope_id}",
        handler=put,
        action=Action.MANAGE_SUBMISSIONS,
        operation="set_submissions",
        summary="Say what holds for a scope: `deployment/all`, `account/{id}` or `group/{id}`.",
        body=SubmissionSettingBody,
        answer=SubmissionSettingShown,
        refusals=((404, "unknown_scope"), (422, "submission_mode_unsupported"), (422, "setting_dimension_unsupported")),
    ),
)
