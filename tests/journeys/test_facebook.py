"""Messenger and Instagram through the whole house: from a customer's phone to an agent and back."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from tests.core.conftest import HandClock
from tests.desk.conftest import KEY, Template
from tests.desk.harness import ADA, Client
from tests.journeys.shop import until
from tests.ports import free_port
from trunkline.main import open_house, serve_house
from trunkline.service.house import House
from trunkline.settings import load_settings
from trunkline.testing.faults import Fault
from trunkline.testing.pictures import picture
from trunkline_facebook.simulator import Customer, Simulator

Json = dict[str, Any]
DAY_S = 24 * 3600
SENDING = "*/messages"
#: States in which nothing is under way, so that time may pass without ending a lease.
_WAITING = {"retrying", "held", "uncertain"}


class Shop:
    """The customers' side (`platform`), an agent, and the time."""

    def __init__(self, house: House, platform: Simulator, ada: Client, address: str) -> None:
        self.house, self.platform, self.ada, self.address = house, platform, ada, address

    def later(self, seconds: float) -> None:
        """Let time pass, and everything happen that is due by then."""
        assert isinstance(self.house.clock, HandClock)
        self.house.clock.advance(seconds=seconds)
        self.house.wake({"*"})

    async def account(self) -> Json:
        (account,) = (await self.ada.get("/accounts"))["items"]
        return dict(account)

    async def thread_of(self, customer: Customer) -> Json:
        async def look() -> Json | None:
            for item in (await self.ada.get("/threads?state=any&limit=100"))["items"]:
                detail: Json = await self.ada.get(f"/threads/{item['id']}")
                if any(one["external_id"] == customer.id for one in detail["identities"]):
                    return detail
            return None

        return await until(look)

    async def messages(self, thread: Json) -> list[Json]:
        return list((await self.ada.get(f"/threads/{thread['id']}/messages?limit=100"))["items"])

    async def until_shown(self, thread: Json, fits: Callable[[list[Json]], Any]) -> list[Json]:
        async def look() -> list[Json] | None:
            shown = await self.messages(thread)
            return shown if fits(shown) else None

        return await until(look)

    async def reply(self, thread: Json, text: str, **more: Any) -> Json:
        return dict(await self.ada.post(f"/threads/{thread['id']}/messages", {"text": text, **more}))

    async def until_state(self, message: Json, *states: str, turn_s: float = 0) -> Json:
        """Return our message when its delivery is in one of these states; time passes while it waits for that."""

        async def look() -> Json | None:
            shown = (await self.ada.get(f"/threads/{message['thread_id']}/messages?limit=100"))["items"]
            now: Json = next(one for one in shown if one["id"] == message["id"])
            if now["delivery_state"] in states:
                return now
            if turn_s and now["delivery_state"] in _WAITING:
                self.later(turn_s)
            return None

        return await until(look)


@asynccontextmanager
async def opened(folder: Path, template: Template, channel: str, **different: Any) -> AsyncIterator[Shop]:
    """Run a shop with one account of this channel at the tests' noon."""
    file, tokens = template
    clock, port = HandClock(), free_port()
    shutil.copy(file, folder / "shop.db")
    _stay_signed_in(folder / "shop.db", clock.now_ms() + 30 * DAY_S * 1000)
    address = f"http://127.0.0.1:{port}"
    async with (
        Simulator(clock=clock, channel=channel) as platform,
        aiohttp.ClientSession(auto_decompress=False) as session,
    ):
        written = folder / "trunkline.toml"
        written.write_text(_configuration(folder, platform, address, different), encoding="utf-8")
        platform.webhook_url = f"{address}/webhooks/shop-meta"
        async with open_house(load_settings(written, {}), clock=clock) as house:
            house.is_demo = True  # customers' files come from the simulator
            async with serve_house(house, address.removeprefix("http://")):
                shop = Shop(house, platform, Client(session, address, tokens[ADA[0]]), address)
                await until(lambda: _is_connected(shop))
                yield shop
                await platform.settled()


def _stay_signed_in(file: Path, until_ms: int) -> None:
    """Let the agents' tokens outlast the days that a window stays open."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE agent_token SET last_used_at = ?, expires_at = ?", (until_ms, until_ms))


async def _is_connected(shop: Shop) -> bool:
    return bool((await shop.account())["state"] == "connected")


def _configuration(folder: Path, platform: Simulator, address: str, different: Json) -> str:
    given = {**platform.settings(), **different}
    settings = "\n".join(f"{key} = {json.dumps(value)}" for key, value in given.items())
    return f"""
[server]
listen = "{address.removeprefix("http://")}"
public_url = "{address}"
allow_hosts = [{json.dumps(platform.url.partition("//")[2])}]
metrics_listen = "off"
[database]
url = "sqlite:///{folder}/shop.db"
[log]
level = "WARNING"
[[accounts]]
id = "shop-meta"
connector = "facebook"
title = "Shop"
[accounts.settings]
{settings}
"""


Open = Callable[..., AbstractAsyncContextManager[Shop]]


@pytest.fixture
def open_page(tmp_path: Path, sqlite_template: Template, monkeypatch: pytest.MonkeyPatch) -> Open:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", KEY)
    return lambda channel, **different: opened(tmp_path, sqlite_template, channel, **different)


@pytest.fixture
async def page(open_page: Open) -> AsyncIterator[Shop]:
    async with open_page("facebook") as shop:
        yield shop


@pytest.fixture(params=["facebook", "instagram"])
async def either(open_page: Open, request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    async with open_page(request.param) as shop:
        yield shop


async def greeted(shop: Shop) -> tuple[Customer, Json]:
    """Let Mei say hello and return her hand and her thread."""
    mei = shop.platform.customer("Mei")
    await mei.text("Hello")
    return mei, await shop.thread_of(mei)


def ours(customer: Customer) -> list[str]:
    return [said.message.get("text", "") for said in customer.got]


async def test_a_text_comes_in_and_its_answer_goes_out_and_its_echo_is_no_second_message(either: Shop) -> None:
    mei, thread = await greeted(either)
    assert (await either.account())["channel"] == either.platform.world.channel
    await either.until_state(await either.reply(thread, "Good morning, Mei."), "sent")
    await either.platform.settled()
    assert ours(mei) == ["Good morning, Mei."]
    assert len(either.platform.webhooks) == 2
    texts = [one["content"]["text"] for one in await either.messages(thread)]
    assert texts == ["Hello", "Good morning, Mei."]


async def test_an_echo_that_overtakes_the_answer_is_no_second_message(page: Shop) -> None:
    page.platform.echoes = "before"
    mei, thread = await greeted(page)
    await page.until_state(await page.reply(thread, "Good morning"), "sent")
    assert ours(mei) == ["Good morning"]
    assert len(await page.messages(thread)) == 2


async def test_what_staff_write_in_the_pages_own_inbox_stands_in_the_thread_as_theirs(page: Shop) -> None:
    mei, thread = await greeted(page)
    await page.platform.staff_says(mei, "I saw you at the counter")
    _, echo = await page.until_shown(thread, lambda shown: len(shown) == 2)
    assert (echo["author"]["kind"], echo["content"]["text"]) == ("staff_elsewhere", "I saw you at the counter")


async def test_files_go_both_ways(page: Shop) -> None:
    mei, thread = await greeted(page)
    await mei.image("cup")
    await mei.send("audio", b"\xff\xf1" + bytes(64), "audio/aac", "voice.aac")
    _, image, sound = await page.until_shown(
        thread,
        lambda shown: len(shown) == 3 and all(one["content"]["media"]["state"] != "pending" for one in shown[1:]),
    )
    assert [one["content"]["media"]["state"] for one in (image, sound)] == ["stored", "stored"]
    assert (image["content"]["media"]["width"], sound["content"]["type"]) == (640, "audio")
    headers = {"Content-Type": "image/jpeg"}
    upload = await page.ada.call("POST", "/media?name=cup.jpg", headers=headers, data=picture("cup"))
    posted = await page.ada.post(f"/threads/{thread['id']}/messages", {"attachments": [upload.json["id"]]})
    await page.until_state(posted, "sent")
    shown = page.platform.chat(mei.id)[-1]
    assert shown.kind == "image"
    assert shown.url
    assert shown.url.startswith(page.address)
    async with page.ada.session.get(shown.url) as response:
        with Image.open(BytesIO(await response.read())) as sent:
            assert sent.size == (640, 480)


async def test_quick_replies_and_buttons_come_back_as_what_was_pressed(page: Shop) -> None:
    mei, thread = await greeted(page)
    offers = [{"title": "Small", "data": "size=s"}, {"title": "Large", "data": "size=l"}]
    await page.until_state(await page.reply(thread, "Which?", quick_replies=offers), "sent")
    await mei.press(page.platform.chat(mei.id)[-1].quick_replies[1].id)
    await mei.press("menu:GET_STARTED")
    shown = await page.until_shown(thread, lambda shown: len(shown) == 4)
    assert [one["content"]["type"] for one in shown[2:]] == ["choice", "choice"]
    assert [one["content"]["data"] for one in shown[2:]] == ["size=l", "GET_STARTED"]


async def test_what_the_platform_sends_again_is_there_once(page: Shop) -> None:
    mei = page.platform.customer("Mei")
    async with page.platform.batch():
        await mei.text("Once")
        await mei.press("menu:GET_STARTED")
        await page.platform.customer("Bo").text("And somebody else")
    await page.platform.repeat(times=3)
    thread = await page.thread_of(mei)
    assert {webhook.status for webhook in page.platform.webhooks} == {200}
    assert [one["content"]["type"] for one in await page.messages(thread)] == ["text", "choice"]
    assert thread["unread"] == 2


async def test_after_a_day_an_agent_answers_with_the_tag_of_people_and_after_a_week_not_at_all(page: Shop) -> None:
    mei, thread = await greeted(page)
    page.later(DAY_S - 60)
    await page.until_state(await page.reply(thread, "Within the day"), "sent")
    page.later(60)
    await page.until_state(await page.reply(thread, "After it"), "sent")
    assert [said.way for said in mei.got] == ["RESPONSE", "HUMAN_AGENT"]
    page.later(6 * DAY_S)
    late = await page.until_state(await page.reply(thread, "After a week"), "suppressed")
    assert late["deliveries"][0]["reason"]["code"] == "window_closed"
    assert ours(mei) == ["Within the day", "After it"]
    await mei.text("Still there?")
    await page.until_state(await page.reply(thread, "Of course"), "sent")


async def test_without_human_agent_an_answer_after_a_day_is_not_tried(open_page: Open) -> None:
    async with open_page("facebook", human_agent_enabled=False) as page:
        mei, thread = await greeted(page)
        page.later(DAY_S)
        late = await page.until_state(await page.reply(thread, "After it"), "suppressed")
        assert late["deliveries"][0]["reason"]["code"] == "window_closed"
        assert (ours(mei), page.platform.requests(SENDING)) == ([], [])


async def test_a_window_that_the_platform_says_is_over_expires_the_reply(page: Shop) -> None:
    mei, thread = await greeted(page)
    mei.person.acted_ms = mei.person.wrote_ms = 0
    expired = await page.until_state(await page.reply(thread, "Too late"), "expired")
    assert expired["deliveries"][0]["reason"]["code"] == "window_closed"
    assert ours(mei) == []


async def test_receipts_tell_what_was_delivered_and_read(either: Shop) -> None:
    mei, thread = await greeted(either)
    first, second = [await either.reply(thread, text) for text in ("One", "Two")]
    for message in (first, second):
        await either.until_state(message, "sent")
    either.later(10)
    if either.platform.world.channel == "facebook":
        await mei.received()
        for message in (first, second):
            await either.until_state(message, "delivered")
    await mei.read()
    for message in (first, second):
        await either.until_state(message, "read")


async def test_typing_and_reading_reach_the_phone(page: Shop) -> None:
    mei, thread = await greeted(page)
    assert (await page.ada.call("POST", f"/threads/{thread['id']}/typing", {})).status == 202
    assert (await page.ada.call("POST", f"/threads/{thread['id']}/read", {"position": 1})).status == 204

    async def shown() -> bool:
        return page.platform.customers()[0].typing and mei.sees[0].read

    assert await until(shown)


async def test_a_lost_answer_is_settled_by_the_echo_and_nothing_is_said_twice(page: Shop) -> None:
    mei, thread = await greeted(page)
    page.platform.fail(Fault(do="close_after", path=SENDING))
    sent = await page.until_state(await page.reply(thread, "Once"), "sent")
    page.later(600)
    assert ours(mei) == ["Once"]
    assert sent["deliveries"][0]["maybe_duplicate"] is False
    assert len(page.platform.requests(SENDING)) == 1


async def test_a_lost_answer_without_an_echo_is_sent_again_and_flagged(page: Shop) -> None:
    page.platform.echoes = "never"
    mei, thread = await greeted(page)
    page.platform.fail(Fault(do="close_after", path=SENDING))
    reply = await page.reply(thread, "Perhaps twice")
    await page.until_state(reply, "uncertain")
    sent = await page.until_state(reply, "sent", turn_s=10)
    assert ours(mei) == ["Perhaps twice"] * 2
    assert sent["deliveries"][0]["maybe_duplicate"] is True


async def test_a_dead_token_holds_replies_until_there_is_a_good_one(page: Shop) -> None:
    mei, thread = await greeted(page)
    good = page.platform.world.token
    page.platform.revoke_token()
    held = await page.until_state(await page.reply(thread, "Wait for me"), "held")
    assert held["deliveries"][0]["reason"]["whose"] == "account"
    assert (await page.account())["state"] == "sign_in_needed"
    page.platform.world.token = good
    await page.until_state(held, "sent", turn_s=60)
    assert ours(mei) == ["Wait for me"]


async def test_twenty_replies_outlast_an_outage_in_order_and_none_twice(page: Shop) -> None:
    mei, thread = await greeted(page)
    body = '{"error":{"message":"Service temporarily unavailable","code":2,"is_transient":true}}'
    page.platform.fail(Fault(do="answer", path=SENDING, status=503, body=body, times=4))
    for number in range(20):
        await page.reply(thread, f"Answer {number}")

    async def all_sent() -> bool:
        states = [one["delivery_state"] for one in await page.messages(thread) if one["direction"] == "out"]
        if "retrying" in states:
            page.later(400)
        return set(states) == {"sent"}

    assert await until(all_sent)
    await page.platform.settled()
    assert ours(mei) == [f"Answer {number}" for number in range(20)]
    assert len(await page.messages(thread)) == 21


async def test_a_conversation_that_another_app_holds_refuses_a_reply_in_words(page: Shop) -> None:
    mei, thread = await greeted(page)
    await page.platform.hand_over(mei)
    await mei.text("Are you a robot?")
    await page.until_shown(thread, lambda shown: len(shown) == 2)
    failed = await page.until_state(await page.reply(thread, "No"), "failed")
    reason = failed["deliveries"][0]["reason"]
    assert (reason["code"], reason["whose"]) == ("thread_elsewhere", "account")


async def test_an_unsent_message_is_gone_with_all_its_pictures(open_page: Open) -> None:
    async with open_page("instagram") as insta:
        mei, thread = await greeted(insta)
        url = f"{insta.platform.url}/_sim/pictures/cup.jpg"
        attachments = [{"type": "image", "payload": {"url": url}} for _ in range(3)]
        said = await mei.write({"text": "My card is 0123", "attachments": attachments})
        await insta.until_shown(thread, lambda shown: len(shown) == 5)
        await mei.unsend(said)
        shown = await insta.until_shown(thread, lambda shown: all(one["recalled_at"] for one in shown[1:]))
        assert shown[0]["recalled_at"] is None
        assert "0123" not in json.dumps(shown)
        assert "media" not in json.dumps([one["content"] for one in shown[1:]])


async def test_a_lost_subscription_is_shown_on_the_account_and_made_good_there(page: Shop) -> None:
    mei, thread = await greeted(page)
    page.platform.subscribed.clear()

    async def failing() -> Json | None:
        account = await page.account()
        return account if account["state"] == "failing" else None

    account = await until(failing, turn=lambda: page.later(600))
    assert "not subscribed" in account["reason"]
    await page.until_state(await page.reply(thread, "We can still write"), "sent")
    health = await page.ada.post("/accounts/shop-meta/remedies/subscribe")
    assert health["state"] == "connected"
    await mei.text("And you are heard again")
    await page.until_shown(thread, lambda shown: len(shown) == 3)
