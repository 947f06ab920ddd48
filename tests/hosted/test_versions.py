"""Keys, platforms and versions: who is served, what they may use, and what is remembered (A2, A3, B12.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from tests.hosted.booth import BOOTH, BoothConnector, vouch
from tests.hosted.conftest import Opener
from tests.hosted.people import KEY, Place, Visitor, closed, raw_socket, until
from trunkline.hosted import Client, IdentityMode, IdentityPolicy, Terms
from trunkline.hosted.versions import at_least, read_version
from trunkline.store import schema

NEW = ("3.0.3", "3.0.3.0", "v3.0.3", "3.0.10", "3.1", "4", "3.0.3.1")
OLD = ("3.0.2", "3.0", "3", "2.99.99", "3.0.3-beta")
UNREADABLE = (None, "", "latest", "3..3", "3.0.3.1.2")
IOS, ANDROID = KEY, "ak_android_01"


class Keys(BoothConnector):
    """A key per platform: iOS for those who prove who they are, Android since 2.1."""

    withdrawn: frozenset[str] = frozenset()

    def terms(self) -> dict[str, Terms]:
        policy = self.identity_policy()
        strict = IdentityPolicy(mode=IdentityMode.REQUIRE, keys=policy.keys)
        own = {
            IOS: Terms(policy=strict, platforms=frozenset({"ios"})),
            ANDROID: Terms(policy=policy, platforms=frozenset({"android"}), min_version="2.1"),
        }
        only = {self.public_key: Terms(policy=policy)}
        known = own if self.public_key == KEY else only
        return {key: terms for key, terms in known.items() if key not in self.withdrawn}


@pytest.fixture
async def apps(sqlite_url: str, open_place: Opener) -> AsyncIterator[Place]:
    spec = msgspec.structs.replace(BOOTH, build=lambda services: Keys(services.config))
    async with open_place(sqlite_url, specs=(spec,)) as place:
        yield place


def headers(key: str = ANDROID, platform: str = "android", version: str | None = "3.0.3") -> dict[str, str]:
    told = {"X-Inbox-Key": key, "X-SDK-Platform": platform}
    return told if version is None else {**told, "X-SDK-Version": version}


async def app(place: Place, **told: Any) -> App:
    answer = await place.call("POST", "/tokens", {}, headers=headers(**told))
    assert answer.status == 201, answer.raw
    return App(place, answer.json, told)


class App(Visitor):
    """A visitor who says of every call which app it is."""

    def __init__(self, place: Place, answer: Any, told: Any) -> None:
        super().__init__(place, answer, ANDROID)
        self.told = told

    @property
    def headers(self) -> dict[str, str]:
        return {**headers(**self.told), "Authorization": f"Bearer {self.token}"}


# ---------------------------------------------------------------- the table of A3


@pytest.mark.requirement("000-24")
async def test_by_group_is_honoured_as_the_table_says_by_header_and_by_hello(booth: Place) -> None:
    rows = [*((one, True) for one in NEW), *((one, False) for one in (*OLD, *UNREADABLE))]
    seen = [(version, await honoured(booth, version)) for version, _ in rows]
    assert seen == [(version, {(wanted, None if wanted else "sdk_too_old")}) for version, wanted in rows]


async def honoured(place: Place, version: str | None) -> set[tuple[bool, str | None]]:
    """Return whether a version may ask by group and why not, as the configuration, a token and a socket say."""
    told = headers(KEY, "android", version)
    config = (await place.call("GET", "/config", headers=told)).json
    given = (await place.call("POST", "/tokens", {}, headers=told)).json
    socket, ready = await Visitor(place, given, KEY).ready(platform="android", version=version)
    await socket.close()
    name = "submission_by_group"
    return {(one["features"][name], one["feature_reasons"].get(name)) for one in (config, given, ready)}


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("3.0.3-beta", "3.0.3"),
        ("3.0.2", "3.0.3-beta"),
        ("3.0.9", "3.0.10"),
        ("3", "3.0.0.1"),
        ("9.9.9.9", "10"),
        ("1.999999999", "2"),
    ],
)
def test_numbers_are_compared_part_by_part(older: str, newer: str) -> None:
    assert at_least(newer, older)
    assert not at_least(older, newer)


def test_missing_parts_are_nought() -> None:
    assert read_version("v3") == read_version("3.0.0.0") == (3, 0, 0, 0, 1)
    assert read_version("3.0.3-rc.1") == (3, 0, 3, 0, 0)


async def test_web_clients_are_not_gated(booth: Place) -> None:
    given = (await booth.call("POST", "/tokens", {}, headers=headers(KEY, "web", None))).json
    assert given["features"]["submission_by_group"] is True


async def test_too_old_for_a_feature_is_no_error(booth: Place) -> None:
    told = headers(KEY, "ios", "1.0")
    ana = Visitor(booth, (await booth.call("POST", "/tokens", {}, headers=told)).json, KEY)
    await ana.say("Served all the same")


# ---------------------------------------------------------------- 426


@pytest.mark.parametrize("version", ["2.0.9", "2.1-beta", "latest", None])
async def test_versions_with_faults_are_turned_away_everywhere(apps: Place, version: str | None) -> None:
    good = await app(apps)
    for method, path in (("GET", "/config"), ("POST", "/tokens")):
        answer = await apps.call(method, path, {} if method == "POST" else None, headers=headers(version=version))
        assert (answer.status, answer.code) == (426, "client_too_old")
    good.told = {"version": version}
    assert (await good.call("GET", "/me")).code == "client_too_old"
    socket = await raw_socket(apps)
    await socket.send_json({"t": "hello", "token": good.token, "platform": "android", "version": version or ""})
    assert await closed(socket) == 4426


async def test_the_oldest_version_of_a_key_is_that_keys_alone(apps: Place) -> None:
    identity = vouch("cust-1", IOS, apps.clock.now)
    answer = await apps.call("POST", "/tokens", {"identity": identity}, headers=headers(IOS, "ios", "1.0"))
    assert answer.status == 201


# ---------------------------------------------------------------- keys and platforms


@pytest.mark.parametrize("platform", ["ios", "web", "toaster", ""])
async def test_a_key_serves_its_platforms_and_no_other(apps: Place, platform: str) -> None:
    answer = await apps.call("GET", "/config", headers=headers(platform=platform))
    assert (answer.status, answer.code) == (403, "client_not_allowed")
    good = await app(apps)
    socket = await raw_socket(apps)
    await socket.send_json({"t": "hello", "token": good.token, "platform": platform, "version": "3.0.3"})
    assert await closed(socket) == 4403


async def test_identity_may_be_required_of_one_platform_alone(apps: Place) -> None:
    """B12.7."""
    refused = await apps.call("POST", "/tokens", {}, headers=headers(IOS, "ios"))
    assert (refused.status, refused.code) == (403, "identity_required")
    expired = vouch("cust-1", IOS, apps.clock.now - 3600_000)
    answer = await apps.call("POST", "/tokens", {"identity": expired}, headers=headers(IOS, "ios"))
    assert (answer.status, answer.code) == (401, "identity_expired")
    assert (await apps.call("POST", "/tokens", {}, headers=headers())).status == 201


async def test_a_proof_is_for_the_key_that_it_names(apps: Place) -> None:
    for audience, status in ((IOS, 401), (ANDROID, 201)):
        identity = vouch("cust-1", audience, apps.clock.now)
        answer = await apps.call("POST", "/tokens", {"identity": identity}, headers=headers())
        assert answer.status == status


async def test_the_user_of_two_platforms_is_one(apps: Place) -> None:
    on_ios = vouch("cust-1", IOS, apps.clock.now)
    answer = await apps.call("POST", "/tokens", {"identity": on_ios}, headers=headers(IOS, "ios"))
    on_android = vouch("cust-1", ANDROID, apps.clock.now)
    other = await apps.call("POST", "/tokens", {"identity": on_android}, headers=headers())
    assert answer.json["contact"]["id"] == other.json["contact"]["id"]


async def test_a_key_that_is_withdrawn_takes_its_tokens_with_it_and_leaves_the_others(apps: Place) -> None:
    good = await app(apps)
    identity = vouch("cust-1", IOS, apps.clock.now)
    other = App(
        apps,
        (await apps.call("POST", "/tokens", {"identity": identity}, headers=headers(IOS, "ios"))).json,
        {"key": IOS, "platform": "ios"},
    )
    connector = apps.connector()
    assert isinstance(connector, Keys)
    connector.withdrawn = frozenset({ANDROID})
    assert (await good.call("GET", "/me")).code == "client_not_allowed"
    assert (await apps.call("GET", "/config", headers=headers())).code == "unknown_key"
    socket = await raw_socket(apps)
    await socket.send_json({"t": "hello", "token": good.token, "platform": "android", "version": "3.0.3"})
    assert await closed(socket) == 4403
    assert (await other.call("GET", "/me")).status == 200


# ---------------------------------------------------------------- what is remembered


async def clients(place: Place) -> list[Client]:
    return [msgspec.json.decode(row.client, type=Client) for row in await place.rows(schema.visitor_token)]


async def test_the_version_is_kept_with_the_token_and_follows_the_app(place: Place) -> None:
    answer = await place.call("POST", "/tokens", {}, headers=headers(KEY, "ios", "3.0.2"))
    ana = Visitor(place, answer.json, KEY)
    ((first,), _) = await clients(place), await ana.ready(platform="ios", version="3.0.3")
    await place.front.settle()
    (second,) = await clients(place)
    assert (first.platform, first.version, second.version) == ("ios", "3.0.2", "3.0.3")
    polled = {**headers(KEY, "ios", "3.1"), "Authorization": f"Bearer {ana.token}"}
    await place.call("GET", f"/changes?cursor={ana.cursor}", headers=polled)
    assert [one.version for one in await clients(place)] == ["3.1"]


async def test_a_client_that_says_nothing_of_itself_changes_nothing(booth: Place) -> None:
    answer = await booth.call("POST", "/tokens", {}, headers=headers(KEY, "ios", "3.0.3"))
    ana = Visitor(booth, answer.json, KEY)
    await ana.changes()
    assert [one.version for one in await clients(booth)] == ["3.0.3"]


async def test_a_message_tells_which_app_it_came_from(booth: Place) -> None:
    told = headers(KEY, "ios", "3.0.2")
    ana = Visitor(booth, (await booth.call("POST", "/tokens", {}, headers=told)).json, KEY)
    await ana.call("POST", "/threads/live/messages", _hello(), headers=told)
    (row,) = await booth.rows(schema.message)
    assert msgspec.json.decode(row.referral)["client"] == {"platform": "ios", "version": "3.0.2"}


def _hello() -> dict[str, str]:
    return {"client_id": "0b7e7c1e-0000-4000-8000-000000000001", "kind": "text", "text": "Hello"}


async def test_frames_of_another_protocol_are_turned_away(booth: Place) -> None:
    ana = await booth.visitor()
    assert await closed(await ana.connect(protocol=2)) == 4426
    answer = await booth.call("GET", "/config", headers={"X-Inbox-Key": KEY, "X-Protocol": "2"})
    assert (answer.status, answer.code) == (426, "client_too_old")
    socket, _ = await ana.ready()
    await socket.send_json({"t": "ping", "n": 7})
    assert (await until(socket, "pong"))["n"] == 7
