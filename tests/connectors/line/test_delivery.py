"""Reply or push: free or costed, once and never twice, against the simulated LINE."""

from __future__ import annotations

import httpx2
import msgspec
import pytest

from tests.connectors.line.conftest import Build, credential, outbound, said_by_us
from trunkline.contract import Connector, OutboundMessage
from trunkline.errors import DeliveryError, RateLimited, SignInNeeded, TryLater, Uncertain, Undeliverable, WindowClosed
from trunkline.model import Cost
from trunkline.testing.faults import Fault
from trunkline.testing.services import HandClock
from trunkline_line.simulator import Customer, Simulator

REPLY, PUSH = "/v2/bot/message/reply", "/v2/bot/message/push"


async def test_an_answer_within_the_minute_is_a_free_reply(
    connector: Connector, line: Simulator, ada: Customer
) -> None:
    accepted = await connector.deliver(outbound(ada, "hello", credential=await credential(ada, line)))
    assert (accepted.route, accepted.cost, accepted.credential_used, accepted.verified) == (
        "reply",
        Cost.FREE,
        True,
        True,
    )
    assert line.world.used == 0
    (request,) = line.requests(REPLY)
    assert "x-line-retry-key" not in request.headers
    assert accepted.evidence


async def test_without_a_token_it_is_a_push_that_costs(connector: Connector, line: Simulator, ada: Customer) -> None:
    message = outbound(ada, "hello")
    accepted = await connector.deliver(message)
    assert (accepted.route, accepted.cost, accepted.credential_used) == ("push", Cost.QUOTA, False)
    assert line.world.used == 1
    assert line.requests(PUSH)[0].headers["x-line-retry-key"] == message.key


async def test_a_push_to_a_group_costs_its_members(connector: Connector, line: Simulator) -> None:
    member, *_ = line.group("Family", "Ada", "Bo", "Cy")
    await connector.deliver(outbound(member, "one", "two"))
    assert line.world.used == 3


async def test_an_expired_token_falls_back_to_a_push(
    connector: Connector, line: Simulator, ada: Customer, clock: HandClock
) -> None:
    token = await credential(ada, line)
    clock.move(61)
    accepted = await connector.deliver(outbound(ada, "hello", credential=token))
    assert (accepted.route, accepted.cost, accepted.credential_used) == ("push", Cost.QUOTA, True)
    assert len(said_by_us(ada)) == 1


async def test_a_used_token_falls_back_to_a_push(connector: Connector, line: Simulator, ada: Customer) -> None:
    token = await credential(ada, line)
    await connector.deliver(outbound(ada, "first", credential=token))
    accepted = await connector.deliver(outbound(ada, "second", credential=token))
    assert accepted.route == "push"
    assert [message["text"] for message in said_by_us(ada)] == ["first", "second"]


@pytest.mark.parametrize("lost", ["close_after", "cut"])
async def test_a_reply_whose_answer_was_lost_is_not_said_twice(
    connector: Connector, line: Simulator, ada: Customer, lost: str
) -> None:
    message = outbound(ada, "hello", credential=await credential(ada, line))
    line.fail(Fault(do=lost, path=REPLY))  # type: ignore[arg-type]  # both are kinds of faults
    with pytest.raises(httpx2.TransportError):
        await connector.deliver(message)
    accepted = await connector.deliver(again(message))
    assert (accepted.verified, accepted.credential_used, accepted.parts) == (False, True, ())
    assert len(said_by_us(ada)) == 1
    assert line.requests(PUSH) == []


async def test_a_reply_that_never_arrived_is_said_once_more(
    connector: Connector, line: Simulator, ada: Customer
) -> None:
    message = outbound(ada, "hello", credential=await credential(ada, line))
    line.fail(Fault(do="close_before", path=REPLY))
    with pytest.raises(httpx2.TransportError):
        await connector.deliver(message)
    accepted = await connector.deliver(again(message))
    assert (accepted.route, accepted.verified, len(accepted.parts)) == ("reply", True, 1)
    assert len(said_by_us(ada)) == 1


async def test_a_lost_reply_whose_token_is_over_by_now_is_not_taken_for_sent(
    connector: Connector, line: Simulator, ada: Customer, clock: HandClock
) -> None:
    message = outbound(ada, "hello", credential=await credential(ada, line))
    line.fail(Fault(do="close_before", path=REPLY))
    with pytest.raises(httpx2.TransportError):
        await connector.deliver(message)
    clock.move(61)
    with pytest.raises(Undeliverable) as refusal:
        await connector.deliver(again(message))
    assert (refusal.value.code, refusal.value.whose) == ("outcome_unknown", "platform")
    assert line.requests(PUSH) == []


async def test_a_broken_reply_is_uncertain_and_a_broken_push_is_not(
    connector: Connector, line: Simulator, ada: Customer
) -> None:
    token = await credential(ada, line)
    line.fail(Fault(do="answer", status=500, times=2))
    await warmed(connector, line, ada)
    with pytest.raises(Uncertain):
        await connector.deliver(outbound(ada, "hello", credential=token))
    with pytest.raises(TryLater):
        await connector.deliver(outbound(ada, "hello"))


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_doubt_stays_until_line_says_yes_or_no(
    connector: Connector, line: Simulator, ada: Customer, status: int
) -> None:
    message = again(outbound(ada, "hello", credential=await credential(ada, line)))
    await warmed(connector, line, ada)
    line.fail(Fault(do="answer", path=REPLY, status=status, body='{"message":"The API rate limit has been exceeded."}'))
    with pytest.raises(Uncertain):
        await connector.deliver(message)


async def test_doubt_stays_when_no_access_token_can_be_had(
    connector: Connector, line: Simulator, ada: Customer
) -> None:
    message = outbound(ada, "hello", credential=await credential(ada, line))
    line.fail(Fault(do="close_before", path="/oauth2/*", times=2))
    with pytest.raises(TryLater) as first:
        await connector.deliver(message)
    assert first.value.code == "no_token"
    with pytest.raises(Uncertain):
        await connector.deliver(again(message))


async def test_doubt_stays_when_the_account_is_locked_out(build: Build, line: Simulator, ada: Customer) -> None:
    message = outbound(ada, "hello", credential=await credential(ada, line))
    with pytest.raises(SignInNeeded):
        await build(access_token="wrong").deliver(message)
    with pytest.raises(Uncertain):
        await build(access_token="wrong").deliver(again(message))


async def test_a_limited_reply_keeps_its_token(connector: Connector, line: Simulator, ada: Customer) -> None:
    message = outbound(ada, "hello", credential=await credential(ada, line))
    await warmed(connector, line, ada)
    line.fail(Fault(do="answer", path=REPLY, status=429, body='{"message":"The API rate limit has been exceeded."}'))
    with pytest.raises(RateLimited):
        await connector.deliver(message)
    assert (await connector.deliver(message)).route == "reply"


async def test_the_push_after_a_dead_token_is_repeatable(
    connector: Connector, line: Simulator, ada: Customer, clock: HandClock
) -> None:
    message = outbound(ada, "hello", credential=await credential(ada, line))
    clock.move(61)
    line.fail(Fault(do="close_after", path=PUSH))
    with pytest.raises(TryLater):
        await connector.deliver(message)
    accepted = await connector.deliver(message)
    assert (accepted.route, accepted.verified, len(accepted.parts)) == ("push", True, 1)
    assert len(said_by_us(ada)) == 1


async def test_a_repeated_push_is_answered_as_the_first(connector: Connector, line: Simulator, ada: Customer) -> None:
    message = outbound(ada, "hello")
    line.fail(Fault(do="close_after", path=PUSH))
    with pytest.raises(httpx2.TransportError):
        await connector.deliver(message)
    accepted = await connector.deliver(again(message))
    assert [part.external_id for part in accepted.parts] == [said.id for said in ada.sees]
    assert accepted.evidence == line.world.keys[message.key].request_id
    assert accepted.cost is Cost.QUOTA
    assert (len(said_by_us(ada)), line.world.used) == (1, 1)


async def test_a_key_protects_for_a_day(connector: Connector, line: Simulator, ada: Customer, clock: HandClock) -> None:
    message = outbound(ada, "hello")
    await connector.deliver(message)
    clock.move(24 * 3600 - 1)
    await connector.deliver(again(message))
    assert len(said_by_us(ada)) == 1
    clock.move(2)
    await connector.deliver(again(message))
    assert len(said_by_us(ada)) == 2


async def test_under_lost_answers_nobody_reads_a_push_twice(
    connector: Connector, line: Simulator, ada: Customer
) -> None:
    line.fail(Fault(do="close_after", path=PUSH, times=30))
    await warmed(connector, line, ada)
    for number in range(100):
        message = outbound(ada, f"message {number}")
        while True:
            try:
                await connector.deliver(message)
                break
            except (httpx2.TransportError, DeliveryError):
                message = again(message)
    texts = [message["text"] for message in said_by_us(ada)]
    assert texts == [f"message {number}" for number in range(100)]


async def test_push_only_never_uses_a_token(build: Build, line: Simulator, ada: Customer) -> None:
    accepted = await build(reply_strategy="push_only").deliver(
        outbound(ada, "hello", credential=await credential(ada, line))
    )
    assert (accepted.route, accepted.credential_used) == ("push", False)
    assert line.requests(REPLY) == []


async def test_reply_only_never_costs(build: Build, line: Simulator, ada: Customer, clock: HandClock) -> None:
    connector = build(reply_strategy="reply_only")
    with pytest.raises(WindowClosed) as none_left:
        await connector.deliver(outbound(ada, "hello"))
    assert none_left.value.code == "no_reply_token"
    token = await credential(ada, line)
    assert (await connector.deliver(outbound(ada, "hello", credential=token))).route == "reply"
    with pytest.raises(WindowClosed) as used:
        await connector.deliver(outbound(ada, "hello", credential=token))
    assert used.value.code == "no_reply_token"
    assert line.requests(PUSH) == []


async def test_a_redelivered_token_lives_a_fresh_minute(
    connector: Connector, line: Simulator, ada: Customer, clock: HandClock
) -> None:
    token = await credential(ada, line)
    clock.move(600)
    await line.redeliver()
    clock.move(50)
    assert (await connector.deliver(outbound(ada, "hello", credential=token))).route == "reply"


def again(message: OutboundMessage) -> OutboundMessage:
    """Return a message as the outbox hands it over after an attempt without an answer."""
    return msgspec.structs.replace(message, attempt=message.attempt + 1, after_uncertain=True)


async def warmed(connector: Connector, line: Simulator, ada: Customer) -> None:
    """Have an access token, so that a fault meets the call it is meant for."""
    faults, line._faults = line._faults, []
    await connector.probe()
    line._faults = faults
