"""Calls about files: what visitors send, and what they may open. A file is known by its content, not by its name.

Uploads come as one multipart body, or in two steps: a place first, then the bytes. The place is a signed address; there
is no row until the bytes are there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import msgspec
from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from trunkline.errors import StoreUnavailable
from trunkline.hosted import answers, models
from trunkline.hosted.arriving import MAX_UPLOAD, upload_types
from trunkline.hosted.call import Call
from trunkline.hosted.calls import ANYBODY, ClientRoute
from trunkline.hosted.objects import bare
from trunkline.hosted.refusals import ClientRefused
from trunkline.hosted.sending import owner_of
from trunkline.model import new_id
from trunkline.service.media import MediaRefused, row_values
from trunkline.store import schema

if TYPE_CHECKING:
    from trunkline.service.media_files import Taken

__all__ = ["ROUTES"]

_CHUNK = 64 * 1024
_PLACE_MS = 3600 * 1000
_MOST_PLAN = 16 * 1024
#: What the store says → what the client hears.
_REFUSED = {"too_large": "too_large", "disk_full": "unavailable", "storage_failed": "unavailable"}
_VERIFIED = ("image", "audio", "video")


class _File(msgspec.Struct, frozen=True):
    """A file on its way in."""

    media_id: str
    chunks: AsyncIterator[bytes]
    name: str | None
    announced: str | None


async def upload(call: Call) -> dict[str, Any]:
    """Take a file in, or say where to put it."""
    call.front.limiter.take("uploads", call.holder.visitor_id, own=call.inbox.limit("uploads"))
    kind = call.request.content_type
    if call.request.headers.get("Content-Encoding"):
        raise ClientRefused("unsupported_media_type")
    if kind == "application/json":
        return await _place(call)
    if kind != "multipart/form-data":
        raise ClientRefused("unsupported_media_type", "Send multipart/form-data with the part `file`, or JSON.")
    part = await _part(call.request)
    announced = part.headers.get("Content-Type", "").partition(";")[0].strip().lower() or None
    return await _take(call, _File(new_id(), _chunks(part), part.filename, announced))


async def _part(request: web.Request) -> BodyPartReader:
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if isinstance(part, BodyPartReader) and part.name == "file":
                return part
    except (ValueError, AssertionError, HttpProcessingError):
        raise ClientRefused("bad_request", "The multipart body cannot be read.") from None
    raise ClientRefused("bad_request", "There is no part `file`.")


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    try:
        while chunk := await part.read_chunk(_CHUNK):
            yield chunk
    except (ValueError, AssertionError, HttpProcessingError):
        raise ClientRefused("bad_request", "The multipart body cannot be read.") from None


async def _place(call: Call) -> dict[str, Any]:
    raw = await call.request.content.read(_MOST_PLAN + 1)
    try:
        plan = models.UploadPlan.model_validate_json(raw)
    except ValidationError:
        raise ClientRefused("bad_request", "Send {name, size, mime}.") from None
    if plan.size > _limit(call):
        raise ClientRefused("too_large", field="size")
    media_id, until = new_id(), call.now + _PLACE_MS
    signature = call.front.signer.sign("put", media_id, call.holder.visitor_id, plan.size, until)
    query = urlencode({"sig": signature, "until": until, "size": plan.size, "name": plan.name})
    address = f"{call.front.prefix}/uploads/up_{media_id}?{query}"
    return {"upload_id": f"up_{media_id}", "put_url": address, "name": plan.name, "size": plan.size, "mime": plan.mime}


async def put(call: Call) -> dict[str, Any]:
    """Take the bytes of a file whose place was given before, once."""
    media_id, query = bare(call.path("upload_id"), "up_") or "", call.query
    words = ("put", media_id, call.holder.visitor_id, query.size, query.until)
    if not call.front.signer.verify(query.sig, *words) or query.until < call.now:
        raise ClientRefused("not_found")
    body = call.request.content.iter_chunked(_CHUNK)
    return await _take(call, _File(media_id, body, query.name, call.request.content_type))


def _limit(call: Call) -> int:
    return min(MAX_UPLOAD, call.front.house.settings.media.max_bytes)


async def _take(call: Call, file: _File) -> dict[str, Any]:
    """Store a file that nobody but its sender can use.

    Raises:
        ClientRefused: too_large, type_not_allowed, mime_mismatch, file_unreadable, unavailable.
    """
    media, limit = call.front.house.media, _limit(call)
    if (call.request.content_length or 0) > limit + _CHUNK:
        raise ClientRefused("too_large")
    try:
        taken = await media.take(_counted(file.chunks, limit), name=file.name, announced=file.announced, strict=True)
    except MediaRefused as refusal:
        raise ClientRefused(_REFUSED.get(refusal.code, "file_unreadable"), refusal.detail) from None
    try:
        _judge(call, taken, file.announced)
        call.front.limiter.take("upload_bytes", call.holder.visitor_id, taken.size)
        await _keep(call, file.media_id, taken)
    except (ClientRefused, StoreUnavailable):
        # Not when we are cancelled: the row may be committed all the same. Files without a row are swept.
        media.files.remove(taken.file, taken.preview_file)
        raise
    known = {name: getattr(taken, name) for name in ("name", "size", "mime", "width", "height", "duration_ms")}
    return {"upload_id": f"up_{file.media_id}", "kind": _kind(taken.mime), **known}


async def _keep(call: Call, media_id: str, taken: Taken) -> None:
    row = {
        "id": media_id,
        "account_id": call.inbox.id,
        "state": "stored",
        "owner_id": owner_of(call.holder.visitor_id),
        **row_values(taken),
    }
    try:
        await call.front.house.media.insert(row)
    except IntegrityError:
        raise ClientRefused("not_found", "This place was used already.") from None


async def _counted(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise ClientRefused("too_large")
        yield chunk


def _judge(call: Call, taken: Taken, announced: str | None) -> None:
    """Refuse types that the channel does not take, and what says that it is a picture and is none."""
    family = (announced or "").partition("/")[0]
    if family in _VERIFIED and taken.mime.partition("/")[0] != family:
        raise ClientRefused("mime_mismatch")
    allowed = upload_types(call.inbox.channel(call.client).capabilities)
    if not any(_fits(taken.mime, pattern) for pattern in allowed):
        raise ClientRefused("type_not_allowed")


def _fits(mime: str, pattern: str) -> bool:
    return pattern in {"*/*", mime} or (pattern.endswith("/*") and mime.startswith(pattern[:-1]))


def _kind(mime: str) -> str:
    family = mime.partition("/")[0]
    return family if family in _VERIFIED else "file"


async def give(call: Call) -> web.StreamResponse:
    """Give a file to whoever has its signed address."""
    media_id, variant = bare(call.path("file_id"), "up_") or "", call.query.variant
    if not call.front.signer.verify(call.query.sig, "file", media_id, variant):
        raise ClientRefused("not_found")
    files_url = call.front.files_url
    if files_url and call.request.host != urlsplit(files_url).netloc:
        return web.Response(status=308, headers={"Location": f"{files_url}{call.request.path_qs}"})
    stored = await call.front.house.media.open(media_id, variant)
    if stored is None:
        raise ClientRefused(await _why_not(call, media_id))
    response = call.front.file_response(stored)
    response.headers["Cache-Control"] = "private, max-age=86400, immutable"
    if files_url:
        # Then the frame that shows it is of another origin. The address is the proof, and the file can do nothing.
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


async def _why_not(call: Call, media_id: str) -> str:
    async with call.front.house.store.read() as connection:
        state = await connection.execute(select(schema.media.c.state).where(schema.media.c.id == media_id))
        return "redacted" if state.scalar_one_or_none() == "removed" else "not_found"


_TAKING = ("bad_request", "too_large", "type_not_allowed", "mime_mismatch", "file_unreadable", "rate_limited")

ROUTES = (
    ClientRoute(
        method="POST",
        path="/uploads",
        handler=upload,
        operation="upload",
        summary="Send a file as the multipart part `file`, or {name, size, mime} for a place to put it.",
        status=201,
        answer=answers.Upload,
        consumes="multipart/form-data",
        refusals=(*_TAKING, "unsupported_media_type"),
    ),
    ClientRoute(
        method="PUT",
        path="/uploads/{upload_id}",
        handler=put,
        operation="put_upload",
        summary="Put the bytes of a file at the address that was given for it.",
        status=201,
        query=models.PutQuery,
        answer=answers.Upload,
        consumes="application/octet-stream",
        refusals=(*_TAKING, "not_found"),
    ),
    ClientRoute(
        method="GET",
        path="/files/{file_id}",
        handler=give,
        auth=ANYBODY,
        operation="file",
        summary="The bytes of a file, for whoever has its signed address.",
        query=models.FileQuery,
        also=(206, 304, 308, 416),
        refusals=("not_found", "redacted"),
        produces="application/octet-stream",
    ),
)
