"""The door to media that outbound messages carry: no sign-in, an address that nobody can guess, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from aiohttp import hdrs, web

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from trunkline.service.media import MediaStore, StoredFile

__all__ = ["add_public_media", "file_response", "files_alone"]

#: Whatever a file holds, it may load, run and embed nothing.
_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
#: Where files are: those of visitors, and those that platforms fetch.
_OF_FILES = ("/client/v1/files/", "/media/")
_ASCII_NAME = str.maketrans({'"': "_", "\\": "_", "%": "_"})


def add_public_media(application: web.Application, media: MediaStore) -> None:
    """Serve `/media/{token}/{name}`; anything that is not exactly a published address is 404."""

    async def serve(request: web.Request) -> web.StreamResponse:
        found = await media.open_public(request.match_info["token"], request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        response = file_response(found)
        response.headers[hdrs.CACHE_CONTROL] = "public, max-age=86400"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    application.router.add_get("/media/{token:[A-Za-z0-9_-]{22,64}}/{name:[^/]{1,200}}", serve)


def files_alone(files_url: str) -> Middleware:
    """Return what lets a host serve files and nothing else: what somebody sent in has no neighbours there."""
    host = urlsplit(files_url).netloc

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.host == host and not request.path.startswith(_OF_FILES):
            raise web.HTTPNotFound
        return await handler(request)

    return guard


def file_response(stored: StoredFile) -> web.FileResponse:
    """Return an answer that serves a stored file, ranges included, so that no browser can be made to run it."""
    return web.FileResponse(
        stored.path,
        headers={
            hdrs.CONTENT_TYPE: stored.mime,
            hdrs.CONTENT_DISPOSITION: disposition(stored.name, inline=stored.inline),
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "X-Robots-Tag": "noindex",
            hdrs.CACHE_CONTROL: "private, no-cache",
        },
    )


def disposition(name: str, *, inline: bool) -> str:
    """Return a Content-Disposition with the name in both spellings of RFC 6266."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_").translate(_ASCII_NAME)
    safe = "".join(character for character in plain if character.isprintable())
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{safe}\"; filename*=UTF-8''{quote(name, safe='')}"
