"""A Mini Program: JSON packets, fewer kinds, another window, notices by consent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.connectors.wechat.conftest import Build, Shop, media_of, outbound
from trunkline.contract import Act, ContactActed, Signal
from trunkline.errors import DeliveryError, Undeliverable, WindowClosed
from trunkline.model import Address, Audio, Content, Image, Link, Media, QuickReply, Template, Text, Video
from trunkline.service.rendering import plan_for
from trunkline.testing.phones import Action
from trunkline.testing.pictures import picture
from trunkline.testing.services import HandClock
from trunkline_wechat import SPEC
from trunkline_wechat.simulator import Simulator
from trunkline_wechat.simulator.weixin import Weixin

SUBSCRIBE, TYPING = "/cgi-bin/message/subscribe/send", "/cgi-bin/message/custom/business/typing"
NOTICE = Template(name="TPL_NOTICE", language="zh_CN", variables={"thing1": "Your question", "page": "pages/i"})


async def ada(mini: Simulator) -> str:
    customer = mini.add_customer("Ada")
    await mini.act(customer, Action(kind="text", text="hello"))
    return customer


def surface(mini: Simulator) -> Weixin:
    assert isinstance(mini.surface, Weixin)
    return mini.surface


async def test_what_customers_send_arrives_in_json_and_in_xml(mini: Simulator, build: Build, shop: Shop) -> None:
    shop.connector = build(mini)
    for speaks_json in (True, False):
        surface(mini).speaks_json = speaks_json
        for action in mini.writes.values():
            await mini.act(mini.add_customer("Ada"), action)
    kinds = [item.content.__struct_config__.tag for item in shop.items]  # type: ignore[attr-defined]  # all are messages
    assert kinds == ["text", "image", "link"] * 2
    with pytest.raises(ValueError, match="voice"):
        await mini.act(mini.add_customer("Ada"), Action(kind="voice"))


async def test_text_picture_and_link_are_seen(mini: Simulator, build: Build) -> None:
    customer, connector = await ada(mini), build(mini)
    media = media_of(connector).keep(picture("cup"), "image/jpeg")
    link = Link(url="https://shop.example/a", title="Bell", text="Rings", image=Media(url="https://shop.example/p"))
    for content in (Text(text="hi"), Image(media=media), link, Image(media=media, caption="The price is 3")):
        await connector.deliver(outbound(customer, content))
    shown = [bubble for bubble in mini.chat(customer) if not bubble.mine]
    assert [bubble.kind for bubble in shown] == ["text", "image", "cards", "cards"]
    assert (shown[2].cards[0].title, shown[2].cards[0].image) == ("Bell", "https://shop.example/p")
    assert (shown[3].cards[0].title, shown[3].cards[0].url) == ("The price is 3", media.url)


@pytest.mark.parametrize("kind", [Audio, Video])
async def test_sound_and_films_become_links(mini: Simulator, build: Build, kind: Any) -> None:
    content: Content = kind(media=Media(url="https://files.example/a", mime="audio/amr", name="note.amr"))
    plan = plan_for(content, (), SPEC.channel("wechat_mini").capabilities)
    assert [type(part) for request in plan.requests for part in request.parts] == [Link]
    with pytest.raises(Undeliverable):
        await build(mini).deliver(outbound(await ada(mini), content))


def test_suggested_answers_are_listed_in_the_text() -> None:
    answers = [QuickReply(title="Yes"), QuickReply(title="No")]
    plan = plan_for(Text(text="Good?"), answers, SPEC.channel("wechat_mini").capabilities)
    assert plan.requests[0].parts == (Text(text="Good?\n\n1. Yes\n2. No"),)
    assert plan.requests[0].quick_replies == ()


@pytest.mark.parametrize(("action", "messages", "seconds"), [("text", 5, 48 * 3600), ("enter", 2, 60)])
async def test_what_an_act_opens_is_what_is_declared(
    mini: Simulator, build: Build, shop: Shop, clock: HandClock, action: str, messages: int, seconds: int
) -> None:
    customer, connector = mini.add_customer("Ada"), build(mini)
    shop.connector = connector
    await mini.act(customer, Action(kind=action, text="sku=42"))
    item: Any = shop.items[0]
    (window,) = [one for one in SPEC.channel("wechat_mini").capabilities.windows if item.act in one.opened_by]
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


async def test_another_path_for_sending_can_be_set(mini: Simulator, build: Build) -> None:
    path = "/cgi-bin/message/custom/business/send"
    await build(mini, custom_send_path=path).deliver(outbound(await ada(mini), "hi"))
    assert len(mini.requests(path)) == 1


async def test_typing_has_a_path_of_its_own_here(mini: Simulator, build: Build) -> None:
    customer = await ada(mini)
    await build(mini).signal(Signal(kind="typing", to=Address(external_id=customer), thread_key=customer))
    assert mini.customers()[0].typing
    assert len(mini.requests(TYPING)) == 1


async def test_nobody_is_asked_about_people(mini: Simulator, build: Build) -> None:
    assert await build(mini).profile(Address(external_id=await ada(mini))) is None
    assert not mini.requests("/cgi-bin/user/*")


async def test_a_notice_costs_a_consent_and_its_end_is_told(
    mini: Simulator, build: Build, shop: Shop, clock: HandClock
) -> None:
    customer, connector = await ada(mini), build(mini)
    clock.move(49 * 3600)
    accepted = await connector.deliver(outbound(customer, NOTICE))
    body = json.loads(mini.requests(SUBSCRIBE)[-1].body)
    assert (body["page"], body["lang"], body["data"]) == ("pages/i", "zh_CN", {"thing1": {"value": "Your question"}})
    with pytest.raises(Undeliverable) as refused:
        await connector.deliver(outbound(customer, NOTICE))
    assert (refused.value.code, refused.value.whose) == ("recipient_refused", "recipient")
    shop.connector = connector
    person, said = mini.world.people[customer], mini.world.people[customer].said[-1]
    for speaks_json in (True, False):
        surface(mini).speaks_json = speaks_json
        for status, state in (("success", "delivered"), ("refused", "failed")):
            await surface(mini).finish(said, person, status=status)
            receipt: Any = shop.items[-1]
            assert (receipt.external_id, receipt.state) == (accepted.parts[0].external_id, state)


async def test_a_consent_is_told_and_is_good_for_one_more_notice(mini: Simulator, build: Build, shop: Shop) -> None:
    customer, connector = await ada(mini), build(mini)
    shop.connector = connector
    await connector.deliver(outbound(customer, NOTICE))
    await surface(mini).consent(mini.world.people[customer])
    (item,) = shop.items
    assert isinstance(item, ContactActed)
    assert item.act is Act.CONSENT
    await connector.deliver(outbound(customer, NOTICE))
    await surface(mini).consent(mini.world.people[customer], accepts=False)
    with pytest.raises(DeliveryError):
        await connector.deliver(outbound(customer, NOTICE))


async def test_notices_are_listed_with_their_blanks(mini: Simulator, build: Build) -> None:
    (info,) = await build(mini).templates()
    assert (info.name, info.text, [one.name for one in info.variables]) == (
        "TPL_NOTICE",
        "Subject:{{thing1}}",
        ["thing1"],
    )


async def test_a_probe_knows_the_mini_program(mini: Simulator, build: Build) -> None:
    health = await build(mini).probe()
    assert health.state == "connected"
    assert "message push" in health.advice[0]
