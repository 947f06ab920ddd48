"""Pulling a desk: pages, cursors, tokens, and keeping sessions with us."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest

from tests.connectors.wechat.company import DESK, OTHER, SYNC, Company
from tests.connectors.wechat.conftest import Build
from trunkline.contract import ContactActed, EchoReceived, Item, MessageReceived, PullRequest, TrustedBody
from trunkline.errors import RateLimited, SignInNeeded, TryLater
from trunkline.model import Text
from trunkline.testing.faults import Fault
from trunkline.testing.phones import Action
from trunkline.testing.services import HandClock
from trunkline_wechat.simulator import Simulator

STATE, TRANS = "/cgi-bin/kf/service_state/get", "/cgi-bin/kf/service_state/trans"
DAY_S = 86_400


@pytest.fixture
async def kf(clock: HandClock, build: Build) -> AsyncIterator[Company]:
    async with Simulator(channel="wechat_kf", clock=clock) as simulator:
        yield Company(simulator, build)


def texts(items: Sequence[Item]) -> list[str]:
    contents = [item.content for item in items if isinstance(item, MessageReceived)]
    return [content.text for content in contents if isinstance(content, Text)]


def asked(kf: Company) -> list[dict[str, object]]:
    return [msgspec.json.decode(entry.body) for entry in kf.simulator.requests(SYNC)]


async def test_a_notification_brings_what_the_customer_wrote(kf: Company) -> None:
    message = await kf.writes(kf.person(), "Is it there?")
    assert message.content == Text(text="Is it there?")
    (request,) = asked(kf)
    assert request == {"open_kfid": DESK, "limit": 1000, "voice_format": 0, "token": request["token"]}
    assert str(request["token"]).startswith("ENC")


async def test_the_next_pull_goes_on_where_the_last_page_ended(kf: Company) -> None:
    ada = kf.person()
    await kf.writes(ada, "one")
    assert texts(await kf.acts(ada, "text", text="two")) == ["two"]
    assert [request.get("cursor") for request in asked(kf)] == [None, "c_2"]
    assert texts(await kf.pulled()) == []


async def test_many_pages_are_read_to_the_end(kf: Company) -> None:
    kf.surface.kf.page_size = 3
    ada = kf.person()
    for number in range(10):
        await kf.simulator.act(ada.id, _text(f"m{number}"))
    assert texts(await kf.pulled()) == [f"m{number}" for number in range(10)]


async def test_an_empty_page_is_not_the_last_one(kf: Company) -> None:
    await kf.simulator.act(kf.person().id, _text("hello"))
    kf.surface.kf.empty_pages = 2
    assert texts(await kf.pulled()) == ["hello"]
    assert len(asked(kf)) == 3


async def test_a_page_that_leads_nowhere_ends_the_pull(kf: Company) -> None:
    body = b'{"errcode":0,"next_cursor":"c_7","has_more":1,"msg_list":[]}'.decode()
    kf.simulator.fail(Fault(do="answer", path=SYNC, status=200, body=body))
    page = await kf.connector.pull(PullRequest(scope=DESK, cursor="c_7"))
    assert (page.more, page.cursor) == (False, "c_7")


async def test_without_a_cursor_three_days_come_back_and_no_more(kf: Company) -> None:
    ada = kf.person()
    await kf.simulator.act(ada.id, _text("old"))
    kf.clock.move(3 * DAY_S + 1)
    await kf.simulator.act(ada.id, _text("new"))
    assert texts(await kf.pulled()) == ["new"]


async def test_a_stale_token_is_left_out_and_the_cursor_says_enough(kf: Company) -> None:
    await kf.simulator.act(kf.person().id, _text("hello"))
    kf.clock.move(601)
    assert texts(await kf.pulled(token="ENCstale")) == ["hello"]
    assert [request.get("token") for request in asked(kf)] == ["ENCstale", None]


async def test_pulls_that_nobody_asked_for_are_limited(kf: Company) -> None:
    for _ in range(60):
        await kf.pulled()
    with pytest.raises(RateLimited) as limited:
        await kf.pulled()
    assert limited.value.after_s == 60
    kf.clock.move(60)
    assert await kf.pulled() == []


@pytest.mark.parametrize("do", ["close_before", "close_after", "cut"])
async def test_a_lost_page_is_asked_for_again(kf: Company, do: str) -> None:
    await kf.simulator.act(kf.person().id, _text("hello"))
    await kf.connector.probe()
    kf.simulator.fail(Fault(do=do, path=SYNC))  # type: ignore[arg-type]  # all are kinds of faults
    with pytest.raises(TryLater):
        await kf.pulled()
    assert texts(await kf.pulled()) == ["hello"]


async def test_a_secret_of_the_wrong_console_stops_the_account(kf: Company) -> None:
    for code in (95011, 95012, 95017):
        body = f'{{"errcode":{code},"errmsg":"x"}}'
        kf.simulator.fail(Fault(do="answer", path=SYNC, status=200, body=body))
        with pytest.raises(SignInNeeded):
            await kf.pulled()


async def test_every_desk_is_pulled_by_itself(kf: Company) -> None:
    assert list(kf.connector.scopes()) == [DESK, OTHER]
    ada = kf.person()
    await kf.surface.write(ada, "text", {"content": "here"}, desk=DESK)
    await kf.surface.write(ada, "text", {"content": "there"}, desk=OTHER)
    here, there = await kf.pulled(DESK), await kf.pulled(OTHER)
    assert (texts(here), texts(there)) == (["here"], ["there"])
    assert kf.cursors == {DESK: "c_2", OTHER: "c_2"}
    assert not {item.dedupe_key for item in here} & {item.dedupe_key for item in there}


async def test_the_raw_page_reads_the_same_in_a_replay(kf: Company) -> None:
    await kf.simulator.act(kf.person().id, _text("你好 👋"))
    page = await kf.connector.pull(PullRequest(scope=DESK))
    body = TrustedBody(page.raw)
    assert texts(kf.connector.parse(body)) == ["你好 👋"]
    assert kf.connector.parse(body) == kf.connector.parse(TrustedBody(page.raw))


async def test_half_a_surrogate_pair_spoils_nothing(kf: Company) -> None:
    item = {"msgid": "k1", "open_kfid": DESK, "external_userid": "wm1", "send_time": 1, "origin": 3, "msgtype": "text"}
    odd = '{"errcode":0,"next_cursor":"c","msg_list":[%s]}' % (  # noqa: UP031 - braces stand for themselves
        msgspec.json.encode({**item, "text": {"content": "X"}}).decode().replace("X", "a\\ud83db")
    )
    kf.simulator.fail(Fault(do="answer", path=SYNC, status=200, body=odd))
    assert texts(await kf.pulled()) == ["a?b"]


# ---------------------------------------------------------------- sessions


async def test_a_new_session_is_taken_once_and_stays_with_us(kf: Company) -> None:
    ada = kf.person()
    for words in ("one", "two", "three"):
        await kf.writes(ada, words)
    _, talk = kf.surface.place(ada)
    assert talk.state == 1
    assert [len(kf.simulator.requests(path)) for path in (STATE, TRANS)] == [1, 1]
    await kf.surface.ends(ada)
    await kf.arrived()
    await kf.writes(ada, "I am back")
    assert talk.state == 1
    assert len(kf.simulator.requests(TRANS)) == 2


async def test_a_session_of_a_colleague_is_left_alone(kf: Company) -> None:
    desk, talk = kf.surface.place(kf.person())
    desk.staff["bo"], kf.surface.routes_to_staff = 0, True
    await kf.writes(talk.person)
    assert (talk.state, talk.servicer) == (3, "bo")
    assert kf.simulator.requests(TRANS) == []


async def test_sessions_are_left_to_wecom_where_the_settings_say_so(clock: HandClock, build: Build) -> None:
    async with Simulator(channel="wechat_kf", clock=clock) as simulator:
        company = Company(simulator, build, take_sessions=False)
        await company.writes(company.person())
        assert simulator.requests(STATE) == []


async def test_old_messages_take_no_session(kf: Company) -> None:
    await kf.simulator.act(kf.person().id, _text("hello"))
    kf.clock.move(2 * DAY_S)
    assert texts(await kf.pulled()) == ["hello"]
    assert kf.simulator.requests(STATE) == []


async def test_a_session_that_cannot_be_taken_costs_no_message(kf: Company) -> None:
    kf.simulator.fail(Fault(do="answer", path=STATE, status=200, body='{"errcode":-1,"errmsg":"busy"}'))
    kf.simulator.fail(Fault(do="close_before", path=STATE))
    ada, bo = kf.person("Ada"), kf.person("Bo")
    assert (await kf.writes(ada)).content == Text(text="hello")
    assert (await kf.writes(bo)).content == Text(text="hello")
    await kf.writes(ada)
    assert kf.surface.place(ada)[1].state == 1


async def test_who_enters_brings_a_right_to_greet_for_twenty_seconds(kf: Company) -> None:
    ada = kf.person()
    (acted,) = [item for item in await kf.acts(ada, "enter") if isinstance(item, ContactActed)]
    assert acted.reply is not None
    assert acted.reply.expires_at_ms == acted.at_ms + 20_000
    (again,) = [item for item in await kf.acts(ada, "enter") if isinstance(item, ContactActed)]
    assert again.reply is None


async def test_what_a_colleague_says_in_wecom_is_filed_as_ours(kf: Company) -> None:
    ada = kf.person()
    await kf.writes(ada)
    await kf.surface.staff_says(ada, "bo", "I know this customer")
    (echo,) = [item for item in await kf.arrived() if isinstance(item, EchoReceived)]
    assert (echo.author_name, echo.content) == ("bo", Text(text="I know this customer"))


def _text(words: str) -> Action:
    return Action(kind="text", text=words)
