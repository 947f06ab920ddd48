"""What the suite tells: to people, to programs, in a badge, in the reference pages, and as a plugin of pytest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from tests.conformance import pier_package, quay
from tests.conformance.mutants.hosted import HOSTED
from tests.house import ROOT
from trunkline.cli.commands import app
from trunkline.plugins import load_registry
from trunkline.testing.conformance import CHECKS, Report, State, examine, page
from trunkline.testing.conformance.matrix import matrix

REFERENCE = ROOT / "docs" / "reference"


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["connector", *arguments])
    return result.exit_code, result.output


def test_the_page_of_checks_is_the_table_of_the_suite() -> None:
    written = (REFERENCE / "conformance.md").read_text(encoding="utf-8")
    assert written == page(), "trunkline connector checks --markdown > docs/reference/conformance.md"


def test_the_page_of_capabilities_is_what_the_connectors_declare() -> None:
    written = (REFERENCE / "capabilities.md").read_text(encoding="utf-8")
    declared = matrix(channel for _, channel in load_registry().channels.values())
    assert written == declared, "trunkline channels --markdown > docs/reference/capabilities.md"


def test_a_good_connector_ends_with_0_and_a_summary() -> None:
    code, words = _run("check", "tests.conformance.quay_package")
    assert (code, words.splitlines()[-1].split(" (")[0]) == (
        0,
        f"quay: {_passed()} of {_passed()} checks passed, 0 are about what it does not claim",
    )


def _passed() -> int:
    return sum(check.applies(HOSTED[0].subject) for check in CHECKS.values())


def test_a_broken_connector_ends_with_1_and_says_what_was_seen(tmp_path: Path) -> None:
    json, badge = tmp_path / "report.json", tmp_path / "badge.svg"
    arguments = ("check", "tests.conformance.pier_package", "--json", str(json), "--badge", str(badge))
    code, words = _run(*arguments)
    assert code == 1
    assert words.startswith("✗ hosted.embed")
    assert "embed names neither us nor the key" in words
    told = msgspec.json.decode(json.read_bytes())
    assert (told["connector"], told["conformant"], told["failed"]) == ("quay", False, 1)
    assert {one["id"] for one in told["outcomes"] if one["state"] == "failed"} == {"hosted.embed"}
    assert badge.read_text(encoding="utf-8").startswith("<svg ")


@pytest.mark.parametrize(
    ("package", "words"),
    [
        ("no_such_package", "There is no package no_such_package or trunkline_no_such_package here"),
        ("json", "json has no trunkline_connectors"),
    ],
)
def test_what_is_no_connector_is_told_in_one_sentence(package: str, words: str) -> None:
    result = CliRunner().invoke(app, ["connector", "check", package])
    assert result.exit_code == 1
    assert words in str(result.exception)


async def test_a_badge_is_green_only_when_all_is_kept() -> None:
    good, bad = await examine(quay.SPEC), await examine(pier_package.SPEC)
    assert ("#2e7d32" in good.badge(), "#c62828" in bad.badge()) == (True, True)
    assert f"{len(good.of(State.PASSED))} passed" in good.badge()
    assert Report(connector="none", outcomes=()).is_conformant is False


async def test_the_table_lists_what_failed_and_with_all_every_check() -> None:
    report = await examine(pier_package.SPEC)
    assert len(report.text().splitlines()) == len(report.of(State.FAILED)) + 1
    assert len(report.text(whole=True).splitlines()) == len(report.outcomes) + 1


def test_the_class_alone_is_a_whole_test_file(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "from tests.conformance.pier_package import SPEC\n"
        "from trunkline.testing.conformance import ConnectorConformance\n\n\n"
        "class TestConformance(ConnectorConformance):\n    spec = SPEC\n",
        encoding="utf-8",
    )
    json = tmp_path / "report.json"
    plain = ["-q", "-p", "no:cacheprovider", "--conformance-json", str(json), "--rootdir", str(tmp_path)]
    command = [sys.executable, "-m", "pytest", *plain, *_plugin(), str(tmp_path / "test_it.py")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert "hosted.embed" in done.stdout, done.stdout + done.stderr
    assert "1 failed" in done.stdout
    assert msgspec.json.decode(json.read_bytes())["failed"] == 1


def _plugin() -> list[str]:
    """Name the plugin where the installed core does not bring it by itself yet."""
    from importlib.metadata import entry_points

    known = {point.value for point in entry_points(group="pytest11")}
    return [] if "trunkline.testing.plugin" in known else ["-p", "trunkline.testing.plugin"]
