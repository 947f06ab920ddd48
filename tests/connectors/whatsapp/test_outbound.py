"""Every kind of content as WhatsApp wants it: the simulated WhatsApp takes it, and the phone shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.connectors.whatsapp.conftest import address_of, outbound, sent
from trunkline.contract import Connector, Quote
from trunkline.errors import Undeliverable
from trunkline.model import (
    Address,
    AddressKind,
    Audio,
    Button,
    Card,
    Carousel,
    Contacts,
    Content,
    File,
    Image,
    Link,
    Location,
    Media,
    Person,
    QuickReply,
    Sticker,
    Text,
    Video,
)
from trunkline_whatsapp.outbound import recipient_of
from trunkline_whatsapp.simulator import Customer, Simulator

URL = "https://files.example/1"


def media(mime: str, **more: Any) -> Media:
    return Media(id="media-0", mime=mime, size=3, url=URL, **more)


KINDS: list[tuple[Content, dict[str, Any]]] = [
    (Text(text="Hello"), {"type": "text", "text": {"body": "Hello", "preview_url": False}}),
    (
        Text(text="See https://shop.example"),
        {"type": "text", "text": {"body": "See https://shop.example", "preview_url": True}},
    ),
    (Image(media=media("image/png")), {"type": "image", "image": {"link": URL}}),
    (
        Image(media=media("image/jpeg"), caption="box"),
        {"type": "image", "image": {"link": URL, "caption": "box"}},
    ),
    (
        Video(media=media("video/mp4"), caption="film"),
        {"type": "video", "video": {"link": URL, "caption": "film"}},
    ),
    (Audio(media=media("audio/mpeg")), {"type": "audio", "audio": {"link": URL}}),
    (Audio(media=media("audio/ogg"), voice=True), {"type": "audio", "audio": {"link": URL, "voice": True}}),
    (Audio(media=media("audio/mp4"), voice=True), {"type": "audio", "audio": {"link": URL}}),
    (
        File(media=media("application/pdf", name="a.pdf"), caption="bill"),
        {"type": "document", "document": {"link": URL, "filename": "a.pdf", "caption": "bill"}},
    ),
    (Sticker(media=media("image/webp")), {"type": "sticker", "sticker": {"link": URL}}),
    (
        Location(latitude=52.1, longitude=4.3, title="Shop", address="Street 1"),
        {
            "type": "location",
            "location": {"latitude": "52.1", "longitude": "4.3", "name": "Shop", "address": "Street 1"},
        },
    ),
    (Location(latitude=1, longitude=2), {"type": "location", "location": {"latitude": "1", "longitude": "2"}}),
    (
        Contacts(
            people=(Person(name="Bo X", phones=("+1555",), emails=("bo@x.example",), organization="X"),)
        ),
        {
            "type": "contacts",
            "contacts": [
                {
                    "name": {"formatted_name": "Bo X", "first_name": "Bo X"},
                    "phones": [{"phone": "+1555"}],
                    "emails": [{"email": "bo@x.example"}],
                    "org": {"company": "X"},
                }
            ],
        },
    ),
    (
        Link(url="https://shop.example/p", title="Prices", text="As of May"),
        {"type": "text", "text": {"body": "Prices\nAs of May\nhttps://shop.example/p", "preview_url": True}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "payload"), KINDS, ids=[f"{type(one).__name__}-{at}" for at, (one, _) in enumerate(KINDS)]
)
async def test_every_kind_is_sent_in_whatsapps_words(
    connector: Connector, whatsapp: Simulator, ada: Customer, content: Content, payload: dict[str, Any]
) -> None:
    accepted = await connector.deliver(outbound(ada, content))
    body = sent(whatsapp)
    assert {name: value for name, value in body.items() if name in payload} == payload
    assert {name: body[name] for name in ("messaging_product", "recipient_type", "to", "biz_opaque_callback_data")} == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": f"+{ada.person.phone}",
        "biz_opaque_callback_data": "delivery-1",
    }
    assert [part.external_id for part in accepted.parts] == [ada.sees[-1].id]
    assert not whatsapp.chat(ada.id)[-1].mine


async def test_a_quote_names_the_message(connector: Connector, whatsapp: Simulator, ada: Customer) -> None:
    asked = ada.sees[0]
    await connector.deliver(outbound(ada, "Yes", quote=Quote(external_id=asked.id)))
    assert sent(whatsapp)["context"] == {"message_id": asked.id}
    assert whatsapp.chat(ada.id)[-1].quoted == "Hello"


@pytest.mark.parametrize(
    ("ids", "field"),
    [
        (("15550002000",), {"to": "+15550002000"}),
        (("+15550002000",), {"to": "+15550002000"}),
        (("15550003000", "15550002000", "US.1"), {"to": "+15550003000"}),
        (("US.1", "15550003000", "15550002000"), {"to": "+15550003000"}),
        (("US.1",), {"recipient": "US.1"}),
        (("US.2", "US.1"), {"recipient": "US.2"}),
        (("US.ENT.9", "US.1"), {"recipient": "US.1"}),
        (("US.ENT.9",), {"recipient": "US.ENT.9"}),
    ],
)
def test_the_newest_phone_is_preferred_and_a_user_id_has_its_own_field(
    ids: tuple[str, ...], field: dict[str, str]
) -> None:
    to = recipient_of(Address(external_id=ids[0], aliases=ids[1:]))
    assert to == {"recipient_type": "individual", **field}


async def test_a_group_is_written_to_as_a_group(connector: Connector, whatsapp: Simulator) -> None:
    member, _ = whatsapp.group("Family", "Ada", "Bo")
    await member.text("Hello")
    assert address_of(member).kind is AddressKind.GROUP
    await connector.deliver(outbound(member, "Hello all"))
    body = sent(whatsapp)
    assert (body["recipient_type"], body["to"]) == ("group", member.chat.id)
    assert whatsapp.chat(member.chat.id)[-1].text == "Hello all"


async def test_somebody_without_a_phone_gets_an_answer(connector: Connector, whatsapp: Simulator) -> None:
    cy = whatsapp.customer("Cy", username="cy.example")
    await cy.text("Hello")
    accepted = await connector.deliver(outbound(cy, "Hello Cy"))
    assert sent(whatsapp)["recipient"] == cy.person.user_id
    assert "to" not in sent(whatsapp)
    assert accepted.address is None
    assert cy.sees[-1].id == accepted.parts[0].external_id


# ---------------------------------------------------------------- what can be pressed


def replies(count: int, *, title: str = "Answer {}", data: str = "data-{}") -> tuple[QuickReply, ...]:
    return tuple(QuickReply(title=title.format(at), data=data.format(at)) for at in range(count))


async def asked(
    connector: Connector, whatsapp: Simulator, ada: Customer, content: Content | str, choices: Sequence[QuickReply]
) -> dict[str, Any]:
    await connector.deliver(outbound(ada, content, quick_replies=tuple(choices)))
    return sent(whatsapp)


async def test_up_to_three_quick_replies_are_buttons(connector: Connector, whatsapp: Simulator, ada: Customer) -> None:
    body = await asked(connector, whatsapp, ada, "Well?", replies(3))
    assert body["interactive"] == {
        "type": "button",
        "body": {"text": "Well?"},
        "action": {
            "buttons": [{"type": "reply", "reply": {"id": f"data-{at}", "title": f"Answer {at}"}} for at in range(3)]
        },
    }
    assert [press.label for press in whatsapp.chat(ada.id)[-1].quick_replies] == ["Answer 0", "Answer 1", "Answer 2"]


async def test_up_to_ten_are_a_list(connector: Connector, whatsapp: Simulator, ada: Customer) -> None:
    body = await asked(connector, whatsapp, ada, "Well?", replies(10))
    assert body["interactive"]["type"] == "list"
    assert body["interactive"]["action"]["button"] == "Options"
    assert len(body["interactive"]["action"]["sections"][0]["rows"]) == 10
    assert len(whatsapp.chat(ada.id)[-1].quick_replies) == 10


@pytest.mark.parametrize(
    ("text", "choices", "kind"),
    [
        ("x" * 1024, replies(3), "button"),
        ("x" * 1025, replies(3), "list"),
        ("x" * 4096, replies(4), "list"),
        ("Well?", replies(2, title="t" * 19 + "{}"), "button"),
        ("Well?", replies(2, title="t" * 20 + "{}"), "list"),
        ("Well?", replies(2, title="t" * 23 + "{}"), "list"),
        ("Well?", replies(2, data="d" * 199 + "{}"), "button"),
    ],
)
async def test_the_shape_is_the_one_that_holds_it_uncut(
    connector: Connector, whatsapp: Simulator, ada: Customer, text: str, choices: Sequence[QuickReply], kind: str
) -> None:
    assert (await asked(connector, whatsapp, ada, text, choices))["interactive"]["type"] == kind


@pytest.mark.parametrize(
    "choices",
    [
        replies(2, title="t" * 24 + "{}"),
        replies(11),
        (QuickReply(title="Same", data="1"), QuickReply(title="Same", data="2")),
        (QuickReply(title="One", data="1"), QuickReply(title="Two", data="1")),
    ],
)
async def test_what_does_not_fit_is_written_under_the_text(
    connector: Connector, whatsapp: Simulator, ada: Customer, choices: Sequence[QuickReply]
) -> None:
    body = await asked(connector, whatsapp, ada, "Well?", choices)
    listed = "\n".join(f"{at}. {one.title}" for at, one in enumerate(choices, 1))
    assert body["text"]["body"] == f"Well?\n\n{listed}"


async def test_a_quick_reply_can_ask_where_somebody_is(
    connector: Connector, whatsapp: Simulator, ada: Customer
) -> None:
    choices = [QuickReply(title="Send location", kind="location")]
    body = await asked(connector, whatsapp, ada, "Where are you?", choices)
    assert body["interactive"] == {
        "type": "location_request_message",
        "body": {"text": "Where are you?"},
        "action": {"name": "send_location"},
    }


@pytest.mark.parametrize(
    "content",
    [Audio(media=media("audio/ogg")), Image(media=media("image/png")), Location(latitude=1, longitude=2)],
)
async def test_nothing_else_carries_quick_replies(
    connector: Connector, whatsapp: Simulator, ada: Customer, content: Content
) -> None:
    with pytest.raises(Undeliverable) as refused:
        await asked(connector, whatsapp, ada, content, replies(1))
    assert refused.value.code == "quick_replies_not_carried"
    assert not whatsapp.requests("*/messages")


PRESSES = tuple(Button(title=f"Take {at}", data=f"take={at}") for at in range(4))
LINKS = tuple(Button(title=f"Page {at}", url=f"https://shop.example/{at}") for at in range(2))


PICTURE = {"type": "image", "image": {"link": URL}}
TITLE = {"type": "text", "text": "Cup"}


@pytest.mark.parametrize(
    ("card", "kind", "header", "words"),
    [
        (Card(title="Cup", text="Blue", buttons=PRESSES[:3]), "button", TITLE, "Blue"),
        (Card(title="Cup", buttons=PRESSES[:3]), "button", None, "Cup"),
        (Card(title="x" * 61, text="Blue", buttons=PRESSES[:3]), "button", None, f"{'x' * 61}\nBlue"),
        (Card(title="Cup", image=media("image/png"), buttons=PRESSES[:1]), "button", PICTURE, "Cup"),
        (Card(title="Cup", text="Blue", buttons=PRESSES), "list", TITLE, "Blue"),
        (Card(title="Cup", text="Blue", image=media("image/png"), buttons=PRESSES), "list", TITLE, "Blue"),
        (Card(title="Cup", text="Blue", buttons=LINKS[:1]), "cta_url", TITLE, "Blue"),
        (Card(title="Cup", image=media("image/png"), buttons=LINKS[:1]), "cta_url", PICTURE, "Cup"),
        (Card(title="Cup", buttons=(LINKS[0], PRESSES[0])), "button", TITLE, "Page 0: https://shop.example/0"),
    ],
)
async def test_a_card_is_what_whatsapp_has_nearest(
    connector: Connector, whatsapp: Simulator, ada: Customer, card: Card, kind: str, header: Any, words: str
) -> None:
    await connector.deliver(outbound(ada, card))
    interactive = sent(whatsapp)["interactive"]
    assert (interactive["type"], interactive.get("header"), interactive["body"]["text"]) == (kind, header, words)


async def test_a_card_without_anything_to_press_is_a_text_or_a_picture(
    connector: Connector, whatsapp: Simulator, ada: Customer
) -> None:
    await connector.deliver(outbound(ada, Card(title="Cup", text="Blue", buttons=LINKS)))
    assert sent(whatsapp)["text"]["body"] == "Cup\nBlue\nPage 0: https://shop.example/0\nPage 1: https://shop.example/1"
    await connector.deliver(outbound(ada, Card(title="Cup", text="Blue", image=media("image/png"))))
    assert sent(whatsapp)["image"] == {"link": URL, "caption": "Cup\nBlue"}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (Carousel(cards=(Card(title="Cup"),)), "not_carried"),
        (Sticker(package_id="1", sticker_id="2"), "no_file"),
        (Image(media=media("image/png"), caption="x" * 1025), "caption_too_long"),
    ],
)
async def test_what_cannot_be_carried_is_refused_in_words(
    connector: Connector, whatsapp: Simulator, ada: Customer, content: Content, code: str
) -> None:
    with pytest.raises(Undeliverable) as refused:
        await connector.deliver(outbound(ada, content))
    assert refused.value.code == code
    assert not whatsapp.requests("*/messages")
