"""Dead letters: looking at them, trying one or all that match again, letting one be, deleting and exporting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from trunkline.clock import to_ms
from trunkline.errors import TrunklineError
from trunkline.http.problems import Problem, request_id_of
from trunkline.service.dead_letter_acts import (
    MayNotGo,
    delete_letter,
    note_export,
    retry_letter,
    skip_letter,
    sweep,
)
from trunkline.service.dead_letters import NotDead, Wanted, count_letters, newest_letter, read_letter, read_letters
from trunkline.service.refusals import ReplyRefused
from trunkline_desk.api.actors import log_actor
from trunkline_desk.api.models.quarantine import (
    ExportBody,
    LetterDetail,
    LetterPage,
    LetterQuery,
    Quarantined,
    ReasonBody,
    SweepBody,
    Swept,
)
from trunkline_desk.api.models.words import EmptyBody
from trunkline_desk.api.route import Call, Route
from trunkline_desk.people.roles import Action
from trunkline_desk.threads.rows import Id, ask, cursor_of, read_cursor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trunkline_desk.api.models.quarantine import Filter

__all__ = ["ROUTES"]

_EXPORT_PAGE = 100


def _wanted(call: Call[Any, Any], asked: Filter) -> Wanted:
    """Return the letters that parameters or a body ask for; a channel stands for the accounts on it."""
    accounts = None if asked.account_id is None else frozenset({asked.account_id})
    if asked.channel is not None:
        on_it = frozenset(one.id for one in call.desk.house.accounts.all() if one.channel == asked.channel)
        accounts = on_it if accounts is None else accounts & on_it
    return Wanted(
        kind=asked.kind,
        accounts=accounts,
        reason=asked.reason,
        code=asked.code,
        since=None if asked.since is None else to_ms(asked.since),
        until=None if asked.until is None else to_ms(asked.until),
    )


async def listing(call: Call[None, LetterQuery]) -> dict[str, Any]:
    """Return a page, newest first."""
    query = call.query
    before = None if query.cursor is None else read_cursor(query.cursor, tuple[Id])[0]
    found = await ask(call.desk.house.store, read_letters, _wanted(call, query), before, query.limit + 1)
    more = len(found) > query.limit
    return {"items": found[: query.limit], "next_cursor": cursor_of(found[query.limit - 1]["id"]) if more else None}


async def show(call: Call[None, None]) -> dict[str, Any]:
    """Return one with all that is stored of it, settled or not."""
    found: dict[str, Any] | None = await ask(call.desk.house.store, read_letter, call.path("item_id"))
    if found is None:
        raise _not_waiting()
    return found


async def retry(call: Call[EmptyBody, None]) -> Any:
    """Read it again with today's program, or send it again."""
    try:
        return await retry_letter(call.desk.house, call.path("item_id"), log_actor(call), commit=call.commit)
    except NotDead:
        raise _not_waiting() from None
    except (ReplyRefused, MayNotGo) as refusal:
        raise Problem(409, "not_now", str(refusal)) from None
    except TrunklineError:
        raise Problem(409, "still_unreadable", "It still cannot be read; the entry says why.") from None


async def skip(call: Call[ReasonBody, None]) -> Any:
    """Let it be, with a reason."""
    return await _settle(call, skip_letter)


async def delete(call: Call[ReasonBody, None]) -> Any:
    """Delete what it holds, with a reason."""
    return await _settle(call, delete_letter)


async def _settle(call: Call[ReasonBody, None], act: Any) -> Any:
    letter_id, reason, actor = call.path("item_id"), call.body.reason, log_actor(call)
    try:
        return await call.commit(lambda tx: act(tx, letter_id, reason, actor=actor, now=call.now))
    except NotDead:
        raise _not_waiting() from None


async def retry_all(call: Call[SweepBody, None]) -> Any:
    """Try a batch of all that match."""
    body = call.body
    found = await sweep(
        call.desk.house,
        _wanted(call, body),
        log_actor(call),
        dry_run=body.dry_run,
        upto=body.upto,
        after=body.after,
        limit=body.limit,
    )
    return msgspec.to_builtins(found)


async def export(call: Call[ExportBody, None]) -> web.StreamResponse:
    """Write all that match as JSON lines; who took them is written down first."""
    store, wanted = call.desk.house.store, _wanted(call, call.body)
    newest = await ask(store, newest_letter, wanted)
    count = 0 if newest is None else await ask(store, count_letters, wanted, "", newest)
    actor = log_actor(call)
    await store.writer.write(lambda tx: note_export(tx, wanted, count, actor=actor, now=call.now))
    response = web.StreamResponse(
        headers={
            "Content-Type": "application/x-ndjson",
            "Content-Disposition": 'attachment; filename="dead-letters.jsonl"',
            "Cache-Control": "no-store",
            "X-Request-Id": request_id_of(call.request),
        }
    )
    await response.prepare(call.request)
    async for letter in _letters(call, wanted):
        await response.write(msgspec.json.encode(letter) + b"\n")
    await response.write_eof()
    return response


async def _letters(call: Call[Any, Any], wanted: Wanted) -> AsyncIterator[dict[str, Any]]:
    """Yield what matches, newest first; one at a time is in memory."""
    store, before = call.desk.house.store, None
    while lines := await ask(store, read_letters, wanted, before, _EXPORT_PAGE):
        for line in lines:
            before = line["id"]
            found: dict[str, Any] | None = await ask(store, read_letter, before)
            if found is not None:
                yield found


def _not_waiting() -> Problem:
    return Problem(404, "not_quarantined", "There is no such entry in the quarantine.")


ROUTES = (
    Route(
        method="GET",
        path="/quarantine",
        handler=listing,
        action=Action.READ_QUARANTINE,
        operation="quarantine",
        summary="What was stored and could not be read, and what did not go out; newest first.",
        query=LetterQuery,
        answer=LetterPage,
    ),
    Route(
        method="POST",
        path="/quarantine/retry",
        handler=retry_all,
        action=Action.MANAGE_QUARANTINE,
        operation="retry_all_quarantined",
        summary="Try a batch of all that match again, or only tell what that would come to.",
        body=SweepBody,
        answer=Swept,
        repeatable=False,
    ),
    Route(
        method="POST",
        path="/quarantine/export",
        handler=export,
        action=Action.MANAGE_QUARANTINE,
        operation="export_quarantined",
        summary="All that match as JSON lines, secrets masked.",
        body=ExportBody,
        produces="application/x-ndjson",
        repeatable=False,
    ),
    Route(
        method="GET",
        path="/quarantine/{item_id}",
        handler=show,
        action=Action.READ_QUARANTINE,
        operation="quarantined",
        summary="One of them with all that is stored, secrets masked.",
        answer=LetterDetail,
        refusals=((404, "not_quarantined"),),
    ),
    Route(
        method="POST",
        path="/quarantine/{item_id}/retry",
        handler=retry,
        action=Action.MANAGE_QUARANTINE,
        operation="retry_quarantined",
        summary="Read it again, or send it again; nothing becomes double.",
        body=EmptyBody,
        answer=Quarantined,
        refusals=((404, "not_quarantined"), (409, "still_unreadable"), (409, "not_now")),
    ),
    Route(
        method="POST",
        path="/quarantine/{item_id}/skip",
        handler=skip,
        action=Action.MANAGE_QUARANTINE,
        operation="skip_quarantined",
        summary="Let it be, with a reason; what is stored of it stays.",
        body=ReasonBody,
        answer=Quarantined,
        refusals=((404, "not_quarantined"),),
    ),
    Route(
        method="POST",
        path="/quarantine/{item_id}/delete",
        handler=delete,
        action=Action.MANAGE_QUARANTINE,
        operation="delete_quarantined",
        summary="Delete what it holds, with a reason; that it was there stays.",
        body=ReasonBody,
        answer=Quarantined,
        refusals=((404, "not_quarantined"),),
    ),
)
