"""Templates: the list with its typed blanks, and what is sent when they are filled in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.whatsapp.conftest import SENDS, outbound, sent
from trunkline.contract import Connector, TemplateInfo
from trunkline.errors import TryLater, Undeliverable
from trunkline.model import Template
from trunkline.testing.faults import Fault
from trunkline.testing.pictures import picture
from trunkline_whatsapp.simulator import Customer, Simulator
from trunkline_whatsapp.templates import components_of, info_of


async def test_the_list_is_turned_to_its_last_page_with_typed_blanks(connector: Connector, whatsapp: Simulator) -> None:
    order, parcel, sale = await connector.templates()
    assert (order.name, order.language, order.category, order.usable) == ("order_ready", "en_US", "utility", True)
    assert order.text == "Your order\nHello {{name}}, order {{order}} is ready.\nSimulated shop"
    assert [(one.name, one.kind, one.place, one.example) for one in order.variables] == [
        ("name", "text", "body", "Ana"),
        ("order", "text", "body", "A-17"),
    ]
    assert [(one.name, one.kind, one.place, one.example) for one in parcel.variables] == [
        ("header.image", "image", "header", "https://cdn.example/parcel.jpg"),
        ("1", "text", "body", "17"),
        ("2", "text", "body", "Monday"),
        ("button.1.url", "text", "button", "https://shop.example/p/17"),
    ]
    assert parcel.text.endswith("[Later]\n[Follow]\n[Call]")
    assert (sale.usable, sale.note) == (False, "WhatsApp says PAUSED.")
    assert len(whatsapp.requests("*/message_templates")) == 2


async def test_a_listed_template_can_be_sent_as_its_list_says(
    connector: Connector, whatsapp: Simulator, ada: Customer
) -> None:
    for info in [one for one in await connector.templates() if one.usable]:
        values = {one.name: one.example for one in info.variables}
        await connector.deliver(outbound(ada, Template(name=info.name, language=info.language, variables=values)))
    named, positional = (entry.body for entry in whatsapp.requests(SENDS))
    assert '"parameter_name":"order"' in named.replace(" ", "")
    assert "parameter_name" not in positional
    assert whatsapp.chat(ada.id)[-1].cards[0].image == "https://cdn.example/parcel.jpg"


@pytest.mark.parametrize("url", ["https://files.example/cup", "http://127.0.0.1:8080/cup", None])
async def test_a_file_of_ours_in_a_template_is_linked_or_uploaded(
    connector: Connector, whatsapp: Simulator, ada: Customer, url: str | None
) -> None:
    kept = connector.services.media.keep(picture("cup"), "image/jpeg")  # type: ignore[attr-defined]  # see conftest
    media = {"id": kept.id, "mime": "image/jpeg", "size": kept.size, "url": url}
    values = {"header.image": {"media": media}, "1": "17", "2": "Monday", "button.1.url": "17"}
    await connector.deliver(outbound(ada, Template(name="parcel", language="en_US", variables=values)))
    shown = sent(whatsapp)["template"]["components"][0]["parameters"][0]["image"]
    assert shown == ({"link": url} if url and url.startswith("https") else {"id": next(iter(whatsapp.world.media))})


def test_every_shape_of_a_value_becomes_its_component() -> None:
    amount = {"fallback_value": "7.50 EUR", "code": "EUR", "amount_1000": 7500}
    components = components_of(
        {
            "10": "last",
            "2": amount,
            "1": 5,
            "header.file": {"link": "https://shop.example/a.pdf", "name": "a.pdf"},
            "button.1.code": "SPRING",
            "button.0.payload": "later",
            "button.2.url": "17",
        }
    )
    text, last, later = (
        {"type": "text", "text": "5"},
        {"type": "text", "text": "last"},
        {"type": "payload", "payload": "later"},
    )
    file = {"link": "https://shop.example/a.pdf", "filename": "a.pdf"}
    assert components == [
        {"type": "header", "parameters": [{"type": "document", "document": file}]},
        {"type": "body", "parameters": [text, {"type": "currency", "currency": amount}, last]},
        {"type": "button", "sub_type": "quick_reply", "index": "0", "parameters": [later]},
        {
            "type": "button",
            "sub_type": "copy_code",
            "index": "1",
            "parameters": [{"type": "coupon_code", "coupon_code": "SPRING"}],
        },
        {"type": "button", "sub_type": "url", "index": "2", "parameters": [{"type": "text", "text": "17"}]},
    ]  # fmt: skip
    date = {"fallback_value": "Monday"}
    assert components_of({"day": date, "header.1": "x", "header.video": {"id": "3001"}}) == [
        {"type": "header", "parameters": [{"type": "text", "text": "x"}, {"type": "video", "video": {"id": "3001"}}]},
        {"type": "body", "parameters": [{"type": "date_time", "parameter_name": "day", "date_time": date}]},
    ]
    assert components_of({}) == []


@pytest.mark.parametrize(
    "variables",
    [
        {"header.image": "ftp://x"},
        {"header.image": None},
        {"button.x.url": "1"},
        {"button.0.dance": "1"},
        {"button.0": "1"},
    ],
)
def test_a_variable_that_no_template_has_is_refused_in_words(variables: dict[str, Any]) -> None:
    with pytest.raises(Undeliverable) as refused:
        components_of(variables)
    assert refused.value.code == "template_variables"


def template(*components: dict[str, Any], **more: Any) -> TemplateInfo:
    fields = {"name": "t", "language": "en", "status": "APPROVED", "components": list(components)}
    return info_of({**fields, **more})


def test_other_parts_of_templates_are_told() -> None:
    header = {"type": "HEADER", "format": "TEXT", "text": "For {{1}}", "example": {"header_text": ["Ana"]}}
    buttons = [{"type": "COPY_CODE", "example": "SPRING"}, {"type": "OTP", "otp_type": "COPY_CODE", "text": "Copy"}]
    info = template(header, {"type": "BODY", "text": "{{1}}{{1}}"}, {"type": "BUTTONS", "buttons": buttons})
    assert [(one.name, one.example) for one in info.variables] == [
        ("header.1", "Ana"),
        ("1", None),
        ("button.0.code", "SPRING"),
        ("button.1.url", "Copy"),
    ]
    assert info.text.startswith("For {{header.1}}\n")
    place, carousel = template({"type": "HEADER", "format": "LOCATION"}), template({"type": "CAROUSEL", "cards": []})
    assert (place.usable, carousel.usable) == (False, False)
    assert "LOCATION" in str(place.note)
    assert template(status="REJECTED", rejected_reason="PROMOTIONAL").note == "WhatsApp says REJECTED (PROMOTIONAL)."


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "nothing"}, "template_missing"),
        ({"language": "de"}, "template_missing"),
        ({"variables": {"name": "Ada"}}, "template_variables"),
        ({"variables": {"name": "Ada", "place": "x"}}, "template_variables"),
        ({"variables": {"name": "Ada", "order": ""}}, "template_variables"),
        ({"name": "spring_sale", "variables": {}}, "template_paused"),
    ],
)
async def test_a_template_that_does_not_fit_is_the_contents_fault(
    connector: Connector, ada: Customer, change: dict[str, Any], code: str
) -> None:
    fields: dict[str, Any] = {"name": "order_ready", "language": "en_US", "variables": {"name": "Ada", "order": "1"}}
    with pytest.raises(Undeliverable) as refused:
        await connector.deliver(outbound(ada, Template(**{**fields, **change})))
    assert (refused.value.whose, refused.value.code) == ("content", code)


@pytest.mark.parametrize(
    "data", ["null", "7", '[{"name":"x"}]', "[7]", '[{"name":"x","language":"en","components":7}]']
)
async def test_a_list_in_other_words_is_asked_for_again(connector: Connector, whatsapp: Simulator, data: str) -> None:
    whatsapp.fail(Fault(do="answer", path="*/message_templates", status=200, body=f'{{"data":{data}}}'))
    with pytest.raises(TryLater):
        await connector.templates()
