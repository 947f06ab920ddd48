"""A well-behaved connector to an invented platform: Bay, with all that there is, and Cove, with little and pulled."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import httpx2
import msgspec
from pydantic import BaseModel, ConfigDict, Field

from tests.conformance.bay_events import READERS, unknown
from trunkline.contract import (
    Accepted,
    AcceptedPart,
    AccessToken,
    Act,
    Afterwards,
    Capabilities,
    CardLimit,
    Channel,
    Connector,
    ConnectorSpec,
    ContentRule,
    Extra,
    FilledSecret,
    Health,
    HttpAddress,
    Idempotency,
    Item,
    MediaLimit,
    MediaStream,
    OneOrMany,
    OutboundMessage,
    Page,
    PullRequest,
    PullRequested,
    QuickReplyLimit,
    Receipts,
    Receiving,
    Sending,
    Services,
    Signal,
    TemplateInfo,
    TemplateVariable,
    TextLimit,
    TextUnit,
    Transport,
    TrustedBody,
    WebhookReply,
    WebhookRequest,
    Window,
)
from trunkline.errors import (
    BodyUnreadable,
    DeliveryError,
    PlatformAnswer,
    RateLimited,
    SignatureInvalid,
    SignInNeeded,
    TryLater,
    Uncertain,
    Undeliverable,
    WindowClosed,
)
from trunkline.model import Address, ContentKind, Level, Media, Profile, content_kind

GOOD_FOR_S = 300
DAY_S = 86_400
TITLE = dict.fromkeys(("en", "zh-Hans", "zh-Hant", "pl"), "Bay")
_FULL = ContentRule(level=Level.FULL)
CARD = CardLimit(title_max=20, text_max=40, buttons_max=2, button_title_max=10, button_data_max=20)


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    secret: Annotated[tuple[FilledSecret, ...], OneOrMany, Field(min_length=1)]
    app_key: FilledSecret
    channel: Literal["bay", "cove"] = "bay"
    api_base: HttpAddress = "https://api.bay.example"


def _files(*mimes: str) -> ContentRule:
    return ContentRule(level=Level.FULL, media=(MediaLimit(mimes=mimes, max_bytes=1_000_000),))


BAY = Capabilities(
    receives={
        kind: _FULL for kind in ContentKind if kind not in {ContentKind.TEMPLATE, ContentKind.UNSUPPORTED}
    },
    sends={
        ContentKind.TEXT: ContentRule(level=Level.FULL, text=TextLimit(max=60, unit=TextUnit.UTF16)),
        ContentKind.IMAGE: _files("image/jpeg", "image/png"),
        ContentKind.VIDEO: _files("video/mp4"),
        ContentKind.AUDIO: _files("audio/mpeg"),
        ContentKind.FILE: _files("application/pdf"),
        **dict.fromkeys((ContentKind.LOCATION, ContentKind.STICKER, ContentKind.LINK, ContentKind.CONTACTS), _FULL),
        ContentKind.TEMPLATE: _FULL,
        ContentKind.CARD: ContentRule(level=Level.FULL, card=CARD),
        ContentKind.CAROUSEL: ContentRule(level=Level.FULL, card=msgspec.structs.replace(CARD, cards_max=3)),
    },
    windows=(
        Window(
            name="standard", opened_by=frozenset({Act.MESSAGE}), lasts_s=DAY_S, budget=5,
            afterwards=Afterwards.TEMPLATE,
        ),
    ),
    receipts=Receipts(delivered=True, read=True, late_failure=True),
    sending=Sending(idempotency=Idempotency.KEY, key_life_s=DAY_S, items_per_request=3),
    receiving=Receiving(redelivers=True, dedupe_source="id", proof_header="x-bay-signature"),
    quick_replies=QuickReplyLimit(max=3, title_max=10, data_max=20),
    extras=frozenset(Extra),
)  # fmt: skip
COVE = Capabilities(
    receives={ContentKind.TEXT: _FULL},
    sends={
        ContentKind.TEXT: ContentRule(level=Level.FULL, text=TextLimit(max=60)),
        ContentKind.LINK: ContentRule(level=Level.FALLBACK, becomes=ContentKind.TEXT),
    },
    receipts=Receipts(delivered=True, read=True, watermark=True),
    sending=Sending(idempotency=Idempotency.CORRELATION),
    receiving=Receiving(
        transport=Transport.NOTIFY, dedupe_source="id", proof_header="x-bay-signature", pull_every_s=60
    ),
)


def sign(secret: str, time_s: str, body: bytes) -> str:
    return hmac.new(secret.encode(), time_s.encode() + b"." + body, "sha256").hexdigest()


class BayConnector(Connector):
    """Bay and Cove speak the same way; what differs stands in their capabilities."""

    def __init__(self, services: Services[Config]) -> None:
        self._services, self._config = services, services.config
        self.carried = {ContentKind.TEXT} if services.channel == "cove" else set(BAY.sends)

    # ---------------------------------------------------------------- in

    def handshake(self, request: WebhookRequest) -> WebhookReply | None:
        nonce = request.query.get("check")
        if nonce is None:
            return None
        if not self.signed(request.query.get("proof", ""), "check", nonce.encode()):
            raise SignatureInvalid
        return WebhookReply(body=nonce.encode())

    def signed(self, given: str, time_s: str, body: bytes) -> bool:
        proofs = [sign(secret.get_secret_value(), time_s, body) for secret in self._config.secret]
        return any([hmac.compare_digest(proof.encode(), given.encode(errors="replace")) for proof in proofs])  # noqa: C419 - all take the same time

    def authenticate(self, request: WebhookRequest) -> TrustedBody:
        given, time_s = request.headers.get("x-bay-signature", ""), request.headers.get("x-bay-time", "")
        old = not time_s.isdecimal() or self.age_s(time_s) > GOOD_FOR_S
        if old or not request.body or not self.signed(given, time_s, request.body):
            raise SignatureInvalid
        return TrustedBody(request.body)

    def age_s(self, time_s: str) -> float:
        return self._services.clock.now_ms() / 1000 - int(time_s[:15])

    def parse(self, body: TrustedBody) -> Sequence[Item]:
        try:
            value = msgspec.json.decode(body)
        except (ValueError, RecursionError) as error:
            raise BodyUnreadable("This is no JSON.") from error
        if not isinstance(value, dict):
            raise BodyUnreadable("This is no object.")
        if isinstance(value.get("notify"), str):
            key = hashlib.sha256(body).hexdigest()
            return [PullRequested(dedupe_key=key, scope=value["notify"], platform_kind="notify")]
        page = value.get("page")
        events = page.get("events") if isinstance(page, dict) else value.get("events")
        if not isinstance(events, list):
            raise BodyUnreadable("There are no events.")
        return [self.item(event) for event in events]

    def item(self, event: Any) -> Item:
        try:
            item: Item = READERS[event["kind"]](event)
        except (LookupError, TypeError, ValueError, AttributeError):
            return unknown(event)
        return item

    # ---------------------------------------------------------------- pulling

    def scopes(self) -> Sequence[str]:
        return ("inbox",) if self._services.channel == "cove" else ()

    async def pull(self, request: PullRequest) -> Page:
        query = {"cursor": request.cursor} if request.cursor else {}
        response = await self.call("GET", "/events", params=query)
        page = object_of(response).get("page")
        if not isinstance(page, dict):
            raise TryLater("This is no page.")
        return Page(raw=response.content, cursor=str(page["cursor"]), more=bool(page["more"]))

    # ---------------------------------------------------------------- out

    async def deliver(self, message: OutboundMessage) -> Accepted:
        for part in message.parts:
            if content_kind(part) not in self.carried:
                raise Undeliverable("Bay has no such content.", code="not_carried")
        response = await self.call("POST", "/send", json=self.body(message))
        try:
            ids = msgspec.convert(object_of(response).get("ids"), tuple[str, ...])
        except (msgspec.ValidationError, TryLater) as error:
            raise Uncertain("This is no yes of Bay's.") from error
        return Accepted(parts=tuple(AcceptedPart(external_id=one) for one in ids))

    def body(self, message: OutboundMessage) -> dict[str, Any]:
        return {
            "to": message.thread_key,
            "parts": [msgspec.to_builtins(part) for part in message.parts],
            "quick_replies": [msgspec.to_builtins(one) for one in message.quick_replies],
            "key": message.key,
            "correlation": message.delivery_id,
            "name": message.author.name or "",
            "author": message.author.kind.value,
            "quote": message.quote.external_id if message.quote else "",
        }

    async def call(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """Call Bay with a token, once more with a new one if it was refused."""
        for last in (False, True):
            token = await self._services.tokens.get(self.renew)
            headers = {"Authorization": f"Bearer {token}"}
            response = await self._services.http.request(method, self._config.api_base + path, headers=headers, **more)
            if response.status_code != 401 or last:
                break
            await self._services.tokens.forget(token)
        if not response.is_success:
            raise error_of(response)
        return response

    async def renew(self) -> AccessToken:
        now, key = self._services.clock.now_ms(), self._config.app_key.get_secret_value()
        try:
            response = await self._services.http.post(f"{self._config.api_base}/token", json={"key": key})
        except httpx2.TransportError as error:
            raise TryLater("Bay gave no token.") from error
        if not response.is_success:
            raise error_of(response)
        answer = object_of(response)
        if not isinstance(answer.get("token"), str):
            raise TryLater("Bay gave no token.")
        return AccessToken(value=answer["token"], expires_at_ms=now + (int(answer["seconds"]) - 60) * 1000)

    # ---------------------------------------------------------------- beside

    async def signal(self, signal: Signal) -> None:
        if self._services.channel == "bay":
            await self.call("POST", "/signal", json=msgspec.to_builtins(signal))

    async def templates(self) -> Sequence[TemplateInfo]:
        if self._services.channel == "cove":
            return ()
        found = object_of(await self.call("GET", "/templates")).get("templates", ())
        return [TemplateInfo(name=one, language="en", variables=(TemplateVariable(name="what"),)) for one in found]

    async def profile(self, address: Address, group: Address | None = None) -> Profile | None:
        if self._services.channel == "cove":
            return None
        try:
            found = object_of(await self.call("GET", f"/people/{address.external_id}"))
        except Undeliverable:
            return None
        return Profile(name=found.get("name"))

    async def fetch(self, media: Media) -> MediaStream:
        if media.source is None:
            raise Undeliverable("Bay does not keep this.")
        response = await self.call("GET", f"/files/{media.source.reference}")
        return MediaStream(chunks=response.aiter_bytes(), mime="image/jpeg", size=len(response.content))

    async def probe(self) -> Health:
        try:
            name = object_of(await self.call("GET", "/me")).get("name")
        except SignInNeeded as error:
            return Health(state="sign_in_needed", summary=str(error))
        except (DeliveryError, httpx2.TransportError) as error:
            return Health(state="failing", summary=f"Bay cannot be reached: {type(error).__name__}.")
        if not name:
            return Health(state="failing", summary="Bay does not say which account this is.")
        return Health(state="connected", summary=f"Connected as {name}.")


def error_of(response: httpx2.Response) -> DeliveryError:
    answer = PlatformAnswer(status=response.status_code, text=response.text[:200])
    code = _code(response)
    if response.status_code == 429:
        wait = response.headers.get("retry-after", "")
        after = float(wait) if wait.isdecimal() and len(wait) < 7 else None
        return RateLimited("Bay wants fewer requests.", after_s=after, answer=answer)
    if code in {"budget_spent", "window_closed"}:
        return WindowClosed("Bay says that it is over.", code=code, answer=answer)
    kind: type[DeliveryError] = SignInNeeded if response.status_code == 401 else Undeliverable
    kind = TryLater if response.is_server_error else kind
    return kind(f"Bay answered {response.status_code}.", answer=answer)


def _code(response: httpx2.Response) -> str:
    try:
        return str(object_of(response).get("code", ""))
    except TryLater:
        return ""


def object_of(response: httpx2.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise TryLater("This is no answer of Bay's.")
    return answer


SPEC = ConnectorSpec(
    name="bay",
    title=TITLE,
    config=Config,
    channels=(
        Channel(code="bay", title=TITLE, capabilities=BAY),
        Channel(code="cove", title=TITLE, capabilities=COVE),
    ),
    build=BayConnector,
    channel_of=lambda config: str(config.channel),
    hosts=("api.bay.example",),
    docs="https://docs.bay.example/",
    simulator="tests.conformance.bay_platform:Bay",
)
