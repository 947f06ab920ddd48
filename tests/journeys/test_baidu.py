"""Baidu through the whole house: pushes in, five answers out within forty-eight hours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.core.conftest import HandClock
from tests.desk.conftest import KEY, Template
from tests.journeys.branch import Branch, open_branch
from trunkline.testing.faults import Fault
from trunkline.testing.pictures import picture
from trunkline_baidu.simulator import Simulator

SEND = "/rest/2.0/smartapp/message/custom/send"

Baidu = Branch[Simulator]


@pytest.fixture
async def baidu(
    tmp_path: Path, sqlite_template: Template, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Baidu]:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", KEY)
    platform = Simulator(clock=clock)
    async with open_branch(tmp_path, sqlite_template, platform, connector="baidu", clock=clock) as branch:
        yield branch


async def test_a_customer_asks_and_an_agent_answers(baidu: Baidu) -> None:
    customer, thread = await baidu.greeted_by("Mei")
    assert thread["channel"] == "baidu_ad"
    await baidu.sends(thread, text="你好！")
    assert [bubble.text for bubble in baidu.heard(customer)] == ["你好！"]
    assert baidu.platform.pushes[-1].statuses == [200]


async def test_pictures_go_both_ways_and_files_leave_as_links(baidu: Baidu) -> None:
    customer, thread = await baidu.greeted_by("Mei")
    baidu.platform.xml = True
    await baidu.writes(customer, "image", picture="cup")
    _, image = await baidu.until_media(thread["id"])
    with Image.open(BytesIO(await baidu.file_of(image))) as opened:
        assert opened.size == (640, 480)
    await baidu.sends(thread, attachments=[await baidu.upload("cup.jpg", "image/jpeg", picture("cup"))])
    shown = baidu.heard(customer)[-1]
    assert (shown.kind, str(shown.url).startswith(baidu.address)) == ("image", True)
    await baidu.sends(thread, attachments=[await baidu.upload("a.pdf", "application/pdf", b"%PDF-1.4\n%%EOF\n")])
    assert baidu.heard(customer)[-1].text.startswith("a.pdf\nhttp")


async def test_suggested_answers_are_listed_because_baidu_has_no_buttons(baidu: Baidu) -> None:
    customer, thread = await baidu.greeted_by("Mei")
    await baidu.sends(thread, text="Which size?", quick_replies=[{"title": "Small"}, {"title": "Large"}])
    assert baidu.heard(customer)[-1].text == "Which size?\n\n1. Small\n2. Large"


async def test_what_baidu_pushes_twice_is_there_once(baidu: Baidu) -> None:
    _, thread = await baidu.greeted_by("Mei")
    await baidu.platform.repeat()
    assert len(await baidu.messages(thread["id"])) == 1
    assert [push.statuses for push in baidu.platform.pushes] == [[200], [200]]


async def test_five_answers_are_allowed_and_a_new_message_allows_five_more(baidu: Baidu) -> None:
    customer, thread = await baidu.greeted_by("Mei")
    for number in range(5):
        await baidu.sends(thread, text=f"Answer {number}")
    refused = await baidu.until_state(await baidu.reply(thread["id"], "The sixth"), "suppressed")
    assert refused["deliveries"][0]["reason"]["code"] == "budget_spent"
    await baidu.writes(customer, text="Thanks")
    assert (await baidu.ada.get(f"/threads/{thread['id']}"))["window"]["remaining"] == 5
    await baidu.sends(thread, text="You are welcome")
    assert len(baidu.heard(customer)) == 6


async def test_the_window_is_over_after_forty_eight_hours(baidu: Baidu) -> None:
    customer, thread = await baidu.greeted_by("Mei")
    baidu.later(48 * 3600 - 60)
    await baidu.sends(thread, text="Just in time")
    baidu.later(60)
    refused = await baidu.until_state(await baidu.reply(thread["id"], "Too late"), "suppressed")
    assert refused["deliveries"][0]["reason"]["code"] == "window_closed"
    assert [bubble.text for bubble in baidu.heard(customer)] == ["Just in time"]


async def test_what_baidu_counts_is_believed(baidu: Baidu) -> None:
    customer, thread = await baidu.greeted_by("Mei")
    baidu.platform.world.people[customer].left = 0
    await baidu.until_state(await baidu.reply(thread["id"], "One too many"), "expired")
    assert (await baidu.ada.get(f"/threads/{thread['id']}"))["window"]["remaining"] in {0, None}
    assert baidu.heard(customer) == []


async def test_an_ended_token_is_renewed_and_nobody_notices(baidu: Baidu) -> None:
    customer, thread = await baidu.greeted_by("Mei")
    baidu.platform.expire_tokens()
    await baidu.sends(thread, text="Hello")
    assert [bubble.text for bubble in baidu.heard(customer)] == ["Hello"]
    assert (await baidu.account())["state"] == "connected"


async def test_an_outage_loses_nothing_and_says_nothing_twice(baidu: Baidu) -> None:
    customer, thread = await baidu.greeted_by("Mei")
    baidu.platform.fail(Fault(do="answer", path=SEND, status=503, times=4))
    await baidu.outlasts_an_outage(customer, thread, replies=5)
