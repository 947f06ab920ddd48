"""Checks of reading what is broken, huge, deep or of the wrong type: one value, or one error."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from trunkline.contract import Item, MessageReceived, TrustedBody
from trunkline.errors import BodyUnreadable
from trunkline.model import Text
from trunkline.testing.conformance.checks import Check, Topic, need
from trunkline.testing.conformance.json_values import changed, json_of, left_out, paths_in, value_at
from trunkline.testing.conformance.reading import joined_or_not_here, texts_in, told
from trunkline.testing.conformance.stage import Stage

__all__ = ["HOSTILE"]

#: Bytes that are no webhook of anybody.
_GARBAGE = (
    b"", b" ", b"null", b"true", b"0", b"-1e999", b'"text"', b"[]", b"{}", b"[[]]", b'{"a":', b"<", b"<xml>", b"<xml/>",
    b"<!DOCTYPE a>", b"a=b&c=d", b"\x00" * 64, b"\xef\xbb\xbf{}", b"PK\x03\x04", b'{"\\ud800":1}', b"NaN",
)  # fmt: skip
_NOT_UTF8 = (b"\xff\xfe{\x00}\x00", b"\x80abc", b'{"a":"\xc3\x28"}', b"<xml>\xe2\x28\xa1</xml>")
_DEEP = (
    b"[" * 200_000,
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    b"[" * 50_000 + b"]" * 50_000,
    b"<a>" * 50_000 + b"</a>" * 50_000,
    b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>',
)
#: What stands where something else should.
_WRONG: tuple[Any, ...] = (None, True, -1, 1 << 70, 1.5, "", "x", [], {}, [[]], {"x": {}}, [None])


def _read(stage: Stage, body: bytes) -> Sequence[Item] | None:
    """Return the items, None where the body is unreadable; any other exception fails the check."""
    try:
        return stage.connector.parse(TrustedBody(body))
    except BodyUnreadable:
        return None


async def truncated(stage: Stage) -> None:
    (body,) = await stage.bodies(stage.add_customer(), stage.word())
    for cut in (body[:-1].rstrip(b"}]>\n "), body[: len(body) // 2], body[: len(body) // 3]):
        need(_read(stage, cut) is None, "a body that ends in the middle was read as if it were whole")


async def garbage(stage: Stage) -> None:
    for body in _GARBAGE:
        items = _read(stage, body)
        said = [item for item in items or () if isinstance(item, MessageReceived)]
        need(not said, f"{body[:20]!r} was read as a message")


async def not_utf8(stage: Stage) -> None:
    customer, words = stage.add_customer(), stage.word()
    (body,) = await stage.bodies(customer, words)
    for broken in (*_NOT_UTF8, body.replace(words.encode(), b"\xff\xfe\xfd")):
        _read(stage, broken)


async def huge(stage: Stage) -> None:
    (body,) = await stage.bodies(stage.add_customer(), "MARKER")
    need(body.count(b"MARKER") >= 1, "a text does not stand in the trusted body as it was written")
    items = stage.connector.parse(TrustedBody(body.replace(b"MARKER", b"long " * 40_000)))
    need(max(map(len, texts_in(items)), default=0) >= 199_999, "a text of 200,000 characters was cut or lost")


async def deep(stage: Stage) -> None:
    (body,) = await stage.bodies(stage.add_customer(), "MARKER")
    nested = body.replace(b'"MARKER"', b"[" * 20_000 + b"]" * 20_000)
    for one in (*_DEEP, nested):
        _read(stage, one)


async def wrong_types(stage: Stage) -> None:
    (body,) = await stage.bodies(stage.add_customer(), stage.word())
    if (value := json_of(body)) is None:
        for name in _elements(body):
            _read(stage, body.replace(b"<" + name + b">", b"<zzz>", 1))
            _read(stage, body.replace(b"<" + name + b">", b"<" + name + b"><zzz/>", 1))
        return
    for path in list(paths_in(value)):
        for wrong in _WRONG:
            _read(stage, json.dumps(changed(value, path, wrong)).encode())


def _elements(body: bytes) -> list[bytes]:
    return [part.split(b">", 1)[0] for part in body.split(b"<")[1:] if part[:1].isalpha()]


async def missing(stage: Stage) -> None:
    (body,) = await stage.bodies(stage.add_customer(), stage.word())
    value = json_of(body)
    if value is None:
        for name in _elements(body):
            start, _, rest = body.partition(b"<" + name + b">")
            _read(stage, start + rest.partition(b"</" + name + b">")[2])
        return
    for path in list(paths_in(value)):
        _read(stage, json.dumps(left_out(value, path)).encode())


async def poisoned(stage: Stage) -> None:
    customer, words = stage.add_customer(), [stage.word() for _ in range(3)]
    whole = joined_or_not_here(stage, await stage.bodies(customer, *words))
    value = json_of(whole)
    if value is None:
        raise stage.not_here("batches in JSON")
    places = [found for path in paths_in(value) if (found := _places(value, path, words)) is not None]
    need(places, "the events of a batch do not stand in one list")
    middle = places[-1]
    for poison in (*_WRONG, *_spoilt(value_at(value, middle))):
        items = stage.connector.parse(TrustedBody(json.dumps(changed(value, middle, poison)).encode()))
        left = [text for text in texts_in(items) if text in {words[0], words[2]}]
        need(left == [words[0], words[2]], f"beside the bad event {str(poison)[:60]} a message was lost")


def _places(value: Any, path: tuple[Any, ...], words: Sequence[str]) -> tuple[Any, ...] | None:
    """Return where the second of the words stands in a list whose elements hold one of them each."""
    found = value_at(value, path)
    if not isinstance(found, list):
        return None
    places = [[at for at, one in enumerate(found) if json.dumps(word) in json.dumps(one)] for word in words]
    apart = all(len(one) == 1 for one in places) and len({one[0] for one in places}) == len(words)
    return (*path, places[1][0]) if apart else None


def _spoilt(event: Any) -> Iterator[Any]:
    """Yield an event with one of its values gone wrong."""
    for path in paths_in(event):
        yield changed(event, path, None)
        yield changed(event, path, [{}])


async def unknown_fields(stage: Stage) -> None:
    (body,) = await stage.bodies(stage.add_customer(), stage.word())
    before, value = stage.connector.parse(body), json_of(body)
    more = json.dumps(_widened(value)).encode() if value is not None else _widened_xml(body)
    after = _read(stage, more)
    need(after is not None, "a body with further fields is not read at all")
    need(told(after or ()) == told(before), "a further field changed what was read")


def _widened(value: Any) -> Any:
    """Return JSON with a further field in every object."""
    if isinstance(value, dict):
        return {**{name: _widened(one) for name, one in value.items()}, "zz_new_field": {"a": [1, None]}}
    return [_widened(one) for one in value] if isinstance(value, list) else value


def _widened_xml(body: bytes) -> bytes:
    start, end, rest = body.rpartition(b"</")
    return start + b"<ZzNewField><a>1</a></ZzNewField>" + end + rest


async def blank_text(stage: Stage) -> None:
    (body,) = await stage.bodies(stage.add_customer(), "MARKER")
    for words in (b"", b" ", b"\\n", b"\\u0000", b"\\ud83e"):
        items = _read(stage, body.replace(b"MARKER", words))
        said = [item.content for item in items or () if isinstance(item, MessageReceived)]
        need(all(not isinstance(one, Text) or isinstance(one.text, str) for one in said), "a blank text is no text")


HOSTILE = Topic(
    "Broken and hostile bodies",
    (
        Check("hostile.truncated", truncated, "A body that ends in the middle is BodyUnreadable.",
              "It is put aside for people to look at, not half believed."),
        Check("hostile.garbage", garbage, "Bytes that are no webhook are BodyUnreadable or nothing, and no message.",
              "Any other exception is a 500, which the platform answers with the same bytes again."),
        Check("hostile.not_utf8", not_utf8, "Bytes that are no text raise nothing else.",
              "They come: from old phones, from cut emoji."),
        Check("hostile.huge_text", huge, "A text of 200,000 characters arrives whole.",
              "Customers paste logs."),
        Check("hostile.deep_nesting", deep, "Deep nesting and nested entities raise nothing else.",
              "A RecursionError in one request can end a process."),
        Check("hostile.wrong_types", wrong_types, "A value of another type, wherever it stands, raises nothing else.",
              "The documentation of a platform is never the whole truth."),
        Check("hostile.missing_fields", missing, "A missing field, whichever it is, raises nothing else.",
              "What was always there is left out one day."),
        Check("hostile.poisoned", poisoned, "One bad event in a batch spares its neighbours.",
              "Else one customer's message is lost by another one's."),
        Check("hostile.unknown_fields", unknown_fields, "Further fields change nothing.",
              "Platforms add them every month without a word."),
        Check("hostile.blank_text", blank_text, "A blank text, a zero character and half an emoji raise nothing else.",
              "Databases refuse some of them: what is read must be storable."),
    ),
)  # fmt: skip
