"""What customers ask for: the calls 16 to 18 and 24 of the visitor protocol, and one of our own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import RootModel
from sqlalchemy import func, select
from trunkline.clock import to_text
from trunkline.hosted.answers import Answer
from trunkline.hosted.call import Call
from trunkline.hosted.calls import Answered, ClientCalls, ClientRoute
from trunkline.hosted.entering import enter
from trunkline.hosted.models import Body, Identifier, Line, Prose
from trunkline.hosted.objects import bare
from trunkline.hosted.reading import live_thread, threads_of
from trunkline.hosted.refusals import ClientRefused
from trunkline.hosted.submitting import current_form
from trunkline.model import Actor, ActorKind, new_id
from trunkline.store import LogRow

from trunkline_waiting_room.line import Step, place_object, queued
from trunkline_waiting_room.ratings import Given, may_rate

if TYPE_CHECKING:
    from trunkline.store import Transaction

    from trunkline_waiting_room.application import WaitingRoom

__all__ = ["add_calls"]

T = TypeVar("T")
Handler = Callable[["WaitingRoom", Call], Awaitable[Any]]


# ---------------------------------------------------------------- what they carry


class HumanBody(Body):
    """A wish for a person; `agent_id` is kept in mind by nobody yet."""

    group_id: Identifier | None = None
    agent_id: Identifier | None = None
    reason: Line | None = None


class EmptyBody(Body):
    """Nothing."""


class RatingBody(Body):
    """What the customer thinks."""

    score: int
    comment: Prose | None = None
    tags: tuple[Line, ...] = ()


class Named(Answer):
    """A group or an agent."""

    id: str
    name: str | None


class Queue(Answer):
    """A place in a line."""

    position: int
    ahead: int
    wait_estimate_s: int | None


class Session(Answer):
    """One time that a customer asked for a person."""

    id: str
    thread_id: str
    state: str
    group: Named | None
    agent: Named | None
    queue: Queue | None
    started_at: str
    ended_at: str | None
    end_reason: str | None
    rev: int


class OfflineForm(Answer):
    """Nobody can be waited for; the form as call 19 shows it."""

    outcome: str
    form: dict[str, Any]


class Human(RootModel[Session | OfflineForm]):
    """A session, or a form instead."""


class CurrentSession(Answer):
    """The session that is not over, if there is one."""

    session: Session | None


class Rating(Answer):
    """An invitation, and what was answered."""

    id: str
    thread_id: str
    session_id: str
    invitation: str
    scale: int
    labels: list[str]
    expires_at: str
    state: str
    score: int | None
    comment: str | None
    tags: list[str]
    rev: int


# ---------------------------------------------------------------- what they do


async def request_human(room: WaitingRoom, call: Call) -> Answered:
    """Ask for a person."""
    group_id = call.body.group_id
    if group_id is not None and group_id not in room.rules.groups:
        raise ClientRefused("unknown_group", field="group_id")
    form = await _form_instead(room, call, group_id or "")
    if form is not None:
        return Answered(200, {"outcome": "offline_form", "form": form})
    thread = await enter(call)
    if thread is None:
        return Answered(202, _lookalike(call))
    step = _step(call, thread)
    shown, is_new = await _write(room, lambda tx: room.line.begin(tx, step, group_id or ""))
    if not is_new:
        raise ClientRefused("already_requested", more={"session": shown})
    return Answered(202, shown)


async def _form_instead(room: WaitingRoom, call: Call, line: str) -> dict[str, Any] | None:
    """Return the form where the line is too long for a newcomer, None where there is room, or no form."""
    async with room.house.store.read() as connection:
        waiting = (await connection.execute(select(func.count()).select_from(queued(line).subquery()))).scalar_one()
    if waiting < room.rules.longest_line or await _session(room, call) is not None:
        return None
    try:
        return await current_form(call, call.body.group_id)
    except ClientRefused:
        return None


def _lookalike(call: Call) -> dict[str, Any]:
    """Return what a session would look like: somebody who is blocked shall not notice."""
    named = {"id": f"ss_{new_id()}", "thread_id": f"th_{new_id()}", "state": "queued", "group": None, "agent": None}
    times = {"started_at": to_text(call.now), "ended_at": None, "end_reason": None}
    return {**named, **times, "queue": place_object(1, ()), "rev": 1}


async def _session(room: WaitingRoom, call: Call) -> dict[str, Any] | None:
    async with room.house.store.read() as connection:
        thread = await live_thread(connection, call.holder)
        if thread is None:
            return None
        return await connection.run_sync(room.line.find, thread.id)


async def session(room: WaitingRoom, call: Call) -> dict[str, Any]:
    """Show the session as it is now."""
    return {"session": await _session(room, call)}


async def leave_queue(room: WaitingRoom, call: Call) -> dict[str, Any]:
    """Wait no longer."""
    return await _end(room, call, {"queued": "abandoned"}, "not_queued")


async def end_session(room: WaitingRoom, call: Call) -> dict[str, Any]:
    """End the talk, or the wait for it."""
    return await _end(room, call, {"active": "customer_end", "queued": "abandoned"}, "no_session")


async def _end(room: WaitingRoom, call: Call, reasons: dict[str, str], otherwise: str) -> dict[str, Any]:
    async with room.house.store.read() as connection:
        thread = await live_thread(connection, call.holder)
    if thread is None:
        raise ClientRefused(otherwise)
    step = _step(call, thread)

    def work(tx: Transaction) -> dict[str, Any] | None:
        over = room.line.end(tx, step, reasons)
        room.ratings.invite(tx, step, over)
        return None if over is None else room.line.show(tx, over)

    shown = await _write(room, work)
    if shown is None:
        raise ClientRefused(otherwise)
    return shown


async def rate(room: WaitingRoom, call: Call) -> dict[str, Any]:
    """Rate a talk, once and in time.

    Of somebody else's rating nobody learns that it exists: one question is asked, whatever the answer is.
    """
    rating_id, body = bare(call.path("rating_id"), "rt_"), call.body
    async with room.house.store.read() as connection:
        threads = {row.id: row for row in await threads_of(connection, call.holder)}
        thread_id = (await connection.execute(may_rate(rating_id, list(threads)))).scalar()
    if rating_id is None or thread_id is None:
        raise ClientRefused("not_found")
    step, given = _step(call, threads[thread_id]), Given(body.score, body.comment, body.tags)
    return await _write(room, lambda tx: room.ratings.rate(tx, step, rating_id, given))


def _step(call: Call, thread: Any) -> Step:
    return Step(thread.id, Actor(ActorKind.CONTACT, thread.contact_id, call.holder.name), call.now)


async def _write(room: WaitingRoom, work: Callable[[Transaction], T]) -> T:
    """Write, also if the caller hangs up meanwhile."""
    return await asyncio.shield(room.house.store.writer.write(work))


# ---------------------------------------------------------------- how they are found


def add_calls(calls: ClientCalls, room: WaitingRoom) -> None:
    """Add our calls, let customers hear of our events, and offer our features."""
    for route in _routes(room):
        calls.add(route)
    for kind in ("queued", "session_started", "session_transferred", "session_ended"):
        calls.tell(kind, _session_changed)
    for kind in ("rating_invited", "rating_submitted"):
        calls.tell(kind, _rating_changed)
    for feature in ("request_human", "rating"):
        calls.offer(feature, lambda _channel, _context: None)
    calls.greet("session", lambda database, thread_id: thread_id and room.line.find(database, thread_id))


def _routes(room: WaitingRoom) -> Iterator[ClientRoute]:
    def route(call: str, handler: Handler, *refusals: str, **more: Any) -> ClientRoute:
        method, path = call.split()
        more |= {"operation": handler.__name__, "summary": (handler.__doc__ or "").partition("\n")[0]}
        return ClientRoute(method=method, path=path, handler=partial(handler, room), refusals=refusals, **more)

    asked = {"body": HumanBody, "answer": Human, "status": 202, "also": (200,)}
    yield route("POST /threads/live/human", request_human, "already_requested", "unknown_group", **asked)
    yield route("GET /threads/live/session", session, answer=CurrentSession)
    yield route("DELETE /threads/live/queue", leave_queue, "not_queued", answer=Session)
    yield route("POST /threads/live/end", end_session, "no_session", body=EmptyBody, answer=Session)
    refusals = ("already_rated", "rating_expired", "invalid_score")
    yield route("POST /ratings/{rating_id}", rate, *refusals, body=RatingBody, answer=Rating)


def _session_changed(payload: Any, _row: LogRow, _shower: Any) -> tuple[str, dict[str, Any]]:
    return "session.changed", payload["session"]


def _rating_changed(payload: Any, _row: LogRow, _shower: Any) -> tuple[str, dict[str, Any]]:
    return "rating.changed", payload["rating"]
