"""The sending side of LINE, as small as can be: takes pushes, honours retry keys, and remembers what it showed."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Self

from aiohttp import web

from tests.promises.processes import line_account

__all__ = ["Platform"]


class Platform:
    """One simulated LINE for tests with many thousand replies; `trunkline_line.simulator` is the whole one."""

    def __init__(self, *, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        #: How often each text was shown to its customer. A repeated retry key shows nothing.
        self.shown: Counter[str] = Counter()
        #: Texts in the order in which each customer saw them.
        self.chats: dict[str, list[str]] = {}
        self.requests = 0
        #: Messages in all requests, repeated ones too.
        self.messages = 0
        self._keys: set[str] = set()
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/v2/bot/message/push", self._push)
        app.router.add_get("/v2/bot/{rest:.*}", self._anything)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024).start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def account(self) -> str:
        """Return the TOML of the account that sends here, by push alone."""
        address = f"http://127.0.0.1:{self.port}"
        return line_account(api=address, reply_strategy="push_only")

    async def _push(self, request: web.Request) -> web.Response:
        self.requests += 1
        key, body = request.headers.get("X-Line-Retry-Key", ""), await request.json()
        self.messages += len(body["messages"])
        known = key in self._keys
        self._keys.add(key)
        if not known:
            for message in body["messages"]:
                self.shown[message["text"]] += 1
                self.chats.setdefault(body["to"], []).append(message["text"])
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        answer = {"sentMessages": [{"id": f"{key}-{number}"} for number, _ in enumerate(body["messages"])]}
        return web.json_response(answer, status=409 if known else 200, headers={"x-line-request-id": key})

    async def _anything(self, request: web.Request) -> web.Response:
        return web.json_response({"message": "not found"}, status=404)
