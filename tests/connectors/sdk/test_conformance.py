"""The channel keeps what it promises, and promises what it does."""

from __future__ import annotations

from trunkline.testing.conformance import ConnectorConformance
from trunkline_sdk import SPEC


class TestConformance(ConnectorConformance):
    spec = SPEC
