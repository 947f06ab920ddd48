"""What a simulated customer does, and the webhook events that follow from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from trunkline.testing.pictures import PICTURES
from trunkline_facebook.simulator.rules import actions_of
from trunkline_facebook.simulator.world import Person, Said, World

if TYPE_CHECKING:
    from collections.abc import Awaitable

Json = dict[str, Any]

#: A customer's word for a reaction → the character.
REACTIONS = {"love": "❤", "smile": "😆", "wow": "😮", "sad": "😢", "angry": "😠", "like": "👍", "dislike": "👎"}
_MAX_EDITS = 5


class Emitter(Protocol):
    """Where events go: signed and sent to the webhook."""

    world: World

    @property
    def url(self) -> str: ...

    def emit(self, event: Json, person: Person | None = None) -> Awaitable[None]: ...

    def changed(self, customer: str) -> None: ...


class Customer:
    """The hand of one person. Every method sends its webhook before it returns."""

    def __init__(self, platform: Emitter, person: Person) -> None:
        self._platform, self._world, self.person = platform, platform.world, person

    @property
    def id(self) -> str:
        return self.person.id

    @property
    def sees(self) -> list[Said]:
        return self.person.said

    @property
    def got(self) -> list[Said]:
        """What our side said."""
        return [said for said in self.person.said if not said.by_customer]

    @property
    def is_instagram(self) -> bool:
        return self._world.channel == "instagram"

    # ---------------------------------------------------------------- messages

    async def text(self, text: str, *, quotes: str | None = None, **more: Any) -> Said:
        """Write. `quotes` is the id of a message; `more` stands in the message as on the wire."""
        if quotes is not None:
            more["reply_to"] = {"mid": quotes, "is_self_reply": self._world.find(quotes)[1].by_customer}
        return await self.write({"text": text, **more})

    async def image(self, name: str = PICTURES[0]) -> Said:
        return await self.attach("image", url=f"{self._platform.url}/_sim/pictures/{name}.jpg")

    async def send(self, kind: str, body: bytes, mime: str, name: str) -> Said:
        """Send a film, a sound or a file; a voice note is a sound like any other."""
        id_ = self._world.keep(kind, body, mime, name)
        return await self.attach(kind, url=f"{self._platform.url}/_sim/media/{id_}/{name}")

    async def attach(self, kind: str, **payload: Any) -> Said:
        return await self.write({"attachments": [{"type": kind, **({"payload": payload} if payload else {})}]})

    async def write(self, message: Json, **beside: Any) -> Said:
        """Send a message of any shape; `beside` stands beside it in the event."""
        said = self._said(message)
        self.person.wrote_ms = said.at_ms
        await self._emit({"message": {"mid": said.id, **message}, **beside})
        return said

    def _said(self, message: Json) -> Said:
        said = Said(self._world.message_id(), self._world.clock.now_ms(), by_customer=True, message=message)
        said.reply_to = message.get("reply_to", {}).get("mid")
        self.person.said.append(said)
        self.person.acted_ms = said.at_ms
        self._platform.changed(self.id)
        return said

    # ---------------------------------------------------------------- pressing

    async def press(self, press: str) -> Said:
        """Press a button or a quick reply by the id of its Press; "menu:PAYLOAD" is an entry of the menu."""
        mid, _, place = press.rpartition(":")
        if mid == "menu":
            return await self.postback(place, title="Get started" if place == "GET_STARTED" else place)
        found = next((said for said in self.got if said.id == mid), None)
        actions = actions_of(found.message) if found else []
        if not place.isdecimal() or int(place) >= len(actions) or actions[int(place)].get("type") == "web_url":
            raise ValueError(f"There is nothing to press at {press}.")
        action = actions[int(place)]
        if "content_type" not in action:
            return await self.postback(action["payload"], title=action["title"])
        given = {"user_phone_number": "+4940123456", "user_email": "ada@shop.example"}.get(action["content_type"])
        return await self.text(given or action["title"], quick_reply={"payload": given or action["payload"]})

    async def postback(self, payload: str, *, title: str, **more: Any) -> Said:
        said = self._said({"title": title})
        held = {"payload": payload} if self.person.holder in {None, self._world.app_id} else {}
        await self._emit({"postback": {"mid": said.id, "title": title, **held, **more}})
        return said

    # ---------------------------------------------------------------- afterwards

    async def edit(self, said: Said, text: str) -> None:
        """Change a text; Messenger only, five times at most."""
        if self.is_instagram or said.edits >= _MAX_EDITS or not said.by_customer:
            raise ValueError("This message cannot be edited.")
        said.edits, said.message = said.edits + 1, {**said.message, "text": text}
        self._platform.changed(self.id)
        await self._emit({"message_edit": {"mid": said.id, "text": text, "num_edit": said.edits}})

    async def unsend(self, said: Said) -> None:
        """Take a message back; of Messenger nobody is told."""
        if not said.by_customer:
            raise ValueError("Only one's own messages can be unsent.")
        said.deleted = True
        self._platform.changed(self.id)
        if self.is_instagram:
            await self._emit({"message": {"mid": said.id, "is_deleted": True}})

    async def react(self, said: Said, reaction: str | None = "love") -> None:
        """React to a message, or take the reaction back."""
        said.reaction = reaction
        self.person.acted_ms = self._world.clock.now_ms()
        self._platform.changed(self.id)
        named = {"reaction": reaction, "emoji": REACTIONS.get(reaction, "❓")} if reaction else {}
        await self._emit({"reaction": {"mid": said.id, "action": "react" if reaction else "unreact", **named}})

    async def received(self) -> None:
        """Let the phone fetch what it was sent. Instagram does not tell."""
        fresh = [said for said in self.got if not said.delivered]
        for said in fresh:
            said.delivered = True
        if fresh and not self.is_instagram:
            mids = [said.id for said in fresh]
            await self.emit_bare({"delivery": {"mids": mids, "watermark": self._world.clock.now_ms()}})

    async def read(self) -> None:
        """Look at the chat."""
        fresh = [said for said in self.got if not said.read]
        for said in fresh:
            said.delivered = said.read = True
        about = {"mid": fresh[-1].id} if fresh and self.is_instagram else {"watermark": self._world.clock.now_ms()}
        if fresh:
            await self._emit({"read": about})

    # ---------------------------------------------------------------- coming and going

    async def enter(self, ref: str = "spring", **more: Any) -> None:
        """Come back through a link of the shop to a chat that exists."""
        self.person.acted_ms = self._world.clock.now_ms()
        await self._emit({"referral": {"ref": ref, "source": "SHORTLINK", "type": "OPEN_THREAD", **more}})

    def block(self, *, blocked: bool = True) -> None:
        """Block the account; nobody is told."""
        self.person.blocked = blocked

    async def happens(self, **event: Any) -> None:
        """Send any event of this person."""
        await self._emit(event)

    async def emit_bare(self, event: Json) -> None:
        """Send an event without a time, as some have none."""
        await self._platform.emit({**self._parties(), **event}, self.person)

    async def _emit(self, event: Json) -> None:
        await self._platform.emit({**self._parties(), "timestamp": self._world.clock.now_ms(), **event}, self.person)

    def _parties(self) -> Json:
        return {"sender": {"id": self.id}, "recipient": {"id": self._world.account}}
