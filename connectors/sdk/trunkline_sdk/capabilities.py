"""What an app can carry. We hold both ends, so the limits are ours: the README of this package lists them."""

from __future__ import annotations

import msgspec

from trunkline import contract
from trunkline.contract import ContentRule, Extra
from trunkline.model import ContentKind as Kind
from trunkline.model import Level

__all__ = ["APP", "GROUP_SINCE", "MAX_BYTES", "MAX_TEXT"]

MAX_TEXT = 10_000
#: As much as an agent may write at once: what is one answer is shown as one.
MAX_ANSWER = 20_000
MAX_BYTES = 20 * 1024 * 1024
#: The first version of a client that asks for the submission mode of its skill group.
GROUP_SINCE = "3.0.3"

_FULL = ContentRule(level=Level.FULL)
_WORDS = ContentRule(level=Level.FALLBACK, becomes=Kind.TEXT)


def _media(*mimes: str) -> ContentRule:
    return ContentRule(level=Level.FULL, media=(contract.MediaLimit(mimes=mimes, max_bytes=MAX_BYTES),))


#: What fits a small screen without scrolling sideways inside a card.
_CARD = contract.CardLimit(title_max=200, text_max=2000, buttons_max=8, button_title_max=80, button_data_max=300)
_SAID = ContentRule(level=Level.FULL, text=contract.TextLimit(max=MAX_TEXT))
_FILES = {
    Kind.IMAGE: _media("image/jpeg", "image/png", "image/gif", "image/webp"),
    Kind.VIDEO: _media("video/mp4", "video/webm"),
    Kind.AUDIO: _media("audio/*"),
    Kind.FILE: _media("*/*"),
}

APP = contract.Capabilities(
    receives={Kind.TEXT: _SAID, Kind.CHOICE: _FULL, Kind.LOCATION: _FULL, **_FILES},
    sends={
        Kind.TEXT: ContentRule(level=Level.FULL, text=contract.TextLimit(max=MAX_ANSWER)),
        **_FILES,
        Kind.LOCATION: _FULL,
        Kind.CARD: ContentRule(level=Level.FULL, card=_CARD),
        Kind.CAROUSEL: ContentRule(level=Level.FULL, card=msgspec.structs.replace(_CARD, cards_max=12)),
        **dict.fromkeys((Kind.LINK, Kind.STICKER, Kind.CONTACTS), _WORDS),
    },
    submissions=contract.Submissions(
        serial=3,
        modes=("offline_message", "ticket"),
        scopes=("channel", "group"),
        min_client_version={"group": GROUP_SINCE},
        ticket_reply=True,
    ),
    receipts=contract.Receipts(delivered=True, read=True, watermark=True),
    sending=contract.Sending(idempotency=contract.Idempotency.KEY),
    receiving=contract.Receiving(transport=contract.Transport.HOSTED, dedupe_source="client_id"),
    quick_replies=contract.QuickReplyLimit(max=13, title_max=40, data_max=300, under=frozenset(Kind)),
    extras=frozenset({
        Extra.TYPING, Extra.MARK_READ, Extra.RECALL, Extra.QUOTE, Extra.PROFILE, Extra.SENDER_NAME,
    }),
)  # fmt: skip
