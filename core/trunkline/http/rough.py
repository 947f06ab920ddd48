"""What the server says of callers who speak bad HTTP: one line without a traceback, and of very many only some."""

from __future__ import annotations

import logging

from aiohttp.http_exceptions import HttpProcessingError

from trunkline.http.sources import FewLines
from trunkline.log import get_logger

__all__ = ["server_logger"]

log = get_logger("http")


class _Thinned(logging.Filter):
    """Takes out what only tells that a stranger sent nonsense; faults of ours stay as they are."""

    def __init__(self) -> None:
        super().__init__()
        self._lines = FewLines()

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError):
            return True
        withheld = self._lines.ask()
        if withheld is not None:
            more = {"withheld": withheld} if withheld else {}
            log.warning("http.rejected", reason=type(error).__name__, status=error.code, **more)
        return False


def server_logger() -> logging.Logger:
    """Return the logger to run a server with; one for all of the process."""
    logger = logging.getLogger("aiohttp.server.thinned")
    if not logger.filters:
        logger.addFilter(_Thinned())
    return logger
