"""The media store: files that people sent, uploads of agents, and their public addresses.

Only what an outbound message carries has a public address, which lives as long as the message: platforms and
the customers' apps load it when the bubble scrolls into view, months later if they like.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from sqlalchemy import select, update

from trunkline.contract import Clock
from trunkline.log import get_logger
from trunkline.model import new_id
from trunkline.service.filetypes import OPAQUE
from trunkline.service.media_files import MediaFiles, MediaLimits, MediaRefused, Taken
from trunkline.store import Store, Transaction
from trunkline.store.schema import media

__all__ = ["MediaLimits", "MediaRefused", "MediaStore", "StoredFile", "public_addresses", "publish"]

log = get_logger("service")

#: Types that are verified by their content and may be shown in place.
_INLINE = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "audio/mpeg",
        "audio/mp4",
        "audio/ogg",
        "video/mp4",
    }
)
_PREVIEW_NAME = "preview.jpg"
#: 192 bits.
_TOKEN_BYTES = 24
_TOKEN_LENGTH = 32


class StoredFile(msgspec.Struct, frozen=True):
    """A file to answer with: `mime` is what to serve it as, `inline` whether it may be shown in place."""

    path: Path
    mime: str
    size: int
    name: str
    inline: bool


class MediaStore:
    """Takes files in and hands them out."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        clock: Clock,
        limits: MediaLimits | None = None,
        *,
        on_bytes: Callable[[int], None] | None = None,
    ) -> None:
        self.limits = limits or MediaLimits()
        self.files = MediaFiles(folder, clock, self.limits)
        self._store, self._clock = store, clock
        self._on_bytes = on_bytes

    async def receive(
        self, chunks: AsyncIterator[bytes], name: str | None, owner_id: str, declared_mime: str | None
    ) -> str:
        """Store an upload and return its id; it belongs to `owner_id` until a message carries it.

        Raises:
            MediaRefused: see `MediaFiles.take`.
        """
        taken = await self.take(chunks, name=name, announced=declared_mime, strict=True)
        row = {"id": new_id(), "state": "stored", "owner_id": owner_id, **row_values(taken)}
        await self.insert(row)
        return str(row["id"])

    async def take(
        self, chunks: AsyncIterator[bytes], *, name: str | None, announced: str | None, strict: bool
    ) -> Taken:
        """Store a stream without a row; see `MediaFiles.take`."""
        try:
            taken = await self.files.take(chunks, name=name, announced=announced, strict=strict)
        except MediaRefused as refused:
            log.warning("media.refused", error_code=refused.code)
            raise
        if self._on_bytes is not None:
            self._on_bytes(taken.size)
        return taken

    async def insert(self, row: dict[str, Any]) -> None:
        """Commit the row of a file that was taken, or delete the file."""
        values = {"created_at": self._clock.now_ms(), **row}
        try:
            await self._store.writer.write(lambda tx: tx.execute(media.insert().values(**values)))
        except BaseException:
            self.files.remove(row["file"], row["preview_file"])
            raise

    async def open(self, media_id: str, variant: str = "original") -> StoredFile | None:
        """Return a stored file or its preview (`variant` "preview"), None where there is none."""
        async with self._store.read() as connection:
            row = (await connection.execute(select(media).where(media.c.id == media_id))).one_or_none()
        return self._file(row, variant)

    async def open_public(self, token: str, name: str) -> StoredFile | None:
        """Return the file behind a public address, None if the address is wrong in any part."""
        async with self._store.read() as connection:
            row = (await connection.execute(select(media).where(media.c.public_token == token))).one_or_none()
        if row is None or not hmac.compare_digest(row.public_token.encode(), token.encode()):
            return None
        if name == _public_name(row.name):
            return self._file(row, "original")
        return self._file(row, "preview") if name == _PREVIEW_NAME else None

    async def public_url(self, media_id: str, base_url: str | None) -> str | None:
        """Return the public address of a file that was published, None if it was not."""
        async with self._store.read() as connection:
            row = (await connection.execute(select(media).where(media.c.id == media_id))).one_or_none()
        if row is None or row.public_token is None or base_url is None:
            return None
        return _address(base_url, row.public_token, _public_name(row.name))

    def _file(self, row: Any, variant: str) -> StoredFile | None:
        if row is None or row.state != "stored" or row.file is None:
            return None
        if variant == "preview":
            return self._preview(row)
        path = self.files.path(row.file)
        if path is None:
            return None
        inline = row.mime in _INLINE
        return StoredFile(path, row.mime if inline else OPAQUE, row.size, row.name or "file", inline)

    def _preview(self, row: Any) -> StoredFile | None:
        path = self.files.path(row.preview_file or "")
        if path is None:
            return None
        return StoredFile(path, "image/jpeg", path.stat().st_size, _PREVIEW_NAME, inline=True)


def row_values(taken: Taken) -> dict[str, Any]:
    """Return the columns of `media` that a taken file fills."""
    return msgspec.structs.asdict(taken)


def publish(
    tx: Transaction, media_ids: Iterable[str], base_url: str | None
) -> dict[str, tuple[str | None, str | None]]:
    """Give stored media public addresses: id → (url, preview url), None where there is no preview or no base.

    To be called in the transaction that stores the outbound message.
    """
    found: dict[str, tuple[str | None, str | None]] = {}
    for media_id in media_ids:
        row = tx.execute(select(media).where(media.c.id == media_id)).one_or_none()
        if row is None or row.state != "stored" or base_url is None:
            found[media_id] = (None, None)
            continue
        token = row.public_token or secrets.token_urlsafe(_TOKEN_BYTES)
        if row.public_token is None:
            tx.execute(update(media).where(media.c.id == media_id).values(public_token=token))
        found[media_id] = public_addresses(row, base_url, token)
    return found


def public_addresses(row: Any, base_url: str | None, token: str | None = None) -> tuple[str | None, str | None]:
    """Return the address of a stored file and of its preview; without a token those that it might get."""
    if base_url is None:
        return None, None
    token = token or row.public_token or "-" * _TOKEN_LENGTH
    preview = _address(base_url, token, _PREVIEW_NAME) if row.preview_file else None
    return _address(base_url, token, _public_name(row.name)), preview


def _public_name(name: str | None) -> str:
    """Return the last part of an address; never the name under which the preview is."""
    return f"file-{name}" if name in {None, _PREVIEW_NAME} else str(name)


def _address(base_url: str, token: str, name: str) -> str:
    return f"{base_url.rstrip('/')}/media/{token}/{quote(name, safe='')}"
