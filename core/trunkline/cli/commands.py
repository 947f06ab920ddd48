"""The list of commands. Those of applications stand beside ours and are loaded when asked for."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from trunkline.cli import accounts, backup, connector, diagnosis, letters, plugins, replaying, search, serving
from trunkline.cli.options import example

__all__ = ["app"]


class Commands(TyperGroup):
    """Our commands, then those of applications."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List all names for --help."""
        return [*super().list_commands(ctx), *sorted(set(_foreign()) - set(self.commands))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; plugins are loaded only for a name that is not ours."""
        return super().get_command(ctx, cmd_name) or _foreign().get(cmd_name)


_loaded: dict[str, Any] | None = None


def _foreign() -> dict[str, Any]:
    """Return the commands of applications, by name. A broken one is left out: `doctor` tells about it."""
    global _loaded  # noqa: PLW0603 - one process runs one command, and asks several times for its name
    if _loaded is None:
        _loaded = plugins.application_commands()
    return _loaded


app = typer.Typer(
    cls=Commands,
    name="trunkline",
    help="Every place where customers write, one inbox where agents answer.",
    epilog=example("trunkline demo", "trunkline serve"),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"trunkline {version('trunkline')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Every place where customers write, one inbox where agents answer."""


for room in (serving, diagnosis, plugins, replaying, backup):
    room.register(app)
app.add_typer(accounts.app, name="account")
app.add_typer(connector.app, name="connector")
app.add_typer(letters.app, name="dead-letters")
app.add_typer(search.app, name="search")
