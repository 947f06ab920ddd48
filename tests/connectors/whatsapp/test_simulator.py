"""The simulated WhatsApp refuses what the real one refuses, and its customers tell what the real ones tell."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from tests.connectors.receiver import Receiver
from tests.connectors.whatsapp.conftest import SENDS, outbound, received
from trunkline.contract import (
    Connector,
    ContactActed,
    EchoReceived,
    IdentityLinked,
    MessageReceived,
    TrustedBody,
    Unknown,
)
from trunkline.errors import RateLimited
from trunkline.model import Choice, Location, QuickReply, Template, Text, Unsupported
from trunkline.testing.phones import Action
from trunkline.testing.services import HandClock
from trunkline_whatsapp.simulator import Customer, Simulator

TEXT = {"type": "text", "text": {"body": "hello"}}
BUTTONS = {"buttons": [{"type": "reply", "reply": {"id": "yes", "title": "Yes"}}]}


def body(ada: Customer, **parts: Any) -> dict[str, Any]:
    return {"messaging_product": "whatsapp", "to": f"+{ada.person.phone}", **TEXT, **parts}


def asking(**parts: Any) -> dict[str, Any]:
    interactive = {"type": "button", "body": {"text": "?"}, "action": BUTTONS, **parts}
    return {"type": "interactive", "interactive": interactive}


def listing(rows: int, **row: Any) -> dict[str, Any]:
    listed = [{"id": str(at), "title": f"Row {at}", **row} for at in range(rows)]
    return asking(type="list", action={"button": "Open", "sections": [{"rows": listed}]})


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"messaging_product": "signal"}, 100),
        ({"to": None}, 131008),
        ({"to": "US.900"}, 131009),
        ({"to": "+15550001000"}, 131021),
        ({"to": "+19998887777"}, 131026),
        ({"to": "g404", "recipient_type": "group"}, 131041),
        ({"type": "hologram"}, 100),
        ({"type": "image"}, 100),
        ({"text": {"body": ""}}, 131008),
        ({"text": {"body": "x" * 4097}}, 131009),
        ({"biz_opaque_callback_data": "x" * 513}, 131009),
        ({"context": {"message_id": "wamid.nothing"}}, 131009),
        ({"type": "image", "image": {}}, 131008),
        ({"type": "image", "image": {"id": "1", "link": "https://x.example"}}, 131008),
        ({"type": "image", "image": {"id": "404"}}, 131053),
        ({"type": "image", "image": {"link": "http://x.example/1"}}, 131053),
        ({"type": "image", "image": {"link": "https://x.example/1", "caption": "x" * 1025}}, 131009),
        ({"type": "audio", "audio": {"link": "https://x.example/1", "caption": "x"}}, 131009),
        ({"type": "location", "location": {"latitude": "91", "longitude": "0"}}, 131009),
        ({"type": "location", "location": {"latitude": "north"}}, 131009),
        ({"type": "contacts", "contacts": []}, 131008),
        ({"type": "contacts", "contacts": [{"name": {"formatted_name": "Bo"}}]}, 131008),
        ({"type": "reaction", "reaction": {"message_id": "wamid.nothing", "emoji": "👍"}}, 131009),
        (asking(type="hologram"), 131009),
        (asking(body={"text": "x" * 1025}), 131009),
        (asking(footer={"text": "x" * 61}), 131009),
        (asking(header={"type": "text", "text": "x" * 61}), 131009),
        (asking(action={"buttons": BUTTONS["buttons"] * 2}), 131009),
        (asking(action={"buttons": [{"reply": {"id": "1", "title": "x" * 21}}]}), 131009),
        (asking(action={"buttons": [{"reply": {"id": "x" * 257, "title": "x"}}]}), 131009),
        (asking(action={}), 131009),
        (listing(11), 131009),
        (listing(1, description="x" * 73), 131009),
        (listing(1, title="x" * 25), 131009),
        (listing(1, id="x" * 201), 131009),
        (asking(type="list", header={"type": "image", "image": {"link": "https://x.example"}}), 131009),
        (asking(type="cta_url", action={"parameters": {"display_text": "x" * 21, "url": "https://x"}}), 131009),
        (asking(type="cta_url", action={"parameters": {"display_text": "x", "url": "javascript:x"}}), 131009),
        ({"type": "template", "template": {"name": "none", "language": {"code": "en"}}}, 132001),
        ({"type": "template", "template": {"name": "spring_sale", "language": {"code": "en_US"}}}, 132015),
        ({"type": "template", "template": {"name": "order_ready", "language": {"code": "en_US"}}}, 132000),
        ({"type": "template", "template": {"name": "parcel", "language": {"code": "en_US"}}}, 132012),
    ],
)
async def test_what_whatsapp_refuses_is_refused_with_its_code(
    whatsapp: Simulator, http: httpx2.AsyncClient, ada: Customer, parts: dict[str, Any], code: int
) -> None:
    answer = await http.post(SENDS, json=body(ada, **parts))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert len(ada.sees) == 1


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Basic x"])
async def test_without_the_token_nothing_is_answered(
    whatsapp: Simulator, http: httpx2.AsyncClient, ada: Customer, token: str
) -> None:
    for method, path in (("POST", SENDS), ("GET", "/v26.0/8001"), ("GET", "/lookaside/300001?ext=9")):
        answer = await http.request(method, path, headers={"Authorization": token})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, 190)


async def test_the_phone_wins_over_the_user_id(whatsapp: Simulator, http: httpx2.AsyncClient, ada: Customer) -> None:
    answer = await http.post(SENDS, json=body(ada, recipient="US.404"))
    assert answer.json()["contacts"][0]["wa_id"] == ada.person.phone


async def test_limits_of_the_number_and_of_one_person_are_told_apart(
    connector: Connector, whatsapp: Simulator, ada: Customer, clock: HandClock
) -> None:
    whatsapp.platform.pair_rate = 2
    for _ in range(2):
        await connector.deliver(outbound(ada, "hello"))
    with pytest.raises(RateLimited) as one:
        await connector.deliver(outbound(ada, "hello"))
    bo = whatsapp.customer("Bo")
    await bo.text("Hello")
    whatsapp.platform.rate = 4
    await connector.deliver(outbound(bo, "hello"))
    with pytest.raises(RateLimited) as all_:
        await connector.deliver(outbound(bo, "hello"))
    assert (one.value.scope, all_.value.scope) == ("recipient", "account")
    clock.move(6)
    await connector.deliver(outbound(ada, "hello"))


async def test_whoever_stopped_marketing_gets_none(connector: Connector, whatsapp: Simulator, ada: Customer) -> None:
    whatsapp.world.templates[2]["status"] = "APPROVED"
    await ada.stop_marketing()
    (item,) = received(connector, whatsapp)
    assert isinstance(item, ContactActed)
    assert item.details["value"] == "stop"
    await connector.deliver(outbound(ada, Template(name="spring_sale", language="en_US")))
    await whatsapp.settled()
    assert len(ada.sees) == 1
    await ada.stop_marketing(resume=True)
    await connector.deliver(outbound(ada, Template(name="spring_sale", language="en_US")))
    assert len(ada.sees) == 2


async def test_an_address_is_taken_only_after_the_handshake(
    whatsapp: Simulator, http: httpx2.AsyncClient, shop: Receiver
) -> None:
    path = "/v26.0/7001/subscribed_apps"
    for url in ("http://127.0.0.1:9/nobody", shop.url, "https://x.example/" + "x" * 200):
        answer = await http.post(path, json={"override_callback_uri": url, "verify_token": "x"})
        assert answer.json()["error"]["code"] == 100
    assert (await http.delete(path)).json() == {"success": True}
    assert (await http.get(path)).json() == {"data": []}
    assert (await http.post(path)).json() == {"success": True}


async def test_an_upload_can_be_removed(whatsapp: Simulator, http: httpx2.AsyncClient, ada: Customer) -> None:
    await ada.image()
    (id_,) = whatsapp.world.media
    assert (await http.delete(f"/v26.0/{id_}")).json() == {"success": True}
    assert (await http.get(f"/v26.0/{id_}")).json()["error"]["code"] == 100
    assert (await http.post("/v26.0/8001/media", data={"type": "image/png"})).json()["error"]["code"] == 100


# ---------------------------------------------------------------- what customers do


async def test_all_that_customers_do_arrives_signed_and_is_understood(
    connector: Connector, whatsapp: Simulator, shop: Receiver, ada: Customer
) -> None:
    await connector.deliver(outbound(ada, "hello"))
    ours, theirs = ada.sees[-1].id, ada.sees[0].id
    for action in (
        *(action for action in Simulator.writes.values()),
        *(Action(kind=kind) for kind in ("audio", "call")),
        *(Action(kind=kind, bubble=theirs, text="new") for kind in ("edit", "quote", "recall")),
        Action(kind="react", bubble=ours),
    ):
        await whatsapp.act(ada.id, action)
    await ada.react(ours, None)
    await ada.form({"flow_token": "t1"}, quotes=ours)
    await whatsapp.staff(ada, "typed on the phone")
    await ada.move_to("15550009999")
    await ada.text("with a new number")
    items = [item for request in shop.requests for item in connector.parse(connector.authenticate(request))]
    assert len(items) >= 22
    assert not [item for item in items if isinstance(item, Unknown)]
    assert [type(item) for item in items].count(IdentityLinked) == 2
    assert [item.content for item in items if isinstance(item, EchoReceived)] == [Text(text="typed on the phone")]


async def test_bodies_are_spelt_as_the_platform_spells_them(whatsapp: Simulator, ada: Customer) -> None:
    await ada.text("café 👍 a/b")
    assert rb"caf\u00e9 \ud83d\udc4d a\/b" in whatsapp.webhooks[-1].body


async def test_a_batch_is_one_request_of_several_people(
    connector: Connector, whatsapp: Simulator, shop: Receiver, ada: Customer
) -> None:
    shop.requests.clear()
    async with whatsapp.batch():
        await ada.text("one")
        await whatsapp.customer("Bo").text("two")
    (request,) = shop.requests
    items = connector.parse(connector.authenticate(request))
    assert [item.content for item in items if isinstance(item, MessageReceived)] == [Text(text="one"), Text(text="two")]


async def test_what_was_not_taken_is_sent_again_byte_for_byte(
    whatsapp: Simulator, ada: Customer, shop: Receiver
) -> None:
    whatsapp.webhooks.clear()
    shop.status = 503
    await ada.text("hello")
    assert len(shop.requests) == 2
    shop.status = 200
    await whatsapp.redeliver()
    await whatsapp.redeliver()
    await whatsapp.repeat()
    assert len(shop.requests) == 4
    assert len({request.body for request in shop.requests[:3]}) == 1


async def test_what_was_pressed_comes_back(connector: Connector, whatsapp: Simulator, ada: Customer) -> None:
    offers = {
        2: (QuickReply(title="Yes", data="answer=1"), QuickReply(title="No", data="answer=0")),
        5: tuple(QuickReply(title=f"Size {at}", data=f"size={at}") for at in range(5)),
        1: (QuickReply(title="Here", kind="location"),),
    }
    pressed = []
    for choices in offers.values():
        await connector.deliver(outbound(ada, "Well?", quick_replies=choices))
        press = whatsapp.chat(ada.id)[-1].quick_replies[-1]
        await whatsapp.act(ada.id, Action(kind="press", press=press.id))
        (item,) = received(connector, whatsapp)
        assert isinstance(item, MessageReceived)
        pressed.append(item.content)
    assert pressed[:2] == [Choice(data="answer=0", title="No"), Choice(data="size=4", title="Size 4")]
    assert isinstance(pressed[2], Location)


async def test_a_number_without_the_phone_app_learns_only_that_there_was_an_edit(
    connector: Connector, whatsapp: Simulator, ada: Customer
) -> None:
    whatsapp.world.coexistence = False
    await ada.edit(ada.sees[0].id, "changed")
    (item,) = received(connector, whatsapp)
    assert isinstance(item, MessageReceived)
    assert isinstance(item.content, Unsupported)
    assert item.content.platform_kind == "edit"
    sent = len(whatsapp.webhooks)
    await ada.unsend(ada.sees[0].id)
    assert len(whatsapp.webhooks) == sent


async def test_somebody_with_a_username_never_shows_their_phone(connector: Connector, whatsapp: Simulator) -> None:
    cy = whatsapp.customer("Cy", username="cy.example")
    await cy.text("Hello")
    assert cy.person.phone.encode() not in whatsapp.webhooks[-1].body
    (item,) = received(connector, whatsapp)
    assert isinstance(item, MessageReceived)
    assert (item.thread_key, item.contact.name) == (cy.person.user_id, "Cy")


@pytest.mark.parametrize("action", [{"kind": "fly"}, {"kind": "press", "press": "1:0"}, {"kind": "edit"}, {}, []])
async def test_what_nobody_can_do_is_refused(http: httpx2.AsyncClient, ada: Customer, action: Any) -> None:
    response = await http.post(f"/_sim/customers/{ada.id}/send", json=action)
    assert response.status_code == 400


async def test_a_chat_shows_what_was_deleted_and_reacted_to(whatsapp: Simulator, ada: Customer) -> None:
    await ada.react(ada.sees[0].id, "👍")
    assert whatsapp.chat(ada.id)[0].state == "👍"
    await ada.unsend(ada.sees[0].id)
    (bubble,) = whatsapp.chat(ada.id)
    assert (bubble.kind, bubble.text) == ("note", "This message was deleted")


def test_a_strange_body_is_one_event_of_a_kind_that_does_not_exist() -> None:
    simulator = Simulator()
    customer = simulator.add_customer("Ada")
    value = json.loads(simulator.strange(customer))["entry"][0]["changes"][0]["value"]
    assert value["messages"][0]["type"] == "hologram"
    assert TrustedBody(simulator.strange(customer))
