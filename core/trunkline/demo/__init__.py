"""`trunkline demo`: simulated customers on a phone beside the inbox, offline, through the real connectors."""

from __future__ import annotations

from trunkline.demo.running import demo

__all__ = ["demo"]
