"""What Weibo can carry. Source: the README of this package."""

from __future__ import annotations

from trunkline import contract
from trunkline.contract import Act, ContentRule, Extra
from trunkline.model import ContentKind as Kind
from trunkline.model import Level

#: "Fewer than 300 Chinese characters".
TEXT_MAX = 299
TWO_DAYS_S = 48 * 3600

_TEXT = contract.TextLimit(max=TEXT_MAX)
_FULL = ContentRule(level=Level.FULL)
_AS_TEXT = ContentRule(level=Level.FALLBACK, becomes=Kind.TEXT, note="Weibo has no buttons for us: it is text.")
_AS_LINK = ContentRule(
    level=Level.FALLBACK, becomes=Kind.LINK, note="Weibo takes no files from us: a link to it is sent."
)
WEIBO = contract.Capabilities(
    submissions=contract.Submissions(serial=8),
    receives=dict.fromkeys((Kind.TEXT, Kind.IMAGE, Kind.AUDIO, Kind.LOCATION), _FULL),
    sends={
        Kind.TEXT: ContentRule(level=Level.FULL, text=_TEXT),
        Kind.LOCATION: ContentRule(level=Level.PARTIAL, note="Weibo shows the place without its name."),
        Kind.LINK: ContentRule(
            level=Level.PARTIAL,
            text=_TEXT,
            url_max=TEXT_MAX,
            note="An article shows 64 characters of a title and 120 of a text; without a picture a link is text.",
        ),
        **dict.fromkeys((Kind.CARD, Kind.CAROUSEL, Kind.CONTACTS), _AS_TEXT),
        **dict.fromkeys((Kind.IMAGE, Kind.VIDEO, Kind.AUDIO, Kind.FILE), _AS_LINK),
    },
    windows=(
        contract.Window(
            name="reply",
            opened_by=frozenset({Act.MESSAGE, Act.FOLLOW, Act.CONSENT, Act.CLICK, Act.SCAN}),
            lasts_s=TWO_DAYS_S,
            budget=99,
            closed_by=frozenset({Act.UNFOLLOW}),
        ),
        contract.Window(
            name="mention",
            opened_by=frozenset({Act.MENTION}),
            lasts_s=TWO_DAYS_S,
            budget=1,
            closed_by=frozenset({Act.UNFOLLOW}),
        ),
    ),
    receiving=contract.Receiving(
        redelivers=True,
        answer_within_s=5,
        dedupe_source="receiver_id, sender_id, created_at, type, text, data: Weibo gives no message id",
    ),
    extras=frozenset({Extra.PROFILE}),
)
