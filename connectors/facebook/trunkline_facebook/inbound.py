"""Webhook bodies → items, by tables. What does not fit the types of an item becomes `Unknown`, alone.

Source: https://developers.facebook.com/docs/messenger-platform/reference/webhook-events (read 2026-11-22)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import msgspec

from trunkline import contract
from trunkline.contract import Act, Item
from trunkline.errors import BodyUnreadable
from trunkline.model import DeliveryState
from trunkline_facebook.contents import contents_of, order_of

Json = dict[str, Any]
#: An item's class and the fields that are its own.
Reading = tuple[type[Item], Json]

#: Somebody who ticked a checkbox on a web page: no person yet, until they write.
USER_REF = "user_ref:"
#: An unsend names the message only, not how many files it had.
_PARTS_TAKEN_BACK = 10
#: Numbers below are seconds, others milliseconds.
_SECONDS = 10**11
#: What the core allows between a watermark of the platform and our own clock.
_SLACK_MS = 2000
#: What reading a value raises that is not as it should be.
_MISFIT = (LookupError, TypeError, ValueError, AttributeError, OverflowError)
_FEEDBACK = {"Good response": "👍", "Bad response": "👎"}
_SEVERITY = {"block": "error", "warning": "warning"}


class Ours(msgspec.Struct, frozen=True):
    """Which account reads."""

    #: "page" or "instagram".
    object: str
    ids: frozenset[str]
    app_id: str | None = None


class Scene(msgspec.Struct, frozen=True):
    """One event and where it stood."""

    event: Json
    ours: Ours
    entry_id: str = ""
    entry_ms: int = 0
    #: True when another app holds the conversation.
    standby: bool = False
    #: The event's kind: the key beside sender, recipient and timestamp.
    kind: str = ""

    @property
    def about(self) -> Json:
        """What stands under that key."""
        return cast("Json", self.event[self.kind])

    @property
    def is_echo(self) -> bool:
        message = self.event.get("message")
        return isinstance(message, dict) and message.get("is_echo") is True

    @property
    def person(self) -> Json | None:
        """The customer: of an echo the one who gets it, of a checkbox on a web page nobody but its reference."""
        found = self.event.get("recipient" if self.is_echo else "sender", self.event.get("optin"))
        return found if isinstance(found, dict) and found.keys() & {"id", "user_ref"} else None

    @property
    def at_ms(self) -> int:
        return milliseconds(self.event.get("timestamp")) or self.entry_ms


def items_of(body: bytes, ours: Ours) -> list[Item]:
    """Return the items of all events, in order. BodyUnreadable when this is no webhook of the platform."""
    payload = _decoded(body)
    if isinstance(payload.get("entry"), list):
        return [item for entry in payload["entry"] for item in _entry(payload.get("object"), entry, ours)]
    if "field" in payload and "value" in payload:
        return [contract.Ignored(dedupe_key=_digest(payload), reason="a test of the app's dashboard")]
    raise BodyUnreadable("This body is no webhook of Messenger or Instagram: it has no entries.")


def _decoded(body: bytes) -> Json:
    try:
        payload = contract.read_json(body)
    except (ValueError, RecursionError) as error:
        raise BodyUnreadable(f"This body is no webhook: {type(error).__name__}") from error
    if not isinstance(payload, dict):
        raise BodyUnreadable("This body is no webhook: it is no object.")
    return payload


def _entry(kind: Any, entry: Any, ours: Ours) -> Iterator[Item]:
    if not isinstance(entry, dict):
        yield contract.Unknown(dedupe_key=_digest(entry), raw={"entry": entry})
        return
    if kind != ours.object:
        yield _foreign(str(kind), entry)
        return
    about: Any = {"entry_id": str(entry.get("id", "")), "entry_ms": milliseconds(entry.get("time"))}
    for name in ("messaging", "standby"):
        for event in _listed(entry.get(name)):
            named = event if isinstance(event, dict) else {"event": event}
            yield from _event(Scene(named, ours, **about, standby=name == "standby"))
    if "changes" in entry:
        yield _ignored(entry)
    elif not entry.keys() & {"messaging", "standby"}:
        yield contract.Unknown(dedupe_key=_digest(entry), raw=entry)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _ignored(entry: Json) -> Item:
    return contract.Ignored(dedupe_key=_digest(entry), reason="about the Page's feed or a test, no conversation")


def _foreign(where: str, event: Json) -> Item:
    fixed: Any = {"change": "foreign_destination", "severity": "error", "details": {"destination": where}}
    return contract.AccountChanged(dedupe_key=_digest(event), **fixed)


def _event(scene: Scene) -> Iterable[Item]:
    if not _is_ours(scene):
        return [_foreign(scene.entry_id, scene.event)]
    try:
        scene = msgspec.structs.replace(scene, kind=next(key for key in _READERS if key in scene.event))
        common = _common(scene)
        return [_made(scene, common, reading, at) for at, reading in enumerate(_READERS[scene.kind](scene))]
    except (*_MISFIT, StopIteration):
        return [_unknown(scene)]


def _is_ours(scene: Scene) -> bool:
    """Route by the entry; on Instagram some samples have the customer's id there, and a party of the event tells."""
    parties = {_party(scene.event.get(side)) for side in ("sender", "recipient")}
    sides = parties if scene.ours.object == "instagram" else set()
    return bool({scene.entry_id, *sides} & scene.ours.ids)


def _made(scene: Scene, common: Json, reading: Reading, at: int) -> Item:
    """Return an item. Only the first of several has the event's key as it is."""
    kind, fields = reading
    key = fields.get("dedupe_key") or _digest(scene.event)
    return msgspec.convert({**common, **fields, "dedupe_key": f"{key}#{at}" if at else key}, kind)


def _unknown(scene: Scene) -> Item:
    kinds = [str(key) for key in scene.event if key not in {"sender", "recipient", "timestamp"}]
    fixed: Any = {"raw": scene.event, "platform_kind": kinds[0] if kinds else "", "at_ms": scene.at_ms}
    fixed["dedupe_key"] = _digest(scene.event)
    try:
        return msgspec.convert({**_common(scene), **fixed}, contract.Unknown)
    except _MISFIT:
        return contract.Unknown(**fixed)


def _common(scene: Scene) -> Json:
    """Return the fields that items share; those of the thread only for events that have a person."""
    common: Json = {"at_ms": scene.at_ms, "platform_kind": scene.kind, "may_reply": not scene.standby}
    if (person := scene.person) is None:
        return common
    address = _address(person)
    return {**common, "thread_key": address, "contact": {"external_id": address, "aliases": _aliases(scene.event)}}


def _address(person: Json) -> str:
    return text_id(person["id"]) if "id" in person else USER_REF + text_id(person["user_ref"])


def _aliases(event: Json) -> list[str]:
    """Return who this person was before they wrote."""
    prior = event.get("prior_message")
    if isinstance(prior, dict) and prior.get("source") == "checkbox_plugin" and "identifier" in prior:
        return [USER_REF + text_id(prior["identifier"])]
    return []


def _party(side: Any) -> str:
    return str(side.get("id", "")) if isinstance(side, dict) else ""


# ---------------------------------------------------------------- messages


def _message(scene: Scene) -> Iterator[Reading]:
    message, mid = scene.about, text_id(scene.about["mid"])
    if message.get("is_deleted"):
        yield from _recalled(mid)
        return
    contents, kind = contents_of(message), contract.EchoReceived if scene.is_echo else contract.MessageReceived
    fields = {"dedupe_key": f"message:{mid}", "album": mid if len(contents) > 1 else None, **_context(message)}
    if isinstance(message.get("metadata"), str):
        # Nobody else knows the ids of our deliveries, so that the app need not be asked for.
        fields["correlation"] = message["metadata"]
    for at, content in enumerate(contents):
        yield kind, {**fields, "external_id": part_id(mid, at), "content": content}


def _context(message: Json) -> Json:
    """Return what a message answers, and where it came from."""
    replied = message.get("reply_to")
    replied = replied if isinstance(replied, dict) else {}
    origin = {"source": "STORY", "story": replied["story"]} if "story" in replied else message.get("referral")
    quotes = text_id(replied["mid"]) if "mid" in replied else None
    return {"quotes": quotes, "referral": origin if isinstance(origin, dict) else None}


def _recalled(mid: str) -> Iterator[Reading]:
    for at in range(_PARTS_TAKEN_BACK):
        yield contract.MessageRecalled, {"dedupe_key": f"deleted:{mid}", "external_id": part_id(mid, at)}


def _edit(scene: Scene) -> Iterator[Reading]:
    mid, number = text_id(scene.about["mid"]), int(scene.about.get("num_edit", 1))
    fields = {"external_id": mid, "content": {"type": "text", "text": scene.about["text"]}}
    if number == 0:  # seen on Instagram: it stands for the message itself
        yield contract.MessageReceived, {**fields, "dedupe_key": f"message:{mid}"}
    else:
        yield contract.MessageEdited, {**fields, "dedupe_key": f"edit:{mid}:{number}"}


def _postback(scene: Scene) -> Iterator[Reading]:
    """A press has no payload while another app holds the conversation, and in old versions no id."""
    mid, title = scene.about.get("mid"), scene.about.get("title")
    own = {"dedupe_key": f"message:{mid}", "external_id": text_id(mid)} if mid is not None else {}
    choice = {"type": "choice", "data": scene.about.get("payload") or title or "", "title": title}
    fields = {"external_id": f"postback:{_digest(scene.event)}", "content": choice, "act": Act.CLICK, **own}
    yield contract.MessageReceived, {**fields, "referral": scene.about.get("referral")}


def _order(scene: Scene) -> Iterator[Reading]:
    fields = {"external_id": f"order:{_digest(scene.event)}", "content": order_of(scene.about), "act": Act.CLICK}
    yield contract.MessageReceived, fields


# ---------------------------------------------------------------- what became of messages


def _reaction(scene: Scene) -> Iterator[Reading]:
    about, mid, action = scene.about, text_id(scene.about["mid"]), scene.about["action"]
    emoji = (about.get("emoji") or about.get("reaction") or "?") if action == "react" else None
    key = _digest([mid, _party(scene.event.get("sender")), action, emoji, scene.event.get("timestamp")])
    yield contract.Reacted, {"dedupe_key": f"reaction:{key}", "external_id": mid, "emoji": emoji}


def _feedback(scene: Scene) -> Iterator[Reading]:
    words = scene.about["feedback"]
    yield contract.Reacted, {"external_id": text_id(scene.about["mid"]), "emoji": _FEEDBACK.get(words, words)}


def _receipt(state: DeliveryState) -> Callable[[Scene], Iterator[Reading]]:
    """Return a reader of receipts: about single messages, and about all up to a time."""

    def read(scene: Scene) -> Iterator[Reading]:
        about = scene.about
        mids = [*_listed(about.get("mids")), *([about["mid"]] if "mid" in about else [])]
        for mid in mids:
            yield contract.ReceiptReceived, {"state": state, "external_id": text_id(mid), "thread_key": None}
        # Instagram names the message that was read; those before it are read too.
        watermark = scene.at_ms - _SLACK_MS if "mid" in about else milliseconds(about.get("watermark"))
        if watermark > 0:
            yield contract.ReceiptReceived, {"state": state, "watermark_ms": watermark}
        elif not mids:
            raise ValueError("a receipt is about messages or has a watermark")

    return read


# ---------------------------------------------------------------- acts, and who holds a conversation


def _acted(act: Act, *secrets: str) -> Callable[[Scene], Iterator[Reading]]:
    """Return a reader of an act; credentials among its details are left out."""

    def read(scene: Scene) -> Iterator[Reading]:
        details = {name: value for name, value in scene.about.items() if name not in secrets}
        yield contract.ContactActed, {"act": act, "details": details}

    return read


def _linked(scene: Scene) -> Iterator[Reading]:
    if scene.about["status"] == "linked":
        yield contract.IdentityLinked, {"verified_as": scene.about["authorization_code"]}
    else:
        yield contract.ContactActed, {"act": Act.LINK, "details": scene.about}


def _control(scene: Scene) -> Iterator[Reading]:
    """A handover. Ids of apps may be null, text or numbers."""
    details: Json = {name: None if value is None else str(value) for name, value in scene.about.items()}
    details["thread_key"] = _address(scene.person or {})
    if scene.ours.app_id is not None and "new_owner_app_id" in details:
        details["ours"] = details["new_owner_app_id"] == scene.ours.app_id
    yield _notice(scene.kind, details)


def _policy(scene: Scene) -> Iterator[Reading]:
    action = str(scene.about["action"])
    yield _notice(f"policy_{action}", {"reason": scene.about.get("reason")}, _SEVERITY.get(action, "info"))


def _notice(change: str, details: Json, severity: str = "info") -> Reading:
    return contract.AccountChanged, {"change": change, "severity": severity, "details": details}


#: The key that stands beside sender, recipient and timestamp → what reads it. The first that is there counts.
_READERS: dict[str, Callable[[Scene], Iterable[Reading]]] = {
    "message": _message,
    "message_edit": _edit,
    "reaction": _reaction,
    "delivery": _receipt(DeliveryState.DELIVERED),
    "read": _receipt(DeliveryState.READ),
    "postback": _postback,
    "referral": _acted(Act.REFERRAL),
    "optin": _acted(Act.CONSENT, "notification_messages_token"),
    **dict.fromkeys(("pass_thread_control", "take_thread_control", "request_thread_control"), _control),
    "app_roles": lambda scene: [_notice("app_roles", scene.about)],
    "account_linking": _linked,
    **dict.fromkeys(("policy_enforcement", "policy-enforcement"), _policy),
    "response_feedback": _feedback,
    "order": _order,
    **dict.fromkeys(
        ("messaging_feedback", "game_play", "payment", "checkout_update", "pre_checkout"),
        lambda _: [(contract.Ignored, {"reason": "a kind of event that is old or rare, and no message"})],
    ),
}


# ---------------------------------------------------------------- words of the platform


def part_id(mid: str, at: int) -> str:
    """Return our name for one of several contents of one message; the first has the platform's."""
    return f"{mid}#{at}" if at else mid


def text_id(value: Any) -> str:
    """Return an id as text: samples and echoes also have numbers. TypeError for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise TypeError("an id is text or a number")
    return str(value)


def milliseconds(value: Any) -> int:
    """Return a time in ms, 0 if there is none: numbers may be text, and small ones are seconds."""
    try:
        number = 0 if isinstance(value, bool) or value is None else int(value)
    except _MISFIT:
        return 0
    number *= 1000 if number < _SECONDS else 1
    return number if 0 <= number < 1 << 53 else 0


def _digest(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()
