"""What the answer of a push provider leads to (B9): the device goes, the push waits, or everything does."""

from __future__ import annotations

import pytest

from tests.hosted.loopback import (
    DAY,
    PushingBooth,
    acknowledging_without_pauses,
    app,
    jobs,
    place,
    provider,
    pushed,
    register,
    thread_of,
    with_device,
)
from tests.hosted.people import Place, Visitor
from trunkline.hosted import PushAnswer, PushResult
from trunkline.store import schema

__all__ = ["acknowledging_without_pauses", "app", "place"]


async def answered(place: Place, *answers: PushResult | PushAnswer | Exception, **device: str) -> Visitor:
    ana = await with_device(place, **device)
    provider(place).answers = list(answers)
    await place.reply(await thread_of(ana))
    await pushed(place)
    return ana


async def test_a_token_that_nobody_has_is_forgotten(place: Place) -> None:
    await answered(place, PushResult.UNREGISTERED)
    assert await place.rows(schema.visitor_device) == []
    assert await jobs(place) == 0


async def test_a_token_that_was_handed_over_meanwhile_stays(app: Place) -> None:
    ana = await with_device(app)
    await app.reply(await thread_of(ana))
    sender = provider(app)
    real = sender.send_push

    async def slow(target: object, push: object) -> PushAnswer:
        app.clock.advance(seconds=1)
        await register(ana, push_token="invented-newer-token")
        await real(target, push)  # type: ignore[arg-type] # handed through
        return PushAnswer(PushResult.UNREGISTERED)

    sender.send_push = slow  # type: ignore[method-assign] # the app restarts while we push
    await pushed(app)
    (row,) = await app.rows(schema.visitor_device)
    assert app.house.secrets.decrypt(bytes(row.push_token)) == {"push_token": "invented-newer-token"}


async def test_a_refusal_that_may_be_the_payloads_fault_is_tried_with_the_smallest_one(app: Place) -> None:
    await answered(app, PushResult.REFUSED, PushResult.SENT)
    first, second = provider(app).payloads
    assert first["occ"]["pos"] == 2
    assert second["occ"] == {"v": 1, "t": "message", "unread": 1}
    assert len(await app.rows(schema.visitor_device)) == 1


async def test_whoever_is_refused_twice_is_forgotten(app: Place) -> None:
    await answered(app, PushResult.REFUSED, PushResult.REFUSED)
    assert len(provider(app).pushed) == 2
    assert await app.rows(schema.visitor_device) == []


async def test_the_other_environment_is_tried_once_and_kept(place: Place) -> None:
    apns = {"provider": "apns", "push_token": "ab" * 32, "environment": "production"}
    ana = await answered(place, PushResult.WRONG_ENVIRONMENT, PushResult.SENT, **apns)
    assert [target.environment for target, _ in provider(place).pushed] == ["production", "sandbox"]
    (row,) = await place.rows(schema.visitor_device)
    assert row.environment == "sandbox"
    await place.reply(await thread_of(ana))
    await pushed(place)
    assert [target.environment for target, _ in provider(place).pushed] == ["production", "sandbox", "sandbox"]


async def test_whoever_is_at_home_in_no_environment_is_forgotten(app: Place) -> None:
    apns = {"provider": "apns", "push_token": "ab" * 32, "environment": "sandbox"}
    await answered(app, PushResult.WRONG_ENVIRONMENT, PushResult.WRONG_ENVIRONMENT, **apns)
    assert [target.environment for target, _ in provider(app).pushed] == ["sandbox", "production"]
    assert await app.rows(schema.visitor_device) == []


@pytest.mark.parametrize("passing", [PushResult.LATER, RuntimeError("a bug of the provider's connector")])
async def test_what_passes_is_tried_again_with_growing_pauses(app: Place, passing: PushResult | Exception) -> None:
    await answered(app, passing, passing)
    assert len(provider(app).pushed) == 1
    assert len(await pushed(app, after_s=7)) == 1
    assert len(await pushed(app, after_s=5.1)) == 2
    assert len(await pushed(app, after_s=15)) == 2
    assert len(await pushed(app, after_s=10)) == 3
    assert await jobs(app) == 0


async def test_a_provider_that_says_when_is_listened_to(app: Place) -> None:
    await answered(app, PushAnswer(PushResult.LATER, after_s=600))
    assert len(await pushed(app, after_s=599)) == 1
    assert len(await pushed(app, after_s=2)) == 2


async def test_a_push_is_given_up_after_a_day(app: Place) -> None:
    await answered(app, PushAnswer(PushResult.LATER, after_s=DAY))
    assert await jobs(app) == 0
    assert len(await app.rows(schema.visitor_device)) == 1


async def test_when_a_provider_does_not_believe_us_all_wait_and_the_account_says_so(app: Place) -> None:
    ana = await answered(app, PushResult.SIGN_IN_NEEDED)
    connector = app.connector()
    assert isinstance(connector, PushingBooth)
    probes = connector.probes
    assert probes >= 1
    ben = await with_device(app, "other")
    await app.reply(await thread_of(ben))
    assert len(await pushed(app)) == 1
    assert len(await app.rows(schema.visitor_device)) == 2
    assert len(await pushed(app, after_s=600)) == 3
    assert {target.device_id for target, _ in provider(app).pushed[1:]} == {"phone", "other"}
    assert ana.token != ben.token


async def test_devices_of_providers_that_nobody_serves_wait_for_nothing(app: Place) -> None:
    ana = await with_device(app, provider="hms")
    await app.reply(await thread_of(ana))
    assert await pushed(app) == []
    assert await jobs(app) == 0
    assert len(await app.rows(schema.visitor_device)) == 1
