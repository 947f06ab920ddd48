"""What Prometheus is told."""

from __future__ import annotations

import asyncio
import sqlite3
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert
from structlog.testing import capture_logs

from tests.core.conftest import NOON, HandClock
from trunkline.service.account import Account
from trunkline.service.arrivals import HANDLER_TRIES
from trunkline.service.intake import Intake
from trunkline.service.metrics import Metrics
from trunkline.store import Store, schema

#: Names of `promises.md` 4.2 that stand for something that exists now.
PROMISED = {
    "webhook_requests", "webhook_ack_seconds", "webhook_duplicates", "events_quarantined", "outbox_messages",
    "inbox_backlog", "inbox_oldest_age_seconds", "event_process_seconds",
    "outbox_oldest_age_seconds", "outbox_attempts", "outbox_accept_seconds", "outbox_maybe_duplicate",
    "channel_state", "token_expires_seconds", "breaker_open", "ws_connections", "ws_evicted", "ws_queue_bytes",
    "live_delay_seconds", "media_bytes", "egress_refused", "auth_failures", "db_commit_seconds", "db_commit_rows",
    "db_writer_queue", "db_wal_bytes", "disk_free_bytes", "loop_lag_seconds", "build_info",
}  # fmt: skip

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


async def _read(metrics: Metrics, store: Store, *accounts: Account) -> Samples:
    text = await metrics.expose(store, accounts, HandClock(), Path.cwd())
    return {
        (sample.name.removeprefix("trunkline_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


async def test_every_promised_metric_is_there(metrics: Metrics, store: Store) -> None:
    text = (await metrics.expose(store, [], HandClock(), Path.cwd())).decode()
    families = {family.name.removeprefix("trunkline_") for family in text_string_to_metric_families(text)}
    assert families >= PROMISED
    assert "process_resident_memory_bytes" in families


async def test_the_versions_are_told(metrics: Metrics, store: Store) -> None:
    labels = (("sqlite", sqlite3.sqlite_version), ("version", version("trunkline")))
    assert (await _read(metrics, store))["build_info", labels] == 1


async def test_requests_are_counted_by_connector_and_outcome(metrics: Metrics, store: Store) -> None:
    for outcome in ("stored", "stored", "duplicate"):
        metrics.webhook("shop", outcome, 0.004)
    samples = await _read(metrics, store)
    assert samples["webhook_requests_total", (("connector", "shop"), ("outcome", "stored"))] == 2
    assert samples["webhook_requests_total", (("connector", "shop"), ("outcome", "duplicate"))] == 1
    assert samples["webhook_ack_seconds_bucket", (("le", "0.005"),)] == 3
    assert samples["webhook_ack_seconds_count", ()] == 3


async def test_attempts_carry_the_connector_of_their_account(metrics: Metrics, store: Store) -> None:
    metrics.know([Account("one", "shop", "shop", "One", locked=True)])
    metrics.attempt("one", "accepted", 0.2)
    metrics.attempt("one", "try_later", 0.1)
    metrics.attempt("two", "accepted", 0.1)
    samples = await _read(metrics, store)
    assert samples["outbox_attempts_total", (("connector", "shop"), ("outcome", "try_later"))] == 1
    assert samples["outbox_attempts_total", (("connector", "unknown"), ("outcome", "accepted"))] == 1
    assert samples["outbox_accept_seconds_count", ()] == 2


async def test_commits_are_measured_on_the_writers_thread(metrics: Metrics, store: Store) -> None:
    store.writer.on_commit = metrics.committed

    def beat(tx: Any, name: str) -> None:
        tx.execute(insert(schema.heartbeat).values(name=name, at=NOON))

    await asyncio.gather(*(store.writer.write(partial(beat, name=name)) for name in "abc"))
    samples = await _read(metrics, store)
    assert samples["db_commit_rows_sum", ()] == 3
    assert samples["db_commit_seconds_count", ()] >= 1
    assert samples["db_wal_bytes", ()] > 0
    assert samples["disk_free_bytes", ()] > 0


def test_a_slow_commit_is_told(metrics: Metrics) -> None:
    with capture_logs() as lines:
        metrics.committed(0.2, 5)
        metrics.committed(1.5, 7)
    assert [(line["event"], line["seconds"], line["rows"]) for line in lines] == [("db.slow", 1.5, 7)]


async def test_the_time_of_handling_is_measured_for_each_group(metrics: Metrics, store: Store) -> None:
    intake = Intake(store, HandClock(), metrics.event_process.observe)
    await store.writer.write(lambda tx: intake.apply(tx, []))
    assert (await _read(metrics, store))["event_process_seconds_count", ()] == 1


async def test_the_backlog_is_counted_when_somebody_asks(metrics: Metrics, store: Store) -> None:
    await store.writer.write(_fill)
    samples = await _read(metrics, store)
    assert samples["outbox_messages", (("state", "queued"),)] == 2
    assert samples["outbox_messages", (("state", "held"),)] == 1
    assert ("outbox_messages", (("state", "sent"),)) not in samples
    assert samples["outbox_oldest_age_seconds", (("state", "queued"),)] == 90
    assert samples["events_quarantined", ()] == 3
    assert samples["inbox_backlog", ()] == 1
    assert samples["inbox_oldest_age_seconds", ()] == 40
    assert samples["breaker_open", ()] == 1
    assert samples["token_expires_seconds", (("account", "one"),)] == 60


async def test_what_is_done_leaves_the_gauges(metrics: Metrics, store: Store) -> None:
    await store.writer.write(_fill)
    await _read(metrics, store)
    await store.writer.write(lambda tx: tx.execute(schema.delivery.update().values(state="sent")))
    assert not [name for name, _ in await _read(metrics, store) if name == "outbox_messages"]


def _fill(tx: Any) -> None:
    made = {"created_at": NOON}
    tx.execute(insert(schema.contact).values(id="c", **made))
    person = {"account_id": "one", "external_id": "e", "kind": "person", "contact_id": "c", "reachable": True}
    tx.execute(insert(schema.identity).values(id="i", **person, **made))
    numbers = dict.fromkeys(("round", "last_position", "last_message_at", "last_inbound_at", "unread"), 0)
    thread = {"account_id": "one", "key": "k", "contact_id": "c", "identity_id": "i", "state": "new"}
    tx.execute(insert(schema.thread).values(id="t", **thread, **numbers, **made))
    text = {"direction": "out", "author_kind": "agent", "content": "{}", "at": NOON, "late": False}
    tx.execute(insert(schema.message).values(id="m", thread_id="t", account_id="one", position=1, **text))
    for number, (state, age_s) in enumerate([("queued", 30), ("queued", 90), ("held", 5), ("sent", 900)]):
        _deliver(tx, number, state, NOON - age_s * 1000)
    raw = {"account_id": "one", "received_at": NOON, "request_id": "r", "method": "POST", "body": b""}
    tx.execute(insert(schema.raw_request).values(id="r1", state="quarantined", **raw))
    failed = {**raw, "state": "quarantined", "reason": "handler_error", "received_at": NOON - 40_000}
    tx.execute(insert(schema.raw_request).values(id="r3", attempts=HANDLER_TRIES - 1, **failed))
    tx.execute(insert(schema.raw_request).values(id="r4", attempts=HANDLER_TRIES, **failed))
    tx.execute(insert(schema.raw_request).values(id="r2", state="processed", **raw))
    tx.execute(insert(schema.breaker).values(account_id="one", state="open", failures=5))
    tx.execute(insert(schema.breaker).values(account_id="two", state="closed", failures=0))
    token = {"account_id": "one", "name": "access", "value": b"", "expires_at": NOON + 60_000}
    tx.execute(insert(schema.access_token).values(**token))


def _deliver(tx: Any, number: int, state: str, created_at: int) -> None:
    of = {"message_id": "m", "thread_id": "t", "account_id": "one", "position": 1, "part": number, "parts": 4}
    plan = {"key": "k", "plan": "[]", "author": "{}", "level": "full", "attempts": 0}
    flags = {"after_uncertain": False, "maybe_duplicate": False}
    times = {"due_at": NOON, "expires_at": NOON, "created_at": created_at, "updated_at": NOON}
    tx.execute(insert(schema.delivery).values(id=f"d{number}", state=state, **of, **plan, **flags, **times))


async def test_the_state_of_every_account_is_told(metrics: Metrics, store: Store) -> None:
    account = Account("one", "shop", "shop", "One", locked=True, state="sign_in_needed")
    samples = await _read(metrics, store, account)
    told = {dict(labels)["state"]: value for (name, labels), value in samples.items() if name == "channel_state"}
    assert told == {"connecting": 0, "connected": 0, "sign_in_needed": 1, "failing": 0, "disabled": 0}
    account.state = "connected"
    samples = await _read(metrics, store, account)
    labels = (("account", "one"), ("connector", "shop"), ("state", "connected"))
    assert samples["channel_state", labels] == 1


async def test_a_thousand_accounts_do_not_make_a_thousand_labels(metrics: Metrics, store: Store) -> None:
    accounts = [Account(f"a{n}", "shop", "shop", "", locked=True, state="connected") for n in range(1000)]
    samples = await _read(metrics, store, *accounts)
    names = {dict(labels)["account"] for name, labels in samples if name == "channel_state"}
    assert len(names) == 201
    labels = (("account", "others"), ("connector", "shop"), ("state", "connected"))
    assert samples["channel_state", labels] == 800


async def test_without_a_database_the_rest_is_told(metrics: Metrics, sqlite_url: str) -> None:
    store = Store(sqlite_url)
    metrics.webhook("shop", "stored", 0.1)
    samples = await _read(metrics, store)
    assert samples["webhook_ack_seconds_count", ()] == 1


async def test_a_blocked_loop_is_noticed(metrics: Metrics, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([100.0, 102.5, 102.5, 102.5])
    monkeypatch.setattr("trunkline.service.metrics.monotonic", lambda: next(times))
    monkeypatch.setattr("trunkline.service.metrics._LAG_EVERY_S", 0.0)
    measured = asyncio.Event()
    note = metrics.loop_lag.set

    def tell(lag: float) -> None:
        note(lag)
        measured.set()

    monkeypatch.setattr(metrics.loop_lag, "set", tell)
    metrics.watch_loop()
    await measured.wait()
    metrics.close()
    assert (await _read(metrics, store))["loop_lag_seconds", ()] == 2.5
