"""What must hold for a plugin's declaration before anybody relies on it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from trunkline.contract import CONTRACT_VERSION, ApplicationSpec, Capabilities, Channel, ConnectorSpec
from trunkline.errors import ContractError

__all__ = ["applications_in", "connectors_in"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PLACE = re.compile(r"/[a-z][a-z0-9-]{0,39}")


def connectors_in(answer: Any) -> Sequence[ConnectorSpec]:
    """Return the connectors of what a hook answered.

    Raises:
        ContractError: it is something else, or one of them declares what cannot be.
    """
    return _specs(answer, ConnectorSpec, _about_connector)


def applications_in(answer: Any) -> Sequence[ApplicationSpec]:
    """Return the applications of what a hook answered; raises as `connectors_in`."""
    return _specs(answer, ApplicationSpec, _about_application)


def _specs(answer: Any, kind: type[Any], complaints: Callable[[Any], Iterator[str]]) -> Sequence[Any]:
    if inspect.iscoroutine(answer):
        answer.close()
        raise ContractError("its hook is async def; a hook answers at once")
    if not isinstance(answer, list | tuple):
        raise ContractError(f"its hook returned {_kind(answer)} instead of a list of {kind.__name__}")
    for spec in answer:
        if not isinstance(spec, kind):
            raise ContractError(f"its hook returned {_kind(spec)} inside the list instead of a {kind.__name__}")
        for complaint in complaints(spec):
            raise ContractError(f"{kind.__name__} {getattr(spec, 'name', '?')!r}: {complaint}")
    return answer


def _kind(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"a value of type {type(value).__name__}"


# Structs do not check what they are given, so nothing about a spec is taken for granted: hence Any.


def _about_connector(spec: Any) -> Iterator[str]:
    yield from _about_any(spec)
    if not (isinstance(spec.config, type) and issubclass(spec.config, BaseModel)):
        yield "config must be a pydantic model class"
    elif spec.config.model_config.get("extra") != "forbid":
        yield 'its config must forbid unknown keys: model_config = ConfigDict(extra="forbid")'
    if not isinstance(spec.channels, tuple) or not spec.channels:
        yield "channels must be a tuple with at least one Channel"
        return
    for channel in spec.channels:
        yield from _about_channel(channel)
    yield from _about_pages(spec)
    codes = [channel.code for channel in spec.channels]
    if len(set(codes)) != len(codes):
        yield f"two of its channels have one code: {', '.join(codes)}"


def _about_channel(channel: Any) -> Iterator[str]:
    if not isinstance(channel, Channel):
        yield f"channels holds {_kind(channel)} instead of a Channel"
        return
    if not _NAME.fullmatch(str(channel.code)):
        yield f"the channel code {channel.code!r} must be lower-case letters, digits and underscores"
    if not _titled(channel.title):
        yield f'the channel {channel.code} needs a title in English: title={{"en": …}}'
    declared: Any = channel.capabilities
    if not isinstance(declared, Capabilities):
        yield f"the channel {channel.code} declares {_kind(declared)} instead of Capabilities"


def _about_pages(spec: Any) -> Iterator[str]:
    if spec.pages is None:
        return
    if not callable(spec.pages):
        yield "pages must be a function"
    if not _PLACE.fullmatch(str(spec.pages_at)):
        yield 'pages_at must say where its pages are, such as "/widget"'


def _about_application(spec: Any) -> Iterator[str]:
    yield from _about_any(spec)
    for name in ("routes", "client_routes"):
        if getattr(spec, name) is not None and not callable(getattr(spec, name)):
            yield f"{name} must be a function"


def _about_any(spec: Any) -> Iterator[str]:
    if spec.contract != CONTRACT_VERSION:
        yield f"it is written for contract {spec.contract}, this Trunkline speaks contract {CONTRACT_VERSION}"
    if not _NAME.fullmatch(str(spec.name)):
        yield "its name must be lower-case letters, digits and underscores"
    if not _titled(spec.title):
        yield 'it needs a title in English: title={"en": …}'
    if not callable(spec.build):
        yield "build must be a function"


def _titled(title: Any) -> bool:
    return isinstance(title, Mapping) and bool(str(title.get("en") or "").strip())
