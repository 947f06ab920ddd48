"""Files: taken in as a stream, given out so that no browser runs what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aiohttp import web
from sqlalchemy import select

from trunkline.http.problems import Problem
from trunkline.service.media import MediaRefused
from trunkline.service.snapshots import media_snapshot
from trunkline.store import schema
from trunkline_desk.api.idempotency import Repeat, fingerprint_of, key_of
from trunkline_desk.api.models.content import Media
from trunkline_desk.api.models.house import UploadQuery, VariantQuery
from trunkline_desk.api.route import Call, Route
from trunkline_desk.people.roles import Action
from trunkline_desk.threads.rows import Database, ask, not_found

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["ROUTES", "disposition"]

_CHUNK = 64 * 1024
#: What a browser may show by itself, when the store verified it by content; all else is saved.
_INLINE = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "audio/mpeg",
        "audio/ogg",
        "audio/mp4",
        "audio/x-m4a",
        "video/mp4",
        "video/ogg",
        "application/ogg",
    }
)
_UNSAFE = frozenset('"\\/:;%')


async def upload(call: Call[None, UploadQuery]) -> dict[str, Any]:
    """Take a file in."""
    request, house = call.request, call.desk.house
    if request.headers.get("Content-Encoding"):
        raise Problem(415, "unsupported_media_type", "Send the file as it is, not compressed.")
    limit = house.settings.media.max_bytes
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    digest = hashlib.sha256()
    key = key_of(request)
    before = await _before(call, key, digest) if key else None
    if before is not None:
        return before
    try:
        media_id = await house.media.receive(
            _chunks(request, digest, limit), call.query.name, call.actor.id, request.content_type
        )
    except MediaRefused as refusal:
        raise Problem(413 if refusal.code == "too_large" else 422, refusal.code, str(refusal)) from None
    call.repeat = _repeat(call, key, digest) if key else None
    return await call.commit(lambda tx: _snapshot(tx, media_id))


async def _before(call: Call[Any, Any], key: str, digest: _Hash) -> dict[str, Any] | None:
    """Return the answer that this key was given before; only then is the body read for comparison alone."""
    async with call.desk.house.store.read() as connection:
        row = (await connection.execute(_repeat(call, key, digest).find())).one_or_none()
    if row is None:
        return None
    async for _ in _chunks(call.request, digest, call.desk.house.settings.media.max_bytes):
        pass
    answer: dict[str, Any] = _repeat(call, key, digest).read(row)
    return answer


def _repeat(call: Call[Any, Any], key: str, digest: _Hash) -> Repeat:
    fingerprint = fingerprint_of(call.request, digest.hexdigest())
    return Repeat(actor=call.actor.id, key=key, fingerprint=fingerprint, status=201, now=call.now)


async def _chunks(request: web.Request, digest: _Hash, limit: int) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in request.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        digest.update(chunk)
        yield chunk


def _too_large(limit: int) -> Problem:
    return Problem(413, "too_large", f"The file is larger than {limit // 2**20} MiB.")


def _snapshot(database: Database, media_id: str) -> dict[str, Any]:
    row = database.execute(select(schema.media).where(schema.media.c.id == media_id)).one_or_none()
    if row is None:
        raise not_found("media")
    return media_snapshot(row)


async def download(call: Call[None, VariantQuery]) -> web.StreamResponse:
    """Give a file out."""
    media_id = call.path("media_id")
    stored = await call.desk.house.media.open(media_id, call.query.variant)
    if stored is None:
        shown = await ask(call.desk.house.store, _snapshot, media_id)
        raise Problem(404, f"media_{shown['state']}", "There are no bytes of this file here.")
    mime = stored.mime if stored.inline and stored.mime in _INLINE else "application/octet-stream"
    headers = {
        "Content-Type": mime,
        "Content-Disposition": disposition(stored.name, inline=mime in _INLINE),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
    }
    return web.FileResponse(stored.path, headers=headers)


def disposition(name: str | None, *, inline: bool) -> str:
    """Return a Content-Disposition for a name that a stranger chose.

    Source: https://www.rfc-editor.org/rfc/rfc6266 (read 2026-11-21)
    """
    kind = "inline" if inline else "attachment"
    clean = "".join(character for character in name or "" if character.isprintable())[:200].strip()
    if not clean:
        return kind
    plain = "".join("_" if character in _UNSAFE or not character.isascii() else character for character in clean)
    encoded = quote(clean.encode("utf-8", "replace"), safe="")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


ROUTES = (
    Route(
        method="POST",
        path="/media",
        handler=upload,
        action=Action.REPLY,
        operation="upload",
        summary="Upload a file to send with a reply.",
        status=201,
        query=UploadQuery,
        answer=Media,
        refusals=((413, "too_large"), (422, "media_refused")),
        consumes="application/octet-stream",
    ),
    Route(
        method="GET",
        path="/media/{media_id}",
        handler=download,
        action=Action.READ_THREADS,
        operation="download",
        summary="The bytes of a file, or of its picture.",
        query=VariantQuery,
        refusals=((404, "unknown_media"),),
        produces="application/octet-stream",
    ),
)
