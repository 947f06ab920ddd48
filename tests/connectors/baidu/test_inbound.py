from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.contract import AccountChanged, Item, MessageReceived, Unknown
from trunkline.errors import BodyUnreadable
from trunkline.model import Text
from trunkline_baidu.inbound import items_of

APP_ID = "10000001"
SAMPLES = [json.loads(line) for line in (Path(__file__).parent / "samples.jsonl").read_text().splitlines()]
NAMES = [sample["name"] for sample in SAMPLES]
TEXT = SAMPLES[0]["packet"]


def in_json(packet: Any) -> bytes:
    return json.dumps(packet).encode()


def in_xml(packet: dict[str, Any]) -> bytes:
    return f"<xml>{''.join(f'<{name}>{escape(str(value))}</{name}>' for name, value in packet.items())}</xml>".encode()


def read(packet: Any) -> Item:
    (item,) = items_of(in_json(packet), app_id=APP_ID)
    return item


def told(item: Item) -> dict[str, Any]:
    return {k: v for k, v in without_nothing(msgspec.json.decode(msgspec.json.encode(item))).items() if k != "raw"}


def without_nothing(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {k: without_nothing(v) for k, v in value.items() if v not in (None, [], {}, "", 0)}


@pytest.mark.parametrize("write", [in_json, in_xml])
@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_every_packet_becomes_its_item_in_both_formats(sample: dict[str, Any], write: Any) -> None:
    (item,) = items_of(write(sample["packet"]), app_id=APP_ID)
    assert type(item).__name__ == sample["kind"]
    assert told(item) == sample["item"]


def test_xml_with_cdata_is_read() -> None:
    body = "<xml><ToUserName>10000001</ToUserName><FromUserName><![CDATA[u&1]]></FromUserName>"
    body += "<MsgType>text</MsgType><Content><![CDATA[a < b 你好]]></Content><MsgId>1</MsgId></xml>"
    (item,) = items_of(body.encode(), app_id=APP_ID)
    assert isinstance(item, MessageReceived)
    assert (item.thread_key, item.content) == ("u&1", Text(text="a < b 你好"))


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_sec_15_equal_packets_have_equal_keys(sample: dict[str, Any]) -> None:
    assert read(sample["packet"]) == read(dict(reversed(sample["packet"].items())))


def test_an_event_without_an_id_is_known_by_who_when_and_what() -> None:
    event = {name: TEXT[name] for name in ("ToUserName", "FromUserName", "CreateTime")} | {"MsgType": "event"}
    keys = [read({**event, **more}).dedupe_key for more in ({}, {"x": 1}, {"Event": "leave"}, {"CreateTime": 1})]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_a_packet_for_another_program_is_reported_and_not_filed() -> None:
    item = read({**TEXT, "ToUserName": "10000002"})
    assert isinstance(item, AccountChanged)
    assert (item.change, item.severity) == ("foreign_destination", "error")


def test_an_encrypted_packet_says_what_to_change() -> None:
    for body in (in_json({"Encrypt": "c2VjcmV0"}), in_xml({"ToUserName": "10000001", "Encrypt": "c2VjcmV0"})):
        with pytest.raises(BodyUnreadable, match="明文模式"):
            items_of(body, app_id=APP_ID)


def test_the_compatible_mode_is_read_by_its_plain_half() -> None:
    assert told(read({**TEXT, "Encrypt": "c2VjcmV0"})) == SAMPLES[0]["item"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 5000, b"<xml>", b"<a><b></a>", b"<xml>\xff</xml>"]
)
def test_what_is_no_packet_is_unreadable(body: bytes) -> None:
    with pytest.raises(BodyUnreadable):
        items_of(body, app_id=APP_ID)


LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 9))


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><xml><Content>&e;</Content></xml>',
        b'<!doctype x [<!ENTITY e SYSTEM "http://127.0.0.1:9/">]><xml><Content>&e;</Content></xml>',
        b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/"> %p;]><xml/>',
        b'<!DOCTYPE xml SYSTEM "http://127.0.0.1:9/x.dtd"><xml/>',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><xml>&e;</xml>'.encode("utf-16"),
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x []><xml/>'.encode("utf-16-le"),
        f'<!DOCTYPE x [<!ENTITY a0 "ha">{LAUGHS}]><xml><Content>&a8;</Content></xml>'.encode(),
        b"<xml><Content>&undefined;</Content></xml>",
    ],
)
def test_sec_20_and_21_a_document_type_is_refused(body: bytes) -> None:
    with pytest.raises(BodyUnreadable):
        items_of(body, app_id=APP_ID)


def test_sec_20_an_inclusion_is_only_a_tag() -> None:
    body = in_xml(TEXT).replace(
        b"</xml>", b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/hostname"/></xml>'
    )
    (item,) = items_of(body, app_id=APP_ID)
    assert told(item) == SAMPLES[0]["item"]


@pytest.mark.parametrize(
    "packet",
    [
        {},
        {**TEXT, "Content": None},
        {**TEXT, "Content": 7},
        {**TEXT, "MsgType": ["text"]},
        {**TEXT, "MsgId": "x"},
        {**TEXT, "MsgId": -1},
        {**TEXT, "MsgId": True},
        {**TEXT, "FromUserName": ""},
        {**TEXT, "FromUserName": 7},
        {**TEXT, "MsgType": "image"},
        {**TEXT, "MsgType": "image", "PicUrl": "javascript:alert(1)"},
        {**TEXT, "MsgType": "image", "PicUrl": 7},
    ],
)
def test_a_misshapen_packet_is_unknown_and_keeps_its_words(packet: dict[str, Any]) -> None:
    item = read(packet)
    assert isinstance(item, Unknown)
    assert item.raw == packet


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
@given(body=st.binary(max_size=200) | JSON.map(in_json) | st.text(max_size=60).map(lambda t: b"<xml>" + t.encode()))
def test_any_bytes_are_one_item_or_unreadable(body: bytes) -> None:
    try:
        items = items_of(body, app_id=APP_ID)
    except BodyUnreadable:
        return
    assert len(items) == 1
