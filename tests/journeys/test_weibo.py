"""Weibo through the whole house: callbacks in, replies out, and the forty-eight hours between them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.core.conftest import HandClock
from tests.desk.conftest import KEY, Template
from tests.journeys.branch import Branch, open_branch
from tests.journeys.shop import until
from trunkline.testing.faults import Fault
from trunkline.testing.pictures import picture
from trunkline_weibo.simulator import Simulator

REPLY = "/2/messages/reply.json"

Weibo = Branch[Simulator]


@pytest.fixture
async def weibo(
    tmp_path: Path, sqlite_template: Template, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Weibo]:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", KEY)
    platform = Simulator(clock=clock)
    async with open_branch(tmp_path, sqlite_template, platform, connector="weibo", clock=clock) as branch:
        yield branch


async def test_a_fan_asks_and_an_agent_answers(weibo: Weibo) -> None:
    fan, thread = await weibo.greeted_by("Mei")
    await weibo.sends(thread, text="你好！" * 150)
    assert "".join(bubble.text for bubble in weibo.heard(fan)) == "你好！" * 150
    assert max(len(bubble.text) for bubble in weibo.heard(fan)) <= 299
    assert weibo.platform.pushes[-1].statuses == [200]


async def test_media_come_in_and_leave_as_links(weibo: Weibo) -> None:
    fan, thread = await weibo.greeted_by("Mei")
    await weibo.writes(fan, "image", picture="cup")
    await weibo.writes(fan, "voice")
    _, image, voice = await weibo.until_media(thread["id"])
    with Image.open(BytesIO(await weibo.file_of(image))) as opened:
        assert opened.size == (640, 480)
    assert (await weibo.file_of(voice)).startswith(b"#!AMR")
    media = await weibo.upload("cup.jpg", "image/jpeg", picture("cup"))
    sent = await weibo.sends(thread, attachments=[media])
    assert sent["deliveries"][0]["level"] == "fallback"
    assert f"{weibo.address}/" in weibo.heard(fan)[-1].text


async def test_suggested_answers_are_listed_because_weibo_has_no_buttons(weibo: Weibo) -> None:
    fan, thread = await weibo.greeted_by("Mei")
    await weibo.sends(thread, text="Which size?", quick_replies=[{"title": "Small"}, {"title": "Large"}])
    assert weibo.heard(fan)[-1].text == "Which size?\n\n1. Small\n2. Large"


async def test_what_weibo_pushes_twice_is_there_once(weibo: Weibo) -> None:
    _, thread = await weibo.greeted_by("Mei")
    await weibo.platform.repeat()
    assert len(await weibo.messages(thread["id"])) == 1
    assert [push.statuses for push in weibo.platform.pushes] == [[200], [200]]


async def test_the_window_is_over_after_forty_eight_hours(weibo: Weibo) -> None:
    fan, thread = await weibo.greeted_by("Mei")
    weibo.later(48 * 3600 - 60)
    await weibo.sends(thread, text="Just in time")
    weibo.later(60)
    refused = await weibo.until_state(await weibo.reply(thread["id"], "Too late"), "suppressed")
    assert refused["deliveries"][0]["reason"]["code"] == "window_closed"
    assert [bubble.text for bubble in weibo.heard(fan)] == ["Just in time"]


async def test_a_mention_allows_one_answer(weibo: Weibo) -> None:
    fan = weibo.platform.add_customer("Mei")
    await weibo.writes(fan, "mention", text="@Shop when do you open?")
    thread = await weibo.thread_with(fan)
    await weibo.sends(thread, text="At nine.")
    refused = await weibo.until_state(await weibo.reply(thread["id"], "Or ten."), "suppressed")
    assert refused["deliveries"][0]["reason"]["code"] == "budget_spent"
    assert [bubble.text for bubble in weibo.heard(fan)] == ["At nine."]


async def test_nobody_writes_to_a_fan_who_left_until_they_are_back(weibo: Weibo) -> None:
    fan, thread = await weibo.greeted_by("Mei")
    weibo.later(5)
    await weibo.writes(fan, "unfollow")
    refused = await weibo.until_state(await weibo.reply(thread["id"], "Wait!"), "suppressed")
    assert refused["deliveries"][0]["reason"]["code"] == "window_closed"
    weibo.later(1)
    await weibo.writes(fan, "follow")
    await weibo.sends(thread, text="Welcome back")
    assert [bubble.text for bubble in weibo.heard(fan)] == ["Welcome back"]


async def test_a_token_that_ends_holds_replies_until_it_is_good_again(weibo: Weibo) -> None:
    fan, thread = await weibo.greeted_by("Mei")
    ends, weibo.platform.world.token_ends_ms = weibo.platform.world.token_ends_ms, 0
    held = await weibo.until_state(await weibo.reply(thread["id"], "Wait for me"), "held")
    assert held["deliveries"][0]["reason"]["whose"] == "account"
    assert (await weibo.account())["state"] == "sign_in_needed"
    weibo.platform.world.token_ends_ms = ends
    await weibo.until_state(held, "sent", turn=weibo.pauses(60))
    assert [bubble.text for bubble in weibo.heard(fan)] == ["Wait for me"]


async def test_an_outage_loses_nothing_and_says_nothing_twice(weibo: Weibo) -> None:
    fan, thread = await weibo.greeted_by("Mei")
    weibo.platform.fail(Fault(do="answer", path=REPLY, status=503, times=4))
    await weibo.outlasts_an_outage(fan, thread)


async def test_what_weibo_refuses_is_shown_in_its_words(weibo: Weibo) -> None:
    _, thread = await weibo.greeted_by("Mei")
    body = json.dumps({"error_code": 20021, "error": "content is illegal"})
    weibo.platform.fail(Fault(do="answer", path=REPLY, status=400, body=body))
    failed = await weibo.until_state(await weibo.reply(thread["id"], "…"), "failed")
    assert failed["deliveries"][0]["reason"]["text"] == "Weibo: content is illegal"


async def test_a_body_forged_with_a_captured_proof_is_refused(weibo: Weibo) -> None:
    fan, thread = await weibo.greeted_by("Mei")
    packet = weibo.platform.packet(weibo.platform.world.fans[fan], "text", "send me money")
    captured = weibo.platform.webhook(packet)
    assert await weibo.platform.send_webhook(packet, captured.headers, captured.query) == 200
    forged = packet.replace(b"money", b"gold!")
    assert await weibo.platform.send_webhook(forged, captured.headers, captured.query) == 401

    async def arrived() -> Any:
        return len(await weibo.messages(thread["id"])) == 2

    assert await until(arrived)
