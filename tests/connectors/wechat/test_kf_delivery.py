"""Sending from a desk: kinds, ids, windows, budgets, sessions, greetings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import msgspec
import pytest

from tests.connectors.wechat.company import (
    DESK,
    ON_EVENT,
    OTHER,
    SEND_KF,
    Company,
    again,
    answer_to,
    only,
    until_sent,
)
from tests.connectors.wechat.conftest import Build, media_of
from trunkline.contract import ContactActed, MessageRecalled, MessageReceived, ReceiptReceived
from trunkline.errors import TryLater, Undeliverable, WindowClosed
from trunkline.model import (
    Audio,
    Button,
    Card,
    Choice,
    Content,
    File,
    Image,
    Link,
    Location,
    QuickReply,
    Sticker,
    Text,
    Video,
)
from trunkline.testing.faults import Fault
from trunkline.testing.pictures import picture
from trunkline.testing.services import HandClock
from trunkline_wechat.simulator import Simulator

TWO_DAYS_S = 48 * 3600


@pytest.fixture
async def kf(clock: HandClock, build: Build) -> AsyncIterator[Company]:
    async with Simulator(channel="wechat_kf", clock=clock) as simulator:
        yield Company(simulator, build)


def sent(kf: Company, path: str = SEND_KF) -> list[dict[str, Any]]:
    return [msgspec.json.decode(entry.body) for entry in kf.simulator.requests(path)]


# ---------------------------------------------------------------- kinds


async def test_a_text_goes_from_the_desk_of_the_thread_under_an_id_of_ours(kf: Company) -> None:
    asked = await kf.writes(kf.person())
    accepted = await kf.connector.deliver(answer_to(asked, "Gewiß, 没问题"))
    (body,) = sent(kf)
    assert (body["touser"], body["open_kfid"], body["msgtype"]) == ("wmCUST0001", DESK, "text")
    assert len(body["msgid"]) == 32
    assert [part.external_id for part in accepted.parts] == [f"{DESK}:{body['msgid']}"]
    assert kf.texts(kf.person()) == ["Gewiß, 没问题"]


async def test_the_answer_to_another_desk_goes_from_there(kf: Company) -> None:
    ada = kf.person()
    await kf.surface.write(ada, "text", {"content": "a"}, desk=OTHER)
    await kf.surface.write(ada, "text", {"content": "b"}, desk=DESK)
    for item in await kf.arrived():
        if isinstance(item, MessageReceived):
            await kf.connector.deliver(answer_to(item, "x"))
    assert [body["open_kfid"] for body in sent(kf)] == [OTHER, DESK]


@pytest.mark.parametrize(
    ("mime", "name", "content", "part", "kind"),
    [
        ("image/jpeg", "cup.jpg", picture("cup"), Image, "image"),
        ("image/gif", "cup.gif", b"GIF89a" + bytes(20), Image, "file"),
        ("audio/amr", "voice.amr", b"#!AMR\n" + bytes(20), Audio, "voice"),
        ("audio/mpeg", "song.mp3", b"ID3" + bytes(20), Audio, "file"),
        ("video/mp4", "film.mp4", b"\0\0\0\x18ftypmp42", Video, "video"),
        ("video/webm", "film.webm", b"\x1aE\xdf\xa3" + bytes(20), Video, "file"),
        ("application/pdf", "a.pdf", b"%PDF-1.4\n", File, "file"),
    ],
)
async def test_a_file_is_uploaded_as_what_wechat_shows_it_as(
    kf: Company, mime: str, name: str, content: bytes, part: Any, kind: str
) -> None:
    asked = await kf.writes(kf.person())
    media = media_of(kf.connector).keep(content, mime, name)
    await kf.connector.deliver(answer_to(asked, part(media=media)))
    (body,) = sent(kf)
    assert body["msgtype"] == kind
    kept = kf.simulator.world.file(body[kind]["media_id"])
    assert kept is not None
    assert (kept.content, kept.mime, kept.name) == (content, mime, name)


async def test_a_caption_under_a_file_is_a_message_of_its_own(kf: Company) -> None:
    asked = await kf.writes(kf.person())
    media = media_of(kf.connector).keep(picture("cup"), "image/jpeg", "cup.jpg")
    accepted = await kf.connector.deliver(answer_to(asked, Image(media=media, caption="This one")))
    assert [body["msgtype"] for body in sent(kf)] == ["image", "text"]
    assert len({part.external_id for part in accepted.parts}) == 2


async def test_suggested_answers_are_a_menu_and_come_back_as_a_choice(kf: Company) -> None:
    ada = kf.person()
    asked = await kf.writes(ada)
    offers = (QuickReply(title="Small", data="size=s"), QuickReply(title="None of them"))
    await kf.connector.deliver(answer_to(asked, "Which size?", quick_replies=offers))
    bubble = kf.heard(ada)[-1]
    assert (bubble.text, [press.label for press in bubble.quick_replies]) == ("Which size?", ["Small", "None of them"])
    chosen = only(await kf.acts(ada, "press", press=bubble.quick_replies[0].id), MessageReceived)
    assert chosen.content == Choice(data="size=s", title="Small")
    plain = only(await kf.acts(ada, "press", press=bubble.quick_replies[1].id), MessageReceived)
    assert plain.content == Text(text="None of them")


async def test_a_long_text_over_suggestions_goes_on_under_them(kf: Company) -> None:
    asked = await kf.writes(kf.person())
    text = "长" * 600
    await kf.connector.deliver(answer_to(asked, text, quick_replies=(QuickReply(title="Yes", data="y"),)))
    menu = sent(kf)[0]["msgmenu"]
    assert menu["head_content"] + menu["tail_content"] == text
    assert max(len(menu[name].encode()) for name in ("head_content", "tail_content")) <= 1024


async def test_data_that_no_menu_holds_is_refused_in_words(kf: Company) -> None:
    asked = await kf.writes(kf.person())
    with pytest.raises(Undeliverable, match="64 bytes") as refused:
        await kf.connector.deliver(answer_to(asked, "x", quick_replies=(QuickReply(title="A", data="字" * 22),)))
    assert refused.value.code == "too_long"
    assert sent(kf) == []


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (Location(latitude=23.1, longitude=113.3, title="Tower"), "location"),
        (Link(url="https://shop.example/a", title="A page", text="Worth reading"), "text"),
        (Card(title="A bell", text="It rings", buttons=(Button(title="Take it", data="b=1"),)), "msgmenu"),
        (Card(title="A bell", buttons=(Button(title="Look", url="https://shop.example"),)), "msgmenu"),
        (Card(title="A bell", text="It rings"), "text"),
    ],
)
async def test_places_links_and_cards_have_a_form_of_their_own(kf: Company, part: Content, kind: str) -> None:
    ada = kf.person()
    asked = await kf.writes(ada)
    await kf.connector.deliver(answer_to(asked, part))
    assert sent(kf)[0]["msgtype"] == kind
    title = getattr(part, "title", None)
    assert str(title) in kf.heard(ada)[-1].text


async def test_a_link_with_a_picture_is_a_link(kf: Company) -> None:
    asked = await kf.writes(kf.person())
    media = media_of(kf.connector).keep(picture("cup"), "image/jpeg", "cup.jpg")
    link = Link(url="https://shop.example/a", title="字" * 60, text="Worth reading", image=media)
    await kf.connector.deliver(answer_to(asked, link))
    body = sent(kf)[0]["link"]
    assert (body["url"], body["desc"]) == (link.url, link.text)
    assert len(body["title"].encode()) <= 128
    assert kf.simulator.world.file(body["thumb_media_id"]) is not None


async def test_what_wechat_has_not_is_refused_before_the_wire(kf: Company) -> None:
    asked = await kf.writes(kf.person())
    for part in (Sticker(package_id="1", sticker_id="2"), Link(url="https://x.example/" + "x" * 2048, title="t")):
        with pytest.raises(Undeliverable):
            await kf.connector.deliver(answer_to(asked, part, "again"))
    tiny = media_of(kf.connector).keep(b"12345", "application/pdf", "a.pdf")
    with pytest.raises(Undeliverable, match="six bytes"):
        await kf.connector.deliver(answer_to(asked, File(media=tiny)))


async def test_a_file_that_wechat_has_forgotten_is_uploaded_once_more(kf: Company) -> None:
    asked = await kf.writes(kf.person())
    media = media_of(kf.connector).keep(picture("cup"), "image/jpeg", "cup.jpg")
    await kf.connector.deliver(answer_to(asked, Image(media=media)))
    await kf.connector.deliver(answer_to(asked, Image(media=media)))
    assert len(kf.simulator.requests("/cgi-bin/media/upload")) == 1
    kf.simulator.world.files.clear()
    await kf.connector.deliver(answer_to(asked, Image(media=media)))
    assert len(kf.simulator.requests("/cgi-bin/media/upload")) == 2
    body = '{"errcode":40007,"errmsg":"invalid media_id"}'
    kf.simulator.fail(Fault(do="answer", path=SEND_KF, status=200, body=body, times=2))
    with pytest.raises(Undeliverable):
        await kf.connector.deliver(answer_to(asked, Image(media=media)))


# ---------------------------------------------------------------- once


@pytest.mark.parametrize("do", ["close_before", "close_after", "cut"])
async def test_a_lost_answer_makes_no_second_message(kf: Company, do: str) -> None:
    ada = kf.person()
    message = answer_to(await kf.writes(ada), "hello")
    await kf.connector.probe()
    kf.simulator.fail(Fault(do=do, path=SEND_KF))  # type: ignore[arg-type]  # all are kinds of faults
    with pytest.raises(httpx2.TransportError):
        await kf.connector.deliver(message)
    accepted = await kf.connector.deliver(again(message))
    assert kf.texts(ada) == ["hello"]
    assert accepted.verified
    assert {body["msgid"] for body in sent(kf)} == {accepted.evidence}


async def test_under_lost_answers_nobody_reads_anything_twice(kf: Company) -> None:
    ada = kf.person()
    await kf.writes(ada)
    await kf.connector.probe()
    for number in range(20):
        asked = await kf.writes(ada)
        if number % 2:
            kf.simulator.fail(Fault(do="close_after", path=SEND_KF))
        await until_sent(kf.connector, answer_to(asked, f"message {number}"))
    assert kf.texts(ada) == [f"message {number}" for number in range(20)]


async def test_busy_is_tried_again_with_the_same_id(kf: Company) -> None:
    message = answer_to(await kf.writes(kf.person()), "hello")
    kf.simulator.fail(Fault(do="answer", path=SEND_KF, status=200, body='{"errcode":-1,"errmsg":"system busy"}'))
    with pytest.raises(TryLater):
        await kf.connector.deliver(message)
    await kf.connector.deliver(again(message))
    first, second = sent(kf)
    assert first == second


# ---------------------------------------------------------------- windows, budgets, sessions


async def test_five_answers_are_taken_and_the_sixth_waits_for_the_customer(kf: Company) -> None:
    ada = kf.person()
    asked = await kf.writes(ada)
    for number in range(5):
        await kf.connector.deliver(answer_to(asked, f"answer {number}"))
    with pytest.raises(WindowClosed) as spent:
        await kf.connector.deliver(answer_to(asked, "one too many"))
    assert spent.value.code == "budget_spent"
    await kf.connector.deliver(answer_to(await kf.writes(ada), "and on"))
    assert kf.texts(ada)[-1] == "and on"


async def test_after_forty_eight_hours_the_window_is_closed(kf: Company) -> None:
    asked = await kf.writes(kf.person())
    kf.clock.move(TWO_DAYS_S - 1)
    await kf.connector.deliver(answer_to(asked, "just in time"))
    kf.clock.move(1)
    with pytest.raises(WindowClosed) as closed:
        await kf.connector.deliver(answer_to(asked, "too late"))
    assert closed.value.code == "window_closed"


async def test_a_session_of_a_colleague_is_named_to_the_agent(kf: Company) -> None:
    ada = kf.person()
    asked = await kf.writes(ada)
    await kf.surface.staff_takes(ada, "bo")
    with pytest.raises(Undeliverable, match="bo serves this customer in WeCom") as refused:
        await kf.connector.deliver(answer_to(asked, "hello"))
    assert (refused.value.code, refused.value.whose) == ("session_with_staff", "account")
    assert refused.value.answer is not None
    assert refused.value.answer.code == "95018"


@pytest.mark.parametrize(
    ("state", "kind", "code"),
    [
        (2, Undeliverable, "session_queued"),
        (4, WindowClosed, "session_ended"),
    ],
)
async def test_what_a_refused_session_means_is_read_from_its_state(
    kf: Company, state: int, kind: type[Exception], code: str
) -> None:
    ada = kf.person()
    asked = await kf.writes(ada)
    kf.surface.place(ada)[1].state = state
    with pytest.raises(kind) as refused:
        await kf.connector.deliver(answer_to(asked, "hello"))
    assert refused.value.code == code  # type: ignore[attr-defined]  # both have one


@pytest.mark.parametrize("code", [95013, 95016, 95018])
async def test_a_refusal_while_the_session_is_ours_says_that_its_time_is_over(kf: Company, code: int) -> None:
    asked = await kf.writes(kf.person())
    body = f'{{"errcode":{code},"errmsg":"session"}}'
    kf.simulator.fail(Fault(do="answer", path=SEND_KF, status=200, body=body))
    with pytest.raises(WindowClosed) as closed:
        await kf.connector.deliver(answer_to(asked, "hello"))
    assert closed.value.code == "window_closed"


async def test_a_state_that_cannot_be_read_leaves_the_platforms_own_words(kf: Company) -> None:
    asked = await kf.writes(kf.person())
    kf.surface.place(kf.person())[1].state = 3
    kf.simulator.fail(Fault(do="close_before", path="/cgi-bin/kf/service_state/get"))
    with pytest.raises(Undeliverable) as refused:
        await kf.connector.deliver(answer_to(asked, "hello"))
    assert refused.value.code == "session_state"
    assert "95018" in str(refused.value)


async def test_a_thread_of_a_desk_that_is_not_served_any_more_is_refused(kf: Company, build: Build) -> None:
    asked = await kf.writes(kf.person())
    with pytest.raises(Undeliverable) as refused:
        await build(kf.simulator, open_kfid=OTHER).deliver(answer_to(asked, "hello"))
    assert refused.value.code == "desk_not_served"
    only_desk = build(kf.simulator, open_kfid=DESK)
    await only_desk.deliver(answer_to(asked, "hello", thread_key=asked.contact.external_id))
    assert kf.texts(kf.person()) == ["hello"]


# ---------------------------------------------------------------- greetings, late failures, recalls


async def test_who_enters_is_greeted_outside_of_the_budget(kf: Company) -> None:
    ada = kf.person()
    acted = only(await kf.acts(ada, "enter"), ContactActed)
    message = answer_to(acted, "Welcome", window="welcome", credential=acted.reply)
    accepted = await kf.connector.deliver(message)
    assert (accepted.route, accepted.credential_used) == ("send_msg_on_event", True)
    assert kf.texts(ada) == ["Welcome"]
    await kf.connector.deliver(again(message))
    assert kf.texts(ada) == ["Welcome"]
    assert sent(kf) == []


async def test_a_greeting_may_be_a_menu_and_nothing_else(kf: Company) -> None:
    acted = only(await kf.acts(kf.person(), "enter"), ContactActed)
    more: dict[str, Any] = {"window": "welcome", "credential": acted.reply}
    media = media_of(kf.connector).keep(picture("cup"), "image/jpeg", "cup.jpg")
    with pytest.raises(Undeliverable) as refused:
        await kf.connector.deliver(answer_to(acted, Image(media=media), **more))
    assert refused.value.code == "greeting_not_text"
    await kf.connector.deliver(answer_to(acted, "Hi", quick_replies=(QuickReply(title="Prices"),), **more))
    assert sent(kf, ON_EVENT)[0]["msgtype"] == "msgmenu"


async def test_a_greeting_has_twenty_seconds_and_a_code(kf: Company) -> None:
    acted = only(await kf.acts(kf.person(), "enter"), ContactActed)
    with pytest.raises(WindowClosed) as none:
        await kf.connector.deliver(answer_to(acted, "Hi", window="welcome"))
    assert none.value.code == "no_welcome_code"
    kf.clock.move(20)
    with pytest.raises(WindowClosed) as late:
        await kf.connector.deliver(answer_to(acted, "Hi", window="welcome", credential=acted.reply))
    assert late.value.code == "window_closed"


async def test_an_answer_to_a_question_does_not_use_the_code_of_the_greeting(kf: Company) -> None:
    ada = kf.person()
    acted = only(await kf.acts(ada, "enter"), ContactActed)
    asked = await kf.writes(ada)
    accepted = await kf.connector.deliver(answer_to(asked, "Hi", window="reply", credential=acted.reply))
    assert (accepted.route, accepted.credential_used) == ("send_msg", False)


async def test_a_failure_that_comes_later_names_our_message(kf: Company) -> None:
    ada = kf.person()
    accepted = await kf.connector.deliver(answer_to(await kf.writes(ada), "hello"))
    await kf.surface.fail_late(ada, 10)
    receipt = only(await kf.arrived(), ReceiptReceived)
    assert receipt.external_id == accepted.parts[0].external_id
    assert receipt.answer is not None
    assert receipt.answer.text == "The customer refuses messages."
    assert kf.texts(ada) == []


async def test_a_message_that_is_taken_back_is_named(kf: Company) -> None:
    ada = kf.person()
    said = await kf.writes(ada)
    recalled = only(await kf.acts(ada, "recall", bubble=kf.simulator.chat(ada.id)[-1].id), MessageRecalled)
    assert recalled.external_id == said.external_id
