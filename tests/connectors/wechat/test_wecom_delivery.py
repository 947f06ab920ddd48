"""What a WeCom app sends, what WeCom makes of it, and what is around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import msgspec
import pytest

from tests.connectors.wechat.company import SEND, Company, again, answer_to, only, until_sent
from tests.connectors.wechat.conftest import Build, media_of
from trunkline.contract import ContactActed, MessageReceived, Signal
from trunkline.errors import SignInNeeded, TryLater, Uncertain, Undeliverable
from trunkline.model import (
    Address,
    Audio,
    Button,
    Card,
    Choice,
    Content,
    File,
    Image,
    Link,
    Media,
    QuickReply,
    Sticker,
    Video,
)
from trunkline.testing.faults import Fault
from trunkline.testing.pictures import picture
from trunkline.testing.services import HandClock
from trunkline_wechat.simulator import Simulator
from trunkline_wechat.wecom.capabilities import CAPABILITIES


@pytest.fixture
async def wecom(clock: HandClock, build: Build) -> AsyncIterator[Company]:
    async with Simulator(channel="wecom", clock=clock) as simulator:
        yield Company(simulator, build)


def sent(wecom: Company) -> list[dict[str, Any]]:
    return [msgspec.json.decode(entry.body) for entry in wecom.simulator.requests(SEND)]


# ---------------------------------------------------------------- kinds


async def test_a_text_goes_to_the_member_in_real_utf8(wecom: Company) -> None:
    ada = wecom.person()
    accepted = await wecom.connector.deliver(answer_to(await wecom.writes(ada), "没问题 <b> 👍"))
    assert wecom.texts(ada) == ["没问题 <b> 👍"]
    (body,) = sent(wecom)
    assert (body["touser"], body["agentid"], body["enable_duplicate_check"]) == (ada.id, 1000002, 0)
    assert "没问题" in wecom.simulator.requests(SEND)[0].body
    assert [part.external_id for part in accepted.parts] == [accepted.evidence]


@pytest.mark.parametrize(
    ("mime", "content", "part", "kind"),
    [
        ("image/png", b"\x89PNG\r\n\x1a\n", Image, "image"),
        ("image/webp", b"RIFF0000WEBP", Image, "file"),
        ("audio/amr", b"#!AMR\n" + bytes(20), Audio, "voice"),
        ("audio/ogg", b"OggS" + bytes(20), Audio, "file"),
        ("video/mp4", b"\0\0\0\x18ftypmp42", Video, "video"),
        ("video/webm", b"\x1aE\xdf\xa3" + bytes(20), Video, "file"),
        ("application/pdf", b"%PDF-1.4\n", File, "file"),
    ],
)
async def test_a_file_is_uploaded_as_what_wecom_shows_it_as(
    wecom: Company, mime: str, content: bytes, part: Any, kind: str
) -> None:
    asked = await wecom.writes(wecom.person())
    media = media_of(wecom.connector).keep(content, mime, "name.bin")
    await wecom.connector.deliver(answer_to(asked, part(media=media)))
    (body,) = sent(wecom)
    kept = wecom.simulator.world.file(body[kind]["media_id"])
    assert body["msgtype"] == kind
    assert kept is not None
    assert kept.content == content


LOOK, TAKE = Button(title="Look", url="https://shop.example"), Button(title="Take it", data="take=1")
PICTURE = Media(url="https://files.example/bell.jpg", mime="image/jpeg")


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (Link(url="https://shop.example/a", title="A bell", text="It rings"), "textcard"),
        (Link(url="https://shop.example/a", title="A bell"), "textcard"),
        (Link(url="https://shop.example/a", title="A bell", image=PICTURE), "news"),
        (Card(title="A bell", text="It rings", buttons=(LOOK,)), "textcard"),
        (Card(title="A bell", text="It rings", image=PICTURE, buttons=(LOOK,)), "news"),
        (Card(title="A bell", text="It rings", buttons=(LOOK, TAKE)), "template_card"),
        (Card(title="A bell", buttons=(LOOK, LOOK)), "template_card"),
        (Card(title="A bell", text="It rings"), "text"),
    ],
)
async def test_links_and_cards_take_the_form_that_loses_least(wecom: Company, part: Content, kind: str) -> None:
    ada = wecom.person()
    await wecom.connector.deliver(answer_to(await wecom.writes(ada), part))
    assert sent(wecom)[0]["msgtype"] == kind
    assert "A bell" in wecom.heard(ada)[-1].text


async def test_a_pressed_button_comes_back_as_a_choice(wecom: Company) -> None:
    ada = wecom.person()
    await wecom.connector.deliver(answer_to(await wecom.writes(ada), Card(title="A bell", buttons=(LOOK, TAKE))))
    look, take = wecom.heard(ada)[-1].quick_replies
    assert (look.url, take.label) == ("https://shop.example", "Take it")
    pressed = only(await wecom.acts(ada, "press", press=take.id), MessageReceived)
    assert isinstance(pressed.content, Choice)
    assert pressed.content.data == "take=1"


async def test_two_presses_in_one_second_are_two_choices(wecom: Company) -> None:
    ada = wecom.person()
    await wecom.connector.deliver(answer_to(await wecom.writes(ada), Card(title="A bell", buttons=(TAKE,))))
    button = wecom.heard(ada)[-1].quick_replies[0].id
    one, other = [only(await wecom.acts(ada, "press", press=button), MessageReceived) for _ in range(2)]
    assert one.dedupe_key != other.dedupe_key
    assert one.external_id != other.external_id


async def test_suggested_answers_are_buttons_under_the_text(wecom: Company) -> None:
    ada = wecom.person()
    asked = await wecom.writes(ada)
    offers = (QuickReply(title="Small", data="size=s"), QuickReply(title="Large"))
    await wecom.connector.deliver(answer_to(asked, "Which size would you like to have?", quick_replies=offers))
    bubble = wecom.heard(ada)[-1]
    assert "Which size would you like to have?" in bubble.text
    assert [press.label for press in bubble.quick_replies] == ["Small", "Large"]


async def test_a_caption_is_a_message_of_its_own(wecom: Company) -> None:
    ada = wecom.person()
    asked = await wecom.writes(ada)
    media = media_of(wecom.connector).keep(picture("cup"), "image/jpeg", "cup.jpg")
    accepted = await wecom.connector.deliver(answer_to(asked, Image(media=media, caption="This one")))
    assert [body["msgtype"] for body in sent(wecom)] == ["image", "text"]
    assert len(accepted.parts) == 2


async def test_what_wecom_has_not_is_refused_before_the_wire(wecom: Company) -> None:
    asked = await wecom.writes(wecom.person())
    with pytest.raises(Undeliverable) as refused:
        await wecom.connector.deliver(answer_to(asked, Sticker(package_id="1", sticker_id="2")))
    assert refused.value.code == "not_carried"
    assert sent(wecom) == []


async def test_two_thousand_and_forty_eight_bytes_arrive_uncut(wecom: Company) -> None:
    ada = wecom.person()
    rule = CAPABILITIES.sends["text"]  # type: ignore[index]  # an enum of texts
    assert rule.text is not None
    assert (rule.text.max, rule.text.unit) == (2048, "utf8")
    asked = await wecom.writes(ada)
    for words in ("长" * 682, "x" * 2048, "x" * 2049):
        await wecom.connector.deliver(answer_to(asked, words))
    assert [len(text.encode()) for text in wecom.texts(ada)] == [2046, 2048, 2048]


# ---------------------------------------------------------------- who got it


async def test_a_yes_that_names_our_only_member_is_a_no(wecom: Company) -> None:
    ada = wecom.person("Ada")
    asked = await wecom.writes(ada)
    ada.more["outside"] = True
    with pytest.raises(Undeliverable) as refused:
        await wecom.connector.deliver(answer_to(asked, "hello", to=Address(external_id=ada.id.upper())))
    assert (refused.value.whose, refused.value.code) == ("recipient", "invalid_user")
    assert wecom.texts(ada) == []


async def test_a_stranger_is_the_recipients_reason(wecom: Company) -> None:
    asked = await wecom.writes(wecom.person())
    with pytest.raises(Undeliverable) as refused:
        await wecom.connector.deliver(answer_to(asked, "hello", to=Address(external_id="nobody")))
    assert refused.value.whose == "recipient"
    assert refused.value.answer is not None
    assert refused.value.answer.code == "81013"


async def test_a_member_without_a_licence_is_the_accounts_reason(wecom: Company) -> None:
    ada = wecom.person()
    asked = await wecom.writes(ada)
    wecom.surface.without_licence = ada.id
    with pytest.raises(Undeliverable) as refused:
        await wecom.connector.deliver(answer_to(asked, "hello"))
    assert (refused.value.whose, refused.value.code) == ("account", "no_licence")


# ---------------------------------------------------------------- once


@pytest.mark.parametrize("do", ["close_before", "close_after", "cut"])
async def test_a_lost_answer_makes_no_second_message(wecom: Company, do: str) -> None:
    ada = wecom.person()
    message = answer_to(await wecom.writes(ada), "hello")
    await wecom.connector.probe()
    wecom.simulator.fail(Fault(do=do, path=SEND))  # type: ignore[arg-type]  # all are kinds of faults
    with pytest.raises(httpx2.TransportError):
        await wecom.connector.deliver(message)
    await wecom.connector.deliver(again(message))
    assert wecom.texts(ada) == ["hello"]
    assert [body["enable_duplicate_check"] for body in sent(wecom)] == [0, 1]


@pytest.mark.parametrize(
    "part",
    [Card(title="A bell", buttons=(TAKE,)), Image(media=Media(id="media-1", mime="image/jpeg"))],
    ids=["card", "image"],
)
async def test_a_card_and_a_file_are_not_shown_twice_either(wecom: Company, part: Content) -> None:
    ada = wecom.person()
    media_of(wecom.connector).keep(picture("cup"), "image/jpeg", "cup.jpg")
    asked = await wecom.writes(ada)
    await wecom.connector.probe()
    wecom.simulator.fail(Fault(do="close_after", path=SEND))
    await until_sent(wecom.connector, answer_to(asked, part))
    assert len(wecom.heard(ada)) == 1


async def test_a_card_that_comes_again_after_hours_is_known_by_its_own_id(wecom: Company) -> None:
    ada = wecom.person()
    message = answer_to(await wecom.writes(ada), Card(title="A bell", buttons=(TAKE,)))
    await wecom.connector.deliver(message)
    wecom.clock.move(4 * 3600 + 1)
    assert (await wecom.connector.deliver(again(message))).parts == ()
    assert len(wecom.heard(ada)) == 1


async def test_the_same_words_twice_are_two_messages(wecom: Company) -> None:
    """Also where the second one was refused at first: there is no doubt about that."""
    ada = wecom.person()
    asked = await wecom.writes(ada)
    await wecom.connector.deliver(answer_to(asked, "ok"))
    second = answer_to(asked, "ok")
    wecom.simulator.fail(Fault(do="answer", path=SEND, status=200, body='{"errcode":-1,"errmsg":"busy"}'))
    with pytest.raises(TryLater):
        await wecom.connector.deliver(second)
    await wecom.connector.deliver(msgspec.structs.replace(second, attempt=2))
    assert wecom.texts(ada) == ["ok", "ok"]


async def test_an_answer_that_is_none_leaves_doubt(wecom: Company) -> None:
    asked = await wecom.writes(wecom.person())
    await wecom.connector.probe()
    wecom.simulator.fail(Fault(do="answer", path=SEND, status=502, body="<html>"))
    with pytest.raises(Uncertain):
        await wecom.connector.deliver(answer_to(asked, "hello"))


async def test_sec_54_the_name_of_a_file_cannot_write_headers(wecom: Company) -> None:
    asked = await wecom.writes(wecom.person())
    name = 'a"\r\nContent-Type: text/html\r\n\r\n<b>.pdf'
    media = media_of(wecom.connector).keep(b"%PDF-1.4\n", "application/pdf", name)
    await wecom.connector.deliver(answer_to(asked, File(media=media)))
    (kept,) = wecom.simulator.world.files.values()
    assert (kept.mime, kept.content) == ("application/pdf", b"%PDF-1.4\n")


# ---------------------------------------------------------------- around


async def test_a_message_is_taken_back_within_a_day(wecom: Company) -> None:
    ada = wecom.person()
    accepted = await wecom.connector.deliver(answer_to(await wecom.writes(ada), "wrong"))
    signal = Signal(
        kind="recall", to=Address(external_id=ada.id), thread_key=ada.id, external_id=accepted.parts[0].external_id
    )
    await wecom.connector.signal(signal)
    assert [bubble.kind for bubble in wecom.heard(ada)] == ["note"]
    wecom.clock.move(86_400)
    with pytest.raises(Undeliverable):
        await wecom.connector.signal(signal)


async def test_typing_and_reading_are_nothing_to_wecom(wecom: Company) -> None:
    for kind in ("typing", "read"):
        await wecom.connector.signal(Signal(kind=kind, to=Address(external_id="x"), thread_key="x"))
    assert not wecom.simulator.journal


async def test_a_member_has_a_name_if_the_app_may_know_it(wecom: Company) -> None:
    ada = wecom.person("Ada Lovelace")
    address = Address(external_id=ada.id)
    found = await wecom.connector.profile(address)
    assert found is not None
    assert found.name == "Ada Lovelace"
    assert await wecom.connector.profile(Address(external_id="nobody")) is None
    wecom.simulator.fail(Fault(do="answer", path="/cgi-bin/user/get", status=200, body='{"errcode":48002}'))
    assert await wecom.connector.profile(address) is None


async def test_the_probe_names_the_app_and_what_only_people_can_check(wecom: Company) -> None:
    health = await wecom.connector.probe()
    assert (health.state, health.title) == ("connected", "Shop")
    assert any("home page" in words for words in health.advice)
    wecom.surface.is_closed = True
    assert any("disabled" in words for words in (await wecom.connector.probe()).advice)


async def test_an_address_that_is_not_trusted_is_told_with_its_remedy(wecom: Company) -> None:
    wecom.surface.refuses_address = True
    health = await wecom.connector.probe()
    assert health.state == "sign_in_needed"
    assert "60020" in health.summary
    assert "trusted IPs" in health.advice[0]


@pytest.mark.parametrize(("code", "kind"), [(48002, SignInNeeded), (50003, SignInNeeded), (6000, TryLater)])
async def test_numbers_mean_what_they_mean_on_this_host(wecom: Company, code: int, kind: type[Exception]) -> None:
    asked = await wecom.writes(wecom.person())
    wecom.simulator.fail(Fault(do="answer", path=SEND, status=200, body=f'{{"errcode":{code},"errmsg":"x"}}'))
    with pytest.raises(kind):
        await wecom.connector.deliver(answer_to(asked, "hello"))


async def test_members_come_and_go(wecom: Company) -> None:
    ada = wecom.person()
    acts = [only(await wecom.acts(ada, kind), ContactActed) for kind in ("unfollow", "follow", "enter", "click")]
    assert [act.reachable for act in acts] == [False, True, None, None]


async def test_what_a_member_sent_is_fetched(wecom: Company) -> None:
    image = only(await wecom.acts(wecom.person(), "image", picture="cup"), MessageReceived)
    stream = await wecom.connector.fetch(image.content.media)
    assert b"".join([chunk async for chunk in stream.chunks]) == picture("cup")
