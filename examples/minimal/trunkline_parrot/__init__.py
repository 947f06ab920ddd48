"""Parrot, an invented platform: signed JSON comes in, one POST goes out."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr

from trunkline.contract import (
    Accepted,
    AcceptedPart,
    Capabilities,
    Channel,
    Connector,
    ConnectorSpec,
    ContentRule,
    Idempotency,
    Item,
    MessageReceived,
    OutboundMessage,
    Receiving,
    Sending,
    Services,
    TextLimit,
    TrustedBody,
    Unknown,
    WebhookRequest,
    hookimpl,
)
from trunkline.errors import BodyUnreadable, RateLimited, SignatureInvalid, SignInNeeded, TryLater, Undeliverable
from trunkline.model import Address, ContentKind, Level, Text


class Config(BaseModel):
    """What an account needs. Secrets never show."""

    model_config = ConfigDict(extra="forbid")
    secret: SecretStr
    token: SecretStr
    api_base: str = "https://api.parrot.example"


class Parrot(Connector):
    """One account on Parrot."""

    def __init__(self, services: Services[Config]) -> None:
        self._config, self._http = services.config, services.http

    def authenticate(self, request: WebhookRequest) -> TrustedBody:
        """Parrot signs the bytes of the body with the account's secret."""
        key = self._config.secret.get_secret_value().encode()
        proof = hmac.new(key, request.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(proof.encode(), request.headers.get("X-Parrot-Signature", "").encode()):
            raise SignatureInvalid
        return TrustedBody(request.body)

    def parse(self, body: TrustedBody) -> Sequence[Item]:
        """One request holds many events; a kind that we do not know is a value too."""
        try:
            return [_item(event) for event in json.loads(body)["events"]]
        except (ValueError, LookupError, TypeError) as error:
            raise BodyUnreadable("This is no Parrot event.") from error

    async def deliver(self, message: OutboundMessage) -> Accepted:
        """Send one text; Parrot takes the same key only once."""
        (part,) = message.parts
        assert isinstance(part, Text)
        response = await self._http.post(
            f"{self._config.api_base}/messages",
            json={"to": message.to.external_id, "text": part.text, "key": message.key},
            headers={"Authorization": f"Bearer {self._config.token.get_secret_value()}"},
        )
        if response.is_success:
            return Accepted(parts=(AcceptedPart(external_id=response.json()["id"]),), route="send")
        raise ERRORS.get(response.status_code, TryLater)(f"Parrot answered {response.status_code}.")


#: Status → what it means; anything else is tried again.
ERRORS: dict[int, Any] = {400: Undeliverable, 401: SignInNeeded, 404: Undeliverable, 429: RateLimited}


def _item(event: dict[str, Any]) -> Item:
    common = {"dedupe_key": event["id"], "at_ms": event["at"], "platform_kind": event["type"]}
    who = {"thread_key": event["from"]["id"], "contact": Address(external_id=event["from"]["id"])}
    if event["type"] != "squawk":
        return Unknown(raw=event, **common, **who)
    return MessageReceived(external_id=event["id"], content=Text(text=event["text"]), **common, **who)


TEXT = ContentRule(level=Level.FULL, text=TextLimit(max=500))
CAPABILITIES = Capabilities(
    receives={ContentKind.TEXT: TEXT},
    sends={ContentKind.TEXT: TEXT},
    sending=Sending(idempotency=Idempotency.KEY, key_life_s=24 * 3600),
    receiving=Receiving(redelivers=True, dedupe_source="id", proof_header="X-Parrot-Signature"),
)
SPEC = ConnectorSpec(
    name="parrot",
    title={"en": "Parrot"},
    config=Config,
    channels=(Channel(code="parrot", title={"en": "Parrot"}, capabilities=CAPABILITIES),),
    build=Parrot,
    hosts=("api.parrot.example",),
)


@hookimpl
def trunkline_connectors() -> Sequence[ConnectorSpec]:
    return [SPEC]
