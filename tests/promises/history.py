"""What clients saw, what the database has, and whether the two agree."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

__all__ = ["Database", "Findings", "History", "judge"]

#: Calls of `History`.
Call = int


class History:
    """The calls of all clients: invoked, then ok, fail or unknown. Kept as JSON lines if it is given a file."""

    def __init__(self, file: Path | None = None) -> None:
        self._out = file.open("a", encoding="utf-8") if file else None
        self._calls: dict[Call, tuple[str, ...]] = {}
        self._next = 0
        #: Keys that were ever posted, answered with 2xx, refused with another status, or left without an answer.
        self.invoked: set[str] = set()
        self.acked: set[str] = set()
        self.refused: set[str] = set()
        self.open: set[str] = set()
        #: Status of every answer; 0 for none.
        self.statuses: Counter[int] = Counter()

    def invoke(self, keys: Sequence[str]) -> Call:
        """A client is about to post these."""
        self._next += 1
        self._calls[self._next] = tuple(keys)
        self.invoked.update(keys)
        self._write("invoke", self._next, keys)
        return self._next

    def ok(self, call: Call) -> None:
        """It was answered with 2xx: from now on these must never be lost."""
        self._end("ok", call, self.acked, 200)

    def fail(self, call: Call, status: int) -> None:
        """It was answered with a refusal: the platform would send it again."""
        self._end("fail", call, self.refused, status)

    def unknown(self, call: Call) -> None:
        """No answer came: it may or may not be stored."""
        self._end("unknown", call, self.open, 0)

    def close(self) -> None:
        """Close the file."""
        if self._out is not None:
            self._out.close()
            self._out = None

    def _end(self, word: str, call: Call, to: set[str], status: int) -> None:
        keys = self._calls.pop(call)
        to.update(keys)
        self.statuses[status] += 1
        self._write(word, call, keys, status)

    def _write(self, word: str, call: Call, keys: Sequence[str], status: int | None = None) -> None:
        if self._out is not None:
            line = {"t": time.monotonic(), "type": word, "call": call, "keys": list(keys), "status": status}
            self._out.write(json.dumps(line) + "\n")


class Database:
    """Reads a database past the product, with the driver alone."""

    def __init__(self, url: str) -> None:
        self.url = url

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of one query, written with `?`."""
        if self.url.startswith("sqlite:///"):
            path = self.url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
                return list(connection.execute(query, values))
        with psycopg.connect(self.url, autocommit=True) as connection:
            return list(connection.execute(query.replace("?", "%s").encode(), values))

    async def until(self, query: str, wanted: Any, *, seconds: float = 60) -> Any:
        """Wait until the first value of the query is `wanted`; return the last one seen, whatever it is."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.rows(query)[0][0]
            if found == wanted or time.monotonic() > deadline:
                return found
            await asyncio.sleep(0.1)

    def messages(self) -> Counter[str]:
        """Return how often each platform message id is stored as an incoming message."""
        query = "SELECT external_id, count(*) FROM message WHERE direction = 'in' GROUP BY external_id"
        return Counter(dict(self.rows(query)))

    def announced(self) -> Counter[str]:
        """Return how many `message_received` events the log has for each message, by platform message id."""
        found: Counter[str] = Counter()
        ours = dict(self.rows("SELECT id, external_id FROM message WHERE direction = 'in'"))
        for (payload,) in self.rows("SELECT payload FROM event WHERE kind = 'message_received'"):
            message = json.loads(payload)["message"]["id"]
            found[ours.get(message, f"unknown message {message}")] += 1
        return found

    def bodies(self) -> list[bytes]:
        """Return every stored raw request."""
        return [bytes(body) for (body,) in self.rows("SELECT body FROM raw_request")]

    def raw_keys(self) -> set[str]:
        """Return the keys of the LINE events in all stored raw requests that can be read."""
        found: set[str] = set()
        for body in self.bodies():
            try:
                events = json.loads(body)["events"]
                found.update(str(event["webhookEventId"])[2:] for event in events)
            except (ValueError, LookupError, TypeError):
                continue
        return found

    def integrity(self) -> str:
        """Return "ok", or what SQLite finds wrong with the file."""
        if not self.url.startswith("sqlite:///"):
            return "ok"
        return ", ".join(str(row[0]) for row in self.rows("PRAGMA integrity_check"))

    def gaps(self) -> int:
        """Return how many threads have positions that are not 1, 2, 3 …, or a counter that disagrees."""
        query = (
            "SELECT count(*) FROM (SELECT t.id FROM thread t JOIN message m ON m.thread_id = t.id GROUP BY t.id, "
            "t.last_position HAVING count(*) <> max(m.position) OR max(m.position) <> t.last_position "
            "OR min(m.position) <> 1) AS broken"
        )
        return int(self.rows(query)[0][0])


@dataclass
class Findings:
    """What is wrong, as sets of keys; all empty when the promise was kept."""

    lost: set[str] = field(default_factory=set)
    doubled: set[str] = field(default_factory=set)
    #: Stored without an event in the log, or with more than one.
    unannounced: set[str] = field(default_factory=set)
    #: Acked, and the raw request is not there byte for byte.
    raw_lost: set[str] = field(default_factory=set)
    #: Stored though nobody ever sent them.
    invented: set[str] = field(default_factory=set)
    integrity: str = "ok"
    gaps: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        sets = (self.lost, self.doubled, self.unannounced, self.raw_lost, self.invented)
        return not any(sets) and self.integrity == "ok" and not self.gaps

    def __str__(self) -> str:
        shown = {name: value for name, value in vars(self).items() if value not in (set(), "ok", 0)}
        sizes = {name: len(value) if isinstance(value, set) else value for name, value in shown.items()}
        some = {name: sorted(value)[:5] for name, value in shown.items() if isinstance(value, set)}
        return f"{sizes or 'clean'} {some or ''}".strip()


def judge(history: History, database: Database, *, raw: bool = True, invented: Iterable[str] = ()) -> Findings:
    """Compare what clients were told with what is stored: everything acked is there, once, with one event."""
    messages, announced = database.messages(), database.announced()
    known = history.invoked | set(invented)
    return Findings(
        lost=history.acked - set(messages),
        doubled={key for key, count in messages.items() if count > 1},
        unannounced={key for key in messages if announced[key] != 1} | (set(announced) - set(messages)),
        raw_lost=history.acked - database.raw_keys() if raw else set(),
        invented=set(messages) - known,
        integrity=database.integrity(),
        gaps=database.gaps(),
    )
