"""Windows and budgets: what the customer's acts opened, and whether a message may go out now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import bindparam, case, select, update

from trunkline.clock import to_text
from trunkline.contract import Act, Afterwards, Window
from trunkline.model import AuthorKind
from trunkline.store import Prepared, schema

if TYPE_CHECKING:
    from trunkline.store import Transaction

__all__ = [
    "REFUSALS",
    "Open",
    "Verdict",
    "correct",
    "judge",
    "merged",
    "open_windows",
    "read_windows",
    "spend",
    "window_snapshot",
]

#: (expires_at, remaining); None means no end or no limit.
Open = tuple[int | None, int | None]


#: Code of a verdict → words for the agent.
REFUSALS = {
    "window_closed": "The reply window is over: the customer has to write first.",
    "budget_spent": "All messages that the platform allows after the customer's last one are used up.",
    "author_not_allowed": "The platform does not let this kind of author write now.",
}


class Verdict(msgspec.Struct, frozen=True):
    """Whether a message may be given to the platform."""

    allowed: bool
    #: The window under which it goes, None where the channel has none.
    window: str | None = None
    #: "window_closed", "budget_spent", "author_not_allowed".
    code: str | None = None
    #: When the window closes, None for no end.
    expires_at: int | None = None
    remaining: int | None = None
    afterwards: Afterwards = Afterwards.NOTHING


_READ = Prepared(
    select(schema.window.c.name, schema.window.c.expires_at, schema.window.c.remaining).where(
        schema.window.c.thread_id == bindparam("thread")
    )
)


def read_windows(tx: Transaction, thread_id: str) -> dict[str, Open]:
    """Return the windows of a thread, open or over."""
    return {name: (expires_at, remaining) for name, expires_at, remaining in tx.run(_READ, {"thread": thread_id})}


def open_windows(
    tx: Transaction, thread_id: str, windows: Sequence[Window], act: Act, at: int
) -> dict[str, Open] | None:
    """Open what `act` opens, close what it closes; return all windows of the thread, None if it does neither."""
    opened = [window for window in windows if act in window.opened_by]
    closed = [window.name for window in windows if act in window.closed_by]
    if not opened and not closed:
        return None
    known = read_windows(tx, thread_id)
    for name in known.keys() & closed:
        _save(tx, thread_id, name, at, (at, 0), exists=True)
        known[name] = (at, 0)
    for window in opened:
        value = merged(known.get(window.name), window, at)
        _save(tx, thread_id, window.name, at, value, exists=window.name in known)
        known[window.name] = value
    return known


def merged(old: Open | None, window: Window, at: int) -> Open:
    """Return what an act at `at` makes of a window: acts do not add up, the larger budget and the later end count."""
    ends = None if window.lasts_s is None else at + window.lasts_s * 1000
    if old is None or (old[0] is not None and old[0] <= at):
        return ends, window.budget
    later = None if ends is None or old[0] is None else max(ends, old[0])
    budget = None if window.budget is None or old[1] is None else max(window.budget, old[1])
    return later, budget


def _save(tx: Transaction, thread_id: str, name: str, at: int, value: Open, *, exists: bool) -> None:
    table = schema.window
    values = {"opened_at": at, "expires_at": value[0], "remaining": value[1]}
    if exists:
        tx.execute(table.update().where(table.c.thread_id == thread_id, table.c.name == name).values(values))
    else:
        tx.execute(table.insert().values(thread_id=thread_id, name=name, **values))


def judge(windows: Sequence[Window], known: Mapping[str, Open], author: AuthorKind, now: int) -> Verdict:
    """Decide whether `author` may write now; the first open window with budget left counts."""
    if not windows:
        return Verdict(allowed=True)
    refusal = Verdict(allowed=False, code="window_closed", afterwards=windows[0].afterwards)
    for window in windows:
        expires_at, remaining = known.get(window.name, (0, 0))
        if expires_at is not None and expires_at <= now:
            continue
        if author not in window.authors:
            refusal = Verdict(allowed=False, code="author_not_allowed", afterwards=window.afterwards)
            continue
        if remaining is not None and remaining <= 0:
            refusal = Verdict(allowed=False, code="budget_spent", afterwards=window.afterwards)
            continue
        return Verdict(
            allowed=True,
            window=window.name,
            expires_at=expires_at,
            remaining=remaining,
            afterwards=window.afterwards,
        )
    if any(window.afterwards is Afterwards.COSTS for window in windows):
        return Verdict(allowed=True, afterwards=Afterwards.COSTS)
    return refusal


_w = schema.window.c
_SPEND = Prepared(
    update(schema.window)
    .where(_w.thread_id == bindparam("thread"), _w.name == bindparam("window"), _w.remaining.is_not(None))
    .values(remaining=case((_w.remaining > bindparam("count"), _w.remaining - bindparam("count")), else_=0))
)


def spend(tx: Transaction, thread_id: str, name: str, count: int) -> None:
    """Take messages off a window's budget, never below zero."""
    tx.run(_SPEND, {"thread": thread_id, "window": name, "count": count})


_MEANT = (_w.thread_id == bindparam("thread"), _w.name == bindparam("window"), _w.opened_at <= bindparam("sent"))
_CLOSE = Prepared(
    update(schema.window)
    .where(*_MEANT)
    .values(expires_at=case((_w.expires_at < bindparam("now"), _w.expires_at), else_=bindparam("now")))
)
_EMPTY = Prepared(update(schema.window).where(*_MEANT, _w.remaining.is_not(None)).values(remaining=0))


def correct(tx: Transaction, thread_id: str, window: str, code: str, now: int, *, sent_at: int | None = None) -> None:
    """Believe the platform: what it calls closed or used up is so, whatever we had counted.

    `sent_at` is when the message went that it says so of, now unless given: an act after it opened the window anew.
    """
    place = {"thread": thread_id, "window": window, "sent": now if sent_at is None else sent_at}
    if code == "budget_spent":
        tx.run(_EMPTY, place)
    else:
        tx.run(_CLOSE, {**place, "now": now})


def window_snapshot(windows: Sequence[Window], known: Mapping[str, Open], now: int) -> dict[str, Any] | None:
    """Return what is left of the reply window for a human author, None where the channel has none."""
    if not windows:
        return None
    verdict = judge(windows, known, AuthorKind.AGENT, now)
    return {
        "open": verdict.allowed,
        "expires_at": None if verdict.expires_at is None else to_text(verdict.expires_at),
        "remaining": verdict.remaining,
        "afterwards": verdict.afterwards.value,
        "reason": verdict.code,
    }
