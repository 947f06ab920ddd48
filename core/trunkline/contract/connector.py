"""The class behind the one hook: what speaks to one configured account."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trunkline.contract.exchange import TrustedBody, WebhookReply, WebhookRequest
from trunkline.contract.outbound import (
    Accepted,
    Health,
    MediaStream,
    OutboundMessage,
    Page,
    PullRequest,
    Signal,
    TemplateInfo,
)
from trunkline.errors import BodyUnreadable, ContractError

if TYPE_CHECKING:
    from trunkline.contract.items import Item
    from trunkline.model import Address, Media, Profile

__all__ = ["Connector"]


class Connector(ABC):
    """One configured account.

    The core calls `handshake`, `authenticate`, `parse` and `acknowledge` in that order on the acknowledge path:
    they are synchronous and do no I/O. Everything else is asynchronous, in the background, with the core's limits.
    """

    def handshake(self, request: WebhookRequest) -> WebhookReply | None:
        """Answer a platform's challenge, None if this request is none. A wrong challenge raises SignatureInvalid."""
        return None

    @abstractmethod
    def authenticate(self, request: WebhookRequest) -> TrustedBody:
        """Prove who sent the request and return its (decrypted) body.

        Raises:
            SignatureInvalid: the proof is missing or wrong; the core answers 401 and stores nothing.
        """

    @abstractmethod
    def parse(self, body: TrustedBody) -> Sequence[Item]:
        """Read all items of a body. Pure: the same bytes give equal items, now and in a replay next month.

        An unknown kind is an `Unknown` value. One unreadable event must not spoil its neighbours.

        Raises:
            BodyUnreadable: nothing of the body can be read; the core quarantines it.
        """

    def acknowledge(self, items: Sequence[Item]) -> WebhookReply:
        """Answer the platform after the commit."""
        return WebhookReply()

    def scopes(self) -> Sequence[str]:
        """Name what is pulled without being asked: at the start, and every `Receiving.pull_every_s`."""
        return ()

    async def pull(self, request: PullRequest) -> Page:
        """Fetch the next page of a channel that notifies or is polled; `parse` reads it, now and in a replay.

        Raises:
            DeliveryError: the page cannot be had; a TryLater is tried again when it says.
        """
        raise ContractError(f"{type(self).__name__} declares no pull transport")

    @abstractmethod
    async def deliver(self, message: OutboundMessage) -> Accepted:
        """Send one message.

        Raises:
            DeliveryError: one of its kinds, by what the core shall do next.
        """

    async def fetch(self, media: Media) -> MediaStream:
        """Open the bytes of an inbound medium that the platform keeps.

        Raises:
            TryLater: it is not ready yet.
            Undeliverable: it is gone.
        """
        raise BodyUnreadable(f"{type(self).__name__} cannot fetch media")

    async def profile(self, address: Address, group: Address | None = None) -> Profile | None:
        """Look a person (of `group`) or a group up, None when the platform tells nothing."""
        return None

    async def signal(self, signal: Signal) -> None:
        """Show something transient. Failures to type and to mark as read have no effect; others are told to the agent.

        Raises:
            DeliveryError: the platform did not take it.
        """

    async def templates(self) -> Sequence[TemplateInfo]:
        """List the templates that may be sent; asked again at most every few minutes."""
        return ()

    async def probe(self) -> Health:
        """Check credentials, subscription and quota."""
        return Health(state="connected", summary="This connector has no probe.")

    async def remedy(self, code: str) -> Health:
        """Do one of the remedies that the last probe offered, and probe again."""
        raise ContractError(f"{type(self).__name__} offers no remedy {code}")

    async def aclose(self) -> None:
        """Let go of what the connector opened itself. The client it was given is closed by the core."""
