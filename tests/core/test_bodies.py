"""Bodies of webhooks: half of an emoji costs a character, and what is no JSON stays unreadable."""

from __future__ import annotations

import msgspec
import pytest

from trunkline.contract import read_json


class Body(msgspec.Struct):
    events: list[str]


DECODER = msgspec.json.Decoder(Body)


@pytest.mark.parametrize("half", [rb"\ud83e", rb"\udd8a", rb"\ud83e\ud83e"])
def test_half_an_emoji_costs_its_text_a_character_and_its_neighbours_nothing(half: bytes) -> None:
    body = rb'{"events": ["Hello", "a' + half + rb'b", "\ud83e\udd8a"]}'
    read = read_json(body, DECODER).events
    assert (read[0], read[2]) == ("Hello", "🦊")
    assert read[1].strip("?") == "a" + "?" * (len(half) // 6) + "b"
    assert read_json(body) == {"events": read}


@pytest.mark.parametrize("body", [b"", b"{", b'{"events": [NaN]}', b'{"events": ["\xed\xa0\x80"]}', b"[" * 200_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        read_json(body)


def test_what_is_not_wanted_is_refused() -> None:
    with pytest.raises(ValueError, match="events"):
        read_json(rb'{"other": "\ud83e"}', DECODER)
