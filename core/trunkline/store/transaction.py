"""What a write function is given: the open transaction of a group commit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from trunkline.model import Actor
from trunkline.store import schema
from trunkline.store.prepared import Lookup, Prepared, Rewrite, insert_new, insert_rows, select_by_keys
from trunkline.store.statements import statements_of

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection, CursorResult, Executable, Table

__all__ = ["LogRow", "Transaction"]

T = TypeVar("T")

#: Rows handed to one statement at most; keeps SQLite's variable limit far away.
_CHUNK = 64
#: The same where rows have many columns.
_WIDE_CHUNK = 16


class LogRow(msgspec.Struct, frozen=True):
    """One event as stored; `payload` is encoded JSON."""

    seq: int
    at: int
    kind: str
    thread_id: str | None
    actor_kind: str
    actor_id: str | None
    actor_name: str | None
    payload: str


class Transaction:
    """One transaction on the writer's thread.

    A write function must be a function of this object and its own arguments alone: after a failed neighbour, a deadlock
    or a serialisation failure it is run again from the start.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.dialect = connection.dialect
        self._statements = statements_of(connection)
        self._conflict: type[Exception] = self.dialect.loaded_dbapi.IntegrityError
        #: Events appended so far: (at, kind, thread_id, actor_kind, actor_id, actor_name, payload).
        self.appended: list[tuple[Any, ...]] = []
        #: Names of background workers to wake after the commit.
        self.wakes: set[str] = set()

    def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Run a SQLAlchemy Core statement; for everything that is not hot."""
        self._statements.settle()
        return self._connection.execute(statement, parameters)

    def run(self, prepared: Prepared, parameters: dict[str, Any] | None = None) -> list[Any]:
        """Run a prepared statement past SQLAlchemy and return its rows as tuples, none if it returns none."""
        sql, order, constants = prepared.on(self.dialect)
        values = constants | (parameters or {})
        arranged = [values[name] for name in order]
        if prepared.returns_rows:
            return self._statements.rows(sql, arranged)
        self._statements.put(sql, arranged)
        return []

    def run_many(self, prepared: Prepared, parameters: Sequence[dict[str, Any]]) -> None:
        """Run a prepared statement once per row of parameters."""
        for row in parameters:
            self.run(prepared, row)

    def insert(self, table: Table, rows: Sequence[tuple[Any, ...]], columns: tuple[str, ...]) -> None:
        """Insert plain rows; the fastest way in."""
        for chunk in _chunks(rows, _WIDE_CHUNK):
            sql, arrange = insert_rows(table, columns, len(chunk), self.dialect)
            self._statements.put(sql, [value for row in chunk for value in arrange(row)])

    def insert_new(
        self, table: Table, rows: Sequence[tuple[Any, ...]], columns: tuple[str, ...], key: tuple[str, ...]
    ) -> set[tuple[Any, ...]]:
        """Insert the rows that do not exist yet and return the `key` columns of those that were new."""
        found: set[tuple[Any, ...]] = set()
        for chunk in _chunks(rows):
            if self._all_are_new(table, chunk, columns):
                places = [columns.index(name) for name in key]
                found.update(tuple(row[place] for place in places) for row in chunk)
                continue
            sql, arrange = insert_new(table, columns, key, len(chunk), self.dialect)
            values = [value for row in chunk for value in arrange(row)]
            found.update(map(tuple, self._statements.rows(sql, values)))
        return found

    def _all_are_new(self, table: Table, rows: Sequence[tuple[Any, ...]], columns: tuple[str, ...]) -> bool:
        """Insert all of several rows, or none because one exists; PostgreSQL's transaction would not survive it.

        SQLite takes back a statement that fails. Most often none fails, and then nothing has to be returned: every
        returned row is a step of its own, for which this thread has to wait for Python's lock.
        """
        if len(rows) == 1 or self.dialect.name == "postgresql":
            return False
        sql, arrange = insert_rows(table, columns, len(rows), self.dialect)
        try:
            self._statements.put(sql, [value for row in rows for value in arrange(row)])
        except self._conflict:
            return False
        return True

    def select(
        self, table: Table, key: tuple[Column[Any], ...], keys: Iterable[tuple[Any, ...]], columns: tuple[str, ...]
    ) -> list[tuple[Any, ...]]:
        """Return `columns` of the rows whose `key` columns equal one of `keys`; the rows stay locked to the end."""
        found: list[tuple[Any, ...]] = []
        for chunk in _chunks(sorted(keys)):
            sql = select_by_keys(table, key, columns, len(chunk), self.dialect)
            found.extend(self._statements.rows(sql, [value for row in chunk for value in row]))
        return found

    def look_up(self, lookup: Lookup, scope: Any, keys: Iterable[Any]) -> list[tuple[Any, ...]]:
        """Return the rows of `lookup` with this scope and one of these keys; they stay locked to the end."""
        found: list[tuple[Any, ...]] = []
        for chunk in _chunks(sorted(keys)):
            found.extend(self._statements.rows(lookup.on(self.dialect, len(chunk)), [scope, *chunk]))
        return found

    def rewrite(self, rewrite: Rewrite, rows: Sequence[tuple[Any, ...]]) -> None:
        """Give rows their new values: (id, values of the columns of `rewrite`), no id twice."""
        for chunk in _chunks(rows, _WIDE_CHUNK):
            self._statements.put(rewrite.on(self.dialect, len(chunk)), [value for row in chunk for value in row])

    def append(self, kind: str, *, actor: Actor, at: int, payload: Any, thread_id: str | None = None) -> None:
        """Append one event to the log; it gets its number when the group commits."""
        text = payload if isinstance(payload, str) else msgspec.json.encode(payload).decode()
        self.appended.append((at, kind, thread_id, actor.kind.value, actor.id, actor.name, text))

    def wake(self, worker: str) -> None:
        """Wake a background worker of every process after the commit."""
        self.wakes.add(worker)

    def write_log(self, first: int) -> list[LogRow]:
        """Store the appended events, numbered from `first`. Called by the writer alone."""
        rows = [(first + index, *row) for index, row in enumerate(self.appended)]
        self.insert(schema.event, rows, _EVENT)
        return [LogRow(*row) for row in rows]

    def say(self, words: str) -> None:
        """Give one word of transaction control. Called by the writer alone."""
        self._statements.put(words)

    def settle(self) -> None:
        """Return when everything was done that was said; raises what went wrong. Called by the writer alone."""
        self._statements.settle()

    def drop(self) -> None:
        """Forget what was not yet done. Called by the writer alone."""
        self._statements.drop()


_EVENT = ("seq", "at", "kind", "thread_id", "actor_kind", "actor_id", "actor_name", "payload")


def _chunks(rows: Sequence[T], most: int = _CHUNK) -> Iterable[Sequence[T]]:
    """Cut into pieces whose lengths are powers of two, so that few statements are ever compiled."""
    start, left = 0, len(rows)
    while left:
        size = min(most, 1 << (left.bit_length() - 1))
        yield rows[start : start + size]
        start, left = start + size, left - size
