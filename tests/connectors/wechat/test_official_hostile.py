"""Whatever arrives at an Official Account or a Mini Program, reading it gives items or says that it cannot."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.connectors.wechat.test_official_inbound import SAMPLES
from trunkline.contract import Item
from trunkline.errors import BodyUnreadable
from trunkline_wechat.official.inbound import items_of
from trunkline_wechat.simulator.wire import xml_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
PACKETS = [sample["packet"] for sample in SAMPLES]


def read(body: bytes) -> list[Item]:
    try:
        items = items_of(body)
    except BodyUnreadable:
        return []
    assert items, "a body that can be read is never lost without a word"
    for item in items:
        msgspec.convert(msgspec.to_builtins(item), type(item))  # every field has its declared type
        assert item.dedupe_key
    assert items == items_of(body)
    return items


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_a_packet_with_any_value_changed_is_read_and_never_an_exception(data: st.DataObject) -> None:
    packet = copy.deepcopy(data.draw(st.sampled_from(PACKETS)))
    for name in data.draw(st.lists(st.sampled_from(sorted(packet)), max_size=3, unique=True)):
        packet[name] = data.draw(JSON)
    assert read(json.dumps(packet).encode())


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(packet=st.sampled_from(PACKETS), name=st.sampled_from(["MsgType", "Event", "FromUserName", "List", "Status"]))
def test_a_packet_that_lacks_something_or_says_it_twice_is_read(packet: dict[str, Any], name: str) -> None:
    assert read(xml_of({key: value for key, value in packet.items() if key != name}))
    assert read(xml_of({**packet, name: [packet.get(name, "x"), {"List": ["y", ""]}]}))


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_items_or_unreadable(body: bytes) -> None:
    read(body)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(packet=st.sampled_from(PACKETS), at=st.integers(0, 400), byte=st.integers(0, 255))
def test_a_byte_changed_in_xml_is_read_or_refused(packet: dict[str, Any], at: int, byte: int) -> None:
    body = bytearray(xml_of(packet))
    body[at % len(body)] = byte
    read(bytes(body))
