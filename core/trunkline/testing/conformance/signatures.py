"""Checks of who sent a request: what is not proved is not read."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from multidict import CIMultiDict

from trunkline.contract import Connector, TrustedBody, WebhookRequest
from trunkline.errors import RequestRefused
from trunkline.testing.conformance.checks import Check, Subject, Topic, need
from trunkline.testing.conformance.door import normal
from trunkline.testing.conformance.stage import Stage, simulator_of
from trunkline.testing.conformance.strangers import foreign, secret_names, with_secret

__all__ = ["SIGNATURES"]

_replaced = msgspec.structs.replace
#: Headers that say how, not who.
_PLAIN = {"content-type", "content-length", "host", "accept", "accept-encoding", "user-agent", "connection"}


async def _request(stage: Stage) -> WebhookRequest:
    """Return a request as the simulated platform really sent it."""
    await stage.write(stage.add_customer())
    need(stage.door.requests, "a customer wrote, and no webhook was sent")
    return stage.door.requests[-1]


def _trusted(connector: Connector, request: WebhookRequest) -> TrustedBody | None:
    """Return the body that the connector trusts, None where it refuses."""
    try:
        return connector.authenticate(request)
    except RequestRefused:
        return None


def _nothing_gained(connector: Connector, request: WebhookRequest, forged: WebhookRequest, what: str) -> bool:
    """Whether a forged request was refused; Broken if anything else than the real body was trusted."""
    body = _trusted(connector, forged)
    need(body is None or body == connector.authenticate(request), f"{what} was trusted")
    return body is None


async def good(stage: Stage) -> None:
    request = await _request(stage)
    body = stage.connector.authenticate(request)
    again = stage.connector.authenticate(normal(stage.simulator.webhook(bytes(body))))
    need(again == body, "authenticate(simulator.webhook(body)) is not the body")


async def absent(stage: Stage) -> None:
    request = await _request(stage)
    headers = {name: value for name, value in request.headers.items() if name.lower() in _PLAIN}
    bare = _replaced(request, headers=CIMultiDict(headers), query={})
    need(_trusted(stage.connector, bare) is None, "a request without any proof was trusted")


async def each_absent(stage: Stage) -> None:
    request = await _request(stage)
    garbled = dict(_garbled(request, _other))
    refused = []
    for what, bare in _without(request):
        refused.append(_nothing_gained(stage.connector, request, bare, f"a request without the {what}"))
        matters = _nothing_gained(stage.connector, request, garbled[what], f"a request with another {what}")
        need(refused[-1] or not matters, f"the {what} must be right, and a request without it is trusted")
    need(any(refused), "no header and no parameter of the request proves anything")


def _without(request: WebhookRequest) -> Iterator[tuple[str, WebhookRequest]]:
    for name in request.headers:
        if name.lower() not in _PLAIN:
            left = CIMultiDict((key, value) for key, value in request.headers.items() if key != name)
            yield f"header {name}", _replaced(request, headers=left)
    for name in request.query:
        yield f"parameter {name}", _replaced(request, query=_but(request.query, name))


def _but(query: Mapping[str, str], name: str, value: str | None = None) -> dict[str, str]:
    left = {key: one for key, one in query.items() if key != name}
    return left if value is None else {**left, name: value}


async def strangers(stage: Stage) -> None:
    request = await _request(stage)
    settings = stage.simulator.settings()
    strange = foreign(stage.subject.spec.config, settings)
    need(strange != settings, "no secret of the settings could be exchanged for another one")
    need(_trusted(stage.build(strange), request) is None, "a request signed with another secret was trusted")


async def _request_with_signed_body(stage: Stage) -> WebhookRequest:
    if not stage.simulator.signs_body:
        raise stage.not_here("proof that covers the body")
    return await _request(stage)


async def truncated(stage: Stage) -> None:
    request = await _request_with_signed_body(stage)
    body = request.body
    cuts = [body[:-1], body[: len(body) // 2], body[1:]]
    refused = [
        _nothing_gained(stage.connector, request, _replaced(request, body=cut), "a truncated body") for cut in cuts
    ]
    need(any(refused), "a truncated body was trusted")


async def changed_body(stage: Stage) -> None:
    request = await _request_with_signed_body(stage)
    body, places = request.body, range(0, len(request.body), max(1, len(request.body) // 40))
    changed = [body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] for at in places]
    changed += [body + b" ", body.replace(b"question", b"quest1on"), body + body]
    refused = [
        _nothing_gained(stage.connector, request, _replaced(request, body=one), "a changed body")
        for one in changed
        if one != body
    ]
    need(any(refused), "no change of the body was noticed")


async def changed_head(stage: Stage) -> None:
    request = await _request(stage)
    _refuses_any(stage, request, _other, "another")


def _refuses_any(stage: Stage, request: WebhookRequest, change: Callable[[str], str], what: str) -> None:
    """Whatever may not be left out may not be wrong either."""
    bare = dict(_without(request))
    for name, forged in _garbled(request, change):
        refused = _nothing_gained(stage.connector, request, forged, f"a request with {what} {name}")
        proves = _trusted(stage.connector, bare[name]) is None
        need(refused or not proves, f"a request with {what} {name} was trusted")


def _garbled(request: WebhookRequest, change: Any) -> Iterator[tuple[str, WebhookRequest]]:
    for name, value in request.headers.items():
        if name.lower() not in _PLAIN:
            others = [(key, one) for key, one in request.headers.items() if key != name]
            yield f"header {name}", _replaced(request, headers=CIMultiDict([*others, (name, change(value))]))
    for name, value in request.query.items():
        yield f"parameter {name}", _replaced(request, query=_but(request.query, name, change(value)))


def _other(value: str) -> str:
    """Return a value of the same form that is not the same."""
    return value[:-1] + ("1" if value[-1:] != "1" else "2")


async def odd_characters(stage: Stage) -> None:
    request = await _request(stage)
    for odd in ("é", "\ud83e", "", "=" * 100_000, "x\x00y"):
        for what, forged in _garbled(request, lambda _value, odd=odd: odd):
            _nothing_gained(stage.connector, request, forged, f"a request with nonsense in the {what}")


async def empty_body(stage: Stage) -> None:
    request = await _request_with_signed_body(stage)
    for method in ("POST", "GET"):
        bare = _replaced(request, method=method, body=b"")
        need(_trusted(stage.connector, bare) is None, f"an empty {method} was trusted")


async def replayed(stage: Stage) -> None:
    request, good_for = await _request(stage), stage.simulator.signed_for_s
    if good_for is None:
        stage.clock.move(7 * 86_400)
        need(
            _trusted(stage.connector, request), "an old request is refused, and simulator.signed_for_s does not say so"
        )
        raise stage.not_here("time in its proof")
    stage.clock.move(max(0, good_for - 2))
    need(_trusted(stage.connector, request), f"a request was refused {good_for - 2} s after it was signed")
    stage.clock.move(4)
    need(_trusted(stage.connector, request) is None, f"a request was trusted {good_for + 2} s after it was signed")


def empty_secret(subject: Subject) -> None:
    settings, model = _settings(subject), subject.spec.config
    names = secret_names(model, settings)
    need(names, "no setting is a secret: what proves a webhook?")
    for name in names:
        for blank in ("", "   ", [""], []):
            need(with_secret(model, settings, name, blank) is None, f"the settings take {name} = {blank!r}")


def _settings(subject: Subject) -> dict[str, Any]:
    return simulator_of(subject)().settings()


async def rotated(stage: Stage) -> None:
    request, settings, model = await _request(stage), stage.simulator.settings(), stage.subject.spec.config
    new = foreign(model, settings)
    for name in secret_names(model, settings):
        old = settings[name] if isinstance(settings[name], list | tuple) else [settings[name]]
        fresh = new[name] if isinstance(new[name], list | tuple) else [new[name]]
        both = with_secret(model, settings, name, [*fresh, *old])
        if both is not None:
            need(
                _trusted(stage.build(both), request), f"with a new and the old {name} the old one is not good any more"
            )
            return
    raise stage.not_here("settings that take two secrets")


async def early(stage: Stage) -> None:
    request, header = await _request(stage), stage.capabilities.receiving.proof_header
    alone = [name for name, forged in _without(request) if _trusted(stage.connector, forged) is None]
    headers = [what.removeprefix("header ").lower() for what in alone if what.startswith("header ")]
    if header is None:
        need(not headers, f"without the header {headers[:1]} nothing is trusted: declare it as proof_header")
        raise stage.not_here("header that proves a request")
    need(header.lower() in headers, f"a request without its proof_header {header} is trusted")


async def shaken(stage: Stage) -> None:
    challenge = stage.simulator.challenge()
    if challenge is None:
        handles = type(stage.connector).handshake is not Connector.handshake
        need(not handles, "the connector has a handshake, and the simulator no challenge that proves it")
        raise stage.not_here("handshake")
    request, wanted = challenge
    reply = stage.connector.handshake(normal(request))
    need(reply is not None, "the platform's challenge is not answered")
    assert reply is not None
    need(reply.status == 200 and reply.body == wanted, f"the challenge is answered {reply.body[:60]!r}")


async def not_shaken(stage: Stage) -> None:
    challenge = stage.simulator.challenge()
    if challenge is None:
        raise stage.not_here("handshake")
    stranger = stage.build(foreign(stage.subject.spec.config, stage.simulator.settings()))
    for connector, request in ((stranger, challenge[0]), (stage.connector, _replaced(challenge[0], query={}))):
        try:
            reply = connector.handshake(normal(request))
        except RequestRefused:
            continue
        need(reply is None or challenge[1] not in reply.body, "a stranger's challenge was answered")


async def ordinary(stage: Stage) -> None:
    request = await _request(stage)
    need(stage.connector.handshake(request) is None, "an ordinary webhook was taken for a handshake")


async def unguessable(stage: Stage) -> None:
    request = await _request(stage)
    _refuses_any(stage, request, _guess, "a guessed")


def _guess(value: str) -> str:
    """Return another value of the same length and the same kinds of characters."""
    return "".join(secrets.choice(string.hexdigits.lower()[:16]) if one.isalnum() else one for one in value)


SIGNATURES = Topic(
    "Signatures",
    (
        Check("signature.good", good, "What the platform signed is trusted, byte for byte.",
              "Everything that customers write comes through this door."),
        Check("signature.absent", absent, "A request without any proof is refused.",
              "The address is no secret: anybody may post to it."),
        Check("signature.part_absent", each_absent, "A request that lacks one part of its proof gains nothing.",
              "Half a proof is how a downgrade to an older, weaker mode begins."),
        Check("signature.foreign", strangers, "A request signed with another secret is refused.",
              "Other accounts of the platform sign with the same algorithm."),
        Check("signature.truncated", truncated, "A truncated body is never trusted.",
              "A proxy or a stranger may cut it where it means something else."),
        Check("signature.changed_body", changed_body, "No changed byte gets into what is trusted.",
              "This is what a signature is for."),
        Check("signature.changed_head", changed_head, "No changed header or parameter of the proof is taken.",
              "A comparison of beginnings, or of lengths, would take some."),
        Check("signature.odd_characters", odd_characters, "Nonsense in the proof is refused, and is no exception.",
              "hmac.compare_digest raises for characters beyond ASCII: that would be a 500, and a redelivery storm."),
        Check("signature.empty_body", empty_body, "A request without a body is no message.",
              "Scanners send them all day."),
        Check("signature.replayed", replayed,
              "An old request is refused as soon as the platform's time for it is over.",
              "Whoever recorded one could send it for ever."),
        Check("signature.empty_secret", empty_secret, "Settings with a blank secret are refused.",
              "A check against a blank key lets everybody in, and looks like one that works."),
        Check("signature.rotated", rotated, "While a secret changes the old one stays good beside the new.",
              "Otherwise every change of a secret loses messages."),
        Check("signature.early", early, "The header without which nothing is trusted is declared as proof_header.",
              "The core refuses strangers by it before it reads a byte of the body."),
        Check("handshake.answered", shaken, "The platform's check of the address is answered as it wants.",
              "Without it no webhook is ever sent."),
        Check("handshake.foreign", not_shaken, "A stranger's check of the address is not answered.",
              "It would let anybody connect their own app to this account."),
        Check("handshake.ordinary", ordinary, "An ordinary webhook is not taken for a check of the address.",
              "It would be answered and never read."),
        Check("signature.guessed", unguessable, "A guess of the right length is refused.",
              "Shape is no proof."),
    ),
)  # fmt: skip
