"""An app on a phone, the house, and the push service that wakes the app: a day of one customer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.core.conftest import HandClock
from tests.hosted.conftest import Opener, open_place, sqlite_url
from tests.hosted.people import Place
from tests.journeys.shop import until
from trunkline.model import QuickReply
from trunkline.store import schema
from trunkline.testing.phones import Action
from trunkline_sdk import SPEC
from trunkline_sdk.simulator import Simulator

__all__ = ["open_place", "sqlite_url"]

DAY = 24 * 3600


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def sim(clock: HandClock) -> AsyncIterator[Simulator]:
    async with Simulator(clock=clock) as simulator:
        yield simulator


@pytest.fixture
def settings_file(tmp_path: Path, sim: Simulator) -> Path:
    fcm = sim.settings()["fcm"]
    account = {"keys": sim.settings()["keys"], "fcm": fcm, "title": {"en": "Kettle & Spoke"}}
    lines = [f"{name} = {_toml(value)}" for name, value in account.items()]
    head = f'[server]\nmetrics_listen = "off"\nallow_hosts = ["{sim.url.partition("//")[2]}"]\n'
    file = tmp_path / "trunkline.toml"
    file.write_text(
        f"{head}[media]\nfree_space_floor = 0\n"
        '[[accounts]]\nid = "shop"\nconnector = "sdk"\n[accounts.settings]\n' + "\n".join(lines)
    )
    return file


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(one)}" for name, one in value.items()) + " }"
    return f"[{', '.join(map(_toml, value))}]" if isinstance(value, list) else json.dumps(value)


@pytest.fixture
async def place(sqlite_url: str, open_place: Opener, sim: Simulator) -> AsyncIterator[Place]:
    async with open_place(sqlite_url, specs=(SPEC,)) as place:
        sim.webhook_url = f"{place.address}/webhooks/shop"
        yield place


def said(sim: Simulator, mei: str) -> list[str]:
    return [one.text for one in sim.chat(mei)]


async def seen(sim: Simulator, mei: str, text: str) -> None:
    await until(lambda: _truth(text in said(sim, mei)))


async def _truth(value: bool) -> bool:
    return value


async def thread(place: Place) -> Any:
    (row,) = await place.rows(schema.thread)
    return row


async def passed(place: Place, seconds: float = 5) -> None:
    """Let the time pass in which an app may acknowledge."""
    await place.house.workers["application:push"].settle()
    place.clock.advance(seconds=seconds)
    await place.house.workers["push"].settle()


async def test_words_and_files_go_both_ways_and_a_button_is_pressed(place: Place, sim: Simulator) -> None:
    mei = sim.add_customer("Mei Tanaka")
    await sim.act(mei, Action(kind="text", text="Is the red bike still there?"))
    await sim.act(mei, Action(kind="image", picture="parcel"))
    await sim.act(mei, Action(kind="location"))
    row = await thread(place)
    assert row.channel == "app_sdk"
    kinds = [json.loads(one.content)["type"] for one in await place.rows(schema.message)]
    assert kinds == ["text", "image", "location"]
    replies = (QuickReply(title="Yes", data="yes"), QuickReply(title="No", data="no"))
    await place.reply(row.id, "Shall we keep it for you?", quick_replies=replies)
    await seen(sim, mei, "Shall we keep it for you?")
    press = next(one for one in sim.chat(mei) if one.quick_replies).quick_replies[0]
    await sim.act(mei, Action(kind="press", press=press.id))
    (*_, answer) = await place.rows(schema.message)
    assert json.loads(answer.content)["data"] == "yes"


async def test_an_answer_wakes_a_closed_app_which_fetches_it(place: Place, sim: Simulator) -> None:
    """B10: no acknowledgement, a push, a tap, the feed, delivered."""
    mei = sim.add_customer("Mei Tanaka")
    await sim.act(mei, Action(kind="text", text="When do you open?"))
    row = await thread(place)
    await sim.close(mei)
    await place.reply(row.id, "At nine, and the PIN is 4711")
    assert await place.states(row.id) == ["sent"]
    await passed(place)
    (notification,) = sim.phones[mei].notifications
    assert notification["notification"] == {"title": "Kettle & Spoke", "body": "You have a new message"}
    assert "4711" not in json.dumps(sim.firebase.sent)
    await sim.open(mei)
    await seen(sim, mei, "At nine, and the PIN is 4711")
    await until(lambda: _delivered(place, row.id))
    assert len(sim.firebase.sent) == 1


async def _delivered(place: Place, thread_id: str) -> bool:
    return await place.states(thread_id) == ["delivered"]


async def test_an_open_app_is_not_woken(place: Place, sim: Simulator) -> None:
    mei = sim.add_customer("Mei Tanaka")
    await sim.act(mei, Action(kind="text", text="Hello"))
    row = await thread(place)
    await place.reply(row.id, "Hello, Mei")
    await seen(sim, mei, "Hello, Mei")
    await until(lambda: _delivered(place, row.id))
    await passed(place)
    assert sim.firebase.sent == []


async def test_while_firebase_is_away_pushes_wait_and_come_once(place: Place, sim: Simulator) -> None:
    mei = sim.add_customer("Mei Tanaka")
    await sim.act(mei, Action(kind="text", text="Hello"))
    await sim.close(mei)
    sim.firebase.refusals = ["UNAVAILABLE", "INTERNAL", "QUOTA_EXCEEDED"]
    row = await thread(place)
    for number in range(20):
        await place.reply(row.id, f"Number {number}")
    await passed(place)
    assert sim.firebase.sent == []
    for pause in (13, 25, 50):
        await passed(place, pause)
    (message,) = sim.firebase.sent
    assert json.loads(message["data"]["occ"])["unread"] == 20
    await passed(place, DAY)
    assert len(sim.firebase.sent) == 1


async def test_an_access_token_that_ends_is_renewed(place: Place, sim: Simulator) -> None:
    mei = sim.add_customer("Mei Tanaka")
    await sim.act(mei, Action(kind="text", text="Hello"))
    await sim.close(mei)
    row = await thread(place)
    for text in ("One", "Two"):
        await place.reply(row.id, text)
        await passed(place)
        sim.firebase.revoke_access()
    assert len(sim.firebase.sent) == 2


async def test_a_phone_that_removed_the_app_is_forgotten(place: Place, sim: Simulator) -> None:
    mei = sim.add_customer("Mei Tanaka")
    await sim.act(mei, Action(kind="text", text="Hello"))
    await sim.close(mei)
    sim.firebase.uninstall(mei)
    row = await thread(place)
    await place.reply(row.id, "Are you still there?")
    await passed(place)
    assert await place.rows(schema.visitor_device) == []
    assert await place.states(row.id) == ["sent"]
