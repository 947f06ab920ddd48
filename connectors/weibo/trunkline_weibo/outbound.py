"""Content → the type and data of a reply. Pure.

Source: https://open.weibo.com/wiki/发送客服消息 (read 2026-11-22)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trunkline.contract import TextLimit, cut
from trunkline.errors import Undeliverable
from trunkline.model import Content, Link, Location, Text, content_kind
from trunkline_weibo.capabilities import TEXT_MAX

#: Of an article, in characters; ours, Weibo names no limit.
TITLE_MAX, SUMMARY_MAX = 64, 120
#: Weibo's type of a reply, and its data before it is written as JSON.
Reply = tuple[str, dict[str, Any]]


def reply_of(part: Content) -> Reply:
    """Return one reply. Undeliverable when Weibo has nothing of this kind."""
    kind = _KINDS.get(type(part))
    if kind is None:
        raise Undeliverable(f"Weibo cannot carry this {content_kind(part)}.", code="not_carried")
    return kind(part)


def _text(text: str) -> Reply:
    return "text", {"text": text}


def _link(part: Link) -> Reply:
    """An article needs a picture; without one the address itself is sent, which is never cut."""
    if article := _article(part):
        return "articles", {"articles": [article]}
    words = "\n".join(line for line in (part.title if part.title != part.url else None, part.text) if line)
    room = TEXT_MAX - len(part.url) - 1
    if room < 0:
        raise Undeliverable("The address is longer than a text on Weibo may be.", code="not_carried")
    return _text(f"{cut(words, TextLimit(max=room))}\n{part.url}" if words and room else part.url)


def _article(part: Link) -> dict[str, str] | None:
    """Return an article, None without a picture: Weibo's examples always have one."""
    picture = (part.image.preview_url or part.image.url) if part.image else None
    if not picture:
        return None
    return {
        "display_name": cut(part.title or part.url, TextLimit(max=TITLE_MAX)),
        "summary": cut(part.text or "", TextLimit(max=SUMMARY_MAX)),
        "image": picture,
        "url": part.url,
    }


_KINDS: dict[type[Content], Callable[[Any], Reply]] = {
    Text: lambda part: _text(part.text),
    # Numbers are written as text, as in what Weibo sends.
    Location: lambda part: ("position", {"longitude": f"{part.longitude:.6f}", "latitude": f"{part.latitude:.6f}"}),
    Link: _link,
}
