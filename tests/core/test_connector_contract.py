"""`trunkline connector contract`: the reference page is the source itself."""

from __future__ import annotations

from typer.testing import CliRunner, Result

import trunkline.contract
import trunkline.errors
import trunkline.model
from tests.house import ROOT
from trunkline.cli.commands import app
from trunkline.cli.connector_contract import entries, page
from trunkline.errors import StartRefused

PUBLIC = {*trunkline.contract.__all__, *trunkline.model.__all__, *trunkline.errors.__all__}
ENTRIES = entries()


def ask(*words: str) -> Result:
    return CliRunner().invoke(app, ["connector", "contract", *words])


def test_the_reference_page_is_the_one_that_the_command_prints() -> None:
    written = (ROOT / "docs" / "reference" / "contract.md").read_text(encoding="utf-8")
    assert written == page(), "trunkline connector contract > docs/reference/contract.md"
    assert ask().output == written


def test_every_public_name_has_an_entry_with_words() -> None:
    assert set(ENTRIES) == PUBLIC
    assert [name for name, text in ENTRIES.items() if not text.partition("\n```\n")[2].strip()] == []


def test_a_field_is_told_with_its_comment_its_type_and_its_default() -> None:
    assert "- `lasts_s: int | None = None`: Seconds from the act; None for no end." in ENTRIES["Window"]


def test_what_an_error_means_is_a_list() -> None:
    assert "Raises:\n\n- `TryLater`: it is not ready yet.\n- `Undeliverable`: it is gone." in ENTRIES["Connector"]


def test_one_entry_is_printed_alone_and_a_misspelt_name_is_answered_with_the_nearest() -> None:
    assert ask("Window").output.startswith("### Window\n")
    refused = ask("Windo")
    assert isinstance(refused.exception, StartRefused)
    assert "Near it: Window" in str(refused.exception)
