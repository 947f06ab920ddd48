"""`trunkline serve` and `trunkline demo`."""

from __future__ import annotations

import errno
import gc
from typing import TYPE_CHECKING, Annotated

import typer

from trunkline.cli.options import Config, Database, example, read_settings, run
from trunkline.cli.unsafe import find_unsafe
from trunkline.errors import StartRefused
from trunkline.log import get_logger

if TYPE_CHECKING:
    from trunkline.settings import Settings

__all__ = ["register"]

log = get_logger("main")

Listen = Annotated[str | None, typer.Option("--listen", metavar="HOST:PORT", help="Instead of server.listen.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=example("trunkline serve --config /etc/trunkline/trunkline.toml"))(serve)
    app.command(epilog=example("trunkline demo"))(demo)


def serve(config: Config = None, listen: Listen = None, database: Database = None) -> None:
    """Serve what trunkline.toml describes, until SIGTERM or Ctrl-C."""
    settings = read_settings(config, server__listen=listen, database__url=database)
    for finding in find_unsafe(settings):
        if finding.level == "warning":
            log.warning("config.unsafe", what=finding.words, fix=finding.fix)
    # Nothing that is loaded at the start is garbage, and searching it costs a twentieth of the start; on when ready.
    gc.disable()
    from trunkline.main import serve as serve_until_stopped

    try:
        run(serve_until_stopped(settings))
    except OSError as error:
        raise _refusal(error, settings) from error


def demo(listen: Listen = None) -> None:
    """Show Trunkline with a small invented company: simulated phones beside the inbox, offline."""
    from trunkline.demo import demo as run_demo

    try:
        run(run_demo(listen))
    except OSError as error:
        raise _refusal(error, None, listen or "127.0.0.1:8080") from error


def _refusal(error: OSError, settings: Settings | None, listen: str = "") -> StartRefused:
    """Say what to do about an address that cannot be opened."""
    listen = settings.server.listen if settings else listen
    if error.errno == errno.EADDRINUSE:
        return StartRefused(f"{listen} is in use: stop the program that has it, or choose another with --listen.")
    if error.errno == errno.EADDRNOTAVAIL:
        return StartRefused(f"This machine has no address {listen}: choose another with --listen.")
    if error.errno == errno.EACCES:
        return StartRefused(f"{listen} may not be opened: choose a port above 1023 with --listen.")
    return StartRefused(f"The system refused ({error.strerror or type(error).__name__}): {error.filename or listen}.")
