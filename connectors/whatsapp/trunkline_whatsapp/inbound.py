"""Webhook bodies → items, by tables. What does not fit the types of an item becomes `Unknown`, alone.

Source: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components (read 2026-11-22)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from trunkline import contract
from trunkline.contract import Act
from trunkline.errors import BodyUnreadable
from trunkline.model import DeliveryState
from trunkline_whatsapp.api import answer_of, is_trouble_of_account, window_code_of
from trunkline_whatsapp.content import CONTENT, said

Json = dict[str, Any]
Reading = tuple[type[contract.Item], Json]

#: Who is meant: field of the phone, of the BSUID, of the parent BSUID. Any may be absent.
_SENDER = ("from", "from_user_id", "from_parent_user_id")
_RECEIVER = ("to", "to_user_id", "to_parent_user_id")
_PERSON = ("wa_id", "user_id", "parent_user_id")
_STATES = {
    "sent": DeliveryState.SENT, "delivered": DeliveryState.DELIVERED, "read": DeliveryState.READ,
    "played": DeliveryState.READ, "failed": DeliveryState.FAILED,
}  # fmt: skip
#: Fields about the account and its templates: kept in its history, louder by the words in them.
_ABOUT_ACCOUNT = {
    "message_template_status_update", "message_template_quality_update", "message_template_components_update",
    "template_category_update", "phone_number_quality_update", "account_update", "account_alerts",
    "account_review_update", "business_capability_update", "security", "phone_number_name_update",
}  # fmt: skip
_ALARMS = {
    **dict.fromkeys(("REJECTED", "PAUSED", "DISABLED", "FLAGGED", "DOWNGRADE", "WARNING", "RED", "YELLOW"), "warning"),
    **dict.fromkeys(("ACCOUNT_VIOLATION", "ACCOUNT_RESTRICTION", "DISABLED_UPDATE", "ACCOUNT_DELETED"), "error"),
    **dict.fromkeys(("CRITICAL", "ACCOUNT_OFFBOARDED", "PARTNER_REMOVED"), "error"),
}
_IGNORED = {
    "history", "smb_app_state_sync", "calls", "payment_configuration_update", "automatic_events", "partner_solutions",
    "business_username_update",
}  # fmt: skip
#: Notes of the system without effect → why.
_WHY_NOT = {
    "customer_identity_changed": "a new security code; identity checks are not used",
    "user_changed_user_id": "the old id is told in words only; the field user_id_update has both",
}

#: What reading a value raises that is not as it should be.
_MISFIT = (LookupError, TypeError, ValueError, AttributeError)


class _Body(msgspec.Struct):
    entry: list[Any]
    object: Any = None


class _Change(msgspec.Struct, frozen=True):
    field: str
    value: Json
    #: Of the entry: for the key of what has no id and no time of its own.
    time: Any


_DECODER = msgspec.json.Decoder(_Body)


def items_of(body: bytes, *, number: str | None = None, waba: str | None = None) -> list[contract.Item]:
    """Return the items of all entries and changes; what is about other numbers is told once and left out.

    BodyUnreadable when there is no list of entries.
    """
    try:
        payload: _Body = contract.read_json(body, _DECODER)
    except (ValueError, RecursionError) as error:
        raise BodyUnreadable(f"This body is no WhatsApp webhook: {type(error).__name__}") from error
    if payload.object != "whatsapp_business_account":
        return [_unknown("object", {"object": payload.object, "entry": payload.entry})]
    return [item for entry in payload.entry for item in _of_entry(entry, number, waba)]


def _of_entry(entry: Any, number: str | None, waba: str | None) -> Iterator[contract.Item]:
    changes = entry.get("changes") if isinstance(entry, dict) else None
    if not isinstance(changes, list):
        yield _unknown("entry", entry)
        return
    for change in changes:
        try:
            found = _Change("" + change["field"], {**change["value"]}, entry.get("time"))
            stranger = _stranger(found.value, entry, number, waba)
        except _MISFIT:
            yield _unknown("change", change)
            continue
        yield from [stranger] if stranger else _of_change(found)


def _stranger(value: Json, entry: Json, number: str | None, waba: str | None) -> contract.Item | None:
    """Return a notice about what belongs to another account, one for all that concerns one other number."""
    about = value.get("metadata", {}).get("phone_number_id")
    if about is None and waba is not None and entry.get("id") not in {None, waba}:
        return contract.Ignored(dedupe_key=_digest([entry["id"], value]), reason="about another WhatsApp account")
    if about is None or number in {None, about}:
        return None
    words: Json = {"change": "foreign_phone_number", "severity": "error", "details": {"phone_number_id": about}}
    return contract.AccountChanged(dedupe_key=f"foreign:{about}", **words)


def _of_change(change: _Change) -> Iterator[contract.Item]:
    readers = _LISTS.get(change.field, {})
    known = [name for name in readers if change.value.get(name)]
    for name in known:
        elements = change.value[name]
        for element in elements if isinstance(elements, list) else [elements]:
            yield _item(element if isinstance(element, dict) else {"value": element}, readers[name], change)
    if not known:
        yield _bare(change)


def _bare(change: _Change) -> contract.Item:
    """Return what a change says that is no list of things."""
    common: Json = {"dedupe_key": _key(change.value, change), "platform_kind": change.field}
    if change.field in _ABOUT_ACCOUNT:
        words = [word for name, word in change.value.items() if isinstance(word, str) and "previous" not in name]
        severity = next((_ALARMS[word] for word in words if word in _ALARMS), "info")
        return contract.AccountChanged(**common, change=change.field, severity=severity, details=change.value)
    if change.field in _IGNORED or change.field.startswith("group_"):
        return contract.Ignored(**common, reason=f"{change.field} is of no use here")
    return contract.Unknown(**common, raw=change.value)


def _item(element: Json, reader: Callable[[Json, _Change], Reading], change: _Change) -> contract.Item:
    id_, kind = element.get("id"), element.get("type") or element.get("status") or change.field
    common: Json = {
        "dedupe_key": id_ if id_ and isinstance(id_, str) and reader is not _status else _key(element, change),
        "at_ms": _at(element),
        "platform_kind": kind if isinstance(kind, str) else "",
    }
    try:
        made, fields = reader(element, change)
        return msgspec.convert({**common, **fields}, made)
    except _MISFIT:
        pass
    try:
        thread = _thread(element, change) if reader is _message else {}
        return msgspec.convert({**common, **thread, "raw": element}, contract.Unknown)
    except _MISFIT:
        return contract.Unknown(**common, raw=element)


# ---------------------------------------------------------------- who


def _thread(element: Json, change: _Change, fields: tuple[str, ...] = _SENDER) -> Json:
    person = _person(element, fields, change.value.get("contacts"))
    if group := element.get("group_id"):
        return {"thread_key": group, "contact": {"external_id": group, "kind": "group"}, "member": person}
    return {"thread_key": person["external_id"], "contact": person}


def _person(element: Json, fields: tuple[str, ...], contacts: Any) -> Json:
    """Return a person: the phone first where it is told, else the BSUID, and the other ids as aliases."""
    own = [element.get(field) for field in fields]
    cards = [card for card in contacts if isinstance(card, dict)] if isinstance(contacts, list) else []
    known = {*own} - {None, ""}
    card = next((one for one in cards if known & {one.get("wa_id"), one.get("user_id")}), {})
    pairs = zip(own, (card.get(field) for field in _PERSON), strict=True)
    first, *others = dict.fromkeys(id_ for pair in pairs for id_ in pair if id_)
    profile = card.get("profile") or {}
    name = profile.get("name") or profile.get("username")
    return {"external_id": first, "aliases": others, "name": name if isinstance(name, str) else None}


def _linked(new: list[Any], old: list[Any]) -> Reading:
    """Return that two sets of ids are one person; LookupError where there are no two."""
    now, before = [id_ for id_ in new if id_], [id_ for id_ in old if id_ and id_ not in new]
    contact = {"external_id": now[0], "aliases": now[1:]}
    return contract.IdentityLinked, {"contact": contact, "other": {"external_id": before[0], "aliases": before[1:]}}


# ---------------------------------------------------------------- messages


def _message(message: Json, change: _Change) -> Reading:
    if message["type"] == "system":
        return _system(message)
    thread = _thread(message, change)
    if message["type"] in _ACTS:
        made, fields = _ACTS[message["type"]](message)
        return made, {**thread, **fields}
    return contract.MessageReceived, {**thread, **said(message), "read_token": message["id"]}


def _reaction(message: Json) -> Reading:
    """A reaction that is taken back has no emoji, or an empty one."""
    about = message["reaction"]
    return contract.Reacted, {"external_id": about["message_id"], "emoji": about.get("emoji") or None}


def _edit(message: Json) -> Reading:
    id_, new = message["edit"]["original_message_id"], message["edit"]["message"]
    return contract.MessageEdited, {"external_id": id_, "content": CONTENT[new["type"]](new)}


def _revoke(message: Json) -> Reading:
    return contract.MessageRecalled, {"external_id": message["revoke"]["original_message_id"]}


_ACTS: dict[str, Callable[[Json], Reading]] = {"reaction": _reaction, "edit": _edit, "revoke": _revoke}


def _system(message: Json) -> Reading:
    """Ids move: `from` is the old number, what is new stands in `system`. An older name of it is an alias."""
    about = message["system"]
    kind = about["type"].replace("customer_changed_number", "user_changed_number")
    old, new = [message.get(field) for field in _SENDER], [about.get(field) for field in _PERSON]
    if kind in {"user_changed_number", "user_changed_user_id"} and any(id_ and id_ not in new for id_ in old):
        return _linked(new, old)
    if kind == "user_changed_user_id" and about.get("wa_id"):
        return _linked([about["user_id"]], [about["wa_id"]])
    return contract.Ignored, {"reason": _WHY_NOT[kind]}


def _echo(message: Json, change: _Change) -> Reading:
    """What our staff did in WhatsApp's own app."""
    thread, kind = _thread(message, change, _RECEIVER), message["type"]
    if kind == "reaction":
        return contract.Ignored, {"reason": "a reaction of our own staff"}
    if kind in _ACTS:
        made, fields = _ACTS[kind](message)
        return made, {**thread, **fields, "by_staff": True}
    if kind not in CONTENT:
        unknown = {"type": "unsupported", "platform_kind": kind, "raw": message}
        return contract.EchoReceived, {**thread, "external_id": message["id"], "content": unknown}
    return contract.EchoReceived, {**thread, **said(message)}


# ---------------------------------------------------------------- everything else


def _status(status: Json, _change: _Change) -> Reading:
    state = _STATES.get(status["status"])
    person = status.get("recipient_participant_id") or status.get("recipient_participant_user_id")
    key = {"dedupe_key": ":".join(filter(None, (status["id"], status["status"], person)))}
    if state is None:
        return contract.Ignored, {**key, "reason": "a status that says nothing about the delivery"}
    if person and state is DeliveryState.FAILED:
        return contract.Ignored, {**key, "reason": "one member of a group is not reached; the others may be"}
    errors = status.get("errors") if state is DeliveryState.FAILED else None
    why = {"answer": answer_of(errors[0]), "window_code": window_code_of(errors[0])} if errors else {}
    found = {"external_id": status["id"], "correlation": status.get("biz_opaque_callback_data")}
    return contract.ReceiptReceived, {**key, **found, **why, "state": state}


def _error(error: Json, _change: _Change) -> Reading:
    severity, words = "error" if is_trouble_of_account(error) else "warning", answer_of(error).text
    return contract.AccountChanged, {"change": words or "error", "severity": severity, "details": error}


def _preference(element: Json, change: _Change) -> Reading:
    details = {name: element[name] for name in ("category", "value", "detail") if name in element}
    return contract.ContactActed, {**_thread(element, change, _PERSON), "act": Act.CONSENT, "details": details}


def _id_update(element: Json, _change: _Change) -> Reading:
    """A BSUID was made anew; the person may be known by the old one, or by the phone alone."""
    ids, parents = element["user_id"], element.get("parent_user_id") or {}
    old = [ids["previous"], element.get("wa_id"), parents.get("previous")]
    return _linked([ids["current"], parents.get("current")], old)


def _call(call: Json, change: _Change) -> Reading:
    """A customer's call opens the window like a message; nothing else of calls is of use here."""
    if call.get("direction") != "USER_INITIATED" or call.get("event") != "connect":
        return contract.Ignored, {"reason": "calls are not taken here", "dedupe_key": _key(call, change)}
    return contract.ContactActed, {**_thread(call, change), "act": Act.CALL}


#: Field → lists in its value → how one element is read.
_LISTS: dict[str, dict[str, Callable[[Json, _Change], Reading]]] = {
    "messages": {"messages": _message, "statuses": _status, "errors": _error},
    "smb_message_echoes": {"message_echoes": _echo},
    "user_preferences": {"user_preferences": _preference},
    "user_id_update": {"user_id_update": _id_update},
    "calls": {"calls": _call},
}


def _unknown(kind: str, raw: Any) -> contract.Item:
    found = raw if isinstance(raw, dict) else {"value": raw}
    return contract.Unknown(dedupe_key=_digest([kind, raw]), platform_kind=kind, raw=found)


def _at(element: Json) -> int:
    """The platform writes seconds as a string, in some fields as a number."""
    text = str(element.get("timestamp"))
    return int(text) * 1000 if text.isascii() and text.isdecimal() and len(text) <= 11 else 0


def _key(element: Json, change: _Change) -> str:
    """Return the key of what has no id: all of it, the number that it is about, and a time, its own or the entry's."""
    metadata, time = change.value.get("metadata"), None if "timestamp" in element else change.time
    return _digest([change.field, metadata, element, time])


def _digest(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()
