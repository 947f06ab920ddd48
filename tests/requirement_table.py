"""A pytest plugin: which acceptance criterion is proved by which tests, and how they ended.

`pytest -m requirement --requirements` prints the table. A mark with an unknown id fails any run.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.terminal import TerminalReporter

#: source document -> how many criteria it has, counted from 01.
CRITERIA = {"000": 49, "001": 37, "002": 36, "003": 60, "004": 61}
KNOWN = [f"{source}-{number:02}" for source, count in CRITERIA.items() for number in range(1, count + 1)]

#: From bad to good: a test that failed in any phase failed.
_ORDER = ["failed", "skipped", "passed"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--requirements", action="store_true", help="print the table: requirement, its tests, their outcome"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Table(show=bool(config.getoption("--requirements"))), "requirement-table")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Properties travel with the report, also from the workers of pytest-xdist.
    for item in items:
        item.user_properties.extend(("requirement", named) for named in _ids(item))


def _ids(item: pytest.Item) -> Iterator[str]:
    for mark in item.iter_markers("requirement"):
        yield from (str(named) for named in mark.args)


class Table:
    """Collects the outcomes of one run."""

    def __init__(self, *, show: bool) -> None:
        self.show = show
        #: requirement -> test -> its worst outcome
        self.rows: dict[str, dict[str, str]] = defaultdict(dict)

    @property
    def unknown(self) -> list[str]:
        return sorted(set(self.rows) - set(KNOWN))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for kind, named in report.user_properties:
            if kind == "requirement":
                tests = self.rows[str(named)]
                before = tests.get(report.nodeid, "passed")
                tests[report.nodeid] = min(before, report.outcome, key=_ORDER.index)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.unknown:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        if self.show:
            terminalreporter.section("requirements")
            terminalreporter.write_line("\n".join(self.lines()))
        for named in self.unknown:
            tests = ", ".join(self.rows[named])
            terminalreporter.write_line(f"No such requirement: {named!r}, marked by {tests}", red=True)

    def lines(self) -> Iterator[str]:
        """The table, then per source document how far we are and what no test proves yet."""
        for named, tests in sorted(self.rows.items()):
            for first, (test, outcome) in enumerate(sorted(tests.items())):
                yield f"{'' if first else named:<8}{outcome:<9}{test}"
        yield ""
        for source, numbers in groupby(KNOWN, key=lambda named: named.split("-")[0]):
            yield self._progress(source, list(numbers))

    def _progress(self, source: str, numbers: list[str]) -> str:
        proved = [named for named in numbers if set(self.rows.get(named, {}).values()) == {"passed"}]
        open_ones = " ".join(named.split("-")[1] for named in numbers if named not in proved)
        return f"{source}: {len(proved)} of {len(numbers)} proved; open: {open_ones or 'none'}"
