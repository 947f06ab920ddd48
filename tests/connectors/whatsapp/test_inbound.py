"""Every sample of the platform's documentation becomes its item; batches, strangers and bad neighbours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trunkline.contract import (
    AccountChanged,
    IdentityLinked,
    Ignored,
    Item,
    MessageReceived,
    ReceiptReceived,
    Unknown,
)
from trunkline.errors import BodyUnreadable
from trunkline.model import DeliveryState, Text
from trunkline_whatsapp.inbound import items_of

SAMPLES = [json.loads(line) for line in (Path(__file__).parent / "samples.jsonl").read_text().splitlines()]
NAMES = [sample["name"] for sample in SAMPLES]
METADATA = {"display_phone_number": "15550001000", "phone_number_id": "8001"}


def told(item: Item) -> dict[str, Any]:
    """Return what an item says, without its empty fields and the raw payload."""
    fields = msgspec.json.decode(msgspec.json.encode(item))
    return {name: value for name, value in fields.items() if value not in (None, [], {}, "") and name != "raw"}


def body_of(*changes: Any, entry: Any = None, **envelope: Any) -> bytes:
    entries = [{"id": "7001", "time": 1767226000, "changes": list(changes)}] if entry is None else entry
    return json.dumps({"object": "whatsapp_business_account", "entry": entries, **envelope}).encode()


def change(field: str = "messages", *, number: str = "8001", **value: Any) -> dict[str, Any]:
    metadata = {**METADATA, "phone_number_id": number}
    return {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}


def text(words: str, **more: Any) -> dict[str, Any]:
    head = {"from": "15550002000", "id": f"wamid.{words}", "timestamp": "1767225600"}
    return {**head, "type": "text", "text": {"body": words}, **more}


def texts(items: list[Item]) -> list[str]:
    return [one.content.text for one in items if isinstance(one, MessageReceived) and isinstance(one.content, Text)]


def read(body: bytes) -> list[Item]:
    return items_of(body, number="8001", waba="7001")


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_every_kind_of_event_becomes_its_item(sample: dict[str, Any]) -> None:
    (item,) = read(body_of(sample["change"]))
    assert type(item).__name__ == sample["kind"]
    assert told(item) == sample["item"]


def test_nothing_known_is_unknown() -> None:
    assert {sample["name"] for sample in SAMPLES if sample["kind"] == "Unknown"} == {
        "no sender",
        "unknown kind of message",
        "message without its content",
        "echo without a receiver",
        "unknown field",
        "messages without anything known",
    }


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_sec_15_parsing_is_pure_and_a_redelivery_has_the_same_key(sample: dict[str, Any]) -> None:
    assert read(body_of(sample["change"])) == read(body_of(sample["change"]))


def test_what_has_a_time_of_its_own_keeps_its_key_when_it_comes_in_another_batch() -> None:
    stop: dict[str, Any] = {"user_preferences": [{"wa_id": "1555", "value": "stop", "timestamp": 1767225900}]}
    bodies = [
        body_of(entry=[{"id": "7001", "time": at, "changes": [change("user_preferences", **stop)]}]) for at in (1, 2)
    ]
    assert len({item.dedupe_key for body in bodies for item in read(body)}) == 1


def test_every_entry_every_change_and_every_array_is_read() -> None:
    status = {"id": "wamid.OUT1", "status": "read", "timestamp": "1767225700"}
    first = change(messages=[text("one"), text("two")], statuses=[status], errors=[{"code": 131000}])
    second = change(messages=[text("three")])
    entries = [{"id": "7001", "changes": [first, second]}, {"id": "7001", "changes": [change(messages=[text("four")])]}]
    items = read(body_of(entry=entries))
    assert texts(items) == ["one", "two", "three", "four"]
    assert [type(item) for item in items if not isinstance(item, MessageReceived)] == [ReceiptReceived, AccountChanged]
    assert len({item.dedupe_key for item in items}) == 6


def test_a_thousand_updates_in_one_request_are_a_thousand_items() -> None:
    items = read(body_of(change(messages=[text(f"number {number}") for number in range(1000)])))
    assert texts(items) == [f"number {number}" for number in range(1000)]


def test_people_are_matched_by_id_and_not_by_place() -> None:
    cards = [{"profile": {"name": "Bo"}, "wa_id": "2"}, {"profile": {"name": "Ada"}, "user_id": "US.1", "wa_id": "1"}]
    items = read(body_of(change(contacts=cards, messages=[text("a", **{"from": "1"}), text("b", **{"from": "2"})])))
    people = [(item.contact.name, item.contact.aliases) for item in items if isinstance(item, MessageReceived)]
    assert people == [("Ada", ("US.1",)), ("Bo", ())]


def test_whoever_hides_their_phone_is_known_by_their_user_id() -> None:
    hidden = {name: value for name, value in text("hi").items() if name != "from"}
    (item,) = read(body_of(change(messages=[{**hidden, "from_user_id": "US.77"}])))
    assert isinstance(item, MessageReceived)
    assert (item.thread_key, item.contact.external_id, item.contact.aliases) == ("US.77", "US.77", ())


@pytest.mark.parametrize("order", [("sent", "delivered", "read"), ("read", "sent", "delivered")])
def test_statuses_are_told_as_they_come_and_each_once(order: tuple[str, ...]) -> None:
    statuses = [{"id": "wamid.OUT1", "status": one, "timestamp": "1767225700"} for one in order]
    items = read(body_of(change(statuses=statuses)))
    assert [item.state for item in items if isinstance(item, ReceiptReceived)] == [DeliveryState(one) for one in order]
    assert len({item.dedupe_key for item in items}) == 3


def test_statuses_of_a_group_have_a_key_for_each_member() -> None:
    told_of = [{"id": "wamid.O", "status": "read", "recipient_participant_id": one} for one in ("1", "2")]
    assert len({item.dedupe_key for item in read(body_of(change(statuses=told_of)))}) == 2


def test_what_concerns_another_number_is_told_once_and_not_filed() -> None:
    items = read(body_of(change(number="9999", messages=[text("a")]), change(number="9999", messages=[text("b")])))
    assert all(isinstance(item, AccountChanged) and item.severity == "error" for item in items)
    assert {item.change for item in items if isinstance(item, AccountChanged)} == {"foreign_phone_number"}
    assert len({item.dedupe_key for item in items}) == 1


def test_what_concerns_another_business_account_is_left_out() -> None:
    about = {"field": "account_update", "value": {"event": "DISABLED_UPDATE"}}
    (item,) = read(body_of(entry=[{"id": "7999", "changes": [about]}]))
    assert isinstance(item, Ignored)


def test_a_body_about_something_else_is_recorded_and_has_no_effect() -> None:
    (item,) = read(b'{"object":"page","entry":[]}')
    assert isinstance(item, Unknown)
    assert item.thread_key is None


def test_all_ids_of_somebody_who_moved_are_one_person() -> None:
    system = {"type": "user_changed_number", "wa_id": "3", "user_id": "US.3"}
    moved = {"id": "wamid.s", "timestamp": "1", "type": "system", "from": "1", "from_user_id": "US.1", "system": system}
    (item,) = read(body_of(change(messages=[moved])))
    assert isinstance(item, IdentityLinked)
    assert item.contact
    assert item.other
    assert (item.contact.external_id, item.contact.aliases) == ("3", ("US.3",))
    assert (item.other.external_id, item.other.aliases) == ("1", ("US.1",))


@pytest.mark.parametrize("timestamp", ["1767225600", 1767225600])
def test_a_time_is_seconds_as_text_or_number(timestamp: Any) -> None:
    (item,) = read(body_of(change(messages=[text("x", timestamp=timestamp)])))
    assert item.at_ms == 1767225600000


@pytest.mark.parametrize("timestamp", [None, "", "soon", "-5", 1.5, [], {}, "9" * 30, "١٢٣", True])
def test_a_time_that_is_none_does_not_lose_the_message(timestamp: Any) -> None:
    (item,) = read(body_of(change(messages=[text("x", timestamp=timestamp)])))
    assert isinstance(item, MessageReceived)
    assert item.at_ms == 0


@pytest.mark.parametrize(
    "bad",
    [
        None,
        7,
        "message",
        [],
        {},
        {"type": None},
        {"type": ["text"]},
        {"type": "text"},
        text("x", text=None),
        text("x", text={"body": 5}),
        text("x", text={}),
        text("x", id=5),
        text("x", id=None),
        text("x", **{"from": ["1"]}),
        text("x", **{"from": 5}),
        text("x", context={"id": 5}),
        text("x", context="x"),
        text("x", referral=[["a", "b", "c"]]),
        text("x", group_id=7),
        text("x", type="image", image={"mime_type": "image/png"}),
        text("x", type="image", image={"id": "1", "mime_type": 5}),
        text("x", type="location", location={"latitude": "north"}),
        text("x", type="contacts", contacts={"name": "x"}),
        text("x", type="contacts", contacts=[5]),
        text("x", type="reaction", reaction={"emoji": "👍"}),
        text("x", type="interactive", interactive={"type": "button_reply", "button_reply": {"title": "x"}}),
        text("x", type="interactive", interactive={"type": "nfm_reply", "nfm_reply": "x"}),
        text("x", type="edit", edit={"original_message_id": "1"}),
        text("x", type="edit", edit={"original_message_id": "1", "message": {"type": "hologram"}}),
        text("x", type="revoke"),
        text("x", type="system"),
        text("x", type="system", system={"type": "user_became_a_tree"}),
        text("x", type="unsupported", errors=5),
        text("x", type="order", order={"product_items": [5]}),
    ],
)
def test_one_unreadable_message_spares_its_neighbours(bad: Any) -> None:
    before, unreadable, after = read(body_of(change(messages=[text("before"), bad, text("after")])))
    assert isinstance(unreadable, Unknown)
    assert unreadable.raw == (bad if isinstance(bad, dict) else {"value": bad})
    assert unreadable.dedupe_key
    assert texts([before, after]) == ["before", "after"]


@pytest.mark.parametrize(
    "bad",
    [5, {"id": "wamid.O"}, {"status": "read"}, {"id": 5, "status": "read"}, {"id": "wamid.O", "status": []},
     {"id": "wamid.O", "status": "failed", "errors": "x"},
     {"id": "o", "status": "read", "biz_opaque_callback_data": 5}],
)  # fmt: skip
def test_a_bad_status_does_not_stop_the_messages_of_its_request(bad: Any) -> None:
    items = read(body_of(change(statuses=[bad], messages=[text("x")])))
    assert texts(items) == ["x"]
    assert [type(item) for item in items if not isinstance(item, MessageReceived)] == [Unknown]


@pytest.mark.parametrize("bad", [None, 5, "x", {}, {"changes": 5}, {"changes": None}])
def test_a_bad_entry_spares_its_neighbours(bad: Any) -> None:
    good = {"id": "7001", "changes": [change(messages=[text("x")])]}
    items = read(body_of(entry=[bad, good]))
    assert (type(items[0]), texts(items)) == (Unknown, ["x"])


@pytest.mark.parametrize(
    "bad", [None, 5, {}, {"field": 5, "value": {}}, {"field": "messages"}, {"field": "messages", "value": 5},
            {"field": "messages", "value": {"metadata": 5}}],
)  # fmt: skip
def test_a_bad_change_spares_its_neighbours(bad: Any) -> None:
    items = read(body_of(bad, change(messages=[text("x")])))
    assert (type(items[0]), texts(items)) == (Unknown, ["x"])


def test_contacts_of_any_shape_do_not_lose_the_message() -> None:
    shapes: tuple[Any, ...] = (
        None,
        5,
        "x",
        [5, None],
        [{}],
        [{"profile": {"name": 5}, "wa_id": "15550002000"}],
        {"wa_id": "1"},
    )
    for cards in shapes:
        assert texts(read(body_of(change(contacts=cards, messages=[text("x")])))) == ["x"]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b'"x"', b"7", b"{", b"{}", b'{"entry":null}', b'{"entry":{}}', b"\xff\xfe"),
        body_of(change(messages=[text("x")]))[:-2],
        b"[" * 100_000,
        b'{"entry":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_a_body_without_entries_is_unreadable(body: bytes) -> None:
    with pytest.raises(BodyUnreadable):
        read(body)
