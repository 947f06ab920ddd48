"""The suite for everybody's connectors."""

from __future__ import annotations

from trunkline.testing.conformance import ConnectorConformance
from trunkline_baidu import SPEC


class TestConformance(ConnectorConformance):
    spec = SPEC
