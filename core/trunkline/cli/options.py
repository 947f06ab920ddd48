"""Options that several commands share, and what they lead to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from trunkline.errors import StartRefused

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from trunkline.plugins import Registry
    from trunkline.settings import Settings
    from trunkline.store import Store

__all__ = [
    "AsJson",
    "Config",
    "Database",
    "example",
    "open_reader",
    "read_settings",
    "registry_of",
    "run",
    "store_of",
]

T = TypeVar("T")

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="The configuration file; trunkline.toml here if not given."),
]
Database = Annotated[
    str | None,
    typer.Option("--database", metavar="URL", help="sqlite:///FILE or postgresql://…, instead of the file's."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def example(*lines: str) -> str:
    """Return the end of a help page."""
    return "Example: " + "  or  ".join(lines)


def read_settings(config: Path | None, **overrides: Any) -> Settings:
    """Read the configuration and set logging up; overrides are `section__key`, None means not given."""
    from trunkline.log import configure
    from trunkline.settings import load_settings

    given: Mapping[str, Any] = {
        name.replace("__", "."): value for name, value in overrides.items() if value is not None
    }
    settings = load_settings(config, given)
    configure(level=settings.log.level, pretty={"auto": None, "text": True, "json": False}[settings.log.format])
    return settings


def registry_of(settings: Settings) -> Registry:
    """Load the plugins that the configuration allows."""
    from trunkline.plugins import load_registry

    return load_registry(settings.plugins.disabled)


def store_of(settings: Settings, registry: Registry) -> Store:
    """Return the store with every application's tables, not yet open."""
    from trunkline.store import Store

    return Store(settings.database.url, migrations=registry.migrations())


@asynccontextmanager
async def open_reader(store: Store) -> AsyncIterator[AsyncConnection]:
    """Borrow a read-only connection without the lock, so that commands may look while Trunkline serves.

    Raises:
        StartRefused: there is no database yet, or it cannot be reached.
    """
    from sqlalchemy.exc import DBAPIError

    path = getattr(store.backend, "path", None)
    if path is not None and not path.exists():
        raise StartRefused(f"There is no database {path} yet: it is made by `trunkline serve` or `trunkline migrate`.")
    readers = store.backend.readers()
    try:
        async with readers.connect() as connection:
            yield connection
    except DBAPIError as error:
        words = str(error.orig).strip().split("\n", 1)[0]
        raise StartRefused(f"The database cannot be read: {words}. Run `trunkline doctor`.") from error
    finally:
        await readers.dispose()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine, on uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)
