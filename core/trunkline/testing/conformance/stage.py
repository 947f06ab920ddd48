"""The stage of a check: a simulated platform, a door, the connector between them, and a clock that is moved by hand.

It does in small what the core does around a connector, with the core's own client, splitting and windows.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pkgutil import resolve_name
from typing import Any

import httpx2

from trunkline.contract import (
    Accepted,
    Connector,
    Item,
    OutboundMessage,
    PullRequest,
    PullRequested,
    ReceiptReceived,
    ThreadItem,
    TrustedBody,
)
from trunkline.errors import DeliveryError, Uncertain, WindowClosed
from trunkline.model import Author, AuthorKind, Content, DeliveryState, QuickReply, Text
from trunkline.service.platform_http import build_client, classify
from trunkline.service.rendering import plan_for
from trunkline.testing.conformance.checks import Broken, NotHere, Subject, need
from trunkline.testing.conformance.door import Door
from trunkline.testing.conformance.talk import Talk
from trunkline.testing.conformance.watch import WatchedClock
from trunkline.testing.faults import Fault
from trunkline.testing.phones import Action, Bubble
from trunkline.testing.services import FakeServices, MemoryTokens
from trunkline.testing.simulator import Simulator

__all__ = ["AGENT", "Stage", "simulator_of"]

AGENT = Author(kind=AuthorKind.AGENT, id="agent-1", name="Bo")
_MOST_PAGES = 50
#: Seconds that what is under way may take on a busy machine before it counts as never coming.
_PATIENCE_S = 10.0


def simulator_of(subject: Subject) -> Callable[..., Simulator]:
    """Return what makes the simulator of a channel. Broken if there is none."""
    named = subject.spec.simulator
    need(named, "the connector names no simulator: simulator='package.simulator:Simulator'")
    try:
        factory = resolve_name(str(named))
    except (ImportError, AttributeError, ValueError) as error:
        raise Broken(f"{named} cannot be imported: {error}") from error
    if getattr(factory, "channels", ()):
        return partial(factory, channel=subject.channel.code)
    return factory  # type: ignore[no-any-return]  # checked by `declared.simulator`


class Stage:
    """One simulated platform and one connector. Use `Stage.opened`."""

    def __init__(self, subject: Subject, clock: WatchedClock) -> None:
        self.subject, self.clock = subject, clock
        self.capabilities = subject.capabilities
        self.door = Door()
        self.simulator: Simulator = simulator_of(subject)(clock=clock)
        self.built: list[tuple[Connector, FakeServices[Any]]] = []
        #: Conversations by the simulator's id of the customer.
        self.talks: dict[str, Talk] = {}
        self._cursors: dict[str, str | None] = {}
        self._count = self._people = 0

    @classmethod
    @asynccontextmanager
    async def opened(cls, subject: Subject) -> AsyncIterator[Stage]:
        async with AsyncExitStack() as stack:
            stage = cls(subject, WatchedClock())
            stack.push_async_callback(stage.door.close)
            await stage.door.open()
            stage.simulator.webhook_url = stage.door.url
            stack.push_async_callback(stage.simulator.stop)
            await stage.simulator.start()
            stack.push_async_callback(stage._close)
            if not subject.is_hosted:
                stage.door.connector = stage.build()
            yield stage

    async def _close(self) -> None:
        async with AsyncExitStack() as stack:
            for connector, services in self.built:
                stack.push_async_callback(services.http.aclose)
                stack.push_async_callback(connector.aclose)

    # ---------------------------------------------------------------- the connector

    @property
    def connector(self) -> Connector:
        return self.built[0][0]

    @property
    def services(self) -> FakeServices[Any]:
        return self.built[0][1]

    def build(self, settings: dict[str, Any] | None = None, *, tokens: MemoryTokens | None = None) -> Connector:
        """Build a connector to the simulated platform, with its settings and new tokens unless others are given."""
        spec = self.subject.spec
        config = spec.config.model_validate(settings or self.simulator.settings())
        allowed = self.simulator.url.removeprefix("http://")
        http = build_client(spec.hosts, allow_hosts=[allowed], timeout_s=10)
        services = FakeServices(config, channel=self.subject.channel.code, clock=self.clock, http=http)
        services.tokens = tokens or services.tokens
        connector = spec.build(services)
        self.built.append((connector, services))
        return connector

    # ---------------------------------------------------------------- the customer

    def add_customer(self, name: str = "Ada") -> str:
        """Invent somebody new; simulators may give people of one name one id."""
        self._people += 1
        return self.simulator.add_customer(name if self._people == 1 else f"{name} {self._people}")

    async def act(self, customer: str, action: Action) -> list[Item]:
        """Let a customer do something and return what the connector read of it. ValueError if they cannot."""
        before, refused = len(self.door.items), len(self.door.refusals)
        await self.simulator.act(customer, action)
        await self.pull(before)
        need(len(self.door.refusals) == refused, f"the platform's own request was refused: {self.door.refusals[-1:]}")
        items = self.door.items[before:]
        self._note(customer, items)
        return items

    async def write(self, customer: str, text: str | None = None) -> list[Item]:
        """Let a customer write a text and return what arrived."""
        return await self.act(customer, Action(kind="text", text=text or self.word("question")))

    async def try_act(self, customer: str, action: Action) -> list[Item] | None:
        """Return what arrived, None where customers of this platform cannot do that."""
        try:
            return await self.act(customer, action)
        except (ValueError, KeyError):
            return None

    async def bodies(self, customer: str, *texts: str) -> list[TrustedBody]:
        """Let a customer write texts and return the trusted bodies in which each arrived, for `parse`."""
        found = []
        for text in texts:
            before = len(self.door.bodies)
            await self.write(customer, text)
            for body in self.door.bodies[before:]:
                if any(isinstance(item, ThreadItem) for item in self.connector.parse(body)):
                    found.append(body)
                    break
            else:
                raise Broken("a text of a customer did not arrive in any body")
        return found

    def word(self, about: str = "answer") -> str:
        """Return words that nobody said before."""
        self._count += 1
        return f"{about} {self._count} of the suite"

    async def pull(self, since: int = 0) -> None:
        """Pull what notifications since this item asked for, and every scope that is pulled unasked."""
        asked = [item for item in self.door.items[since:] if isinstance(item, PullRequested)]
        scopes = dict.fromkeys(self.connector.scopes(), None) | {item.scope: item.token for item in asked}
        for scope, token in scopes.items():
            for _ in range(_MOST_PAGES):
                page = await self.connector.pull(PullRequest(scope=scope, cursor=self._cursors.get(scope), token=token))
                body = TrustedBody(page.raw)
                self.door.keep(body, self.connector.parse(body))
                self._cursors[scope] = page.cursor
                if not page.more:
                    break
            else:
                raise Broken(f"the scope {scope} has no last page")

    def _note(self, customer: str, items: Sequence[Item]) -> None:
        """Remember the conversation that items opened, for answers."""
        for item in items:
            if isinstance(item, ThreadItem):
                talk = self.talks.setdefault(customer, Talk(self.capabilities.windows))
                talk.heard(item, self.clock.now_ms())

    async def settled(self, holds: Callable[[], bool]) -> bool:
        """Wait until something holds that webhooks under way bring about; False if it does not in time."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while not holds():  # noqa: ASYNC110 - what is waited for is another program's, which signals nothing
                    await asyncio.sleep(0.005)
        except TimeoutError:
            return False
        return True

    # ---------------------------------------------------------------- answers

    def seen(self, customer: str) -> list[Bubble]:
        """Return what the customer sees of us."""
        return [bubble for bubble in self.simulator.chat(customer) if not bubble.mine]

    def times_seen(self, customer: str, words: str) -> int:
        """Return how often a customer reads these words from us."""
        return sum(words in bubble.text for bubble in self.seen(customer))

    async def talk(self, customer: str) -> Talk:
        """Return the conversation with a customer, who writes first if they did not yet."""
        if customer not in self.talks:
            await self.write(customer)
        need(customer in self.talks, "a text of a customer made no item with a thread")
        return self.talks[customer]

    async def message(self, customer: str, *parts: Content, author: Author = AGENT, **more: Any) -> OutboundMessage:
        """Return a delivery to a customer as the core would make it."""
        talk, now = await self.talk(customer), self.clock.now_ms()
        fields: dict[str, Any] = {
            "delivery_id": str(uuid.uuid4()),
            "key": str(uuid.uuid4()),
            "thread_key": talk.thread_key,
            "to": talk.contact,
            "author": author,
            "parts": parts or (Text(text=self.word()),),
            "last_inbound_ms": talk.last_inbound_ms,
            "window": talk.judge(author.kind, now).window,
            "credential": talk.credential(now),
        }
        return OutboundMessage(**{**fields, **more})

    async def attempt(self, message: OutboundMessage, connector: Connector | None = None) -> Accepted:
        """Deliver as the dispatcher does: what is not of the error tree gets out, and fails the check.

        Raises:
            DeliveryError: the platform, or the way to it, said no.
        """
        try:
            accepted = await (connector or self.connector).deliver(message)
        except httpx2.TransportError as error:
            raise classify(error) from error
        except TimeoutError as error:
            raise Uncertain("The platform did not answer in time.") from error
        for talk in self.talks.values():
            talk.spent(message, accepted)
        return accepted

    async def outcome(self, message: OutboundMessage, connector: Connector | None = None) -> Accepted | DeliveryError:
        """Return how an attempt ended."""
        try:
            return await self.attempt(message, connector)
        except DeliveryError as error:
            return error

    async def say(
        self, customer: str, content: Content, *, author: Author = AGENT, quick_replies: Sequence[QuickReply] = ()
    ) -> list[Accepted]:
        """Send a content value through the core's rendering. ReplyRefused when the channel cannot carry it."""
        accepted = []
        for request in plan_for(content, quick_replies, self.capabilities).requests:
            more: dict[str, Any] = {"quick_replies": request.quick_replies, "author": author}
            accepted.append(await self.attempt(await self.message(customer, *request.parts, **more)))
        return accepted

    async def warmed(self, customer: str) -> tuple[str, str]:
        """Send two messages, so that tokens are there and the first reply credential is used.

        Return the paths of the requests that carried them: an answer's, and any later message's.
        """
        await self.talk(customer)
        return await self._path(customer), await self._path(customer)

    async def _path(self, customer: str) -> str:
        before, words = len(self.simulator.journal), self.word("first")
        await self.say(customer, Text(text=words))
        need(self.times_seen(customer, words) == 1, "a first text did not reach the customer")
        made = list(self.simulator.journal)[before:]
        need(made, "a text was accepted without any request to the platform")
        carried = [entry for entry in made if words in entry.body]
        return (carried or made)[-1].path

    async def told_closed(self, ended: Accepted | DeliveryError, customer: str, who: str) -> None:
        """Need a WindowClosed, now, or as a failure after the yes where the platform says it only then."""
        if isinstance(ended, Accepted) and self.capabilities.receipts.late_failure:
            late = await self.settled(lambda: bool(self.failures_after(ended)))
            need(late, f"{who} gets a yes, the customer sees nothing, and no failure follows")
            return
        need(isinstance(ended, WindowClosed), f"{who} gets {ended!r} and no WindowClosed")

    def failures_after(self, accepted: Accepted) -> list[Item]:
        """Return the failures that were told of an accepted message."""
        ids = {part.external_id for part in accepted.parts}
        told = [item for item in self.door.items if isinstance(item, ReceiptReceived)]
        return [one for one in told if one.state is DeliveryState.FAILED and one.external_id in ids]

    def fail(self, path: str, do: Any, **more: Any) -> None:
        """Let the next request of this path fail."""
        self.simulator.fail(Fault(do=do, path=path, **more))

    def not_here(self, words: str) -> NotHere:
        return NotHere(f"this platform has no {words}")
