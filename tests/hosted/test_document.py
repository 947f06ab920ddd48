"""The document of the visitor protocol: complete, true, and the same as the paper."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.hosted.people import KEY, Place, message
from tests.house import ROOT
from trunkline.hosted import frames
from trunkline.hosted.changes import CHANGES
from trunkline.hosted.door import build_calls
from trunkline.hosted.openapi import document, text
from trunkline.hosted.refusals import CODES

PAPER = (ROOT / "docs" / "reference" / "client.md").read_text(encoding="utf-8")


def cells(heading: str, column: int = 0) -> list[str]:
    """What stands in backticks in one column of the table whose first row begins with `heading`."""
    found: list[str] = []
    inside = False
    for line in PAPER.splitlines():
        inside = line.startswith(f"| {heading} |") or (inside and line.startswith("|"))
        if inside:
            found += re.findall(r"`([^`]+)`", line.split("|")[column + 1])
    return found


async def test_the_document_is_served_and_is_openapi(booth: Place) -> None:
    import schemathesis

    async with booth.session.get(f"{booth.address}/client/v1/openapi.json") as answer:
        assert await answer.text() == text(booth.front.calls)
    schema = schemathesis.openapi.from_dict(document(booth.front.calls))
    assert len(list(schema.get_all_operations())) == len(list(booth.front.calls))


async def test_every_reference_leads_somewhere_and_every_refusal_is_in_the_table(booth: Place) -> None:
    made = document(booth.front.calls)
    references = set(re.findall(r"#/components/schemas/(\w+)", str(made)))
    assert references <= set(made["components"]["schemas"])
    said = {code for code in re.findall(r"`(\w+)`", str(made["paths"])) if code in CODES}
    frames = {"upgrade_required", "client_not_allowed"}
    assert said | frames == set(CODES)


async def test_every_call_stands_in_the_paper(booth: Place) -> None:
    calls = [f"{route.method} {route.path}" for route in build_calls(booth.house)]
    assert cells("call") == calls


def test_every_frame_and_change_and_code_stands_in_the_paper() -> None:
    assert set(cells("client says")) == {"hello", *frames.FRAMES}
    assert set(cells("code")) == set(CODES)
    shown = cells("event")
    assert shown == list(CHANGES)


def test_the_paper_has_the_status_of_every_code() -> None:
    wrong = [code for code, known in CODES.items() if f"| `{code}` | {known.status} |" not in PAPER]
    assert not wrong


@pytest.mark.slow
async def test_the_fuzzer_finds_no_server_error_and_no_undocumented_answer(booth: Place) -> None:
    """A few examples per call against the running house."""
    import asyncio

    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.checks import not_a_server_error
    from schemathesis.core.result import Ok
    from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

    ana = await booth.visitor()
    await ana.post("/threads/live/messages", message())
    headers = {"Authorization": f"Bearer {ana.token}", "X-Inbox-Key": KEY}
    schema = schemathesis.openapi.from_dict(document(booth.front.calls))
    schema.config.update(base_url=booth.address)
    checks = (not_a_server_error, status_code_conformance, response_schema_conformance)

    def run(operation: Any) -> None:
        @given(case=operation.as_strategy())
        @settings(
            max_examples=15,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def probe(case: Any) -> None:
            # A long poll that waits is nothing that a fuzzer should wait for.
            (case.query or {}).pop("wait", None)
            case.call_and_validate(headers=headers, checks=checks, timeout=30)

        probe()

    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.path.endswith("/tokens/current"):
            continue
        await asyncio.to_thread(run, operation)
