"""An invented channel with all that the desk shows: windows, budgets, limits, quick replies, typing, failures."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, SecretStr

from trunkline.contract import (
    Accepted,
    AcceptedPart,
    Act,
    Afterwards,
    Capabilities,
    Channel,
    Connector,
    ConnectorSpec,
    ContactActed,
    ContentRule,
    Extra,
    FilledSecret,
    Health,
    HttpAddress,
    IdentityLinked,
    Item,
    MediaLimit,
    MessageEdited,
    MessageRecalled,
    MessageReceived,
    OutboundMessage,
    QuickReplyLimit,
    Sending,
    Services,
    Signal,
    SubmissionReceived,
    Submissions,
    TextLimit,
    TrustedBody,
    WebhookRequest,
    Window,
)
from trunkline.errors import BodyUnreadable, PlatformAnswer, SignatureInvalid, SignInNeeded, Undeliverable
from trunkline.model import Address, Content, ContentKind, Cost, Level, Text

DAY_S = 24 * 3600


class WireKey(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    key: FilledSecret
    served_at: HttpAddress | None = None


class WireConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: SecretStr
    spare: tuple[SecretStr, ...] = ()
    token: FilledSecret | None = None
    keys: tuple[WireKey, ...] = ()
    colour: Literal["red", "blue"] = "red"
    api_base: HttpAddress = "https://api.wire.example"
    #: Makes the probe speak to the platform.
    calls_home: bool = False


class WireConnector(Connector):
    """`{"events": [{"id": …, "from": …, "text": …}]}` in; what goes out is kept in `sent`."""

    def __init__(self, services: Services[WireConfig]) -> None:
        self._services = services
        self._secret = services.config.secret.get_secret_value()
        self.sent: list[OutboundMessage] = []
        self.signals: list[Signal] = []
        #: Words with which the platform refuses everything, None while it does not.
        self.refuses: str | None = None
        #: Cleared while the platform takes its time to answer a probe.
        self.answering = asyncio.Event()
        self.answering.set()

    def authenticate(self, request: WebhookRequest) -> TrustedBody:
        if not hmac.compare_digest(request.headers.get("x-wire", ""), self._secret):
            raise SignatureInvalid
        return TrustedBody(request.body)

    def parse(self, body: TrustedBody) -> Sequence[Item]:
        try:
            events = msgspec.json.decode(body)["events"]
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            raise BodyUnreadable("No events.") from error
        return [_item(event) for event in events]

    async def deliver(self, message: OutboundMessage) -> Accepted:
        if self.refuses is not None:
            answer = PlatformAnswer(status=400, code="W400", text=self.refuses)
            raise Undeliverable("The platform refused it.", whose="content", code="refused", answer=answer)
        self.sent.append(message)
        return Accepted(
            parts=tuple(AcceptedPart(external_id=f"w-{message.key}-{n}") for n, _ in enumerate(message.parts))
        )

    async def probe(self) -> Health:
        config = self._services.config
        await self.answering.wait()
        if self._secret == "refused-invented-secret":
            raise SignInNeeded("The platform refuses the secret.")
        if config.calls_home:
            await self._services.http.get(f"{config.api_base}/me")
        return Health(state="connected", summary="All is well.", title="Wire shop", quota_left=7)

    async def signal(self, signal: Signal) -> None:
        self.signals.append(signal)


def _item(event: dict[str, Any]) -> Item:
    kind, sender = event.get("kind", "message"), event["from"]
    common: dict[str, Any] = {
        "dedupe_key": event["id"],
        "at_ms": event.get("at", 0),
        "platform_kind": kind,
        "thread_key": sender,
        "contact": Address(external_id=sender, name=event.get("name")),
    }
    match kind:
        case "message":
            content: Content = Text(text=event["text"])
            if "content" in event:
                content = msgspec.convert(event["content"], Content)
            return MessageReceived(
                **common, external_id=event["id"], content=content, quotes=event.get("quotes"), read_token="r"
            )
        case "edit":
            return MessageEdited(**common, external_id=event["of"], content=Text(text=event["text"]))
        case "recall":
            return MessageRecalled(**common, external_id=event["of"])
        case "link":
            return IdentityLinked(**common, other=Address(external_id=event["other"]))
        case "form":
            return SubmissionReceived(**common, external_id=event["id"], values=event["values"])
        case _:
            return ContactActed(**common, act=Act(kind), reachable=kind != "unfollow")


CAPABILITIES = Capabilities(
    receives={kind: ContentRule(level=Level.FULL) for kind in ContentKind},
    sends={
        ContentKind.TEXT: ContentRule(level=Level.FULL, text=TextLimit(max=100)),
        ContentKind.IMAGE: ContentRule(
            level=Level.FULL, media=(MediaLimit(mimes=("image/png", "image/jpeg"), max_bytes=1_000_000),)
        ),
    },
    windows=(
        Window(
            name="reply", opened_by=frozenset({Act.MESSAGE}), lasts_s=DAY_S, budget=5, afterwards=Afterwards.NOTHING
        ),
    ),
    submissions=Submissions(modes=("ticket",), scopes=("channel", "group")),
    sending=Sending(cost=Cost.QUOTA),
    quick_replies=QuickReplyLimit(max=3, title_max=20, data_max=100),
    extras=frozenset({Extra.TYPING, Extra.MARK_READ, Extra.QUOTE, Extra.EDITS_IN, Extra.RECALLS_IN}),
)

WIRE = Channel(code="wire", title={"en": "Wire"}, capabilities=CAPABILITIES)
#: A second one, that can do less.
MUTE = Channel(
    code="mute",
    title={"en": "Mute"},
    capabilities=Capabilities(
        receives=CAPABILITIES.receives, sends={ContentKind.TEXT: ContentRule(level=Level.FULL, text=TextLimit(max=100))}
    ),
)


def _build(services: Services[Any]) -> Connector:
    return WireConnector(services)


WIRE_CONNECTOR = ConnectorSpec(
    name="wire",
    title={"en": "Wire"},
    config=WireConfig,
    channels=(WIRE,),
    build=_build,
    hosts=("api.wire.example", "*.keys.wire.example"),
)
MUTE_CONNECTOR = ConnectorSpec(name="mute", title={"en": "Mute"}, config=WireConfig, channels=(MUTE,), build=_build)
