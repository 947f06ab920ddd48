"""WhatsApp's message objects → content, by a table. Pure; what is not as it should be raises what such reading raises.

Source: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components (read 2026-11-22)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from trunkline_whatsapp.api import answer_of

Json = dict[str, Any]

_MEDIA = {
    "image": "image", "video": "video", "audio": "audio", "voice": "audio", "document": "file", "sticker": "sticker",
}  # fmt: skip


def said(message: Json) -> Json:
    """Return the content of a message and what it refers to, as fields of an item."""
    context, referral = message.get("context") or {}, {**(message.get("referral") or {})}
    referral |= {name: context[name] for name in ("forwarded", "frequently_forwarded") if context.get(name)}
    referral |= {"product": context["referred_product"]} if context.get("referred_product") else {}
    about = {"content": CONTENT[message["type"]](message), "quotes": context.get("id"), "referral": referral or None}
    return {"external_id": message["id"], **about}


def _media(message: Json) -> Json:
    kind, about = message["type"], message[message["type"]]
    source = {"reference": about["id"], "extra": {"sha256": about["sha256"]} if about.get("sha256") else {}}
    mime = (about.get("mime_type") or "").partition(";")[0].strip() or None
    voice = {"voice": kind == "voice" or about.get("voice") is True} if _MEDIA[kind] == "audio" else {}
    media = {"mime": mime, "name": about.get("filename"), "source": source}
    return {"type": _MEDIA[kind], "media": media, "caption": about.get("caption"), **voice}


def _contacts(message: Json) -> Json:
    people = []
    for card in message["contacts"]:
        phones = [one.get("phone") or one.get("wa_id") for one in card.get("phones") or ()]
        emails, names = [one.get("email") for one in card.get("emails") or ()], card.get("name") or {}
        name = names.get("formatted_name") or names.get("first_name") or next(iter([*phones, *emails]), None) or "?"
        people.append({
            "name": name, "phones": [*filter(None, phones)], "emails": [*filter(None, emails)],
            "organization": (card.get("org") or {}).get("company"),
        })  # fmt: skip
    return {"type": "contacts", "people": people}


def _choice(data: str, title: str | None, params: Json | None = None) -> Json:
    return {"type": "choice", "data": data, "title": title, "params": params or {}}


def _button(message: Json) -> Json:
    """A tap on a template's button: without a payload its words are all there is."""
    button = message["button"]
    return _choice(button.get("payload") or button["text"], button.get("text"))


def _interactive(message: Json) -> Json:
    about = message.get("interactive")
    if not isinstance(about, dict):
        return _unsupported(message)
    kind = about.get("type")
    reply = about.get(kind)
    if kind in {"button_reply", "list_reply"} and reply:
        params = {"description": reply["description"]} if reply.get("description") else None
        return _choice(reply["id"], reply.get("title"), params)
    if kind == "nfm_reply" and reply:
        return _form(reply)
    return {"type": "unsupported", "platform_kind": str(kind), "raw": about}


def _form(reply: Json) -> Json:
    """A form that was filled in: its values are JSON in a string, if they are JSON at all."""
    text, name = reply.get("response_json"), reply.get("name") or "flow"
    try:
        values = json.loads(text or "")
    except (ValueError, TypeError, RecursionError):
        values = None
    if not isinstance(values, dict):
        return _choice(name, reply.get("body"), {"form": name, "raw": text})
    token = values.get("flow_token")
    return _choice(token if isinstance(token, str) else name, reply.get("body"), {"form": name, "values": values})


def _order(message: Json) -> Json:
    order = message["order"]
    lines = [
        f"{one.get('quantity')} × {one.get('product_retailer_id')} ({one.get('item_price')} {one.get('currency')})"
        for one in order.get("product_items") or ()
    ]
    title = "; ".join(filter(None, (*lines, order.get("text"))))
    return _choice(order.get("catalog_id") or "order", f"Order: {title}", order)


def _unsupported(message: Json) -> Json:
    """The customer believes that they said something: it is shown, with what WhatsApp says of it."""
    kind = (message.get("unsupported") or {}).get("type") or message["type"]
    note = answer_of((message.get("errors") or [{}])[0]).text
    return {"type": "unsupported", "platform_kind": kind, "note": note, "raw": message}


#: Type of a message → what reads its content, to be converted.
CONTENT: dict[str, Callable[[Json], Json]] = {
    "text": lambda message: {"type": "text", "text": message["text"]["body"]},
    **dict.fromkeys(_MEDIA, _media),
    "location": lambda message: {**message["location"], "type": "location", "title": message["location"].get("name")},
    "contacts": _contacts,
    "button": _button,
    "interactive": _interactive,
    "order": _order,
    **dict.fromkeys(("unsupported", "unknown"), _unsupported),
}
