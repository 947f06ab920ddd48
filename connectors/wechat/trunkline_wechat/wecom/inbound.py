"""What a WeCom app is told → items. Tables first, and pure.

Source: https://developer.work.weixin.qq.com/document/path/90239, …/90240 (read 2026-11-22)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from trunkline import contract
from trunkline.contract import Act
from trunkline.model import Choice
from trunkline_wechat.packets import (
    MISFIT,
    Packet,
    at_ms,
    content_of,
    dedupe_key,
    digest,
    head,
    kind_of,
    message_id,
    read,
    unknown,
    word,
)

Reading = tuple[type[contract.Item], dict[str, Any]]

_SYSTEM = "sys"
_OF_THE_COMPANY = "about the company, not about a conversation"
_OF_THE_DESK = "belongs to WeChat KF: give its callback the address of an account on the channel wechat_kf"


def items_of(body: bytes, *, agentid: int | None = None) -> list[contract.Item]:
    """Return the item of a packet; with `agentid`, one of another app is told as a mistake of the set-up.

    Raises:
        BodyUnreadable: it is no packet.
    """
    packet = read(body)
    try:
        kind, fields = _reading(packet, agentid)
        # Made of a stranger's values: what does not fit the types is found here, not in the store.
        return [msgspec.convert(msgspec.to_builtins(fields), kind)]
    except (*MISFIT, msgspec.ValidationError):
        return [unknown(packet)]


def _reading(packet: Packet, agentid: int | None) -> Reading:
    common = {"dedupe_key": dedupe_key(packet), "at_ms": at_ms(packet), "platform_kind": kind_of(packet)}
    app = word(packet, "AgentID", "") or None
    if agentid is not None and app not in {None, "0", str(agentid)}:
        fields = {"change": "foreign_app", "severity": "error", "details": {"AgentID": app}}
        return contract.AccountChanged, common | fields
    if reason := _ignored(packet):
        return contract.Ignored, common | {"reason": reason}
    if packet["MsgType"] == "event":
        kind, fields = _event(packet)
        return kind, head(packet) | fields
    return contract.MessageReceived, head(packet) | {
        "external_id": message_id(packet),
        "content": content_of(packet),
    }


def _ignored(packet: Packet) -> str | None:
    if packet["MsgType"] != "event":
        return None
    name = word(packet, "Event")
    return _IGNORED.get(name) or (_OF_THE_COMPANY if packet.get("FromUserName") == _SYSTEM else None)


_IGNORED = {
    "LOCATION": "where somebody is, sent with every visit: it starts nothing",
    "kf_msg_or_event": _OF_THE_DESK,
    "kf_account_auth_change": _OF_THE_DESK,
    **dict.fromkeys(
        (
            "batch_job_result", "change_contact", "change_external_contact", "change_external_chat",
            "change_external_tag", "open_approval_change", "sys_approval_change", "share_agent_change",
            "share_chain_change", "close_inactive_agent", "low_active", "living_status_change",
            "change_school_contact", "template_card_menu_event",
        ),
        _OF_THE_COMPANY,
    ),
}  # fmt: skip


def _event(packet: Packet) -> Reading:
    """Names are exact, but for `click` and the like, which other surfaces write in capitals."""
    name = word(packet, "Event")
    return (_EVENTS.get(name) or _EVENTS[name.lower()])(packet)


def _acted(act: Act, *, reachable: bool | None = None) -> Callable[[Packet], Reading]:
    def read_act(packet: Packet) -> Reading:
        details = {name: packet[name] for name in _TELLING if packet.get(name)}
        return contract.ContactActed, {"act": act, "reachable": reachable, "details": details}

    return read_act


#: What an agent may want to know of an act.
_TELLING = ("EventKey", "ScanCodeInfo", "SendLocationInfo", "SendPicsInfo")


def _pressed(packet: Packet) -> Reading:
    """A press on a card has no message id; its card and its code, good for one answer, tell it from others."""
    told = {name: packet[name] for name in ("TaskId", "CardType", "SelectedItems") if packet.get(name)}
    content = Choice(data=word(packet, "EventKey"), params=told)
    key = digest(dedupe_key(packet), packet.get("TaskId"), packet.get("ResponseCode"))
    return contract.MessageReceived, {"dedupe_key": key, "external_id": key, "content": content}


_EVENTS: dict[str, Callable[[Packet], Reading]] = {
    "subscribe": _acted(Act.FOLLOW, reachable=True),
    "unsubscribe": _acted(Act.UNFOLLOW, reachable=False),
    "enter_agent": _acted(Act.ENTER),
    "template_card_event": _pressed,
    **dict.fromkeys(("scancode_push", "scancode_waitmsg"), _acted(Act.SCAN)),
    **dict.fromkeys(
        ("click", "view", "pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select", "view_miniprogram"),
        _acted(Act.CLICK),
    ),
}
