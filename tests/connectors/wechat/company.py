"""A simulated company with its connector, and what a test does with both."""

from __future__ import annotations

import uuid
from typing import Any

import httpx2
import msgspec

from tests.connectors.wechat.conftest import Build
from trunkline.contract import (
    Connector,
    Item,
    MessageReceived,
    OutboundMessage,
    PullRequest,
    PullRequested,
    ThreadItem,
    TrustedBody,
)
from trunkline.errors import DeliveryError
from trunkline.model import Address, Author, AuthorKind, Content, Text
from trunkline.testing.phones import Action, Bubble
from trunkline_wechat.simulator import Simulator
from trunkline_wechat.simulator.qyapi import Qyapi
from trunkline_wechat.simulator.world import Person

SEND, SEND_KF, SYNC = "/cgi-bin/message/send", "/cgi-bin/kf/send_msg", "/cgi-bin/kf/sync_msg"
ON_EVENT = "/cgi-bin/kf/send_msg_on_event"
DESK, OTHER = "wkOMNI0001", "wkOMNI0002"


class Company:
    """One company, its connector, and what arrived so far."""

    def __init__(self, simulator: Simulator, build: Build, **settings: Any) -> None:
        self.simulator, self.connector = simulator, build(simulator, **settings)
        assert isinstance(simulator.surface, Qyapi)
        self.surface: Qyapi = simulator.surface
        self.clock: Any = simulator.clock
        self.items: list[Item] = []
        self.cursors: dict[str, str | None] = {}
        self._read = 0

    def person(self, name: str = "Ada") -> Person:
        return self.simulator.world.person(name)

    async def acts(self, person: Person, kind: str, **more: Any) -> list[Item]:
        """Let somebody do something and return what arrived."""
        await self.simulator.act(person.id, Action(kind=kind, **more))
        return await self.arrived()

    async def writes(self, person: Person, text: str = "hello") -> MessageReceived:
        message: MessageReceived = only(await self.acts(person, "text", text=text), MessageReceived)
        return message

    async def arrived(self) -> list[Item]:
        """Return what the platform told since the last time, pages included."""
        found: list[Item] = []
        for webhook in self.simulator.webhooks[self._read :]:
            body = self.connector.authenticate(self.simulator.webhook(webhook.body))
            found.extend(self.connector.parse(body))
        self._read = len(self.simulator.webhooks)
        for asked in [one for one in found if isinstance(one, PullRequested)]:
            found.extend(await self.pulled(asked.scope, token=asked.token))
        self.items.extend(found)
        return found

    async def pulled(self, scope: str = DESK, *, token: str | None = None) -> list[Item]:
        """Pull all pages of a desk as the core does."""
        found: list[Item] = []
        while True:
            request = PullRequest(scope=scope, cursor=self.cursors.get(scope), token=token)
            page = await self.connector.pull(request)
            found.extend(self.connector.parse(TrustedBody(page.raw)))
            self.cursors[scope] = page.cursor
            if not page.more:
                return found

    def heard(self, person: Person) -> list[Bubble]:
        """Return what somebody sees of us."""
        return [bubble for bubble in self.simulator.chat(person.id) if not bubble.mine]

    def texts(self, person: Person) -> list[str]:
        return [bubble.text for bubble in self.heard(person)]


def answer_to(item: ThreadItem, *parts: Content | str, **more: Any) -> OutboundMessage:
    """Return an agent's answer in the thread of an item; texts may be given as they are."""
    fields: dict[str, Any] = {
        "delivery_id": "delivery-1",
        "thread_key": item.thread_key,
        "to": Address(external_id=item.contact.external_id),
        "author": Author(kind=AuthorKind.AGENT, name="Bo"),
        "parts": tuple(Text(text=part) if isinstance(part, str) else part for part in parts),
        "key": str(uuid.uuid4()),
    }
    return OutboundMessage(**{**fields, **more})


def again(message: OutboundMessage) -> OutboundMessage:
    """Return a message as the outbox hands it over after an attempt without an answer."""
    return msgspec.structs.replace(message, attempt=message.attempt + 1, after_uncertain=True)


async def until_sent(connector: Connector, message: OutboundMessage, tries: int = 5) -> None:
    """Deliver until the platform says yes."""
    for _ in range(tries):
        try:
            await connector.deliver(message)
        except (httpx2.TransportError, DeliveryError):
            message = again(message)
        else:
            return
    raise AssertionError(f"It was not sent in {tries} attempts.")


def only(items: list[Item], kind: type[Any]) -> Any:
    """Return the one item of a kind."""
    (found,) = [item for item in items if isinstance(item, kind)]
    return found
