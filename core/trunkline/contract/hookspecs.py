"""The hooks of Trunkline. The first two are doors; behind them stand classes."""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from trunkline.contract.specs import ApplicationSpec, ConnectorSpec

__all__ = ["hookimpl", "trunkline_applications", "trunkline_connectors"]

hookspec = pluggy.HookspecMarker("trunkline")
#: Marks an implementation: `@hookimpl def trunkline_connectors(): ...`
hookimpl = pluggy.HookimplMarker("trunkline")


@hookspec
def trunkline_connectors() -> Sequence[ConnectorSpec]:
    """Return the connectors of this distribution. Must not do I/O."""
    raise NotImplementedError


@hookspec
def trunkline_applications() -> Sequence[ApplicationSpec]:
    """Return the applications of this distribution. Must not do I/O."""
    raise NotImplementedError
