"""The widget keeps what it promises."""

from __future__ import annotations

from trunkline.testing.conformance import ConnectorConformance
from trunkline_web import SPEC


class TestConformance(ConnectorConformance):
    spec = SPEC
