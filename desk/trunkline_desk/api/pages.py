"""Pages: the document of the API, the same to read, and the agents' inbox as Vite built it."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from aiohttp import web

from trunkline_desk.api.openapi import document, text
from trunkline_desk.api.reference import STYLE, render

__all__ = ["INBOX", "docs_page", "document_page", "inbox_policy", "inbox_routes"]

#: Where the build of the inbox is; empty in a fresh clone.
INBOX = Path(__file__).parent.parent / "inbox"
_YEAR = "public, max-age=31536000, immutable"
_INBOX_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob:",
    "media-src 'self' blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "require-trusted-types-for 'script'",
)
_MISSING = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Trunkline</title>
<h1>The inbox is not built yet</h1>
<p>Run <code>make inbox</code> in the folder of the project, then load this page again.</p></html>
"""


async def document_page(_request: web.Request) -> web.Response:
    """Return the document of the API."""
    return web.Response(text=_text(), content_type="application/json")


async def docs_page(_request: web.Request) -> web.Response:
    """Return the document for people to read; no script, one style known by its hash."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'"
    return web.Response(text=_page(), content_type="text/html", headers={"Content-Security-Policy": policy})


@cache
def _text() -> str:
    return text()


@cache
def _page() -> str:
    return render(document())


def inbox_policy(*, is_demo: bool = False) -> str:
    """Return what the inbox may load: nothing that did not come from here. The demo's own page may frame it."""
    policy = "; ".join(_INBOX_POLICY)
    return policy.replace("frame-ancestors 'none'", "frame-ancestors 'self'") if is_demo else policy


def inbox_routes(inbox: web.Application, folder: Path = INBOX) -> None:
    """Serve the built files; every other address is a page of the app and gets index.html."""

    async def to_start(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPMovedPermanently("/inbox/")

    async def serve(request: web.Request) -> web.StreamResponse:
        name = request.match_info["path"]
        file = _file(folder, name)
        if file is not None:
            # Vite puts a hash of the content into the names of assets.
            caching = _YEAR if name.startswith("assets/") else "no-cache"
            return web.FileResponse(file, headers={"Cache-Control": caching})
        index = folder / "index.html"
        if name.startswith("assets/"):
            raise web.HTTPNotFound
        if not index.is_file():
            return web.Response(status=503, text=_MISSING, content_type="text/html")
        return web.FileResponse(index, headers={"Cache-Control": "no-cache"})

    inbox.router.add_get("", to_start)
    inbox.router.add_get("/{path:.*}", serve)


def _file(folder: Path, name: str) -> Path | None:
    """Return the file of that name inside the folder, None if there is none."""
    if not name or "\x00" in name or name == "index.html":
        return None
    file = (folder / name).resolve()
    return file if file.is_relative_to(folder.resolve()) and file.is_file() else None
