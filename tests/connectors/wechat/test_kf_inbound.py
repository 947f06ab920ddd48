"""Every kind of item of WeChat KF, and what tells a callback from a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.connectors.wechat.vectors import CORP_ID, KEY_B, TOKEN, VECTORS
from trunkline.contract import (
    AccountChanged,
    EchoReceived,
    Ignored,
    Item,
    MessageRecalled,
    MessageReceived,
    PullRequested,
    ReceiptReceived,
    TrustedBody,
    Unknown,
    WebhookRequest,
)
from trunkline.errors import BodyUnreadable, SignatureInvalid
from trunkline.model import Text
from trunkline.testing.services import FakeServices
from trunkline_wechat import SPEC
from trunkline_wechat.config import Config
from trunkline_wechat.kf.inbound import FAILURES, items_of

SAMPLES = [
    json.loads(line) for line in (Path(__file__).parent / "samples_kf.jsonl").read_text(encoding="utf-8").splitlines()
]
HEAD: dict[str, Any] = {
    "msgid": "k001", "open_kfid": "wkOMNI0001", "external_userid": "wmCUST0001", "send_time": 1720000200, "origin": 3,
}  # fmt: skip
SETTINGS: dict[str, Any] = {
    "surface": "wechat_kf", "corp_id": CORP_ID, "corp_secret": "invented-secret", "open_kfid": "wkOMNI0001",
    "callback_token": TOKEN, "encoding_aes_key": KEY_B,
}  # fmt: skip


def page_of(*items: Any, **more: Any) -> bytes:
    answer = {"errcode": 0, "errmsg": "ok", "next_cursor": "c_0008", "has_more": 0, "msg_list": list(items), **more}
    return json.dumps(answer, ensure_ascii=False).encode()


def read(item: Any) -> Item:
    (found,) = items_of(page_of(item))
    return found


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["name"])
def test_every_kind_of_item_is_read_whole(sample: dict[str, Any]) -> None:
    item = read(sample["item"])
    assert type(item).__name__ == sample["kind"]
    told = msgspec.json.decode(msgspec.json.encode(item))
    assert {name: told[name] for name in sample["fields"]} == sample["fields"]


def test_the_samples_hold_every_kind_that_the_reference_names() -> None:
    kinds = {sample["item"].get("msgtype") for sample in SAMPLES}
    assert kinds >= {
        "text", "image", "voice", "video", "file", "location", "link", "business_card", "miniprogram", "msgmenu",
        "channels", "channels_shop_product", "channels_shop_order", "merged_msg", "meeting", "schedule", "note",
    }  # fmt: skip
    events = {sample["item"]["event"]["event_type"] for sample in SAMPLES if "event" in sample["item"]}
    assert events >= {
        "enter_session", "msg_send_fail", "servicer_status_change", "session_status_change", "user_recall_msg",
        "servicer_recall_msg", "reject_customer_msg_switch_change",
    }  # fmt: skip


@pytest.mark.parametrize(("fail_type", "words"), FAILURES.items())
def test_every_late_failure_has_words_for_the_agent(fail_type: int, words: str) -> None:
    event = {"event_type": "msg_send_fail", "open_kfid": "wk1", "external_userid": "wm1", "fail_msgid": "m1"}
    item = read({**HEAD, "origin": 4, "msgtype": "event", "event": {**event, "fail_type": fail_type}})
    assert isinstance(item, ReceiptReceived)
    assert item.answer is not None
    assert (item.external_id, item.state, item.answer.text) == ("wk1:m1", "failed", words)


@pytest.mark.parametrize(
    ("fail_type", "window_code"),
    [(4, "window_closed"), (5, "window_closed"), (6, "budget_spent"), (10, None), (99, None)],
)
def test_a_late_failure_says_what_is_left_of_the_window(fail_type: int, window_code: str | None) -> None:
    event = {"event_type": "msg_send_fail", "open_kfid": "wk1", "fail_msgid": "m1", "fail_type": fail_type}
    item = read({**HEAD, "origin": 4, "msgtype": "event", "event": event})
    assert isinstance(item, ReceiptReceived)
    assert item.window_code == window_code


@pytest.mark.parametrize(
    ("kind", "told"), [("user_recall_msg", (False, None)), ("servicer_recall_msg", (True, "staff1"))]
)
def test_a_recall_by_staff_names_them_and_not_the_customer(kind: str, told: tuple[bool, str | None]) -> None:
    event = {"event_type": kind, "open_kfid": "wk1", "external_userid": "wm1", "recall_msgid": "m1"}
    item = read({**HEAD, "origin": 4, "msgtype": "event", "event": {**event, "servicer_userid": "staff1"}})
    assert isinstance(item, MessageRecalled)
    assert (item.by_staff, item.author_name) == told


def test_a_failure_of_a_new_type_is_still_a_failure() -> None:
    event = {"event_type": "msg_send_fail", "open_kfid": "wk1", "fail_msgid": "m1", "fail_type": 99}
    item = read({**HEAD, "origin": 4, "msgtype": "event", "event": event})
    assert isinstance(item, ReceiptReceived)
    assert item.answer is not None
    assert "99" in str(item.answer.text)


def test_one_bad_item_costs_its_neighbours_nothing() -> None:
    good = {**HEAD, "msgtype": "text", "text": {"content": "hello"}}
    bad: list[Any] = [{**HEAD, "msgid": "k2", "msgtype": "text", "text": None}, 7, {"msgtype": "event"}, {}, None]
    items = items_of(page_of(*bad, good))
    assert [type(item) for item in items] == [*[Unknown] * len(bad), MessageReceived]


def test_a_message_at_another_desk_has_other_keys() -> None:
    one, other = (read({**HEAD, "open_kfid": desk, "msgtype": "text", "text": {"content": "x"}}) for desk in "ab")
    assert isinstance(one, MessageReceived)
    assert isinstance(other, MessageReceived)
    assert one.contact == other.contact
    assert one.dedupe_key != other.dedupe_key
    assert one.external_id != other.external_id
    assert (one.thread_key, other.thread_key) == ("a:wmCUST0001", "b:wmCUST0001")


def test_news_of_a_desk_that_is_not_served_are_told_as_ignored() -> None:
    (item,) = items_of(page_of({**HEAD, "msgtype": "text", "text": {"content": "x"}}), desks=("wkOTHER",))
    assert isinstance(item, Ignored)
    (asked,) = items_of(VECTORS["V4"].plain.encode(), desks=("wkOTHER",))
    assert isinstance(asked, Ignored)


def test_an_empty_page_has_no_items() -> None:
    assert items_of(page_of(has_more=1)) == []
    assert items_of(b'{"errcode":0,"next_cursor":"c"}') == []


def test_what_is_neither_callback_nor_page_is_unreadable() -> None:
    for body in (b"", b"[]", b"{}", b"<xml>", b"hello", b'{"msg_list":[]}', b'{"errcode":0,"msg_list":{}}', b"\xff{"):
        with pytest.raises(BodyUnreadable):
            items_of(body)


def test_what_staff_say_in_wecom_is_an_echo_and_no_question() -> None:
    item = read({**HEAD, "origin": 5, "servicer_userid": "bo", "msgtype": "text", "text": {"content": "On its way"}})
    assert isinstance(item, EchoReceived)
    assert (item.content, item.author_name) == (Text(text="On its way"), "bo")


def test_codes_that_answer_events_stay_out_of_what_people_read() -> None:
    for sample in SAMPLES:
        if "event" in sample["item"]:
            item = msgspec.to_builtins(read(sample["item"]))
            details = item.get("details") or {}
            assert not {"welcome_code", "msg_code"} & details.keys()


# ---------------------------------------------------------------- callbacks


@pytest.fixture
async def services() -> Any:
    async with FakeServices(Config(**SETTINGS), channel="wechat_kf") as services:
        yield services


def test_the_notification_of_the_vector_asks_for_a_pull_of_its_desk(services: Any) -> None:
    vector, connector = VECTORS["V4"], SPEC.build(services)
    query = {"msg_signature": vector.signature, "timestamp": vector.timestamp, "nonce": vector.nonce}
    outer = f"<xml><ToUserName>{CORP_ID}</ToUserName><Encrypt>{vector.cipher}</Encrypt></xml>".encode()
    body = connector.authenticate(WebhookRequest(method="POST", query=query, headers={}, body=outer))
    (item,) = connector.parse(body)
    assert isinstance(item, PullRequested)
    assert (item.scope, item.token, item.at_ms) == ("wkOMNI0001", "ENCtok0001", 1720000003000)


def test_the_check_of_the_address_is_answered_with_the_decrypted_echo(services: Any) -> None:
    vector, connector = VECTORS["V3"], SPEC.build(services)
    query = {
        "msg_signature": vector.signature, "timestamp": vector.timestamp, "nonce": vector.nonce,
        "echostr": vector.cipher,
    }  # fmt: skip
    reply = connector.handshake(WebhookRequest(method="GET", query=query, headers={}, body=b""))
    assert reply is not None
    assert reply.body == b"5550001112223334445"
    spaced = {**query, "echostr": vector.cipher.replace("+", " ")}
    with pytest.raises(SignatureInvalid):
        connector.handshake(WebhookRequest(method="GET", query=spaced, headers={}, body=b""))


def test_sec_08_a_callback_in_clear_or_without_proof_is_refused(services: Any) -> None:
    connector, plain = SPEC.build(services), VECTORS["V4"].plain.encode()
    for query in ({}, {"msg_signature": ""}, {"msg_signature": "0" * 40, "timestamp": "1720000003", "nonce": "n"}):
        with pytest.raises(SignatureInvalid):
            connector.authenticate(WebhookRequest(method="POST", query=query, headers={}, body=plain))


def test_two_notifications_are_two_and_a_repeated_one_is_one() -> None:
    plain = VECTORS["V4"].plain
    (one,), (same,), (other,) = (
        items_of(body.encode()) for body in (plain, plain, plain.replace("ENCtok0001", "ENCtok0002"))
    )
    assert one == same
    assert one.dedupe_key != other.dedupe_key


@pytest.mark.parametrize("names", [("AuthDelOpenKfId",), ("AuthAddOpenKfId", "AuthAddOpenKfId"), ()])
def test_desks_that_come_and_go_are_told_to_operators(names: tuple[str, ...]) -> None:
    desks = "".join(f"<{name}>wk{at}</{name}>" for at, name in enumerate(names))
    head = "<MsgType>event</MsgType><Event>kf_account_auth_change</Event><CreateTime>1720000003</CreateTime>"
    (item,) = items_of(f"<xml>{head}{desks}</xml>".encode())
    assert isinstance(item, AccountChanged)
    assert item.severity == ("warning" if "AuthDelOpenKfId" in names else "info")
    assert len(item.details["added"]) == names.count("AuthAddOpenKfId")
    assert len(item.details["removed"]) == names.count("AuthDelOpenKfId")


def test_a_callback_of_another_kind_is_kept_as_unknown() -> None:
    (item,) = items_of(b"<xml><MsgType>event</MsgType><Event>brand_new</Event></xml>")
    assert isinstance(item, Unknown)
    assert item.platform_kind == "brand_new"


@pytest.mark.parametrize("kind", ["text", "event"])
def test_what_members_send_to_the_app_itself_is_ignored_with_a_reason(kind: str) -> None:
    head = "<FromUserName>staff1</FromUserName><AgentID>1000002</AgentID><Event>enter_agent</Event>"
    (item,) = items_of(f"<xml>{head}<MsgType>{kind}</MsgType></xml>".encode())
    assert isinstance(item, Ignored)
    assert "wecom" in item.reason


def test_parsing_is_pure(services: Any) -> None:
    connector, body = SPEC.build(services), TrustedBody(page_of(*(sample["item"] for sample in SAMPLES)))
    assert list(connector.parse(body)) == list(connector.parse(body))
