"""One Official Account or one Mini Program."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    TemplateInfo,
    TemplateVariable,
    TrustedBody,
    WebhookReply,
    WebhookRequest,
)
from trunkline.errors import DeliveryError, SignInNeeded, Undeliverable
from trunkline.model import Address, Media, Profile, Template
from trunkline_wechat.api import Api
from trunkline_wechat.config import OA, Config
from trunkline_wechat.crypto import Door
from trunkline_wechat.official.inbound import items_of
from trunkline_wechat.official.outbound import SUBSCRIPTION, Notice, Shape, notice_of, shape_of

_FILM = Path(__file__).parent / "film.jpg"
#: How long customers see that somebody types; asked again before, the platform says no.
_TYPING_S = 15
_BLANK = re.compile(r"\{\{(\w+)\.DATA\}\}")

_BY_HAND = {
    True: "WeChat does not tell: in its console the server configuration must be switched on, automatic replies off.",
    False: "WeChat does not tell: in its console message push must be on, and no other customer service tool.",
}
_ADVICE = {
    ("mode", "plain"): "Choose the secure mode in WeChat's console: in plain mode messages can be forged.",
    ("mode", "compatible"): "Choose the secure mode in WeChat's console: here every message also travels in clear.",
    ("tokens_from", "token"): "Choose stable_token unless an old program needs otherwise: two programs that fetch "
    "tokens this way end each other's.",
}


class OfficialConnector(Connector):
    def __init__(self, services: Services[Config]) -> None:
        self._config, self._clock, self._api = services.config, services.clock, Api(services)
        config = self._config
        self._is_oa = config.surface == OA
        self._door = Door(config.callback_tokens, config.keys, config.receive_id, clock=services.clock)
        self._typing = Seldom(services.clock, every_s=_TYPING_S)

    # ---------------------------------------------------------------- what comes in

    def handshake(self, request: WebhookRequest) -> WebhookReply | None:
        return self._door.handshake(request, encrypted=False)

    def authenticate(self, request: WebhookRequest) -> TrustedBody:
        return self._door.authenticate(request)

    def parse(self, body: TrustedBody) -> Sequence[Item]:
        return items_of(body, original_id=self._config.original_id)

    async def fetch(self, media: Media) -> MediaStream:
        """Open what a customer sent; WeChat keeps it for three days, and of pictures a copy somewhere else."""
        if media.source is None or media.source.external:
            raise Undeliverable("WeChat does not keep this file.", whose="platform", code="no_file")
        try:
            return await self._api.download(media.source.reference, name=media.name)
        except Undeliverable:
            copy = media.source.extra.get("copy")
            if not isinstance(copy, str):
                raise
            return await self._api.copy(copy, name=media.name)

    # ---------------------------------------------------------------- what goes out

    async def deliver(self, message: OutboundMessage) -> Accepted:
        """Send one custom message, or one notice. Nothing protects a repeated send."""
        part, to = message.parts[0], message.to.external_id
        if isinstance(part, Template):
            return await self._notice(notice_of(part, to, message.key, surface=self._config.surface))
        shape = shape_of(part, message.quick_replies, surface=self._config.surface)
        try:
            return await self._send(shape, to)
        except Undeliverable as error:
            if error.code != "media_refused" or not shape.uploads:
                raise
            return await self._send(shape, to)

    async def _send(self, shape: Shape, to: str) -> Accepted:
        ids = {name: await self._upload(*upload) for name, upload in shape.uploads.items()}
        body = shape.body(to, ids)
        if self._config.kf_account:
            body["customservice"] = {"kf_account": self._config.kf_account}
        await self._api.post(self._config.custom_send_path, body, once=True)
        return Accepted(route="custom")

    async def _upload(self, kind: str, media: Media | None) -> str:
        if media is None:
            return await self._api.upload_bytes(kind, _FILM.read_bytes(), name="film.jpg", mime="image/jpeg")
        return await self._api.upload(kind, media)

    async def _notice(self, notice: Notice) -> Accepted:
        answer = await self._api.post(notice.path, notice.body, once=True)
        id_ = answer.get("msgid")
        return Accepted(route="template", parts=(AcceptedPart(external_id=str(id_)),) if id_ else ())

    async def signal(self, signal: Signal) -> None:
        """Show 15 s of typing, at most every 15 s."""
        to = signal.to.external_id
        if signal.kind == "typing" and self._typing.lets(to):
            path = "/cgi-bin/message/custom/typing" if self._is_oa else "/cgi-bin/message/custom/business/typing"
            await self._api.post(path, {"touser": to, "command": "Typing"})

    async def templates(self) -> Sequence[TemplateInfo]:
        if not self._is_oa:
            return await self._subscriptions("")
        rows = (await self._api.get("/cgi-bin/template/get_all_private_template")).get("template_list", ())
        found = [_template(row, "template_id") for row in rows]
        try:
            return [*found, *await self._subscriptions(SUBSCRIPTION)]
        except (Undeliverable, SignInNeeded):  # an account without the right to them has the others all the same
            return found

    async def _subscriptions(self, prefix: str) -> list[TemplateInfo]:
        rows = (await self._api.get("/wxaapi/newtmpl/gettemplate")).get("data") or ()
        return [_template(row, "priTmplId", prefix) for row in rows]

    # ---------------------------------------------------------------- about people and the account

    async def profile(self, address: Address, group: Address | None = None) -> Profile | None:
        """WeChat tells no names any more: what is left is the language, and our own remark."""
        if not self._is_oa:
            return None
        try:
            about = await self._api.get("/cgi-bin/user/info", openid=address.external_id, lang="zh_CN")
        except (Undeliverable, SignInNeeded) as error:
            if isinstance(error, Undeliverable) or error.code == "not_allowed":
                return None
            raise
        if not about.get("subscribe"):
            return None
        language = str(about.get("language", "")).replace("_", "-")
        return Profile(name=about.get("remark") or about.get("nickname") or None, language=language or None)

    async def probe(self) -> Health:
        try:
            hosts = await self._api.get("/cgi-bin/getcallbackip")
        except SignInNeeded as error:
            return Health(state="sign_in_needed", summary=str(error), advice=_remedies(error))
        except DeliveryError as error:
            return Health(state="failing", summary=str(error))
        left = await self._left_today()
        advice = [words for (name, value), words in _ADVICE.items() if getattr(self._config, name) == value]
        return Health(
            state="connected",
            summary=f"Connected as {self._config.app_id}.",
            advice=(*advice, _BY_HAND[self._is_oa]),
            quota_left=left,
            details={"callback_hosts": len(hosts.get("ip_list", ()))},
        )

    async def _left_today(self) -> int | None:
        """Return how many custom messages today's quota still has, None where WeChat does not say."""
        try:
            answer = await self._api.post("/cgi-bin/openapi/quota/get", {"cgi_path": self._config.custom_send_path})
        except DeliveryError:
            return None
        left = answer.get("quota", {}).get("remain")
        return left if isinstance(left, int) else None


def _remedies(error: SignInNeeded) -> tuple[str, ...]:
    if error.code == "address_not_allowed":
        return ("Add this server's address to the IP allow-list in WeChat's console (Basic configuration).",)
    return ("Check AppID and AppSecret in WeChat's console.",)


def _template(row: dict[str, Any], name: str, prefix: str = "") -> TemplateInfo:
    """Return a template; every blank has to be filled in, what a tap opens may be."""
    text, found = str(row.get("content", "")), dict[str, None]()
    for blank in _BLANK.finditer(text):
        found.setdefault(blank[1])
    return TemplateInfo(
        name=prefix + str(row.get(name, "")),
        language="zh_CN",
        category=str(row.get("title", "")),
        text=_BLANK.sub(r"{{\1}}", text),
        variables=tuple(TemplateVariable(name=blank) for blank in found),
    )
