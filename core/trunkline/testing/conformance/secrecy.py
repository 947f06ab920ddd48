"""Checks of what nobody may see: in reprs, errors, logs, items and ordinary requests."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import structlog

from trunkline.contract import TrustedBody
from trunkline.errors import DeliveryError
from trunkline.testing.conformance.checks import Check, Topic, need
from trunkline.testing.conformance.health import probed
from trunkline.testing.conformance.stage import Stage
from trunkline.testing.conformance.strangers import secret_values

__all__ = ["SECRETS"]


def _secrets(stage: Stage) -> list[str]:
    """Return all that nobody may see: of the settings, and the tokens that were fetched."""
    found = [*secret_values(stage.services.config), *stage.services.tokens.values()]
    return [one for one in found if len(one) >= 6]


def _clean(stage: Stage, text: str, where: str) -> None:
    need(not any(secret in text for secret in _secrets(stage)), f"a secret stands in {where}")


async def in_reprs(stage: Stage) -> None:
    customer = stage.add_customer()
    await stage.warmed(customer)
    for what in (stage.services.config, stage.connector, *vars(stage.connector).values()):
        _clean(stage, f"{what!r} {what!s}", f"the repr of {type(what).__name__}")
    dumped = stage.services.config.model_dump_json()
    _clean(stage, dumped, "the settings as JSON")


async def in_errors(stage: Stage) -> None:
    customer = stage.add_customer()
    path, later = await stage.warmed(customer)
    for fault in ("close_after", "close_before", "answer", "cut"):
        await stage.write(customer)
        stage.fail(path, fault, status=400, body="{}")
        stage.fail(later, fault, status=400, body="{}")
        ended = await stage.outcome(await stage.message(customer))
        stage.simulator.forgive()
        if isinstance(ended, DeliveryError):
            whole = "".join(traceback.format_exception(ended))
            _clean(stage, f"{ended!r} {ended.answer!r} {whole}", f"the error of “{fault}”")


async def in_logs(stage: Stage) -> None:
    customer = stage.add_customer()
    with _listening() as lines:
        path, _ = await stage.warmed(customer)
        stage.fail(path, "answer", status=401, body="{}", times=4)
        await stage.outcome(await stage.message(customer))
        stage.simulator.forgive()
        await probed(stage)
        await probed(stage, strange=True)
    _clean(stage, "\n".join(lines), "a log line")


class _Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Hear everything first, whatever this process has set up for its own logs: a handler there may mask secrets."""
    handler, root = _Lines(), logging.getLogger()
    level, disabled = root.level, root.manager.disable
    root.handlers.insert(0, handler)
    root.setLevel(logging.WARNING)
    logging.disable(logging.NOTSET)
    try:
        with structlog.testing.capture_logs() as entries:
            yield handler.lines
        handler.lines.extend(map(str, entries))
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        logging.disable(disabled)


async def in_items(stage: Stage) -> None:
    customer = stage.add_customer()
    await stage.write(customer)
    items = [*stage.door.items, *stage.connector.parse(TrustedBody(stage.simulator.strange(customer)))]
    _clean(stage, str(items), "an item")


async def in_journal(stage: Stage) -> None:
    await stage.warmed(stage.add_customer())
    await probed(stage)
    told = msgspec.json.encode([(one.path, one.headers, one.body, one.answer) for one in stage.simulator.journal])
    _clean(stage, told.decode(), "the simulator's journal: name the paths in Simulator.secret_paths")


SECRETS = Topic(
    "Secrets",
    (
        Check("secrets.reprs", in_reprs, "No secret stands in a repr, or in settings as JSON.",
              "They are what a traceback prints."),
        Check("secrets.errors", in_errors, "No secret stands in an error.", "Agents and logs see it."),
        Check("secrets.logs", in_logs, "No secret is logged.", "Logs are copied everywhere."),
        Check("secrets.items", in_items, "No secret stands in what was read.", "Items are stored in the open."),
        Check("secrets.journal", in_journal, "No secret stands in the address or body of an ordinary request.",
              "Proxies keep those."),
    ),
)  # fmt: skip
