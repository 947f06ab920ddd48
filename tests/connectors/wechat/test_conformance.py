"""All four surfaces keep what they promise, and promise what they do."""

from __future__ import annotations

from trunkline.testing.conformance import ConnectorConformance
from trunkline_wechat import SPEC


class TestConformance(ConnectorConformance):
    spec = SPEC
