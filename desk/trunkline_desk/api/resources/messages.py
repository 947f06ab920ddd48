"""Messages: reading them, answering, sending again what failed, and that somebody is typing."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

from trunkline.contract import Extra
from trunkline.http.problems import Problem, request_id_of
from trunkline.log import get_logger
from trunkline.service import signals
from trunkline.service.refusals import ReplyRefused
from trunkline.service.replies import post_reply, retry_message
from trunkline_desk.api.actors import author_of, change_of, log_actor
from trunkline_desk.api.drafts import draft_of, insist_on_own, insist_on_template, problem_of
from trunkline_desk.api.models.messages import Message, MessagePage, NewReply
from trunkline_desk.api.models.threads import BeforeQuery
from trunkline_desk.api.models.words import EmptyBody
from trunkline_desk.api.presence import moment_of
from trunkline_desk.api.route import Call, Route
from trunkline_desk.people.roles import Action
from trunkline_desk.threads.composing import effective
from trunkline_desk.threads.detail import find_thread
from trunkline_desk.threads.messages import ShownMessage, read_message, read_messages
from trunkline_desk.threads.rows import ask, bad_cursor
from trunkline_desk.threads.states import take_for_reply

__all__ = ["ROUTES"]

log = get_logger("desk")

T = TypeVar("T")


async def messages(call: Call[None, BeforeQuery]) -> dict[str, Any]:
    """Return a page of a thread."""
    before = call.query.before
    if before is not None and not (before.isascii() and before.isdecimal() and len(before) < 19):
        raise bad_cursor()
    position = None if before is None else int(before)
    return await ask(call.desk.house.store, read_messages, call.path("thread_id"), position, call.query.limit)


async def reply(call: Call[NewReply, None]) -> Any:
    """Answer; a thread that nobody has becomes the replier's own first."""
    house, draft = call.desk.house, draft_of(call.body, request_id_of(call.request))

    def work(tx: Any) -> Any:
        insist_on_own(tx, draft, call.actor.id)
        take_for_reply(tx, change_of(call))
        message_id = post_reply(
            tx, house, call.path("thread_id"), draft, author=author_of(call), actor=log_actor(call), now=call.now
        )
        return read_message(tx, message_id)

    await _refusing(insist_on_template(call, draft))
    message = await _refusing(call.commit(work))
    if isinstance(message, ShownMessage):  # else it is the kept answer to a request that came before
        log.info("message.created", message=message.id, deliveries=[one["id"] for one in message.deliveries])
    return message


async def retry(call: Call[EmptyBody, None]) -> Any:
    """Send again what failed."""
    house, message_id = call.desk.house, call.path("message_id")

    def work(tx: Any) -> Any:
        again = request_id_of(call.request)
        retry_message(tx, house, message_id, actor=log_actor(call), now=call.now, request_id=again)
        return read_message(tx, message_id)

    return await _refusing(call.commit(work))


async def _refusing(work: Awaitable[T]) -> T:
    """Put the refusals of the core into the words of the API."""
    try:
        return await work
    except ReplyRefused as refusal:
        raise problem_of(refusal) from None


async def typing(call: Call[EmptyBody, None]) -> None:
    """Show the customer that an answer is being written; seen or not, nothing is kept."""
    desk, thread_id = call.desk, call.path("thread_id")
    row = await ask(desk.house.store, find_thread, thread_id)
    desk.presences.tell(moment_of("typing", thread_id, call.actor))
    if Extra.TYPING not in effective(desk.house, row, call.now).extras:
        raise Problem(409, "not_supported", "This channel cannot show that somebody is typing.")
    desk.later(signals.typing(desk.house, thread_id), "typing")


ROUTES = (
    Route(
        method="GET",
        path="/threads/{thread_id}/messages",
        handler=messages,
        action=Action.READ_THREADS,
        operation="messages",
        summary="Messages of a thread before a position, oldest first.",
        query=BeforeQuery,
        answer=MessagePage,
        refusals=((404, "unknown_thread"),),
    ),
    Route(
        method="POST",
        path="/threads/{thread_id}/messages",
        handler=reply,
        action=Action.REPLY,
        operation="reply",
        summary="Answer the customer; what the platform would refuse is kept as suppressed, with its reason.",
        status=202,
        body=NewReply,
        answer=Message,
        refusals=((404, "unknown_thread"), (409, "account_gone")),
    ),
    Route(
        method="POST",
        path="/messages/{message_id}/retry",
        handler=retry,
        action=Action.REPLY,
        operation="retry_message",
        summary="Send again what failed.",
        status=202,
        body=EmptyBody,
        answer=Message,
        refusals=((404, "not_found"), (409, "not_retryable"), (409, "already_trying")),
    ),
    Route(
        method="POST",
        path="/threads/{thread_id}/typing",
        handler=typing,
        action=Action.REPLY,
        operation="typing",
        summary="Show the customer that an answer is being written.",
        status=202,
        body=EmptyBody,
        refusals=((404, "unknown_thread"), (409, "not_supported")),
        repeatable=False,
    ),
)
