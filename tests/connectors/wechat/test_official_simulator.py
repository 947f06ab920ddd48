"""The simulated WeChat is as strict as the real one: it refuses with the platform's own codes."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from tests.connectors.wechat.followers import SEND, UPLOAD, ada
from trunkline.testing.phones import Action
from trunkline.testing.pictures import picture
from trunkline.testing.services import HandClock
from trunkline_wechat.simulator import Simulator
from trunkline_wechat.simulator.weixin import FILM

Json = dict[str, Any]
DAY_S = 86_400


async def call(simulator: Simulator, path: str, body: Any = None, *, token: str | None = None, **options: Any) -> Json:
    """Call the simulated API as a stranger would; `body` is JSON, or bytes as they are."""
    params = {"access_token": simulator.world.token()[0] if token is None else token, **options.pop("params", {})}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sends: Json = {} if "files" in options else {"content": content}
    async with httpx2.AsyncClient(trust_env=False, verify=False) as http:
        answer: Json = (await http.post(simulator.url + path, params=params, **sends, **options)).json()
    return answer


async def fetch_token(simulator: Simulator, **more: Any) -> Json:
    who = {"grant_type": "client_credential", "appid": "wx00aa11bb22cc33dd", "secret": simulator.world.secret}
    return await call(simulator, "/cgi-bin/stable_token", {**who, **more}, token="")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"msgtype": "text", "text": {"content": ""}}, 44004),
        ({"msgtype": "text", "text": {"content": "字" * 683}}, 45002),
        ({"msgtype": "text", "text": "hi"}, 47001),
        ({"msgtype": "hologram", "hologram": {}}, 40008),
        ({"msgtype": "link", "link": {"title": "t"}}, 40008),
        ({"msgtype": "image", "image": {"media_id": "nothing"}}, 40007),
        ({"msgtype": "image", "image": {"media_id": ["x"]}}, 40007),
        ({"msgtype": "news", "news": {"articles": [{"title": "a"}, {"title": "b"}]}}, 45008),
        ({"msgtype": "news", "news": {"articles": [{}]}}, 40035),
        ({"msgtype": "msgmenu", "msgmenu": {"list": []}}, 40035),
        ({"msgtype": "msgmenu", "msgmenu": {"list": [{"id": "i" * 65, "content": "c"}]}}, 40035),
        ({"touser": "oNobody", "msgtype": "text", "text": {"content": "hi"}}, 40003),
        (b"{", 47001),
        (b"[]", 47001),
    ],
)
async def test_a_bad_message_is_refused_with_the_platforms_code(oa: Simulator, message: Any, code: int) -> None:
    customer = await ada(oa)
    body = message if isinstance(message, bytes) else {"touser": customer, **message}
    assert (await call(oa, SEND, body))["errcode"] == code
    assert [bubble.mine for bubble in oa.chat(customer)] == [True]


@pytest.mark.parametrize("kind", ["voice", "video", "news", "msgmenu"])
async def test_a_mini_program_has_fewer_kinds(mini: Simulator, kind: str) -> None:
    body = {"touser": await ada(mini), "msgtype": kind, kind: {}}
    assert (await call(mini, SEND, body))["errcode"] == 45162


async def test_escapes_are_shown_to_the_customer_as_they_are(oa: Simulator) -> None:
    customer = await ada(oa)
    body = json.dumps({"touser": customer, "msgtype": "text", "text": {"content": "你"}}).encode()
    assert (await call(oa, SEND, body))["errcode"] == 0
    assert oa.chat(customer)[-1].text == "\\u4f60"


@pytest.mark.parametrize(
    ("kind", "content", "code"),
    [
        ("file", b"%PDF", 40004),
        ("image", b"%PDF", 40005),
        ("image", picture("cup") + b"\0" * 10 * 1024 * 1024, 40006),
        ("voice", b"#!AMR" + b"\0" * 2 * 1024 * 1024, 40010),
        ("thumb", picture("cup") + b"\0" * 65_536, 40006),
        ("video", picture("cup"), 40005),
    ],
)
async def test_a_bad_upload_is_refused(oa: Simulator, kind: str, content: bytes, code: int) -> None:
    answer = await call(oa, UPLOAD, params={"type": kind}, files={"media": ("a", content, "image/jpeg")})
    assert answer["errcode"] == code


async def test_a_mini_program_takes_pictures_only(mini: Simulator) -> None:
    for kind, content, code in (("video", FILM, 40004), ("image", picture("cup"), 0)):
        answer = await call(mini, UPLOAD, params={"type": kind}, files={"media": ("a", content, "image/jpeg")})
        assert answer.get("errcode", 0) == code


async def test_an_upload_without_its_field_is_refused(oa: Simulator) -> None:
    answer = await call(oa, UPLOAD, params={"type": "image"}, files={"other": ("a", b"x", "image/jpeg")})
    assert answer["errcode"] == 41005


async def test_files_live_three_days(oa: Simulator, clock: HandClock) -> None:
    id_ = oa.world.keep("image", picture("cup"), "image/jpeg")
    clock.move(3 * DAY_S - 1)
    assert oa.world.file(id_) is not None
    clock.move(1)
    assert oa.world.file(id_) is None


# ---------------------------------------------------------------- tokens


@pytest.mark.parametrize(("token", "code"), [("", 41001), ("nonsense", 40014)])
async def test_a_call_without_a_good_token_is_refused(oa: Simulator, token: str, code: int) -> None:
    assert (await call(oa, SEND, {}, token=token))["errcode"] == code


async def test_a_token_ends_after_two_hours(oa: Simulator, clock: HandClock) -> None:
    token, seconds = oa.world.token()
    clock.move(seconds - 1)
    assert oa.world.refusal(token) == 0
    clock.move(1)
    assert oa.world.refusal(token) == 42001


@pytest.mark.parametrize(("more", "code"), [({"appid": "wxother"}, 40013), ({"secret": "wrong"}, 40125)])
async def test_a_token_needs_the_right_account_and_secret(oa: Simulator, more: Json, code: int) -> None:
    assert (await fetch_token(oa, **more))["errcode"] == code


async def test_the_stable_way_gives_the_same_token_until_its_last_five_minutes(oa: Simulator, clock: HandClock) -> None:
    first = await fetch_token(oa)
    clock.move(6899)
    again = await fetch_token(oa)
    assert (again["access_token"], again["expires_in"]) == (first["access_token"], 301)
    clock.move(2)
    assert (await fetch_token(oa))["access_token"] != first["access_token"]
    assert oa.world.refusal(first["access_token"]) == 0, "both work for a while"


async def test_force_ends_the_old_token_and_is_rationed(oa: Simulator, clock: HandClock) -> None:
    first = (await fetch_token(oa))["access_token"]
    forced = await fetch_token(oa, force_refresh=True)
    assert oa.world.refusal(first) == 40014
    assert oa.world.refusal(forced["access_token"]) == 0
    assert (await fetch_token(oa, force_refresh=True))["errcode"] == 45009
    for _ in range(19):
        clock.move(30)
        assert "access_token" in await fetch_token(oa, force_refresh=True)
    clock.move(30)
    assert (await fetch_token(oa, force_refresh=True))["errcode"] == 45009


async def test_the_classic_way_ends_the_token_before(oa: Simulator) -> None:
    first, second = oa.world.token(fresh=True)[0], oa.world.token(fresh=True)[0]
    assert (oa.world.refusal(first), oa.world.refusal(second)) == (40014, 0)


# ---------------------------------------------------------------- typing and rights


async def test_typing_needs_a_right_and_a_recent_word(oa: Simulator, clock: HandClock) -> None:
    path, customer = "/cgi-bin/message/custom/typing", oa.add_customer("Ada")

    async def typing(command: str = "Typing") -> int:
        return int((await call(oa, path, {"touser": customer, "command": command}))["errcode"])

    assert await typing() == 45015
    await oa.act(customer, Action(kind="text", text="hello"))
    assert [await typing("Dance"), await typing(), await typing(), await typing("CancelTyping")] == [45072, 0, 45081, 0]
    assert not oa.customers()[0].typing
    clock.move(31)
    assert await typing() == 45080


async def test_rights_do_not_add_up(oa: Simulator, clock: HandClock) -> None:
    customer = await ada(oa)
    person = oa.world.people[customer]
    ends = person.open_until_ms
    await oa.act(customer, Action(kind="click"))
    assert (person.left, person.open_until_ms) == (5, ends)
    person.left = 1
    await oa.act(customer, Action(kind="click"))
    assert (person.left, person.open_until_ms) == (3, ends)
    clock.move(3 * DAY_S)
    await oa.act(customer, Action(kind="click"))
    assert (person.left, person.open_until_ms) == (3, clock.now_ms() + 60_000)
