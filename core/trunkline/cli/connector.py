"""`trunkline connector new|check`: for people who write a connector."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from trunkline.cli.options import AsJson, example
from trunkline.cli.screen import say
from trunkline.errors import StartRefused

__all__ = ["app"]

app = typer.Typer(
    help="Write a connector, and check one.", no_args_is_help=True, epilog=example("trunkline connector new acme")
)

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LONGEST = 30

Name = Annotated[str, typer.Argument(metavar="NAME", help="Small letters, digits and underscores: acme.")]
Folder = Annotated[
    Path | None,
    typer.Option("--folder", metavar="FOLDER", help="A new folder for it; trunkline-NAME here if not given."),
]

Package = Annotated[
    str, typer.Argument(metavar="PACKAGE", help="The package of the connector: trunkline_acme, or acme.")
]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write every outcome there, as JSON.")]
BadgeFile = Annotated[Path | None, typer.Option("--badge", metavar="FILE", help="Write a badge there, as SVG.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the reference page.")]
Entry = Annotated[str, typer.Argument(metavar="NAME", help="One name of it, such as Window; all if not given.")]
Whole = Annotated[bool, typer.Option("--all", help="List every check, not only those that failed.")]


@app.callback()
def _group() -> None:
    """Write a connector, and check one."""


@app.command(epilog=example("trunkline connector new acme", "trunkline connector new acme --folder connectors/acme"))
def new(name: Name, folder: Folder = None) -> None:
    """Write the package of a new connector: it loads and passes its suite, and says what is still to be filled in."""
    from trunkline.cli.skeleton import todos_in, write

    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        words = f"small letters, digits and single underscores, {_LONGEST} at most, as in acme or acme_chat"
        raise StartRefused(f"{name[:60]!r} is no name for a connector: {words}.")
    target = folder or Path(f"trunkline-{name.replace('_', '-')}")
    if target.exists():
        raise StartRefused(f"{target} is there already: name a new folder with --folder.")
    try:
        written = write(name, target)
    except OSError as error:
        raise StartRefused(f"{target} cannot be written: {error.strerror}.") from error
    say(f"{target}/\n" + "\n".join(f"  {path}" for path in written))
    todos = todos_in(target)
    say(f"\nIt loads, and passes its suite. Still to be filled in ({len(todos)} places, marked TODO):\n")
    say("\n".join(f"  {todo.path}:{todo.line}: {todo.words}" for todo in todos))
    say(f"\nNext:\n\n  cd {target}\n  pip install -e '.[dev]'\n  pytest")


@app.command(epilog=example("trunkline connector check acme", "trunkline connector check acme --badge acme.svg"))
def check(package: Package, json: JsonFile = None, badge: BadgeFile = None, whole: Whole = False) -> None:
    """Run the conformance suite: does a connector keep what it promises, and promise what it does?"""
    import sys

    from trunkline.cli.options import run
    from trunkline.log import configure
    from trunkline.testing.conformance.finding import specs_of
    from trunkline.testing.conformance.suite import examine

    configure(level="CRITICAL")
    sys.path.insert(0, "")
    reports = [run(examine(spec)) for spec in specs_of(package)]
    say("\n".join(report.text(whole=whole) for report in reports))
    for report in reports[:1]:
        if json is not None:
            json.write_bytes(report.json())
        if badge is not None:
            badge.write_text(report.badge(), encoding="utf-8")
    if not all(report.is_conformant for report in reports):
        raise typer.Exit(1)


@app.command(epilog=example("trunkline connector checks", "trunkline connector checks --markdown"))
def checks(markdown: Markdown = False, as_json: AsJson = False) -> None:
    """List every check of the conformance suite: what must hold, and why."""
    from trunkline.cli.screen import show
    from trunkline.testing.conformance.report import page
    from trunkline.testing.conformance.table import CHECKS

    if markdown:
        say(page().removesuffix("\n"))
        return
    rows = [{"check": one.id, "sentence": one.sentence, "reason": one.reason} for one in CHECKS.values()]
    columns = {"check": "Check", "sentence": "What must hold", "reason": "Why"}
    show(rows, columns, as_json=as_json, empty="There are no checks.")


@app.command(epilog=example("trunkline connector contract", "trunkline connector contract Window"))
def contract(name: Entry = "") -> None:
    """Print the reference of the contract: what a connector is given, promises and gives back. As Markdown."""
    from difflib import get_close_matches

    from trunkline.cli.connector_contract import entries, page

    if not name:
        say(page().removesuffix("\n"))
        return
    found = entries()
    if name not in found:
        near = get_close_matches(name, found, n=3, cutoff=0.4)
        raise StartRefused(f"The contract has no {name[:60]!r}. Near it: {', '.join(near) or 'nothing'}.")
    say(found[name])
