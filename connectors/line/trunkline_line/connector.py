"""One LINE Official Account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import httpx2
import msgspec

from trunkline.contract import (
    Accepted,
    AcceptedPart,
    Connector,
    Health,
    Item,
    MediaStream,
    OutboundMessage,
    Seldom,
    Services,
    Signal,
    TrustedBody,
    WebhookRequest,
    file_of,
)  # fmt: skip
from trunkline.errors import (
    DeliveryError,
    SignatureInvalid,
    SignInNeeded,
    TryLater,
    Uncertain,
    Undeliverable,
    WindowClosed,
)  # fmt: skip
from trunkline.model import Address, AddressKind, Cost, Media, Profile
from trunkline_line.api import Api, object_of
from trunkline_line.config import Config
from trunkline_line.inbound import items_of
from trunkline_line.outbound import messages_of
from trunkline_line.signature import is_proved

_BY_HAND = (
    "LINE does not tell: in its console “Webhook redelivery” and “Error statistics” should be on.",
    "LINE does not tell: in its console greeting and auto-reply messages should be off.",
)


class _Sent(msgspec.Struct):
    id: str
    quoteToken: str | None = None  # noqa: N815 - LINE's name


class LineConnector(Connector):
    def __init__(self, services: Services[Config]) -> None:
        self._config, self._clock, self._api = services.config, services.clock, Api(services)
        self._typing = Seldom(services.clock, every_s=15)

    def authenticate(self, request: WebhookRequest) -> TrustedBody:
        signature = request.headers.get("x-line-signature", "")
        if not is_proved(request.body, signature, (s.get_secret_value() for s in self._config.channel_secret)):
            raise SignatureInvalid("x-line-signature is missing or not made with the channel_secret of this account.")
        return TrustedBody(request.body)

    def parse(self, body: TrustedBody) -> Sequence[Item]:
        return items_of(body, destination=self._config.destination, groups=self._config.accept_groups)

    async def deliver(self, message: OutboundMessage) -> Accepted:
        """Answer for free with a reply token, else push, which costs."""
        messages, strategy, token = messages_of(message), self._config.reply_strategy, message.credential
        if strategy == "push_only":
            token = None
        if token and (accepted := await self._reply(message, messages, token.value)):
            return accepted
        if strategy == "reply_only":
            raise WindowClosed("This account only replies, and no reply token is left.", code="no_reply_token")
        return await self._push(message, messages, credential_used=token is not None)

    async def _reply(self, message: OutboundMessage, messages: list[Any], token: str) -> Accepted | None:
        """Reply; None if the token was no good from the start.

        A reply without an answer is said once more, and if its token is used by then, the first one arrived. Until
        LINE says either it stays Uncertain and is never pushed: nobody shall read it twice.
        """
        try:
            body = {"replyToken": token, "messages": messages}
            response = await self._api.call("POST", "/v2/bot/message/reply", once=True, json=body)
            return _accepted(response, route="reply", credential_used=True)
        except WindowClosed as error:
            if not message.after_uncertain:
                return None
            if message.credential is None or message.credential.expires_at_ms <= self._clock.now_ms():
                # Used and too old are one word to LINE: whether it arrived, nobody can tell any more.
                words = "LINE never answered, and its reply token is over: it may or may not have arrived."
                raise Undeliverable(words, whose="platform", code="outcome_unknown", answer=error.answer) from error
            return Accepted(route="reply", verified=False, credential_used=True)
        except (TryLater, SignInNeeded) as error:
            if not message.after_uncertain and error.code != "nonsense":
                raise
            raise Uncertain(str(error), answer=error.answer) from error

    async def _push(self, message: OutboundMessage, messages: list[Any], *, credential_used: bool) -> Accepted:
        """Push under the message's own key: a 409 says that LINE has it already."""
        headers, body = {"X-Line-Retry-Key": message.key}, {"to": message.thread_key, "messages": messages}
        try:
            response = await self._api.call("POST", "/v2/bot/message/push", headers=headers, json=body)
        except httpx2.TransportError as error:
            if not credential_used:
                raise
            # The key makes it safe to repeat; Uncertain would be taken for a reply without an answer.
            raise TryLater("LINE gave no answer to a push.", code="no_answer") from error
        return _accepted(response, route="push", cost=Cost.QUOTA, credential_used=credential_used)

    async def fetch(self, media: Media) -> MediaStream:
        if media.source is None or media.source.external:
            raise Undeliverable("LINE does not keep this file.", whose="platform", code="not_found")
        path = f"/v2/bot/message/{_safe(media.source.reference)}/content"
        if media.source.extra.get("kind") in {"video", "audio"}:
            state = (await self._api.get(f"{path}/transcoding", data=True)).get("status")
            if state == "failed":
                raise Undeliverable("LINE could not prepare this file.", whose="platform", code="not_prepared")
            if state == "processing":
                raise TryLater("LINE is still preparing this file.", code="not_ready")
        response = await self._api.call("GET", path, data=True, stream=True)
        if response.status_code == 202:
            await response.aclose()
            raise TryLater("LINE is still preparing this file.", code="not_ready")
        return file_of(response, name=media.name)

    async def profile(self, address: Address, group: Address | None = None) -> Profile | None:
        id_ = _safe(address.external_id)
        try:
            match address.kind:
                case AddressKind.ROOM:
                    return None
                case AddressKind.GROUP:
                    about = await self._api.get(f"/v2/bot/group/{id_}/summary")
                    about |= await self._api.get(f"/v2/bot/group/{id_}/members/count")
                case _:
                    place = f"{group.kind}/{_safe(group.external_id)}/member" if group else "profile"
                    about = await self._api.get(f"/v2/bot/{place}/{id_}")
        except Undeliverable:
            return None
        return Profile(
            name=about.get("displayName") or about.get("groupName"),
            picture_url=about.get("pictureUrl"),
            language=about.get("language"),
            about=about.get("statusMessage"),
            members=about.get("count"),
        )

    async def signal(self, signal: Signal) -> None:
        """Mark as read; show 20 s of typing, at most every 15 s and never to a group."""
        if signal.kind == "read" and signal.token:
            await self._api.call("POST", "/v2/bot/chat/markAsRead", json={"markAsReadToken": signal.token})
        is_seen = signal.kind == "typing" and signal.to.kind is AddressKind.PERSON
        if is_seen and self._typing.lets(signal.thread_key):
            body = {"chatId": signal.thread_key, "loadingSeconds": 20}
            await self._api.call("POST", "/v2/bot/chat/loading/start", json=body)

    async def probe(self) -> Health:
        try:
            info = await self._api.get("/v2/bot/info")
            quota = await self._api.get("/v2/bot/message/quota")
            quota |= await self._api.get("/v2/bot/message/quota/consumption")
            if {"userId", "type", "totalUsage"} - {*info, *quota}:
                raise TryLater("LINE does not say which account this is.", code="nonsense")
            webhook, advice = await self._webhook()
        except SignInNeeded as error:
            return Health(state="sign_in_needed", summary=str(error))
        except DeliveryError as error:
            return Health(state="failing", summary=str(error))
        if info.get("chatMode") == "bot":
            advice.append("Switch Chat on in LINE's console, or messages show as read before anybody read them.")
        if self._config.destination not in {None, info["userId"]}:
            advice.append(f"destination should be {info['userId']}: no message of this account is filed.")
        return Health(
            state="connected",
            summary=f"Connected as {info.get('displayName')} ({info.get('basicId')}).",
            title=info.get("displayName"),
            advice=(*advice, *_BY_HAND),
            quota_left=max(0, quota["value"] - quota["totalUsage"]) if quota["type"] == "limited" else None,
            details={**info, "quota": quota, "webhook": webhook},
        )

    async def _webhook(self) -> tuple[dict[str, Any], list[str]]:
        """Return what LINE knows of our webhook and how its own test of it went, and what to do about it."""
        try:
            webhook = await self._api.get("/v2/bot/channel/webhook/endpoint")
            test = object_of(await self._api.call("POST", "/v2/bot/channel/webhook/test", json={}))
        except (Undeliverable, TryLater) as error:
            return {}, [f"LINE could not test the webhook: {error}"]
        advice = [] if webhook.get("active") else ["Switch “Use webhook” on in LINE's console: nothing arrives."]
        if not test.get("success"):
            advice.append(f"LINE does not reach the webhook: {test.get('reason')} {test.get('detail', '')}".strip())
        return {**webhook, "test": test}, advice


def _safe(part: str) -> str:
    return quote(part, safe="")


def _accepted(response: httpx2.Response, **how: Any) -> Accepted:
    """Read LINE's yes; in words that are not LINE's it is none."""
    headers, said = response.headers, object_of(response)
    if response.status_code != 200:
        said.setdefault("sentMessages", [])  # a repetition that LINE knows already may name none; a first yes does
    try:
        sent = msgspec.convert(said["sentMessages"], tuple[_Sent, ...])
    except (KeyError, msgspec.ValidationError) as error:
        raise TryLater("LINE's yes cannot be read.", code="nonsense") from error
    parts = tuple(AcceptedPart(external_id=one.id, quote_token=one.quoteToken) for one in sent)
    evidence = headers.get("x-line-accepted-request-id") or headers.get("x-line-request-id")
    return Accepted(parts=parts, evidence=evidence, **how)
