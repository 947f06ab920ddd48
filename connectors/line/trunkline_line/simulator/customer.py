"""What a simulated customer does, and the webhook events that follow from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from trunkline.testing.pictures import PICTURES, picture
from trunkline_line.simulator.rules import actions_of
from trunkline_line.simulator.world import Chat, Kept, Person, Said, World

if TYPE_CHECKING:
    from collections.abc import Awaitable

Json = dict[str, Any]

#: Events without a reply token.
_SILENT = {
    "unsend", "unfollow", "leave", "memberLeft", "module", "activated", "deactivated", "botSuspended",
    "botResumed", "delivery",
}  # fmt: skip
#: Kinds of messages without a quote token.
_UNQUOTABLE = {"audio", "file", "location"}


class Emitter(Protocol):
    """Where events go: signed and sent to the webhook."""

    world: World

    def emit(self, event: Json) -> Awaitable[None]: ...

    def changed(self, customer: str) -> None: ...


class Customer:
    """The hand of one person in one chat. Every method sends its webhook before it returns."""

    def __init__(self, line: Emitter, person: Person, chat: Chat | None = None) -> None:
        self._line, self._world, self.person = line, line.world, person
        self.chat = chat or line.world.chats[person.id]

    @property
    def id(self) -> str:
        return self.person.id

    @property
    def sees(self) -> list[Said]:
        return self.chat.said

    # ---------------------------------------------------------------- messages

    async def text(self, text: str, *, quotes: str | None = None, **marks: Any) -> Said:
        """Write. `quotes` is the id of a message, `marks` are `emojis` and `mention` as on the wire."""
        quoted = {"quotedMessageId": quotes} if quotes else {}
        return await self.write({"type": "text", "text": text, **quoted, **marks})

    async def image(self, name: str = PICTURES[0], *, url: str | None = None, **album: Any) -> Said:
        """Send a picture; one at `url` is not kept by LINE."""
        if url:
            where: Json = {"type": "external", "originalContentUrl": url, "previewImageUrl": url}
            return await self.write({"type": "image", "contentProvider": where, **album})
        kept = Kept(kind="image", body=picture(name), mime="image/jpeg")
        return await self.write({"type": "image", "contentProvider": {"type": "line"}, **album}, kept)

    async def video(self, body: bytes = b"\0\0\0\x18ftypmp42", *, polls: int = 0, failed: bool = False) -> Said:
        """Send a film; LINE says `polls` times that it is still preparing it."""
        kept = Kept(kind="video", body=body, mime="video/mp4", polls=polls, failed=failed)
        return await self.write({"type": "video", "duration": 4200, "contentProvider": {"type": "line"}}, kept)

    async def audio(self, body: bytes = b"ID3", *, polls: int = 0) -> Said:
        kept = Kept(kind="audio", body=body, mime="audio/x-m4a", polls=polls)
        return await self.write({"type": "audio", "duration": 1800, "contentProvider": {"type": "line"}}, kept)

    async def file(self, name: str = "invoice.pdf", body: bytes = b"%PDF-1.4\n%%EOF\n") -> Said:
        kept = Kept(kind="file", body=body, mime="application/pdf")
        return await self.write({"type": "file", "fileName": name, "fileSize": len(body)}, kept)

    async def location(self, latitude: float, longitude: float, **named: str) -> Said:
        """Share a place; `title` and `address` are optional, as on a phone."""
        return await self.write({"type": "location", "latitude": latitude, "longitude": longitude, **named})

    async def sticker(self, *, keywords: tuple[str, ...] = ("happy", "thanks"), **more: str) -> Said:
        ids = {"packageId": "1001", "stickerId": "2002", "stickerResourceType": "STATIC"}
        return await self.write({"type": "sticker", **ids, "keywords": list(keywords), **more})

    async def write(self, message: Json, kept: Kept | None = None) -> Said:
        """Send any message object, also one that nobody knows yet."""
        said = Said(id=self._world.message_id(), at_ms=self._world.clock.now_ms(), author=self.id, message=message)
        tokens = {"markAsReadToken": f"mr-{said.id}"}
        if message["type"] not in _UNQUOTABLE:
            said.quote_token = tokens["quoteToken"] = f"qt-{said.id}"
        self._world.read_tokens[tokens["markAsReadToken"]] = said
        if kept:
            self._world.content[said.id] = kept
        self.chat.said.append(said)
        self.person.wrote = True
        await self._happens("message", message={"id": said.id, **tokens, **message})
        return said

    async def edit(self, said: Said, text: str) -> None:
        """Change a text; LINE offers this in groups."""
        if self.chat.kind != "group":
            raise ValueError("LINE lets people edit in groups only.")
        said.message = {**said.message, "text": text}
        said.quote_token = f"qt-{said.id}-edited"
        message = {"id": said.id, "type": "text", "text": text, "quoteToken": said.quote_token}
        await self._happens("messageEdited", message=message)

    async def unsend(self, said: Said) -> None:
        said.unsent = True
        await self._happens("unsend", unsend={"messageId": said.id})

    # ---------------------------------------------------------------- buttons

    async def press(self, press: str) -> None:
        """Press the button or quick reply with this id ("message id:place")."""
        message_id, _, place = press.partition(":")
        _, said = self._world.said(message_id)
        actions = actions_of(said.message)
        if not place.isdecimal() or int(place) >= len(actions):
            raise ValueError("There is no such button.")
        await self._does(actions[int(place)])

    async def _does(self, action: Json) -> None:
        match action["type"]:
            case "postback":
                await self.postback(action["data"], shows=action.get("displayText") or action.get("text"))
            case "message":
                await self.text(action["text"])
            case "location":
                await self.location(35.65857, 139.74543, title="Tower", address="1 Example Street")
            case "camera" | "cameraRoll":
                await self.image()
            case "datetimepicker":
                await self.postback(action["data"], params={"datetime": "2026-05-01T10:30"})
            case kind:
                raise ValueError(f"A {kind} button sends nothing.")

    async def postback(self, data: str, *, shows: str | None = None, params: Json | None = None) -> None:
        """Press something no longer on the screen. `shows` appears in the chat without a webhook."""
        if shows:
            message = {"type": "text", "text": shows}
            said = Said(id=self._world.message_id(), at_ms=self._world.clock.now_ms(), author=self.id, message=message)
            self.chat.said.append(said)
        await self._happens("postback", postback={"data": data, **({"params": params} if params else {})})

    # ---------------------------------------------------------------- coming and going

    async def follow(self) -> None:
        was_blocked, self.person.blocked, self.person.friend = self.person.blocked, False, True
        await self._happens("follow", follow={"isUnblocked": was_blocked})

    async def unfollow(self) -> None:
        self.person.blocked, self.person.friend = True, False
        await self._happens("unfollow")

    async def happens(self, kind: str, **body: Any) -> None:
        """Let any other event happen: join, leave, memberJoined, beacon, accountLink, membership."""
        await self._happens(kind, **body)

    async def _happens(self, kind: str, **body: Any) -> None:
        event: Json = {"type": kind, "source": self._source(), **body}
        if kind not in _SILENT:
            event["replyToken"] = self._world.reply_token(self.chat.id)
        await self._line.emit(event)
        self._line.changed(self.chat.id)

    def _source(self) -> Json:
        if self.chat.kind == "user":
            return {"type": "user", "userId": self.id}
        return {"type": self.chat.kind, f"{self.chat.kind}Id": self.chat.id, "userId": self.id}
