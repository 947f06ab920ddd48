"""Calls that say something: a message, a pressed button. The same for a call and for a frame."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select

from trunkline.clock import to_text
from trunkline.hosted import answers, models
from trunkline.hosted.arriving import MAX_TEXT, TEXT_METADATA
from trunkline.hosted.call import Call
from trunkline.hosted.calls import Answered, ClientRoute
from trunkline.hosted.envelope import Envelope
from trunkline.hosted.front import facts_of
from trunkline.hosted.objects import bare
from trunkline.hosted.reading import find_message, seq_of, threads_of
from trunkline.hosted.refusals import ClientRefused
from trunkline.hosted.sending import Sending, Taken, sending_of
from trunkline.hosted.versions import takes
from trunkline.model import Audio, Choice, Content, ContentKind, File, Image, Location, Media, Text, Video
from trunkline.store import schema

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trunkline.hosted.calls import Inbox
    from trunkline.hosted.connector import Client
    from trunkline.hosted.front import Front
    from trunkline.hosted.objects import Shower
    from trunkline.hosted.visitors import Holder

from trunkline.hosted.conversing import LIVE, thread_of

__all__ = ["ROUTES", "Speaker", "say"]

_FILE_KINDS = frozenset({"image", "video", "audio", "file"})
#: First half of the MIME type → content.
_BY_FAMILY: dict[str, Callable[..., Content]] = {"image": Image, "video": Video, "audio": Audio}
_encode = msgspec.json.Encoder().encode


class Speaker(msgspec.Struct, frozen=True):
    """Who speaks, to whom, with what: the same for a call and for a frame."""

    front: Front
    inbox: Inbox
    holder: Holder
    client: Client
    request_id: str

    @property
    def shower(self) -> Shower:
        """What shows them their messages."""
        return self.front.shower_of(self.holder)


def _speaker(call: Call) -> Speaker:
    return Speaker(call.front, call.inbox, call.holder, call.client, call.front.request_id_of(call.request))


# ---------------------------------------------------------------- saying


async def send(call: Call) -> Answered:
    """Take a message."""
    return await say(_speaker(call), call.path("thread_id"), call.body)


async def say(speaker: Speaker, thread_name: str, body: models.MessageBody) -> Answered:
    """Store a message once, however often it is sent.

    Raises:
        ClientRefused: see the table of calls.
    """
    speaker.front.limiter.take("messages", speaker.holder.visitor_id, own=speaker.inbox.limit("messages"))
    house = speaker.front.house
    async with house.store.read() as connection:
        await _live(connection, speaker.holder, thread_name)
        content = await _content(connection, speaker, body)
        quotes = await _quotes(connection, speaker.holder, body.quoted_id)
    context = _context(speaker, body.metadata)
    return await _store(speaker, body.client_id, content, quotes=quotes, context=context)


async def _live(connection: AsyncConnection, holder: Holder, name: str) -> None:
    """Make sure that a thread takes messages: the live one does.

    Raises:
        ClientRefused: not_found, thread_closed.
    """
    if name == LIVE:
        return
    row = await thread_of(connection, holder, name)
    if row.key != holder.address:
        raise ClientRefused("thread_closed")


async def _content(connection: AsyncConnection, speaker: Speaker, body: models.MessageBody) -> Content:
    """Return what a message holds.

    Raises:
        ClientRefused: empty_message, text_too_long, unsupported_kind, unknown_upload, invalid_field.
    """
    if body.text is not None and len(body.text) > MAX_TEXT:
        raise ClientRefused("text_too_long", field="text")
    capabilities = speaker.inbox.channel(speaker.client).capabilities
    if body.kind in _FILE_KINDS:
        return await _file(connection, speaker, body)
    if body.kind not in {"text", "location"} or not takes(capabilities, ContentKind(body.kind)):
        raise ClientRefused("unsupported_kind", field="kind")
    if body.attachments:
        raise ClientRefused("invalid_field", f"A message of kind {body.kind} carries no files.", field="attachments")
    if body.kind == "text":
        if not (body.text or "").strip():
            raise ClientRefused("empty_message", field="text")
        return Text(text=body.text or "")
    if body.latitude is None or body.longitude is None:
        raise ClientRefused("invalid_field", field="latitude" if body.latitude is None else "longitude")
    return Location(latitude=body.latitude, longitude=body.longitude, title=body.title)


async def _file(connection: AsyncConnection, speaker: Speaker, body: models.MessageBody) -> Content:
    if not body.attachments:
        raise ClientRefused("empty_message", field="attachments")
    if len(body.attachments) > 1:
        raise ClientRefused("invalid_field", "A message carries one file; send several.", field="attachments")
    media_id = bare(body.attachments[0].upload_id, "up_")
    # Whose it is and whether it is free is decided in the transaction that attaches it.
    query = select(schema.media).where(
        schema.media.c.id == media_id, schema.media.c.account_id == speaker.inbox.id, schema.media.c.state == "stored"
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise ClientRefused("unknown_upload", field="attachments")
    known = ("id", "mime", "size", "name", "width", "height", "duration_ms")
    media = Media(**{name: getattr(row, name) for name in known})
    make = _BY_FAMILY.get((row.mime or "").split("/", 1)[0], File)
    caption = body.text if (body.text or "").strip() else None
    return make(media=media) if make is Audio else make(media=media, caption=caption)


async def _quotes(connection: AsyncConnection, holder: Holder, quoted_id: str | None) -> str | None:
    """Return the external id of a quoted message; one that cannot be quoted yet is not."""
    if quoted_id is None:
        return None
    row = await _message(connection, holder, quoted_id)
    if row is None:
        raise ClientRefused("invalid_field", "There is no such message to quote.", field="quoted_id")
    external: str | None = row.external_id
    return external


async def _message(connection: AsyncConnection, holder: Holder, name: str) -> Any:
    """Return a message in a thread of the visitor, None if there is none."""
    rows = await threads_of(connection, holder)
    table, wanted = schema.message, bare(name, "ms_")
    mine = (table.c.id == wanted, table.c.thread_id.in_([row.id for row in rows]))
    return (await connection.execute(select(table).where(*mine))).one_or_none() if rows else None


def _context(speaker: Speaker, metadata: dict[str, Any] | None) -> dict[str, Any]:
    if metadata is not None and len(_encode(metadata)) > TEXT_METADATA:
        raise ClientRefused("invalid_field", "The metadata are longer than 4 KB.", field="metadata")
    client = {name: getattr(speaker.client, name) for name in ("platform", "version")}
    shown = {"metadata": metadata, "client": {name: value for name, value in client.items() if value}}
    return {name: value for name, value in shown.items() if value}


async def _store(
    speaker: Speaker,
    client_id: str,
    content: Content,
    *,
    quotes: str | None,
    context: dict[str, Any],
    answers: str | None = None,
) -> Answered:
    holder, house = speaker.holder, speaker.front.house
    envelope = Envelope(
        visitor=holder.visitor_id,
        address=holder.address,
        client_id=client_id.lower(),
        at=house.clock.now_ms(),
        content=content,
        name=holder.name,
        channel=speaker.inbox.channel(speaker.client).code,
        quotes=quotes,
        answers=answers,
        context=context,
    )
    sending = sending_of(holder, facts_of(speaker.inbox.account), envelope, speaker.request_id)
    # Whoever hangs up meanwhile must not undo it: the commit happens or not, and a repeat finds out.
    taken = await asyncio.shield(house.store.writer.write_together(speaker.front.take, sending))
    if taken.refused is not None:
        raise ClientRefused(taken.refused)
    return await _answer(speaker, sending, taken)


async def _answer(speaker: Speaker, sending: Sending, taken: Taken) -> Answered:
    if taken.swallowed or taken.external_id is None:
        return Answered(201, _lookalike(speaker, sending))
    async with speaker.front.house.store.read() as connection:
        found = await find_message(connection, speaker.inbox.id, taken.external_id, speaker.shower)
        if found is None:
            raise ClientRefused("unavailable", retry_after=1)
        shown, row = found
        seq = await seq_of(connection, row)
    return Answered(200 if taken.replayed else 201, {"message": shown, "seq": seq, "replayed": taken.replayed})


def _lookalike(speaker: Speaker, sending: Sending) -> dict[str, Any]:
    """Return what a stored message would look like: somebody who is blocked shall not notice."""
    envelope = sending.envelope
    snapshot = {
        "id": sending.arrival.raw_id,
        "thread_id": sending.arrival.raw_id,
        "position": 1,
        "direction": "in",
        "author": {"kind": "contact", "id": None, "name": envelope.name},
        "content": msgspec.to_builtins(envelope.content),
        "quick_replies": [],
        "reply_to": None,
        "at": to_text(envelope.at),
        "edited_at": None,
        "previous": [],
        "recalled_at": None,
    }
    shown = speaker.shower.message(snapshot, f"{envelope.visitor}:{envelope.client_id}")
    return {"message": shown, "seq": None, "replayed": False}


async def postback(call: Call) -> Answered:
    """Take the press of a button."""
    speaker, body = _speaker(call), call.body
    speaker.front.limiter.take("messages", speaker.holder.visitor_id, own=speaker.inbox.limit("messages"))
    async with speaker.front.house.store.read() as connection:
        await thread_of(connection, speaker.holder, call.path("thread_id"))
        row = await _message(connection, speaker.holder, body.message_id)
    if row is None or row.direction != "out":
        raise ClientRefused("not_found")
    choice = _choices(row).get(body.action_id)
    if choice is None or row.recalled_at is not None:
        raise ClientRefused("unknown_action", field="action_id")
    if body.value is not None:
        choice = msgspec.structs.replace(choice, params={"value": body.value})
    context = _context(speaker, None)
    return await _store(speaker, body.client_id, choice, quotes=row.external_id, context=context, answers=row.id)


def _choices(row: Any) -> dict[str, Choice]:
    """Return what the buttons of a message say, by the ids under which they were shown."""
    content = msgspec.json.decode(row.content)
    cards = content.get("cards") or ([content] if content["type"] == "card" else [])
    buttons = {
        f"b{number}.{index}": Choice(data=button.get("data") or button["title"], title=button["title"])
        for number, card in enumerate(cards)
        for index, button in enumerate(card.get("buttons", ()))
        if not button.get("url")
    }
    replies = msgspec.json.decode(row.quick_replies) if row.quick_replies else []
    return buttons | {
        f"q{index}": Choice(data=one.get("data") or one["title"], title=one["title"])
        for index, one in enumerate(replies)
    }


ROUTES = (
    ClientRoute(
        method="POST",
        path="/threads/{thread_id}/messages",
        handler=send,
        operation="send_message",
        summary="Send a message; the same `client_id` again is the same message.",
        status=201,
        also=(200,),
        body=models.MessageBody,
        answer=answers.Sent,
        refusals=(
            "client_id_conflict",
            "thread_closed",
            "empty_message",
            "text_too_long",
            "unsupported_kind",
            "unknown_upload",
            "rate_limited",
        ),
    ),
    ClientRoute(
        method="POST",
        path="/threads/{thread_id}/postback",
        handler=postback,
        operation="press_button",
        summary="Press a button of a card or a quick reply; a card is answered once.",
        status=201,
        also=(200,),
        body=models.PostbackBody,
        answer=answers.Sent,
        refusals=("card_answered", "unknown_action", "client_id_conflict", "rate_limited"),
    ),
)
