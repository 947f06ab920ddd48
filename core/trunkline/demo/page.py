"""The page that shows where customers write, and the inbox beside it."""

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
<section class="customers" aria-label="Customers">{phones}</section>
<section aria-label="Inbox"><iframe title="Inbox" src="{inbox}"></iframe></section>
</main>
</html>
"""
_STYLE = """html,body{height:100%;margin:0;background:#0f1117;color:#e8eaf0;font:15px/1.4 system-ui,sans-serif}
main{display:grid;grid-template-columns:minmax(340px,36%) 1fr;height:100%}
section{display:flex;flex-direction:column;min-width:0;min-height:0}
iframe{border:0;flex:1;width:100%;background:#fff}
.customers{position:relative;flex-flow:row wrap;align-content:start}
.customers iframe{position:absolute;inset:44px 0 0;height:calc(100% - 44px);visibility:hidden}
.customers input{position:absolute;opacity:0;pointer-events:none}
.customers label{flex:1;height:44px;line-height:41px;box-sizing:border-box;border-bottom:3px solid #0000}
.customers label{text-align:center;cursor:pointer;color:#aab2c0}
.customers input:checked+label{color:#fff;border-color:#7aa2ff}
.customers input:focus-visible+label{outline:2px solid #7aa2ff;outline-offset:-4px}
.customers input:checked+label+iframe{visibility:visible}
@media(max-width:900px){main{grid-template-columns:1fr;grid-auto-rows:100%}}
"""
#: Tabs without a script: the page's policy allows none.
_TAB = """<input type="radio" name="place" id="place-{number}"{checked}><label for="place-{number}">{title}</label>
<iframe title="{title}" src="{url}"></iframe>
"""


def add_demo_page(app: web.Application, phones: Sequence[Phone], inbox: str) -> None:
    """Serve `/` and `/demo/`: the customers' places on the left, one at a time, the inbox on the right."""
    page = _PAGE.format(phones="".join(_tab(number, phone) for number, phone in enumerate(phones)), inbox=escape(inbox))
    sources = " ".join(["'self'", *(phone.url.rstrip("/") for phone in phones)])
    policy = f"default-src 'none'; style-src 'self'; frame-src {sources}; base-uri 'none'; form-action 'none'"

    async def show(_request: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html", headers={"Content-Security-Policy": policy})

    async def style(_request: web.Request) -> web.Response:
        return web.Response(text=_STYLE, content_type="text/css")

    app.router.add_get("/", show)
    app.router.add_get("/demo/", show)
    app.router.add_get("/demo/demo.css", style)


def _tab(number: int, phone: Phone) -> str:
    title, url = escape(phone.title), escape(phone.url)
    return _TAB.format(number=number, title=title, url=url, checked="" if number else " checked")
