"""What customer messages of a mini program can carry. Source: the README of this package."""

from __future__ import annotations

from trunkline import contract
from trunkline.contract import Act, ContentRule, TextUnit
from trunkline.model import ContentKind as Kind
from trunkline.model import Level

_FULL = ContentRule(level=Level.FULL)
_AS_TEXT = ContentRule(level=Level.FALLBACK, becomes=Kind.TEXT, note="Baidu has text and pictures only: it is text.")
_AS_LINK = ContentRule(level=Level.FALLBACK, becomes=Kind.LINK, note="Baidu takes no such files: a link is sent.")
# Baidu states no limit of a text or a picture; these are ours.
_TEXT = contract.TextLimit(max=2048, unit=TextUnit.UTF8)
_PICTURES = contract.MediaLimit(mimes=("image/jpeg", "image/png", "image/gif"), max_bytes=10_000_000)

BAIDU = contract.Capabilities(
    receives={Kind.TEXT: _FULL, Kind.IMAGE: _FULL},
    sends={
        Kind.TEXT: ContentRule(level=Level.FULL, text=_TEXT),
        Kind.IMAGE: ContentRule(
            level=Level.PARTIAL, media=(_PICTURES,), note="With a caption it is sent as text with a link."
        ),
        **dict.fromkeys((Kind.LINK, Kind.CARD, Kind.CAROUSEL, Kind.LOCATION, Kind.CONTACTS), _AS_TEXT),
        **dict.fromkeys((Kind.VIDEO, Kind.AUDIO, Kind.FILE), _AS_LINK),
    },
    windows=(contract.Window(name="reply", opened_by=frozenset({Act.MESSAGE}), lasts_s=48 * 3600, budget=5),),
    submissions=contract.Submissions(serial=10, modes=("ticket",), scopes=("channel", "group")),
    receiving=contract.Receiving(
        redelivers=True, answer_within_s=2, dedupe_source="MsgId, else FromUserName and CreateTime"
    ),
)
