"""One Telegram bot."""

from __future__ import annotations

import json
from collections.abc import Sequence

from trunkline.contract import (
    Accepted,
    AcceptedPart,
    Connector,
    Health,
    Item,
    MediaStream,
    MessageReceived,
    OutboundMessage,
    Services,
    Signal,
    TrustedBody,
    WebhookReply,
    WebhookRequest,
)
from trunkline.errors import DeliveryError, SignatureInvalid, SignInNeeded, Undeliverable
from trunkline.model import Address, Media, Profile

from trunkline_telegram.api import Api
from trunkline_telegram.config import Config
from trunkline_telegram.inbound import PRESS, items_of
from trunkline_telegram.outbound import call_of
from trunkline_telegram.signature import HEADER, is_proved


class TelegramConnector(Connector):
    """Speaks to one bot; it gets its settings and a client, and gives values back."""

    def __init__(self, services: Services[Config]) -> None:
        self._config, self._api = services.config, Api(services)

    def authenticate(self, request: WebhookRequest) -> TrustedBody:
        secrets = (secret.get_secret_value() for secret in self._config.secret_token)
        if not is_proved(request.headers.get(HEADER, ""), secrets):
            raise SignatureInvalid(f"{HEADER} is missing or not the secret_token of this account.")
        return TrustedBody(request.body)

    def parse(self, body: TrustedBody) -> Sequence[Item]:
        return items_of(body)

    def acknowledge(self, items: Sequence[Item]) -> WebhookReply:
        """Answer a press in the same breath: Telegram takes a method call as the answer of a webhook."""
        for item in items:
            if isinstance(item, MessageReceived) and item.external_id.startswith(PRESS):
                call = {"method": "answerCallbackQuery", "callback_query_id": item.external_id.removeprefix(PRESS)}
                return WebhookReply(body=json.dumps(call).encode(), content_type="application/json")
        return WebhookReply()

    async def deliver(self, message: OutboundMessage) -> Accepted:
        sent = await self._api.send(*call_of(message))
        id_ = f"{message.to.external_id}:{sent['message_id']}" if "message_id" in sent else ""
        return Accepted(parts=(AcceptedPart(external_id=id_),), route="send")

    async def fetch(self, media: Media) -> MediaStream:
        if media.source is None or media.source.external:
            raise Undeliverable("Telegram does not keep this file.", whose="platform", code="not_found")
        response = await self._api.open(media.source.reference)
        size = response.headers.get("content-length", "")
        return MediaStream(
            chunks=response.aiter_bytes(),
            mime=media.mime,
            size=int(size) if size.isdecimal() else None,
            name=media.name,
        )

    async def profile(self, address: Address, group: Address | None = None) -> Profile | None:
        try:
            chat = await self._api.call("getChat", {"chat_id": address.external_id})
        except Undeliverable:
            return None
        name = " ".join(part for part in (chat.get("first_name"), chat.get("last_name")) if part)
        return Profile(name=name or chat.get("username"), about=chat.get("bio"))

    async def signal(self, signal: Signal) -> None:
        if signal.kind == "typing":
            await self._api.call("sendChatAction", {"chat_id": signal.to.external_id, "action": "typing"})

    async def probe(self) -> Health:
        try:
            me, hook = await self._api.call("getMe"), await self._api.call("getWebhookInfo")
        except SignInNeeded as error:
            return Health(state="sign_in_needed", summary=str(error))
        except DeliveryError as error:
            return Health(state="failing", summary=str(error))
        if not isinstance(name := me.get("username"), str):
            return Health(state="failing", summary="Telegram does not say which bot this is.")
        advice = [] if hook.get("url") else ["Call setWebhook with the address of this account: nothing arrives yet."]
        if trouble := hook.get("last_error_message"):
            advice.append(f"Telegram could not deliver to the webhook: {trouble}")
        return Health(
            state="connected", summary=f"Connected as @{name}.", title=me.get("first_name"), advice=tuple(advice)
        )
