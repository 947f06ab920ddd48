"""What WeChat KF can carry. Source: the README of this package."""

from __future__ import annotations

from trunkline import contract
from trunkline.contract import Act, ContentRule, Extra, TextLimit, TextUnit
from trunkline.model import ContentKind as Kind
from trunkline.model import Level
from trunkline_wechat.enterprise import AUDIO, FILE, IMAGE, VIDEO, VOICE

_FULL = ContentRule(level=Level.FULL)
_TEXT = ContentRule(level=Level.FALLBACK, becomes=Kind.TEXT)
_WORDS = TextLimit(max=2048, unit=TextUnit.UTF8)
_CARD = contract.CardLimit(
    title_max=256, text_max=700, buttons_max=10, button_title_max=128, button_data_max=64, image=False,
    unit=TextUnit.UTF8,
)  # fmt: skip

#: The customer's last message decides; what an entering customer may be told stands outside of it.
REPLY, WELCOME = "reply", "welcome"

CAPABILITIES = contract.Capabilities(
    receives={
        Kind.AUDIO: VOICE,
        **dict.fromkeys((Kind.TEXT, Kind.IMAGE, Kind.VIDEO, Kind.FILE, Kind.LOCATION, Kind.LINK, Kind.CHOICE), _FULL),
        **dict.fromkeys((Kind.CARD, Kind.CONTACTS), _FULL),
    },
    sends={
        Kind.TEXT: ContentRule(level=Level.FULL, text=_WORDS),
        Kind.IMAGE: IMAGE,
        Kind.AUDIO: AUDIO,
        Kind.VIDEO: VIDEO,
        Kind.FILE: FILE,
        Kind.LOCATION: _FULL,
        Kind.LINK: ContentRule(
            level=Level.PARTIAL, text=_WORDS, url_max=2048,
            note="Without a picture a link is sent as text; under one a long title or text is cut.",
        ),
        Kind.CARD: ContentRule(level=Level.PARTIAL, card=_CARD, note="A card is a menu: it shows no picture."),
        **dict.fromkeys((Kind.CAROUSEL, Kind.STICKER, Kind.CONTACTS), _TEXT),
    },
    windows=(
        contract.Window(name=REPLY, opened_by=frozenset({Act.MESSAGE}), lasts_s=48 * 3600, budget=5),
        contract.Window(name=WELCOME, opened_by=frozenset({Act.ENTER}), lasts_s=20, budget=1),
    ),
    submissions=contract.Submissions(serial=7, modes=("ticket",), scopes=("channel", "group")),
    receipts=contract.Receipts(late_failure=True),
    sending=contract.Sending(
        idempotency=contract.Idempotency.KEY, key_life_s=3 * 86_400, reply_credentials=True,
        rates=(contract.Rate(limit=10_000, per_s=60), contract.Rate(limit=150_000, per_s=3600)),
    ),
    receiving=contract.Receiving(
        transport=contract.Transport.NOTIFY, pull_every_s=300, redelivers=True, answer_within_s=5, max_body=64 * 1024,
        dedupe_source="open_kfid + msgid",
    ),
    quick_replies=contract.QuickReplyLimit(
        max=10, title_max=128, title_unit=TextUnit.UTF8, data_max=64, data_unit=TextUnit.UTF8,
        # Above and below the lines there are 1,024 bytes each; no character is broken in two.
        text=TextLimit(max=2045, unit=TextUnit.UTF8),
    ),
    extras=frozenset({Extra.PROFILE, Extra.RECALLS_IN}),
)  # fmt: skip
