"""The reference page of the contract, made from its source: signatures, docstrings, and the `#:` above a field."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from importlib import import_module
from types import ModuleType

__all__ = ["entries", "page"]

_HEAD = """# The contract

Everything that a connector may import, by the module that it stands in; all of it comes from `trunkline.contract`,
`trunkline.model` and `trunkline.errors`. What a connector is: [`Connector`](#connector). How to write one:
[How to add a channel](../how-to/add-a-channel.md).

This page is written by `trunkline connector contract`; a test keeps it equal.
`trunkline connector contract Window` prints one entry."""

#: What is told of; of each the module that a reader wants first.
_PACKAGES = (
    ("trunkline.contract", "trunkline.contract.connector"),
    ("trunkline.model", "trunkline.model.content"),
    ("trunkline.errors", ""),
)
_SECTION = re.compile(r"^(Raises|Returns|Args):\n((?:    .*\n?|\n)+)", re.MULTILINE)
_ITEM = re.compile(r"^(\w+): ", re.MULTILINE)

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class _Source:
    """One module and its lines."""

    def __init__(self, module: ModuleType, public: Sequence[str]) -> None:
        text = inspect.getsource(module)
        self.name, self.words = module.__name__, inspect.getdoc(module) or ""
        self.lines, self.body = text.splitlines(), ast.parse(text).body
        self.public = public

    def entries(self) -> Iterator[tuple[str, str]]:
        """Yield every public name with its text, as they stand in the file."""
        for node in self.body:
            name = _name_of(node)
            if name in self.public:
                yield name, self._entry(node, name)

    def _entry(self, node: ast.stmt, name: str) -> str:
        if isinstance(node, ast.ClassDef):
            parts = [_code(_class_line(node)), _prose(ast.get_docstring(node)), self._fields(node), self._methods(node)]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            parts = [_code(_signature(node)), _prose(ast.get_docstring(node))]
        else:
            parts = [_code(ast.unparse(node)), self._above(node)]
        return "\n\n".join([f"### {name}", *filter(None, parts)])

    def _fields(self, node: ast.ClassDef) -> str:
        found = []
        for one in node.body:
            if isinstance(one, ast.AnnAssign | ast.Assign) and not _name_of(one).startswith("_"):
                words = self._above(one)
                found.append(f"- `{_field(one)}`{': ' if words else ''}{words}")
        return "\n".join(found)

    def _methods(self, node: ast.ClassDef) -> str:
        found = (one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
        shown = (f"{_code(_signature(one))}\n\n{_prose(ast.get_docstring(one))}" for one in found if _is_told(one.name))
        return "\n\n".join(one.rstrip() for one in shown)

    def _above(self, node: ast.stmt) -> str:
        """Return the `#:` comment that stands above a line, as one paragraph."""
        at, words = node.lineno - 2, list[str]()
        while at >= 0 and (line := self.lines[at].strip()).startswith("#:"):
            words.insert(0, line.removeprefix("#:").strip())
            at -= 1
        return " ".join(words)


def page() -> str:
    """Return the whole page, as Markdown."""
    parts = [_HEAD]
    for source in _sources():
        entries = [text for _, text in source.entries()]
        if entries:
            parts += [f"## `{source.name}`", _prose(source.words), *entries]
    return "\n\n".join(parts) + "\n"


def entries() -> dict[str, str]:
    """Return the entry of every name, in the order of the page."""
    return {name: text for source in _sources() for name, text in source.entries()}


def _sources() -> Iterator[_Source]:
    for package, first in _PACKAGES:
        module = import_module(package)
        imported = _imported(module)
        for name in sorted(imported, key=lambda one: (one != first, one)):
            yield _Source(import_module(name), imported[name])
        if not imported:
            yield _Source(module, module.__all__)


def _imported(module: ModuleType) -> dict[str, list[str]]:
    """Return which names a package's face takes from which of its modules."""
    found: dict[str, list[str]] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{module.__name__}."):
            found.setdefault(str(node.module), []).extend(one.name for one in node.names)
    return found


def _name_of(node: ast.stmt) -> str:
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return ""


def _is_told(name: str) -> bool:
    return name == "__init__" or not name.startswith("_")


def _class_line(node: ast.ClassDef) -> str:
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    return f"class {node.name}({bases})" if bases else f"class {node.name}"


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    marks = "".join(f"@{ast.unparse(one)}\n" for one in node.decorator_list)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    # Every parameter is annotated, and ast writes `a: int=1`.
    given = re.sub(r"(?<=[^\s=])=(?=[^=])", " = ", ast.unparse(node.args))
    return f"{marks}{kind} {node.name}({given}){returns}"


def _field(node: ast.AnnAssign | ast.Assign) -> str:
    if isinstance(node, ast.Assign):
        return ast.unparse(node)
    default = f" = {ast.unparse(node.value)}" if node.value else ""
    return f"{ast.unparse(node.target)}: {ast.unparse(node.annotation)}{default}"


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


def _prose(docstring: str | None) -> str:
    """Return a docstring as Markdown: its sections become lists, what follows `::` is shown as it is."""
    text = _SECTION.sub(_section, f"{docstring or ''}\n")
    before, mark, after = text.partition("\n::\n\n")
    if mark:
        drawn, _, rest = after.partition("\n\n")
        text = f"{before}\n```text\n{textwrap.dedent(drawn)}\n```\n\n{rest}"
    return text.strip()


def _section(found: re.Match[str]) -> str:
    items = _ITEM.sub(r"- `\1`: ", textwrap.dedent(found[2]).strip())
    return f"{found[1]}:\n\n{items}\n"
