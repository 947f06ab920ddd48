"""`trunkline channels`, and the commands that applications bring."""

from __future__ import annotations

from contextlib import suppress
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.options import AsJson, Config, example, read_settings, registry_of
from trunkline.cli.screen import complain, say, show
from trunkline.errors import ConfigError

if TYPE_CHECKING:
    from trunkline.contract import Channel, ConnectorSpec
    from trunkline.plugins import Registry

__all__ = ["application_commands", "register"]

Markdown = Annotated[bool, typer.Option("--markdown", help="Print the page of all channels and what each carries.")]

_COLUMNS = {
    "channel": "Channel",
    "title": "Title",
    "connector": "Connector",
    "version": "Version",
    "receives": "Receives",
    "sends": "Sends",
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=example("trunkline channels", "trunkline channels --markdown"))(channels)


def channels(config: Config = None, as_json: AsJson = False, markdown: Markdown = False) -> None:
    """List the channels that the installed plugins bring."""
    registry = registry_of(read_settings(config))
    if markdown:
        from trunkline.testing.conformance.matrix import matrix

        say(matrix(channel for _, channel in registry.channels.values()).removesuffix("\n"))
        return
    rows = [_row(registry, spec, channel) for spec, channel in registry.channels.values()]
    show(rows, _COLUMNS, as_json=as_json, empty="No plugin brings a channel: install one and run this again.")
    for broken in () if as_json else registry.broken:
        complain(f"{broken.distribution} {broken.version} is left out: {broken.error}. {broken.advice}")


def _row(registry: Registry, spec: ConnectorSpec, channel: Channel) -> dict[str, Any]:
    plugin = next(plugin for plugin in registry.plugins if spec.name in plugin.connectors)
    return {
        "channel": channel.code,
        "title": channel.title["en"],
        "connector": spec.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "receives": sorted(str(kind) for kind in channel.capabilities.receives),
        "sends": sorted(str(kind) for kind in channel.capabilities.sends),
        "docs": spec.docs,
    }


def application_commands() -> dict[str, Any]:
    """Return every command of every application by name; a broken application has none.

    A Typer application with a name is one group; without a name its commands and groups stand beside ours.
    """
    from typer.main import get_group

    from trunkline.plugins import load_registry

    found: dict[str, Any] = {}
    for spec in load_registry(_disabled()).applications.values():
        try:
            brought = resolve_name(spec.commands) if spec.commands else None
            group = get_group(brought) if brought else None
        except Exception as error:  # noqa: BLE001 - isolation point: an application may fail in any way
            complain(f"The commands of the application {spec.name} cannot be loaded: {type(error).__name__}.")
            continue
        if brought is not None and group is not None:
            found |= {brought.info.name: group} if isinstance(brought.info.name, str) else group.commands
    return found


def _disabled() -> tuple[str, ...]:
    """Return what the configuration leaves out; a wrong configuration is the command's own business."""
    from trunkline.log import configure
    from trunkline.settings import load_settings

    configure(level="ERROR")
    with suppress(ConfigError):
        return load_settings().plugins.disabled
    return ()
