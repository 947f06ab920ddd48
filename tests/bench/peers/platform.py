"""A platform that says yes to every send."""

from __future__ import annotations

import itertools
import sys

from aiohttp import web

_numbers = itertools.count()


async def send(request: web.Request) -> web.Response:
    await request.read()
    return web.json_response({"id": str(next(_numbers))})


if __name__ == "__main__":
    app = web.Application()
    app.router.add_post("/send", send)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
