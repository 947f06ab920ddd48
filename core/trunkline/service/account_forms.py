"""The settings of an account as a form: its schema, its values without secrets, and what somebody filled in.

A secret goes one way. What is shown in its place, `{"set": true, "ref": …}`, may be sent back and means "as it was".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from trunkline.contract import ConnectorSpec
from trunkline.errors import TrunklineError
from trunkline.service.platform_http import may_reach
from trunkline.settings import secrets_of
from trunkline.toml_places import problems

__all__ = ["FormRefused", "read_form", "schema_of", "shown_settings"]

_MISSING: Any = object()
#: What marks an address in the schema of `contract.HttpAddress`.
_ADDRESS = "uri"


class FormRefused(TrunklineError):
    """Settings are wrong; `errors` are (path, words), without the refused values."""

    code = "invalid"

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        path, words = errors[0]
        super().__init__(f"{path}: {words}")
        self.errors = tuple(errors)


def schema_of(spec: ConnectorSpec) -> dict[str, Any]:
    """Return the JSON schema of a connector's settings; secrets are `writeOnly` with the format "password"."""
    return spec.config.model_json_schema()


def shown_settings(config: BaseModel, key: bytes) -> dict[str, Any]:
    """Return settings for people: every secret is replaced by the fact that there is one."""
    shown: dict[str, Any] = _shown(config.model_dump(mode="python"), key)
    return shown


def _shown(value: Any, key: bytes) -> Any:
    if isinstance(value, SecretStr):
        return {"set": True, "ref": _ref(value, key)}
    if isinstance(value, Mapping):
        return {str(name): _shown(item, key) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(item, key) for item in value]
    return value


def _ref(secret: SecretStr, key: bytes) -> str:
    """Return a name for a secret that tells nothing about it: which of several was meant to stay."""
    return hmac.new(key, secret.get_secret_value().encode(), hashlib.sha256).hexdigest()[:16]


# ---------------------------------------------------------------- reading


def read_form(
    spec: ConnectorSpec, given: Mapping[str, Any], stored: BaseModel | None, *, key: bytes, allow_hosts: Sequence[str]
) -> BaseModel:
    """Return the settings that somebody filled in; secrets that are left out stay as they are in `stored`.

    Raises:
        FormRefused: with every field that is wrong.
    """
    kept = {} if stored is None else stored.model_dump(mode="python")
    known = {} if stored is None else {_ref(secret, key): secret for _, secret in secrets_of(stored)}
    values = _filled(dict(given), kept, known)
    try:
        config = spec.config.model_validate(values)
    except ValidationError as error:
        raise FormRefused([(_path(place), words) for words, place in problems(error, spec.config)]) from None
    wrong = [*_blank(config), *_unreachable(spec, config, allow_hosts)]
    if wrong:
        raise FormRefused(wrong)
    return config


def _path(place: Sequence[str | int]) -> str:
    return ".".join(map(str, ("settings", *place)))


def _filled(given: Any, stored: Any, known: Mapping[str, SecretStr]) -> Any:
    """Return what was given, with stored secrets where it says so or leaves them out."""
    if _stays(given):
        return _kept(given, stored, known)
    if isinstance(given, dict):
        before = stored if isinstance(stored, Mapping) else {}
        filled = {name: _filled(item, before.get(name, _MISSING), known) for name, item in given.items()}
        left_out = {name: item for name, item in before.items() if name not in given and _is_secret(item)}
        return left_out | filled
    if isinstance(given, list):
        earlier = list(stored) if isinstance(stored, list | tuple) else []
        return [_filled(item, _counterpart(item, position, earlier), known) for position, item in enumerate(given)]
    return given


def _stays(value: Any) -> bool:
    return isinstance(value, dict) and value.get("set") is True and value.keys() <= {"set", "ref"}


def _kept(given: Any, stored: Any, known: Mapping[str, SecretStr]) -> Any:
    """Return the secret that stays: the one that is named, else the one that stood at this place."""
    named = known.get(str(given.get("ref")))
    if named is not None:
        return named
    # Left as it is: the model refuses it where it stands, which asks for the secret again.
    return stored if _is_secret(stored) else given


def _is_secret(value: Any) -> bool:
    several = isinstance(value, list | tuple) and bool(value)
    return isinstance(value, SecretStr) or (several and all(isinstance(item, SecretStr) for item in value))


def _counterpart(item: Any, position: int, before: Sequence[Any]) -> Any:
    """Return the stored element that a given one was: the one that is equal but for its secrets."""
    if not isinstance(item, dict) or _stays(item):
        return before[position] if position < len(before) else _MISSING
    return next((one for one in before if isinstance(one, Mapping) and _same_but_secrets(item, one)), _MISSING)


def _same_but_secrets(given: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    open_parts = {name: item for name, item in stored.items() if not _is_secret(item) and item is not None}
    told = {name: item for name, item in given.items() if item is not None and not _stays(item) and name in stored}
    secret = {name for name, item in stored.items() if _is_secret(item)}
    return {name: item for name, item in told.items() if name not in secret} == open_parts


def _blank(config: BaseModel) -> Iterator[tuple[str, str]]:
    """A blank secret proves nothing."""
    for place, secret in secrets_of(config):
        if not secret.get_secret_value().strip():
            yield _path(place), "is blank: copy it from the platform"


def _unreachable(spec: ConnectorSpec, config: BaseModel, allow_hosts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Addresses of platforms must be theirs; the client would refuse each request to another one."""
    schema = spec.config.model_json_schema()
    for place, value in _addresses(schema, schema, config.model_dump(mode="json"), ()):
        if not may_reach(value, spec.hosts, allow_hosts):
            yield _path(place), "is no host of this platform; if it is yours, add it to server.allow_hosts"


_Place = tuple[str | int, ...]


def _addresses(
    part: Mapping[str, Any], schema: Mapping[str, Any], value: Any, place: _Place
) -> Iterator[tuple[_Place, str]]:
    """Yield every address in settings, at any depth, with its place."""
    if "$ref" in part:
        part = schema["$defs"][part["$ref"].rsplit("/", 1)[1]]
    if isinstance(value, str) and part.get("format") == _ADDRESS:
        yield place, value
    for kind in part.get("anyOf", ()):
        yield from _addresses(kind, schema, value, place)
    for step, item, inner in _below(part, value):
        yield from _addresses(inner, schema, item, (*place, step))


def _below(part: Mapping[str, Any], value: Any) -> Iterator[tuple[str | int, Any, Mapping[str, Any]]]:
    """Yield what stands inside a value, with its step and its part of the schema."""
    found: Iterator[tuple[str | int, Any, Any]] = iter(())
    if isinstance(value, Mapping):
        named, others = part.get("properties", {}), part.get("additionalProperties")
        found = ((name, item, named.get(name, others)) for name, item in value.items())
    elif isinstance(value, list):
        found = ((position, item, part.get("items")) for position, item in enumerate(value))
    yield from (one for one in found if isinstance(one[2], Mapping))
