from __future__ import annotations

import json

import pytest
from joserfc import jwk

from tests.connectors.line.conftest import Build, outbound
from trunkline.errors import SignInNeeded, TryLater
from trunkline.testing.faults import Fault
from trunkline.testing.services import HandClock
from trunkline_line.simulator import Customer, Simulator


async def test_a_long_lived_token_needs_no_call(build: Build, line: Simulator, ada: Customer) -> None:
    await build(access_token=line.world.long_lived).deliver(outbound(ada, "hello"))
    assert line.requests("/oauth2/*") == []


async def test_a_stateless_token_is_fetched_once_and_renewed_ahead_of_its_end(
    build: Build, line: Simulator, ada: Customer, clock: HandClock
) -> None:
    connector = build()
    for _ in range(3):
        await connector.deliver(outbound(ada, "hello"))
    assert len(line.requests("/oauth2/v3/token")) == 1
    clock.move(12 * 60)
    await connector.deliver(outbound(ada, "hello"))
    assert len(line.requests("/oauth2/v3/token")) == 1
    clock.move(70)
    await connector.deliver(outbound(ada, "hello"))
    assert len(line.requests("/oauth2/v3/token")) == 2


async def test_a_refused_token_is_renewed_once(build: Build, line: Simulator, ada: Customer) -> None:
    connector = build()
    await connector.deliver(outbound(ada, "hello"))
    line.world.access.clear()
    accepted = await connector.deliver(outbound(ada, "hello"))
    assert accepted.route == "push"
    assert len(line.requests("/oauth2/v3/token")) == 2


async def test_a_token_refused_twice_asks_for_a_person(build: Build, line: Simulator, ada: Customer) -> None:
    line.fail(Fault(do="answer", path="/v2/bot/*", status=401, body='{"message":"Authentication failed"}', times=9))
    with pytest.raises(SignInNeeded):
        await build().deliver(outbound(ada, "hello"))
    assert len(line.requests("/v2/bot/message/push")) == 2


@pytest.mark.parametrize("form", ["pem", "jwk"])
async def test_an_assertion_key_gives_a_token_of_version_2_1(
    build: Build, line: Simulator, ada: Customer, form: str, clock: HandClock
) -> None:
    kid, pem = line.world.assertion_key()
    key = pem if form == "pem" else json.dumps(jwk.RSAKey.import_key(pem).as_dict(private=True))
    connector = build(kid=kid, private_key=key)
    await connector.deliver(outbound(ada, "hello"))
    clock.move(23 * 3600)
    await connector.deliver(outbound(ada, "hello"))
    assert len(line.requests("/oauth2/v2.1/token")) == 1
    clock.move(3600)
    await connector.deliver(outbound(ada, "hello"))
    assert len(line.requests("/oauth2/v2.1/token")) == 2


async def test_a_wrong_key_or_secret_asks_for_a_person(build: Build, line: Simulator, ada: Customer) -> None:
    _, pem = line.world.assertion_key()
    for connector in (build(kid="another", private_key=pem), build(channel_secret="0" * 32)):
        with pytest.raises(SignInNeeded, match="client"):
            await connector.deliver(outbound(ada, "hello"))


@pytest.mark.parametrize(
    "fault",
    [Fault(do="answer", status=500), Fault(do="answer", status=429), Fault(do="close_before"), Fault(do="close_after")],
)
async def test_trouble_with_tokens_leaves_no_doubt_about_the_message(
    build: Build, line: Simulator, ada: Customer, fault: Fault
) -> None:
    line.fail(fault)
    with pytest.raises(TryLater):
        await build().deliver(outbound(ada, "hello"))
    assert ada.sees == []
