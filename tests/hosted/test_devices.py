"""Devices: told by an app, bound to one token, unbound when that token dies (calls 6 and 7, A4)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hosted.booth import vouch
from tests.hosted.people import KEY, OTHER_KEY, Place, Visitor
from trunkline.store import schema

DEVICE = {"provider": "fcm", "push_token": "invented-push-token"}
APNS = {"provider": "apns", "push_token": "ab" * 32, "environment": "sandbox", "bundle_id": "shop.example"}


async def owners(place: Place) -> list[str | None]:
    """Whom the devices belong to."""
    device, token = schema.visitor_device, schema.visitor_token
    rows = await place.rows(device)
    found = [await place.rows(token, token.c.id == row.token_id) for row in rows]
    return [one[0].subject for one in found]


async def test_an_app_hands_its_push_token_over_and_never_sees_it_again(place: Place) -> None:
    ana = await place.visitor()
    body = {**APNS, "locale": "pl", "enabled": True}
    answer = await ana.call("PUT", "/devices/phone-1", body)
    shown = {name: value for name, value in body.items() if name != "push_token"}
    assert answer.json == {"device_id": "phone-1", **shown}
    (row,) = await place.rows(schema.visitor_device)
    assert APNS["push_token"].encode() not in bytes(row.push_token)
    assert place.house.secrets.decrypt(bytes(row.push_token)) == {"push_token": APNS["push_token"]}


async def test_a_token_that_changed_replaces_the_one_before(booth: Place) -> None:
    ana = await booth.visitor()
    await ana.call("PUT", "/devices/phone", DEVICE)
    booth.clock.advance(seconds=60)
    await ana.call("PUT", "/devices/phone", {**DEVICE, "push_token": "invented-newer-token"})
    (row,) = await booth.rows(schema.visitor_device)
    assert booth.house.secrets.decrypt(bytes(row.push_token)) == {"push_token": "invented-newer-token"}
    assert row.updated_at == booth.clock.now


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"provider": "apns", "push_token": "no hex"}, "invalid_push_token"),
        ({"provider": "apns", "push_token": "abc" * 21}, "invalid_push_token"),
        ({"provider": "apns", "push_token": "ab" * 31}, "invalid_push_token"),
        ({"provider": "fcm", "push_token": "two words"}, "invalid_push_token"),
        ({"provider": "fcm", "push_token": "nul\0"}, "invalid_push_token"),
        ({"provider": "hms", "push_token": "zażółć"}, "invalid_push_token"),
        ({"provider": "webpush", "push_token": "line\nbreak"}, "invalid_push_token"),
        ({"provider": "fcm", "push_token": ""}, "invalid_field"),
        ({"provider": "fcm", "push_token": "x" * 4097}, "invalid_field"),
        ({"provider": "pigeon", "push_token": "x"}, "invalid_field"),
        ({"provider": "fcm"}, "invalid_field"),
        ({**DEVICE, "environment": "staging"}, "invalid_field"),
    ],
)
async def test_what_is_no_push_token_is_refused(booth: Place, body: dict[str, Any], code: str) -> None:
    answer = await (await booth.visitor()).call("PUT", "/devices/phone", body)
    assert (answer.status, answer.code) == (422, code)
    assert await booth.rows(schema.visitor_device) == []


async def test_a_subscription_of_a_browser_is_a_push_token(booth: Place) -> None:
    subscription = '{"endpoint": "https://push.example/x", "keys": {"p256dh": "B", "auth": "a"}}'
    body = {"provider": "webpush", "push_token": subscription}
    assert (await (await booth.visitor()).call("PUT", "/devices/browser", body)).status == 200


async def test_a_device_is_forgotten_once_and_again(booth: Place) -> None:
    ana = await booth.visitor()
    await ana.call("PUT", "/devices/phone", DEVICE)
    for _ in range(2):
        assert (await ana.call("DELETE", "/devices/phone")).status == 204
    assert await booth.rows(schema.visitor_device) == []


async def test_sec_device_of_somebody_else_is_not_forgotten(booth: Place) -> None:
    """And the answer is that of a device which does not exist."""
    ana, ben = await booth.visitor(), await booth.visitor()
    await ana.call("PUT", "/devices/phone", DEVICE)
    assert (await ben.call("DELETE", "/devices/phone")).status == 204
    assert len(await booth.rows(schema.visitor_device)) == 1


async def test_two_accounts_may_have_a_device_of_the_same_name(booth: Place) -> None:
    ana, elsewhere = await booth.visitor(), await booth.visitor(key=OTHER_KEY)
    for one in (ana, elsewhere):
        await one.call("PUT", "/devices/phone", DEVICE)
    await ana.call("DELETE", "/devices/phone")
    (row,) = await booth.rows(schema.visitor_device)
    assert row.account_id == "mill"


async def test_whoever_uses_the_phone_now_has_its_device(place: Place) -> None:
    """Somebody signs out without a network, somebody else signs in: the last to say so owns it, alone."""
    first = await place.visitor(identity=vouch("cust-1", KEY, place.clock.now))
    await first.call("PUT", "/devices/phone", DEVICE)
    second = await place.visitor(identity=vouch("cust-2", KEY, place.clock.now))
    await second.call("PUT", "/devices/phone", DEVICE)
    assert await owners(place) == ["cust-2"]
    await first.call("DELETE", "/tokens/current")
    assert await owners(place) == ["cust-2"]


async def test_signing_out_unbinds_the_device_at_once(booth: Place) -> None:
    ana = await booth.visitor()
    await ana.call("PUT", "/devices/phone", DEVICE)
    assert (await ana.call("DELETE", "/tokens/current?force=true")).status == 204
    assert await booth.rows(schema.visitor_device) == []


async def test_signing_in_takes_this_phone_along_and_leaves_other_anonymous_ones(place: Place) -> None:
    """Every anonymous token dies with the sign-in; the phone on which it happened stays awake."""
    ana = await place.visitor()
    await ana.call("PUT", "/devices/phone", DEVICE)
    given = await ana.post("/tokens/exchange", {"identity": vouch("cust-1", KEY, place.clock.now)})
    assert await owners(place) == ["cust-1"]
    signed_in = Visitor(place, given, KEY)
    assert (await signed_in.call("DELETE", "/devices/phone")).status == 204


async def test_devices_are_counted_as_what_a_contact_changes(sqlite_url: str, open_place: Any) -> None:
    async with open_place(sqlite_url, limited=True) as place:
        ana = await place.visitor()
        answers = [await ana.call("PUT", f"/devices/d-{number}", DEVICE) for number in range(11)]
        assert [answer.status for answer in answers] == [200] * 10 + [429]


async def test_attributes_of_a_contact_are_kept_and_taken_back_one_by_one(booth: Place) -> None:
    ana = await booth.visitor()
    await ana.call("PATCH", "/me", {"attributes": {"plan": "gold", "cart": 3, "vip": True}})
    answer = await ana.call("PATCH", "/me", {"attributes": {"cart": None, "plan": "silver"}})
    assert answer.json["attributes"] == {"plan": "silver", "vip": True}
    too_many = {"attributes": {f"a{number}": 1 for number in range(51)}}
    assert (await ana.call("PATCH", "/me", too_many)).code == "invalid_field"
