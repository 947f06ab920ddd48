"""What a plugin hands over at the door: data about its connectors and applications."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pkgutil import resolve_name
from typing import Any

import msgspec
from pydantic import BaseModel

from trunkline.contract.capabilities import Adjustment, Capabilities, Context, Effective
from trunkline.contract.connector import Connector
from trunkline.contract.ports import Services

__all__ = ["CONTRACT_VERSION", "Application", "ApplicationSpec", "Channel", "ConnectorSpec", "built_by"]

#: Raised when a change of this package breaks existing connectors.
CONTRACT_VERSION = 1


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of place that customers write from."""

    #: Stable code: "acme_chat".
    code: str
    #: Locale → title; "en" is required.
    title: Mapping[str, str]
    capabilities: Capabilities
    #: Narrows the capabilities to a context; None when they never change.
    adjust: Adjustment | None = None

    def effective(self, context: Context) -> Effective:
        """Return the capabilities that hold in `context`, with the reason of each difference."""
        if self.adjust is None:
            return Effective(capabilities=self.capabilities)
        return self.adjust(self.capabilities, context)


def built_by(reference: str) -> Callable[[Services[Any]], Connector]:
    """Return a `build` that loads "package.module:Class" with the first account.

    A connector that is installed and has no account then costs what its declaration costs, and no more.
    """

    def build(services: Services[Any]) -> Connector:
        built: Connector = resolve_name(reference)(services)
        return built

    return build


class ConnectorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A connector, as data. `build` must not do I/O."""

    name: str
    title: Mapping[str, str]
    #: Secrets are `SecretStr`; `extra="forbid"`.
    config: type[BaseModel]
    channels: tuple[Channel, ...]
    build: Callable[[Services[Any]], Connector]
    #: Hosts the connector may speak to, e.g. "api.example.com"; "*.example.com" for a family.
    hosts: tuple[str, ...] = ()
    #: Which of `channels` an account with these settings is; None when there is one.
    channel_of: Callable[[Any], str] | None = None
    contract: int = CONTRACT_VERSION
    docs: str = ""
    #: "package.module:factory" of the connector's simulator, for the demo and the tests.
    simulator: str | None = None
    #: Builds the pages of a hosted connector: `trunkline.hosted.Pages` → aiohttp application. Mounted at `pages_at`.
    pages: Callable[[Any], Any] | None = None
    #: Where its pages are, "/widget"; no two connectors may have the same.
    pages_at: str = ""

    def channel(self, code: str) -> Channel:
        """Return the channel with this code; KeyError if the connector has none."""
        return {channel.code: channel for channel in self.channels}[code]


class Application:
    """One running application: a consumer of the log with timers, routes and commands. All parts are optional."""

    #: Kinds of timers it handles.
    timers: Mapping[str, Callable[..., None]] = {}

    def wants(self, kind: str, payload: str) -> bool:
        """Whether `consume` has to see an event of this kind with this encoded payload.

        Asked on the event loop for every commit, so it must be fast; a needless yes costs time, a wrong no the effect.
        """
        return True

    def consume(self, tx: Any, events: Sequence[Any]) -> None:
        """Apply events inside the transaction that also moves the cursor: exactly-once effects.

        May be run again after a failed commit; must be a function of its arguments alone.
        """

    async def start(self) -> None:
        """Begin background work."""

    async def stop(self) -> None:
        """End background work; called once, also after a failed start."""

    async def jumped(self, by_ms: int) -> None:
        """The demo's clock was moved forward: what people hold stays good, and they hear of the new time."""

    async def demonstrate(self) -> Sequence[tuple[str, str]]:
        """Invent what a demo needs and return doors into it: (name, path with a one-time credential)."""
        return ()


class ApplicationSpec(msgspec.Struct, frozen=True, kw_only=True):
    """An application, as data. `build` gets the `trunkline.service.House` and must not do I/O."""

    name: str
    title: Mapping[str, str]
    build: Callable[[Any], Application]
    #: The application's tables: "package.module:function" returning a `trunkline.store.MigrationSet`.
    migrations: str | None = None
    #: Adds HTTP routes to the root: (aiohttp application, house, application) → None.
    routes: Callable[[Any, Any, Any], None] | None = None
    #: Adds calls for customers below /client/v1: (`trunkline.hosted.calls.ClientCalls`, house, application) → None.
    client_routes: Callable[[Any, Any, Any], None] | None = None
    #: A Typer application mounted under its name: "package.module:cli".
    commands: str | None = None
    #: Kinds of events that `consume` is called with; empty for all.
    kinds: frozenset[str] = frozenset()
    #: False when the application does not consume the log.
    consumes: bool = True
    contract: int = CONTRACT_VERSION
