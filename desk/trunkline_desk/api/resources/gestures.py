"""What an agent does to a message that is there: reacting to it, taking it back."""

from __future__ import annotations

from typing import Any

from trunkline.service import gestures
from trunkline.service.refusals import ReplyRefused
from trunkline_desk.api.actors import log_actor
from trunkline_desk.api.drafts import problem_of
from trunkline_desk.api.models.composing import ReactionBody
from trunkline_desk.api.models.messages import Message
from trunkline_desk.api.models.words import EmptyBody
from trunkline_desk.api.route import Call, Route
from trunkline_desk.people.roles import Action
from trunkline_desk.threads.messages import read_message
from trunkline_desk.threads.rows import ask

__all__ = ["ROUTES"]


async def react(call: Call[ReactionBody, None]) -> Any:
    """Put our reaction to a customer's message, or take it away."""
    house, message_id = call.desk.house, call.path("message_id")
    try:
        await gestures.react(house, message_id, call.body.emoji, log_actor(call), call.now)
    except ReplyRefused as refusal:
        raise problem_of(refusal) from None
    return await ask(house.store, read_message, message_id)


async def recall(call: Call[EmptyBody, None]) -> Any:
    """Take a message of ours back."""
    house, message_id = call.desk.house, call.path("message_id")
    try:
        await gestures.recall(house, message_id, log_actor(call), call.now)
    except ReplyRefused as refusal:
        raise problem_of(refusal) from None
    return await ask(house.store, read_message, message_id)


_REFUSALS = (
    (404, "unknown_message"),
    (409, "not_supported"),
    (409, "refused_by_platform"),
    (502, "platform_unreachable"),
    (503, "platform_busy"),
)

ROUTES = (
    Route(
        method="PUT",
        path="/messages/{message_id}/reaction",
        handler=react,
        action=Action.REPLY,
        operation="react",
        summary="Put our reaction to a customer's message; null takes it away.",
        body=ReactionBody,
        answer=Message,
        refusals=(*_REFUSALS, (409, "not_reactable")),
        repeatable=False,
    ),
    Route(
        method="POST",
        path="/messages/{message_id}/recall",
        handler=recall,
        action=Action.REPLY,
        operation="recall_message",
        summary="Take a message of ours back, where the channel can.",
        body=EmptyBody,
        answer=Message,
        refusals=(*_REFUSALS, (409, "not_recallable"), (409, "still_sending")),
        repeatable=False,
    ),
)
