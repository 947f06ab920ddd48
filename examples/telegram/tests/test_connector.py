"""What only Telegram has: the secret token, updates, callback queries, its words for errors."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest
from trunkline.contract import (
    OutboundMessage,
    TrustedBody,
    WebhookRequest,
)
from trunkline.errors import DeliveryError, RateLimited, SignatureInvalid
from trunkline.model import Address, Author, AuthorKind, Button, Card, Choice, Content, Image, QuickReply, Text
from trunkline.testing.services import FakeServices, HandClock

from trunkline_telegram.api import ERRORS
from trunkline_telegram.config import Config
from trunkline_telegram.connector import TelegramConnector
from trunkline_telegram.simulator import Simulator

CONFIG = Config.model_validate({"bot_token": "123456:invented", "secret_token": ["new-word", "old-word"]})
CHAT = {"id": 700000001, "first_name": "Ada", "last_name": "Byron", "type": "private"}
HEAD = {"message_id": 7, "date": 1_795_262_400, "chat": CHAT, "from": CHAT}


def connector(answer: Any = None) -> TelegramConnector:
    """Return a connector whose Telegram is a function."""
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) if answer else None
    return TelegramConnector(FakeServices(CONFIG, http=http))


def read(**update: Any) -> Any:
    (item,) = connector().parse(TrustedBody(json.dumps({"update_id": 1, **update}).encode()))
    return item


def reply(*parts: Content, to: str = "700000001", **more: Any) -> OutboundMessage:
    return OutboundMessage(
        delivery_id="d1",
        thread_key=to,
        to=Address(external_id=to),
        author=Author(kind=AuthorKind.AGENT, name="Bo"),
        parts=parts,
        key="k1",
        **more,
    )


@pytest.mark.parametrize(("word", "good"), [("new-word", True), ("old-word", True), ("new-wor", False), ("", False)])
def test_the_secret_token_is_the_proof(word: str, good: bool) -> None:
    headers = {"X-Telegram-Bot-Api-Secret-Token": word}
    request = WebhookRequest(method="POST", query={}, headers=headers, body=b"{}")
    if good:
        assert connector().authenticate(request) == b"{}"
        return
    with pytest.raises(SignatureInvalid):
        connector().authenticate(request)


def test_a_press_is_a_choice_and_its_button_stops_to_spin() -> None:
    keyboard = {"inline_keyboard": [[{"text": "Large", "callback_data": "size=l"}]]}
    item = read(
        callback_query={"id": "99", "from": CHAT, "data": "size=l", "message": {**HEAD, "reply_markup": keyboard}}
    )
    assert item.content == Choice(data="size=l", title="Large")
    answer = connector().acknowledge([item])
    assert json.loads(answer.body) == {"method": "answerCallbackQuery", "callback_query_id": "99"}


@pytest.mark.parametrize(("code", "start", "meaning"), ERRORS)
def test_every_row_of_the_table_of_errors(code: int, start: str, meaning: Any) -> None:
    body = {"ok": False, "error_code": code, "description": start or "in Telegram's words"}
    with pytest.raises(DeliveryError) as refused:
        asyncio.run(connector(lambda _request: httpx2.Response(code, json=body)).deliver(reply(Text(text="Hi"))))
    expected = meaning()
    assert (type(refused.value), refused.value.code) == (type(expected), expected.code)


def test_retry_after_stands_in_the_body() -> None:
    body = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 5}}
    with pytest.raises(RateLimited) as refused:
        asyncio.run(connector(lambda _request: httpx2.Response(429, json=body)).deliver(reply(Text(text="Hi"))))
    assert refused.value.after_s == 5


def test_a_conversation_with_the_simulator() -> None:
    async def talk() -> None:
        async with Simulator(clock=HandClock()) as telegram, FakeServices(Config(**telegram.settings())) as services:
            bot, ada = TelegramConnector(services), telegram.add_customer("Ada")
            offers = (QuickReply(title="Small", data="s"), QuickReply(title="Large", data="l"))
            await bot.deliver(reply(Text(text="Which size?"), to=ada, quick_replies=offers))
            cup = services.media.keep(b"\xff\xd8\xff", "image/jpeg", "cup.jpg")
            await bot.deliver(reply(Image(media=cup, caption="Large"), to=ada))
            await bot.deliver(reply(Card(title="Cup", buttons=(Button(title="Buy", data="buy"),)), to=ada))
            seen = telegram.chat(ada)
            assert [one.text for one in seen] == ["Which size?", "Large", "Cup"]
            assert [press.label for press in seen[0].quick_replies] == ["Small", "Large"]
            assert seen[1].kind == "image"

    asyncio.run(talk())
