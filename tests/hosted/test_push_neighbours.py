"""P8 for pushes: a provider that hangs, and a connector that raises, hold up nobody else's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.hosted.loopback import (
    PushingBooth,
    acknowledging_without_pauses,
    app,
    jobs,
    planned,
    provider,
    register,
    thread_of,
    with_device,
)
from tests.hosted.people import OTHER_KEY, Place
from trunkline.hosted import Push, PushAnswer, PushResult, PushTarget, pusher

__all__ = ["acknowledging_without_pauses", "app"]

pytestmark = pytest.mark.promise("P8")


async def _waiting(app: Place, *, devices: int) -> None:
    """Let so many pushes of the shop be due, and one of the mill after them."""
    for number in range(devices):
        ana = await with_device(app, f"phone-{number}")
        await app.reply(await thread_of(ana))
    app.clock.advance(seconds=1)
    ben = await app.visitor(key=OTHER_KEY)
    await ben.say()
    await register(ben, "mill-phone")
    await app.reply(await thread_of(ben))
    await planned(app.house)
    app.clock.advance(seconds=5)


def _booth(app: Place) -> PushingBooth:
    connector = app.connector()
    assert isinstance(connector, PushingBooth)
    return connector


async def test_a_provider_that_hangs_holds_up_nobody_elses_pushes(app: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    sender, released = provider(app), asyncio.Event()
    begun = []

    async def hang(target: PushTarget, push: Push) -> PushAnswer:
        begun.append(target.device_id)
        await released.wait()
        return PushAnswer(PushResult.SENT)

    sender.send_push = hang  # type: ignore[method-assign]  # the provider does not answer
    monkeypatch.setattr(pusher, "_AT_ONCE", 2)
    await _waiting(app, devices=5)
    async with asyncio.timeout(60):
        while not provider(app, "mill").pushed:
            await app.house.workers["push"].step()
            await asyncio.sleep(0)
    assert begun == ["phone-0", "phone-1"]
    released.set()
    await app.house.workers["push"].settle()
    assert await jobs(app) == 0


async def test_a_connector_that_raises_holds_up_nobody_elses_pushes(
    app: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: Any) -> Any:
        raise RuntimeError("I do not feel like answering.")

    await _waiting(app, devices=1)
    for name in ("pushes", "push_sender", "notice"):
        monkeypatch.setattr(_booth(app), name, fail)
    await app.house.workers["push"].settle()
    assert len(provider(app, "mill").pushed) == 1
    # Its own waits: it may be mended.
    assert await jobs(app) == 1
    monkeypatch.undo()
    app.clock.advance(seconds=15)
    await app.house.workers["push"].settle()
    assert len(provider(app).pushed) == 1
    assert await jobs(app) == 0
