"""A bad hosted plugin: once it is angry, everything that it is asked raises, or hangs, as its setting says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from trunkline.contract import (
    Accepted,
    Capabilities,
    Channel,
    ConnectorSpec,
    ContentRule,
    Health,
    OutboundMessage,
    Receiving,
    Sending,
    Services,
    Transport,
)
from trunkline.hosted import Client, HostedConnector, Terms
from trunkline.model import ContentKind, Level

__all__ = ["HECKLER", "Heckler"]


T = TypeVar("T")


class HecklerConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    temper: Literal["raise", "hang"]


class Heckler(HostedConnector):
    """Well-behaved until `angry`, so that visitors come in first."""

    def __init__(self, services: Services[HecklerConfig]) -> None:
        self._config = services.config
        self.angry = False
        #: Sends that it was ever given, and what ends those that hang.
        self.begun = 0
        self.released = asyncio.Event()

    @property
    def public_key(self) -> str:
        return self._config.key

    def terms(self) -> Mapping[str, Terms]:
        return self._or_raise(super().terms())

    def presentation(self, client: Client) -> dict[str, Any]:
        return self._or_raise({})

    def channel_for(self, client: Client) -> str:
        return self._or_raise("heckler")

    def narrowed(self, declared: Capabilities) -> Capabilities:
        return self._or_raise(declared)

    def pushes(self) -> bool:
        return self._or_raise(True)

    def embed(self, public_url: str) -> str:
        return self._or_raise("")

    async def deliver(self, message: OutboundMessage) -> Accepted:
        self.begun += 1
        await self._or_hang()
        return await super().deliver(message)

    async def probe(self) -> Health:
        await self._or_hang()
        return await super().probe()

    def _or_raise(self, answer: T) -> T:
        if self.angry and self._config.temper == "raise":
            raise RuntimeError("I do not feel like answering.")
        return answer

    async def _or_hang(self) -> None:
        self._or_raise(None)
        if self.angry:
            await self.released.wait()


_TEXT = {ContentKind.TEXT: ContentRule(level=Level.FULL)}
_CAPABILITIES = Capabilities(
    receives=_TEXT,
    sends=_TEXT,
    receiving=Receiving(transport=Transport.HOSTED),
    sending=Sending(timeout_s=30.0),
)
#: The bad neighbour of every hosted channel.
HECKLER = ConnectorSpec(
    name="heckler",
    title={"en": "Heckler"},
    config=HecklerConfig,
    channels=(Channel(code="heckler", title={"en": "Heckler"}, capabilities=_CAPABILITIES),),
    build=Heckler,
)
