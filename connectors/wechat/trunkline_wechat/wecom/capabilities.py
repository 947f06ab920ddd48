"""What a WeCom app can carry. Source: the README of this package."""

from __future__ import annotations

from trunkline import contract
from trunkline.contract import ContentRule, Extra, Rate, TextLimit, TextUnit
from trunkline.model import ContentKind as Kind
from trunkline.model import Level
from trunkline_wechat.enterprise import AUDIO, FILE, IMAGE, VIDEO, VOICE

_FULL = ContentRule(level=Level.FULL)
_TEXT = ContentRule(level=Level.FALLBACK, becomes=Kind.TEXT)
#: WeCom recommends these lengths and cuts what is longer.
_CARD = contract.CardLimit(
    title_max=26,
    text_max=112,
    buttons_max=6,
    button_title_max=10,
    button_data_max=1024,
    data_unit=TextUnit.UTF8,
)

#: The longest `duplicate_check_interval` (unconfirmed); half an hour if none is said.
REMEMBERED_S = 4 * 3600

CAPABILITIES = contract.Capabilities(
    receives={
        Kind.AUDIO: VOICE,
        **dict.fromkeys((Kind.TEXT, Kind.IMAGE, Kind.VIDEO, Kind.LOCATION, Kind.LINK, Kind.CHOICE), _FULL),
    },
    sends={
        Kind.TEXT: ContentRule(level=Level.FULL, text=TextLimit(max=2048, unit=TextUnit.UTF8)),
        Kind.IMAGE: IMAGE,
        Kind.AUDIO: AUDIO,
        Kind.VIDEO: VIDEO,
        Kind.FILE: FILE,
        Kind.LINK: ContentRule(
            level=Level.PARTIAL, url_max=2048, note="A title shows 128 bytes, the words under it 512; the rest is cut."
        ),
        Kind.CARD: ContentRule(level=Level.PARTIAL, card=_CARD, note="A card with buttons shows no picture."),
        **dict.fromkeys((Kind.CAROUSEL, Kind.LOCATION, Kind.STICKER, Kind.CONTACTS), _TEXT),
    },
    submissions=contract.Submissions(
        serial=6, modes=("ticket",), scopes=("channel", "group"), ticket_reply=True
    ),
    sending=contract.Sending(
        # When a repeat asks for it, WeCom drops what is like a message of these last seconds.
        idempotency=contract.Idempotency.KEY, key_life_s=REMEMBERED_S,
        rates=(
            Rate(limit=30, per_s=60, scope="recipient"), Rate(limit=1000, per_s=3600, scope="recipient"),
            Rate(limit=10_000, per_s=60), Rate(limit=150_000, per_s=3600),
        ),
    ),
    receiving=contract.Receiving(
        redelivers=True, answer_within_s=5, max_body=64 * 1024,
        dedupe_source="FromUserName + CreateTime + MsgId, or AgentID + Event + EventKey",
    ),
    quick_replies=contract.QuickReplyLimit(
        max=6, title_max=10, data_max=1024, data_unit=TextUnit.UTF8, text=TextLimit(max=112)
    ),
    extras=frozenset({Extra.PROFILE, Extra.RECALL}),
)  # fmt: skip
