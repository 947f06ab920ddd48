"""How a WhatsApp message looks on its customer's phone. Pure."""

from __future__ import annotations

from typing import Any

from trunkline.testing.phones import Bubble, BubbleCard, Press
from trunkline_whatsapp.simulator.customer import options_of
from trunkline_whatsapp.simulator.rules import filled
from trunkline_whatsapp.simulator.world import Chat, Said, World

Json = dict[str, Any]

_FILES = {"image": "image", "video": "video", "audio": "audio", "document": "file", "sticker": "sticker"}


def bubbles_of(world: World, chat: Chat, viewer: str, url: str) -> list[Bubble]:
    """Return what `viewer` sees of a chat; `url` is where the simulator serves files."""
    return [_bubble(world, chat, said, viewer, url) for said in chat.said]


def last_words(world: World, said: Said) -> str:
    """Return one line for the list of chats."""
    if said.revoked:
        return "This message was deleted"
    look = _look(world, said, "")
    words = look.get("text") or (look["cards"][0].text if look.get("cards") else "")
    return str(words or f"[{said.message['type']}]")


def _bubble(world: World, chat: Chat, said: Said, viewer: str, url: str) -> Bubble:
    mine = said.author == viewer
    if said.revoked:
        return Bubble(id=said.id, mine=mine, at_ms=said.at_ms, kind="note", text="This message was deleted")
    quoted = next((one for one in chat.said if one.id == _quoted_id(said.message)), None)
    state = " · ".join(filter(None, ("Read" if mine and said.read else "", said.reaction)))
    name = world.people[said.author].name if said.author in world.people else world.number["verified_name"]
    return Bubble(
        id=said.id, mine=mine, at_ms=said.at_ms, name=name, quoted=last_words(world, quoted) if quoted else "",
        state=state, **_look(world, said, url),
    )  # fmt: skip


def _quoted_id(message: Json) -> Any:
    context = message.get("context") or {}
    return context.get("message_id") or (context.get("id") if message["type"] == "text" else None)


def _look(world: World, said: Said, url: str) -> dict[str, Any]:
    message, kind = said.message, said.message["type"]
    content = message.get(kind) or {}
    if kind in _FILES:
        return _file_look(world, kind, content, url)
    if kind == "template":
        return _template_look(world, said, content, url)
    if kind == "interactive" and "action" in content:
        return _asked_look(world, said, content, url)
    return {"kind": _PLAIN.get(kind, "text"), "text": _words(kind, content)}


_PLAIN = {"text": "text", "location": "location"}


def _words(kind: str, content: Any) -> str:
    if kind == "text":
        return str(content["body"])
    if kind == "location":
        spot = f"{content['latitude']}, {content['longitude']}"
        return "\n".join(filter(None, (content.get("name"), content.get("address")))) or spot
    if kind == "contacts":
        return "\n".join(_card_words(card) for card in content)
    if kind == "button":
        return str(content.get("text"))
    reply = content.get(content.get("type", ""), {}) if kind == "interactive" else {}
    return str(reply.get("title") or reply.get("body") or f"[{kind}]")


def _card_words(card: Json) -> str:
    phones = [one["phone"] for one in card.get("phones", ())]
    return ", ".join([card["name"]["formatted_name"], *phones])


def _where(world: World, media: Json, url: str) -> str:
    if media.get("link"):
        return str(media["link"])
    kept = world.media.get(str(media.get("id")))
    return f"{url}/_sim/content/{media['id']}" if kept else ""


def _file_look(world: World, kind: str, media: Json, url: str) -> dict[str, Any]:
    where = _where(world, media, url)
    words = media.get("caption") or media.get("filename") or ""
    return {"kind": _FILES[kind], "text": words, "url": where, "image": where if kind == "image" else None}


def _presses(said: Said) -> tuple[Press, ...]:
    options = options_of(said.message)
    return tuple(
        Press(label=one.get("title") or one.get("text") or "?", id=f"{said.id}:{at}") for at, one in enumerate(options)
    )


def _asked_look(world: World, said: Said, content: Json, url: str) -> dict[str, Any]:
    """A text with buttons has them as quick replies; a card is what has a picture or a link."""
    text, header, presses = content["body"]["text"], content.get("header"), _presses(said)
    if content["type"] == "cta_url":
        parameters = content["action"]["parameters"]
        presses = (Press(label=parameters["display_text"], url=parameters["url"]),)
    elif header is None:
        return {"kind": "text", "text": text, "quick_replies": presses}
    header = header or {"type": "text", "text": ""}
    title = header.get("text", "")
    image = None if header["type"] == "text" else _where(world, header[header["type"]], url)
    return {"kind": "cards", "cards": (BubbleCard(title=title, text=text, image=image, buttons=presses),)}


def _template_look(world: World, said: Said, sent: Json, url: str) -> dict[str, Any]:
    template = world.template(sent["name"], sent["language"]["code"]) or {"components": []}
    text, image = filled(template, sent), None
    for part in sent.get("components", ()):
        for one in part["parameters"] if part["type"] == "header" else ():
            image = _where(world, one[one["type"]], url) if one["type"] != "text" else None
    if image:
        return {"kind": "cards", "cards": (BubbleCard(text=text, image=image, buttons=_presses(said)),)}
    return {"kind": "text", "text": text, "quick_replies": _presses(said)}
