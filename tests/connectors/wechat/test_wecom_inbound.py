"""Every packet of a WeCom app: messages, events, and what is deliberately without effect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.connectors.wechat.vectors import CORP_ID, KEY_B, TOKEN
from trunkline.contract import AccountChanged, Ignored, Item, TrustedBody, Unknown, WebhookRequest, sorted_sha1
from trunkline.errors import BodyUnreadable, SignatureInvalid
from trunkline.testing.services import FakeServices
from trunkline_wechat import SPEC
from trunkline_wechat.config import Config
from trunkline_wechat.crypto import decode_key, encrypt
from trunkline_wechat.simulator.wire import xml_of
from trunkline_wechat.wecom.inbound import items_of

SAMPLES = [
    json.loads(line)
    for line in (Path(__file__).parent / "samples_wecom.jsonl").read_text(encoding="utf-8").splitlines()
]
HEAD: dict[str, Any] = {"ToUserName": CORP_ID, "FromUserName": "Staff1", "CreateTime": 1720000100, "AgentID": 1000002}
SETTINGS: dict[str, Any] = {
    "surface": "wecom", "corp_id": CORP_ID, "corp_secret": "invented-secret", "agent_id": 1000002,
    "callback_token": TOKEN, "encoding_aes_key": KEY_B,
}  # fmt: skip


def read(**fields: Any) -> Item:
    (item,) = items_of(xml_of({**HEAD, **fields}), agentid=1000002)
    return item


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["name"])
def test_every_packet_is_read_whole(sample: dict[str, Any]) -> None:
    item = read(**sample["packet"])
    assert type(item).__name__ == sample["kind"]
    told = msgspec.json.decode(msgspec.json.encode(item))
    assert {name: told[name] for name in sample["fields"]} == sample["fields"]
    assert item.at_ms == 1720000100000


@pytest.mark.parametrize(
    "event",
    ["batch_job_result", "change_contact", "change_external_contact", "open_approval_change", "sys_approval_change"],
)
def test_what_is_about_the_company_is_ignored_with_a_reason(event: str) -> None:
    item = read(FromUserName="sys", MsgType="event", Event=event)
    assert isinstance(item, Ignored)
    assert item.reason


def test_any_event_of_the_system_is_no_customers() -> None:
    assert isinstance(read(FromUserName="sys", MsgType="event", Event="brand_new"), Ignored)
    assert isinstance(read(MsgType="event", Event="brand_new"), Unknown)


def test_news_of_a_desk_are_sent_on_to_the_right_channel_in_words() -> None:
    item = read(MsgType="event", Event="kf_msg_or_event", Token="T", OpenKfId="wk1")
    assert isinstance(item, Ignored)
    assert "wechat_kf" in item.reason


def test_a_packet_for_another_app_is_told_as_a_mistake() -> None:
    item = read(MsgType="text", Content="x", MsgId=1, AgentID=1000003)
    assert isinstance(item, AccountChanged)
    assert (item.change, item.severity, item.details) == ("foreign_app", "error", {"AgentID": "1000003"})


def test_names_of_events_are_exact_and_then_without_regard_to_case() -> None:
    kinds = [type(read(MsgType="event", Event=name, EventKey="k")) for name in ("click", "CLICK", "Click")]
    assert len(set(kinds)) == 1
    assert kinds[0] is not Unknown


def test_two_senders_or_apps_make_two_keys() -> None:
    text: dict[str, Any] = {"MsgType": "text", "Content": "yes", "MsgId": 7}
    event: dict[str, Any] = {"MsgType": "event", "Event": "unsubscribe", "EventKey": ""}
    one, other = read(**text), read(**text, FromUserName="Staff2")
    assert one.dedupe_key != other.dedupe_key
    assert one.external_id != other.external_id  # type: ignore[attr-defined]  # both are messages
    keys = {items_of(xml_of({**HEAD, **event, "AgentID": app}))[0].dedupe_key for app in (1, 2)}
    assert len(keys) == 2
    assert read(**text).dedupe_key == one.dedupe_key


def test_a_long_id_keeps_its_digits() -> None:
    item = read(MsgType="text", Content="x", MsgId=7234567890123456789)
    assert item.external_id == "Staff1:7234567890123456789"  # type: ignore[attr-defined]  # it is a message


# ---------------------------------------------------------------- the door


@pytest.fixture
async def connector() -> Any:
    async with FakeServices(Config(**SETTINGS), channel="wecom") as services:
        yield SPEC.build(services)


def sealed(body: bytes, *, receive_id: str = CORP_ID, token: str = TOKEN) -> WebhookRequest:
    encrypted = encrypt(decode_key(KEY_B), body, receive_id)
    query = {"timestamp": "1720000002", "nonce": "n"}
    query["msg_signature"] = sorted_sha1(token, *query.values(), encrypted)
    return WebhookRequest(method="POST", query=query, headers={}, body=xml_of({"Encrypt": encrypted}))


def test_an_encrypted_callback_is_trusted_and_answered_with_nothing(connector: Any) -> None:
    body = xml_of({**HEAD, "MsgType": "text", "Content": "hello", "MsgId": 1})
    assert connector.authenticate(sealed(body)) == body
    reply = connector.acknowledge(connector.parse(TrustedBody(body)))
    assert (reply.status, reply.body) == (200, b"")


@pytest.mark.parametrize("wrong", [{"receive_id": "ww0000000000000000"}, {"token": "another"}])
def test_sec_08_a_callback_of_somebody_else_is_refused(connector: Any, wrong: dict[str, str]) -> None:
    with pytest.raises(SignatureInvalid):
        connector.authenticate(sealed(b"<xml/>", **wrong))


def test_sec_08_a_callback_in_clear_is_refused(connector: Any) -> None:
    body = xml_of({**HEAD, "MsgType": "text", "Content": "hello", "MsgId": 1})
    query = {"timestamp": "1720000002", "nonce": "n", "signature": sorted_sha1(TOKEN, "1720000002", "n")}
    for one in (query, {**query, "msg_signature": query["signature"]}, {}):
        with pytest.raises(SignatureInvalid):
            connector.authenticate(WebhookRequest(method="POST", query=one, headers={}, body=body))


def test_sec_11_every_part_of_a_signature_is_needed(connector: Any) -> None:
    request = sealed(b"<xml/>")
    whole = request.query["msg_signature"]
    for cut in (whole[:end] for end in range(len(whole))):
        query = {**request.query, "msg_signature": cut}
        with pytest.raises(SignatureInvalid):
            connector.authenticate(msgspec.structs.replace(request, query=query))


# ---------------------------------------------------------------- hostile input

VALUES = st.text(max_size=8) | st.integers() | st.just("") | st.just("<x/>")


def packets() -> Iterator[dict[str, Any]]:
    yield from (sample["packet"] for sample in SAMPLES)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_mutated_packet_is_one_item_and_never_an_exception(data: st.DataObject) -> None:
    packet = {**HEAD, **data.draw(st.sampled_from(list(packets())))}
    name = data.draw(st.sampled_from(sorted(packet)))
    if data.draw(st.booleans()):
        packet.pop(name)
    else:
        packet[name] = data.draw(VALUES)
    try:
        items = items_of(xml_of(packet), agentid=1000002)
    except BodyUnreadable:
        return  # characters that no XML may hold
    assert len(items) == 1
    assert items == items_of(xml_of(packet), agentid=1000002)
    assert items[0].dedupe_key
    msgspec.convert(msgspec.to_builtins(items[0]), type(items[0]))


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=200))
def test_any_bytes_are_an_item_or_unreadable(body: bytes) -> None:
    for one in (body, b"<xml>" + body + b"</xml>"):
        try:
            items_of(one)
        except BodyUnreadable:
            continue


def test_sec_20_a_doctype_inside_of_the_encrypted_body_is_refused(connector: Any) -> None:
    body = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><xml><Content>&a;</Content></xml>'
    with pytest.raises(BodyUnreadable):
        connector.parse(connector.authenticate(sealed(body)))
