"""What a customer or a colleague said at a desk → content. Pure; what does not fit raises.

Source: https://developer.work.weixin.qq.com/document/path/94670 (read 2026-11-22)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]


def content_of(item: Json) -> Json:
    """Return the content of a pulled message. KeyError for a kind that nobody knows."""
    kind = item["msgtype"]
    if kind in _BODILESS:
        return {"type": "unsupported", "platform_kind": kind, "note": _BODILESS[kind], "raw": item}
    return _CONTENTS[kind](item[kind])


#: Kinds that WeChat lists without telling what is in them.
_BODILESS = {"meeting": "A meeting", "schedule": "An appointment", "note": "A note"}


def _text(body: Json) -> Json:
    """A line pressed in a menu comes as a text with the id of the line."""
    if body.get("menu_id"):
        return {"type": "choice", "data": body["menu_id"], "title": body["content"]}
    return {"type": "text", "text": body["content"]}


def _medium(kind: str, **more: Any) -> Callable[[Json], Json]:
    return lambda body: {"type": kind, "media": _kept(body["media_id"], kind, **more), **_voice(kind)}


def _kept(media_id: str, kind: str, **more: Any) -> Json:
    return {"source": {"reference": media_id, "extra": {"kind": kind}}, **more}


def _voice(kind: str) -> Json:
    return {"voice": True} if kind == "audio" else {}


def _picture(url: Any) -> Json | None:
    return {"source": {"reference": url, "external": True}} if url else None


def _card(title: str, *lines: Any, image: Json | None = None, buttons: list[Json] | None = None) -> Json:
    text = "\n".join(str(line) for line in lines if line)
    return {"type": "card", "title": title, "text": text or None, "image": image, "buttons": buttons or []}


def _menu(body: Json) -> Json:
    buttons = [_button(entry) for entry in body.get("list", ())]
    return _card(body.get("head_content", ""), body.get("tail_content"), buttons=buttons)


def _button(entry: Json) -> Json:
    said = entry[entry["type"]]
    return {"title": said["content"], "data": said.get("id"), "url": said.get("url")}


def _product(body: Json) -> Json:
    price = body.get("sales_price")
    cost = f"¥{int(price) / 100:.2f}" if price is not None else None
    return _card(body["title"], cost, body.get("shop_nickname"), image=_picture(body.get("head_image")))


def _order(body: Json) -> Json:
    lines = (body["order_id"], body.get("state"), body.get("price_wording"), body.get("shop_nickname"))
    return _card(body.get("product_titles") or body["order_id"], *lines, image=_picture(body.get("image_url")))


def _merged(body: Json) -> Json:
    """A chat record: who said what, line by line."""
    lines = [f"{one.get('sender_name', '')}: {_words(one)}" for one in body["item"]]
    return {"type": "text", "text": "\n".join([body["title"], *lines])}


def _words(one: Json) -> str:
    """Return the words of one message of a record; it is JSON in a string."""
    said = json.loads(one["msg_content"])
    kind = one["msgtype"]
    body = said.get(kind)
    words = body.get("content") or body.get("title") or body.get("name") if isinstance(body, dict) else None
    return str(words) if words else f"[{kind}]"


_CONTENTS: dict[str, Callable[[Json], Json]] = {
    "text": _text,
    "image": _medium("image"),
    "voice": _medium("audio", mime="audio/amr"),
    "video": _medium("video"),
    "file": _medium("file"),
    "location": lambda body: {
        "type": "location",
        "latitude": body["latitude"],
        "longitude": body["longitude"],
        "title": body.get("name"),
        "address": body.get("address"),
    },
    "link": lambda body: {
        "type": "link",
        "url": body["url"],
        "title": body.get("title"),
        "text": body.get("desc"),
        "image": _picture(body.get("pic_url")),
    },
    "business_card": lambda body: {"type": "contacts", "people": [{"name": body["userid"]}]},
    "miniprogram": lambda body: {
        "type": "link",
        "url": f"weixin://miniprogram/{body['appid']}/{body.get('pagepath', '')}",
        "title": body.get("title"),
        "image": _kept(body["thumb_media_id"], "image") if body.get("thumb_media_id") else None,
    },
    "msgmenu": _menu,
    "channels": lambda body: _card(body.get("title") or body["nickname"], body["nickname"]),
    "channels_shop_product": _product,
    "channels_shop_order": _order,
    "merged_msg": _merged,
}
