"""What the widget can carry. We hold both ends, so the limits are ours: the README of this package lists them."""

from __future__ import annotations

import msgspec

from trunkline import contract
from trunkline.contract import ContentRule, Extra
from trunkline.model import ContentKind as Kind
from trunkline.model import Level

__all__ = ["MAX_BYTES", "MAX_TEXT", "WEB", "in_the_table"]

MAX_TEXT = 10_000
#: As much as an agent may write at once: what is one answer is shown as one.
MAX_ANSWER = 20_000
MAX_BYTES = 20 * 1024 * 1024

_FULL = ContentRule(level=Level.FULL)
_WORDS = ContentRule(level=Level.FALLBACK, becomes=Kind.TEXT)


def _media(*mimes: str) -> ContentRule:
    return ContentRule(level=Level.FULL, media=(contract.MediaLimit(mimes=mimes, max_bytes=MAX_BYTES),))


#: What the panel shows without scrolling sideways.
_CARD = contract.CardLimit(title_max=200, text_max=2000, buttons_max=8, button_title_max=80, button_data_max=300)
_SAID = ContentRule(level=Level.FULL, text=contract.TextLimit(max=MAX_TEXT))
_FILES = {
    Kind.IMAGE: _media("image/jpeg", "image/png", "image/gif", "image/webp"),
    Kind.VIDEO: _media("video/mp4", "video/webm"),
    Kind.AUDIO: _media("audio/*"),
    Kind.FILE: _media("*/*"),
}

WEB = contract.Capabilities(
    receives={Kind.TEXT: _SAID, Kind.CHOICE: _FULL, **_FILES},
    sends={
        Kind.TEXT: ContentRule(level=Level.FULL, text=contract.TextLimit(max=MAX_ANSWER)),
        **_FILES,
        Kind.LOCATION: _FULL,
        Kind.CARD: ContentRule(level=Level.FULL, card=_CARD),
        Kind.CAROUSEL: ContentRule(level=Level.FULL, card=msgspec.structs.replace(_CARD, cards_max=12)),
        **dict.fromkeys((Kind.LINK, Kind.STICKER, Kind.CONTACTS), _WORDS),
    },
    submissions=contract.Submissions(
        modes=("offline_message", "ticket"), scopes=("channel", "group"), ticket_reply=True,
    ),
    receipts=contract.Receipts(delivered=True, read=True, watermark=True),
    sending=contract.Sending(idempotency=contract.Idempotency.KEY),
    receiving=contract.Receiving(transport=contract.Transport.HOSTED, dedupe_source="client_id"),
    quick_replies=contract.QuickReplyLimit(max=13, title_max=40, data_max=300, under=frozenset(Kind)),
    extras=frozenset({
        Extra.TYPING, Extra.MARK_READ, Extra.RECALL, Extra.QUOTE, Extra.PROFILE, Extra.SENDER_NAME,
    }),
)  # fmt: skip


def in_the_table(serial: int) -> contract.Capabilities:
    """Return the same with its place in the table of channels."""
    return msgspec.structs.replace(WEB, submissions=msgspec.structs.replace(WEB.submissions, serial=serial))
