"""What Messenger and Instagram can carry, in their own units. Source: the README of this package."""

from __future__ import annotations

import msgspec

from trunkline import contract
from trunkline.contract import Act, ContentRule, Extra, TextUnit
from trunkline.model import AuthorKind, Level
from trunkline.model import ContentKind as Kind

#: The window of everybody, and the longer one of human authors.
STANDARD, HUMAN_AGENT = "standard", "human_agent"
DAY_S = 24 * 3600

_MB = 1_000_000
_FULL = ContentRule(level=Level.FULL)
_TEXT = ContentRule(level=Level.FALLBACK, becomes=Kind.TEXT, note="It is sent as text.")
_NO_CAPTION = "A caption is not carried: write it as a message of its own."
#: A card; a carousel may have up to ten of them.
_CARD = contract.CardLimit(title_max=80, text_max=80, buttons_max=3, button_title_max=20, button_data_max=1000)
_QUICK = contract.QuickReplyLimit(
    max=13, title_max=20, data_max=1000, kinds=frozenset({"text", "phone", "email"}), under=frozenset(Kind)
)
_OPENERS = (Act.MESSAGE, Act.CLICK, Act.REACT, Act.REFERRAL)
_EXTRAS = (
    Extra.TYPING, Extra.MARK_READ, Extra.REACTIONS_IN, Extra.EDITS_IN, Extra.QUOTES_IN, Extra.QUOTE, Extra.PROFILE,
)  # fmt: skip
_RECEIVED = (Kind.TEXT, Kind.IMAGE, Kind.VIDEO, Kind.AUDIO, Kind.FILE, Kind.STICKER, Kind.CHOICE, Kind.LINK, Kind.CARD)


def _media(*mimes: str, mb: int = 25, note: str | None = None) -> ContentRule:
    limit = contract.MediaLimit(mimes=mimes, max_bytes=mb * _MB)
    return ContentRule(level=Level.PARTIAL if note else Level.FULL, media=(limit,), note=note)


FACEBOOK = contract.Capabilities(
    receives={
        **dict.fromkeys(_RECEIVED, _FULL),
        Kind.UNSUPPORTED: ContentRule(level=Level.PARTIAL, note="Messenger does not hand it to other programs."),
    },
    sends={
        # "Under 2,000": what is exactly as long is refused.
        Kind.TEXT: ContentRule(level=Level.FULL, text=contract.TextLimit(max=1999)),
        Kind.IMAGE: _media("image/*", note=_NO_CAPTION),
        Kind.VIDEO: _media("video/*", note=_NO_CAPTION),
        Kind.AUDIO: _media("audio/*"),
        Kind.FILE: _media("*/*", note=_NO_CAPTION),
        Kind.CARD: ContentRule(level=Level.FULL, card=_CARD),
        Kind.CAROUSEL: ContentRule(level=Level.FULL, card=msgspec.structs.replace(_CARD, cards_max=10)),
        Kind.STICKER: ContentRule(level=Level.FULL, note="Stickers of Messenger, by their number."),
        **dict.fromkeys((Kind.LINK, Kind.LOCATION, Kind.CONTACTS), _TEXT),
    },
    windows=(
        contract.Window(name=STANDARD, opened_by=frozenset(_OPENERS), lasts_s=DAY_S),
        contract.Window(
            name=HUMAN_AGENT,
            opened_by=frozenset({Act.MESSAGE}),
            lasts_s=7 * DAY_S,
            authors=frozenset({AuthorKind.AGENT}),
        ),
    ),
    submissions=contract.Submissions(serial=9, modes=("ticket",), scopes=("channel", "group")),
    receipts=contract.Receipts(delivered=True, read=True, watermark=True),
    sending=contract.Sending(
        idempotency=contract.Idempotency.CORRELATION,
        # The platform takes 300 a second; above 40 the Page's own inbox stops showing and sending messages.
        rates=(contract.Rate(limit=40),),
    ),
    receiving=contract.Receiving(
        redelivers=True, answer_within_s=5, dedupe_source="message.mid", proof_header="x-hub-signature-256"
    ),
    quick_replies=_QUICK,
    extras=frozenset(_EXTRAS),
)

INSTAGRAM = msgspec.structs.replace(
    FACEBOOK,
    receives={**FACEBOOK.receives, Kind.UNSUPPORTED: ContentRule(level=Level.PARTIAL, note="View-once media is kept.")},
    sends={
        **FACEBOOK.sends,
        # Characters or bytes, the platform's papers do not say: what fits in bytes fits in both.
        Kind.TEXT: ContentRule(level=Level.FULL, text=contract.TextLimit(max=1000, unit=TextUnit.UTF8)),
        Kind.IMAGE: _media("image/jpeg", "image/png", "image/gif", mb=8, note=_NO_CAPTION),
        Kind.VIDEO: _media(
            "video/mp4", "video/ogg", "video/x-msvideo", "video/quicktime", "video/webm", note=_NO_CAPTION
        ),
        Kind.AUDIO: _media("audio/aac", "audio/mp4", "audio/x-m4a", "audio/wav", "audio/x-wav"),
        Kind.FILE: _media("application/pdf", note=_NO_CAPTION),
        Kind.STICKER: _TEXT,
    },
    submissions=contract.Submissions(),
    receipts=contract.Receipts(read=True, watermark=True),
    quick_replies=msgspec.structs.replace(_QUICK, kinds=frozenset({"text"})),
    extras=FACEBOOK.extras - {Extra.EDITS_IN} | {Extra.RECALLS_IN},
)


def narrowed(declared: contract.Capabilities, context: contract.Context) -> contract.Effective:
    """Take the longer window away where the app has no Human Agent."""
    if context.settings.get("human_agent_enabled", True):
        return contract.Effective(capabilities=declared)
    capabilities = msgspec.structs.replace(declared, windows=declared.windows[:1])
    return contract.Effective(capabilities=capabilities, reasons={"windows": "human_agent_not_enabled"})
