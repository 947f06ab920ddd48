"""Settings with other secrets in them: a stranger's, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

__all__ = ["foreign", "secret_names", "secret_values", "with_secret"]


def secret_names(model: type[BaseModel], settings: Mapping[str, Any]) -> list[str]:
    """Return the given settings that are secrets."""
    config = model.model_validate(dict(settings))
    return [name for name in settings if any(_secrets(getattr(config, name)))]


def secret_values(config: BaseModel) -> list[str]:
    """Return every secret of checked settings, in the open."""
    return [secret.get_secret_value() for _, value in config for secret in _secrets(value)]


def _secrets(value: Any) -> Iterator[SecretStr]:
    if isinstance(value, SecretStr):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _secrets(one)
    elif isinstance(value, BaseModel):
        for _, one in value:
            yield from _secrets(one)


def with_secret(model: type[BaseModel], settings: Mapping[str, Any], name: str, value: Any) -> dict[str, Any] | None:
    """Return settings with one other value, None where they are not taken."""
    changed = {**settings, name: value}
    try:
        model.model_validate(changed)
    except ValidationError:
        return None
    return changed


def foreign(model: type[BaseModel], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a stranger: every secret that has a form is another one of the same form."""
    strange = dict(settings)
    for name in secret_names(model, settings):
        tries = (changed for change in _CHANGES if (changed := _changed(strange[name], change)) != strange[name])
        found = (taken for value in tries if (taken := with_secret(model, strange, name, value)) is not None)
        strange = next(found, strange)
    return strange


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, list | tuple):
        return [_changed(one, change) for one in value]
    return change(value) if isinstance(value, str) else value


def _turned(text: str) -> str:
    """Return the text with each letter and digit moved on by one; its length and its kinds of characters stay."""
    return "".join(_NEXT.get(one, one) for one in text)


_ALPHABETS = ("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789")
_NEXT = {one: letters[(at + 1) % len(letters)] for letters in _ALPHABETS for at, one in enumerate(letters)}
#: Ways to another secret of the same form, in the order in which they are tried: hexadecimal stays so when reversed.
_CHANGES: tuple[Callable[[str], str], ...] = (
    lambda text: text[::-1],
    _turned,
    lambda text: _turned(text[:-1]) + text[-1:],
)
