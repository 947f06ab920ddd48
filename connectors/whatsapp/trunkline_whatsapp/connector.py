"""One WhatsApp Business number."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

import msgspec

from trunkline.contract import (
    Accepted,
    AcceptedPart,
    Connector,
    Health,
    Item,
    MediaStream,
    OutboundMessage,
    Remedy,
    Seldom,
    Services,
    Signal,
    TemplateInfo,
    TrustedBody,
    WebhookReply,
    WebhookRequest,
    file_of,
    hub_challenge,
)
from trunkline.errors import (
    ContractError,
    DeliveryError,
    SignatureInvalid,
    SignInNeeded,
    TryLater,
    Uncertain,
    Undeliverable,
)
from trunkline.model import Address, AddressKind, Cost, Link, Media, Template, content_kind, media_of
from trunkline_whatsapp.api import Api, error_of
from trunkline_whatsapp.config import Config
from trunkline_whatsapp.inbound import items_of
from trunkline_whatsapp.outbound import body_of, recipient_of
from trunkline_whatsapp.signature import is_proved
from trunkline_whatsapp.templates import info_of

Json = dict[str, Any]

SUBSCRIBE = Remedy(code="subscribe", title="Subscribe again")
#: What is asked of the number; `webhook_configuration` says where its webhooks go.
_NUMBER_FIELDS = (
    "display_phone_number,verified_name,quality_rating,name_status,status,messaging_limit_tier,throughput,"
    "webhook_configuration"
)
#: The last day of a version of the Graph API.
_VERSION_ENDS = {
    "v20.0": "2026-09-24", "v21.0": "2027-01-21", "v22.0": "2027-05-20", "v23.0": "2027-10-08", "v24.0": "2028-02-18",
    "v25.0": "2028-07-29",
}  # fmt: skip
#: Field of the number, values that are well, what to do about others.
_CHECKS = (
    ("status", {"CONNECTED", None}, "The number is {}: register it with WhatsApp again, nothing can be sent."),
    ("quality_rating", {"GREEN", "UNKNOWN", None}, "The quality of the number is {}: customers block or report it."),
    ("name_status", {"APPROVED", "AVAILABLE_WITHOUT_REVIEW", "NONE", None}, "The display name is {}: choose another."),
)


class _Message(msgspec.Struct):
    id: str
    message_status: str | None = None


class _Contact(msgspec.Struct):
    wa_id: str | None = None
    user_id: str | None = None
    parent_user_id: str | None = None


class _Yes(msgspec.Struct):
    """The answer to a message that was taken."""

    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    contacts: list[_Contact] = []


class WhatsAppConnector(Connector):
    def __init__(self, services: Services[Config]) -> None:
        self._config, self._media = services.config, services.media
        self._account, self._api = services.account_id, Api(services)
        self._messages = f"{services.config.phone_number_id}/messages"
        self._typing = Seldom(services.clock, every_s=20)

    # ---------------------------------------------------------------- in

    def handshake(self, request: WebhookRequest) -> WebhookReply | None:
        return hub_challenge(request, self._config.verify_token.get_secret_value())

    def authenticate(self, request: WebhookRequest) -> TrustedBody:
        signature = request.headers.get("x-hub-signature-256", "")
        if not is_proved(request.body, signature, (one.get_secret_value() for one in self._config.app_secret)):
            raise SignatureInvalid("x-hub-signature-256 is missing or not made with the app_secret of this account.")
        return TrustedBody(request.body)

    def parse(self, body: TrustedBody) -> Sequence[Item]:
        return items_of(body, number=self._config.phone_number_id, waba=self._config.waba_id)

    async def fetch(self, media: Media) -> MediaStream:
        """Resolve the id, which lives a week, to an address that lives five minutes, and open that."""
        if media.source is None or media.source.external:
            raise Undeliverable("WhatsApp does not keep this file.", whose="platform", code="not_found")
        for last in (False, True):
            found = await self._look_up(media.source.reference)
            response = await self._api.open("GET", found["url"])
            if response.is_success:
                break
            await response.aread()
            if last or response.status_code != 404:
                raise error_of(response)
        digest = media.source.extra.get("sha256")
        return file_of(response, name=media.name, mime=found.get("mime_type"), sha256=digest)

    async def _look_up(self, id_: str) -> Json:
        found = await self._api.ask(
            "GET", quote(id_, safe=""), params={"phone_number_id": self._config.phone_number_id}
        )
        url, own = urlsplit(str(found.get("url"))), urlsplit(self._config.api_base)
        allowed = url.scheme == "https" and any(fnmatch(url.hostname or "", host) for host in self._config.media_hosts)
        if not allowed and (url.scheme, url.netloc) != (own.scheme, own.netloc):
            words = f"WhatsApp keeps the file at {url.hostname}, which media_hosts does not name: no token goes there."
            raise Undeliverable(words, whose="account", code="media_host")
        return found

    # ---------------------------------------------------------------- out

    async def deliver(self, message: OutboundMessage) -> Accepted:
        (part,) = message.parts
        if isinstance(part, Template):
            part = msgspec.structs.replace(part, variables=await self._filled(part.variables))
        media = None if isinstance(part, Link) else next(iter(media_of(part)), None)
        file = await self._reference(media) if media else None
        body = body_of(message, part, file, list_button=self._config.list_button)
        answer = await self._api.ask("POST", self._messages, attempt=message.attempt, json=body)
        try:
            said = msgspec.convert(answer, _Yes)
        except msgspec.ValidationError as error:
            raise Uncertain("WhatsApp said yes without the id of a message.") from error
        return Accepted(
            parts=tuple(AcceptedPart(external_id=one.id) for one in said.messages),
            route=str(content_kind(part)),
            cost=Cost.PAID if isinstance(part, Template) else Cost.FREE,
            evidence=said.messages[0].message_status,
            address=_address(message.to, said.contacts),
        )

    async def _reference(self, media: Media) -> Json:
        """Return how WhatsApp gets a file: by its public address, else by an upload."""
        if media.url and media.url.startswith("https://"):
            return {"link": media.url}
        return {"id": await self._api.upload(await self._media.open(media))}

    async def _filled(self, variables: Json) -> Json:
        """Return the variables of a template with references to their files."""
        filled = dict(variables)
        for name, value in variables.items():
            if isinstance(value, dict) and isinstance(value.get("media"), dict):
                media = msgspec.convert(value["media"], Media)
                filled[name] = {**await self._reference(media), "name": media.name}
        return filled

    async def signal(self, signal: Signal) -> None:
        """React, mark as read, or show 25 s of typing, at most every 20 s; typing marks as read, too."""
        about = signal.token or signal.external_id
        if signal.kind == "reaction":
            reaction = {"message_id": signal.external_id, "emoji": signal.emoji or ""}
            await self._send(**recipient_of(signal.to), type="reaction", reaction=reaction)
        elif signal.kind == "read" and about:
            await self._send(status="read", message_id=about)
        elif about and self._may_type(signal):
            await self._send(status="read", message_id=about, typing_indicator={"type": "text"})

    def _may_type(self, signal: Signal) -> bool:
        is_seen = signal.kind == "typing" and signal.to.kind is AddressKind.PERSON
        return is_seen and self._typing.lets(signal.thread_key)

    async def _send(self, **fields: Any) -> None:
        await self._api.ask("POST", self._messages, json={"messaging_product": "whatsapp", **fields})

    async def templates(self) -> Sequence[TemplateInfo]:
        found: list[TemplateInfo] = []
        fields = "name,language,status,category,components,parameter_format,rejected_reason"
        params = {"fields": fields, "limit": "100"}
        while True:
            answer = await self._api.ask("GET", f"{self._config.waba_id}/message_templates", params=params)
            try:
                found += map(info_of, answer["data"])
                after = answer["paging"]["cursors"]["after"] if answer.get("paging", {}).get("next") else None
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                raise TryLater("WhatsApp lists its templates in words that nobody knows.", code="no_list") from error
            if after is None:
                return found
            params["after"] = after

    # ---------------------------------------------------------------- the account

    async def probe(self) -> Health:
        try:
            number = await self._api.ask("GET", self._config.phone_number_id, params={"fields": _NUMBER_FIELDS})
            apps = (await self._api.ask("GET", f"{self._config.waba_id}/subscribed_apps")).get("data") or []
        except DeliveryError as error:
            refused = isinstance(error, SignInNeeded)
            return Health(state="sign_in_needed" if refused else "failing", summary=str(error))
        if number.get("id") != self._config.phone_number_id:
            return Health(state="failing", summary="What answers at api_base does not know this number.")
        name, phone = number.get("verified_name"), number.get("display_phone_number")
        return Health(
            state="connected",
            summary=f"Connected as {name} ({phone}).",
            title=name,
            advice=(*self._advice(number), *(() if apps else ("The app is not subscribed: nothing arrives.",))),
            remedies=() if apps else (SUBSCRIBE,),
            details={**number, "subscribed_apps": apps},
        )

    def _advice(self, number: Json) -> list[str]:
        advice = [words.format(number.get(field)) for field, good, words in _CHECKS if number.get(field) not in good]
        hooks = number.get("webhook_configuration") or {}
        where = hooks.get("phone_number") or hooks.get("whatsapp_business_account") or hooks.get("application")
        if where and not str(where).rstrip("/").endswith(f"/webhooks/{self._account}"):
            advice.append(f"Webhooks of this number go to {where}, which is not the address of this account.")
        if ends := _VERSION_ENDS.get(self._config.api_version):
            advice.append(
                f"Version {self._config.api_version} of the Graph API ends on {ends}: set a newer api_version."
            )
        return advice

    async def remedy(self, code: str) -> Health:
        if code != SUBSCRIBE.code:
            raise ContractError(f"WhatsApp has no remedy {code}.")
        await self._api.ask("POST", f"{self._config.waba_id}/subscribed_apps")
        return await self.probe()


def _address(to: Address, contacts: list[_Contact]) -> Address | None:
    """Return the ids under which WhatsApp knows the person, if one of them is news."""
    ids = [id_ for one in contacts[:1] for id_ in (one.wa_id, one.user_id, one.parent_user_id) if id_]
    if to.kind is not AddressKind.PERSON or {*ids} <= {to.external_id, *to.aliases}:
        return None
    return Address(external_id=ids[0], aliases=tuple(ids[1:]))
