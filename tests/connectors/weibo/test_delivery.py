from __future__ import annotations

import json
from typing import Any

import pytest

from tests.connectors.weibo.conftest import Build, outbound
from trunkline.contract import Connector
from trunkline.errors import DeliveryError, RateLimited, SignInNeeded, TryLater, Uncertain, Undeliverable, WindowClosed
from trunkline.model import Audio, Card, Carousel, Content, Image, Link, Location, Media, Sticker, Text
from trunkline.testing.faults import Fault
from trunkline.testing.phones import Action
from trunkline.testing.services import HandClock
from trunkline_weibo.api import ERRORS, STATUSES
from trunkline_weibo.simulator import Simulator
from trunkline_weibo.simulator.world import Fan

REPLY = "/2/messages/reply.json"
PICTURE = Media(url="https://files.example/p.jpg", preview_url="https://files.example/s.jpg")
SALE = "https://shop.example/sale"
ARTICLE = {"display_name": "Sale", "summary": "Now", "image": PICTURE.preview_url, "url": SALE}


@pytest.mark.parametrize(
    ("part", "kind", "data"),
    [
        (Text(text='50% "off" & 你好\n👨‍👩‍👧'), "text", {"text": '50% "off" & 你好\n👨‍👩‍👧'}),
        (Text(text="字" * 299), "text", {"text": "字" * 299}),
        (
            Location(latitude=39.98, longitude=-116.3, title="Here"),
            "position",
            {"longitude": "-116.300000", "latitude": "39.980000"},
        ),
        (Link(url="https://a.example/x", title="A", text="b"), "text", {"text": "A\nb\nhttps://a.example/x"}),
        (Link(url="https://a.example/x"), "text", {"text": "https://a.example/x"}),
        (Link(url=SALE, title="Sale", text="Now", image=PICTURE), "articles", {"articles": [ARTICLE]}),
    ],
)
async def test_each_kind_goes_out_as_weibo_takes_it(
    connector: Connector, weibo: Simulator, ada: Fan, part: Content, kind: str, data: dict[str, Any]
) -> None:
    accepted = await connector.deliver(outbound(ada, part))
    assert (accepted.route, accepted.parts) == ("reply", ())
    ((fan, sent, told, form),) = weibo.platform.replies
    assert (fan, sent, told) == (ada.id, kind, data)
    assert form["save_sender_box"] == "1"
    assert weibo.chat(ada.id)[-1].mine is False


async def test_the_data_is_encoded_once(connector: Connector, weibo: Simulator, ada: Fan) -> None:
    await connector.deliver(outbound(ada, "100% 你好"))
    assert json.loads(weibo.platform.replies[0][3]["data"]) == {"text": "100% 你好"}


async def test_a_long_link_is_never_cut(connector: Connector, weibo: Simulator, ada: Fan) -> None:
    url = "https://files.example/" + "x" * 200
    await connector.deliver(outbound(ada, Link(url=url, title="t" * 400)))
    text = weibo.platform.replies[0][2]["text"]
    assert text.endswith(url)
    assert len(text) == 299


@pytest.mark.parametrize(
    "part",
    [
        Sticker(text="x"),
        Card(title="x"),
        Carousel(cards=()),
        Audio(media=PICTURE),
        Image(media=PICTURE),
        Link(url="x" * 300),
    ],
)
async def test_what_weibo_does_not_have_is_refused_before_the_wire(
    connector: Connector, weibo: Simulator, ada: Fan, part: Content
) -> None:
    with pytest.raises(Undeliverable) as refused:
        await connector.deliver(outbound(ada, part))
    assert refused.value.whose == "content"
    assert not weibo.requests()


async def test_the_commercial_interface_is_another_path(build: Build, weibo: Simulator, ada: Fan) -> None:
    await build(interface="commercial", save_sender_box=False).deliver(outbound(ada, "hello"))
    assert [entry.path for entry in weibo.journal] == ["/2/messages/reply/biz.json"]
    assert weibo.platform.replies[0][3]["save_sender_box"] == "0"


# ---------------------------------------------------------------- refusals

TABLE = [(code, meaning) for code, meaning in ERRORS.items()]


@pytest.mark.parametrize(("code", "meaning"), TABLE, ids=[str(code) for code, _ in TABLE])
async def test_each_number_of_the_table_means_what_it_says(
    connector: Connector, weibo: Simulator, ada: Fan, code: int, meaning: Any
) -> None:
    body = {"request": REPLY, "error_code": code, "error": "in Weibo's words"}
    weibo.fail(Fault(do="answer", path=REPLY, status=400, body=json.dumps(body)))
    with pytest.raises(DeliveryError, match="in Weibo's words") as refused:
        await connector.deliver(outbound(ada, "hello"))
    expected = meaning()
    assert (type(refused.value), refused.value.code) == (type(expected), expected.code)
    assert getattr(refused.value, "whose", None) == getattr(expected, "whose", None)
    assert refused.value.answer
    assert (refused.value.answer.status, refused.value.answer.code) == (400, str(code))


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        ((21314, 21315, 21316, 21317, 21318, 21319, 21327, 21332, 10014), SignInNeeded),
        ((10022, 10023, 10024), RateLimited),
        ((10001, 10010), TryLater),
        ((20003, 20012, 20013), Undeliverable),
        ((20301, 20016), WindowClosed),
    ],
)
def test_the_table_has_every_number_of_the_platform(codes: tuple[int, ...], kind: type[DeliveryError]) -> None:
    assert {type(ERRORS[code]()) for code in codes} == {kind}


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        *((status, "", type(meaning()), meaning().code) for status, meaning in STATUSES.items()),
        (400, '{"error_code": 20021, "error": "content is illegal"}', Undeliverable, "refused"),
        (400, '{"error_code": "20003"}', Undeliverable, "recipient_unknown"),
        (200, '{"error_code": 10023}', RateLimited, "rate_limited"),
        (200, '{"result": false}', Undeliverable, "refused"),
        (404, "<html>", Undeliverable, "refused"),
        (302, "", Undeliverable, "refused"),
        (500, "", Uncertain, "uncertain"),
        (502, "<html>bad gateway</html>", Uncertain, "uncertain"),
        (504, "", Uncertain, "uncertain"),
        (500, '{"error_code": 10001}', TryLater, "platform_busy"),
        (503, '{"error_code": 77777}', TryLater, "platform_busy"),
        (200, "not JSON", Uncertain, "uncertain"),
        (200, "[]", Uncertain, "uncertain"),
    ],
)
async def test_an_answer_without_a_known_number_is_read_by_its_status(
    connector: Connector, weibo: Simulator, ada: Fan, status: int, body: str, kind: type[DeliveryError], code: str
) -> None:
    weibo.fail(Fault(do="answer", path=REPLY, status=status, body=body))
    with pytest.raises(DeliveryError) as refused:
        await connector.deliver(outbound(ada, "hello"))
    assert (type(refused.value), refused.value.code) == (kind, code)


@pytest.mark.parametrize("after_s", [None, 17])
async def test_too_many_requests_wait_as_long_as_weibo_says(
    connector: Connector, weibo: Simulator, ada: Fan, after_s: int | None
) -> None:
    weibo.fail(weibo.limited(after_s=after_s))
    with pytest.raises(RateLimited) as refused:
        await connector.deliver(outbound(ada, "hello"))
    assert refused.value.after_s == after_s


async def test_a_stranger_cannot_be_written_to(connector: Connector) -> None:
    with pytest.raises(Undeliverable) as refused:
        await connector.deliver(outbound("2999999999", "hello"))
    assert (refused.value.whose, refused.value.code) == ("recipient", "recipient_unknown")


# ---------------------------------------------------------------- the simulated platform keeps the rules


@pytest.mark.parametrize(("hours", "taken"), [(0, True), (47.999, True), (48, False)])
async def test_a_message_opens_forty_eight_hours(
    connector: Connector, weibo: Simulator, clock: HandClock, hours: float, taken: bool
) -> None:
    fan = weibo.world.fan("Bo")
    await weibo.act(fan.id, Action(kind="text", text="hello"))
    clock.move(hours * 3600)
    if taken:
        await connector.deliver(outbound(fan, "hi"))
        return
    with pytest.raises(WindowClosed) as refused:
        await connector.deliver(outbound(fan, "hi"))
    assert refused.value.code == "window_closed"


@pytest.mark.parametrize(
    ("act", "opens"),
    [
        ("follow", True),
        ("subscribe", True),
        ("scan", True),
        ("scan_follow", True),
        ("click", True),
        ("view", False),
        ("unsubscribe", False),
        ("unfollow", False),
    ],
)
async def test_which_acts_let_the_account_write(weibo: Simulator, connector: Connector, act: str, opens: bool) -> None:
    fan = weibo.world.fan("Bo")
    await weibo.act(fan.id, Action(kind=act))
    if opens:
        await connector.deliver(outbound(fan, "hi"))
    else:
        with pytest.raises(WindowClosed):
            await connector.deliver(outbound(fan, "hi"))


async def test_a_mention_allows_one_answer(weibo: Simulator, connector: Connector) -> None:
    fan = weibo.world.fan("Bo")
    await weibo.act(fan.id, Action(kind="mention"))
    await connector.deliver(outbound(fan, "hi"))
    with pytest.raises(WindowClosed):
        await connector.deliver(outbound(fan, "again"))


async def test_after_unfollow_nothing_is_taken(weibo: Simulator, connector: Connector, ada: Fan) -> None:
    await weibo.act(ada.id, Action(kind="unfollow"))
    with pytest.raises(WindowClosed):
        await connector.deliver(outbound(ada, "hi"))


async def test_the_hundredth_answer_is_one_too_many(weibo: Simulator, connector: Connector, ada: Fan) -> None:
    ada.left = 1
    await connector.deliver(outbound(ada, "the ninety-ninth"))
    with pytest.raises(WindowClosed):
        await connector.deliver(outbound(ada, "the hundredth"))


async def test_a_text_of_three_hundred_is_refused_by_weibo(weibo: Simulator, connector: Connector, ada: Fan) -> None:
    with pytest.raises(Undeliverable) as refused:
        await connector.deliver(outbound(ada, "x" * 300))
    assert refused.value.code == "text_too_long"


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("text", "%7B%22text%22%3A%22x%22%7D"),
        ("text", "{}"),
        ("text", "[]"),
        ("image", "{}"),
        ("articles", '{"articles": []}'),
        ("articles", json.dumps({"articles": [ARTICLE] * 9})),
        ("articles", '{"articles": [{"display_name": "x"}]}'),
        ("position", '{"longitude": 1.0, "latitude": 2.0}'),
        ("position", '{"longitude": "200", "latitude": "2"}'),
        ("position", "{}"),
    ],
)
async def test_the_simulator_refuses_what_weibo_would(weibo: Simulator, ada: Fan, kind: str, data: str) -> None:
    import httpx2

    form = {"access_token": weibo.world.token, "receiver_id": ada.id, "type": kind, "data": data}
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(weibo.url + REPLY, data=form)
    assert answer.status_code == 400
    assert answer.json()["error_code"] in {10016, 10017}
    assert not ada.said
