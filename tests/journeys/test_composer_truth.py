"""The composer's truth on every channel: what the preview says of invented replies is what the platform is sent."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from tests.conftest import Rounds
from tests.journeys.composing import corners, replies
from tests.journeys.counter import Counter, Shown, counter_of
from tests.journeys.street import Street
from trunkline.model import ContentKind, Level
from trunkline.plugins import load_registry

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

Json = dict[str, Any]
CHANNELS = {code: channel.capabilities for code, (_, channel) in sorted(load_registry(()).channels.items())}
GONE = {"sent", "delivered", "read"}
#: Kind of a part → how a customer may see it; only with a loss that is told, how else.
KINDS = {
    "text": {"text"},
    "image": {"image"},
    "video": {"video"},
    "audio": {"audio"},
    "file": {"file"},
    "location": {"location"},
    "card": {"cards", "card", "text"},
    "carousel": {"cards", "carousel"},
    "link": {"cards", "text"},
    "contacts": {"text"},
    "template": {"cards", "text"},
}
LESS = {"audio": {"file"}, "video": {"cards"}}


# ---------------------------------------------------------------- what is compared


def words_of(part: Json) -> Iterator[str]:
    """Yield what of a part a customer must be able to read."""
    names = () if part.get("type") == "template" else ("title", "text", "url", "address", "name")
    yield from (part[name] for name in names if part.get(name))
    for within in ("cards", "buttons", "people"):
        for one in part.get(within, ()):
            yield from words_of(one)
    yield from part.get("phones", ())
    # Addresses of a template's head and buttons are seen when they are opened.
    yield from (str(one) for one in part.get("variables", {}).values() if "://" not in str(one))


def named(words: str) -> str:
    """Leave out what the address of a file is not told of before it is sent."""
    return re.sub(r"/media/[-\w]{32}/", "/media/…/", words)


def lost(part: Json, shown: Shown, *, is_less: bool) -> Iterator[str]:
    """Yield what a customer misses of a promised part; `is_less` where a loss was told."""
    if shown.kind not in KINDS[part["type"]] | (LESS.get(part["type"], set()) if is_less else set()):
        yield f"{part['type']} is shown as {shown.kind}"
    # A menu of WeCom shows the beginning of its words as a title once more.
    text = named(part.get("text") or "")
    if part["type"] == "text" and text != named(shown.text) and not (shown.choices and text in shown.text):
        yield f"{text[:80]!r} is shown as {shown.text[:80]!r}"
    if not (is_less and part["type"] in {"link", "location"}):
        yield from (f"{one[:60]!r} is not shown" for one in map(named, words_of(part)) if one not in named(shown.words))


def complaints(channel: str, promised: Sequence[Json], shown: Sequence[Shown]) -> Iterator[str]:
    """Yield how what the customer sees differs from what was promised."""
    parts = [(part, part is request["parts"][-1], request) for request in promised for part in request["parts"]]
    if len(parts) != len(shown):
        yield f"{[part['type'] for part, *_ in parts]} are shown as {[one.kind for one in shown]}"
        return
    for (part, is_last, request), one in zip(parts, shown, strict=True):
        is_less = CHANNELS[channel].rule(ContentKind(part["type"])).level is Level.PARTIAL
        yield from lost(part, one, is_less=is_less)
        wanted = [choice["title"] for choice in request["quick_replies"]] if is_last else []
        # The buttons of a card may look like quick replies.
        if wanted != list(one.choices) and (wanted or part["type"] not in {"card", "template"}):
            yield f"quick replies {wanted} under {part['type']} are shown as {list(one.choices)}"


async def compare(counter: Counter, body: Json) -> list[str]:
    """Preview a reply, send it, and return how what came of it differs."""
    await counter.arrive()
    body = await counter.with_files(body)
    preview, before = await counter.preview(body), await counter.window()
    answer = await counter.send(body)
    shown = await counter.shown()
    whole = {one["code"] for one in preview["refusals"] if one["field"] is not None or not preview["requests"]}
    if whole or answer.status != 202:
        return [] if answer.code in whole and not shown else [f"refused as {whole}, is {answer.code}; seen: {shown}"]
    going = [one for one in preview["requests"] if one["refusal"] is None]
    found = list(complaints(counter.channel, going, shown))
    if (made := counter.requests()) is not None and made != len(going):
        found.append(f"{len(going)} requests were told, {made} were made")
    states = [one["state"] in GONE for one in counter.deliveries]
    if sum(states) != len(states) and len(going) == len(preview["requests"]):
        found.append(f"not everything was sent: {[one['state'] for one in counter.deliveries]}")
    costs = {one["cost"] for one in counter.deliveries if one["state"] in GONE}
    if costs != {one["cost"] for one in going}:
        found.append(f"it cost {costs}")
    left = await counter.window()
    if before is not None and (preview["window"]["before"], preview["window"]["after"]) != (before, left or 0):
        found.append(f"the budget was {before} and is {left}; told: {preview['window']}")
    return found


@pytest.mark.parametrize("channel", CHANNELS)
async def test_the_preview_is_what_the_platform_is_sent(street: Street, channel: str, rounds: Rounds) -> None:
    counter, loop = counter_of(street, channel), asyncio.get_running_loop()
    count = rounds(push=80, long=500)

    @settings(
        max_examples=count, deadline=None, derandomize=count < 500, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip
    @given(body=replies(CHANNELS[channel], await counter.templates()))
    def agrees(body: Json) -> None:
        assert asyncio.run_coroutine_threadsafe(compare(counter, body), loop).result() == [], body

    for body in corners(CHANNELS[channel]):
        agrees = example(body=body)(agrees)
    await asyncio.to_thread(agrees)
