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
<section class="customers" aria-label="Customers">
<fieldset><legend>Where customers write from</legend>{tabs}</fieldset>
<div class="places">{places}</div>
</section>
<section aria-label="Inbox"><iframe title="Inbox" src="{inbox}"></iframe></section>
</main>
</html>
"""
_STYLE = """html,body{height:100%;margin:0;background:#0f1117;color:#e8eaf0;font:15px/1.4 system-ui,sans-serif}
main{display:grid;grid-template-columns:minmax(340px,36%) 1fr;height:100%}
section{display:flex;flex-direction:column;min-width:0;min-height:0}
iframe{border:0;flex:1;width:100%;background:#fff}
fieldset{display:grid;grid-template-columns:repeat(auto-fill,minmax(92px,1fr));margin:0;padding:0;border:0}
legend,.customers input{position:absolute;opacity:0;pointer-events:none}
label{overflow:hidden;height:38px;padding:0 8px;box-sizing:border-box;border-bottom:3px solid #0000;line-height:36px}
label{text-align:center;text-overflow:ellipsis;white-space:nowrap;font-size:13px;cursor:pointer;color:#aab2c0}
label:hover{color:#fff}
input:checked+label{color:#fff;border-color:#7aa2ff}
input:focus-visible+label{outline:2px solid #7aa2ff;outline-offset:-4px}
.places{position:relative;flex:1;min-height:0}
.places iframe{position:absolute;inset:0;height:100%;visibility:hidden}
@media(max-width:900px){main{grid-template-columns:1fr;grid-auto-rows:100%}}
"""
#: Tabs without a script: the page's policy allows none.
_TAB = """<input type="radio" name="place" id="place-{number}"{checked}><label for="place-{number}" title="{title}">\
{title}</label>
"""
_PLACE = """<iframe id="frame-{number}" title="{title}" src="{url}"></iframe>
"""
_SHOWN = ".customers:has(#place-{number}:checked) #frame-{number}{{visibility:visible}}\n"


def add_demo_page(app: web.Application, phones: Sequence[Phone], inbox: str) -> None:
    """Serve `/` and `/demo/`: the customers' places on the left, one at a time, the inbox on the right."""
    page = _PAGE.format(tabs=_each(_TAB, phones), places=_each(_PLACE, phones), inbox=escape(inbox))
    rules = _STYLE + "".join(_SHOWN.format(number=number) for number, _ in enumerate(phones))
    sources = " ".join(["'self'", *(phone.url.rstrip("/") for phone in phones)])
    policy = f"default-src 'none'; style-src 'self'; frame-src {sources}; base-uri 'none'; form-action 'none'"

    async def show(_request: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html", headers={"Content-Security-Policy": policy})

    async def style(_request: web.Request) -> web.Response:
        return web.Response(text=rules, content_type="text/css")

    app.router.add_get("/", show)
    app.router.add_get("/demo/", show)
    app.router.add_get("/demo/demo.css", style)


def _each(template: str, phones: Sequence[Phone]) -> str:
    return "".join(
        template.format(
            number=number, title=escape(phone.title), url=escape(phone.url), checked="" if number else " checked"
        )
        for number, phone in enumerate(phones)
    )
