"""One socket, and what its client may say: a table from the type of a frame to what it does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from trunkline.hosted import models
from trunkline.hosted.being import note_views, view_of
from trunkline.hosted.conversing import note_ack, note_read, note_typing
from trunkline.hosted.speaking import Speaker, say
from trunkline.model import new_id

if TYPE_CHECKING:
    from trunkline.hosted.calls import Inbox
    from trunkline.hosted.connector import Client
    from trunkline.hosted.front import Front
    from trunkline.hosted.hub import Line
    from trunkline.hosted.visitors import Holder

__all__ = ["FRAMES", "Socket"]

_ACK_S = 1.0
_encode = msgspec.json.Encoder().encode


class Socket:
    """One connection after its hello."""

    def __init__(self, front: Front, inbox: Inbox, holder: Holder, client: Client, line: Line) -> None:
        self.front, self.inbox, self.holder, self.client, self.line = front, inbox, holder, client, line
        self.id = new_id()
        #: What is kept of the token that opened it.
        self.mark = ""
        self.address = ""
        self.refused = 0
        self.warned = False
        #: Why it is to be closed, once that is decided.
        self.ending: tuple[int, str] | None = None
        #: False while the app is in the background: what it acknowledges then has a push all the same.
        self.visible = True
        self._acked = 0
        self._acking = False

    def tell(self, frame: dict[str, Any]) -> None:
        """Queue a frame; never waits."""
        self.line.push(_encode(frame))

    def end(self, code: int, reason: str) -> None:
        """Let the writer say goodbye."""
        self.ending = self.ending or (code, reason)
        self.line.close()

    def acknowledge(self, seq: int) -> None:
        """Note what the client has; written at once, then at most once a second."""
        self._acked = max(self._acked, seq)
        if not self._acking:
            self._acking = True
            self.front.aside(self._write_acks(), "hosted-ack")

    def show(self, *, visible: bool) -> None:
        """Note whether anybody looks; what was acknowledged unseen is seen then."""
        self.visible = visible
        if visible and self._acked:
            self.acknowledge(self._acked)

    async def _write_acks(self) -> None:
        written = (0, False)
        try:
            while (have := (self._acked, self.visible)) > written:
                written = have
                await note_ack(self.front, self.holder, self._acked, shown=self.visible)
                if not self.line.closed:
                    await asyncio.sleep(_ACK_S)
        finally:
            self._acking = False


async def _send(socket: Socket, frame: dict[str, Any]) -> None:
    body = models.MessageBody.model_validate_json(_encode(frame))
    speaker = Speaker(socket.front, socket.inbox, socket.holder, socket.client, new_id())
    answered = await say(speaker, str(frame.get("thread_id") or "live"), body)
    known = {"ref": frame["ref"]} if isinstance(frame.get("ref"), str) and len(frame["ref"]) <= 80 else {}
    socket.tell({"t": "sent", **known, **answered.body})


async def _ack(socket: Socket, frame: dict[str, Any]) -> None:
    cursor = frame.get("cursor")
    seq = socket.front.place(socket.holder, cursor) if isinstance(cursor, str) else None
    if seq is not None:
        socket.acknowledge(seq)


async def _read(socket: Socket, frame: dict[str, Any]) -> None:
    position = models.ReadBody.model_validate({"pos": frame.get("pos")}).pos
    await note_read(socket.front, socket.holder, str(frame.get("thread_id") or "live"), position)


async def _typing(socket: Socket, frame: dict[str, Any]) -> None:
    await note_typing(socket.front, socket.holder, str(frame.get("thread_id") or "live"))


async def _view(socket: Socket, frame: dict[str, Any]) -> None:
    view = models.View.model_validate({name: frame.get(name) for name in ("url", "screen", "title")})
    shown = view_of(view.model_dump(), socket.front.house.clock.now_ms())
    if shown and socket.front.limiter.allows("views", socket.holder.visitor_id):
        await note_views(socket.front, socket.holder, [shown])


async def _ping(socket: Socket, frame: dict[str, Any]) -> None:
    number = frame.get("n")
    socket.tell({"t": "pong", **({"n": number} if isinstance(number, int) and abs(number) < 2**53 else {})})


async def _visible(socket: Socket, frame: dict[str, Any]) -> None:
    socket.show(visible=frame.get("visible") is not False)


#: Type of a frame → what it does. Everything else is ignored, as the protocol says.
FRAMES: dict[str, Callable[[Socket, dict[str, Any]], Awaitable[None]]] = {
    "send": _send,
    "ack": _ack,
    "read": _read,
    "typing": _typing,
    "view": _view,
    "visible": _visible,
    "ping": _ping,
}
