"""What the calls of the visitor protocol share: the house, the accounts by key, signatures, limits, listeners."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy import select

from trunkline.errors import StartRefused
from trunkline.hosted.asking import public_keys
from trunkline.hosted.calls import ClientCalls, Inbox
from trunkline.hosted.connector import HostedConnector
from trunkline.hosted.hub import Hub
from trunkline.hosted.limiting import Limiter
from trunkline.hosted.objects import Shower
from trunkline.hosted.sending import take
from trunkline.hosted.signing import Cursor, Signer
from trunkline.hosted.versions import Features, context_of, features_of, no_form
from trunkline.log import get_logger
from trunkline.service.arrivals import AccountFacts
from trunkline.service.submissions.settings import read_settings
from trunkline.store import schema

if TYPE_CHECKING:
    from aiohttp import web
    from sqlalchemy import Connection

    from trunkline.hosted.connector import Client
    from trunkline.hosted.sending import Sending, Taken
    from trunkline.hosted.visitors import Holder
    from trunkline.service.account import Account
    from trunkline.service.accounts import Accounts
    from trunkline.service.house import House
    from trunkline.service.media import StoredFile
    from trunkline.settings import Server
    from trunkline.store import Transaction

__all__ = ["PREFIX", "Directory", "Front", "check_files_url", "check_public_keys", "facts_of", "inboxes"]

log = get_logger("hosted")

PREFIX = "/client/v1"
#: How far the clocks of two processes may be apart.
_SKEW_MS = 60_000
_thread = schema.thread.c
#: After this long a client reads everything anew: that is less than all that happened meanwhile.
_CURSOR_MS = 30 * 24 * 3600 * 1000


def inboxes(accounts: Accounts) -> Iterable[Inbox]:
    """Yield the hosted accounts that are in use, once for each of their public keys."""
    for account in accounts.all():
        if account.state != "disabled" and isinstance(account.connector, HostedConnector):
            for key in public_keys(account):
                yield Inbox(account, account.connector, key)


def check_files_url(server: Server) -> None:
    """Make sure that files are served apart, where that is wanted.

    Raises:
        StartRefused: their host is our own, or is not all of the address.
    """
    if server.files_url is None:
        return
    files, ours = urlsplit(server.files_url), urlsplit(server.public_url or "")
    if files.netloc == ours.netloc or files.path:
        wish = "give the server another name for files, such as https://files.example.net"
        raise StartRefused(f"server.files_url is {server.files_url}, which keeps nothing apart: {wish}.")


def check_public_keys(accounts: Accounts) -> None:
    """Make sure that a public key names one account.

    Raises:
        StartRefused: two accounts have the same.
    """
    seen: dict[str, str] = {}
    for inbox in inboxes(accounts):
        if inbox.key in seen:
            words = f"The accounts {seen[inbox.key]} and {inbox.id} have the same public key {inbox.key}"
            raise StartRefused(f"{words}: give one of them another.")
        seen[inbox.key] = inbox.id


class Directory:
    """Accounts by public key: what pages of connectors are given (`trunkline.hosted.Pages`)."""

    def __init__(self, house: House) -> None:
        self._house = house

    @property
    def public_url(self) -> str:
        """How the world reaches us, "" when it is not configured."""
        return self._house.settings.server.public_url or ""

    @property
    def files_url(self) -> str:
        """Where visitors' files are served alone, "" when that is our own address."""
        return self._house.settings.server.files_url or ""

    def find(self, public_key: str) -> HostedConnector | None:
        """Return the connector with this key, None if there is none in use."""
        inbox = self.inbox(public_key)
        return None if inbox is None else inbox.connector

    def title(self, public_key: str) -> str:
        """Return the title of the account with this key, "" if there is none."""
        inbox = self.inbox(public_key)
        return "" if inbox is None else inbox.account.title

    def inbox(self, public_key: str) -> Inbox | None:
        """Return the account with this key, None if there is none in use."""
        return next((one for one in inboxes(self._house.accounts) if one.key == public_key), None)

    def of(self, account_id: str, key: str) -> Inbox | None:
        """Return a hosted account by its id, for clients that came by `key`; None if it is not in use."""
        account = self._house.accounts.get(account_id)
        if account is None or not isinstance(account.connector, HostedConnector):
            return None
        return Inbox(account, account.connector, key)


class Front:
    """The state behind the door."""

    def __init__(
        self,
        house: House,
        calls: ClientCalls,
        *,
        address_of: Callable[[web.Request], str],
        file_response: Callable[[StoredFile], web.FileResponse],
        request_id_of: Callable[[web.Request], str],
    ) -> None:
        self.house, self.calls = house, calls
        #: The address that a request came from, its id, and how a stored file is answered: the doors' business.
        self.address_of, self.request_id_of, self.file_response = address_of, request_id_of, file_response
        self.prefix = PREFIX
        self.directory = Directory(house)
        self.signer = Signer(house.secrets)
        #: Where files are served alone; "" where they come from our own address.
        self.files_url = house.settings.server.files_url or ""
        self.shower = Shower(self.signer, f"{self.files_url}{PREFIX}")
        self.limiter = Limiter(house.clock)
        self.hub = Hub(house)
        self._asides: set[asyncio.Task[Any]] = set()

    def shower_of(self, holder: Holder) -> Shower:
        """Return what shows a visitor their messages."""
        return self.shower.to(holder.visitor_id)

    def cursor(self, holder: Holder, seq: int) -> str:
        """Return a cursor for a visitor."""
        return self.signer.cursor(holder.visitor_id, Cursor(holder.epoch, seq, self.house.clock.now_ms()))

    def place(self, holder: Holder, text: str) -> int | None:
        """Return the event that a cursor stands at; None when it is over, and everything must be read anew."""
        cursor = self._cursor(holder, text)
        return None if cursor is None or cursor.seq > self.house.feed.last_seq else cursor.seq

    async def resume(self, holder: Holder, text: str) -> int | None:
        """Return the event to go on after; None when a cursor is over: too old, or a backup was put back since."""
        cursor = self._cursor(holder, text)
        if cursor is None or cursor.at < self.house.clock.now_ms() - _CURSOR_MS:
            return None
        query = select(schema.event.c.at).where(schema.event.c.seq == cursor.seq)
        async with self.house.store.read() as connection:
            at = (await connection.execute(query)).scalar_one_or_none()
        if at is None:
            # Numbers have gaps; what lies before us was lost, for another process would have stored it.
            return cursor.seq if cursor.seq <= self.house.feed.last_seq else None
        # What seems to come from the future was written before a clock was put back: it proves nothing.
        is_ours = at <= cursor.at + _SKEW_MS or at > self.house.clock.now_ms() + _SKEW_MS
        return cursor.seq if is_ours else None

    def _cursor(self, holder: Holder, text: str) -> Cursor | None:
        """Return what a cursor says; None if it is not this visitor's, or from before a merge."""
        cursor = self.signer.read_cursor(holder.visitor_id, text)
        return cursor if cursor is not None and cursor.epoch == holder.epoch else None

    async def features(self, inbox: Inbox, client: Client, *, verified: bool) -> Features:
        """Return what a client may use, and why not."""
        channel = inbox.channel(client)
        context = context_of(inbox.id, client, verified=verified, at_ms=self.house.clock.now_ms())
        push = None if inbox.connector.pushes() else "not_offered"
        async with self.house.store.read() as connection:
            form = no_form(channel.effective(context).capabilities, await read_settings(connection), inbox.id)
        more = {"push": push, "submission": form, **self.calls.features(channel, context)}
        return features_of(channel, context, more)

    async def greetings(self, holder: Holder) -> dict[str, Any]:
        """Return what applications say in `ready`."""
        if not self.calls.greets:
            return {}
        mine = (_thread.account_id == holder.account_id, _thread.key == holder.address)

        def read(database: Connection) -> dict[str, Any]:
            return self.calls.greetings(database, database.execute(select(_thread.id).where(*mine)).scalar())

        return await self.house.store.ask(read)

    def take(self, tx: Transaction, sendings: list[Sending]) -> list[Taken]:
        """Store messages that came together; one function, so that the writer makes one batch of them."""
        return take(tx, sendings, self.house.intake)

    def aside(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Do something that nobody waits for; it is waited for at the end."""
        task = asyncio.create_task(work, name=name)
        self._asides.add(task)
        task.add_done_callback(self._done)

    async def settle(self) -> None:
        """Wait for what was done aside."""
        while self._asides:
            await asyncio.gather(*list(self._asides), return_exceptions=True)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._asides.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("hosted.aside_failed", task=task.get_name(), error=type(error).__name__)


def facts_of(account: Account) -> AccountFacts:
    """Return what intake has to know of a hosted account."""
    assert account.spec is not None  # noqa: S101 - an account with a connector has a spec
    assert account.channel_spec is not None  # noqa: S101 - the same
    return AccountFacts(account.id, account.channel_spec, account.spec.channels)
