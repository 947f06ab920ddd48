"""What stands in the events of the invented platform."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from trunkline.contract import (
    Act,
    ContactActed,
    Item,
    MessageEdited,
    MessageRecalled,
    MessageReceived,
    Reacted,
    ReceiptReceived,
    Unknown,
)
from trunkline.errors import PlatformAnswer
from trunkline.model import Address, AddressKind, Content


def _common(event: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that items share; a wrong type is for `unknown`."""
    chat, sender = event["chat"], event["from"]
    at = event["at"]
    if not (isinstance(chat, str) and isinstance(sender, str) and chat and sender):
        raise TypeError
    if type(at) is not int or not 0 <= at < 1 << 53:
        raise TypeError
    group = chat != sender
    kind = AddressKind.GROUP if group else AddressKind.PERSON
    return {
        **_known(event),
        "at_ms": at,
        "thread_key": chat,
        "contact": Address(external_id=chat, kind=kind),
        "member": Address(external_id=sender) if group else None,
    }


def _known(event: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(event["id"], str) or not event["id"]:
        raise TypeError
    return {"dedupe_key": event["id"], "platform_kind": event["kind"]}


def _content(event: dict[str, Any]) -> Any:
    return msgspec.convert(event["content"], Content)


def _text_of(event: dict[str, Any], name: str) -> str:
    value = event[name]
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _message(event: dict[str, Any]) -> Item:
    quotes = event.get("quotes")
    quotes = quotes if isinstance(quotes, str) else None
    fields: dict[str, Any] = {"external_id": _text_of(event, "message"), "content": _content(event), "quotes": quotes}
    return MessageReceived(**_common(event), **fields, read_token=fields["external_id"])


def _edit(event: dict[str, Any]) -> Item:
    return MessageEdited(**_common(event), external_id=_text_of(event, "message"), content=_content(event))


def _recall(event: dict[str, Any]) -> Item:
    return MessageRecalled(**_common(event), external_id=_text_of(event, "message"))


def _react(event: dict[str, Any]) -> Item:
    return Reacted(**_common(event), external_id=_text_of(event, "message"), emoji=_text_of(event, "emoji"))


def _gone(event: dict[str, Any]) -> Item:
    return ContactActed(**_common(event), act=Act(event["kind"]), reachable=event["kind"] == "follow")


def _receipt(event: dict[str, Any]) -> Item:
    fields: dict[str, Any] = {**_known(event), "at_ms": event["at"], "platform_kind": "receipt"}
    if event["state"] == "failed":
        fields["answer"] = PlatformAnswer(code="late", text="The phone is off.")
    fields |= {
        name: event[name] for name in ("external_id", "correlation", "watermark_ms", "thread_key") if name in event
    }
    return msgspec.convert(msgspec.to_builtins({**fields, "state": event["state"]}), ReceiptReceived)


def unknown(event: Any) -> Item:
    """Return what stands for an event that nobody knows."""
    raw = event if isinstance(event, dict) else {"event": event}
    digest = hashlib.sha256(msgspec.json.encode(raw, order="sorted")).hexdigest()
    key, kind = raw.get("id"), raw.get("kind")
    return Unknown(
        dedupe_key=key if isinstance(key, str) and key else digest,
        platform_kind=kind if isinstance(kind, str) else "?",
        raw=raw,
    )


READERS: dict[str, Any] = {
    "message": _message,
    "edit": _edit,
    "recall": _recall,
    "react": _react,
    "follow": _gone,
    "unfollow": _gone,
    "receipt": _receipt,
}
