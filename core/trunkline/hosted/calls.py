"""The table of calls, and what a handler is given. Applications add rows of their own.

`ApplicationSpec.client_routes(calls, house, application)` is called once, before the door opens. An application calls
`calls.add(ClientRoute(…))` for an address below /client/v1, `calls.tell(kind, translate)` to let customers hear of its
events, `calls.offer(name, reason_of)` for a feature that clients switch on, and `calls.greet(field, read)` for what a
client has to know when it connects.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import BaseModel

from trunkline.errors import ContractError
from trunkline.hosted.changes import CHANGES, Translate
from trunkline.hosted.refusals import CODES

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from trunkline.contract import Channel, Context
    from trunkline.hosted.connector import Client, HostedConnector, Terms
    from trunkline.hosted.limiting import Limit
    from trunkline.service.account import Account

__all__ = ["ClientCalls", "ClientRoute", "Inbox", "Reason"]

#: Who may call: everybody, whoever has the key of an inbox, whoever holds a token.
ANYBODY, KEY, TOKEN = "anybody", "key", "token"


class Inbox(msgspec.Struct, frozen=True):
    """A hosted account in use."""

    account: Account
    connector: HostedConnector
    #: The public key that the client came by.
    key: str

    @property
    def terms(self) -> Terms:
        """What holds for clients with this key."""
        return self.connector.terms()[self.key]

    @property
    def id(self) -> str:
        """The account's id."""
        return self.account.id

    def limit(self, name: str) -> Limit | None:
        """Return this account's own figure of a limit, None where the house's holds."""
        return self.terms.limits.get(name)

    def channel(self, client: Client) -> Channel:
        """Return the channel that a client comes by."""
        spec = self.account.spec
        assert spec is not None  # noqa: S101 - an account with a connector has a spec
        channel = spec.channel(self.connector.channel_for(client))
        return msgspec.structs.replace(channel, capabilities=self.connector.narrowed(channel.capabilities))


#: Takes a `trunkline.hosted.call.Call`.
Handler = Callable[[Any], Awaitable[Any]]
#: (channel, context) → None when a feature is offered, else the reason why not.
Reason = Callable[["Channel", "Context"], str | None]
#: (database, id of the customer's live thread or None) → what `ready` says.
Greeting = Callable[["Connection", str | None], Any]

#: Fields of `ready` that are the protocol's own.
_READY = frozenset(
    {"t", "cursor", "resume", "heartbeat_s", "server_time", "features", "feature_reasons", "next_token", "availability"}
)


class ClientRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A call. `handler` returns what is written as JSON, None for 204, `Answered` for another status, or a response."""

    method: str
    #: Below /client/v1, with {names}.
    path: str
    handler: Handler
    auth: str = TOKEN
    #: Name of the operation in generated clients.
    operation: str
    summary: str
    status: int = 200
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    #: Further good statuses than `status`.
    also: tuple[int, ...] = ()
    #: Codes of its own besides those that follow from what it is.
    refusals: tuple[str, ...] = ()
    #: "application/json", or what the handler reads itself.
    consumes: str = "application/json"
    produces: str = "application/json"
    #: True when pages of other sites may call it (GET only): the loader does.
    open_to_pages: bool = False
    #: True when the caller's token is dead afterwards: nobody can repeat such a call.
    ends_token: bool = False
    #: Names of limits that each call uses up: "contact", "tokens.ip".
    limits: tuple[str, ...] = ()

    @property
    def rotates(self) -> bool:
        """Whether its answer may carry the token that follows: none that browsers keep, none to a dead token."""
        return self.auth == "token" and not self.open_to_pages and not self.ends_token


class Answered(msgspec.Struct, frozen=True):
    """An answer with a status of its own."""

    status: int
    body: Any


class ClientCalls:
    """All calls, the changes that are told, and the features that are offered."""

    def __init__(self) -> None:
        self._routes: list[ClientRoute] = []
        self.changes: dict[str, Translate] = dict(CHANGES)
        self._features: dict[str, Reason] = {}
        self._greetings: dict[str, Greeting] = {}

    def __iter__(self) -> Iterator[ClientRoute]:
        return iter(self._routes)

    def add(self, route: ClientRoute) -> None:
        """Add a call.

        Raises:
            ContractError: its place is taken, or it names a code that stands in no table.
        """
        if any((known.method, known.path) == (route.method, route.path) for known in self._routes):
            raise ContractError(f"There is a call {route.method} {route.path} already.")
        unknown = sorted(set(route.refusals) - set(CODES))
        if unknown:
            raise ContractError(f"{route.operation} refuses with codes that stand in no table: {', '.join(unknown)}.")
        self._routes.append(route)

    def tell(self, kind: str, translate: Translate) -> None:
        """Let customers hear of a kind of event in their threads; see `trunkline.hosted.changes`."""
        if kind in self.changes:
            raise ContractError(f"The event {kind} is told already.")
        self.changes[kind] = translate

    def offer(self, name: str, reason_of: Reason) -> None:
        """Offer a feature, by channel and context."""
        self._features[name] = reason_of

    def features(self, channel: Channel, context: Context) -> Mapping[str, str | None]:
        """Return the features of applications: name → None, or the reason why not."""
        return {name: reason_of(channel, context) for name, reason_of in self._features.items()}

    def greet(self, field: str, read: Greeting) -> None:
        """Let `ready` carry what a client would otherwise ask for at once; `read` is plain and quick.

        Raises:
            ContractError: the field is the protocol's own, or another application's.
        """
        if field in _READY or field in self._greetings:
            raise ContractError(f"The field {field} of `ready` is taken.")
        self._greetings[field] = read

    @property
    def greets(self) -> bool:
        """Whether any application has something to say in `ready`."""
        return bool(self._greetings)

    def greetings(self, database: Connection, thread_id: str | None) -> dict[str, Any]:
        """Return the fields of applications in `ready`."""
        return {field: read(database, thread_id) for field, read in self._greetings.items()}
