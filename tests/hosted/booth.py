"""An invented hosted channel, and the site that vouches for its customers."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from joserfc import jwt
from joserfc.jwk import OctKey
from pydantic import BaseModel, ConfigDict, SecretStr

from trunkline.contract import (
    Capabilities,
    Channel,
    Connector,
    ConnectorSpec,
    ContentRule,
    Extra,
    MediaLimit,
    QuickReplyLimit,
    Receipts,
    Receiving,
    Services,
    Submissions,
    TextLimit,
    Transport,
)
from trunkline.hosted import Client, HostedConnector, IdentityKey, IdentityMode, IdentityPolicy, Limit
from trunkline.model import ContentKind, Level

#: The key of the vectors in the specification of the channel.
IDENTITY_SECRET = "identity-secret-for-tests-000001"


class BoothConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    mode: IdentityMode = IdentityMode.ACCEPT
    min_version: str | None = None


class BoothConnector(HostedConnector):
    """`mode`, `min_version` and `limits` may be changed while it runs."""

    def __init__(self, config: BoothConfig) -> None:
        self._key = config.key
        self.mode = config.mode
        self.min_version = config.min_version
        self.limits: dict[str, Limit] = {}

    @property
    def public_key(self) -> str:
        return self._key

    def identity_policy(self) -> IdentityPolicy:
        secret = SecretStr(IDENTITY_SECRET)
        keys = (IdentityKey(algorithm="HS256", key=secret, kid="k1"),)
        return IdentityPolicy(mode=self.mode, keys=keys, hmac_secret=secret)

    def own_limits(self) -> dict[str, Limit]:
        return self.limits

    def presentation(self, client: Client) -> dict[str, Any]:
        return {"theme": {"accent": "#1f6feb"}, "locale": client.locale, "direction": "ltr"}

    def channel_for(self, client: Client) -> str:
        return f"booth_{client.form}"

    def min_supported_version(self) -> str | None:
        return self.min_version


_FULL = ContentRule(level=Level.FULL)
CAPABILITIES = Capabilities(
    receives={
        ContentKind.TEXT: ContentRule(level=Level.FULL, text=TextLimit(max=10_000)),
        ContentKind.IMAGE: _FULL,
        ContentKind.AUDIO: _FULL,
        ContentKind.FILE: ContentRule(
            level=Level.FULL, media=(MediaLimit(mimes=("application/pdf", "text/plain"), max_bytes=20 * 2**20),)
        ),
        ContentKind.LOCATION: _FULL,
        ContentKind.CHOICE: _FULL,
    },
    sends={kind: _FULL for kind in ContentKind if kind is not ContentKind.TEMPLATE},
    submissions=Submissions(
        modes=("offline_message", "ticket"), scopes=("channel", "group"), min_client_version={"group": "3.0.3"}
    ),
    receipts=Receipts(delivered=True, read=True),
    receiving=Receiving(transport=Transport.HOSTED),
    quick_replies=QuickReplyLimit(max=5, title_max=40, data_max=100),
    extras=frozenset({Extra.TYPING, Extra.MARK_READ, Extra.QUOTE, Extra.QUOTES_IN}),
)


def _build(services: Services[Any]) -> Connector:
    return BoothConnector(services.config)


BOOTH = ConnectorSpec(
    name="booth",
    title={"en": "Booth"},
    config=BoothConfig,
    channels=tuple(
        Channel(code=f"booth_{form}", title={"en": f"Booth, {form}"}, capabilities=CAPABILITIES)
        for form in ("desktop", "mobile")
    ),
    build=_build,
    channel_of=lambda _config: "booth_desktop",
)


def vouch(subject: str, audience: str, now_ms: int, **claims: Any) -> str:
    """What the site's own server signs for a customer."""
    now = now_ms // 1000
    body = {"sub": subject, "aud": audience, "iat": now, "exp": now + 600, **claims}
    return jwt.encode({"alg": "HS256", "typ": "JWT", "kid": "k1"}, body, OctKey.import_key(IDENTITY_SECRET))


def hmac_of(subject: str) -> str:
    return hmac.new(IDENTITY_SECRET.encode(), subject.encode(), hashlib.sha256).hexdigest()
