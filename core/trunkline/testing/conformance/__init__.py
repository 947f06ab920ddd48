"""The conformance suite: does a connector keep what it promises, and promise what it does?

In tests::

    from trunkline.testing.conformance import ConnectorConformance

    class TestConformance(ConnectorConformance):
        spec = SPEC

Without tests: `trunkline connector check PACKAGE`.
"""

from __future__ import annotations

from trunkline.testing.conformance.checks import Check, Outcome, State, Subject, Topic
from trunkline.testing.conformance.report import Report, page
from trunkline.testing.conformance.running import run_check
from trunkline.testing.conformance.suite import ConnectorConformance, examine
from trunkline.testing.conformance.table import CHECKS, TOPICS

__all__ = [
    "CHECKS",
    "TOPICS",
    "Check",
    "ConnectorConformance",
    "Outcome",
    "Report",
    "State",
    "Subject",
    "Topic",
    "examine",
    "page",
    "run_check",
]
