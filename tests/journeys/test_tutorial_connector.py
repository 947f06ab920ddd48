"""The connector of the tutorial through the whole house: what its reader sees at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image

from tests.core.conftest import HandClock
from tests.desk.conftest import KEY, Template
from tests.house import ROOT
from tests.journeys.branch import Branch, open_branch
from tests.journeys.shop import until
from trunkline.plugins import Registry, load_registry
from trunkline.testing.pictures import picture


@pytest.fixture
async def telegram(
    tmp_path: Path, sqlite_template: Template, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Branch[Any]]:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", KEY)
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "telegram"))
    from trunkline_telegram import SPEC  # type: ignore[import-not-found]  # an example, not installed
    from trunkline_telegram.simulator import Simulator  # type: ignore[import-not-found]  # as above

    channel = {"telegram": (SPEC, SPEC.channels[0])}
    registry = Registry({"telegram": SPEC}, channel, load_registry(()).applications)
    platform, name = Simulator(clock=clock), "telegram"
    opened = open_branch(tmp_path, sqlite_template, platform, connector=name, clock=clock, registry=registry)
    async with opened as branch:
        yield branch


async def test_a_message_is_in_the_inbox_and_its_answer_on_the_phone(telegram: Branch[Any]) -> None:
    customer, thread = await telegram.greeted_by("Mei")
    assert thread["channel"] == "telegram"
    await telegram.sends(thread, text="Hello Mei")
    assert [bubble.text for bubble in telegram.heard(customer)] == ["Hello Mei"]


async def test_pictures_go_both_ways(telegram: Branch[Any]) -> None:
    customer, thread = await telegram.greeted_by("Mei")
    await telegram.writes(customer, "image", picture="cup")
    _, image = await telegram.until_media(thread["id"])
    with Image.open(BytesIO(await telegram.file_of(image))) as opened:
        assert opened.size == (640, 480)
    await telegram.sends(thread, attachments=[await telegram.upload("cup.jpg", "image/jpeg", picture("cup"))])
    assert telegram.heard(customer)[-1].kind == "image"


async def test_a_pressed_button_comes_back_and_stops_to_spin(telegram: Branch[Any]) -> None:
    customer, thread = await telegram.greeted_by("Mei")
    offers = [{"title": "Small", "data": "size=s"}, {"title": "Large", "data": "size=l"}]
    await telegram.sends(thread, text="Which size?", quick_replies=offers)
    await telegram.writes(customer, "press", press=telegram.heard(customer)[-1].quick_replies[1].id)

    async def pressed() -> Any:
        last = (await telegram.messages(thread["id"]))[-1]
        return last if last["content"]["type"] == "choice" else None

    assert (await until(pressed))["content"]["data"] == "size=l"
    assert telegram.platform.spinning == set()


async def test_an_edit_replaces_the_words(telegram: Branch[Any]) -> None:
    customer, thread = await telegram.greeted_by("Mei")
    telegram.later(5)
    await telegram.writes(customer, "edit", bubble=telegram.platform.chat(customer)[0].id, text="Good morning")

    async def edited() -> bool:
        (message,) = await telegram.messages(thread["id"])
        return bool(message["content"]["text"] == "Good morning")

    assert await until(edited)


async def test_telegram_is_asked_again_when_it_said(telegram: Branch[Any]) -> None:
    customer, thread = await telegram.greeted_by("Mei")
    # Of the send alone: the customer's profile is asked for as well.
    telegram.platform.fail(msgspec.structs.replace(telegram.platform.limited(after_s=7), path="*/sendMessage"))
    waiting = await telegram.until_state(await telegram.reply(thread["id"], "Later"), "retrying")
    assert waiting["deliveries"][0]["reason"]["code"] == "rate_limited"
    await telegram.until_state(waiting, "sent", turn=telegram.pauses(7))
    assert [bubble.text for bubble in telegram.heard(customer)] == ["Later"]


async def test_who_blocked_the_bot_is_told_as_the_customers_reason(telegram: Branch[Any]) -> None:
    customer, thread = await telegram.greeted_by("Mei")
    await telegram.writes(customer, "unfollow")
    failed = await telegram.until_state(await telegram.reply(thread["id"], "Hello?"), "failed")
    assert failed["deliveries"][0]["reason"]["whose"] == "recipient"
