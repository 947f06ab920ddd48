"""The bytes of what is sent, for connectors whose platform wants files uploaded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from trunkline.contract import MediaStream
from trunkline.errors import Undeliverable
from trunkline.model import Media

if TYPE_CHECKING:
    from trunkline.service.media import MediaStore

__all__ = ["StoredMedia"]

_CHUNK = 256 * 1024


class StoredMedia:
    """Opens stored files; the port `contract.MediaBytes`."""

    def __init__(self, store: MediaStore) -> None:
        self._store = store

    async def open(self, media: Media) -> MediaStream:
        """Open a file of an outbound message.

        Raises:
            Undeliverable: it is gone.
        """
        found = None if media.id is None else await self._store.open(media.id)
        if found is None:
            raise Undeliverable("The file of this message is gone.", whose="us", code="media_gone")
        return MediaStream(chunks=_read(found.path), mime=media.mime, size=found.size, name=media.name or found.name)


async def _read(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
