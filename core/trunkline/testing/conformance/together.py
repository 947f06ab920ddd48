"""The check of what shares one request."""

from __future__ import annotations

from trunkline.model import ContentKind, Level, content_kind
from trunkline.testing.conformance.checks import need
from trunkline.testing.conformance.samples import SHOWN, sample
from trunkline.testing.conformance.stage import Stage

__all__ = ["several"]

_CARRIED = frozenset({Level.FULL, Level.PARTIAL})
#: Kinds with words, in the order in which they are sent together.
_TOGETHER = (ContentKind.TEXT, ContentKind.CARD, ContentKind.LOCATION, ContentKind.LINK)


async def several(stage: Stage) -> None:
    size, customer = stage.capabilities.sending.items_per_request, stage.add_customer()
    await stage.talk(customer)
    before, words = len(stage.seen(customer)), [stage.word("bell")[:20] for _ in range(size)]
    kinds = [kind for kind in _TOGETHER if stage.capabilities.rule(kind).level in _CARRIED]
    parts = [
        sample(kinds[at % len(kinds)], one, stage.capabilities, stage.services.media) for at, one in enumerate(words)
    ]
    accepted = await stage.attempt(await stage.message(customer, *parts))
    shown = stage.seen(customer)[before:]
    need(len(shown) == size, f"{size} parts of one request are shown as {[one.kind for one in shown]}")
    for part, one, words_of_it in zip(parts, shown, words, strict=True):
        kind = content_kind(part)
        need(one.kind in SHOWN[kind] and words_of_it in str(one), f"{size} parts of one request lost their order")
    need(len(accepted.parts) in {0, size}, f"{size} parts were accepted with {len(accepted.parts)} ids")
