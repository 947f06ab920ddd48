"""JSON with one value of it changed, left out or looked at; a path is a tuple of names and places."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["changed", "json_of", "left_out", "paths_in", "value_at"]


def json_of(body: bytes) -> Any:
    """Return the JSON of a body, None if it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def paths_in(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value inside, outer ones first."""
    if at:
        yield at
    if isinstance(value, dict):
        for name, one in value.items():
            yield from paths_in(one, (*at, name))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from paths_in(one, (*at, index))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a copy with another value at a path."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


def left_out(value: Any, path: tuple[Any, ...]) -> Any:
    """Return a copy without what stands at a path."""
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = left_out(value[path[0]], path[1:])
    return copy


def value_at(value: Any, path: tuple[Any, ...]) -> Any:
    """Return what stands at a path."""
    for step in path:
        value = value[step]
    return value
