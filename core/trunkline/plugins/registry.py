"""The registry: every plugin that is installed, the ones that serve and the ones that cannot.

Entry points are loaded one by one, so that a broken one is reported while the rest serve. pluggy's own loader
lets the first error out and would take the house down with it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import pluggy

from trunkline.contract import ApplicationSpec, Channel, ConnectorSpec, hookspecs
from trunkline.errors import ContractError, StartRefused
from trunkline.log import get_logger, redact
from trunkline.plugins.inspection import applications_in, connectors_in

if TYPE_CHECKING:
    from trunkline.store import MigrationSet

__all__ = ["GROUP", "BrokenPlugin", "Plugin", "Registry", "load_registry"]

GROUP = "trunkline"

log = get_logger("plugins")


@dataclass(frozen=True)
class Plugin:
    """An installed plugin and what it brought."""

    name: str
    distribution: str
    version: str
    connectors: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    disabled: bool = False


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin that cannot serve."""

    name: str
    distribution: str
    version: str
    #: What is wrong, without the traceback.
    error: str
    #: What the deployer should do.
    advice: str


@dataclass(frozen=True)
class Registry:
    """What is installed."""

    connectors: Mapping[str, ConnectorSpec] = field(default_factory=dict)
    #: Channel code → its connector and itself.
    channels: Mapping[str, tuple[ConnectorSpec, Channel]] = field(default_factory=dict)
    applications: Mapping[str, ApplicationSpec] = field(default_factory=dict)
    plugins: tuple[Plugin, ...] = ()
    broken: tuple[BrokenPlugin, ...] = ()

    def migrations(self) -> tuple[MigrationSet, ...]:
        """Return the tables of every application.

        Raises:
            StartRefused: an application's own code fails; without its tables nothing may be started.
        """
        named = ((spec.name, spec.migrations) for spec in self.applications.values() if spec.migrations)
        return tuple(_migrations(name, reference) for name, reference in named)

    def broken_connector(self, name: str) -> BrokenPlugin | None:
        """Return the broken plugin that would have brought this connector, as far as its name tells."""
        wanted = {name, f"trunkline-{name}", f"trunkline_{name}"}
        return next((plugin for plugin in self.broken if wanted & {plugin.name, plugin.distribution}), None)


def load_registry(disabled: Collection[str] = ()) -> Registry:
    """Load every plugin that is not `disabled`, by entry point or distribution; never raises for one."""
    loading = _Loading()
    for point in sorted(entry_points(group=GROUP), key=lambda point: (_distribution(point), point.name)):
        off = point.name in disabled or _distribution(point) in disabled
        loading.take(point, disabled=off)
    return loading.registry()


class _Loading:
    """A registry in the making."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._connectors: dict[str, ConnectorSpec] = {}
        self._channels: dict[str, tuple[ConnectorSpec, Channel]] = {}
        self._applications: dict[str, ApplicationSpec] = {}
        self._plugins: list[Plugin] = []
        self._broken: list[BrokenPlugin] = []

    def take(self, point: EntryPoint, *, disabled: bool) -> None:
        """Load one entry point; its failure is its own."""
        if disabled:
            self._plugins.append(_plugin(point, disabled=True))
            return
        try:
            connectors, applications = self._load(point)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - isolation point: a plugin may fail in any way
            self._broken.append(_broken(point, error))
            return
        self._connectors |= {spec.name: spec for spec in connectors}
        self._channels |= {channel.code: (spec, channel) for spec in connectors for channel in spec.channels}
        self._applications |= {spec.name: spec for spec in applications}
        self._plugins.append(_plugin(point, connectors=connectors, applications=applications))

    def registry(self) -> Registry:
        return Registry(
            connectors=self._connectors,
            channels=self._channels,
            applications=self._applications,
            plugins=tuple(self._plugins),
            broken=tuple(self._broken),
        )

    def _load(self, point: EntryPoint) -> tuple[list[ConnectorSpec], list[ApplicationSpec]]:
        plugin, name = point.load(), f"{_distribution(point)}:{point.name}"
        others = self._manager.get_plugins()
        self._manager.register(plugin, name)
        try:
            self._manager.check_pending()
            connectors = [
                spec for answer in self._ask("trunkline_connectors", others) for spec in connectors_in(answer)
            ]
            applications = [
                spec for answer in self._ask("trunkline_applications", others) for spec in applications_in(answer)
            ]
            self._refuse_nothing(connectors, applications)
            self._refuse_doubles(connectors, applications)
        except BaseException:
            self._manager.unregister(plugin)
            raise
        return connectors, applications

    def _ask(self, hook: str, others: Collection[Any]) -> list[Any]:
        """Call a hook of the newest plugin alone."""
        caller = self._manager.subset_hook_caller(hook, others)
        answers: list[Any] = caller()
        return answers

    def _refuse_nothing(self, connectors: list[ConnectorSpec], applications: list[ApplicationSpec]) -> None:
        if not connectors and not applications:
            raise ContractError(
                "it brings neither a connector nor an application: is its hook named trunkline_connectors or "
                "trunkline_applications and marked with @hookimpl?"
            )

    def _refuse_doubles(self, connectors: list[ConnectorSpec], applications: list[ApplicationSpec]) -> None:
        taken = (
            ("connector", [spec.name for spec in connectors], self._connectors),
            ("channel", [channel.code for spec in connectors for channel in spec.channels], self._channels),
            ("application", [spec.name for spec in applications], self._applications),
        )
        for kind, names, known in taken:
            for name in names:
                if name in known or names.count(name) > 1:
                    raise ContractError(f"another plugin already brings the {kind} {name!r}")


def _migrations(name: str, reference: str) -> MigrationSet:
    # Imported here because listing plugins needs no database library, which takes half of a short command's time.
    from trunkline.store import MigrationSet  # noqa: PLC0415 - see above

    try:
        found = resolve_name(reference)()
    except Exception as error:
        words = f"The tables of the application {name} cannot be read: {_words(error)}."
        raise StartRefused(words) from error
    if not isinstance(found, MigrationSet):
        raise StartRefused(f"The application {name} names {reference} as its tables, which returns none.")
    return found


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "unknown"


def _version(point: EntryPoint) -> str:
    return point.dist.version if point.dist else "unknown"


def _plugin(
    point: EntryPoint,
    *,
    connectors: Sequence[ConnectorSpec] = (),
    applications: Sequence[ApplicationSpec] = (),
    disabled: bool = False,
) -> Plugin:
    return Plugin(
        name=point.name,
        distribution=_distribution(point),
        version=_version(point),
        connectors=tuple(spec.name for spec in connectors),
        applications=tuple(spec.name for spec in applications),
        disabled=disabled,
    )


def _broken(point: EntryPoint, error: BaseException) -> BrokenPlugin:
    words = _words(error)
    log.warning("plugin.broken", plugin=point.name, distribution=_distribution(point), error=words)
    return BrokenPlugin(
        name=point.name,
        distribution=_distribution(point),
        version=_version(point),
        error=words,
        advice=_advice(error, point),
    )


def _words(error: BaseException) -> str:
    """What went wrong, on one line."""
    text = " ".join(str(redact(str(error))).split())[:500]
    return text if isinstance(error, ContractError) else f"{type(error).__name__}: {text}".rstrip(": ")


def _advice(error: BaseException, point: EntryPoint) -> str:
    distribution, off = _distribution(point), f'or leave it out: [plugins] disabled = ["{point.name}"]'
    if isinstance(error, ModuleNotFoundError):
        return f"Install {distribution} again with what it needs ({error.name} is missing), {off}."
    if isinstance(error, ContractError) and "already brings" in str(error):
        return f"Uninstall one of the two, {off}."
    if isinstance(error, ContractError) and "written for contract" in str(error):
        return f"Install a version of {distribution} made for this Trunkline, {off}."
    return f"Tell the author of {distribution} {_version(point)}, {off}."
