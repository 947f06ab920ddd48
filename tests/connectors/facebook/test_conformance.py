"""Both channels keep what they promise, and promise what they do."""

from __future__ import annotations

from trunkline.testing.conformance import ConnectorConformance
from trunkline_facebook import SPEC


class TestConformance(ConnectorConformance):
    spec = SPEC
