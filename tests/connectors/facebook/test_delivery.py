"""Windows, tags, doubt and conversations that other apps hold, against the simulated platform."""

from __future__ import annotations

import httpx2
import pytest

from tests.connectors.facebook.conftest import BOT, Build, items, newcomer, outbound, said
from tests.connectors.receiver import Receiver
from trunkline.contract import Connector, Context, EchoReceived
from trunkline.errors import DeliveryError, SignInNeeded, TryLater, Uncertain, Undeliverable, WindowClosed
from trunkline.model import Address, Author, AuthorKind, Image
from trunkline.testing.faults import Fault
from trunkline.testing.phones import Action
from trunkline.testing.services import HandClock, MemoryMedia
from trunkline_facebook import SPEC
from trunkline_facebook.simulator import OTHER_APP, Customer, Simulator

DAY_S = 24 * 3600


async def test_within_a_day_everybody_answers_without_a_tag(either: Simulator, build: Build, clock: HandClock) -> None:
    ada = await newcomer(either)
    clock.move(DAY_S - 0.001)
    for author in (BOT, Author(kind=AuthorKind.SYSTEM), Author(kind=AuthorKind.AGENT)):
        await build(either).deliver(outbound(ada, "hello", author=author, last_inbound_ms=ada.sees[0].at_ms))
    assert [one.way for one in ada.got] == ["RESPONSE"] * 3
    assert not any("tag" in body for body in said(either))


async def test_after_a_day_the_platform_itself_closes_the_window(
    either: Simulator, build: Build, clock: HandClock
) -> None:
    ada = await newcomer(either)
    clock.move(DAY_S)
    with pytest.raises(WindowClosed) as closed:
        await build(either).deliver(outbound(ada, "hello"))
    assert closed.value.answer
    assert closed.value.answer.code == ("10/2018278" if either.world.channel == "facebook" else "10/2534022")
    assert closed.value.code == "window_closed"


async def test_for_seven_days_a_person_answers_with_the_tag(either: Simulator, build: Build, clock: HandClock) -> None:
    ada = await newcomer(either)
    wrote = ada.sees[0].at_ms
    clock.move(DAY_S)
    connector = build(either)
    accepted = await connector.deliver(outbound(ada, "hello", window="human_agent", last_inbound_ms=wrote))
    clock.move(6 * DAY_S - 0.001)
    await connector.deliver(outbound(ada, "hello", window="human_agent", last_inbound_ms=wrote))
    assert [(body["messaging_type"], body["tag"]) for body in said(either)] == [("MESSAGE_TAG", "HUMAN_AGENT")] * 2
    assert accepted.route == "human_agent"
    clock.move(0.001)
    for last in (wrote, 0):
        with pytest.raises(WindowClosed):
            await connector.deliver(outbound(ada, "hello", window="human_agent", last_inbound_ms=last))
    assert len(said(either)) == 3  # the last one, of which we did not know, was refused by the platform


@pytest.mark.parametrize("kind", [AuthorKind.BOT, AuthorKind.SYSTEM])
async def test_a_machine_never_uses_the_tag_of_people(
    either: Simulator, build: Build, clock: HandClock, kind: AuthorKind
) -> None:
    ada = await newcomer(either)
    clock.move(2 * DAY_S)
    with pytest.raises(WindowClosed) as closed:
        await build(either).deliver(outbound(ada, "hello", window="human_agent", author=Author(kind=kind)))
    assert closed.value.code == "human_only"
    assert either.requests() == []


async def test_without_the_feature_the_longer_window_is_not_used(
    either: Simulator, build: Build, clock: HandClock
) -> None:
    ada = await newcomer(either)
    clock.move(2 * DAY_S)
    with pytest.raises(WindowClosed) as closed:
        await build(either, human_agent_enabled=False).deliver(outbound(ada, "hello", window="human_agent"))
    assert closed.value.code == "human_agent_not_enabled"
    assert either.requests() == []


async def test_without_any_window_an_old_conversation_is_refused_here(
    connector: Connector, page: Simulator, ada: Customer, clock: HandClock
) -> None:
    message = outbound(ada, "hello", window=None, last_inbound_ms=clock.now_ms())
    clock.move(DAY_S)
    with pytest.raises(WindowClosed):
        await connector.deliver(message)
    assert page.requests() == []


@pytest.mark.parametrize("channel", SPEC.channels, ids=lambda channel: channel.code)
def test_the_longer_window_is_offered_where_the_feature_was_granted(channel: object) -> None:
    assert isinstance(channel, type(SPEC.channels[0]))
    for settings, names in (({"human_agent_enabled": True}, ["standard", "human_agent"]),
                            ({"human_agent_enabled": False}, ["standard"])):  # fmt: skip
        effective = channel.effective(Context(account_id="a", settings=settings))
        assert [window.name for window in effective.capabilities.windows] == names
    assert effective.reasons == {"windows": "human_agent_not_enabled"}
    standard, human = channel.capabilities.windows
    assert (standard.lasts_s, human.lasts_s, set(human.authors)) == (DAY_S, 7 * DAY_S, {AuthorKind.AGENT})


@pytest.mark.parametrize("act", ["press", "react", "enter"])
async def test_other_acts_open_a_day_and_no_week(page: Simulator, build: Build, clock: HandClock, act: str) -> None:
    ada, connector = await newcomer(page), build(page)
    await connector.deliver(outbound(ada, "hello"))
    clock.move(8 * DAY_S)
    await page.act(ada.id, Action(kind=act, press="menu:GET_STARTED", bubble=ada.got[0].id))
    clock.move(DAY_S - 1)
    await connector.deliver(outbound(ada, "within the day"))
    clock.move(1)
    for window in ("standard", "human_agent"):
        with pytest.raises(WindowClosed):
            await connector.deliver(outbound(ada, "after it", window=window))
    assert len(ada.got) == 2


# ---------------------------------------------------------------- doubt


@pytest.mark.parametrize("lost", ["close_after", "cut"])
async def test_a_lost_answer_is_settled_by_the_echo(
    connector: Connector, page: Simulator, ada: Customer, door: Receiver, lost: str
) -> None:
    page.fail(Fault(do=lost, path="*/messages"))  # type: ignore[arg-type]  # both are kinds of faults
    message = outbound(ada, "hello")
    with pytest.raises((httpx2.TransportError, Uncertain)):
        await connector.deliver(message)
    await page.settled()
    (echo,) = items(connector, page)
    assert isinstance(echo, EchoReceived)
    assert (echo.correlation, echo.external_id) == (message.delivery_id, ada.got[0].id)
    assert connector.authenticate(door.requests[-1]) == door.requests[-1].body


async def test_an_echo_may_come_before_the_answer(
    connector: Connector, page: Simulator, ada: Customer, door: Receiver
) -> None:
    page.echoes = "before"
    message = outbound(ada, "hello")
    accepted = await connector.deliver(message)
    (echo,) = items(connector, page)
    assert isinstance(echo, EchoReceived)
    assert echo.external_id == accepted.parts[0].external_id
    assert (echo.thread_key, echo.correlation) == (ada.id, message.delivery_id)
    assert len(door.requests) == 1


async def test_what_staff_write_in_the_platforms_client_is_no_message_of_ours(either: Simulator, build: Build) -> None:
    ada = await newcomer(either)
    await either.staff_says(ada, "I am in the shop today")
    (echo,) = items(build(either), either)
    assert isinstance(echo, EchoReceived)
    assert (echo.correlation, echo.thread_key, echo.contact.external_id) == (None, ada.id, ada.id)


@pytest.mark.parametrize(("body", "status"), [("", 500), ("<html>Bad gateway</html>", 502), ("{}", 503), ("{}", 200)])
async def test_an_answer_that_says_nothing_leaves_a_message_in_doubt(
    connector: Connector, page: Simulator, ada: Customer, body: str, status: int
) -> None:
    page.fail(Fault(do="answer", status=status, body=body))
    with pytest.raises(Uncertain):
        await connector.deliver(outbound(ada, "hello"))


async def test_what_was_sent_though_an_error_came_is_not_sent_again(
    connector: Connector, page: Simulator, ada: Customer
) -> None:
    error = '{"error":{"message":"All messages were sent","code":1,"error_subcode":1357046}}'
    page.fail(Fault(do="answer", status=500, body=error))
    accepted = await connector.deliver(outbound(ada, "hello"))
    assert (accepted.verified, accepted.parts) == (False, ())


async def test_an_upload_without_an_answer_is_no_doubt_about_the_message(
    connector: Connector, page: Simulator, ada: Customer, media: MemoryMedia
) -> None:
    kept = media.keep(bytes(9_000_000), "image/png")
    for fault in (Fault(do="close_after", path="*/message_attachments"), Fault(do="answer", status=502, body="")):
        page.fail(fault)
        with pytest.raises(TryLater):
            await connector.deliver(outbound(ada, Image(media=kept)))
    assert ada.got == []


async def test_temporary_trouble_is_believed_for_two_hours_only(
    connector: Connector, page: Simulator, ada: Customer
) -> None:
    page.fail(Fault(do="answer", status=500, body='{"error":{"message":"try again","code":2}}', times=2))
    with pytest.raises(TryLater):
        await connector.deliver(outbound(ada, "hello", attempt=8))
    with pytest.raises(Undeliverable) as refused:
        await connector.deliver(outbound(ada, "hello", attempt=9))
    assert (refused.value.whose, refused.value.code) == ("recipient", "gave_up")


async def test_a_token_that_died_asks_for_a_person_and_is_not_told(
    connector: Connector, build: Build, page: Simulator, ada: Customer
) -> None:
    old, new = page.world.token, page.revoke_token()
    with pytest.raises(SignInNeeded) as refused:
        await connector.deliver(outbound(ada, "hello"))
    assert old not in str(refused.value) + repr(refused.value.answer)
    assert refused.value.answer
    assert refused.value.answer.code == "190"
    await build(page, page_access_token=new).deliver(outbound(ada, "hello"))
    assert len(ada.got) == 1


async def test_under_lost_answers_nobody_reads_a_message_twice_when_echoes_are_waited_for(
    connector: Connector, page: Simulator, ada: Customer
) -> None:
    page.fail(Fault(do="close_after", path="*/messages", times=15))
    for number in range(40):
        message = outbound(ada, f"message {number}")
        try:
            await connector.deliver(message)
        except (httpx2.TransportError, DeliveryError):
            await page.settled()
            (echo,) = items(connector, page)
            assert isinstance(echo, EchoReceived)
            assert echo.correlation == message.delivery_id
    assert [one.message["text"] for one in ada.got] == [f"message {number}" for number in range(40)]


# ---------------------------------------------------------------- other apps


async def test_a_conversation_of_another_app_is_asked_for(either: Simulator, build: Build) -> None:
    ada = await newcomer(either)
    await either.hand_over(ada)
    with pytest.raises(Undeliverable) as refused:
        await build(either).deliver(outbound(ada, "hello"))
    assert (refused.value.code, refused.value.whose) == ("thread_elsewhere", "account")
    assert "asked to hand it over" in str(refused.value)
    assert len(either.requests("*/request_thread_control")) == 1
    assert ada.person.holder == OTHER_APP


async def test_a_machine_never_reaches_for_a_conversation(either: Simulator, build: Build) -> None:
    ada = await newcomer(either)
    await either.hand_over(ada)
    with pytest.raises(Undeliverable) as refused:
        await build(either, take_threads=True).deliver(outbound(ada, "hello", author=BOT))
    assert refused.value.code == "thread_elsewhere"
    assert either.requests("*_thread_control") == []


async def test_an_agents_reply_takes_a_conversation_where_that_is_wanted(either: Simulator, build: Build) -> None:
    ada = await newcomer(either)
    await either.hand_over(ada)
    await build(either, take_threads=True).deliver(outbound(ada, "hello"))
    assert (ada.person.holder, len(ada.got)) == (either.world.app_id, 1)


async def test_a_conversation_that_may_not_be_taken_says_who_has_it(either: Simulator, build: Build) -> None:
    ada = await newcomer(either)
    await either.hand_over(ada)
    either.may_take = False
    with pytest.raises(Undeliverable) as refused:
        await build(either, take_threads=True).deliver(outbound(ada, "hello"))
    assert refused.value.code == "thread_elsewhere"
    assert ada.got == []


# ---------------------------------------------------------------- addresses


async def test_somebody_known_by_a_checkbox_only_is_named_by_it(connector: Connector, page: Simulator) -> None:
    with pytest.raises(Undeliverable):
        await connector.deliver(outbound("user_ref:u1", "hello"))
    assert said(page)[0]["recipient"] == {"user_ref": "u1"}


async def test_the_persons_own_id_is_used_where_it_is_known_by_now(
    connector: Connector, page: Simulator, ada: Customer
) -> None:
    to = Address(external_id="user_ref:u1", aliases=(ada.id,))
    accepted = await connector.deliver(outbound("user_ref:u1", "hello", to=to))
    assert said(page)[0]["recipient"] == {"id": ada.id}
    assert accepted.address is None
