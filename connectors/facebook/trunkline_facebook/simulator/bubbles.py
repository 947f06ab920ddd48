"""How a message looks on its customer's phone. Pure."""

from __future__ import annotations

from typing import Any

from trunkline.testing.phones import Bubble, BubbleCard, Press
from trunkline_facebook.simulator.rules import actions_of
from trunkline_facebook.simulator.world import PAGE_INBOX, Person, Said

Json = dict[str, Any]

_TITLE_SHOWN = 20


def bubbles_of(person: Person, url: str) -> list[Bubble]:
    """Return what a person sees of their chat; `url` is where the simulator serves files."""
    return [bubble for said in person.said for bubble in _bubbles(person, said, url)]


def last_words(said: Said) -> str:
    """Return one line for the list of chats."""
    if said.deleted:
        return "unsent a message"
    attachment = next(iter(_attachments(said)), {})
    text = attachment.get("payload", {}).get("text")
    return str(
        said.message.get("text") or said.message.get("title") or text or f"[{attachment.get('type', 'message')}]"
    )


def _attachments(said: Said) -> list[Json]:
    one = said.message.get("attachment")
    return [*([one] if one else []), *said.message.get("attachments", ())]


def _bubbles(person: Person, said: Said, url: str) -> list[Bubble]:
    if said.deleted:
        return [_bubble(person, said, kind="note", text="A message was unsent")]
    text = said.message.get("text") or said.message.get("title")
    shown = [_bubble(person, said, kind="text", text=text)] if text else []
    if "sticker_id" in said.message:
        shown.append(_bubble(person, said, kind="sticker", text=str(said.message["sticker_id"])))
    for at, attachment in enumerate(_attachments(said), len(shown)):
        shown.append(_bubble(person, said, at=at, **_looks(said, attachment, url)))
    return shown or [_bubble(person, said, kind="text", text="[message]")]


def _bubble(person: Person, said: Said, *, at: int = 0, **looks: Any) -> Bubble:
    quoted = next((one for one in person.said if one.id == said.reply_to), None) if said.reply_to else None
    return Bubble(
        id=f"{said.id}#{at}" if at else said.id,
        mine=said.by_customer,
        at_ms=said.at_ms,
        name="" if said.by_customer else "Page inbox" if said.app_id == PAGE_INBOX else "Shop",
        quoted=last_words(quoted) if quoted else "",
        quick_replies=tuple(_press(said, one) for one in said.message.get("quick_replies", ())),
        state="Seen" if said.by_customer and said.read else "",
        **looks,
    )


def _looks(said: Said, attachment: Json, url: str) -> dict[str, Any]:
    kind, payload = str(attachment.get("type")), attachment.get("payload") or {}
    if kind == "template":
        return {"kind": "cards", "cards": tuple(_card(said, card) for card in _elements(payload))}
    if kind in {"image", "video", "audio", "file"}:
        where = payload.get("url") or f"{url}/_sim/media/{payload.get('attachment_id')}"
        name = where.rpartition("/")[2]
        return {"kind": kind, "url": where, "image": where if kind == "image" else None, "text": name}
    if kind in {"sticker", "like_heart"}:
        return {"kind": "sticker", "text": str(payload.get("sticker_id", "❤️"))}
    return {"kind": "text", "text": str(payload.get("title") or payload.get("url") or f"[{kind}]")}


def _elements(payload: Json) -> list[Json]:
    return payload.get("elements") or payload.get("product", {}).get("elements") or [payload]


def _card(said: Said, card: Json) -> BubbleCard:
    return BubbleCard(
        title=card.get("title") or card.get("text", ""),
        text=card.get("subtitle", ""),
        image=card.get("image_url"),
        buttons=tuple(_press(said, button) for button in card.get("buttons", ())),
    )


def _press(said: Said, action: Json) -> Press:
    """Return a button; its id is its place among all actions of the message."""
    place = next(at for at, one in enumerate(actions_of(said.message)) if one is action)
    label = str(action.get("title") or action.get("content_type"))[:_TITLE_SHOWN]
    return Press(label=label, id=f"{said.id}:{place}", url=action.get("url"))
