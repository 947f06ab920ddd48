"""What Prometheus is told: counters kept on the way, gauges computed when somebody asks.

Labels are limited to connector, account, state, outcome, reason class and kind; never a person or a text.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from sqlalchemy import BigInteger, Executable, and_, case, cast, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from trunkline.clock import monotonic
from trunkline.contract import Clock
from trunkline.errors import TrunklineError
from trunkline.log import get_logger
from trunkline.service.account import Account
from trunkline.service.arrivals import HANDLER_TRIES
from trunkline.service.search import CURSOR
from trunkline.store import Store, schema

__all__ = ["Metrics"]

log = get_logger("metrics")

_ACK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_ACCEPT = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3600.0)
_COMMIT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_LIVE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1.0)
_STATES = ("connecting", "connected", "sign_in_needed", "failing", "disabled")
#: Accounts beyond these share one label, so that a big house does not burst its Prometheus.
_MOST_ACCOUNTS = 200
_LAG_EVERY_S = 0.5
#: A commit that takes longer is told.
_SLOW_S = 1.0

_delivery, _raw, _breaker, _token = schema.delivery, schema.raw_request, schema.breaker, schema.access_token
#: Word for word the conditions of the partial indexes: the planner compares text, so a backlog is counted at
#: its own size instead of at that of the table.
_UNDONE = text("state IN ('queued', 'sending', 'retrying', 'held', 'uncertain')")
_QUARANTINED = text("state = 'quarantined'")
_BACKLOG = select(_delivery.c.state, func.count(), func.min(_delivery.c.created_at)).where(_UNDONE)
_OUTBOX = _BACKLOG.group_by(_delivery.c.state)
_PENDING = case((and_(_raw.c.reason == "handler_error", _raw.c.attempts < HANDLER_TRIES), _raw.c.received_at))
_QUARANTINE = select(func.count(), func.count(_PENDING), func.min(_PENDING)).select_from(_raw).where(_QUARANTINED)
_OPEN = select(func.count()).select_from(_breaker).where(_breaker.c.state == "open")
_INDEXED = select(cast(schema.cursor.c.position, BigInteger)).where(schema.cursor.c.name == CURSOR).scalar_subquery()
_SEARCH_LAG = select(func.coalesce(func.max(schema.event.c.seq), 0) - func.coalesce(_INDEXED, 0))
_TOKENS = select(_token.c.account_id, func.min(_token.c.expires_at)).group_by(_token.c.account_id)


class Metrics:
    """All metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._webhooks: dict[tuple[str, str], Any] = {}
        self._connectors: dict[str, str] = {}
        self._lag_timer: asyncio.TimerHandle | None = None
        self._ways_in()
        self._ways_out()
        self._sockets()
        self._machine()

    def _ways_in(self) -> None:
        self.webhook_requests = self._counter("webhook_requests", "Webhook requests", "connector", "outcome")
        self.webhook_ack = self._histogram("webhook_ack_seconds", "From the request to our answer", _ACK)
        self.webhook_duplicates = self._counter("webhook_duplicates", "Items that had been stored before")
        self.quarantined = self._gauge("events_quarantined", "Raw requests that wait for an operator")
        self.inbox_backlog = self._gauge("inbox_backlog", "Stored requests whose effects are still to come")
        self.inbox_oldest = self._gauge("inbox_oldest_age_seconds", "Age of the oldest of them")
        self.event_process = self._histogram("event_process_seconds", "Time of handling one group of requests", _COMMIT)
        self.auth_failures = self._counter("auth_failures", "Refused credentials and signatures", "kind")

    def _ways_out(self) -> None:
        self.outbox_messages = self._gauge("outbox_messages", "Deliveries under way", "state")
        self.outbox_oldest = self._gauge("outbox_oldest_age_seconds", "Age of the oldest delivery", "state")
        self.outbox_attempts = self._counter("outbox_attempts", "Attempts to send", "connector", "outcome")
        self.outbox_accept = self._histogram("outbox_accept_seconds", "Click to the platform's yes", _ACCEPT)
        self.maybe_duplicate = self._counter("outbox_maybe_duplicate", "Deliveries that may show twice")
        self.breaker_open = self._gauge("breaker_open", "Accounts whose sending waits")
        self.channel_state = self._gauge("channel_state", "1 for the state", "connector", "account", "state")
        self.token_expires = self._gauge("token_expires_seconds", "Until a token must be renewed", "account")
        self.egress_refused = self._counter("egress_refused", "Requests the guard refused", "reason")
        self.media_bytes = self._counter("media_bytes", "Bytes of media received")

    def _sockets(self) -> None:
        self.ws_connections = self._gauge("ws_connections", "Open live feeds", "kind")
        self.ws_evicted = self._counter("ws_evicted", "Live feeds closed by us", "reason")
        self.ws_queue_bytes = self._gauge("ws_queue_bytes", "Bytes that wait for slow readers")
        self.search_lag = self._gauge("search_lag_events", "Events that the search has not read yet")
        self.live_delay = self._histogram("live_delay_seconds", "From the commit to the agents' feed", _LIVE)

    def _machine(self) -> None:
        self.db_commit = self._histogram("db_commit_seconds", "Time of one group commit", _COMMIT)
        self.db_rows = self._histogram("db_commit_rows", "Writes in one group commit", _ROWS)
        self.db_queue = self._gauge("db_writer_queue", "Writes that wait")
        self.db_wal = self._gauge("db_wal_bytes", "Size of SQLite's write-ahead log")
        self.disk_free = self._gauge("disk_free_bytes", "Room on the disk of the data")
        self.loop_lag = self._gauge("loop_lag_seconds", "How late the event loop came to a timer")
        build = self._gauge("build_info", "Versions", "version", "sqlite")
        build.labels(version("trunkline"), sqlite3.sqlite_version).set(1)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    # ------------------------------------------------------------ on hot paths

    def webhook(self, connector: str, outcome: str, seconds: float) -> None:
        """Count one webhook request that has been answered."""
        counter = self._webhooks.get((connector, outcome))
        if counter is None:
            counter = self._webhooks[connector, outcome] = self.webhook_requests.labels(connector, outcome)
        counter.inc()
        self.webhook_ack.observe(seconds)

    def know(self, accounts: Iterable[Account]) -> None:
        """Learn which connector an account belongs to, for labels."""
        self._connectors |= {account.id: account.connector_name for account in accounts}

    def attempt(self, account_id: str, outcome: str, seconds: float) -> None:
        """Count one attempt to send; `seconds` is the age of the delivery, noted when the platform said yes."""
        self.outbox_attempts.labels(self._connectors.get(account_id, "unknown"), outcome).inc()
        if outcome == "accepted":
            self.outbox_accept.observe(seconds)

    def committed(self, seconds: float, rows: int) -> None:
        """Note one group commit; `Writer.on_commit`."""
        self.db_commit.observe(seconds)
        self.db_rows.observe(rows)
        if seconds > _SLOW_S:
            log.warning("db.slow", seconds=round(seconds, 3), rows=rows)

    def watch_loop(self) -> None:
        """Begin to measure how late timers of the running loop fire."""
        loop, due = asyncio.get_running_loop(), monotonic() + _LAG_EVERY_S

        def measure() -> None:
            self.loop_lag.set(max(0.0, monotonic() - due))
            self.watch_loop()

        self._lag_timer = loop.call_later(_LAG_EVERY_S, measure)

    def close(self) -> None:
        """Stop measuring."""
        if self._lag_timer is not None:
            self._lag_timer.cancel()

    # ------------------------------------------------------------ when somebody asks

    async def expose(self, store: Store, accounts: Iterable[Account], clock: Clock, folder: Path) -> bytes:
        """Return everything in Prometheus' text format. Without a database the rest is still told."""
        self.db_queue.set(store.writer.waiting)
        self._states(accounts)
        with suppress(OSError):
            self.disk_free.set(shutil.disk_usage(folder).free)
        self._wal(store)
        try:
            await self._backlog(store, clock.now_ms())
        except (SQLAlchemyError, TrunklineError) as error:
            log.warning("metrics.database_unreadable", error=type(error).__name__)
        return generate_latest(self.registry)

    async def _backlog(self, store: Store, now: int) -> None:
        async with store.read() as connection:

            async def rows(statement: Executable) -> list[Any]:
                return list((await connection.execute(statement)).all())

            outbox, tokens = await rows(_OUTBOX), await rows(_TOKENS)
            self.search_lag.set((await rows(_SEARCH_LAG))[0][0])
            waiting, pending, oldest = (await rows(_QUARANTINE))[0]
            self.breaker_open.set((await rows(_OPEN))[0][0])
        self.quarantined.set(waiting)
        self.inbox_backlog.set(pending)
        self.inbox_oldest.set(0 if oldest is None else max(0, now - oldest) / 1000)
        for gauge in (self.outbox_messages, self.outbox_oldest, self.token_expires):
            gauge.clear()
        for state, count, oldest in outbox:
            self.outbox_messages.labels(state).set(count)
            self.outbox_oldest.labels(state).set(max(0, now - oldest) / 1000)
        for account_id, expires_at in tokens[:_MOST_ACCOUNTS]:
            self.token_expires.labels(account_id).set((expires_at - now) / 1000)

    def _states(self, accounts: Iterable[Account]) -> None:
        self.channel_state.clear()
        for number, account in enumerate(accounts):
            name = account.id if number < _MOST_ACCOUNTS else "others"
            for state in _STATES:
                gauge = self.channel_state.labels(account.connector_name, name, state)
                gauge.inc(1 if account.state == state else 0)

    def _wal(self, store: Store) -> None:
        path = getattr(store.backend, "path", None)
        with suppress(OSError):
            self.db_wal.set(path.with_name(f"{path.name}-wal").stat().st_size if path else 0)

    def _counter(self, name: str, words: str, *labels: str) -> Counter:
        return Counter(f"trunkline_{name}", f"{words}.", labels, registry=self.registry)

    def _gauge(self, name: str, words: str, *labels: str) -> Gauge:
        return Gauge(f"trunkline_{name}", f"{words}.", labels, registry=self.registry)

    def _histogram(self, name: str, words: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"trunkline_{name}", f"{words}.", buckets=buckets, registry=self.registry)
