"""The suite as a pytest class, and as a function for those who have no tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from trunkline.contract import ConnectorSpec
from trunkline.testing.conformance.checks import Check, Outcome, State, Subject
from trunkline.testing.conformance.report import Report
from trunkline.testing.conformance.running import run_check
from trunkline.testing.conformance.table import CHECKS

__all__ = ["ConnectorConformance", "examine"]


async def examine(spec: ConnectorSpec, checks: Iterable[Check] | None = None) -> Report:
    """Run every check on every channel of a connector. Never raises for what the connector does."""
    chosen = tuple(CHECKS.values() if checks is None else checks)
    outcomes: list[Outcome] = []
    for channel in spec.channels:
        subject = Subject(spec, channel)
        outcomes += [await run_check(check, subject) for check in chosen if check.applies(subject)]
    return Report(connector=spec.name, outcomes=tuple(outcomes))


class ConnectorConformance:
    """Inherit it in a connector's tests, and nothing else.

    ::

        class TestConformance(ConnectorConformance):
            spec = SPEC

    Every check of every channel is a test of its own, and what the channel does not claim is left out.
    """

    spec: ClassVar[ConnectorSpec]

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Make one test of each check and channel."""
        if {"subject", "check"} <= set(metafunc.fixturenames):
            pairs = list(_pairs(metafunc.cls.spec))
            several = len(metafunc.cls.spec.channels) > 1
            names = [f"{one.channel.code}-{check.id}" if several else check.id for one, check in pairs]
            metafunc.parametrize(("subject", "check"), pairs, ids=names)

    def test_it_keeps(self, subject: Subject, check: Check, record_property: Any) -> None:
        """Hold what the check says; what is neither claimed nor there passes as such."""
        outcome = asyncio.run(run_check(check, subject))
        # As JSON: it has to pass from a worker of xdist to where the report is written.
        record_property("conformance", msgspec.json.encode(outcome).decode())
        assert outcome.state is not State.FAILED, f"{check.sentence} {outcome.words}"


def _pairs(spec: ConnectorSpec) -> Iterable[tuple[Subject, Check]]:
    for channel in spec.channels:
        subject = Subject(spec, channel)
        yield from ((subject, check) for check in CHECKS.values() if check.applies(subject))
