"""How messages of WeCom and WeChat KF look on a phone. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trunkline.testing.phones import Bubble, BubbleCard, Press
from trunkline_wechat.simulator.world import Said

Json = dict[str, Any]
_Show = Callable[[Said, str], Json]


def bubble_of(said: Said, files: str) -> Bubble:
    """Return a message as its reader sees it; `files` is the address before a media id."""
    if said.recalled:
        return Bubble(id=said.id, mine=said.mine, at_ms=said.at_ms, kind="note", text="A message was recalled")
    shown: Json = {"kind": "text", "name": str(said.message.get("servicer", "")), **_shown(said, files)}
    return Bubble(id=said.id, mine=said.mine, at_ms=said.at_ms, **shown)


def buttons_of(said: Said) -> list[Json]:
    """Return the lines or buttons of a message, in the order of their places."""
    return list(said.message.get("list") or said.message.get("button_list") or ())


def _shown(said: Said, files: str) -> Json:
    return _SHOWN.get(said.kind, _unknown)(said, files)


def _unknown(said: Said, _files: str) -> Json:
    return {"kind": "note", "text": f"[{said.kind}]"}


def _words(said: Said, _files: str) -> Json:
    return {"text": str(said.message.get("content") or said.message.get("Content") or "")}


def _file(kind: str) -> _Show:
    def show(said: Said, files: str) -> Json:
        url = files + str(said.message.get("media_id") or said.message.get("MediaId"))
        return {"kind": kind, "url": url, **({"image": url} if kind == "image" else {})}

    return show


def _place(said: Said, _files: str) -> Json:
    names = (said.message.get(name) for name in ("name", "Label", "address"))
    return {"kind": "location", "text": "\n".join(dict.fromkeys(str(name) for name in names if name))}


def _page(said: Said, files: str) -> Json:
    row = said.message["articles"][0] if "articles" in said.message else said.message
    own = {name.lower(): value for name, value in row.items()}
    thumb = own.get("thumb_media_id")
    image = files + thumb if thumb else own.get("picurl") or own.get("pic_url")
    title, text = str(own.get("title", "")), str(own.get("desc") or own.get("description") or "")
    words = "\n".join(line for line in (title, text, str(own.get("url", ""))) if line)
    return {"kind": "cards", "text": words, "cards": (BubbleCard(title=title, text=text, image=image, url=own["url"]),)}


def _menu(said: Said, _files: str) -> Json:
    lines = (said.message.get("head_content"), said.message.get("tail_content"))
    return {"text": "\n".join(str(line) for line in lines if line), "quick_replies": _presses(said)}


def _card(said: Said, _files: str) -> Json:
    lines = (said.message["main_title"]["title"], said.message.get("sub_title_text"))
    return {"text": "\n".join(str(line) for line in lines if line), "quick_replies": _presses(said)}


def _presses(said: Said) -> tuple[Press, ...]:
    return tuple(_press(said, at, row) for at, row in enumerate(buttons_of(said)))


def _press(said: Said, at: int, row: Json) -> Press:
    own = row.get(str(row.get("type")), row)
    return Press(label=own.get("content") or own.get("text") or "", id=f"{said.id}:{at}", url=own.get("url"))


def _shared(said: Said, _files: str) -> Json:
    return {"text": str(said.message.get("title") or said.message.get("userid") or "")}


_SHOWN: dict[str, _Show] = {
    "text": _words,
    "image": _file("image"),
    "voice": _file("audio"),
    "video": _file("video"),
    "file": _file("file"),
    "location": _place,
    "link": _page,
    "textcard": _page,
    "news": _page,
    "msgmenu": _menu,
    "template_card": _card,
    "business_card": _shared,
    "channels_shop_product": _shared,
}
