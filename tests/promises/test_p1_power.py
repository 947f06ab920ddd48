"""P1: what was acknowledged survives a power cut. The writer's own statements run on a disk that loses power.

The statements are those of real intake groups: recorded from the product's writer, pragmas included, then said again
through apsw on a disk on which every write that was not synced is lost with a chance of one half.

Push run: 1,000 cuts, about forty seconds.
"""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest
from sqlalchemy import Engine, create_engine

from tests.conftest import Rounds
from tests.promises.clients import line_body, line_event
from tests.promises.power import Disk, PowerCut
from trunkline.clock import SystemClock
from trunkline.model import new_id
from trunkline.service.arrivals import AccountFacts, Arrival
from trunkline.service.intake import Intake
from trunkline.store import Store, sqlite
from trunkline_line import SPEC
from trunkline_line.inbound import items_of

pytestmark = [pytest.mark.promise("P1"), pytest.mark.timeout(1500)]

#: Cuts before the disk is made new, so that its log is also checkpointed under cuts and the file stays small.
_LIVES = 50
_GROUPS = 500
_KEYS = "SELECT external_id FROM message WHERE direction = 'in'"


@dataclass
class Recording:
    """What the product's writer said to SQLite."""

    #: The database before, closed and whole.
    before: bytes
    pragmas: list[str]
    #: One list of statements per commit, BEGIN and COMMIT included.
    groups: list[list[str]]
    #: The keys that each commit acknowledged.
    keys: list[set[str]]


@pytest.fixture
async def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recording:
    """Take a few hundred groups of one to twelve webhooks in, and write down every statement."""
    file = tmp_path / "recorded.db"
    said: list[str] = []

    class Traced(sqlite3.Connection):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self.set_trace_callback(said.append)

    first = Store(f"sqlite:///{file}")
    await first.open()
    await first.close()
    before = _closed(file)

    def traced(url: str, **more: Any) -> Engine:
        if "mode=ro" in url:  # those who only read need no disk
            return create_engine(url, **more)
        return create_engine(url, **{**more, "connect_args": {**more["connect_args"], "factory": Traced}})

    monkeypatch.setattr(sqlite, "create_engine", traced)
    store = Store(f"sqlite:///{file}")
    await store.open()
    keys = await _take_many(Intake(store, SystemClock()), store)
    await store.close()
    assert before[18:20] == b"\x02\x02", "the database was in WAL mode from the start"
    groups = list(_transactions(said))
    pragmas = [text for text in dict.fromkeys(said) if text.startswith("PRAGMA ") and "=" in text]
    assert len(groups) == len(keys) == _GROUPS
    return Recording(before, pragmas, groups, keys)


def _closed(file: Path) -> bytes:
    """Return the file with nothing left in its log."""
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return file.read_bytes()


async def _take_many(intake: Intake, store: Store) -> list[set[str]]:
    import asyncio

    lot, numbers, keys = random.Random(1), itertools.count(), []
    facts = AccountFacts("shop", SPEC.channels[0])
    for _ in range(_GROUPS):
        names = {f"p{next(numbers)}" for _ in range(lot.randint(1, 12))}
        await asyncio.gather(*(intake.take(_arrival(facts, name, lot.randint(1, 40))) for name in sorted(names)))
        keys.append(names)
    return keys


def _arrival(facts: AccountFacts, key: str, user: int) -> Arrival:
    body, raw_id = line_body([line_event(key, user=user)]), new_id()
    now = SystemClock().now_ms()
    return Arrival(raw_id=raw_id, account=facts, received_at=now, request_id=raw_id, body=body, items=items_of(body))


def _transactions(said: list[str]) -> Iterator[list[str]]:
    group: list[str] | None = None
    for text in said:
        if text == "BEGIN IMMEDIATE":
            group = []
        if group is not None:
            group.append(text)
            if text == "COMMIT":
                if any("raw_request" in each for each in group):
                    yield group
                group = None


async def test_what_was_acknowledged_survives_a_power_cut(recording: Recording, rounds: Rounds) -> None:
    assert "PRAGMA synchronous=FULL" in recording.pragmas
    cuts = rounds(push=1_000, long=20_000)
    lost, acked = _cut_again_and_again(recording, cuts, recording.pragmas)
    print(f"{cuts} cuts, {acked} commits acknowledged, {lost} lost")
    assert lost == 0


async def test_a_writer_that_does_not_wait_for_the_disk_is_caught(recording: Recording, rounds: Rounds) -> None:
    pragmas = [text.replace("synchronous=FULL", "synchronous=NORMAL") for text in recording.pragmas]
    lost, acked = _cut_again_and_again(recording, rounds(push=200, long=1_000), pragmas)
    print(f"synchronous=NORMAL: {acked} commits acknowledged, {lost} lost")
    assert lost > 0


def _cut_again_and_again(recording: Recording, cuts: int, pragmas: list[str]) -> tuple[int, int]:
    """Return how many acknowledged commits were lost, and how many there were."""
    lost = acked = 0
    for start in range(0, cuts, _LIVES):
        disk, lot = Disk(f"disk{start}", recording.before), random.Random(start)
        next_group = 0
        for _ in range(min(_LIVES, cuts - start)):
            committed = _live(disk, recording, pragmas, next_group, lot)
            kept = _kept(disk, recording, pragmas, lot)
            lost += max(0, committed - kept)
            acked += committed - next_group
            next_group = kept
        disk.unregister()
    return lost, acked


def _live(disk: Disk, recording: Recording, pragmas: list[str], first: int, lot: random.Random) -> int:
    """Write until the power fails at some write or sync; return how many commits were acknowledged in all."""
    connection, done = disk.open(), first
    disk.fuse = lot.randint(1, 900)
    try:
        _prepare(connection, pragmas)
        for group in recording.groups[first:]:
            for text in group:
                connection.execute(text)
            done += 1
    except (PowerCut, apsw.Error):
        pass
    disk.cut(connection, lot)
    return done


def _kept(disk: Disk, recording: Recording, pragmas: list[str], lot: random.Random) -> int:
    """Open again after the cut; return how many commits are there. They are the first ones, whole, or it is broken.

    The power fails again after the look, so that the log is not tidied up and grows to its next checkpoint.
    """
    connection = disk.open()
    _prepare(connection, pragmas)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    stored = {str(key) for (key,) in connection.execute(_KEYS)}
    disk.cut(connection, lot)
    left, count = set(stored), 0
    for keys in recording.keys:
        if not keys <= left:
            break
        left -= keys
        count += 1
    assert not left, "half a commit, or one without those before it"
    return count


def _prepare(connection: apsw.Connection, pragmas: list[str]) -> None:
    for text in pragmas:
        connection.execute(text).fetchall()
