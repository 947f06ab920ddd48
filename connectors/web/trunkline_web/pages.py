"""What the site and the visitor's browser load: the loader, the document of the frame, its hashed files."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from aiohttp import hdrs, web

from trunkline.hosted import Pages
from trunkline_web.connector import WebConnector

__all__ = ["BUILD", "frame_policy", "pages"]

#: Where the build of the widget is; empty in a fresh clone.
BUILD = Path(__file__).parent / "widget"
_YEAR = "public, max-age=31536000, immutable"
_SHORT = "public, max-age=300"
_MISSING = "The widget is not built yet: run `make widget` in the folder of the project."
#: What the build has in the place of the account's own look; the quotes are the minifier's.
_SEED = re.compile(r"""(["'`])\[20261121\]\1""")
#: Whether a browser unpacks gzip; one that says `q=0` does not.
_UNPACKS = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:,|\s|$))", re.IGNORECASE)
_KINDS = {".js": "text/javascript", ".css": "text/css"}
_KEY = "{key:wk_[A-Za-z0-9_-]{3,80}}"
_SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "strict-origin-when-cross-origin"}
_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data: blob:",
    "media-src 'self' blob:",
    "connect-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
)
#: No words of an account or a visitor stand in it: those come through the protocol, as data.
_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="robots" content="noindex">
<title>Chat</title>
{styles}<script type="module" src="../{script}"></script>
</head>
<body></body>
</html>
"""


def pages(house: Pages) -> web.Application:
    """Return the pages of all widgets of a house; mounted at `/widget`."""

    async def loader(request: web.Request) -> web.StreamResponse:
        key = request.query.get("key", "")
        connector = _of_us(house, key)
        if key and connector is None:
            raise web.HTTPNotFound
        return _cached(request, _loader(_seed(connector)), "text/javascript")

    async def frame(request: web.Request) -> web.StreamResponse:
        connector = _of_us(house, request.match_info["key"])
        if connector is None:
            raise web.HTTPNotFound
        policy = {"Content-Security-Policy": frame_policy(connector.origins(), house.public_url, house.files_url)}
        return _sent(request, _document(), "text/html", {**policy, hdrs.CACHE_CONTROL: "no-cache"})

    async def asset(request: web.Request) -> web.StreamResponse:
        file = BUILD / "assets" / request.match_info["name"]
        if not file.is_file():
            raise web.HTTPNotFound
        return _sent(request, file.read_text(encoding="utf-8"), _KINDS[file.suffix], {hdrs.CACHE_CONTROL: _YEAR})

    app = web.Application()
    app.router.add_get("/loader.js", loader)
    app.router.add_get(f"/frame/{_KEY}", frame)
    app.router.add_get("/assets/{name:[A-Za-z0-9_-]+\\.(?:js|css)}", asset)
    return app


def frame_policy(origins: tuple[str, ...], public_url: str, files_url: str) -> str:
    """Return what the frame may load, and who may show it; no origin is any site."""
    # Not every browser takes 'self' for the socket of the same host.
    socket = [re.sub(r"^http", "ws", public_url)] if public_url else []
    files = [files_url] if files_url else []
    more = {"connect-src": socket, "img-src": files, "media-src": files}
    policy = "; ".join(" ".join([part, *more.get(part.split()[0], ())]) for part in _POLICY)
    return f"{policy}; frame-ancestors {' '.join(origins) or '*'}"


def _of_us(house: Pages, key: str) -> WebConnector | None:
    found = house.find(key) if key else None
    return found if isinstance(found, WebConnector) else None


def _seed(connector: WebConnector | None) -> dict[str, Any]:
    """Return what the loader must know before there is a frame."""
    if connector is None:
        return {}
    config = connector.config
    seed = {"key": connector.public_key, "accent": config.accent, "mode": config.mode, "position": config.position}
    return {**seed, "domain": config.cookie_domain} if config.cookie_domain else seed


def _loader(seed: dict[str, Any]) -> str:
    # A string of JSON inside a string of JavaScript.
    literal = json.dumps(json.dumps(seed))
    return _SEED.sub(lambda _: literal, _read("loader.js"), count=1)


def _cached(request: web.Request, text: str, kind: str) -> web.Response:
    """Return a text that may be kept for five minutes, or 304 for who has it."""
    tag = hashlib.sha256(text.encode()).hexdigest()[:32]
    # Weak, because it stands for the packed text as well.
    headers = {hdrs.CACHE_CONTROL: _SHORT, hdrs.ETAG: f'W/"{tag}"', "Cross-Origin-Resource-Policy": "cross-origin"}
    if any(known.value in {tag, "*"} for known in request.if_none_match or ()):
        return web.Response(status=304, headers={**_SAFE, **headers})
    return _sent(request, text, kind, headers)


def _sent(request: web.Request, text: str, kind: str, headers: Mapping[str, str]) -> web.Response:
    """Return a text, packed for whoever can unpack it: nothing in it is secret, and many pages load it."""
    is_packed = _UNPACKS.search(request.headers.get(hdrs.ACCEPT_ENCODING, "")) is not None
    answer = web.Response(
        body=_packed(text) if is_packed else text.encode(),
        content_type=kind,
        charset="utf-8",
        headers={**_SAFE, **headers, hdrs.VARY: hdrs.ACCEPT_ENCODING},
    )
    if is_packed:
        answer.headers[hdrs.CONTENT_ENCODING] = "gzip"
    return answer


@lru_cache(maxsize=64)
def _packed(text: str) -> bytes:
    return gzip.compress(text.encode(), mtime=0)


@cache
def _document() -> str:
    """Return the document of the frame, with the names that the build gave to its files."""
    entry = next(one for one in json.loads(_read("manifest.json")).values() if one.get("isEntry"))
    styles = "".join(f'<link rel="stylesheet" href="../{name}">\n' for name in entry.get("css", ()))
    return _FRAME.format(styles=styles, script=entry["file"])


def _read(name: str) -> str:
    try:
        return (BUILD / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise web.HTTPServiceUnavailable(text=_MISSING) from None
