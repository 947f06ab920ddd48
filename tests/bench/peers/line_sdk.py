"""LINE's own Python SDK behind aiohttp: checks the signature, parses, stores nothing."""

from __future__ import annotations

import sys

from aiohttp import web
from linebot.v3 import WebhookParser

from tests.bench.payloads import SECRET

PARSER = WebhookParser(SECRET)


async def handle(request: web.Request) -> web.Response:
    body = (await request.read()).decode()
    for _event in PARSER.parse(body, request.headers["x-line-signature"]):
        pass
    return web.Response()


if __name__ == "__main__":
    app = web.Application()
    app.router.add_post("/webhooks/shop", handle)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
