"""What a write function is given: the open transaction of a group commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from trunkline.model import Actor
from trunkline.store import schema
from trunkline.store.prepared import Lookup, Prepared, copy_rows, insert_new, insert_rows, select_by_keys

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection, CursorResult, Executable, Table

__all__ = ["LogRow", "Transaction"]

T = TypeVar("T")

#: Rows handed to one statement at most; keeps SQLite's variable limit far away.
_CHUNK = 256


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
        self._cursor = _cursors(connection)
        #: Events appended so far: (at, kind, thread_id, actor_kind, actor_id, actor_name, payload).
        self.appended: list[tuple[Any, ...]] = []
        #: Names of background workers to wake after the commit.
        self.wakes: set[str] = set()

    def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Run a SQLAlchemy Core statement; for everything that is not hot."""
        return self._connection.execute(statement, parameters)

    def run(self, prepared: Prepared, parameters: dict[str, Any] | None = None) -> list[Any]:
        """Run a prepared statement on the driver's own cursor and return its rows as tuples."""
        sql, order, constants = prepared.on(self.dialect)
        values = constants | (parameters or {})
        cursor = self._cursor()
        try:
            cursor.execute(sql, [values[name] for name in order])
            return cursor.fetchall() if cursor.description else []
        finally:
            cursor.close()

    def run_many(self, prepared: Prepared, parameters: Sequence[dict[str, Any]]) -> None:
        """Run a prepared statement once per row of parameters."""
        if not parameters:
            return
        sql, order, constants = prepared.on(self.dialect)
        rows = [constants | row for row in parameters] if constants else parameters
        self._many(sql, [[row[name] for name in order] for row in rows])

    def insert(self, table: Table, rows: Sequence[tuple[Any, ...]], columns: tuple[str, ...]) -> None:
        """Insert plain rows; the fastest way in."""
        if rows and self.dialect.name == "postgresql":
            self._copy(copy_rows(table, columns, self.dialect), rows)
        elif rows:
            sql, arrange = insert_rows(table, columns, self.dialect)
            self._many(sql, list(map(arrange, rows)))

    def insert_new(
        self, table: Table, rows: Sequence[tuple[Any, ...]], columns: tuple[str, ...], key: tuple[str, ...]
    ) -> set[tuple[Any, ...]]:
        """Insert the rows that do not exist yet and return the `key` columns of those that were new."""
        found: set[tuple[Any, ...]] = set()
        for chunk in _chunks(rows):
            sql, arrange = insert_new(table, columns, key, len(chunk), self.dialect)
            found.update(map(tuple, self._rows(sql, [value for row in chunk for value in arrange(row)])))
        return found

    def select(
        self, table: Table, key: tuple[Column[Any], ...], keys: Iterable[tuple[Any, ...]], columns: tuple[str, ...]
    ) -> list[tuple[Any, ...]]:
        """Return `columns` of the rows whose `key` columns equal one of `keys`; the rows stay locked to the end."""
        found: list[tuple[Any, ...]] = []
        for chunk in _chunks(sorted(keys)):
            sql = select_by_keys(table, key, columns, len(chunk), self.dialect)
            found.extend(self._rows(sql, [value for row in chunk for value in row]))
        return found

    def look_up(self, lookup: Lookup, scope: Any, keys: Iterable[Any]) -> list[tuple[Any, ...]]:
        """Return the rows of `lookup` with this scope and one of these keys; they stay locked to the end."""
        found: list[tuple[Any, ...]] = []
        for chunk in _chunks(sorted(keys)):
            found.extend(self._rows(lookup.on(self.dialect, len(chunk)), [scope, *chunk]))
        return found

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

    def _copy(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        cursor = self._cursor()
        try:
            with cursor.copy(sql) as copy:
                for row in rows:
                    copy.write_row(row)
        finally:
            cursor.close()

    def _many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        cursor = self._cursor()
        try:
            cursor.executemany(sql, rows)
        finally:
            cursor.close()

    def _rows(self, sql: str, values: Sequence[Any]) -> list[Any]:
        cursor = self._cursor()
        try:
            cursor.execute(sql, values)
            rows: list[Any] = cursor.fetchall()
            return rows
        finally:
            cursor.close()


def _cursors(connection: Connection) -> Callable[[], Any]:
    """Return what makes cursors of the driver that take SQL as the database itself reads it.

    psycopg's usual cursor takes `%s` and reads every statement for them; with more than 50 parameters each time anew.
    """
    driver = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        from psycopg import RawCursor  # noqa: PLC0415 - SQLite's users need not load this driver

        return partial(RawCursor, driver)
    return driver.cursor  # type: ignore[union-attr,no-any-return] # the same


_EVENT = ("seq", "at", "kind", "thread_id", "actor_kind", "actor_id", "actor_name", "payload")


def _chunks(rows: Sequence[T]) -> Iterable[Sequence[T]]:
    """Cut into pieces whose lengths are powers of two, so that few statements are ever compiled."""
    start, left = 0, len(rows)
    while left:
        size = min(_CHUNK, 1 << (left.bit_length() - 1))
        yield rows[start : start + size]
        start, left = start + size, left - size
