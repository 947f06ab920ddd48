"""What a connector is given: named capabilities of the core, no way to the rest of the house."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec
from pydantic import BaseModel

if TYPE_CHECKING:
    import httpx2

    from trunkline.contract.outbound import MediaStream
    from trunkline.model import Media

__all__ = ["AccessToken", "Clock", "MediaBytes", "Services", "TokenCache"]


class Clock(Protocol):
    """The one clock."""

    def now_ms(self) -> int:
        """Return the time in milliseconds since the epoch, UTC."""
        ...


class AccessToken(msgspec.Struct, frozen=True, kw_only=True):
    """A short-lived credential of an account."""

    value: str
    #: Milliseconds since the epoch.
    expires_at_ms: int


class TokenCache(Protocol):
    """Access tokens of one account, stored encrypted and shared by all processes."""

    async def get(self, renew: Callable[[], Awaitable[AccessToken]], *, name: str = "access") -> str:
        """Return the token, calling `renew` once for all waiting callers when there is none or it ends soon."""
        ...

    async def forget(self, value: str, *, name: str = "access") -> None:
        """Drop a token that the platform refused, if it is still the cached one."""
        ...


class MediaBytes(Protocol):
    """The files of messages, for platforms that want them uploaded."""

    async def open(self, media: Media) -> MediaStream:
        """Open a file of an outbound message; `size` and `mime` are set.

        Raises:
            Undeliverable: the file is gone.
        """
        ...


ConfigT = TypeVar("ConfigT", bound=BaseModel, covariant=True)


class Services(Protocol, Generic[ConfigT]):
    """Handed to `ConnectorSpec.build` for one account."""

    @property
    def account_id(self) -> str:
        """The account's id in our configuration and in its webhook address."""
        ...

    @property
    def channel(self) -> str:
        """Which of the connector's channels this account is."""
        ...

    @property
    def config(self) -> ConfigT:
        """The validated settings of the account."""
        ...

    @property
    def http(self) -> httpx2.AsyncClient:
        """The guarded client: allowed hosts only, no redirects, time and size limits, redacted logs."""
        ...

    @property
    def clock(self) -> Clock:
        """The one clock."""
        ...

    @property
    def tokens(self) -> TokenCache:
        """Access tokens of this account."""
        ...

    @property
    def media(self) -> MediaBytes:
        """The bytes of what is sent."""
        ...
