"""The document of the visitor protocol: complete, true, and the same as the paper."""

from __future__ import annotations

import re

from tests.hosted.people import Place
from tests.house import ROOT
from trunkline.hosted import frames
from trunkline.hosted.changes import CHANGES
from trunkline.hosted.door import build_calls
from trunkline.hosted.openapi import document, text
from trunkline.hosted.refusals import CODES, FOR_APPLICATIONS

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
    assert said | frames | FOR_APPLICATIONS == set(CODES)


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
