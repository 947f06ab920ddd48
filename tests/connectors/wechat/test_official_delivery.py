"""What an Official Account sends is what its follower sees: every kind, notices, and how long it may."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.connectors.wechat.conftest import Build, Shop, media_of, outbound
from tests.connectors.wechat.followers import SEND, UPLOAD, ada, seen, sent
from trunkline.contract import Act
from trunkline.errors import Undeliverable, WindowClosed
from trunkline.model import (
    Audio,
    Button,
    Card,
    Carousel,
    Content,
    File,
    Image,
    Link,
    Media,
    QuickReply,
    Template,
    Text,
    Video,
)
from trunkline.service.rendering import plan_for
from trunkline.testing.faults import Fault
from trunkline.testing.phones import Action
from trunkline.testing.pictures import picture
from trunkline.testing.services import HandClock
from trunkline_wechat import SPEC
from trunkline_wechat.simulator import Simulator
from trunkline_wechat.simulator.weixin import FILM, VOICE

AMR, MP4 = "audio/amr", "video/mp4"


# ---------------------------------------------------------------- kinds


async def test_a_text_is_read_as_it_was_written_and_travels_without_escapes(oa: Simulator, build: Build) -> None:
    customer, words = await ada(oa), "你好 <b>&</b> 👨‍👩‍👧‍👦 \\u4f60"
    accepted = await build(oa).deliver(outbound(customer, words))
    assert [bubble.text for bubble in seen(oa, customer)] == [words]
    assert "你好 <b>&</b>" in oa.requests(SEND)[-1].body
    assert (accepted.route, accepted.parts) == ("custom", ())


async def test_pictures_voice_and_films_are_uploaded_and_seen(oa: Simulator, build: Build) -> None:
    customer, connector = await ada(oa), build(oa)
    keep = media_of(connector).keep
    contents: list[Content] = [
        Image(media=keep(picture("cup"), "image/jpeg", "cup.jpg")),
        Audio(media=keep(VOICE, AMR, "note.amr")),
        Video(media=keep(FILM, MP4, "film.mp4"), caption="Look"),
    ]
    for content in contents:
        await connector.deliver(outbound(customer, content))
    assert [(bubble.kind, bubble.text) for bubble in seen(oa, customer)] == [
        ("image", ""),
        ("audio", ""),
        ("video", "Look"),
    ]
    kept = [file.content for file in oa.world.files.values()]
    assert kept[:3] == [picture("cup"), VOICE, FILM]
    assert kept[3].startswith(b"\xff\xd8\xff"), "a film needs a picture to be shown under"


async def test_a_link_is_one_article(oa: Simulator, build: Build) -> None:
    customer = await ada(oa)
    picture_of = Media(url="https://shop.example/p.jpg")
    link = Link(url="https://shop.example/a", title="Bell", text="Rings", image=picture_of)
    await build(oa).deliver(outbound(customer, link))
    (bubble,) = seen(oa, customer)
    (card,) = bubble.cards
    assert (card.title, card.text, card.url, card.image) == ("Bell", "Rings", link.url, picture_of.url)


async def test_a_picture_with_a_caption_is_a_card_that_opens_it(oa: Simulator, build: Build) -> None:
    customer, connector = await ada(oa), build(oa)
    media = media_of(connector).keep(picture("cup"), "image/jpeg")
    await connector.deliver(outbound(customer, Image(media=media, caption="The price is 3")))
    (card,) = seen(oa, customer)[0].cards
    assert (card.title, card.url) == ("The price is 3", media.url)
    with pytest.raises(Undeliverable, match="no public address") as refused:
        await connector.deliver(outbound(customer, Image(media=Media(id=media.id), caption="x")))
    assert refused.value.whose == "us"


async def test_suggested_answers_are_a_menu_and_a_tap_comes_back_as_a_click(
    oa: Simulator, build: Build, shop: Shop
) -> None:
    customer, connector = await ada(oa), build(oa)
    shop.connector = connector
    answers = (QuickReply(title="Yes", data="answer=1"), QuickReply(title="No"))
    await connector.deliver(outbound(customer, "Was it good?", quick_replies=answers))
    (bubble,) = seen(oa, customer)
    assert (bubble.text, [press.label for press in bubble.quick_replies]) == ("Was it good?", ["Yes", "No"])
    for press in bubble.quick_replies:
        await oa.act(customer, Action(kind="press", press=press.id))
    choices: list[Any] = shop.items[-2:]
    assert [(item.content.data, item.content.title) for item in choices] == [("answer=1", "Yes"), ("No", "No")]
    assert {item.act for item in choices} == {Act.CLICK}


async def test_a_card_is_a_menu_an_article_or_a_text(oa: Simulator, build: Build) -> None:
    customer, connector = await ada(oa), build(oa)
    link, other = Button(title="Shop", url="https://shop.example/a"), Button(title="Map", url="https://shop.example/m")
    for buttons in ((Button(title="Yes", data="y"), link), (link,), (link, other), ()):
        await connector.deliver(outbound(customer, Card(title="Bell", text="It rings", buttons=buttons)))
    menu, article, links, bare = seen(oa, customer)
    assert (menu.text, menu.quick_replies[0].label) == ("Bell\nIt rings\nShop: https://shop.example/a", "Yes")
    assert (article.cards[0].title, article.cards[0].url) == ("Bell", "https://shop.example/a")
    assert links.text == "Bell\nIt rings\nShop: https://shop.example/a\nMap: https://shop.example/m"
    assert bare.text == "Bell\nIt rings"


async def test_suggested_answers_without_a_text_are_refused_in_words(oa: Simulator, build: Build) -> None:
    connector = build(oa)
    media = media_of(connector).keep(picture("cup"), "image/jpeg")
    message = outbound(await ada(oa), Image(media=media), quick_replies=(QuickReply(title="Yes"),))
    with pytest.raises(Undeliverable, match="under a text"):
        await connector.deliver(message)


@pytest.mark.parametrize("content", [Carousel(cards=()), File(media=Media(id="x"))], ids=["carousel", "file"])
async def test_what_the_core_never_gives_is_refused(oa: Simulator, build: Build, content: Content) -> None:
    with pytest.raises(Undeliverable) as refused:
        await build(oa).deliver(outbound(await ada(oa), content))
    assert refused.value.code == "not_carried"


async def test_a_name_of_the_console_can_be_shown(oa: Simulator, build: Build) -> None:
    await build(oa, kf_account="a1@gh_omni").deliver(outbound(await ada(oa), "hi"))
    assert sent(oa)[-1]["customservice"] == {"kf_account": "a1@gh_omni"}


def test_a_long_text_is_split_by_bytes_of_utf_8() -> None:
    plan = plan_for(Text(text="字" * 700), (), SPEC.channel("wechat_oa").capabilities)
    pieces = [part.text for request in plan.requests for part in request.parts if isinstance(part, Text)]
    assert "".join(pieces) == "字" * 700
    assert [len(piece.encode()) <= 2048 for piece in pieces] == [True, True]


async def test_sec_54_a_file_name_cannot_break_out_of_the_form(oa: Simulator, build: Build) -> None:
    customer, connector = await ada(oa), build(oa)
    name = 'a"; name="type"\r\nX-Evil: 1\r\n\r\n.jpg'
    media = media_of(connector).keep(picture("cup"), "image/jpeg", name)
    await connector.deliver(outbound(customer, Image(media=media)))
    assert "\nX-Evil" not in oa.requests(UPLOAD)[-1].body
    assert seen(oa, customer)[-1].kind == "image"


# ---------------------------------------------------------------- notices


async def test_a_template_is_sent_after_the_window_and_its_end_is_told(
    oa: Simulator, build: Build, shop: Shop, clock: HandClock
) -> None:
    customer, connector = await ada(oa), build(oa)
    shop.connector = connector
    clock.move(49 * 3600)
    values = {"first": "Hello", "keyword1": {"value": "42", "color": "#173177"}, "url": "https://shop.example/o"}
    notice = Template(name="TPL_ORDER", language="zh_CN", variables=values)
    accepted = await connector.deliver(outbound(customer, notice))
    (bubble,) = seen(oa, customer)
    assert "Hello" in bubble.text
    assert "42" in bubble.text
    body = json.loads(oa.requests("/cgi-bin/message/template/send")[-1].body)
    assert body["url"] == "https://shop.example/o"
    person, said = oa.world.people[customer], oa.world.find(bubble.id)
    for status, state in (("success", "delivered"), ("failed:user block", "failed")):
        await oa.surface.finish(said, person, status=status)  # type: ignore[attr-defined]  # an Official Account's own
        receipt: Any = shop.items[-1]
        assert (receipt.external_id, receipt.state) == (accepted.parts[0].external_id, state)


async def test_a_repeated_template_is_shown_once(oa: Simulator, build: Build) -> None:
    customer, connector = await ada(oa), build(oa)
    message = outbound(customer, Template(name="TPL_ORDER", language="zh_CN", variables={"first": "Hello"}))
    one, other = await connector.deliver(message), await connector.deliver(message)
    assert one.parts == other.parts
    assert len(seen(oa, customer)) == 1


async def test_templates_are_listed_with_their_blanks(oa: Simulator, build: Build) -> None:
    info, notice = await build(oa).templates()
    assert (notice.name, [one.name for one in notice.variables]) == ("subscribe:TPL_NOTICE", ["thing1"])
    assert (info.name, info.category, info.text) == ("TPL_ORDER", "Order", "{{first}}\nOrder: {{keyword1}}")
    assert [variable.name for variable in info.variables] == ["first", "keyword1"]


async def test_a_subscription_notice_goes_out_once_for_each_consent_follower_or_not(
    oa: Simulator, build: Build, clock: HandClock
) -> None:
    customer, connector = await ada(oa), build(oa)
    await oa.act(customer, Action(kind="unfollow"))
    clock.move(49 * 3600)
    values = {"thing1": "Your order", "url": "https://shop.example/o"}
    notice = Template(name="subscribe:TPL_NOTICE", language="zh_CN", variables=values)
    accepted = await connector.deliver(outbound(customer, notice))
    body = json.loads(oa.requests("/cgi-bin/message/subscribe/bizsend")[-1].body)
    assert body == {
        "touser": customer,
        "template_id": "TPL_NOTICE",
        "data": {"thing1": {"value": "Your order"}},
        "page": "https://shop.example/o",
    }
    assert (accepted.route, len(accepted.parts), len(seen(oa, customer))) == ("template", 1, 1)
    with pytest.raises(Undeliverable) as refused:
        await connector.deliver(outbound(customer, notice))
    assert (refused.value.whose, len(seen(oa, customer))) == ("recipient", 1)


async def test_an_account_without_subscription_notices_lists_its_templates_all_the_same(
    oa: Simulator, build: Build
) -> None:
    refusal = json.dumps({"errcode": 48001, "errmsg": "api unauthorized"})
    oa.fail(Fault(do="answer", path="/wxaapi/newtmpl/gettemplate", status=200, body=refusal))
    assert [one.name for one in await build(oa).templates()] == ["TPL_ORDER"]


# ---------------------------------------------------------------- windows


@pytest.mark.parametrize(
    ("action", "messages", "seconds"),
    [
        ("text", 5, 48 * 3600),
        ("choose", 3, 60),
        ("click", 3, 60),
        ("scan", 3, 60),
        ("follow", 3, 60),
    ],
)
async def test_what_an_act_opens_is_what_is_declared(
    oa: Simulator, build: Build, shop: Shop, clock: HandClock, action: str, messages: int, seconds: int
) -> None:
    customer, connector = oa.add_customer("Ada"), build(oa)
    shop.connector = connector
    await oa.act(customer, Action(kind=action, text="Yes", press="yes"))
    (item,) = shop.items
    windows = SPEC.channel("wechat_oa").capabilities.windows
    (window,) = [one for one in windows if item.act in one.opened_by]  # type: ignore[attr-defined]  # both kinds have it
    assert (window.budget, window.lasts_s) == (messages, seconds)
    clock.move(seconds - 1)
    for _ in range(messages):
        await connector.deliver(outbound(customer, "hi"))
    with pytest.raises(WindowClosed) as spent:
        await connector.deliver(outbound(customer, "one more"))
    assert spent.value.code == "budget_spent"
    clock.move(1)
    with pytest.raises(WindowClosed) as over:
        await connector.deliver(outbound(customer, "too late"))
    assert over.value.code == "window_closed"
    assert len(seen(oa, customer)) == messages


async def test_after_unfollowing_nothing_is_taken_and_the_window_closes(
    oa: Simulator, build: Build, shop: Shop
) -> None:
    customer, connector = await ada(oa), build(oa)
    shop.connector = connector
    await oa.act(customer, Action(kind="unfollow"))
    (item,) = shop.items
    assert all(item.act in one.closed_by for one in SPEC.channel("wechat_oa").capabilities.windows)  # type: ignore[attr-defined]  # a ContactActed
    with pytest.raises(WindowClosed):
        await connector.deliver(outbound(customer, "hi"))
