"""WeChat KF through the whole house: notified, pulled, answered from the right desk, within what WeChat allows."""

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
from trunkline_wechat.simulator import Simulator
from trunkline_wechat.simulator.qyapi import Qyapi
from trunkline_wechat.simulator.world import Person

Json = dict[str, Any]
Kf = Branch[Simulator]

SEND, SYNC, TOKEN = "/cgi-bin/kf/send_msg", "/cgi-bin/kf/sync_msg", "/cgi-bin/gettoken"
OTHER = "wkOMNI0002"
TWO_DAYS_S = 48 * 3600


@pytest.fixture
async def kf(
    tmp_path: Path, sqlite_template: Template, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Kf]:
    monkeypatch.setenv("TRUNKLINE_SECRET_KEY", KEY)
    platform = Simulator(channel="wechat_kf", clock=clock)
    async with open_branch(tmp_path, sqlite_template, platform, connector="wechat", clock=clock) as branch:
        yield branch


def company(kf: Kf) -> Qyapi:
    surface = kf.platform.surface
    assert isinstance(surface, Qyapi)
    return surface


def person(kf: Kf, customer: str) -> Person:
    return kf.platform.world.people[customer]


async def said(kf: Kf, thread: Json, count: int) -> list[Json]:
    """Return what customers and colleagues said once there are so many of it."""

    async def look() -> list[Json] | None:
        shown = await kf.messages(str(thread["id"]))
        return shown if len(shown) >= count else None

    return await until(look)


async def test_a_customer_asks_and_an_agent_answers(kf: Kf) -> None:
    mei, thread = await kf.greeted_by("Mei")
    assert (thread["channel"], thread["window"]["remaining"]) == ("wechat_kf", 5)
    await kf.sends(thread, text="你好！没问题。")
    assert [bubble.text for bubble in kf.heard(mei)] == ["你好！没问题。"]

    async def named() -> bool:
        return bool((await kf.ada.get(f"/threads/{thread['id']}"))["contact"]["name"] == "Mei")

    assert await until(named)
    _, talk = company(kf).place(person(kf, mei))
    assert talk.state == 1
    kf.platform.expire_tokens()
    await kf.sends(thread, text="Anything else?")
    assert [bubble.text for bubble in kf.heard(mei)][1:] == ["Anything else?"]
    assert len(kf.platform.requests(TOKEN)) == 1


async def test_media_go_both_ways(kf: Kf) -> None:
    mei, thread = await kf.greeted_by("Mei")
    await kf.writes(mei, "image", picture="cup")
    await kf.writes(mei, "voice")
    await said(kf, thread, 3)
    _, image, voice = await kf.until_media(thread["id"])
    with Image.open(BytesIO(await kf.file_of(image))) as opened:
        assert opened.size == (640, 480)
    assert (await kf.file_of(voice)).startswith(b"#!AMR")
    media = await kf.upload("cup.jpg", "image/jpeg", picture("cup"))
    await kf.sends(thread, attachments=[media])
    shown = kf.heard(mei)[-1]
    assert shown.kind == "image"
    async with kf.ada.session.get(str(shown.url)) as response:
        with Image.open(BytesIO(await response.read())) as opened:
            assert opened.size == (640, 480)


async def test_suggested_answers_come_back_as_what_the_customer_pressed(kf: Kf) -> None:
    mei, thread = await kf.greeted_by("Mei")
    offers = [{"title": "Small", "data": "size=s"}, {"title": "Large", "data": "size=l"}]
    await kf.sends(thread, text="We have two.", quick_replies=offers)
    bubble = kf.heard(mei)[-1]
    assert [press.label for press in bubble.quick_replies] == ["Small", "Large"]
    await kf.writes(mei, "press", press=bubble.quick_replies[1].id)
    content = (await said(kf, thread, 3))[-1]["content"]
    assert (content["type"], content["data"], content["title"]) == ("choice", "size=l", "Large")


async def test_a_notification_that_comes_again_makes_no_second_message(kf: Kf) -> None:
    mei, thread = await kf.greeted_by("Mei")
    for _ in range(3):
        assert await kf.platform.repeat() == 200
    await kf.writes(mei, text="And another thing")
    assert [one["content"]["text"] for one in await said(kf, thread, 2)] == ["Hello", "And another thing"]


async def test_a_notification_that_got_lost_costs_minutes_and_no_message(kf: Kf) -> None:
    mei, thread = await kf.greeted_by("Mei")
    address, kf.platform.webhook_url = kf.platform.webhook_url, None
    await kf.writes(mei, text="Does anybody hear me?")
    kf.platform.webhook_url = address
    kf.later(301)
    assert (await said(kf, thread, 2))[-1]["content"]["text"] == "Does anybody hear me?"


async def test_a_burst_over_many_pages_arrives_whole_and_in_order(kf: Kf) -> None:
    mei, thread = await kf.greeted_by("Mei")
    surface = company(kf)
    surface.kf.page_size, surface.kf.empty_pages = 4, 1
    address, kf.platform.webhook_url = kf.platform.webhook_url, None
    for number in range(30):
        await kf.writes(mei, text=f"m{number}")
    kf.platform.webhook_url = address
    await kf.writes(mei, text="m30")
    texts = [one["content"]["text"] for one in await said(kf, thread, 32)]
    assert texts == ["Hello", *(f"m{number}" for number in range(31))]


async def test_the_sixth_answer_waits_for_the_customer(kf: Kf) -> None:
    mei, thread = await kf.greeted_by("Mei")
    for number in range(5):
        await kf.sends(thread, text=f"Answer {number}")
    kf.later(60)  # the right to one greeting is over by then
    held = await kf.reply(thread["id"], "One too many")
    assert (await kf.until_state(held, "suppressed"))["deliveries"][0]["reason"]["code"] == "budget_spent"
    await kf.writes(mei, text="Go on")
    await said(kf, thread, 8)
    await kf.sends(thread, text="With pleasure")
    assert len(kf.heard(mei)) == 6


async def test_after_forty_eight_hours_nothing_is_sent_and_the_agent_reads_why(kf: Kf) -> None:
    mei, thread = await kf.greeted_by("Mei")
    kf.later(TWO_DAYS_S + 1)
    suppressed = await kf.until_state(await kf.reply(thread["id"], "Still there?"), "suppressed")
    assert suppressed["deliveries"][0]["reason"]["code"] == "window_closed"
    assert kf.heard(mei) == []
    assert kf.platform.requests(SEND) == []


async def test_a_failure_that_comes_later_reaches_the_agent_in_words(kf: Kf) -> None:
    mei, thread = await kf.greeted_by("Mei")
    sent = await kf.sends(thread, text="Can you read this?")
    await company(kf).fail_late(person(kf, mei), 10)
    failed = await kf.until_state(sent, "failed")
    reason = failed["deliveries"][0]["reason"]
    assert (reason["code"], reason["text"]) == ("failed_late", "The customer refuses messages.")
    assert failed["retryable"] is True


async def test_a_colleague_in_wecom_is_seen_and_named_when_they_have_the_session(kf: Kf) -> None:
    mei, thread = await kf.greeted_by("Mei")
    await kf.writes(mei, "recall", bubble=kf.platform.chat(mei)[0].id)
    await company(kf).staff_says(person(kf, mei), "bo", "I take this one")
    recalled, echo = await said(kf, thread, 2)
    assert recalled["recalled_at"] is not None
    assert (echo["direction"], echo["author"]["kind"], echo["author"]["name"]) == ("out", "staff_elsewhere", "bo")
    failed = await kf.until_state(await kf.reply(thread["id"], "Me too"), "failed")
    reason = failed["deliveries"][0]["reason"]
    assert reason["code"] == "session_with_staff"
    assert "bo serves this customer in WeCom" in reason["text"]


async def test_who_only_enters_can_be_greeted_for_twenty_seconds(kf: Kf) -> None:
    mei = kf.platform.add_customer("Mei")
    await kf.writes(mei, "enter")
    thread = await kf.thread_with(mei)
    await kf.until_state(await kf.reply(thread["id"], "Welcome"), "sent")
    assert [bubble.text for bubble in kf.heard(mei)] == ["Welcome"]
    assert kf.platform.requests(SEND) == []
    suppressed = await kf.until_state(await kf.reply(thread["id"], "And more"), "suppressed")
    assert suppressed["deliveries"][0]["reason"]["code"] == "budget_spent"
    li = kf.platform.add_customer("Li")
    await kf.writes(li, "enter")
    thread = await kf.thread_with(li)
    kf.later(21)
    await kf.until_state(await kf.reply(thread["id"], "Too late"), "suppressed")
    assert kf.heard(li) == []


async def test_one_customer_at_two_desks_has_two_threads_and_is_one_person(kf: Kf) -> None:
    mei, thread = await kf.greeted_by("Mei")
    await company(kf).write(person(kf, mei), "text", {"content": "The other desk?"}, desk=OTHER)

    async def two() -> list[Json] | None:
        found = await kf.threads()
        return found if len(found) == 2 else None

    found = await until(two)
    (other,) = [one for one in found if one["id"] != thread["id"]]
    assert other["contact"]["id"] == thread["contact"]["id"]
    await kf.sends(other, text="From the other")
    await kf.sends(thread, text="From the first")
    assert [body["open_kfid"] for body in kf.calls(SEND)] == [OTHER, "wkOMNI0001"]


async def test_twenty_replies_outlast_an_outage_in_order_and_none_twice(kf: Kf) -> None:
    """Five for each of four customers: more is not allowed after one message."""
    people = [await kf.greeted_by(name) for name in ("Mei", "Li", "Ada", "Bo Zhang")]
    for do, times in (("close_before", 3), ("close_after", 3)):
        kf.platform.fail(Fault(do=do, path=SEND, times=times))  # type: ignore[arg-type]  # both are kinds of faults
    kf.platform.fail(Fault(do="answer", path=SEND, status=503, times=2))
    kf.platform.fail(Fault(do="answer", path=SEND, status=200, body='{"errcode":-1,"errmsg":"system busy"}', times=2))
    for number in range(5):
        for _, thread in people:
            await kf.reply(thread["id"], f"Answer {number}")

    async def all_sent() -> bool:
        ours = [one for _, thread in people for one in await kf.messages(thread["id"]) if one["direction"] == "out"]
        return all(one["delivery_state"] == "sent" for one in ours)

    assert await until(all_sent, turn=kf.pauses(60))
    for customer, _ in people:
        assert [bubble.text for bubble in kf.heard(customer)] == [f"Answer {number}" for number in range(5)]


async def test_what_wechat_says_of_the_budget_is_believed(kf: Kf) -> None:
    mei, thread = await kf.greeted_by("Mei")
    kf.later(21)  # who comes in may be greeted besides
    kf.platform.fail(Fault(do="answer", path=SEND, status=200, body=json.dumps({"errcode": 95001, "errmsg": "limit"})))
    expired = await kf.until_state(await kf.reply(thread["id"], "One"), "expired")
    assert expired["deliveries"][0]["reason"]["code"] == "budget_spent"
    assert (await kf.ada.get(f"/threads/{thread['id']}"))["window"]["open"] is False
    await kf.writes(mei, text="Go on")
    await said(kf, thread, 3)
    await kf.sends(thread, text="Two")
