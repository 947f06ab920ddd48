"""Whatever arrives, reading it gives items or says that the body is unreadable."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.connectors.whatsapp.test_inbound import SAMPLES, body_of, change, read
from trunkline.contract import Item
from trunkline.errors import BodyUnreadable

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
CHANGES = [sample["change"] for sample in SAMPLES]
quickly = settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow], deadline=None)


def items(body: bytes) -> list[Item]:
    """Read a body twice: with equal outcome, and every field of its declared type."""
    try:
        found = read(body)
    except BodyUnreadable:
        return []
    assert read(body) == found
    for item in found:
        msgspec.convert(msgspec.to_builtins(item), type(item))
        assert item.dedupe_key
    return found


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, one in inner for place in places(one, (*path, name)))]


def replaced(holder: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    whole = inner = copy.deepcopy(holder)
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return whole


@quickly
@given(data=st.data())
def test_a_mutated_change_never_costs_its_neighbour(data: st.DataObject) -> None:
    broken = data.draw(st.sampled_from(CHANGES))
    for _ in range(data.draw(st.integers(1, 3))):
        broken = replaced(broken, data.draw(st.sampled_from(places(broken))), data.draw(JSON))
    good = {"from": "1", "id": "wamid.good", "type": "text", "text": {"body": "good"}}
    found = items(body_of(broken, change(messages=[good])))
    assert found[-1].dedupe_key == "wamid.good"


@quickly
@given(body=st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_items_or_unreadable(body: bytes) -> None:
    items(body)


@quickly
@given(data=st.data())
def test_a_cut_or_flipped_body_is_items_or_unreadable(data: st.DataObject) -> None:
    body = bytearray(body_of(*data.draw(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=3))))
    at = data.draw(st.integers(0, len(body) - 1))
    if data.draw(st.booleans()):
        del body[at:]
    else:
        body[at] ^= 1 << data.draw(st.integers(0, 7))
    items(bytes(body))


@quickly
@given(elements=st.lists(JSON, min_size=1, max_size=6))
def test_each_message_is_exactly_one_item(elements: list[Any]) -> None:
    assert len(items(body_of(change(messages=elements)))) == len(elements)
