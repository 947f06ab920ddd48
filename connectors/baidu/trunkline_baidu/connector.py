"""The customer messages of one mini program.

A push is proved by SHA-1 over the Token, a time and a nonce, which does not cover the body.
Source: https://smartprogram.baidu.com/docs/develop/serverapi/contact_api/ (read 2026-11-22)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from trunkline.contract import (
    Accepted,
    Connector,
    Health,
    Item,
    MediaStream,
    OutboundMessage,
    Proofs,
    Services,
    TrustedBody,
    WebhookReply,
    WebhookRequest,
    file_of,
)
from trunkline.errors import DeliveryError, SignInNeeded, Undeliverable
from trunkline.model import Media
from trunkline_baidu.api import Api
from trunkline_baidu.config import Config
from trunkline_baidu.inbound import items_of
from trunkline_baidu.outbound import fields_of

_ADVICE = (
    "Baidu's pushes do not prove their body: keep the webhook address secret and use HTTPS.",
    "Whether customer service is switched on in Baidu's console shows only with the first answer.",
)


class BaiduConnector(Connector):
    def __init__(self, services: Services[Config]) -> None:
        self._config, self._api = services.config, Api(services)
        tokens = [token.get_secret_value() for token in services.config.token]
        self._proofs = Proofs(tokens, services.clock, max_age_s=services.config.max_age_s, called="token")

    def handshake(self, request: WebhookRequest) -> WebhookReply | None:
        """Baidu's challenge is a POST; where its fields stand is not told, so the query and a form are read."""
        given = _challenge(request)
        if given is None:
            return None
        self._proofs.check(given, b"")
        return WebhookReply(body=given["echoStr"].encode())

    def authenticate(self, request: WebhookRequest) -> TrustedBody:
        self._proofs.check(request.query, request.body)
        return TrustedBody(request.body)

    def parse(self, body: TrustedBody) -> Sequence[Item]:
        return items_of(body, app_id=self._config.app_id)

    def acknowledge(self, items: Sequence[Item]) -> WebhookReply:
        return WebhookReply(body=b"success")

    async def deliver(self, message: OutboundMessage) -> Accepted:
        """Send a customer message; Baidu tells no id of it."""
        (part,) = message.parts
        await self._api.send(message.to.external_id, fields_of(part))
        return Accepted(route="send")

    async def fetch(self, media: Media) -> MediaStream:
        if media.source is None or media.source.external:
            raise Undeliverable("Baidu does not keep this file.", whose="platform", code="not_found")
        return file_of(await self._api.file(media.source.reference), name=media.name)

    async def probe(self) -> Health:
        try:
            await self._api.token()
        except SignInNeeded as error:
            return Health(state="sign_in_needed", summary=str(error))
        except DeliveryError as error:
            return Health(state="failing", summary=str(error))
        how = "with a token that somebody else renews" if self._config.access_token else "and got an access token"
        return Health(state="connected", summary=f"Connected as {self._config.app_id} {how}.", advice=_ADVICE)


def _challenge(request: WebhookRequest) -> Mapping[str, str] | None:
    if "echoStr" in request.query:
        return request.query
    if b"echoStr=" not in request.body[:4096] or request.body[:1] in {b"{", b"<"}:
        return None
    return {**request.query, **dict(parse_qsl(request.body[:4096].decode(errors="replace")))}
