"""A connector's services without a house: settings, a client, a clock moved by hand, tokens in memory."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

import httpx2
from pydantic import BaseModel

from trunkline.clock import SystemClock
from trunkline.contract import AccessToken, Clock, MediaStream
from trunkline.errors import Undeliverable
from trunkline.model import Media

__all__ = ["FakeServices", "HandClock", "MemoryMedia", "MemoryTokens", "MovableClock"]

#: Loopback needs none, and loading those of the machine costs more than most tests.
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

ConfigT = TypeVar("ConfigT", bound=BaseModel)


class HandClock:
    """Stands still until it is moved."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def move(self, seconds: float) -> None:
        self._now_ms += round(seconds * 1000)


class MovableClock:
    """Goes on by itself, and can be moved forward; tells `listeners` by how many seconds."""

    def __init__(self) -> None:
        self._clock, self._ahead_ms = SystemClock(), 0
        self.listeners: list[Callable[[float], None]] = []

    def now_ms(self) -> int:
        return self._clock.now_ms() + self._ahead_ms

    def move(self, seconds: float) -> None:
        self._ahead_ms += round(seconds * 1000)
        for listener in self.listeners:
            listener(seconds)


class MemoryTokens:
    """Tokens of one account; one renewal at a time, as the real cache promises."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock = clock, asyncio.Lock()
        self._kept: dict[str, AccessToken] = {}
        #: How often a token was fetched.
        self.renewals = 0

    async def get(self, renew: Callable[[], Awaitable[AccessToken]], *, name: str = "access") -> str:
        async with self._lock:
            token = self._kept.get(name)
            if token is None or token.expires_at_ms <= self._clock.now_ms():
                self.renewals += 1
                token = self._kept[name] = await renew()
            return token.value

    async def forget(self, value: str, *, name: str = "access") -> None:
        if (token := self._kept.get(name)) and token.value == value:
            del self._kept[name]

    def values(self) -> list[str]:
        """Return the tokens that are kept."""
        return [token.value for token in self._kept.values()]


class MemoryMedia:
    """Files of messages, in memory."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Media, bytes]] = {}

    def keep(self, content: bytes, mime: str, name: str | None = None) -> Media:
        """Keep a file and return what an outbound message says of it."""
        id_ = f"media-{len(self._kept) + 1}"
        media = Media(id=id_, mime=mime, size=len(content), name=name, url=f"https://files.example/{id_}")
        self._kept[id_] = (media, content)
        return media

    async def open(self, media: Media) -> MediaStream:
        if media.id not in self._kept:
            raise Undeliverable("The file is gone.", whose="us", code="media_gone")
        kept, content = self._kept[media.id]
        return MediaStream(chunks=_in_chunks(content), mime=kept.mime, size=kept.size, name=kept.name)


async def _in_chunks(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), 65_536):
        yield content[at : at + 65_536]


class FakeServices(Generic[ConfigT]):
    """What `ConnectorSpec.build` takes. The client is a plain one: loopback is allowed, nothing is guarded.

    Use it as `async with FakeServices(config) as services`, which closes the client.
    """

    def __init__(
        self,
        config: ConfigT,
        *,
        channel: str = "",
        clock: Clock | None = None,
        http: httpx2.AsyncClient | None = None,
    ) -> None:
        self.account_id, self.channel, self.config = "account-under-test", channel, config
        self.clock: Clock = clock or HandClock()
        self.http = http or httpx2.AsyncClient(timeout=60, trust_env=False, verify=_NO_CERTIFICATES)
        self.tokens = MemoryTokens(self.clock)
        self.media = MemoryMedia()

    async def __aenter__(self) -> FakeServices[ConfigT]:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()
