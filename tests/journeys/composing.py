"""What an agent may compose for any channel, invented at the limits that the channel declares."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from trunkline.contract import Capabilities, TextLimit, TextUnit, measure
from trunkline.model import ContentKind
from trunkline.testing.pictures import picture

__all__ = ["FILES", "corners", "replies"]

Json = dict[str, Any]
Made = st.SearchStrategy[Any]

#: One grapheme each, of scripts that platforms count differently.
PIECES = (
    "x", "é", "e\u0301\u0323", "ф", "ع", "ש", "हि", "ก็", "字", "カ", "한", "🦊", "👍🏽", "👨‍👩‍👧‍👦", "ab ", "再见。",
    "a\n",
)  # fmt: skip


def _dot() -> bytes:
    """Return a grey picture of one pixel."""
    head, row = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0), zlib.compress(b"\0\x80")
    chunks = ((b"IHDR", head), (b"IDAT", row), (b"IEND", b""))
    packed = (struct.pack(">I", len(b)) + a + b + struct.pack(">I", zlib.crc32(a + b)) for a, b in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


#: Name of a file → its type, its bytes.
FILES: dict[str, tuple[str, bytes]] = {
    "cup.jpg": ("image/jpeg", picture("cup")),
    "dot.png": ("image/png", _dot()),
    "film.mp4": ("video/mp4", b"\0\0\0\x18ftypmp42" + bytes(64)),
    "song.mp3": ("audio/mpeg", b"ID3" + bytes(64)),
    "voice.amr": ("audio/amr", b"#!AMR\n" + bytes(64)),
    "voice.m4a": ("audio/mp4", b"\0\0\0\x18ftypM4A " + bytes(64)),
    "invoice.pdf": ("application/pdf", b"%PDF-1.4\n%%EOF\n"),
}  # fmt: skip


def written(limit: TextLimit) -> Made:
    """Return texts of one script: some short, some that just fit or do not, some of several messages."""
    sizes = st.one_of(
        st.integers(1, min(40, limit.max)),
        st.sampled_from([limit.max - 1, limit.max, limit.max + 1, 2 * limit.max, 3 * limit.max + 7]),
    )
    return st.builds(lambda piece, size: _long(piece, size, limit.unit), st.sampled_from(PIECES), sizes).filter(
        lambda text: bool(text.strip())
    )


def _long(piece: str, size: int, unit: TextUnit) -> str:
    """Return a text of `size` units: letters fill what no whole piece does."""
    text = piece * min(size // measure(piece, unit), 20_000 // len(piece))
    rest = "x" * (size - measure(text, unit))
    return f"{rest}{text}"[:20_000]


def worded(most: int, unit: TextUnit = TextUnit.CHARACTERS) -> Made:
    """Return short words for a place that holds `most`: with letters at both ends, as what is written is stripped."""
    sizes = st.sampled_from((1, 3, most, most, most + 1))
    return st.builds(
        lambda piece, size: _long(piece.strip(), min(size, 300), unit)[:300], st.sampled_from(PIECES), sizes
    )


#: Mostly none: a file takes longer than everything else.
_PICTURE = st.sampled_from([None, None, "cup.jpg"])


def quick_replies(capabilities: Capabilities) -> Made:
    limit = capabilities.quick_replies
    most, longest, unit = (
        (4, 12, TextUnit.CHARACTERS) if limit is None else (limit.max, limit.title_max, limit.title_unit)
    )
    data = 20 if limit is None else limit.data_max or 20
    one = st.fixed_dictionaries({"title": worded(longest, unit)}, optional={"data": worded(data)})
    return st.one_of(
        st.just([]), st.lists(one, max_size=3), st.lists(one, min_size=max(1, most - 1), max_size=most + 1)
    )


def cards(capabilities: Capabilities) -> Made:
    limit = next((r.card for r in map(capabilities.rule, (ContentKind.CARD, ContentKind.CAROUSEL)) if r.card), None)
    title, text, button, unit = (40, 120, 20, TextUnit.CHARACTERS)
    if limit is not None:
        title, text, button, unit = limit.title_max, limit.text_max, limit.button_title_max, limit.unit
    pressed = st.fixed_dictionaries({"title": worded(button, unit)}, optional={"data": worded(20)})
    opened = st.fixed_dictionaries({"title": worded(button, unit), "url": addresses()})
    buttons = st.lists(st.one_of(pressed, opened), max_size=4 if limit is None else limit.buttons_max + 1)
    return st.fixed_dictionaries(
        {"title": worded(title, unit)},
        optional={"text": worded(text, unit), "buttons": buttons, "image": _PICTURE},
    )


def addresses() -> Made:
    return st.sampled_from(
        ["https://shop.example/a", "https://shop.example/" + "b" * 200, "https://shop.example/ä?é=1"]
    )


def contents(capabilities: Capabilities, templates: Sequence[Json]) -> Made:
    card, words = cards(capabilities), worded(60)
    place = st.fixed_dictionaries(
        {"type": st.just("location"), "latitude": st.floats(-89, 89), "longitude": st.floats(-179, 179)},
        optional={"title": words, "address": worded(100)},
    )
    link = st.fixed_dictionaries(
        {"type": st.just("link"), "url": addresses()},
        optional={"title": words, "text": worded(200), "image": _PICTURE},
    )
    person = st.fixed_dictionaries(
        {"name": words}, optional={"phones": st.just(["+48 600 100 200"]), "emails": st.just(["mei@home.example"])}
    )
    kinds = [
        card.map(lambda one: {"type": "card", **one}),
        st.lists(card, min_size=1, max_size=2).map(lambda some: {"type": "carousel", "cards": some}),
        place, link, st.lists(person, min_size=1, max_size=2).map(lambda some: {"type": "contacts", "people": some}),
        *map(filled, templates),
    ]  # fmt: skip
    return st.one_of(kinds)


def filled(template: Json) -> Made:
    """Return a template with its blanks filled, and one that the platform does not have."""
    values = {one["name"]: st.just(one["example"] or "7") for one in template["variables"]}
    whole = st.fixed_dictionaries(values).map(
        lambda variables: {
            "type": "template",
            "name": template["name"],
            "language": template["language"],
            "variables": variables,
        }
    )
    return st.one_of(whole, whole.map(lambda one: {**one, "name": "unheard_of"}))


def replies(capabilities: Capabilities, templates: Sequence[Json]) -> Made:
    """Return bodies of replies; files stand in them by their names."""
    limit = capabilities.rule(ContentKind.TEXT).text
    assert limit is not None
    return st.fixed_dictionaries(
        {},
        optional={
            "text": written(limit),
            "content": contents(capabilities, templates),
            "quick_replies": quick_replies(capabilities),
            "attachments": st.lists(st.sampled_from(sorted(FILES)), min_size=1, max_size=1),
        },
    )


def corners(capabilities: Capabilities) -> list[Json]:
    """Return replies at places where a channel is likely to do something else than it says."""
    limit = capabilities.rule(ContentKind.TEXT).text
    assert limit is not None
    two = [{"title": "Yes", "data": "answer=1"}, {"title": "No"}]
    long = [_long("字", limit.max, limit.unit), _long("字", 2 * limit.max + 7, limit.unit)]
    link = {"type": "link", "url": "https://shop.example/bell", "title": "Bell", "text": "It rings"}
    card = {"title": "Bell", "text": "It rings", "buttons": [{"title": "Take it", "data": "take=1"}]}
    place = {"type": "location", "latitude": 52.2297, "longitude": 21.0122, "title": "Shop", "address": "1 Long Street"}
    person = {"type": "contacts", "people": [{"name": "Mei", "phones": ["+48 600 100 200"]}]}
    last = [{"type": "card", **card}, {"type": "carousel", "cards": [card, card]}, link, place, person]
    return [
        *({"text": text, "quick_replies": two} for text in long),
        *({"attachments": [name], "quick_replies": two} for name in ("cup.jpg", "voice.amr", "invoice.pdf")),
        *({"content": one, "quick_replies": two} for one in last),
        {"text": "Which?", "quick_replies": [two[0], two[0]]},
        {"text": "Which?", "quick_replies": _fullest(capabilities)},
        {"content": {**link, "url": "https://shop.example/" + "b" * 280, "text": "ring " * 200}},
        {"content": {**link, "url": "https://shop.example/" + "b" * 1900}},
    ]


def _fullest(capabilities: Capabilities) -> list[Json]:
    """Return as many quick replies as there may be, each as long as may be, in signs of three bytes."""
    limit = capabilities.quick_replies
    if limit is None:
        return [{"title": f"Answer {at}"} for at in range(5)]
    title = _long("字", limit.title_max, limit.title_unit)[:-2]
    data = _long("字", limit.data_max, limit.data_unit)[:-2]
    return [{"title": f"{at:02}{title}", **({"data": f"{at:02}{data}"} if at % 2 else {})} for at in range(limit.max)]
