"""The package that `trunkline connector new` writes: templates, filled with a name.

Every template ends in `.txt`, so that no tool takes it for code; `{{word}}` is replaced, in its path as well. What is
written loads, passes the conformance suite against its own simulator, and says with TODO what is still to be filled in.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

import msgspec

__all__ = ["Todo", "todos_in", "write"]

_BLANK = re.compile(r"\{\{(\w+)\}\}")
_TODO = re.compile(r"TODO: (.*)")
#: Templates that stand beside the package's own folder.
_OUTSIDE = {"pyproject.toml", "README.md", "LICENSE", ".gitignore", "tests"}
#: Templates whose file has another name.
_NAMES = {"gitignore": ".gitignore"}


class Todo(msgspec.Struct, frozen=True):
    """One place that is still to be filled in."""

    #: Relative to the folder, with slashes.
    path: str
    line: int
    words: str


def write(name: str, folder: Path) -> list[str]:
    """Write the package of a connector into a new folder and return the paths of its files, relative to it."""
    words, written = _words(name), []
    for path, text in _templates(files(__name__) / "package", PurePosixPath()):
        place = _place(_filled(str(path), words), words["package"])
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_filled(text, words), encoding="utf-8")
        written.append(place)
    (folder / words["package"] / "py.typed").touch()
    return sorted([*written, f"{words['package']}/py.typed"])


def todos_in(folder: Path) -> list[Todo]:
    """Return every place that is still to be filled in, in the order of a directory listing."""
    found = []
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if match := _TODO.search(line):
                found.append(Todo(path.relative_to(folder).as_posix(), number, match[1]))
    return found


def _words(name: str) -> dict[str, str]:
    """Return what the blanks stand for."""
    parts = [part.capitalize() for part in name.split("_") if part]
    return {
        "name": name,
        "NAME": name.upper(),
        "slug": name.replace("_", "-"),
        "Slug": "-".join(parts),
        "Name": "".join(parts),
        "title": " ".join(parts),
        "package": f"trunkline_{name}",
        "distribution": f"trunkline-{name.replace('_', '-')}",
        "vector": hmac.new(b"key", b"{}", hashlib.sha256).hexdigest(),
    }


def _templates(folder: Traversable, at: PurePosixPath) -> Iterator[tuple[PurePosixPath, str]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            yield from _templates(entry, at / entry.name)
        elif entry.name.endswith(".txt"):
            yield at / entry.name.removesuffix(".txt"), entry.read_text(encoding="utf-8")


def _place(path: str, package: str) -> str:
    path = _NAMES.get(path, path)
    return path if path.split("/")[0] in _OUTSIDE else f"{package}/{path}"


def _filled(text: str, words: dict[str, str]) -> str:
    return _BLANK.sub(lambda match: words[match[1]], text)
