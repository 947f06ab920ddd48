"""Profiles, signals, the probe and its remedy, against the simulated platform."""

from __future__ import annotations

import json

import pytest

from tests.connectors.facebook.conftest import Build, newcomer, said
from trunkline.contract import Connector, Signal
from trunkline.errors import ContractError, DeliveryError
from trunkline.model import Address
from trunkline.testing.faults import Fault
from trunkline.testing.services import HandClock
from trunkline_facebook.connector import FIELDS
from trunkline_facebook.simulator import Customer, Simulator


async def test_a_name_and_a_picture_come_from_the_profile(either: Simulator, build: Build) -> None:
    ada = await newcomer(either)
    profile = await build(either).profile(Address(external_id=ada.id))
    assert profile
    assert (profile.name, profile.picture_url) == ("Ada Lovelace", f"{either.url}/_sim/pictures/cup.jpg")
    assert profile.about == (None if either.world.channel == "facebook" else "@ada lovelace")


async def test_a_hidden_profile_still_has_the_name_of_its_conversation(either: Simulator, build: Build) -> None:
    ada = await newcomer(either)
    ada.person.hidden = True
    profile = await build(either).profile(Address(external_id=ada.id))
    assert profile
    assert (profile.name, profile.picture_url) == ("Ada Lovelace", None)
    (asked,) = either.requests("*/conversations")
    assert asked.status == 200


@pytest.mark.parametrize("error", [(100, 33), (3, None), (100, 2018218), (100, 2018247), (10, None), (200, None)])
async def test_a_refused_look_up_is_usual_and_no_error(
    connector: Connector, page: Simulator, ada: Customer, error: tuple[int, int | None]
) -> None:
    code, subcode = error
    body = json.dumps({"error": {"message": "no", "code": code, "error_subcode": subcode}})
    page.fail(Fault(do="answer", status=400, body=body, times=2))
    assert await connector.profile(Address(external_id=ada.id)) is None


@pytest.mark.parametrize("answer", ["{}", '{"data":[]}', '{"data":[{"participants":5}]}', '{"data":null}'])
async def test_an_odd_list_of_conversations_is_no_error(
    connector: Connector, page: Simulator, ada: Customer, answer: str
) -> None:
    ada.person.hidden = True
    page.fail(Fault(do="answer", status=200, body=answer, path="*/conversations"))
    assert await connector.profile(Address(external_id=ada.id)) is None


async def test_an_id_cannot_leave_its_path(connector: Connector, page: Simulator) -> None:
    await connector.profile(Address(external_id="../9001/subscribed_apps?x="))
    assert not any(entry.path.endswith("subscribed_apps") for entry in page.journal)


# ---------------------------------------------------------------- signals


def signal(kind: str, ada: Customer) -> Signal:
    return Signal(kind=kind, to=Address(external_id=ada.id), thread_key=ada.id)


async def test_typing_is_shown_at_most_every_ten_seconds(either: Simulator, build: Build, clock: HandClock) -> None:
    ada, connector = await newcomer(either), build(either)
    for seconds, calls in ((0, 1), (1, 1), (8, 1), (1, 2)):
        clock.move(seconds)
        await connector.signal(signal("typing", ada))
        assert len(either.requests()) == calls
    assert said(either)[0] == {"recipient": {"id": ada.id}, "sender_action": "typing_on"}
    assert [one.typing for one in either.customers()] == [True]
    clock.move(21)
    assert [one.typing for one in either.customers()] == [False]


async def test_reading_is_shown_to_the_customer(either: Simulator, build: Build) -> None:
    ada = await newcomer(either)
    await build(either).signal(signal("read", ada))
    assert said(either) == [{"recipient": {"id": ada.id}, "sender_action": "mark_seen"}]
    assert [bubble.state for bubble in either.chat(ada.id)] == ["Seen"]


@pytest.mark.parametrize("kind", ["reaction", "recall"])
async def test_what_the_platform_has_not_is_not_asked_of_it(
    connector: Connector, page: Simulator, ada: Customer, kind: str
) -> None:
    await connector.signal(signal(kind, ada))
    assert page.requests() == []


async def test_errors_of_signals_are_delivery_errors(connector: Connector, page: Simulator, ada: Customer) -> None:
    for fault in (Fault(do="close_before"), Fault(do="answer", status=500)):
        page.fail(fault)
        with pytest.raises(DeliveryError):
            await connector.signal(signal("read", ada))


# ---------------------------------------------------------------- the probe


async def test_a_good_account_gets_no_advice(either: Simulator, build: Build) -> None:
    health = await build(either).probe()
    assert (health.state, health.title, health.advice, health.remedies) == ("connected", "Simulated shop", (), ())


async def test_a_page_that_gave_up_on_us_is_told_and_can_be_subscribed_again(either: Simulator, build: Build) -> None:
    connector = build(either)
    either.subscribed.clear()
    health = await connector.probe()
    assert health.state == "failing"
    assert "nothing arrives" in health.summary
    assert [remedy.code for remedy in health.remedies] == ["subscribe"]
    healed = await connector.remedy("subscribe")
    assert (healed.state, healed.remedies) == ("connected", ())
    assert either.subscribed == set(FIELDS[either.world.channel])


async def test_a_missing_field_is_advice_with_the_same_remedy(connector: Connector, page: Simulator) -> None:
    page.subscribed.discard("message_echoes")
    health = await connector.probe()
    assert health.state == "connected"
    assert "message_echoes" in health.advice[0]
    assert [remedy.code for remedy in health.remedies] == ["subscribe"]
    assert (await connector.remedy("subscribe")).advice == ()


async def test_the_subscription_of_another_app_is_not_ours(build: Build, page: Simulator) -> None:
    assert (await build(page, app_id="222").probe()).state == "failing"
    health = await build(page, app_id=None).probe()
    assert health.state == "connected"
    assert "app_id" in health.advice[0]


async def test_an_unknown_remedy_is_a_mistake_of_ours(connector: Connector) -> None:
    with pytest.raises(ContractError):
        await connector.remedy("reboot")


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (Fault(do="answer", status=400, body='{"error":{"message":"x","code":190}}', times=2), "sign_in_needed"),
        (Fault(do="answer", status=400, body='{"error":{"message":"x","code":10}}', times=2), "sign_in_needed"),
        (Fault(do="answer", status=500, body="", times=2), "failing"),
        (Fault(do="close_before", times=2), "failing"),
        (Fault(do="answer", status=400, body="{}", times=2), "failing"),
    ],
)
async def test_a_probe_or_a_remedy_that_fails_says_so(
    connector: Connector, page: Simulator, fault: Fault, state: str
) -> None:
    page.fail(fault)
    health = await connector.probe()
    assert (health.state, bool(health.summary)) == (state, True)
    assert (await connector.remedy("subscribe")).state == state
