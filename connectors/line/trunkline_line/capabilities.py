"""What LINE can carry, in its own units. Source: the README of this package."""

from __future__ import annotations

import msgspec

from trunkline import contract
from trunkline.contract import ContentRule, Extra, TextUnit
from trunkline.model import ContentKind as Kind
from trunkline.model import Cost, Level
from trunkline_line.outbound import DEVICE_ACTIONS

_FULL = ContentRule(level=Level.FULL)
#: Longest address that a tap opens.
_URI = 1000
_LINK = ContentRule(level=Level.FALLBACK, becomes=Kind.LINK, note="LINE has no files: a link is sent.")


#: What a flex message holds; smaller ones go out as templates. LINE has no figure for buttons: eight fit a screen.
_CARD = contract.CardLimit(
    title_max=400, text_max=2000, buttons_max=8, button_title_max=40, button_data_max=300, unit=TextUnit.GRAPHEMES,
    data_unit=TextUnit.UTF16,
)  # fmt: skip
_ROW = msgspec.structs.replace(_CARD, cards_max=12)


def _media(*mimes: str, mb: int, note: str | None = None) -> ContentRule:
    limit = contract.MediaLimit(mimes=mimes, max_bytes=mb * 1_000_000)
    return ContentRule(level=Level.PARTIAL if note else Level.FULL, media=(limit,), note=note)


LINE = contract.Capabilities(
    receives={
        Kind.STICKER: ContentRule(level=Level.PARTIAL, note="LINE does not give the picture of a sticker."),
        **dict.fromkeys((Kind.TEXT, Kind.IMAGE, Kind.VIDEO, Kind.AUDIO, Kind.FILE), _FULL),
        **dict.fromkeys((Kind.LOCATION, Kind.CHOICE), _FULL),
    },
    sends={
        Kind.TEXT: ContentRule(level=Level.FULL, text=contract.TextLimit(max=5000, unit=TextUnit.UTF16)),
        Kind.IMAGE: _media("image/jpeg", "image/png", mb=10, note="With a caption it is sent as a card."),
        Kind.VIDEO: _media("video/mp4", mb=200, note="With a caption or no preview it is sent as a card."),
        Kind.AUDIO: _media("audio/mpeg", "audio/mp4", "audio/x-m4a", mb=200),
        Kind.FILE: _LINK,
        Kind.LOCATION: ContentRule(level=Level.PARTIAL, note="LINE shows 100 signs of a name and of an address."),
        Kind.STICKER: _FULL,
        Kind.LINK: ContentRule(level=Level.FULL, url_max=_URI),
        Kind.CARD: ContentRule(level=Level.FULL, card=_CARD, url_max=_URI),
        Kind.CAROUSEL: ContentRule(level=Level.FULL, card=_ROW, url_max=_URI),
    },
    sending=contract.Sending(
        idempotency=contract.Idempotency.KEY, key_life_s=24 * 3600, rates=(contract.Rate(limit=2000),),
        items_per_request=5, cost=Cost.QUOTA, reply_credentials=True,
    ),
    receiving=contract.Receiving(
        redelivers=True, answer_within_s=2, dedupe_source="webhookEventId", proof_header="x-line-signature",
    ),
    quick_replies=contract.QuickReplyLimit(
        max=13, title_max=20, title_unit=TextUnit.GRAPHEMES, data_max=300, data_unit=TextUnit.UTF16,
        under=frozenset(Kind), kinds=frozenset({"text", *DEVICE_ACTIONS}),
    ),
    extras=frozenset(Extra) - {Extra.REACTIONS_IN, Extra.REACTIONS_OUT, Extra.RECALL, Extra.TEMPLATES},
)  # fmt: skip
