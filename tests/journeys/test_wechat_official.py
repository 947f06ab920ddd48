"""An Official Account and a Mini Program through the whole house: encrypted packets in, five answers, two days."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
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
from trunkline_wechat.simulator import Simulator
from trunkline_wechat.simulator.weixin import VOICE

Json = dict[str, Any]
WeChat = Branch[Simulator]

SEND = "/cgi-bin/message/custom/send"
BUSY = '{"errcode":-1,"errmsg":"system error"}'


@pytest.fixture
def opened(
    tmp_path: Path, sqlite_template: Template, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], AbstractAsyncContextManager[WeChat]]:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", KEY)

    def start(channel: str) -> AbstractAsyncContextManager[WeChat]:
        platform = Simulator(channel=channel, clock=clock)
        return open_branch(tmp_path, sqlite_template, platform, connector="wechat", clock=clock)

    return start


@pytest.fixture
async def oa(opened: Callable[[str], AbstractAsyncContextManager[WeChat]]) -> AsyncIterator[WeChat]:
    async with opened("wechat_oa") as branch:
        yield branch


@pytest.fixture
async def mini(opened: Callable[[str], AbstractAsyncContextManager[WeChat]]) -> AsyncIterator[WeChat]:
    async with opened("wechat_mini") as branch:
        yield branch


async def test_a_follower_asks_and_an_agent_answers(oa: WeChat) -> None:
    mei, thread = await oa.greeted_by("Mei")
    assert thread["window"]["remaining"] == 5
    await oa.sends(thread, text="长" * 1000)
    parts = [bubble.text for bubble in oa.heard(mei)]
    assert "".join(parts) == "长" * 1000
    assert max(len(part.encode()) for part in parts) <= 2048
    detail = await oa.ada.get(f"/threads/{thread['id']}")
    assert detail["window"]["remaining"] == 3, "each part costs one"
    assert oa.platform.webhooks[-1].statuses == [200]


async def test_media_go_both_ways(oa: WeChat) -> None:
    mei, thread = await oa.greeted_by("Mei")
    for kind in ("image", "voice", "video"):
        await oa.writes(mei, kind)

    async def all_there() -> list[Json] | None:
        shown = await oa.until_media(thread["id"])
        return shown if len(shown) == 4 else None

    _, image, voice, video = await until(all_there)
    with Image.open(BytesIO(await oa.file_of(image))) as file:
        assert file.size == (640, 480)
    assert await oa.file_of(voice) == VOICE
    assert video["content"]["media"]["state"] == "stored"
    media = await oa.upload("cup.jpg", "image/jpeg", picture("cup"))
    await oa.sends(thread, attachments=[media])
    shown = oa.heard(mei)[-1]
    assert shown.kind == "image"
    async with oa.ada.session.get(str(shown.url)) as response:
        with Image.open(BytesIO(await response.read())) as file:
            assert file.size == (640, 480)


async def test_a_suggested_answer_comes_back_as_what_was_pressed(oa: WeChat) -> None:
    mei, thread = await oa.greeted_by("Mei")
    offers = [{"title": "Small", "data": "size=s"}, {"title": "Large", "data": "size=l"}]
    await oa.sends(thread, text="We have two.", quick_replies=offers)
    await oa.writes(mei, "press", press=oa.heard(mei)[-1].quick_replies[1].id)

    async def pressed() -> Json | None:
        last = (await oa.messages(thread["id"]))[-1]
        return last if last["content"]["type"] == "choice" else None

    assert (await until(pressed))["content"]["data"] == "size=l"


async def test_a_packet_that_comes_again_makes_no_second_message(oa: WeChat) -> None:
    mei, thread = await oa.greeted_by("Mei")
    for _ in range(3):
        assert await oa.platform.repeat() == 200
    await oa.writes(mei, text="And another thing")

    async def both() -> list[Json] | None:
        shown = await oa.messages(thread["id"])
        return shown if len(shown) > 1 else None

    assert [one["content"]["text"] for one in await until(both)] == ["Hello", "And another thing"]


async def test_forged_and_plain_packets_are_refused_and_leave_nothing(oa: WeChat) -> None:
    _, thread = await oa.greeted_by("Mei")
    forged = oa.platform.surface.webhook(oa.platform.webhooks[-1].body.replace(b"Hello", b"Forged"))
    body = forged.body.replace(b"A", b"B")
    async with oa.ada.session.post(str(oa.platform.webhook_url), params=dict(forged.query), data=body) as response:
        assert response.status == 401
    oa.platform.surface.mode = "plain"  # type: ignore[attr-defined]  # a switch of this surface's console
    plain = oa.platform.surface.webhook(oa.platform.webhooks[-1].body.replace(b"Hello", b"Forged"))
    assert (await oa.platform.post(plain))[0] == 401
    assert [one["content"]["text"] for one in await oa.messages(thread["id"])] == ["Hello"]


async def test_the_sixth_answer_and_one_after_two_days_are_kept_back(oa: WeChat) -> None:
    mei, thread = await oa.greeted_by("Mei")
    oa.later(47 * 3600)
    for number in range(5):
        await oa.sends(thread, text=f"Answer {number}")
    sixth = await oa.until_state(await oa.reply(thread["id"], "One too many"), "suppressed")
    assert sixth["deliveries"][0]["reason"]["code"] == "budget_spent"
    oa.later(3600)
    late = await oa.until_state(await oa.reply(thread["id"], "Too late"), "suppressed")
    assert late["deliveries"][0]["reason"]["code"] == "window_closed"
    assert len(oa.heard(mei)) == 5
    await oa.writes(mei, text="Still there?")
    await oa.until_state(await oa.reply(thread["id"], "We are"), "sent")


async def test_the_platforms_own_count_corrects_ours(oa: WeChat) -> None:
    mei, thread = await oa.greeted_by("Mei")
    oa.platform.world.people[mei].left = 0
    refused = await oa.until_state(await oa.reply(thread["id"], "Hello?"), "expired", "suppressed", "failed")
    assert refused["deliveries"][0]["reason"]["code"] == "budget_spent"

    async def corrected() -> bool:
        detail = await oa.ada.get(f"/threads/{thread['id']}")
        return bool(detail["window"]["remaining"] in {0, None} and not detail["window"]["open"])

    assert await until(corrected)


async def test_who_unfollows_cannot_be_written_to_until_they_follow_again(oa: WeChat) -> None:
    mei, thread = await oa.greeted_by("Mei")
    await oa.writes(mei, "unfollow")
    kept = await oa.until_state(await oa.reply(thread["id"], "Wait!"), "suppressed")
    assert kept["deliveries"][0]["reason"]["code"] == "window_closed"
    oa.later(1)
    await oa.writes(mei, "follow")
    await oa.sends(thread, text="Welcome back")
    assert [bubble.text for bubble in oa.heard(mei)] == ["Welcome back"]


async def test_a_token_that_was_ended_is_renewed_without_anybody_noticing(oa: WeChat) -> None:
    mei, thread = await oa.greeted_by("Mei")
    oa.platform.expire_tokens()
    await oa.sends(thread, text="Here you are")
    assert [bubble.text for bubble in oa.heard(mei)] == ["Here you are"]


async def test_twenty_replies_to_four_people_outlast_an_outage_in_order_and_none_twice(oa: WeChat) -> None:
    people = [await oa.greeted_by(name) for name in ("Mei", "Bo", "Li", "Ana")]
    oa.platform.expire_tokens()
    oa.platform.fail(Fault(do="close_before", path="/cgi-bin/stable_token", times=2))
    oa.platform.fail(Fault(do="answer", path=SEND, status=200, body=BUSY, times=5))
    for customer, thread in people:
        await oa.outlasts_an_outage(customer, thread, replies=5)


async def test_a_reply_without_an_answer_is_tried_again_later_and_marked_as_perhaps_doubled(oa: WeChat) -> None:
    mei, thread = await oa.greeted_by("Mei")
    oa.platform.fail(Fault(do="close_after", path=SEND))
    unsure = await oa.until_state(await oa.reply(thread["id"], "Once"), "uncertain")
    assert [bubble.text for bubble in oa.heard(mei)] == ["Once"]
    sent = await oa.until_state(unsure, "sent", turn=oa.pauses(10))
    assert sent["deliveries"][0]["maybe_duplicate"] is True


async def test_after_the_window_a_template_still_goes_and_its_failure_is_told_later(oa: WeChat) -> None:
    mei, thread = await oa.greeted_by("Mei")
    oa.later(49 * 3600)
    content = {
        "type": "template",
        "name": "TPL_ORDER",
        "language": "zh_CN",
        "variables": {"first": "Hello again", "keyword1": "42"},
    }
    sent = await oa.sends(thread, content=content)
    assert "Hello again" in oa.heard(mei)[-1].text
    person = oa.platform.world.people[mei]
    surface: Any = oa.platform.surface
    await surface.finish(person.said[-1], person, status="failed:user block")
    failed = await oa.until_state(sent, "failed")
    assert "user block" in failed["deliveries"][0]["reason"]["platform_text"]


async def test_a_mini_program_speaks_json_and_has_two_messages_for_who_only_looks_in(mini: WeChat) -> None:
    mei = mini.platform.add_customer("Mei")
    await mini.writes(mei, "enter", text="sku=42")
    thread = await mini.thread_with(mei)
    assert thread["window"]["remaining"] == 2
    await mini.sends(thread, text="How can we help?")
    await mini.writes(mei, text="你好")
    await mini.writes(mei, "image", picture="cup")
    *_, image = await mini.until_media(thread["id"])
    with Image.open(BytesIO(await mini.file_of(image))) as file:
        assert file.size == (640, 480)
    for number in range(5):
        await mini.sends(thread, text=f"Answer {number}")
    mini.later(120)  # what looking in gave is over by then
    sixth = await mini.until_state(await mini.reply(thread["id"], "One too many"), "suppressed")
    assert sixth["deliveries"][0]["reason"]["code"] == "budget_spent"
    assert mini.heard(mei)[0].text == "How can we help?"
    assert len(mini.heard(mei)) == 6
