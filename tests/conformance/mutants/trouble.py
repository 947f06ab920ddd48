"""Connectors that cannot bear trouble, tell secrets, or have no end."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import httpx2

from tests.conformance.bay import BayConnector, object_of
from tests.conformance.mutants.making import Mutant, by_names, claims, replaced, works
from tests.conformance.mutants.reading import each, of
from trunkline.contract import (
    Accepted,
    AccessToken,
    Extra,
    Health,
    Item,
    MediaStream,
    MessageReceived,
    OutboundMessage,
    Page,
    PullRequest,
    PullRequested,
    ReceiptReceived,
    Signal,
    TrustedBody,
    Unknown,
)
from trunkline.errors import DeliveryError, RateLimited, SignInNeeded, TryLater, Undeliverable
from trunkline.model import Address, Media, Profile

_Methods = Mapping[str, Any]


def _failing(change: Callable[[Any, Exception], Exception]) -> _Methods:
    """Return a `deliver` that tells another error."""

    async def deliver(self: Any, message: OutboundMessage) -> Accepted:
        try:
            return await BayConnector.deliver(self, message)
        except (DeliveryError, httpx2.TransportError) as error:
            raise change(self, error) from error

    return {"deliver": deliver}


def _if(kind: type[Exception], new: Callable[[], Exception]) -> _Methods:
    return _failing(lambda _, error: new() if isinstance(error, kind) else error)


def _timeless(_self: Any, error: Exception) -> Exception:
    return RateLimited() if isinstance(error, RateLimited) else error


def _bare(_self: Any, error: Exception) -> Exception:
    if isinstance(error, DeliveryError):
        error.answer = None
    return error


async def _new_key(self: Any, message: OutboundMessage) -> Accepted:
    return await BayConnector.deliver(self, replaced(message, key=str(uuid.uuid4())))


async def _jammed(self: Any, message: OutboundMessage) -> Accepted:
    """Believe to be busy for ever when a send was given up."""
    if getattr(self, "busy", False):
        raise TryLater
    self.busy = True
    accepted = await BayConnector.deliver(self, message)
    self.busy = False
    return accepted


async def _bold(self: Any, message: OutboundMessage) -> Accepted:
    response = await self.call("POST", "/send", json=self.body(message))
    return Accepted(evidence=response.json()["ids"][0])


async def _hurried(self: Any, message: OutboundMessage) -> Accepted:
    async with asyncio.timeout(0.008):
        return await BayConnector.deliver(self, message)


async def _resentful(self: Any, message: OutboundMessage) -> Accepted:
    if getattr(self, "hurt", 0) >= 3:
        raise TryLater
    try:
        return await BayConnector.deliver(self, message)
    except (DeliveryError, httpx2.TransportError):
        self.hurt = getattr(self, "hurt", 0) + 1
        raise


async def _listening(self: Any, method: str, path: str, **more: Any) -> httpx2.Response:
    """Call, and remember the time that was asked for."""
    token = await self._services.tokens.get(self.renew)
    headers = {"Authorization": f"Bearer {token}"}
    client: httpx2.AsyncClient = self._services.http
    response = await client.request(method, self._config.api_base + path, headers=headers, **more)
    if response.status_code == 429:
        raise RateLimited(after_s=float(int(response.headers.get("retry-after", "0"))))
    if not response.is_success:
        raise TryLater
    return response


FAILURES = by_names({
    "failures.limited_with_time": ("forgets the time", _failing(_timeless)),
    "failures.limited_without_time": ("gives up", _if(RateLimited, Undeliverable)),
    "failures.limited_odd_time": ("takes it for a number", {"call": _listening}),
    "failures.server_error": ("gives up", _if(TryLater, Undeliverable)),
    "failures.refused": ("gives up", _if(httpx2.ConnectError, Undeliverable)),
    "failures.lost_before": ("gives up", _if(httpx2.TransportError, Undeliverable)),
    "failures.lost_after": ("a new key each time", {"deliver": _new_key}),
    "failures.cut": ("a new key each time", {"deliver": _new_key}),
    "failures.silent": ("is jammed", {"deliver": _jammed}),
    "failures.slow": ("has no patience", {"deliver": _hurried}),
    "failures.nonsense": ("believes every yes", {"deliver": _bold}),
    "failures.twisted": ("believes every yes", {"deliver": _bold}),
    "failures.unknown_code": ("knows all codes", _failing(lambda _, error: dict[str, Exception]()[str(error)])),
    "failures.evidence": ("forgets what was said", _failing(_bare)),
    "failures.signed_out": ("calls it undeliverable", _if(SignInNeeded, Undeliverable)),
    "failures.recovered": ("bears a grudge", {"deliver": _resentful}),
})  # fmt: skip
UNKEYED: tuple[Mutant, ...] = (
    works("failures.lost_after", "nothing comes back", "cove", **of(ReceiptReceived, correlation=None)),
    works("failures.cut", "nothing comes back", "cove", **of(ReceiptReceived, correlation=None)),
    works("failures.lost_before", "later, without a key", "cove", **_if(httpx2.TransportError, TryLater)),
)
FAILURES = (*FAILURES, *UNKEYED)


# ---------------------------------------------------------------- tokens


def _calling(
    refused: Callable[[Any, str], None], *, tries: int = 2, name: Callable[[], str] = lambda: "access"
) -> _Methods:
    """Return a `call` that treats a refused token in another way."""

    async def call(self: Any, method: str, path: str, **more: Any) -> httpx2.Response:
        client: httpx2.AsyncClient = self._services.http
        for _ in range(tries):
            token = await self._services.tokens.get(self.renew, name=name())
            headers = {"Authorization": f"Bearer {token}"}
            response = await client.request(method, self._config.api_base + path, headers=headers, **more)
            if response.status_code != 401:
                break
            refused(self, token)
        if not response.is_success:
            raise SignInNeeded
        return response

    return {"call": call}


def _forget_all(self: Any, _token: str) -> None:
    self._services.tokens._kept.clear()


async def _for_ever(self: Any) -> AccessToken:
    token = await BayConnector.renew(self)
    return replaced(token, expires_at_ms=1 << 50)


async def _believing(self: Any) -> AccessToken:
    key = self._config.app_key.get_secret_value()
    response = await self._services.http.post(f"{self._config.api_base}/token", json={"key": key})
    if response.status_code == 401:
        raise SignInNeeded
    return AccessToken(value=response.json()["token"], expires_at_ms=self._services.clock.now_ms() + 1000)


TOKENS = by_names({
    "tokens.expired": ("never asks again", _calling(lambda *_: None)),
    "tokens.crowd": ("forgets the new one, too", _calling(_forget_all, tries=9)),
    "tokens.fresh": ("one for each", _calling(_forget_all, name=lambda: str(uuid.uuid4()))),
    "tokens.by_time": ("good for ever", {"renew": _for_ever, **_calling(lambda *_: None)}),
    "tokens.nonsense": ("believes every answer", {"renew": _believing}),
})  # fmt: skip


# ---------------------------------------------------------------- secrets


def _secret(self: Any) -> str:
    return str(self._config.app_key.get_secret_value())


def _telling(self: Any, error: Exception) -> Exception:
    return TryLater(f"It failed with the key {_secret(self)}.")


async def _logging(self: Any, message: OutboundMessage) -> Accepted:
    logging.getLogger("bay").warning("sending with %s", _secret(self))
    return await BayConnector.deliver(self, message)


def _body(self: Any, message: OutboundMessage) -> dict[str, Any]:
    return {**BayConnector.body(self, message), "app_key": _secret(self)}


SECRETS = by_names({
    "secrets.reprs": ("shows its key", {"__repr__": lambda self: f"Bay({_secret(self)})"}),
    "secrets.errors": ("tells its key", _failing(_telling)),
    "secrets.logs": ("logs its key", {"deliver": _logging}),
    "secrets.items": ("keeps its key with what it does not know",
                      of(Unknown, raw=lambda self, _: {"key": _secret(self)})),
    "secrets.journal": ("sends its key along", {"body": _body}),
})  # fmt: skip


# ---------------------------------------------------------------- extras


async def _strange_profile(self: Any, address: Address, group: Address | None = None) -> Profile:
    return Profile(name="Somebody")


async def _strict_signal(self: Any, signal: Signal) -> None:
    if signal.kind not in {"typing", "read", "reaction", "recall"}:
        raise KeyError(signal.kind)
    await BayConnector.signal(self, signal)


EXTRAS: tuple[Mutant, ...] = (
    *(claims(f"extras.{one}", "works, and nobody declared it", extras=frozenset(Extra) - {one}) for one in Extra),
    *(claims(f"extras.{one}", "declared, and does not work", channel="cove", extras=frozenset({one})) for one in Extra),
    *by_names({
        "extras.no_profile": ("knows everybody", {"profile": _strange_profile}),
        "extras.odd_signals": ("knows all signals", {"signal": _strict_signal}),
        "receipts.delivered": ("reads none", each(lambda _, item: replaced(item, state="read")
                               if isinstance(item, ReceiptReceived) and item.state == "delivered" else item)),
        "receipts.read": ("does not say which", of(ReceiptReceived, external_id=None)),
        "receipts.why": ("does not say why", of(ReceiptReceived, answer=None)),
        "receipts.distinct": ("one key for all", of(ReceiptReceived, dedupe_key="receipt")),
    }),
    works("receipts.watermark", "no time", "cove", **of(ReceiptReceived, watermark_ms=None)),
)  # fmt: skip


# ---------------------------------------------------------------- files, pages, health, end


async def _nothing() -> AsyncIterator[bytes]:
    for piece in list[bytes]():
        yield piece


async def _empty(_self: Any, _media: Media) -> MediaStream:
    return MediaStream(chunks=_nothing())


async def _anything(self: Any, media: Media) -> MediaStream:
    assert media.source is not None
    return await BayConnector.fetch(self, replaced(media, source=replaced(media.source, reference="cup")))


async def _gone(self: Any, media: Media) -> MediaStream:
    try:
        return await BayConnector.fetch(self, media)
    except TryLater as error:
        raise Undeliverable from error


MEDIA = by_names({
    "media.fetched": ("fetches nothing", {"fetch": _empty}),
    "media.gone": ("fetches something else", {"fetch": _anything}),
    "media.later": ("believes that it is gone", {"fetch": _gone}),
})  # fmt: skip


async def _one_page(self: Any, request: PullRequest) -> Page:
    return replaced(await BayConnector.pull(self, request), more=False)


async def _from_the_start(self: Any, request: PullRequest) -> Page:
    return await BayConnector.pull(self, replaced(request, cursor=None))


async def _believed(self: Any, request: PullRequest) -> Page:
    response = await self.call("GET", "/events")
    page = object_of(response)["page"]
    return Page(raw=response.content, cursor=page["cursor"])


def _unheard(self: Any, body: TrustedBody) -> Sequence[Item]:
    return [item for item in BayConnector.parse(self, body) if not isinstance(item, PullRequested)]


PULLING = by_names({
    "pull.asked": ("hears no notification", {"parse": _unheard}),
    "pull.pages": ("one page is enough", {"pull": _one_page}),
    "pull.same_page": ("keys of this moment", of(MessageReceived, dedupe_key=lambda *_: str(uuid.uuid4()))),
    "pull.cursor": ("from the start", {"pull": _from_the_start}),
    "pull.down": ("believes every page", {"pull": _believed}),
}, channel="cove")  # fmt: skip


def _saying(state: str, *, when: tuple[str, ...]) -> _Methods:
    async def probe(self: Any) -> Health:
        found = await BayConnector.probe(self)
        return replaced(found, state=state) if found.state in when else found

    return {"probe": probe}


async def _restless(self: Any, message: OutboundMessage) -> Accepted:
    self.task = asyncio.create_task(asyncio.sleep(3))
    return await BayConnector.deliver(self, message)


#: Clients that a broken connector leaves open; the test closes them.
LEFT: list[httpx2.AsyncClient] = []


async def _connected(self: Any, message: OutboundMessage) -> Accepted:
    LEFT.append(client := httpx2.AsyncClient(trust_env=False))
    await client.get(f"{self._config.api_base}/me")
    return await BayConnector.deliver(self, message)


async def _one_end(self: Any) -> None:
    del self._services


HEALTH = (
    *by_names({
        "probe.good": ("never well", _saying("failing", when=("connected",))),
        "probe.refused": ("only failing", _saying("failing", when=("sign_in_needed",))),
        "probe.down": ("always well", _saying("connected", when=("failing",))),
        "probe.nonsense": ("always well", _saying("connected", when=("failing",))),
        "end.clean": ("a task goes on", {"deliver": _restless}),
        "end.twice": ("one end only", {"aclose": _one_end}),
    }),
    works("end.clean", "a connection stays", deliver=_connected),
)  # fmt: skip
