"""Webhook bodies → items, by tables. What does not fit the types of an item becomes `Unknown`, alone.

Source: https://developers.line.biz/en/reference/messaging-api/#webhook-event-objects (read 2026-11-21)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, cast

import msgspec

from trunkline import contract
from trunkline.contract import Act
from trunkline.errors import BodyUnreadable

Event = dict[str, Any]
Reading = tuple[type[contract.Item], dict[str, Any]]

#: A reply token lives a minute from receipt. We count 50 s from the event, redelivered or not: parsing knows
#: no time of receipt; a token dropped early costs one push, one kept too long promises a free answer.
TOKEN_LIFE_MS = 50_000
#: LINE's field of a source → our kind of address; the first that is there names the thread.
_CHATS = {"groupId": "group", "roomId": "room", "userId": "person"}
#: LINE's fields of a message → fields of the item, its content or its medium.
_NAMES = {
    "id": "external_id", "quoteToken": "quote_token", "markAsReadToken": "read_token",
    "quotedMessageId": "quotes", "fileName": "name", "fileSize": "size", "duration": "duration_ms",
    "packageId": "package_id", "stickerId": "sticker_id", "text": "text", "keywords": "keywords",
    "latitude": "latitude", "longitude": "longitude", "title": "title", "address": "address",
}  # fmt: skip
#: LINE's events without content → item and its fields.
_FIXED: dict[str, Reading] = {
    "follow": (contract.ContactActed, {"act": Act.FOLLOW, "reachable": True}),
    "unfollow": (contract.ContactActed, {"act": Act.UNFOLLOW, "reachable": False}),
    "join": (contract.ContactActed, {"act": Act.JOIN, "reachable": True}),
    "leave": (contract.ContactActed, {"act": Act.LEAVE, "reachable": False}),
    "memberJoined": (contract.ContactActed, {"act": Act.MEMBER_JOINED}),
    "memberLeft": (contract.ContactActed, {"act": Act.MEMBER_LEFT}),
    "videoPlayComplete": (contract.ContactActed, {"act": Act.WATCH}),
    "beacon": (contract.ContactActed, {"act": Act.BEACON}),
    "membership": (contract.ContactActed, {"act": Act.MEMBERSHIP}),
    "module": (contract.AccountChanged, {"severity": "warning"}),
    "activated": (contract.AccountChanged, {"severity": "info"}),
    "deactivated": (contract.AccountChanged, {"severity": "warning"}),
    "botSuspended": (contract.AccountChanged, {"severity": "error"}),
    "botResumed": (contract.AccountChanged, {"severity": "info"}),
    "delivery": (contract.Ignored, {"reason": "about LINE notification messages, which we do not send"}),
    "things": (contract.Ignored, {"reason": "withdrawn by LINE"}),
}
#: Where the details of an event stand, if not under its own name.
_DETAILS = {"memberJoined": "joined", "memberLeft": "left", "activated": "chatControl"}

#: What reading a value raises that is not as it should be.
_MISFIT = (LookupError, TypeError, ValueError, AttributeError, StopIteration)


class _Body(msgspec.Struct):
    events: list[Any]
    destination: Any = None


_DECODER = msgspec.json.Decoder(_Body)


def items_of(body: bytes, *, destination: str | None = None, groups: bool = True) -> list[contract.Item]:
    """Return one item per event. BodyUnreadable when there is no list of events."""
    try:
        payload: _Body = contract.read_json(body, _DECODER)
    except (ValueError, RecursionError) as error:
        raise BodyUnreadable(f"This body is no LINE webhook: {type(error).__name__}") from error
    if destination and payload.destination != destination:
        key, details = hashlib.sha256(body).hexdigest(), {"destination": payload.destination}
        fixed: Any = {"change": "foreign_destination", "severity": "error", "details": details}
        return [contract.AccountChanged(dedupe_key=key, **fixed)]
    return [_item(one if isinstance(one, dict) else {"event": one}, groups=groups) for one in payload.events]


def _item(event: Event, *, groups: bool) -> contract.Item:
    try:
        kind, fields = _reading(event, groups=groups)
        return msgspec.convert({**_common(event), **fields}, kind)
    except _MISFIT:
        pass
    try:
        return msgspec.convert({**_common(event), "raw": event}, contract.Unknown)
    except _MISFIT:
        return contract.Unknown(dedupe_key=_digest(event), at_ms=_at(event), raw=event)


def _reading(event: Event, *, groups: bool) -> Reading:
    kind = event["type"]
    if event.get("replyToken") in ("0" * 32, "f" * 32):
        return contract.Ignored, {"reason": "a test by an older console, not to be answered"}
    if not groups and event.get("source", {}).get("type") in {"group", "room"}:
        return contract.Ignored, {"reason": "accept_groups is off"}
    return _FIXED.get(kind) or _READERS[kind](event)


def _linked(event: Event) -> Reading:
    if event["link"]["result"] != "ok":
        return contract.Ignored, {"reason": "the customer's account could not be linked"}
    return contract.IdentityLinked, {"verified_as": event["link"]["nonce"]}


def _pressed(event: Event) -> Reading:
    """A press has no message id: the event's own stands for it."""
    content = {**event["postback"], "type": "choice"}
    return contract.MessageReceived, {"external_id": _key(event), "content": content}


#: LINE's events with content → item and its fields.
_READERS: dict[str, Callable[[Event], Reading]] = {
    "message": lambda event: (contract.MessageReceived, _message(event["message"])),
    "messageEdited": lambda event: (contract.MessageEdited, _message(event["message"])),
    "unsend": lambda event: (contract.MessageRecalled, {"external_id": event["unsend"]["messageId"]}),
    "postback": _pressed,
    "accountLink": _linked,
}


def _message(message: Event) -> dict[str, Any]:
    kind, fields = (
        message["type"],
        {_NAMES[name]: message[name] for name in message if name in _NAMES},
    )
    content = {**fields, "type": kind}
    if kind == "text" and ("mention" in message or "emojis" in message):
        content |= _marks(message)
    if kind in {"image", "video", "audio", "file"}:
        provider = message.get("contentProvider", {})
        external = provider.get("type") == "external"
        reference = provider["originalContentUrl"] if external else message["id"]
        source = {"reference": reference, "external": external, "extra": {"kind": kind}}
        content["media"] = {**fields, "source": source}
    return {**fields, "content": content, "album": message.get("imageSet", {}).get("id")}


def _marks(message: Event) -> dict[str, Any]:
    """LINE counts in UTF-16 units, we in characters."""

    def span(mark: Event) -> dict[str, int]:
        ends = (mark["index"], mark["index"] + mark["length"])
        start, end = (contract.in_characters(message["text"], at, contract.TextUnit.UTF16) for at in ends)
        return {"start": start, "length": end - start}

    mentions = [
        {
            **span(m),
            "external_id": m.get("userId"),
            "us": m.get("isSelf", False),
            "everyone": m.get("type") == "all",
        }
        for m in message.get("mention", {}).get("mentionees", ())
    ]
    emojis = [{**span(e), "pack": e["productId"], "id": e["emojiId"]} for e in message.get("emojis", ())]
    return {"mentions": mentions, "emojis": emojis}


def _common(event: Event) -> dict[str, Any]:
    """Return the fields that items share; those of the thread only for events that have a source."""
    kind: str = event.get("type", "")
    details = event.get(_DETAILS.get(kind, kind)) or {}
    common = {"dedupe_key": _key(event), "at_ms": _at(event), "platform_kind": kind}
    common |= {"change": kind, "details": details}
    if (source := event.get("source")) is None:
        return common
    field = next(field for field in _CHATS if field in source)
    address = _CHATS[field]
    active = event.get("mode", "active") == "active"
    token = event.get("replyToken") if active else None
    return common | {
        "thread_key": source[field],
        "contact": {"external_id": source[field], "kind": address},
        "member": {"external_id": source["userId"]} if address != "person" and "userId" in source else None,
        "reply": {"value": token, "expires_at_ms": _at(event) + TOKEN_LIFE_MS} if token else None,
        "may_reply": active,
    }


def _at(event: Event) -> int:
    at = event.get("timestamp")
    return at if type(at) is int and 0 <= at < 1 << 53 else 0


def _key(event: Event) -> str:
    """Return LINE's id of the event or, for old payloads, a digest of what stays when it is sent again."""
    if event.get("webhookEventId"):
        return cast("str", event["webhookEventId"])
    return _digest({name: event[name] for name in event if name not in {"deliveryContext", "replyToken"}})


def _digest(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()
