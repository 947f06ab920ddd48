"""The papers: every link and every test in them exists, and every list in them is the one that the program has."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel
from typer.main import get_command

from tests.house import ROOT, kept_files, kept_text, place
from trunkline.cli.commands import app
from trunkline.service.metrics import _STATES, Metrics
from trunkline.settings import Settings, load_settings
from trunkline_desk.api.table import ROUTES

LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
TOML = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
ELSEWHERE = re.compile(r"[a-z][a-z+.-]*:", re.IGNORECASE)
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
#: Lower case only: NAME stands for a name.
NAMED_FILE = re.compile(r"`(tests/[a-z0-9_/]+(?:\.py|/))`")

PAPERS = [path for path in kept_files() if path.suffix == ".md"]
REFERENCE = ROOT / "docs" / "reference"

each_paper = pytest.mark.parametrize("paper", PAPERS, ids=place)


# ---------------------------------------------------------------- what papers point at


@each_paper
def test_every_link_in_the_papers_leads_somewhere(paper: Path) -> None:
    text = CODE.sub("", FENCE.sub("", kept_text(paper)))
    links = (link for link in LINK.findall(text) if not ELSEWHERE.match(link))
    broken = [link for link in links if not _leads_somewhere(paper, link)]
    assert not broken, f"{place(paper)} links to what is not there: {broken}"


def _leads_somewhere(paper: Path, link: str) -> bool:
    target_name, _, anchor = link.partition("#")
    start = ROOT if target_name.startswith("/") else paper.parent
    target = start / target_name.lstrip("/") if target_name else paper
    if not target.exists():
        return False
    return not anchor or target.suffix != ".md" or anchor in _anchors(target)


def _anchors(paper: Path) -> set[str]:
    """The anchors that GitHub makes of a paper's headings."""
    text = FENCE.sub("", kept_text(paper))
    headings = re.findall(r"^#+\s+(.+?)\s*#*$", text, re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@each_paper
def test_every_test_that_the_papers_name_exists(paper: Path) -> None:
    text = kept_text(paper)
    missing = [f"{file}::{name}" for file, name in NAMED_TEST.findall(text) if name not in _tests_in(file)]
    missing += [
        file for file in NAMED_FILE.findall(text) if not any((at / file).exists() for at in (ROOT, paper.parent))
    ]
    assert not missing, f"{place(paper)} names tests that are not there: {missing}"


@cache
def _tests_in(file: str) -> set[str]:
    if not (ROOT / file).is_file():
        return set()
    found = ast.walk(ast.parse(kept_text(ROOT / file)))
    return {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_decision_stands_in_the_index() -> None:
    index = kept_text(ROOT / "docs" / "README.md")
    missing = [path.name for path in (ROOT / "docs" / "adr").glob("*.md") if f"(adr/{path.name})" not in index]
    assert not missing, f"docs/README.md does not list {missing}"


# ---------------------------------------------------------------- lists


def _cells(paper: Path, heading: str, column: int = 0) -> list[str]:
    """What stands in backticks in one column of the table whose first row begins with `heading`."""
    cells: list[str] = []
    inside = False
    for line in kept_text(paper).splitlines():
        inside = line.startswith(f"| {heading} |") or (inside and line.startswith("|"))
        if inside:
            cells += re.findall(r"`([^`]+)`", line.split("|")[column + 1])
    return cells


def test_every_key_of_the_configuration_is_explained_with_its_default() -> None:
    paper = ROOT / "docs" / "how-to" / "serve.md"
    assert sorted(_cells(paper, "key")) == sorted(_keys(Settings))
    text = kept_text(paper)
    wrong = [key for key, shown in _defaults() if f"| `{key}` | {shown} |" not in text]
    assert not wrong, f"{place(paper)} shows another default for {wrong}"


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = [kind for kind in (field.annotation, *get_args(field.annotation)) if _is_model(kind)]
        if inner:
            yield from _keys(inner[0], f"{prefix}{name}{'' if inner[0] is field.annotation else '[]'}.")
        else:
            yield f"{prefix}{name}"


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _defaults() -> Iterator[tuple[str, str]]:
    for section, values in Settings():
        if isinstance(values, BaseModel):
            yield from ((f"{section}.{name}", _shown(value)) for name, value in values)


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    text = {True: "true", False: "false", (): "[]"}.get(value) if isinstance(value, bool | tuple) else str(value)
    return f"`{text}`"


def test_every_command_stands_in_the_reference_with_an_example() -> None:
    paper = REFERENCE / "commands.md"
    commands = sorted(_commands(get_command(app)))
    assert sorted(_cells(paper, "command")) == commands
    text = kept_text(paper)
    bare = [name for name in commands if not re.search(rf"^\$ trunkline {name}\b", text, re.MULTILINE)]
    assert not bare, f"{place(paper)} has no example of {bare}"


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command of `trunkline --help`, those of groups too."""
    if not hasattr(command, "list_commands"):
        yield " ".join(path)
        return
    with click.Context(command) as context:
        for name in command.list_commands(context):
            yield from _commands(command.get_command(context, name), (*path, name))


def test_every_operation_of_the_api_stands_in_the_reference() -> None:
    text = kept_text(REFERENCE / "http.md")
    start = text.index("| operation | action | |")
    shown = text[start : text.index("\n\n", start)].splitlines()[2:]
    rows = [f"| `{route.method} {route.path}` | `{route.action.value}` | {route.summary} |" for route in ROUTES]
    assert shown == rows, "docs/reference/http.md must hold these rows:\n" + "\n".join(rows)


def test_every_event_that_the_inbox_knows_stands_in_the_reference() -> None:
    payloads = re.search(
        r"interface Payloads \{(.*?)^\}", kept_text(ROOT / "inbox/src/live/events.ts"), re.MULTILINE | re.DOTALL
    )
    assert payloads is not None
    known = set(re.findall(r"^  (\w+):", payloads[1], re.MULTILINE))
    assert known
    assert known <= set(_cells(REFERENCE / "http.md", "kind"))


def test_every_metric_stands_in_the_reference() -> None:
    families = text_string_to_metric_families(generate_latest(Metrics().registry).decode())
    kinds = {family.name: family.type for family in families if family.name.startswith("trunkline_")}
    # The format's `_created` companions are not ours.
    ours = {name for name in kinds if not name.endswith("_created")}
    assert set(_cells(REFERENCE / "metrics.md", "metric")) == ours
    text = kept_text(REFERENCE / "metrics.md")
    wrong = [name for name in ours if f"| `{name}` | {kinds[name]} |" not in text]
    assert not wrong, f"metrics.md has another kind for {wrong}"


def test_the_alerts_ask_for_what_is_measured() -> None:
    told = generate_latest(Metrics().registry).decode()
    known = {name for line in told.splitlines() if line.startswith("# HELP ") for name in line.split()[2:3]}
    alerts = kept_text(REFERENCE / "alerts.yml")
    asked = {name.removesuffix("_bucket") for name in re.findall(r"\btrunkline_\w+", alerts)}
    assert alerts.count("- alert: ") == alerts.count("expr: ") == 5
    assert asked <= known
    connected = re.search(r'state!~"([\w|]+)"', alerts)
    assert connected is not None
    assert set(connected[1].split("|")) < set(_STATES)


def test_every_event_of_the_log_that_the_reference_explains_is_written() -> None:
    told = {event for event in _cells(REFERENCE / "metrics.md", "event") if not event.startswith(".")}
    code = "\n".join(kept_text(path) for path in kept_files() if path.suffix == ".py" and "tests" not in path.parts)
    assert told
    assert [name for name in sorted(told) if f'"{name}"' not in code] == []


def test_every_metric_that_the_reference_explains_is_moved() -> None:
    code = [path for path in kept_files() if place(path).startswith(("core/trunkline/", "desk/trunkline_desk/"))]
    text = "\n".join(kept_text(path) for path in code if path.suffix == ".py")
    fields = re.findall(r"self\.(\w+) = self\._(?:counter|gauge|histogram)\(", text)
    assert fields
    # Once for the line that declares it.
    unmoved = [field for field in fields if len(re.findall(rf"\b(?:self|_?metrics)\.{field}\b", text)) < 2]
    assert not unmoved, f"declared and never moved: {unmoved}"


def test_every_library_that_ships_is_explained() -> None:
    paper = ROOT / "docs" / "adr" / "0018-dependencies.md"
    rows = re.findall(r"^\| (core|desk|line) \| ([\w-]+) \|", kept_text(paper), re.MULTILINE)
    assert set(rows) == set(_libraries())


def _libraries() -> Iterator[tuple[str, str]]:
    for folder in ("core", "desk", "connectors/line"):
        project = tomllib.loads(kept_text(ROOT / folder / "pyproject.toml"))["project"]
        extras = project.get("optional-dependencies", {}).values()
        for requirement in [*project["dependencies"], *(entry for extra in extras for entry in extra)]:
            name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()
            if name != "trunkline":
                yield folder.rsplit("/", 1)[-1], name


# ---------------------------------------------------------------- examples


@each_paper
def test_every_configuration_in_the_papers_is_read(paper: Path, tmp_path: Path) -> None:
    for number, text in enumerate(TOML.findall(kept_text(paper))):
        tomllib.loads(text)
        if "[server]" in text or "[[accounts]]" in text:
            file = tmp_path / f"{number}.toml"
            file.write_text(text, encoding="utf-8")
            assert load_settings(file).accounts
