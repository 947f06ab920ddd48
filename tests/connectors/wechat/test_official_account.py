"""The account itself: files from customers, people, typing, the probe, and the door in all three modes."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tests.connectors.wechat.conftest import Build, Shop, tokens_of
from trunkline.contract import Connector, MessageReceived, Signal
from trunkline.errors import DeliveryError, SignatureInvalid, TryLater, Undeliverable
from trunkline.model import Address, Media, MediaSource, media_of
from trunkline.testing.faults import Fault
from trunkline.testing.phones import Action
from trunkline.testing.pictures import picture
from trunkline.testing.services import HandClock
from trunkline_wechat.simulator import Simulator
from trunkline_wechat.simulator.weixin import FAULT, FILM, VOICE, Weixin

GET, TYPING = "/cgi-bin/media/get", "/cgi-bin/message/custom/typing"
DAY_S = 86_400


def surface(simulator: Simulator) -> Weixin:
    assert isinstance(simulator.surface, Weixin)
    return simulator.surface


async def received(simulator: Simulator, shop: Shop, connector: Connector, action: Action) -> Media:
    """Let a customer send a file and return what the connector read of it."""
    shop.connector = connector
    await simulator.act(simulator.add_customer("Ada"), action)
    item = shop.items[-1]
    assert isinstance(item, MessageReceived)
    return media_of(item.content)[0]


async def content_of(connector: Connector, media: Media) -> tuple[bytes, str | None]:
    stream = await connector.fetch(media)
    return b"".join([chunk async for chunk in stream.chunks]), stream.mime


# ---------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("kind", "content", "mime"),
    [("image", picture("parcel"), "image/jpeg"), ("voice", VOICE, "audio/amr"), ("video", FILM, "video/mp4")],
)
async def test_what_a_customer_sends_is_fetched(
    oa: Simulator, build: Build, shop: Shop, kind: str, content: bytes, mime: str
) -> None:
    connector = build(oa)
    media = await received(oa, shop, connector, Action(kind=kind))
    assert await content_of(connector, media) == (content, mime)


async def test_after_three_days_only_the_copy_of_a_picture_is_left(
    oa: Simulator, build: Build, shop: Shop, clock: HandClock
) -> None:
    connector = build(oa)
    image = await received(oa, shop, connector, Action(kind="image"))
    voice = await received(oa, shop, connector, Action(kind="voice"))
    oa.fail(Fault(do="answer", path=GET, status=200, body='{"errcode":40007,"errmsg":"invalid media_id"}'))
    assert (await content_of(connector, image))[0] == picture("parcel")
    clock.move(3 * DAY_S)
    with pytest.raises(Undeliverable) as gone:
        await connector.fetch(voice)
    assert gone.value.code == "media_refused"
    with pytest.raises(DeliveryError):
        await connector.fetch(image)


async def test_a_token_that_ended_is_fetched_anew_for_a_file_too(oa: Simulator, build: Build, shop: Shop) -> None:
    connector = build(oa)
    media = await received(oa, shop, connector, Action(kind="voice"))
    await content_of(connector, media)
    oa.expire_tokens()
    assert (await content_of(connector, media))[0] == VOICE
    assert tokens_of(connector).renewals == 2


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        (Fault(do="answer", path=GET, status=200, body='{"errcode":-1,"errmsg":"system error"}'), TryLater),
        (Fault(do="answer", path=GET, status=200, body='{"errcode":0}', content_type="image/jpeg"), Undeliverable),
        (Fault(do="answer", path=GET, status=200, body="", content_type="image/jpeg"), TryLater),
        (Fault(do="answer", path=GET, status=503, body="busy", content_type="text/html"), TryLater),
        (Fault(do="answer", path=GET, status=404, body="", content_type="text/html"), Undeliverable),
    ],
)
async def test_an_error_in_the_place_of_a_file_is_seen_whatever_it_calls_itself(
    oa: Simulator, build: Build, shop: Shop, fault: Fault, wanted: type[DeliveryError]
) -> None:
    connector = build(oa)
    media = await received(oa, shop, connector, Action(kind="voice"))
    oa.fail(fault)
    with pytest.raises(wanted):
        await connector.fetch(media)


@pytest.mark.parametrize("source", [None, MediaSource(reference="https://other.example/x", external=True)])
async def test_what_wechat_does_not_keep_is_not_asked_for(
    oa: Simulator, build: Build, source: MediaSource | None
) -> None:
    with pytest.raises(Undeliverable):
        await build(oa).fetch(Media(source=source))
    assert not oa.journal


async def test_words_that_wechat_heard_are_kept(oa: Simulator, build: Build, shop: Shop) -> None:
    media = await received(oa, shop, build(oa), Action(kind="voice", text="你好"))
    assert media.source is not None
    assert media.source.extra["recognition"] == "你好"


# ---------------------------------------------------------------- people


async def test_of_a_follower_our_remark_and_the_language_are_told(oa: Simulator, build: Build) -> None:
    person = oa.world.person("Ada")
    person.more["remark"] = "Ada from the shop"
    profile = await build(oa).profile(Address(external_id=person.id))
    assert profile is not None
    assert (profile.name, profile.language, profile.picture_url) == ("Ada from the shop", "zh-CN", None)


async def test_of_who_left_or_never_came_nothing_is_told(oa: Simulator, build: Build) -> None:
    person = oa.world.person("Ada")
    person.follows = False
    for id_ in (person.id, "oNobody"):
        assert await build(oa).profile(Address(external_id=id_)) is None


async def test_an_account_without_the_right_to_ask_has_no_profiles(oa: Simulator, build: Build) -> None:
    oa.fail(Fault(do="answer", path="/cgi-bin/user/info", status=200, body='{"errcode":48001,"errmsg":"no"}'))
    assert await build(oa).profile(Address(external_id=oa.world.person("Ada").id)) is None


# ---------------------------------------------------------------- typing


def typing(to: str, kind: str = "typing") -> Signal:
    return Signal(kind=kind, to=Address(external_id=to), thread_key=to)


async def test_typing_is_shown_for_fifteen_seconds_and_not_asked_twice(
    oa: Simulator, build: Build, clock: HandClock
) -> None:
    customer, connector = oa.add_customer("Ada"), build(oa)
    await oa.act(customer, Action(kind="text", text="hello"))
    for _ in range(3):
        await connector.signal(typing(customer))
    assert oa.customers()[0].typing
    assert len(oa.requests(TYPING)) == 1
    clock.move(15)
    assert not oa.customers()[0].typing
    await connector.signal(typing(customer))
    assert len(oa.requests(TYPING)) == 2
    await connector.signal(typing(customer, "read"))
    assert len(oa.requests(TYPING)) == 2


@pytest.mark.parametrize("code", [45080, 45081])
async def test_a_refusal_to_show_typing_is_nobodys_trouble(oa: Simulator, build: Build, code: int) -> None:
    oa.fail(Fault(do="answer", path=TYPING, status=200, body=json.dumps({"errcode": code, "errmsg": "no"})))
    await build(oa).signal(typing("oABC"))
    assert len(oa.requests(TYPING)) == 1


# ---------------------------------------------------------------- the probe


async def test_a_probe_says_who_is_connected_and_what_is_left_of_the_day(oa: Simulator, build: Build) -> None:
    health = await build(oa).probe()
    assert (health.state, health.quota_left) == ("connected", 499_900)
    assert "wx00aa11bb22cc33dd" in health.summary
    assert len(health.advice) == 1, "what WeChat does not tell"


@pytest.mark.parametrize(
    ("mode", "settings", "words"),
    [("plain", {}, "forged"), ("compatible", {}, "in clear"), ("secure", {"tokens_from": "token"}, "stable_token")],
)
async def test_a_probe_advises_what_is_safer(
    oa: Simulator, build: Build, mode: str, settings: dict[str, Any], words: str
) -> None:
    surface(oa).mode = mode
    health = await build(oa, **settings).probe()
    assert any(words in advice for advice in health.advice)


async def test_a_probe_says_what_to_do_about_an_address_that_is_not_allowed(oa: Simulator, build: Build) -> None:
    surface(oa).refuses_address = True
    health = await build(oa).probe()
    assert health.state == "sign_in_needed"
    assert "192.0.2.7" in health.summary
    assert "allow-list" in health.advice[0]


async def test_a_probe_tells_wrong_secrets_from_a_platform_that_is_down(oa: Simulator, build: Build) -> None:
    wrong = await build(oa, app_secret="wrong").probe()
    assert (wrong.state, "AppSecret" in wrong.advice[0]) == ("sign_in_needed", True)
    oa.fail(Fault(do="answer", path="/cgi-bin/stable_token", status=503))
    assert (await build(oa).probe()).state == "failing"
    oa.fail(Fault(do="answer", path="/cgi-bin/openapi/quota/get", status=200, body='{"errcode":48001,"errmsg":"no"}'))
    assert (await build(oa).probe()).quota_left is None


# ---------------------------------------------------------------- the door


@pytest.mark.parametrize("mode", ["plain", "compatible", "secure"])
@pytest.mark.parametrize("speaks_json", [False, True])
async def test_in_every_mode_what_the_platform_sends_is_let_in(
    oa: Simulator, build: Build, shop: Shop, mode: str, speaks_json: bool
) -> None:
    surface(oa).mode, surface(oa).speaks_json = mode, speaks_json
    shop.connector = build(oa)
    await oa.act(oa.add_customer("Ada"), Action(kind="text", text="你好"))
    (item,) = shop.items
    assert isinstance(item, MessageReceived)
    assert oa.webhooks[-1].statuses == [200]
    assert ("你好".encode() in shop.requests[-1].body) == (mode != "secure")


async def test_sec_10_the_forged_twin_of_a_compatible_message_is_never_read(
    oa: Simulator, build: Build, shop: Shop
) -> None:
    surface(oa).mode = "compatible"
    shop.connector = connector = build(oa)
    await oa.act(oa.add_customer("Ada"), Action(kind="text", text="real"))
    forged = msgspec.structs.replace(shop.requests[-1], body=shop.requests[-1].body.replace(b"real", b"fake"))
    assert b"real" in bytes(connector.authenticate(forged))
    assert b"fake" not in bytes(connector.authenticate(forged))


async def test_sec_10_a_captured_plain_request_lets_nothing_else_in(oa: Simulator, build: Build, shop: Shop) -> None:
    surface(oa).mode = "plain"
    shop.connector = connector = build(oa)
    await oa.act(oa.add_customer("Ada"), Action(kind="text", text="real"))
    forged = msgspec.structs.replace(shop.requests[-1], body=b"<xml><Content>fake</Content></xml>")
    with pytest.raises(SignatureInvalid):
        connector.authenticate(forged)
    oa.clock.move(301)  # type: ignore[attr-defined]  # a clock moved by hand
    with pytest.raises(SignatureInvalid):
        connector.authenticate(shop.requests[-1])


async def test_sec_10_with_a_key_a_plain_request_is_a_downgrade_and_refused(oa: Simulator, build: Build) -> None:
    connector = build(oa)
    surface(oa).mode = "plain"
    with pytest.raises(SignatureInvalid):
        connector.authenticate(oa.webhook(b"<xml><Content>fake</Content></xml>"))


async def test_the_address_is_checked_with_a_plain_echo_in_every_mode(oa: Simulator, build: Build) -> None:
    request, echo = oa.surface.challenge()
    reply = build(oa).handshake(request)
    assert reply is not None
    assert reply.body == echo


async def test_the_answer_to_the_platform_is_empty(oa: Simulator, build: Build) -> None:
    reply = build(oa).acknowledge([])
    assert (reply.status, reply.body) == (200, b"")


async def test_a_packet_for_another_account_is_only_reported(oa: Simulator, build: Build, shop: Shop) -> None:
    shop.connector = build(oa, original_id="gh_other")
    await oa.act(oa.add_customer("Ada"), Action(kind="text", text="hello"))
    assert [type(item).__name__ for item in shop.items] == ["AccountChanged"]


# ---------------------------------------------------------------- the simulator's own rules


@pytest.mark.parametrize(("status", "deliveries"), [(200, 1), (500, 3), (503, 3)])
async def test_the_platform_delivers_three_times_until_it_hears_yes(
    oa: Simulator, shop: Shop, status: int, deliveries: int
) -> None:
    shop.status = status
    await oa.act(oa.add_customer("Ada"), Action(kind="text", text="hello"))
    assert oa.webhooks[-1].statuses == [status] * deliveries


@pytest.mark.parametrize(("body", "is_shown"), [(b"", False), (b"success", False), (b'"success"', True), (b"{}", True)])
async def test_an_answer_that_is_no_reply_is_shown_to_the_customer(
    oa: Simulator, shop: Shop, body: bytes, is_shown: bool
) -> None:
    shop.body, customer = body, oa.add_customer("Ada")
    await oa.act(customer, Action(kind="text", text="hello"))
    assert (FAULT[True] in [bubble.text for bubble in oa.chat(customer)]) == is_shown


async def test_the_phone_can_write_send_a_picture_and_press(oa: Simulator, build: Build) -> None:
    customer = oa.add_customer("Ada")
    for action in oa.writes.values():
        await oa.act(customer, action)
    assert [bubble.kind for bubble in oa.chat(customer)] == [
        "text",
        "image",
        "cards",
        "audio",
        "video",
        "location",
        "text",
    ]
    with pytest.raises(ValueError, match="sticker"):
        await oa.act(customer, Action(kind="sticker"))
    assert oa.customers()[0].last == "Yes"
