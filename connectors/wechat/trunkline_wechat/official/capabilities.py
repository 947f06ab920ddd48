"""What an Official Account and a Mini Program can carry, in the platform's units. Source: the README."""

from __future__ import annotations

from trunkline import contract
from trunkline.contract import Act, ContentRule, Extra, MediaLimit, TextUnit
from trunkline.model import ContentKind as Kind
from trunkline.model import Level

MINUTE, TWO_DAYS = 60, 48 * 3600
#: As one page of the platform has it; another one says 10 MB.
_PICTURES = MediaLimit(mimes=("image/jpeg", "image/png", "image/gif"), max_bytes=2_000_000)
_VOICES = MediaLimit(mimes=("audio/amr", "audio/mpeg", "audio/mp3"), max_bytes=2_000_000, max_duration_s=60)
_FILMS = MediaLimit(mimes=("video/mp4",), max_bytes=10_000_000)

_FULL = ContentRule(level=Level.FULL)
_TEXT = ContentRule(level=Level.FULL, text=contract.TextLimit(max=2048, unit=TextUnit.UTF8))
_IMAGE = ContentRule(level=Level.PARTIAL, media=(_PICTURES,), note="With a caption it is sent as a card.")
_AS_TEXT = ContentRule(level=Level.FALLBACK, becomes=Kind.TEXT, note="WeChat has no such content: text is sent.")
_AS_LINK = ContentRule(level=Level.FALLBACK, becomes=Kind.LINK, note="WeChat does not take such files: a link is sent.")
#: Only an Official Account has menus in messages.
_MENU = ContentRule(
    level=Level.PARTIAL, note="With choices it is a menu without its picture; with one link an article.",
    card=contract.CardLimit(
        title_max=200, text_max=700, buttons_max=10, button_title_max=128, button_data_max=64, unit=TextUnit.UTF8
    ),
)  # fmt: skip
_COMMON = {
    Kind.TEXT: _TEXT, Kind.IMAGE: _IMAGE, Kind.LINK: _FULL, Kind.TEMPLATE: _FULL, Kind.FILE: _AS_LINK,
    **dict.fromkeys((Kind.LOCATION, Kind.STICKER, Kind.CONTACTS, Kind.CARD, Kind.CAROUSEL), _AS_TEXT),
}  # fmt: skip


def _window(name: str, *acts: Act, lasts_s: int, budget: int) -> contract.Window:
    return contract.Window(
        name=name,
        opened_by=frozenset(acts),
        closed_by=frozenset({Act.UNFOLLOW}),
        lasts_s=lasts_s,
        budget=budget,
        afterwards=contract.Afterwards.TEMPLATE,
    )


_RECEIVING = contract.Receiving(
    redelivers=True, answer_within_s=5, dedupe_source="FromUserName, CreateTime, MsgId or Event and EventKey",
    max_body=64 * 1024,
)  # fmt: skip

OA_CAPABILITIES = contract.Capabilities(
    receives={
        **dict.fromkeys((Kind.TEXT, Kind.IMAGE, Kind.VIDEO, Kind.LOCATION, Kind.LINK, Kind.CHOICE), _FULL),
        Kind.AUDIO: ContentRule(level=Level.PARTIAL, note="Voice comes as AMR; words that WeChat heard are not shown."),
    },
    sends={
        **_COMMON,
        Kind.VIDEO: ContentRule(level=Level.PARTIAL, media=(_FILMS,), note="It is shown under a neutral picture."),
        Kind.AUDIO: ContentRule(level=Level.FULL, media=(_VOICES,)),
        Kind.CARD: _MENU,
    },
    windows=(
        _window("reply", Act.MESSAGE, lasts_s=TWO_DAYS, budget=5),
        _window("moment", Act.CLICK, Act.FOLLOW, Act.SCAN, lasts_s=MINUTE, budget=3),
    ),
    submissions=contract.Submissions(
        serial=4, modes=("ticket",), scopes=("channel", "group"), ticket_reply=True,
        prompt_limit={"kind": "window", "hours": 48, "starts": "last_customer_input", "edge": "inclusive"},
    ),
    # Only notices have results, and those come as receipts of their own.
    receiving=_RECEIVING,
    quick_replies=contract.QuickReplyLimit(
        max=10, title_max=128, title_unit=TextUnit.UTF8, data_max=64, data_unit=TextUnit.UTF8
    ),
    extras=frozenset({Extra.TYPING, Extra.TEMPLATES, Extra.PROFILE}),
)  # fmt: skip

MINI_CAPABILITIES = contract.Capabilities(
    receives=dict.fromkeys((Kind.TEXT, Kind.IMAGE, Kind.LINK), _FULL),
    sends={**_COMMON, Kind.VIDEO: _AS_LINK, Kind.AUDIO: _AS_LINK},
    windows=(
        _window("reply", Act.MESSAGE, lasts_s=TWO_DAYS, budget=5),
        _window("moment", Act.ENTER, lasts_s=MINUTE, budget=2),
    ),
    submissions=contract.Submissions(
        serial=5, modes=("ticket",), scopes=("channel", "group"), ticket_reply=True,
        prompt_limit={"kind": "count", "messages": 5, "resets_on": "customer_message"},
    ),
    # Only notices have results, and those come as receipts of their own.
    receiving=_RECEIVING,
    extras=frozenset({Extra.TYPING, Extra.TEMPLATES}),
)  # fmt: skip
