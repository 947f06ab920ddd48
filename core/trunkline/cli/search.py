"""`trunkline search rebuild`: the index of the search, made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from trunkline.cli.options import AsJson, Config, Database, example, read_settings, registry_of, run, store_of
from trunkline.cli.screen import progress, say, show_json

if TYPE_CHECKING:
    from trunkline.settings import Settings

__all__ = ["app"]

app = typer.Typer(
    help="The search over messages and people: make its index anew.",
    no_args_is_help=True,
    epilog=example("trunkline search rebuild"),
)


@app.command(epilog=example("trunkline search rebuild"))
def rebuild(config: Config = None, database: Database = None, as_json: AsJson = False) -> None:
    """Index all messages and people again; on SQLite while nothing serves, on PostgreSQL at any time."""
    settings = read_settings(config, database__url=database)
    done = run(_rebuilt(settings))
    if as_json:
        show_json({"indexed": done})
    else:
        say(f"Indexed {done:,} messages and people.")


async def _rebuilt(settings: Settings) -> int:
    """Rebuild with a bar.

    Raises:
        StartRefused: the database is in use or cannot be opened.
    """
    from trunkline.clock import SystemClock
    from trunkline.service.search.rebuilding import rebuild as make_anew

    store = store_of(settings, registry_of(settings))
    await store.open()
    try:
        with progress("Indexing") as bar:

            def on_progress(done: int, total: int) -> None:
                bar.update(bar.task_ids[0], completed=done, total=total)

            return await make_anew(store, SystemClock(), on_progress)
    finally:
        await store.close()
