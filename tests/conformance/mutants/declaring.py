"""Connectors that say something wrong of themselves."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr

from tests.conformance.bay import BAY, SPEC, Config
from tests.conformance.mutants.making import Mutant, claims, replaced, sends, spec
from trunkline.contract import (
    Act,
    CardLimit,
    ContentRule,
    Idempotency,
    MediaLimit,
    QuickReplyLimit,
    Rate,
    Receipts,
    Receiving,
    Sending,
    Submissions,
    TextLimit,
    Transport,
    Window,
)
from trunkline.model import ContentKind, Level


class Careless(Config):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Soft(Config):
    model_config = ConfigDict(extra="forbid", frozen=False)


class Open(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    app_secret: str


class Known(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    secret: SecretStr = SecretStr("the same for everybody")


class Anywhere(Config):
    api_base: str = "http://elsewhere.example"


_BAY = SPEC.channel("bay")


def _window(**changes: Any) -> tuple[Window, ...]:
    return (replaced(BAY.windows[0], **changes),)


DECLARING: tuple[Mutant, ...] = (
    spec("declared.contract", "for another contract", contract=99),
    spec("declared.names", "a name with a blank", name="Bay shop"),
    spec("declared.titles", "no Chinese title", title={"en": "Bay"}),
    spec("declared.titles", "no title of the channel", channels=(replaced(_BAY, title={"en": "Bay"}),)),
    spec("declared.docs", "no documentation", docs=""),
    spec("declared.unknown_keys", "takes any key", config=Careless),
    spec("declared.frozen", "settings can be changed", config=Soft),
    spec("declared.secrets", "a secret that is a str", config=Open),
    spec("declared.no_default_secret", "a secret with a default", config=Known),
    spec("declared.addresses", "a base address elsewhere", config=Anywhere),
    spec("declared.hosts", "no hosts", hosts=()),
    spec("declared.hosts", "an address for a host", hosts=("https://api.bay.example/",)),
    spec("declared.simulator", "no simulator", simulator=None),
    spec("declared.simulator", "a simulator that is not there", simulator="tests.conformance.nothing:Bay"),
    spec("declared.channel_of", "nobody knows which channel", channel_of=None),
    sends("declared.text_limit", "text without a limit", text=ContentRule(level=Level.FULL)),
    sends("declared.media_limits", "pictures without limits", image=ContentRule(level=Level.FULL)),
    sends("declared.cards", "cards without a shape", card=ContentRule(level=Level.FULL)),
    sends("declared.cards", "buttons without words",
          card=ContentRule(level=Level.FULL, card=CardLimit(title_max=9, buttons_max=2))),
    sends("declared.fallbacks", "a fallback to nothing", link=ContentRule(level=Level.FALLBACK)),
    sends("declared.fallbacks", "a fallback to what is not sent",
          link=ContentRule(level=Level.FALLBACK, becomes=ContentKind.CHOICE)),
    sends("declared.notes", "a loss that is not told", sticker=ContentRule(level=Level.PARTIAL)),
    claims("declared.windows", "a window for nobody", windows=_window(authors=frozenset())),
    claims("declared.windows", "a window that customers do not open",
           windows=_window(opened_by=frozenset({Act.FOLLOW}))),
    claims("declared.sending", "a rate of nothing", sending=Sending(rates=(Rate(limit=0),))),
    claims("declared.idempotency", "a key without a life", sending=Sending(idempotency=Idempotency.KEY)),
    claims("declared.receipts", "a watermark of nothing", receipts=Receipts(watermark=True)),
    claims("declared.receiving", "nothing tells events apart", receiving=Receiving()),
    claims("declared.receiving", "pulls what is pushed", receiving=Receiving(dedupe_source="id", pull_every_s=9)),
    claims("declared.templates", "templates that are no content", extras=frozenset()),
    claims("declared.quick_replies", "quick replies without room", quick_replies=QuickReplyLimit(max=0, title_max=0)),
    claims("declared.submissions", "forms of a mode that is none",
           submissions=Submissions(modes=("fax",), scopes=("x",))),
    # What is declared, and is not the platform's.
    sends("sending.at_limit", "a limit that is too large",
          text=ContentRule(level=Level.FULL, text=TextLimit(max=61, unit=BAY.sends[ContentKind.TEXT].text.unit))),  # type: ignore[union-attr]  # Bay has one
    sends("sending.emoji_at_limit", "counts characters", text=ContentRule(level=Level.FULL, text=TextLimit(max=60))),
    sends("sending.marks_at_limit", "counts what readers see",
          text=ContentRule(level=Level.FULL, text=TextLimit(max=60, unit="graphemes"))),  # type: ignore[arg-type]  # as in JSON
    sends("sending.limit_is_real", "a limit that is too small",
          text=ContentRule(level=Level.FULL, text=TextLimit(max=40))),
    sends("sending.pieces", "a limit that nothing fits into",
          text=ContentRule(level=Level.FULL, text=TextLimit(max=5, unit="utf16"))),  # type: ignore[arg-type]  # as in JSON
    sends("sending.too_large", "pictures of any size", image=ContentRule(level=Level.FULL)),
    sends("sending.wrong_type", "pictures of any type",
          image=ContentRule(level=Level.FULL, media=(MediaLimit(mimes=("*",), max_bytes=1000),))),
    claims("sending.no_quick_replies", "quick replies that nobody declared", quick_replies=None),
    claims("sending.quick_replies_over", "a limit that is too small",
           quick_replies=QuickReplyLimit(max=2, title_max=10, data_max=20)),
    claims("windows.budget_whole", "a budget that is too large", windows=_window(budget=6)),
    claims("windows.none", "a window that nobody declared", windows=()),
    claims("signature.early", "no proof_header", receiving=Receiving(dedupe_source="id")),
    claims("reading.credentials", "credentials that never come", sending=Sending(reply_credentials=True)),
    claims("pull.asked", "pushed, and not declared so",
           receiving=Receiving(transport=Transport.NOTIFY, dedupe_source="id", proof_header="x-bay-signature")),
    claims("receipts.watermark", "a watermark that never comes",
           receipts=Receipts(delivered=True, read=True, late_failure=True, watermark=True)),
    claims("receipts.delivered", "“delivered” that nobody declared", receipts=Receipts(read=True, late_failure=True)),
    claims("receipts.read", "“read” that nobody declared", receipts=Receipts(delivered=True, late_failure=True)),
    claims("receipts.late_failure", "a failure that nobody declared", receipts=Receipts(delivered=True, read=True)),
    claims("receipts.late_failure", "a failure that never comes", channel="cove",
           receipts=Receipts(delivered=True, read=True, watermark=True, late_failure=True)),
)  # fmt: skip
