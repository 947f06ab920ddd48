from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trunkline.contract import (
    AccountChanged,
    Ignored,
    Item,
    MessageReceived,
    Unknown,
)
from trunkline.errors import BodyUnreadable
from trunkline.model import Text
from trunkline_line.inbound import TOKEN_LIFE_MS, items_of

SAMPLES = [json.loads(line) for line in (Path(__file__).parent / "samples.jsonl").read_text().splitlines()]
US = "U00000000000000000000000000000001"


def told(item: Item) -> dict[str, Any]:
    """Return what an item says, without its empty and usual fields and the raw payload."""
    fields = msgspec.json.decode(msgspec.json.encode(item).replace(b',"aliases":[]', b""))
    usual = fields.get("act") == "message"
    hidden = {"raw", "act"} if usual else {"raw"}
    return {k: v for k, v in fields.items() if v not in (None, [], {}, "") and k not in hidden}


def body_of(*events: Any, **envelope: Any) -> bytes:
    return json.dumps({"destination": US, "events": list(events), **envelope}).encode()


def text(words: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "message",
        "timestamp": 1700000000123,
        "webhookEventId": f"event-{words}",
        "source": {"type": "user", "userId": "Ua"},
        "message": {"id": f"id-{words}", "type": "text", "text": words},
        **more,
    }


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample["name"] for sample in SAMPLES])
def test_every_kind_of_event_becomes_its_item(sample: dict[str, Any]) -> None:
    (item,) = items_of(body_of(sample["event"]))
    assert type(item).__name__ == sample["kind"]
    assert told(item) == sample["item"]


def test_nothing_known_is_unknown() -> None:
    unknown = {sample["name"] for sample in SAMPLES if sample["kind"] == "Unknown"}
    assert unknown == {"unknown kind of message", "unknown kind of event", "unknown kind without a source"}


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample["name"] for sample in SAMPLES])
def test_parsing_is_pure_and_a_redelivery_has_the_same_key(sample: dict[str, Any]) -> None:
    event = sample["event"]
    first, again = items_of(body_of(event)), items_of(body_of(event))
    assert first == again
    redelivered = {**event, "deliveryContext": {"isRedelivery": True}}
    assert items_of(body_of(redelivered))[0].dedupe_key == first[0].dedupe_key


def test_no_events_are_a_connectivity_check() -> None:
    assert items_of(body_of()) == []


def test_events_of_several_people_keep_their_own_people() -> None:
    other = {"type": "group", "groupId": "Cb", "userId": "Ud"}
    items = items_of(
        body_of(text("one"), text("two", source=other), text("three", source={"type": "user", "userId": "Ue"}))
    )
    assert [item.thread_key for item in items if isinstance(item, MessageReceived)] == ["Ua", "Cb", "Ue"]
    assert len({item.dedupe_key for item in items}) == 3


@pytest.mark.parametrize(
    "bad",
    [
        None,
        7,
        "event",
        [],
        {},
        {"type": None},
        {"type": ["message"]},
        {"type": "message"},
        {"type": "message", "message": None, "source": {"type": "user", "userId": "Ua"}},
        text("x", source=None),
        text("x", source={}),
        text("x", source="Ua"),
        text("x", source={"type": "user", "userId": 5}),
        text("x", message={"type": "text", "text": "no id"}),
        text("x", message={"id": "1", "type": "text"}),
        text("x", message={"id": 1, "type": "text", "text": "x"}),
        text("x", message={"id": "1", "type": "text", "text": 5}),
        text("x", message={"id": "1", "type": "text", "text": "x", "mention": {"mentionees": [{"index": "0"}]}}),
        text("x", message={"id": "1", "type": "location", "latitude": "north"}),
        text("x", message={"id": "1", "type": "image", "contentProvider": {"type": "external"}}),
        text("x", webhookEventId=5),
        text("x", replyToken=["rt"]),
        {"type": "unsend", "source": {"type": "user", "userId": "Ua"}},
        {"type": "postback", "source": {"type": "user", "userId": "Ua"}, "postback": "data"},
        {"type": "follow"},
        {"type": "accountLink"},
    ],
)
def test_one_unreadable_event_spares_its_neighbours(bad: Any) -> None:
    before, unreadable, after = items_of(body_of(text("before"), bad, text("after")))
    assert isinstance(unreadable, Unknown)
    assert unreadable.raw == (bad if isinstance(bad, dict) else {"event": bad})
    assert unreadable.dedupe_key
    assert [item.content for item in (before, after) if isinstance(item, MessageReceived)] == [
        Text(text="before"),
        Text(text="after"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b'"x"', b"7", b"{", b"{}", b'{"events":null}', b'{"events":{}}', b"\xff\xfe"),
        body_of(text("x"))[:-2],
        b"[" * 100_000,
        b'{"events":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_a_body_without_events_is_unreadable(body: bytes) -> None:
    with pytest.raises(BodyUnreadable):
        items_of(body)


def test_unknown_fields_are_no_obstacle() -> None:
    event = text("hello", novelty={"a": [1]}, source={"type": "user", "userId": "Ua", "novelty": 1})
    event["message"] |= {"novelty": True, "referral": "x", "content": "y", "thread_key": "z"}
    (item,) = items_of(body_of(event, novelty="x"))
    assert isinstance(item, MessageReceived)
    assert (item.content, item.thread_key, item.referral) == (Text(text="hello"), "Ua", None)


def test_a_token_is_good_for_fifty_seconds_of_the_event() -> None:
    (item,) = items_of(body_of(text("x", replyToken="rt")))
    assert isinstance(item, MessageReceived)
    assert item.reply
    assert item.reply.expires_at_ms == 1700000000123 + TOKEN_LIFE_MS == 1700000050123


def test_a_senseless_time_counts_as_none() -> None:
    for time in (-1, 1 << 60, "now", None, 1.5):
        assert items_of(body_of(text("x", timestamp=time)))[0].at_ms == 0


def test_the_keys_of_old_payloads_tell_events_apart() -> None:
    def old(words: str, at: int) -> dict[str, Any]:
        event = text(words, timestamp=at)
        del event["webhookEventId"]
        return event

    keys = [items_of(body_of(event))[0].dedupe_key for event in (old("a", 1), old("b", 1), old("a", 2), old("a", 1))]
    assert len(set(keys[:3])) == 3
    assert keys[3] == keys[0]


def test_groups_can_be_left_out() -> None:
    group, room = ({"type": kind, f"{kind}Id": "Cb", "userId": "Ua"} for kind in ("group", "room"))
    items = items_of(
        body_of(text("g", source=group), text("r", source=room), text("p"), {"type": "botSuspended"}), groups=False
    )
    assert [type(item) for item in items] == [Ignored, Ignored, MessageReceived, AccountChanged]


def test_a_body_for_another_account_is_told_and_not_filed() -> None:
    (item,) = items_of(body_of(text("x")), destination="U00000000000000000000000000000002")
    assert isinstance(item, AccountChanged)
    assert (item.change, item.severity) == ("foreign_destination", "error")
    assert isinstance(items_of(body_of(text("x")), destination=US)[0], MessageReceived)
