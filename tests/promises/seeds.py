"""The deliberate breaks. Each promise test runs against its own and must find the harm; none ships.

`plant("ack_first,clock_offset_ms=5000")` changes this process; the servers of the tests call it with TRUNKLINE_SEED.
A seed is a function of one text, its value ("" if none was given). Faults of the outbox are in `outbox_seeds.py`, those
of the visitor protocol in `hosted_seeds.py`: tables `SEEDS` of the same shape.
"""

from __future__ import annotations

import asyncio
import dataclasses
import sqlite3
from collections.abc import Callable
from typing import Any

__all__ = ["SEEDS", "plant"]

Seed = Callable[[str], None]


def plant(names: str) -> None:
    """Apply seeds written as `name` or `name=value`, with commas between."""
    from tests.promises import hosted_seeds, outbox_seeds

    table = {**SEEDS, **outbox_seeds.SEEDS, **hosted_seeds.SEEDS}
    for each in filter(None, names.split(",")):
        name, _, value = each.partition("=")
        table[name](value)


def _ack_first(_value: str) -> None:
    """Answer before the commit."""
    from trunkline.service.intake import Intake, Outcome

    take, running = Intake.take, set()

    async def early(self: Intake, arrival: Any) -> Outcome:
        task = asyncio.create_task(take(self, arrival))
        running.add(task)
        task.add_done_callback(running.discard)
        return Outcome(arrival.raw_id, "processed", len(arrival.items), 0)

    Intake.take = early  # type: ignore[method-assign]  # that is the fault


def _clock_offset_ms(value: str) -> None:
    """No fault: a server whose clock is ahead by so many milliseconds."""
    from trunkline.clock import SystemClock

    now = SystemClock.now_ms
    SystemClock.now_ms = lambda self: now(self) + int(value)  # type: ignore[method-assign]  # tests only


def _no_key(_value: str) -> None:
    """Forget what was seen: every event counts as new, as if `inbound_item` had no primary key."""
    from trunkline.service.arrivals import WorkingSet

    WorkingSet.claim = lambda self, keys: {(account, key) for account, key, _ in keys}  # type: ignore[method-assign]  # that is the fault


def _max_pages(value: str) -> None:
    """No fault: the database may not grow while the file `value` exists; looked at before every transaction."""
    from pathlib import Path

    from trunkline.store import Transaction

    say, full = Transaction.say, Path(value)
    state = {"full": False}

    def limited(self: Transaction, words: str) -> None:
        if words.startswith("BEGIN"):
            driver: Any = self._connection.connection.driver_connection
            narrow(driver)
        say(self, words)

    def narrow(driver: sqlite3.Connection) -> None:
        if full.exists():
            pages = driver.execute("PRAGMA page_count").fetchone()[0]
            driver.execute(f"PRAGMA max_page_count = {pages}")
            state["full"] = True
        elif state["full"]:
            driver.execute("PRAGMA max_page_count = 1073741823")
            state["full"] = False

    Transaction.say = limited  # type: ignore[method-assign]  # tests only


def _answer_anyway(_value: str) -> None:
    """Swallow what the store reports and answer as if all were well."""
    from trunkline.errors import StoreUnavailable
    from trunkline.service.intake import Intake, Outcome

    take = Intake.take

    async def careless(self: Intake, arrival: Any) -> Outcome:
        try:
            return await take(self, arrival)
        except StoreUnavailable:
            return Outcome(arrival.raw_id, "processed", 0, 0)

    Intake.take = careless  # type: ignore[method-assign]  # that is the fault


def _stumble(value: str) -> None:
    """No fault of the house: a connector whose `parse` raises, and a handler that raises, at a word in the text.

    With the value "mended" it is today's better program instead, which also knows the kind "hologram".
    """
    from trunkline.contract import Item, MessageReceived
    from trunkline.service.items import HANDLERS
    from trunkline_line import inbound

    if value == "mended":
        inbound._READERS["hologram"] = inbound._READERS["message"]
        return
    say, common = HANDLERS[MessageReceived], inbound._common

    def handle(work: Any, arrival: Any, item: Item) -> None:
        if "HANDLER-TRAP" in str(item):
            raise ZeroDivisionError("the handler fell into the trap")
        say(work, arrival, item)

    def read(event: dict[str, Any]) -> dict[str, Any]:
        if "PARSER-TRAP" in str(event):
            raise RuntimeError("the parser fell into the trap")
        return common(event)

    HANDLERS[MessageReceived] = handle
    inbound._common = read


def _no_quarantine(_value: str) -> None:
    """Let what a handler raises out, and keep nothing."""
    from trunkline.service.intake import Intake

    async def give_up(self: Intake, arrival: Any, error: Exception) -> Any:
        raise error

    Intake._set_aside = give_up  # type: ignore[method-assign]  # that is the fault


def _unbounded_queue(_value: str) -> None:
    """Take whatever comes and let it wait as long as it likes."""
    from trunkline.store.sqlite import SqliteBackend
    from trunkline.store.writer import Writer

    build, make = Writer.__init__, SqliteBackend.__init__

    def patient(self: SqliteBackend, path: Any, **more: Any) -> None:
        make(self, path, **{**more, "busy_timeout_ms": 3_600_000})

    def boundless(self: Writer, backend: Any, **more: Any) -> None:
        build(self, backend, **{**more, "max_queue": 1 << 60})

    Writer.__init__ = boundless  # type: ignore[method-assign]  # that is the fault
    SqliteBackend.__init__ = patient  # type: ignore[method-assign]  # that is the fault


def _auto_reply(_value: str) -> None:
    """No fault: an application that answers every message once, so that effects can be counted at the platform."""
    from tests.promises.replier import SPEC
    from trunkline.plugins import Registry, registry

    serve: Callable[..., Registry] = registry._Loading.registry

    def with_replier(self: Any) -> Registry:
        found = serve(self)
        return dataclasses.replace(found, applications={**found.applications, SPEC.name: SPEC})

    registry._Loading.registry = with_replier  # type: ignore[method-assign]  # tests only


def _heartbeat_s(value: str) -> None:
    """No fault: a heartbeat every so many seconds, so that many rounds fit into a test."""
    from trunkline.service import vitals

    vitals._EVERY_S = float(value)


def _no_lock(_value: str) -> None:
    """Let any number of processes have one SQLite file."""
    from trunkline.store.sqlite import FileLock

    FileLock.acquire = lambda self: None  # type: ignore[method-assign]  # that is the fault


def _lease_ms(value: str) -> None:
    """No fault: leases of deliveries and applications of so many milliseconds, so that no test waits a minute."""
    from trunkline.service import applications
    from trunkline.service.outbox import claims

    claims.LEASE_MS = applications.LEASE_MS = int(value)


def _no_fencing(_value: str) -> None:
    """Let a process that lost an application's lease apply its page all the same, from the position it remembers."""
    from trunkline.service.applications import Consumer

    Consumer._position = _remembered  # type: ignore[method-assign]  # that is the fault


def _remembered(self: Any, tx: Any, now: int) -> int | None:
    if not hasattr(self, "_last_seen"):
        self._last_seen = 0
    position: int = self._last_seen
    rows = self._read(tx, position)
    if rows:
        self._last_seen = rows[-1].seq
    return position


def _hanging_exit(_value: str) -> None:
    """Leave a thread behind that nobody ends, as an aiosqlite connection that was never closed does."""
    import threading

    threading.Thread(target=threading.Event().wait, name="left-open", daemon=False).start()


def _drop_at_stop(_value: str) -> None:
    """Leave at once when told to stop, whatever still waits."""
    import os

    from trunkline import main

    class Leaver:
        def info(self, event: str, **_more: Any) -> None:
            if event == "service.draining":
                os._exit(0)

    main.log = Leaver()  # type: ignore[assignment]  # that is the fault


#: Name → what it breaks.


def _no_client_limits(_value: str) -> None:
    """No fault: visitors may write as often as they like."""
    from trunkline.hosted.limiting import Limiter

    limiter: Any = Limiter
    limiter.take = lambda *_given, **_more: None


def _read_then_listen(_value: str) -> None:
    """Read the log first and begin to listen afterwards: what is committed between the two is lost."""
    from trunkline.hosted.hub import Line
    from trunkline.hosted.reading import read_changes, threads_of

    async def late(self: Line) -> Any:
        upto = self._hub.house.feed.last_seq
        async with self._hub.house.store.read() as connection:
            threads = [row.id for row in await threads_of(connection, self.holder)]
            rows = await read_changes(connection, threads, self.seq, upto, 10_000)
        for row in rows:
            self.seq = row.seq
            yield row
        await asyncio.sleep(0.02)
        self._hub.attach(self, frozenset(threads))

    Line._catch_up = late  # type: ignore[method-assign]  # that is the fault


def _one_send_at_a_time(_value: str) -> None:
    """Wait for each socket in turn, as a loop does that awaits its sends."""
    from aiohttp import web

    send, turn = web.WebSocketResponse.send_frame, asyncio.Lock()

    async def in_turn(self: web.WebSocketResponse, *given: Any, **more: Any) -> None:
        async with turn:
            await send(self, *given, **more)

    web.WebSocketResponse.send_frame = in_turn  # type: ignore[method-assign,assignment]  # that is the fault


SEEDS: dict[str, Seed] = {
    "ack_first": _ack_first,
    "answer_anyway": _answer_anyway,
    "auto_reply": _auto_reply,
    "clock_offset_ms": _clock_offset_ms,
    "drop_at_stop": _drop_at_stop,
    "hanging_exit": _hanging_exit,
    "heartbeat_s": _heartbeat_s,
    "lease_ms": _lease_ms,
    "max_pages": _max_pages,
    "no_client_limits": _no_client_limits,
    "no_fencing": _no_fencing,
    "no_key": _no_key,
    "no_lock": _no_lock,
    "no_quarantine": _no_quarantine,
    "one_send_at_a_time": _one_send_at_a_time,
    "read_then_listen": _read_then_listen,
    "stumble": _stumble,
    "unbounded_queue": _unbounded_queue,
}
