"""The pytest plugin: readable assertions in the suite, and its report after the tests.

`pytest --conformance-json FILE --conformance-badge FILE` writes what `trunkline connector check` writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

__all__ = ["pytest_addoption", "pytest_configure", "pytest_terminal_summary"]


def pytest_configure() -> None:
    """Let pytest explain the suite's own assertions."""
    import pytest  # noqa: PLC0415 - the core does without pytest

    pytest.register_assert_rewrite("trunkline.testing.conformance")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("trunkline")
    group.addoption("--conformance-json", metavar="FILE", help="Write every outcome of the conformance suite there.")
    group.addoption("--conformance-badge", metavar="FILE", help="Write the badge of the conformance suite there.")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how each connector did, and write what was asked for."""
    told = [value for report in _reports(terminalreporter) for name, value in report.user_properties if name == _KEY]
    if not told:
        return
    import msgspec  # noqa: PLC0415 - only where the suite ran

    from trunkline.testing.conformance import Outcome, Report  # noqa: PLC0415 - as above

    outcomes = [msgspec.json.decode(one, type=Outcome) for one in told]
    report = Report(connector=", ".join(dict.fromkeys(one.channel for one in outcomes)), outcomes=tuple(outcomes))
    terminalreporter.section("conformance", sep="-")
    terminalreporter.write_line(report.summary)
    if file := config.getoption("--conformance-json"):
        Path(file).write_bytes(report.json())
    if file := config.getoption("--conformance-badge"):
        Path(file).write_text(report.badge(), encoding="utf-8")


_KEY = "conformance"


def _reports(terminalreporter: Any) -> list[Any]:
    kinds = ("passed", "failed")
    return [one for kind in kinds for one in terminalreporter.getreports(kind) if getattr(one, "when", "") == "call"]
