"""Pushes by the deployer's own server: signed, and believed in what it says."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from tests.connectors.sdk.conftest import RELAY_SECRET
from tests.connectors.sdk.test_fcm import push
from trunkline.hosted import PushResult, PushSender, PushTarget
from trunkline.testing.services import FakeServices, HandClock
from trunkline_sdk.config import Config
from trunkline_sdk.connector import SdkConnector
from trunkline_sdk.relay import SIGNATURE, answer_of

TARGET = PushTarget(
    device_id="d-1",
    provider="apns",
    push_token=SecretStr("ab" * 32),
    environment="sandbox",
    bundle_id="shop.example",
    locale="pl",
)


class Server:
    """The deployer's server."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self.answer: tuple[int, str] = (200, "")

    async def take(self, request: web.Request) -> web.Response:
        self.asked.append((request.headers[SIGNATURE], await request.read()))
        status, text = self.answer
        return web.Response(status=status, text=text, content_type="application/json")


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def connector(server: Server, clock: HandClock) -> AsyncIterator[SdkConnector]:
    site = web.Application()
    site.router.add_post("/trunkline", server.take)
    async with TestServer(site) as running:
        relay = {"url": str(running.make_url("/trunkline")), "secret": RELAY_SECRET}
        async with FakeServices(Config.model_validate({"relay": relay}), clock=clock) as services:
            yield SdkConnector(services)


def sender(connector: SdkConnector) -> PushSender:
    found = connector.push_sender("apns")
    assert found is not None
    return found


async def test_the_relay_gets_what_the_readme_says(connector: SdkConnector, server: Server, clock: HandClock) -> None:
    assert (await sender(connector).send_push(TARGET, push(clock))).result is PushResult.SENT
    ((_, body),) = server.asked
    assert json.loads(body) == {
        "device": {
            "device_id": "d-1",
            "provider": "apns",
            "environment": "sandbox",
            "bundle_id": "shop.example",
            "locale": "pl",
            "push_token": "ab" * 32,
        },
        "push": {
            "kind": "message",
            "collapse": "th_1",
            "badge": 2,
            "expires_at": clock.now_ms() // 1000 + 86400,
            "payload": {
                "occ": {"v": 1, "t": "message", "thread": "th_1", "pos": 18, "unread": 2},
                "title": "Shop help",
                "body": "You have a new message",
            },
        },
    }


async def test_what_is_posted_is_signed_with_its_time(
    connector: SdkConnector, server: Server, clock: HandClock
) -> None:
    await sender(connector).send_push(TARGET, push(clock))
    ((signature, body),) = server.asked
    seconds, proof = (part.partition("=")[2] for part in signature.split(","))
    expected = hmac.new(RELAY_SECRET.encode(), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(proof, expected)
    assert int(seconds) == clock.now_ms() // 1000


@pytest.mark.parametrize("result", list(PushResult))
async def test_what_the_relay_says_is_what_it_means(
    connector: SdkConnector, server: Server, clock: HandClock, result: PushResult
) -> None:
    server.answer = (200, json.dumps({"result": result.value, "retry_after": 90}))
    answer = await sender(connector).send_push(TARGET, push(clock))
    assert (answer.result, answer.after_s) == (result, 90)


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        (200, "", PushResult.SENT),
        (204, "", PushResult.SENT),
        (200, "{}", PushResult.SENT),
        (200, "[]", PushResult.LATER),
        (200, "<html>", PushResult.LATER),
        (200, '{"result": "perhaps"}', PushResult.LATER),
        (401, "", PushResult.SIGN_IN_NEEDED),
        (403, "", PushResult.SIGN_IN_NEEDED),
        (404, "", PushResult.SIGN_IN_NEEDED),
        (410, "", PushResult.SIGN_IN_NEEDED),
        (400, "", PushResult.LATER),
        (429, "", PushResult.LATER),
        (500, '{"result": "unregistered"}', PushResult.LATER),
    ],
)
def test_a_status_alone_deletes_no_device(status: int, body: str, result: PushResult) -> None:
    assert answer_of(httpx2.Response(status, text=body)).result is result


async def test_a_relay_that_refuses_us_is_told_to_the_deployer_until_it_takes_one(
    connector: SdkConnector, server: Server, clock: HandClock
) -> None:
    server.answer = (401, "")
    await sender(connector).send_push(TARGET, push(clock))
    health = await connector.probe()
    assert (health.state, health.summary) == (
        "sign_in_needed",
        "The chat works, pushes do not: The relay for pushes refuses us (401).",
    )
    server.answer = (503, "")
    await sender(connector).send_push(TARGET, push(clock))
    assert (await connector.probe()).state == "sign_in_needed"
    server.answer = (200, "")
    await sender(connector).send_push(TARGET, push(clock))
    assert (await connector.probe()).state == "connected"


async def test_a_relay_that_is_not_there_is_asked_again(clock: HandClock) -> None:
    settings: dict[str, Any] = {"relay": {"url": "http://127.0.0.1:9/x", "secret": RELAY_SECRET}}
    async with FakeServices(Config.model_validate(settings), clock=clock) as services:
        answer = await sender(SdkConnector(services)).send_push(TARGET, push(clock))
    assert answer.result is PushResult.LATER
