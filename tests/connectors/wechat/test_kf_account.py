"""Around the messages of WeChat KF: people, files, the probe, refusals, hostile input."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.connectors.wechat.company import DESK, OTHER, SEND_KF, Company, answer_to, only
from tests.connectors.wechat.conftest import Build, tokens_of
from tests.connectors.wechat.test_kf_inbound import HEAD, SAMPLES, page_of
from trunkline.contract import Item, MediaStream, MessageReceived
from trunkline.errors import BodyUnreadable, DeliveryError, RateLimited, SignInNeeded, TryLater, Undeliverable
from trunkline.model import Address, Audio, File, Image, Media, MediaSource
from trunkline.testing.faults import Fault
from trunkline.testing.pictures import picture
from trunkline.testing.services import HandClock
from trunkline_wechat.api import ERRORS, FATES, Host, Meaning
from trunkline_wechat.kf.inbound import items_of
from trunkline_wechat.simulator import Simulator
from trunkline_wechat.simulator.qyapi_hands import VOICE

#: What KF explains by the session's state is tested where sessions are.
QYAPI = [(code, meaning) for (host, code), meaning in ERRORS.items() if host is Host.QYAPI]


@pytest.fixture
async def kf(clock: HandClock, build: Build) -> AsyncIterator[Company]:
    async with Simulator(channel="wechat_kf", clock=clock) as simulator:
        yield Company(simulator, build)


# ---------------------------------------------------------------- people and files


async def test_a_customer_has_a_name_here(kf: Company) -> None:
    asked = await kf.writes(kf.person("Mei"))
    profile = await kf.connector.profile(asked.contact)
    assert profile is not None
    assert profile.name == "Mei"
    assert await kf.connector.profile(Address(external_id="wmNOBODY")) is None


async def test_what_a_customer_sent_is_fetched_with_our_token(kf: Company) -> None:
    ada = kf.person()
    image = only(await kf.acts(ada, "image", picture="cup"), MessageReceived)
    voice = only(await kf.acts(ada, "voice"), MessageReceived)
    file = only(await kf.acts(ada, "file"), MessageReceived)
    assert isinstance(image.content, Image)
    assert isinstance(voice.content, Audio)
    assert isinstance(file.content, File)
    assert voice.content.voice
    assert await _bytes(await kf.connector.fetch(image.content.media)) == picture("cup")
    opened = await kf.connector.fetch(voice.content.media)
    assert (opened.mime, await _bytes(opened)) == ("audio/amr", VOICE)
    paper = await kf.connector.fetch(file.content.media)
    assert (paper.name, (await _bytes(paper))[:4]) == ("invoice.pdf", b"%PDF")


@pytest.mark.parametrize(("mime", "content"), [("text/plain", b"a note"), ("application/json", b'{"errcode":40007}')])
async def test_a_file_of_words_is_no_answer_of_the_platform(kf: Company, mime: str, content: bytes) -> None:
    ada = kf.person()
    media_id = kf.simulator.world.keep("file", content, mime, "note.txt")
    await kf.surface.write(ada, "file", {"media_id": media_id})
    file = only(await kf.arrived(), MessageReceived)
    assert await _bytes(await kf.connector.fetch(file.content.media)) == content


async def _bytes(stream: MediaStream) -> bytes:
    return b"".join([chunk async for chunk in stream.chunks])


@pytest.fixture
async def film(kf: Company, monkeypatch: pytest.MonkeyPatch) -> Media:
    """Return a file of 25 bytes, where one answer carries ten."""
    monkeypatch.setattr("trunkline_wechat.simulator.qyapi_app.PIECE", 10)
    monkeypatch.setattr("trunkline_wechat.api._PIECE", 10)
    media_id = kf.simulator.world.keep("file", bytes(range(65, 90)), "video/mp4", "film.mp4")
    await kf.surface.write(kf.person(), "file", {"media_id": media_id})
    content = only(await kf.arrived(), MessageReceived).content
    assert isinstance(content, File)
    return content.media


async def test_a_file_that_is_too_large_for_one_answer_is_fetched_in_pieces(kf: Company, film: Media) -> None:
    opened = await kf.connector.fetch(film)
    assert (opened.size, opened.name, opened.mime) == (25, "film.mp4", "video/mp4")
    assert await _bytes(opened) == bytes(range(65, 90))
    asked = [one.headers.get("range") for one in kf.simulator.requests("/cgi-bin/media/get")]
    assert asked == [None, "bytes=0-9", "bytes=10-19", "bytes=20-29"]


async def test_a_file_whose_pieces_do_not_make_it_whole_is_tried_again(kf: Company, film: Media) -> None:
    opened = await kf.connector.fetch(film)
    kf.simulator.world.files.clear()
    with pytest.raises(TryLater):
        await _bytes(opened)


async def test_a_file_is_gone_after_three_days_and_says_so(kf: Company) -> None:
    image = only(await kf.acts(kf.person(), "image"), MessageReceived)
    kf.clock.move(3 * 86_400 + 1)
    with pytest.raises(Undeliverable):
        await kf.connector.fetch(image.content.media)
    with pytest.raises(Undeliverable):
        await kf.connector.fetch(Media(source=MediaSource(reference="https://example.test/a.png", external=True)))


# ---------------------------------------------------------------- the probe


async def test_the_probe_names_the_desks(kf: Company) -> None:
    health = await kf.connector.probe()
    assert (health.state, health.title) == ("connected", "Desk 1, Desk 2")
    assert health.advice == ()


async def test_staff_on_duty_are_advised_against(kf: Company) -> None:
    kf.surface.desks.desk(DESK).staff = {"bo": 0, "cy": 1}
    (advice,) = (await kf.connector.probe()).advice
    assert "Desk 1" in advice
    assert "bo" in advice
    assert "cy" not in advice
    assert "API hosting" in advice


async def test_a_desk_that_the_app_may_not_serve_is_named(kf: Company, build: Build) -> None:
    health = await build(kf.simulator, open_kfid=[OTHER, "wkELSE"]).probe()
    assert health.state == "failing"
    assert "wkELSE" in health.summary


async def test_desks_are_found_beyond_the_first_hundred(kf: Company) -> None:
    for number in range(150):
        kf.surface.desks.all[f"wk{number:04}"] = type(kf.surface.desks.desk(DESK))(f"wk{number:04}", str(number))
    kf.surface.desks.all[DESK] = kf.surface.desks.all.pop(DESK)
    assert (await kf.connector.probe()).state == "connected"


@pytest.mark.parametrize(
    ("switch", "words"),
    [("corp_secret", "40001"), ("address", "trusted IPs")],
)
async def test_refused_credentials_ask_for_a_person(kf: Company, build: Build, switch: str, words: str) -> None:
    kf.surface.refuses_address = switch == "address"
    wrong = {"corp_secret": "another-secret"} if switch == "corp_secret" else {}
    health = await build(kf.simulator, **wrong).probe()
    assert health.state == "sign_in_needed"
    assert words in health.summary + "".join(health.advice)
    assert health.advice
    assert "another-secret" not in repr(health)


@pytest.mark.parametrize("code", [48002, 95003, 95011, 95012, 95014, 95017, 95023])
async def test_what_only_a_person_can_mend_comes_with_what_to_do(kf: Company, code: int) -> None:
    path, body = "/cgi-bin/kf/account/list", f'{{"errcode":{code},"errmsg":"x"}}'
    kf.simulator.fail(Fault(do="answer", path=path, status=200, body=body))
    health = await kf.connector.probe()
    assert (health.state, len(health.advice)) == ("sign_in_needed", 1)


async def test_a_platform_that_is_down_is_told_as_failing(kf: Company) -> None:
    kf.simulator.fail(Fault(do="answer", path="/cgi-bin/gettoken", status=502))
    assert (await kf.connector.probe()).state == "failing"


# ---------------------------------------------------------------- tokens and refusals


async def test_an_expired_token_is_renewed_once_and_the_call_repeated(kf: Company) -> None:
    asked = await kf.writes(kf.person())
    kf.simulator.expire_tokens()
    await kf.connector.deliver(answer_to(asked, "hello"))
    assert kf.texts(kf.person()) == ["hello"]
    renewals = tokens_of(kf.connector).renewals
    kf.simulator.fail(Fault(do="answer", path=SEND_KF, status=200, body='{"errcode":42001,"errmsg":"x"}', times=9))
    with pytest.raises(SignInNeeded):
        await kf.connector.deliver(answer_to(asked, "hello"))
    assert len(kf.simulator.requests(SEND_KF)) == 4
    assert tokens_of(kf.connector).renewals == renewals + 1


@pytest.mark.parametrize(("code", "meaning"), QYAPI)
async def test_every_number_of_the_table_says_what_to_do_next(kf: Company, code: int, meaning: Meaning) -> None:
    asked = await kf.writes(kf.person())
    kf.surface.place(kf.person())[1].state = 3
    body = json.dumps({"errcode": code, "errmsg": "words of the platform, hint: [1]"})
    kf.simulator.fail(Fault(do="answer", path=SEND_KF, status=200, body=body, times=2))
    with pytest.raises(DeliveryError) as refused:
        await kf.connector.deliver(answer_to(asked, "hello"))
    expected = FATES[meaning]("")
    assert isinstance(refused.value, type(expected))
    if meaning is not Meaning.STATE:
        assert refused.value.code == expected.code
        assert "words of the platform" in str(refused.value)
    assert refused.value.answer is not None
    assert refused.value.answer.code == str(code)


async def test_a_number_that_nobody_knows_is_final_and_keeps_its_words(kf: Company) -> None:
    asked = await kf.writes(kf.person())
    kf.simulator.fail(Fault(do="answer", path=SEND_KF, status=200, body='{"errcode":99999,"errmsg":"brand new"}'))
    with pytest.raises(Undeliverable, match="brand new"):
        await kf.connector.deliver(answer_to(asked, "hello"))


async def test_too_many_calls_wait_a_minute(kf: Company) -> None:
    asked = await kf.writes(kf.person())
    fault = kf.simulator.limited(after_s=None)
    kf.simulator.fail(fault)
    with pytest.raises(RateLimited) as limited:
        await kf.connector.deliver(answer_to(asked, "hello"))
    assert limited.value.after_s == 60


# ---------------------------------------------------------------- hostile input

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


def read(body: bytes) -> list[Item]:
    try:
        items = items_of(body, desks=("wkOMNI0001",))
    except BodyUnreadable:
        return []
    assert items == items_of(body, desks=("wkOMNI0001",))
    assert all(item.dedupe_key for item in items)
    return items


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, one in inner for place in places(one, (*path, name)))]


def replaced(item: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    item = json.loads(json.dumps(item))
    holder = item
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = value
    return item


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_mutated_item_is_one_item_and_never_an_exception(data: st.DataObject) -> None:
    item = data.draw(st.sampled_from(SAMPLES))["item"]
    item = replaced(item, data.draw(st.sampled_from(places(item))), data.draw(JSON))
    good = {**HEAD, "msgid": "k009", "msgtype": "text", "text": {"content": "hello"}}
    items = read(page_of(item, good))
    assert len(items) == 2
    assert isinstance(items[1], MessageReceived)


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_items_or_unreadable(body: bytes) -> None:
    read(body)
    read(b"<xml>" + body + b"</xml>")


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE xml [<!ENTITY a "b">]><xml><Event>&a;</Event></xml>',
        b'<?xml version="1.0"?><!DOCTYPE x SYSTEM "http://127.0.0.1/x"><xml/>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x [<!ENTITY a "b">]><xml>&a;</xml>'.encode("utf-16"),
    ],
)
def test_sec_20_a_doctype_is_refused_before_it_is_parsed(body: bytes) -> None:
    with pytest.raises(BodyUnreadable):
        items_of(body)


def test_deep_nesting_is_unreadable_and_no_crash() -> None:
    for body in (b'{"errcode":0,"msg_list":' + b"[" * 5000, b"<xml>" * 3000):
        with pytest.raises(BodyUnreadable):
            items_of(body)
