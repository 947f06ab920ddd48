"""What the house rules look at: the files that are kept, and what Python files import and name."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: The folders whose code ships.
SHIPPED = ("core/trunkline/", "desk/trunkline_desk/", "connectors/")


@cache
def kept_files() -> list[Path]:
    """Every file that is tracked or would be: what .gitignore names is none of our business."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = sorted({ROOT / name for name in listed.split("\0") if name})
    return [path for path in paths if path.is_file()]


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def kept_text(path: Path) -> str:
    """The text of a file; nothing where it is none."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@dataclass(frozen=True)
class Source:
    """One Python file."""

    path: Path
    tree: ast.Module

    @property
    def place(self) -> str:
        return place(self.path)

    def at(self, node: ast.expr | ast.stmt) -> str:
        return f"{self.place}:{node.lineno}"

    def imports(self) -> Iterator[tuple[ast.stmt, str]]:
        """Every import as (statement, full dotted name); names from modules are spelled out."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                origin = self._origin(node)
                yield from ((node, f"{origin}.{alias.name}") for alias in node.names)

    def _origin(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.path.parent.parts[_package_start(self.path.parent) :]
        package = package[: len(package) - node.level + 1]
        return ".".join([*package, *([node.module] if node.module else [])])

    def names(self) -> Iterator[tuple[ast.expr, str]]:
        """Every name or attribute chain, imports resolved: `now` from `from x import y as now` is `x.y`."""
        known = self._aliases()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name | ast.Attribute):
                first, *rest = dotted(node).split(".")
                yield node, ".".join([known.get(first, first), *rest])

    def _aliases(self) -> dict[str, str]:
        known: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                known |= {alias.asname: alias.name for alias in node.names if alias.asname}
            elif isinstance(node, ast.ImportFrom):
                origin = self._origin(node)
                known |= {alias.asname or alias.name: f"{origin}.{alias.name}" for alias in node.names}
        return known

    def typing_only(self) -> set[ast.stmt]:
        """The statements under `if TYPE_CHECKING:`."""
        blocks = (node for node in ast.walk(self.tree) if isinstance(node, ast.If))
        typing = (block for block in blocks if dotted(block.test).endswith("TYPE_CHECKING"))
        return {inner for block in typing for node in block.body for inner in _statements(node)}


def sources(*folders: str) -> list[Source]:
    """The kept Python files below the folders, parsed."""
    chosen = (path for path in kept_files() if path.suffix == ".py" and place(path).startswith(folders))
    return [Source(path, _parsed(path)) for path in chosen]


def dotted(node: ast.expr) -> str:
    """`a.b.c` for a chain of names, `?.c` where it begins with something else, `` for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{dotted(value) or '?'}.{name}"
        case _:
            return ""


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _statements(node: ast.stmt) -> Iterator[ast.stmt]:
    return (inner for inner in ast.walk(node) if isinstance(inner, ast.stmt))


def _package_start(folder: Path) -> int:
    """How many parts of the folder's path stand before its outermost package."""
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return len(folder.parts)
