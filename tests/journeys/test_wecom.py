"""A WeCom app through the whole house: members write, agents answer, and nothing is said twice."""

from __future__ import annotations

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
from trunkline_wechat.simulator import Simulator

Json = dict[str, Any]
WeCom = Branch[Simulator]

SEND = "/cgi-bin/message/send"


@pytest.fixture
async def wecom(
    tmp_path: Path, sqlite_template: Template, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[WeCom]:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", KEY)
    platform = Simulator(channel="wecom", clock=clock)
    async with open_branch(tmp_path, sqlite_template, platform, connector="wechat", clock=clock) as branch:
        yield branch


async def test_a_member_asks_and_an_agent_answers_days_later(wecom: WeCom) -> None:
    mei, thread = await wecom.greeted_by("Mei")
    assert thread["window"] is None
    wecom.later(5 * 86_400)
    wecom.platform.expire_tokens()
    await wecom.sends(thread, text="Sorry for the wait. " + "长" * 1000)
    parts = [bubble.text for bubble in wecom.heard(mei)]
    assert "".join(parts).replace(" ", "") == "Sorryforthewait." + "长" * 1000
    assert max(len(part.encode()) for part in parts) <= 2048


async def test_media_go_both_ways(wecom: WeCom) -> None:
    mei, thread = await wecom.greeted_by("Mei")
    await wecom.writes(mei, "image", picture="cup")
    await wecom.writes(mei, "video")
    _, image, video = await wecom.until_media(thread["id"])
    with Image.open(BytesIO(await wecom.file_of(image))) as opened:
        assert opened.size == (640, 480)
    assert video["content"]["media"]["state"] == "stored"
    media = await wecom.upload("invoice.pdf", "application/pdf", b"%PDF-1.4\n%%EOF\n")
    await wecom.sends(thread, attachments=[media])
    shown = wecom.heard(mei)[-1]
    assert shown.kind == "file"
    async with wecom.ada.session.get(str(shown.url)) as response:
        assert await response.read() == b"%PDF-1.4\n%%EOF\n"


async def test_a_pressed_button_comes_back(wecom: WeCom) -> None:
    mei, thread = await wecom.greeted_by("Mei")
    offers = [{"title": "Small", "data": "size=s"}, {"title": "Large", "data": "size=l"}]
    await wecom.sends(thread, text="We have two.", quick_replies=offers)
    await wecom.writes(mei, "press", press=wecom.heard(mei)[-1].quick_replies[1].id)

    async def pressed() -> Json | None:
        last = (await wecom.messages(thread["id"]))[-1]
        return last if last["content"]["type"] == "choice" else None

    assert (await until(pressed))["content"]["data"] == "size=l"


async def test_a_packet_that_comes_again_makes_no_second_message(wecom: WeCom) -> None:
    mei, thread = await wecom.greeted_by("Mei")
    for _ in range(3):
        assert await wecom.platform.repeat() == 200
    await wecom.writes(mei, text="And another thing")

    async def both() -> list[Json] | None:
        shown = await wecom.messages(thread["id"])
        return shown if len(shown) > 1 else None

    assert [one["content"]["text"] for one in await until(both)] == ["Hello", "And another thing"]


async def test_who_left_the_range_of_the_app_is_told_as_the_recipients_reason(wecom: WeCom) -> None:
    mei, thread = await wecom.greeted_by("Mei")
    wecom.platform.world.people[mei].more["outside"] = True
    failed = await wecom.until_state(await wecom.reply(thread["id"], "Are you there?"), "failed")
    reason = failed["deliveries"][0]["reason"]
    assert (reason["code"], reason["whose"]) == ("invalid_user", "recipient")


async def test_twenty_replies_outlast_an_outage_in_order_and_none_twice(wecom: WeCom) -> None:
    mei, thread = await wecom.greeted_by("Mei")
    for do, times in (("close_before", 2), ("close_after", 2)):
        wecom.platform.fail(Fault(do=do, path=SEND, times=times))  # type: ignore[arg-type]  # both are kinds of faults
    wecom.platform.fail(Fault(do="answer", path=SEND, status=502, times=1))
    await wecom.outlasts_an_outage(mei, thread)
