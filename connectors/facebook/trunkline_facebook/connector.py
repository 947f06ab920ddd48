"""One Facebook Page on Messenger, or the Instagram account beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from trunkline import contract
from trunkline.contract import Accepted, Health, OutboundMessage, Seldom, Services, Signal, TrustedBody, WebhookRequest
from trunkline.errors import DeliveryError, SignatureInvalid, SignInNeeded, Uncertain, Undeliverable
from trunkline.log import get_logger
from trunkline.model import Address, AuthorKind, Profile
from trunkline_facebook.api import SENT_ALL_THE_SAME, Api
from trunkline_facebook.config import Config
from trunkline_facebook.inbound import Ours, items_of
from trunkline_facebook.outbound import attachment_kind, file_of, needs_upload, permission, recipient, request_of
from trunkline_facebook.signature import HEADER, is_proved

Json = dict[str, Any]
log = get_logger("facebook")

#: What has to be subscribed on the Page for each channel. Instagram's own fields are chosen in the app's dashboard.
FIELDS = {
    "facebook": (
        "messages", "message_echoes", "message_edits", "message_reactions", "message_deliveries", "message_reads",
        "messaging_postbacks", "messaging_referrals", "messaging_optins", "messaging_handovers", "standby",
        "messaging_policy_enforcement",
    ),
    "instagram": ("messages",),
}  # fmt: skip
_SUBSCRIBE = contract.Remedy(code="subscribe", title="Subscribe again")
_PROFILE_FIELDS = {"facebook": "first_name,last_name,profile_pic", "instagram": "name,username,profile_pic"}
_PLATFORM = {"facebook": "messenger", "instagram": "instagram"}
#: A shown "is typing" fades after about 20 seconds.
_TYPING_S = 10


class FacebookConnector(contract.Connector):
    def __init__(self, services: Services[Config]) -> None:
        self._config, self._clock, self._api = services.config, services.clock, Api(services)
        self._media, self._channel = services.media, services.config.channel
        page, instagram = self._config.page_id, self._config.instagram_id or ""
        which = {"facebook": ("page", {page}), "instagram": ("instagram", {page, instagram})}[self._channel]
        self._ours = Ours(which[0], frozenset(which[1]), self._config.app_id)
        self._typing = Seldom(services.clock, every_s=_TYPING_S)

    # ---------------------------------------------------------------- in

    def handshake(self, request: WebhookRequest) -> contract.WebhookReply | None:
        return contract.hub_challenge(request, self._config.verify_token.get_secret_value())

    def authenticate(self, request: WebhookRequest) -> TrustedBody:
        signature = request.headers.get(HEADER, "")
        if not is_proved(request.body, signature, (s.get_secret_value() for s in self._config.app_secret)):
            raise SignatureInvalid(f"{HEADER} is missing or not made with the app_secret of this account.")
        return TrustedBody(request.body)

    def parse(self, body: TrustedBody) -> Sequence[contract.Item]:
        return items_of(body, self._ours)

    # ---------------------------------------------------------------- out

    async def deliver(self, message: OutboundMessage) -> Accepted:
        """Send one message; its id of ours travels as `metadata` and comes back in the echo."""
        config = self._config
        how = permission(message, human_agent=config.human_agent_enabled, now_ms=self._clock.now_ms())
        head = {"recipient": recipient(message.to), **how}
        media = file_of(message)
        uploaded = None
        if media is not None and needs_upload(media, attachment_kind(message.parts[0])):
            uploaded = await self._upload(message)
        try:
            answer = await self._say({**head, **request_of(message, uploaded=uploaded)}, message)
        except Uncertain as error:
            if error.code != SENT_ALL_THE_SAME:
                raise
            return Accepted(route=_route(how), verified=False)
        named = str(answer.get("recipient_id") or message.to.external_id)
        moved = None if named in {message.to.external_id, *message.to.aliases} else Address(external_id=named)
        part = contract.AcceptedPart(external_id=answer["message_id"])
        return Accepted(parts=(part,), route=_route(how), evidence=answer["message_id"], address=moved)

    async def _say(self, body: Json, message: OutboundMessage) -> Json:
        """Send; where the platform names something that can be put right, do that and send once more."""
        try:
            return await self._api.say(body, attempt=message.attempt)
        except Undeliverable as refusal:
            if refusal.code == "file_not_fetched" and file_of(message) is not None:
                body = {**body, **request_of(message, uploaded=await self._upload(message))}
            elif refusal.code == "thread_elsewhere":
                await self._take(message, refusal)
            else:
                raise
        return await self._api.say(body, attempt=message.attempt)

    async def _upload(self, message: OutboundMessage) -> str:
        media = file_of(message)
        if media is None:
            raise Undeliverable("There is no file to upload.", whose="us", code="media_gone")
        return await self._api.upload(attachment_kind(message.parts[0]), await self._media.open(media))

    async def _take(self, message: OutboundMessage, refusal: Undeliverable) -> None:
        """Take the conversation for an agent, or ask for it; a machine never takes one."""
        if message.author.kind is not AuthorKind.AGENT:
            raise refusal
        way = "take_thread_control" if self._config.take_threads else "request_thread_control"
        body = {"recipient": recipient(message.to), "metadata": message.delivery_id}
        try:
            await self._api.call("POST", f"{self._config.page_id}/{way}", json=body)
        except DeliveryError as error:
            log.info("facebook.thread_not_taken", way=way, reason=error.code)
            raise refusal from error
        if not self._config.take_threads:
            words = "Another app holds this conversation; it was asked to hand it over. Try again when it did."
            raise Undeliverable(words, whose="account", code=refusal.code, answer=refusal.answer) from refusal

    async def signal(self, signal: Signal) -> None:
        """Show that somebody types, at most every 10 s; mark as seen."""
        action = {"typing": "typing_on", "read": "mark_seen"}.get(signal.kind)
        if action is not None and (action != "typing_on" or self._typing.lets(signal.thread_key)):
            body = {"recipient": recipient(signal.to), "sender_action": action}
            await self._api.call("POST", f"{self._config.page_id}/messages", json=body)

    # ---------------------------------------------------------------- about people and the account

    async def profile(self, address: Address, group: Address | None = None) -> Profile | None:
        """Look a person up. That this fails is usual; a name may then be had from the list of conversations."""
        try:
            fields = {"fields": _PROFILE_FIELDS[self._channel]}
            about = await self._api.call("GET", quote(address.external_id, safe=""), params=fields)
        except (Undeliverable, SignInNeeded):
            name = await self._name_in_conversations(address.external_id)
            return Profile(name=name) if name else None
        full = " ".join(filter(None, (about.get("first_name"), about.get("last_name"))))
        name = about.get("name") or full or about.get("username")
        return Profile(name=name or None, picture_url=about.get("profile_pic"), about=_handle(about))

    async def _name_in_conversations(self, person: str) -> str | None:
        params = {"platform": _PLATFORM[self._channel], "user_id": person, "fields": "participants"}
        try:
            found = await self._api.call("GET", f"{self._config.page_id}/conversations", params=params)
            people = [one for chat in found["data"] for one in chat["participants"]["data"]]
            return next((one.get("name") or one.get("username") for one in people if one.get("id") == person), None)
        except (Undeliverable, SignInNeeded, LookupError, TypeError, AttributeError):
            return None

    async def probe(self) -> Health:
        """Check the token, and whether the Page still sends its webhooks to our app."""
        page = self._config.page_id
        try:
            about = await self._api.call("GET", page, params={"fields": "name"})
            apps = (await self._api.call("GET", f"{page}/subscribed_apps")).get("data", [])
        except SignInNeeded as error:
            return Health(state="sign_in_needed", summary=str(error))
        except DeliveryError as error:
            return Health(state="failing", summary=str(error))
        return self._health(str(about.get("name") or page), apps)

    def _health(self, title: str, apps: list[Json]) -> Health:
        mine = [app for app in apps if self._config.app_id in {None, str(app.get("id"))}]
        details: Json = {"page_id": self._config.page_id, "subscribed_apps": apps}
        if not mine:
            words = f"{title} is not subscribed to the app: nothing arrives, and nothing says so. Subscribe it again."
            return Health(state="failing", summary=words, title=title, remedies=(_SUBSCRIBE,), details=details)
        known = {field for app in mine for field in app.get("subscribed_fields", ())}
        missing = [field for field in FIELDS[self._channel] if field not in known]
        about: Json = {"title": title, "details": details, "remedies": (_SUBSCRIBE,) if missing else ()}
        advice: tuple[str, ...] = (
            (f"Not subscribed: {', '.join(missing)}. Subscribe again to get them.",) if missing else ()
        )
        if self._config.app_id is None:
            advice += ("Set app_id: without it nobody can tell whose subscription this is.",)
        return Health(state="connected", summary=f"Connected as {title}.", advice=advice, **about)

    async def remedy(self, code: str) -> Health:
        if code != _SUBSCRIBE.code:
            return await super().remedy(code)
        params = {"subscribed_fields": ",".join(FIELDS[self._channel])}
        try:
            await self._api.call("POST", f"{self._config.page_id}/subscribed_apps", params=params)
        except SignInNeeded as error:
            return Health(state="sign_in_needed", summary=str(error))
        except DeliveryError as error:
            return Health(state="failing", summary=str(error), remedies=(_SUBSCRIBE,))
        return await self.probe()


def _route(how: Json) -> str:
    return str(how.get("tag", how["messaging_type"])).lower()


def _handle(about: Json) -> str | None:
    return f"@{about['username']}" if about.get("username") and about.get("name") else None
