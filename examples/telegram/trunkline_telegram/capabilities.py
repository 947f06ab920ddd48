"""What a bot can carry.

Source: https://core.telegram.org/bots/api and https://core.telegram.org/bots/faq (read 2026-11-22). Telegram says
"characters"; we count UTF-16 units, as it does for the places of entities, so a text never turns out too long.
"""

from __future__ import annotations

from trunkline.contract import (
    Capabilities,
    CardLimit,
    ContentRule,
    Extra,
    MediaLimit,
    QuickReplyLimit,
    Rate,
    Receiving,
    Sending,
    TextLimit,
    TextUnit,
)
from trunkline.model import ContentKind as Kind
from trunkline.model import Level

TEXT_MAX, CAPTION_MAX, DATA_MAX = 4096, 1024, 64

_FULL = ContentRule(level=Level.FULL)
_AS_TEXT = ContentRule(level=Level.FALLBACK, becomes=Kind.TEXT, note="Telegram has no such message: it is text.")


def _file(*mimes: str, mb: int = 50) -> ContentRule:
    limit = MediaLimit(mimes=mimes, max_bytes=mb * 1_000_000)
    return ContentRule(level=Level.PARTIAL, media=(limit,), note=f"A caption is cut at {CAPTION_MAX} characters.")


CAPABILITIES = Capabilities(
    receives={
        Kind.STICKER: ContentRule(level=Level.PARTIAL, note="A sticker is shown as its emoji."),
        **dict.fromkeys((Kind.TEXT, Kind.IMAGE, Kind.VIDEO, Kind.AUDIO, Kind.FILE), _FULL),
        **dict.fromkeys((Kind.LOCATION, Kind.CONTACTS, Kind.CHOICE), _FULL),
    },
    sends={
        Kind.TEXT: ContentRule(level=Level.FULL, text=TextLimit(max=TEXT_MAX, unit=TextUnit.UTF16)),
        Kind.IMAGE: _file("image/jpeg", "image/png", mb=10),
        Kind.VIDEO: _file("video/mp4"),
        Kind.AUDIO: _file("audio/mpeg", "audio/mp4", "audio/x-m4a", "audio/ogg"),
        Kind.FILE: _file("*/*"),
        Kind.LOCATION: _FULL,
        Kind.CARD: ContentRule(
            level=Level.PARTIAL,
            note="The picture of a card is left out.",
            card=CardLimit(
                title_max=200, text_max=2000, buttons_max=8, button_title_max=64, button_data_max=DATA_MAX, image=False
            ),
        ),
        **dict.fromkeys((Kind.LINK, Kind.CAROUSEL, Kind.CONTACTS), _AS_TEXT),
    },
    sending=Sending(rates=(Rate(limit=30), Rate(limit=1, scope="recipient"))),
    receiving=Receiving(redelivers=True, dedupe_source="update_id", proof_header="X-Telegram-Bot-Api-Secret-Token"),
    quick_replies=QuickReplyLimit(
        max=100,
        title_max=64,
        data_max=DATA_MAX,
        data_unit=TextUnit.UTF8,
        under=frozenset({Kind.TEXT, Kind.IMAGE, Kind.VIDEO, Kind.AUDIO, Kind.FILE, Kind.LOCATION}),
    ),
    extras=frozenset({Extra.EDITS_IN, Extra.QUOTES_IN, Extra.QUOTE, Extra.TYPING, Extra.PROFILE}),
)
