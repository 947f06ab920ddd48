"""Checks of reading: batches, copies, disorder, and that it is a function of the bytes alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from trunkline.contract import (
    ContactActed,
    Item,
    MessageReceived,
    ThreadItem,
    TrustedBody,
    Unknown,
    WebhookReply,
)
from trunkline.model import Text
from trunkline.testing.conformance.checks import Check, Topic, need
from trunkline.testing.conformance.door import normal
from trunkline.testing.conformance.samples import EMOJI, FAMILY, MARKED
from trunkline.testing.conformance.stage import Stage
from trunkline.testing.conformance.watch import pure
from trunkline.testing.phones import Action

__all__ = ["READING", "joined_or_not_here", "texts_in", "told"]

_DAY_MS = 86_400_000
_BATCH = 25


def told(items: Sequence[Item]) -> list[Any]:
    """Return what items say without their keys: kind, person, words."""
    return [
        (
            type(item).__name__,
            getattr(item, "thread_key", None),
            getattr(getattr(item, "contact", None), "external_id", None),
            getattr(item, "external_id", None),
            getattr(item, "content", None),
        )
        for item in items
    ]


def texts_in(items: Sequence[Item]) -> list[str]:
    """Return the texts that customers wrote."""
    said = (item.content for item in items if isinstance(item, MessageReceived))
    return [content.text for content in said if isinstance(content, Text)]


def joined_or_not_here(stage: Stage, bodies: Sequence[bytes]) -> TrustedBody:
    """Return one body of several events. NotHere where the platform sends them one by one."""
    body = stage.simulator.joined(bodies)
    if body is None:
        raise stage.not_here("batches")
    return TrustedBody(body)


def _keys(items: Sequence[Item]) -> list[str]:
    return [item.dedupe_key for item in items]


async def text(stage: Stage) -> None:
    customer, words = stage.add_customer(), stage.word("hello")
    items = await stage.write(customer, words)
    need(texts_in(items) == [words], f"the text {words!r} arrived as {texts_in(items)}")


async def batch(stage: Stage) -> None:
    customer = stage.add_customer()
    bodies = await stage.bodies(customer, *(stage.word() for _ in range(_BATCH)))
    apart = [item for body in bodies for item in stage.connector.parse(body)]
    together = stage.connector.parse(joined_or_not_here(stage, bodies))
    need(texts_in(together) == texts_in(apart), f"of {_BATCH} messages in one body {len(texts_in(together))} were read")
    need(set(_keys(apart)) <= set(_keys(together)) | set(), "in a batch events have other keys than alone")


async def batch_of_people(stage: Stage) -> None:
    people = [stage.add_customer(name) for name in ("Ada", "Bo", "Cy")]
    bodies = [(await stage.bodies(one, stage.word()))[0] for one in people]
    together = stage.connector.parse(joined_or_not_here(stage, bodies))
    threads = {item.thread_key for item in together if isinstance(item, MessageReceived)}
    need(len(threads) == len(people), f"three people in one body were taken for {len(threads)}")


async def same_keys(stage: Stage) -> None:
    (body,) = await stage.bodies(stage.add_customer(), stage.word())
    one, other = stage.connector.parse(body), stage.build().parse(body)
    need(_keys(one) == _keys(other), "another process gives the same event another dedupe_key")
    stage.clock.move(3600)
    need(_keys(stage.connector.parse(body)) == _keys(one), "an hour later the same event has another dedupe_key")


async def redelivered(stage: Stage) -> None:
    (body,) = await stage.bodies(stage.add_customer(), stage.word())
    first = _keys(stage.connector.parse(body))
    again = stage.connector.authenticate(normal(stage.simulator.webhook(bytes(body))))
    need(_keys(stage.connector.parse(again)) == first, "a redelivered event has another dedupe_key")


async def distinct(stage: Stage) -> None:
    customer, other = stage.add_customer("Ada"), stage.add_customer("Bo")
    for one in (customer, other):
        for words in ("yes", "yes", "no", "yes"):
            await stage.write(one, words)
    said = [item for item in stage.door.items if isinstance(item, MessageReceived)]
    need(len(said) == 8, f"eight texts arrived as {len(said)} messages")
    need(len({item.dedupe_key for item in said}) == 8, "different events share a dedupe_key")
    need(len({item.external_id for item in said}) == 8, "different messages share an external_id")


async def disorder(stage: Stage) -> None:
    customer = stage.add_customer()
    bodies = await stage.bodies(customer, *(stage.word() for _ in range(5)))
    in_order = [item for body in bodies for item in stage.connector.parse(body)]
    backwards = [item for body in reversed(bodies) for item in stage.connector.parse(body)]
    need(Counter(_keys(in_order)) == Counter(_keys(backwards)), "events have other keys in another order")
    if (mixed := stage.simulator.joined(bodies[::-1])) is not None:
        items = stage.connector.parse(TrustedBody(mixed))
        need(sorted(texts_in(items)) == sorted(texts_in(in_order)), "in another order a batch loses messages")


async def unknown_kind(stage: Stage) -> None:
    customer = stage.add_customer()
    await stage.write(customer)
    items = stage.connector.parse(TrustedBody(stage.simulator.strange(customer)))
    strange = [item for item in items if isinstance(item, Unknown)]
    need(strange, f"an event of a kind that does not exist became {[type(item).__name__ for item in items]}")
    need(strange[0].raw, "the Unknown does not hold the raw event")


async def unknown_in_batch(stage: Stage) -> None:
    customer, words = stage.add_customer(), stage.word()
    (body,) = await stage.bodies(customer, words)
    mixed = joined_or_not_here(stage, [stage.simulator.strange(customer), body])
    items = stage.connector.parse(mixed)
    need(texts_in(items) == [words], "beside an event of an unknown kind a message was lost")
    need(any(isinstance(item, Unknown) for item in items), "beside a message an event of an unknown kind was lost")


async def same_input(stage: Stage) -> None:
    customer = stage.add_customer()
    bodies = [*await stage.bodies(customer, stage.word()), TrustedBody(stage.simulator.strange(customer))]
    for body in bodies:
        first, again = stage.connector.parse(body), stage.connector.parse(body)
        need(list(first) == list(again), "the same bytes gave other items the second time")
        stage.clock.move(86_400)
        need(list(stage.connector.parse(body)) == list(first), "the same bytes gave other items a day later")
        need(list(stage.build().parse(body)) == list(first), "the same bytes gave other items in another process")


async def no_io(stage: Stage) -> None:
    customer = stage.add_customer()
    bodies = [*await stage.bodies(customer, stage.word()), TrustedBody(stage.simulator.strange(customer))]
    for body in bodies:
        stage.connector.parse(body)
        with pure("parse"):
            stage.connector.parse(body)


async def acknowledging(stage: Stage) -> None:
    items = await stage.write(stage.add_customer())
    stage.connector.acknowledge(items)
    with pure("acknowledge"):
        reply = stage.connector.acknowledge(items)
    need(200 <= reply.status < 300, f"what was stored is answered {reply}")
    need(isinstance(stage.connector.acknowledge([]), WebhookReply), "a request without items has no answer")


async def building(stage: Stage) -> None:
    spec, services = stage.subject.spec, stage.services
    spec.build(services)
    with pure("build"):
        spec.build(services)


async def complete(stage: Stage) -> None:
    customer = stage.add_customer()
    for action in [Action(kind="text", text=stage.word()), *stage.simulator.writes.values()]:
        if action.kind != "press":
            await stage.try_act(customer, action)
    for item in stage.door.items:
        what = f"{type(item).__name__} ({item.platform_kind})"
        need(item.dedupe_key, f"{what} has no dedupe_key")
        if isinstance(item, ThreadItem):
            need(item.thread_key and item.contact.external_id, f"{what} does not say whose it is")
        if isinstance(item, MessageReceived):
            need(item.external_id, f"{what} has no external_id")


async def times(stage: Stage) -> None:
    customer = stage.add_customer()
    first = await stage.write(customer)
    for item in first:
        near = abs(item.at_ms - stage.clock.now_ms()) < _DAY_MS
        need(item.at_ms == 0 or near, f"at_ms is {item.at_ms}: not milliseconds since the epoch")
    stage.clock.move(3600)
    later = await stage.write(customer)
    before, after = first[-1].at_ms, later[-1].at_ms
    need(after == 0 or after - before in range(3_590_000, 3_610_001), "an hour later at_ms is not an hour later")


async def named(stage: Stage) -> None:
    for item in await stage.write(stage.add_customer()):
        need(item.platform_kind, f"{type(item).__name__} does not say what the platform calls it: platform_kind")


async def storable(stage: Stage) -> None:
    customer = stage.add_customer()
    items = [*await stage.write(customer), *stage.connector.parse(TrustedBody(stage.simulator.strange(customer)))]
    for item in items:
        kept = msgspec.json.decode(msgspec.json.encode(item), type=type(item))
        need(kept == item, f"{type(item).__name__} comes back from JSON as another one")


async def written_signs(stage: Stage) -> None:
    customer = stage.add_customer()
    for words in (f"fox {EMOJI} family {FAMILY}", f"{MARKED} ﷽ שלום", "one\ntwo\n\nthree", "<b>&amp;</b> \\ \" '"):
        need(texts_in(await stage.write(customer, words)) == [words], f"{words!r} did not arrive as it was written")


async def who(stage: Stage) -> None:
    people = [stage.add_customer("Ada"), stage.add_customer("Bo")]
    for one in (*people, *people):
        await stage.write(one)
    talks = [stage.talks[one] for one in people]
    need(talks[0].thread_key != talks[1].thread_key, "two customers share a thread")
    mixed = {item.thread_key for item in stage.door.items if isinstance(item, ThreadItem)}
    need(len(mixed) == 2, f"two customers have {len(mixed)} threads")


async def credentials(stage: Stage) -> None:
    items = await stage.write(stage.add_customer())
    given = [item.reply for item in items if isinstance(item, ThreadItem) and item.reply is not None]
    claimed = stage.capabilities.sending.reply_credentials
    need(bool(given) == claimed, f"reply_credentials is {claimed}, and a message brought {len(given)}")
    for one in given:
        need(one.expires_at_ms > stage.clock.now_ms(), "a reply credential is over when it comes")


async def coming(stage: Stage) -> None:
    customer = stage.add_customer()
    await stage.write(customer)
    gone = await stage.try_act(customer, Action(kind="unfollow"))
    if gone is None:
        raise stage.not_here("following")
    acts = [item for item in gone if isinstance(item, ContactActed)]
    need(acts and acts[-1].reachable is False, "a customer who left is not told as unreachable")
    back = await stage.try_act(customer, Action(kind="follow")) or []
    acts = [item for item in back if isinstance(item, ContactActed)]
    need(acts and acts[-1].reachable is True, "a customer who came back is not told as reachable")


READING = Topic(
    "Reading",
    (
        Check("reading.text", text, "A text arrives as it was written.", "It is what the channel is for."),
        Check("reading.written_signs", written_signs,
              "Emoji, marks, Arabic, Hebrew, lines and markup arrive unchanged.",
              "They are where encodings are guessed and entities are forgotten."),
        Check("reading.people", who, "Each customer has a thread of their own, and only one.",
              "One's words in another's thread is the worst that an inbox can do."),
        Check("reading.batch", batch, f"All of {_BATCH} events of one request are read, in order.",
              "The first one only: that is the most common fault of connectors."),
        Check("reading.batch_of_people", batch_of_people, "Events of several people in one request stay apart.",
              "Who is in the first event is not who is in the second."),
        Check("reading.same_keys", same_keys, "The same event has the same key, in every process and at any time.",
              "Copies are found by it."),
        Check("reading.redelivered", redelivered, "A redelivered event has the key of the first.",
              "Platforms repeat what they think was not heard."),
        Check("reading.distinct", distinct, "Different events have different keys, equal words or not.",
              "A second “yes” is not a copy of the first."),
        Check("reading.disorder", disorder, "Events are read the same in any order.",
              "Platforms promise none."),
        Check("reading.unknown_kind", unknown_kind, "An event of an unknown kind becomes an Unknown with its raw form.",
              "Platforms add kinds; nothing may be lost until we know them."),
        Check("reading.unknown_in_batch", unknown_in_batch, "An event of an unknown kind spares its neighbours.",
              "One new kind must not stop a channel."),
        Check("reading.same_input", same_input, "The same bytes give equal items, now and in a replay next month.",
              "A replay repairs by comparing."),
        Check("reading.no_io", no_io, "Reading opens no file and no socket, and reads no clock.",
              "It runs before the platform has its answer, and again in every replay."),
        Check("reading.acknowledged", acknowledging, "What was stored is answered 2xx, without any I/O.",
              "Anything else is a redelivery."),
        Check("reading.build", building, "A connector is built without any I/O.",
              "A platform that is down must not stop the start."),
        Check("reading.complete", complete, "Every item says whose it is and has a key of its own.",
              "Each is stored, repeated and replayed alone."),
        Check("reading.times", times, "Times are milliseconds since the epoch, of the event itself.",
              "Seconds taken for milliseconds put a message into 1970, and its window with it."),
        Check("reading.named", named, "Every item says what the platform calls it.",
              "Logs and metrics count by that word."),
        Check("reading.storable", storable, "Every item survives being written as JSON.",
              "That is how it is stored."),
        Check("reading.credentials", credentials,
              "Reply credentials come exactly where they are claimed, and are good.",
              "The outbox plans by them, and they save money."),
        Check("reading.coming_and_going", coming, "Who leaves cannot be reached, who comes back can.",
              "Otherwise agents write to nobody."),
    ),
)  # fmt: skip
