"""Sending: ids, files, correlation, windows, what becomes of messages, doubt."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from tests.connectors.receiver import Receiver
from tests.connectors.whatsapp.conftest import SENDS, Build, outbound, received, sent
from trunkline.contract import Connector, ReceiptReceived, TrustedBody
from trunkline.errors import DeliveryError, SignInNeeded, TryLater, Undeliverable, WindowClosed
from trunkline.model import Address, Cost, DeliveryState, File, Image, Media, Template
from trunkline.testing.faults import Fault
from trunkline.testing.pictures import picture
from trunkline.testing.services import HandClock
from trunkline_whatsapp.simulator import Customer, Simulator


def told(connector: Connector, whatsapp: Simulator) -> list[ReceiptReceived]:
    """Return all that was told of our messages, oldest first."""
    items = [item for webhook in whatsapp.webhooks for item in connector.parse(TrustedBody(webhook.body))]
    return [item for item in items if isinstance(item, ReceiptReceived)]


async def test_a_yes_has_the_id_and_costs_nothing_within_the_window(
    connector: Connector, whatsapp: Simulator, ada: Customer
) -> None:
    accepted = await connector.deliver(outbound(ada, "hello"))
    assert [part.external_id for part in accepted.parts] == [ada.sees[-1].id]
    assert (accepted.cost, accepted.route, accepted.verified) == (Cost.FREE, "text", True)


async def test_our_delivery_id_comes_back_in_every_status(
    connector: Connector, whatsapp: Simulator, ada: Customer
) -> None:
    accepted = await connector.deliver(outbound(ada, "hello", delivery_id="delivery-42"))
    await whatsapp.settled()
    await whatsapp.read(ada.id)
    states = [DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ]
    assert [item.state for item in told(connector, whatsapp)] == states
    assert {item.correlation for item in told(connector, whatsapp)} == {"delivery-42"}
    assert {item.external_id for item in told(connector, whatsapp)} == {accepted.parts[0].external_id}


async def test_a_lost_answer_is_reconciled_by_our_own_id(
    connector: Connector, whatsapp: Simulator, ada: Customer
) -> None:
    whatsapp.fail(Fault(do="close_after", path=SENDS))
    with pytest.raises(httpx2.TransportError):
        await connector.deliver(outbound(ada, "hello", delivery_id="delivery-43"))
    await whatsapp.settled()
    first = told(connector, whatsapp)[0]
    assert (first.correlation, first.external_id) == ("delivery-43", ada.sees[-1].id)


async def test_a_variant_of_the_number_in_the_answer_is_an_address_to_remember(
    connector: Connector, whatsapp: Simulator, ada: Customer
) -> None:
    answer = {
        "messaging_product": "whatsapp",
        "contacts": [{"input": "+551199990000", "wa_id": "5511999990000", "user_id": "BR.1"}],
        "messages": [{"id": "wamid.X"}],
    }
    whatsapp.fail(Fault(do="answer", path=SENDS, status=200, body=json.dumps(answer)))
    accepted = await connector.deliver(outbound(Address(external_id="551199990000"), "hello"))
    assert accepted.address == Address(external_id="5511999990000", aliases=("BR.1",))


async def test_what_is_known_already_is_no_news(connector: Connector, whatsapp: Simulator, ada: Customer) -> None:
    assert (await connector.deliver(outbound(ada, "hello"))).address is None


# ---------------------------------------------------------------- files


async def test_a_file_with_a_public_address_is_linked(connector: Connector, whatsapp: Simulator, ada: Customer) -> None:
    media = connector.services.media.keep(picture("cup"), "image/jpeg")  # type: ignore[attr-defined]  # see conftest
    await connector.deliver(outbound(ada, Image(media=media)))
    assert sent(whatsapp)["image"] == {"link": media.url}
    assert not whatsapp.requests("*/media")


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:8080/files/1"])
async def test_a_file_without_one_is_uploaded(
    connector: Connector, whatsapp: Simulator, ada: Customer, url: str | None
) -> None:
    body = b"%PDF-1.4\n" + bytes(range(256)) * 20_000
    kept = connector.services.media.keep(body, "application/pdf", "a.pdf")  # type: ignore[attr-defined]  # see conftest
    media = Media(id=kept.id, mime=kept.mime, size=kept.size, name=kept.name, url=url)
    await connector.deliver(outbound(ada, File(media=media, caption="bill")))
    file = sent(whatsapp)["document"]
    stored = whatsapp.world.media[file["id"]]
    assert (stored.body, stored.mime, stored.name) == (body, "application/pdf", "a.pdf")
    assert (file["filename"], file["caption"]) == ("a.pdf", "bill")
    assert whatsapp.chat(ada.id)[-1].kind == "file"


@pytest.mark.parametrize("do", ["close_before", "close_after"])
async def test_a_broken_upload_leaves_nothing_in_doubt(
    connector: Connector, whatsapp: Simulator, ada: Customer, do: Any
) -> None:
    kept = connector.services.media.keep(b"x", "image/png")  # type: ignore[attr-defined]  # see conftest
    whatsapp.fail(Fault(do=do, path="*/media"))
    with pytest.raises(TryLater) as refused:
        await connector.deliver(outbound(ada, Image(media=Media(id=kept.id, mime="image/png"))))
    assert refused.value.code == "not_uploaded"
    assert whatsapp.platform.taken == 0


async def test_a_file_that_whatsapp_does_not_take_is_refused_in_its_words(
    connector: Connector, whatsapp: Simulator, ada: Customer
) -> None:
    kept = connector.services.media.keep(b"GIF89a", "image/gif")  # type: ignore[attr-defined]  # see conftest
    with pytest.raises(Undeliverable) as refused:
        await connector.deliver(outbound(ada, Image(media=Media(id=kept.id, mime="image/gif"))))
    assert refused.value.code == "media_refused"


# ---------------------------------------------------------------- the window


async def test_a_day_after_the_customers_word_only_templates_arrive(
    connector: Connector, whatsapp: Simulator, ada: Customer, clock: HandClock
) -> None:
    whatsapp.platform.tells_later = True
    clock.move(24 * 3600 - 1)
    await connector.deliver(outbound(ada, "just in time"))
    clock.move(1)
    late = await connector.deliver(outbound(ada, "too late"))
    await whatsapp.settled()
    failed = told(connector, whatsapp)[-1]
    assert (failed.state, failed.external_id) == (DeliveryState.FAILED, late.parts[0].external_id)
    assert failed.answer
    assert failed.answer.code == "131047"
    template = Template(name="order_ready", language="en_US", variables={"name": "Ada", "order": "A-17"})
    accepted = await connector.deliver(outbound(ada, template))
    assert (accepted.cost, accepted.route, accepted.evidence) == (Cost.PAID, "template", "accepted")
    assert [bubble.text for bubble in whatsapp.chat(ada.id)[1:]] == [
        "just in time",
        "Your order\nHello Ada, order A-17 is ready.\nSimulated shop",
    ]


async def test_a_refusal_at_once_closes_the_window(
    connector: Connector, whatsapp: Simulator, ada: Customer, clock: HandClock
) -> None:
    clock.move(24 * 3600)
    with pytest.raises(WindowClosed):
        await connector.deliver(outbound(ada, "too late"))


async def test_every_message_and_every_call_opens_it_anew(
    connector: Connector, whatsapp: Simulator, ada: Customer, clock: HandClock
) -> None:
    for again in (lambda: ada.text("me again"), ada.call, ada.sticker):
        clock.move(24 * 3600)
        await again()
        assert (await connector.deliver(outbound(ada, "hello"))).parts


# ---------------------------------------------------------------- troubles


async def test_a_failure_after_the_yes_is_told_with_its_reason(
    connector: Connector, whatsapp: Simulator, ada: Customer
) -> None:
    whatsapp.platform.late_failures.append(131026)
    accepted = await connector.deliver(outbound(ada, "hello"))
    await whatsapp.settled()
    (item,) = received(connector, whatsapp)
    assert isinstance(item, ReceiptReceived)
    assert (item.state, item.external_id) == (DeliveryState.FAILED, accepted.parts[0].external_id)
    assert item.answer
    assert item.answer.code == "131026"


async def test_statuses_may_come_before_our_own_answer(
    connector: Connector, whatsapp: Simulator, ada: Customer, shop: Receiver
) -> None:
    whatsapp.fail(Fault(do="drip", path=SENDS, seconds=0.002))
    accepted = await connector.deliver(outbound(ada, "hello"))
    before = [json.loads(request.body)["entry"][0]["changes"][0]["value"] for request in shop.requests]
    assert [status["id"] for value in before for status in value["statuses"]] == [accepted.parts[0].external_id] * 2


async def test_a_dead_token_asks_for_a_person(build: Build, whatsapp: Simulator, ada: Customer) -> None:
    with pytest.raises(SignInNeeded) as refused:
        await build(access_token="EAAwrong").deliver(outbound(ada, "hello"))
    assert "EAAwrong" not in str(refused.value)
    assert refused.value.answer
    assert refused.value.answer.code == "190"


@pytest.mark.parametrize("do", ["close_before", "close_after", "cut"])
async def test_a_broken_send_is_left_to_the_core_to_judge(
    connector: Connector, whatsapp: Simulator, ada: Customer, do: Any
) -> None:
    whatsapp.fail(Fault(do=do, path=SENDS))
    with pytest.raises((httpx2.TransportError, DeliveryError)):
        await connector.deliver(outbound(ada, "hello"))
    assert whatsapp.platform.taken == (0 if do == "close_before" else 1)


async def test_the_version_of_the_api_stands_in_every_path(build: Build, whatsapp: Simulator, ada: Customer) -> None:
    await build(api_version="v25.0").deliver(outbound(ada, "hello"))
    assert [entry.path for entry in whatsapp.journal] == ["/v25.0/8001/messages"]
