"""Where a key stands in a TOML file, and what to say when pydantic refuses it."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

__all__ = ["Place", "dotted", "line_of", "nearest", "problems"]

#: Keys and list positions from the root to a value.
Place = tuple[str | int, ...]

#: What a person wrote; pydantic also names its own machinery ("function-after[…]") on the way into a union.
_KEY = re.compile(r"[\w-]+")


def dotted(path: Place) -> str:
    """Write a path as people do: `accounts[0].settings.token`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean …?", or what there is to choose from."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; possible are {', '.join(names)}" if names else ""


# ---------------------------------------------------------------- lines


def line_of(text: str, path: Place) -> int | None:
    """Return the line of the longest part of `path` that the text holds; None when it holds nothing of it."""
    while path and not _holds(tomllib.loads(text), path):
        path = path[:-1]
    if not path:
        return None
    lines = text.splitlines()
    low, high = _statement(lines, path)
    word = re.compile(rf"(?<![\w-]){re.escape(str(path[-1]))}(?![\w-])")
    for number in range(low, high):
        if word.search(lines[number]):
            return number + 1
    return low + 1


def _statement(lines: list[str], path: Place) -> tuple[int, int]:
    """Return the first line and the line after the last of the statement that brings `path`."""
    low, high = 0, len(lines)
    while cut := _cut(lines, low, high):
        if _holds(tomllib.loads("\n".join(lines[:cut])), path):
            high = cut
        else:
            low = cut
    return low, high


def _cut(lines: list[str], low: int, high: int) -> int | None:
    """Return an end of a statement strictly between `low` and `high`, near the middle."""
    middle = (low + high) // 2
    for cut in chain(range(middle, low, -1), range(middle + 1, high)):
        try:
            tomllib.loads("\n".join(lines[:cut]))
        except tomllib.TOMLDecodeError:
            continue
        return cut
    return None


def _holds(tree: Any, path: Place) -> bool:
    for step in path:
        try:
            tree = tree[step]
        except (KeyError, IndexError, TypeError):
            return False
    return True


# ---------------------------------------------------------------- words


def problems(
    error: ValidationError, model: type[BaseModel], *, references: bool = False
) -> Iterator[tuple[str, Place]]:
    """Yield what is wrong, in words without the refused values, and where.

    `references` says that a text may also be written as a reference. What fits a pattern is told by the description of
    its field.
    """
    for entry in error.errors(include_input=False, include_url=False):
        path = tuple(entry["loc"])
        words = entry["msg"].removeprefix("Value error, ")
        if entry["type"] == "string_type" and references:
            words = 'must be a text, { env = "NAME" } or { file = "path" }'
        elif entry["type"] == "string_pattern_mismatch" and (said := _description(model, path)):
            words = f"must be {said}"
        if entry["type"] == "extra_forbidden":
            words = f'unknown key "{path[-1]}"{nearest(str(path[-1]), _keys_at(model, path[:-1]))}'
        elif entry["type"] == "missing":
            words = f'the key "{path[-1]}" is missing'
        elif names := [step for step in path if isinstance(step, str) and _KEY.fullmatch(step)]:
            words = f'"{names[-1]}": {words}'
        yield words, path


def _keys_at(model: type[BaseModel], path: Place) -> list[str]:
    """Return the keys that may stand at `path`."""
    return [field.alias or name for each in _models_at(model, path) for name, field in each.model_fields.items()]


def _description(model: type[BaseModel], path: Place) -> str | None:
    fields = (each.model_fields.get(str(path[-1])) for each in _models_at(model, path[:-1]))
    return next((field.description for field in fields if field is not None), None)


def _models_at(model: type[BaseModel], path: Place) -> list[type[BaseModel]]:
    models = [model]
    for step in path:
        fields = (each.model_fields[step] for each in models if isinstance(step, str) and step in each.model_fields)
        models = [inner for field in fields for inner in _models_in(field.annotation)] or models
    return models


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
