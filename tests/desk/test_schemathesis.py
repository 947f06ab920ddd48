"""The document against the running desk: no server error, and no answer that the document does not name.

`make test` tries a tenth of a push run; TRUNKLINE_ROUNDS=push or long tries more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from unittest import SkipTest

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.conftest import Rounds
from tests.desk.harness import Client, Running
from trunkline_desk.api.openapi import document

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
TOO_LONG = b"Got more than 8190 bytes"
#: Ends the token that all the others need.
LEFT_OUT = {"sign_out"}


def strict_document() -> dict[str, Any]:
    """Return the document without "default", which would name every answer."""
    made = document()
    for methods in made["paths"].values():
        for operation in methods.values():
            del operation["responses"]["default"]
    return made


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_no_server_error_and_no_answer_that_the_document_does_not_name(
    desk: Running, ada: Client, bo: Client, nobody: Client, rounds: Rounds
) -> None:
    known = await _known(desk, ada)
    examples = rounds(push=40, long=2000)
    for client, share in ((ada, 1), (bo, 2), (nobody, 8)):
        await asyncio.to_thread(_attack, desk, client, known, max(1, examples // share), asyncio.get_running_loop())
    assert (await ada.call("GET", "/me")).status == 200


async def _known(desk: Running, ada: Client) -> dict[str, str]:
    """Return ids that lead somewhere, by the names of parameters."""
    thread = await desk.thread()
    page = await ada.get(f"/threads/{thread}/messages")
    canned = await ada.post("/canned-replies", {"shortcut": "hi", "title": "Hi", "text": "Hi!", "shared": True})
    note = await ada.post(f"/threads/{thread}/notes", {"text": "Hm"})
    kiosk = {"id": "kiosk", "connector": "wire", "settings": {"secret": "an-invented-secret"}}
    await ada.post("/accounts", kiosk)
    return {
        "thread_id": thread,
        "contact_id": (await ada.get(f"/threads/{thread}"))["contact"]["id"],
        "message_id": page["items"][0]["id"],
        "reply_id": canned["id"],
        "note_id": note["id"],
        "account_id": "kiosk",
    }


def _attack(
    desk: Running, client: Client, known: dict[str, str], examples: int, loop: asyncio.AbstractEventLoop
) -> None:
    """Try every operation, on a thread of its own: the generator is synchronous."""
    for result in schemathesis.openapi.from_dict(strict_document()).get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        if operation.definition.raw["operationId"] in LEFT_OUT:
            continue
        for mode, share in ((GenerationMode.POSITIVE, 1), (GenerationMode.NEGATIVE, 2)):
            try_one = _tries(operation.as_strategy(generation_mode=mode), known, max(1, examples // share))
            try_one(lambda case: _call(case, desk, client, loop))


def _tries(cases: Any, known: dict[str, str], examples: int) -> Callable[[Callable[[Any], None]], None]:
    """Return what gives a number of cases to a function; an id in every second one leads somewhere."""

    def run(try_one: Callable[[Any], None]) -> None:
        count = 0

        @given(case=cases)
        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        def once(case: Any) -> None:
            nonlocal count
            count += 1
            if count % 2 and case.path_parameters:
                case.path_parameters = {name: known.get(name, value) for name, value in case.path_parameters.items()}
            try_one(case)

        # Not every operation can be asked for wrongly.
        with suppress(SkipTest, Unsatisfiable):
            once()

    return run


def _call(case: Any, desk: Running, client: Client, loop: asyncio.AbstractEventLoop) -> None:
    _pass_time(desk, loop)
    response = case.call(base_url=desk.address, headers=client.headers)
    # What is too long for a line of HTTP never comes to our door.
    if TOO_LONG not in response.content[:40]:
        case.validate_response(response, checks=CHECKS)


def _pass_time(desk: Running, loop: asyncio.AbstractEventLoop) -> None:
    """Let a few seconds pass, so that nobody is refused for their haste."""

    async def passing() -> None:
        desk.clock.advance(seconds=5)

    asyncio.run_coroutine_threadsafe(passing(), loop).result()
