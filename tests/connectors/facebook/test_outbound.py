"""Every kind that a channel sends, as the simulated platform takes it and its customer sees it."""

from __future__ import annotations

import pytest

from tests.connectors.facebook.conftest import Build, newcomer, outbound, said
from trunkline.contract import Connector, Quote, TextUnit, measure, split
from trunkline.errors import Undeliverable
from trunkline.model import (
    Audio,
    Button,
    Card,
    Carousel,
    Content,
    ContentKind,
    File,
    Image,
    Level,
    Location,
    Media,
    QuickReply,
    Sticker,
    Video,
)
from trunkline.testing.services import MemoryMedia
from trunkline_facebook.capabilities import FACEBOOK, INSTAGRAM
from trunkline_facebook.simulator import Customer, Simulator

CAPABILITIES = {"facebook": FACEBOOK, "instagram": INSTAGRAM}
PICTURE = Media(id="m1", mime="image/jpeg", size=10, url="https://files.example/cup.jpg")


def media(mime: str, name: str = "f") -> Media:
    return Media(id="m", mime=mime, size=10, url=f"https://files.example/{name}")


async def test_a_text_carries_our_id(connector: Connector, page: Simulator, ada: Customer) -> None:
    message = outbound(ada, "Good morning")
    accepted = await connector.deliver(message)
    (body,) = said(page)
    assert body == {
        "recipient": {"id": ada.id},
        "messaging_type": "RESPONSE",
        "message": {"text": "Good morning", "metadata": message.delivery_id},
    }
    assert [part.external_id for part in accepted.parts] == [ada.got[-1].id]
    assert (accepted.route, accepted.verified, accepted.address) == ("response", True, None)


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (Image(media=PICTURE), "image"),
        (Video(media=media("video/mp4")), "video"),
        (Audio(media=media("audio/aac")), "audio"),
        (File(media=media("application/pdf")), "file"),
    ],
)
async def test_files_go_by_their_address(either: Simulator, build: Build, part: Content, kind: str) -> None:
    ada = await newcomer(either)
    await build(either).deliver(outbound(ada, part))
    (bubble,) = either.chat(ada.id)[1:]
    assert (bubble.kind, bubble.url) == (kind, part.media.url)  # type: ignore[union-attr]  # all four have one
    assert either.requests("*/message_attachments") == []


async def test_a_file_without_an_address_is_uploaded(either: Simulator, build: Build, media: MemoryMedia) -> None:
    ada, kept = await newcomer(either), media.keep(b"%PDF-1.4", "application/pdf", 'in\r\nvoice".pdf')
    part = File(media=Media(id=kept.id, mime=kept.mime, size=kept.size, name=kept.name))
    await build(either).deliver(outbound(ada, part))
    (upload,) = either.world.uploads.values()
    assert (upload.kind, upload.body, upload.mime) == ("file", b"%PDF-1.4", "application/pdf")
    payload = said(either)[0]["message"]["attachment"]["payload"]
    assert payload == {"attachment_id": next(iter(either.world.uploads))}


async def test_sec_54_the_name_of_a_file_cannot_add_lines_to_the_form(
    connector: Connector, page: Simulator, ada: Customer, media: MemoryMedia
) -> None:
    name = 'a"\r\nContent-Disposition: form-data; name="platform"\r\n\r\ninstagram'
    kept = media.keep(b"x", "application/pdf", name)
    await connector.deliver(outbound(ada, File(media=Media(id=kept.id, mime=kept.mime, size=1))))
    (entry,) = page.requests("*/message_attachments")
    assert entry.body.count("Content-Disposition") == 3  # message, filedata, and the one inside the name
    assert entry.body.count("\r\nContent-Disposition") == 2


async def test_a_picture_too_long_for_a_link_is_uploaded(
    connector: Connector, page: Simulator, ada: Customer, media: MemoryMedia
) -> None:
    kept = media.keep(bytes(8_000_001), "image/png")
    await connector.deliver(outbound(ada, Image(media=kept)))
    (upload,) = page.world.uploads.values()
    assert (upload.kind, len(upload.body)) == ("image", 8_000_001)


async def test_a_picture_of_a_kind_that_messenger_does_not_show_goes_as_a_file(
    connector: Connector, page: Simulator, ada: Customer
) -> None:
    await connector.deliver(outbound(ada, Image(media=media("image/webp"))))
    assert page.chat(ada.id)[-1].kind == "file"


async def test_what_the_platform_cannot_load_is_uploaded_and_sent_again(
    connector: Connector, page: Simulator, ada: Customer, media: MemoryMedia
) -> None:
    page.cannot_fetch = True
    message = outbound(ada, Image(media=media.keep(b"jpeg", "image/jpeg")))
    await connector.deliver(message)
    first, second = said(page)
    assert "url" in first["message"]["attachment"]["payload"]
    assert "attachment_id" in second["message"]["attachment"]["payload"]
    assert [body["message"]["metadata"] for body in (first, second)] == [message.delivery_id] * 2
    assert len(ada.got) == 1


# ---------------------------------------------------------------- cards

BUTTONS = (Button(title="Buy", data="BUY"), Button(title="Site", url="https://shop.example"))


async def test_a_card_with_a_picture_is_a_generic_template(either: Simulator, build: Build) -> None:
    ada = await newcomer(either)
    await build(either).deliver(outbound(ada, Card(title="Mug", text="Red", image=PICTURE, buttons=BUTTONS)))
    assert said(either)[0]["message"]["attachment"]["payload"]["template_type"] == "generic"
    (card,) = either.chat(ada.id)[-1].cards
    assert (card.title, card.text, card.image) == ("Mug", "Red", PICTURE.url)
    assert [(button.label, button.url) for button in card.buttons] == [("Buy", None), ("Site", "https://shop.example")]


async def test_a_card_without_a_picture_is_a_button_template(either: Simulator, build: Build) -> None:
    ada = await newcomer(either)
    await build(either).deliver(outbound(ada, Card(title="Mug", text="Red", buttons=BUTTONS)))
    payload = said(either)[0]["message"]["attachment"]["payload"]
    assert (payload["template_type"], payload["text"], len(payload["buttons"])) == ("button", "Mug\nRed", 2)


@pytest.mark.parametrize(("card", "words"), [(Card(title="Mug"), "Mug"), (Card(title="Mug", text="Red"), "Mug\nRed")])
async def test_a_card_of_words_alone_is_a_text(either: Simulator, build: Build, card: Card, words: str) -> None:
    ada = await newcomer(either)
    await build(either).deliver(outbound(ada, card))
    assert either.chat(ada.id)[-1].text == words


async def test_cards_side_by_side_need_not_be_alike(either: Simulator, build: Build) -> None:
    cards = (Card(title="One"), Card(title="Two", image=PICTURE), Card(title="Three", text="x", buttons=BUTTONS))
    ada = await newcomer(either)
    await build(either).deliver(outbound(ada, Carousel(cards=cards)))
    assert [card.title for card in either.chat(ada.id)[-1].cards] == ["One", "Two", "Three"]


async def test_cards_at_the_limits_are_taken_and_beyond_them_refused(either: Simulator, build: Build) -> None:
    rule = CAPABILITIES[either.world.channel].rule(ContentKind.CAROUSEL)
    assert rule.card
    button = Button(title="b" * rule.card.button_title_max, data="d" * rule.card.button_data_max)
    full = Card(
        title="t" * rule.card.title_max,
        text="🎈" * rule.card.text_max,
        image=PICTURE,
        buttons=(button,) * rule.card.buttons_max,
    )
    ada, connector = await newcomer(either), build(either)
    await connector.deliver(outbound(ada, Carousel(cards=(full,) * rule.card.cards_max)))
    await connector.deliver(outbound(ada, Card(title=full.title, text=full.text, buttons=full.buttons)))
    for beyond in (
        Carousel(cards=(full,) * (rule.card.cards_max + 1)),
        Carousel(cards=(Card(title=full.title + "t", image=PICTURE),)),
        Carousel(cards=(Card(title="t", text="x" * (rule.card.text_max + 1)),)),
        Carousel(cards=(Card(title="t", buttons=(button,) * 4),)),
    ):
        with pytest.raises(Undeliverable) as refused:
            await connector.deliver(outbound(ada, beyond))
        assert refused.value.whose == "content"
    assert len(ada.got) == 2


async def test_a_picture_without_an_address_cannot_be_on_a_card(connector: Connector, ada: Customer) -> None:
    with pytest.raises(Undeliverable) as refused:
        await connector.deliver(outbound(ada, Card(title="Mug", image=Media(id="m1", mime="image/png"))))
    assert (refused.value.code, refused.value.whose) == ("no_public_address", "us")


# ---------------------------------------------------------------- quick replies, stickers, quotes


async def test_quick_replies_come_back_when_they_are_pressed(either: Simulator, build: Build) -> None:
    ada = await newcomer(either)
    offers = (QuickReply(title="Small", data="size=s"), QuickReply(title="Large"))
    await build(either).deliver(outbound(ada, "Which?", quick_replies=offers))
    presses = either.chat(ada.id)[-1].quick_replies
    assert [press.label for press in presses] == ["Small", "Large"]
    pressed = [await ada.press(press.id) for press in presses]
    assert [one.message["quick_reply"]["payload"] for one in pressed] == ["size=s", "Large"]


async def test_messenger_asks_for_the_phone_number_and_the_address(
    connector: Connector, page: Simulator, ada: Customer
) -> None:
    asked = (QuickReply(title="Phone", kind="phone"), QuickReply(title="Mail", kind="email"))
    await connector.deliver(outbound(ada, "How can we reach you?", quick_replies=asked))
    kinds = [one["content_type"] for one in said(page)[0]["message"]["quick_replies"]]
    assert kinds == ["user_phone_number", "user_email"]
    await ada.press(page.chat(ada.id)[-1].quick_replies[1].id)
    assert ada.sees[-1].message["quick_reply"]["payload"] == "ada@shop.example"


async def test_quick_replies_at_the_limits_are_taken(either: Simulator, build: Build) -> None:
    limit = CAPABILITIES[either.world.channel].quick_replies
    assert limit
    ada = await newcomer(either)
    offers = tuple(QuickReply(title=f"{n:0>{limit.title_max}}", data="d" * limit.data_max) for n in range(limit.max))
    await build(either).deliver(outbound(ada, "Which?", quick_replies=offers))
    assert len(either.chat(ada.id)[-1].quick_replies) == 13
    with pytest.raises(Undeliverable):
        await build(either).deliver(outbound(ada, "Which?", quick_replies=(*offers, offers[0])))


async def test_a_sticker_goes_by_its_number(connector: Connector, page: Simulator, ada: Customer) -> None:
    await connector.deliver(outbound(ada, Sticker(sticker_id="42")))
    assert said(page)[0]["message"]["sticker_id"] == 42
    for nameless in (Sticker(text="hi"), Sticker(sticker_id="smile")):
        with pytest.raises(Undeliverable) as refused:
            await connector.deliver(outbound(ada, nameless))
        assert refused.value.code == "no_sticker"


async def test_an_answer_quotes_the_message_that_it_answers(either: Simulator, build: Build) -> None:
    ada = await newcomer(either)
    asked = await ada.text("The red one?")
    await build(either).deliver(outbound(ada, "Yes", quote=Quote(external_id=f"{asked.id}#2")))
    assert either.chat(ada.id)[-1].quoted == "The red one?"


@pytest.mark.parametrize("ours", ["postback:0123", "order:0123"])
async def test_what_has_no_id_on_the_platform_is_not_quoted(
    connector: Connector, page: Simulator, ada: Customer, ours: str
) -> None:
    await connector.deliver(outbound(ada, "Yes", quote=Quote(external_id=ours)))
    assert "reply_to" not in said(page)[0]


async def test_a_quoted_message_that_is_gone_says_so(insta: Simulator, build: Build) -> None:
    ada = await newcomer(insta)
    asked = await ada.text("The red one?")
    await ada.unsend(asked)
    with pytest.raises(Undeliverable) as refused:
        await build(insta).deliver(outbound(ada, "Yes", quote=Quote(external_id=asked.id)))
    assert refused.value.code == "quote_gone"


# ---------------------------------------------------------------- the declared limits


@pytest.mark.parametrize("character", ["a", "é", "漢", "🎈"])
async def test_text_at_the_limit_is_taken_and_one_more_is_refused(
    either: Simulator, build: Build, character: str
) -> None:
    limit = CAPABILITIES[either.world.channel].rule(ContentKind.TEXT).text
    assert limit
    most = character * (limit.max // measure(character, limit.unit))
    ada, connector = await newcomer(either), build(either)
    await connector.deliver(outbound(ada, most))
    with pytest.raises(Undeliverable) as refused:
        await connector.deliver(outbound(ada, most + character))
    assert (refused.value.whose, len(ada.got)) == ("content", 1)


async def test_every_piece_of_a_long_text_is_taken(either: Simulator, build: Build) -> None:
    limit = CAPABILITIES[either.world.channel].rule(ContentKind.TEXT).text
    assert limit
    ada, connector = await newcomer(either), build(either)
    for piece in split("Wörter und 🎈 " * 500 + "Ende", limit):
        await connector.deliver(outbound(ada, piece))
    assert " ".join(one.message["text"] for one in ada.got) == "Wörter und 🎈 " * 500 + "Ende"


async def test_kinds_that_are_not_declared_are_refused_before_the_wire(either: Simulator, build: Build) -> None:
    ada = await newcomer(either)
    for foreign in (Location(latitude=1, longitude=2), Carousel(cards=())):
        with pytest.raises(Undeliverable) as refused:
            await build(either).deliver(outbound(ada, foreign))
        assert refused.value.code == "not_carried"
    assert either.requests() == []


def test_each_channel_declares_what_is_its_own() -> None:
    facebook, instagram = FACEBOOK, INSTAGRAM
    assert facebook.receipts.delivered
    assert not instagram.receipts.delivered
    assert (facebook.submissions.modes, facebook.submissions.scopes) == (("ticket",), ("channel", "group"))
    assert (instagram.submissions.modes, instagram.submissions.scopes) == ((), ())
    units = [one.rule(ContentKind.TEXT).text for one in (facebook, instagram)]
    assert [(limit.max, limit.unit) for limit in units if limit] == [
        (1999, TextUnit.CHARACTERS),
        (1000, TextUnit.UTF8),
    ]
    assert {extra.value for extra in facebook.extras ^ instagram.extras} == {"edits_in", "recalls_in"}
    assert instagram.rule(ContentKind.STICKER).level is Level.FALLBACK
