"""Hosted connectors that are broken."""

from __future__ import annotations

from typing import Any

from tests.conformance.mutants.making import Mutant, replaced, spec
from tests.conformance.quay import SPEC, QuayConnector
from trunkline.contract import Accepted, ContentRule, Extra, Health, TrustedBody
from trunkline.model import ContentKind, Level


def _works(check: str, what: str, **methods: Any) -> Mutant:
    return spec(check, what, of=SPEC, channel="quay", build=type("Broken", (QuayConnector,), methods))


async def _failing(_self: Any) -> Health:
    return Health(state="failing", summary="No.")


async def _without_ids(_self: Any, _message: Any) -> Accepted:
    return Accepted()


async def _one_end(self: Any) -> None:
    del self.config


def _wider(_self: Any, declared: Any) -> Any:
    more = {**declared.receives, ContentKind.FILE: ContentRule(level=Level.FULL)}
    return replaced(declared, receives=more, extras=frozenset(Extra))


HOSTED: tuple[Mutant, ...] = (
    _works("hosted.key", "a key of another kind", public_key="quay"),
    _works("hosted.own_key", "one key for all", public_key="ak_the_same"),
    _works("hosted.no_webhook", "trusts webhooks", authenticate=lambda _, request: TrustedBody(request.body)),
    _works("hosted.channels", "a channel that is none", channel_for=lambda *_: "pier"),
    _works("hosted.presentation", "shows its secret",
           presentation=lambda self, _: {"signing": self.config.signing.get_secret_value()}),
    _works("hosted.narrowed", "adds what nobody declared", narrowed=_wider),
    _works("hosted.probe", "never well", probe=_failing),
    _works("hosted.deliver", "gives no ids", deliver=_without_ids),
    spec("hosted.pages", "pages of another kind", of=SPEC, channel="quay", pages=lambda _house: {"/": "hello"}),
    _works("hosted.embed", "names nobody", embed=lambda *_: "<script></script>"),
    _works("hosted.end", "one end only", aclose=_one_end),
)  # fmt: skip
