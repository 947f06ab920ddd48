"""Connectors that trust the wrong request, or read it wrongly."""

from __future__ import annotations

import hmac
import itertools
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, SecretStr

from tests.conformance.bay import BayConnector, Config, sign
from tests.conformance.mutants.making import Mutant, by_names, replaced, spec, works
from trunkline.contract import (
    ContactActed,
    Item,
    MessageReceived,
    OneOrMany,
    ReplyCredential,
    ThreadItem,
    TrustedBody,
    Unknown,
    WebhookReply,
    WebhookRequest,
)
from trunkline.errors import BodyUnreadable, SignatureInvalid
from trunkline.model import Address, Choice, ContentKind, Text, content_kind

_Methods = Mapping[str, Any]


def _trusting(when: Callable[[Any, WebhookRequest], bool]) -> _Methods:
    """Return an `authenticate` that trusts more than it should."""

    def authenticate(self: Any, request: WebhookRequest) -> TrustedBody:
        return TrustedBody(request.body) if when(self, request) else BayConnector.authenticate(self, request)

    return {"authenticate": authenticate}


def _signed(proof: Callable[[Any, str, str, bytes], bool]) -> _Methods:
    return {"signed": proof}


def _key(self: Any) -> str:
    return str(self._config.secret[0].get_secret_value())


def _refuses(_self: Any, _request: WebhookRequest) -> TrustedBody:
    raise SignatureInvalid


def _raising(self: Any, given: str, time_s: str, body: bytes) -> bool:
    return hmac.compare_digest(given, sign(_key(self), time_s, body))


def _early_comparison(self: Any, given: str, time_s: str, body: bytes) -> bool:
    return hmac.compare_digest(given[:60].encode(errors="replace"), sign(_key(self), time_s, body)[:60].encode())


def _first_only(self: Any, given: str, time_s: str, body: bytes) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), sign(_key(self), time_s, body).encode())


def _looks_right(_self: Any, request: WebhookRequest) -> bool:
    return len(request.headers.get("x-bay-signature", "")) == 64


SIGNATURES = by_names({
    "signature.good": ("trusts nobody", {"authenticate": _refuses}),
    "signature.absent": ("trusts who shows nothing", _trusting(lambda _, one: "x-bay-signature" not in one.headers)),
    "signature.part_absent": ("trusts who tells no time", _trusting(lambda _, one: "x-bay-time" not in one.headers)),
    "signature.foreign": ("any signature will do", _trusting(_looks_right)),
    "signature.guessed": ("any signature will do", _trusting(_looks_right)),
    "signature.truncated": ("the body is not signed", _trusting(_looks_right)),
    "signature.changed_body": ("the body is not signed", _trusting(_looks_right)),
    "signature.changed_head": ("compares the beginning", _signed(_early_comparison)),
    "signature.odd_characters": ("compares texts", _signed(_raising)),
    "signature.empty_body": ("an empty body is trusted", _trusting(lambda _, one: not one.body)),
    "signature.replayed": ("time is not looked at", {"age_s": lambda _self, _time: 0}),
    "signature.rotated": ("the first secret only", _signed(_first_only)),
    "handshake.answered": ("answers something else", {
        "handshake": lambda _, one: WebhookReply(body=b"hello") if "check" in one.query else None}),
    "handshake.foreign": ("answers everybody", {
        "handshake": lambda _, one: WebhookReply(body=one.query["check"].encode()) if "check" in one.query else None}),
    "handshake.ordinary": ("takes all for a check", {"handshake": lambda _, one: WebhookReply(body=one.body)}),
})  # fmt: skip


class Blank(Config):
    secret: Annotated[tuple[SecretStr, ...], OneOrMany]


class Trimmed(Config):
    app_key: Annotated[SecretStr, AfterValidator(lambda value: value)]


BLANK: tuple[Mutant, ...] = (
    spec("signature.empty_secret", "takes a blank secret", config=Blank),
    spec("signature.empty_secret", "takes a blank key", config=Trimmed),
)


# ---------------------------------------------------------------- reading


def _reading(change: Callable[[Any, list[Item], bytes], Sequence[Item]]) -> _Methods:
    """Return a `parse` whose items are changed."""

    def parse(self: Any, body: TrustedBody) -> Sequence[Item]:
        return change(self, list(BayConnector.parse(self, body)), body)

    return {"parse": parse}


def each(change: Callable[[Any, Any], Item]) -> _Methods:
    """Return a `parse` each of whose items is changed."""
    return _reading(lambda self, items, _: [change(self, item) for item in items])


def _texts(change: Callable[[str], str]) -> _Methods:
    def changed(_self: Any, item: Any) -> Item:
        content = getattr(item, "content", None)
        if not isinstance(content, Text):
            return item  # type: ignore[no-any-return]  # an Item came in
        return replaced(item, content=Text(text=change(content.text)))  # type: ignore[no-any-return]  # as above

    return each(changed)


def of(kind: type[Item], **changes: Any) -> _Methods:
    def changed(self: Any, item: Any) -> Any:
        values = {name: value(self, item) if callable(value) else value for name, value in changes.items()}
        return replaced(item, **values) if isinstance(item, kind) else item

    return each(changed)


def _one_contact(_self: Any, items: list[Any], _body: bytes) -> list[Any]:
    first = next((item for item in items if isinstance(item, ThreadItem)), None)
    same = {} if first is None else {"thread_key": first.thread_key, "contact": first.contact}
    return [replaced(item, **same) if isinstance(item, ThreadItem) else item for item in items]


_numbers = itertools.count()


def _salted(self: Any, item: Item) -> str:
    return f"{id(self)}-{item.dedupe_key}"


def _by_words(_self: Any, item: Any) -> str:
    return str(item.content)


def _reads_file(_self: Any, items: list[Item], _body: bytes) -> list[Item]:
    with open(__file__, encoding="utf-8"):  # noqa: PTH123 - as somebody would
        return items


def _unknown_first(_self: Any, items: list[Item], _body: bytes) -> list[Item]:
    return [one for one in items if isinstance(one, Unknown)] or items


def _opening(self: Any, services: Any) -> None:
    BayConnector.__init__(self, services)
    with open(__file__, encoding="utf-8"):  # noqa: PTH123 - as somebody would
        pass


def _as_set(_self: Any, item: Unknown) -> dict[str, Any]:
    return {"names": set(item.raw)}


def _credential(_self: Any, item: Item) -> ReplyCredential:
    return ReplyCredential(value="r", expires_at_ms=item.at_ms + 60_000)


READING = by_names({
    "reading.text": ("shouts", _texts(str.upper)),
    "reading.written_signs": ("knows ASCII only", _texts(lambda text: text.encode("ascii", "ignore").decode())),
    "reading.people": ("one thread for all", of(ThreadItem, thread_key="all")),
    "reading.batch": ("reads the first event", _reading(lambda _, items, __: items[:1])),
    "reading.batch_of_people": ("the first one's for all", _reading(_one_contact)),
    "reading.same_keys": ("keys of this process", of(MessageReceived, dedupe_key=_salted)),
    "reading.redelivered": ("keys of this moment", of(MessageReceived, dedupe_key=lambda *_: str(uuid.uuid4()))),
    "reading.distinct": ("equal words, equal keys", of(MessageReceived, dedupe_key=_by_words)),
    "reading.disorder": ("keys by their turn", of(MessageReceived, dedupe_key=lambda *_: str(next(_numbers)))),
    "reading.unknown_kind": ("drops what it does not know",
                             _reading(lambda _, items, __: [one for one in items if not isinstance(one, Unknown)])),
    "reading.unknown_in_batch": ("keeps what it does not know", _reading(_unknown_first)),
    "reading.same_input": ("tells the time of reading",
                           of(MessageReceived, at_ms=lambda self, _: self._services.clock.now_ms())),
    "reading.no_io": ("reads a file", _reading(_reads_file)),
    "reading.acknowledged": ("answers 500", {"acknowledge": lambda *_: WebhookReply(status=500)}),
    "reading.build": ("reads a file", {"__init__": _opening}),
    "reading.complete": ("no id", of(MessageReceived, external_id="")),
    "reading.times": ("seconds", of(MessageReceived, at_ms=lambda _, item: item.at_ms // 1000)),
    "reading.named": ("no name of the kind", of(MessageReceived, platform_kind="")),
    "reading.storable": ("a set", of(Unknown, raw=_as_set)),
    "reading.credentials": ("credentials that nobody declared", of(MessageReceived, reply=_credential)),
    "reading.coming_and_going": ("nobody ever leaves", of(ContactActed, reachable=None)),
})  # fmt: skip
CLOCK = works(
    "reading.no_io", "reads the clock", **_reading(lambda self, items, _: items * bool(self._services.clock.now_ms()))
)


# ---------------------------------------------------------------- hostile bodies


def _lenient(self: Any, body: TrustedBody) -> Sequence[Item]:
    try:
        return BayConnector.parse(self, body)
    except BodyUnreadable:
        return []


def _raw_json(self: Any, body: TrustedBody) -> Sequence[Item]:
    value = json.loads(body)
    return [BayConnector.item(self, event) for event in value.get("events", ())]


def _deep_json(self: Any, body: TrustedBody) -> Sequence[Item]:
    try:
        json.loads(body)
    except ValueError as error:
        raise BodyUnreadable from error
    return BayConnector.parse(self, body)


def _utf8(self: Any, body: TrustedBody) -> Sequence[Item]:
    body.decode("utf-8")
    return BayConnector.parse(self, body)


def _bold(_self: Any, event: Any) -> Item:
    """Return a message without looking twice."""
    return MessageReceived(
        dedupe_key=event["id"], platform_kind=event["kind"], thread_key=event["chat"],
        contact=Address(external_id=event["chat"]), external_id=event["message"],
        content=Text(text=event["content"]["text"]), at_ms=event["at"],
    )  # fmt: skip


def _all_or_nothing(self: Any, event: Any) -> Item:
    item = BayConnector.item(self, event)
    if isinstance(item, Unknown) and item.platform_kind != "telepathy":
        raise BodyUnreadable("A bad event.")
    return item


def _strict(self: Any, event: Any) -> Item:
    if isinstance(event, dict) and "zz_new_field" in event:
        return Unknown(dedupe_key="strict", raw=event)
    return BayConnector.item(self, event)


def _blank_text(self: Any, event: Any) -> Item:
    if not event["content"]["text"].strip():
        raise ValueError("blank")
    return BayConnector.item(self, event)


HOSTILE = by_names({
    "hostile.truncated": ("half a body is an empty one", {"parse": _lenient}),
    "hostile.garbage": ("lets out what JSON says", {"parse": _raw_json}),
    "hostile.not_utf8": ("lets out what decoding says", {"parse": _utf8}),
    "hostile.huge_text": ("cuts at a thousand", _texts(lambda text: text[:1000])),
    "hostile.deep_nesting": ("recurs", {"parse": _deep_json}),
    "hostile.wrong_types": ("does not look twice", {"item": _bold}),
    "hostile.missing_fields": ("does not look twice", {"item": _bold}),
    "hostile.poisoned": ("all or nothing", {"item": _all_or_nothing}),
    "hostile.unknown_fields": ("takes no new fields", {"item": _strict}),
    "hostile.blank_text": ("a blank is no text", {"item": _blank_text}),
})  # fmt: skip


# ---------------------------------------------------------------- kinds


def _losing(kind: ContentKind) -> _Methods:
    """Return a `parse` that does not know one kind of content."""

    def changed(_self: Any, item: Any) -> Any:
        if isinstance(item, MessageReceived) and content_kind(item.content) is kind:
            return Unknown(dedupe_key=item.dedupe_key, platform_kind="message", raw={"lost": kind.value})
        return item

    return each(changed)


_INWARD = [kind for kind in ContentKind if kind not in {ContentKind.TEMPLATE, ContentKind.UNSUPPORTED}]
KINDS = tuple(works(f"receives.{kind}", "does not read it", **_losing(kind)) for kind in _INWARD)
PRESSED = works(
    "sending.pressed",
    "loses what was pressed",
    **each(
        lambda _, item: (
            replaced(item, content=Choice(data="?")) if isinstance(getattr(item, "content", None), Choice) else item
        )
    ),
)
