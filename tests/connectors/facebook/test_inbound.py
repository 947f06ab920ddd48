from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trunkline.contract import (
    AccountChanged,
    EchoReceived,
    Ignored,
    Item,
    MessageReceived,
    ReceiptReceived,
    Unknown,
)
from trunkline.errors import BodyUnreadable
from trunkline.model import Text
from trunkline_facebook.inbound import Ours, items_of, milliseconds

SAMPLES = [json.loads(line) for line in (Path(__file__).parent / "samples.jsonl").read_text().splitlines()]
OURS = {
    "page": Ours("page", frozenset({"9001"}), "111"),
    "instagram": Ours("instagram", frozenset({"9001", "17841400009001"}), "111"),
}
_ENTRY = {"page": "9001", "instagram": "17841400009001"}


def told(item: Item) -> dict[str, Any]:
    """Return what an item says beside its defaults and the raw payload."""
    shown = msgspec.json.decode(msgspec.json.encode(item))
    if shown.get("contact"):
        shown["contact"] = {name: value for name, value in shown["contact"].items() if value and name != "kind"}
    usual = {field.encode_name: field.default for field in msgspec.structs.fields(type(item))}
    kept = {name: value for name, value in shown.items() if value not in (None, [], {}, "") and name != "raw"}
    return {name: value for name, value in kept.items() if value != usual[name]}


def body_of(*events: Any, kind: str = "page", where: str = "messaging", **envelope: Any) -> bytes:
    entry = {"id": _ENTRY[kind], "time": 1767225600123, where: list(events)}
    return json.dumps({"object": kind, "entry": [entry], **envelope}).encode()


def read(*events: Any, kind: str = "page", where: str = "messaging") -> list[Item]:
    return items_of(body_of(*events, kind=kind, where=where), OURS[kind])


def text(words: str, **more: Any) -> dict[str, Any]:
    return {
        "sender": {"id": "5001"},
        "recipient": {"id": "9001"},
        "timestamp": 1767225600000,
        "message": {"mid": f"m_{words}", "text": words},
        **more,
    }


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample["name"] for sample in SAMPLES])
def test_every_kind_of_event_becomes_its_items(sample: dict[str, Any]) -> None:
    found = read(sample["event"], kind=sample["object"], where=sample["where"])
    assert [{"kind": type(item).__name__, **told(item)} for item in found] == sample["items"]


def test_nothing_known_is_unknown() -> None:
    unknown = {sample["name"] for sample in SAMPLES if sample["items"][0]["kind"] == "Unknown"}
    assert unknown == {"unknown kind of event"}


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample["name"] for sample in SAMPLES])
def test_sec_15_equal_payloads_have_equal_keys_and_items_of_one_body_have_different_ones(
    sample: dict[str, Any],
) -> None:
    first, again = (read(sample["event"], kind=sample["object"], where=sample["where"]) for _ in range(2))
    assert first == again
    assert len({item.dedupe_key for item in first}) == len(first)


# ---------------------------------------------------------------- envelope


def test_every_entry_and_both_of_its_lists_are_read_in_order() -> None:
    payload = {
        "object": "page",
        "entry": [
            {"id": "9001", "time": 1, "messaging": [text("one"), text("two")], "standby": [text("three")]},
            {"id": 9001, "time": 1, "standby": [text("four")]},
        ],
    }
    found = [one for one in items_of(json.dumps(payload).encode(), OURS["page"]) if isinstance(one, MessageReceived)]
    assert [(one.content, one.may_reply) for one in found] == [
        (Text(text="one"), True),
        (Text(text="two"), True),
        (Text(text="three"), False),
        (Text(text="four"), False),
    ]


def test_one_object_in_place_of_a_list_is_read_too() -> None:
    payload = {"object": "page", "entry": [{"id": "9001", "messaging": text("one")}]}
    (item,) = items_of(json.dumps(payload).encode(), OURS["page"])
    assert isinstance(item, MessageReceived)


def test_no_entries_are_nothing() -> None:
    assert items_of(b'{"object":"page","entry":[]}', OURS["page"]) == []


@pytest.mark.parametrize(
    "payload",
    [
        {"object": "page", "entry": [{"id": "9001", "time": 1, "changes": [{"field": "feed", "value": {}}]}]},
        {"object": "page", "entry": [{"id": "9001", "changes": [{"field": "messages", "value": {"sender": {}}}]}]},
        {"field": "messages", "value": {"sender": {"id": "12334"}}},
    ],
)
def test_the_feed_of_the_page_and_tests_of_the_dashboard_are_ignored(payload: dict[str, Any]) -> None:
    (item,) = items_of(json.dumps(payload).encode(), OURS["page"])
    assert isinstance(item, Ignored)
    assert item.reason


def test_what_is_for_another_page_is_told_and_not_filed() -> None:
    payload = {"object": "page", "entry": [{"id": "9002", "time": 1, "messaging": [text("x")]}]}
    (item,) = items_of(json.dumps(payload).encode(), OURS["page"])
    assert isinstance(item, AccountChanged)
    assert (item.change, item.severity, item.details) == ("foreign_destination", "error", {"destination": "9002"})


def test_messenger_and_instagram_do_not_read_each_others_webhooks() -> None:
    for mine, other in (("page", "instagram"), ("instagram", "page")):
        (item,) = items_of(body_of(text("x"), kind=other), OURS[mine])
        assert isinstance(item, AccountChanged)
        assert item.details == {"destination": other}


def test_an_entry_of_instagram_may_have_the_customers_id() -> None:
    event = {
        "sender": {"id": "6001"},
        "recipient": {"id": "17841400009001"},
        "timestamp": 1,
        "postback": {"title": "x"},
    }
    payload = {"object": "instagram", "entry": [{"id": "6001", "time": 1, "messaging": [event]}]}
    (item,) = items_of(json.dumps(payload).encode(), OURS["instagram"])
    assert isinstance(item, MessageReceived)
    event["recipient"] = {"id": "17841400009002"}
    (foreign,) = items_of(json.dumps(payload).encode(), OURS["instagram"])
    assert isinstance(foreign, AccountChanged)


# ---------------------------------------------------------------- single things


def test_an_echo_of_ours_carries_our_id_whatever_app_it_names() -> None:
    event = {
        "sender": {"id": "9001"},
        "recipient": {"id": "5001"},
        "message": {"is_echo": True, "mid": "m_9", "app_id": "263902037430900", "metadata": "our-id", "text": "hi"},
    }
    (item,) = read(event)
    assert isinstance(item, EchoReceived)
    assert (item.thread_key, item.correlation, item.external_id) == ("5001", "our-id", "m_9")


def test_a_watermark_belongs_to_the_person_who_read() -> None:
    (item,) = read({"sender": {"id": "5001"}, "recipient": {"id": "9001"}, "read": {"watermark": "1767225710000"}})
    assert isinstance(item, ReceiptReceived)
    assert (item.thread_key, item.watermark_ms, item.external_id) == ("5001", 1767225710000, None)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (1767225600000, 1767225600000),
        (1767225600, 1767225600000),
        ("1767225600000", 1767225600000),
        ("1767225600", 1767225600000),
        (1767225600000.0, 1767225600000),
        *[
            (None, 0),
            (True, 0),
            ("now", 0),
            ("", 0),
            ([], 0),
            (-1, 0),
            (1 << 60, 0),
            (float("inf"), 0),
            ("9" * 5000, 0),
        ],
    ],
)
def test_times_are_milliseconds_seconds_or_text(given: Any, meant: int) -> None:
    assert milliseconds(given) == meant


def test_an_event_without_a_time_has_that_of_its_entry() -> None:
    event = text("x")
    del event["timestamp"]
    assert read(event)[0].at_ms == 1767225600123


def test_reactions_at_different_times_and_of_different_people_are_different() -> None:
    reaction = {"mid": "m_9", "action": "react", "reaction": "love", "emoji": "❤"}
    base = {"sender": {"id": "5001"}, "recipient": {"id": "9001"}, "timestamp": 1767225600000, "reaction": reaction}
    others = [{**base, "timestamp": 1767225600001}, {**base, "sender": {"id": "5002"}}]
    others.append({**base, "reaction": {**reaction, "emoji": "👍"}})
    assert len({read(one)[0].dedupe_key for one in (base, *others)}) == 4


def test_half_of_an_emoji_costs_its_text_one_character() -> None:
    body = body_of(text("before"), text("cut")).replace(b'"text": "cut"', rb'"text": "cut \ud83d"')
    first, second = items_of(body, OURS["page"])
    assert isinstance(first, MessageReceived)
    assert isinstance(second, MessageReceived)
    assert (first.content, second.content) == (Text(text="before"), Text(text="cut ?"))


def test_a_credential_is_not_among_the_details_of_an_act() -> None:
    sample = next(one for one in SAMPLES if one["name"] == "opt-in to marketing")
    assert "t1" not in str(read(sample["event"]))


@pytest.mark.parametrize(
    "bad",
    [
        None,
        7,
        "event",
        [],
        {},
        {"message": None},
        text("x", sender=None),
        text("x", sender={}),
        text("x", sender={"id": None}),
        text("x", sender={"id": True}),
        text("x", message="x"),
        text("x", message={"text": "no id"}),
        text("x", message={"mid": "", "text": "x"}),
        text("x", message={"mid": "m", "text": 5}),
        text("x", message={"mid": "m", "text": "x", "quick_reply": {}}),
        text("x", message={"mid": "m", "text": "x", "reply_to": {"mid": []}}),
        {**text("x"), "message": None, "reaction": {"mid": "m"}},
        {"sender": {"id": "5001"}, "recipient": {"id": "9001"}, "read": {}},
        {"sender": {"id": "5001"}, "recipient": {"id": "9001"}, "delivery": {"watermark": "soon"}},
        {"sender": {"id": "5001"}, "recipient": {"id": "9001"}, "message_edit": {"mid": "m"}},
        {"sender": {"id": "5001"}, "recipient": {"id": "9001"}, "account_linking": {}},
        {"recipient": {"id": "9001"}, "pass_thread_control": {"new_owner_app_id": 1}},
        {"sender": {"id": "5001"}, "recipient": {"id": "9001"}, "order": {"products": [{}]}},
    ],
)
def test_one_unreadable_event_spares_its_neighbours(bad: Any) -> None:
    before, unreadable, after = read(text("before"), bad, text("after"))
    assert isinstance(unreadable, Unknown)
    assert unreadable.raw == (bad if isinstance(bad, dict) else {"event": bad})
    assert unreadable.dedupe_key
    assert [item.content for item in (before, after) if isinstance(item, MessageReceived)] == [
        Text(text="before"),
        Text(text="after"),
    ]


@pytest.mark.parametrize(
    "attachment",
    [
        None,
        7,
        {},
        {"type": "image"},
        {"type": "image", "payload": {"url": 5}},
        {"type": ["image"]},
        {"type": "location"},
        {"type": "file", "payload": {"url": "http://[broken"}},
        {"type": "template", "payload": {"elements": [{}]}},
        {"type": "appointment_booking", "payload": {"status": "x", "start_time": 1 << 70, "end_time": 1}},
    ],
)
def test_one_unreadable_attachment_stands_as_unsupported_beside_the_others(attachment: Any) -> None:
    good = {"type": "image", "payload": {"url": "https://cdn.example/1"}}
    found = read(text("x", message={"mid": "m", "text": "look", "attachments": [attachment, good]}))
    kinds = [told(item)["content"]["type"] for item in found]
    assert kinds == ["text", "unsupported", "image"]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b'"x"', b"7", b"{", b"{}", b'{"entry":null}', b'{"entry":{}}', b"\xff\xfe"),
        body_of(text("x"))[:-2],
        b"[" * 100_000,
        b'{"entry":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"entry":[],"n":NaN}',
    ],
)
def test_a_body_without_entries_is_unreadable(body: bytes) -> None:
    with pytest.raises(BodyUnreadable):
        items_of(body, OURS["page"])


def test_unknown_fields_are_no_obstacle() -> None:
    event = text("hello", novelty={"a": [1]}, sender={"id": "5001", "novelty": 1})
    event["message"] |= {"novelty": True, "content": "y", "thread_key": "z", "album": 5}
    (item,) = read(event)
    assert isinstance(item, MessageReceived)
    assert (item.content, item.thread_key, item.album) == (Text(text="hello"), "5001", None)
