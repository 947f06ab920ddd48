"""The page that shows phone and inbox side by side."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import msgspec
from aiohttp import web

__all__ = ["Phone", "add_demo_page"]


class Phone(msgspec.Struct, frozen=True):
    """One simulated platform on the page."""

    title: str
    url: str


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Trunkline demo</title>
<link rel="stylesheet" href="/demo/demo.css">
<main>
<section aria-label="Customers">{phones}</section>
<section aria-label="Inbox"><iframe title="Inbox" src="{inbox}"></iframe></section>
</main>
</html>
"""
_STYLE = """html,body{height:100%;margin:0;background:#0f1117;color:#e8eaf0;font:15px/1.4 system-ui,sans-serif}
main{display:grid;grid-template-columns:minmax(320px,400px) 1fr;height:100%}
section{display:flex;flex-direction:column;min-width:0;min-height:0}
iframe{border:0;flex:1;width:100%;background:#fff}
@media(max-width:900px){main{grid-template-columns:1fr;grid-auto-rows:100%}}
"""


def add_demo_page(app: web.Application, phones: Sequence[Phone], inbox: str) -> None:
    """Serve `/` and `/demo/`: the phones on the left, the inbox on the right."""
    frames = "".join(f'<iframe title="{escape(phone.title)}" src="{escape(phone.url)}"></iframe>' for phone in phones)
    page = _PAGE.format(phones=frames, inbox=escape(inbox))
    sources = " ".join(["'self'", *(phone.url.rstrip("/") for phone in phones)])
    policy = f"default-src 'none'; style-src 'self'; frame-src {sources}; base-uri 'none'; form-action 'none'"

    async def show(_request: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html", headers={"Content-Security-Policy": policy})

    async def style(_request: web.Request) -> web.Response:
        return web.Response(text=_STYLE, content_type="text/css")

    app.router.add_get("/", show)
    app.router.add_get("/demo/", show)
    app.router.add_get("/demo/demo.css", style)
