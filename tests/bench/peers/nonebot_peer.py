"""NoneBot2 on its FastAPI driver with a minimal adapter: checks the signature, dispatches one event, stores nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
from typing import Any

import nonebot
from nonebot import on_message
from nonebot.adapters import Adapter as BaseAdapter
from nonebot.adapters import Bot as BaseBot
from nonebot.adapters import Event as BaseEvent
from nonebot.adapters import Message as BaseMessage
from nonebot.adapters import MessageSegment
from nonebot.drivers import URL, ASGIMixin, HTTPServerSetup, Request, Response
from nonebot.message import handle_event

from tests.bench.payloads import SECRET


class Said(BaseMessage[Any]):
    """A message of one word list."""

    @classmethod
    def get_segment_class(cls) -> type[MessageSegment[Any]]:
        return MessageSegment

    @staticmethod
    def _construct(msg: str) -> Any:  # noqa: ARG004 - the name is NoneBot2's
        return iter(())


class Event(BaseEvent):
    """One LINE event."""

    user: str
    text: str

    def get_type(self) -> str:
        return "message"

    def get_event_name(self) -> str:
        return "message"

    def get_event_description(self) -> str:
        return self.text

    def get_user_id(self) -> str:
        return self.user

    def get_session_id(self) -> str:
        return self.user

    def get_message(self) -> Any:
        return Said()

    def is_tome(self) -> bool:
        return True


class Bot(BaseBot):
    """Speaks to nobody."""

    async def send(self, event: BaseEvent, message: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


class Adapter(BaseAdapter):
    """Takes LINE webhooks."""

    def __init__(self, driver: Any, **kwargs: Any) -> None:
        super().__init__(driver, **kwargs)
        self.bot = Bot(self, "shop")
        self.bot_connect(self.bot)
        assert isinstance(driver, ASGIMixin)
        driver.setup_http_server(HTTPServerSetup(URL("/webhooks/shop"), "POST", "shop", self.handle))

    @classmethod
    def get_name(cls) -> str:
        return "bench"

    async def _call_api(self, bot: BaseBot, api: str, **data: Any) -> Any:
        raise NotImplementedError

    async def handle(self, request: Request) -> Response:
        body = request.content if isinstance(request.content, bytes) else str(request.content).encode()
        proof = base64.b64encode(hmac.new(SECRET.encode(), body, hashlib.sha256).digest()).decode()
        if not hmac.compare_digest(proof, request.headers.get("x-line-signature", "")):
            return Response(401)
        for event in json.loads(body)["events"]:
            await handle_event(self.bot, Event(user=event["source"]["userId"], text=event["message"]["text"]))
        return Response(200)


if __name__ == "__main__":
    nonebot.init(driver="~fastapi", host="127.0.0.1", port=int(sys.argv[1]), log_level="ERROR")
    nonebot.get_driver().register_adapter(Adapter)
    on_message().append_handler(lambda: None)
    nonebot.run()
