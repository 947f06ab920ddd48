"""What WhatsApp can carry, in its own units. Source: the README of this package."""

from __future__ import annotations

from trunkline import contract
from trunkline.contract import ContentRule, Extra
from trunkline.model import ContentKind as Kind
from trunkline.model import Cost, Level

_FULL = ContentRule(level=Level.FULL)
_OFFICE = "application/vnd.openxmlformats-officedocument"
_DOCUMENTS = (
    "text/*", "application/pdf", "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint",
    f"{_OFFICE}.wordprocessingml.document", f"{_OFFICE}.spreadsheetml.sheet",
    f"{_OFFICE}.presentationml.presentation",
)  # fmt: skip
_RECEIVED = (
    Kind.TEXT, Kind.IMAGE, Kind.VIDEO, Kind.AUDIO, Kind.FILE, Kind.LOCATION, Kind.STICKER, Kind.CHOICE, Kind.CONTACTS,
)  # fmt: skip
_SOUNDS = ("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg")
_TEXT = contract.TextLimit(max=4096)
_CARD = contract.CardLimit(title_max=60, text_max=960, buttons_max=10, button_title_max=20, button_data_max=200)


def _media(*mimes: str, kb: int) -> ContentRule:
    return ContentRule(level=Level.FULL, media=(contract.MediaLimit(mimes=mimes, max_bytes=kb * 1000),))


WHATSAPP = contract.Capabilities(
    receives=dict.fromkeys(_RECEIVED, _FULL),
    sends={
        Kind.TEXT: ContentRule(level=Level.FULL, text=_TEXT),
        Kind.IMAGE: _media("image/jpeg", "image/png", kb=5000),
        Kind.VIDEO: _media("video/mp4", "video/3gpp", kb=16_000),
        Kind.AUDIO: _media(*_SOUNDS, kb=16_000),
        Kind.FILE: _media(*_DOCUMENTS, kb=100_000),
        Kind.STICKER: ContentRule(
            level=Level.PARTIAL, media=_media("image/webp", kb=500).media,
            note="A sticker without a file of its own is sent as its words.",
        ),
        Kind.CARD: ContentRule(
            level=Level.PARTIAL,
            card=_CARD,
            note="Up to three buttons, or one link, are shown as buttons; more buttons become a list, and links "
                 "beside them are written into the text.",
        ),
        Kind.CAROUSEL: ContentRule(level=Level.FALLBACK, becomes=Kind.TEXT, note="Only templates have cards in a row."),
        Kind.LINK: ContentRule(level=Level.FULL, text=_TEXT),
        **dict.fromkeys((Kind.LOCATION, Kind.CONTACTS), _FULL),
        # By category and country; what answers within the window may be free.
        Kind.TEMPLATE: ContentRule(level=Level.FULL, cost=Cost.PAID),
    },
    # The free entry point (72 h after our first answer to somebody who came by an advertisement) is no window: it
    # changes the price only, and never the right to write.
    windows=(
        contract.Window(
            name="customer_service", opened_by=frozenset({contract.Act.MESSAGE, contract.Act.CALL}),
            lasts_s=24 * 3600, afterwards=contract.Afterwards.TEMPLATE,
        ),
    ),
    receipts=contract.Receipts(delivered=True, read=True, late_failure=True),
    sending=contract.Sending(
        idempotency=contract.Idempotency.CORRELATION,
        rates=(contract.Rate(limit=80), contract.Rate(limit=45, per_s=6, scope="recipient")),
        # Requests to one person overtake each other on the platform's side; the core sends them one by one.
        ordered=False,
    ),
    receiving=contract.Receiving(
        redelivers=True, answer_within_s=5, dedupe_source="messages[].id; statuses[].id and status",
        proof_header="x-hub-signature-256", max_body=3 * 1024 * 1024,
    ),
    quick_replies=contract.QuickReplyLimit(
        max=10, title_max=24, data_max=200, kinds=frozenset({"text", "location"}),
        under=frozenset({Kind.TEXT, Kind.LINK}), distinct=True,
    ),
    extras=frozenset(Extra) - {Extra.RECALL, Extra.PROFILE, Extra.SENDER_NAME},
)  # fmt: skip
