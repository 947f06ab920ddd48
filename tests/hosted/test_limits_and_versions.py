"""What is too much, who is too old, and accounts that cannot be told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosted.booth import BOOTH
from tests.hosted.conftest import Opener, write_settings
from tests.hosted.people import KEY, OTHER_KEY, Place, Visitor, closed, message, raw_socket, until
from trunkline.errors import StartRefused
from trunkline.hosted import Client
from trunkline.hosted.limiting import Limit, Limiter
from trunkline.hosted.versions import at_least
from trunkline.service.account import Account


@pytest.mark.parametrize("version", ["3.0.3", "3.0.3.0", "v3.0.3", "3.0.10", "3.1", "4", "3.0.3.1"])
def test_new_enough(version: str) -> None:
    assert at_least(version, "3.0.3")


@pytest.mark.parametrize(
    "version",
    [
        "3.0.2",
        "3.0",
        "3",
        "2.99.99",
        "3.0.3-beta",
        None,
        "",
        "latest",
        "3..3",
        "3.0.3.1.2",
        "3.0.3 ",
        "٣.0.3",
        "-3",
        "3.0.3-",
    ],
)
def test_too_old(version: str | None) -> None:
    assert not at_least(version, "3.0.3")


@pytest.mark.parametrize(
    ("platform", "version", "reason"),
    [
        ("ios", "3.0.3", None),
        ("ios", "3.0.10", None),
        ("ios", "3.0.2", "sdk_too_old"),
        ("android", "3.0.3-beta", "sdk_too_old"),
        ("android", "", "sdk_too_old"),
        ("web", "", None),
        ("toaster", "", "sdk_too_old"),
    ],
)
async def test_features_follow_the_version_by_header_and_by_hello(
    booth: Place, platform: str, version: str, reason: str | None
) -> None:
    """B12.6."""
    headers = {"X-Inbox-Key": KEY, "X-SDK-Platform": platform, **({"X-SDK-Version": version} if version else {})}
    config = (await booth.call("GET", "/config", headers=headers)).json
    given = (await booth.call("POST", "/tokens", {}, headers=headers)).json
    _, ready = await Visitor(booth, given, KEY).ready(platform=platform, version=version or None)
    for answer in (config, given, ready):
        assert answer["features"]["submission_by_group"] is (reason is None)
        assert answer["feature_reasons"].get("submission_by_group") == reason
        assert set(answer["feature_reasons"]) == {name for name, on in answer["features"].items() if not on}


#: Addresses of nobody in particular that are not private.
PUBLIC = "198.41.0."
BEHIND_A_PROXY = {"server.trusted_proxies": "127.0.0.0/8"}


async def test_tokens_are_limited_by_address(sqlite_url: str, open_place: Opener) -> None:
    async with open_place(sqlite_url, limited=True, **BEHIND_A_PROXY) as place:
        headers = {"X-Inbox-Key": KEY, "X-Forwarded-For": f"{PUBLIC}1"}
        for _ in range(5):
            assert (await place.call("POST", "/tokens", {}, headers=headers)).status == 201
        answer = await place.call("POST", "/tokens", {}, headers=headers)
        assert (answer.status, answer.code) == (429, "rate_limited")
        seconds = answer.json["error"]["retry_after"]
        assert answer.headers["Retry-After"] == str(seconds)
        other = {**headers, "X-Forwarded-For": f"{PUBLIC}2"}
        assert (await place.call("POST", "/tokens", {}, headers=other)).status == 201
        place.clock.advance(seconds=seconds)
        assert (await place.call("POST", "/tokens", {}, headers=headers)).status == 201


async def test_a_header_of_a_stranger_does_not_change_the_address(sqlite_url: str, open_place: Opener) -> None:
    async with open_place(sqlite_url, limited=True, **BEHIND_A_PROXY) as place:
        answers = [
            await place.call(
                "POST", "/tokens", {}, headers={"X-Inbox-Key": KEY, "X-Forwarded-For": f"192.0.2.{n}, {PUBLIC}1"}
            )
            for n in range(6)
        ]
        assert [answer.status for answer in answers] == [201] * 5 + [429]


async def test_what_comes_through_an_unnamed_proxy_is_not_taken_for_one_person(
    sqlite_url: str, open_place: Opener
) -> None:
    async with open_place(sqlite_url, limited=True) as place:
        answers = [await place.call("POST", "/tokens", {}, headers={"X-Inbox-Key": KEY}) for _ in range(20)]
        assert {answer.status for answer in answers} == {201}


async def test_messages_are_limited_by_contact(sqlite_url: str, open_place: Opener) -> None:
    async with open_place(sqlite_url, limited=True) as place:
        ana, ben = await place.visitor(), await place.visitor()
        for number in range(10):
            await ana.say(str(number))
        answer = await ana.call("POST", "/threads/live/messages", message())
        assert (answer.status, answer.json["error"]["retry_after"]) == (429, 3)
        await ben.say("Another one")
        place.clock.advance(seconds=3)
        await ana.say("Later")


async def test_an_account_may_have_limits_of_its_own(sqlite_url: str, open_place: Opener) -> None:
    async with open_place(sqlite_url, limited=True, **BEHIND_A_PROXY) as place:
        place.connector().limits = {"messages": Limit(60, 2), "tokens.ip": Limit(3600, 1), "uploads": Limit(60, 1)}
        ana, there = await place.visitor(), {"X-Forwarded-For": f"{PUBLIC}1"}
        for number in range(2):
            await ana.say(str(number))
        answer = await ana.call("POST", "/threads/live/messages", message())
        assert (answer.status, answer.json["error"]["retry_after"]) == (429, 60)
        for key, statuses in ((KEY, [201, 429]), (OTHER_KEY, [201] * 5 + [429])):
            answers = [await place.call("POST", "/tokens", {}, headers={**there, "X-Inbox-Key": key}) for _ in statuses]
            assert [answer.status for answer in answers] == statuses
        # An equal figure of another account is counted for itself.
        place.connector("mill").limits = {"tokens.ip": Limit(3600, 1)}
        fresh = {"X-Forwarded-For": f"{PUBLIC}2"}
        answers = [
            await place.call("POST", "/tokens", {}, headers={**fresh, "X-Inbox-Key": key})
            for key in (KEY, OTHER_KEY, KEY, OTHER_KEY)
        ]
        assert [answer.status for answer in answers] == [201, 201, 429, 429]
        plan = {"name": "a.txt", "size": 1, "mime": "text/plain"}
        assert [(await ana.call("POST", "/uploads", plan)).status for _ in range(2)] == [201, 429]
        place.clock.advance(seconds=60)
        await ana.say("Later")


async def test_sockets_are_limited_by_address(sqlite_url: str, open_place: Opener) -> None:
    async with open_place(sqlite_url, **BEHIND_A_PROXY) as place:
        visitors = [await place.visitor() for _ in range(51)]
        headers = {"X-Forwarded-For": f"{PUBLIC}1"}
        sockets = []
        for visitor in visitors:
            sockets.append(await raw_socket(place, headers=headers))
            await sockets[-1].send_json({"t": "hello", "token": visitor.token})
            await until(sockets[-1], "ready")
        assert await closed(sockets[0]) == 4409
        assert not sockets[1].closed


def test_a_clock_that_jumps_back_gives_nothing_and_takes_nothing() -> None:
    class Clock:
        now = 1_000_000

        def now_ms(self) -> int:
            return self.now

    clock = Clock()
    limiter = Limiter(clock, {"x": Limit(3600, 2)})
    assert limiter.allows("x", "a")
    clock.now = 0
    assert limiter.allows("x", "a")
    assert not limiter.allows("x", "a")
    clock.now = 1000
    assert limiter.allows("x", "a")


async def test_two_accounts_with_one_public_key_stop_the_start(
    sqlite_url: str, open_place: Opener, settings_file: Path
) -> None:
    write_settings(settings_file, {"shop": KEY, "mill": KEY})
    with pytest.raises(StartRefused, match=f"The accounts mill and shop have the same public key {KEY}: give one"):
        async with open_place(sqlite_url):
            pass


async def test_a_hosted_account_has_no_webhook(booth: Place) -> None:
    async with booth.session.post(f"{booth.address}/webhooks/shop", data=b"{}") as answer:
        assert answer.status == 404


async def test_pages_of_a_connector_are_served_where_it_says(sqlite_url: str, open_place: Opener) -> None:
    import msgspec
    from aiohttp import web

    from trunkline.hosted import Pages

    def pages(given: Pages) -> web.Application:
        async def frame(request: web.Request) -> web.Response:
            connector = given.find(request.match_info["key"])
            if connector is None:
                raise web.HTTPNotFound
            title = given.title(connector.public_key)
            return web.Response(text=f"{title} {given.public_url} {connector.channel_for(Client())}")

        app = web.Application()
        app.router.add_get("/frame/{key}", frame)
        return app

    spec = msgspec.structs.replace(BOOTH, pages=pages, pages_at="/booth")
    async with open_place(sqlite_url, specs=(spec,)) as place:
        async with place.session.get(f"{place.address}/booth/frame/{KEY}") as answer:
            assert (answer.status, await answer.text()) == (200, "Shop http://desk.example booth_desktop")
        async with place.session.get(f"{place.address}/booth/frame/ak_nobody") as answer:
            assert answer.status == 404
    other = msgspec.structs.replace(spec, name="other", channels=())
    with pytest.raises(StartRefused, match="Two connectors have their pages at /booth"):
        async with open_place(sqlite_url, specs=(spec, other)):
            pass


async def test_without_a_hosted_connector_there_is_no_such_door(
    sqlite_url: str, open_place: Opener, settings_file: Path
) -> None:
    from trunkline.main import open_house, serve_house
    from trunkline.plugins import Registry
    from trunkline.settings import load_settings

    write_settings(settings_file, {})
    chosen = load_settings(settings_file, {"database.url": sqlite_url})
    async with open_house(chosen, registry=Registry()) as house, serve_house(house, "127.0.0.1:0") as address:
        import aiohttp

        async with aiohttp.ClientSession() as session, session.get(f"{address}/client/v1/config") as answer:
            assert answer.status == 404


async def test_an_account_that_is_switched_off_serves_nobody(booth: Place) -> None:
    ana = await booth.visitor()
    account = booth.house.accounts.get("shop")
    assert isinstance(account, Account)
    account.state = "disabled"
    assert (await ana.call("GET", "/me")).code == "token_invalid"
    assert (await booth.call("GET", "/config", headers={"X-Inbox-Key": KEY})).code == "unknown_key"


async def test_nothing_is_taken_while_the_disk_is_full_and_reading_goes_on(
    booth: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await booth.visitor()
    await ana.say()
    monkeypatch.setattr(booth.house.vitals, "disk_is_full", True)
    answer = await ana.call("POST", "/threads/live/messages", message())
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "unavailable", "60")
    assert await ana.texts() == ["Hello"]
