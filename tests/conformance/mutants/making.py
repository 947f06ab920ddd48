"""Making a broken connector out of the well-behaved one: one thing is other than it should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from tests.conformance.bay import SPEC, BayConnector
from trunkline.contract import Channel, ConnectorSpec, ContentRule
from trunkline.model import ContentKind
from trunkline.testing.conformance import Subject

replaced = msgspec.structs.replace


class Mutant(NamedTuple):
    """A connector, and the check that must see what is wrong with it."""

    check: str
    subject: Subject
    what: str


def spec(check: str, what: str, *, of: ConnectorSpec = SPEC, channel: str = "bay", **changes: Any) -> Mutant:
    """Return a mutant whose declaration of itself is changed."""
    changed = replaced(of, **changes)
    return Mutant(check, Subject(changed, changed.channel(channel)), what)


def claims(check: str, what: str, *, channel: str = "bay", of: ConnectorSpec = SPEC, **changes: Any) -> Mutant:
    """Return a mutant that claims something else."""
    old = of.channel(channel)
    new = replaced(old, capabilities=replaced(old.capabilities, **changes))
    return Mutant(check, Subject(_with_channel(of, new), new), what)


def _with_channel(of: ConnectorSpec, new: Channel) -> ConnectorSpec:
    return replaced(of, channels=tuple(new if one.code == new.code else one for one in of.channels))


def sends(check: str, what: str, **rules: ContentRule) -> Mutant:
    """Return a mutant that claims other rules for what it sends."""
    old = SPEC.channel("bay").capabilities
    return claims(check, what, sends={**old.sends, **{ContentKind(kind): rule for kind, rule in rules.items()}})


def works(check: str, what: str, channel: str = "bay", **methods: Callable[..., Any]) -> Mutant:
    """Return a mutant one of whose methods does something else."""
    broken = type("Broken", (BayConnector,), methods)
    return spec(check, what, channel=channel, build=broken)


def by_names(mutants: Mapping[str, tuple[str, Mapping[str, Any]]], **more: Any) -> tuple[Mutant, ...]:
    """Return one mutant per check of a table: check → (what is wrong, methods)."""
    return tuple(works(check, what, **more, **methods) for check, (what, methods) in mutants.items())
