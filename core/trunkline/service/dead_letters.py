"""Dead letters: requests that could not be read and replies that did not go out, as an operator sees them.

A reply is dead when nothing happens to it any more and the customer does not have it: `failed`, `expired` and
`suppressed`. An `uncertain` one is still looked after by the outbox, and a `cancelled` one was taken back by a person.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from sqlalchemy import LargeBinary, func, select, text

from trunkline.clock import to_text
from trunkline.errors import TrunklineError
from trunkline.model import Content, summary
from trunkline.service.payload_masks import MARGIN, SHOWN, masked, payload_of
from trunkline.store import schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Select

    from trunkline.service.reading import Database

__all__ = [
    "DEAD",
    "Kind",
    "NotDead",
    "Wanted",
    "count_letters",
    "line_of",
    "newest_letter",
    "next_letters",
    "read_letter",
    "read_letters",
    "sent_row",
]

Kind = Literal["received", "sent"]
#: States of a reply that waits for a person.
DEAD = ("failed", "expired", "suppressed")
#: What can be looked at by its id: also what a person has settled.
_SHOWN_RAW = ("quarantined", "skipped", "deleted")
_SHOWN_SENT = (*DEAD, "cancelled")

_r, _d, _a, _m = schema.raw_request.c, schema.delivery.c, schema.attempt.c, schema.message.c
#: Spelt as in the indexes: with a parameter in their place SQLite would read the whole table.
_IS_QUARANTINED = text("state = 'quarantined'")
_IS_DEAD = text("state IN ('failed', 'expired', 'suppressed')")
_PREVIEW = 2000
#: Bytes of a body that are read for its line, so that a secret in it is known as such before it is cut.
_READ = 4 * _PREVIEW + 8 * 1024
_MOST_ATTEMPTS = 100
_body_start = func.substr(_r.body, 1, SHOWN + MARGIN, type_=LargeBinary).label("start")
_RAW_LINE = (_r.id, _r.account_id, _r.received_at, _r.request_id, _r.state, _r.reason, _r.error, _r.attempts)
_parts: msgspec.json.Decoder[tuple[Content, ...]] = msgspec.json.Decoder(tuple[Content, ...])
_ERROR_CLASS = re.compile(r"([A-Za-z_]\w*): ")


class NotDead(TrunklineError):
    """There is no such dead letter, or there is none any more."""

    def __init__(self, letter_id: str) -> None:
        super().__init__(f"There is no dead letter {letter_id}.")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which dead letters: all that is given must hold."""

    kind: Kind | None = None
    #: Ids of accounts; None is all of them.
    accounts: frozenset[str] | None = None
    #: Why: "unreadable", "window_closed", …
    reason: str | None = None
    #: The platform's own error code, or the class of the error that could not be handled.
    code: str | None = None
    #: When it was received or written, in milliseconds: from, and before.
    since: int | None = None
    until: int | None = None


# ---------------------------------------------------------------- lists


def read_letters(database: Database, wanted: Wanted, before: str | None, limit: int) -> list[dict[str, Any]]:
    """Return dead letters of both kinds, newest first; `before` is the id of the last one seen.

    Ids grow with time, so that both tables make one list.
    """
    found: list[dict[str, Any]] = []
    for table, conditions in _sources(wanted):
        below = conditions if before is None else (*conditions, table.c.id < before)
        query = select(*_line_columns(table)).where(*below).order_by(table.c.id.desc()).limit(limit)
        found += [line_of(row) for row in database.execute(query)]
    return sorted(found, key=lambda line: str(line["id"]), reverse=True)[:limit]


def next_letters(database: Database, wanted: Wanted, after: str, upto: str, limit: int) -> list[tuple[str, Kind]]:
    """Return the (id, kind) of dead letters above one id and not above another, oldest first."""
    found: list[tuple[str, Kind]] = []
    for table, conditions in _sources(wanted):
        kind: Kind = "received" if table is schema.raw_request else "sent"
        query = select(table.c.id).where(*conditions, table.c.id > after, table.c.id <= upto)
        found += [(row.id, kind) for row in database.execute(query.order_by(table.c.id).limit(limit))]
    return sorted(found)[:limit]


def count_letters(database: Database, wanted: Wanted, after: str, upto: str) -> int:
    """Return how many there are above one id and not above another."""
    return sum(
        database.execute(
            select(func.count()).select_from(table).where(*conditions, table.c.id > after, table.c.id <= upto)
        ).scalar_one()
        for table, conditions in _sources(wanted)
    )


def newest_letter(database: Database, wanted: Wanted) -> str | None:
    """Return the highest id that matches."""
    found = read_letters(database, wanted, None, 1)
    return found[0]["id"] if found else None


def _sources(wanted: Wanted) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yield the tables that may hold what is wanted, with the conditions of each."""
    if wanted.kind != "sent":
        yield schema.raw_request, _conditions(wanted, _r.received_at, _raw_conditions(wanted), _r.account_id)
    if wanted.kind != "received":
        yield schema.delivery, _conditions(wanted, _d.created_at, _sent_conditions(wanted), _d.account_id)


def _conditions(
    wanted: Wanted, at: ColumnElement[Any], own: Sequence[Any], account: ColumnElement[Any]
) -> tuple[Any, ...]:
    shared = (
        None if wanted.accounts is None else account.in_(sorted(wanted.accounts)),
        None if wanted.since is None else at >= wanted.since,
        None if wanted.until is None else at < wanted.until,
    )
    return (*own, *(condition for condition in shared if condition is not None))


def _raw_conditions(wanted: Wanted) -> list[Any]:
    found: list[Any] = [_IS_QUARANTINED]
    if wanted.reason is not None:
        found.append(_r.reason == wanted.reason)
    if wanted.code is not None:
        start = f"{wanted.code}: "
        found.append(func.substr(_r.error, 1, len(start)) == start)
    return found


def _sent_conditions(wanted: Wanted) -> list[Any]:
    """A reason is stored as JSON of a known shape: its own code comes first, that of the platform after its status."""
    found: list[Any] = [_IS_DEAD]
    if wanted.reason is not None:
        found.append(_holds(_d.reason, f'{{"code":{_quoted(wanted.reason)},"text":'))
    if wanted.code is not None:
        found.append(_holds(_d.reason, f',"code":{_quoted(wanted.code)},"text":'))
    return found


def _holds(column: Any, words: str) -> ColumnElement[bool]:
    """Whether a text holds exactly these words, whatever LIKE makes of their signs and their case."""
    found: ColumnElement[bool] = func.replace(column, words, "") != column
    return found


def _quoted(value: str) -> str:
    return msgspec.json.encode(value).decode()


def _line_columns(table: Any) -> tuple[Any, ...]:
    if table is schema.raw_request:
        return (*_RAW_LINE, func.substr(_r.body, 1, _READ, type_=LargeBinary).label("start"))
    return tuple(table.c)


def line_of(row: Any) -> dict[str, Any]:
    """Return one dead letter as lists show it; `row` is of either table."""
    return _raw_line(row) if hasattr(row, "received_at") else _sent_line(row)


def _raw_line(row: Any) -> dict[str, Any]:
    named = _ERROR_CLASS.match(row.error or "")
    start = (row.start if hasattr(row, "start") else row.body) or b""
    return {
        "id": row.id,
        "kind": "received",
        "account_id": row.account_id,
        "at": to_text(row.received_at),
        "state": row.state,
        "reason": row.reason,
        "error": None if row.error is None else masked(row.error),
        "code": named[1] if named else None,
        "attempts": row.attempts,
        "request_id": row.request_id,
        "thread_id": None,
        "message_id": None,
        "body_preview": masked(bytes(start).decode("utf-8", "replace"))[:_PREVIEW],
    }


def _sent_line(row: Any) -> dict[str, Any]:
    reason: dict[str, Any] = {} if row.reason is None else msgspec.json.decode(row.reason)
    answer = reason.get("answer") or {}
    words = " ".join(filter(None, map(summary, _parts.decode(row.plan))))
    return {
        "id": row.id,
        "kind": "sent",
        "account_id": row.account_id,
        "at": to_text(row.created_at),
        "state": row.state,
        "reason": reason.get("code"),
        "error": masked(reason["text"]) if "text" in reason else None,
        "code": answer.get("code"),
        "attempts": row.attempts,
        "request_id": row.request_id,
        "thread_id": row.thread_id,
        "message_id": row.message_id,
        "body_preview": masked(words)[:_PREVIEW],
    }


# ---------------------------------------------------------------- one of them


def read_letter(database: Database, letter_id: str) -> dict[str, Any] | None:
    """Return one dead letter with all that is stored of it, also when a person has settled it; None if it is none."""
    raw = database.execute(_received_row(letter_id).where(_r.state.in_(_SHOWN_RAW))).one_or_none()
    if raw is not None:
        return _raw_letter(database, raw)
    sent = database.execute(sent_row(letter_id).where(_d.state.in_(_SHOWN_SENT))).one_or_none()
    return None if sent is None else _sent_letter(database, sent)


def _received_row(letter_id: str) -> Select[Any]:
    """Return the statement for one request: its line, and as much of its body as is shown."""
    size = func.length(_r.body).label("size")
    return select(*_RAW_LINE, _r.query, _r.headers, size, _body_start).where(_r.id == letter_id)


def sent_row(letter_id: str) -> Select[Any]:
    """Return the statement for one delivery."""
    return select(schema.delivery).where(_d.id == letter_id)


def _raw_letter(database: Database, row: Any) -> dict[str, Any]:
    shown = select(_m.id, _m.thread_id).where(_m.raw_id == row.id, _m.placeholder.is_not(None)).limit(1)
    place = database.execute(shown).one_or_none()
    query = {name: masked(f"{name}={value}")[len(name) + 1 :] for name, value in _members(row.query)}
    return _raw_line(row) | {
        "thread_id": None if place is None else place.thread_id,
        "message_id": None if place is None else place.id,
        # Of the headers only the proof is kept, and a proof is a secret.
        "headers": {name: "***" for name, _value in _members(row.headers)},
        "query": query,
        "payload": msgspec.to_builtins(payload_of(bytes(row.start or b""), row.size)),
        "tries": [],
    }


def _members(encoded: str | None) -> list[tuple[str, str]]:
    found: dict[str, Any] = msgspec.json.decode(encoded or "{}")
    return [(name, str(value)) for name, value in found.items()]


def _sent_letter(database: Database, row: Any) -> dict[str, Any]:
    plan = {"parts": msgspec.json.decode(row.plan)}
    if row.quick_replies is not None:
        plan["quick_replies"] = msgspec.json.decode(row.quick_replies)
    encoded = msgspec.json.format(msgspec.json.encode(plan), indent=2)
    tries = select(schema.attempt).where(_a.delivery_id == row.id).order_by(_a.number.desc()).limit(_MOST_ATTEMPTS)
    return _sent_line(row) | {
        "headers": {},
        "query": {},
        "payload": msgspec.to_builtins(payload_of(encoded[: SHOWN + MARGIN], len(encoded))),
        "tries": [_try(one) for one in reversed(database.execute(tries).all())],
    }


def _try(row: Any) -> dict[str, Any]:
    """Return one attempt with what the platform answered."""
    answer: dict[str, Any] = {} if row.answer is None else msgspec.json.decode(row.answer)
    return {
        "number": row.number,
        "started_at": to_text(row.started_at),
        "ended_at": to_text(row.ended_at),
        "outcome": row.outcome,
        "route": row.route,
        "status": answer.get("status"),
        "code": answer.get("code"),
        "text": masked(answer["text"]) if answer.get("text") else None,
        "request_id": answer.get("request_id"),
    }
