"""One verified Weibo account.

A callback is proved by SHA-1 over the application secret, a time and a nonce, which does not cover the body.
Source: https://open.weibo.com/wiki/粉丝服务平台 (read 2026-11-22)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
from trunkline.model import Address, Media, Profile
from trunkline_weibo.api import Api
from trunkline_weibo.config import Config
from trunkline_weibo.inbound import items_of
from trunkline_weibo.outbound import reply_of

#: Where a name may stand, by the call that tells it; the fan service's own fields are not documented.
_NAMES = ("nickname", "screen_name", "name")
_PICTURES = ("headimgurl", "avatar_large", "profile_image_url")
_ADVICE = (
    "Weibo's callbacks do not prove their body: keep the webhook address secret and use HTTPS.",
    "The protocol is the documented one of about 2015; it was not tried against the live service.",
)
_DAY_S = 86_400


class WeiboConnector(Connector):
    def __init__(self, services: Services[Config]) -> None:
        self._config, self._api = services.config, Api(services)
        secrets = [secret.get_secret_value() for secret in services.config.app_secret]
        self._proofs = Proofs(secrets, services.clock, max_age_s=services.config.max_age_s, called="app_secret")

    def handshake(self, request: WebhookRequest) -> WebhookReply | None:
        if request.method != "GET" or "echostr" not in request.query:
            return None
        self._proofs.check(request.query, b"")
        return WebhookReply(body=request.query["echostr"].encode())

    def authenticate(self, request: WebhookRequest) -> TrustedBody:
        self._proofs.check(request.query, request.body)
        return TrustedBody(request.body)

    def parse(self, body: TrustedBody) -> Sequence[Item]:
        return items_of(body, uid=self._config.uid)

    async def deliver(self, message: OutboundMessage) -> Accepted:
        """Send a reply; Weibo tells no id of it."""
        (part,) = message.parts
        await self._api.reply(message.to.external_id, *reply_of(part))
        return Accepted(route="reply")

    async def fetch(self, media: Media) -> MediaStream:
        if media.source is None or media.source.external:
            raise Undeliverable("Weibo does not keep this file.", whose="platform", code="not_found")
        return file_of(await self._api.media(media.source.reference), name=media.name)

    async def profile(self, address: Address, group: Address | None = None) -> Profile | None:
        """Ask the fan service; where the account has no right to it, the platform as a whole."""
        for path in ("/2/eps/user/info.json", "/2/users/show.json"):
            try:
                found = await self._api.get(path, uid=address.external_id)
            except Undeliverable:
                return None
            except SignInNeeded as error:
                if error.code != "not_allowed":
                    raise
                continue
            return Profile(name=_first(found, _NAMES), picture_url=_first(found, _PICTURES))
        return None

    async def probe(self) -> Health:
        try:
            token = await self._api.token_info()
        except SignInNeeded as error:
            return Health(state="sign_in_needed", summary=str(error))
        except DeliveryError as error:
            return Health(state="failing", summary=str(error))
        if str(token.get("uid", self._config.uid)) != self._config.uid:
            words = f"The token belongs to the account {token['uid']}, not to {self._config.uid}: replies would be its."
            return Health(state="sign_in_needed", summary=words)
        left_s = _number(token.get("expire_in"))
        if left_s is not None and left_s <= 0:
            return Health(state="sign_in_needed", summary="The access token is over: copy a new one from the console.")
        own = await self._own()
        return Health(
            state="connected",
            summary=f"Connected as {own or self._config.uid}.",
            title=own,
            advice=(*self._about(token, left_s), *_ADVICE),
            details={"expires_in_s": left_s, "scope": token.get("scope")},
        )

    async def _own(self) -> str | None:
        try:
            return _first(await self._api.get("/2/users/show.json", uid=self._config.uid), _NAMES)
        except DeliveryError:
            return None

    def _about(self, token: dict[str, Any], left_s: int | None) -> list[str]:
        advice = []
        if left_s is not None and left_s < 7 * _DAY_S:
            advice.append(f"The access token ends in {left_s // _DAY_S} days: copy a new one from the console.")
        if self._config.app_key and "appkey" in token and str(token["appkey"]) != self._config.app_key:
            advice.append("The token belongs to another application: its callbacks are signed with another secret.")
        return advice


def _first(found: dict[str, Any], names: Sequence[str]) -> str | None:
    return next((value for name in names if isinstance(value := found.get(name), str) and value), None)


def _number(value: Any) -> int | None:
    """Return a number that Weibo writes as one or as text."""
    text = str(value)
    return int(text) if text.removeprefix("-").isdecimal() else None
