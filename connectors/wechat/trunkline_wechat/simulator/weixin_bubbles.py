"""What customers of an Official Account or a Mini Program see of a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trunkline.testing.phones import Bubble, BubbleCard, Press
from trunkline_wechat.simulator.world import Said

Json = dict[str, Any]

_FILES = {"image": "image", "voice": "audio", "video": "video"}


def bubble_of(said: Said, files: str) -> Bubble:
    """Return a bubble; `files` is the beginning of the addresses of files."""
    fields: Json = {"kind": "text"}
    if said.kind in _FILES:
        fields |= _file(said, files)
    else:
        fields |= _SHOWN.get(said.kind, _unknown)(said)
    return Bubble(id=said.id, mine=said.mine, at_ms=said.at_ms, **fields)


def _file(said: Said, files: str) -> Json:
    url = f"{files}{said.message.get('media_id') or said.message.get('MediaId')}"
    kind, text = _FILES[said.kind], str(said.message.get("description") or "")
    return {"kind": kind, "url": url, "text": text, **({"image": url} if kind == "image" else {})}


def _unknown(said: Said) -> Json:
    return {"kind": "note", "text": f"[{said.kind}]"}


def _words(said: Said) -> Json:
    return {"text": str(said.message.get("content") or said.message.get("Content") or "")}


def _page(said: Said) -> Json:
    """A link of either side, and an article."""
    row = said.message["articles"][0] if "articles" in said.message else said.message
    own = {name.casefold(): value for name, value in row.items()}
    image = own.get("picurl") or own.get("thumb_url") or own.get("thumburl") or None
    title, text = str(own.get("title", "")), str(own.get("description", ""))
    card = BubbleCard(title=title, text=text, image=image, url=own.get("url"))
    return {"kind": "cards", "text": "\n".join(filter(None, (title, text, own.get("url")))), "cards": (card,)}


def _menu(said: Said) -> Json:
    choices = tuple(Press(label=row["content"], id=f"{said.id}:{at}") for at, row in enumerate(said.message["list"]))
    text = "\n".join(filter(None, (said.message.get("head_content"), said.message.get("tail_content"))))
    return {"text": text, "quick_replies": choices}


def _notice(said: Said) -> Json:
    values = [str(one.get("value", "")) for one in said.message.get("data", {}).values()]
    title = str(said.message["template_id"])
    card = BubbleCard(title=title, text="\n".join(values))
    return {"kind": "cards", "text": "\n".join((title, *values)), "cards": (card,)}


_SHOWN: dict[str, Callable[[Said], Json]] = {
    "text": _words,
    "note": _words,
    "location": lambda said: {"kind": "location", "text": str(said.message["Label"])},
    "link": _page,
    "news": _page,
    "miniprogrampage": _page,
    "msgmenu": _menu,
    "template": _notice,
}
