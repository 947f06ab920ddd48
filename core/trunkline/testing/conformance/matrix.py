"""The capability matrix: what every installed channel carries, as Markdown. Derived from declarations alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from trunkline.contract import Afterwards, Capabilities, Channel, ContentRule, Extra, Window
from trunkline.model import ContentKind, Level

__all__ = ["matrix"]

_MARKS = {Level.FULL: "✓", Level.PARTIAL: "◐", Level.FALLBACK: "→", Level.DROPPED: "–", Level.REJECTED: "–"}
_HEAD = """# What each channel carries

Written by `trunkline channels --markdown` from the declarations of the installed connectors; a test keeps it equal.
Every claim is proved by [the conformance suite](conformance.md).

✓ as it is · ◐ with a loss that the composer tells · → as something else · – not
"""


def matrix(channels: Iterable[Channel]) -> str:
    """Return the page for these channels."""
    ordered = sorted(channels, key=lambda one: one.code)
    parts = [
        ("Customers send", ContentKind, lambda one, kind: _level(one.receives.get(kind))),
        ("Agents send", ContentKind, lambda one, kind: _level(one.sends.get(kind))),
        ("Besides messages", Extra, lambda one, extra: "✓" if extra in one.extras else "–"),
    ]
    lines = [_HEAD]
    for title, keys, cell in parts:
        lines += [f"## {title}", "", *_table(ordered, [str(key) for key in keys], list(keys), cell), ""]
    facts = list(_FACTS)
    lines += ["## Limits and rules", "", *_table(ordered, facts, facts, lambda one, fact: _FACTS[str(fact)](one))]
    return "\n".join(lines) + "\n"


def _table(
    channels: Sequence[Channel],
    names: Sequence[str],
    keys: Sequence[object],
    cell: Callable[[Capabilities, object], str],
) -> list[str]:
    """Return a table with a row for each key that any channel has something for."""
    rows = [(name, [cell(one.capabilities, key) for one in channels]) for name, key in zip(names, keys, strict=True)]
    head = [f"| | {' | '.join(f'`{one.code}`' for one in channels)} |", f"|---|{'---|' * len(channels)}"]
    return [
        *head,
        *(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |" for name, cells in rows if set(cells) != {"–"}),
    ]


def _level(rule: ContentRule | None) -> str:
    if rule is None:
        return "–"
    return f"→ {rule.becomes}" if rule.level is Level.FALLBACK else _MARKS[rule.level]


def _text(one: Capabilities) -> str:
    limit = one.rule(ContentKind.TEXT).text
    return "–" if limit is None else f"{limit.max:,} {limit.unit}"


def _quick(one: Capabilities) -> str:
    limit = one.quick_replies
    return "–" if limit is None else f"{limit.max} of {limit.title_max} {limit.title_unit}"


def _window(one: Window) -> str:
    lasts = "no end" if one.lasts_s is None else _duration(one.lasts_s)
    budget = "" if one.budget is None else f", {one.budget} messages"
    after = "" if one.afterwards is Afterwards.NOTHING else f", then {one.afterwards}"
    return f"{one.name}: {lasts}{budget}{after}"


def _duration(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _receipts(one: Capabilities) -> str:
    told = {"delivered": one.receipts.delivered, "read": one.receipts.read, "late failure": one.receipts.late_failure}
    return ", ".join(name for name, there in told.items() if there) or "–"


def _submissions(one: Capabilities) -> str:
    how = one.submissions
    return f"{', '.join(how.modes)} by {', '.join(how.scopes)}" if how.modes else "–"


#: Fact → how it reads.
_FACTS: dict[str, Callable[[Capabilities], str]] = {
    "text": _text,
    "quick replies": _quick,
    "windows": lambda one: "<br>".join(map(_window, one.windows)) or "none",
    "receipts": _receipts,
    "a repeated send": lambda one: str(one.sending.idempotency),
    "cost": lambda one: str(one.sending.cost),
    "comes by": lambda one: str(one.receiving.transport),
    "submissions": _submissions,
}
