from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.contract import AccountChanged, Act, ContactActed, Item, Unknown
from trunkline.errors import BodyUnreadable
from trunkline_weibo.inbound import items_of

UID = "1000000001"
SAMPLES = [json.loads(line) for line in (Path(__file__).parent / "samples.jsonl").read_text().splitlines()]
NAMES = [sample["name"] for sample in SAMPLES]
TEXT = SAMPLES[0]["packet"]


def body_of(packet: Any) -> bytes:
    return json.dumps(packet).encode()


def read(packet: Any) -> Item:
    (item,) = items_of(body_of(packet), uid=UID)
    return item


def told(item: Item) -> dict[str, Any]:
    """Return what an item says, without its keys, its empty fields and the raw packet."""
    fields = without_nothing(msgspec.json.decode(msgspec.json.encode(item)))
    return {k: v for k, v in fields.items() if k not in {"raw", "dedupe_key", "external_id"}}


def without_nothing(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {k: without_nothing(v) for k, v in value.items() if v is False or v not in (None, [], {}, "", 0)}


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_every_packet_becomes_its_item(sample: dict[str, Any]) -> None:
    item = read(sample["packet"])
    assert type(item).__name__ == sample["kind"]
    assert told(item) == sample["item"]


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_sec_15_equal_packets_have_equal_keys(sample: dict[str, Any]) -> None:
    assert read(sample["packet"]) == read(dict(reversed(sample["packet"].items())))


def test_every_packet_has_a_key_of_its_own() -> None:
    assert len({read(sample["packet"]).dedupe_key for sample in SAMPLES}) == len(SAMPLES)


def test_two_texts_of_one_second_are_two_messages() -> None:
    keys = {read({**TEXT, "text": words}).dedupe_key for words in ("one", "two")}
    assert len(keys) == 2


def test_an_id_may_come_as_text() -> None:
    assert told(read({**TEXT, "sender_id": "2000000002"})) == SAMPLES[0]["item"]


def test_a_packet_for_another_account_is_reported_and_not_filed() -> None:
    item = read({**TEXT, "receiver_id": 1000000009})
    assert isinstance(item, AccountChanged)
    assert (item.change, item.severity) == ("foreign_destination", "error")
    assert item.details == {"receiver_id": "1000000009"}


@pytest.mark.parametrize(
    ("written", "at_ms"),
    [
        ("Mon Jul 16 18:09:20 +0800 2012", 1_342_433_360_000),
        ("Mon Jul 16 10:09:20 +0000 2012", 1_342_433_360_000),
        ("Mon Jul 16 04:39:20 -0530 2012", 1_342_433_360_000),
        ("Thu Jan  1 08:00:00 +0800 1970", 0),
        ("Mon Foo 16 18:09:20 +0800 2012", 0),
        ("Mon Jul 16 25:09:20 +0800 2012", 0),
        (1_342_433_360, 0),
        (None, 0),
    ],
)
def test_the_time_is_read_with_english_names_and_its_zone(written: Any, at_ms: int) -> None:
    assert read({**TEXT, "created_at": written}).at_ms == at_ms


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"7", b"\xff\xfe", b'"text"', b"[" * 5000],
)
def test_what_is_no_packet_is_unreadable(body: bytes) -> None:
    with pytest.raises(BodyUnreadable):
        items_of(body, uid=UID)


@pytest.mark.parametrize(
    "start", [b"<xml>", b" \n<xml>", b"\xef\xbb\xbf<xml>", b"<!DOCTYPE xml SYSTEM 'file:///etc/x'>"]
)
def test_sec_20_xml_is_told_and_never_parsed(start: bytes) -> None:
    with pytest.raises(BodyUnreadable, match="set_format"):
        items_of(start + b"<ToUserName>1</ToUserName></xml>", uid=UID)


@pytest.mark.parametrize(
    "packet",
    [
        {},
        {**TEXT, "text": None},
        {**TEXT, "text": 7},
        {**TEXT, "type": 7},
        {**TEXT, "type": ["text"]},
        {**TEXT, "sender_id": 0},
        {**TEXT, "sender_id": True},
        {**TEXT, "sender_id": "²"},
        {**TEXT, "sender_id": None},
        {**TEXT, "receiver_id": None},
        {**TEXT, "type": "image"},
        {**TEXT, "type": "image", "data": {"vfid": 1}},
        {**TEXT, "type": "voice", "data": None},
        {**TEXT, "type": "event", "data": {}},
        {**TEXT, "type": "event", "data": {"subtype": ["follow"]}},
        {**TEXT, "type": "position", "data": {"longitude": "nan", "latitude": "1"}},
        {**TEXT, "type": "position", "data": {"longitude": "181", "latitude": "1"}},
        {**TEXT, "type": "mention", "data": {"subtype": "status"}},
    ],
)
def test_a_misshapen_packet_is_unknown_and_keeps_its_words(packet: dict[str, Any]) -> None:
    item = read(packet)
    assert isinstance(item, Unknown)
    assert item.raw == packet


def test_opening_a_menu_link_opens_nothing() -> None:
    from trunkline_weibo.capabilities import WEIBO

    item = read({**TEXT, "type": "event", "data": {"subtype": "view", "key": "https://shop.example"}})
    assert isinstance(item, ContactActed)
    assert not any(item.act in window.opened_by for window in WEIBO.windows)
    assert {Act.FOLLOW, Act.CLICK, Act.SCAN, Act.CONSENT, Act.MESSAGE} == WEIBO.windows[0].opened_by


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(packet=st.sampled_from([sample["packet"] for sample in SAMPLES]), name=st.sampled_from([*TEXT]), value=JSON)
def test_a_mutated_packet_is_one_item_and_never_an_exception(packet: dict[str, Any], name: str, value: Any) -> None:
    item = read({**packet, name: value})
    assert item == read({**packet, name: value})
    msgspec.convert(msgspec.to_builtins(item), type(item))  # every field has its declared type
    assert item.dedupe_key


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200) | JSON.map(body_of))
def test_any_bytes_are_one_item_or_unreadable(body: bytes) -> None:
    try:
        items = items_of(body, uid=UID)
    except BodyUnreadable:
        return
    assert len(items) == 1
