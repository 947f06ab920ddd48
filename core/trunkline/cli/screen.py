"""What commands print: tables for people, JSON for programs, one sentence when something failed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["complain", "progress", "say", "show", "show_json"]


def say(words: str) -> None:
    """Print words as they are."""
    print(words)


def complain(words: str) -> None:
    """Print one sentence to standard error, without secrets."""
    from trunkline.log import redact

    print(f"trunkline: {redact(words)}", file=sys.stderr)


def show_json(value: Any) -> None:
    """Print a value as indented JSON."""
    encoded = msgspec.json.encode(value, enc_hook=str)
    print(msgspec.json.format(encoded, indent=2).decode())


def show(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, as_json: bool, empty: str) -> None:
    """Print rows: as JSON, as a table with `columns` (key → title), or `empty` when there are none."""
    if as_json:
        show_json(rows)
    elif not rows:
        say(empty)
    else:
        _table(rows, columns)


def _table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in columns.values():
        table.add_column(title, overflow="fold")
    for row in rows:
        # As text: a name from a platform must not be read as markup.
        table.add_row(*(Text(_cell(row.get(key))) for key in columns))
    # Into a file or a pipe rows are whole lines, however narrow the screen that started it.
    Console(width=None if sys.stdout.isatty() else 400).print(table)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


@contextmanager
def progress(words: str, total: float | None = None) -> Iterator[Progress]:
    """Show a bar on standard error if that is a terminal; `bar.update(bar.task_ids[0], completed=…)`."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    shape = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*shape, console=console, transient=True, disable=not console.is_terminal) as bar:
        bar.add_task(words, total=total)
        yield bar
