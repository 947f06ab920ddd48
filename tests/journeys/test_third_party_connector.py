"""A connector of somebody else: built, installed, listed; it receives and sends, and the core does not know of it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.house import ROOT
from tests.ports import free_port

EXAMPLE = ROOT / "examples" / "minimal"
SECRET, TOKEN, PASSWORD = "an-invented-secret", "an-invented-token", "plum kettle orbit lantern"
PATIENCE_S = 60


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which pip installed the example, as a wheel built from a copy of it."""
    folder = tmp_path_factory.mktemp("third-party")
    source, target = folder / "source", folder / "installed"
    shutil.copytree(EXAMPLE, source)
    quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]
    subprocess.run([sys.executable, "-m", "pip", "install", *quiet, "--target", target, source], check=True)
    return target


def environment(installed: Path) -> dict[str, str]:
    key = "bm90LWEtc2VjcmV0LWp1c3QtZm9yLXRlc3RzLTMyYiE="
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return {**ours, "PYTHONPATH": str(installed), "TRUNKLINE_SECRET_KEY": key, "PARROT_SECRET": SECRET}


def trunkline(installed: Path, *words: str, folder: Path) -> str:
    """Run one command and return what it printed."""
    run = subprocess.run(
        [sys.executable, "-m", "trunkline.cli", *words],
        env=environment(installed),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_it_is_small() -> None:
    code = sum(len(path.read_text().splitlines()) for path in (EXAMPLE / "trunkline_parrot").glob("*.py"))
    assert code <= 120


def test_nothing_of_ours_names_it() -> None:
    for room in ("core", "desk"):
        named = [str(path) for path in (ROOT / room).rglob("*.py") if "parrot" in path.read_text("utf-8").lower()]
        assert named == []


def test_its_own_tests_pass(installed: Path, tmp_path: Path) -> None:
    tests = shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path}/own", str(tests)]
    run = subprocess.run(words, env=environment(installed), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_it_is_listed(installed: Path, tmp_path: Path) -> None:
    listed = json.loads(trunkline(installed, "channels", "--json", folder=tmp_path))
    (parrot,) = [one for one in listed if one["connector"] == "parrot"]
    assert (parrot["channel"], parrot["distribution"], parrot["version"]) == ("parrot", "trunkline-parrot", "0.1.0")
    assert parrot["sends"] == ["text"]


async def test_it_receives_and_sends(installed: Path, tmp_path: Path) -> None:
    async with _platform() as (url, sent), _serving(installed, tmp_path, url) as (address, ada):
        assert await _squawk(address, "Hello?", secret="another") == 401
        assert await _squawk(address, "Hello?") == 200
        assert await _squawk(address, "Hello?") == 200
        async with asyncio.timeout(PATIENCE_S):
            threads = (await ada("GET", "/threads?state=any"))["items"]
            (thread,) = [one for one in threads if one["channel"] == "parrot"]
            await ada("POST", f"/threads/{thread['id']}/messages", {"text": "Polly, how can I help?"})
            request = await sent.get()
            assert (request["to"], request["text"]) == ("polly", "Polly, how can I help?")
            while (said := await _said(ada, thread["id"])) != [
                ("in", "Hello?", None),
                ("out", request["text"], "sent"),
            ]:
                assert said[0][1] == "Hello?"
                await asyncio.sleep(0.02)


async def _said(ada: Any, thread: str) -> list[tuple[str, str, str | None]]:
    messages = (await ada("GET", f"/threads/{thread}/messages"))["items"]
    return [(one["direction"], one["content"]["text"], one["delivery_state"]) for one in messages]


async def _squawk(address: str, text: str, *, secret: str = SECRET) -> int:
    """Let the platform tell of a message, always the same; returns the status of the answer."""
    event = {"id": "e-1", "type": "squawk", "at": 1_795_262_400_000, "from": {"id": "polly"}, "text": text}
    body = json.dumps({"events": [event]}).encode()
    headers = {"X-Parrot-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{address}/webhooks/shop-parrot", data=body, headers=headers) as answer,
    ):
        return answer.status


@asynccontextmanager
async def _platform() -> AsyncIterator[tuple[str, asyncio.Queue[dict[str, Any]]]]:
    """A loopback Parrot; yields its address, and the messages that it takes."""
    sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401)
        sent.put_nowait(await request.json())
        return web.json_response({"id": "p-1"})

    app = web.Application()
    app.router.add_post("/messages", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", sent
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _serving(installed: Path, folder: Path, platform: str) -> AsyncIterator[tuple[str, Any]]:
    """Run `trunkline serve`; yields its address, and Ada's hand on the API."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    (folder / "trunkline.toml").write_text(
        f'[server]\nlisten = "127.0.0.1:{port}"\nmetrics_listen = "off"\nallow_hosts = ["127.0.0.1"]\n'
        f'[[accounts]]\nid = "shop-parrot"\nconnector = "parrot"\n'
        f'settings = {{ secret = {{ env = "PARROT_SECRET" }}, token = "{TOKEN}", api_base = "{platform}" }}\n'
    )
    invitation = json.loads(trunkline(installed, "agent", "add", "ada@shop.example", "--json", folder=folder))
    with (folder / "serve.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "trunkline.cli", "serve"],
            env=environment(installed),
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        async with aiohttp.ClientSession() as session:
            await _until_ready(session, address, server, folder)
            yield address, await _ada(session, f"{address}/api/v1", invitation["setup_url"].partition("token=")[2])
    finally:
        server.terminate()
        server.wait(PATIENCE_S)


async def _until_ready(
    session: aiohttp.ClientSession, address: str, server: subprocess.Popen[bytes], folder: Path
) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            assert server.poll() is None, (folder / "serve.log").read_text()
            try:
                async with session.get(f"{address}/health/ready") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)


async def _ada(session: aiohttp.ClientSession, api: str, invitation: str) -> Any:
    """Set Ada's password, and return how she calls the API."""
    person = {"token": invitation, "name": "Ada", "email": "ada@shop.example", "password": PASSWORD}
    async with session.post(f"{api}/setup", json=person) as answer:
        assert answer.status == 201, await answer.text()
        headers = {"Authorization": f"Bearer {(await answer.json())['token']}"}

    async def call(method: str, path: str, body: Any = None) -> Any:
        async with session.request(method, f"{api}{path}", json=body, headers=headers) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()

    return call
