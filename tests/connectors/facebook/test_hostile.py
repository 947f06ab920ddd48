"""Whatever arrives, reading it gives items or says that the body is unreadable."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.connectors.facebook.test_inbound import OURS, SAMPLES, body_of
from trunkline.contract import Item
from trunkline.errors import BodyUnreadable
from trunkline_facebook.inbound import items_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
EVENTS = [sample["event"] for sample in SAMPLES]


def read(body: bytes, kind: str = "page") -> list[Item]:
    try:
        items = items_of(body, OURS[kind])
    except BodyUnreadable:
        return []
    for item in items:
        msgspec.convert(msgspec.to_builtins(item), type(item))  # every field has its declared type
        msgspec.json.encode(item)
        assert item.dedupe_key
    assert items == items_of(body, OURS[kind])
    return items


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, one in inner for place in places(one, (*path, name)))]


def replaced(event: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    event = copy.deepcopy(event)
    holder = event
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = value
    return event


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data(), kind=st.sampled_from(["page", "instagram"]))
def test_a_mutated_event_is_told_and_never_an_exception(data: st.DataObject, kind: str) -> None:
    event = data.draw(st.sampled_from(EVENTS))
    for _ in range(data.draw(st.integers(1, 3))):
        event = replaced(event, data.draw(st.sampled_from(places(event))), data.draw(JSON))
    assert read(body_of(event, kind=kind), kind)


@settings(max_examples=80, deadline=None)
@given(body=st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_items_or_unreadable(body: bytes) -> None:
    read(body)


@settings(max_examples=60, deadline=None)
@given(entries=st.lists(JSON, max_size=4))
def test_any_entries_are_items(entries: list[Any]) -> None:
    assert len(read(json.dumps({"object": "page", "entry": entries}).encode())) >= len(entries)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_cut_or_flipped_body_is_items_or_unreadable(data: st.DataObject) -> None:
    body = bytearray(body_of(*data.draw(st.lists(st.sampled_from(EVENTS), min_size=1, max_size=3))))
    at = data.draw(st.integers(0, len(body) - 1))
    if data.draw(st.booleans()):
        del body[at:]
    else:
        body[at] ^= 1 << data.draw(st.integers(0, 7))
    read(bytes(body))
