"""Ratings: one invitation for a talk that was accepted, one answer to it, in time.

The invitation is an ordinary message, so it comes by every channel: a card, buttons under a text, or a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select, update
from trunkline.clock import to_text
from trunkline.hosted.refusals import ClientRefused
from trunkline.model import Actor, ActorKind, Author, AuthorKind, Button, Card, QuickReply, new_id
from trunkline.service.replies import Draft, ReplyRefused, post_reply

from trunkline_waiting_room.schema import rating

if TYPE_CHECKING:
    from trunkline.service.house import House
    from trunkline.store import Transaction

    from trunkline_waiting_room.line import Step
    from trunkline_waiting_room.rules import Rules

__all__ = ["Given", "Ratings", "is_rating", "may_rate"]

_r = rating.c
#: What a button says when it is pressed: the rating and the score. Short enough for channels with little room.
_PRESSED = re.compile(r"rating:([0-9a-f-]{36}):([1-9])")
#: Where there are no buttons, customers answer with the figure alone.
_TYPED = re.compile(r"\s*([1-9])\s*")


class Given(msgspec.Struct, frozen=True):
    """What a customer thinks of a talk."""

    score: int
    comment: str | None = None
    tags: Sequence[str] = ()


class Ratings:
    """The ratings of one house."""

    def __init__(self, house: House, rules: Rules) -> None:
        self._house, self._rules = house, rules

    def invite(self, tx: Transaction, step: Step, talk: Any) -> None:
        """Ask for a rating of a talk that is over; one that no agent accepted is not rated."""
        if talk is None or talk.accepted_at is None:
            return
        values = {"id": new_id(), "session_id": talk.id, "thread_id": talk.thread_id, "tags": "[]", "rev": 1}
        when = {"invited_at": step.now, "expires_at": step.now + self._rules.rating_valid_ms}
        row = tx.execute(rating.insert().values(**values, **when).returning(*_r)).one()
        self._tell(tx, step, "rating_invited", row)
        self._say(tx, step, self.invitations(row.id))

    def rate(self, tx: Transaction, step: Step, rating_id: str, given: Given) -> dict[str, Any]:
        """Store a rating and say thank you.

        Raises:
            ClientRefused: invalid_score, already_rated, rating_expired.
        """
        if not 1 <= given.score <= len(self._rules.labels):
            raise ClientRefused("invalid_score", field="score")
        mine = (_r.id == rating_id, _r.thread_id == step.thread_id)
        words = {"comment": given.comment, "tags": msgspec.json.encode(given.tags).decode()}
        changing = update(rating).where(*mine, _r.score.is_(None), _r.expires_at > step.now)
        row = tx.execute(changing.values(score=given.score, rev=_r.rev + 1, **words).returning(*_r)).one_or_none()
        if row is None:
            known = tx.execute(select(_r.score).where(*mine)).one_or_none()
            raise ClientRefused("rating_expired" if known is not None and known.score is None else "already_rated")
        self._tell(tx, step, "rating_submitted", row)
        self._say(tx, step, [Draft(text=self._rules.thanks)])
        return self._show(row)

    def heard(self, tx: Transaction, step: Step, content: dict[str, Any]) -> None:
        """Take a pressed button, or a figure, for the rating that it is; too late or twice it changes nothing."""
        rating_id, score = self._meant(tx, step, content)
        if rating_id is not None:
            try:
                self.rate(tx, step, rating_id, Given(score))
            except ClientRefused:
                return

    def _meant(self, tx: Transaction, step: Step, content: dict[str, Any]) -> tuple[str | None, int]:
        pressed = _PRESSED.fullmatch(str(content.get("data")))
        if pressed is not None:
            return pressed[1], int(pressed[2])
        typed = _TYPED.fullmatch(str(content.get("text")))
        if typed is None:
            return None, 0
        asked = select(_r.id).where(_r.thread_id == step.thread_id, _r.score.is_(None), _r.expires_at > step.now)
        return tx.execute(asked.order_by(_r.invited_at.desc()).limit(1)).scalar(), int(typed[1])

    def invitations(self, rating_id: str) -> Iterator[Draft]:
        """Yield ways to ask, the best first."""
        rules = self._rules
        scores = [(f"{score}: {label}", f"rating:{rating_id}:{score}") for score, label in enumerate(rules.labels, 1)]
        scores.reverse()
        words = f"Answer with a figure from 1 to {len(scores)}."
        buttons = tuple(Button(title=title, data=data) for title, data in scores)
        yield Draft(contents=(Card(title=rules.invitation, text=words, buttons=buttons),))
        replies = tuple(QuickReply(title=title, data=data) for title, data in scores)
        yield Draft(text=f"{rules.invitation} {words}", quick_replies=replies)
        yield Draft(text="\n".join([rules.invitation, words, *(title for title, _ in scores)]))

    def _say(self, tx: Transaction, step: Step, drafts: Iterator[Draft] | Sequence[Draft]) -> None:
        """Write the first of these that the channel can carry."""
        author = Author(kind=AuthorKind.BOT, name=self._rules.name)
        actor = Actor(ActorKind.BOT, None, self._rules.name)
        for draft in drafts:
            try:
                post_reply(tx, self._house, step.thread_id, draft, author=author, actor=actor, now=step.now)
            except ReplyRefused:
                continue
            return

    def _show(self, row: Any) -> dict[str, Any]:
        rules = self._rules
        return {
            "id": f"rt_{row.id}",
            "thread_id": f"th_{row.thread_id}",
            "session_id": f"ss_{row.session_id}",
            "invitation": rules.invitation,
            "scale": len(rules.labels),
            "labels": list(rules.labels),
            "expires_at": to_text(row.expires_at),
            "state": "invited" if row.score is None else "rated",
            "score": row.score,
            "comment": row.comment,
            "tags": msgspec.json.decode(row.tags),
            "rev": row.rev,
        }

    def _tell(self, tx: Transaction, step: Step, kind: str, row: Any) -> None:
        payload = {"rating": self._show(row)}
        tx.append(kind, actor=step.actor, at=step.now, thread_id=step.thread_id, payload=payload)


def may_rate(rating_id: str | None, thread_ids: Sequence[str]) -> Any:
    """Return the statement that finds the thread of a rating; of others' ratings it finds as little as of none."""
    return select(_r.thread_id).where(_r.id == rating_id, _r.thread_id.in_(thread_ids))


def is_rating(payload: str) -> bool:
    """Whether an encoded message may be a rating; asked for every message that anybody writes, so it is quick."""
    return '"rating:' in payload or _FIGURE.search(payload) is not None


_FIGURE = re.compile(r'"type":"text","text":"\s*[1-9]\s*"')
