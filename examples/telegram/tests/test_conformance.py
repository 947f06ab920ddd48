"""The suite that Trunkline ships: the connector keeps what it promises, and promises what it does."""

from __future__ import annotations

from trunkline.testing.conformance import ConnectorConformance

from trunkline_telegram import SPEC


class TestConformance(ConnectorConformance):
    """Every check is a test of its own."""

    spec = SPEC
