"""The simulated customers: their webhooks and their phones."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest

from tests.connectors.line.test_inbound import SAMPLES
from tests.connectors.receiver import Receiver
from trunkline.contract import Connector, MessageReceived, TrustedBody, Unknown
from trunkline.model import Choice, Image, Location, Sticker, Text
from trunkline_line.simulator import Customer, Simulator

TEXT = {"type": "text", "text": "hello"}


BUTTON = {"type": "postback", "label": "Pick", "data": "pick=a"}
URL = "https://media.example.test/a.jpg"


def template(**parts: Any) -> dict[str, Any]:
    return {"type": "template", "altText": "Offers", "template": parts}


# ---------------------------------------------------------------- webhooks


async def test_all_that_customers_do_arrives_signed_and_is_understood(
    connector: Connector, line: Simulator, shop: Receiver, ada: Customer
) -> None:
    said = await ada.text("café 🍎")
    await ada.text("café 🍎", quotes=said.id)
    await ada.image()
    await ada.image(url="https://cdn.example.test/o.jpg")
    for act in (ada.video, ada.audio, ada.file, ada.sticker, ada.unfollow, ada.follow):
        await act()
    await ada.location(35.6, 139.7)
    await ada.postback("menu", params={"status": "SUCCESS"})
    await ada.unsend(said)
    member, _ = line.group("Family", "Ada", "Bo")
    await member.edit(await member.text("frist"), "first")
    for sample in SAMPLES:
        if sample["kind"] != "Unknown" and sample["event"]["type"] not in {"message", "messageEdited"}:
            known = {"type", "source", "mode", "timestamp", "webhookEventId", "deliveryContext", "replyToken"}
            body = {name: value for name, value in sample["event"].items() if name not in known}
            await ada.happens(sample["event"]["type"], **body)
    items = [item for request in shop.requests for item in connector.parse(connector.authenticate(request))]
    assert len(items) == len(shop.requests) == len(line.webhooks)
    assert not [item for item in items if isinstance(item, Unknown)]


async def test_bodies_come_in_raw_utf_8_and_in_escapes(line: Simulator, shop: Receiver, ada: Customer) -> None:
    for _ in range(2):
        await ada.text("🍎")
    raw, escaped = sorted(("🍎".encode() in request.body for request in shop.requests), reverse=True)
    assert (raw, escaped) == (True, False)


async def test_a_batch_is_one_request_of_several_people(
    connector: Connector, line: Simulator, shop: Receiver, ada: Customer
) -> None:
    async with line.batch():
        await ada.text("one")
        await line.customer("Bo").text("two")
        await ada.text("three")
    (request,) = shop.requests
    items = connector.parse(connector.authenticate(request))
    texts = [
        item.content.text for item in items if isinstance(item, MessageReceived) and isinstance(item.content, Text)
    ]
    assert texts == ["one", "two", "three"]


async def test_what_was_not_acknowledged_is_redelivered_with_the_same_id(
    connector: Connector, line: Simulator, shop: Receiver, ada: Customer
) -> None:
    shop.status = 503
    await ada.text("hello")
    shop.status = 200
    await line.redeliver()
    await line.redeliver()
    first, second = (json.loads(request.body)["events"][0] for request in shop.requests)
    assert second["deliveryContext"] == {"isRedelivery": True}
    assert {**first, "deliveryContext": 0} == {**second, "deliveryContext": 0}


async def test_a_duplicate_does_not_say_that_it_is_one(line: Simulator, shop: Receiver, ada: Customer) -> None:
    await ada.text("hello")
    await line.repeat(times=2)
    events = [json.loads(request.body)["events"] for request in shop.requests]
    assert events[0] == events[1] == events[2]


async def test_nobody_listening_is_no_error(line: Simulator, ada: Customer) -> None:
    await ada.text("hello")
    line.webhook_url = "http://127.0.0.1:9/nobody"
    await ada.text("hello")
    assert [webhook.status for webhook in line.webhooks] == [0, 0]


async def test_the_endpoint_can_be_set_read_and_tested(
    line: Simulator, shop: Receiver, http: httpx2.AsyncClient
) -> None:
    endpoint = "/v2/bot/channel/webhook/endpoint"
    assert (await http.put(endpoint, json={"endpoint": "gopher://x"})).status_code == 400
    assert (await http.put(endpoint, json={"endpoint": shop.url})).status_code == 200
    assert (await http.get(endpoint)).json() == {"endpoint": shop.url, "active": True}
    assert (await http.post("/v2/bot/channel/webhook/test", json={})).json()["success"] is True
    assert json.loads(shop.requests[-1].body)["events"] == []
    shop.status = 500
    assert (await http.post("/v2/bot/channel/webhook/test", json={})).json()["reason"] == "ERROR_STATUS_CODE"


# ---------------------------------------------------------------- phones


async def test_a_visitor_writes_as_a_customer(
    connector: Connector, line: Simulator, shop: Receiver, http: httpx2.AsyncClient
) -> None:
    customer = (await http.post("/_sim/customers", json={"name": "Cy"})).json()["id"]
    for action in (
        {"kind": "text", "text": "hello"},
        {"kind": "image", "picture": "cup"},
        {"kind": "sticker"},
        {"kind": "location"},
    ):
        assert (await http.post(f"/_sim/customers/{customer}/send", json=action)).status_code == 201
    items = [connector.parse(connector.authenticate(request))[0] for request in shop.requests]
    assert [type(item.content) for item in items if isinstance(item, MessageReceived)] == [
        Text,
        Image,
        Sticker,
        Location,
    ]
    bubbles = (await http.get(f"/_sim/customers/{customer}/chat")).json()
    assert [(bubble["kind"], bubble["mine"]) for bubble in bubbles] == [
        (kind, True) for kind in ("text", "image", "sticker", "location")
    ]
    assert (await http.get(bubbles[1]["image"])).headers["content-type"] == "image/jpeg"
    assert [one["name"] for one in (await http.get("/_sim/customers")).json()] == ["Cy"]


async def test_a_pressed_button_comes_back_as_a_choice(
    connector: Connector, line: Simulator, shop: Receiver, http: httpx2.AsyncClient, ada: Customer
) -> None:
    line.world.send(
        ada.id,
        [
            template(
                type="buttons",
                text="What next?",
                actions=[BUTTON, {"type": "message", "label": "Help", "text": "help me"}],
            )
        ],
    )
    (bubble,) = (await http.get(f"/_sim/customers/{ada.id}/chat")).json()
    for button in bubble["cards"][0]["buttons"]:
        await http.post(f"/_sim/customers/{ada.id}/send", json={"kind": "press", "press": button["id"]})
    contents = [connector.parse(TrustedBody(request.body))[0].content for request in shop.requests]  # type: ignore[attr-defined]  # both are messages
    assert contents == [Choice(data="pick=a"), Text(text="help me")]


@pytest.mark.parametrize("action", [{"kind": "fly"}, {"kind": "press", "press": "1:0"}, {"kind": "press"}, {}, []])
async def test_what_nobody_can_do_is_refused(
    line: Simulator, http: httpx2.AsyncClient, ada: Customer, action: Any
) -> None:
    response = await http.post(f"/_sim/customers/{ada.id}/send", json=action)
    assert response.status_code in {400, 404}


async def test_an_unsent_message_leaves_a_note(line: Simulator, ada: Customer) -> None:
    await ada.unsend(await ada.text("oops"))
    (bubble,) = line.chat(ada.id)
    assert (bubble.kind, bubble.text) == ("note", "A message was unsent")


async def test_open_phones_hear_of_changes(line: Simulator, http: httpx2.AsyncClient, ada: Customer) -> None:
    async with asyncio.timeout(60), http.stream("GET", "/_sim/live") as stream:
        lines = stream.aiter_lines()
        assert await anext(lines) == 'data: {"customer":""}'
        await ada.text("hello")
        await anext(lines)
        assert await anext(lines) == f'data: {{"customer":"{ada.id}"}}'


async def test_the_phone_page_and_its_parts_are_served(http: httpx2.AsyncClient) -> None:
    page = await http.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "<script>" not in page.text
    for part in ("/phone/phone.css", "/phone/phone.js", "/_sim/info", "/_sim/pictures/parcel.jpg"):
        assert (await http.get(part)).status_code == 200
    for part in ("/_sim/pictures/nothing.jpg", "/_sim/customers/nobody/chat", "/_sim/content/7"):
        assert (await http.get(part)).status_code == 404


async def test_waiting_for_an_answer_ends_when_it_comes(
    connector: Connector, line: Simulator, http: httpx2.AsyncClient, ada: Customer
) -> None:
    waiting = asyncio.create_task(line.wait_until_said(ada.id, 1))
    await http.post("/v2/bot/message/push", json={"to": ada.id, "messages": [TEXT]})
    await waiting
