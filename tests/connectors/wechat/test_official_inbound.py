"""Packets of Official Accounts and Mini Programs, in XML and in JSON, become items."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trunkline.contract import AccountChanged, Act, Item, MessageReceived, ReceiptReceived, ThreadItem, Unknown
from trunkline.errors import BodyUnreadable
from trunkline_wechat.official.inbound import items_of
from trunkline_wechat.simulator.wire import json_of, xml_of

SAMPLES = [
    json.loads(line) for line in (Path(__file__).parent / "samples_official.jsonl").read_text("utf-8").splitlines()
]
IDS = [sample["name"] for sample in SAMPLES]
WRITERS = {"xml": xml_of, "json": json_of}
#: Fields that every item with a thread has alike; a test of their own looks at them.
COMMON = {"raw", "dedupe_key", "contact", "thread_key", "at_ms", "may_reply"}
HEAD = {"ToUserName": "gh_omni000001", "FromUserName": "oABC_user-0001", "CreateTime": 1720000100}


def told(item: Item) -> dict[str, Any]:
    """Return what an item says of its own, without empty fields."""
    fields = msgspec.json.decode(msgspec.json.encode(item))
    return {name: value for name, value in fields.items() if value not in (None, [], {}, "") and name not in COMMON}


def in_words(value: Any) -> Any:
    """Return a value with its numbers as text: XML has nothing else."""
    if isinstance(value, dict):
        return {name: in_words(one) for name, one in value.items()}
    if isinstance(value, list):
        return [in_words(one) for one in value]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
def test_every_kind_of_packet_becomes_its_item(sample: dict[str, Any], writer: str) -> None:
    (item,) = items_of(WRITERS[writer](sample["packet"]))
    assert type(item).__name__ == sample["kind"]
    found, wanted = told(item), sample["item"]
    if writer == "xml":
        # A list of one and one alone are the same there.
        found, wanted = (
            in_words(json.loads(json.dumps(one).replace("[{", "{").replace("}]", "}"))) for one in (found, wanted)
        )
    assert found == wanted


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
def test_a_redelivery_has_the_same_key_also_in_the_other_language(sample: dict[str, Any]) -> None:
    (one,), (again,), (other,) = (
        items_of(write({**sample["packet"], **more}))
        for write, more in ((json_of, {}), (json_of, {"Unheard": "of"}), (xml_of, {}))
    )
    assert one.dedupe_key == again.dedupe_key == other.dedupe_key


def test_no_two_samples_share_a_key_but_those_with_one_message_id() -> None:
    keys: dict[str, str] = {}
    for sample in SAMPLES:
        (item,) = items_of(json_of(sample["packet"]))
        other = keys.setdefault(item.dedupe_key, sample["name"])
        first = next(one["packet"] for one in SAMPLES if one["name"] == other)
        telling = [{k: v for k, v in one.items() if k in {"MsgType", "MsgId", "MsgID", "Event", "EventKey"}}
                   for one in (first, sample["packet"])]  # fmt: skip
        assert other == sample["name"] or telling[0] == telling[1] or sample["name"].startswith("notice")


def test_every_item_of_a_person_names_thread_person_and_time() -> None:
    for sample in SAMPLES:
        (item,) = items_of(xml_of(sample["packet"]))
        if isinstance(item, ThreadItem | Unknown):
            assert item.contact is not None
            assert (item.thread_key, item.contact.external_id) == ("oABC_user-0001", "oABC_user-0001")
        assert item.at_ms == 1_720_000_100_000


def test_only_what_nobody_knows_or_what_is_broken_is_unknown() -> None:
    unknown = {sample["name"] for sample in SAMPLES if sample["kind"] == "Unknown"}
    assert unknown == {
        "unknown kind of message",
        "unknown kind of event",
        "message without its content",
        "place off the Earth",
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [("FromUserName", "oABC_user-0002"), ("CreateTime", 1720000101), ("MsgId", 1002)],
)
def test_messages_are_told_apart_by_more_than_their_number(field: str, value: Any) -> None:
    packet = {**HEAD, "MsgType": "text", "Content": "hi", "MsgId": 1001}
    (one,), (other,) = items_of(json_of(packet)), items_of(json_of({**packet, field: value}))
    assert one.dedupe_key != other.dedupe_key


@pytest.mark.parametrize(("field", "value"), [("Event", "SCAN"), ("EventKey", "B"), ("AgentID", 7), ("MsgID", 9)])
def test_events_of_one_second_are_told_apart(field: str, value: Any) -> None:
    packet = {**HEAD, "MsgType": "event", "Event": "CLICK", "EventKey": "A"}
    (one,), (other,) = items_of(json_of(packet)), items_of(json_of({**packet, field: value}))
    assert one.dedupe_key != other.dedupe_key


def test_a_number_of_64_bits_keeps_all_its_digits() -> None:
    packet = {**HEAD, "MsgType": "text", "Content": "hi", "MsgId": 9223372036854775807}
    for write in WRITERS.values():
        (item,) = items_of(write(packet))
        assert isinstance(item, MessageReceived)
        assert item.external_id == "oABC_user-0001:9223372036854775807"


def test_the_same_number_of_another_sender_is_another_message() -> None:
    packet = {**HEAD, "MsgType": "text", "Content": "hi", "MsgId": 1001}
    (one,), (other,) = items_of(json_of(packet)), items_of(json_of({**packet, "FromUserName": "oABC_user-0002"}))
    assert isinstance(one, MessageReceived)
    assert isinstance(other, MessageReceived)
    assert one.external_id != other.external_id


def test_a_choice_in_a_menu_counts_as_a_click_and_a_text_does_not() -> None:
    packet = {**HEAD, "MsgType": "text", "Content": "Yes", "MsgId": 1001}
    (text,), (choice,) = items_of(xml_of(packet)), items_of(xml_of({**packet, "bizmsgmenuid": "7"}))
    assert isinstance(text, MessageReceived)
    assert isinstance(choice, MessageReceived)
    assert (text.act, choice.act) == (Act.MESSAGE, Act.CLICK)


def test_several_results_in_one_event_are_several_receipts() -> None:
    rows = [{"TemplateId": "T", "MsgID": str(n), "ErrorCode": "0", "ErrorStatus": "ok"} for n in (11, 12)]
    packet = {**HEAD, "MsgType": "event", "Event": "subscribe_msg_sent_event", "List": rows}
    for write in WRITERS.values():
        items = items_of(write(packet))
        assert all(isinstance(item, ReceiptReceived) for item in items)
        assert [told(item)["external_id"] for item in items] == ["11", "12"]
        assert len({item.dedupe_key for item in items}) == 2


def test_a_packet_for_another_account_is_reported_and_not_filed() -> None:
    (item,) = items_of(xml_of({**HEAD, "MsgType": "text", "Content": "x", "MsgId": 1}), original_id="gh_other")
    assert isinstance(item, AccountChanged)
    assert (item.change, item.severity) == ("foreign_destination", "error")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"[]",
        b"1",
        b'"x"',
        b"<xml>",
        b"<xml/",
        b"\xff\xfe<xml/>",
        b"{",
        b"<?xml version='1.0'?>",
        b"\x00",
        b'{"a":1e999}',
        b'{"a":NaN}',
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_packet_is_unreadable(body: bytes) -> None:
    with pytest.raises(BodyUnreadable):
        items_of(body)


def test_a_number_without_measure_is_no_place() -> None:
    packet = {**HEAD, "MsgType": "location", "Location_X": 10**400, "Location_Y": 0, "CreateTime": 10**400}
    (item,) = items_of(json_of(packet))
    assert isinstance(item, Unknown)
    assert item.at_ms == 0
    msgspec.json.encode(item)


@pytest.mark.parametrize("body", [b"{}", b"<xml></xml>", b'{"MsgType":1}', b"<xml>words</xml>"])
def test_a_packet_that_says_nothing_is_unknown(body: bytes) -> None:
    (item,) = items_of(body)
    assert isinstance(item, Unknown)


_DOCTYPE = '<!DOCTYPE xml [<!ENTITY x SYSTEM "file:///etc/hostname">]><xml><Content>&x;</Content></xml>'
HOSTILE_XML = {
    "file entity": _DOCTYPE.encode(),
    "http entity": _DOCTYPE.replace("file:///etc/hostname", "http://127.0.0.1:9/").encode(),
    "parameter entity": b'<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd"> %p;]><xml></xml>',
    "foreign subset": b'<!DOCTYPE xml SYSTEM "http://127.0.0.1:9/x.dtd"><xml></xml>',
    "bare doctype": b"<!DOCTYPE xml><xml></xml>",
    "doctype in UTF-16": _DOCTYPE.encode("utf-16"),
    "doctype in UTF-16 without a mark": _DOCTYPE.encode("utf-16-le"),
    "undeclared entity": b"<xml><Content>&x;</Content></xml>",
    "billion laughs": b'<!DOCTYPE z [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    + b"".join(f'<!ENTITY {chr(99 + n)} "{f"&{chr(98 + n)};" * 8}">'.encode() for n in range(9))
    + b"]><xml><Content>&k;</Content></xml>",
    "quadratic": b'<!DOCTYPE z [<!ENTITY a "' + b"x" * 20_000 + b'">]><xml>' + b"&a;" * 5_000 + b"</xml>",
    "too deep": b"<xml>" + b"<a>" * 5_000 + b"</a>" * 5_000 + b"</xml>",
}


@pytest.mark.parametrize("name", HOSTILE_XML)
def test_sec_20_no_doctype_and_no_entity_is_ever_followed(name: str) -> None:
    with pytest.raises(BodyUnreadable):
        items_of(HOSTILE_XML[name])


def test_sec_20_an_include_is_an_unknown_element_and_nothing_else() -> None:
    include = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/hostname" parse="text"/>'
    (item,) = items_of(f"<xml><MsgType>text</MsgType>{include}</xml>".encode())
    assert isinstance(item, Unknown)
    assert "/etc/hostname" not in str(msgspec.to_builtins(item))


@pytest.mark.parametrize("name", ["billion laughs", "quadratic"])
def test_sec_21_an_expansion_is_refused_before_it_grows(name: str) -> None:
    with pytest.raises(BodyUnreadable):
        items_of(HOSTILE_XML[name])


def test_a_doctype_that_a_customer_writes_is_text() -> None:
    packet = {**HEAD, "MsgType": "text", "Content": "<!DOCTYPE html><b>hi</b> ]]> &amp;", "MsgId": 1}
    (item,) = items_of(xml_of(packet))
    assert told(item)["content"]["text"] == "<!DOCTYPE html><b>hi</b> ]]> &amp;"
