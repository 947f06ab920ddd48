"""The base of hosted channels: we own both ends, so a connector is its settings, its words and its pages.

The visitor protocol at `/client/v1` belongs to this room (`trunkline.hosted.door`). What a visitor sends is stored as
a raw request whose body is an envelope of ours; `parse` reads it back, so that a replay works as for any channel.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Protocol, final

import msgspec
from pydantic import SecretStr

from trunkline.contract import Accepted, AcceptedPart, Connector, Health, OutboundMessage, TrustedBody, WebhookRequest
from trunkline.errors import SignatureInvalid
from trunkline.hosted.envelope import items_of
from trunkline.hosted.limiting import Limit
from trunkline.hosted.push import Notice

if TYPE_CHECKING:
    from trunkline.contract import Capabilities, Item
    from trunkline.hosted.push import PushSender

__all__ = ["Client", "HostedConnector", "IdentityKey", "IdentityMode", "IdentityPolicy", "Pages", "Terms"]


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls: told by X-SDK-Platform, X-SDK-Version, X-SDK-Form and Accept-Language, or by the frame `hello`."""

    #: "web", "ios", "android", "macos", "windows", "flutter", "reactnative"; "unknown" when it is not told.
    platform: str = "unknown"
    version: str | None = None
    #: "desktop" or "mobile".
    form: str = "desktop"
    #: BCP 47: the `locale` asked for, else the first of Accept-Language.
    locale: str = "en"


class IdentityMode(StrEnum):
    """What a proof of identity is worth: roll it out in this order."""

    #: Proofs are refused: everybody is anonymous.
    OFF = "off"
    ACCEPT = "accept"
    #: Nobody is served without one.
    REQUIRE = "require"


class IdentityKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key that the site's own server signs with. It is good for its own algorithm and no other."""

    algorithm: Literal["HS256", "RS256", "ES256"]
    #: The shared secret (HS256), or the public key as PEM.
    key: SecretStr
    #: Names the key when several are in use; None fits proofs with any `kid`.
    kid: str | None = None


class IdentityPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How visitors prove who they are."""

    mode: IdentityMode = IdentityMode.OFF
    keys: tuple[IdentityKey, ...] = ()
    #: For HMAC-SHA256 of the user's id in hex. It proves the id and nothing else, and never ends.
    hmac_secret: SecretStr | None = None


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for clients that come with one of an account's public keys."""

    policy: IdentityPolicy = IdentityPolicy()
    #: Platforms that may use the key; None for any.
    platforms: frozenset[str] | None = None
    #: The oldest client version that is served; for versions with security faults only.
    min_version: str | None = None
    #: Name of a limit ("messages", "tokens.ip") → what holds instead of the house's; see `trunkline.hosted.limiting`.
    limits: Mapping[str, Limit] = {}


class HostedConnector(Connector):
    """One hosted account. A subclass says who it is and how it looks; everything else is here."""

    @property
    @abstractmethod
    def public_key(self) -> str:
        """What clients send as X-Inbox-Key, "wk_…" or "ak_…": public, and unique over all accounts."""

    def terms(self) -> Mapping[str, Terms]:
        """Return every public key of this account with what holds for it; tokens die with the key they came by."""
        terms = Terms(policy=self.identity_policy(), min_version=self.min_supported_version(), limits=self.own_limits())
        return {self.public_key: terms}

    def own_limits(self) -> Mapping[str, Limit]:
        """Return limits of this account's own, by name; those of the house hold for all others."""
        return {}

    def identity_policy(self) -> IdentityPolicy:
        """Return how visitors prove who they are."""
        return IdentityPolicy()

    def presentation(self, client: Client) -> dict[str, Any]:
        """Return what `GET /config` says besides the protocol: theme, texts, locale, direction, prechat, consent.

        A key that the protocol's own answer has too (`availability`, `locale`) replaces it.
        """
        return {}

    @abstractmethod
    def channel_for(self, client: Client) -> str:
        """Return the code of the channel that this client is; kept on the thread."""

    def origins(self) -> tuple[str, ...]:
        """Return the sites that may show the frame; () is any."""
        return ()

    def embed(self, public_url: str) -> str:
        """Return the lines that bring this account into a page or an app, "" if there are none."""
        return ""

    def narrowed(self, declared: Capabilities) -> Capabilities:
        """Return what the settings of this account leave of its channel's capabilities."""
        return declared

    def min_supported_version(self) -> str | None:
        """Return the oldest client version that is served; for versions with security faults only."""
        return None

    def push_sender(self, provider: str) -> PushSender | None:
        """Return what pushes to devices of a provider ("apns", "fcm", "hms", "webpush"), None where nothing does."""
        return None

    def pushes(self) -> bool:
        """Whether pushes are sent at all; without, none is planned."""
        return False

    def notice(self, locale: str | None, preview: str) -> Notice:
        """Return the words of a notification; an empty title stands for the account's.

        `preview` is the beginning of the message: leave it out unless the deployer wants it on locked screens.
        """
        return Notice("", "You have a new message")

    @final
    def authenticate(self, request: WebhookRequest) -> TrustedBody:
        """Refuse: nothing comes to a hosted account from outside its own protocol."""
        raise SignatureInvalid("A hosted account has no webhook.")

    def parse(self, body: TrustedBody) -> Sequence[Item]:
        """Read an envelope that the visitor protocol stored."""
        return items_of(body)

    async def deliver(self, message: OutboundMessage) -> Accepted:
        """Accept at once: the message stands in the contact's feed since its commit."""
        ids = [message.delivery_id, *(f"{message.delivery_id}.{number}" for number in range(1, len(message.parts)))]
        return Accepted(parts=tuple(AcceptedPart(external_id=one) for one in ids), route="feed")

    async def probe(self) -> Health:
        """Say that there is nothing to ask."""
        return Health(state="connected", summary="We serve this channel ourselves.")


class Pages(Protocol):
    """What the pages of a hosted connector are given: `ConnectorSpec.pages(pages)` builds its web application."""

    @property
    def public_url(self) -> str:
        """How the world reaches us, without a slash at the end; "" when it is not configured (use relative paths)."""
        ...

    @property
    def files_url(self) -> str:
        """Where files of conversations are served alone, "" when that is our own address: let your policy allow it."""
        ...

    def find(self, public_key: str) -> HostedConnector | None:
        """Return the account with this key, None if there is none in use."""
        ...

    def title(self, public_key: str) -> str:
        """Return the title of the account with this key, "" if there is none."""
        ...


#: Header → what it tells of a `Client`.
CLIENT_HEADERS: Mapping[str, str] = {
    "platform": "X-SDK-Platform",
    "version": "X-SDK-Version",
    "form": "X-SDK-Form",
}
