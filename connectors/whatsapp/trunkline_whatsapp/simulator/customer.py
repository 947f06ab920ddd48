"""What a simulated customer does, and the webhooks that follow from it."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from trunkline.testing.pictures import PICTURES, picture
from trunkline_whatsapp.simulator.world import HOUR_MS, Chat, Person, Said

if TYPE_CHECKING:
    from trunkline_whatsapp.simulator import Simulator

Json = dict[str, Any]

#: The smallest files that are what they say.
MP4, OGG, PDF = b"\0\0\0\x18ftypmp42" + bytes(64), b"OggS" + bytes(64), b"%PDF-1.4\n%%EOF\n"
WEBP = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0/\0\0\0\0\x07\x10\xfd\x8f\xfe\x07\x22\xa2\xff\x01\0"
MP3 = b"ID3\x04\0\0\0\0\0\0" + b"\xff\xfb\x90\x64" + bytes(64)


class Customer:
    """The hand of one person in one chat. Every method sends its webhook before it returns."""

    def __init__(self, whatsapp: Simulator, person: Person, chat: Chat | None = None) -> None:
        self._whatsapp, self._world, self.person = whatsapp, whatsapp.world, person
        self.chat = chat or whatsapp.world.chats[person.id]

    @property
    def id(self) -> str:
        return self.chat.id

    @property
    def sees(self) -> list[Said]:
        return self.chat.said

    # ---------------------------------------------------------------- messages

    async def text(self, text: str, *, quotes: str | None = None, **more: Any) -> Said:
        """Write. `quotes` is the id of a message, `more` are modifiers as on the wire: `referral`, `context`."""
        context = {"context": {"from": self._world.display, "id": quotes}} if quotes else {}
        return await self.write({"type": "text", "text": {"body": text}, **context, **more})

    async def image(self, name: str = PICTURES[0], **more: Any) -> Said:
        return await self.file("image", picture(name), "image/jpeg", **more)

    async def video(self) -> Said:
        return await self.file("video", MP4, "video/mp4")

    async def voice(self) -> Said:
        return await self.file("audio", OGG, "audio/ogg; codecs=opus", voice=True)

    async def audio(self) -> Said:
        return await self.file("audio", MP3, "audio/mpeg", voice=False)

    async def sticker(self) -> Said:
        return await self.file("sticker", WEBP, "image/webp", animated=False)

    async def document(self, name: str = "bill.pdf", body: bytes = PDF) -> Said:
        return await self.file("document", body, "application/pdf", filename=name)

    async def file(self, kind: str, body: bytes, mime: str, **more: Any) -> Said:
        """Send a file, which is kept for a week; its address is in the webhook and good for five minutes."""
        id_ = self._world.keep(body, mime.partition(";")[0], more.get("filename"), days=7)
        digest = base64.b64encode(self._whatsapp.digest(body)).decode()
        ends = self._world.clock.now_ms() + HOUR_MS // 12
        url = f"{self._whatsapp.url}/lookaside/{id_}?ext={ends}"
        return await self.write(
            {"type": kind, kind: {"id": id_, "mime_type": mime, "sha256": digest, "url": url, **more}}
        )

    async def location(self, latitude: float, longitude: float, **named: str) -> Said:
        return await self.write(
            {"type": "location", "location": {"latitude": latitude, "longitude": longitude, **named}}
        )

    async def contacts(self) -> Said:
        card = {
            "name": {"formatted_name": "Bo X"},
            "phones": [{"phone": "+1 555 000", "type": "CELL", "wa_id": "1555000"}],
        }
        return await self.write({"type": "contacts", "contacts": [card]})

    async def order(self) -> Said:
        item = {"product_retailer_id": "sku1", "quantity": 2, "item_price": 7.5, "currency": "EUR"}
        return await self.write(
            {"type": "order", "order": {"catalog_id": "c1", "text": "note", "product_items": [item]}}
        )

    async def form(self, values: Json, *, quotes: str) -> Said:
        reply = {"name": "flow", "body": "Sent", "response_json": json.dumps(values)}
        context = {"from": self._world.display, "id": quotes}
        return await self.write(
            {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": reply}, "context": context}
        )

    async def write(self, message: Json) -> Said:
        """Send any message object, also one that nobody knows yet. It opens the window."""
        said = Said(self._world.message_id(), self._world.clock.now_ms(), self.person.user_id, message)
        self.chat.said.append(said)
        self.chat.open_until_ms = self._world.clock.now_ms() + 24 * HOUR_MS
        await self._tell(message, said.id)
        return said

    # ---------------------------------------------------------------- what they do with messages

    async def press(self, press: str) -> Said:
        """Press the button, row or quick reply with this id ("message id:place")."""
        message_id, _, place = press.rpartition(":")
        found = self._world.said(message_id)
        options = options_of(found[1].message) if found else []
        if not place.isdecimal() or int(place) >= len(options):
            raise ValueError("There is no such button.")
        option, context = options[int(place)], {"from": self._world.display, "id": message_id}
        kind = option.pop("kind")
        if kind == "location":
            return await self.write(
                {"type": "location", "location": {"latitude": 52.1, "longitude": 4.3}, "context": context}
            )
        if kind == "template":
            return await self.write({"type": "button", "button": option, "context": context})
        reply = {"type": kind, kind: option}
        return await self.write({"type": "interactive", "interactive": reply, "context": context})

    async def react(self, said_id: str, emoji: str | None) -> None:
        """React to a message, or take the reaction back."""
        found = self._world.said(said_id)
        if found is None:
            raise ValueError("There is no such message.")
        found[1].reaction = emoji or ""
        about = {"message_id": said_id, **({"emoji": emoji} if emoji else {})}
        await self._tell({"type": "reaction", "reaction": about})

    async def edit(self, said_id: str, text: str) -> None:
        """Change a text; a number that is not in the phone app learns only that there was an edit."""
        self._own(said_id).message = {"type": "text", "text": {"body": text}}
        if not self._world.coexistence:
            errors = [{"code": 131051, "title": "Message type unknown"}]
            await self._tell({"type": "unsupported", "unsupported": {"type": "edit"}, "errors": errors})
            return
        message = {"type": "text", "text": {"body": text}}
        await self._tell({"type": "edit", "edit": {"original_message_id": said_id, "message": message}})

    async def unsend(self, said_id: str) -> None:
        """Take a message back; other numbers than those in the phone app are not told."""
        self._own(said_id).revoked = True
        if self._world.coexistence:
            await self._tell({"type": "revoke", "revoke": {"original_message_id": said_id}})

    def _own(self, said_id: str) -> Said:
        found = self._world.said(said_id)
        if found is None or found[1].author != self.person.user_id:
            raise ValueError("That is no message of this customer.")
        return found[1]

    # ---------------------------------------------------------------- who they are

    async def move_to(self, phone: str) -> None:
        """Take a new phone number; the user id is made anew with it."""
        old, old_id = self.person.phone, self.person.user_id
        new_id = f"US.{int(old_id.partition('.')[2]) + 1}"
        self._world.people[new_id] = self._world.people.pop(old_id)
        del self._world.chats[self.chat.id]
        self.person.phone, self.person.user_id, self.chat.members = phone, new_id, [new_id]
        for said in self.chat.said:
            said.author = new_id if said.author == old_id else said.author
        self.chat.id = self.person.id
        self._world.chats[self.chat.id] = self.chat
        system = {"type": "user_changed_number", "body": "changed", "wa_id": phone, "user_id": new_id}
        message = {**self._whatsapp.head(), "type": "system", "from": old, "from_user_id": old_id, "system": system}
        await self._whatsapp.post_value({"messages": [message]})
        update = {"wa_id": phone, "user_id": {"previous": old_id, "current": new_id}, **self._whatsapp.stamp()}
        await self._whatsapp.post_value({"user_id_update": [update]}, field="user_id_update")

    async def stop_marketing(self, *, resume: bool = False) -> None:
        self.person.stopped_marketing = not resume
        preference = {
            "category": "marketing_messages",
            "value": "resume" if resume else "stop",
            "detail": "by the user",
        }
        ids = {"wa_id": self.person.phone, "user_id": self.person.user_id}
        element = {**ids, **preference, **self._whatsapp.stamp()}
        await self._whatsapp.post_value({"user_preferences": [element]}, field="user_preferences")

    async def call(self) -> None:
        """Ring; it opens the window as a message does."""
        self.chat.open_until_ms = self._world.clock.now_ms() + 24 * HOUR_MS
        ring = {"event": "connect", "direction": "USER_INITIATED", "to": self._world.display, **self.ids("from")}
        await self._whatsapp.post_value({"calls": [{**self._whatsapp.head(), **ring}]}, field="calls")

    def ids(self, field: str) -> Json:
        """Return who this is as WhatsApp tells it: no phone of somebody who goes by a username."""
        phone = {} if self.person.username else {field: self.person.phone}
        return {**phone, f"{field}_user_id": self.person.user_id}

    def card(self) -> Json:
        """Return the entry of `contacts`."""
        phone = {} if self.person.username else {"wa_id": self.person.phone}
        username = {"username": self.person.username} if self.person.username else {}
        return {"profile": {"name": self.person.name, **username}, **phone, "user_id": self.person.user_id}

    async def _tell(self, message: Json, id_: str | None = None) -> None:
        group = {"group_id": self.chat.id} if self.chat.is_group else {}
        head = {**self._whatsapp.head(), **({"id": id_} if id_ else {})}
        await self._whatsapp.emit(self.card(), {**self.ids("from"), **head, **group, **message})
        self._whatsapp.changed(self.chat.id)


def options_of(message: Json) -> list[Json]:
    """Return what can be pressed under a message of the business, as what comes back: {"kind": …, …}."""
    if message["type"] == "template":
        return [{"kind": "template", **one} for one in message.get("buttons", ())]
    action = message.get("interactive", {}).get("action", {})
    if action.get("name") == "send_location":
        return [{"kind": "location", "title": "Send location"}]
    replies = [{"kind": "button_reply", **one["reply"]} for one in action.get("buttons", ())]
    return replies + [{"kind": "list_reply", **row} for one in action.get("sections", ()) for row in one["rows"]]
