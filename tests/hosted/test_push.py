"""Waking apps: when a push is needed, what it says, and what a provider's answer leads to (B9, B12.10)."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from tests.hosted.booth import vouch
from tests.hosted.conftest import Opener
from tests.hosted.loopback import (
    DAY,
    PUSH_TOKEN,
    PUSHING,
    PushingBooth,
    acknowledging_without_pauses,
    app,
    jobs,
    place,
    planned,
    provider,
    pushed,
    register,
    signed_in,
    thread_of,
    with_device,
)
from tests.hosted.people import KEY, Place, Socket, changes_until, until
from trunkline.hosted import Notice
from trunkline.hosted.push import MOST_BYTES, push_of
from trunkline.hosted.pusher import Pusher
from trunkline.store import schema

__all__ = ["acknowledging_without_pauses", "app", "place"]


# ---------------------------------------------------------------- when


async def test_a_message_that_nobody_acknowledges_is_pushed_once(place: Place) -> None:
    ana = await with_device(place)
    thread = await thread_of(ana)
    await place.reply(thread, "Order 42 is on its way")
    assert await pushed(place, after_s=4.9) == []
    assert await pushed(place, after_s=0.1) == [
        {
            "occ": {"v": 1, "t": "message", "thread": f"th_{thread}", "pos": 2, "unread": 1},
            "title": "Shop",
            "body": "You have a new message",
        }
    ]
    assert len(await pushed(place, after_s=DAY)) == 1
    assert await jobs(place) == 0


async def test_what_a_socket_acknowledged_is_not_pushed(app: Place) -> None:
    ana = await with_device(app)
    socket, _ = await ana.ready(cursor=ana.cursor, visible=True)
    await app.reply(await thread_of(ana), "Here you are")
    await tell(app, socket, t="ack", cursor=await heard(socket, "Here you are"))
    assert await pushed(app) == []
    assert await jobs(app) == 0


async def tell(place: Place, socket: Socket, **frame: Any) -> None:
    """Say something over a socket, and wait until it has had its effect."""
    await socket.send_json(frame)
    await socket.send_json({"t": "ping", "n": 1})
    await until(socket, "pong")
    await place.front.settle()


async def heard(socket: Socket, text: str) -> str:
    """Read until a message with this text comes, and return the cursor that acknowledges it."""
    return str((await changes_until(socket, text))[-1]["cursor"])


async def test_a_poll_acknowledges_too(app: Place) -> None:
    ana = await with_device(app)
    await app.reply(await thread_of(ana), "Here you are")
    page = await ana.changes()
    await ana.changes(page["cursor"])
    await app.front.settle()
    assert await pushed(app) == []


async def test_an_app_in_the_background_is_pushed_to_and_its_message_is_delivered(app: Place) -> None:
    ana = await with_device(app)
    thread = await thread_of(ana)
    socket, _ = await ana.ready(cursor=ana.cursor, visible=False)
    await app.reply(thread, "Here you are")
    await tell(app, socket, t="ack", cursor=await heard(socket, "Here you are"))
    assert await app.states(thread) == ["delivered"]
    assert len(await pushed(app)) == 1


async def test_coming_to_the_front_counts_for_what_was_acknowledged_behind(app: Place) -> None:
    ana = await with_device(app)
    thread = await thread_of(ana)
    socket, _ = await ana.ready(cursor=ana.cursor, visible=False)
    await app.reply(thread, "Here you are")
    await tell(app, socket, t="ack", cursor=await heard(socket, "Here you are"))
    assert await app.states(thread) == ["delivered"]
    assert all(row.acked_seq == 0 for row in await app.rows(schema.visitor_token))
    await tell(app, socket, t="visible", visible=True)
    assert await pushed(app) == []


async def test_what_was_read_elsewhere_is_not_pushed(place: Place) -> None:
    """The same customer's other device has it; this one hears nothing of a message that was read."""
    phone = await signed_in(place, "cust-1")
    await phone.say()
    await register(phone)
    tablet = await signed_in(place, "cust-1")
    thread = await thread_of(phone)
    await place.reply(thread)
    await planned(place.house)
    assert await jobs(place) == 1
    await tablet.post("/threads/live/read", {"pos": 2})
    assert await pushed(place) == []


async def test_another_device_that_acknowledges_does_not_spare_this_one(app: Place) -> None:
    phone = await signed_in(app, "cust-1")
    await phone.say()
    await register(phone)
    browser = await signed_in(app, "cust-1")
    await app.reply(await thread_of(phone))
    page = await browser.changes()
    await browser.changes(page["cursor"])
    await app.front.settle()
    assert len(await pushed(app)) == 1


async def test_only_our_messages_are_pushed_and_only_to_their_customer(app: Place) -> None:
    ana = await with_device(app)
    ben = await with_device(app, "other")
    await ben.say("Nobody wakes me for my own words")
    assert await pushed(app) == []
    await app.reply(await thread_of(ana))
    await pushed(app)
    assert [target.device_id for target, _ in provider(app).pushed] == ["phone"]


async def test_every_device_of_a_customer_is_woken_once(app: Place) -> None:
    phone, tablet = await signed_in(app, "cust-1"), await signed_in(app, "cust-1")
    await phone.say()
    await register(phone, "phone")
    await register(tablet, "tablet")
    await app.reply(await thread_of(phone))
    await pushed(app)
    assert sorted(target.device_id for target, _ in provider(app).pushed) == ["phone", "tablet"]


async def test_messages_in_a_row_make_one_notification(app: Place) -> None:
    ana = await with_device(app)
    thread = await thread_of(ana)
    for text in ("One", "Two", "Three"):
        await app.reply(thread, text)
    (push,) = await pushed(app)
    assert (push["occ"]["pos"], push["occ"]["unread"]) == (4, 3)
    ((_, sent),) = provider(app).pushed
    assert sent.collapse == f"th_{thread}"
    assert sent.expires_at == app.clock.now + (DAY - 5) * 1000


@pytest.mark.parametrize("how", ["switched off", "forgotten", "signed out"])
async def test_nobody_is_woken_who_does_not_want_it(app: Place, how: str) -> None:
    ana = await with_device(app)
    await app.reply(await thread_of(ana))
    await planned(app.house)
    if how == "switched off":
        await register(ana, enabled=False)
    elif how == "forgotten":
        assert (await ana.call("DELETE", "/devices/phone")).status == 204
    else:
        assert (await ana.call("DELETE", "/tokens/current?force=true")).status == 204
    assert await pushed(app) == []
    assert await jobs(app) == 0


async def test_the_next_user_of_a_phone_gets_none_of_the_pushes_of_the_last(place: Place) -> None:
    """A4: the device is the new user's from the moment of the exchange, also for what waits already."""
    phone = await signed_in(place, "cust-1")
    await phone.say()
    await register(phone)
    await place.reply(await thread_of(phone), "For the first one alone")
    await planned(place.house)
    assert await jobs(place) == 1
    switched = await phone.post("/tokens/exchange", {"identity": vouch("cust-2", KEY, place.clock.now), "switch": True})
    assert await pushed(place) == []
    phone.token = switched["token"]
    await phone.say("I am the second one")
    await place.reply(await thread_of(phone), "For the second one")
    (push,) = await pushed(place)
    assert push["occ"]["thread"] == f"th_{await thread_of(phone)}"


async def test_a_renewed_token_keeps_its_device_and_what_it_has_shown(app: Place) -> None:
    phone = await signed_in(app, "cust-1")
    await phone.say()
    await register(phone)
    thread = await thread_of(phone)
    await app.reply(thread, "Seen")
    page = await phone.changes()
    await phone.changes(page["cursor"])
    await app.front.settle()
    renewed = await phone.post("/tokens/exchange", {"identity": vouch("cust-1", KEY, app.clock.now)})
    assert await pushed(app) == []
    phone.token = renewed["token"]
    await app.reply(thread, "Not seen")
    assert len(await pushed(app)) == 1


async def test_a_device_without_contact_is_paused_and_then_forgotten(app: Place) -> None:
    ana = await with_device(app)
    thread = await thread_of(ana)
    app.clock.advance(seconds=60 * DAY + 1)
    await app.reply(thread)
    assert await pushed(app) == []
    assert len(await app.rows(schema.visitor_device)) == 1
    app.clock.advance(seconds=210 * DAY)
    await app.house.workers["push"].settle()
    assert await app.rows(schema.visitor_device) == []


async def test_what_was_taken_back_is_not_pushed(app: Place) -> None:
    ana = await with_device(app)
    message_id = await app.reply(await thread_of(ana))
    await planned(app.house)
    recalled = schema.message.update().where(schema.message.c.id == message_id).values(recalled_at=app.clock.now)
    await app.house.store.writer.write(lambda tx: tx.execute(recalled).rowcount)
    assert await pushed(app) == []


async def test_jobs_outlive_the_process_and_a_push_of_yesterday_is_dropped(sqlite_url: str, open_place: Opener) -> None:
    async with open_place(sqlite_url, specs=(PUSHING,)) as place:
        ana = await with_device(place)
        thread = await thread_of(ana)
        await place.reply(thread)
        await planned(place.house)
    async with open_place(sqlite_url, specs=(PUSHING,)) as place:
        assert len(await pushed(place)) == 1
        await place.reply(thread)
        await planned(place.house)
        assert len(await pushed(place, after_s=DAY)) == 1
        assert await jobs(place) == 0


# ---------------------------------------------------------------- what it says


async def test_sec_push_says_nothing_of_the_message_unless_the_deployer_wants_it(app: Place) -> None:
    ana = await with_device(app, locale="pl")
    thread = await thread_of(ana)
    await app.reply(thread, "Your PIN is 4711")
    (push,) = await pushed(app)
    assert push["body"] == "Masz nową wiadomość"
    assert "4711" not in str(provider(app).pushed)
    connector = app.connector()
    assert isinstance(connector, PushingBooth)
    connector.preview = True
    await app.reply(thread, "Your parcel is there")
    assert (await pushed(app))[-1]["body"] == "Your parcel is there"


@pytest.mark.parametrize("text", ["x" * 20_000, "𝔘" * 20_000, "\x01" * 20_000, '"\\' * 20_000, "字" * 20_000])
def test_a_payload_is_never_too_large(text: str) -> None:
    push = push_of(
        Notice(text, text),
        kind="message",
        thread="th_" + "a" * 36,
        position=2**31,
        unread=2**31,
        collapse="",
        expires_at=0,
    )
    assert len(msgspec.json.encode(push.payload())) <= MOST_BYTES


async def test_sec_push_carries_no_credential(app: Place, caplog: pytest.LogCaptureFixture) -> None:
    ana = await with_device(app)
    await app.reply(await thread_of(ana))
    (push,) = await pushed(app)
    assert ana.token not in str(push)
    assert "http" not in str(push)
    ((target, _),) = provider(app).pushed
    assert target.push_token.get_secret_value() == PUSH_TOKEN
    assert PUSH_TOKEN not in repr(target)
    assert PUSH_TOKEN not in caplog.text


async def test_the_badge_of_other_devices_goes_down_when_all_is_read(place: Place) -> None:
    phone, tablet = await signed_in(place, "cust-1"), await signed_in(place, "cust-1")
    await phone.say()
    await register(phone, "phone")
    thread = await thread_of(phone)
    await place.reply(thread)
    (push,) = await pushed(place)
    assert push["occ"]["unread"] == 1
    await tablet.post("/threads/live/read", {"pos": 2})
    shown = await pushed(place)
    assert shown[1:] == [{"occ": {"v": 1, "t": "read", "thread": f"th_{thread}", "pos": 2, "unread": 0}}]
    await tablet.post("/threads/live/read", {"pos": 2})
    assert len(await pushed(place)) == 2


# ---------------------------------------------------------------- houses that do not push


async def test_a_house_without_a_provider_plans_nothing_and_says_so(booth: Place) -> None:
    ana = await booth.visitor()
    await ana.say()
    await register(ana)
    await booth.reply(await thread_of(ana))
    await planned(booth.house)
    assert await jobs(booth) == 0
    assert await booth.rows(schema.cursor, schema.cursor.c.name == "application:push") == []
    config = (await booth.call("GET", "/config", headers={"X-Inbox-Key": KEY})).json
    assert (config["features"]["push"], config["feature_reasons"]["push"]) == (False, "not_offered")


async def test_where_pushes_are_sent_clients_hear_of_it(app: Place) -> None:
    config = (await app.call("GET", "/config", headers={"X-Inbox-Key": KEY})).json
    assert config["features"]["push"] is True


async def test_what_was_said_before_anybody_pushed_is_not_news(sqlite_url: str, open_place: Opener) -> None:
    async with open_place(sqlite_url) as place:
        ana = await place.visitor()
        await ana.say()
        await register(ana)
        thread = await thread_of(ana)
        await place.reply(thread)
    async with open_place(sqlite_url, specs=(PUSHING,)) as place:
        assert await pushed(place) == []
        await place.reply(thread)
        assert len(await pushed(place)) == 1


async def test_two_workers_push_once(place: Place) -> None:
    """As with two processes at the same rows: a lease gives each push to one of them."""
    ana = await with_device(place)
    thread = await thread_of(ana)
    both = (place.house.workers["push"], Pusher(place.house))
    for _ in range(3):
        await place.reply(thread)
        await planned(place.house)
        place.clock.advance(seconds=5)
        await asyncio.gather(*(one.settle() for one in both))
    assert [push.position for _, push in provider(place).pushed] == [2, 3, 4]
