"""Statements compiled once per dialect and run on the driver's own cursor.

SQLAlchemy builds every statement, so no SQL is written by hand; its execution layer is left out on the hot paths,
where it costs more than the database does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, column, select, tuple_, update, values
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, Dialect, FromClause, Table
    from sqlalchemy.sql import ClauseElement

__all__ = ["Lookup", "Prepared", "Rewrite", "insert_new", "insert_rows", "select_by_keys"]


class Prepared:
    """A statement with named parameters, compiled at its first use on each dialect.

    `answered=False` says that nobody reads its rows, though it has some.
    """

    def __init__(self, statement: ClauseElement, *, answered: bool = True) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {}
        self.returns_rows = answered and _returns_rows(statement)

    def on(self, dialect: Dialect) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        """Return the SQL, the order of its parameters, and the values of those that are constants."""
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = _compile(self._statement, dialect)
        return self._compiled[dialect.name]


def _returns_rows(statement: ClauseElement) -> bool:
    return bool(getattr(statement, "is_select", False) or getattr(statement, "returning_column_descriptions", ()))


def _positional(dialect: Dialect) -> Dialect:
    """Return a compiler with positional parameters as the database itself counts them."""
    if dialect.name == "sqlite":
        return sqlite.dialect(paramstyle="qmark")
    return postgresql.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call] # untyped in SQLAlchemy


def _compile(statement: ClauseElement, dialect: Dialect) -> tuple[str, tuple[str, ...], dict[str, Any]]:
    compiled = statement.compile(dialect=_positional(dialect), compile_kwargs={"render_postcompile": True})
    order: Sequence[str] = getattr(compiled, "positiontup", None) or ()
    binds: dict[str, Any] = getattr(compiled, "binds", {})
    constants = {name: bind.effective_value for name, bind in binds.items() if not bind.required}
    return str(compiled), tuple(order), constants


def _insert(table: Table, dialect: Dialect) -> Any:
    return sqlite.insert(table) if dialect.name == "sqlite" else postgresql.insert(table)


#: Puts the values of one row into the order of the statement.
Arrange = Callable[[Sequence[Any]], Sequence[Any]]


def _arrange(table: Table, columns: tuple[str, ...]) -> Arrange:
    """SQLAlchemy writes columns in the order of the table, whatever order they were given in."""
    order = [columns.index(column.name) for column in table.c if column.name in columns]
    return itemgetter(*order)


@lru_cache(maxsize=512)
def insert_rows(table: Table, columns: tuple[str, ...], count: int, dialect: Dialect) -> tuple[str, Arrange]:
    """Return an insert of `count` rows in one statement.

    `executemany` would let go of Python's lock, and wait for it, once per row: on a busy loop that is what a commit
    would spend its time with.
    """
    rows: list[dict[str, Any]] = [{name: bindparam(f"{name}_{row}") for name in columns} for row in range(count)]
    return _compile(_insert(table, dialect).values(rows), dialect)[0], _arrange(table, columns)


@lru_cache(maxsize=256)
def insert_new(
    table: Table, columns: tuple[str, ...], key: tuple[str, ...], count: int, dialect: Dialect
) -> tuple[str, Arrange]:
    """Return an insert of `count` rows that skips existing ones and returns `key` of the new ones."""
    rows = [{name: bindparam(f"{name}_{row}", type_=table.c[name].type) for name in columns} for row in range(count)]
    statement = _insert(table, dialect).values(rows).on_conflict_do_nothing()
    returning = statement.returning(*(table.c[name] for name in key))
    return _compile(returning, dialect)[0], _arrange(table, columns)


class Lookup:
    """Finds rows by one value of `scope` and any number of values of `key`, locking them where that exists.

    `columns` may come from `joined` tables; the first of them should be the key.
    """

    def __init__(
        self, columns: Sequence[Any], *, scope: Column[Any], key: Column[Any], joined: FromClause | None = None
    ) -> None:
        statement = select(*columns) if joined is None else select(*columns).select_from(joined)
        self._statement = statement.where(scope == bindparam("scope")).order_by(key)
        self._key, self._table = key, scope.table
        self._compiled: dict[tuple[str, int], str] = {}

    def on(self, dialect: Dialect, count: int) -> str:
        """Return the SQL for `count` keys; its parameters are the scope and the keys."""
        found = self._compiled.get((dialect.name, count))
        if found is None:
            wanted = [bindparam(f"key_{number}", type_=self._key.type) for number in range(count)]
            statement = self._statement.where(self._key.in_(wanted)).with_for_update(of=self._table)
            found = self._compiled[dialect.name, count] = _compile(statement, dialect)[0]
        return found


class Rewrite:
    """Gives many rows of a table, found by their `id`, their own new values of some columns in one statement.

    `also` are expressions over the row that every one of them gets, without parameters of their own; rows that `where`
    does not hold for stay as they are.
    """

    def __init__(
        self,
        table: Table,
        columns: Sequence[str],
        *,
        also: Mapping[str, Any] | None = None,
        where: ColumnElement[bool] | None = None,
    ) -> None:
        self._table, self._names = table, ("id", *columns)
        self._also, self._where = dict(also or {}), () if where is None else (where,)
        self._compiled: dict[tuple[str, int], str] = {}

    def on(self, dialect: Dialect, count: int) -> str:
        """Return the SQL for `count` rows; its parameters are, row by row, the id and the columns."""
        found = self._compiled.get((dialect.name, count))
        if found is None:
            found = self._compiled[dialect.name, count] = _compile(self._statement(count), dialect)[0]
        return found

    def _statement(self, count: int) -> ClauseElement:
        types = {name: self._table.c[name].type for name in self._names}
        rows = [tuple(bindparam(f"{name}_{row}", type_=type_) for name, type_ in types.items()) for row in range(count)]
        changed = values(*(column(name, type_) for name, type_ in types.items()), name="changed").data(rows).cte()
        wanted = {name: changed.c[name] for name in self._names[1:]}
        chosen = update(self._table).where(self._table.c.id == changed.c.id, *self._where)
        return chosen.values(wanted | self._also)


@lru_cache(maxsize=256)
def select_by_keys(
    table: Table, key: tuple[Column[Any], ...], columns: tuple[str, ...], count: int, dialect: Dialect
) -> str:
    """Return a select of `columns` for `count` values of the composite `key`, locking the rows where that exists."""
    wanted = [tuple_(*(bindparam(f"{column.name}_{row}", type_=column.type) for column in key)) for row in range(count)]
    statement = select(*(table.c[name] for name in columns)).where(tuple_(*key).in_(wanted))
    return _compile(statement.order_by(*key).with_for_update(), dialect)[0]
