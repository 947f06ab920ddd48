"""Content → the `message` of a request. Pure.

Source: https://developers.facebook.com/docs/messenger-platform/send-messages (read 2026-11-22)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trunkline import errors, model
from trunkline.contract import OutboundMessage, TextLimit, cut
from trunkline.model import Card, Carousel, Content, Media, QuickReply, Sticker, content_kind, media_of
from trunkline_facebook.capabilities import DAY_S, HUMAN_AGENT
from trunkline_facebook.inbound import USER_REF

Json = dict[str, Any]

#: Longest picture that the platform loads from an address; a longer one is uploaded.
LINKED_IMAGE_MAX = 8_000_000
#: Kinds of pictures that are shown as pictures; others go as files.
_PICTURES = {"image/jpeg", "image/png", "image/gif"}
#: What a quick reply may ask the phone for → the platform's name.
_ASKED = {"phone": "user_phone_number", "email": "user_email"}
_TITLE = TextLimit(max=20)


def permission(message: OutboundMessage, *, human_agent: bool, now_ms: int) -> Json:
    """Return `messaging_type`, and the tag of people's late answers: the platform trusts that a person wrote them.

    Raises:
        WindowClosed: neither is allowed.
    """
    age_s = (now_ms - message.last_inbound_ms) / 1000 if message.last_inbound_ms else 0
    if message.window != HUMAN_AGENT:
        if message.window is None and age_s >= DAY_S:
            raise errors.WindowClosed("The customer wrote more than 24 hours ago.")
        return {"messaging_type": "RESPONSE"}
    if message.author.kind is not model.AuthorKind.AGENT:
        raise errors.WindowClosed("After 24 hours only a person may answer.", code="human_only")
    if not human_agent:
        words = "After 24 hours an answer needs Human Agent, which is not switched on for this account."
        raise errors.WindowClosed(words, code="human_agent_not_enabled")
    if age_s >= 7 * DAY_S:
        raise errors.WindowClosed("The customer wrote more than 7 days ago.")
    return {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}


def recipient(to: model.Address) -> Json:
    """Name a person; who ticked a checkbox and never wrote has only a reference."""
    known = [one for one in (to.external_id, *to.aliases) if not one.startswith(USER_REF)]
    return {"id": known[0]} if known else {"user_ref": to.external_id.removeprefix(USER_REF)}


def request_of(message: OutboundMessage, *, uploaded: str | None = None) -> Json:
    """Return what is said: `message`, and `reply_to` where it answers one of theirs.

    `uploaded` is the id of the file where it was uploaded. Undeliverable when the part lacks what the platform needs.
    """
    (part,) = message.parts
    body = {**_rendered(part, uploaded), "metadata": message.delivery_id}
    if message.quick_replies:
        body["quick_replies"] = [_quick(one) for one in message.quick_replies]
    request: Json = {"message": body}
    if message.quote and (mid := message.quote.external_id.partition("#")[0]) and ":" not in mid:
        request["reply_to"] = {"mid": mid}
    return request


def file_of(message: OutboundMessage) -> Media | None:
    """Return the file of a message that is one."""
    (part,) = message.parts
    return media_of(part)[0] if type(part) in _MEDIA else None


def needs_upload(media: Media, kind: str) -> bool:
    """Whether the platform would not load this file from its address."""
    return media.url is None or (kind == "image" and (media.size or 0) > LINKED_IMAGE_MAX)


def attachment_kind(part: Content) -> str:
    kind = _MEDIA[type(part)]
    (media,) = media_of(part)
    return "file" if kind == "image" and media.mime and media.mime not in _PICTURES else kind


def _rendered(part: Content, uploaded: str | None) -> Json:
    if type(part) in _MEDIA:
        return _file(part, uploaded)
    render = _KINDS.get(type(part))
    if render is None or part == Carousel(cards=()):
        raise errors.Undeliverable(f"This channel cannot carry this {content_kind(part)}.", code="not_carried")
    return render(part)


def _file(part: Content, uploaded: str | None) -> Json:
    (media,) = media_of(part)
    payload = {"attachment_id": uploaded} if uploaded else {"url": _url(media), "is_reusable": False}
    return {"attachment": {"type": attachment_kind(part), "payload": payload}}


def _url(media: Media) -> str:
    if media.url is None:
        raise errors.Undeliverable("The picture has no public address.", code="no_public_address", whose="us")
    return media.url


def _sticker(part: Sticker) -> Json:
    if not (part.sticker_id and part.sticker_id.isdecimal()):
        raise errors.Undeliverable("A sticker of Messenger has a number.", code="no_sticker")
    return {"sticker_id": int(part.sticker_id)}


def _quick(one: QuickReply) -> Json:
    if one.kind in _ASKED:
        return {"content_type": _ASKED[one.kind]}
    return {"content_type": "text", "title": cut(one.title, _TITLE), "payload": one.data or one.title}


def _card(card: Card) -> Json:
    """A template where there is something beside words, else a text. Without a picture the words have more room."""
    if not card.image and not card.buttons:
        return {"text": _words(card)}
    if not card.image:
        return _template("button", text=_words(card), buttons=_buttons(card))
    return _template("generic", elements=[_element(card)])


def _words(card: Card) -> str:
    return "\n".join(filter(None, (card.title, card.text)))


def _carousel(part: Carousel) -> Json:
    return _template("generic", elements=[_element(card) for card in part.cards])


def _element(card: Card) -> Json:
    """An element needs something beside its title: where there is nothing, the title is said twice."""
    element: Json = {"title": card.title}
    if card.text or not (card.image or card.buttons):
        element["subtitle"] = card.text or card.title
    if card.image:
        element["image_url"] = _url(card.image)
    return {**element, "buttons": _buttons(card)} if card.buttons else element


def _buttons(card: Card) -> list[Json]:
    return [
        {"type": "web_url", "title": button.title, "url": button.url}
        if button.url
        else {"type": "postback", "title": button.title, "payload": button.data or button.title}
        for button in card.buttons
    ]


def _template(kind: str, **payload: Any) -> Json:
    return {"attachment": {"type": "template", "payload": {"template_type": kind, **payload}}}


_MEDIA: dict[type, str] = {
    model.Image: "image", model.Video: "video", model.Audio: "audio", model.File: "file",
}  # fmt: skip
_KINDS: dict[type[Content], Callable[[Any], Json]] = {
    model.Text: lambda part: {"text": part.text},
    Sticker: _sticker,
    Card: _card,
    Carousel: _carousel,
}
