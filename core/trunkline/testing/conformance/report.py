"""What an examination says: a table for people, JSON for programs, a badge for the README, the page of all checks."""

from __future__ import annotations

from typing import Any

import msgspec

from trunkline.testing.conformance.checks import Outcome, State
from trunkline.testing.conformance.table import TOPICS

__all__ = ["Report", "page"]

_MARKS = {State.PASSED: "✓", State.FAILED: "✗", State.NOT_HERE: "·"}
_GREEN, _RED = "#2e7d32", "#c62828"
_BADGE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" aria-label="{label}: {words}">
<title>{label}: {words}</title>
<clipPath id="r"><rect width="{whole}" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#444"/>\
<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">\
<text x="{at_left}" y="14">{label}</text><text x="{at_right}" y="14">{words}</text></g>
</svg>
"""
_LABEL = "conformance"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Every outcome of one connector."""

    connector: str
    outcomes: tuple[Outcome, ...]

    def of(self, state: State) -> list[Outcome]:
        """Return the outcomes that ended so."""
        return [one for one in self.outcomes if one.state is state]

    @property
    def is_conformant(self) -> bool:
        return not self.of(State.FAILED) and bool(self.of(State.PASSED))

    @property
    def summary(self) -> str:
        """One line."""
        passed, failed = len(self.of(State.PASSED)), len(self.of(State.FAILED))
        seconds = sum(one.seconds for one in self.outcomes)
        return (
            f"{self.connector}: {passed} of {passed + failed} checks passed, "
            f"{len(self.of(State.NOT_HERE))} are about what it does not claim ({seconds:.1f} s)."
        )

    def text(self, *, whole: bool = False) -> str:
        """Return a table: what failed, or with `whole` every check."""
        shown = self.outcomes if whole else self.of(State.FAILED)
        width = max((len(one.id) for one in shown), default=0)
        several = len({one.channel for one in self.outcomes}) > 1
        return "\n".join([*(_row(one, width, several=several) for one in shown), self.summary])

    def json(self) -> bytes:
        """Return everything, for programs."""
        passed, failed = len(self.of(State.PASSED)), len(self.of(State.FAILED))
        told: dict[str, Any] = {"connector": self.connector, "conformant": self.is_conformant}
        told |= {"passed": passed, "failed": failed, "not_here": len(self.of(State.NOT_HERE))}
        return msgspec.json.format(msgspec.json.encode({**told, "outcomes": self.outcomes}), indent=2) + b"\n"

    def badge(self) -> str:
        """Return a picture for the README, as SVG."""
        passed, failed = len(self.of(State.PASSED)), len(self.of(State.FAILED))
        words = f"{passed} of {passed + failed}" if failed else f"{passed} passed"
        left, right = (6 * len(text) + 14 for text in (_LABEL, words))
        return _BADGE.format(
            label=_LABEL,
            words=words,
            left=left,
            right=right,
            whole=left + right,
            at_left=left / 2,
            at_right=left + right / 2,
            colour=_GREEN if self.is_conformant else _RED,
        )


def _row(one: Outcome, width: int, *, several: bool) -> str:
    where = f"{one.channel} " if several else ""
    words = f"{one.sentence} {one.words}" if one.state is State.FAILED else one.words or one.sentence
    return f"{_MARKS[one.state]} {where}{one.id:<{width}}  {words}"


def page() -> str:
    """Return the reference page of all checks, as Markdown."""
    lines = [
        "# The conformance suite",
        "",
        "Every check that a connector has to pass. `trunkline connector check PACKAGE` runs them; in its own tests",
        "`class TestConformance(ConnectorConformance): spec = SPEC` does. This page is written by",
        "`trunkline connector checks --markdown`; a test keeps it equal.",
        "",
        f"There are {sum(len(topic.checks) for topic in TOPICS)}. What a channel neither claims nor has is left out;",
        "a claim that its check cannot see fails, and so does a skill that nobody claims.",
    ]
    for topic in TOPICS:
        lines += ["", f"## {topic.title}", "", "| check | what must hold | why |", "|---|---|---|"]
        lines += [f"| `{one.id}` | {one.sentence} | {one.reason} |" for one in topic.checks]
    return "\n".join(lines) + "\n"
