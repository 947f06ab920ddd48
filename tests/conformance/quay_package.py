"""The hosted sample as a package that somebody names on the command line."""

from __future__ import annotations

from tests.conformance.quay import SPEC
from trunkline.contract import ConnectorSpec, hookimpl


@hookimpl
def trunkline_connectors() -> list[ConnectorSpec]:
    return [SPEC]
