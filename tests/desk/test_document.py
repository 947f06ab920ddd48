"""The document of the API: true, complete, the same each time, and what the inbox was made from."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from tests.desk.harness import Client, Running
from tests.house import ROOT
from trunkline_desk.api.openapi import document, text
from trunkline_desk.api.reference import render
from trunkline_desk.api.table import PREFIX, ROUTES


def test_the_inbox_was_generated_from_this_document() -> None:
    kept = (ROOT / "inbox" / "openapi.json").read_text(encoding="utf-8")
    words = "run `python -m trunkline_desk.api.openapi > inbox/openapi.json`, then `npm run generate` in inbox"
    assert kept == text(), words


def test_the_command_writes_the_same_bytes_in_another_process() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "trunkline_desk.api.openapi"], check=True, capture_output=True, text=True
    )
    assert made.stdout == text()


def test_every_route_stands_in_the_document_with_a_name_of_its_own() -> None:
    paths = document()["paths"]
    operations = [operation for methods in paths.values() for operation in methods.values()]
    assert len(operations) == len(ROUTES)
    assert len({operation["operationId"] for operation in operations}) == len(ROUTES)
    assert all(route.method.lower() in paths[PREFIX + route.path] for route in ROUTES)


def test_every_reference_leads_somewhere() -> None:
    made = document()
    names = {reference.rsplit("/", 1)[1] for reference in _references(made)}
    assert names <= set(made["components"]["schemas"])


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [one for item in value.values() for one in _references(item)]
    if isinstance(value, list):
        return [one for item in value for one in _references(item)]
    return []


def test_the_page_shows_names_as_code() -> None:
    assert "<code>next_cursor</code>" in render(document())
    assert "`" not in render(document())


def test_the_document_is_openapi_3_1() -> None:
    """As schemathesis reads it."""
    import schemathesis

    schema = schemathesis.openapi.from_dict(document())
    assert len(list(schema.get_all_operations())) == len(ROUTES)


async def test_the_document_and_its_page_are_served_to_everybody(desk: Running, nobody: Client) -> None:
    async with nobody.session.get(f"{desk.address}/api/openapi.json") as response:
        assert await response.text() == text()
    async with nobody.session.get(f"{desk.address}/api/docs") as response:
        page, policy = await response.text(), response.headers["Content-Security-Policy"]
    assert "Authorization: Bearer" in page
    assert "<script" not in page
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert all(route.operation in page for route in ROUTES)
