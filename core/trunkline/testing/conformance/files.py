"""Checks of the files that customers send."""

from __future__ import annotations

import httpx2
import msgspec

from trunkline.contract import MessageReceived
from trunkline.errors import DeliveryError, TryLater
from trunkline.model import ContentKind, Media, MediaSource, media_of
from trunkline.testing.conformance.checks import Broken, Check, Topic, need
from trunkline.testing.conformance.stage import Stage
from trunkline.testing.faults import Fault

__all__ = ["MEDIA"]

_MEDIA = (ContentKind.IMAGE, ContentKind.VIDEO, ContentKind.AUDIO, ContentKind.FILE)


async def _media_in(stage: Stage) -> list[Media]:
    """Return the files that customers sent and the platform keeps."""
    customer = stage.add_customer()
    found: list[Media] = []
    for kind in _MEDIA:
        action = stage.simulator.writes.get(kind)
        items = await stage.try_act(customer, action) if action is not None else None
        said = [item.content for item in items or () if isinstance(item, MessageReceived)]
        found += [media for content in said for media in media_of(content)]
    kept = [media for media in found if media.source is not None and not media.source.external]
    if not kept:
        raise stage.not_here("files that the platform keeps")
    return kept


async def fetched(stage: Stage) -> None:
    for media in await _media_in(stage):
        stream = await stage.connector.fetch(media)
        size = sum([len(chunk) async for chunk in stream.chunks])
        need(size > 0, "a file that a customer sent comes without a byte")
        need(stream.size in {None, size}, f"a file of {size} bytes was announced with {stream.size}")


async def gone(stage: Stage) -> None:
    for media in await _media_in(stage):
        assert media.source is not None
        # A copy elsewhere, named by its address, is gone as well.
        extra = {name: value for name, value in media.source.extra.items() if "://" not in str(value)}
        source = MediaSource(reference=f"{media.source.reference}0", extra=extra)
        try:
            stream = await stage.connector.fetch(msgspec.structs.replace(media, source=source))
            async for _ in stream.chunks:
                pass
        except DeliveryError:
            continue
        raise Broken("a file that is not there was fetched")


async def later(stage: Stage) -> None:
    media = (await _media_in(stage))[0]
    stage.simulator.fail(Fault(do="answer", status=503, body="", times=5))
    try:
        await stage.connector.fetch(media)
    except (TryLater, httpx2.TransportError):
        stage.simulator.forgive()
        stream = await stage.connector.fetch(media)
        need(sum([len(chunk) async for chunk in stream.chunks]) > 0, "after an outage a file cannot be fetched")
        return
    raise Broken("while the platform is out a file was fetched")


MEDIA = Topic(
    "Files from customers",
    (
        Check("media.fetched", fetched, "A file that the platform keeps is fetched whole.",
              "It is gone there after some days."),
        Check("media.gone", gone, "A file that is gone is told as an error of our tree.",
              "The message shows that it was there once."),
        Check("media.later", later, "While the platform is out a file is tried later.", "It is not gone."),
    ),
)  # fmt: skip
