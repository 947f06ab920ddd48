"""One call that passed the door: what a handler is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trunkline.hosted.refusals import ClientRefused

if TYPE_CHECKING:
    from aiohttp import web

    from trunkline.hosted.calls import Inbox
    from trunkline.hosted.connector import Client
    from trunkline.hosted.front import Front
    from trunkline.hosted.visitors import Holder

__all__ = ["Call"]


class Call:
    """One call that passed the door."""

    def __init__(  # noqa: PLR0917 - made in one place
        self, front: Front, request: web.Request, inbox: Inbox | None, client: Client, body: Any, query: Any
    ) -> None:
        self.front, self.request, self.client, self.body, self.query = front, request, client, body, query
        self._inbox = inbox
        self._holder: Holder | None = None
        self.now = front.house.clock.now_ms()

    @property
    def inbox(self) -> Inbox:
        """The inbox; only calls for anybody have none."""
        if self._inbox is None:
            raise ClientRefused("unknown_key")
        return self._inbox

    @property
    def holder(self) -> Holder:
        """Who calls; only calls with a token have somebody here."""
        if self._holder is None:
            raise ClientRefused("token_missing")
        return self._holder

    def held_by(self, holder: Holder) -> None:
        """Say who calls."""
        self._holder = holder

    def path(self, name: str) -> str:
        """Return a part of the address."""
        return self.request.match_info[name]
