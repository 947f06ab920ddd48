"""Health: live, ready, started; and which check says no."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import text

from tests.core.conftest import HandClock
from tests.ports import free_port
from trunkline.errors import StartRefused, StoreUnavailable
from trunkline.http.health import add_health_routes, open_metrics_door
from trunkline.service.vitals import Vitals
from trunkline.settings import Settings, load_settings
from trunkline.store import Store

Ask = Callable[[str], Awaitable[tuple[int, Any]]]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return load_settings(None, {"media.free_space_floor": 1})


@pytest.fixture
async def vitals(store: Store, settings: Settings, clock: HandClock) -> Vitals:
    vitals = Vitals(store, settings, clock, started=True)
    await vitals.beat()
    return vitals


@pytest.fixture
async def ask(vitals: Vitals) -> AsyncIterator[Ask]:
    app = web.Application()
    add_health_routes(app, vitals)
    async with TestClient(TestServer(app)) as client:

        async def get(path: str) -> tuple[int, Any]:
            async with client.get(path) as answer:
                return answer.status, await answer.json()

        yield get


async def test_all_is_well(ask: Ask) -> None:
    assert await ask("/health/live") == (200, {"status": "live"})
    assert await ask("/health/ready") == (200, {"status": "ready", "failing": [], "checks": {}})
    assert await ask("/health/startup") == (200, {"status": "started"})


async def test_while_it_starts_it_lives_and_is_not_ready(ask: Ask, vitals: Vitals) -> None:
    vitals.started = False
    assert (await ask("/health/live"))[0] == 200
    status, body = await ask("/health/ready")
    assert (status, body["failing"]) == (503, ["starting"])
    assert await ask("/health/startup") == (503, {"status": "starting"})


async def test_while_it_stops_it_is_not_ready(ask: Ask, vitals: Vitals) -> None:
    vitals.draining = True
    status, body = await ask("/health/ready")
    assert (status, body["failing"]) == (503, ["draining"])


async def test_a_writer_that_stopped_committing_is_not_ready(
    ask: Ask, vitals: Vitals, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("trunkline.service.vitals.monotonic", lambda: now)
    await vitals.beat()
    now += 4.9
    assert (await ask("/health/ready"))[0] == 200
    now += 1
    status, body = await ask("/health/ready")
    assert (status, body["failing"]) == (503, ["writer"])
    assert body["checks"]["writer"] == "The database took its last write 6 seconds ago."


async def test_a_heartbeat_that_fails_is_not_remembered(
    ask: Ask, vitals: Vitals, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    vitals._beat_at = None

    async def refuse(_work: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(store.writer, "write", refuse)
    with pytest.raises(StoreUnavailable):
        await vitals.beat()
    assert (await ask("/health/ready"))[1]["failing"] == ["writer"]


async def test_a_full_disk_is_not_ready(ask: Ask, vitals: Vitals, tmp_path: Path) -> None:
    vitals.settings = load_settings(None, {"media.free_space_floor": 1 << 60})
    status, body = await ask("/health/ready")
    assert (status, body["failing"]) == (503, ["disk"])
    assert "MiB are needed" in body["checks"]["disk"]


async def test_a_schema_changed_under_us_is_not_ready(ask: Ask, store: Store) -> None:
    await store.writer.write(lambda tx: tx.execute(text("UPDATE schema_version_core SET version_num = '9999'")))
    status, body = await ask("/health/ready")
    assert (status, body["failing"]) == (503, ["schema"])
    assert "9999" in body["checks"]["schema"]


async def test_a_database_that_is_gone_is_not_ready(ask: Ask, store: Store) -> None:
    await store.close()
    status, body = await ask("/health/ready")
    assert status == 503
    assert "schema" in body["failing"]
    assert (await ask("/health/live"))[0] == 200


async def test_heartbeats_go_on_by_themselves(vitals: Vitals, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trunkline.service.vitals._EVERY_S", 0.0)
    beats = 0
    store.writer.on_commit = lambda _seconds, _rows: _count()

    def _count() -> None:
        nonlocal beats
        beats += 1

    vitals.start()
    while beats < 3:
        await store.writer.write(lambda tx: None)
    await vitals.stop()
    await vitals.stop()


# ---------------------------------------------------------------- the second listener


async def _expose() -> bytes:
    return b"trunkline_build_info 1.0\n"


async def test_metrics_and_health_have_a_listener_of_their_own(vitals: Vitals) -> None:
    listen = f"127.0.0.1:{free_port()}"
    door = await open_metrics_door(load_settings(None, {"server.metrics_listen": listen}), vitals, _expose)
    assert door is not None
    async with ClientSession() as client:
        async with client.get(f"http://{listen}/metrics") as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert await answer.read() == b"trunkline_build_info 1.0\n"
        async with client.get(f"http://{listen}/health/ready") as answer:
            assert answer.status == 200
    await door.cleanup()


async def test_the_second_listener_can_be_off(vitals: Vitals) -> None:
    assert await open_metrics_door(load_settings(None, {"server.metrics_listen": "off"}), vitals, _expose) is None


async def test_an_address_that_was_asked_for_and_is_taken_refuses_the_start(vitals: Vitals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        settings = load_settings(None, {"server.metrics_listen": listen})
        with pytest.raises(StartRefused, match=r"server\.metrics_listen .* choose another"):
            await open_metrics_door(settings, vitals, _expose)


async def test_the_default_address_that_is_taken_refuses_nothing(vitals: Vitals) -> None:
    settings = load_settings()
    first = await open_metrics_door(settings, vitals, _expose)
    assert await open_metrics_door(settings, vitals, _expose) is None
    if first is not None:
        await first.cleanup()
