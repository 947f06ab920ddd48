"""Checks of what goes wrong on the way: limits, outages, lost answers. Nothing is lost, nothing is said twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import msgspec

from trunkline.contract import Accepted, EchoReceived, Idempotency, OutboundMessage, ReceiptReceived
from trunkline.errors import DeliveryError, RateLimited, SignInNeeded, TryLater, Uncertain
from trunkline.model import DeliveryState, Text
from trunkline.testing.conformance.checks import Check, Topic, need
from trunkline.testing.conformance.json_values import changed, json_of, paths_in
from trunkline.testing.conformance.stage import Stage
from trunkline.testing.conformance.strangers import foreign

__all__ = ["FAILURES", "NONSENSE"]

#: Answers that no platform should give: (status, body).
NONSENSE = (
    (200, "<html><body>Welcome to the hotel's network</body></html>"), (200, ""), (200, "null"), (200, "[]"),
    (200, '"ok"'), (200, "{}"), (200, '{"error": 5, "data": [], "result": null}'), (204, ""), (201, "{"),
)  # fmt: skip
_UNKNOWN = (
    (400, "{}"), (400, '{"error": {"code": 987654, "message": "new"}, "message": "new", "code": 987654}'),
    (400, "<html>"), (402, "[]"), (403, "null"), (404, '{"error": "gone"}'), (405, ""), (413, "too large"),
    (418, '{"message": ["tea"]}'), (422, '{"error": {"code": "x"}}'), (451, '{"details": "none"}'), (302, ""),
)  # fmt: skip


class _Way:
    """One way to a customer: answering with a fresh credential, or writing without one."""

    def __init__(self, customer: str, path: str, message: OutboundMessage, words: str) -> None:
        self.customer, self.path, self.message, self.words = customer, path, message, words

    def again(self, error: DeliveryError) -> OutboundMessage:
        """Return the next attempt as the core makes it."""
        return msgspec.structs.replace(self.message, attempt=2, after_uncertain=isinstance(error, Uncertain))


async def _ways(stage: Stage) -> AsyncIterator[_Way]:
    """Yield every way in which this channel sends; tokens are there already."""
    customer = stage.add_customer()
    answer, later = await stage.warmed(customer)
    if stage.capabilities.sending.reply_credentials:
        await stage.write(customer)
        words = stage.word()
        yield _Way(customer, answer, await stage.message(customer, Text(text=words)), words)
    await stage.write(customer)
    words = stage.word()
    message = await stage.message(customer, Text(text=words))
    if stage.capabilities.sending.reply_credentials:
        message = msgspec.structs.replace(message, credential=None)
    yield _Way(customer, later if message.credential is None else answer, message, words)


async def _failing(stage: Stage, way: _Way, do: Any, **more: Any) -> DeliveryError:
    """Let one attempt fail and return how it ended. Broken if it did not fail."""
    stage.fail(way.path, do, **more)
    ended = await stage.outcome(way.message)
    need(isinstance(ended, DeliveryError), f"after “{do} {more or ''}” the message is said to be accepted")
    assert isinstance(ended, DeliveryError)
    return ended


async def _once(stage: Stage, way: _Way, error: DeliveryError) -> None:
    """Send again and see that the customer reads it once."""
    ended = await stage.outcome(way.again(error))
    need(not isinstance(ended, DeliveryError), f"when all was well again it ended as {ended!r}")
    times = stage.times_seen(way.customer, way.words)
    need(times == 1, f"when it was sent again the customer read it {times} times")


async def limited_with_time(stage: Stage) -> None:
    async for way in _ways(stage):
        fault = msgspec.structs.replace(stage.simulator.limited(after_s=7), path=way.path)
        stage.simulator.fail(fault)
        ended = await stage.outcome(way.message)
        need(isinstance(ended, RateLimited), f"“too many requests, in 7 s” is {ended!r} and no RateLimited")
        told = fault.headers or "7" in fault.body
        after = ended.after_s if isinstance(ended, RateLimited) else None
        need(not told or after == 7, f"the platform wants 7 s, after_s is {after}")


async def limited_without_time(stage: Stage) -> None:
    async for way in _ways(stage):
        stage.simulator.fail(msgspec.structs.replace(stage.simulator.limited(after_s=None), path=way.path))
        ended = await stage.outcome(way.message)
        need(isinstance(ended, RateLimited), f"“too many requests” is {ended!r} and no RateLimited")
        after = ended.after_s if isinstance(ended, RateLimited) else None
        need(after is None or after > 0, f"after_s is {after}")
        await _once(stage, way, ended if isinstance(ended, DeliveryError) else TryLater())


async def odd_time(stage: Stage) -> None:
    for value in ("soon", "-5", "", "1e400", "Wed, 21 Oct 2026 07:28:00 GMT", "99999999999999999999"):
        async for way in _ways(stage):
            fault = stage.simulator.limited(after_s=None)
            stage.simulator.fail(msgspec.structs.replace(fault, path=way.path, headers={"Retry-After": value}))
            ended = await stage.outcome(way.message)
            need(isinstance(ended, RateLimited), f"with Retry-After: {value!r} it is {ended!r} and no RateLimited")


async def server_error(stage: Stage) -> None:
    key = stage.capabilities.sending.idempotency is Idempotency.KEY
    for status in (500, 502, 503):
        async for way in _ways(stage):
            error = await _failing(stage, way, "answer", status=status, body="oops", content_type="text/plain")
            need(isinstance(error, TryLater | Uncertain), f"{status} is {error!r}: it should be tried later")
            if key or isinstance(error, TryLater):
                await _once(stage, way, error)


async def refused(stage: Stage) -> None:
    customer = stage.add_customer()
    await stage.warmed(customer)
    await stage.write(customer)
    message = await stage.message(customer)
    # Without open connections: a request on one that was just closed has left.
    fresh = stage.build(tokens=stage.services.tokens)
    await stage.simulator.stop()
    ended = await stage.outcome(message, fresh)
    need(isinstance(ended, TryLater), f"nobody answers at the platform's address: {ended!r} and no TryLater")


async def lost_before(stage: Stage) -> None:
    async for way in _ways(stage):
        error = await _failing(stage, way, "close_before")
        need(isinstance(error, TryLater | Uncertain), f"a request without an answer is {error!r}")
        _keyed(stage, error)
        await _once(stage, way, error)


def _keyed(stage: Stage, error: DeliveryError) -> None:
    """What left without an answer may only be TryLater where a key protects its repetition."""
    key = stage.capabilities.sending.idempotency is Idempotency.KEY
    sure = not isinstance(error, TryLater) or key
    need(sure, "a request that left without an answer is TryLater, and no key keeps it from being said twice")


async def lost_after(stage: Stage) -> None:
    async for way in _ways(stage):
        await _reconciled(stage, way, await _failing(stage, way, "close_after"))


async def cut(stage: Stage) -> None:
    async for way in _ways(stage):
        await _reconciled(stage, way, await _failing(stage, way, "cut"))


async def _reconciled(stage: Stage, way: _Way, error: DeliveryError) -> None:
    """The customer has the message and we do not know: find out as is declared, and never say it twice."""
    need(isinstance(error, TryLater | Uncertain), f"an answer that was lost is {error!r}")
    _keyed(stage, error)
    need(stage.times_seen(way.customer, way.words) == 1, "the platform took a message that the customer does not see")
    match stage.capabilities.sending.idempotency:
        case Idempotency.KEY:
            await _once(stage, way, error)
        case Idempotency.CORRELATION:
            began = len(stage.door.items)
            await stage.simulator.tell(way.customer, DeliveryState.DELIVERED)
            await stage.pull(began)
            found = await stage.settled(lambda: way.message.delivery_id in _correlations(stage))
            need(found, "no receipt and no echo brings our delivery_id back: nothing is correlated")


def _correlations(stage: Stage) -> set[str | None]:
    return {item.correlation for item in stage.door.items if isinstance(item, ReceiptReceived | EchoReceived)}


async def silent(stage: Stage) -> None:
    async for way in _ways(stage):
        stage.fail(way.path, "delay", seconds=0.3)
        try:
            async with asyncio.timeout(0.1):
                await stage.connector.deliver(way.message)
        except TimeoutError:
            error: DeliveryError = Uncertain()
        else:
            raise AssertionError("an answer came before the platform gave one")
        if stage.capabilities.sending.idempotency is Idempotency.KEY:
            await stage.settled(partial(_reads, stage, way))
            await _once(stage, way, error)
        words = stage.word("after")
        await stage.say(way.customer, Text(text=words))
        need(stage.times_seen(way.customer, words) == 1, "after a time-out the connector sends nothing any more")


def _reads(stage: Stage, way: _Way) -> bool:
    return stage.times_seen(way.customer, way.words) > 0


async def slow(stage: Stage) -> None:
    async for way in _ways(stage):
        stage.fail(way.path, "drip", seconds=0.0005)
        ended = await stage.outcome(way.message)
        need(isinstance(ended, Accepted), f"an answer that came byte by byte ended as {ended!r}")
        need(stage.times_seen(way.customer, way.words) == 1, "an answer that came byte by byte lost the message")


async def nonsense(stage: Stage) -> None:
    for status, body in NONSENSE:
        async for way in _ways(stage):
            stage.fail(way.path, "answer", status=status, body=body, content_type="text/html")
            ended = await stage.outcome(way.message)
            final = isinstance(ended, SignInNeeded)
            need(not final, f"{status} {body[:30]!r} was taken for {ended!r}")


async def twisted(stage: Stage) -> None:
    async for way in _ways(stage):
        answers = [entry.answer for entry in stage.simulator.journal if entry.path == way.path and entry.answer]
        value = json_of(answers[-1].encode()) if answers else None
        for body in _twists(value):
            stage.fail(way.path, "answer", status=200, body=body)
            await stage.outcome(way.message)
            stage.simulator.forgive()


def _twists(value: Any) -> Iterator[str]:
    """Yield an answer with each of its values changed to another type."""
    others: tuple[Any, ...] = (None, 7, "x", [], {}, [{}])
    for path in paths_in(value):
        for other in others:
            yield json.dumps(changed(value, path, other))


async def unknown_code(stage: Stage) -> None:
    for status, body in _UNKNOWN:
        async for way in _ways(stage):
            error = await _failing(stage, way, "answer", status=status, body=body)
            need(str(error).strip(), f"{status} {body[:30]!r} became an error without words")


async def evidence(stage: Stage) -> None:
    async for way in _ways(stage):
        error = await _failing(stage, way, "answer", status=422, body='{"message": "no such thing"}')
        need(error.answer is not None and error.answer.status == 422, "a refusal does not keep what the platform said")


async def signed_out(stage: Stage) -> None:
    customer = stage.add_customer()
    message = await stage.message(customer)
    stranger = stage.build(foreign(stage.subject.spec.config, stage.simulator.settings()))
    ended = await stage.outcome(message, stranger)
    need(isinstance(ended, SignInNeeded), f"with keys that the platform refuses a message ends as {ended!r}")
    need(stage.seen(customer) == [], "a message was sent with keys that the platform refuses")


async def recovered(stage: Stage) -> None:
    async for way in _ways(stage):
        for do in ("close_before", "answer", "cut"):
            stage.fail(way.path, do, status=503)
            await stage.outcome(await stage.message(way.customer))
        await stage.write(way.customer)
        words = stage.word("later")
        ended = await stage.outcome(await stage.message(way.customer, Text(text=words)))
        need(stage.times_seen(way.customer, words) == 1, f"after an outage a message ends as {ended!r}")


FAILURES = Topic(
    "Failures",
    (
        Check("failures.limited_with_time", limited_with_time,
              "“Too many requests” with a time is RateLimited with it.",
              "Who comes back too soon is shut out for longer."),
        Check("failures.limited_without_time", limited_without_time,
              "“Too many requests” without a time is RateLimited.",
              "The message waits, and is sent once."),
        Check("failures.limited_odd_time", odd_time, "A Retry-After that is no number spoils nothing.",
              "It may be a date, and gateways write anything."),
        Check("failures.server_error", server_error, "A 5xx is tried later.", "The platform will be well again."),
        Check("failures.refused", refused, "A connection that is refused is tried later.",
              "Nothing left: it is safe to send again."),
        Check("failures.lost_before", lost_before,
              "A connection lost before the platform took it: the customer reads it once.",
              "We cannot tell it from one lost after."),
        Check("failures.lost_after", lost_after,
              "A connection lost after the platform took it: the customer reads it once.",
              "By the key or the correlation that is declared."),
        Check("failures.cut", cut, "An answer that is cut: the customer reads it once.",
              "The yes was under way."),
        Check("failures.silent", silent, "A time-out: the customer reads it once, and the next message is sent.",
              "The dispatcher gives up waiting; the connector must not be hurt by it."),
        Check("failures.slow", slow, "An answer that comes byte by byte is an answer.",
              "Slow is not broken."),
        Check("failures.nonsense", nonsense, "A yes in the wrong words is an error of our tree, or a yes.",
              "Hotel networks answer 200 to everything."),
        Check("failures.twisted", twisted, "A yes with a value of another type is an error of our tree, or a yes.",
              "What was a list is an object one day."),
        Check("failures.unknown_code", unknown_code, "A no that is in no table is an error of our tree, with words.",
              "Platforms add codes every month."),
        Check("failures.evidence", evidence, "A refusal keeps the platform's status and words.",
              "They are what its support asks for."),
        Check("failures.signed_out", signed_out, "Keys that the platform refuses are SignInNeeded.",
              "The account waits for an administrator; its messages are not lost."),
        Check("failures.recovered", recovered, "After an outage messages are sent again.",
              "A connector must not remember that it was ill."),
    ),
)  # fmt: skip
