"""The document against the running house: no server error, and no answer that the document does not name.

`make test` tries a tenth of a push run; TRUNKLINE_ROUNDS=push or long tries more.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from unittest import SkipTest

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import just
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.conftest import Rounds
from tests.hosted.people import KEY, Place, Visitor
from trunkline.hosted.openapi import document

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
TOO_LONG = b"Got more than 8190 bytes"
#: Ends the token that all the others need.
LEFT_OUT = {"/client/v1/tokens/current"}


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_the_fuzzer_finds_no_server_error_and_no_undocumented_answer(booth: Place, rounds: Rounds) -> None:
    ana = await booth.visitor()
    known = await _known(ana)
    schema = schemathesis.openapi.from_dict(document(booth.front.calls))
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.path not in LEFT_OUT:
            await asyncio.to_thread(_probe, booth, ana, known, operation, rounds(push=120, long=2000))
    assert (await ana.call("GET", "/me")).status == 200


async def _known(ana: Visitor) -> dict[str, str]:
    """Return what leads somewhere, by the names of parameters."""
    said = await ana.say()
    upload = await ana.post("/uploads", {"name": "a.txt", "size": 1, "mime": "text/plain"})
    return {
        "thread_id": said["message"]["thread_id"],
        "device_id": "phone",
        "upload_id": upload["upload_id"],
        "cursor": (await ana.changes())["cursor"],
    }


def _probe(place: Place, ana: Visitor, known: dict[str, str], operation: Any, examples: int) -> None:
    """Try one call, on a thread of its own: the generator is synchronous."""
    headers = {**ana.headers, "X-Inbox-Key": KEY}
    for mode, most in ((GenerationMode.POSITIVE, examples), (GenerationMode.NEGATIVE, max(1, examples // 2))):
        turns = itertools.cycle((False, True))

        @given(case=operation.as_strategy(generation_mode=mode), turns=just(turns))
        @settings(
            max_examples=most,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def probe(case: Any, turns: Iterator[bool]) -> None:
            # A long poll that waits is nothing that a fuzzer should wait for.
            (case.query or {}).pop("wait", None)
            for told in (case.path_parameters, case.query) if next(turns) else ():
                (told or {}).update({name: known[name] for name in told or () if name in known})
            answer = case.call(base_url=place.address, headers=headers, timeout=30)
            # What is too long for a line of HTTP never comes to our door.
            if TOO_LONG not in answer.content[:40]:
                case.validate_response(answer, checks=CHECKS)

        # Not every call can be asked for wrongly.
        with suppress(SkipTest, Unsatisfiable):
            probe()
