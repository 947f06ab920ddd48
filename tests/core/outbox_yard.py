"""A yard for trying the outbox: a real store, scripted platforms, people to write to, a clock moved by hand."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import select

from tests.core.conftest import NOON, HandClock
from trunkline.contract import (
    Accepted,
    AcceptedPart,
    Act,
    Capabilities,
    Channel,
    Clock,
    Connector,
    ContentRule,
    Idempotency,
    OutboundMessage,
    QuickReplyLimit,
    Rate,
    Sending,
    TextLimit,
    TrustedBody,
    WebhookRequest,
    Window,
)
from trunkline.model import (
    Actor,
    ActorKind,
    Author,
    AuthorKind,
    ContentKind,
    Cost,
    Level,
    Text,
    new_id,
)
from trunkline.service.account import Account
from trunkline.service.house import House
from trunkline.service.outbox import Outbox
from trunkline.service.replies import Draft, post_reply, retry_message
from trunkline.service.windows import open_windows
from trunkline.store import LogRow, Store, Transaction, schema

__all__ = ["ADA", "AGENT", "Platform", "Yard", "capabilities", "open_yard", "reason_of", "text_of", "yes"]

ADA = Actor(ActorKind.AGENT, "1", "Ada")
AGENT = Author(kind=AuthorKind.AGENT, id="1", name="Ada")

#: What a platform does with one message: an answer, an error to raise, or a coroutine function of the message.
Turn = Accepted | Exception | Callable[[OutboundMessage], Awaitable[Accepted]]


class Platform(Connector):
    """A platform that does what its script says, and says yes when the script is over."""

    def __init__(self, *script: Turn) -> None:
        self.script: list[Turn] = list(script)
        #: Scripts of single texts; they come before the common one.
        self.by_text: dict[str, list[Turn]] = {}
        #: Every message that was handed over, in order.
        self.calls: list[OutboundMessage] = []

    @property
    def texts(self) -> list[str]:
        """What was handed over, in order, retries included."""
        return [text_of(call) for call in self.calls]

    def authenticate(self, request: WebhookRequest) -> TrustedBody:
        return TrustedBody(request.body)

    def parse(self, body: TrustedBody) -> Sequence[Any]:
        return ()

    async def deliver(self, message: OutboundMessage) -> Accepted:
        self.calls.append(message)
        script = self.by_text.get(text_of(message)) or self.script
        turn = script.pop(0) if script else yes(len(self.calls))
        if isinstance(turn, Exception):
            raise turn
        return turn if isinstance(turn, Accepted) else await turn(message)


def text_of(message: OutboundMessage) -> str:
    """Return the text of a message's first part."""
    part = message.parts[0]
    return part.text if isinstance(part, Text) else ""


def yes(number: int | str = 1, **more: Any) -> Accepted:
    """Return the platform's yes, with an id of its own."""
    return Accepted(parts=(AcceptedPart(external_id=f"p-{number}"),), route="send", **more)


def capabilities(
    idempotency: Idempotency = Idempotency.NOTHING,
    *,
    windows: tuple[Window, ...] = (),
    text: TextLimit | None = None,
    quick_replies: QuickReplyLimit | None = None,
    rates: tuple[Rate, ...] = (),
    concurrency: int = 8,
    items_per_request: int = 1,
    credentials: bool = False,
    cost: Cost = Cost.FREE,
    timeout_s: float = 30.0,
) -> Capabilities:
    """Return what an invented text channel declares."""
    return Capabilities(
        receives={},
        sends={ContentKind.TEXT: ContentRule(level=Level.FULL, text=text)},
        windows=windows,
        quick_replies=quick_replies,
        sending=Sending(
            idempotency=idempotency,
            rates=rates,
            concurrency=concurrency,
            items_per_request=items_per_request,
            reply_credentials=credentials,
            cost=cost,
            timeout_s=timeout_s,
        ),
    )


class Yard:
    """Accounts, people and one outbox (or more) over one store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        #: Most tests move it by hand; a bench has the real one.
        self.clock: Any = clock
        self.accounts: dict[str, Account] = {}
        self.outbox = self.worker()
        self.log: list[LogRow] = []
        store.writer.listen(lambda rows, _wakes: self.log.extend(rows))
        server = SimpleNamespace(public_url="https://desk.example.com")
        known = SimpleNamespace(get=self.accounts.get, all=self.all)
        self.house = cast(House, SimpleNamespace(accounts=known, settings=SimpleNamespace(server=server)))

    def all(self) -> list[Account]:
        return [self.accounts[name] for name in sorted(self.accounts)]

    def worker(self) -> Outbox:
        """Return another sender over the same store, as another process has one."""
        return Outbox(self.store, self.clock, self.all)

    async def account(self, connector: Connector, can: Capabilities | None = None, *, name: str = "shop") -> Account:
        """Add an account whose messages `connector` sends."""
        channel = Channel(code="parrot", title={"en": "Parrot"}, capabilities=can or capabilities())
        account = Account(name, "parrot", "parrot", name, locked=True, state="connected")
        account.channel_spec, account.connector = channel, connector
        now = self.clock.now_ms()
        row = {
            "id": name, "connector": "parrot", "channel": "parrot", "settings": b"", "locked": True,
            "state": "connected", "state_at": now, "created_at": now,
        }  # fmt: skip
        await self.store.writer.write(lambda tx: tx.execute(schema.account.insert().values(row)))
        self.accounts[name] = account
        return account

    async def thread(self, account: str = "shop", *, key: str | None = None) -> str:
        """Add a customer with a thread and return its id."""
        now, thread_id, key = self.clock.now_ms(), new_id(), key or f"c-{new_id()}"

        def work(tx: Transaction) -> None:
            contact_id, identity_id = new_id(), new_id()
            tx.execute(schema.contact.insert().values(id=contact_id, name="Mei", created_at=now))
            tx.execute(
                schema.identity.insert().values(
                    id=identity_id, account_id=account, external_id=key, kind="person", contact_id=contact_id,
                    reachable=True, created_at=now,
                )
            )  # fmt: skip
            tx.execute(
                schema.thread.insert().values(
                    id=thread_id, account_id=account, key=key, contact_id=contact_id, identity_id=identity_id,
                    state="new", round=1, last_position=0, last_message_at=now, last_inbound_at=now, unread=0,
                    created_at=now,
                )
            )  # fmt: skip

        await self.store.writer.write(work)
        return thread_id

    async def act(self, thread_id: str, windows: Sequence[Window], act: Act = Act.MESSAGE) -> None:
        """Let the customer do what opens windows."""
        now = self.clock.now_ms()
        await self.store.writer.write(lambda tx: open_windows(tx, thread_id, windows, act, now))

    async def credential(self, thread_id: str, value: str, *, lasts_s: int = 60) -> None:
        """Give the thread a reply credential."""
        values = {
            "id": new_id(), "thread_id": thread_id, "value": value, "single_use": True, "cost": "free",
            "expires_at": self.clock.now_ms() + lasts_s * 1000,
        }  # fmt: skip
        await self.store.writer.write(lambda tx: tx.execute(schema.reply_credential.insert().values(values)))

    async def post(self, thread_id: str, *texts: str, author: Author = AGENT, draft: Draft | None = None) -> str:
        """Write replies, and return the id of the last one's message."""
        now = self.clock.now_ms()

        def work(tx: Transaction) -> str:
            drafts = [draft] if draft else [Draft(text=text) for text in texts]
            ids = [post_reply(tx, self.house, thread_id, one, author=author, actor=ADA, now=now) for one in drafts]
            return ids[-1]

        return await self.store.writer.write(work)

    async def retry(self, message_id: str) -> None:
        """Press the button."""
        now = self.clock.now_ms()
        await self.store.writer.write(lambda tx: retry_message(tx, self.house, message_id, actor=ADA, now=now))

    async def settle(self) -> None:
        await self.outbox.settle()

    async def rows(self, table: Any = schema.delivery) -> list[Any]:
        """Return the rows of a table, deliveries in the order in which they were written."""
        order = (table.c.position, table.c.part) if table is schema.delivery else tuple(table.primary_key)
        async with self.store.read() as connection:
            return list((await connection.execute(select(table).order_by(*order))).fetchall())

    async def states(self) -> list[str]:
        """Return the states of all deliveries, in the order in which they were written."""
        return [row.state for row in await self.rows()]

    def kinds(self) -> list[str]:
        """Return the kinds of events so far."""
        return [row.kind for row in self.log]


def reason_of(row: Any) -> dict[str, Any]:
    """Return the reason of a delivery's row, {} without one."""
    return dict(json.loads(row.reason)) if row.reason else {}


@asynccontextmanager
async def open_yard(url: str, clock: HandClock | None = None) -> AsyncIterator[Yard]:
    """Open a yard over a database of its own."""
    store = Store(url)
    await store.open()
    try:
        yield Yard(store, clock or HandClock(NOON))
    finally:
        await store.close()
