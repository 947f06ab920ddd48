"""`trunkline agent …` as an operator types it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests import warm
from tests.desk.conftest import KEY, Opener
from tests.desk.harness import Running


@pytest.fixture
def configured(settings_file: Path, tmp_path: Path) -> Path:
    """A configuration whose plugins are installed: without the invented accounts."""
    head = settings_file.read_text().partition("[[accounts]]")[0]
    settings_file.write_text(f'{head}[database]\nurl = "sqlite:///{tmp_path}/trunkline.db"\n')
    return settings_file


def trunkline(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return warm.run(["agent", *words, "--config", str(config)], env={**os.environ, "TRUNKLINE_SECRET_KEY": KEY})


def link(output: str) -> str:
    return output.partition("token=")[2].split()[0].strip('"')


async def test_an_agent_is_added_listed_and_comes_in_with_the_printed_link(configured: Path, open_desk: Opener) -> None:
    added = trunkline(configured, "add", "Ada@shop.example", "--role", "admin", "--name", "Ada")
    assert (added.returncode, "three days" in added.stdout) == (0, True), added.stderr
    listed = json.loads(trunkline(configured, "list", "--json").stdout)
    assert [(agent["email"], agent["role"], agent["has_password"]) for agent in listed] == [
        ("ada@shop.example", "admin", False)
    ]
    running: Running
    async with open_desk(f"sqlite:///{configured.parent}/trunkline.db", {}) as running:
        body = {"name": "Ada", "email": "ada@shop.example", "password": "seven quiet rivers bend"}
        await running.client(None).post("/setup", {"token": link(added.stdout), **body})
        refused = await asyncio.to_thread(trunkline, configured, "add", "bo@shop.example")
        assert refused.returncode == 1
        assert "in use" in refused.stderr
        assert "/api/docs" in refused.stderr
        shown = await asyncio.to_thread(trunkline, configured, "list")
        assert (shown.returncode, "ada@shop.example" in shown.stdout) == (0, True)


async def test_a_reset_ends_the_old_password(configured: Path, open_desk: Opener) -> None:
    added = json.loads(trunkline(configured, "add", "ada@shop.example", "--role", "admin", "--json").stdout)
    url, body = f"sqlite:///{configured.parent}/trunkline.db", {"name": "Ada", "email": "ada@shop.example"}
    old, new = {"password": "seven quiet rivers bend"}, {"password": "nine loud harbours sing"}
    running: Running
    async with open_desk(url, {}) as running:
        client = running.client(None)
        client.token = (await client.post("/setup", {"token": link(added["setup_url"]), **body, **old}))["token"]
    reset = trunkline(configured, "reset", "ada@shop.example")
    assert reset.returncode == 0, reset.stderr
    async with open_desk(url, {}) as running:
        client.session, client.address = running.session, running.address
        assert (await client.call("GET", "/me")).status == 401
        assert (await client.call("POST", "/sessions", {"email": body["email"], **old})).status == 401
        await client.post("/setup", {"token": link(reset.stdout), **body, **new})
        await client.post("/sessions", {"email": body["email"], **new})


def test_wrong_use_says_what_is_wrong(configured: Path) -> None:
    nowhere = trunkline(configured, "reset", "nobody@shop.example")
    assert (nowhere.returncode, "no agent with this address" in nowhere.stderr) == (1, True)
    wrong = trunkline(configured, "add", "ada")
    assert (wrong.returncode, "is no address" in wrong.stderr) == (2, True)
    trunkline(configured, "add", "ada@shop.example")
    twice = trunkline(configured, "add", "ada@shop.example")
    assert (twice.returncode, "There is an agent with this address" in twice.stderr) == (1, True)
