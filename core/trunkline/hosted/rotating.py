"""A token is followed by another after a day of use, and nobody is locked out by it.

The token that follows is made of the one before and a key of ours: every answer, every tab and every process offers the
same one, so it does no harm when an answer is lost. It takes over when it is used for the first time, which proves that
somebody has it. From then on the one before is good for an hour: for requests under way, for other tabs, for an app
that was killed before it kept the new one. Whoever takes no offer keeps their token, as before.

What follows is another proof of the same holder (`visitor_token.id`): nothing else moves, and what ends the holder ends
all of them.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select, update

from trunkline.errors import StoreUnavailable
from trunkline.hosted.visitors import ANONYMOUS_MS, PREFIX, fingerprint
from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.hosted.front import Front
    from trunkline.hosted.visitors import Generations, Holder
    from trunkline.store import Transaction

__all__ = ["GRACE_MS", "HEADER", "ROTATE_AFTER_MS", "follow", "is_good"]

#: Carries the token that follows; in the frame `ready` it is `next_token`.
HEADER = "X-Next-Token"
#: How long a token is in use before another is offered, and how long it is good after that one took over.
ROTATE_AFTER_MS, GRACE_MS = 24 * 3600 * 1000, 3600 * 1000

T = TypeVar("T")
_t = schema.visitor_token


def is_good(tokens: Generations, mark: str, now: int) -> bool:
    """Whether what is kept of a token (its fingerprint) is one that is in use, offered, or just replaced."""
    if _same(mark, tokens.before):
        return now < tokens.before_until
    return _same(mark, tokens.current) or _same(mark, tokens.following)


async def follow(front: Front, holder: Holder, text: str) -> str | None:
    """Let a token that was offered take over, and return the one that is to be used instead of `text`, None for itself.

    A proved token ends within a day: the site renews it.
    """
    now, mark, tokens = front.house.clock.now_ms(), fingerprint(text), holder.tokens
    if holder.subject is not None:
        return None
    if _same(mark, tokens.following):
        await _write(front, lambda tx: _take_over(tx, holder, mark, now))
        return None
    if _same(mark, tokens.current) and now - tokens.since < ROTATE_AFTER_MS:
        return None
    followers = {fingerprint(PREFIX + one): PREFIX + one for one in front.signer.followers(text)}
    if _same(mark, tokens.before):
        return followers.get(tokens.current)
    offered = tokens.following or await _write(front, lambda tx: _offer(tx, holder, next(iter(followers))))
    return followers.get(offered or "")


def _offer(tx: Transaction, holder: Holder, mark: str) -> str | None:
    """Remember what follows; what was offered before stays, for somebody may have kept it already."""
    mine = (_t.c.id == holder.token_id, _t.c.token_hash == holder.tokens.current, _t.c.revoked_at.is_(None))
    row = tx.execute(select(_t.c.next_hash).where(*mine).with_for_update()).one_or_none()
    if row is None or row.next_hash is not None:
        return row and row.next_hash
    tx.execute(update(_t).where(*mine).values(next_hash=mark))
    return mark


def _take_over(tx: Transaction, holder: Holder, mark: str, now: int) -> None:
    """Put the token that follows into use; of several first uses one does it."""
    mine = (_t.c.id == holder.token_id, _t.c.next_hash == mark, _t.c.revoked_at.is_(None))
    values = {
        "token_hash": mark,
        "next_hash": None,
        "previous_hash": _t.c.token_hash,
        "previous_until": now + GRACE_MS,
        "rotated_at": now,
        "expires_at": now + ANONYMOUS_MS,
    }
    tx.execute(update(_t).where(*mine).values(values))


async def _write(front: Front, work: Callable[[Transaction], T]) -> T | None:
    """Write if it can be written: nobody is refused because their token could not be followed."""
    vitals = front.house.vitals
    if vitals.draining or vitals.disk_is_full:
        return None
    try:
        return await front.house.store.writer.write(work)
    except StoreUnavailable:
        return None


def _same(mark: str, kept: str | None) -> bool:
    return kept is not None and hmac.compare_digest(mark, kept)
