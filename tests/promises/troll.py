"""A bad plugin: it reads, and then it raises, hangs or floods, as its setting says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict

from trunkline.contract import (
    Accepted,
    Capabilities,
    Channel,
    Connector,
    ConnectorSpec,
    ContentRule,
    Health,
    Item,
    MessageReceived,
    OutboundMessage,
    Receiving,
    Sending,
    Services,
    TrustedBody,
    WebhookRequest,
)
from trunkline.model import Address, ContentKind, Level, Text
from trunkline.testing.conformance.checks import Subject

__all__ = ["TROLL", "Troll"]


class TrollConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    temper: Literal["raise", "hang", "flood"]


class Troll(Connector):
    """`{"number": n, "count": m}` in: so many messages of one customer each."""

    def __init__(self, services: Services[TrollConfig]) -> None:
        self._temper = services.config.temper
        #: Sends that it was ever given, and what ends those that hang.
        self.begun = 0
        self.released = asyncio.Event()

    def authenticate(self, request: WebhookRequest) -> TrustedBody:
        return TrustedBody(request.body)

    def parse(self, body: TrustedBody) -> Sequence[Item]:
        said = msgspec.json.decode(body)
        if said["number"] < 0:
            raise RuntimeError("I do not feel like reading.")
        return [_item(said["number"], index) for index in range(said["count"])]

    async def deliver(self, message: OutboundMessage) -> Accepted:
        self.begun += 1
        if self._temper == "raise":
            raise RuntimeError("I do not feel like sending.")
        await self.released.wait()
        return Accepted()

    async def probe(self) -> Health:
        if self._temper == "hang":
            await self.released.wait()
        raise RuntimeError("I do not feel like answering.")


def _item(number: int, index: int) -> MessageReceived:
    customer = Address(external_id=f"T{number}-{index}")
    fields: dict[str, Any] = {"dedupe_key": f"t-{number}-{index}", "external_id": f"t-{number}-{index}"}
    return MessageReceived(thread_key=customer.external_id, contact=customer, content=Text(text="Hm."), **fields)


_CAPABILITIES = Capabilities(
    receives={},
    sends={ContentKind.TEXT: ContentRule(level=Level.FULL)},
    receiving=Receiving(),
    sending=Sending(timeout_s=30.0),
)
_CHANNEL = Channel(code="troll", title={"en": "Troll"}, capabilities=_CAPABILITIES)
#: The bad neighbour of every platform.
TROLL = Subject(
    ConnectorSpec(name="troll", title={"en": "Troll"}, config=TrollConfig, channels=(_CHANNEL,), build=Troll), _CHANNEL
)
