"""WeChat KF's callbacks and the pages pulled after them → items. Tables first, and pure.

A callback is XML and says only which desk has news; a page of `sync_msg` is JSON and holds them. The first byte tells
them apart.

Source: https://developer.work.weixin.qq.com/document/path/94670 (read 2026-11-22)
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec

from trunkline import contract
from trunkline.contract import Act
from trunkline.errors import BodyUnreadable
from trunkline_wechat.kf.contents import content_of
from trunkline_wechat.packets import MISFIT, digest, read

Json = dict[str, Any]
Reading = tuple[type[contract.Item], Json]

WELCOME_LIFE_MS = 20_000
_CUSTOMER, _STAFF = 3, 5

#: `fail_type` → what an agent should read.
FAILURES = {
    0: "WeChat could not deliver it and gives no reason.",
    1: "The customer service desk was deleted.",
    2: "The app is closed.",
    4: "The session is over: the customer has not written for 48 hours.",
    5: "The session is closed: the customer has to write first.",
    6: "It was the sixth message since the customer last wrote.",
    7: "The desk has no Channels account bound to it.",
    8: "The company is not verified.",
    9: "The desk has no Channels account and the company is not verified.",
    10: "The customer refuses messages.",
    11: "No employee is signed in to the WeCom app.",
    12: "This desk may not send this kind of message.",
    13: "WeChat blocked a link or the content.",
}
#: `fail_type` → what it says of the window.
_WINDOW = {4: "window_closed", 5: "window_closed", 6: "budget_spent"}


def joined(desk: str, other: str) -> str:
    """Return the key of a customer or a message at a desk: both are known per desk only."""
    return f"{desk}:{other}"


def items_of(body: bytes, *, desks: Collection[str] = ()) -> list[contract.Item]:
    """Return the items of a callback or a page; with `desks`, news of other desks are told as ignored.

    Raises:
        BodyUnreadable: it is neither.
    """
    if body.lstrip()[:1] == b"<":
        return [_of(_callback, read(body), digest(body.hex()), desks)]
    try:
        page = msgspec.json.decode(body, type=_Page)
    except (ValueError, RecursionError) as error:
        raise BodyUnreadable(f"This is no page of WeChat KF: {type(error).__name__}") from error
    return [_of(_pulled, one if isinstance(one, dict) else {"item": one}, None, desks) for one in page.msg_list]


class _Page(msgspec.Struct):
    errcode: int
    msg_list: list[Any] = []


def _of(read: Callable[[Json], Reading], one: Json, key: str | None, desks: Collection[str]) -> contract.Item:
    common = _common(one, key)
    try:
        kind, fields = read(one)
        if desks and common.get("desk") not in {None, *desks}:
            kind, fields = contract.Ignored, {"reason": "of a desk that this account does not serve"}
        return msgspec.convert({**common, **fields}, kind)
    except MISFIT:
        pass
    try:
        return msgspec.convert({**common, "raw": one}, contract.Unknown)
    except MISFIT:
        return contract.Unknown(dedupe_key=key or digest(one), at_ms=_ms(one.get("send_time")), raw=one)


def _common(one: Json, key: str | None) -> Json:
    """Return the fields that items share. Events name desk and customer inside themselves."""
    event = one.get("event") if isinstance(one.get("event"), dict) else {}
    places = {**event, **one} if isinstance(event, dict) else one
    desk, customer, id_ = (places.get(name) for name in ("open_kfid", "external_userid", "msgid"))
    kind = event.get("event_type") if event else one.get("msgtype") or one.get("Event")
    common: Json = {"desk": desk or one.get("OpenKfId"), "platform_kind": str(kind or "")}
    common["dedupe_key"] = key or (joined(desk, id_) if desk and id_ else digest(one))
    common["at_ms"] = _ms(one.get("send_time", one.get("CreateTime")))
    if desk and customer:
        common |= {"thread_key": joined(desk, customer), "contact": {"external_id": customer}}
    return common


# ---------------------------------------------------------------- callbacks


def _callback(packet: Json) -> Reading:
    """Only what members send to the app, which may have the same callback, names a sender."""
    if packet.get("FromUserName"):
        return contract.Ignored, {"reason": "for the app itself, not for a desk: that is the channel wecom"}
    return _CALLBACKS[packet["Event"]](packet)


def _listed(packet: Json, name: str) -> list[Any]:
    """Return desks that were named once, several times or not at all."""
    value = packet.get(name) or []
    return value if isinstance(value, list) else [value]


_CALLBACKS: dict[str, Callable[[Json], Reading]] = {
    "kf_msg_or_event": lambda packet: (
        contract.PullRequested,
        {"scope": packet["OpenKfId"], "token": packet.get("Token")},
    ),
    "kf_account_auth_change": lambda packet: (
        contract.AccountChanged,
        {
            "change": "kf_account_auth_change",
            "severity": "warning" if packet.get("AuthDelOpenKfId") else "info",
            "details": {"added": _listed(packet, "AuthAddOpenKfId"), "removed": _listed(packet, "AuthDelOpenKfId")},
        },
    ),
}


# ---------------------------------------------------------------- pages


def _pulled(one: Json) -> Reading:
    if one["msgtype"] == "event":
        return _EVENTS[one["event"]["event_type"]](one)
    kind, name = _SPEAKERS[one["origin"]]
    id_ = joined(one["open_kfid"], one["msgid"])
    content = content_of(one)
    return kind, {"external_id": id_, "content": content, "author_name": one.get(name)}


#: `origin` → what it is, and the field that names who spoke.
_SPEAKERS: dict[int, tuple[type[contract.Item], str]] = {
    _CUSTOMER: (contract.MessageReceived, ""),
    _STAFF: (contract.EchoReceived, "servicer_userid"),
}


def _entered(one: Json) -> Reading:
    event = one["event"]
    code = event.get("welcome_code")
    reply = {"value": code, "expires_at_ms": _ms(one["send_time"]) + WELCOME_LIFE_MS} if code else None
    return contract.ContactActed, {"act": Act.ENTER, "details": _details(event), "reply": reply}


def _failed(one: Json) -> Reading:
    event, number = one["event"], one["event"]["fail_type"]
    words = FAILURES.get(number, f"WeChat could not deliver it (fail_type {number}).")
    answer = {"code": f"fail_type {number}", "text": words}
    id_ = joined(event["open_kfid"], event["fail_msgid"])
    fields = {"state": "failed", "external_id": id_, "answer": answer, "window_code": _WINDOW.get(number)}
    return contract.ReceiptReceived, fields


def _recalled(one: Json) -> Reading:
    """Staff who took a message back are named; a customer is not."""
    event = one["event"]
    staff = event["event_type"] == "servicer_recall_msg"
    who = {"by_staff": staff, "author_name": event.get("servicer_userid") if staff else None}
    return contract.MessageRecalled, {"external_id": joined(event["open_kfid"], event["recall_msgid"]), **who}


def _account(severity: str) -> Callable[[Json], Reading]:
    def read(one: Json) -> Reading:
        event = one["event"]
        fields = {"change": event["event_type"], "severity": severity, "details": _details(event)}
        return contract.AccountChanged, fields

    return read


def _details(event: Json) -> Json:
    """Return what an event tells, without the codes with which it may be answered."""
    return {name: event[name] for name in event if name not in {"event_type", "welcome_code", "msg_code"}}


_EVENTS: dict[str, Callable[[Json], Reading]] = {
    "enter_session": _entered,
    "msg_send_fail": _failed,
    "user_recall_msg": _recalled,
    "servicer_recall_msg": _recalled,
    "servicer_status_change": _account("info"),
    "session_status_change": _account("info"),
    "reject_customer_msg_switch_change": _account("info"),
}


def _ms(seconds: Any) -> int:
    """Return the platform's time in ms, 0 where it gives none that can be; callbacks write it as text."""
    if isinstance(seconds, str) and seconds.isdecimal() and len(seconds) < 13:
        seconds = int(seconds)
    return seconds * 1000 if type(seconds) is int and 0 <= seconds < 1 << 43 else 0
