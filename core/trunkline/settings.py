"""The one reader of the environment and of the configuration file.

A wrong configuration stops the start with one sentence that names the key, the file, the line and the
nearest right key.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    SecretStr,
    ValidationError,
)

from trunkline.errors import ConfigError
from trunkline.log import keep_secret, redact
from trunkline.toml_places import Place, dotted, line_of, problems

__all__ = [
    "AccountSettings",
    "Configurable",
    "Settings",
    "load_settings",
    "plain_secrets",
    "resolve_account",
    "secrets_of",
]

PREFIX, DEFAULT_FILE, _KEY_FILE, _MIB = "TRUNKLINE_", "trunkline.toml", "trunkline.key", 1024 * 1024
_URLS = '"sqlite:///FILE" or "postgresql://…"'


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # built once, inside the whole


def _split(value: Any) -> Any:
    """A list in an environment variable is written with commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _address(value: str | None) -> str | None:
    if value is not None:
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise ValueError('must be "host:port", such as "127.0.0.1:8080"')
    return value


def _off(value: Any) -> Any:
    return None if value in {"", "off", False} else value


Words = Annotated[tuple[str, ...], BeforeValidator(_split)]
Listen = Annotated[str, AfterValidator(_address)]
_WEB = Field(pattern=r"^https?://[^/\s]+", description='an address such as "https://desk.example.com"')
#: Without a slash at the end.
Url = Annotated[str | None, _WEB, AfterValidator(lambda url: url and url.rstrip("/"))]
Network = Annotated[ipaddress.IPv4Network | ipaddress.IPv6Network, PlainValidator(ipaddress.ip_network)]


class Server(_Section):
    """Where Trunkline is reached and whom it reaches."""

    listen: Listen = "127.0.0.1:8080"
    #: How the world reaches it; platforms fetch media from here.
    public_url: Url = None
    #: Another name of this server, under which visitors' files are served and nothing else.
    files_url: Url = None
    #: Hosts (or host:port) that connectors may speak to besides their platforms' own.
    allow_hosts: Words = ()
    #: Whose X-Forwarded-For and X-Request-Id are believed.
    trusted_proxies: Annotated[tuple[Network, ...], BeforeValidator(_split)] = ()
    #: Metrics and health on an address of their own; "off" for none.
    metrics_listen: Annotated[Listen | None, BeforeValidator(_off)] = "127.0.0.1:9464"


class Database(_Section):
    """Where everything is kept."""

    url: str = Field(default="sqlite:///trunkline.db", pattern=r"^(sqlite:///.|postgres(ql)?://)", description=_URLS)
    #: False when migrations are run by hand with `trunkline migrate`.
    migrate: bool = True


class Media(_Section):
    """Where attachments are kept."""

    folder: Path = Path("media")
    max_bytes: int = Field(default=25 * _MIB, gt=0)
    #: With less room than this on the disk media stop first, then webhooks.
    free_space_floor: int = Field(default=200 * _MIB, ge=0)


class Log(_Section):
    """What is written to standard error."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    #: "auto" writes text on a terminal and JSON lines elsewhere.
    format: Literal["auto", "text", "json"] = "auto"


class Retention(_Section):
    """Days that things are kept: requests for replays, keys by which a repeat is known, visitors who never wrote."""

    raw_days: int = Field(default=30, ge=1)
    dedupe_days: int = Field(default=90, ge=1)
    visitor_days: int = Field(default=30, ge=1)


class Plugins(_Section):
    """Which installed plugins are left out, by entry point or distribution."""

    disabled: Words = ()


class AccountSettings(_Section):
    """One account, as written: `settings` still holds references to secrets."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", description="letters, digits, - and _, at most 64")
    connector: str
    channel: str | None = None
    title: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict, repr=False)


class Settings(_Section):
    """Everything that can be configured, with paths made absolute."""

    server: Server = Server()
    database: Database = Database()
    media: Media = Media()
    log: Log = Log()
    retention: Retention = Retention()
    plugins: Plugins = Plugins()
    accounts: tuple[AccountSettings, ...] = Field(default=(), repr=False)
    _source: _Source | None = PrivateAttr(default=None)

    @property
    def file(self) -> Path | None:
        """The configuration file, None when there is none."""
        return self._source.file if self._source else None

    def error(self, words: str, position: int, key: str) -> ConfigError:
        """Return an error that points at a key of the account at `position`."""
        source = self._source or _Source(None, "", {})
        return source.error(words, ("accounts", position, key))

    @property
    def folder(self) -> Path:
        """What relative paths start from: the folder of the configuration file, else the current one."""
        return self._source.folder if self._source else Path.cwd()

    @property
    def database_file(self) -> Path | None:
        """The file of an SQLite database."""
        url = self.database.url
        return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None

    @property
    def secret_key(self) -> SecretStr | None:
        """TRUNKLINE_SECRET_KEY, for secrets at rest: one key, or several with commas, the new one first."""
        return self._source.secret_key if self._source else None

    @property
    def key_file(self) -> Path:
        """Where that key is kept when the environment gives none."""
        return (self.database_file.parent if self.database_file else self.folder) / _KEY_FILE


class Configurable(Protocol):
    """What has settings of its own: a `ConnectorSpec`."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def config(self) -> type[BaseModel]:
        """The shape of its settings."""
        ...


class _Source:
    """Where values came from, so that an error can point there."""

    def __init__(self, file: Path | None, text: str, named: Mapping[Place, str]) -> None:
        self.file, self.text, self.named = file, text, named
        self.folder = file.parent if file else Path.cwd()
        key = os.environ.get(f"{PREFIX}SECRET_KEY", "").strip()
        keep_secret(key, *key.split(","))
        self.secret_key = SecretStr(key) if key else None

    def error(self, words: str, path: Place) -> ConfigError:
        """Return an error that names the variable, or the key, the file and the line."""
        key = dotted(path)
        if path in self.named:
            return ConfigError(redact(f"{self.named[path]}: {words}"), key=key)
        line = line_of(self.text, path) if self.file else None
        return ConfigError(redact(words), key=key, file=str(self.file or ""), line=line)

    def first(self, error: ValidationError, model: type[BaseModel], at: Place = ()) -> ConfigError:
        """Return the first of pydantic's complaints; a mistyped key is also missing, which is not said."""
        found = list(problems(error, model, references=bool(at)))
        typing_errors = [problem for problem in found if problem[0].startswith("unknown key")]
        words, path = (typing_errors or found)[0]
        count = len(typing_errors or found)
        more = f" (and {count - 1} more)" if count > 1 else ""
        return self.error(f"{words}{more}", (*at, *path))


# ---------------------------------------------------------------- reading


def load_settings(path: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the configuration: defaults, then the file, then `TRUNKLINE_SECTION__KEY`, then `overrides`.

    Without `path` the file is the one that TRUNKLINE_CONFIG names, else `trunkline.toml` here if it exists.
    `overrides` maps "section.key" to a value given on the command line.

    Raises:
        ConfigError: the first thing that is wrong, and where.
    """
    found = _file(path)
    file = found.absolute() if found else None
    text = _read(file) if file else ""
    tree = _parse(text, file)
    named = _overlay(tree, os.environ, overrides or {})
    source = _Source(file, text, named)
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise source.first(error, Settings) from None
    settings = _absolute(settings, source)
    _refuse_doubles(settings, source)
    return settings


def _file(path: Path | None) -> Path | None:
    named = path or (Path(os.environ[f"{PREFIX}CONFIG"]) if os.environ.get(f"{PREFIX}CONFIG") else None)
    if named is None:
        return Path(DEFAULT_FILE) if Path(DEFAULT_FILE).is_file() else None
    return named


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        words = f"There is no configuration file {file}: write one or name another with --config."
        raise ConfigError(words) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The file cannot be read: {type(error).__name__}.", file=str(file)) from error


def _parse(text: str, file: Path | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at line (\d+)", str(error))
        line = int(at[1]) if at else text.count("\n") + 1
        words = re.sub(r" \(at .*\)$", "", str(error))
        raise ConfigError(f"This is no TOML: {words}.", file=str(file), line=line) from None


def _overlay(tree: dict[str, Any], environment: Mapping[str, str], flags: Mapping[str, Any]) -> dict[Place, str]:
    """Put variables and flags over the file's values; return which path came from which name."""
    named: dict[Place, str] = {}
    for name, value in environment.items():
        section, _, key = name.removeprefix(PREFIX).lower().partition("__")
        if name.startswith(PREFIX) and key:
            _put(tree, (section, key), value)
            named[section, key] = named[section,] = name
    for name, value in flags.items():
        section, _, key = name.partition(".")
        _put(tree, (section, key), value)
        named[section, key] = f"--{key}"
    return named


def _put(tree: dict[str, Any], path: tuple[str, str], value: Any) -> None:
    table = tree.setdefault(path[0], {})
    if isinstance(table, dict):
        table[path[1]] = value


def _absolute(settings: Settings, source: _Source) -> Settings:
    """Let relative paths start from the file's folder, those of flags from the current one."""

    def whole(path: Path, section: str, key: str) -> Path:
        here = source.named.get((section, key), "").startswith("--")
        return (Path.cwd() if here else source.folder) / path

    database, media = settings.database, settings.media
    if settings.database_file:
        file = whole(settings.database_file, "database", "url")
        database = database.model_copy(update={"url": f"sqlite:///{file}"})
    media = media.model_copy(update={"folder": whole(media.folder, "media", "folder")})
    changed = settings.model_copy(update={"database": database, "media": media})
    changed._source = source  # noqa: SLF001 - the model's own attribute, set where it is made
    return changed


def _refuse_doubles(settings: Settings, source: _Source) -> None:
    seen: set[str] = set()
    for index, account in enumerate(settings.accounts):
        if account.id in seen:
            words = f'there are two accounts "{account.id}": give one another id'
            raise source.error(words, ("accounts", index, "id"))
        seen.add(account.id)


# ---------------------------------------------------------------- accounts and their secrets


def resolve_account(settings: Settings, account: AccountSettings, spec: Configurable) -> BaseModel:
    """Return the validated settings of an account, with secrets fetched from variables and files.

    Raises:
        ConfigError: a key, a value, a variable, a file or a blank secret, and where it stands.
    """
    source = settings._source or _Source(None, "", {})  # noqa: SLF001 - both live in this file
    position = next((index for index, other in enumerate(settings.accounts) if other.id == account.id), 0)
    at: Place = ("accounts", position, "settings")
    values = _fetch(account.settings, at, source)
    try:
        config = spec.config.model_validate(values)
    except ValidationError as error:
        raise source.first(error, spec.config, at) from None
    for path, secret in secrets_of(config):
        if not secret.get_secret_value().strip():
            words = f'the secret "{dotted(path)}" is blank: copy it from the platform'
            raise source.error(words, (*at, *path))
    return config


def _fetch(value: Any, path: Place, source: _Source) -> Any:
    """Replace `{ env = "NAME" }` and `{ file = "path" }` by what they point at, at any depth."""
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(name := next(iter(value.values())), str):
            if "env" in value:
                return _from_variable(name, path, source)
            if "file" in value:
                return _from_file(name, path, source)
        return {key: _fetch(item, (*path, key), source) for key, item in value.items()}
    if isinstance(value, list):
        return [_fetch(item, (*path, index), source) for index, item in enumerate(value)]
    return value


def _from_variable(name: str, path: Place, source: _Source) -> str:
    if name not in os.environ:
        raise source.error(f'the environment variable {name}, named by "{path[-1]}", is not set', path)
    keep_secret(os.environ[name])
    return os.environ[name]


def _from_file(name: str, path: Place, source: _Source) -> str:
    try:
        text = (source.folder / name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        words = f'the file {name}, named by "{path[-1]}", cannot be read ({type(error).__name__})'
        raise source.error(words, path) from None
    keep_secret(text)
    return text


def plain_secrets(account: AccountSettings, config: BaseModel) -> list[str]:
    """Return the keys whose secrets stand in the configuration file as they are."""
    names = {str(path[0]) for path, _ in secrets_of(config)}
    return sorted(name for name in names if isinstance(account.settings.get(name), str))


def secrets_of(value: Any, path: Place = ()) -> Iterator[tuple[Place, SecretStr]]:
    """Yield every secret inside a model, with its path."""
    if isinstance(value, SecretStr):
        yield path, value
    elif isinstance(value, BaseModel):
        yield from secrets_of(dict(iter(value)), path)  # `dict(value)` would take a setting "keys" for the method
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from secrets_of(item, (*path, key))
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for index, item in enumerate(value):
            yield from secrets_of(item, (*path, index))
