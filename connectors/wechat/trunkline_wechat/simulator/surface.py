"""What one of the four surfaces adds to the simulator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from trunkline.contract import WebhookRequest
from trunkline.model import ContentKind, DeliveryState
from trunkline.testing import phones
from trunkline.testing.faults import Fault
from trunkline_wechat.simulator.wire import Refused, answer
from trunkline_wechat.simulator.world import Person, Said

if TYPE_CHECKING:
    from trunkline_wechat.simulator import Simulator

Json = dict[str, Any]


class Surface(ABC):
    """One surface of the simulator: its API, its rules, what its customers can do.

    Handlers of `calls` may raise `Refused`; a token was checked before they run.
    """

    accent: ClassVar[str] = "#07c160"

    def __init__(self, simulator: Simulator) -> None:
        self.simulator, self.world = simulator, simulator.world

    @property
    @abstractmethod
    def writes(self) -> Mapping[ContentKind, phones.Action]:
        """See the base of all simulators."""

    @abstractmethod
    def settings(self) -> Json:
        """Return the settings of an account here; `callback_token` and `api_base` are added."""

    @abstractmethod
    def calls(self) -> Mapping[tuple[str, str], Any]:
        """Return (method, path) → handler for calls with an access token: Request → Response."""

    @abstractmethod
    def open_calls(self) -> Iterable[web.RouteDef]:
        """Return the calls without an access token: those that fetch one, and public files."""

    @abstractmethod
    def webhook(self, body: bytes) -> WebhookRequest:
        """Return the request that carries these bytes."""

    @abstractmethod
    def challenge(self) -> tuple[WebhookRequest, bytes]:
        """Return the check of our address, and the answer that it wants."""

    @abstractmethod
    async def act(self, person: Person, action: phones.Action) -> None:
        """Let a customer do something. ValueError if they cannot here."""

    @abstractmethod
    def strange(self, person: Person) -> bytes:
        """Return a body with one event of a kind that does not exist."""

    @abstractmethod
    def bubble(self, said: Said) -> phones.Bubble:
        """Return a message as the customer sees it."""

    def joined(self, bodies: Sequence[bytes]) -> bytes | None:
        """Return one body with the events of several, None where packets come one by one."""
        return None

    async def tell(self, person: Person, state: DeliveryState) -> bool:
        """Tell what became of our newest message; False where the platform tells no such thing."""
        return False

    def limited(self, after_s: int | None) -> Fault:
        """Return the platform's "too many calls": it never names a time."""
        return Fault(do="answer", status=200, body='{"errcode":45009,"errmsg":"reach max api daily quota limit"}')

    def redelivers(self, status: int, words: str) -> bool:
        """Whether the platform sends a webhook again after this answer."""
        return status != 200

    async def guarded(self, request: web.Request) -> web.Response:
        """Answer a call: its token, then its handler."""
        if code := self.world.refusal(request.query.get("access_token", "")):
            return answer(code, "invalid credential, access_token is invalid or not latest")
        try:
            response: web.Response = await self.calls()[request.method, request.path](request)
        except Refused as refused:
            return answer(refused.code, refused.words)
        return response
