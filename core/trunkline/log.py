"""Logging: structlog events named noun.verb, with secrets taken out before anything is written."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO, cast
from urllib.parse import quote


@contextlib.contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Let a library do without another one that it would load though we never let it be used.

    structlog takes rich for tracebacks in colours, with local variables in them, which we do not print: 90 modules and
    7 MiB in every process.
    """
    known = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment] # how the import system is told that there is no such module
    try:
        yield
    finally:
        del sys.modules[name]
        if known is not None:
            sys.modules[name] = known


with _hidden("rich"):
    import structlog
    from structlog.typing import FilteringBoundLogger

__all__ = ["bind", "configure", "forget_secrets", "get_logger", "keep_secret", "redact"]

_MASK = "***"
#: Keys whose values are never shown.
_SECRET_KEY = re.compile(
    r"(secret|token|password|passphrase|authorization|cookie|credential|private_key|api_key|signature)",
    re.IGNORECASE,
)
_QUERY = re.compile(r"(https?://[^\s?#'\"]+)\?[^\s'\"]*")
#: Loggers of libraries that print whole addresses, with tokens in them, or every step of theirs, at INFO.
_LOUD = ("httpx", "httpx2", "httpcore", "httpcore2", "aiohttp.access", "aiohttp.client", "alembic")
_secrets: set[str] = set()
_MIN_SECRET = 6
_URLSAFE = str.maketrans("+/", "-_")


def get_logger(room: str) -> FilteringBoundLogger:
    """Return the logger of a room of the house."""
    logger: FilteringBoundLogger = structlog.get_logger(room=room)
    return logger


def bind(**values: Any) -> Any:
    """Add values to every log line inside a `with` block."""
    return structlog.contextvars.bound_contextvars(**values)


def keep_secret(*values: str) -> None:
    """Never show these values, wherever they turn up, also in the clothes of a URL or of base64."""
    for value in values:
        if len(value) >= _MIN_SECRET and value not in _secrets:
            _secrets.update({value, quote(value, safe=""), *_in_base64(value.encode())})


def _in_base64(value: bytes) -> set[str]:
    """Return how a value looks inside longer base64 text, at each of the three offsets it can have there."""
    found = set()
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + value).rstrip(b"=")
        # The first and the last character may hold bits of the neighbours.
        inner = text[(0, 2, 3)[shift] : len(text) - bool((len(value) + shift) % 3)].decode()
        found |= {inner, inner.translate(_URLSAFE)}
    return {text for text in found if len(text) >= _MIN_SECRET}


def forget_secrets() -> None:
    """Forget all values given to `keep_secret`; for tests."""
    _secrets.clear()


def redact(value: Any) -> Any:
    """Return `value` with registered secrets and the queries of addresses masked, at any depth."""
    if isinstance(value, str):
        return _redact_text(value)
    if isinstance(value, bytes):
        return _redact_text(value.decode("utf-8", "replace"))
    if isinstance(value, MutableMapping):
        return {key: _MASK if _SECRET_KEY.search(str(key)) else redact(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [redact(item) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    # Whatever it is, a renderer would print its repr.
    return _redact_text(repr(value))


def _redact_text(text: str) -> str:
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, _MASK)
    return _QUERY.sub(r"\1?" + _MASK, text)


def _redact_event(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    redacted: MutableMapping[str, Any] = redact(event)
    return redacted


class _RedactFilter(logging.Filter):
    """Masks secrets in records of other libraries."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _redact_text(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = _redact_text(logging.Formatter().formatException(record.exc_info))
        return True


class _Undaunted:
    """Standard error. What cannot be written (disk full, reader gone) is dropped: the work goes on without it."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            return sys.stderr.write(text)
        return 0

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()


class _JsonLines(logging.Formatter):
    """Writes what other libraries log as one JSON line each, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"event": "library.logged", "logger": record.name, "level": record.levelname.lower()}
        line |= {"text": record.getMessage(), "ts": datetime.fromtimestamp(record.created, UTC).isoformat()}
        return json.dumps(line | ({"exception": record.exc_text} if record.exc_text else {}), ensure_ascii=False)


def configure(*, level: str = "INFO", pretty: bool | None = None) -> None:
    """Set logging up once, at start: JSON lines, or colours on a terminal."""
    as_text = sys.stderr.isatty() if pretty is None else pretty
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_processors(as_text=as_text), _redact_event, _renderer(as_text=as_text)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(file=cast(TextIO, _Undaunted())),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_RedactFilter())
    handler.setFormatter(logging.Formatter("%(message)s") if as_text else _JsonLines())
    logging.basicConfig(level=max(number, logging.INFO), handlers=[handler], force=True)
    quiet(_LOUD)


def quiet(names: Iterable[str]) -> None:
    """Let loggers speak only from WARNING on."""
    for name in names:
        logging.getLogger(name).setLevel(logging.WARNING)


def _processors(*, as_text: bool) -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        _exceptions(as_text=as_text),
    ]


def _exceptions(*, as_text: bool) -> Any:
    """Tracebacks become text before secrets are taken out; without local variables, which hold what customers wrote."""
    if as_text:
        return structlog.processors.format_exc_info
    return structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


def _renderer(*, as_text: bool) -> Any:
    if as_text:
        return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return structlog.processors.JSONRenderer()
