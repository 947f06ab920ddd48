"""An application that answers every customer's message once: "re <platform id of the message>"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trunkline.contract import Application, ApplicationSpec
from trunkline.model import Actor, ActorKind, Author, AuthorKind, Event
from trunkline.service.replies import Draft, post_reply
from trunkline.store import schema

__all__ = ["SPEC", "answer_to"]


def answer_to(key: str) -> str:
    """Return the text that answers the message with this platform id."""
    return f"re {key}"


class Replier(Application):
    def __init__(self, house: Any) -> None:
        self._house = house

    def consume(self, tx: Any, events: Sequence[Event]) -> None:
        """Answer in the transaction that moves the cursor."""
        bot = Author(kind=AuthorKind.BOT, id="replier", name="Replier")
        for event in events:
            message = event.payload["message"]["id"]
            query = schema.message.select().where(schema.message.c.id == message)
            row = tx.execute(query).one()
            draft, actor = Draft(text=answer_to(row.external_id)), Actor(ActorKind.SYSTEM, "replier")
            assert event.thread_id is not None
            post_reply(tx, self._house, event.thread_id, draft, author=bot, actor=actor, now=self._house.clock.now_ms())


SPEC = ApplicationSpec(
    name="replier",
    title={"en": "Replier"},
    build=Replier,
    kinds=frozenset({"message_received"}),
)
