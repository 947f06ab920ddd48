"""The connector alone: no server, no network."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from trunkline.contract import MessageReceived, OutboundMessage, Unknown, WebhookRequest
from trunkline.errors import BodyUnreadable, SignatureInvalid, Undeliverable
from trunkline.model import Address, Author, AuthorKind, Text
from trunkline.testing.services import FakeServices
from trunkline_parrot import Config, Parrot

CONFIG = Config(secret=SecretStr("an-invented-secret"), token=SecretStr("an-invented-token"))
SQUAWK = {"id": "e-1", "type": "squawk", "at": 1_795_262_400_000, "from": {"id": "polly"}, "text": "Hello"}
REPLY = OutboundMessage(
    delivery_id="d-1",
    thread_key="polly",
    to=Address(external_id="polly"),
    author=Author(kind=AuthorKind.AGENT, id="1", name="Ada"),
    parts=(Text(text="Hi"),),
    key="k-1",
)


def parrot(answer: Any = None) -> Parrot:
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) if answer else None
    return Parrot(FakeServices(CONFIG, http=http))


def request(*events: dict[str, Any], secret: bytes = b"an-invented-secret") -> WebhookRequest:
    body = json.dumps({"events": events}).encode()
    headers = {"X-Parrot-Signature": hmac.new(secret, body, hashlib.sha256).hexdigest()}
    return WebhookRequest(method="POST", query={}, headers=headers, body=body)


def test_a_signed_body_is_read() -> None:
    connector = parrot()
    message, other = connector.parse(connector.authenticate(request(SQUAWK, {**SQUAWK, "type": "moult"})))
    assert isinstance(message, MessageReceived)
    assert isinstance(other, Unknown)
    assert (message.content, message.dedupe_key, message.thread_key) == (Text(text="Hello"), "e-1", "polly")


def test_a_body_of_somebody_else_is_refused() -> None:
    with pytest.raises(SignatureInvalid):
        parrot().authenticate(request(SQUAWK, secret=b"another"))


def test_nonsense_goes_to_the_quarantine() -> None:
    connector = parrot()
    with pytest.raises(BodyUnreadable):
        connector.parse(connector.authenticate(request({"id": "e-1"})))


def test_a_message_is_sent_with_its_key() -> None:
    seen: list[dict[str, Any]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(json.loads(request.content))
        return httpx2.Response(200, json={"id": "p-1"})

    accepted = asyncio.run(parrot(answer).deliver(REPLY))
    assert seen == [{"to": "polly", "text": "Hi", "key": "k-1"}]
    assert accepted.parts[0].external_id == "p-1"


def test_a_refusal_is_final() -> None:
    with pytest.raises(Undeliverable):
        asyncio.run(parrot(lambda _request: httpx2.Response(404)).deliver(REPLY))
