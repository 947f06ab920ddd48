"""Finding the connectors of a package that somebody names."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from trunkline.contract import ConnectorSpec
from trunkline.errors import ContractError, StartRefused
from trunkline.plugins.inspection import connectors_in

__all__ = ["specs_of"]


def specs_of(package: str) -> tuple[ConnectorSpec, ...]:
    """Return the connectors that a package brings; it need not be installed as a plugin.

    Raises:
        StartRefused: there is no such package, it cannot be imported, or it brings no connector.
    """
    module = _imported(package.replace("-", "_"))
    hook = getattr(module, "trunkline_connectors", None)
    if hook is None:
        words = (
            "has no trunkline_connectors: mark a function of that name with @hookimpl, and return your ConnectorSpec"
        )
        raise StartRefused(f"{package} {words}.")
    try:
        return tuple(connectors_in(hook()))
    except ContractError as error:
        raise StartRefused(f"{package}: {error}.") from error


def _imported(name: str) -> Any:
    tried = dict.fromkeys((name, f"trunkline_{name}"))
    for one in tried:
        try:
            return import_module(one)
        except ModuleNotFoundError as error:
            if error.name != one:
                raise StartRefused(f"{one} needs {error.name}, which is not installed.") from error
        except Exception as error:
            raise StartRefused(f"{one} cannot be imported: {type(error).__name__}: {error}.") from error
    raise StartRefused(f"There is no package {' or '.join(tried)} here: install it, or run this in its folder.")
