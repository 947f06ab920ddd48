"""How connectors and applications are found, kept apart and reported."""

from __future__ import annotations

from trunkline.plugins.registry import BrokenPlugin, Plugin, Registry, load_registry

__all__ = ["BrokenPlugin", "Plugin", "Registry", "load_registry"]
