"""Checks of access tokens that end: renewed once, for all."""

from __future__ import annotations

import asyncio

from trunkline.errors import DeliveryError
from trunkline.model import Text
from trunkline.testing.conformance.checks import Check, Topic, need
from trunkline.testing.conformance.stage import Stage
from trunkline.testing.faults import Fault

__all__ = ["TOKENS"]

_CROWD = 100


async def _expired(stage: Stage) -> tuple[str, str]:
    """Return a customer of an account whose token is refused from now on, and the path of messages.

    NotHere where tokens do not expire.
    """
    customer = stage.add_customer()
    _, path = await stage.warmed(customer)
    before = stage.services.tokens.renewals
    if not stage.simulator.expire_tokens():
        need(before == 0, "the connector fetches tokens, and the simulator has none that expire")
        raise stage.not_here("access tokens that expire")
    return customer, path


async def expired(stage: Stage) -> None:
    customer, _ = await _expired(stage)
    before, words = stage.services.tokens.renewals, stage.word()
    await stage.write(customer)
    ended = await stage.outcome(await stage.message(customer, Text(text=words)))
    need(stage.times_seen(customer, words) == 1, f"with a token that is over a message ended as {ended!r}")
    need(stage.services.tokens.renewals == before + 1, "one token that was over was not renewed once")


async def _all_at_once(stage: Stage, people: list[str]) -> list[object]:
    messages = [await stage.message(one, Text(text=f"to {one}")) for one in people]
    return list(await asyncio.gather(*(stage.outcome(one) for one in messages)))


async def crowd(stage: Stage) -> None:
    _, path = await _expired(stage)
    people = [stage.add_customer(f"Customer {number}") for number in range(_CROWD)]
    for one in people:
        # Not all in one second: the platform has its own rates.
        stage.clock.move(1)
        await stage.write(one)
    stage.simulator.expire_tokens()
    # Half of the refusals come when the new token is already there.
    stage.fail(path, "delay", seconds=0.1, times=_CROWD // 2)
    before = stage.services.tokens.renewals
    ended = await _all_at_once(stage, people)
    lost = [one for one in ended if isinstance(one, Exception)]
    need(not lost, f"of {_CROWD} messages {len(lost)} were lost with the token: {lost[:1]!r}")
    renewals = stage.services.tokens.renewals - before
    need(renewals == 1, f"{_CROWD} messages renewed one token {renewals} times")
    need(all(len(stage.seen(one)) == 1 for one in people), "somebody read a message twice, or never")


async def fresh(stage: Stage) -> None:
    people = [stage.add_customer(f"Customer {number}") for number in range(20)]
    ended = await _all_at_once(stage, people)
    need(not [one for one in ended if isinstance(one, Exception)], "the first messages of an account are lost")
    renewals = stage.services.tokens.renewals
    if not renewals and not stage.simulator.expire_tokens():
        raise stage.not_here("access tokens that expire")
    need(renewals == 1, f"the first messages of an account fetched {renewals} tokens")


async def by_time(stage: Stage) -> None:
    customer, _ = await _expired(stage)
    await stage.write(customer)
    await stage.say(customer, Text(text=stage.word()))
    for hours in (0.26, 1, 3, 24 * 40):
        stage.clock.move(hours * 3600)
        await stage.write(customer)
        words = stage.word()
        ended = await stage.outcome(await stage.message(customer, Text(text=words)))
        need(stage.times_seen(customer, words) == 1, f"{hours:g} hours later a message ended as {ended!r}")


async def token_refused(stage: Stage) -> None:
    customer, _ = await _expired(stage)
    message = await stage.message(customer)
    before = {entry.path for entry in stage.simulator.journal}
    secret = [path for path in before if path.startswith(stage.simulator.secret_paths)] if before else []
    need(secret, "no request fetched a token: name its path in Simulator.secret_paths")
    stage.simulator.fail(Fault(do="answer", path=secret[0], status=200, body="<html>", times=3))
    ended = await stage.outcome(message)
    need(isinstance(ended, DeliveryError), "without a token a message is said to be accepted")


TOKENS = Topic(
    "Access tokens",
    (
        Check("tokens.expired", expired, "A token that the platform refuses is renewed once, and the message is sent.",
              "They are revoked without a word."),
        Check("tokens.crowd", crowd, f"{_CROWD} messages at once with a token that is over renew it exactly once.",
              "Some platforms make the older token invalid with every new one: they would chase each other."),
        Check("tokens.fresh", fresh, "The first messages at once fetch exactly one token.",
              "A start must not look like an attack."),
        Check("tokens.by_time", by_time, "Hours and weeks later messages are still sent.",
              "Lives are counted by our clock, with something to spare."),
        Check("tokens.nonsense", token_refused, "A token that cannot be had is an error of our tree.",
              "The message has not left, and waits."),
    ),
)  # fmt: skip
