"""A broken hosted connector as a package that somebody names on the command line."""

from __future__ import annotations

from tests.conformance.mutants.hosted import HOSTED
from trunkline.contract import ConnectorSpec, hookimpl

SPEC = next(mutant for mutant in HOSTED if mutant.check == "hosted.embed").subject.spec


@hookimpl
def trunkline_connectors() -> list[ConnectorSpec]:
    return [SPEC]
