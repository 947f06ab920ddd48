"""What a reply would become, before it is sent: decided by the code that sends it, stored nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import func, select

from trunkline.contract import Afterwards, Capabilities
from trunkline.model import AuthorKind, Content, Cost, Level, Media, QuickReply, content_kind
from trunkline.service.drafts import Draft, contents_of, medium_of
from trunkline.service.media import public_addresses
from trunkline.service.planning import (
    Load,
    Standing,
    Step,
    batch_size,
    count_together,
    counts_budget,
    plan_or_refusal,
)
from trunkline.service.reading import Database, less_reserved
from trunkline.service.refusals import ReplyRefused
from trunkline.service.rendering import Request
from trunkline.service.replies import account_of, capabilities_of
from trunkline.service.snapshots import ACTIVE
from trunkline.service.windows import REFUSALS, Open, judge
from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.service.house import House

__all__ = ["Carried", "Objection", "Preview", "WindowLeft", "preview_reply"]

_thread, _window, _credential = schema.thread.c, schema.window.c, schema.reply_credential.c
_delivery, _media, _message = schema.delivery.c, schema.media.c, schema.message.c


class Objection(msgspec.Struct, frozen=True):
    """Why something will not go out."""

    code: str
    text: str
    #: Place in the body, "content.cards.0.title"; None where no part of it is at fault.
    field: str | None = None


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """One request to the platform."""

    #: Number of the message that it belongs to, from 1, of the last one where it carries several: a long text is one
    #: message in several requests, and short ones share a request where the platform takes several at once.
    message: int
    parts: tuple[Content, ...]
    quick_replies: tuple[QuickReply, ...]
    level: Level
    notes: tuple[str, ...]
    #: What it costs; None when it does not go out.
    cost: Cost | None
    refusal: Objection | None


class WindowLeft(msgspec.Struct, frozen=True, kw_only=True):
    """The window under which it goes, before and after."""

    open: bool
    expires_at: int | None
    #: Messages that the platform still takes; None for no limit.
    before: int | None
    after: int | None
    afterwards: Afterwards


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What the channel will carry."""

    requests: tuple[Carried, ...]
    #: The worst among them.
    level: Level
    #: None where the channel has no windows.
    window: WindowLeft | None
    quota_before: int | None
    quota_after: int | None
    #: Everything that stands in the way; a reply with one of a `field` is refused as a whole.
    refusals: tuple[Objection, ...]


def preview_reply(database: Database, house: House, thread_id: str, draft: Draft, now: int) -> Preview:
    """Return what would become of an agent's reply.

    Raises:
        ReplyRefused: no such thread, or its account is gone; what the channel refuses stands in the answer.
    """
    thread = database.execute(
        select(_thread.id, _thread.account_id, _thread.channel).where(_thread.id == thread_id)
    ).one_or_none()
    if thread is None:
        raise ReplyRefused("There is no such thread.", code="not_found", status=404)
    account = account_of(house, thread.account_id)
    capabilities = capabilities_of(account, thread.channel, now)
    windows = _windows_of(database, thread_id, capabilities)
    standing = Standing(capabilities=capabilities, windows=windows, author=AuthorKind.AGENT, now=now)
    steps, refusals = _steps(database, house, draft, thread, standing)
    free = _free_requests(database, thread_id, now) if capabilities.sending.reply_credentials else 0
    requests = tuple(_requests(steps, capabilities, free))
    quota = None if account.health is None else account.health.quota_left
    counted = sum(one.cost is Cost.QUOTA for one in requests)
    objections = [Objection(one.code, str(one), one.field) for one in refusals]
    objections += dict.fromkeys(one.refusal for one in requests if one.refusal is not None)
    return Preview(
        requests=requests,
        level=max((one.level for one in requests), key=list(Level).index, default=Level.FULL),
        window=_window_left(steps, standing),
        quota_before=quota,
        quota_after=None if quota is None else max(0, quota - counted),
        refusals=tuple(objections),
    )


def _steps(
    database: Database, house: House, draft: Draft, thread: Any, standing: Standing
) -> tuple[list[Step], list[ReplyRefused]]:
    try:
        _insist_on_quoted(database, thread.id, draft.reply_to)
        contents = contents_of(draft, lambda media_id: _look(database, house, media_id))
    except ReplyRefused as refusal:
        return [], [refusal]
    return plan_or_refusal(contents, draft.quick_replies, standing)


def _insist_on_quoted(database: Database, thread_id: str, message_id: str | None) -> None:
    found = select(_message.id).where(_message.id == message_id, _message.thread_id == thread_id)
    if message_id is not None and database.execute(found).first() is None:
        raise ReplyRefused("The quoted message is not in this thread.", code="quote_not_found", field="reply_to")


def _look(database: Database, house: House, media_id: str) -> Media:
    row = database.execute(select(schema.media).where(_media.id == media_id)).one_or_none()
    addresses = (None, None) if row is None else public_addresses(row, house.settings.server.public_url)
    return medium_of(row, *addresses)


def _windows_of(database: Database, thread_id: str, capabilities: Capabilities) -> dict[str, Open]:
    """Return what is left of the windows, without what replies on their way will use."""
    if not capabilities.windows:
        return {}
    rows = database.execute(select(schema.window).where(_window.thread_id == thread_id))
    known: dict[str, Open] = {row.name: (row.expires_at, row.remaining) for row in rows}
    return less_reserved(database, thread_id, known) if counts_budget(capabilities) else known


def _free_requests(database: Database, thread_id: str, now: int) -> int:
    """Return how many requests unused reply credentials make free; those on their way come first."""
    usable = select(func.count()).where(
        _credential.thread_id == thread_id,
        _credential.expires_at > now,
        _credential.used_by.is_(None),
        _credential.cost == Cost.FREE.value,
    )
    waiting = select(func.count()).where(
        _delivery.thread_id == thread_id, _delivery.state.in_(ACTIVE), _delivery.credential_id.is_(None)
    )
    return int(max(0, database.execute(usable).scalar_one() - database.execute(waiting).scalar_one()))


class _Planned(msgspec.Struct, frozen=True):
    """One delivery that is to be."""

    message: int
    step: Step
    request: Request

    @property
    def load(self) -> Load:
        return Load(
            parts=len(self.request.parts),
            under=self.step.verdict.window,
            asks=bool(self.request.quick_replies),
        )


def _requests(steps: Sequence[Step], capabilities: Capabilities, free: int) -> Iterator[Carried]:
    """Yield the requests as the outbox will make them of deliveries that wait together."""
    planned = [
        _Planned(number, step, request) for number, step in enumerate(steps, 1) for request in step.plan.requests
    ]
    while planned:
        count = 1
        refusal = _objection(planned[0].step)
        if refusal is None:
            going = list(takewhile(lambda one: one.step.refusal is None, planned))
            count = count_together([one.load for one in going], batch_size(capabilities))
        cost = None if refusal is not None else _cost(planned[0], capabilities, is_free=free > 0)
        free -= refusal is None
        yield _carried(planned[:count], cost, refusal)
        planned = planned[count:]


def _objection(step: Step) -> Objection | None:
    return None if step.refusal is None else Objection(step.refusal, REFUSALS[step.refusal])


def _carried(together: Sequence[_Planned], cost: Cost | None, refusal: Objection | None) -> Carried:
    plans = {one.message: one.step.plan for one in together}.values()
    return Carried(
        message=together[-1].message,
        parts=tuple(part for one in together for part in one.request.parts),
        quick_replies=together[-1].request.quick_replies,
        level=max((plan.level for plan in plans), key=list(Level).index),
        notes=tuple(dict.fromkeys(note for plan in plans for note in plan.notes)),
        cost=cost,
        refusal=refusal,
    )


def _cost(one: _Planned, capabilities: Capabilities, *, is_free: bool) -> Cost:
    """After a window that may be passed at a price, it costs; else as declared, unless something makes it free."""
    if is_free:
        return Cost.FREE
    verdict = one.step.verdict
    is_late = bool(capabilities.windows) and verdict.window is None and verdict.afterwards is Afterwards.COSTS
    declared = capabilities.rule(content_kind(one.request.parts[0])).cost or capabilities.sending.cost
    return Cost.PAID if is_late and declared is Cost.FREE else declared


def _window_left(steps: Sequence[Step], standing: Standing) -> WindowLeft | None:
    if not standing.capabilities.windows:
        return None
    verdict = judge(standing.capabilities.windows, standing.windows, standing.author, standing.now)
    used = sum(step.size for step in steps if step.refusal is None and step.verdict.window == verdict.window)
    left = None if verdict.remaining is None else verdict.remaining - used
    return WindowLeft(
        open=verdict.allowed and verdict.window is not None,
        expires_at=verdict.expires_at,
        before=verdict.remaining,
        after=left,
        afterwards=verdict.afterwards,
    )
